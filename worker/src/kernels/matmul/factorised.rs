//! Operators of X and R = U @ V.T, block by block: a block of R is made where it stays in cache, used and forgotten.
//! What sums over rows is accumulated in groups of blocks that follow from shapes alone, merged in order.

use std::ops::Range;

use fondaco_proto::{
    Error, Result,
    op::{Factorised, LossWeights, Unary},
};

use super::{
    super::{
        Context,
        aggregate::{Plain, Sum, sum},
        blas::{self, Into},
        elementwise::{self, math},
        simd, untransposed,
        view::{Panel, PanelMut, Unit, grouped, segments, units},
    },
    accumulate,
};
use crate::{
    matrix::{Builder, Matrix, TileMut},
    memory::Buffer,
};

/// Rows and columns of a block (512 KiB).
const BLOCK_ROWS: usize = 256;
const BLOCK_COLUMNS: usize = 256;

/// Cells that a function is applied to at a time.
const CHUNK: usize = 1024;

/// The value of the operator; inputs are V, then X, U and, where there are weights, W of each part.
pub fn run(op: Factorised, inputs: &[Matrix], cx: &Context<'_>) -> Result<Matrix> {
    let group = if op == Factorised::Loss(LossWeights::Given) { 3 } else { 2 };
    let parts = inputs[1..].chunks(group).map(|part| Part::new(part, &inputs[0], cx));
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let total = |terms: &Terms<'_>| {
        let sums = parts.iter().map(|part| part.sum(terms, cx)).collect::<Result<Vec<_>>>()?;
        let sum = sums.into_iter().reduce(Sum::merge).unwrap_or_default();
        Matrix::from_column_major(cx.memory, 1, 1, &[sum.value()])
    };
    let results = match op {
        Factorised::Loss(weights) => return total(&|x, w, r| squared(weights, x, w, r)),
        Factorised::CrossEntropy { epsilon } => {
            return total(&|x, _, r| simd::update2(r, x, |r, x| x * math::ln(r + epsilon)));
        }
        Factorised::Times(f) => parts.iter().map(|part| part.times(f, cx)).collect::<Result<Vec<_>>>()?,
        Factorised::Divided => parts.iter().map(|part| part.divided(true, cx)).collect::<Result<_>>()?,
        Factorised::DividedLeft => parts.iter().map(|part| part.divided(false, cx)).collect::<Result<_>>()?,
    };
    elementwise::sum(results, cx)?.ok_or_else(|| Error::internal("a product without parts"))
}

/// What becomes of a column of a block of R, given those of X and W.
type Terms<'a> = dyn Fn(&[f64], &[f64], &mut [f64]) + Sync + 'a;

/// Weighted squares of X less R.
fn squared(weights: LossWeights, x: &[f64], w: &[f64], r: &mut [f64]) {
    match weights {
        LossWeights::None => simd::update2(r, x, |r, x| (x - r) * (x - r)),
        LossWeights::Nonzero => {
            simd::update2(r, x, |r, x| (if x == 0.0 { 0.0 } else { 1.0 }) * ((x - r) * (x - r)));
        }
        LossWeights::Given => {
            simd::update2(r, x, |r, x| (x - r) * (x - r));
            simd::update2(r, w, |square, w| w * square);
        }
    }
}

/// X as it is stored, with the factors of what R is then: if X is a transpose, so are R and W, and the factors change
/// places.
struct Part {
    x: Matrix,
    u: Matrix,
    /// V.T.
    turned_v: Matrix,
    w: Option<Matrix>,
    transposed: bool,
}

impl Part {
    fn new(part: &[Matrix], v: &Matrix, cx: &Context<'_>) -> Result<Self> {
        let (x, u, w) = (&part[0], &part[1], part.get(2));
        let transposed = x.is_transposed();
        let turn = |x: &Matrix| if transposed { x.transpose() } else { x.clone() };
        let (u, v) = if transposed { (v, u) } else { (u, v) };
        Ok(Self {
            x: turn(x),
            u: untransposed(u, cx)?,
            turned_v: untransposed(v, cx)?.transpose(),
            w: w.map(|w| untransposed(&turn(w), cx)).transpose()?,
            transposed,
        })
    }

    /// The extent of the factors' thin axis.
    fn thin(&self) -> usize {
        self.u.columns()
    }

    /// Rows of X in blocks that no tile's edge cuts.
    fn row_blocks(&self, rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        segments(rows, BLOCK_ROWS.min(self.x.tile_rows()).min(self.u.tile_rows()))
    }

    /// Columns of X in blocks that no tile's edge of V cuts.
    fn column_blocks(&self, columns: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        segments(columns, BLOCK_COLUMNS.min(self.turned_v.tile_rows()))
    }

    /// A block of R, into cells whose columns are `stride` apart.
    fn multiply(&self, rows: Range<usize>, columns: Range<usize>, out: &mut [f64], stride: usize) -> Result<()> {
        let mut out = PanelMut { data: out, stride, rows: rows.len(), columns: columns.len() };
        let u = Panel::of(&self.u, rows, 0..self.thin());
        blas::gemm(u, Panel::of(&self.turned_v, 0..self.thin(), columns), &mut out, Into::Overwrite)
    }

    /// Rows of a column of X or W.
    fn cells<'a>(x: &'a Matrix, rows: &Range<usize>, column: usize) -> &'a [f64] {
        let tile = &x.tiles()[rows.start / x.tile_rows()];
        &tile.column(column)[rows.start - tile.first_row()..rows.end - tile.first_row()]
    }

    /// A block of R, of which `terms` makes something with X and W.
    fn block<'a>(
        &self,
        rows: &Range<usize>,
        columns: &Range<usize>,
        terms: &Terms<'_>,
        scratch: &'a mut [f64],
    ) -> Result<&'a mut [f64]> {
        let block = &mut scratch[..rows.len() * columns.len()];
        self.multiply(rows.clone(), columns.clone(), block, rows.len())?;
        for (column, r) in columns.clone().zip(block.chunks_exact_mut(rows.len())) {
            let w = self.w.as_ref().map_or(&[][..], |w| Self::cells(w, rows, column));
            terms(Self::cells(&self.x, rows, column), w, r);
        }
        Ok(block)
    }

    /// The sum of all terms.
    fn sum(&self, terms: &Terms<'_>, cx: &Context<'_>) -> Result<Sum> {
        let blocks: Vec<Range<usize>> = self.row_blocks(0..self.x.rows()).collect();
        let _sums = cx.memory.ticket((blocks.len() * size_of::<Sum>()) as u64)?;
        let sums = cx.map(blocks, |rows| {
            let mut scratch = cx.memory.buffer(BLOCK_ROWS * BLOCK_COLUMNS)?;
            let mut total = Sum::default();
            for columns in self.column_blocks(0..self.x.columns()) {
                cx.cancel.check()?;
                total = total.merge(sum::<Plain>(self.block(&rows, &columns, terms, &mut scratch)?));
            }
            Ok(total)
        })?;
        Ok(sums.into_iter().reduce(Sum::merge).unwrap_or_default())
    }

    /// `X * f(R)`.
    fn times(&self, f: Unary, cx: &Context<'_>) -> Result<Matrix> {
        let mut builder = Builder::new(cx.memory, self.x.rows(), self.x.columns())?;
        cx.each(units(&mut builder), |mut unit| {
            let (range, height) = (unit.row_range(), unit.rows);
            self.fill(&mut unit)?;
            for (column, out) in unit.columns() {
                let x = Self::cells(&self.x, &range, column);
                let mut values = [0.0; CHUNK];
                for (out, x) in out.chunks_mut(CHUNK).zip(x.chunks(CHUNK)) {
                    let values = &mut values[..out.len()];
                    elementwise::map(f, out, values);
                    simd::map2(out, x, values, |x, value| x * value);
                }
            }
            debug_assert_eq!(range.len(), height);
            Ok(())
        })?;
        Ok(if self.transposed { builder.finish().transpose() } else { builder.finish() })
    }

    /// R's cells of a unit.
    fn fill(&self, unit: &mut Unit<'_>) -> Result<()> {
        let columns = unit.first_column..unit.first_column + unit.data.len() / unit.rows;
        for columns in self.column_blocks(columns) {
            for rows in self.row_blocks(unit.row_range()) {
                let start = (columns.start - unit.first_column) * unit.rows + rows.start - unit.first_row;
                self.multiply(rows, columns.clone(), &mut unit.data[start..], unit.rows)?;
            }
        }
        Ok(())
    }

    /// `(X / R) @ V` or, not `right`, `(X / R).T @ U`.
    fn divided(&self, right: bool, cx: &Context<'_>) -> Result<Matrix> {
        // A transpose's right is the left of what is stored.
        if right == self.transposed { self.divided_left(cx) } else { self.divided_right(cx) }
    }

    fn divided_right(&self, cx: &Context<'_>) -> Result<Matrix> {
        let k = self.thin();
        let mut builder = Builder::new(cx.memory, self.x.rows(), k)?;
        cx.each(builder.tiles_mut().collect(), |tile: TileMut<'_>| {
            let mut scratch = cx.memory.buffer(BLOCK_ROWS * BLOCK_COLUMNS)?;
            tile.data.fill(0.0);
            if tile.data.is_empty() {
                return Ok(());
            }
            for rows in self.row_blocks(tile.first_row..tile.first_row + tile.rows) {
                for columns in self.column_blocks(0..self.x.columns()) {
                    cx.cancel.check()?;
                    let quotients = Panel {
                        data: self.block(&rows, &columns, &divide, &mut scratch)?,
                        stride: rows.len(),
                        rows: rows.len(),
                        columns: columns.len(),
                        transposed: false,
                    };
                    let v = Panel::of(&self.turned_v, 0..k, columns);
                    let v = Panel { rows: v.columns, columns: v.rows, transposed: !v.transposed, ..v };
                    let out = &mut tile.data[rows.start - tile.first_row..];
                    let mut out = PanelMut { data: out, stride: tile.rows, rows: rows.len(), columns: k };
                    blas::gemm(quotients, v, &mut out, Into::Add)?;
                }
            }
            Ok(())
        })?;
        Ok(builder.finish())
    }

    fn divided_left(&self, cx: &Context<'_>) -> Result<Matrix> {
        let (m, k) = (self.x.columns(), self.thin());
        let blocks: Vec<Range<usize>> = self.row_blocks(0..self.x.rows()).collect();
        let panels: Vec<Range<usize>> = self.column_blocks(0..m).collect();
        let groups = grouped(blocks.len(), accumulate::groups(m * k));
        let tasks = panels.iter().flat_map(|panel| groups.iter().map(move |group| (panel, group))).collect();
        let accumulators = cx.map(tasks, |(panel, group): (&Range<usize>, &Range<usize>)| -> Result<Buffer> {
            let mut out = cx.memory.zeros(panel.len() * k)?;
            let mut scratch = cx.memory.buffer(BLOCK_ROWS * BLOCK_COLUMNS)?;
            for rows in &blocks[group.clone()] {
                cx.cancel.check()?;
                let quotients = Panel {
                    data: self.block(rows, panel, &divide, &mut scratch)?,
                    stride: rows.len(),
                    rows: panel.len(),
                    columns: rows.len(),
                    transposed: true,
                };
                let u = Panel::of(&self.u, rows.clone(), 0..k);
                let mut out = PanelMut { data: &mut out, stride: panel.len(), rows: panel.len(), columns: k };
                blas::gemm(quotients, u, &mut out, Into::Add)?;
            }
            Ok(out)
        })?;
        let mut accumulators = accumulators.into_iter();
        let mut whole = cx.memory.zeros(m * k)?;
        for panel in &panels {
            let total = accumulate::merge(accumulators.by_ref().take(groups.len()).collect(), cx)?;
            let columns = total.iter().flat_map(|total| total.chunks_exact(panel.len()));
            for (out, column) in whole.chunks_exact_mut(m).zip(columns) {
                out[panel.clone()].copy_from_slice(column);
            }
        }
        accumulate::from_columns(m, k, |column| &whole[column * m..(column + 1) * m], cx)
    }
}

/// `X / R`.
fn divide(x: &[f64], _w: &[f64], r: &mut [f64]) {
    simd::update2(r, x, |r, x| x / r);
}

#[cfg(test)]
mod tests;
