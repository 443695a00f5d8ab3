//! Metrics, against scikit-learn.

use fondaco::{ErrorCode, Operand, algorithms::GaussianNb, metrics};
use fondaco_worker::label::Level;
use ndarray::{Array2, s};

use super::reference::{Data, Placed, assert_close, assert_near, at_sites, cases, matrix, number, truth};
use crate::laws::trio::Trio;

const LABELS: [f64; 3] = [0.0, 1.0, 2.0];

#[tokio::test(flavor = "multi_thread")]
async fn all_of_them_are_those_of_scikit_learn_whatever_the_layout() {
    let (trio, data) = (Trio::start().await, Data::read());
    for (index, case) in cases("metrics").iter().cycle().take(6).enumerate() {
        let mut placed = Placed::new(&trio.fed, 970 + index as u64, 300);
        let context = format!("{case} on {}", placed.context());
        let (x, class, binary) = (placed.put(&data.get("x")), data.get("class"), data.get("binary"));
        let weights: Option<Operand> = truth(&case["weighted"]).then(|| placed.put(&data.get("weight")).into());
        let weights = weights.as_ref();
        let predicted =
            GaussianNb::default().fit(&x, &class).await.expect("three classes").predict(&x).expect("it fits");
        let accuracy = metrics::accuracy_score(&class, &predicted, weights).await.expect(&context);
        assert_close(&context, accuracy, number(&case["accuracy"]), 1e-14);
        let truth = placed.put(&class);
        let confused = metrics::confusion_matrix(&truth, &predicted, &LABELS, weights).await.expect(&context);
        assert_near(&context, &confused, &matrix(&case["confusion_matrix"]), 1e-14);
        let scores = metrics::precision_recall_fscore_support(&truth, &predicted, &LABELS, weights).await;
        let scores = scores.expect(&context);
        for (found, name) in [
            (&scores.precision, "precision"),
            (&scores.recall, "recall"),
            (&scores.f1, "f1"),
            (&scores.support, "support"),
        ] {
            let found = Array2::from_shape_fn((3, 1), |(label, _)| found[label]);
            assert_near(name, &found, &matrix(&case[name]), 1e-14);
        }
        let one = metrics::recall_score(&truth, &predicted, 2.0, weights).await.expect(&context);
        assert_close(&context, one, scores.recall[2], 1e-14);
        let share = placed.put(&data.get("share"));
        let loss = metrics::log_loss(&binary, &share, weights).await.expect(&context);
        assert_close(&context, loss, number(&case["log_loss"]), 1e-12);
        let (number_of, predicted) = (placed.put(&data.get("number")), placed.put(&data.get("positive")));
        let r2 = metrics::r2_score(&number_of, &predicted, weights).await.expect(&context);
        assert_close(&context, r2, number(&case["r2"]), 1e-12);
        let mse = metrics::mean_squared_error(&number_of, &predicted, weights).await.expect(&context);
        assert_close(&context, mse, number(&case["mse"]), 1e-13);
        let mae = metrics::mean_absolute_error(&number_of, &predicted, weights).await.expect(&context);
        assert_close(&context, mae, number(&case["mae"]), 1e-13);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn areas_are_exact_by_ranks_and_bounded_by_thresholds() {
    let (trio, data) = (Trio::start().await, Data::read());
    let case = &cases("metrics")[0];
    for (seed, name, expected) in [(980, "count", "auc_of_counts"), (981, "share", "auc_of_shares")] {
        let mut placed = Placed::new(&trio.fed, seed, 300);
        let (scores, binary) = (placed.put(&data.get(name)), data.get("binary"));
        let expected = number(&case[expected]);
        for y in [Operand::from(&binary), placed.put(&binary).into()] {
            let exact = metrics::roc_auc_score(&y, &scores).await.expect("they are one's own");
            assert_close(name, exact, expected, 1e-14);
            let by_thresholds = metrics::roc_auc_by_thresholds(&y, &scores, 1e-3).await.expect("two classes");
            let off = (by_thresholds.auc - expected).abs();
            assert!(off <= by_thresholds.error_bound, "{name}: {by_thresholds:?} instead of {expected}");
        }
    }
    let shares = Placed::new(&trio.fed, 982, 300).put(&data.get("share"));
    let found = metrics::roc_auc_by_thresholds(data.get("binary"), &shares, 1e-3).await.expect("two classes");
    assert!(found.error_bound <= 1e-3, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_aggregate_data_areas_are_bounded_and_rows_stay() {
    let data = Data::read();
    let trio = at_sites(Level::Aggregate, &data, &["binary", "share", "number", "positive"]).await;
    let read = trio.fed.read("d").columns(["binary", "share", "number", "positive"]).await.expect("it is there");
    let column = |at: u64| read.slice(.., at..at + 1).expect("four columns");
    let case = &cases("metrics")[0];
    let (y, scores) = (column(0), column(1));
    let refused = metrics::roc_auc_score(&y, &scores).await.expect_err("scores are rows");
    assert_eq!(refused.code(), Some(ErrorCode::ReleaseDenied));
    let found = metrics::roc_auc_by_thresholds(&y, &scores, 1e-3).await.expect("counts leave");
    assert!((found.auc - number(&case["auc_of_shares"])).abs() <= found.error_bound, "{found:?}");
    assert!(found.error_bound < 0.05, "{found:?}");
    let loss = metrics::log_loss(&y, &scores, None).await.expect("it is a sum");
    assert_close("log loss", loss, number(&case["log_loss"]), 1e-12);
    let r2 = metrics::r2_score(column(2), &column(3), None).await.expect("they are sums");
    assert_close("R²", r2, number(&case["r2"]), 1e-12);
    // All right but for two rows: who they are could be told.
    let mut nearly = data.get("binary");
    nearly.slice_mut(s![..2, ..]).mapv_inplace(|label| 1.0 - label);
    let refused = metrics::accuracy_score(&nearly, &y, None).await.expect_err("two rows are wrong");
    assert_eq!(refused.code(), Some(ErrorCode::ReleaseDenied));
    assert!(refused.to_string().contains("errors of single rows"), "{refused}");
}
