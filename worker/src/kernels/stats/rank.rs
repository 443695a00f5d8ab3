//! How many cells lie between thresholds: a binary search for each.

use std::ops::Range;

use fondaco_proto::{Result, op::Ranks};

use super::{
    super::{Context, aggregate::Sum, slice::copy_block},
    sums::{BLOCK_ROWS, Block, Cell, Count, Work, build},
};
use crate::matrix::Matrix;

/// The thresholds of a column in ascending order, those that are NaN left out.
pub struct Ladder {
    steps: Vec<f64>,
    /// With those left out.
    count: usize,
}

impl Ladder {
    /// Those of a column of thresholds; the only one, if there is one for all.
    pub fn of(thresholds: &Matrix, column: usize) -> Self {
        let column = column.min(thresholds.columns().saturating_sub(1));
        let mut steps: Vec<f64> = (0..thresholds.rows()).map(|row| thresholds.get(row, column)).collect();
        let count = steps.len();
        steps.retain(|step| !step.is_nan());
        steps.sort_unstable_by(f64::total_cmp);
        Self { steps, count }
    }

    /// The cell of a number: how many thresholds are at or below it. A NaN is above all.
    #[inline(always)]
    pub fn cell(&self, x: f64) -> usize {
        if x.is_nan() { self.steps.len() } else { self.steps.partition_point(|step| *step <= x) }
    }

    /// The same, but a NaN has none.
    #[inline(always)]
    fn present_cell(&self, x: f64) -> usize {
        if x.is_nan() { usize::MAX } else { self.cell(x) }
    }

    /// The same where equal ones are apart.
    #[inline(always)]
    fn tied_cell(&self, x: f64) -> usize {
        if x.is_nan() {
            return 2 * self.count + 1;
        }
        let below = self.steps.partition_point(|step| *step < x);
        2 * below + usize::from(self.steps.get(below) == Some(&x))
    }

    /// Whether any number can be in a cell: none is below minus infinity, or between equal thresholds.
    pub fn is_possible(&self, cell: usize) -> bool {
        let below = cell.checked_sub(1).map_or(Some(&f64::NEG_INFINITY), |below| self.steps.get(below));
        match (below, self.steps.get(cell)) {
            (Some(below), Some(next)) => below < next,
            // What is above all, or of a threshold that was left out.
            (Some(_), None) => cell == self.steps.len(),
            (None, _) => false,
        }
    }
}

/// The counts (with weights, sums) of each column.
pub fn run(ranks: Ranks, thresholds: &Matrix, parts: &[&[Matrix]], cx: &Context<'_>) -> Result<Matrix> {
    let ladders = (thresholds.rows() as u64).saturating_mul(thresholds.columns() as u64).saturating_mul(8);
    let _ladders = cx.memory.ticket(ladders)?;
    let ladders: Vec<Ladder> = (0..thresholds.columns()).map(|column| Ladder::of(thresholds, column)).collect();
    let rank = Rank { ranks, ladders, rows: thresholds.rows(), parts };
    if parts[0].len() > 1 { rank.matrix::<Sum>(cx) } else { rank.matrix::<Count>(cx) }
}

struct Rank<'a> {
    ranks: Ranks,
    ladders: Vec<Ladder>,
    /// Of thresholds.
    rows: usize,
    parts: &'a [&'a [Matrix]],
}

impl Rank<'_> {
    fn matrix<C: Cell>(&self, cx: &Context<'_>) -> Result<Matrix> {
        let cells = if self.ranks == Ranks::Tied { 2 * self.rows + 2 } else { self.rows + 1 };
        let heights: Vec<usize> = self.parts.iter().map(|part| part[0].rows()).collect();
        let columns = self.parts[0][0].columns();
        let work = Work { heights: &heights, columns, cells, scratch: &|width| 2 * width * BLOCK_ROWS };
        let counts =
            work.accumulate(cx, |block, panel, scratch, out: &mut [C]| self.add(block, panel, scratch, out, cells))?;
        build(cells, columns, cx, |row, column| counts[column * cells + row].value())
    }

    fn add<C: Cell>(&self, block: &Block, panel: Range<usize>, scratch: &mut [f64], out: &mut [C], cells: usize) {
        let (part, height) = (self.parts[block.part], block.rows.len());
        let (x, w) = scratch.split_at_mut(panel.len() * BLOCK_ROWS);
        copy_block(&part[0], block.rows.clone(), panel.clone(), x);
        let weights = part.get(1).filter(|weights| weights.columns() > 1);
        match (weights, part.get(1)) {
            (Some(weights), _) => copy_block(weights, block.rows.clone(), panel.clone(), w),
            (None, Some(weights)) => copy_block(weights, block.rows.clone(), 0..1, w),
            (None, None) => w.fill(1.0),
        }
        for (i, column) in panel.enumerate() {
            let ladder = &self.ladders[column.min(self.ladders.len() - 1)];
            let out = &mut out[i * cells..(i + 1) * cells];
            let x = &x[i * height..(i + 1) * height];
            let w = if weights.is_some() { &w[i * height..(i + 1) * height] } else { &w[..height] };
            let cells = x.iter().zip(w);
            match self.ranks {
                Ranks::Between => cells.for_each(|(x, w)| out[ladder.cell(*x)].add(*w)),
                Ranks::Present => cells.for_each(|(x, w)| {
                    if let Some(cell) = out.get_mut(ladder.present_cell(*x)) {
                        cell.add(*w);
                    }
                }),
                Ranks::Tied => cells.for_each(|(x, w)| out[ladder.tied_cell(*x)].add(*w)),
            }
        }
    }
}
