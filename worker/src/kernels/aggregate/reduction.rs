//! How a reduction runs over a matrix: which cells make a partial result, and in which order these are merged.

use std::ops::Range;

use fondaco_proto::{Result, Shape, tile_rows};

use super::super::{
    Context,
    view::{UNIT_CELLS, grouped, overlap, segments, unit_columns},
};
use super::source::{Desk, Source, Strip};
use crate::{
    matrix::{Matrix, Tile},
    memory::Ticket,
};

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
    /// Cells from the first on, column after column; each column is this far from the next.
    cells: &'a [f64],
    stride: usize,
    rows: usize,
    columns: usize,
}

impl<'a> Block<'a> {
    /// The cells of each column.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &'a [f64]> {
        let (cells, stride, rows) = (self.cells, self.stride, self.rows);
        (0..self.columns).map(move |column| &cells[column * stride..][..rows])
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.columns
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.rows
    }
}

/// Merges `part` into `merged`, result by result.
pub fn merge_lists<R: Reduction>(merged: &mut [R::Partial], part: &[R::Partial]) {
    for (merged, part) in merged.iter_mut().zip(part) {
        *merged = R::merge(*merged, *part);
    }
}

/// A reduction of one input in the making: of cells that come a few tiles at a time, in their order.
pub struct Reducer<R: Reduction> {
    kind: Kind<R::Partial>,
}

enum Kind<P> {
    /// One result: a partial one for each unit of cells so far.
    All(Vec<P>),
    /// One for each stored column.
    Down(Folded<P>),
    /// One for each stored row so far.
    Across(Vec<P>),
}

impl<R: Reduction> Reducer<R> {
    /// Of an input of this stored shape: over all cells, or down its stored columns or across its stored rows.
    pub fn new(stored: Shape, along: Along, cx: &Context<'_>) -> Result<Self> {
        let kind = match along {
            Along::All => Kind::All(Vec::new()),
            Along::Across if stored.rows == 1 => Kind::All(Vec::new()),
            Along::Across => Kind::Across(Vec::new()),
            Along::Down => Kind::Down(Folded::new(stored, R::EMPTY, cx)?),
        };
        Ok(Self { kind })
    }

    /// Takes the next tiles; `first_tile` is the number of the first.
    pub fn add(&mut self, x: Source<'_>, first_tile: usize, cx: &Context<'_>) -> Result<()> {
        match &mut self.kind {
            Kind::All(units) => units.extend(all::<R>(x, cx)?),
            Kind::Down(folded) => folded.add(x, first_tile, cx, &|_, cells: &[f64]| R::lane(cells), &R::merge)?,
            Kind::Across(rows) => rows.extend(across::<R>(x, cx)?),
        }
        Ok(())
    }

    /// The results.
    pub fn finish(self) -> Vec<R::Partial> {
        match self.kind {
            Kind::All(units) => vec![units.into_iter().reduce(R::merge).unwrap_or(R::EMPTY)],
            Kind::Down(folded) => folded.finish(R::EMPTY, R::merge),
            Kind::Across(rows) => rows,
        }
    }
}

/// Along what a reduction goes, as the cells are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Along {
    /// Over all cells.
    All,
    /// Down the columns.
    Down,
    /// Across the rows.
    Across,
}

/// A partial result for each unit of cells.
fn all<R: Reduction>(x: Source<'_>, cx: &Context<'_>) -> Result<Vec<R::Partial>> {
    let columns = x.stored_columns();
    let split = |tile: Strip| segments(0..tile.rows * columns, UNIT_CELLS).map(move |cells| (tile, cells));
    let reduce = |cells: &[f64]| cells.chunks(LANE_CELLS).map(R::lane).reduce(R::merge).unwrap_or(R::EMPTY);
    cx.map(x.tiles().into_iter().flat_map(split).collect(), |(tile, cells): (Strip, Range<usize>)| {
        let _desk = cx.memory.ticket(x.desk_bytes(cells.len()))?;
        Ok(reduce(x.cells(tile, cells, &mut Desk::default())))
    })
}

/// Merges, for each stored column, what `lane` makes of its index and its cells of each tile.
pub fn fold_columns<P: Copy + Send + Sync>(
    x: &Matrix,
    cx: &Context<'_>,
    empty: P,
    lane: impl Fn(usize, &[f64]) -> P + Send + Sync,
    merge: impl Fn(P, P) -> P + Send + Sync,
) -> Result<Vec<P>> {
    let mut folded = Folded::new(Source::from(x).stored_shape(), empty, cx)?;
    folded.add(x.into(), 0, cx, &lane, &merge)?;
    Ok(folded.finish(empty, merge))
}

/// Partial results for each stored column, in groups of consecutive tiles.
struct Folded<P> {
    groups: Vec<Range<usize>>,
    blocks: Vec<Range<usize>>,
    /// For each group, those of each block of columns.
    partials: Vec<Vec<P>>,
    columns: usize,
    _bytes: Ticket,
}

impl<P: Copy + Send + Sync> Folded<P> {
    fn new(stored: Shape, empty: P, cx: &Context<'_>) -> Result<Self> {
        let (rows, columns) = (stored.rows as usize, stored.columns as usize);
        let height = tile_rows(stored.columns) as usize;
        let blocks: Vec<Range<usize>> = segments(0..columns, unit_columns(height.min(rows))).collect();
        let groups = grouped(rows.div_ceil(height), TASKS.div_ceil(blocks.len().max(1)));
        let bytes = cx.memory.ticket(((groups.len() + 1) * columns * size_of::<P>()) as u64)?;
        let of_group = || blocks.iter().map(|block| vec![empty; block.len()]);
        let partials = groups.iter().flat_map(|_| of_group()).collect();
        Ok(Self { groups, blocks, partials, columns, _bytes: bytes })
    }

    fn add(
        &mut self,
        x: Source<'_>,
        first_tile: usize,
        cx: &Context<'_>,
        lane: &(impl Fn(usize, &[f64]) -> P + Send + Sync),
        merge: &(impl Fn(P, P) -> P + Send + Sync),
    ) -> Result<()> {
        let tiles = x.tiles();
        let tasks = self.groups.iter().flat_map(|group| self.blocks.iter().map(move |block| (group, block)));
        let tasks = tasks.zip(&mut self.partials).filter_map(|((group, block), partials)| {
            let here = overlap(group, first_tile, tiles.len())?;
            Some((here, block, partials))
        });
        cx.each(tasks.collect(), |(here, block, partials): (Range<usize>, &Range<usize>, &mut Vec<P>)| {
            let _desk = cx.memory.ticket(x.desk_bytes(x.tile_rows()))?;
            let mut desk = Desk::default();
            for tile in &tiles[here] {
                cx.cancel.check()?;
                for (partial, column) in partials.iter_mut().zip(block.clone()) {
                    *partial = merge(*partial, lane(column, x.column(*tile, column, &mut desk)));
                }
            }
            Ok(())
        })
    }

    fn finish(self, empty: P, merge: impl Fn(P, P) -> P) -> Vec<P> {
        let mut results = vec![empty; self.columns];
        for group in self.partials.chunks(self.blocks.len().max(1)) {
            for (block, part) in self.blocks.iter().zip(group) {
                for (result, part) in results[block.clone()].iter_mut().zip(part) {
                    *result = merge(*result, *part);
                }
            }
        }
        results
    }
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
fn across<R: Reduction>(x: Source<'_>, cx: &Context<'_>) -> Result<Vec<R::Partial>> {
    let columns = x.stored_columns();
    let bytes = (2 * x.stored_rows() * size_of::<R::Partial>()) as u64;
    let _accumulators = cx.memory.ticket(bytes)?;
    let split = |tile: Strip| segments(0..tile.rows, BLOCK_ROWS).map(move |rows| (tile, rows));
    let partials = cx.map(x.tiles().into_iter().flat_map(split).collect(), |(tile, rows): (Strip, Range<usize>)| {
        let _desk = cx.memory.ticket(x.desk_bytes(rows.len() * columns))?;
        let mut desk = Desk::default();
        let mut partials = vec![R::EMPTY; rows.len()];
        let height = rows.len();
        let (cells, stride) = x.strip(tile, rows, &mut desk);
        R::across(&Block { cells, stride, rows: height, columns }, &mut partials);
        Ok(partials)
    })?;
    Ok(partials.concat())
}
