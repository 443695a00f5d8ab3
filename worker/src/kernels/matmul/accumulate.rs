//! Sums of products over tiles: how many accumulators, and their merging.

use fondaco_proto::Result;

use super::super::{
    Context,
    view::{UNIT_CELLS, units},
};
use crate::{
    matrix::{Builder, Matrix},
    memory::Buffer,
};

/// Accumulators at most, of any product.
const GROUPS_MAX: usize = 32;

/// Cells of all accumulators together (64 MiB), where there is more than one.
const ACCUMULATED_CELLS_MAX: usize = 1 << 23;

/// In how many groups a sum to so many cells is accumulated.
pub fn groups(cells: usize) -> usize {
    (ACCUMULATED_CELLS_MAX / cells.max(1)).clamp(1, GROUPS_MAX)
}

/// The sum of the accumulators, in order; all of one length, at least one of them.
pub fn merge(accumulators: Vec<Buffer>, cx: &Context<'_>) -> Result<Option<Buffer>> {
    let mut accumulators = accumulators.into_iter();
    let Some(mut total) = accumulators.next() else { return Ok(None) };
    let rest: Vec<Buffer> = accumulators.collect();
    let chunks = total.chunks_mut(UNIT_CELLS / GROUPS_MAX).enumerate().collect();
    cx.each(chunks, |(i, out): (usize, &mut [f64])| {
        let start = i * (UNIT_CELLS / GROUPS_MAX);
        for part in &rest {
            for (out, x) in out.iter_mut().zip(&part[start..]) {
                *out += x;
            }
        }
        Ok(())
    })?;
    Ok(Some(total))
}

/// A matrix of which `cell(column)` gives the cells of a column.
pub fn from_columns<'a>(
    rows: usize,
    columns: usize,
    cells: impl Fn(usize) -> &'a [f64] + Sync,
    cx: &Context<'_>,
) -> Result<Matrix> {
    let mut builder = Builder::new(cx.memory, rows, columns)?;
    cx.each(units(&mut builder), |mut unit| {
        let range = unit.row_range();
        for (column, out) in unit.columns() {
            out.copy_from_slice(&cells(column)[range.clone()]);
        }
        Ok(())
    })?;
    Ok(builder.finish())
}
