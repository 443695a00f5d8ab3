//! Transposes in storage, for kernels that need a matrix as stored.

use fondaco_proto::Result;

use super::{
    Context,
    view::{Unit, segments, units},
};
use crate::matrix::{Builder, Matrix};

/// Rows and columns that are transposed at a time: both sides of a block stay in the first-level cache.
const BLOCK: usize = 16;

/// The same matrix, stored untransposed; the matrix itself where it is.
///
/// # Errors
/// `Limit` if the memory does not suffice, `Cancelled` if asked to stop.
pub fn untransposed(matrix: &Matrix, cx: &Context<'_>) -> Result<Matrix> {
    if !matrix.is_transposed() {
        return Ok(matrix.clone());
    }
    let mut builder = Builder::new(cx.memory, matrix.rows(), matrix.columns())?;
    cx.each(units(&mut builder), |unit| {
        transpose_into(matrix, unit);
        Ok(())
    })?;
    Ok(builder.finish())
}

/// Fills a unit whose rows are stored columns of `matrix`.
fn transpose_into(matrix: &Matrix, unit: Unit<'_>) {
    let Unit { first_row, rows, first_column, data } = unit;
    let columns = data.len() / rows;
    for range in segments(first_column..first_column + columns, matrix.tile_rows()) {
        let tile = &matrix.tiles()[range.start / matrix.tile_rows()];
        let from = range.start - tile.first_row();
        let out = &mut data[(range.start - first_column) * rows..(range.end - first_column) * rows];
        for row in (0..rows).step_by(BLOCK) {
            let block_rows = BLOCK.min(rows - row);
            for (block, out) in out.chunks_mut(BLOCK * rows).enumerate() {
                let start = from + block * BLOCK;
                let count = out.len() / rows;
                for i in row..row + block_rows {
                    let source = &tile.column(first_row + i)[start..start + count];
                    for (j, cell) in source.iter().enumerate() {
                        out[j * rows + i] = *cell;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{for_each_pool, random, shapes};
    use super::*;

    #[test]
    fn keeps_every_cell() {
        for (rows, columns) in shapes() {
            for_each_pool(|cx| {
                let matrix = random(1, rows, columns, cx).transpose();
                let flat = untransposed(&matrix, cx).unwrap();
                assert!(!flat.is_transposed());
                assert_eq!(flat.to_column_major(), matrix.to_column_major());
                flat
            });
        }
    }
}
