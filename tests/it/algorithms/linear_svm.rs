//! Support vector machines, against scikit-learn's LIBLINEAR.

use fondaco::{
    ErrorCode, Operand,
    algorithms::{Estimator, FittedSvm, LinearSvm, Predictor, Sample},
};
use fondaco_worker::label::Level;
use ndarray::{Array2, Axis as Along, concatenate};
use serde_json::Value;

use super::reference::{Data, Placed, assert_close, assert_near, at_sites, cases, matrix, number, text, truth};
use crate::laws::trio::Trio;

fn model(case: &Value) -> LinearSvm {
    LinearSvm {
        c: number(&case["c"]),
        fit_intercept: truth(&case["fit_intercept"]),
        n_classes: (text(&case["labels"]) == "class").then_some(3),
        tol: 1e-19,
        max_iter: 300,
    }
}

/// Coefficients, then intercepts.
fn theta(fitted: &FittedSvm) -> Array2<f64> {
    concatenate(Along(0), &[fitted.coef.view(), fitted.intercept.view()]).expect("as many classes")
}

#[tokio::test(flavor = "multi_thread")]
async fn coefficients_are_those_of_scikit_learn_whatever_the_layout() {
    let (trio, data) = (Trio::start().await, Data::read());
    for (index, case) in cases("linear_svm").iter().enumerate() {
        let (x, y) = (data.get("x"), data.get(text(&case["labels"])));
        let mut placed = Placed::new(&trio.fed, 900 + index as u64, x.nrows());
        let context = format!("{case} on {}", placed.context());
        let fed = placed.put(&x);
        let y: Operand = if index % 2 == 0 { placed.put(&y).into() } else { y.into() };
        let mut sample = Sample::new(&fed, y);
        if truth(&case["weighted"]) {
            sample = sample.weighted(placed.put(&data.get("weight")));
        }
        let fitted = model(case).fit_sample(&sample).await.expect(&context);
        assert!(fitted.converged && fitted.n_iter < 100, "{context}: {} iterations", fitted.n_iter);
        assert_near(&context, &theta(&fitted), &matrix(&case["theta"]), 1e-9);
        let score = fitted.score_sample(&sample).await.expect(&context);
        assert_close(&context, score, number(&case["score"]), 1e-14);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregate_data_are_enough() {
    let data = Data::read();
    let trio = at_sites(Level::Aggregate, &data, &["x", "binary", "class", "weight"]).await;
    let read = trio.fed.read("d").columns(["x0", "x1", "x2", "binary", "class", "weight"]).await.expect("it is there");
    let column = |at: u64| read.slice(.., at..at + 1).expect("six columns");
    let x = read.slice(.., ..3).expect("six columns");
    for case in &cases("linear_svm") {
        let at = if text(&case["labels"]) == "binary" { 3 } else { 4 };
        let mut sample = Sample::new(&x, column(at));
        if truth(&case["weighted"]) {
            sample = sample.weighted(column(5));
        }
        let context = case.to_string();
        let fitted = model(case).fit_sample(&sample).await.expect(&context);
        assert_near(&context, &theta(&fitted), &matrix(&case["theta"]), 1e-9);
        let rows = fitted.decision_function(&x).expect(&context).to_array().await;
        assert_eq!(rows.expect_err("rows do not leave").code(), Some(ErrorCode::ReleaseDenied));
    }
}

/// Signs are labels; an iteration takes two passes over X, and about three round trips.
#[tokio::test(flavor = "multi_thread")]
async fn signs_and_round_trips() {
    let (trio, data) = (Trio::start().await, Data::read());
    let mut placed = Placed::new(&trio.fed, 931, 300);
    let (fed, binary) = (placed.put(&data.get("x")), data.get("binary"));
    fed.persist().await.expect("it is one's own");
    let signs = binary.mapv(|label| 2.0 * label - 1.0);
    let before = trio.fed.stats().round_trips();
    let fitted = LinearSvm::default().fit(&fed, &signs).await.expect("two classes");
    let trips = trio.fed.stats().round_trips() - before;
    assert!(fitted.n_iter <= 12, "{} iterations", fitted.n_iter);
    assert!(trips <= 1 + 4 * fitted.n_iter as u64, "{trips} round trips for {} iterations", fitted.n_iter);
    assert_eq!(fitted.classes, [-1.0, 1.0]);
    let labels = LinearSvm::default().fit(&fed, placed.put(&binary)).await.expect("two classes");
    assert_near("labels at the sites", &theta(&fitted), &theta(&labels), 1e-12);
    assert_eq!(fitted.score(&fed, &signs).await, labels.score(&fed, &binary).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_separated_are_no_harm() {
    let trio = Trio::start().await;
    let x = Array2::from_shape_fn((40, 1), |(row, _)| (row as f64 - 19.5) * 1000.0);
    let mut placed = Placed::new(&trio.fed, 932, 40);
    let fed = placed.put(&x);
    let fitted = LinearSvm::default().fit(&fed, x.mapv(|x| f64::from(x > 0.0))).await.expect("two classes");
    assert!(fitted.converged && fitted.coef[[0, 0]] > 0.0);
    let message = LinearSvm { c: 0.0, ..LinearSvm::default() }.fit(&fed, &x).await.expect_err("no c").to_string();
    assert!(message.contains("c must be greater than 0"), "{message}");
    let message = LinearSvm::default().fit(&fed, &x).await.expect_err("no labels").to_string();
    assert!(message.contains("labels must be 0, 1, 2"), "{message}");
}
