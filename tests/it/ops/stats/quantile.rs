//! Quantiles by sorting, as NumPy has them.

use fondaco::{Axis, FedMatrix};
use ndarray::{Array2, array};

use crate::{
    harness::Random,
    laws::{
        sample::{self, Cells, Cuts},
        trio::{Trio, place, scatter},
    },
    ops::cases,
    oracle::Expected,
};

/// Cells in the order of NumPy, column by column or all.
fn series(x: &Array2<f64>, axis: Axis) -> Vec<Vec<f64>> {
    let mut series: Vec<Vec<f64>> = match axis {
        Axis::All => vec![x.iter().copied().collect()],
        Axis::Columns => x.columns().into_iter().map(|column| column.to_vec()).collect(),
    };
    series.iter_mut().for_each(|cells| cells.sort_by(f64::total_cmp));
    series
}

fn has_nan(cells: &[f64]) -> bool {
    cells.iter().any(|x| x.is_nan())
}

/// `np.quantile`.
fn linear(cells: &[f64], q: f64) -> f64 {
    if has_nan(cells) || cells.is_empty() {
        return f64::NAN;
    }
    let at = (cells.len() - 1) as f64 * q;
    let (first, share) = (at.floor() as usize, at - at.floor());
    let (a, b) = (cells[first], cells[(first + 1).min(cells.len() - 1)]);
    if share >= 0.5 { b - (b - a) * (1.0 - share) } else { a + (b - a) * share }
}

/// `np.median`.
fn median(cells: &[f64]) -> f64 {
    if has_nan(cells) || cells.is_empty() {
        return f64::NAN;
    }
    let n = cells.len();
    if n % 2 == 1 { cells[n / 2] } else { (cells[n / 2 - 1] + cells[n / 2]) / 2.0 }
}

/// Cells with their weights, in order.
fn weighted(x: &Array2<f64>, w: &Array2<f64>, axis: Axis) -> Vec<Vec<(f64, f64)>> {
    let of = |row: usize, column: usize| (x[[row, column]], w[[row, column.min(w.ncols() - 1)]]);
    let column = |column: usize| (0..x.nrows()).map(move |row| of(row, column)).collect::<Vec<_>>();
    let mut series: Vec<Vec<(f64, f64)>> = match axis {
        Axis::All => vec![(0..x.ncols()).flat_map(column).collect()],
        Axis::Columns => (0..x.ncols()).map(column).collect(),
    };
    series.iter_mut().for_each(|cells| cells.sort_by(|a, b| a.0.total_cmp(&b.0)));
    series
}

/// `np.quantile(.., method="inverted_cdf", weights=w)`.
fn inverted(cells: &[(f64, f64)], q: f64) -> f64 {
    let total: f64 = cells.iter().map(|cell| cell.1).sum();
    if cells.iter().any(|cell| cell.0.is_nan()) || total == 0.0 {
        return f64::NAN;
    }
    let mut below = 0.0;
    let found = cells.iter().find(|cell| {
        below += cell.1;
        below > 0.0 && below / total >= q
    });
    found.map_or(f64::NAN, |cell| cell.0)
}

/// The mean of the middle half, and the size of what it is made of.
fn middle(cells: &[(f64, f64)]) -> (f64, f64) {
    let total: f64 = cells.iter().map(|cell| cell.1).sum();
    if cells.iter().any(|cell| cell.0.is_nan()) || total == 0.0 {
        return (f64::NAN, 0.0);
    }
    let (mut below, mut sum, mut size) = (0.0_f64, 0.0, 0.0);
    for (x, w) in cells {
        let within = (below + w).min(0.75 * total) - below.max(0.25 * total);
        below += w;
        if within > 0.0 {
            sum += x * within;
            size += (x * within).abs();
        }
    }
    (sum / (0.5 * total), size / (0.5 * total))
}

fn by_column(columns: &[Vec<f64>]) -> Array2<f64> {
    Array2::from_shape_fn((columns[0].len(), columns.len()), |(row, column)| columns[column][row])
}

async fn check(what: &str, found: fondaco::Result<fondaco::Quantiles>, expected: Expected) {
    let found = found.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(found.is_exact(), "{what}: {found:?}");
    expected.check(what, &found.exact().expect("it is"));
}

/// Weights of which sums are exact.
fn weights(random: &mut Random, n: usize, columns: usize) -> Array2<f64> {
    Array2::from_shape_simple_fn((n, columns), || random.below(24) as f64 / 8.0)
}

const Q: [f64; 6] = [0.0, 0.1, 0.25, 0.5, 0.9, 1.0];

#[tokio::test(flavor = "multi_thread")]
async fn quantiles() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(77, 60) {
        let (n, d) = (sample::rows(&mut random).max(1), sample::columns(&mut random));
        let (cells, cuts) = (Cells::pick(&mut random), super::one_way(&mut random, n, d));
        let x = cells.matrix(&mut random, n, d);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        for axis in [Axis::All, Axis::Columns] {
            let what = format!("seed {seed}: ({n}, {d}) {cells:?} {axis:?} cut {:?}", cuts.layout());
            let series = series(&x, axis);
            let exact = |f: &dyn Fn(&[f64]) -> Vec<f64>| {
                Expected::exact(by_column(&series.iter().map(|cells| f(cells)).collect::<Vec<_>>()))
            };
            let expected = exact(&|cells| Q.iter().map(|q| linear(cells, *q)).collect());
            check(&what, fed.quantile(&Q, axis).await, expected).await;
            check(&what, fed.median(axis).await, exact(&|cells| vec![median(cells)])).await;
            let present = |cells: &[f64]| cells.iter().copied().filter(|x| !x.is_nan()).collect::<Vec<_>>();
            let found = fed.nanquantile(&Q, axis).await.expect("it is one's own");
            exact(&|cells| Q.iter().map(|q| linear(&present(cells), *q)).collect()).check(&what, &found);
            let found = fed.nanmedian(axis).await.expect("it is one's own");
            exact(&|cells| vec![median(&present(cells))]).check(&what, &found);
            let of = |cells: &Vec<f64>| middle(&cells.iter().map(|x| (*x, 1.0)).collect::<Vec<_>>());
            check(&format!("{what}, iqm"), fed.iqm(axis).await, sized(series.iter().map(of))).await;
        }
    }
}

fn sized(means: impl Iterator<Item = (f64, f64)>) -> Expected {
    let (values, sizes): (Vec<f64>, Vec<f64>) = means.unzip();
    let row = |cells: Vec<f64>| Array2::from_shape_vec((1, cells.len()), cells).expect("one row");
    Expected::of_size(row(values), &row(sizes), 5e-324)
}

#[tokio::test(flavor = "multi_thread")]
async fn weighted_quantiles() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(78, 50) {
        let (n, d) = (sample::rows(&mut random).max(1), sample::columns(&mut random));
        let (cells, cuts) = (Cells::pick(&mut random), super::one_way(&mut random, n, d));
        let x = cells.matrix(&mut random, n, d);
        let width = *random.pick(&[1, d]);
        let w = weights(&mut random, n, width);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        for axis in [Axis::All, Axis::Columns] {
            let what = format!("seed {seed}: ({n}, {d}) {cells:?} {axis:?} cut {:?}", cuts.layout());
            let series = weighted(&x, &w, axis);
            let of = |cells: &Vec<(f64, f64)>| Q.iter().map(|q| inverted(cells, *q)).collect();
            let expected = by_column(&series.iter().map(of).collect::<Vec<_>>());
            check(&what, fed.quantile_weighted(&Q, &w, axis).await, Expected::exact(expected)).await;
            let middles = sized(series.iter().map(|cells| middle(cells)));
            check(&format!("{what}, iqm"), fed.iqm_weighted(&w, axis).await, middles).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_round_trips_whatever_the_rows() {
    let trio = Trio::start().await;
    let mut random = Random::new(79);
    let x = Cells::Magnitudes.matrix(&mut random, 30_000, 3);
    let fed = place(&trio.fed, &x, &Cuts::rows(&mut random, 30_000, 3).layout());
    fed.persist().await.expect("it is one's own");
    let before = trio.fed.stats().total().round_trips;
    let found = fed.quantile(&[0.25, 0.5], Axis::Columns).await.expect("it is one's own");
    let trips = trio.fed.stats().sites.iter().map(|site| site.round_trips).max().unwrap_or(0);
    assert!(found.is_exact() && trio.fed.stats().total().round_trips > before);
    assert!(trips <= 12, "{trips} round trips");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_quantiles() {
    let trio = Trio::start().await;
    let of = |x: Array2<f64>| -> FedMatrix { trio.fed.put_whole("a", x).expect("a site") };
    let (none, some) = (of(Array2::zeros((0, 2))), of(array![[1.0], [f64::INFINITY]]));
    let message = |result: fondaco::Result<fondaco::Quantiles>| result.expect_err("there are none").to_string();
    assert!(message(none.median(Axis::All).await).contains("no cells"));
    assert!(message(some.quantile(&[1.5], Axis::All).await).contains("between 0 and 1"));
    assert!(message(some.quantile(&[f64::NAN], Axis::All).await).contains("between 0 and 1"));
    let negative = some.quantile_weighted(&[0.5], array![[-1.0], [1.0]], Axis::All).await;
    assert!(message(negative).contains("negative"));
    // As NumPy: between 1 and infinity there is no number.
    assert!(some.quantile(&[0.25], Axis::All).await.expect("one's own").lower[[0, 0]].is_infinite());
    let weightless = some.quantile_weighted(&[0.5], Array2::zeros((2, 1)), Axis::All).await;
    assert!(weightless.expect("one's own").lower[[0, 0]].is_nan());
}
