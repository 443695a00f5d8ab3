//! Least squares of any rank.

use ndarray::{Array1, Array2, Axis, s};

use super::{Svd, fits, svd};
use crate::{Error, Result};

/// What [`lstsq`] finds.
#[derive(Clone, Debug, PartialEq)]
pub struct LeastSquares {
    /// The shortest X that minimises `‖A X − B‖`, `(n, m)`.
    pub solution: Array2<f64>,
    /// `‖A X − B‖²` of each column of B, `(m)`.
    pub residuals: Array1<f64>,
    /// How many singular values count.
    pub rank: usize,
    /// All singular values of A, in descending order.
    pub singular_values: Array1<f64>,
}

/// `np.linalg.lstsq(A, B, rcond)`: `(k, n), (k, m) → (n, m)`, of any shape and rank, by the singular value decomposition
/// (Golub & Van Loan, "Matrix Computations", 4th ed., 5.5). Singular values below `rcond` times the largest count as 0;
/// none given: the rounding of a double times `max(k, n)`, as in NumPy. A matrix without full rank is no error: `rank`
/// says so, and the solution is the shortest.
///
/// # Errors
/// `Numeric` if A or B is not finite, or the iteration does not converge; `Plan` if the shapes do not fit.
pub fn lstsq(a: &Array2<f64>, b: &Array2<f64>, rcond: Option<f64>) -> Result<LeastSquares> {
    fits("lstsq", a, b)?;
    if let Some(((i, j), value)) = b.indexed_iter().find(|(_, value)| !value.is_finite()) {
        return Err(Error::Numeric(format!("lstsq: element ({i}, {j}) of the right side is {value}")));
    }
    let Svd { u, s: values, vt } = svd(a, false)?;
    let (rows, columns) = a.dim();
    let least = rcond.unwrap_or(f64::EPSILON * rows.max(columns) as f64) * values.first().copied().unwrap_or(0.0);
    let rank = values.iter().filter(|value| **value > least).count();
    let mut coordinates = u.slice(s![.., ..rank]).t().dot(b);
    for (mut row, value) in coordinates.rows_mut().into_iter().zip(&values) {
        row /= *value;
    }
    let solution = vt.slice(s![..rank, ..]).t().dot(&coordinates);
    let off = b - &a.dot(&solution);
    let residuals = (&off * &off).sum_axis(Axis(0));
    Ok(LeastSquares { solution, residuals, rank, singular_values: values })
}

#[cfg(test)]
mod tests {
    use ndarray::{array, concatenate};

    use super::{super::testing::*, *};

    #[test]
    fn residuals_are_orthogonal_to_the_columns() {
        for (m, n) in [(40, 5), (5, 5), (5, 12), (1, 3), (3, 1)] {
            let (a, b) = (random(m as u64, m, n), random(77, m, 2));
            let found = lstsq(&a, &b, None).unwrap();
            assert_eq!(found.rank, m.min(n));
            let off = a.dot(&found.solution) - &b;
            let size = norm(&a) * (norm(&a) * norm(&found.solution) + norm(&b));
            assert_small("residuals", &a.t().dot(&off), m.max(n), size);
            assert_small(
                "squares",
                &((&off * &off).sum_axis(Axis(0)) - &found.residuals).insert_axis(Axis(0)),
                m,
                size,
            );
        }
    }

    #[test]
    fn without_full_rank_the_shortest() {
        let base = random(4, 30, 3);
        let a = concatenate![Axis(1), base, base.dot(&array![[1.0], [2.0], [-1.0]])];
        let b = random(5, 30, 1);
        let found = lstsq(&a, &b, None).unwrap();
        assert_eq!((found.rank, found.singular_values.len()), (3, 4));
        let null = array![[1.0], [2.0], [-1.0], [-1.0]];
        assert_small("no part in the null space", &found.solution.t().dot(&null), 4, norm(&found.solution) * 10.0);
        assert_small("residuals", &a.t().dot(&(a.dot(&found.solution) - &b)), 30, norm(&a) * norm(&b) * 10.0);
        assert_eq!(lstsq(&Array2::from_diag(&array![1.0, 1e-9]), &array![[1.0], [1.0]], Some(1e-6)).unwrap().rank, 1);
        let nothing = lstsq(&Array2::zeros((3, 2)), &Array2::ones((3, 1)), None).unwrap();
        assert_eq!((nothing.rank, nothing.solution), (0, Array2::zeros((2, 1))));
        assert!(lstsq(&array![[1.0]], &array![[f64::NAN]], None).unwrap_err().to_string().contains("right side"));
        assert!(lstsq(&array![[1.0]], &array![[1.0], [2.0]], None).is_err());
        assert_eq!(lstsq(&Array2::zeros((0, 2)), &Array2::zeros((0, 1)), None).unwrap().solution.dim(), (2, 1));
    }
}
