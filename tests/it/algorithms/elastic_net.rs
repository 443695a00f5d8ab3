//! Lasso and elastic net, against scikit-learn's.

use fondaco::algorithms::ElasticNet;
use fondaco_worker::label::Level;
use ndarray::{Array2, Axis as Along, concatenate};

use super::{
    numbers::{Placed, assert_close, assert_near, matrix, number, read, truth},
    samples::at_sites,
};
use crate::laws::trio::Trio;

const EXACT: ElasticNet = ElasticNet { alpha: 1.0, l1_ratio: 0.5, fit_intercept: true, max_iter: 100_000, tol: 1e-13 };

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_those_of_scikit_learn_whatever_the_layout() {
    let (trio, known) = (Trio::start().await, read("elastic_net"));
    let (x, y) = (matrix(&known["x"]), matrix(&known["y"]));
    for (seed, case) in known["cases"].as_array().expect("a list").iter().enumerate() {
        let (alpha, l1_ratio) = (number(&case["alpha"]), number(&case["l1_ratio"]));
        let model = ElasticNet { alpha, l1_ratio, fit_intercept: truth(&case["fit_intercept"]), ..EXACT };
        let mut placed = Placed::new(&trio.fed, 720 + seed as u64, x.nrows());
        let (fed, target) = (placed.put(&x), placed.put(&y));
        let context = format!("{model:?} {}", placed.context());
        for local in [false, true] {
            let fitted = if local { model.fit(&fed, &y).await } else { model.fit(&fed, &target).await };
            let fitted = fitted.expect(&context);
            let expected = matrix(&case["coef"]);
            assert_near(&context, &fitted.model.coef, &expected, 1e-9);
            let zeros = |coef: &Array2<f64>| coef.iter().map(|w| *w == 0.0).collect::<Vec<_>>();
            assert_eq!(zeros(&fitted.model.coef), zeros(&expected), "{context}");
            let off = (fitted.model.intercept[[0, 0]] - number(&case["intercept"])).abs();
            assert!(off < 1e-7, "{context}: the intercept is off by {off:e}");
            let bound = EXACT.tol * y.iter().map(|y| y * y).sum::<f64>() / y.len() as f64;
            assert!(fitted.dual_gap >= 0.0 && fitted.dual_gap <= bound, "{context}: {}", fitted.dual_gap);
        }
    }
    let mut placed = Placed::new(&trio.fed, 730, x.nrows());
    let (fed, target) = (placed.put(&x), placed.put(&y));
    let before = trio.fed.stats().round_trips();
    let path = ElasticNet { l1_ratio: 0.7, ..EXACT }.path_of(&fed, &target, 12, 1e-2).await.expect("numbers");
    assert!(trio.fed.stats().round_trips() - before <= 1);
    let alphas = Array2::from_shape_fn((12, 1), |(i, _)| path.alphas[i]);
    assert_near("alphas", &alphas, &matrix(&known["path"]["alphas"]), 1e-12);
    assert_near("path", &path.coefs, &matrix(&known["path"]["coefs"]), 1e-9);
    assert!(path.coefs.column(0).iter().all(|w| *w == 0.0), "the largest leaves out all");
    let given = ElasticNet { l1_ratio: 0.7, ..EXACT }.path(&fed, &y, path.alphas.clone()).await.expect("numbers");
    assert_near("given alphas", &given.coefs, &path.coefs, 1e-9);
    assert_close("an intercept", given.intercepts[0], y.mean().expect("rows"), 1e-12);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_data_that_do_not_leave_in_one_round_trip() {
    let known = read("elastic_net");
    let (x, y) = (matrix(&known["x"]), matrix(&known["y"]));
    let (trio, fed) = at_sites(Level::Aggregate, &concatenate![Along(1), x, y]).await;
    let (features, target) = (fed.slice(.., ..8).expect("nine columns"), fed.slice(.., 8..).expect("nine columns"));
    let case = &known["cases"][0];
    let before = trio.fed.stats().round_trips();
    let model = ElasticNet { alpha: number(&case["alpha"]), l1_ratio: 1.0, ..EXACT };
    let fitted = model.fit(&features, &target).await.expect("aggregates leave");
    assert_eq!(trio.fed.stats().round_trips() - before, 1);
    assert_near("aggregate", &fitted.model.coef, &matrix(&case["coef"]), 1e-9);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_possible_is_said() {
    let trio = Trio::start().await;
    let x = Array2::from_shape_fn((12, 3), |(i, j)| if j == 2 { 7.3 } else { ((i * (j + 3)) % 5) as f64 });
    let y = Array2::from_shape_fn((12, 1), |(i, _)| (i % 5) as f64);
    let fed = Placed::new(&trio.fed, 2, 12).put(&x);
    let fitted = ElasticNet::lasso(0.01).fit(&fed, &y).await.expect("a constant column is left out");
    assert_eq!(fitted.model.coef[[2, 0]], 0.0);
    let flat = ElasticNet::default().fit(&fed, Array2::from_elem((12, 1), 3.0)).await.expect("nothing to explain");
    assert_eq!((flat.model.coef.sum(), flat.model.intercept[[0, 0]]), (0.0, 3.0));
    let message = ElasticNet::lasso(-1.0).fit(&fed, &y).await.expect_err("negative").to_string();
    assert!(message.contains("alpha must be a number of at least 0"), "{message}");
    let message = ElasticNet { l1_ratio: 2.0, ..EXACT }.fit(&fed, &y).await.expect_err("too large").to_string();
    assert!(message.contains("between 0 and 1"), "{message}");
    let message = ElasticNet::default().fit(&fed, 1.0).await.expect_err("a number").to_string();
    assert!(message.contains("y must be one column"), "{message}");
    let message = ElasticNet::default().fit(&fed, y.mapv(|_| f64::NAN)).await.expect_err("gaps").to_string();
    assert!(message.contains("NaN"), "{message}");
}
