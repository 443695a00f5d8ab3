//! Systems of linear equations.

use ndarray::Array2;

use super::{fits, lu::Lu};
use crate::Result;

/// `np.linalg.solve(A, B)`: `(n, n), (n, m) → (n, m)`, by LU with partial pivoting (LAPACK dgetrf, dgetrs), after rows
/// and columns were scaled by powers of two, so that units do not matter.
///
/// # Errors
/// `Numeric` if A is singular, or so nearly that nothing of a solution is certain (a reciprocal condition number, of the
/// scaled matrix, below the rounding of a double), naming the pivot; or not square, or not finite. `Plan` if the shapes
/// do not fit.
pub fn solve(a: &Array2<f64>, b: &Array2<f64>) -> Result<Array2<f64>> {
    let factors = Lu::of("solve", a)?;
    fits("solve", a, b)?;
    factors.check_regular()?;
    factors.solve(b)
}

#[cfg(test)]
mod tests {
    use ndarray::{array, s};

    use super::{super::testing::*, *};

    #[test]
    fn solutions_solve() {
        for n in [0, 1, 2, 5, 40, 130, 600] {
            let (a, b) = (random(n as u64, n, n), random(99, n, 3));
            let x = solve(&a, &b).unwrap();
            assert_small("residual", &(a.dot(&x) - &b), n, norm(&a) * norm(&x));
        }
    }

    #[test]
    fn column_major_and_strided_arrays_are_read_as_such() {
        let a = array![[1.0, 7.0], [0.0, 2.0]].reversed_axes();
        assert!(!a.is_standard_layout());
        let b = array![[1.0], [9.0]];
        assert_small("residual", &(a.dot(&solve(&a, &b).unwrap()) - &b), 2, 20.0);
        let strided = random(5, 6, 6).slice_move(s![..;2, ..;2]);
        let b = random(6, 3, 2);
        let x = solve(&strided, &b).unwrap();
        assert_small("residual", &(strided.dot(&x) - &b), 3, norm(&strided) * norm(&x));
    }

    #[test]
    fn units_do_not_matter() {
        let (a, b) = (random(3, 6, 6), random(4, 6, 1));
        let units = [1e-200, 1e-30, 1.0, 1e18, 1e90, 1e-60];
        let scaled = Array2::from_shape_fn((6, 6), |(i, j)| a[[i, j]] * units[j] * units[5 - i].sqrt());
        let right = Array2::from_shape_fn((6, 1), |(i, _)| b[[i, 0]] * units[5 - i].sqrt());
        let (x, of_scaled) = (solve(&a, &b).unwrap(), solve(&scaled, &right).unwrap());
        for (i, unit) in units.iter().enumerate() {
            assert_close("a coefficient", of_scaled[[i, 0]] * unit, x[[i, 0]], 1e-10);
        }
    }

    #[test]
    fn what_is_singular_names_the_pivot() {
        let b = Array2::ones((3, 1));
        let message = |a: &Array2<f64>| solve(a, &b).unwrap_err().to_string();
        assert!(message(&array![[1.0, 2.0, 0.0], [2.0, 4.0, 0.0], [0.0, 0.0, 1.0]]).contains("pivot 1"));
        assert!(message(&Array2::zeros((3, 3))).contains("pivot 0 (counted from 0) is 0"));
        let nearly = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0 + 1e-15]];
        assert!(message(&nearly).contains("but for rounding: pivot 2"), "{}", message(&nearly));
        let hilbert = Array2::from_shape_fn((14, 14), |(i, j)| 1.0 / (i + j + 1) as f64);
        let error = solve(&hilbert, &Array2::ones((14, 1))).unwrap_err().to_string();
        assert!(error.contains("reciprocal condition number") && error.contains("pivot 13"), "{error}");
        let hilbert = Array2::from_shape_fn((8, 8), |(i, j)| 1.0 / (i + j + 1) as f64);
        assert!(solve(&hilbert, &Array2::ones((8, 1))).is_ok(), "a condition number of 1e10 is no reason to refuse");
    }

    #[test]
    fn what_does_not_fit() {
        let message = |a: Array2<f64>, b: Array2<f64>| solve(&a, &b).unwrap_err().to_string();
        assert!(message(array![[1.0, 2.0]], array![[1.0]]).contains("square"));
        assert!(message(array![[f64::NAN]], array![[1.0]]).contains("(0, 0)"));
        assert!(message(array![[1.0]], array![[1.0], [2.0]]).contains("rows"));
    }
}
