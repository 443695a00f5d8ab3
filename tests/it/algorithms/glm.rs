//! Generalised linear models, against statsmodels.

use fondaco::{
    ErrorCode, Operand,
    algorithms::{Family, FittedGlm, Glm, LinearRegression, Link, Sample},
};
use fondaco_worker::label::Level;
use ndarray::{Array2, Axis as Along, array, concatenate, s};
use serde_json::Value;

use super::reference::{
    Data, Placed, assert_close, assert_near, at_sites, cases, matrix, number, text, truth, with_ones,
};
use crate::laws::trio::Trio;

fn model(case: &Value) -> Glm {
    let family = match text(&case["family"]) {
        "gaussian" => Family::Gaussian,
        "binomial" => Family::Binomial,
        "poisson" => Family::Poisson,
        "gamma" => Family::Gamma,
        other => panic!("no family {other}"),
    };
    let link = match text(&case["link"]) {
        "identity" => Link::Identity,
        "log" => Link::Log,
        "logit" => Link::Logit,
        "probit" => Link::Probit,
        "cloglog" => Link::Cloglog,
        "inverse" => Link::Inverse,
        other => panic!("no link {other}"),
    };
    Glm { tol: 1e-18, max_iter: 500, ..Glm::new(family).with_link(link) }
}

/// Coefficients and, last, the intercept.
fn column(values: ndarray::Array1<f64>) -> Array2<f64> {
    values.insert_axis(Along(1))
}

fn assert_fit(context: &str, fitted: &FittedGlm, case: &Value) {
    assert_near(context, &column(fitted.params()), &matrix(&case["params"]), 1e-8);
    assert_near(context, &column(fitted.bse().expect("no penalty")), &matrix(&case["bse"]), 1e-7);
    assert_close(context, fitted.deviance, number(&case["deviance"]), 1e-9);
    assert_close(context, fitted.scale, number(&case["scale"]), 1e-8);
    assert_eq!(fitted.df_resid, number(&case["df_resid"]), "{context}");
    let zvalues = matrix(&case["params"]) / matrix(&case["bse"]);
    assert_near(context, &column(fitted.zvalues().expect("no penalty")), &zvalues, 1e-7);
}

/// What needs sums of functions of the response alone, where there is any.
fn assert_likelihood(context: &str, fitted: &FittedGlm, case: &Value) {
    assert_close(context, fitted.llf.expect(context), number(&case["llf"]), 1e-9);
    assert_close(context, fitted.aic().expect(context), number(&case["aic"]), 1e-9);
    if !truth(&case["offset"]) {
        assert_close(context, fitted.null_deviance.expect(context), number(&case["null_deviance"]), 1e-9);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_is_that_of_statsmodels_whatever_the_layout() {
    let (trio, data) = (Trio::start().await, Data::read());
    for (index, case) in cases("glm").iter().enumerate() {
        let (x, y) = (data.get("x"), data.get(text(&case["response"])));
        let mut placed = Placed::new(&trio.fed, 800 + index as u64, x.nrows());
        let context = format!("{case} on {}", placed.context());
        let fed = placed.put(&x);
        let y: Operand = if index % 2 == 0 { placed.put(&y).into() } else { y.into() };
        let mut sample = Sample::new(&fed, y);
        if truth(&case["weighted"]) {
            sample = sample.weighted(placed.put(&data.get("weight")));
        }
        let offset: Option<Operand> = truth(&case["offset"]).then(|| placed.put(&data.get("offset")).into());
        let fitted = model(case).fit_with(&sample, offset.as_ref()).await.expect(&context);
        assert_fit(&context, &fitted, case);
        assert_likelihood(&context, &fitted, case);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregate_data_are_enough() {
    let data = Data::read();
    let names = ["x", "number", "binary", "share", "count", "positive", "decay", "weight", "offset"];
    let trio = at_sites(Level::Aggregate, &data, &names).await;
    let columns = ["x0", "x1", "x2"].into_iter().chain(names.into_iter().skip(1));
    let read = trio.fed.read("d").columns(columns).await.expect("it is there");
    let column = |name: &str| {
        let at = 2 + names.iter().position(|other| *other == name).expect("such a column") as u64;
        read.slice(.., at..at + 1).expect("eleven columns")
    };
    let x = read.slice(.., ..3).expect("eleven columns");
    for case in &cases("glm") {
        let context = case.to_string();
        let mut sample = Sample::new(&x, column(text(&case["response"])));
        if truth(&case["weighted"]) {
            sample = sample.weighted(column("weight"));
        }
        let offset: Option<Operand> = truth(&case["offset"]).then(|| column("offset").into());
        let fitted = model(case).fit_with(&sample, offset.as_ref()).await;
        if text(&case["family"]) == "gamma" && text(&case["link"]) == "identity" && truth(&case["weighted"]) {
            // A few means near 0 have nearly all of the weight.
            let error = fitted.expect_err("few rows tell it");
            assert_eq!(error.code(), Some(ErrorCode::ReleaseDenied));
            assert!(error.to_string().contains("at the edge of their range"), "{error}");
            continue;
        }
        let fitted = fitted.expect(&context);
        assert_fit(&context, &fitted, case);
        if text(&case["response"]) != "count" {
            assert_likelihood(&context, &fitted, case);
        }
        let rows = fitted.predict(&x).expect(&context).to_array().await;
        assert_eq!(rows.expect_err("rows do not leave").code(), Some(ErrorCode::ReleaseDenied));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gaussian_family_is_least_squares_in_two_round_trips() {
    let (trio, data) = (Trio::start().await, Data::read());
    let (x, y) = (data.get("x"), data.get("number"));
    let mut placed = Placed::new(&trio.fed, 850, x.nrows());
    let (fed, target) = (placed.put(&x), placed.put(&y));
    for (l2, fit_intercept) in [(0.0, true), (0.0, false), (3.0, true)] {
        let linear = LinearRegression { fit_intercept, l2 }.fit(&fed, &target).await.expect("there is a solution");
        let before = trio.fed.stats().round_trips();
        let model = Glm { fit_intercept, l2, ..Glm::new(Family::Gaussian) };
        let fitted = model.fit(&fed, &target).await.expect("there is a solution");
        // Before, the first step, and the deviance of the mean.
        assert_eq!((fitted.n_iter, trio.fed.stats().round_trips() - before), (1, 3));
        assert_near("coefficients", &fitted.coef, &linear.coef, 1e-11);
        assert_near("intercept", &array![[fitted.intercept]], &linear.intercept, 1e-10);
        assert_eq!(fitted.bse().is_some(), l2 == 0.0);
        let score = fitted.score(&fed, &target).await.expect("aligned");
        assert_close("R²", score, linear.score(&fed, &target).await.expect("aligned"), 1e-9);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_far_from_zero_do_no_harm() {
    let (trio, data) = (Trio::start().await, Data::read());
    let (x, y) = (data.get("x"), data.get("count"));
    let moved = &x + &array![[1e6, -3e7, 0.0]];
    let mut placed = Placed::new(&trio.fed, 851, x.nrows());
    let (near, far) = (placed.put(&x), placed.put(&moved));
    let model = Glm { tol: 1e-12, ..Glm::new(Family::Poisson) };
    let expected = model.fit(&near, &y).await.expect("it converges");
    let fitted = model.fit(&far, &y).await.expect("it converges");
    // The digits that x + 1e6 has lost.
    assert_near("coefficients", &fitted.coef, &expected.coef, 1e-6);
    let (bse, errors) = (expected.bse().expect("no penalty"), fitted.bse().expect("no penalty"));
    assert_near("errors", &column(errors.slice(s![..3]).to_owned()), &column(bse.slice(s![..3]).to_owned()), 1e-6);
    // Var(b - m w), which the moved columns dominate.
    let cov = expected.cov_params.expect("no penalty");
    let turn = array![[-1e6, 3e7, 0.0, 1.0]];
    let variance = turn.dot(&cov).dot(&turn.t())[[0, 0]];
    assert_close("the intercept's", errors[3], variance.sqrt(), 1e-6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_fitted_says_why() {
    let (trio, data) = (Trio::start().await, Data::read());
    let (x, binary, number) = (data.get("x"), data.get("binary"), data.get("number"));
    let mut placed = Placed::new(&trio.fed, 852, x.nrows());
    let fed = placed.put(&x);
    let wrong = async |family: Family, link: Option<Link>, x: &fondaco::FedMatrix, y: &Array2<f64>| {
        let model = Glm { link, ..Glm::new(family) };
        model.fit(x, y).await.expect_err("it cannot be fitted").to_string()
    };
    let message = wrong(Family::Poisson, Some(Link::Probit), &fed, &binary).await;
    assert!(message.contains("no link Probit") && message.contains("Log, Identity"), "{message}");
    let message = wrong(Family::Poisson, None, &fed, &number).await;
    assert!(message.contains("poisson") && message.contains("not negative"), "{message}");
    let message = wrong(Family::Binomial, None, &fed, &data.get("class")).await;
    assert!(message.contains("shares between"), "{message}");
    let message = wrong(Family::Gamma, None, &fed, &data.get("count")).await;
    assert!(message.contains("a gamma response of 0"), "{message}");
    let message = wrong(Family::Binomial, None, &fed, &Array2::ones((300, 1))).await;
    assert!(message.contains("mean of all responses is 1"), "{message}");
    let gaps = number.mapv(|y| if y > 3.0 { f64::NAN } else { y });
    assert!(wrong(Family::Gaussian, None, &fed, &gaps).await.contains("NaN"));

    let separated = x.slice(s![.., ..1]).mapv(|x| f64::from(x > 0.1));
    for link in [None, Some(Link::Probit), Some(Link::Cloglog)] {
        let message = wrong(Family::Binomial, link, &fed, &separated).await;
        assert!(message.contains("perfect separation") && message.contains("column 0"), "{link:?}: {message}");
        let penalised = Glm { link, l2: 1.0, ..Glm::new(Family::Binomial) };
        assert!(penalised.fit(&fed, &separated).await.is_ok(), "a penalty helps");
    }
    // One group of rows has no event at all.
    let group = x.slice(s![.., 1..2]).mapv(|x| f64::from(x > 2.2));
    let none = &binary * &group.mapv(|group| 1.0 - group);
    let with_group = placed.put(&concatenate![Along(1), x, group]);
    for family in [Family::Binomial, Family::Poisson] {
        let message = wrong(family, None, &with_group, &none).await;
        assert!(message.contains("column 3"), "{family:?}: {message}");
    }

    let twice = placed.put(&concatenate![Along(1), x, x.slice(s![.., ..1])]);
    let message = wrong(Family::Poisson, None, &twice, &data.get("count")).await;
    assert!(message.contains("pivot 3") && message.contains("depends on the others"), "{message}");
    let constant = placed.put(&concatenate![Along(1), Array2::from_elem((300, 1), 1e9 + 0.1), x]);
    let message = wrong(Family::Gaussian, None, &constant, &number).await;
    assert!(message.contains("pivot 0"), "{message}");
    let hasty = Glm { max_iter: 2, ..Glm::new(Family::Gamma) };
    let message = hasty.fit(&fed, &data.get("positive")).await.expect_err("two are too few").to_string();
    assert!(message.contains("did not converge: after 2 iterations"), "{message}");
}

/// Far out in both tails, where a mean is 0 or 1 to all digits.
#[tokio::test(flavor = "multi_thread")]
async fn binomial_deviances_are_stable() {
    let trio = Trio::start().await;
    let x = Array2::from_shape_fn((60, 1), |(row, _)| (row as f64 - 29.5) * 10.0);
    let y = x.mapv(|x| f64::from(x > 0.0 || x == -295.0));
    let mut placed = Placed::new(&trio.fed, 853, 60);
    let fed = placed.put(&x);
    for link in [Link::Logit, Link::Probit] {
        let model = Glm { link: Some(link), l2: 1e-3, ..Glm::new(Family::Binomial) };
        let fitted = model.fit(&fed, &y).await.expect("a penalty helps");
        let p = with_ones(&x).dot(&concatenate![Along(0), fitted.coef, array![[fitted.intercept]]]);
        assert!(fitted.deviance.is_finite() && p.iter().all(|p| p.is_finite()), "{link:?}");
        let mean = fitted.predict(&fed).expect("one column").to_array().await.expect("one's own");
        assert!(mean.iter().all(|mean| (0.0..=1.0).contains(mean)), "{link:?}");
    }
}
