//! Correlations and their p-values, against SciPy's.

use fondaco::algorithms::correlation_table;
use fondaco_worker::label::Level;
use ndarray::Array2;

use super::{
    numbers::{Placed, assert_close, assert_near, matrix, read},
    samples::at_sites,
};
use crate::laws::trio::Trio;

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_those_of_scipy_whatever_the_layout() {
    let (trio, known) = (Trio::start().await, read("correlation"));
    let (x, p) = (matrix(&known["x"]), matrix(&known["p"]));
    let (_aggregate, owned) = at_sites(Level::Aggregate, &x).await;
    let mut tables = vec![owned];
    for seed in 760..764 {
        tables.push(Placed::new(&trio.fed, seed, x.nrows()).put(&x));
    }
    for fed in tables {
        let table = correlation_table(&fed).await.expect("aggregates leave");
        assert_eq!(table.n, 25);
        assert_near("r", &table.correlations, &matrix(&known["r"]), 1e-14);
        for (actual, expected) in table.p_values.iter().zip(&p) {
            // Where r is nearly 1, its last digit is worth many of p's.
            assert_close("p", *actual, *expected, if *expected < 1e-30 { 1e-6 } else { 1e-10 });
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p_values_of_few_and_of_many_rows() {
    let trio = Trio::start().await;
    for case in matrix(&read("correlation")["grid"]).rows() {
        // Two columns with this correlation: of two that are orthogonal.
        let (r, n, p) = (case[0], case[1] as usize, case[2]);
        let angle = |i: usize| std::f64::consts::TAU * i as f64 / n as f64;
        let x = Array2::from_shape_fn((n, 2), |(i, j)| {
            let (u, v) = (angle(i).cos(), angle(i).sin());
            if j == 0 { u } else { r * u + (1.0 - r * r).sqrt() * v }
        });
        let fed = Placed::new(&trio.fed, n as u64, n).put(&x);
        let table = correlation_table(&fed).await.expect("one's own");
        assert!((table.correlations[[0, 1]] - r).abs() < 1e-14);
        let tol = 1e-11 + 1e-13 * n as f64;
        let off = (table.p_values[[0, 1]] - p).abs();
        assert!(off <= tol * p.max(1e-300), "r {r}, n {n}: {} instead of {p}", table.p_values[[0, 1]]);
    }
    let constant = Array2::from_shape_fn((9, 2), |(i, j)| if j == 0 { 3.0 } else { i as f64 });
    let table = correlation_table(&Placed::new(&trio.fed, 3, 9).put(&constant)).await.expect("one's own");
    assert!(table.p_values[[0, 1]].is_nan() && table.p_values[[1, 1]] == 0.0);
}
