//! Cross-validation and grid search, against scikit-learn.

use fondaco::{
    algorithms::{
        ConjugateGradient, Family, FittedLogistic, Glm, GridSearch, KFold, LinearRegression, LogisticRegression,
        Sample, cross_val_score, cross_val_score_by, grid_search, grid_search_by,
    },
    metrics,
};
use fondaco_worker::label::Level;
use ndarray::{Array2, Axis as Along, array};

use serde_json::Value;

use super::reference::{Data, Placed, assert_close, assert_near, at_sites, cases, matrix, number};
use crate::laws::trio::Trio;

fn column(values: &[f64]) -> Array2<f64> {
    Array2::from_shape_fn((values.len(), 1), |(i, _)| values[i])
}

async fn negative_log_loss(fitted: &FittedLogistic, held_out: &Sample) -> fondaco::Result<f64> {
    let proba = fitted.predict_proba(&held_out.x)?;
    Ok(-metrics::log_loss(&held_out.y, &proba, held_out.weights.as_ref()).await?)
}

/// Of so many folds.
fn expected(n_splits: usize) -> Value {
    let mut cases = cases("cross_validation").into_iter();
    cases.find(|case| number(&case["n_splits"]) == n_splits as f64).expect("there is such a case")
}

fn candidates(case: &Value) -> Vec<LogisticRegression> {
    let c = matrix(&case["c"]);
    c.iter().map(|&c| LogisticRegression { c, tol: 1e-10, ..LogisticRegression::default() }).collect()
}

fn assert_found(context: &str, found: &GridSearch<LogisticRegression>, expected: &Value, tol: f64) {
    assert_near(context, &found.scores, &matrix(&expected["neg_log_loss"]), tol);
    assert_eq!(found.best_index, number(&expected["best_index"]) as usize, "{context}");
    assert_close(context, found.best_score, number(&expected["best_score"]), tol);
    assert_near(context, &found.fitted.coef, &matrix(&expected["coef"]), 1e-7);
    assert_eq!(found.best_estimator, candidates(expected)[found.best_index], "{context}");
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbouring_folds_are_those_of_scikit_learn_whatever_the_layout() {
    let (trio, data, expected) = (Trio::start().await, Data::read(), expected(7));
    for seed in 990..993 {
        let mut placed = Placed::new(&trio.fed, seed, 300);
        let context = placed.context();
        let (x, binary, number) = (placed.put(&data.get("x")), data.get("binary"), placed.put(&data.get("number")));
        let classes = Sample::new(&x, &binary);
        let found =
            grid_search_by(&candidates(&expected), &classes, &KFold::new(7), negative_log_loss).await.expect(&context);
        assert_found(&context, &found, &expected, 1e-8);
        let sample = Sample::new(&x, &number);
        let scores = cross_val_score(&LinearRegression::default(), &sample, &KFold::new(7)).await.expect(&context);
        assert_near(&context, &column(&scores), &matrix(&expected["r2"]), 1e-9);
        let glm = cross_val_score(&Glm::new(Family::Gaussian), &sample, &KFold::new(7)).await.expect(&context);
        assert_near(&context, &column(&glm), &matrix(&expected["r2"]), 1e-9);
        let model = LogisticRegression { tol: 1e-10, ..LogisticRegression::default() };
        let scores = cross_val_score(&model, &classes, &KFold::new(7)).await.expect(&context);
        assert_near(&context, &column(&scores), &matrix(&expected["accuracy"]), 1e-14);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_aggregate_data_too() {
    let data = Data::read();
    let trio = at_sites(Level::Aggregate, &data, &["x", "binary"]).await;
    let read = trio.fed.read("d").columns(["x0", "x1", "x2", "binary"]).await.expect("it is there");
    let sample = Sample::new(&read.slice(.., ..3).expect("four columns"), read.slice(.., 3..).expect("four columns"));
    let expected = expected(3);
    let model = LogisticRegression { tol: 1e-10, ..LogisticRegression::default() };
    let scores = cross_val_score(&model, &sample, &KFold::new(3)).await.expect("enough rows");
    assert_near("accuracy", &column(&scores), &matrix(&expected["accuracy"]), 1e-14);
    let candidates = candidates(&expected);
    let found = grid_search_by(&candidates, &sample, &KFold::new(3), negative_log_loss).await.expect("enough rows");
    assert_found("aggregate", &found, &expected, 1e-8);
}

/// A row's fold follows from the seed and its place: weights of 0 and 1 are as good as leaving rows out.
#[tokio::test(flavor = "multi_thread")]
async fn folds_by_chance_do_not_depend_on_the_layout() {
    let (trio, data) = (Trio::start().await, Data::read());
    let (x, y) = (data.get("x"), data.get("binary"));
    let folds = KFold::default().shuffled(7);
    let model = LogisticRegression { tol: 1e-11, ..LogisticRegression::default() };
    let mut first: Option<Vec<f64>> = None;
    for seed in 995..998 {
        let mut placed = Placed::new(&trio.fed, seed, 300);
        let sample = Sample::new(&placed.put(&x), placed.put(&y));
        let scores = cross_val_score_by(&model, &sample, &folds, negative_log_loss).await.expect("it is one's own");
        let first = first.get_or_insert_with(|| scores.clone());
        assert_near("the same folds", &column(&scores), &column(first), 1e-9);
    }
    let mut placed = Placed::new(&trio.fed, 998, 300);
    let sample = Sample::new(&placed.put(&x), &y);
    let mut seen = Array2::<f64>::zeros((300, 1));
    for ((learn, held_out), expected) in folds.split(&sample).expect("enough rows").iter().zip(first.expect("three")) {
        let Some(fondaco::Operand::Fed(mask)) = &held_out.weights else { panic!("folds are weights") };
        let mask = mask.to_array().await.expect("it is one's own");
        let rows = |of: &Array2<f64>| {
            let kept: Vec<usize> = (0..300).filter(|row| mask[[*row, 0]] == 0.0).collect();
            of.select(Along(0), &kept)
        };
        let left = Placed::new(&trio.fed, 999, rows(&x).nrows()).put(&rows(&x));
        let by_hand = model.fit(&left, &rows(&y)).await.expect("two classes");
        let score = negative_log_loss(&by_hand, held_out).await.expect("it is one's own");
        assert_close("left out by hand", score, expected, 1e-8);
        let Some(fondaco::Operand::Fed(others)) = &learn.weights else { panic!("folds are weights") };
        assert_eq!(others.to_array().await.expect("it is one's own"), 1.0 - &mask);
        seen += &mask;
    }
    assert_eq!(seen, Array2::<f64>::ones((300, 1)), "each row is held out once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_go_is_said() {
    let (trio, data) = (Trio::start().await, Data::read());
    let mut placed = Placed::new(&trio.fed, 1000, 300);
    let sample = Sample::new(&placed.put(&data.get("x")), data.get("number"));
    let message = KFold::new(1).split(&sample).expect_err("one fold").to_string();
    assert!(message.contains("n_splits must be at least 2"), "{message}");
    let none: [LinearRegression; 0] = [];
    let message = grid_search(&none, &sample, &KFold::new(3)).await.expect_err("no candidates").to_string();
    assert!(message.contains("no candidates"), "{message}");
    let shuffled = KFold::new(3).shuffled(1);
    for message in [
        cross_val_score(&LinearRegression::default(), &sample, &shuffled).await.expect_err("weights").to_string(),
        cross_val_score(&ConjugateGradient::default(), &sample, &shuffled).await.expect_err("weights").to_string(),
    ] {
        assert!(message.contains("takes no weights"), "{message}");
    }
    let few = Sample::new(&sample.x, array![[1.0], [2.0]]);
    let message = KFold::new(2).split(&few).expect_err("rows are missing").to_string();
    assert!(message.contains("300 rows of X"), "{message}");
}
