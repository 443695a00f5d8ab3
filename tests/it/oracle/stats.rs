//! Rows in cells, in plain loops; weighted moments by exact sums.

use fondaco_proto::op::{GroupFunction, Ranks, StatsOp};
use ndarray::Array2;

use super::{Expected, reorg::stack, wide::Wide};

/// What squares of denormals lose.
const LEAST: f64 = 1e-318;

/// So many roundings of a condition number.
const ROUNDINGS: f64 = 16.0 * f64::EPSILON;

/// The sum of terms and its slack; none where all are whole numbers that are added exactly.
fn total(terms: &[f64]) -> (f64, f64) {
    let plain: f64 = terms.iter().sum();
    let size: f64 = terms.iter().map(|term| term.abs()).sum();
    let whole = terms.iter().all(|term| term.fract() == 0.0) && size <= 2_f64.powi(53);
    let value = Wide::sum(terms.iter().map(|&term| Wide::from(term))).value_or(plain);
    (value, if whole { 0.0 } else { 1e-12 * size })
}

fn from_cells(rows: usize, columns: usize, cell: impl Fn(usize, usize) -> (f64, f64)) -> Expected {
    let cells = Array2::from_shape_fn((rows, columns), |(row, column)| cell(row, column));
    Expected::within(cells.mapv(|cell| cell.0), cells.mapv(|cell| cell.1))
}

pub fn expected(op: &StatsOp, inputs: &[&Array2<f64>]) -> Expected {
    let (fixed, parts) = op.parts(inputs);
    let slot = |slot: usize| stack(&parts.iter().map(|part| part[slot]).collect::<Vec<_>>());
    match op {
        StatsOp::RankCounts { ranks, weighted } => {
            rank_counts(*ranks, fixed[0], &slot(0), weighted.then(|| slot(1)).as_ref())
        }
        StatsOp::Table { rows, columns, weighted } => {
            let (a, b) = (slot(0), slot(1));
            let w = if *weighted { slot(2) } else { Array2::ones(a.raw_dim()) };
            from_cells(*rows as usize, *columns as usize, |i, j| {
                let here = |row: &usize| a[[*row, 0]] == i as f64 && b[[*row, 0]] == j as f64;
                total(&(0..a.nrows()).filter(here).map(|row| w[[row, 0]]).collect::<Vec<_>>())
            })
        }
        StatsOp::Group(GroupFunction::Count) => {
            let keys = slot(0);
            from_cells(fixed[0].nrows(), 1, |group, _| (members(fixed[0], &keys, group).len() as f64, 0.0))
        }
        StatsOp::Group(function) => groups(*function, fixed[0], &slot(0), &slot(1)),
        StatsOp::Levels { most } => levels(*most as usize, &slot(0)),
        StatsOp::WeightedMoments { order } => {
            let (x, w) = (slot(0), slot(1));
            from_cells(*order as usize + 2, x.ncols(), |row, column| moment(row, &x.column(column).to_vec(), &w))
        }
        StatsOp::WeightedCov => {
            let (x, w) = (slot(0), slot(1));
            let column = |j: usize| x.column(j).to_vec();
            from_cells(x.ncols() + 3, x.ncols(), |row, j| match row.checked_sub(3) {
                None => moment(row, &column(j), &w),
                Some(i) => product(&column(i), &column(j), &w),
            })
        }
    }
}

fn rank_counts(ranks: Ranks, thresholds: &Array2<f64>, x: &Array2<f64>, weights: Option<&Array2<f64>>) -> Expected {
    let k = thresholds.nrows();
    let rows = if ranks == Ranks::Tied { 2 * k + 2 } else { k + 1 };
    let of = |from: &Array2<f64>, row: usize, column: usize| from[[row, column.min(from.ncols() - 1)]];
    let place = |x: f64, column: usize| {
        let steps: Vec<f64> = (0..k).map(|row| of(thresholds, row, column)).collect();
        let numbers = steps.iter().filter(|step| !step.is_nan()).count();
        match ranks {
            Ranks::Between if x.is_nan() => numbers,
            Ranks::Present if x.is_nan() => usize::MAX,
            Ranks::Between | Ranks::Present => steps.iter().filter(|step| **step <= x).count(),
            Ranks::Tied if x.is_nan() => 2 * k + 1,
            Ranks::Tied => 2 * steps.iter().filter(|step| **step < x).count() + usize::from(steps.contains(&x)),
        }
    };
    from_cells(rows, x.ncols(), |cell, column| {
        let here = (0..x.nrows()).filter(|&row| place(x[[row, column]], column) == cell);
        total(&here.map(|row| weights.map_or(1.0, |w| of(w, row, column))).collect::<Vec<_>>())
    })
}

/// The rows whose keys are this level, if no earlier one is the same.
fn members(levels: &Array2<f64>, keys: &Array2<f64>, group: usize) -> Vec<usize> {
    let level = levels.row(group);
    if (0..group).any(|earlier| levels.row(earlier) == level) {
        return Vec::new();
    }
    (0..keys.nrows()).filter(|&row| keys.row(row) == level).collect()
}

fn groups(function: GroupFunction, levels: &Array2<f64>, keys: &Array2<f64>, x: &Array2<f64>) -> Expected {
    let g = levels.nrows();
    let of = |group: usize, column: usize| -> Vec<f64> {
        members(levels, keys, group).into_iter().map(|row| x[[row, column]]).collect()
    };
    let one = |x: &[f64]| Array2::ones((x.len(), 1));
    let nan_or = |x: &[f64], start: f64, choose: fn(f64, f64) -> f64| {
        if x.iter().any(|x| x.is_nan()) { f64::NAN } else { x.iter().copied().fold(start, choose) }
    };
    match function {
        GroupFunction::Moments => from_cells(3 * g, x.ncols(), |row, column| {
            let x = of(row % g, column);
            match row / g {
                0 => (x.len() as f64, 0.0),
                2 if x.is_empty() => (0.0, 0.0),
                // Counts are weights of 1, of which Σw² is left out.
                kind => moment(kind + 1, &x, &one(&x)),
            }
        }),
        GroupFunction::Min => {
            from_cells(g, x.ncols(), |group, column| (nan_or(&of(group, column), f64::INFINITY, f64::min), 0.0))
        }
        GroupFunction::Max => {
            from_cells(g, x.ncols(), |group, column| (nan_or(&of(group, column), f64::NEG_INFINITY, f64::max), 0.0))
        }
        GroupFunction::Count | GroupFunction::Sum => {
            from_cells(g, x.ncols(), |group, column| total(&of(group, column)))
        }
    }
}

fn levels(most: usize, keys: &Array2<f64>) -> Expected {
    let m = keys.ncols();
    let rows = keys.rows().into_iter().map(|row| row.to_vec());
    let (numbers, others): (Vec<Vec<f64>>, Vec<Vec<f64>>) = rows.partition(|row| !row.iter().any(|x| x.is_nan()));
    let mut numbers = numbers;
    numbers.sort_by(|a, b| a.partial_cmp(b).expect("there is no NaN"));
    let found: Vec<&[Vec<f64>]> = numbers.chunk_by(|a, b| a == b).collect();
    let mut value = Array2::from_elem((most + 1, m + 1), f64::NAN);
    value.row_mut(0).iter_mut().take(m).for_each(|cell| *cell = 0.0);
    if found.len() > most {
        value[[0, 0]] = most as f64 + 1.0;
        return Expected::exact(value);
    }
    (value[[0, 0]], value[[0, m]]) = (found.len() as f64, others.len() as f64);
    for (level, rows) in found.iter().enumerate() {
        rows[0].iter().enumerate().for_each(|(column, key)| value[[level + 1, column]] = *key);
        value[[level + 1, m]] = rows.len() as f64;
    }
    Expected::exact(value)
}

/// Row 0 is Σw, row 1 Σw², row 2 the mean, then Σw(x − mean)^k from k = 2 on.
fn moment(row: usize, x: &[f64], w: &Array2<f64>) -> (f64, f64) {
    let w: Vec<f64> = w.iter().copied().collect();
    let weighted: Vec<f64> = x.iter().zip(&w).map(|(x, w)| x * w).collect();
    let size: f64 = weighted.iter().map(|term| term.abs()).sum();
    let weight = total(&w).0;
    match row {
        0 => total(&w),
        1 => total(&w.iter().map(|w| w * w).collect::<Vec<_>>()),
        2 => {
            let sum = Wide::sum(x.iter().zip(&w).map(|(x, w)| Wide::product(*x, *w)));
            let plain: f64 = weighted.iter().sum();
            (sum.value_or(plain) / weight, 1e-12 * size / weight.abs() + LEAST)
        }
        row => power(x, &w, row as i32 - 1),
    }
}

fn mean(x: &[f64], w: &[f64]) -> Wide {
    let sum = Wide::sum(x.iter().zip(w).map(|(x, w)| Wide::product(*x, *w)));
    let weight = Wide::sum(w.iter().map(|w| Wide::from(*w)));
    sum.divided_by(weight.value())
}

/// `Σw(x − mean)^order`. Beside the roundings of the terms themselves the mean, a double, is off by one of its own, and
/// each order of what that moves counts (Chan, Golub & LeVeque 1983).
fn power(x: &[f64], w: &[f64], order: i32) -> (f64, f64) {
    let plain: f64 = x.iter().zip(w).map(|(x, w)| x * w).sum();
    if !plain.is_finite() || x.is_empty() {
        return (f64::NAN, 0.0);
    }
    let mean = mean(x, w);
    let off: Vec<Wide> = x.iter().map(|x| Wide::from(*x).minus(mean)).collect();
    let term = |(off, w): (&Wide, &f64)| (1..order).fold(*off, |term, _| term.times(*off)).times(Wide::from(*w));
    let value = Wide::sum(off.iter().zip(w).map(term)).value();
    let largest = x.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    let sizes = |power: i32| off.iter().zip(w).map(|(off, w)| w.abs() * off.value().abs().powi(power)).sum::<f64>();
    let moved = ROUNDINGS * largest;
    let slack =
        1e-12 * sizes(order) + f64::from(order) * (1..=order).map(|k| sizes(order - k) * moved.powi(k)).sum::<f64>();
    (value, slack + LEAST)
}

fn product(x: &[f64], y: &[f64], w: &Array2<f64>) -> (f64, f64) {
    let w: Vec<f64> = w.iter().copied().collect();
    let plain: f64 = x.iter().chain(y).zip(w.iter().chain(&w)).map(|(x, w)| x * w).sum();
    if !plain.is_finite() || x.is_empty() {
        return (f64::NAN, 0.0);
    }
    let (mean_x, mean_y) = (mean(x, &w), mean(y, &w));
    let off = |x: &[f64], mean: Wide| x.iter().map(|x| Wide::from(*x).minus(mean)).collect::<Vec<_>>();
    let (off_x, off_y) = (off(x, mean_x), off(y, mean_y));
    let terms = off_x.iter().zip(&off_y).zip(&w).map(|((x, y), w)| x.times(*y).times(Wide::from(*w)));
    let size: f64 = off_x.iter().zip(&off_y).zip(&w).map(|((x, y), w)| (x.value() * y.value() * w).abs()).sum();
    let moved = |x: &[f64]| ROUNDINGS * x.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    let sizes = |off: &[Wide]| off.iter().zip(&w).map(|(off, w)| (off.value() * w).abs()).sum::<f64>();
    let weight: f64 = w.iter().map(|w| w.abs()).sum();
    let slack = sizes(&off_x) * moved(y) + sizes(&off_y) * moved(x) + weight * moved(x) * moved(y);
    // Also what is summed cancels.
    let norms = |off: &[Wide]| off.iter().zip(&w).map(|(off, w)| w.abs() * off.value().powi(2)).sum::<f64>();
    (Wide::sum(terms).value(), 1e-12 * size.max((norms(&off_x) * norms(&off_y)).sqrt()) + 2.0 * slack + LEAST)
}
