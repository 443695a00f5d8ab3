//! `X.T @ X` with half the work: only the upper triangle is computed, in panels of columns where it is wide.

use std::ops::Range;

use fondaco_proto::Result;

use super::{
    super::{
        Context,
        blas::{self, Into},
        view::{Panel, PanelMut, grouped, segments, units},
    },
    accumulate, general,
};
use crate::{
    matrix::{Builder, Matrix},
    memory::Buffer,
};

/// Columns of a panel of the result.
const PANEL: usize = 512;

/// `X.T @ X`; `(n,d) → (d,d)`, exactly symmetric.
pub fn gram(x: &Matrix, cx: &Context<'_>) -> Result<Matrix> {
    let d = x.columns();
    if x.is_transposed() {
        let whole = general::cross(x, x, cx)?;
        return symmetric(d, |row, column| whole.get(row, column), cx);
    }
    let panels: Vec<Range<usize>> = segments(0..d, PANEL).collect();
    let groups = grouped(x.tiles().len(), accumulate::groups(d * d));
    let tasks = panels.iter().flat_map(|panel| groups.iter().map(move |group| (panel, group))).collect();
    let accumulators = cx.map(tasks, |(panel, group): (&Range<usize>, &Range<usize>)| -> Result<Buffer> {
        let mut out = cx.memory.zeros(panel.end * panel.len())?;
        for tile in group.clone() {
            cx.cancel.check()?;
            add_tile(x, tile, panel, &mut out)?;
        }
        Ok(out)
    })?;
    let mut accumulators = accumulators.into_iter();
    let mut totals = Vec::with_capacity(panels.len());
    for _panel in &panels {
        totals.extend(accumulate::merge(accumulators.by_ref().take(groups.len()).collect(), cx)?);
    }
    let cell = |row: usize, column: usize| {
        let panel = &panels[column / PANEL];
        totals[column / PANEL][(column - panel.start) * panel.end + row]
    };
    symmetric(d, cell, cx)
}

/// Adds a tile's part to a panel of the upper triangle: the rows above the panel's diagonal block, and that block.
fn add_tile(x: &Matrix, tile: usize, panel: &Range<usize>, out: &mut [f64]) -> Result<()> {
    let tile = &x.tiles()[tile];
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
