//! `X @ Y` of any orientation: by tiles of the output or, where these are few, by parts of the contracted axis.

use std::ops::Range;

use fondaco_proto::Result;

use super::{
    super::{
        Context,
        blas::{self, Into},
        view::{Panel, PanelMut, Unit, grouped, segments, units_of},
    },
    accumulate, chain,
};
use crate::{
    matrix::{Builder, Matrix},
    memory::Buffer,
};

/// Length of a part of the contracted axis where no tile's edge cuts it.
const DEPTH: usize = 4096;

/// Columns of a unit of output where there are few tiles.
const WIDTH: usize = 256;

/// As many units of output suffice for any number of threads.
const UNITS: usize = 64;

/// `X.T @ Y`.
pub fn cross(x: &Matrix, y: &Matrix, cx: &Context<'_>) -> Result<Matrix> {
    if y.columns() == 1 && !x.is_transposed() {
        return chain::cross_vector(x, y, cx);
    }
    product(&x.transpose(), y, cx)
}

/// `X @ Y`; `(m,k) · (k,n) → (m,n)`.
pub fn product(x: &Matrix, y: &Matrix, cx: &Context<'_>) -> Result<Matrix> {
    let product = Product { x, y };
    let (m, k, n) = (x.rows(), x.columns(), y.columns());
    let mut builder = Builder::new(cx.memory, m, n)?;
    let tiles = builder.tiles_mut().len();
    let width = if tiles < UNITS { WIDTH } else { n };
    let units = tiles * n.div_ceil(width.max(1));
    let parts = segments(0..k, product.depth()).count();
    if units < parts.min(UNITS / 2) {
        drop(builder);
        return product.by_depth(m, k, n, cx);
    }
    cx.each(units_of(&mut builder, |_| width), |unit| product.unit(unit, k, cx))?;
    Ok(builder.finish())
}

/// Where tiles cut the three axes of a product: an untransposed factor's rows, a transposed one's columns.
struct Product<'a> {
    x: &'a Matrix,
    y: &'a Matrix,
}

impl Product<'_> {
    /// Step of the contracted axis.
    fn depth(&self) -> usize {
        let x = if self.x.is_transposed() { self.x.tile_rows() } else { usize::MAX };
        let y = if self.y.is_transposed() { usize::MAX } else { self.y.tile_rows() };
        // Tile heights are powers of two.
        x.min(y).min(DEPTH)
    }

    /// Step of the output's rows.
    fn row_step(&self) -> usize {
        if self.x.is_transposed() { usize::MAX } else { self.x.tile_rows() }
    }

    /// Step of the output's columns.
    fn column_step(&self) -> usize {
        if self.y.is_transposed() { self.y.tile_rows() } else { usize::MAX }
    }

    /// Computes a unit of the output.
    fn unit(&self, unit: Unit<'_>, k: usize, cx: &Context<'_>) -> Result<()> {
        let rows = unit.row_range();
        let columns = unit.first_column..unit.first_column + unit.data.len() / unit.rows;
        let mut first = true;
        for depth in segments(0..k, self.depth()) {
            cx.cancel.check()?;
            let into = if first { Into::Overwrite } else { Into::Add };
            self.add(unit.data, unit.rows, (rows.clone(), columns.clone()), depth, into)?;
            first = false;
        }
        if first {
            unit.data.fill(0.0);
        }
        Ok(())
    }

    /// Adds the product over a part of the contracted axis to rows and columns of the output, which `out` holds.
    fn add(
        &self,
        out: &mut [f64],
        stride: usize,
        (rows, columns): (Range<usize>, Range<usize>),
        depth: Range<usize>,
        into: Into,
    ) -> Result<()> {
        for column_part in segments(columns.clone(), self.column_step()) {
            for row_part in segments(rows.clone(), self.row_step()) {
                let start = (column_part.start - columns.start) * stride + (row_part.start - rows.start);
                let mut c =
                    PanelMut { data: &mut out[start..], stride, rows: row_part.len(), columns: column_part.len() };
                let a = Panel::of(self.x, row_part, depth.clone());
                let b = Panel::of(self.y, depth.clone(), column_part.clone());
                blas::gemm(a, b, &mut c, into)?;
            }
        }
        Ok(())
    }

    /// The product as a sum over groups of parts of the contracted axis.
    fn by_depth(&self, m: usize, k: usize, n: usize, cx: &Context<'_>) -> Result<Matrix> {
        let parts: Vec<Range<usize>> = segments(0..k, self.depth()).collect();
        let accumulators = cx.map(grouped(parts.len(), accumulate::groups(m * n)), |group| -> Result<Buffer> {
            let mut out = cx.memory.zeros(m * n)?;
            for depth in &parts[group] {
                cx.cancel.check()?;
                self.add(&mut out, m, (0..m, 0..n), depth.clone(), Into::Add)?;
            }
            Ok(out)
        })?;
        let total = accumulate::merge(accumulators, cx)?;
        let total = total.as_deref().unwrap_or(&[]);
        accumulate::from_columns(m, n, |column| &total[column * m..(column + 1) * m], cx)
    }
}
