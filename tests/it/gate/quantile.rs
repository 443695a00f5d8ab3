//! Quantiles of `aggregate` data: intervals that hold them, with enough rows in them and on either side.

use fondaco::Axis;
use ndarray::{Array2, s};

use crate::{
    harness::{Random, Table},
    laws::trio::Trio,
};

const ROWS: usize = 300;

/// Three sites with a third of the rows each, one after another.
async fn over(x: &Array2<f64>) -> Trio {
    let x = x.clone();
    Trio::planned(move |site, plan| {
        plan.dataset("d", &Table::of(&x.slice(s![100 * site..100 * (site + 1), ..]).to_owned()))
    })
    .await
}

/// `np.quantile`.
fn quantile(x: &Array2<f64>, column: usize, q: f64) -> f64 {
    let mut sorted = x.column(column).to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() - 1) as f64 * q;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

/// Rows of a site in the interval, below it and above it.
fn rows(x: &Array2<f64>, site: usize, column: usize, low: f64, high: f64) -> [usize; 3] {
    let part = x.slice(s![100 * site..100 * (site + 1), column]);
    let count = |of: &dyn Fn(f64) -> bool| part.iter().filter(|x| of(**x)).count();
    [count(&|x| low <= x && x < high), count(&|x| x < low), count(&|x| x >= high)]
}

#[tokio::test(flavor = "multi_thread")]
async fn intervals_of_enough_rows() {
    let mut random = Random::new(31);
    let mut x = random.matrix(ROWS, 3);
    // Uniform, skewed with a long tail, and whole numbers.
    x.column_mut(1).mapv_inplace(|x| (6.0 * x).exp());
    x.column_mut(2).mapv_inplace(|x| (3.0 * x).floor());
    let trio = over(&x).await;
    let fed = trio.fed.read("d").await.expect("it is open");
    let q = [0.1, 0.25, 0.5, 0.75];
    let found = fed.quantile(&q, Axis::Columns).await.expect("intervals leave");
    assert!(!found.is_exact());
    assert!(found.clone().exact().expect_err("it is not").to_string().contains("intervals"));
    for (i, q) in q.into_iter().enumerate() {
        for column in 0..3 {
            let (low, high) = (found.lower[[i, column]], found.upper[[i, column]]);
            let value = quantile(&x, column, q);
            assert!(low <= value && value <= high, "column {column}, {q}: {low} {value} {high}");
            let all = [0, 1, 2].map(|site| rows(&x, site, column, low, high));
            for [within, below, above] in all {
                assert!(within >= 5, "column {column}, {q}: {all:?}");
                assert!(below == 0 || below >= 5, "column {column}, {q}: {all:?}");
                assert!(above == 0 || above >= 5, "column {column}, {q}: {all:?}");
            }
            let within: usize = all.iter().map(|rows| rows[0]).sum();
            assert!(column == 2 || within < 120, "column {column}, {q}: {within} rows are no answer");
        }
    }
    let medians = fed.median(Axis::Columns).await.expect("intervals leave");
    let middles = fed.iqm(Axis::Columns).await.expect("intervals leave");
    assert!(medians.midpoint().iter().chain(&middles.midpoint()).all(|x| x.is_finite()));
    for (low, high) in middles.lower.iter().zip(&middles.upper) {
        assert!(low <= high);
    }
    let first = rows_of_middle(&x);
    assert!(middles.lower[[0, 0]] <= first && first <= middles.upper[[0, 0]], "{first} {middles:?}");
}

/// The mean of the middle half of the first column, of as many rows as can be divided by four.
fn rows_of_middle(x: &Array2<f64>) -> f64 {
    let mut sorted = x.column(0).to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[ROWS / 4..ROWS - ROWS / 4].iter().sum::<f64>() / (ROWS / 2) as f64
}

/// Where no threshold has enough rows of each site on either side, mean and variance are all that is known.
#[tokio::test(flavor = "multi_thread")]
async fn sites_that_have_nothing_in_common() {
    let x = Array2::from_shape_fn((ROWS, 1), |(row, _)| (100 * (row / 100)) as f64 + (row % 7) as f64);
    let trio = over(&x).await;
    let fed = trio.fed.read("d").await.expect("it is open");
    let found = fed.quantile(&[0.5], Axis::Columns).await.expect("bounds leave");
    let (low, high, value) = (found.lower[[0, 0]], found.upper[[0, 0]], quantile(&x, 0, 0.5));
    assert!(low <= value && value <= high && low.is_finite() && high.is_finite(), "{low} {value} {high}");
}

#[tokio::test(flavor = "multi_thread")]
async fn weighted_intervals_and_gaps() {
    let mut random = Random::new(32);
    let mut x = random.matrix(ROWS, 2);
    x[[7, 1]] = f64::NAN;
    let trio = over(&x).await;
    let fed = trio.fed.read("d").await.expect("it is open");
    let w = Array2::from_shape_fn((ROWS, 1), |(row, _)| 0.5 + (row % 3) as f64);
    let first = fed.columns([0]).expect("a column");
    let found = first.quantile_weighted(&[0.5], &w, Axis::Columns).await.expect("intervals leave");
    let mut cells: Vec<(f64, f64)> = x.column(0).iter().copied().zip(w.iter().copied()).collect();
    cells.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut below = 0.0;
    let half = w.sum() / 2.0;
    let median = cells.iter().find(|(_, w)| {
        below += w;
        below >= half
    });
    let median = median.expect("half of all is there").0;
    let (low, high) = (found.lower[[0, 0]], found.upper[[0, 0]]);
    assert!(low <= median && median < high && high - low < 1.0, "{low} {median} {high}");
    let found = fed.median(Axis::Columns).await.expect("a mean tells it");
    assert!(found.lower[[0, 1]].is_nan() && found.upper[[0, 1]].is_nan() && !found.lower[[0, 0]].is_nan());
}
