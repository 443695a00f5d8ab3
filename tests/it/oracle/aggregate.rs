//! NumPy's reductions, by exact sums.

mod higher;
mod several;

use fondaco_proto::op::{AggregateFunction, AggregateOp, Axis, Reduce};
use ndarray::Array2;

use super::{
    Expected,
    elementwise::{larger, smaller},
    reorg::stack,
    wide::Wide,
};

/// A variance may be off by so many roundings of its condition number.
const ROUNDINGS: f64 = 16.0 * f64::EPSILON;

/// What squares of denormals lose.
const LEAST: f64 = 1e-318;

/// One result, and the slack that it has.
type Cell = (f64, f64);

pub fn expected(op: &AggregateOp, inputs: &[&Array2<f64>]) -> Expected {
    match op {
        AggregateOp::Reduce(op) => reduction(op, &stack(inputs)),
        AggregateOp::Cumulate(op) => several::cumulated(op, inputs[0], inputs.get(1).copied()),
        AggregateOp::SumProduct(op) => several::sum_product(op, inputs),
        AggregateOp::Trace => several::trace(inputs),
        AggregateOp::Distinct(op) => several::distinct(*op, &stack(inputs)),
    }
}

fn reduction(op: &Reduce, x: &Array2<f64>) -> Expected {
    let series: Vec<Vec<f64>> = match op.axis {
        Axis::All => vec![x.iter().copied().collect()],
        Axis::Columns => x.columns().into_iter().map(|column| column.to_vec()).collect(),
        Axis::Rows => x.rows().into_iter().map(|row| row.to_vec()).collect(),
    };
    let width = op.function.width() as usize;
    let cells: Vec<Cell> = series.iter().flat_map(|series| reduce(op, series)).collect();
    let shaped = |which: fn(&Cell) -> f64| {
        let cells = cells.iter().map(which).collect();
        let by_series = Array2::from_shape_vec((series.len(), width), cells).expect("one result per series");
        if op.axis == Axis::Rows { by_series } else { by_series.reversed_axes() }
    };
    Expected::within(shaped(|cell| cell.0), shaped(|cell| cell.1))
}

fn reduce(op: &Reduce, x: &[f64]) -> Vec<Cell> {
    let n = x.len() as f64;
    let exact = |value: f64| (value, 0.0);
    let present: Vec<f64> = x.iter().copied().filter(|x| !x.is_nan()).collect();
    let of_present = |function: AggregateFunction| reduce(&Reduce { function, ..*op }, &present);
    let freedom = present.len() as f64 > f64::from(op.ddof);
    vec![match op.function {
        AggregateFunction::Prod => prod(x),
        AggregateFunction::ScaledProd => {
            let (m, e) = scaled_prod(x);
            return vec![(m, 1e-12 * m.abs()), exact(e)];
        }
        AggregateFunction::Any => exact(f64::from(x.iter().any(|x| *x != 0.0))),
        AggregateFunction::All => exact(f64::from(x.iter().all(|x| *x != 0.0))),
        AggregateFunction::Nansum => return of_present(AggregateFunction::Sum),
        AggregateFunction::Nanmean => return of_present(AggregateFunction::Mean),
        AggregateFunction::Nanmoments => return of_present(AggregateFunction::Moments),
        AggregateFunction::Nanvar if freedom => return of_present(AggregateFunction::Var),
        AggregateFunction::Nanstd if freedom => return of_present(AggregateFunction::Std),
        AggregateFunction::Nanvar | AggregateFunction::Nanstd => exact(f64::NAN),
        AggregateFunction::Nanmin | AggregateFunction::Nanmax if present.is_empty() => exact(f64::NAN),
        AggregateFunction::Nanmin => return of_present(AggregateFunction::Min),
        AggregateFunction::Nanmax => return of_present(AggregateFunction::Max),
        AggregateFunction::Sum => sum(x),
        AggregateFunction::Sumsq => sumsq(x),
        AggregateFunction::Mean => mean(x),
        AggregateFunction::Var => variance(x, op.ddof),
        AggregateFunction::Std => {
            let (variance, slack) = variance(x, op.ddof);
            let std = variance.sqrt();
            // |√a - √b| = |a - b| / (√a + √b), and at most √|a - b|.
            let slack = if slack == 0.0 { 0.0 } else { (slack / std).min(slack.sqrt()) };
            (std, slack + 2.0 * f64::EPSILON * std)
        }
        AggregateFunction::Min => exact(x.iter().copied().fold(f64::INFINITY, |a, b| smaller(b, a))),
        AggregateFunction::Max => exact(x.iter().copied().fold(f64::NEG_INFINITY, |a, b| larger(b, a))),
        AggregateFunction::Nnz => exact(x.iter().filter(|x| **x != 0.0).count() as f64),
        AggregateFunction::Argmin | AggregateFunction::PlacedMin => return placed(op.function, x, smaller),
        AggregateFunction::Argmax | AggregateFunction::PlacedMax => return placed(op.function, x, larger),
        AggregateFunction::WideNanmoments => return of_present(AggregateFunction::WideMoments),
        AggregateFunction::WideMoments | AggregateFunction::HigherMoments => return higher::words(op.function, x),
        AggregateFunction::Moment2 => higher::moment(x, 2),
        AggregateFunction::Moment3 => higher::moment(x, 3),
        AggregateFunction::Moment4 => higher::moment(x, 4),
        AggregateFunction::Skew => higher::skew(x, op.ddof == 1),
        AggregateFunction::Kurtosis => higher::kurtosis(x, op.ddof == 1),
        AggregateFunction::Moments if x.is_empty() => return vec![exact(0.0), (f64::NAN, f64::INFINITY), exact(0.0)],
        AggregateFunction::Moments => return vec![exact(n), mean(x), squares(x)],
    }]
}

/// The first winner's value, where it is asked for, and its place.
fn placed(function: AggregateFunction, x: &[f64], better: fn(f64, f64) -> f64) -> Vec<Cell> {
    let beats = |a: f64, b: f64| !b.is_nan() && (a.is_nan() || (a != b && better(a, b) == a));
    let first = (1..x.len()).fold(0, |first, i| if beats(x[i], x[first]) { i } else { first });
    let place = (first as f64, 0.0);
    match function {
        AggregateFunction::PlacedMin | AggregateFunction::PlacedMax => vec![(x[first], 0.0), place],
        _place_alone => vec![place],
    }
}

/// The sum of these terms, whose sizes are their absolute values; without slack if they are integers.
fn total(terms: impl Iterator<Item = (f64, Wide)> + Clone, least: f64) -> Cell {
    let plain: f64 = terms.clone().map(|(term, _)| term).sum();
    let size: f64 = terms.clone().map(|(term, _)| term.abs()).sum();
    let whole = terms.clone().all(|(term, _)| term.fract() == 0.0);
    let value = Wide::sum(terms.map(|(_, wide)| wide)).value_or(plain);
    let slack = if whole && size <= 2_f64.powi(53) { 0.0 } else { 1e-12 * size + least };
    (value, slack)
}

fn sum(x: &[f64]) -> Cell {
    total(x.iter().map(|&x| (x, Wide::from(x))), 0.0)
}

/// The product, but for overflow on the way; slack for a rounding of each factor.
fn prod(x: &[f64]) -> Cell {
    let (m, e) = scaled_prod(x);
    // In halves, so that neither power overflows; what is beyond both is 0 or infinite anyway.
    let half = (e / 2.0).trunc().clamp(-1100.0, 1100.0);
    let value = m * 2_f64.powf(half) * 2_f64.powf((e - half).clamp(-1100.0, 1100.0));
    (value, 1e-12 * value.abs() + 5e-324)
}

/// Mantissa and exponent of the product, from products of about 32 digits.
fn scaled_prod(x: &[f64]) -> (f64, f64) {
    let plain: f64 = x.iter().map(|x| if x.is_finite() && *x != 0.0 { x.signum() } else { *x }).product();
    if plain == 0.0 || !plain.is_finite() {
        return (plain, 0.0);
    }
    let (mut product, mut exponent) = (Wide::from(1.0), 0.0);
    for &x in x {
        // Tiny numbers have no room for the other half of the digits.
        let (x, shift) = if x.abs() < 1e-150 { (x * 2_f64.powi(600), 600.0) } else { (x, 0.0) };
        product = product.times(Wide::from(x));
        exponent -= shift;
        while product.value().abs() >= 2.0 {
            product = product.times(Wide::from(0.5));
            exponent += 1.0;
        }
        while product.value().abs() < 1.0 {
            product = product.times(Wide::from(2.0));
            exponent -= 1.0;
        }
    }
    (product.value(), exponent)
}

fn sumsq(x: &[f64]) -> Cell {
    total(x.iter().map(|&x| (x * x, Wide::product(x, x))), LEAST)
}

fn mean(x: &[f64]) -> Cell {
    let n = x.len() as f64;
    let ((sum, _), size) = (sum(x), x.iter().map(|x| x.abs()).sum::<f64>());
    (sum / n, 1e-12 * size / n + 5e-324)
}

/// `Σ (x - mean)²`, and the slack of a computation in doubles that is as good as can be: with Q = Σx² and S the
/// result, the relative condition number of S is 2√(Q/S) (Chan, Golub & LeVeque 1983, "Algorithms for computing the
/// sample variance"); where that is beyond all digits, the mean's rounding remains.
fn squares(x: &[f64]) -> Cell {
    let n = x.len() as f64;
    let plain_mean = x.iter().sum::<f64>() / n;
    let plain: f64 = x.iter().map(|x| (x - plain_mean) * (x - plain_mean)).sum();
    let mean = Wide::sum(x.iter().map(|&x| Wide::from(x))).divided_by(n);
    let square = |x: &f64| {
        let off = Wide::from(*x).minus(mean);
        off.times(off)
    };
    let value = Wide::sum(x.iter().map(square)).value_or(plain).max(0.0);
    let size: f64 = x.iter().map(|x| x * x).sum();
    let slack = ROUNDINGS * (value + 2.0 * (size * value).sqrt() + ROUNDINGS * size);
    (value + if plain.is_nan() { f64::NAN } else { 0.0 }, slack + LEAST)
}

fn variance(x: &[f64], ddof: u32) -> Cell {
    let (squares, slack) = squares(x);
    let freedom = (x.len() as f64 - f64::from(ddof)).max(0.0);
    let squares = if x.is_empty() { f64::NAN } else { squares };
    (squares / freedom, if freedom == 0.0 { 0.0 } else { slack / freedom })
}

/// The first rows of `np.cov(np.hstack([X, Y]).T, ddof=ddof)`: those of X's columns. A cell is off by as many roundings
/// as the condition numbers of the two variances, which are its bounds, grant.
pub fn covariances(x: &Array2<f64>, y: Option<&Array2<f64>>, ddof: u32) -> Expected {
    let columns = |m: &Array2<f64>| m.columns().into_iter().map(|column| column.to_vec()).collect::<Vec<_>>();
    let of_x = columns(x);
    let all = [of_x.clone(), y.map(columns).unwrap_or_default()].concat();
    let freedom = x.nrows() as f64 - f64::from(ddof);
    let cells = Array2::from_shape_fn((of_x.len(), all.len()), |(i, j)| covariance(&of_x[i], &all[j]));
    Expected::within(cells.mapv(|cell| cell.0 / freedom), cells.mapv(|cell| cell.1 / freedom))
}

fn covariance(x: &[f64], y: &[f64]) -> Cell {
    let n = x.len() as f64;
    let mean = |x: &[f64]| Wide::sum(x.iter().map(|&x| Wide::from(x))).divided_by(n);
    let (mean_x, mean_y) = (mean(x), mean(y));
    let products = x.iter().zip(y).map(|(&x, &y)| Wide::from(x).minus(mean_x).times(Wide::from(y).minus(mean_y)));
    let plain: f64 = x.iter().chain(y).sum();
    let value = if plain.is_finite() { Wide::sum(products).value() } else { f64::NAN };
    let size = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>();
    let ((squares_x, _), (squares_y, _)) = (squares(x), squares(y));
    let (own, offsets) = ((squares_x * squares_y).sqrt(), (size(x) * size(y)).sqrt());
    let mixed = (size(x) * squares_y).sqrt() + (squares_x * size(y)).sqrt();
    (value, 1e-12 * own + ROUNDINGS * (mixed + ROUNDINGS * offsets) + LEAST)
}
