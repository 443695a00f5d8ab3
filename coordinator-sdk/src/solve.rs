//! Small dense problems at the coordinator, by LAPACK.

use ndarray::{Array1, Array2, ArrayView2};
use ndarray_linalg::{Cholesky, Eigh, Factorize, Solve, UPLO, error::LinalgError};

use crate::{Error, Result};

/// The lower Cholesky factor: `(n, n) → L` with `A = L @ L.T` (LAPACK dpotrf). The lower triangle of A is read.
///
/// # Errors
/// `Numeric` if A is not positive definite, naming the first pivot that is not positive; or not square, or not finite.
pub fn cholesky(a: &Array2<f64>) -> Result<Array2<f64>> {
    finite_square("cholesky", a)?;
    a.cholesky(UPLO::Lower).map_err(|error| failed("cholesky", &error, not_positive))
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

/// `np.linalg.solve(A, B)`: `(n, n), (n, m) → (n, m)`, by LU with partial pivoting (LAPACK dgetrf, dgetrs).
///
/// # Errors
/// `Numeric` if A is singular, naming the pivot that is 0; or not square, or not finite. `Plan` if shapes do not fit.
pub fn solve(a: &Array2<f64>, b: &Array2<f64>) -> Result<Array2<f64>> {
    finite_square("solve", a)?;
    fits("solve", a, b)?;
    let singular = |error: LinalgError| {
        failed("solve", &error, |pivot| format!("the matrix is singular: pivot {pivot} (counted from 0) is 0"))
    };
    let factors = a.factorize().map_err(singular)?;
    let mut x = Array2::zeros(b.raw_dim());
    for (mut column, right) in x.columns_mut().into_iter().zip(b.columns()) {
        let solution: Array1<f64> = factors.solve_into(right.to_owned()).map_err(singular)?;
        column.assign(&solution);
    }
    Ok(x)
}

/// Eigenvalues in ascending order and eigenvectors as columns, of a symmetric matrix: `(n, n) → (n), (n, n)` (LAPACK
/// dsyev). The largest component of each vector is positive, so that signs do not depend on the build.
///
/// # Errors
/// `Numeric` if the iteration does not converge, or A is not square, or not finite.
pub fn eigh(a: &Array2<f64>) -> Result<(Array1<f64>, Array2<f64>)> {
    finite_square("eigh", a)?;
    let (values, mut vectors) = a.eigh(UPLO::Lower).map_err(|error| {
        failed("eigh", &error, |left| format!("{} off-diagonal elements did not converge", left + 1))
    })?;
    for mut vector in vectors.columns_mut() {
        let largest = vector.iter().copied().fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
        if largest < 0.0 {
            vector.mapv_inplace(|x| -x);
        }
    }
    Ok((values, vectors))
}

fn finite_square(what: &str, a: &Array2<f64>) -> Result<()> {
    if a.nrows() != a.ncols() {
        let message = format!("{what}: the matrix must be square, but is ({}, {})", a.nrows(), a.ncols());
        return Err(Error::Numeric(message));
    }
    match a.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some(((i, j), value)) => Err(Error::Numeric(format!("{what}: element ({i}, {j}) of the matrix is {value}"))),
        None => Ok(()),
    }
}

fn fits(what: &str, a: &Array2<f64>, b: &Array2<f64>) -> Result<()> {
    if a.nrows() == b.nrows() {
        return Ok(());
    }
    let shape = |m: ArrayView2<f64>| format!("({}, {})", m.nrows(), m.ncols());
    Err(Error::plan(format!("{what}: both need as many rows, but are {} and {}", shape(a.view()), shape(b.view()))))
}

/// LAPACK's return code counts from 1.
fn failed(what: &str, error: &LinalgError, say: impl Fn(i32) -> String) -> Error {
    Error::Numeric(match error {
        LinalgError::Lapack(lax::error::Error::LapackComputationalFailure { return_code }) => {
            format!("{what}: {}", say(return_code - 1))
        }
        other => format!("{what}: {other}"),
    })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn assert_close(a: &Array2<f64>, b: &Array2<f64>) {
        assert!((a - b).iter().all(|difference| difference.abs() < 1e-12), "{a} {b}");
    }

    #[test]
    fn solutions_solve() {
        let a = array![[4.0, 2.0, 0.5], [2.0, 5.0, 1.0], [0.5, 1.0, 3.0]];
        let b = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
        assert_close(&a.dot(&solve(&a, &b).unwrap()), &b);
        assert_close(&a.dot(&solve_positive(&a, &b).unwrap()), &b);
        let lower = cholesky(&a).unwrap();
        assert_close(&lower.dot(&lower.t()), &a);
        assert_eq!(lower[[0, 1]], 0.0);
        let (values, vectors) = eigh(&a).unwrap();
        assert_close(&a.dot(&vectors), &(&vectors * &values));
        assert!(values[0] <= values[1] && values[1] <= values[2]);
    }

    #[test]
    fn column_major_arrays_are_read_as_such() {
        let a = array![[1.0, 7.0], [0.0, 2.0]].reversed_axes();
        assert!(!a.is_standard_layout());
        let b = array![[1.0], [9.0]];
        assert_close(&a.dot(&solve(&a, &b).unwrap()), &b);
        let a = array![[2.0, 1.0], [1.0, 3.0]].reversed_axes();
        let lower = cholesky(&a).unwrap();
        assert_close(&lower.dot(&lower.t()), &a);
    }

    #[test]
    fn errors_name_the_pivot() {
        let singular = array![[1.0, 2.0], [2.0, 4.0]];
        let message = |error: Result<Array2<f64>>| error.unwrap_err().to_string();
        assert!(message(cholesky(&singular)).contains("pivot 1"));
        assert!(message(solve(&singular, &array![[1.0], [1.0]])).contains("pivot 1"));
        assert!(message(cholesky(&array![[1.0, 2.0]])).contains("square"));
        assert!(message(solve(&array![[f64::NAN]], &array![[1.0]])).contains("(0, 0)"));
        assert!(message(solve(&array![[1.0]], &array![[1.0], [2.0]])).contains("rows"));
    }
}
