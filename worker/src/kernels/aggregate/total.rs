//! Compensated sums of a term of each cell: Knuth's two-sum in several lanes, so that the error is that of one rounding
//! of the result and eps² of the terms.

use std::marker::PhantomData;

use super::{
    super::simd,
    reduction::{BLOCK_ROWS, Block, Reduction},
};

/// Sums that run side by side; fewer than 32 are not vectorised, but unrolled.
const LANES: usize = 32;

/// What is summed of a cell.
pub trait Term {
    /// The term of this cell.
    fn of(x: f64) -> f64;
}

/// The cell.
pub struct Plain;

/// Its square.
pub struct Square;

/// 1 where it is not 0; NaN is not.
pub struct NonZero;

impl Term for Plain {
    #[inline(always)]
    fn of(x: f64) -> f64 {
        x
    }
}

impl Term for Square {
    #[inline(always)]
    fn of(x: f64) -> f64 {
        x * x
    }
}

impl Term for NonZero {
    #[inline(always)]
    fn of(x: f64) -> f64 {
        if x == 0.0 { 0.0 } else { 1.0 }
    }
}

/// The cell, if it is not NaN.
pub struct Present;

impl Term for Present {
    #[inline(always)]
    fn of(x: f64) -> f64 {
        if x.is_nan() { 0.0 } else { x }
    }
}

/// A sum and what rounding lost of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    pub high: f64,
    pub low: f64,
}

impl Sum {
    /// Adds a number.
    #[inline(always)]
    pub fn add(&mut self, x: f64) {
        let high = self.high + x;
        let part = high - self.high;
        self.low += (self.high - (high - part)) + (x - part);
        self.high = high;
    }

    /// Both sums as one.
    pub fn merge(mut self, other: Self) -> Self {
        self.add(other.high);
        self.low += other.low;
        self
    }

    /// The sum. Once it is infinite or NaN there is nothing to make up for.
    pub fn value(self) -> f64 {
        if self.high.is_finite() { self.high + self.low } else { self.high }
    }
}

/// The sum of the terms of cells.
pub fn sum<T: Term>(cells: &[f64]) -> Sum {
    simd::run(Lane::<T> { cells, term: PhantomData })
}

struct Lane<'a, T> {
    cells: &'a [f64],
    term: PhantomData<T>,
}

impl<T: Term> simd::Body for Lane<'_, T> {
    type Output = Sum;

    #[inline(always)]
    fn run(self) -> Sum {
        let (mut high, mut low) = ([0.0; LANES], [0.0; LANES]);
        let (chunks, rest) = self.cells.as_chunks::<LANES>();
        for chunk in chunks {
            for lane in 0..LANES {
                let x = T::of(chunk[lane]);
                let next = high[lane] + x;
                let part = next - high[lane];
                low[lane] += (high[lane] - (next - part)) + (x - part);
                high[lane] = next;
            }
        }
        let mut total = Sum::default();
        for x in rest {
            total.add(T::of(*x));
        }
        for lane in 0..LANES {
            total.add(high[lane]);
            total.low += low[lane];
        }
        total
    }
}

/// A sum for each of some rows, of terms that are added column by column. Aligned, because a store that crosses cache
/// lines costs several that do not.
#[repr(align(64))]
pub struct Rows {
    pub high: [f64; BLOCK_ROWS],
    pub low: [f64; BLOCK_ROWS],
}

/// The sum of the terms of each row of a block.
pub fn row_sums<T: Term>(block: &Block<'_>) -> Rows {
    let mut sums = Rows { high: [0.0; BLOCK_ROWS], low: [0.0; BLOCK_ROWS] };
    let (high, low) = (&mut sums.high[..block.height()], &mut sums.low[..block.height()]);
    let mut columns = block.columns();
    while let Some(first) = columns.next() {
        // Four at a time: the sums are loaded and stored once for all.
        let more = (columns.len() >= 3).then(|| (columns.next(), columns.next(), columns.next()));
        match more {
            Some((Some(second), Some(third), Some(fourth))) => {
                simd::run(AddColumns::<T, 4> { high, low, cells: [first, second, third, fourth], term: PhantomData });
            }
            _fewer => simd::run(AddColumns::<T, 1> { high, low, cells: [first], term: PhantomData }),
        }
    }
    sums
}

struct AddColumns<'a, T, const N: usize> {
    high: &'a mut [f64],
    low: &'a mut [f64],
    cells: [&'a [f64]; N],
    term: PhantomData<T>,
}

impl<T: Term, const N: usize> simd::Body for AddColumns<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let cells = self.cells.map(|cells| &cells[..self.high.len()]);
        let low = &mut self.low[..self.high.len()];
        for (i, high) in self.high.iter_mut().enumerate() {
            let mut sum = Sum { high: *high, low: low[i] };
            for cells in cells {
                sum.add(T::of(cells[i]));
            }
            (*high, low[i]) = (sum.high, sum.low);
        }
    }
}

/// The sum of a term.
pub struct Total<T>(PhantomData<T>);

impl<T: Term> Reduction for Total<T> {
    type Partial = Sum;

    const EMPTY: Sum = Sum { high: 0.0, low: 0.0 };

    fn lane(cells: &[f64]) -> Sum {
        sum::<T>(cells)
    }

    fn across(block: &Block<'_>, out: &mut [Sum]) {
        let sums = row_sums::<T>(block);
        for (out, (high, low)) in out.iter_mut().zip(sums.high.iter().zip(&sums.low)) {
            *out = Sum { high: *high, low: *low };
        }
    }

    fn merge(a: Sum, b: Sum) -> Sum {
        a.merge(b)
    }
}
