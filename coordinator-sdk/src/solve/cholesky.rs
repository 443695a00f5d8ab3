//! Symmetric positive definite matrices.

use lax::Lapack;
use ndarray::Array2;

use super::{failed, finite_square, fits};
use crate::{Error, Result};

/// The lower Cholesky factor: `(n, n) → L` with `A = L @ L.T` (LAPACK dpotrf). The lower triangle of A is read.
///
/// # Errors
/// `Numeric` if A is not positive definite, naming the first pivot that is not positive; or not square, or not finite.
pub fn cholesky(a: &Array2<f64>) -> Result<Array2<f64>> {
    finite_square("cholesky", a)?;
    let n = a.nrows();
    // In row-major order LAPACK's upper triangle is the lower one.
    let mut cells: Vec<f64> = a.iter().copied().collect();
    if n > 0 {
        let layout = lax::layout::MatrixLayout::F { col: n as i32, lda: n as i32 };
        f64::cholesky(layout, lax::UPLO::Upper, &mut cells).map_err(|error| failed("cholesky", error, not_positive))?;
    }
    Ok(Array2::from_shape_fn((n, n), |(i, j)| if j <= i { cells[i * n + j] } else { 0.0 }))
}

fn not_positive(pivot: impl std::fmt::Display) -> String {
    format!("the matrix is not positive definite: pivot {pivot} (counted from 0) is not positive")
}

/// The error for a pivot that is not positive, or no more than rounding.
pub(crate) fn vanishing_pivot(pivot: usize) -> Error {
    Error::Numeric(format!("cholesky: {}, but for rounding", not_positive(pivot)))
}

/// `X` with `A @ X = B`: `(n, n), (n, m) → (n, m)`, for a symmetric positive definite A, by Cholesky.
///
/// # Errors
/// As [`cholesky`], and also for a pivot that is no more than the rounding of what it was computed from (Higham,
/// "Accuracy and Stability of Numerical Algorithms", 2nd ed., 10.3); `Plan` if the shapes do not fit.
pub fn solve_positive(a: &Array2<f64>, b: &Array2<f64>) -> Result<Array2<f64>> {
    fits("solve_positive", a, b)?;
    Ok(substituted(&positive_factor(a)?, b))
}

/// As [`cholesky`], and an error also for a pivot that is no more than rounding.
pub(crate) fn positive_factor(a: &Array2<f64>) -> Result<Array2<f64>> {
    let lower = cholesky(a)?;
    let n = lower.nrows();
    let rounding = 8.0 * n as f64 * f64::EPSILON;
    match (0..n).find(|&i| lower[[i, i]] * lower[[i, i]] <= rounding * a[[i, i]]) {
        Some(pivot) => Err(vanishing_pivot(pivot)),
        None => Ok(lower),
    }
}

/// `X` with `L @ L.T @ X = B`, of as many rows.
pub(crate) fn substituted(lower: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    let (mut x, n) = (b.clone(), lower.nrows());
    for mut column in x.columns_mut() {
        for i in 0..n {
            let known: f64 = (0..i).map(|j| lower[[i, j]] * column[j]).sum();
            column[i] = (column[i] - known) / lower[[i, i]];
        }
        for i in (0..n).rev() {
            let known: f64 = (i + 1..n).map(|j| lower[[j, i]] * column[j]).sum();
            column[i] = (column[i] - known) / lower[[i, i]];
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::{super::testing::*, *};

    #[test]
    fn factors_and_solutions() {
        for n in [0, 1, 3, 60] {
            let a = positive(n as u64, n);
            let lower = cholesky(&a).unwrap();
            assert!(lower.indexed_iter().all(|((i, j), x)| j <= i || *x == 0.0));
            assert_small("factors", &(lower.dot(&lower.t()) - &a), n, norm(&a));
            let b = random(3, n, 2);
            let x = solve_positive(&a, &b).unwrap();
            assert_small("residual", &(a.dot(&x) - &b), n, norm(&a) * norm(&x));
        }
    }

    #[test]
    fn the_lower_triangle_is_read_in_any_order() {
        let a = array![[2.0, f64::MAX], [1.0, 3.0]];
        let expected = cholesky(&array![[2.0, 1.0], [1.0, 3.0]]).unwrap();
        assert_eq!(cholesky(&a).unwrap(), expected);
        let column_major = array![[2.0, 1.0], [f64::MAX, 3.0]].reversed_axes();
        assert_eq!(cholesky(&column_major).unwrap(), expected);
    }

    #[test]
    fn errors_name_the_pivot() {
        let singular = array![[1.0, 2.0], [2.0, 4.0]];
        let message = |error: Result<Array2<f64>>| error.unwrap_err().to_string();
        assert!(message(cholesky(&singular)).contains("pivot 1"));
        assert!(message(cholesky(&array![[1.0, 2.0]])).contains("square"));
        assert!(message(cholesky(&array![[f64::NAN]])).contains("(0, 0)"));
        let nearly = array![[1.0, 1.0], [1.0, 1.0 + 4e-16]];
        assert!(message(solve_positive(&nearly, &array![[1.0], [1.0]])).contains("but for rounding"));
        assert!(message(solve_positive(&array![[1.0]], &array![[1.0], [2.0]])).contains("rows"));
    }
}
