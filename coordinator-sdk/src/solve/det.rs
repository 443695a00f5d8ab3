//! Determinants.

use fondaco_proto::op::scaled;
use ndarray::Array2;

use super::lu::Lu;
use crate::Result;

/// `np.linalg.det(A)`: `(n, n) → number`, by LU; 0 of a singular matrix. Pivots are multiplied so that none on the way
/// is too large or too small where the determinant is not.
///
/// # Errors
/// `Numeric` if A is not square, or not finite.
pub fn det(a: &Array2<f64>) -> Result<f64> {
    let (m, e) = Lu::of("det", a)?.determinant();
    Ok(scaled(m, e as f64))
}

/// `np.linalg.slogdet(A)`: `(n, n) → sign, ln |det|`; `0, -∞` of a singular matrix.
///
/// # Errors
/// As [`det`].
pub fn slogdet(a: &Array2<f64>) -> Result<(f64, f64)> {
    let (m, e) = Lu::of("slogdet", a)?.determinant();
    if m == 0.0 {
        return Ok((0.0, f64::NEG_INFINITY));
    }
    Ok((m.signum(), m.abs().ln() + e as f64 * std::f64::consts::LN_2))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::{super::testing::*, *};

    #[test]
    fn values() {
        assert_eq!(det(&Array2::zeros((0, 0))).unwrap(), 1.0);
        assert_close("2 by 2", det(&array![[3.0, 8.0], [4.0, 6.0]]).unwrap(), -14.0, 1e-15);
        assert_eq!(det(&array![[0.0, 1.0], [1.0, 0.0]]).unwrap(), -1.0);
        assert_eq!(det(&array![[1.0, 2.0], [2.0, 4.0]]).unwrap(), 0.0);
        assert_eq!(slogdet(&array![[1.0, 2.0], [2.0, 4.0]]).unwrap(), (0.0, f64::NEG_INFINITY));
        let (a, b) = (random(1, 9, 9), random(2, 9, 9));
        assert_close("a product", det(&a.dot(&b)).unwrap(), det(&a).unwrap() * det(&b).unwrap(), 1e-11);
        assert_close("the transpose", det(&a.t().to_owned()).unwrap(), det(&a).unwrap(), 1e-12);
    }

    #[test]
    fn neither_pivots_nor_the_determinant_overflow() {
        let large = Array2::from_diag(&array![1e200, 1e200, 1e-300, 1e-90]);
        assert_close("within the numbers", det(&large).unwrap(), 1e10, 1e-14);
        let huge = Array2::from_diag(&array![1e200, -1e200]);
        assert_eq!(det(&huge).unwrap(), f64::NEG_INFINITY);
        let (sign, log) = slogdet(&huge).unwrap();
        assert_eq!(sign, -1.0);
        assert_close("its logarithm", log, 400.0 * std::f64::consts::LN_10, 1e-15);
        assert_eq!(det(&Array2::from_diag(&array![1e-200, 1e-200])).unwrap(), 0.0);
        let (sign, log) = slogdet(&Array2::from_diag(&array![5e-324, 1e-200])).unwrap();
        assert_eq!(sign, 1.0);
        assert_close("of what vanishes", log, 5e-324_f64.ln() - 200.0 * std::f64::consts::LN_10, 1e-14);
        assert!(det(&array![[1.0, 2.0]]).unwrap_err().to_string().contains("square"));
    }
}
