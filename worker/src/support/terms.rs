//! The terms behind each cell of `A.T @ B`, where rows are data rows: Σ|ab|, Σ(ab)² and how many are not 0.

use std::ops::Range;

use fondaco_proto::Result;

use super::{
    Support,
    series::{LEAST_EXPONENT, Magnitudes, fold, power_of_two},
};
use crate::{
    kernels::{
        Context,
        blas::{self, Into},
        matmul::accumulate,
        simd,
        slice::copy_block,
        view::{Panel, PanelMut, grouped, segments},
    },
    matrix::Matrix,
    memory::Buffer,
};

/// Rows that are multiplied at a time.
const BLOCK_ROWS: usize = 512;

/// Columns of B, and so of the result, of one task.
const PANEL: usize = 256;

/// Below this a sum of squares of scaled terms has lost what a quotient needs.
const SQUARES_MIN: f64 = 1e-290;

/// What is multiplied, and summed over all rows, for each cell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Product {
    /// Magnitudes, scaled.
    Magnitudes,
    /// Their squares.
    Squares,
    /// 1 where it is not 0; only needed where there are zeros, or what is not finite.
    NonZero,
    /// 1 where it is finite; only needed where not all is.
    Finite,
}

/// A pair of factors with the same rows.
pub type Pair = (Matrix, Matrix);

/// The weakest cell of `sum(a.T @ b for a, b in pairs)`, by the terms a·b that it sums over all rows. Where there are
/// terms that are not finite they alone count.
pub fn weakest(pairs: &[Pair], cx: &Context<'_>) -> Result<Support> {
    let Some((a, b)) = pairs.first() else { return Ok(Support::NONE) };
    let (d, e) = (a.columns(), b.columns());
    let (lefts, rights): (Vec<Matrix>, Vec<Matrix>) = pairs.iter().cloned().unzip();
    let (left, right) = (survey(&lefts, cx)?, survey(&rights, cx)?);
    let mut products = vec![Product::Magnitudes, Product::Squares];
    products.extend((left.zeros || right.zeros || left.not_finite || right.not_finite).then_some(Product::NonZero));
    products.extend((left.not_finite || right.not_finite).then_some(Product::Finite));
    let blocks: Vec<(usize, Range<usize>)> = lefts
        .iter()
        .enumerate()
        .flat_map(|(i, left)| segments(0..left.rows(), BLOCK_ROWS).map(move |rows| (i, rows)))
        .collect();
    let rows: usize = lefts.iter().map(Matrix::rows).sum();
    let panels: Vec<Range<usize>> = segments(0..e, PANEL).collect();
    let groups = grouped(blocks.len(), accumulate::groups(products.len() * d * e));
    let tasks = panels.iter().flat_map(|panel| groups.iter().map(move |group| (panel, group))).collect();
    let accumulators = cx.map(tasks, |(panel, group): (&Range<usize>, &Range<usize>)| {
        let task = Task {
            products: &products,
            panel: panel.clone(),
            left_scales: &left.scales,
            right_scales: &right.scales[panel.clone()],
        };
        task.run(pairs, &blocks[group.clone()], cx)
    })?;
    let mut accumulators = accumulators.into_iter();
    let mut support = Support::FULL;
    for panel in &panels {
        let total = accumulate::merge(accumulators.by_ref().take(groups.len()).collect(), cx)?;
        let cells = d * panel.len();
        for cell in 0..cells {
            let of = |product: Product| {
                // What needs no product is so of every row.
                let index = products.iter().position(|&other| other == product);
                index.map_or(rows as f64, |i| total.as_ref().map_or(0.0, |total| total[i * cells + cell]))
            };
            support = support.weakest(cell_support(of, rows as f64));
        }
    }
    Ok(support)
}

/// The support of a cell from its sums.
fn cell_support(of: impl Fn(Product) -> f64, rows: f64) -> Support {
    let (finite, nonzero) = (of(Product::Finite), of(Product::NonZero));
    if finite < rows {
        return Support::equal(rows - finite);
    }
    let (magnitudes, squares) = (of(Product::Magnitudes), of(Product::Squares));
    let effective = if squares < SQUARES_MIN { 0.0 } else { magnitudes * magnitudes / squares * (1.0 + 1e-9) };
    Support { effective: effective.min(nonzero), ..Support::equal(nonzero) }
}

/// What must be known of factors before they are multiplied.
struct Survey {
    /// For each column a power of two that brings its largest finite magnitude to about 1.
    scales: Vec<f64>,
    zeros: bool,
    not_finite: bool,
}

fn survey(parts: &[Matrix], cx: &Context<'_>) -> Result<Survey> {
    let empty = Magnitudes::EMPTY;
    let columns = fold(parts, cx, empty, |_, cells| Magnitudes::of(cells), Magnitudes::merge)?;
    let rows: usize = parts.iter().map(Matrix::rows).sum();
    Ok(Survey {
        scales: columns.iter().map(|column| power_of_two(-column.exponent.max(LEAST_EXPONENT))).collect(),
        zeros: columns.iter().any(|column| column.nonzero < rows as f64),
        not_finite: columns.iter().any(|column| column.not_finite > 0.0),
    })
}

/// Some columns of B against all of A.
struct Task<'a> {
    products: &'a [Product],
    panel: Range<usize>,
    left_scales: &'a [f64],
    right_scales: &'a [f64],
}

impl Task<'_> {
    /// The four products over some blocks of rows, one after another in a buffer.
    fn run(&self, pairs: &[Pair], blocks: &[(usize, Range<usize>)], cx: &Context<'_>) -> Result<Buffer> {
        let (d, e) = (self.left_scales.len(), self.right_scales.len());
        let mut out = cx.memory.zeros(self.products.len() * d * e)?;
        let mut scratch = cx.memory.buffer(2 * (d + e) * BLOCK_ROWS)?;
        let (left, rest) = scratch.split_at_mut(d * BLOCK_ROWS);
        let (right, rest) = rest.split_at_mut(e * BLOCK_ROWS);
        let (left_terms, right_terms) = rest.split_at_mut(d * BLOCK_ROWS);
        for (pair, rows) in blocks {
            cx.cancel.check()?;
            let (a, b) = &pairs[*pair];
            let height = rows.len();
            copy_block(a, rows.clone(), 0..d, left);
            copy_block(b, rows.clone(), self.panel.clone(), right);
            for (&product, out) in self.products.iter().zip(out.chunks_exact_mut((d * e).max(1))) {
                transform(product, &left[..d * height], self.left_scales, left_terms);
                transform(product, &right[..e * height], self.right_scales, right_terms);
                let a = Panel { data: left_terms, stride: height, rows: d, columns: height, transposed: true };
                let b = Panel { data: right_terms, stride: height, rows: height, columns: e, transposed: false };
                blas::gemm(a, b, &mut PanelMut { data: out, stride: d.max(1), rows: d, columns: e }, Into::Add)?;
            }
        }
        Ok(out)
    }
}

/// What a product multiplies of each cell; what is not finite counts in the last alone.
fn transform(product: Product, cells: &[f64], scales: &[f64], out: &mut [f64]) {
    let height = (cells.len() / scales.len().max(1)).max(1);
    for ((cells, out), scale) in cells.chunks_exact(height).zip(out.chunks_exact_mut(height)).zip(scales) {
        let magnitude = |x: f64| if x.is_finite() { x.abs() * scale } else { 0.0 };
        match product {
            Product::Magnitudes => simd::map(out, cells, magnitude),
            Product::Squares => simd::map(out, cells, |x| magnitude(x) * magnitude(x)),
            Product::NonZero => simd::map(out, cells, |x| f64::from(u8::from(x.is_finite() & (x != 0.0)))),
            Product::Finite => simd::map(out, cells, |x| f64::from(u8::from(x.is_finite()))),
        }
    }
}
