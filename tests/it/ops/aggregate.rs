//! Reductions over all, down the rows, and along them.

mod several;

use fondaco::{AggregateFunction, Axis, Cut, FedMatrix, Op, Pending, Result, op};
use fondaco_proto::op::AggregateOp;
use ndarray::{Array2, array};

use super::{Asked, cases};
use crate::{
    laws::{
        sample::{self, Cells, Cuts},
        trio::{Trio, place, scatter},
    },
    oracle::{self, Expected},
};

/// For the coordinator; and along each row, where there is a method for it.
type Methods = (fn(&FedMatrix, Axis, u32) -> Result<Pending>, fn(&FedMatrix, u32) -> Result<FedMatrix>);

/// Those that have no method of their own.
macro_rules! partial {
    ($function:ident) => {
        (
            |x, axis, _| x.aggregate(AggregateFunction::$function, axis, 0),
            |x, _| x.aggregate_rows(AggregateFunction::$function, 0),
        )
    };
}

const AGGREGATES: &[(AggregateFunction, Methods)] = &[
    (AggregateFunction::Sum, (|x, axis, _| x.sum(axis), |x, _| x.row_sum())),
    (AggregateFunction::Sumsq, (|x, axis, _| x.sumsq(axis), |x, _| x.row_sumsq())),
    (AggregateFunction::Mean, (|x, axis, _| x.mean(axis), |x, _| x.row_mean())),
    (AggregateFunction::Var, (FedMatrix::var, FedMatrix::row_var)),
    (AggregateFunction::Std, (FedMatrix::std, FedMatrix::row_std)),
    (AggregateFunction::Min, (|x, axis, _| x.min(axis), |x, _| x.row_min())),
    (AggregateFunction::Max, (|x, axis, _| x.max(axis), |x, _| x.row_max())),
    (AggregateFunction::Nnz, (|x, axis, _| x.nnz(axis), |x, _| x.row_nnz())),
    (AggregateFunction::Moments, partial!(Moments)),
    (AggregateFunction::Prod, (|x, axis, _| x.prod(axis), |x, _| x.row_prod())),
    (AggregateFunction::ScaledProd, partial!(ScaledProd)),
    (AggregateFunction::Any, (|x, axis, _| x.any(axis), |x, _| x.row_any())),
    (AggregateFunction::All, (|x, axis, _| x.all(axis), |x, _| x.row_all())),
    (AggregateFunction::Nansum, (|x, axis, _| x.nansum(axis), |x, _| x.row_nansum())),
    (AggregateFunction::Nanmean, (|x, axis, _| x.nanmean(axis), |x, _| x.row_nanmean())),
    (AggregateFunction::Nanvar, (FedMatrix::nanvar, FedMatrix::row_nanvar)),
    (AggregateFunction::Nanstd, (FedMatrix::nanstd, FedMatrix::row_nanstd)),
    (AggregateFunction::Nanmin, (|x, axis, _| x.nanmin(axis), |x, _| x.row_nanmin())),
    (AggregateFunction::Nanmax, (|x, axis, _| x.nanmax(axis), |x, _| x.row_nanmax())),
    (AggregateFunction::Nanmoments, partial!(Nanmoments)),
    (AggregateFunction::Argmin, (|x, axis, _| x.argmin(axis), |x, _| x.row_argmin())),
    (AggregateFunction::Argmax, (|x, axis, _| x.argmax(axis), |x, _| x.row_argmax())),
    (AggregateFunction::PlacedMin, partial!(PlacedMin)),
    (AggregateFunction::PlacedMax, partial!(PlacedMax)),
    (AggregateFunction::Moment2, (|x, axis, _| x.moment(axis, 2), |x, _| x.row_moment(2))),
    (AggregateFunction::Moment3, (|x, axis, _| x.moment(axis, 3), |x, _| x.row_moment(3))),
    (AggregateFunction::Moment4, (|x, axis, _| x.moment(axis, 4), |x, _| x.row_moment(4))),
    (AggregateFunction::Skew, (|x, axis, ddof| x.skew(axis, ddof == 0), |x, ddof| x.row_skew(ddof == 0))),
    (AggregateFunction::Kurtosis, (|x, axis, ddof| x.kurtosis(axis, ddof == 0), |x, ddof| x.row_kurtosis(ddof == 0))),
    (AggregateFunction::WideMoments, partial!(WideMoments)),
    (AggregateFunction::WideNanmoments, partial!(WideNanmoments)),
    (AggregateFunction::HigherMoments, partial!(HigherMoments)),
];

#[test]
fn the_table_is_complete() {
    assert_eq!(AGGREGATES.iter().map(|line| line.0).collect::<Vec<_>>(), AggregateFunction::ALL);
    assert_eq!(op::Axis::ALL.len(), 3);
}

fn expected(function: AggregateFunction, axis: op::Axis, ddof: u32, x: &Array2<f64>) -> Expected {
    oracle::expected(&Op::Aggregate(AggregateOp::with_ddof(function, axis, ddof)), &[x])
}

fn is_extreme(function: AggregateFunction) -> bool {
    use AggregateFunction::{Argmax, Argmin, Max, Min, Nanmax, Nanmin, PlacedMax, PlacedMin};
    matches!(function, Min | Max | Nanmin | Nanmax | Argmin | Argmax | PlacedMin | PlacedMax)
}

/// The degrees of freedom that are tried: of skew and kurtosis, whether bias is corrected.
fn ddofs(function: AggregateFunction) -> usize {
    use AggregateFunction::{Kurtosis, Nanstd, Nanvar, Skew, Std, Var};
    match function {
        Var | Std | Nanvar | Nanstd => 3,
        Skew | Kurtosis => 2,
        _none => 1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reductions() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(10, 150) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let (cells, cuts) = (Cells::pick(&mut random), Cuts::any(&mut random, n, d));
        let x = cells.matrix(&mut random, n, d);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) {cells:?} cut {:?}", cuts.layout()));
        for (function, (reduce, along_rows)) in AGGREGATES {
            let ddof = random.below(ddofs(*function)) as u32;
            for axis in [Axis::All, Axis::Columns] {
                if n == 0 && is_extreme(*function) {
                    let message = reduce(&fed, axis, 0).expect_err("nothing has no minimum").to_string();
                    assert!(message.contains("ask for at least one row"), "{message}");
                    continue;
                }
                let pending = reduce(&fed, axis, ddof).expect("every layout is accepted");
                let what = format!("{} {axis:?} ddof {ddof}", function.name());
                asked.ask(what, pending, expected(*function, axis.into(), ddof, &x));
            }
            let result = along_rows(&fed, ddof).expect("every layout is accepted");
            let what = format!("{} along rows, ddof {ddof}", function.name());
            let pending = result.fetch().expect("it is one's own");
            asked.ask(what, pending, expected(*function, op::Axis::Rows, ddof, &x));
        }
        asked.check(&trio.fed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn covariances() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(13, 100) {
        let (n, d, e) = (sample::rows(&mut random), sample::columns(&mut random), sample::columns(&mut random));
        let (cells, cuts) = (Cells::pick(&mut random), Cuts::any(&mut random, n, d));
        let (x, y) = (cells.matrix(&mut random, n, d), cells.matrix(&mut random, n, e));
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        if n == 0 {
            let message = fed.cov(0).expect_err("rows are needed").to_string();
            assert!(message.contains("there are no rows"), "{message}");
            continue;
        }
        let ddof = random.below(n.min(3)) as u32;
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) {cells:?} ddof {ddof} cut {:?}", cuts.layout()));
        asked.ask("cov".to_owned(), fed.cov(ddof).expect("a row cut"), oracle::covariances(&x, None, ddof));
        let expected = oracle::covariances(&x, Some(&y), ddof);
        if cuts.cut() == Some(Cut::Rows) {
            let aligned = cuts.aligned(&mut random, e);
            let fed_y = scatter(&trio.fed, &mut random, &y, &aligned);
            asked.ask("with federated".to_owned(), fed.cov_with(&fed_y, ddof).expect("aligned rows"), expected.clone());
        }
        asked.ask("with an array".to_owned(), fed.cov_with(&y, ddof).expect("as many rows"), expected);
        asked.check(&trio.fed).await;
    }
}

/// Of columns that vary, also far from zero.
#[tokio::test(flavor = "multi_thread")]
async fn correlations() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(14, 40) {
        let (n, d) = (3 + random.below(200), sample::columns(&mut random));
        let cells = *random.pick(&[Cells::Normal, Cells::Offset, Cells::Negative]);
        let x = cells.matrix(&mut random, n, d);
        let cuts = Cuts::any(&mut random, n, d);
        let covariances = oracle::covariances(&x, None, 1).value;
        let expected = Array2::from_shape_fn((d, d), |(i, j)| {
            covariances[[i, j]] / (covariances[[i, i]] * covariances[[j, j]]).sqrt()
        });
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) {cells:?} cut {:?}", cuts.layout()));
        // What is rounded of the cells themselves is the condition number's, as in a variance.
        let largest = x.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
        let least = covariances.diag().iter().fold(f64::INFINITY, |least, variance| least.min(variance.sqrt()));
        let slack = 1e-12 + 16.0 * f64::EPSILON * largest / least;
        let expected = oracle::Expected::within(expected, Array2::from_elem((d, d), slack));
        asked.ask("corr".to_owned(), fed.corr().expect("a row cut"), expected);
        asked.check(&trio.fed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn variances_far_from_zero() {
    let trio = Trio::start().await;
    let x = array![[4.0], [7.0], [13.0], [16.0]] + 1e9;
    for (_, mut random) in cases(11, 12) {
        let cuts = Cuts::rows(&mut random, 4, 1);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let var = fed.var(Axis::All, 1).expect("a row cut").scalar().await.expect("it is one's own");
        assert_eq!(var, 30.0, "{:?}", cuts.layout());
        let std = fed.std(Axis::Columns, 0).expect("a row cut").await.expect("it is one's own");
        assert_eq!(std, array![[22.5_f64.sqrt()]], "{:?}", cuts.layout());
    }
}

/// What the sites' means lose when they become doubles is not lost: a variance over sites is as good as one over all
/// rows, far from zero too.
#[tokio::test(flavor = "multi_thread")]
async fn variances_over_sites_lose_no_digits() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(15, 20) {
        let n = 100 + random.below(3000);
        let near = Array2::from_shape_simple_fn((n, 2), || (random.unit() * 1024.0).round() / 1024.0);
        // Without rounding, so that what lies near zero varies alike.
        let far = &near + &array![[1e9, -3e11]];
        let cuts = Cuts::rows(&mut random, n, 2);
        let [near, far] = [&near, &far].map(|x| place(&trio.fed, x, &cuts.layout()));
        let pending = [&near, &far].map(|x| {
            let covariance = x.cov(0).expect("a row cut");
            let var = x.var(Axis::Columns, 1).expect("a row cut");
            [var, x.skew(Axis::Columns, true).expect("a row cut"), covariance]
        });
        let results = trio.fed.fetch_all(pending.into_iter().flatten()).await.expect("it is one's own");
        for (what, (near, far)) in ["var", "skew", "cov"].iter().zip(results[..3].iter().zip(&results[3..])) {
            let off = near.iter().zip(far).map(|(near, far)| (near - far).abs()).fold(0.0, f64::max);
            assert!(off < 1e-13, "seed {seed}: {what} is off by {off} over {:?}", cuts.layout());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_columns_far_from_zero() {
    let trio = Trio::start().await;
    let (seed, mut random) = cases(12, 1).next().expect("there is one case");
    let n = 60_000;
    let x = Array2::from_shape_simple_fn((n, 3), || random.unit()) + &array![[0.0, 1e9, -1e15]];
    for layout in [Cuts::rows(&mut random, n, 3), Cuts::of(Cut::Rows, vec![("b", n)], 3)] {
        let fed = scatter(&trio.fed, &mut random, &x, &layout);
        let mut asked = Asked::new(format!("seed {seed}: {:?}", layout.layout()));
        for (function, (reduce, _)) in AGGREGATES {
            for axis in [Axis::All, Axis::Columns] {
                let pending = reduce(&fed, axis, 0).expect("a row cut");
                asked.ask(format!("{} {axis:?}", function.name()), pending, expected(*function, axis.into(), 0, &x));
            }
        }
        asked.check(&trio.fed).await;
    }
}
