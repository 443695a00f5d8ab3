//! Gaussian mixtures, against scikit-learn's.

use fondaco::{
    ErrorCode, FedMatrix,
    algorithms::{CovarianceType, Covariances, GaussianMixture, MixtureParameters},
};
use fondaco_worker::label::Level;
use ndarray::{Array1, Array2, Axis as Along, s};
use serde_json::Value;

use super::{
    numbers::{Placed, assert_close, assert_near, matrix, number, read, text},
    samples::{at_sites, clusters},
};
use crate::{harness::Random, laws::trio::Trio};

/// All numbers in one column.
fn flat(covariances: &Covariances) -> Array2<f64> {
    let cells: Vec<f64> = match covariances {
        Covariances::Full(all) => all.iter().flatten().copied().collect(),
        Covariances::Tied(of) | Covariances::Diag(of) => of.iter().copied().collect(),
        Covariances::Spherical(of) => of.to_vec(),
    };
    Array2::from_shape_fn((cells.len(), 1), |(i, _)| cells[i])
}

/// Where scikit-learn's cases start, whose covariances are 1.
fn start(case: &Value, means: &Array2<f64>) -> GaussianMixture {
    let (covariance_type, covariances) = match text(&case["covariance_type"]) {
        "full" => (CovarianceType::Full, Covariances::Full(vec![Array2::eye(3); 3])),
        "tied" => (CovarianceType::Tied, Covariances::Tied(Array2::eye(3))),
        "diag" => (CovarianceType::Diag, Covariances::Diag(Array2::ones((3, 3)))),
        _ => (CovarianceType::Spherical, Covariances::Spherical(Array1::ones(3))),
    };
    let weights = Array1::from_elem(3, 1.0 / 3.0);
    let init = Some(MixtureParameters { weights, means: means.clone(), covariances });
    let max_iter = number(&case["iterations"]) as usize;
    GaussianMixture { covariance_type, tol: 0.0, max_iter, init, ..GaussianMixture::new(3) }
}

async fn assert_case(context: &str, fed: &FedMatrix, model: &GaussianMixture, case: &Value) {
    let fitted = model.fit(fed).await.expect(context);
    let parameters = &fitted.parameters;
    assert_near(context, &parameters.weights.clone().insert_axis(Along(1)), &matrix(&case["weights"]), 1e-10);
    assert_near(context, &parameters.means, &matrix(&case["means"]), 1e-10);
    assert_near(context, &flat(&parameters.covariances), &matrix(&case["covariances"]), 1e-10);
    assert_close(context, fitted.lower_bound, number(&case["lower_bound"]), 1e-12);
    assert_close(context, fitted.score(fed).await.expect(context), number(&case["score"]), 1e-12);
    assert_close(context, fitted.bic(fed).await.expect(context), number(&case["bic"]), 1e-12);
    assert_close(context, fitted.aic(fed).await.expect(context), number(&case["aic"]), 1e-12);
    let proba = fitted.predict_proba(fed).expect(context).to_array().await.expect("one's own");
    assert_near(context, &proba.slice(s![..10, ..]).to_owned(), &matrix(&case["proba"]), 1e-9);
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_those_of_scikit_learn_whatever_the_layout() {
    let (trio, known) = (Trio::start().await, read("gaussian_mixture"));
    let (x, means) = (matrix(&known["x"]), matrix(&known["means"]));
    for (seed, case) in known["cases"].as_array().expect("a list").iter().enumerate() {
        let model = start(case, &means);
        let mut placed = Placed::new(&trio.fed, 800 + seed as u64, x.nrows());
        let context = format!("{:?} {} {}", model.covariance_type, model.max_iter, placed.context());
        assert_case(&context, &placed.put(&x), &model, case).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_clusters_to_the_likeliest() {
    let (trio, known) = (Trio::start().await, read("gaussian_mixture"));
    let x = matrix(&known["x"]);
    let fed = Placed::new(&trio.fed, 810, x.nrows()).put(&x);
    let model = GaussianMixture { tol: 1e-8, max_iter: 2000, n_init: 3, ..GaussianMixture::new(3) };
    let fitted = model.fit(&fed).await.expect("one's own");
    assert!(fitted.converged);
    assert!((fitted.lower_bound - number(&known["best"])).abs() < 1e-5, "{}", fitted.lower_bound);
    let (_aggregate, owned) = at_sites(Level::Aggregate, &x).await;
    let single = GaussianMixture::new(1).fit(&owned).await.expect("one normal distribution");
    let of = &known["single"];
    assert_near("mean", &single.parameters.means, &matrix(&of["mean"]), 1e-12);
    assert_near("covariance", &flat(&single.parameters.covariances), &matrix(&of["covariances"]), 1e-12);
    assert_close("score", single.score(&owned).await.expect("it leaves"), number(&of["score"]), 1e-12);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_data_that_do_not_leave_in_one_round_trip_per_iteration() {
    let (x, _) = clusters(&mut Random::new(815), 3, 2400, 3, 1.6);
    let (trio, owned) = at_sites(Level::Aggregate, &x).await;
    let (_public, public) = at_sites(Level::Public, &x).await;
    use CovarianceType::{Diag, Full, Spherical, Tied};
    for covariance_type in [Full, Tied, Diag, Spherical] {
        let model = GaussianMixture { covariance_type, max_iter: 30, ..GaussianMixture::new(3) };
        let fitted = model.fit(&owned).await.unwrap_or_else(|error| panic!("{covariance_type:?}: {error}"));
        // From the same start they come to the same.
        let (weights, means) = (fitted.parameters.weights.clone(), fitted.parameters.means.clone());
        let init = Some(MixtureParameters { weights, means, covariances: fitted.parameters.covariances.clone() });
        let model = GaussianMixture { init, tol: 0.0, max_iter: 4, ..model };
        let expected = model.fit(&public).await.expect("public");
        let before = trio.fed.stats().round_trips();
        let fitted = model.fit(&owned).await.unwrap_or_else(|error| panic!("{covariance_type:?}: {error}"));
        assert_eq!(trio.fed.stats().round_trips() - before, 5, "{covariance_type:?}: one per iteration");
        let context = format!("{covariance_type:?}");
        assert_near(&context, &fitted.parameters.means, &expected.parameters.means, 1e-11);
        let (of_owned, of_public) = (flat(&fitted.parameters.covariances), flat(&expected.parameters.covariances));
        assert_near(&context, &of_owned, &of_public, 1e-11);
        assert_close(&context, fitted.lower_bound, expected.lower_bound, 1e-12);
        let proba = fitted.predict_proba(&owned).expect("as many columns");
        assert_eq!(proba.to_array().await.expect_err("rows stay").code(), Some(ErrorCode::ReleaseDenied));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn components_far_apart_and_far_from_zero() {
    let mut random = Random::new(820);
    let (near, _) = clusters(&mut random, 3, 600, 2, 10.0);
    let x = &near + 1e7;
    let (_trio, owned) = at_sites(Level::Aggregate, &x).await;
    let (_public, public) = at_sites(Level::Public, &x).await;
    let soft = GaussianMixture { n_init: 4, ..GaussianMixture::new(3) };
    let expected = soft.fit(&public).await.expect("one's own");
    let error = soft.fit(&owned).await.expect_err("no row lies between two components");
    assert!(error.to_string().contains("`hard`"), "{error}");
    let hard = GaussianMixture { hard: true, ..soft }.fit(&owned).await.expect("components are large");
    assert!(hard.converged);
    let sorted = |parameters: &MixtureParameters| {
        let mut rows: Vec<Vec<f64>> = parameters.means.rows().into_iter().map(|row| row.to_vec()).collect();
        rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
        Array2::from_shape_fn((3, 2), |(i, j)| rows[i][j] - 1e7)
    };
    assert_near("means", &sorted(&hard.parameters), &sorted(&expected.parameters), 1e-7);
    assert_close("likelihood", hard.lower_bound, expected.lower_bound, 1e-7);
    let member = hard.predict(&owned).expect("as many columns").sum(fondaco::Axis::Columns).expect("a row cut");
    let counts = member.await.expect("components are large");
    let off = (&counts.row(0) / 600.0 - &hard.parameters.weights).mapv(f64::abs).sum();
    assert!(off < 1e-12, "{counts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_possible_is_said() {
    let trio = Trio::start().await;
    let mut x = Array2::from_shape_fn((30, 2), |(i, j)| ((i * (j + 2) + j) % 7) as f64);
    let fed = Placed::new(&trio.fed, 830, 30).put(&x);
    let message = GaussianMixture::new(40).fit(&fed).await.expect_err("too many").to_string();
    assert!(message.contains("40 components of 30 rows"), "{message}");
    let init = MixtureParameters {
        weights: Array1::ones(1),
        means: Array2::zeros((1, 2)),
        covariances: Covariances::Tied(Array2::eye(2)),
    };
    let other = GaussianMixture { init: Some(init), ..GaussianMixture::new(1) };
    let message = other.fit(&fed).await.expect_err("another type").to_string();
    assert!(message.contains("covariances of the type Full"), "{message}");
    x.column_mut(1).fill(2.0);
    let flat = GaussianMixture { reg_covar: 0.0, ..GaussianMixture::new(1) };
    let message = flat.fit(&Placed::new(&trio.fed, 831, 30).put(&x)).await.expect_err("flat").to_string();
    assert!(message.contains("reg_covar"), "{message}");
    x[[3, 0]] = f64::NAN;
    let gaps = GaussianMixture::new(1).fit(&Placed::new(&trio.fed, 832, 30).put(&x)).await;
    assert!(gaps.expect_err("gaps").to_string().contains("NaN"));
}
