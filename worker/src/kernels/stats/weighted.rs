//! Weighted moments and products of deviations: means in a first pass, powers of the distances from them in a second, less
//! what the rounding of the means left.

use std::ops::Range;

use fondaco_proto::Result;

use super::{
    super::{
        Context,
        aggregate::Sum,
        blas::{self, Into},
        matmul::accumulate,
        slice::copy_block,
        view::{Panel, PanelMut, grouped},
    },
    sums::{BLOCK_ROWS, Block, Work, blocks, build},
};
use crate::{matrix::Matrix, memory::Buffer};

/// Cells of a block of deviations (1 MiB), of wide matrices.
const BLOCK_CELLS: usize = 1 << 17;

/// A column's Σw, Σw² and mean.
#[derive(Clone, Copy)]
struct Mean {
    weight: f64,
    squares: f64,
    mean: f64,
}

/// `(order + 2, d)`.
pub fn moments(order: usize, parts: &[&[Matrix]], cx: &Context<'_>) -> Result<Matrix> {
    let means = means(parts, cx)?;
    let sums = fold(parts, cx, |column, sums: &mut [Sum; 4], x, w| {
        let d = x - means[column].mean;
        let mut term = w;
        for sum in &mut sums[..order] {
            term *= d;
            sum.add(term);
        }
    })?;
    build(order + 2, means.len(), cx, |row, column| {
        let of = means[column];
        let [first, second, third, fourth] = sums[column].map(Sum::value);
        // What the mean is off by.
        let off = first / of.weight;
        match row {
            0 => of.weight,
            1 => of.squares,
            2 => of.mean,
            3 => second - first * off,
            4 => third - 3.0 * off * second + 2.0 * of.weight * off.powi(3),
            _ => fourth - 4.0 * off * third + 6.0 * off * off * second - 3.0 * of.weight * off.powi(4),
        }
    })
}

fn means(parts: &[&[Matrix]], cx: &Context<'_>) -> Result<Vec<Mean>> {
    let sums = fold(parts, cx, |_, sums: &mut [Sum; 3], x, w| {
        sums[0].add(w);
        sums[1].add(w * w);
        sums[2].add(w * x);
    })?;
    let mean = |sums: [Sum; 3]| {
        let [weight, squares, sum] = sums.map(Sum::value);
        Mean { weight, squares, mean: sum / weight }
    };
    Ok(sums.into_iter().map(mean).collect())
}

/// For each column, sums of what `add` makes of each cell and its weight.
fn fold<const N: usize>(
    parts: &[&[Matrix]],
    cx: &Context<'_>,
    add: impl Fn(usize, &mut [Sum; N], f64, f64) + Sync + Send,
) -> Result<Vec<[Sum; N]>> {
    let heights: Vec<usize> = parts.iter().map(|part| part[0].rows()).collect();
    let columns = parts[0][0].columns();
    let work = Work { heights: &heights, columns, cells: 1, scratch: &|width| (width + 1) * BLOCK_ROWS };
    work.accumulate(cx, |block: &Block, panel: Range<usize>, scratch: &mut [f64], out: &mut [[Sum; N]]| {
        let (part, height) = (parts[block.part], block.rows.len());
        let (w, x) = scratch.split_at_mut(BLOCK_ROWS);
        copy_block(&part[1], block.rows.clone(), 0..1, w);
        copy_block(&part[0], block.rows.clone(), panel.clone(), x);
        for ((column, out), x) in panel.zip(out).zip(x.chunks_exact(height.max(1))) {
            x.iter().zip(w.iter()).for_each(|(x, w)| add(column, out, *x, *w));
        }
    })
}

/// `(d + 3, d)`.
pub fn covariance(parts: &[&[Matrix]], cx: &Context<'_>) -> Result<Matrix> {
    let means = means(parts, cx)?;
    let d = means.len();
    let rows = (BLOCK_CELLS / d.max(1)).clamp(16, BLOCK_ROWS);
    let blocks = blocks(parts.iter().map(|part| part[0].rows()), rows);
    let groups = grouped(blocks.len(), accumulate::groups(d * (d + 1)));
    let accumulators = cx.map(groups, |group| -> Result<Buffer> {
        let mut out = cx.memory.zeros(d * (d + 1))?;
        let mut scratch = cx.memory.buffer((2 * d + 1) * rows)?;
        for block in &blocks[group] {
            cx.cancel.check()?;
            add_products(parts[block.part], block, &means, &mut scratch, &mut out)?;
        }
        Ok(out)
    })?;
    let total = accumulate::merge(accumulators, cx)?;
    let at = |i: usize| total.as_ref().map_or(0.0, |total| total[i]);
    build(d + 3, d, cx, |row, column| match row {
        0 => means[column].weight,
        1 => means[column].squares,
        2 => means[column].mean,
        row => {
            let (i, j) = ((row - 3).min(column), (row - 3).max(column));
            let off = at(d * d + i) * at(d * d + j) / means[0].weight;
            at(j * d + i) - off
        }
    })
}

/// Adds a block's products of deviations, `(d, d)`, and then the weighted deviations themselves.
fn add_products(part: &[Matrix], block: &Block, means: &[Mean], scratch: &mut [f64], out: &mut [f64]) -> Result<()> {
    let (d, height) = (means.len(), block.rows.len());
    let (w, rest) = scratch.split_at_mut(height);
    let (x, rest) = rest.split_at_mut(d * height);
    let weighted = &mut rest[..d * height];
    copy_block(&part[1], block.rows.clone(), 0..1, w);
    copy_block(&part[0], block.rows.clone(), 0..d, x);
    let (products, sums) = out.split_at_mut(d * d);
    let columns = x.chunks_exact_mut(height).zip(weighted.chunks_exact_mut(height));
    for ((mean, sum), (x, weighted)) in means.iter().zip(sums).zip(columns) {
        for ((x, weighted), w) in x.iter_mut().zip(weighted.iter_mut()).zip(w.iter()) {
            *x -= mean.mean;
            *weighted = *x * w;
        }
        *sum += weighted.iter().sum::<f64>();
    }
    let left = Panel { data: weighted, stride: height, rows: d, columns: height, transposed: true };
    let right = Panel { data: x, stride: height, rows: height, columns: d, transposed: false };
    blas::gemm(left, right, &mut PanelMut { data: products, stride: d.max(1), rows: d, columns: d }, Into::Add)
}
