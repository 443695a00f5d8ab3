//! NumPy's, SciPy's and pandas' numbers, made by `tests/reference/make_stats.py`.

use fondaco::{
    Axis, FedMatrix,
    algorithms::{
        Categories, Univariate,
        bivariate::{self, Anova, ChiSquared, Pearson},
    },
};
use ndarray::{Array2, s};
use serde_json::Value;

use crate::{
    harness::Random,
    laws::{
        sample::Cuts,
        trio::{Trio, place},
    },
};

struct Reference(Value);

impl Reference {
    fn load() -> Self {
        let text = include_str!("../../../reference/stats.json");
        Self(serde_json::from_str(text).expect("the reference is JSON"))
    }

    /// A list of rows, or of numbers as one row; a number as one of one.
    fn rows(&self, name: &str) -> Array2<f64> {
        let numbers = |row: &Value| -> Vec<f64> {
            let list = row.as_array().cloned().unwrap_or_else(|| vec![row.clone()]);
            list.iter().map(|x| x.as_f64().expect("a number")).collect()
        };
        let value = &self.0[name];
        let nested = value.as_array().is_some_and(|rows| rows.iter().any(Value::is_array));
        let rows: Vec<Vec<f64>> =
            if nested { value.as_array().expect("rows").iter().map(numbers).collect() } else { vec![numbers(value)] };
        Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])
    }

    fn column(&self, name: &str) -> Array2<f64> {
        self.rows(name).reversed_axes()
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        self.rows(name).iter().copied().collect()
    }

    #[track_caller]
    fn check(&self, name: &str, found: &Array2<f64>) {
        let rows = self.rows(name);
        let expected = if rows.nrows() == 1 && found.ncols() == 1 { rows.reversed_axes() } else { rows };
        assert_eq!(found.dim(), expected.dim(), "{name}");
        let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-11 * (1.0 + b.abs());
        assert!(found.iter().zip(&expected).all(close), "{name}: {found:?}, not {expected:?}");
    }

    #[track_caller]
    fn check_numbers(&self, name: &str, found: &[f64]) {
        self.check(name, &Array2::from_shape_fn((1, found.len()), |(_, i)| found[i]));
    }
}

async fn placed(trio: &Trio, reference: &Reference, seed: u64) -> [FedMatrix; 4] {
    let mut random = Random::new(seed);
    let [x, w, a, b] = [reference.rows("x"), reference.column("w"), reference.column("a"), reference.column("b")];
    let cuts = Cuts::rows(&mut random, x.nrows(), 3);
    [x, w, a, b].map(|of| {
        let cuts = Cuts { widths: vec![of.ncols()], ..cuts.clone() };
        place(&trio.fed, &of, &cuts.layout())
    })
}

async fn array(pending: fondaco::Result<fondaco::Pending>) -> Array2<f64> {
    pending.expect("it fits").await.expect("it is one's own")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_family() {
    let (trio, reference) = (Trio::start().await, Reference::load());
    let (q, edges) = (reference.numbers("q"), reference.numbers("edges"));
    for seed in 0..4 {
        let [x, w, a, b] = placed(&trio, &reference, seed).await;
        let exact = |found: fondaco::Result<fondaco::Quantiles>| found.expect("one's own").exact().expect("exact");
        reference.check("quantile", &exact(x.quantile(&q, Axis::Columns).await));
        reference.check("median", &exact(x.median(Axis::Columns).await));
        reference.check("quantile_weighted", &exact(x.quantile_weighted(&q, &w, Axis::Columns).await));
        reference.check("iqm", &exact(x.iqm(Axis::Columns).await));
        reference.check("iqm_weighted", &exact(x.iqm_weighted(&w, Axis::Columns).await));
        let first = x.columns([0]).expect("a column");
        reference.check("histogram", &array(first.histogram(&edges, Axis::All)).await);
        reference.check("histogram_weighted", &array(first.histogram_weighted(&edges, &w, Axis::All)).await);
        reference.check("histogram_density", &array(first.histogram_density(&edges, Axis::All)).await);
        reference.check("cov_weighted", &array(x.cov_weighted(&w, 1)).await);
        reference.check("average", &array(x.average(&w)).await);
        let moments = array(x.weighted_moments(&w, 4)).await;
        let central = moments.slice(s![3.., ..]).to_owned() / moments[[0, 0]];
        reference.check("moments_weighted", &central);
        reference.check("table", &array(a.table(&b, 3, 4)).await);
        let levels = reference.rows("group_levels");
        let keys = a.hstack([&b]).expect("aligned");
        let grouped = x.group_by(&keys, levels.clone()).expect("aligned");
        reference.check("group_count", &array(grouped.count()).await);
        reference.check("group_sum", &array(grouped.sum()).await);
        reference.check("group_mean", &array(grouped.mean()).await);
        reference.check("group_var", &array(grouped.var(1)).await);
        reference.check("group_min", &array(grouped.min()).await);
        reference.check("group_max", &array(grouped.max()).await);
        assert_eq!(keys.levels(100).await.expect("there are twelve").keys, levels);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn summaries() {
    let (trio, reference) = (Trio::start().await, Reference::load());
    for seed in 0..3 {
        let [x, _, a, b] = placed(&trio, &reference, seed).await;
        let of = Univariate::of(&x).await.expect("one's own");
        reference.check_numbers("variance", of.variance.as_slice().expect("one row"));
        reference.check_numbers("standard_error", of.standard_error.as_slice().expect("one row"));
        reference.check_numbers("skewness", of.skewness.as_slice().expect("one row"));
        reference.check_numbers("kurtosis", of.kurtosis.as_slice().expect("one row"));
        reference.check("median", &of.median.exact().expect("exact"));
        reference.check("iqm", &of.iqm.exact().expect("exact"));
        let cells = reference.rows("x");
        let largest = cells.column(1).iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert_eq!((of.max[1], of.max[1] - of.min[1]), (largest, of.range[1]));
        // SystemDS's formulas for 90 rows.
        assert!((of.skewness_error - 0.254_032_0).abs() < 1e-6, "{}", of.skewness_error);
        assert!((of.kurtosis_error - 0.502_935_9).abs() < 1e-6, "{}", of.kurtosis_error);
        let found = Categories::found(&a, 10).await.expect("there are three");
        assert_eq!(found, Categories::of_codes(&a, 5).await.expect("there are three"));
        assert_eq!((found.categories.len(), found.modes), (3, reference.numbers("modes")));

        let [first, second] = [0, 1].map(|column| x.columns([column]).expect("a column"));
        let pearson = Pearson::of(&first, &second).await.expect("aligned");
        reference.check_numbers("pearson", &[pearson.r]);
        reference.check_numbers("covariance", &[pearson.covariance]);
        let chi = ChiSquared::of(&a, &b, 3, 4).await.expect("aligned");
        reference.check_numbers("chi_squared", &[chi.statistic, chi.freedom, chi.p, chi.cramers_v]);
        // Codes that nobody has are no categories.
        let wide = ChiSquared::of(&a, &b, 5, 7).await.expect("aligned");
        assert_eq!((wide.freedom, wide.cramers_v), (chi.freedom, chi.cramers_v));
        let levels = ndarray::array![[0.0], [1.0], [2.0]];
        let anova = Anova::of(&second, &a, &levels).await.expect("aligned");
        reference.check_numbers("anova", &[anova.f, anova.p, anova.eta]);
        let spearman = bivariate::spearman(&a, &b, 3, 4).await.expect("aligned");
        reference.check_numbers("spearman", &[spearman]);
    }
}

/// What is not let out is not there; the rest is.
#[tokio::test(flavor = "multi_thread")]
async fn a_summary_of_aggregate_data() {
    use crate::harness::Table;
    let reference = Reference::load();
    let cells = reference.rows("x");
    let whole = cells.clone();
    let trio = Trio::planned(move |site, plan| {
        plan.dataset("d", &Table::of(&cells.slice(s![30 * site..30 * (site + 1), ..]).to_owned()))
    })
    .await;
    let x = trio.fed.read("d").await.expect("it is open");
    let of = Univariate::of(&x).await.expect("aggregates leave");
    reference.check_numbers("variance", of.variance.as_slice().expect("one row"));
    assert!(of.min.iter().chain(&of.max).all(|x| x.is_nan()), "extremes are the owner's");
    for (column, x) in whole.columns().into_iter().enumerate() {
        let mut sorted = x.to_vec();
        sorted.sort_by(f64::total_cmp);
        let median = (sorted[44] + sorted[45]) / 2.0;
        let (low, high) = (of.median.lower[[0, column]], of.median.upper[[0, column]]);
        assert!(low <= median && median < high, "{low} {median} {high}");
        let iqm = reference.rows("iqm")[[0, column]];
        let (low, high) = (of.iqm.lower[[0, column]], of.iqm.upper[[0, column]]);
        assert!(low <= iqm && iqm <= high, "{low} {iqm} {high}");
    }
}
