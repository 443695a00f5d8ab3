//! Some of the cells, by position.

use std::ops::Range;

use fondaco_proto::{Result, op::SliceOp};

use super::{
    Context,
    view::{segments, units},
};
use crate::matrix::{Builder, Matrix};

/// The cells that the operator selects, in the orientation in which the matrix is stored.
pub fn run(op: &SliceOp, x: &Matrix, cx: &Context<'_>) -> Result<Matrix> {
    let extents = |range: &Range<u64>| range.start as usize..range.end as usize;
    match op {
        SliceOp::Range { rows, columns } => {
            let (rows, columns) = (extents(rows), extents(columns));
            if rows == (0..x.rows()) && columns == (0..x.columns()) {
                return Ok(x.clone());
            }
            Ok(if x.is_transposed() {
                stored_range(x, columns, rows, cx)?.transpose()
            } else {
                stored_range(x, rows, columns, cx)?
            })
        }
        SliceOp::Columns(indices) => {
            let indices: Vec<usize> = indices.iter().map(|&index| index as usize).collect();
            Ok(if x.is_transposed() {
                stored_rows(x, &indices, cx)?.transpose()
            } else {
                stored_columns(x, &indices, cx)?
            })
        }
    }
}

/// Copies stored rows from `first_row` on of a stored column.
pub(crate) fn copy_column(x: &Matrix, column: usize, first_row: usize, out: &mut [f64]) {
    for range in segments(first_row..first_row + out.len(), x.tile_rows()) {
        let tile = &x.tiles()[range.start / x.tile_rows()];
        let cells = &tile.column(column)[range.start - tile.first_row()..range.end - tile.first_row()];
        out[range.start - first_row..range.end - first_row].copy_from_slice(cells);
    }
}

/// Copies rows and columns, the transpose flag considered, column after column.
pub(crate) fn copy_block(x: &Matrix, rows: Range<usize>, columns: Range<usize>, out: &mut [f64]) {
    let height = rows.len().max(1);
    if !x.is_transposed() {
        for (column, out) in columns.zip(out.chunks_exact_mut(height)) {
            copy_column(x, column, rows.start, out);
        }
        return;
    }
    for range in segments(columns.clone(), x.tile_rows()) {
        let tile = &x.tiles()[range.start / x.tile_rows()];
        for (i, row) in rows.clone().enumerate() {
            let cells = &tile.column(row)[range.start - tile.first_row()..range.end - tile.first_row()];
            for (j, cell) in cells.iter().enumerate() {
                out[(range.start - columns.start + j) * height + i] = *cell;
            }
        }
    }
}

/// `X[rows, :]`.
pub(crate) fn rows_of(x: &Matrix, rows: Range<usize>, cx: &Context<'_>) -> Result<Matrix> {
    if x.is_transposed() {
        return Ok(stored_range(x, 0..x.stored_rows(), rows, cx)?.transpose());
    }
    stored_range(x, rows, 0..x.stored_columns(), cx)
}

/// These stored rows and columns.
fn stored_range(x: &Matrix, rows: Range<usize>, columns: Range<usize>, cx: &Context<'_>) -> Result<Matrix> {
    let mut builder = Builder::new(cx.memory, rows.len(), columns.len())?;
    cx.each(units(&mut builder), |mut unit| {
        let first_row = rows.start + unit.first_row;
        for (column, out) in unit.columns() {
            copy_column(x, columns.start + column, first_row, out);
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// These stored columns.
fn stored_columns(x: &Matrix, indices: &[usize], cx: &Context<'_>) -> Result<Matrix> {
    let mut builder = Builder::new(cx.memory, x.stored_rows(), indices.len())?;
    cx.each(units(&mut builder), |mut unit| {
        let first_row = unit.first_row;
        for (column, out) in unit.columns() {
            copy_column(x, indices[column], first_row, out);
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// These stored rows.
fn stored_rows(x: &Matrix, indices: &[usize], cx: &Context<'_>) -> Result<Matrix> {
    let mut builder = Builder::new(cx.memory, indices.len(), x.stored_columns())?;
    cx.each(units(&mut builder), |mut unit| {
        let range = unit.row_range();
        for (column, out) in unit.columns() {
            for (out, &row) in out.iter_mut().zip(&indices[range.clone()]) {
                let tile = &x.tiles()[row / x.tile_rows()];
                *out = tile.column(column)[row - tile.first_row()];
            }
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

#[cfg(test)]
mod tests {
    use std::slice;

    use fondaco_proto::Op;

    use super::super::{
        run as run_kernel,
        testing::{for_each_pool, oriented, shapes},
    };
    use super::*;

    #[test]
    fn ranges_and_lists_on_either_orientation() {
        for (rows, columns) in shapes() {
            for transposed in [false, true] {
                for (a, b) in [(0, rows), (rows / 3, rows - rows / 4), (rows, rows), (0, rows.min(1))] {
                    let (c, d) = (columns / 2, columns);
                    let range = SliceOp::Range { rows: a as u64..b as u64, columns: c as u64..d as u64 };
                    for_each_pool(|cx| {
                        let x = oriented(2, rows, columns, transposed, cx);
                        let sliced = run_kernel(&Op::Slice(range.clone()), slice::from_ref(&x), cx).unwrap();
                        assert_eq!((sliced.rows(), sliced.columns()), (b - a, d - c));
                        let naive: Vec<f64> = (c..d).flat_map(|j| (a..b).map(move |i| (i, j))).map(at(&x)).collect();
                        assert_eq!(sliced.to_column_major(), naive);
                        sliced
                    });
                }
                let list: Vec<u64> = (0..columns as u64).rev().chain((0..columns as u64).step_by(2)).collect();
                for_each_pool(|cx| {
                    let x = oriented(2, rows, columns, transposed, cx);
                    let op = Op::Slice(SliceOp::Columns(list.clone()));
                    let sliced = run_kernel(&op, slice::from_ref(&x), cx).unwrap();
                    let cells = list.iter().flat_map(|&j| (0..rows).map(move |i| (i, j as usize)));
                    assert_eq!(sliced.to_column_major(), cells.map(at(&x)).collect::<Vec<_>>());
                    sliced
                });
            }
        }
    }

    fn at(x: &Matrix) -> impl Fn((usize, usize)) -> f64 {
        move |(row, column)| x.get(row, column)
    }
}
