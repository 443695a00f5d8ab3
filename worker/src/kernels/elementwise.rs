//! Cell by cell, with NumPy's broadcasting in both axes: one pass, one output.

use fondaco_proto::{
    Result, Shape,
    op::{Binary, ElementwiseOp, Scalar, Unary},
};

use super::{Context, view::units};
use crate::matrix::{Builder, Matrix};

mod binary;
pub(super) mod math;
mod operand;
mod softmax;
mod ternary;
mod unary;

use operand::{Lane, Operand};

/// The value of the operator, whose shape is `shape`.
pub fn run(op: &ElementwiseOp, inputs: &[Matrix], shape: Shape, cx: &Context<'_>) -> Result<Matrix> {
    match op {
        ElementwiseOp::Unary(Unary::Softmax) => softmax::softmax(&inputs[0], false, cx),
        ElementwiseOp::Unary(Unary::LogSoftmax) => softmax::softmax(&inputs[0], true, cx),
        ElementwiseOp::Unary(function) => {
            let function = unary::kernel(*function);
            apply(inputs, shape, cx, &|lanes, out| function(lanes[0], out))
        }
        ElementwiseOp::Binary(Binary { function, scalar }) => {
            let function = binary::kernel(*function);
            match *scalar {
                None => apply(inputs, shape, cx, &|lanes, out| function(lanes[0], lanes[1], out)),
                Some(Scalar::Right(s)) => {
                    apply(inputs, shape, cx, &|lanes, out| function(lanes[0], Lane::Cell(s), out))
                }
                Some(Scalar::Left(s)) => apply(inputs, shape, cx, &|lanes, out| function(Lane::Cell(s), lanes[0], out)),
            }
        }
        ElementwiseOp::Ternary(ternary) => {
            let ternary = *ternary;
            apply(inputs, shape, cx, &|lanes, out| ternary::run(ternary, lanes, out))
        }
    }
}

/// The sum of matrices of one shape, in order.
pub(super) fn sum(parts: Vec<Matrix>, cx: &Context<'_>) -> Result<Option<Matrix>> {
    let add = binary::kernel(fondaco_proto::op::BinaryFunction::Add);
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { return Ok(None) };
    let total = parts.try_fold(first, |sum, part| {
        let shape = sum.shape();
        apply(&[sum, part], shape, cx, &|lanes, out| add(lanes[0], lanes[1], out))
    })?;
    Ok(Some(total))
}

/// Runs `kernel` over all lanes: what each operand has for some consecutive stored cells of the result.
fn apply(
    inputs: &[Matrix],
    shape: Shape,
    cx: &Context<'_>,
    kernel: &(dyn Fn(&[Lane<'_>], &mut [f64]) + Sync),
) -> Result<Matrix> {
    let (operands, transposed) = operand::arrange(inputs, shape, cx)?;
    let stored = if transposed { shape.transposed() } else { shape };
    let mut builder = Builder::new(cx.memory, stored.rows as usize, stored.columns as usize)?;
    let flat = operands.iter().all(Operand::is_flat);
    cx.each(units(&mut builder), |mut unit| {
        let mut lanes = [Lane::Cell(0.0); 3];
        let lanes = &mut lanes[..operands.len()];
        if flat {
            for (lane, operand) in lanes.iter_mut().zip(&operands) {
                *lane = operand.block(&unit);
            }
            kernel(lanes, unit.data);
            return Ok(());
        }
        let rows = unit.row_range();
        for (column, out) in unit.columns() {
            for (lane, operand) in lanes.iter_mut().zip(&operands) {
                *lane = operand.column(rows.clone(), column);
            }
            kernel(lanes, out);
        }
        Ok(())
    })?;
    Ok(if transposed { builder.finish().transpose() } else { builder.finish() })
}

#[cfg(test)]
mod tests;
