//! Principal components, against scikit-learn's.

use fondaco::{
    Error,
    algorithms::{Components, Pca},
};
use fondaco_worker::label::Level;
use ndarray::{Array1, Array2, Axis as Along, s};

use super::{
    numbers::{Placed, assert_close, assert_near, matrix, number, read, truth},
    samples::at_sites,
};
use crate::{
    harness::Random,
    laws::{sample::Cells, trio::Trio},
};

fn column(values: &Array1<f64>) -> Array2<f64> {
    values.clone().insert_axis(Along(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_those_of_scikit_learn_whatever_the_layout() {
    let (trio, known) = (Trio::start().await, read("pca"));
    let x = matrix(&known["x"]);
    for (seed, case) in known["cases"].as_array().expect("a list").iter().enumerate() {
        let n_components = match number(&case["n_components"]) {
            kept if kept.is_infinite() => Components::All,
            kept if kept >= 1.0 => Components::Count(kept as usize),
            share => Components::Variance(share),
        };
        let mut placed = Placed::new(&trio.fed, 700 + seed as u64, x.nrows());
        let (fed, context) = (placed.put(&x), format!("{n_components:?} {}", placed.context()));
        let fitted = Pca { n_components, whiten: truth(&case["whiten"]) }.fit(&fed).await.expect(&context);
        assert_near(&context, &fitted.components, &matrix(&case["components"]), 1e-11);
        assert_near(&context, &column(&fitted.explained_variance), &matrix(&case["explained_variance"]), 1e-13);
        let ratio = column(&fitted.explained_variance_ratio);
        assert_near(&context, &ratio, &matrix(&case["explained_variance_ratio"]), 1e-13);
        assert_near(&context, &column(&fitted.singular_values), &matrix(&case["singular_values"]), 1e-13);
        let noise = (fitted.noise_variance - number(&case["noise_variance"])).abs();
        assert!(noise < 1e-12, "{context}: {noise:e}");
        let scores = fitted.transform(&fed).expect("as many columns");
        let back = fitted.inverse_transform(&scores).expect("as many components");
        let scores = scores.to_array().await.expect("one's own").slice(s![..10, ..]).to_owned();
        assert_near(&context, &scores, &matrix(&case["scores"]), 1e-10);
        let back = back.to_array().await.expect("one's own").slice(s![..10, ..]).to_owned();
        assert_near(&context, &back, &matrix(&case["back"]), 1e-11);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_data_that_do_not_leave_in_one_round_trip() {
    let mut random = Random::new(710);
    let turn = Cells::Normal.matrix(&mut random, 4, 4);
    let x = Cells::Normal.matrix(&mut random, 900, 4).dot(&turn) + 1e6;
    let (trio, fed) = at_sites(Level::Aggregate, &x).await;
    let before = trio.fed.stats().round_trips();
    let fitted = Pca::default().fit(&fed).await.expect("aggregates leave");
    assert_eq!(trio.fed.stats().round_trips() - before, 1);
    let centred = &x - &x.mean_axis(Along(0)).expect("rows").insert_axis(Along(0));
    let covariance = centred.t().dot(&centred) / 899.0;
    let turned = fitted.components.dot(&covariance).dot(&fitted.components.t());
    assert_near("diagonal", &turned, &Array2::from_diag(&fitted.explained_variance), 1e-10);
    assert_close("ratios", fitted.explained_variance_ratio.sum(), 1.0, 1e-14);
    // Whitened, each has variance 1; the rows stay.
    let white = Pca { whiten: true, ..Pca::new(3) }.fit(&fed).await.expect("aggregates leave");
    let scores = white.transform(&fed).expect("as many columns");
    assert_near("whitened", &scores.cov(1).expect("a row cut").await.expect("it leaves"), &Array2::eye(3), 1e-8);
    assert!(scores.to_array().await.is_err(), "rows stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_possible_is_said() {
    let trio = Trio::start().await;
    let x = Array2::from_shape_fn((4, 6), |(i, j)| ((i * 7 + j * j) % 5) as f64);
    let fed = Placed::new(&trio.fed, 1, 4).put(&x);
    assert_eq!(Pca::default().fit(&fed).await.expect("more columns than rows").components.nrows(), 4);
    let message =
        |result: Result<_, Error>| result.map(|_: fondaco::algorithms::FittedPca| ()).unwrap_err().to_string();
    assert!(message(Pca::new(5).fit(&fed).await).contains("there are 4 components, not 5"));
    let share = Pca { n_components: Components::Variance(1.5), whiten: false };
    assert!(message(share.fit(&fed).await).contains("between 0 and 1"));
    let mut gaps = x;
    gaps[[2, 2]] = f64::NAN;
    let fed = Placed::new(&trio.fed, 1, 4).put(&gaps);
    assert!(message(Pca::default().fit(&fed).await).contains("NaN"));
}
