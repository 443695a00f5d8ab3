//! Accumulators of blocks of rows: how many, what they hold, and their merging in order.

use std::ops::Range;

use fondaco_proto::{Error, Result};

use super::super::{
    Context,
    aggregate::Sum,
    matmul::accumulate,
    view::{grouped, segments, units},
};
use crate::matrix::{Builder, Matrix};

/// Rows that are put into cells at a time.
pub const BLOCK_ROWS: usize = 1024;

/// Columns that one task has.
pub const PANEL: usize = 16;

/// Consecutive rows of a part.
#[derive(Clone, Debug)]
pub struct Block {
    /// Which part.
    pub part: usize,
    /// Its rows.
    pub rows: Range<usize>,
}

/// All rows of parts of these heights, in blocks of at most so many.
pub fn blocks(heights: impl Iterator<Item = usize>, rows: usize) -> Vec<Block> {
    let split = |(part, height)| segments(0..height, rows).map(move |rows| Block { part, rows });
    heights.enumerate().flat_map(split).collect()
}

/// What is accumulated.
pub trait Partial: Copy + Send + Sync {
    /// Of no rows.
    const EMPTY: Self;

    /// Of the rows of both.
    fn merge(self, other: Self) -> Self;
}

/// What is accumulated of single numbers.
pub trait Cell: Partial {
    /// Takes one more.
    fn add(&mut self, x: f64);

    /// The result.
    fn value(self) -> f64;
}

/// How many numbers there were.
#[derive(Clone, Copy)]
pub struct Count(f64);

impl Partial for Count {
    const EMPTY: Self = Self(0.0);

    fn merge(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Cell for Count {
    #[inline(always)]
    fn add(&mut self, _x: f64) {
        self.0 += 1.0;
    }

    fn value(self) -> f64 {
        self.0
    }
}

impl Partial for Sum {
    const EMPTY: Self = Self { high: 0.0, low: 0.0 };

    fn merge(self, other: Self) -> Self {
        Sum::merge(self, other)
    }
}

impl Cell for Sum {
    #[inline(always)]
    fn add(&mut self, x: f64) {
        Sum::add(self, x);
    }

    fn value(self) -> f64 {
        Sum::value(self)
    }
}

impl<const N: usize> Partial for [Sum; N] {
    const EMPTY: Self = [Sum { high: 0.0, low: 0.0 }; N];

    fn merge(mut self, other: Self) -> Self {
        self.iter_mut().zip(other).for_each(|(sum, other)| *sum = sum.merge(other));
        self
    }
}

/// The smallest (not `MOST`) or the largest number; NaN wins.
#[derive(Clone, Copy)]
pub struct Extreme<const MOST: bool>(f64);

impl<const MOST: bool> Partial for Extreme<MOST> {
    const EMPTY: Self = Self(if MOST { f64::NEG_INFINITY } else { f64::INFINITY });

    fn merge(mut self, other: Self) -> Self {
        self.add(other.0);
        self
    }
}

impl<const MOST: bool> Cell for Extreme<MOST> {
    #[inline(always)]
    fn add(&mut self, x: f64) {
        let stays = if MOST { self.0 >= x } else { self.0 <= x };
        if !(stays | self.0.is_nan()) {
            self.0 = x;
        }
    }

    fn value(self) -> f64 {
        self.0
    }
}

/// What is done for each of some columns.
pub struct Work<'a> {
    /// Rows of each part.
    pub heights: &'a [usize],
    /// Columns.
    pub columns: usize,
    /// Accumulated cells of each column.
    pub cells: usize,
    /// Doubles of scratch that a task needs, of so many columns.
    pub scratch: &'a (dyn Fn(usize) -> usize + Sync),
}

impl Work<'_> {
    /// The cells of all columns, one column after another: `add` adds a block's rows to those of some columns.
    pub fn accumulate<P: Partial>(
        &self,
        cx: &Context<'_>,
        add: impl Fn(&Block, Range<usize>, &mut [f64], &mut [P]) + Sync + Send,
    ) -> Result<Vec<P>> {
        let blocks = blocks(self.heights.iter().copied(), BLOCK_ROWS);
        let doubles = size_of::<P>().div_ceil(8);
        let total = self.columns.checked_mul(self.cells).and_then(|cells| cells.checked_mul(doubles));
        let total = total.ok_or_else(|| Error::limit("there are more cells than can be counted"))?;
        let groups = grouped(blocks.len(), accumulate::groups(total));
        let bytes = (total as u64).saturating_mul(8).saturating_mul(groups.len() as u64 + 1);
        let _accumulators = cx.memory.ticket(bytes)?;
        let panels: Vec<Range<usize>> = segments(0..self.columns, PANEL).collect();
        let tasks = panels.iter().flat_map(|panel| groups.iter().map(move |group| (panel, group))).collect();
        let partials = cx.map(tasks, |(panel, group): (&Range<usize>, &Range<usize>)| {
            let mut scratch = cx.memory.buffer((self.scratch)(panel.len()))?;
            let mut cells = vec![P::EMPTY; panel.len() * self.cells];
            for block in &blocks[group.clone()] {
                cx.cancel.check()?;
                add(block, panel.clone(), &mut scratch, &mut cells);
            }
            Ok(cells)
        })?;
        let mut merged = Vec::with_capacity(self.columns * self.cells);
        for of_panel in partials.chunks(groups.len()) {
            let (first, rest) = of_panel.split_first().map_or((&[][..], &[][..]), |(first, rest)| (&first[..], rest));
            let start = merged.len();
            merged.extend_from_slice(first);
            for part in rest {
                merged[start..].iter_mut().zip(part).for_each(|(merged, part)| *merged = merged.merge(*part));
            }
        }
        Ok(merged)
    }
}

/// A matrix of which `cell(row, column)` gives the cells.
pub fn build(
    rows: usize,
    columns: usize,
    cx: &Context<'_>,
    cell: impl Fn(usize, usize) -> f64 + Sync + Send,
) -> Result<Matrix> {
    let mut builder = Builder::new(cx.memory, rows, columns)?;
    cx.each(units(&mut builder), |mut unit| {
        let first_row = unit.first_row;
        for (column, out) in unit.columns() {
            for (i, out) in out.iter_mut().enumerate() {
                *out = cell(first_row + i, column);
            }
        }
        Ok(())
    })?;
    Ok(builder.finish())
}
