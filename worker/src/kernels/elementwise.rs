//! Cell by cell, with NumPy's broadcasting in both axes: one pass, one output.

use fondaco_proto::{
    Result, Shape,
    op::{Binary, BinaryFunction, ElementwiseOp, Scalar, Unary},
};

use super::{
    Context,
    lazy::{self, Scratch},
    view::units,
};
use crate::matrix::{Builder, Matrix};

mod binary;
pub(super) mod math;
mod operand;
mod softmax;
mod ternary;
mod unary;

pub use operand::{Lane, Operand};

/// The value of the operator, whose shape is `shape`.
pub fn run(op: &ElementwiseOp, inputs: &[Matrix], shape: Shape, cx: &Context<'_>) -> Result<Matrix> {
    match op {
        ElementwiseOp::Unary(Unary::Softmax) => softmax::softmax(&inputs[0], false, cx),
        ElementwiseOp::Unary(Unary::LogSoftmax) => softmax::softmax(&inputs[0], true, cx),
        by_cell => {
            let (operands, transposed) = operand::arrange(inputs, shape, cx)?;
            evaluate(*by_cell, &operands, shape, transposed, cx)
        }
    }
}

/// One operator on what its operands have for some consecutive stored cells of the result.
pub fn on_lanes(op: ElementwiseOp, lanes: &[Lane<'_>], out: &mut [f64]) {
    match op {
        ElementwiseOp::Unary(function) => unary::kernel(function)(lanes[0], out),
        ElementwiseOp::Binary(Binary { function, scalar }) => {
            let function = binary::kernel(function);
            match scalar {
                None => function(lanes[0], lanes[1], out),
                Some(Scalar::Right(s)) => function(lanes[0], Lane::Cell(s), out),
                Some(Scalar::Left(s)) => function(Lane::Cell(s), lanes[0], out),
            }
        }
        ElementwiseOp::Ternary(op) => ternary::run(op, lanes, out),
    }
}

/// A function of each cell.
pub(super) fn map(function: Unary, from: &[f64], out: &mut [f64]) {
    unary::kernel(function)(Lane::Cells(from), out);
}

/// The sum of matrices of one shape, in order.
pub(super) fn sum(parts: Vec<Matrix>, cx: &Context<'_>) -> Result<Option<Matrix>> {
    let add = ElementwiseOp::Binary(Binary { function: BinaryFunction::Add, scalar: None });
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { return Ok(None) };
    let total = parts.try_fold(first, |sum, part| {
        let shape = sum.shape();
        run(&add, &[sum, part], shape, cx)
    })?;
    Ok(Some(total))
}

/// A cell-by-cell operator on operands that are arranged for a result of this shape, stored as its transpose or not.
pub fn evaluate(
    op: ElementwiseOp,
    operands: &[Operand],
    shape: Shape,
    transposed: bool,
    cx: &Context<'_>,
) -> Result<Matrix> {
    let stored = if transposed { shape.transposed() } else { shape };
    let mut builder = Builder::new(cx.memory, stored.rows as usize, stored.columns as usize)?;
    let flat = operands.iter().all(Operand::is_flat);
    cx.each(units(&mut builder), |mut unit| {
        if flat {
            let mut lanes = [Lane::Cell(0.0); 3];
            for (lane, operand) in lanes.iter_mut().zip(operands) {
                *lane = operand.block(&unit);
            }
            on_lanes(op, &lanes[..operands.len()], unit.data);
            return Ok(());
        }
        let rows = unit.row_range();
        let _bytes = cx.memory.ticket(operands.iter().map(Operand::scratch_bytes).sum())?;
        let mut scratch = Scratch::default();
        for (column, out) in unit.columns() {
            lazy::fill(op, operands, rows.clone(), column, out, &mut scratch);
        }
        Ok(())
    })?;
    Ok(if transposed { builder.finish().transpose() } else { builder.finish() })
}

#[cfg(test)]
mod tests;
