//! Count, mean and sum of squared deviations: two passes over cells that are in cache, merged as Chan, Golub and LeVeque
//! ("Updating formulae and a pairwise algorithm for computing sample variances", 1979) do.

use super::{
    super::simd,
    reduction::{BLOCK_ROWS, Block, Reduction},
    total::{Plain, Rows, Sum, row_sums, sum},
};

/// Deviations that are summed side by side; fewer than 32 are not vectorised, but unrolled.
const LANES: usize = 32;

/// Count, sum and sum of squared deviations from the mean.
#[derive(Clone, Copy, Debug)]
pub struct Moments {
    pub count: f64,
    pub sum: Sum,
    pub m2: f64,
}

impl Moments {
    /// The mean; NaN of no cells.
    pub fn mean(&self) -> f64 {
        self.sum.value() / self.count
    }

    /// Count, mean, what its rounding lost, and M2.
    pub fn words(&self) -> [f64; 4] {
        let mean = self.mean();
        let rest = ((-mean).mul_add(self.count, self.sum.high) + self.sum.low) / self.count;
        // Of what is not finite nothing is lost.
        [self.count, mean, if rest.is_finite() { rest } else { 0.0 }, self.m2]
    }

    /// The variance of what is there, as `np.nanvar`: NaN where the degrees of freedom are too few.
    pub fn variance(&self, ddof: u32) -> f64 {
        let freedom = self.count - f64::from(ddof);
        if freedom > 0.0 { self.m2 / freedom } else { f64::NAN }
    }

    /// From a sum and from the sums of the deviations from its mean, and of their squares: the first of these, which
    /// is all rounding, corrects the second.
    fn new(count: f64, sum: Sum, deviations: f64, squares: f64) -> Self {
        let m2 = squares - deviations * deviations / count;
        Self { count, sum, m2: if m2 < 0.0 { 0.0 } else { m2 } }
    }

    /// The mean as a number and what rounding lost of it.
    fn mean_parts(&self) -> (f64, f64) {
        let mean = self.sum.high / self.count;
        (mean, ((-mean).mul_add(self.count, self.sum.high) + self.sum.low) / self.count)
    }
}

impl Reduction for Moments {
    type Partial = Self;

    const EMPTY: Self = Self { count: 0.0, sum: Sum { high: 0.0, low: 0.0 }, m2: 0.0 };

    fn lane(cells: &[f64]) -> Self {
        if cells.is_empty() {
            return Self::EMPTY;
        }
        let (count, sum) = (cells.len() as f64, sum::<Plain>(cells));
        let (deviations, squares) = simd::run(Deviations { cells, mean: sum.value() / count });
        Self::new(count, sum, deviations, squares)
    }

    fn across(block: &Block<'_>, out: &mut [Self]) {
        let count = block.width() as f64;
        let sums = row_sums::<Plain>(block);
        let at = |i: usize| Sum { high: sums.high[i], low: sums.low[i] };
        let mut means = [0.0; BLOCK_ROWS];
        for (i, mean) in means.iter_mut().enumerate() {
            *mean = at(i).value() / count;
        }
        let mut deviations = [0.0; BLOCK_ROWS];
        let mut squares = Rows { high: [0.0; BLOCK_ROWS], low: [0.0; BLOCK_ROWS] };
        for cells in block.columns() {
            simd::run(RowDeviations { means: &means, cells, deviations: &mut deviations, squares: &mut squares });
        }
        for (i, out) in out.iter_mut().enumerate() {
            let squares = Sum { high: squares.high[i], low: squares.low[i] }.value();
            *out = if count == 0.0 { Self::EMPTY } else { Self::new(count, at(i), deviations[i], squares) };
        }
    }

    fn merge(a: Self, b: Self) -> Self {
        if a.count == 0.0 || b.count == 0.0 {
            return if a.count == 0.0 { b } else { a };
        }
        let ((mean_a, rest_a), (mean_b, rest_b)) = (a.mean_parts(), b.mean_parts());
        let (count, delta) = (a.count + b.count, (mean_b - mean_a) + (rest_b - rest_a));
        let m2 = a.m2 + b.m2 + delta * delta * (a.count * b.count / count);
        Self { count, sum: a.sum.merge(b.sum), m2 }
    }
}

/// The moments of the cells that are not NaN.
pub struct PresentMoments;

/// Cells that are gathered at a time.
const GATHERED: usize = 1024;

impl Reduction for PresentMoments {
    type Partial = Moments;

    const EMPTY: Moments = Moments::EMPTY;

    fn lane(cells: &[f64]) -> Moments {
        let mut gathered = [0.0; GATHERED];
        let of = |cells: &[f64]| {
            let mut count = 0;
            for x in cells {
                gathered[count] = *x;
                count += usize::from(!x.is_nan());
            }
            Moments::lane(&gathered[..count])
        };
        // One less, so that there is always room for a NaN behind the others.
        cells.chunks(GATHERED - 1).map(of).reduce(Moments::merge).unwrap_or(Moments::EMPTY)
    }

    fn across(block: &Block<'_>, out: &mut [Moments]) {
        let mut gathered = [0.0; GATHERED];
        for (i, out) in out.iter_mut().enumerate() {
            let (mut moments, mut count) = (Moments::EMPTY, 0);
            for x in block.columns().map(|cells| cells[i]).filter(|x| !x.is_nan()) {
                gathered[count] = x;
                count += 1;
                if count == GATHERED {
                    moments = Moments::merge(moments, Moments::lane(&gathered));
                    count = 0;
                }
            }
            *out = Moments::merge(moments, Moments::lane(&gathered[..count]));
        }
    }

    fn merge(a: Moments, b: Moments) -> Moments {
        Moments::merge(a, b)
    }
}

/// The sum of deviations from about the mean, and of their squares.
struct Deviations<'a> {
    cells: &'a [f64],
    mean: f64,
}

impl simd::Body for Deviations<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn run(self) -> (f64, f64) {
        let (mut first, mut second) = ([0.0; LANES], [0.0; LANES]);
        let (chunks, rest) = self.cells.as_chunks::<LANES>();
        for chunk in chunks {
            for lane in 0..LANES {
                let d = chunk[lane] - self.mean;
                first[lane] += d;
                second[lane] += d * d;
            }
        }
        for (lane, x) in rest.iter().enumerate() {
            let d = x - self.mean;
            first[lane] += d;
            second[lane] += d * d;
        }
        (first.iter().sum(), second.iter().sum())
    }
}

/// Adds a column's deviations, and their squares, to those of some rows.
struct RowDeviations<'a> {
    means: &'a [f64; BLOCK_ROWS],
    cells: &'a [f64],
    deviations: &'a mut [f64; BLOCK_ROWS],
    /// With what rounding lost, because the columns may be many.
    squares: &'a mut Rows,
}

impl simd::Body for RowDeviations<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let squares = self.squares.high.iter_mut().zip(&mut self.squares.low);
        let sums = self.deviations.iter_mut().zip(squares);
        for ((deviation, (high, low)), (mean, x)) in sums.zip(self.means.iter().zip(self.cells)) {
            let d = x - mean;
            *deviation += d;
            let (square, before) = (d * d, *high);
            *high += square;
            let added = *high - before;
            *low += (before - (*high - added)) + (square - added);
        }
    }
}
