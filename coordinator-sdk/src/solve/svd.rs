//! Singular value decompositions.

use lax::{JobSvd, Lapack, layout::MatrixLayout};
use ndarray::{Array1, Array2, ShapeBuilder};

use super::{failed, finite, sign_of};
use crate::{Error, Result};

/// `A = U @ diag(s) @ Vt`.
#[derive(Clone, Debug, PartialEq)]
pub struct Svd {
    /// Left vectors as columns: `(m, min(m, n))`, or `(m, m)`.
    pub u: Array2<f64>,
    /// Singular values in descending order, `(min(m, n))`.
    pub s: Array1<f64>,
    /// Right vectors as rows: `(min(m, n), n)`, or `(n, n)`.
    pub vt: Array2<f64>,
}

/// `np.linalg.svd(A, full_matrices)`: `(m, n) → U, s, Vt` (LAPACK dgesdd). The largest component of each right vector is
/// positive, and of several that are equally large the first (as scikit-learn's `svd_flip` on V), so that signs do not
/// depend on the build; so is that of left vectors that have no right one.
///
/// # Errors
/// `Numeric` if the iteration does not converge, or A is not finite.
pub fn svd(a: &Array2<f64>, full_matrices: bool) -> Result<Svd> {
    finite("svd", a)?;
    let (m, n) = a.dim();
    let k = m.min(n);
    let (left, right) = if full_matrices { (m, n) } else { (k, k) };
    if k == 0 {
        let unit = |rows, columns| Array2::from_shape_fn((rows, columns), |(i, j)| f64::from(i == j));
        return Ok(Svd { u: unit(m, left), s: Array1::zeros(0), vt: unit(right, n) });
    }
    let mut cells: Vec<f64> = a.t().iter().copied().collect();
    let layout = MatrixLayout::F { col: n as i32, lda: m as i32 };
    let job = if full_matrices { JobSvd::All } else { JobSvd::Some };
    let found = f64::svddc(layout, job, &mut cells)
        .map_err(|error| failed("svd", error, |_| "the iteration did not converge".to_owned()))?;
    let (Some(u), Some(vt)) = (found.u, found.vt) else {
        return Err(Error::Numeric("svd: LAPACK gave no vectors".to_owned()));
    };
    let shaped = |shape: (usize, usize), cells: Vec<f64>| {
        let matrix = Array2::from_shape_vec(shape.f(), cells);
        matrix
            .map_err(|error| Error::Numeric(format!("svd: LAPACK gave other vectors than it was asked for ({error})")))
    };
    let (mut u, mut vt) = (shaped((m, left), u)?, shaped((right, n), vt)?);
    for (i, mut vector) in vt.rows_mut().into_iter().enumerate() {
        let sign = sign_of(vector.view());
        vector *= sign;
        if i < k {
            let mut left = u.column_mut(i);
            left *= sign;
        }
    }
    for mut vector in u.columns_mut().into_iter().skip(k) {
        let sign = sign_of(vector.view());
        vector *= sign;
    }
    let standard = |matrix: Array2<f64>| matrix.as_standard_layout().into_owned();
    Ok(Svd { u: standard(u), s: found.s.into(), vt: standard(vt) })
}

#[cfg(test)]
mod tests {
    use ndarray::{array, s};

    use super::{super::testing::*, *};

    fn check(a: &Array2<f64>, full: bool) -> Svd {
        let found = svd(a, full).unwrap();
        let (m, n) = a.dim();
        let k = m.min(n);
        let (left, right) = if full { (m, n) } else { (k, k) };
        assert_eq!((found.u.dim(), found.s.len(), found.vt.dim()), ((m, left), k, (right, n)));
        let scaled = &found.u.slice(s![.., ..k]) * &found.s;
        assert_small("product", &(scaled.dot(&found.vt.slice(s![..k, ..])) - a), m.max(n), norm(a));
        assert_small("left", &(found.u.t().dot(&found.u) - Array2::<f64>::eye(left)), m.max(n), 1.0);
        assert_small("right", &(found.vt.dot(&found.vt.t()) - Array2::<f64>::eye(right)), m.max(n), 1.0);
        assert!(found.s.windows(2).into_iter().all(|two| two[0] >= two[1]) && found.s.iter().all(|s| *s >= 0.0));
        found
    }

    #[test]
    fn thin_and_full_of_every_shape() {
        for (m, n) in [(1, 1), (5, 5), (9, 4), (4, 9), (120, 30), (30, 120), (1, 7), (7, 1), (0, 3), (3, 0), (0, 0)] {
            for full in [false, true] {
                check(&random(m as u64 * 31 + n as u64, m, n), full);
                check(&random(m as u64, n, m).reversed_axes(), full);
            }
        }
    }

    #[test]
    fn values_and_signs() {
        let (left, _) = super::super::qr(&random(1, 8, 3)).unwrap();
        let (right, _) = super::super::qr(&random(2, 5, 3)).unwrap();
        let known = array![1e4, 2.0, 1e-3];
        let found = check(&(&left * &known).dot(&right.t()), false);
        for (value, known) in found.s.iter().zip(&known) {
            assert!((value - known).abs() < 1e-11, "{value} {known}");
        }
        assert!(found.s[3].abs() < 1e-11);
        for vector in found.vt.rows() {
            assert_eq!(sign_of(vector), 1.0);
        }
        assert!(svd(&array![[f64::NAN]], false).unwrap_err().to_string().contains("(0, 0)"));
    }
}
