//! `np.linalg.lstsq` of full column rank, by Householder's QR (Golub & Van Loan, "Matrix Computations", 4th ed., 5.2.2
//! and 5.3.2), which does not square the condition number.

use ndarray::{Array2, s};

/// `w` that minimises `‖X w - y‖`: `(n, d), (n, t) → (d, t)`.
pub fn least_squares(x: &Array2<f64>, y: &Array2<f64>) -> Array2<f64> {
    let (n, d) = x.dim();
    assert!(n >= d, "fewer rows than columns");
    let (mut r, mut right) = (x.clone(), y.clone());
    for k in 0..d {
        let mut v = r.slice(s![k.., k]).to_owned();
        let norm = v.dot(&v).sqrt();
        v[0] += norm.copysign(v[0]);
        let square = v.dot(&v);
        if square == 0.0 {
            continue;
        }
        for matrix in [&mut r, &mut right] {
            for mut column in matrix.slice_mut(s![k.., ..]).columns_mut() {
                let share = 2.0 * v.dot(&column) / square;
                column.scaled_add(-share, &v);
            }
        }
    }
    let mut w = Array2::zeros((d, y.ncols()));
    for t in 0..y.ncols() {
        for i in (0..d).rev() {
            let known: f64 = (i + 1..d).map(|j| r[[i, j]] * w[[j, t]]).sum();
            w[[i, t]] = (right[[i, t]] - known) / r[[i, i]];
        }
    }
    w
}

#[test]
fn residuals_are_orthogonal() {
    let x = Array2::from_shape_fn((20, 3), |(i, j)| ((i * 7 + j * 3) % 11) as f64 + (i as f64) * (j as f64));
    let y = Array2::from_shape_fn((20, 2), |(i, j)| ((i * 5 + j) % 7) as f64);
    let residual = &y - &x.dot(&least_squares(&x, &y));
    assert!(x.t().dot(&residual).iter().all(|x| x.abs() < 1e-10));
}
