//! `X.T @ X` with half the work: only the upper triangle is computed, in panels of columns where it is wide.

use std::ops::Range;

use fondaco_proto::{Result, Shape, tile_rows};

use super::{
    super::{
        Context,
        blas::{self, Into},
        simd::{self, Line},
        view::{Panel, PanelMut, grouped, overlap, segments, units},
    },
    accumulate, general,
};
use crate::{
    matrix::{Builder, Matrix, Tile},
    memory::Buffer,
};

/// Columns of a panel of the result.
const PANEL: usize = 512;

/// Lines of eight rows that are multiplied at a time without BLAS.
const BLOCK_LINES: usize = 32;

/// Columns up to which such a block stays in a second-level cache (512 KiB); beyond, BLAS is faster.
const OWN_COLUMNS_MAX: usize = 256;

/// `X.T @ X`; `(n,d) → (d,d)`, exactly symmetric.
pub fn gram(x: &Matrix, cx: &Context<'_>) -> Result<Matrix> {
    let d = x.columns();
    if x.is_transposed() {
        let whole = general::cross(x, x, cx)?;
        return symmetric(d, |row, column| whole.get(row, column), cx);
    }
    let mut gram = Gram::new(x.shape(), cx)?;
    gram.add(x, 0, cx)?;
    gram.finish(cx)
}

/// `X.T @ X` in the making, of an X that comes a few tiles at a time.
pub struct Gram {
    d: usize,
    panels: Vec<Range<usize>>,
    groups: Vec<Range<usize>>,
    /// For each panel, one for each group of tiles.
    accumulators: Vec<Buffer>,
}

impl Gram {
    /// Of an X of this shape.
    pub fn new(shape: Shape, cx: &Context<'_>) -> Result<Self> {
        let (n, d) = (shape.rows as usize, shape.columns as usize);
        let panels: Vec<Range<usize>> = segments(0..d, PANEL).collect();
        let groups = grouped(n.div_ceil(tile_rows(shape.columns) as usize), accumulate::groups(d * d));
        let mut accumulators = Vec::with_capacity(panels.len() * groups.len());
        for panel in &panels {
            for _group in &groups {
                accumulators.push(cx.memory.zeros(panel.end * panel.len())?);
            }
        }
        Ok(Self { d, panels, groups, accumulators })
    }

    /// Takes the next tiles; `first_tile` is the number of the first.
    pub fn add(&mut self, x: &Matrix, first_tile: usize, cx: &Context<'_>) -> Result<()> {
        let d = self.d;
        let tasks = self.panels.iter().flat_map(|panel| self.groups.iter().map(move |group| (panel, group)));
        let tasks = tasks.zip(&mut self.accumulators).filter_map(|((panel, group), out)| {
            let here = overlap(group, first_tile, x.tiles().len())?;
            Some((panel, here, out))
        });
        cx.each(tasks.collect(), |(panel, here, out): (&Range<usize>, Range<usize>, &mut Buffer)| {
            let lines = if d <= OWN_COLUMNS_MAX { d * BLOCK_LINES } else { 0 };
            let _scratch = cx.memory.ticket((lines * size_of::<Line>()) as u64)?;
            let mut scratch = vec![Line::ZERO; lines];
            for tile in here {
                cx.cancel.check()?;
                add_tile(x, tile, panel, out, &mut scratch)?;
            }
            Ok(())
        })
    }

    /// The product.
    pub fn finish(self, cx: &Context<'_>) -> Result<Matrix> {
        let mut accumulators = self.accumulators.into_iter();
        let mut totals = Vec::with_capacity(self.panels.len());
        for _panel in &self.panels {
            totals.extend(accumulate::merge(accumulators.by_ref().take(self.groups.len()).collect(), cx)?);
        }
        let cell = |row: usize, column: usize| {
            let panel = &self.panels[column / PANEL];
            totals[column / PANEL][(column - panel.start) * panel.end + row]
        };
        symmetric(self.d, cell, cx)
    }
}

/// Adds a tile's part to a panel of the upper triangle: the rows above the panel's diagonal block, and that block.
fn add_tile(x: &Matrix, tile: usize, panel: &Range<usize>, out: &mut [f64], scratch: &mut [Line]) -> Result<()> {
    let tile = &x.tiles()[tile];
    if !scratch.is_empty() && add_blocks(tile, panel, out, scratch) {
        return Ok(());
    }
    let rows = tile.first_row()..tile.first_row() + tile.rows();
    let right = Panel::of(x, rows.clone(), panel.clone());
    let stride = panel.end;
    if panel.start > 0 {
        let left = Panel::of(x, rows, 0..panel.start);
        let left = Panel { rows: left.columns, columns: left.rows, transposed: true, ..left };
        let mut above = PanelMut { data: &mut *out, stride, rows: panel.start, columns: panel.len() };
        blas::gemm(left, right, &mut above, Into::Add)?;
    }
    let mut diagonal = PanelMut { data: &mut out[panel.start..], stride, rows: panel.len(), columns: panel.len() };
    blas::syrk(right, &mut diagonal)
}

/// The same without BLAS, in blocks of rows that are copied to where they are aligned and stay in cache; false if this
/// CPU has no instructions for it.
fn add_blocks(tile: &Tile, panel: &Range<usize>, out: &mut [f64], scratch: &mut [Line]) -> bool {
    segments(0..tile.rows(), 8 * BLOCK_LINES).all(|rows| {
        let height = rows.len().div_ceil(8);
        for (column, lines) in scratch.chunks_exact_mut(height).take(panel.end).enumerate() {
            let cells = &tile.column(column)[rows.clone()];
            let (fours, rest) = cells.as_chunks::<4>();
            let (eights, four) = fours.as_chunks::<2>();
            for (line, cells) in lines.iter_mut().zip(eights) {
                line.0 = *cells;
            }
            // The last line, if it is not full, is filled up with zeros.
            if let Some(last) = lines.get_mut(eights.len()) {
                *last = Line::ZERO;
                last.0[..four.len()].copy_from_slice(four);
                last.0[four.len()][..rest.len()].copy_from_slice(rest);
            }
        }
        simd::add_gram(scratch, height, panel.clone(), out)
    })
}

/// A symmetric matrix from its upper triangle.
fn symmetric(d: usize, upper: impl Fn(usize, usize) -> f64 + Sync, cx: &Context<'_>) -> Result<Matrix> {
    let mut builder = Builder::new(cx.memory, d, d)?;
    cx.each(units(&mut builder), |mut unit| {
        let first_row = unit.first_row;
        for (column, out) in unit.columns() {
            for (i, out) in out.iter_mut().enumerate() {
                let row = first_row + i;
                *out = upper(row.min(column), row.max(column));
            }
        }
        Ok(())
    })?;
    Ok(builder.finish())
}
