//! The LU factors that solving, inverting and determinants share.

use lax::{Lapack, Transpose, error::Error as LapackError, layout::MatrixLayout};
use ndarray::{Array2, ShapeBuilder};

use super::{failed, finite_square};
use crate::{Error, Result};

/// Exponents that are scaled away, at most, so that scales are numbers themselves.
const EXPONENT_MAX: i32 = 1000;

/// `R A C = P L U` with partial pivoting (LAPACK dgetrf). R and C are powers of two that bring the largest element of
/// each row and column to about 1, so that units do not matter (as dgeequb; Higham, "Accuracy and Stability of
/// Numerical Algorithms", 2nd ed., 9.8).
pub(super) struct Lu {
    what: &'static str,
    n: usize,
    /// Column-major: L below the diagonal, U from it on.
    factors: Vec<f64>,
    pivots: Vec<i32>,
    /// Exponents of the diagonals of R and C.
    rows: Vec<i32>,
    columns: Vec<i32>,
    /// The largest sum of magnitudes of a column of `R A C`.
    norm: f64,
    /// The first pivot that is exactly 0.
    zero: Option<usize>,
}

impl Lu {
    pub fn of(what: &'static str, a: &Array2<f64>) -> Result<Self> {
        finite_square(what, a)?;
        let n = a.nrows();
        let largest = |cells: &mut dyn Iterator<Item = f64>| cells.fold(0.0, |most: f64, x| most.max(x.abs()));
        let rows: Vec<i32> = a.rows().into_iter().map(|row| -exponent(largest(&mut row.iter().copied()))).collect();
        let mut columns = Vec::with_capacity(n);
        let mut factors = Vec::with_capacity(n * n);
        for column in a.columns() {
            let scaled: Vec<f64> = column.iter().zip(&rows).map(|(x, e)| x * power(*e)).collect();
            let by = -exponent(largest(&mut scaled.iter().copied()));
            columns.push(by);
            factors.extend(scaled.into_iter().map(|x| x * power(by)));
        }
        let sum = |column: &[f64]| column.iter().map(|x| x.abs()).sum();
        let norm = factors.chunks_exact(n.max(1)).map(sum).fold(0.0, f64::max);
        let mut lu = Self { what, n, factors, pivots: Vec::new(), rows, columns, norm, zero: None };
        match f64::lu(lu.layout(), &mut lu.factors) {
            Ok(pivots) => lu.pivots = pivots,
            Err(LapackError::LapackComputationalFailure { return_code }) => lu.zero = Some(return_code as usize - 1),
            Err(other) => return Err(failed(what, other, |_| String::new())),
        }
        Ok(lu)
    }

    fn layout(&self) -> MatrixLayout {
        MatrixLayout::F { col: self.n as i32, lda: self.n as i32 }
    }

    fn pivot(&self, i: usize) -> f64 {
        self.factors[i * self.n + i]
    }

    /// Whether systems have solutions that are more than rounding.
    pub fn check_regular(&self) -> Result<()> {
        let error = |text: String| Err(Error::Numeric(format!("{}: the matrix is singular{text}", self.what)));
        if let Some(zero) = self.zero {
            return error(format!(": pivot {zero} (counted from 0) is 0"));
        }
        if self.n == 0 {
            return Ok(());
        }
        let rcond = f64::rcond(self.layout(), &self.factors, self.norm)
            .map_err(|error| failed(self.what, error, |_| String::new()))?;
        if rcond >= f64::EPSILON {
            return Ok(());
        }
        let least = (0..self.n).min_by(|&i, &j| self.pivot(i).abs().total_cmp(&self.pivot(j).abs())).unwrap_or(0);
        error(format!(
            ", but for rounding: pivot {least} (counted from 0) is {:.1e} where rows and columns have elements of about \
             1, and the reciprocal condition number is {rcond:.1e}",
            self.pivot(least).abs()
        ))
    }

    /// `X` with `A @ X = B`; only for a regular A.
    pub fn solve(&self, b: &Array2<f64>) -> Result<Array2<f64>> {
        let mut x = Array2::zeros(b.raw_dim().f());
        for (mut out, right) in x.columns_mut().into_iter().zip(b.columns()) {
            let mut column: Vec<f64> = right.iter().zip(&self.rows).map(|(b, e)| b * power(*e)).collect();
            if self.n > 0 {
                f64::solve(self.layout(), Transpose::No, &self.factors, &self.pivots, &mut column)
                    .map_err(|error| failed(self.what, error, |_| String::new()))?;
            }
            out.iter_mut().zip(column).zip(&self.columns).for_each(|((out, x), e)| *out = x * power(*e));
        }
        Ok(x.as_standard_layout().into_owned())
    }

    /// The determinant of A as `m · 2^e`; m is 0, or between 1 and 2 (or their negatives).
    pub fn determinant(&self) -> (f64, i64) {
        if self.zero.is_some() {
            return (0.0, 0);
        }
        let scales = self.rows.iter().chain(&self.columns).map(|e| i64::from(*e)).sum::<i64>();
        let (mut m, mut e) = (1.0, -scales);
        for (i, pivot) in self.pivots.iter().enumerate() {
            m *= self.pivot(i);
            // Rows are swapped; LAPACK counts from 1.
            if *pivot as usize != i + 1 {
                m = -m;
            }
            let by = exponent(m);
            m *= power(-by);
            e += i64::from(by);
        }
        (m, e)
    }
}

/// The exponent of a number's magnitude, within what is scaled away; 0 of 0.
fn exponent(x: f64) -> i32 {
    if x == 0.0 {
        return 0;
    }
    let e = (x.to_bits() >> 52 & 0x7ff) as i32 - 1023;
    e.clamp(-EXPONENT_MAX, EXPONENT_MAX)
}

/// 2 to a power within what is scaled away.
fn power(e: i32) -> f64 {
    f64::from_bits(((e + 1023) as u64) << 52)
}
