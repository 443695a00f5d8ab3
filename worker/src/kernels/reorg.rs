//! The same cells at other places.

use fondaco_proto::{Result, op::ReorgOp};

use super::{Context, materialise::untransposed, slice::copy_column, view::units};
use crate::matrix::{Builder, Matrix};

/// The operator's value.
pub fn run(op: ReorgOp, inputs: &[Matrix], cx: &Context<'_>) -> Result<Matrix> {
    match op {
        ReorgOp::Transpose => Ok(inputs[0].transpose()),
        ReorgOp::Vstack => stacked(inputs, Side::Below, cx),
        ReorgOp::Hstack => stacked(inputs, Side::Beside, cx),
        ReorgOp::Flip => flip(&inputs[0], cx),
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
mod tests {
    use fondaco_proto::Op;

    use super::super::{
        run as run_kernel,
        testing::{for_each_pool, random},
    };
    use super::*;

    /// Stacks of parts with these extents, each of either orientation, against the definition.
    fn check(extents: &[usize], other: usize, flags: usize) {
        for side in [Side::Below, Side::Beside] {
            for_each_pool(|cx| {
                let part = |(i, &extent): (usize, &usize)| {
                    let (rows, columns) = if side == Side::Below { (extent, other) } else { (other, extent) };
                    if flags >> i & 1 == 1 {
                        random(i as u64, columns, rows, cx).transpose()
                    } else {
                        random(i as u64, rows, columns, cx)
                    }
                };
                let parts: Vec<Matrix> = extents.iter().enumerate().map(part).collect();
                let kind = if side == Side::Below { ReorgOp::Vstack } else { ReorgOp::Hstack };
                let stack = run_kernel(&Op::Reorg(kind), &parts, cx).unwrap();
                let mut first = 0;
                for part in &parts {
                    for (i, j) in (0..part.rows()).flat_map(|i| (0..part.columns()).map(move |j| (i, j))) {
                        let (row, column) = if side == Side::Below { (first + i, j) } else { (i, first + j) };
                        assert_eq!(stack.get(row, column), part.get(i, j));
                    }
                    first += if side == Side::Below { part.rows() } else { part.columns() };
                }
                assert_eq!(first, if side == Side::Below { stack.rows() } else { stack.columns() });
                stack
            });
        }
    }

    #[test]
    fn flips_of_every_orientation() {
        for (rows, columns) in [(0, 3), (1, 4), (5000, 2), (3, 0), (4096, 1), (9000, 3)] {
            for transposed in [false, true] {
                for_each_pool(|cx| {
                    let x = random(7, rows, columns, cx);
                    let x = if transposed { x.transpose() } else { x };
                    let flipped = run_kernel(&Op::Reorg(ReorgOp::Flip), std::slice::from_ref(&x), cx).unwrap();
                    let cells = (0..x.rows()).flat_map(|i| (0..x.columns()).map(move |j| (i, j)));
                    for (i, j) in cells {
                        assert_eq!(flipped.get(x.rows() - 1 - i, j), x.get(i, j));
                    }
                    flipped
                });
            }
        }
    }

    #[test]
    fn stacks_of_every_orientation() {
        for flags in 0..8 {
            check(&[3, 0, 2], 4, flags);
            check(&[0, 5000, 1], 3, flags);
            check(&[4096, 4096, 10], 2, flags);
            check(&[2, 1], 0, flags);
            check(&[7], 5, flags);
        }
        check(&[0, 0], 3, 0);
    }
}
