//! Rows in the order of a column, and how often each value is there.
//!
//! Cells are compared by a key whose order is total, and rows with equal keys by their number, so that there is one
//! order, however it is found.

use fondaco_proto::Result;
use rayon::prelude::*;

use super::super::{
    Context,
    slice::{Positions, copy_block, take_rows},
    view::units,
};
use crate::matrix::{Builder, Matrix};

const SIGN: u64 = 1 << 63;

/// The key of all NaN: the last.
const NAN: u64 = u64::MAX;

/// A number whose order is that of the cells. Zeros of both signs are equal.
fn key(cell: f64) -> u64 {
    if cell.is_nan() {
        return NAN;
    }
    let bits = if cell == 0.0 { 0 } else { cell.to_bits() };
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// The cell of a key.
fn cell(key: u64) -> f64 {
    match key {
        NAN => f64::NAN,
        positive if positive & SIGN != 0 => f64::from_bits(positive ^ SIGN),
        negative => f64::from_bits(!negative),
    }
}

/// The keys of a column.
fn keys(x: &Matrix, column: usize, cx: &Context<'_>) -> Result<Vec<u64>> {
    let mut cells = cx.memory.buffer(x.rows())?;
    copy_block(x, 0..x.rows(), column..column + 1, &mut cells);
    Ok(cells.iter().map(|cell| key(*cell)).collect())
}

fn sort<T: Ord + Send>(items: &mut [T], cx: &Context<'_>) -> Result<()> {
    if cx.parallel {
        items.par_sort_unstable();
    } else {
        items.sort_unstable();
    }
    cx.cancel.check()
}

/// The numbers of the rows, in order.
fn positions(x: &Matrix, by: usize, descending: bool, cx: &Context<'_>) -> Result<Positions> {
    let rows = x.rows() as u64;
    let _keys_and_pairs = cx.memory.ticket(24 * rows)?;
    let keys = keys(x, by, cx)?;
    let turned = |key: u64| if descending && key != NAN { !key } else { key };
    let mut pairs: Vec<(u64, usize)> = keys.into_iter().map(turned).zip(0..).collect();
    sort(&mut pairs, cx)?;
    Positions::new(x.rows(), pairs.into_iter().map(|(_, row)| row), cx)
}

/// The rows, in order.
pub fn sorted(x: &Matrix, by: usize, descending: bool, cx: &Context<'_>) -> Result<Matrix> {
    take_rows(x, &positions(x, by, descending, cx)?, cx)
}

/// The numbers of the rows, in order, as a column.
pub fn order(x: &Matrix, by: usize, descending: bool, cx: &Context<'_>) -> Result<Matrix> {
    let order = positions(x, by, descending, cx)?;
    let mut builder = Builder::new(cx.memory, x.rows(), 1)?;
    cx.each(units(&mut builder), |unit| {
        for (out, row) in unit.data.iter_mut().zip(&order[unit.first_row..]) {
            *out = *row as f64;
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// The distinct cells of a column in order, and how often each is there.
pub fn unique(x: &Matrix, cx: &Context<'_>) -> Result<Matrix> {
    let _keys = cx.memory.ticket(8 * x.rows() as u64)?;
    let mut keys = keys(x, 0, cx)?;
    sort(&mut keys, cx)?;
    let groups = || keys.chunk_by(|a, b| a == b);
    let mut builder = Builder::new(cx.memory, groups().count(), 2)?;
    let mut groups = groups();
    for tile in builder.tiles_mut() {
        let (values, counts) = tile.data.split_at_mut(tile.rows);
        for ((value, count), group) in values.iter_mut().zip(counts).zip(&mut groups) {
            (*value, *count) = (cell(group[0]), group.len() as f64);
        }
    }
    Ok(builder.finish())
}
