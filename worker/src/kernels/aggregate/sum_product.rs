//! Sums of products of two or three matrices: each column's products are made in a buffer that stays in cache, and
//! summed with compensation.

use std::ops::Range;

use fondaco_proto::{
    Result, Shape,
    op::{Axis, SumProduct},
};

use super::{
    super::{
        Context, simd, untransposed,
        view::{segments, unit_columns, vector_cells},
    },
    merge_lists,
    total::{Plain, Sum, Total, sum},
};
use crate::matrix::Matrix;

/// The sums, in a matrix of this shape.
pub fn run(op: &SumProduct, inputs: &[Matrix], shape: Shape, cx: &Context<'_>) -> Result<Matrix> {
    let mut merged: Vec<Sum> = Vec::new();
    for factors in inputs.chunks(op.factors.into()) {
        let part = columns(factors, cx)?;
        if merged.is_empty() {
            merged = part;
        } else {
            merge_lists::<Total<Plain>>(&mut merged, &part);
        }
    }
    if op.axis == Axis::All {
        merged = vec![merged.into_iter().reduce(Sum::merge).unwrap_or_default()];
    }
    let cells: Vec<f64> = merged.into_iter().map(Sum::value).collect();
    Matrix::from_column_major(cx.memory, 1, shape.columns as usize, &cells)
}

/// For each column, the sum of the products of the factors, broadcast.
fn columns(factors: &[Matrix], cx: &Context<'_>) -> Result<Vec<Sum>> {
    let factors: Vec<Matrix> = factors.iter().map(|x| untransposed(x, cx)).collect::<Result<_>>()?;
    let extent = |of: fn(&Matrix) -> usize| factors.iter().map(of).find(|extent| *extent != 1).unwrap_or(1);
    let (rows, columns) = (extent(Matrix::rows), extent(Matrix::columns));
    // Tile heights are powers of two: a part of the lowest tile is a part of every other.
    let height = factors.iter().filter(|x| x.rows() == rows).map(Matrix::tile_rows).min().unwrap_or(1);
    let tiles: Vec<Range<usize>> = segments(0..rows, height).collect();
    let blocks: Vec<Range<usize>> = segments(0..columns, unit_columns(height.min(rows))).collect();
    let _sums = cx.memory.ticket((2 * (tiles.len() + 1) * columns * size_of::<Sum>()) as u64)?;
    let tasks = tiles.iter().flat_map(|tile| blocks.iter().map(move |block| (tile, block))).collect();
    let partials = cx.map(tasks, |(tile, block): (&Range<usize>, &Range<usize>)| {
        let mut products = cx.memory.buffer(tile.len())?;
        let mut sums = Vec::with_capacity(block.len());
        for column in block.clone() {
            let lanes: Vec<Lane<'_>> = factors.iter().map(|x| lane(x, tile.clone(), column, rows)).collect();
            multiply(&lanes, &mut products);
            sums.push(sum::<Plain>(&products));
        }
        Ok(sums)
    })?;
    let mut merged = vec![Sum::default(); columns];
    for tile in partials.chunks(blocks.len().max(1)) {
        for (block, part) in blocks.iter().zip(tile) {
            merge_lists::<Total<Plain>>(&mut merged[block.clone()], part);
        }
    }
    Ok(merged)
}

/// What a factor has for some rows of a column.
enum Lane<'a> {
    Cell(f64),
    Cells(&'a [f64]),
}

fn lane(x: &Matrix, range: Range<usize>, column: usize, rows: usize) -> Lane<'_> {
    // One column is every column's.
    let column = column.min(x.columns() - 1);
    if x.rows() != rows || rows == 1 {
        return Lane::Cell(x.get(0, column));
    }
    if x.columns() == 1 {
        return Lane::Cells(vector_cells(x, range));
    }
    let tile = &x.tiles()[range.start / x.tile_rows()];
    Lane::Cells(&tile.column(column)[range.start - tile.first_row()..range.end - tile.first_row()])
}

/// Products from left to right.
fn multiply(lanes: &[Lane<'_>], out: &mut [f64]) {
    match lanes {
        [Lane::Cells(x), Lane::Cells(y), Lane::Cells(z)] => simd::map3(out, x, y, z, |x, y, z| x * y * z),
        [Lane::Cells(x), Lane::Cells(y), Lane::Cell(z)] => simd::map2(out, x, y, |x, y| x * y * z),
        [Lane::Cells(x), Lane::Cells(y)] => simd::map2(out, x, y, |x, y| x * y),
        _some_alike => {
            out.fill(1.0);
            for lane in lanes {
                match lane {
                    Lane::Cell(x) => simd::update(out, |product| product * x),
                    Lane::Cells(cells) => simd::update2(out, cells, |product, x| product * x),
                }
            }
        }
    }
}
