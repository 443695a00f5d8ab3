//! QR decompositions.

use lax::{Lapack, layout::MatrixLayout};
use ndarray::{Array2, ShapeBuilder};

use super::{failed, finite};
use crate::{Error, Result};

/// `np.linalg.qr(A)`, reduced: `(m, n) → Q (m, k), R (k, n)` with `k = min(m, n)`, by Householder reflections (LAPACK
/// dgeqrf, dorgqr). The diagonal of R is not negative, which makes both unique where A has full rank; NumPy leaves the
/// signs to LAPACK.
///
/// # Errors
/// `Numeric` if A is not finite.
pub fn qr(a: &Array2<f64>) -> Result<(Array2<f64>, Array2<f64>)> {
    finite("qr", a)?;
    let (m, n) = a.dim();
    let k = m.min(n);
    if k == 0 {
        return Ok((Array2::zeros((m, 0)), Array2::zeros((0, n))));
    }
    let mut q: Vec<f64> = a.t().iter().copied().collect();
    let layout = MatrixLayout::F { col: n as i32, lda: m as i32 };
    let r = f64::qr(layout, &mut q).map_err(|error| failed("qr", error, |_| String::new()))?;
    let shaped = |cells: Vec<f64>| {
        let matrix = Array2::from_shape_vec((m, n).f(), cells);
        matrix.map_err(|error| Error::Numeric(format!("qr: LAPACK gave other factors than it was asked for ({error})")))
    };
    let (q, r) = (shaped(q)?, shaped(r)?);
    let sign = |i: usize| if r[[i, i]] < 0.0 { -1.0 } else { 1.0 };
    let r_fixed = Array2::from_shape_fn((k, n), |(i, j)| if i <= j { r[[i, j]] * sign(i) } else { 0.0 });
    Ok((Array2::from_shape_fn((m, k), |(i, j)| q[[i, j]] * sign(j)), r_fixed))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::{super::testing::*, *};

    #[test]
    fn factors_of_every_shape() {
        for (m, n) in [(1, 1), (6, 6), (9, 4), (4, 9), (150, 40), (7, 1), (1, 7), (0, 3), (3, 0)] {
            for a in [random(m as u64 + 3, m, n), random(n as u64, n, m).reversed_axes()] {
                let (q, r) = qr(&a).unwrap();
                let k = m.min(n);
                assert_eq!((q.dim(), r.dim()), ((m, k), (k, n)));
                assert_small("product", &(q.dot(&r) - &a), m.max(n), norm(&a));
                assert_small("orthogonality", &(q.t().dot(&q) - Array2::<f64>::eye(k)), m.max(n), 1.0);
                assert!(r.indexed_iter().all(|((i, j), x)| i < j || (i == j && *x >= 0.0) || *x == 0.0), "{r}");
            }
        }
        let (_, r) = qr(&array![[3.0, 1.0], [4.0, 1.0]]).unwrap();
        assert_close("the length of a column", r[[0, 0]], 5.0, 1e-15);
        assert!(qr(&array![[f64::INFINITY]]).is_err());
    }
}
