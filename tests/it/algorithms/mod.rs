//! The SDK's algorithms, against plain ones on the pooled data, or numbers of scikit-learn and statsmodels.

mod clusters;
mod correlation;
mod cross_validation;
mod elastic_net;
mod factorisation;
mod glm;
mod linear_svm;
mod logistic_regression;
mod metrics;
mod mixtures;
mod naive_bayes;
mod numbers;
mod pca;
mod reference;
mod samples;
mod solve;
mod stepwise;

use std::{fs::File, path::PathBuf};

use arrow::{
    array::{Array as _, Float64Array},
    compute::cast,
    datatypes::DataType,
};
use fondaco::{
    Axis, Error, ErrorCode, FedMatrix, Layout,
    algorithms::{ConjugateGradient, FittedKMeans, FittedLinear, KMeans, LinearRegression},
};
use fondaco_worker::label::Level;
use ndarray::{Array2, Axis as Along, array, concatenate, s};
use parquet::arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder};

use crate::{
    harness::{Plan, Random},
    laws::{
        sample::{Cells, Cuts},
        trio::{NAMES, Trio, place, scatter},
    },
    oracle::least_squares,
};

/// The airports, in the order of the sites.
const AIRPORTS: [&str; 3] = ["ewr", "jfk", "lga"];

fn file(airport: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/data").join(airport).join("flights.parquet")
}

/// The flights at their sites.
async fn flights_at_sites(privacy: Level) -> Trio {
    Trio::planned(|index, plan: Plan| {
        plan.files("flights", &file(AIRPORTS[index]), |dataset| dataset.privacy = privacy)
    })
    .await
}

/// The same, read here by itself; nulls as NaN.
fn pooled(columns: &[&str]) -> Array2<f64> {
    let mut whole = Array2::zeros((0, columns.len()));
    for airport in AIRPORTS {
        let file = File::open(file(airport)).expect("the repository has the flights");
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("they are Parquet");
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        for batch in builder.with_projection(mask).with_batch_size(1 << 20).build().expect("they can be read") {
            let batch = batch.expect("they can be read");
            let mut part = Array2::zeros((batch.num_rows(), columns.len()));
            for (mut cells, name) in part.columns_mut().into_iter().zip(columns) {
                let column = batch.column_by_name(name).expect("there is such a column");
                let column = cast(column, &DataType::Float64).expect("it is numeric");
                let column = column.as_any().downcast_ref::<Float64Array>().expect("it was cast");
                cells.iter_mut().zip(column).for_each(|(cell, value)| *cell = value.unwrap_or(f64::NAN));
            }
            whole.append(Along(0), part.view()).expect("the same columns");
        }
    }
    whole
}

fn with_ones(x: &Array2<f64>) -> Array2<f64> {
    concatenate(Along(1), &[x.view(), Array2::ones((x.nrows(), 1)).view()]).expect("as many rows")
}

/// Coefficients, then the intercept.
fn weights(fitted: &FittedLinear) -> Array2<f64> {
    concatenate(Along(0), &[fitted.coef.view(), fitted.intercept.view()]).expect("as many targets")
}

/// How far two fits are apart in what they predict, as a share of what there is to predict.
fn apart(x: &Array2<f64>, y: &Array2<f64>, a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let norm = |x: &Array2<f64>| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    norm(&x.dot(&(a - b))) / norm(y)
}

/// n rows of d columns of very different size and offset, and a target that they explain but for some noise.
fn regression(random: &mut Random, n: usize, d: usize) -> (Array2<f64>, Array2<f64>) {
    let scale = Array2::from_shape_fn((1, d), |(_, j)| 10_f64.powi(j as i32 % 4 - 1));
    let x = Cells::Normal.matrix(random, n, d) * &scale + &scale * 20.0;
    let w = Cells::Normal.matrix(random, d, 1) / scale.reversed_axes();
    let y = x.dot(&w) + Cells::Normal.matrix(random, n, 1) * 0.3 + 7.0;
    (x, y)
}

#[tokio::test(flavor = "multi_thread")]
async fn least_squares_are_those_of_a_qr() {
    let trio = Trio::start().await;
    for seed in 500..512 {
        let mut random = Random::new(seed);
        let (n, d) = (50 + random.below(2000), 1 + random.below(6));
        let (x, y) = regression(&mut random, n, d);
        let expected = least_squares(&with_ones(&x), &y);
        let without = least_squares(&x, &y);
        for _ in 0..2 {
            let cuts = Cuts::rows(&mut random, n, d);
            let aligned = cuts.aligned(&mut random, 1);
            let fed = scatter(&trio.fed, &mut random, &x, &cuts);
            let target = scatter(&trio.fed, &mut random, &y, &aligned);
            let context = format!("seed {seed}: ({n}, {d}) {:?}", cuts.layout());
            let solved = LinearRegression::default().fit(&fed, &target).await.expect(&context);
            let off = apart(&with_ones(&x), &y, &weights(&solved), &expected);
            assert!(off < 1e-11, "{context}: normal equations are off by {off:e}");
            let local = LinearRegression::default().fit(&fed, &y).await.expect(&context);
            let off = apart(&with_ones(&x), &y, &weights(&local), &expected);
            assert!(off < 1e-11, "{context}: with a local target off by {off:e}");
            let plain = LinearRegression { fit_intercept: false, l2: 0.0 };
            let plain = plain.fit(&fed, &target).await.expect(&context);
            let off = apart(&x, &y, &plain.coef, &without);
            assert!(off < 1e-9, "{context}: without an intercept off by {off:e}");
            let standard =
                |matrix: &FedMatrix| matrix.subtract(x.mean_axis(Along(0)).expect("rows").insert_axis(Along(0)));
            let descent = ConjugateGradient { max_iter: Some(300), tol: 1e-13, ..ConjugateGradient::default() };
            let descent = descent.fit(&standard(&fed).expect("it fits"), &target).await.expect(&context);
            let centred = with_ones(&(&x - &x.mean_axis(Along(0)).expect("rows")));
            let off = apart(&centred, &y, &weights(&descent), &least_squares(&centred, &y));
            assert!(off < 1e-8, "{context}: conjugate gradients are off by {off:e}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ridge_is_least_squares_with_rows_of_penalty() {
    let trio = Trio::start().await;
    for seed in 520..526 {
        let mut random = Random::new(seed);
        let (n, d, l2) = (40 + random.below(500), 2 + random.below(4), *random.pick(&[0.01, 1.0, 300.0]));
        let (x, y) = regression(&mut random, n, d);
        let cuts = Cuts::rows(&mut random, n, d);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let penalty = Array2::from_shape_fn((d, d), |(i, j)| if i == j { f64::sqrt(l2) } else { 0.0 });
        let penalised = concatenate![Along(0), with_ones(&x), concatenate![Along(1), penalty, Array2::zeros((d, 1))]];
        let targets = concatenate![Along(0), y, Array2::zeros((d, 1))];
        let expected = least_squares(&penalised, &targets);
        let fitted = LinearRegression::ridge(l2).fit(&fed, &y).await.expect("there is a solution");
        let off = apart(&with_ones(&x), &y, &weights(&fitted), &expected);
        assert!(off < 1e-10, "seed {seed}, l2 {l2}: off by {off:e}");
        let aligned = cuts.aligned(&mut random, 1);
        let target = scatter(&trio.fed, &mut random, &y, &aligned);
        let score = fitted.score(&fed, &target).await.expect("aligned");
        let predicted = fitted.predict_local(&x).expect("as many columns");
        let squares = |x: Array2<f64>| x.iter().map(|x| x * x).sum::<f64>();
        let expected = 1.0 - squares(&y - &predicted) / squares(&y - y.mean().expect("rows"));
        assert!((score - expected).abs() < 1e-10, "seed {seed}: R² {score}, not {expected}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ill_conditioned_but_solvable() {
    let trio = Trio::start().await;
    for seed in 530..536 {
        let mut random = Random::new(seed);
        let n = 800;
        let base = Cells::Normal.matrix(&mut random, n, 3);
        let noise = Cells::Normal.matrix(&mut random, n, 1);
        // The fourth column is the sum of the others but for a part in 10^5: condition number 3e5, squared 1e11.
        let nearly = base.sum_axis(Along(1)).insert_axis(Along(1)) + &noise * 1e-5;
        let x = concatenate![Along(1), base, nearly];
        let y = x.dot(&array![[1.0], [-2.0], [0.5], [3.0]]) + Cells::Normal.matrix(&mut random, n, 1) * 1e-6;
        let cuts = Cuts::rows(&mut random, n, 4);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let fitted = LinearRegression::default().fit(&fed, &y).await.expect("it is solvable");
        let expected = least_squares(&with_ones(&x), &y);
        let off = apart(&with_ones(&x), &y, &weights(&fitted), &expected);
        assert!(off < 1e-8, "seed {seed}: predictions are off by {off:e}");
        let share = (&weights(&fitted) - &expected).iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        let largest = expected.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        assert!(share < 1e-3 * largest, "seed {seed}: coefficients are off by {share:e} of {largest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_singular_names_the_pivot() {
    let trio = Trio::start().await;
    let mut wrong = Vec::new();
    for seed in 540..560 {
        let mut random = Random::new(seed);
        let n = 60 + random.below(200);
        let base = Cells::Normal.matrix(&mut random, n, 3);
        let (what, last) = match seed % 4 {
            0 => ("a column twice", base.slice(s![.., 1..2]).to_owned()),
            1 => ("a constant", Array2::from_elem((n, 1), 3.7)),
            2 => ("a sum of columns", base.sum_axis(Along(1)).insert_axis(Along(1))),
            _ => ("a multiple", base.slice(s![.., 0..1]).to_owned() * 0.3),
        };
        let x = concatenate![Along(1), base, last];
        let y = Cells::Normal.matrix(&mut random, n, 1);
        let cuts = Cuts::rows(&mut random, n, 4);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        match LinearRegression::default().fit(&fed, &y).await {
            Err(Error::Numeric(message)) if message.contains("pivot 3") && message.contains("leave it out") => {}
            other => wrong.push(format!("seed {seed}: {what}: {other:?}")),
        }
        let ridge = LinearRegression::ridge(1.0).fit(&fed, &y).await;
        assert!(ridge.expect("a penalty helps").coef.iter().all(|w| w.is_finite()));
    }
    assert!(wrong.is_empty(), "these should be refused by name:\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_are_named() {
    let trio = Trio::start().await;
    let mut random = Random::new(560);
    let (mut x, y) = regression(&mut random, 100, 2);
    x[[40, 1]] = f64::NAN;
    let fed = place(&trio.fed, &x, &Layout::rows([("a", 30), ("c", 70)], 2).expect("there are parts"));
    let message = LinearRegression::default().fit(&fed, &y).await.expect_err("there is a NaN").to_string();
    assert!(message.contains("NaN"), "{message}");
    let message = ConjugateGradient::default().fit(&fed, &y).await.expect_err("there is a NaN").to_string();
    assert!(message.contains("NaN"), "{message}");
    let message = KMeans::new(2).fit(&fed).await.expect_err("there is a NaN").to_string();
    assert!(message.contains("NaN"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_that_do_not_fit_say_what_would() {
    let trio = Trio::start().await;
    let (x, y) = regression(&mut Random::new(561), 20, 2);
    let fed = place(&trio.fed, &x, &Layout::rows([("a", 8), ("c", 12)], 2).expect("there are parts"));
    let message = LinearRegression::default().fit(&fed, 1.0).await.expect_err("a number is no target").to_string();
    assert!(message.contains("y must be a matrix of (rows of X, targets)"), "{message}");
    let few = y.slice(ndarray::s![..5, ..]).to_owned();
    let message = LinearRegression::default().fit(&fed, &few).await.expect_err("rows are missing").to_string();
    assert!(message.contains("20 rows are needed, but an operand has 5"), "{message}");
}

/// Lloyd's iterations, as plainly as can be; the same rules of ties and of empty clusters as the SDK's.
fn lloyd(x: &Array2<f64>, centers: &Array2<f64>, iterations: usize) -> (Array2<f64>, Vec<f64>, f64) {
    let mut centers = centers.clone();
    let (mut counts, mut inertia) = (vec![0.0; centers.nrows()], 0.0);
    for _ in 0..iterations {
        let mut sums = Array2::<f64>::zeros(centers.raw_dim());
        counts.fill(0.0);
        inertia = 0.0;
        for row in x.rows() {
            let distance =
                |center: ndarray::ArrayView1<f64>| row.iter().zip(center).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
            let distances: Vec<f64> = centers.rows().into_iter().map(distance).collect();
            let nearest = distances.iter().copied().fold(f64::INFINITY, f64::min);
            let share = 1.0 / distances.iter().filter(|distance| **distance == nearest).count() as f64;
            for (k, _) in distances.iter().enumerate().filter(|(_, distance)| **distance == nearest) {
                sums.row_mut(k).scaled_add(share, &row);
                counts[k] += share;
            }
            inertia += nearest;
        }
        for ((mut center, sum), count) in centers.rows_mut().into_iter().zip(sums.rows()).zip(&counts) {
            if *count > 0.0 {
                center.assign(&(&sum / *count));
            }
        }
    }
    (centers, counts, inertia)
}

fn assert_clusters(context: &str, fitted: &FittedKMeans, expected: &(Array2<f64>, Vec<f64>, f64), size: f64) {
    assert_eq!(fitted.counts, expected.1, "{context}");
    let off = (&fitted.cluster_centers - &expected.0).iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    assert!(off < 1e-10 * size, "{context}: centres are off by {off:e}");
    // It is a difference of sums of squares.
    let off = (fitted.inertia - expected.2).abs();
    assert!(off < 1e-10 * (expected.2 + size * size * expected.1.iter().sum::<f64>()), "{context}: off by {off:e}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_are_those_of_a_plain_loop_whatever_the_layout() {
    let trio = Trio::start().await;
    for seed in 570..580 {
        let mut random = Random::new(seed);
        let (n, d, k) = (30 + random.below(800), 1 + random.below(4), 2 + random.below(4));
        let blobs = Cells::Normal.matrix(&mut random, k, d) * 10.0;
        let mut x = Cells::Normal.matrix(&mut random, n, d);
        x.rows_mut().into_iter().enumerate().for_each(|(i, mut row)| row += &blobs.row(i * i % k));
        let centers = x.slice(s![..k, ..]).to_owned();
        let expected = lloyd(&x, &centers, 6);
        for _ in 0..3 {
            let cuts = Cuts::rows(&mut random, n, d);
            let fed = scatter(&trio.fed, &mut random, &x, &cuts);
            let model = KMeans { max_iter: 6, tol: -1.0, ..KMeans::new(k) }.with_centers(centers.clone());
            let fitted = model.fit(&fed).await.expect("it is one's own");
            assert_eq!(fitted.n_iter, 6);
            assert_clusters(&format!("seed {seed}: {:?}", cuts.layout()), &fitted, &expected, 40.0);
            let member = fitted.predict(&fed).expect("as many columns").sum(Axis::All).expect("a row cut");
            assert_eq!(member.scalar().await.expect("it is one's own"), n as f64);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_nobody_joins_keeps_its_centre() {
    let trio = Trio::start().await;
    let x = array![[0.0], [1.0], [2.0], [100.0], [101.0], [0.5]];
    let centers = array![[0.0], [100.0], [-1e6]];
    let fed = place(&trio.fed, &x, &Layout::rows([("a", 4), ("b", 2)], 1).expect("there are parts"));
    let model = KMeans { max_iter: 3, ..KMeans::new(3) }.with_centers(centers.clone());
    let fitted = model.fit(&fed).await.expect("it is one's own");
    assert_eq!((fitted.counts.as_slice(), fitted.cluster_centers[[2, 0]]), ([4.0, 2.0, 0.0].as_slice(), -1e6));
    let message = KMeans::new(2).with_centers(centers).fit(&fed).await.expect_err("three centres").to_string();
    assert!(message.contains("(3, 1)") && message.contains("(2, 1)"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn regressions_on_the_flights() {
    let columns = ["distance", "dep_delay", "temp", "air_time"];
    let whole = pooled(&columns);
    let (x, y) = (whole.slice(s![.., 0..3]).to_owned(), whole.slice(s![.., 3..]).to_owned());
    let expected = least_squares(&with_ones(&x), &y);
    for privacy in [Level::Public, Level::Aggregate] {
        let trio = flights_at_sites(privacy).await;
        let fed = trio.fed.read("flights").columns(columns).await.expect("there are flights");
        assert_eq!(fed.nrows(), 221_578);
        let (features, target) = (fed.slice(.., 0..3), fed.slice(.., 3..4));
        let (features, target) = (features.expect("four columns"), target.expect("four columns"));
        let fitted = LinearRegression::default().fit(&features, &target).await.expect("there is a solution");
        let off = apart(&with_ones(&x), &y, &weights(&fitted), &expected);
        assert!(off < 1e-11, "{privacy:?}: normal equations are off by {off:e}");
        let descent = ConjugateGradient { tol: 1e-12, max_iter: Some(40), ..ConjugateGradient::default() };
        let descent = descent.fit(&features, &target).await.expect("there is a solution");
        let off = apart(&with_ones(&x), &y, &weights(&descent), &expected);
        assert!(off < 1e-7, "{privacy:?}: conjugate gradients are off by {off:e}");
        let score = fitted.score(&features, &target).await.expect("aligned");
        let squares = |x: Array2<f64>| x.iter().map(|x| x * x).sum::<f64>();
        let residuals = squares(&y - &with_ones(&x).dot(&expected));
        let r2 = 1.0 - residuals / squares(&y - y.mean().expect("rows"));
        assert!((score - r2).abs() < 1e-10, "{privacy:?}: R² {score}, not {r2}");
        let rows = fed.to_array().await;
        match privacy {
            Level::Public => assert_eq!(rows.expect("they are public"), whole),
            _ => assert_eq!(rows.expect_err("rows do not leave").code(), Some(ErrorCode::ReleaseDenied)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_of_the_flights() {
    let columns = ["dep_delay", "hour", "temp", "humid"];
    let whole = pooled(&columns);
    let mean = whole.mean_axis(Along(0)).expect("rows").insert_axis(Along(0));
    let std = whole.std_axis(Along(0), 0.0).insert_axis(Along(0));
    let x = (&whole - &mean) / &std;
    let trio = flights_at_sites(Level::Aggregate).await;
    let read = trio.fed.read("flights").columns(columns).await.expect("there are flights");
    let fed = read.subtract(&mean).and_then(|x| x.divide(&std)).expect("it fits");

    let centers = array![[0.0, -1.0, 0.0, 1.0], [0.0, 1.0, 0.0, -1.0], [3.0, 0.0, 0.0, 0.0]];
    let given = KMeans { max_iter: 8, tol: 0.0, ..KMeans::new(3) }.with_centers(centers.clone());
    let fitted = given.fit(&fed).await.expect("the clusters are large");
    assert_clusters("given centres", &fitted, &lloyd(&x, &centers, fitted.n_iter), 10.0);

    let seeded = KMeans { max_iter: 200, tol: 1e-7, ..KMeans::new(3) }.with_seed(5);
    let first = seeded.fit(&fed).await.expect("the clusters are large");
    assert_eq!(first, seeded.fit(&fed).await.expect("the clusters are large"), "the same seed");
    assert!(first.n_iter < 200, "it converges");
    assert_eq!(first.counts.iter().sum::<f64>(), 221_578.0);
    // Where it stopped, a plain iteration finds nothing to move, and no worse clusters than one big one.
    let (centers, _, inertia) = lloyd(&x, &first.cluster_centers, 1);
    let off = (&centers - &first.cluster_centers).iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    assert!(off < 1e-3, "centres move by {off:e}");
    assert!((inertia - first.inertia).abs() < 1e-3 * inertia && inertia < 0.9 * x.iter().map(|x| x * x).sum::<f64>());
    let other = seeded.with_seed(6).fit(&fed).await.expect("the clusters are large");
    assert_ne!(other.cluster_centers, first.cluster_centers, "another seed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_flights_as_they_are() {
    let columns = ["month", "day", "hour", "arr_delay", "humid", "visib", "pressure", "precip"];
    let whole = pooled(&columns);
    let trio = flights_at_sites(Level::Public).await;
    let fed = trio.fed.read("flights").columns(columns).await.expect("there are flights");
    crate::oracle::assert_same_bits("all rows", &fed.to_array().await.expect("they are public"), &whole);
    let gaps = fed.isnan().and_then(|gaps| gaps.sum(Axis::Columns)).expect("a row cut").await.expect("public");
    assert_eq!(gaps[[0, 6]], 12_999.0 + 7_977.0 + 2_585.0);
    let layout = fed.layout().clone();
    let sites: Vec<_> = layout.parts().iter().map(|part| (&*part.site, part.shape().rows)).collect();
    assert_eq!(sites, NAMES.into_iter().zip([116_460, 81_970, 23_148]).collect::<Vec<_>>());
}
