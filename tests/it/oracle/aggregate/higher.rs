//! scipy's central moments, by exact sums. The slack is what a relative rounding of each cell, and of the mean, would
//! make of them: their condition number.

use fondaco_proto::op::AggregateFunction;

use super::{Cell, LEAST, ROUNDINGS, Wide, mean, squares};

/// scipy takes a smaller standard deviation, as a share of the mean, for rounding.
const RESOLUTION: f64 = 1e-15;

/// Count, mean, what its rounding lost, and central sums.
pub fn words(function: AggregateFunction, x: &[f64]) -> Vec<Cell> {
    let exact = |value: f64| (value, 0.0);
    let mean = if x.is_empty() { (f64::NAN, 0.0) } else { mean(x) };
    let rest = (0.0, if mean.1.is_finite() { mean.1 } else { 0.0 });
    let mut words = vec![exact(x.len() as f64), mean, rest];
    let orders = if function == AggregateFunction::WideMoments { 2..=2 } else { 2..=4 };
    words.extend(orders.map(|order| if x.is_empty() { exact(0.0) } else { sum(x, order) }));
    words
}

/// `scipy.stats.moment(x, order)`.
pub fn moment(x: &[f64], order: i32) -> Cell {
    let n = x.len() as f64;
    let (sum, slack) = if x.is_empty() { (f64::NAN, 0.0) } else { sum(x, order) };
    (sum / n, slack / n)
}

/// `sum((x - mean)**order)`.
fn sum(x: &[f64], order: i32) -> Cell {
    if order == 2 {
        return squares(x);
    }
    let plain: f64 = x.iter().sum::<f64>() * 0.0;
    let mean = Wide::sum(x.iter().map(|&x| Wide::from(x))).divided_by(x.len() as f64);
    let off: Vec<Wide> = x.iter().map(|&x| Wide::from(x).minus(mean)).collect();
    let powers = off.iter().map(|d| (1..order).fold(*d, |power, _| power.times(*d)));
    let value = if plain.is_nan() { f64::NAN } else { Wide::sum(powers).value() };
    let slack = x.iter().zip(&off).map(|(x, d)| {
        // (|d| + r)^k - |d|^k for a rounding r of the cell, and a rounding of the power itself.
        let (d, r) = (d.value().abs(), ROUNDINGS * x.abs());
        ROUNDINGS * d.powi(order)
            + match order {
                3 => 3.0 * d * d * r + 3.0 * d * r * r + r * r * r,
                _ => 4.0 * d * d * d * r + 6.0 * d * d * r * r + 4.0 * d * r * r * r + r * r * r * r,
            }
    });
    (value, slack.sum::<f64>() + LEAST)
}

/// `scipy.stats.skew(x)`, for bias or not.
pub fn skew(x: &[f64], corrected: bool) -> Cell {
    let n = x.len() as f64;
    let ((m2, slack_2), (m3, slack_3)) = (moment(x, 2), moment(x, 3));
    if is_constant(x, m2) {
        return (f64::NAN, 0.0);
    }
    let skew = m3 / m2.powf(1.5);
    let slack = slack_3 / m2.powf(1.5) + 1.5 * skew.abs() * slack_2 / m2 + ROUNDINGS * skew.abs();
    let factor = if corrected && n > 2.0 { (n * (n - 1.0)).sqrt() / (n - 2.0) } else { 1.0 };
    (factor * skew, factor * slack)
}

/// `scipy.stats.kurtosis(x)`, for bias or not.
pub fn kurtosis(x: &[f64], corrected: bool) -> Cell {
    let n = x.len() as f64;
    let ((m2, slack_2), (m4, slack_4)) = (moment(x, 2), moment(x, 4));
    if is_constant(x, m2) {
        return (f64::NAN, 0.0);
    }
    let ratio = m4 / (m2 * m2);
    let slack = slack_4 / (m2 * m2) + 2.0 * ratio * slack_2 / m2 + ROUNDINGS * (ratio + 3.0);
    if corrected && n > 3.0 {
        let factor = 1.0 / ((n - 2.0) * (n - 3.0));
        let value = factor * ((n * n - 1.0) * ratio - 3.0 * (n - 1.0) * (n - 1.0));
        return (value, factor * (n * n - 1.0) * (slack + ROUNDINGS * (ratio + 3.0)));
    }
    (ratio - 3.0, slack)
}

fn is_constant(x: &[f64], m2: f64) -> bool {
    let bound = RESOLUTION * mean(x).0;
    x.is_empty() || m2 <= bound * bound
}
