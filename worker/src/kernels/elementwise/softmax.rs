//! Softmax along rows, shifted by the row's maximum so that nothing overflows.

use fondaco_proto::Result;

use super::{
    super::{Context, simd, untransposed},
    binary::maximum,
    math,
};
use crate::matrix::{Builder, Matrix, Tile, TileMut};

/// Rows whose running maxima and sums are kept at a time.
const ROWS: usize = 256;

/// `exp(x - max) / sum(exp(x - max))` of each row, or its logarithm. A row with NaN, or whose maximum is infinite, is NaN.
pub fn softmax(x: &Matrix, logarithm: bool, cx: &Context<'_>) -> Result<Matrix> {
    let x = untransposed(x, cx)?;
    let mut builder = Builder::new(cx.memory, x.stored_rows(), x.stored_columns())?;
    let pairs = x.tiles().iter().zip(builder.tiles_mut()).collect();
    cx.each(pairs, |(from, mut to): (&Tile, TileMut<'_>)| {
        let rows = to.rows;
        for first in (0..rows).step_by(ROWS) {
            block(from, &mut to, first, ROWS.min(rows - first), logarithm);
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// Some rows of a tile.
fn block(from: &Tile, to: &mut TileMut<'_>, first: usize, rows: usize, logarithm: bool) {
    let columns = || from.data().chunks_exact(from.rows()).map(|column| &column[first..first + rows]);
    let (mut top, mut total) = ([f64::NEG_INFINITY; ROWS], [0.0; ROWS]);
    let (top, total) = (&mut top[..rows], &mut total[..rows]);
    let mut scratch = [0.0; ROWS];
    let scratch = &mut scratch[..rows];
    for cells in columns() {
        scratch.copy_from_slice(top);
        simd::map2(top, scratch, cells, maximum);
    }
    let stride = to.rows;
    for (cells, out) in columns().zip(to.data.chunks_exact_mut(stride)) {
        let out = &mut out[first..first + rows];
        simd::map2(out, cells, top, |x, top| math::exp(x - top));
        for (total, e) in total.iter_mut().zip(&*out) {
            *total += *e;
        }
    }
    if logarithm {
        simd::map(scratch, total, math::ln);
    }
    for (cells, out) in columns().zip(to.data.chunks_exact_mut(stride)) {
        let out = &mut out[first..first + rows];
        if logarithm {
            simd::map3(out, cells, top, scratch, |x, top, log| x - top - log);
        } else {
            for (out, total) in out.iter_mut().zip(&*total) {
                *out /= *total;
            }
        }
    }
}
