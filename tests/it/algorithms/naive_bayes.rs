//! Naive Bayes, against scikit-learn.

use fondaco::{
    ErrorCode, FedMatrix,
    algorithms::{Estimator, GaussianNb, MultinomialNb, Predictor, Sample},
    metrics,
};
use fondaco_worker::label::Level;
use ndarray::{Array2, array};
use serde_json::Value;

use super::reference::{
    Data, Placed, assert_close, assert_near, at_each_site, at_sites, cases, matrix, number, text, truth,
};
use crate::laws::trio::Trio;

/// Fits a case, and compares all that was learnt; the predictor, and its probabilities.
async fn fitted(context: &str, case: &Value, sample: &Sample) -> (Box<dyn Fn(&FedMatrix) -> FedMatrix>, FedMatrix) {
    let n_classes = (text(&case["labels"]) == "class").then_some(3);
    let column = |values: &[f64]| Array2::from_shape_fn((values.len(), 1), |(i, _)| values[i]);
    if text(&case["kind"]) == "gaussian" {
        let fitted = GaussianNb { n_classes, ..GaussianNb::default() }.fit_sample(sample).await.expect(context);
        assert_near(context, &fitted.theta, &matrix(&case["theta"]), 1e-13);
        assert_near(context, &fitted.var, &matrix(&case["var"]), 1e-12);
        assert_near(context, &column(&fitted.class_prior), &matrix(&case["class_prior"]), 1e-14);
        let proba = fitted.predict_proba(&sample.x).expect(context);
        (Box::new(move |x| Predictor::predict(&fitted, x).expect("it fits")), proba)
    } else {
        let model = MultinomialNb { alpha: 0.7, n_classes, ..MultinomialNb::default() };
        let fitted = model.fit_sample(sample).await.expect(context);
        assert_near(context, &fitted.feature_log_prob, &matrix(&case["feature_log_prob"]), 1e-14);
        assert_near(context, &column(&fitted.class_log_prior), &matrix(&case["class_log_prior"]), 1e-14);
        let proba = fitted.predict_proba(&sample.x).expect(context);
        (Box::new(move |x| Predictor::predict(&fitted, x).expect("it fits")), proba)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_learnt_is_that_of_scikit_learn_whatever_the_layout() {
    let (trio, data) = (Trio::start().await, Data::read());
    for (index, case) in cases("naive_bayes").iter().enumerate() {
        let (x, y) = (data.get(text(&case["features"])), data.get(text(&case["labels"])));
        let mut placed = Placed::new(&trio.fed, 940 + index as u64, x.nrows());
        let context = format!("{case} on {}", placed.context());
        let mut sample = Sample::new(&placed.put(&x), placed.put(&y));
        if truth(&case["weighted"]) {
            sample = sample.weighted(data.get("weight"));
        }
        let (predict, proba) = fitted(&context, case, &sample).await;
        let loss = metrics::log_loss(&y, &proba, None).await.expect(&context);
        assert_close(&context, loss, number(&case["log_loss"]), 1e-11);
        let score = metrics::accuracy_score(&y, &predict(&sample.x), None).await.expect(&context);
        assert_close(&context, score, number(&case["score"]), 1e-14);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregate_data_are_enough() {
    let data = Data::read();
    let inputs = ["x", "words", "binary", "class", "weight"];
    let names = ["x0", "x1", "x2", "words0", "words1", "words2", "words3", "binary", "class", "weight"];
    let thirds = at_sites(Level::Aggregate, &data, &inputs).await;
    // In a sum of squares far rows count most: of a third of them too few do.
    let all = at_each_site(Level::Aggregate, &data, &inputs).await;
    for case in &cases("naive_bayes") {
        let trio = if text(&case["kind"]) == "gaussian" { &all } else { &thirds };
        let read = trio.fed.read("d").columns(names).await.expect("it is there");
        let x = read.slice(.., if text(&case["features"]) == "x" { 0..3 } else { 3..7 }).expect("ten columns");
        let at = if text(&case["labels"]) == "binary" { 7 } else { 8 };
        let mut sample = Sample::new(&x, read.slice(.., at..at + 1).expect("ten columns"));
        if truth(&case["weighted"]) {
            sample = sample.weighted(read.slice(.., 9..10).expect("ten columns"));
        }
        let (_, proba) = fitted(&case.to_string(), case, &sample).await;
        assert_eq!(proba.to_array().await.expect_err("rows do not leave").code(), Some(ErrorCode::ReleaseDenied));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn variances_keep_their_digits_far_from_zero() {
    let trio = Trio::start().await;
    let x =
        Array2::from_shape_fn((40, 1), |(row, _)| 1e9 + [4.0, 7.0, 13.0, 16.0][row % 4] + 100.0 * (row / 20) as f64);
    let y = Array2::from_shape_fn((40, 1), |(row, _)| (row / 20) as f64);
    let mut placed = Placed::new(&trio.fed, 960, 40);
    let fed = placed.put(&x);
    let model = GaussianNb { var_smoothing: 0.0, ..GaussianNb::default() };
    let fitted = model.fit(&fed, &y).await.expect("two classes");
    assert_near("variances", &fitted.var, &array![[22.5], [22.5]], 1e-12);
    assert_eq!(fitted.score(&fed, &y).await, Ok(1.0));
    let constant = placed.put(&Array2::from_elem((40, 1), 3.0));
    let message = model.fit(&constant, &y).await.expect_err("no variance").to_string();
    assert!(message.contains("feature 0 is constant in class 0"), "{message}");
    let message = MultinomialNb::default().fit(&placed.put(&x.mapv(|x| -x)), &y).await.expect_err("negative");
    assert!(message.to_string().contains("must be counts"), "{message}");
    let wrong = GaussianNb { priors: Some(vec![0.5, 0.6]), ..GaussianNb::default() };
    assert!(wrong.fit(&fed, &y).await.expect_err("their sum is 1.1").to_string().contains("whose sum is 1"));
}
