//! Stepwise regression, against the same with statsmodels' fits.

use fondaco::algorithms::StepwiseRegression;
use fondaco_worker::label::Level;
use ndarray::{Array2, Axis as Along, concatenate, s};

use super::{
    numbers::{Placed, assert_close, assert_near, matrix, number, read, truth},
    samples::at_sites,
};
use crate::laws::trio::Trio;

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_those_of_statsmodels_whatever_the_layout() {
    let (trio, known) = (Trio::start().await, read("stepwise"));
    let (x, y) = (matrix(&known["x"]), matrix(&known["y"]));
    let (_aggregate, owned) = at_sites(Level::Aggregate, &concatenate![Along(1), x, y]).await;
    for (seed, case) in known["cases"].as_array().expect("a list").iter().enumerate() {
        let fit_intercept = truth(&case["fit_intercept"]);
        let model = StepwiseRegression { fit_intercept, threshold: number(&case["threshold"]) };
        let mut placed = Placed::new(&trio.fed, 740 + seed as u64, x.nrows());
        let (fed, target) = (placed.put(&x), placed.put(&y));
        let context = format!("{model:?} {}", placed.context());
        let of_owned = (owned.slice(.., ..8).expect("nine columns"), owned.slice(.., 8..).expect("nine columns"));
        let all = [model.fit(&fed, &target).await, model.fit(&fed, &y).await, model.fit(&of_owned.0, of_owned.1).await];
        for fitted in all {
            let fitted = fitted.expect(&context);
            let selected: Vec<usize> = matrix(&case["selected"]).iter().map(|column| *column as usize).collect();
            assert_eq!(fitted.selected, selected, "{context}");
            for (aic, expected) in fitted.aic.iter().zip(&matrix(&case["aic"])) {
                assert!((aic - expected).abs() < 1e-8, "{context}: {aic} {expected}");
            }
            assert_near(&context, &fitted.model.coef, &matrix(&case["coef"]), 1e-10);
            let intercept = number(&case["intercept"]);
            assert!((fitted.model.intercept[[0, 0]] - intercept).abs() < 1e-8, "{context}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_explains_nothing_or_all_ends_it() {
    let trio = Trio::start().await;
    let known = read("stepwise");
    let x = matrix(&known["x"]);
    let model = StepwiseRegression::default();
    let mut placed = Placed::new(&trio.fed, 750, x.nrows());
    let fed = placed.put(&x);
    let exact = x.slice(s![.., 4..5]).to_owned() * 2.0;
    let fitted = model.fit(&fed, &exact).await.expect("it is explained");
    assert_eq!(fitted.selected[0], 4);
    assert_close("its coefficient", fitted.model.coef[[4, 0]], 2.0, 1e-9);
    let flat = model.fit(&fed, Array2::from_elem((x.nrows(), 1), 5.0)).await.expect("there is nothing to explain");
    assert_eq!((flat.selected.len(), flat.model.intercept[[0, 0]]), (0, 5.0));
    // A column twice: the second has nothing to add, and does not make the systems singular.
    let twice = placed.put(&concatenate![Along(1), x, x]);
    let y = matrix(&known["y"]);
    let fitted = StepwiseRegression { threshold: 0.0, ..model }.fit(&twice, &y).await.expect("the first of each");
    assert!(fitted.selected.iter().all(|column| *column < 8), "{:?}", fitted.selected);
}
