//! What the tests of these routines share.

use ndarray::Array2;

/// How many roundings of size n a result may be off.
const C: f64 = 8.0;

/// Seeded numbers between -1 and 1.
pub fn random(seed: u64, rows: usize, columns: usize) -> Array2<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1);
    Array2::from_shape_simple_fn((rows, columns), || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    })
}

/// A symmetric positive definite matrix.
pub fn positive(seed: u64, n: usize) -> Array2<f64> {
    let a = random(seed, n + 3, n);
    a.t().dot(&a)
}

/// Frobenius'.
pub fn norm(a: &Array2<f64>) -> f64 {
    a.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Fails unless each element is at most c·eps·n of the size.
pub fn assert_small(what: &str, off: &Array2<f64>, n: usize, size: f64) {
    let bound = C * f64::EPSILON * n as f64 * size;
    assert!(off.iter().all(|x| x.abs() <= bound), "{what}: off by more than {bound:e}: {off:e}");
}

/// Fails unless the number is within `tol` of the expected one, relative to it.
pub fn assert_close(what: &str, actual: f64, expected: f64, tol: f64) {
    assert!((actual - expected).abs() <= tol * expected.abs(), "{what}: {actual} instead of {expected}");
}
