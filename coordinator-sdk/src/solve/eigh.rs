//! Eigenvalues of symmetric matrices.

use ndarray::{Array1, Array2};
use ndarray_linalg::{Eigh, UPLO, error::LinalgError};

use super::{failed, finite_square, sign_of};
use crate::{Error, Result};

/// `np.linalg.eigh(A)`: eigenvalues in ascending order and eigenvectors as columns, of a symmetric matrix: `(n, n) →
/// (n), (n, n)` (LAPACK dsyev). The largest component of each vector is positive, and of several that are equally large
/// the first, so that signs do not depend on the build. The lower triangle of A is read.
///
/// # Errors
/// `Numeric` if the iteration does not converge, or A is not square, or not finite.
pub fn eigh(a: &Array2<f64>) -> Result<(Array1<f64>, Array2<f64>)> {
    finite_square("eigh", a)?;
    let n = a.nrows();
    if n == 0 {
        return Ok((Array1::zeros(0), Array2::zeros((0, 0))));
    }
    let symmetric = Array2::from_shape_fn((n, n), |(i, j)| a[[i.max(j), i.min(j)]]);
    let (values, mut vectors) = symmetric.eigh(UPLO::Lower).map_err(|error| match error {
        LinalgError::Lapack(error) => {
            failed("eigh", error, |left| format!("{} off-diagonal elements did not converge", left + 1))
        }
        other => Error::Numeric(format!("eigh: {other}")),
    })?;
    for mut vector in vectors.columns_mut() {
        let sign = sign_of(vector.view());
        vector *= sign;
    }
    Ok((values, vectors))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::{super::testing::*, *};

    #[test]
    fn values_vectors_and_order() {
        for n in [0, 1, 2, 7, 80] {
            let a = positive(n as u64 + 1, n);
            let (values, vectors) = eigh(&a).unwrap();
            assert_small("vectors", &(a.dot(&vectors) - &vectors * &values), n, norm(&a));
            assert_small("orthogonality", &(vectors.t().dot(&vectors) - Array2::<f64>::eye(n)), n, 1.0);
            assert!(values.windows(2).into_iter().all(|two| two[0] <= two[1]));
        }
        let known = array![-3.0, 1e-3, 2.0, 2.0, 1e4];
        let (turn, _) = super::super::qr(&random(8, 5, 5)).unwrap();
        let (values, _) = eigh(&(&turn * &known).dot(&turn.t())).unwrap();
        for (value, known) in values.iter().zip(&known) {
            assert!((value - known).abs() < 1e-11, "{value} {known}");
        }
    }

    #[test]
    fn signs_are_fixed_where_components_are_equally_large() {
        let (values, vectors) = eigh(&array![[2.0, -1.0], [-1.0, 2.0]]).unwrap();
        assert_close("the first", values[0], 1.0, 1e-15);
        assert!(vectors[[0, 0]] > 0.0 && vectors[[1, 0]] > 0.0);
        assert!(vectors[[0, 1]] > 0.0 && vectors[[1, 1]] < 0.0, "{vectors}");
        assert!(eigh(&array![[1.0, f64::INFINITY], [0.0, 1.0]]).unwrap_err().to_string().contains("(0, 1)"));
    }
}
