//! Minima and maxima; NaN if any cell is.

use std::marker::PhantomData;

use super::{
    super::simd,
    reduction::{BLOCK_ROWS, Block, Reduction},
};

/// Extremes that are kept side by side.
const LANES: usize = 32;

/// Which of two numbers is kept.
pub trait Choice {
    /// What every number is chosen over.
    const WORST: f64;

    /// Whether `best` stays when `x` comes; false also if `x` is NaN.
    fn stays(best: f64, x: f64) -> bool;
}

/// The smallest.
pub struct Smallest;

/// The largest.
pub struct Largest;

impl Choice for Smallest {
    const WORST: f64 = f64::INFINITY;

    #[inline(always)]
    fn stays(best: f64, x: f64) -> bool {
        best <= x
    }
}

impl Choice for Largest {
    const WORST: f64 = f64::NEG_INFINITY;

    #[inline(always)]
    fn stays(best: f64, x: f64) -> bool {
        best >= x
    }
}

#[inline(always)]
fn choose<C: Choice>(best: f64, x: f64) -> f64 {
    if C::stays(best, x) | best.is_nan() { best } else { x }
}

/// The extreme cell.
pub struct Extreme<C>(PhantomData<C>);

impl<C: Choice> Reduction for Extreme<C> {
    type Partial = f64;

    const EMPTY: f64 = C::WORST;

    fn lane(cells: &[f64]) -> f64 {
        simd::run(Lane::<C> { cells, choice: PhantomData })
    }

    fn across(block: &Block<'_>, out: &mut [f64]) {
        let mut best = [C::WORST; BLOCK_ROWS];
        for cells in block.columns() {
            simd::run(ChooseColumn::<C> { best: &mut best, cells, choice: PhantomData });
        }
        out.copy_from_slice(&best[..out.len()]);
    }

    fn merge(a: f64, b: f64) -> f64 {
        choose::<C>(a, b)
    }
}

/// The extreme of the cells that are not NaN; NaN of none.
pub struct ExtremePresent<C>(PhantomData<C>);

#[inline(always)]
fn choose_present<C: Choice>(best: f64, x: f64) -> f64 {
    if C::stays(best, x) | x.is_nan() { best } else { x }
}

impl<C: Choice> Reduction for ExtremePresent<C> {
    type Partial = f64;

    const EMPTY: f64 = f64::NAN;

    fn lane(cells: &[f64]) -> f64 {
        cells.iter().fold(f64::NAN, |best, x| choose_present::<C>(best, *x))
    }

    fn across(block: &Block<'_>, out: &mut [f64]) {
        out.fill(f64::NAN);
        for cells in block.columns() {
            for (best, x) in out.iter_mut().zip(cells) {
                *best = choose_present::<C>(*best, *x);
            }
        }
    }

    fn merge(a: f64, b: f64) -> f64 {
        choose_present::<C>(a, b)
    }
}

struct Lane<'a, C> {
    cells: &'a [f64],
    choice: PhantomData<C>,
}

impl<C: Choice> simd::Body for Lane<'_, C> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let mut best = [C::WORST; LANES];
        let (chunks, rest) = self.cells.as_chunks::<LANES>();
        for chunk in chunks {
            for (best, x) in best.iter_mut().zip(chunk) {
                *best = choose::<C>(*best, *x);
            }
        }
        best.iter().chain(rest).fold(C::WORST, |best, x| choose::<C>(best, *x))
    }
}

struct ChooseColumn<'a, C> {
    best: &'a mut [f64; BLOCK_ROWS],
    cells: &'a [f64],
    choice: PhantomData<C>,
}

impl<C: Choice> simd::Body for ChooseColumn<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (best, x) in self.best.iter_mut().zip(self.cells) {
            *best = choose::<C>(*best, *x);
        }
    }
}
