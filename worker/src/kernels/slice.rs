//! Some of the cells, by position.

use std::ops::Range;

use fondaco_proto::{Result, op::SliceOp};

use super::{
    Context,
    view::{segments, units},
};
use crate::matrix::{Builder, Matrix};

mod filter;
mod positions;
mod set;

pub use filter::taken;
pub use positions::Positions;

/// The cells that the operator selects, in the orientation in which the matrix is stored.
pub fn run(op: &SliceOp, inputs: &[Matrix], cx: &Context<'_>) -> Result<Matrix> {
    let x = &inputs[0];
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
            let indices = Positions::new(indices.len(), indices.iter().map(|&index| index as usize), cx)?;
            Ok(take_rows(&x.transpose(), &indices, cx)?.transpose())
        }
        SliceOp::Rows(indices) => {
            take_rows(x, &Positions::new(indices.len(), indices.iter().map(|&index| index as usize), cx)?, cx)
        }
        SliceOp::Set { rows, columns } => set::replaced(x, &inputs[1], extents(rows), extents(columns), cx),
        SliceOp::FilterRows => filter::filtered(x, &inputs[1], cx),
    }
}

/// These rows, the transpose flag considered, in this order.
pub fn take_rows(x: &Matrix, indices: &[usize], cx: &Context<'_>) -> Result<Matrix> {
    if x.is_transposed() { Ok(stored_columns(x, indices, cx)?.transpose()) } else { stored_rows(x, indices, cx) }
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
        // At most a tile's rows.
        let places = indices[unit.row_range()].iter().map(|row| (row / x.tile_rows(), row % x.tile_rows()));
        let places: Vec<(usize, usize)> = places.collect();
        for (column, out) in unit.columns() {
            for (out, &(tile, row)) in out.iter_mut().zip(&places) {
                *out = x.tiles()[tile].column(column)[row];
            }
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

#[cfg(test)]
mod tests;
