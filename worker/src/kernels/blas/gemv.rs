//! A panel times a vector. It takes as long as the panel needs to be read once, where OpenBLAS's `gemv` may take three
//! times as long for the columns of a tile, which lie a power of two apart.

use super::super::{simd, view::Panel};

/// Columns that are read side by side, so that sums are loaded and stored once for all of them.
const WIDTH: usize = 4;

/// Rows of a column whose products are summed side by side.
const LANES: usize = 16;

/// `y += a @ x`; a has as many columns as x cells, and as many rows as y.
pub fn gemv(a: Panel<'_>, x: &[f64], y: &mut [f64]) {
    if a.transposed {
        simd::run(Dots { a, x, y });
    } else {
        simd::run(Combination { a, x, y });
    }
}

/// The cells of a stored column.
#[inline(always)]
fn column<'a>(a: Panel<'a>, column: usize, rows: usize) -> &'a [f64] {
    &a.data[column * a.stride..][..rows]
}

/// Adds the columns of `a`, each times its cell of `x`, to `y`.
struct Combination<'a> {
    a: Panel<'a>,
    x: &'a [f64],
    y: &'a mut [f64],
}

impl simd::Body for Combination<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { a, x, y } = self;
        let rows = y.len();
        let (fours, rest) = x.as_chunks::<WIDTH>();
        for (i, x) in fours.iter().enumerate() {
            let [a0, a1, a2, a3] = [0, 1, 2, 3].map(|j| column(a, i * WIDTH + j, rows));
            for (((y, a0), (a1, a2)), a3) in y.iter_mut().zip(a0).zip(a1.iter().zip(a2)).zip(a3) {
                *y += (a0 * x[0] + a1 * x[1]) + (a2 * x[2] + a3 * x[3]);
            }
        }
        for (i, x) in rest.iter().enumerate() {
            for (y, a) in y.iter_mut().zip(column(a, fours.len() * WIDTH + i, rows)) {
                *y += a * x;
            }
        }
    }
}

/// Adds the product of each stored column with `x` to its cell of `y`.
struct Dots<'a> {
    a: Panel<'a>,
    x: &'a [f64],
    y: &'a mut [f64],
}

impl simd::Body for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { a, x, y } = self;
        let (chunks, rest) = x.as_chunks::<LANES>();
        for (i, y) in y.iter_mut().enumerate() {
            let (cells, left) = column(a, i, x.len()).as_chunks::<LANES>();
            let mut sums = [0.0; LANES];
            for (cells, x) in cells.iter().zip(chunks) {
                for lane in 0..LANES {
                    sums[lane] += cells[lane] * x[lane];
                }
            }
            let rest: f64 = left.iter().zip(rest).map(|(a, x)| a * x).sum();
            *y += sums.iter().sum::<f64>() + rest;
        }
    }
}
