//! Inverses.

use ndarray::Array2;

use super::lu::Lu;
use crate::Result;

/// `np.linalg.inv(A)`: `(n, n) → (n, n)`, by LU with partial pivoting. To solve a system, [`super::solve`] is faster and
/// more exact.
///
/// # Errors
/// As [`super::solve`].
pub fn inv(a: &Array2<f64>) -> Result<Array2<f64>> {
    let factors = Lu::of("inv", a)?;
    factors.check_regular()?;
    factors.solve(&Array2::eye(a.nrows()))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::{super::testing::*, *};

    #[test]
    fn inverses_on_both_sides() {
        for n in [0, 1, 3, 50] {
            let a = random(n as u64 + 7, n, n);
            let inverse = inv(&a).unwrap();
            let size = norm(&a) * norm(&inverse);
            assert_small("right", &(a.dot(&inverse) - Array2::<f64>::eye(n)), n, size);
            assert_small("left", &(inverse.dot(&a) - Array2::<f64>::eye(n)), n, size);
        }
        assert!(inv(&array![[1.0, 1.0], [1.0, 1.0]]).unwrap_err().to_string().contains("inv: the matrix is singular"));
    }
}
