//! How a reduction runs over a matrix: which cells make a partial result, and in which order these are merged.

use std::ops::Range;

use fondaco_proto::Result;

use super::super::{
    Context,
    view::{UNIT_CELLS, grouped, segments, unit_columns},
};
use crate::matrix::{Matrix, Tile};

/// Rows that are reduced together when a reduction goes along rows.
pub const BLOCK_ROWS: usize = 256;

/// Cells of a lane when everything is reduced to one result.
const LANE_CELLS: usize = 4096;

/// Tasks that a reduction down columns is cut into where it has fewer blocks of columns.
const TASKS: usize = 128;

/// Rows and columns that are gathered at a time to have the cells of a row side by side.
const GATHERED_ROWS: usize = 64;
const GATHERED_COLUMNS: usize = 512;

/// A reduction of cells to a partial result, and of partial results to one.
pub trait Reduction {
    /// What cells are reduced to.
    type Partial: Copy + Send + Sync;

    /// Of no cells.
    const EMPTY: Self::Partial;

    /// Of consecutive cells.
    fn lane(cells: &[f64]) -> Self::Partial;

    /// Of each row of a block; `out` has as many.
    fn across(block: &Block<'_>, out: &mut [Self::Partial]);

    /// Of the cells of both.
    fn merge(a: Self::Partial, b: Self::Partial) -> Self::Partial;
}

/// At most `BLOCK_ROWS` consecutive rows of a tile.
pub struct Block<'a> {
    tile: &'a Tile,
    rows: Range<usize>,
}

impl<'a> Block<'a> {
    /// The cells of each column.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &'a [f64]> {
        let rows = self.rows.clone();
        self.tile.data().chunks_exact(self.tile.rows()).map(move |column| &column[rows.clone()])
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.tile.data().len() / self.tile.rows()
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.rows.len()
    }
}

/// Merges `part` into `merged`, result by result.
pub fn merge_lists<R: Reduction>(merged: &mut [R::Partial], part: &[R::Partial]) {
    for (merged, part) in merged.iter_mut().zip(part) {
        *merged = R::merge(*merged, *part);
    }
}

/// One result of all cells.
pub fn all<R: Reduction>(x: &Matrix, cx: &Context<'_>) -> Result<R::Partial> {
    let chunks: Vec<&[f64]> = x.tiles().iter().flat_map(|tile| tile.data().chunks(UNIT_CELLS)).collect();
    let reduce = |cells: &[f64]| cells.chunks(LANE_CELLS).map(R::lane).reduce(R::merge).unwrap_or(R::EMPTY);
    let partials = cx.map(chunks, |cells| Ok(reduce(cells)))?;
    Ok(partials.into_iter().reduce(R::merge).unwrap_or(R::EMPTY))
}

/// A result for each stored column.
pub fn down<R: Reduction>(x: &Matrix, cx: &Context<'_>) -> Result<Vec<R::Partial>> {
    fold_columns(x, cx, R::EMPTY, |_, cells| R::lane(cells), R::merge)
}

/// Merges, for each stored column, what `lane` makes of its index and its cells of each tile.
pub fn fold_columns<P: Copy + Send + Sync>(
    x: &Matrix,
    cx: &Context<'_>,
    empty: P,
    lane: impl Fn(usize, &[f64]) -> P + Send + Sync,
    merge: impl Fn(P, P) -> P + Send + Sync,
) -> Result<Vec<P>> {
    let columns = x.stored_columns();
    let width = unit_columns(x.tile_rows().min(x.stored_rows()));
    let blocks: Vec<Range<usize>> = segments(0..columns, width).collect();
    let groups = grouped(x.tiles().len(), TASKS.div_ceil(blocks.len().max(1)));
    let _accumulators = cx.memory.ticket(((groups.len() + 1) * columns * size_of::<P>()) as u64)?;
    let tasks = groups.iter().flat_map(|group| blocks.iter().map(move |block| (group, block))).collect();
    let partials = cx.map(tasks, |(group, block): (&Range<usize>, &Range<usize>)| {
        let mut partials = vec![empty; block.len()];
        for tile in &x.tiles()[group.clone()] {
            cx.cancel.check()?;
            for (partial, column) in partials.iter_mut().zip(block.clone()) {
                *partial = merge(*partial, lane(column, tile.column(column)));
            }
        }
        Ok(partials)
    })?;
    let mut results = vec![empty; columns];
    for group in partials.chunks(blocks.len().max(1)) {
        for (block, part) in blocks.iter().zip(group) {
            for (result, part) in results[block.clone()].iter_mut().zip(part) {
                *result = merge(*result, *part);
            }
        }
    }
    Ok(results)
}

/// Merges, for each stored row, what `lane` makes of its index and some of its cells after another.
pub fn fold_rows<P: Copy + Send + Sync>(
    x: &Matrix,
    cx: &Context<'_>,
    empty: P,
    lane: impl Fn(usize, &[f64]) -> P + Send + Sync,
    merge: impl Fn(P, P) -> P + Send + Sync,
) -> Result<Vec<P>> {
    let _accumulators = cx.memory.ticket((2 * x.stored_rows() * size_of::<P>()) as u64)?;
    let split = |tile| segments(0..Tile::rows(tile), GATHERED_ROWS).map(move |rows| (tile, rows));
    let tasks = x.tiles().iter().flat_map(split).collect();
    let partials = cx.map(tasks, |(tile, rows): (&Tile, Range<usize>)| {
        let mut partials = vec![empty; rows.len()];
        let mut gathered = vec![0.0; rows.len() * GATHERED_COLUMNS];
        for columns in segments(0..x.stored_columns(), GATHERED_COLUMNS) {
            cx.cancel.check()?;
            for (j, column) in columns.clone().enumerate() {
                for (i, cell) in tile.column(column)[rows.clone()].iter().enumerate() {
                    gathered[i * GATHERED_COLUMNS + j] = *cell;
                }
            }
            for (i, (partial, cells)) in partials.iter_mut().zip(gathered.chunks(GATHERED_COLUMNS)).enumerate() {
                let row = tile.first_row() + rows.start + i;
                *partial = merge(*partial, lane(row, &cells[..columns.len()]));
            }
        }
        Ok(partials)
    })?;
    Ok(partials.concat())
}

/// A result for each stored row.
pub fn across<R: Reduction>(x: &Matrix, cx: &Context<'_>) -> Result<Vec<R::Partial>> {
    if x.stored_rows() == 1 {
        return Ok(vec![all::<R>(x, cx)?]);
    }
    let bytes = (2 * x.stored_rows() * size_of::<R::Partial>()) as u64;
    let _accumulators = cx.memory.ticket(bytes)?;
    let split = |tile| segments(0..Tile::rows(tile), BLOCK_ROWS).map(move |rows| Block { tile, rows });
    let partials = cx.map(x.tiles().iter().flat_map(split).collect(), |block| {
        let mut partials = vec![R::EMPTY; block.height()];
        R::across(&block, &mut partials);
        Ok(partials)
    })?;
    Ok(partials.concat())
}
