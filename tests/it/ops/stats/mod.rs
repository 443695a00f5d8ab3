//! Rows in cells: ranks, histograms, tables, groups, levels; weighted moments.

mod quantile;
mod reference;

use fondaco::{Axis, Cut, FedMatrix, Op, Operand, Pending, op};
use fondaco_proto::op::{GroupFunction, Ranks, StatsOp};
use ndarray::{Array2, array, s};

use super::{Asked, cases};
use crate::{
    harness::Random,
    laws::{
        sample::{self, Cells, Cuts},
        trio::{Trio, place, scatter},
    },
    oracle::{self, Expected},
};

fn expected(op: StatsOp, inputs: &[&Array2<f64>]) -> Expected {
    // A new operator does not compile here, before it is missing below.
    match op {
        StatsOp::RankCounts { .. }
        | StatsOp::Table { .. }
        | StatsOp::Group(_)
        | StatsOp::Levels { .. }
        | StatsOp::WeightedMoments { .. }
        | StatsOp::WeightedCov => oracle::expected(&Op::Stats(op), inputs),
    }
}

fn apply(x: &FedMatrix, op: StatsOp, operands: Vec<Operand>) -> Pending {
    let name = Op::Stats(op).name();
    let outcome = x.apply(&Op::Stats(op), operands).unwrap_or_else(|error| panic!("{name}: {error}"));
    outcome.local().expect("it is for the coordinator")
}

/// Numbers that are among the cells, and that are not.
fn thresholds(random: &mut Random, x: &Array2<f64>, columns: usize) -> Array2<f64> {
    let cells: Vec<f64> = x.iter().copied().collect();
    let k = random.below(7);
    Array2::from_shape_simple_fn((k, columns), || match random.below(6) {
        0 => *random.pick(&[f64::NEG_INFINITY, f64::INFINITY, f64::NAN, 0.0]),
        1 => 1e9 + random.unit() * 20.0,
        2 => random.unit() - 0.5,
        _ if cells.is_empty() => 1.0,
        _ => *random.pick(&cells),
    })
}

/// A row cut, or now and then a column cut: of what goes into cells, grids are refused.
fn one_way(random: &mut Random, n: usize, d: usize) -> Cuts {
    if random.below(3) > 0 { Cuts::rows(random, n, d) } else { Cuts::columns(random, n, d) }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranks() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(70, 120) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let (cells, cuts) = (Cells::pick(&mut random), one_way(&mut random, n, d));
        let x = cells.matrix(&mut random, n, d);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) {cells:?} cut {:?}", cuts.layout()));
        let width = *random.pick(&[1, d]);
        let steps = thresholds(&mut random, &x, width);
        let w = Cells::Normal.matrix(&mut random, n, 1);
        for &ranks in Ranks::ALL {
            let plain = StatsOp::RankCounts { ranks, weighted: false };
            let counts = apply(&fed, plain, vec![(&steps).into(), (&fed).into()]);
            asked.ask(format!("{} counts", ranks.name()), counts, expected(plain, &[&steps, &x]));
            let sums = StatsOp::RankCounts { ranks, weighted: true };
            let by_array = apply(&fed, sums, vec![(&steps).into(), (&fed).into(), (&w).into()]);
            asked.ask(format!("{} weights", ranks.name()), by_array, expected(sums, &[&steps, &x, &w]));
            let by_cells = apply(&fed, sums, vec![(&steps).into(), (&fed).into(), (&fed).into()]);
            asked.ask(format!("{} cells", ranks.name()), by_cells, expected(sums, &[&steps, &x, &x]));
            if cuts.by_rows() {
                let column = cuts.aligned(&mut random, 1);
                let w_fed = place(&trio.fed, &w, &column.layout());
                let by_fed = apply(&fed, sums, vec![(&steps).into(), (&fed).into(), (&w_fed).into()]);
                asked.ask(format!("{} fed", ranks.name()), by_fed, expected(sums, &[&steps, &x, &w]));
            }
        }
        asked.check(&trio.fed).await;
    }
}

/// Of each axis, `np.histogram`'s bins.
fn bins(x: &Array2<f64>, edges: &[f64], w: Option<&Array2<f64>>, axis: Axis) -> Expected {
    let last = edges.len() - 2;
    let bin = |x: f64| (0..=last).find(|&i| edges[i] <= x && (x < edges[i + 1] || (i == last && x == edges[i + 1])));
    let columns = if axis == Axis::All { 1 } else { x.ncols() };
    let (mut sums, mut sizes) = (Array2::zeros((last + 1, columns)), Array2::zeros((last + 1, columns)));
    for ((row, column), x) in x.indexed_iter() {
        if let Some(bin) = bin(*x) {
            let w = w.map_or(1.0, |w| w[[row, 0]]);
            sums[[bin, column.min(columns - 1)]] += w;
            sizes[[bin, column.min(columns - 1)]] += w.abs();
        }
    }
    if w.is_none() { Expected::exact(sums) } else { Expected::of_size(sums, &sizes, 0.0) }
}

#[tokio::test(flavor = "multi_thread")]
async fn histograms() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(71, 60) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let (cells, cuts) = (Cells::pick(&mut random), one_way(&mut random, n, d));
        let (x, w) = (cells.matrix(&mut random, n, d), Cells::Normal.matrix(&mut random, n, 1));
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut edges: Vec<f64> = thresholds(&mut random, &x, 1).iter().copied().filter(|x| !x.is_nan()).collect();
        edges.extend([0.0, *random.pick(&[2.0, f64::INFINITY])]);
        edges.sort_by(f64::total_cmp);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) {cells:?} {edges:?} cut {:?}", cuts.layout()));
        for axis in [Axis::All, Axis::Columns] {
            asked.ask("counts", fed.histogram(&edges, axis).expect("edges ascend"), bins(&x, &edges, None, axis));
            let sums = fed.histogram_weighted(&edges, &w, axis).expect("edges ascend");
            asked.ask("weights", sums, bins(&x, &edges, Some(&w), axis));
            let mut density = bins(&x, &edges, None, axis).value;
            for mut column in density.columns_mut() {
                let total = column.sum();
                column.iter_mut().enumerate().for_each(|(i, cell)| *cell = *cell / (edges[i + 1] - edges[i]) / total);
            }
            let size = density.mapv(f64::abs);
            asked.ask(
                "density",
                fed.histogram_density(&edges, axis).expect("edges ascend"),
                Expected::of_size(density, &size, 0.0),
            );
        }
        asked.check(&trio.fed).await;
    }
}

/// Codes from 0 on, and now and then what is none.
fn codes(random: &mut Random, n: usize) -> Array2<f64> {
    Array2::from_shape_simple_fn((n, 1), || match random.below(10) {
        0 => *random.pick(&[f64::NAN, -1.0, 0.5, 9.0, -0.0, f64::INFINITY]),
        _ => random.below(4) as f64,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn tables() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(72, 80) {
        let n = sample::rows(&mut random);
        let cuts = Cuts::rows(&mut random, n, 1);
        let [a, b] = [codes(&mut random, n), codes(&mut random, n)];
        let w = Cells::pick(&mut random).matrix(&mut random, n, 1);
        let fed_a = scatter(&trio.fed, &mut random, &a, &cuts);
        let aligned = cuts.aligned(&mut random, 1);
        let [fed_b, fed_w] = [&b, &w].map(|column| place(&trio.fed, column, &aligned.layout()));
        let (rows, columns) = (1 + random.below(5) as u64, 1 + random.below(5) as u64);
        let mut asked = Asked::new(format!("seed {seed}: {n} rows, ({rows}, {columns}), cut {:?}", cuts.layout()));
        let counts = expected(StatsOp::Table { rows, columns, weighted: false }, &[&a, &b]);
        asked.ask("fed", fed_a.table(&fed_b, rows, columns).expect("aligned"), counts.clone());
        asked.ask("an array", fed_a.table(&b, rows, columns).expect("as many rows"), counts);
        let sums = expected(StatsOp::Table { rows, columns, weighted: true }, &[&a, &b, &w]);
        asked.ask("weights", fed_a.table_weighted(&fed_b, &fed_w, rows, columns).expect("aligned"), sums);
        asked.check(&trio.fed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(73, 100) {
        let (n, d, m) = (sample::rows(&mut random), sample::columns(&mut random), 1 + random.below(2));
        let (cells, cuts) = (Cells::pick(&mut random), one_way(&mut random, n, d));
        let x = cells.matrix(&mut random, n, d);
        let mut keys = Array2::zeros((n, m));
        keys.columns_mut().into_iter().for_each(|mut column| column.assign(&codes(&mut random, n).column(0)));
        let levels = match (m, random.below(2)) {
            (1, 0) => array![[2.0], [0.0], [7.0]],
            (1, _) => array![[0.5], [3.0], [0.0], [-1.0]],
            (_, 0) => array![[0.0, 1.0], [2.0, 2.0]],
            _ => array![[1.0, -1.0], [0.0, 0.0], [9.0, 9.0]],
        };
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let keys_given = if cuts.by_rows() && random.below(3) > 0 {
            let aligned = cuts.aligned(&mut random, m);
            Operand::from(place(&trio.fed, &keys, &aligned.layout()))
        } else {
            Operand::from(&keys)
        };
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) {cells:?} {levels:?} cut {:?}", cuts.layout()));
        let grouped = fed.group_by(&keys_given, levels.clone()).expect("aligned rows");
        let of = |function| expected(StatsOp::Group(function), &[&levels, &keys, &x]);
        let g = levels.nrows();
        let counts = expected(StatsOp::Group(GroupFunction::Count), &[&levels, &keys]);
        asked.ask("count", grouped.count().expect("aligned"), counts.clone());
        asked.ask("sum", grouped.sum().expect("aligned"), of(GroupFunction::Sum));
        asked.ask("min", grouped.min().expect("aligned"), of(GroupFunction::Min));
        asked.ask("max", grouped.max().expect("aligned"), of(GroupFunction::Max));
        let moments = of(GroupFunction::Moments);
        asked.ask("moments", grouped.moments().expect("aligned"), moments.clone());
        asked.ask("mean", grouped.mean().expect("aligned"), moments.rows(g..2 * g));
        let variances = moments.rows(2 * g..3 * g).map(|group, m2| {
            let freedom = counts.value[[group, 0]] - 1.0;
            if freedom > 0.0 { m2 / freedom } else { f64::NAN }
        });
        asked.ask("var", grouped.var(1).expect("aligned"), variances);
        asked.check(&trio.fed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn levels_of_keys() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(74, 60) {
        let (n, m) = (sample::rows(&mut random), 1 + random.below(3));
        let cuts = Cuts::rows(&mut random, n, m);
        let mut keys = Array2::zeros((n, m));
        keys.columns_mut().into_iter().for_each(|mut column| column.assign(&codes(&mut random, n).column(0)));
        let fed = scatter(&trio.fed, &mut random, &keys, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {m}) cut {:?}", cuts.layout()));
        for most in [3, 1000] {
            let op = StatsOp::Levels { most };
            asked.ask(format!("at most {most}"), apply(&fed, op, vec![(&fed).into()]), expected(op, &[&keys]));
        }
        asked.check(&trio.fed).await;
        let raw = expected(StatsOp::Levels { most: 1000 }, &[&keys]).value;
        let count = raw[[0, 0]] as usize;
        let levels = fed.levels(1000).await.expect("there are few");
        assert_eq!(levels.keys, raw.slice(s![1..=count, ..m]));
        assert_eq!(levels.counts, raw.slice(s![1..=count, m]).to_vec());
        if count > 3 {
            let error = fed.levels(3).await.expect_err("there are more").to_string();
            assert!(error.contains("more than 3 distinct rows"), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn weighted() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(75, 100) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let (cells, cuts) = (Cells::pick(&mut random), one_way(&mut random, n, d));
        let x = cells.matrix(&mut random, n, d);
        let w = Array2::from_shape_simple_fn((n, 1), || if random.below(4) == 0 { 0.0 } else { 8.0 * random.unit() });
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) {cells:?} cut {:?}", cuts.layout()));
        let order = 2 + random.below(3) as u32;
        let moments = expected(StatsOp::WeightedMoments { order }, &[&x, &w]);
        asked.ask("average", fed.average(&w).expect("as many rows"), moments.rows(2..3));
        asked.ask(format!("order {order}"), fed.weighted_moments(&w, order).expect("as many rows"), moments);
        if !cuts.is_whole() && cuts.cut() != Some(Cut::Rows) {
            let error = fed.cov_weighted(&w, 1).expect_err("rows are needed, in whole").to_string();
            assert!(error.contains("row-level"), "{error}");
            asked.check(&trio.fed).await;
            continue;
        }
        let w_fed = if cuts.cut() == Some(Cut::Rows) {
            Operand::from(place(&trio.fed, &w, &cuts.aligned(&mut random, 1).layout()))
        } else {
            Operand::from(&w)
        };
        let products = expected(StatsOp::WeightedCov, &[&x, &w]);
        let raw = apply(&fed, StatsOp::WeightedCov, vec![(&fed).into(), w_fed.clone()]);
        asked.ask("products", raw, products.clone());
        let ddof = random.below(2) as u32;
        let (sum, squares) = (products.value[[0, 0]], products.value[[1, 0]]);
        let freedom = if ddof == 0 { sum } else { (sum - f64::from(ddof) * squares / sum).max(0.0) };
        let covariances = products.rows(3..d + 3).map(|_, product| product / freedom);
        // Of next to no freedom all digits are gone.
        if freedom.is_nan() || freedom >= 1e-6 * sum {
            asked.ask(format!("cov ddof {ddof}"), fed.cov_weighted(&w_fed, ddof).expect("a row cut"), covariances);
        }
        asked.check(&trio.fed).await;
    }
}

/// A weight of two is a row twice.
#[tokio::test(flavor = "multi_thread")]
async fn whole_weights_are_repetitions() {
    let trio = Trio::start().await;
    for (_, mut random) in cases(76, 20) {
        let n = 20 + random.below(200);
        let x = Cells::Normal.matrix(&mut random, n, 3);
        let w = Array2::from_shape_simple_fn((n, 1), || random.below(4) as f64);
        let repeated: Vec<usize> = (0..n).flat_map(|row| std::iter::repeat_n(row, w[[row, 0]] as usize)).collect();
        let repeated = x.select(ndarray::Axis(0), &repeated);
        let cuts = Cuts::rows(&mut random, n, 3);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let covariances = fed.cov_weighted(&w, 0).expect("a row cut").await.expect("it is one's own");
        oracle::covariances(&repeated, None, 0).check("cov", &covariances);
        let correlations = fed.corr_weighted(&w).expect("a row cut").await.expect("it is one's own");
        let expected = oracle::covariances(&repeated, None, 0).value;
        let close = |((i, j), r): ((usize, usize), &f64)| {
            (r - expected[[i, j]] / (expected[[i, i]] * expected[[j, j]]).sqrt()).abs() < 1e-12
        };
        assert!(correlations.indexed_iter().all(close), "{correlations}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused() {
    let trio = Trio::start().await;
    let x = trio.fed.put_whole("a", Array2::<f64>::ones((6, 2))).expect("a site");
    let one = x.columns([0]).expect("a column");
    let refused = |result: fondaco::Result<Pending>| result.expect_err("it does not fit").to_string();
    assert!(refused(x.rank_counts(Array2::zeros((2, 3)))).contains("as many as X"));
    assert!(refused(x.rank_sums(Array2::zeros((2, 1)), Array2::zeros((5, 1)))).contains("rows"));
    assert!(refused(x.histogram(&[1.0], Axis::All)).contains("at least two edges"));
    assert!(refused(x.histogram(&[1.0, 0.0], Axis::All)).contains("ascending"));
    assert!(refused(x.table(&one, 2, 2)).contains("single columns"));
    assert!(refused(one.table(&one, 0, 2)).contains("at least one row"));
    assert!(refused(x.weighted_moments(Array2::ones((6, 1)), 5)).contains("2, 3 or 4"));
    assert!(refused(x.cov_weighted(Array2::from_elem((6, 1), -1.0), 1)).contains("negative"));
    let no_groups = |levels: Array2<f64>| x.group_by(&one, levels).expect_err("no levels").to_string();
    assert!(no_groups(Array2::zeros((0, 1))).contains("at least one"));
    assert!(no_groups(array![[f64::NAN]]).contains("are numbers"));
    assert!(no_groups(array![[0.0], [-0.0]]).contains("twice"));
    assert!(no_groups(array![[0.0, 1.0]]).contains("as many columns as levels"));
    assert_eq!(op::Ranks::ALL.len() + op::GroupFunction::ALL.len(), 8);
}
