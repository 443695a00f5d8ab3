//! Rows by their keys: codes of a table, or levels that are given.

use std::{cmp::Ordering, ops::Range};

use fondaco_proto::Result;

use super::{
    super::{Context, aggregate::Sum, slice::copy_block},
    sums::{BLOCK_ROWS, Block, Cell, Count, Extreme, Partial, Work, build},
};
use crate::matrix::Matrix;

/// Levels that are whole numbers below this are looked up, not searched for.
const DENSE_MAX: f64 = 65_536.0;

/// The group of a row that is in none.
pub const NOBODY: usize = usize::MAX;

/// Row parts, each of keys and perhaps of values, and how the keys make groups.
pub struct Groups<'a> {
    parts: Vec<&'a [Matrix]>,
    keys: Keys,
}

enum Keys {
    /// Two columns of codes, the first below `rows`, the second below `columns`; a column of the table after another.
    Codes { rows: usize, columns: usize },
    /// For whole numbers from 0 on, the level of each.
    Dense { levels: Vec<usize>, count: usize },
    /// In lexicographic order, row after row, with the level of each.
    Sorted { keys: Vec<f64>, width: usize, levels: Vec<usize>, count: usize },
}

impl<'a> Groups<'a> {
    /// The cells of a table.
    pub fn of_codes(parts: Vec<&'a [Matrix]>, rows: usize, columns: usize) -> Self {
        Self { parts, keys: Keys::Codes { rows, columns } }
    }

    /// The rows of a matrix are levels; one that is there twice counts as the first, one with a NaN is nobody's.
    ///
    /// # Errors
    /// `Limit` if the memory does not suffice.
    pub fn of_levels(parts: Vec<&'a [Matrix]>, levels: &Matrix, cx: &Context<'_>) -> Result<Self> {
        let (count, width) = (levels.rows(), levels.columns());
        let dense = |x: f64| (0.0..DENSE_MAX).contains(&x) && x.fract() == 0.0;
        if width == 1 && (0..count).all(|row| dense(levels.get(row, 0))) {
            let mut table = vec![NOBODY; DENSE_MAX as usize];
            for row in (0..count).rev() {
                table[levels.get(row, 0) as usize] = row;
            }
            return Ok(Self { parts, keys: Keys::Dense { levels: table, count } });
        }
        let _rows = cx.memory.ticket((count as u64).saturating_mul(width as u64 + 2).saturating_mul(16))?;
        let row = |row: usize| (0..width).map(move |column| levels.get(row, column));
        let mut order: Vec<usize> = (0..count).filter(|&i| !row(i).any(f64::is_nan)).collect();
        order.sort_by(|&a, &b| compare(row(a), row(b)));
        let keys = order.iter().flat_map(|&i| row(i)).collect();
        Ok(Self { parts, keys: Keys::Sorted { keys, width, levels: order, count } })
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        match &self.keys {
            Keys::Codes { rows, columns } => rows * columns,
            Keys::Dense { count, .. } | Keys::Sorted { count, .. } => *count,
        }
    }

    fn key_columns(&self) -> usize {
        match &self.keys {
            Keys::Codes { .. } => 2,
            Keys::Dense { .. } => 1,
            Keys::Sorted { width, .. } => *width,
        }
    }

    /// The groups of a block's rows; `scratch` has a column of `BLOCK_ROWS` for each column of keys.
    fn assign(&self, block: &Block, scratch: &mut [f64], out: &mut [usize; BLOCK_ROWS]) {
        let (part, height) = (self.parts[block.part], block.rows.len());
        match &self.keys {
            Keys::Codes { rows, columns } => {
                let (a, b) = scratch.split_at_mut(BLOCK_ROWS);
                copy_block(&part[0], block.rows.clone(), 0..1, a);
                copy_block(&part[1], block.rows.clone(), 0..1, b);
                for (out, (a, b)) in out[..height].iter_mut().zip(a.iter().zip(b.iter())) {
                    *out = match (code(*a, *rows), code(*b, *columns)) {
                        (Some(a), Some(b)) => b * rows + a,
                        _ => NOBODY,
                    };
                }
            }
            Keys::Dense { levels, .. } => {
                copy_block(&part[0], block.rows.clone(), 0..1, scratch);
                for (out, x) in out[..height].iter_mut().zip(scratch.iter()) {
                    *out = code(*x, levels.len()).map_or(NOBODY, |code| levels[code]);
                }
            }
            Keys::Sorted { keys, width, levels, .. } => {
                copy_block(&part[0], block.rows.clone(), 0..*width, scratch);
                for (i, out) in out[..height].iter_mut().enumerate() {
                    let row = (0..*width).map(|column| scratch[column * height + i]);
                    *out = if row.clone().any(f64::is_nan) { NOBODY } else { find(keys, levels, row) };
                }
            }
        }
    }

    /// The group of each row of all parts, `NOBODY` for none.
    ///
    /// # Errors
    /// `Limit` if the memory does not suffice, `Cancelled` if asked to stop.
    pub fn of_rows(&self, cx: &Context<'_>) -> Result<Vec<usize>> {
        let blocks = super::sums::blocks(self.parts.iter().map(|part| part[0].rows()), BLOCK_ROWS);
        let assigned = cx.map(blocks, |block: Block| {
            let mut scratch = cx.memory.buffer(self.key_columns() * BLOCK_ROWS)?;
            let mut groups = [NOBODY; BLOCK_ROWS];
            self.assign(&block, &mut scratch, &mut groups);
            Ok(groups[..block.rows.len()].to_vec())
        })?;
        Ok(assigned.concat())
    }

    /// How many rows each group has and, last, how many are in none.
    ///
    /// # Errors
    /// `Limit` if the memory does not suffice, `Cancelled` if asked to stop.
    pub fn rows(&self, cx: &Context<'_>) -> Result<Vec<f64>> {
        let (heights, groups) = (self.heights(), self.len());
        let keys = self.key_columns();
        let work = Work { heights: &heights, columns: 1, cells: groups + 1, scratch: &|_| keys * BLOCK_ROWS };
        let counts = work.accumulate(cx, |block, _, scratch, out: &mut [Count]| {
            let mut assigned = [NOBODY; BLOCK_ROWS];
            self.assign(block, scratch, &mut assigned);
            assigned[..block.rows.len()].iter().for_each(|&group| out[group.min(groups)].add(1.0));
        })?;
        Ok(counts.into_iter().map(Cell::value).collect())
    }

    fn heights(&self) -> Vec<usize> {
        self.parts.iter().map(|part| part[0].rows()).collect()
    }

    /// For each column of the values, each group's cell of them: of the values less a centre, if there are centres.
    fn fold<P: Partial>(
        &self,
        centres: Option<&[f64]>,
        cx: &Context<'_>,
        add: impl Fn(&mut P, f64) + Sync + Send,
    ) -> Result<Vec<P>> {
        let (heights, groups, keys) = (self.heights(), self.len(), self.key_columns());
        let values = self.parts[0].len() - 1;
        let columns = self.parts[0][values].columns();
        let scratch = |width: usize| (keys + width) * BLOCK_ROWS;
        let work = Work { heights: &heights, columns, cells: groups, scratch: &scratch };
        work.accumulate(cx, |block: &Block, panel: Range<usize>, scratch: &mut [f64], out: &mut [P]| {
            let (keys, x) = scratch.split_at_mut(keys * BLOCK_ROWS);
            let mut assigned = [NOBODY; BLOCK_ROWS];
            self.assign(block, keys, &mut assigned);
            let height = block.rows.len();
            copy_block(&self.parts[block.part][values], block.rows.clone(), panel.clone(), x);
            for (i, column) in panel.enumerate() {
                let out = &mut out[i * groups..(i + 1) * groups];
                let centres = centres.map(|centres| &centres[column * groups..(column + 1) * groups]);
                for (x, &group) in x[i * height..(i + 1) * height].iter().zip(&assigned) {
                    if group != NOBODY {
                        add(&mut out[group], centres.map_or(*x, |centres| x - centres[group]));
                    }
                }
            }
        })
    }

    fn matrix<C: Cell>(&self, cx: &Context<'_>) -> Result<Matrix> {
        let groups = self.len();
        let cells = self.fold(None, cx, |cell: &mut C, x| cell.add(x))?;
        build(groups, cells.len() / groups.max(1), cx, |row, column| cells[column * groups + row].value())
    }

    /// The table of codes: counts, or sums of weights.
    pub fn table(&self, cx: &Context<'_>) -> Result<Matrix> {
        let Keys::Codes { rows, columns } = self.keys else { return self.counts(cx) };
        if self.parts[0].len() > 2 {
            let cells = self.fold(None, cx, |sum: &mut Sum, x| sum.add(x))?;
            return build(rows, columns, cx, |row, column| Sum::value(cells[column * rows + row]));
        }
        let counts = self.rows(cx)?;
        build(rows, columns, cx, |row, column| counts[column * rows + row])
    }

    /// `(groups, 1)`.
    pub fn counts(&self, cx: &Context<'_>) -> Result<Matrix> {
        let counts = self.rows(cx)?;
        build(self.len(), 1, cx, |row, _| counts[row])
    }

    /// `(groups, columns)`.
    pub fn sums(&self, cx: &Context<'_>) -> Result<Matrix> {
        self.matrix::<Sum>(cx)
    }

    /// `(groups, columns)`.
    pub fn least(&self, cx: &Context<'_>) -> Result<Matrix> {
        self.matrix::<Extreme<false>>(cx)
    }

    /// `(groups, columns)`.
    pub fn most(&self, cx: &Context<'_>) -> Result<Matrix> {
        self.matrix::<Extreme<true>>(cx)
    }

    /// `(3 groups, columns)`: counts, means, and sums of squared deviations in a second pass, less what the rounding of
    /// the means left (Chan, Golub & LeVeque 1983, "Algorithms for computing the sample variance").
    pub fn moments(&self, cx: &Context<'_>) -> Result<Matrix> {
        let (groups, counts) = (self.len(), self.rows(cx)?);
        let sums = self.fold(None, cx, |sum: &mut Sum, x| sum.add(x))?;
        let means: Vec<f64> = sums.iter().enumerate().map(|(i, sum)| Sum::value(*sum) / counts[i % groups]).collect();
        let deviations = self.fold(Some(&means), cx, |sums: &mut [Sum; 2], d| {
            sums[0].add(d);
            sums[1].add(d * d);
        })?;
        build(3 * groups, means.len() / groups.max(1), cx, |row, column| {
            let (kind, group) = (row / groups, row % groups);
            let (i, count) = (column * groups + group, counts[group]);
            match kind {
                0 => count,
                1 => means[i],
                _ if count == 0.0 => 0.0,
                _ => {
                    let [first, second] = deviations[i].map(Sum::value);
                    let squares = second - first * first / count;
                    if squares < 0.0 { 0.0 } else { squares }
                }
            }
        })
    }
}

/// A whole number from 0 to `below`, exclusive.
#[inline(always)]
fn code(x: f64, below: usize) -> Option<usize> {
    (x >= 0.0 && x < below as f64 && x.fract() == 0.0).then_some(x as usize)
}

/// Of rows without NaN.
fn compare(a: impl Iterator<Item = f64>, b: impl Iterator<Item = f64>) -> Ordering {
    a.partial_cmp(b).unwrap_or(Ordering::Equal)
}

/// The first of the sorted keys that is equal to a row.
fn find(keys: &[f64], levels: &[usize], row: impl Iterator<Item = f64> + Clone) -> usize {
    let width = row.clone().count();
    let at = |i: usize| keys[i * width..(i + 1) * width].iter().copied();
    let (mut low, mut high) = (0, levels.len());
    while low < high {
        let middle = low.midpoint(high);
        if compare(at(middle), row.clone()) == Ordering::Less {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if low < levels.len() && compare(at(low), row) == Ordering::Equal { levels[low] } else { NOBODY }
}
