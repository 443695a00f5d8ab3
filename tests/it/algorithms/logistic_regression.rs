//! Logistic regression, against scikit-learn.

use fondaco::{
    ErrorCode, Operand,
    algorithms::{Estimator, FittedLogistic, LogisticRegression, LogisticSolver, Predictor, Sample},
    metrics,
};
use fondaco_worker::label::Level;
use ndarray::{Array2, Axis as Along, array, concatenate};
use serde_json::Value;

use super::reference::{
    Data, Placed, assert_close, assert_near, at_sites, cases, matrix, number, text, truth, with_ones,
};
use crate::laws::trio::Trio;

const SOLVERS: [LogisticSolver; 2] = [LogisticSolver::Newton, LogisticSolver::Lbfgs];

fn model(case: &Value, solver: LogisticSolver) -> LogisticRegression {
    LogisticRegression {
        c: number(&case["c"]),
        fit_intercept: truth(&case["fit_intercept"]),
        n_classes: (text(&case["labels"]) == "class").then_some(3),
        tol: 1e-11,
        max_iter: 300,
        solver,
    }
}

/// Coefficients, then intercepts.
fn theta(fitted: &FittedLogistic) -> Array2<f64> {
    concatenate(Along(0), &[fitted.coef.view(), fitted.intercept.view()]).expect("as many classes")
}

fn expected(case: &Value) -> Array2<f64> {
    let intercept = matrix(&case["intercept"]).reversed_axes();
    concatenate(Along(0), &[matrix(&case["coef"]).view(), intercept.view()]).expect("as many classes")
}

#[tokio::test(flavor = "multi_thread")]
async fn coefficients_are_those_of_scikit_learn_whatever_the_layout() {
    let (trio, data) = (Trio::start().await, Data::read());
    for (index, case) in cases("logistic_regression").iter().enumerate() {
        for solver in SOLVERS {
            let (x, y) = (data.get("x"), data.get(text(&case["labels"])));
            let mut placed = Placed::new(&trio.fed, 700 + index as u64, x.nrows());
            let context = format!("{case} by {solver:?} on {}", placed.context());
            let fed = placed.put(&x);
            let y: Operand = if index % 2 == 0 { placed.put(&y).into() } else { y.into() };
            let mut sample = Sample::new(&fed, y);
            if truth(&case["weighted"]) {
                sample = sample.weighted(placed.put(&data.get("weight")));
            }
            let fitted = model(case, solver).fit_sample(&sample).await.expect(&context);
            assert!(fitted.converged && fitted.n_iter < 60, "{context}: {} steps", fitted.n_iter);
            assert_near(&context, &theta(&fitted), &expected(case), 1e-8);
            let score = fitted.score_sample(&sample).await.expect(&context);
            assert_close(&context, score, number(&case["score"]), 1e-14);
            let proba = fitted.predict_proba(&fed).expect(&context);
            let loss = metrics::log_loss(&sample.y, &proba, sample.weights.as_ref()).await.expect(&context);
            assert_close(&context, loss, number(&case["log_loss"]), 1e-9);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregate_data_are_enough() {
    let data = Data::read();
    let trio = at_sites(Level::Aggregate, &data, &["x", "binary", "class", "weight"]).await;
    let read = trio.fed.read("d").columns(["x0", "x1", "x2", "binary", "class", "weight"]).await.expect("it is there");
    let column = |at: u64| read.slice(.., at..at + 1).expect("six columns");
    let x = read.slice(.., ..3).expect("six columns");
    let mut refused = 0;
    for case in &cases("logistic_regression") {
        for solver in SOLVERS {
            let y = if text(&case["labels"]) == "binary" { column(3) } else { column(4) };
            let mut sample = Sample::new(&x, &y);
            if truth(&case["weighted"]) {
                sample = sample.weighted(column(5));
            }
            let context = format!("{case} by {solver:?}");
            let fitted = model(case, solver).fit_sample(&sample).await.expect(&context);
            assert_near(&context, &theta(&fitted), &expected(case), 1e-8);
            match fitted.score_sample(&sample).await {
                Ok(score) => assert_close(&context, score, number(&case["score"]), 1e-14),
                // Of a class that hardly any row of a site is predicted to be in.
                Err(error) => {
                    assert_eq!(error.code(), Some(ErrorCode::ReleaseDenied), "{context}");
                    assert!(error.to_string().contains("groups that are counted"), "{error}");
                    refused += 1;
                }
            }
            let rows = fitted.predict_proba(&x).expect(&context).to_array().await;
            assert_eq!(rows.expect_err("rows do not leave").code(), Some(ErrorCode::ReleaseDenied));
        }
    }
    assert!(refused < 10, "{refused} of 48 scores are refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_hot_labels_and_signs_are_labels_too() {
    let (trio, data) = (Trio::start().await, Data::read());
    let (x, class, binary) = (data.get("x"), data.get("class"), data.get("binary"));
    let mut placed = Placed::new(&trio.fed, 731, x.nrows());
    let fed = placed.put(&x);
    let model = LogisticRegression { tol: 1e-11, ..LogisticRegression::default() };
    let expected = model.fit(&fed, &class).await.expect("labels that are here");
    let one_hot = Array2::from_shape_fn((x.nrows(), 3), |(row, k)| f64::from(class[[row, 0]] == k as f64));
    let fitted = model.fit(&fed, &placed.put(&one_hot)).await.expect("one-hot labels at the sites");
    assert_near("one-hot", &theta(&fitted), &theta(&expected), 1e-12);
    assert_eq!(fitted.score(&fed, &one_hot).await, fitted.score(&fed, &class).await);
    let expected = model.fit(&fed, &binary).await.expect("two classes");
    let signs = binary.mapv(|label| 2.0 * label - 1.0);
    for y in [Operand::from(&signs), placed.put(&signs).into()] {
        let fitted = model.fit(&fed, y).await.expect("-1 and 1");
        assert_near("signs", &theta(&fitted), &theta(&expected), 1e-12);
        assert_eq!(fitted.classes, [-1.0, 1.0]);
        assert_eq!(fitted.score(&fed, &signs).await, expected.score(&fed, &binary).await);
    }
}

/// One round trip before, one in each iteration, and with federated labels one that looks at them.
#[tokio::test(flavor = "multi_thread")]
async fn an_iteration_is_a_round_trip() {
    let (trio, data) = (Trio::start().await, Data::read());
    let mut placed = Placed::new(&trio.fed, 732, 300);
    let (fed, y) = (placed.put(&data.get("x")), data.get("binary"));
    fed.persist().await.expect("it is one's own");
    for solver in SOLVERS {
        let before = trio.fed.stats().round_trips();
        let model = LogisticRegression { solver, ..LogisticRegression::default() };
        let fitted = model.fit(&fed, &y).await.expect("two classes");
        let trips = trio.fed.stats().round_trips() - before;
        assert_eq!(trips, 1 + fitted.n_iter as u64, "{solver:?}");
        assert!(fitted.n_iter <= 6, "{solver:?} took {} steps", fitted.n_iter);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_far_from_zero_do_no_harm() {
    let (trio, data) = (Trio::start().await, Data::read());
    let (x, y) = (data.get("x"), data.get("binary"));
    let moved = &x + &array![[1e6, -3e7, 0.0]];
    let mut placed = Placed::new(&trio.fed, 733, x.nrows());
    let (near, far) = (placed.put(&x), placed.put(&moved));
    for solver in SOLVERS {
        let model = LogisticRegression { tol: 1e-11, solver, ..LogisticRegression::default() };
        let expected = model.fit(&near, &y).await.expect("two classes");
        let fitted = model.fit(&far, &y).await.expect("two classes");
        // The digits that x + 1e6 has lost.
        assert_near(&format!("{solver:?}"), &fitted.coef, &expected.coef, 1e-6);
        let off = with_ones(&moved).dot(&theta(&fitted)) - with_ones(&x).dot(&theta(&expected));
        assert!(off.iter().all(|off| off.abs() < 1e-6), "{solver:?}: {off}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn margins_of_a_thousand_overflow_nothing() {
    let trio = Trio::start().await;
    let x = Array2::from_shape_fn((40, 1), |(row, _)| (row as f64 - 19.5) * 1000.0);
    let y = x.mapv(|x| f64::from(x > 0.0));
    let mut placed = Placed::new(&trio.fed, 734, 40);
    let fed = placed.put(&x);
    for solver in SOLVERS {
        let model = LogisticRegression { c: 1e6, max_iter: 300, solver, ..LogisticRegression::default() };
        let fitted = model.fit(&fed, &y).await.expect("two classes");
        assert!(fitted.objective.is_finite() && fitted.objective < 1e-2, "{solver:?}: {}", fitted.objective);
        assert_eq!(fitted.score(&fed, &y).await, Ok(1.0));
        let three = Array2::from_shape_fn((40, 1), |(row, _)| (row / 14) as f64);
        let fitted = model.fit(&fed, &three).await.expect("three classes");
        assert!(fitted.objective.is_finite() && fitted.coef.iter().all(|w| w.is_finite()), "{solver:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_fitted_says_why() {
    let (trio, data) = (Trio::start().await, Data::read());
    let (x, class) = (data.get("x"), data.get("class"));
    let mut placed = Placed::new(&trio.fed, 735, x.nrows());
    let (fed, labels) = (placed.put(&x), placed.put(&class));
    let model = LogisticRegression::default();
    let message = model.fit(&fed, &labels).await.expect_err("three classes").to_string();
    assert!(message.contains("0 and 1") && message.contains("n_classes"), "{message}");
    let two = LogisticRegression { n_classes: Some(2), ..model };
    assert!(two.fit(&fed, &class).await.expect_err("three classes").to_string().contains("n_classes is 2"));
    let four = LogisticRegression { n_classes: Some(4), ..model };
    assert!(four.fit(&fed, &labels).await.expect_err("three").to_string().contains("no row has class 3"));
    let half = placed.put(&class.mapv(|label| label / 2.0));
    let message = model.fit(&fed, &half).await.expect_err("halves").to_string();
    assert!(message.contains("0 and 1"), "{message}");
    let gaps = placed.put(&x.mapv(|x| if x > 2.0 { f64::NAN } else { x }));
    assert!(model.fit(&gaps, &class).await.expect_err("gaps").to_string().contains("NaN"));
    let twice = placed.put(&concatenate![Along(1), x, x.slice(ndarray::s![.., ..1])]);
    let free = LogisticRegression { c: f64::INFINITY, ..model };
    let message = free.fit(&twice, &class).await.expect_err("a column twice").to_string();
    assert!(message.contains("pivot 3") && message.contains("depends on the others"), "{message}");
    assert!(model.fit(&twice, &class).await.is_ok(), "a penalty helps");
    let constant = placed.put(&concatenate![Along(1), Array2::from_elem((300, 1), 7.1), x]);
    let message = free.fit(&constant, &class).await.expect_err("a constant").to_string();
    assert!(message.contains("pivot 0"), "{message}");
    let few = class.slice(ndarray::s![..7, ..]).to_owned();
    let message = model.fit(&fed, &few).await.expect_err("rows are missing").to_string();
    assert!(message.contains("300 rows of X, not 7"), "{message}");
}
