//! Cell by cell, where what is 0 stays 0.

use fondaco_proto::{Result, Shape, op::ElementwiseOp};

use super::super::{
    Context,
    elementwise::{Lane, on_lanes},
    view::copy_vector,
};
use crate::{matrix::Matrix, sparse::Sparse, value::Value};

/// The operator on one sparse matrix, alone or with a number, a row or a column; `None` if it makes something of 0.
pub fn run(op: ElementwiseOp, inputs: &[Value], shape: Shape, cx: &Context<'_>) -> Result<Option<Value>> {
    if by_row(op) {
        return Ok(None);
    }
    match inputs {
        [Value::Sparse(x)] => alone(op, x, cx),
        [Value::Sparse(x), Value::Dense(y)] if x.shape() == shape && is_vector(y, shape) => with(op, x, y, false, cx),
        [Value::Dense(y), Value::Sparse(x)] if x.shape() == shape && is_vector(y, shape) => with(op, x, y, true, cx),
        _others => Ok(None),
    }
}

fn by_row(op: ElementwiseOp) -> bool {
    use fondaco_proto::op::Unary::{LogSoftmax, Softmax};
    matches!(op, ElementwiseOp::Unary(Softmax | LogSoftmax))
}

fn is_vector(y: &Matrix, shape: Shape) -> bool {
    let own = y.shape();
    own != shape && (own.rows == 1 || own.columns == 1)
}

fn alone(op: ElementwiseOp, x: &Sparse, cx: &Context<'_>) -> Result<Option<Value>> {
    let mut zero = [f64::NAN];
    on_lanes(op, &[Lane::Cell(0.0)], &mut zero);
    if zero[0] != 0.0 {
        return Ok(None);
    }
    let mapped = x.with_values(cx.memory, |values, out| on_lanes(op, &[Lane::Cells(values)], out))?;
    Ok(Some(Value::Sparse(mapped)))
}

/// With a vector that is stretched over rows or columns, on the left if `turned`.
fn with(op: ElementwiseOp, x: &Sparse, y: &Matrix, turned: bool, cx: &Context<'_>) -> Result<Option<Value>> {
    let mut vector = cx.memory.buffer(y.rows() * y.columns())?;
    copy_vector(y, &mut vector);
    let on_pair = |x: Lane<'_>, y: Lane<'_>, out: &mut [f64]| {
        let lanes = if turned { [y, x] } else { [x, y] };
        on_lanes(op, &lanes, out);
    };
    let mut zeros = vec![f64::NAN; vector.len()];
    on_pair(Lane::Cell(0.0), Lane::Cells(&vector), &mut zeros);
    if zeros.iter().any(|zero| *zero != 0.0) {
        return Ok(None);
    }
    let per_stored_row = (y.columns() == 1) != x.is_transposed();
    let mut others = cx.memory.buffer(x.cells())?;
    let mut next = 0;
    for row in 0..x.stored_rows() {
        let (columns, _) = x.row(row);
        for column in columns {
            let at = if per_stored_row { row } else { *column as usize };
            others[next] = vector[if vector.len() == 1 { 0 } else { at }];
            next += 1;
        }
    }
    let mapped = x.with_values(cx.memory, |values, out| on_pair(Lane::Cells(values), Lane::Cells(&others), out))?;
    Ok(Some(Value::Sparse(mapped)))
}
