//! Cells in row-major order, cut into other rows.

use fondaco_proto::{Result, Shape};

use super::super::{Context, materialise::untransposed, view::units};
use crate::matrix::{Builder, Matrix};

/// Rows that are gathered before the next column is: what they touch stays in cache.
const BLOCK: usize = 256;

/// `np.reshape(X, shape)`; the shape has as many cells.
pub fn reshape(x: &Matrix, shape: Shape, cx: &Context<'_>) -> Result<Matrix> {
    if x.shape() == shape {
        return Ok(x.clone());
    }
    let x = untransposed(x, cx)?;
    let width = shape.columns as usize;
    let mut builder = Builder::new(cx.memory, shape.rows as usize, width)?;
    cx.each(units(&mut builder), |mut unit| {
        let rows = unit.row_range();
        for first in rows.clone().step_by(BLOCK) {
            let last = rows.end.min(first + BLOCK);
            for (column, out) in unit.columns() {
                gather(&x, first * width + column, width, &mut out[first - rows.start..last - rows.start]);
            }
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// Every `step`th cell from `position` on, in row-major order.
fn gather(x: &Matrix, position: usize, step: usize, out: &mut [f64]) {
    let width = x.columns();
    let (mut row, mut column) = (position / width, position % width);
    let (down, right) = (step / width, step % width);
    let mut tile = &x.tiles()[row / x.tile_rows()];
    for out in out {
        if row >= tile.first_row() + tile.rows() {
            tile = &x.tiles()[row / x.tile_rows()];
        }
        *out = tile.column(column)[row - tile.first_row()];
        (row, column) = (row + down, column + right);
        if column >= width {
            (row, column) = (row + 1, column - width);
        }
    }
}
