//! The same cells at other places.

use fondaco_proto::{Result, op::ReorgOp};

use super::{Context, materialise::untransposed, slice::copy_column, view::units};
use crate::matrix::{Builder, Matrix};

mod diagonal;
mod reshape;
mod sort;

/// The operator's value.
pub fn run(op: ReorgOp, inputs: &[Matrix], cx: &Context<'_>) -> Result<Matrix> {
    match op {
        ReorgOp::Transpose => Ok(inputs[0].transpose()),
        ReorgOp::Vstack => stacked(inputs, Side::Below, cx),
        ReorgOp::Hstack => stacked(inputs, Side::Beside, cx),
        ReorgOp::Flip => flip(&inputs[0], cx),
        ReorgOp::FlipColumns => Ok(flip(&inputs[0].transpose(), cx)?.transpose()),
        ReorgOp::Unique => sort::unique(&inputs[0], cx),
        ReorgOp::Diagonal { offset } => diagonal::cells(&inputs[0], offset, cx),
        ReorgOp::Diag { columns, offset } => diagonal::matrix(&inputs[0], columns as usize, offset, cx),
        ReorgOp::Triangle { upper, k } => diagonal::triangle(&inputs[0], upper, k, cx),
        ReorgOp::Reshape(shape) => reshape::reshape(&inputs[0], shape, cx),
        ReorgOp::Sort { by, descending, indices: false } => sort::sorted(&inputs[0], by as usize, descending, cx),
        ReorgOp::Sort { by, descending, indices: true } => sort::order(&inputs[0], by as usize, descending, cx),
    }
}

/// `np.flip(X, axis=0)`.
fn flip(x: &Matrix, cx: &Context<'_>) -> Result<Matrix> {
    let (rows, columns) = (x.stored_rows(), x.stored_columns());
    let transposed = x.is_transposed();
    let mut builder = Builder::new(cx.memory, rows, columns)?;
    cx.each(units(&mut builder), |mut unit| {
        let range = unit.row_range();
        for (column, out) in unit.columns() {
            if transposed {
                copy_column(x, columns - 1 - column, range.start, out);
            } else {
                copy_column(x, column, rows - range.end, out);
                out.reverse();
            }
        }
        Ok(())
    })?;
    let flipped = builder.finish();
    Ok(if transposed { flipped.transpose() } else { flipped })
}

/// Where the next input goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Below,
    Beside,
}

/// The inputs, one below or beside the other. If all are transposed, so is the result.
fn stacked(inputs: &[Matrix], side: Side, cx: &Context<'_>) -> Result<Matrix> {
    if let [only] = inputs {
        return Ok(only.clone());
    }
    if inputs.iter().all(Matrix::is_transposed) {
        let flipped = if side == Side::Below { beside(inputs, cx) } else { below(inputs, cx) };
        return Ok(flipped?.transpose());
    }
    let inputs = inputs.iter().map(|input| untransposed(input, cx)).collect::<Result<Vec<_>>>()?;
    if side == Side::Below { below(&inputs, cx) } else { beside(&inputs, cx) }
}

/// The first index of each part along an axis, and the end of the last.
fn starts(extents: impl Iterator<Item = usize>) -> Vec<usize> {
    std::iter::once(0)
        .chain(extents.scan(0, |end, extent| {
            *end += extent;
            Some(*end)
        }))
        .collect()
}

/// `np.vstack` of matrices as stored.
fn below(inputs: &[Matrix], cx: &Context<'_>) -> Result<Matrix> {
    let starts = starts(inputs.iter().map(Matrix::stored_rows));
    let mut builder = Builder::new(cx.memory, starts[inputs.len()], inputs[0].stored_columns())?;
    cx.each(units(&mut builder), |mut unit| {
        let range = unit.row_range();
        for (column, out) in unit.columns() {
            // The parts that the range touches.
            for part in starts.partition_point(|&start| start <= range.start) - 1..inputs.len() {
                let (from, to) = (starts[part].max(range.start), starts[part + 1].min(range.end));
                if from >= range.end {
                    break;
                }
                if from < to {
                    let out = &mut out[from - range.start..to - range.start];
                    copy_column(&inputs[part], column, from - starts[part], out);
                }
            }
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// `np.hstack` of matrices as stored.
fn beside(inputs: &[Matrix], cx: &Context<'_>) -> Result<Matrix> {
    let starts = starts(inputs.iter().map(Matrix::stored_columns));
    let mut builder = Builder::new(cx.memory, inputs[0].stored_rows(), starts[inputs.len()])?;
    cx.each(units(&mut builder), |mut unit| {
        let first_row = unit.first_row;
        for (column, out) in unit.columns() {
            let part = starts.partition_point(|&start| start <= column) - 1;
            copy_column(&inputs[part], column - starts[part], first_row, out);
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

#[cfg(test)]
mod tests;
