//! The area under the receiver operating characteristic.

use ndarray::Array2;

use crate::{
    Axis, Error, ErrorCode, FedMatrix, Operand, Pending, Result,
    algorithms::common::classes::{Classes, known},
};

/// Thresholds that are asked for at once.
const THRESHOLDS: usize = 64;

/// Rounds of thresholds, at most.
const ROUNDS_MAX: usize = 32;

/// An area under the curve, and how far off it may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RocAuc {
    /// The area.
    pub auc: f64,
    /// The true area is no further away.
    pub error_bound: f64,
}

/// The area under the ROC curve: how likely a row of the second class has a higher score than one of the first, ties
/// counting half (Hanley & McNeil 1982, "The Meaning and Use of the Area under a Receiver Operating Characteristic
/// Curve"). Exact, by ranks: labels and scores come to the coordinator, so it is for public or own data;
/// [`roc_auc_by_thresholds`] is for all.
///
/// # Errors
/// `Plan` if shapes do not fit, or labels are not of two classes; a site's, where scores may not leave.
pub async fn roc_auc_score(y_true: impl Into<Operand>, y_score: &FedMatrix) -> Result<f64> {
    let scores = y_score.fetch()?;
    let labels = match y_true.into() {
        Operand::Local(array) => array.to_owned(),
        Operand::Fed(matrix) => {
            let labels = matrix.fetch()?;
            labels.await?
        }
        Operand::Scalar(_) => return Err(Error::plan("y_true must be labels, not a number")),
    };
    let scores = scores.await?;
    if scores.ncols() != 1 || scores.nrows() != labels.nrows() {
        let message = format!("y_score is {:?}, but must be ({}, 1)", scores.dim(), labels.nrows());
        return Err(Error::plan(message));
    }
    let (_, member) = known(labels.view(), Some(2))?;
    by_ranks(&member, &scores)
}

fn by_ranks(member: &Array2<f64>, scores: &Array2<f64>) -> Result<f64> {
    if scores.iter().any(|score| score.is_nan()) {
        return Err(Error::Numeric("there are scores that are NaN".to_owned()));
    }
    let mut rows: Vec<(f64, f64)> = scores.iter().copied().zip(member.iter().copied()).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut wins, mut positives) = (0.0, 0.0, 0.0);
    for ties in rows.chunk_by(|a, b| a.0 == b.0) {
        let here: f64 = ties.iter().map(|(_, member)| member).sum();
        let others = ties.len() as f64 - here;
        wins += here * (below + 0.5 * others);
        below += others;
        positives += here;
    }
    Ok(wins / (positives * below))
}

/// The area under the ROC curve from counts alone: how many rows of each class have a score up to each of some
/// thresholds. Between two neighbouring thresholds nobody knows who is above whom; such pairs count half, and half of
/// them are the error bound. Where most of those pairs are, more thresholds are asked for, until the bound is below
/// `tol`, or the sites release no more: an interval ends where a threshold would leave too few rows on one side.
///
/// # Errors
/// `Plan` if shapes or layouts do not fit; `Numeric` if labels are not of two classes; a site's.
pub async fn roc_auc_by_thresholds(y_true: impl Into<Operand>, y_score: &FedMatrix, tol: f64) -> Result<RocAuc> {
    if y_score.ncols() != 1 {
        return Err(Error::plan(format!("y_score must have one column, not {}", y_score.ncols())));
    }
    let mut classes = Classes::of(y_score, &y_true.into(), None).await?;
    if classes.count() != 2 {
        return Err(Error::plan(format!("the area is that of two classes, not {}", classes.count())));
    }
    let positives = classes.member.sum(Axis::All)?;
    let (mean, std) = (y_score.mean(Axis::All)?, y_score.std(Axis::All, 0)?);
    let positives = positives.scalar().await?;
    let (mean, std) = (mean.scalar().await?, std.scalar().await?);
    classes.verified().await?;
    if !(mean.is_finite() && std.is_finite()) {
        return Err(Error::Numeric("scores must be finite".to_owned()));
    }
    let counts = classes.member.hstack([classes.member.negative()?.add(1.0)?])?;
    let mut curve = Curve::new(positives, y_score.nrows() as f64 - positives);
    let mut thresholds: Vec<f64> =
        (0..THRESHOLDS).map(|i| mean + std * 3.0 * (2.0 * (i as f64 + 0.5) / THRESHOLDS as f64 - 1.0)).collect();
    thresholds.dedup();
    for _ in 0..ROUNDS_MAX {
        curve.ask(&counts, y_score, thresholds).await?;
        if curve.area().error_bound <= tol {
            break;
        }
        thresholds = curve.next(std);
        if thresholds.is_empty() {
            break;
        }
    }
    Ok(curve.area())
}

/// The rows of both classes up to a threshold.
#[derive(Clone, Copy)]
struct At {
    threshold: f64,
    positives: f64,
    negatives: f64,
    /// Whether the interval that ends here was asked for in vain.
    closed: bool,
}

/// Thresholds in order; the first has nobody below, the last everybody.
struct Curve(Vec<At>);

impl Curve {
    fn new(positives: f64, negatives: f64) -> Self {
        let first = At { threshold: f64::NEG_INFINITY, positives: 0.0, negatives: 0.0, closed: false };
        Self(vec![first, At { threshold: f64::INFINITY, positives, negatives, closed: false }])
    }

    /// Pairs of which nobody knows who is above, in each interval.
    fn unknown(&self) -> impl Iterator<Item = f64> {
        self.0.windows(2).map(|at| (at[1].positives - at[0].positives) * (at[1].negatives - at[0].negatives))
    }

    fn area(&self) -> RocAuc {
        let all = self.0.last().map_or(0.0, |last| last.positives * last.negatives);
        let unknown: f64 = self.unknown().sum();
        let won: f64 = self.0.windows(2).map(|at| (at[1].positives - at[0].positives) * at[0].negatives).sum();
        RocAuc { auc: (won + 0.5 * unknown) / all, error_bound: 0.5 * unknown / all }
    }

    /// Counts up to these thresholds; all at once, or where that is refused in halves, so that each has its own answer.
    async fn ask(&mut self, counts: &FedMatrix, scores: &FedMatrix, thresholds: Vec<f64>) -> Result<()> {
        let mut groups = vec![thresholds];
        while !groups.is_empty() {
            let asked: Vec<(Vec<f64>, Pending)> = groups
                .drain(..)
                .map(|group| {
                    let row = Array2::from_shape_fn((1, group.len()), |(_, i)| group[i]);
                    let pending = counts.cross(scores.less_equal(&row)?)?;
                    Ok((group, pending))
                })
                .collect::<Result<_>>()?;
            for (mut group, pending) in asked {
                match pending.await {
                    Ok(counts) => group.iter().zip(counts.columns()).for_each(|(t, at)| self.insert(*t, at[0], at[1])),
                    Err(error) if error.code() != Some(ErrorCode::ReleaseDenied) => return Err(error),
                    Err(_) if group.len() > 1 => {
                        let rest = group.split_off(group.len() / 2);
                        groups.extend([group, rest]);
                    }
                    Err(_) => self.close(group[0]),
                }
            }
        }
        Ok(())
    }

    fn insert(&mut self, threshold: f64, positives: f64, negatives: f64) {
        let place = self.0.partition_point(|at| at.threshold < threshold);
        let closed = self.0[place].closed;
        self.0.insert(place, At { threshold, positives, negatives, closed });
    }

    fn close(&mut self, threshold: f64) {
        let place = self.0.partition_point(|at| at.threshold < threshold);
        self.0[place].closed = true;
    }

    /// Thresholds within the intervals of most unknown pairs.
    fn next(&self, std: f64) -> Vec<f64> {
        let mut intervals: Vec<(f64, f64)> = self
            .unknown()
            .zip(self.0.windows(2))
            .filter(|(unknown, at)| *unknown > 0.0 && !at[1].closed)
            .filter_map(|(unknown, at)| {
                let (low, high) = (at[0].threshold, at[1].threshold);
                let between = match (low.is_finite(), high.is_finite()) {
                    (true, true) => low + (high - low) / 2.0,
                    (true, false) => low + std,
                    (false, _) => high - std,
                };
                (low < between && between < high).then_some((unknown, between))
            })
            .collect();
        intervals.sort_by(|a, b| b.0.total_cmp(&a.0));
        intervals.truncate(THRESHOLDS);
        intervals.into_iter().map(|(_, threshold)| threshold).collect()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn ties_count_half() {
        let area = |member: Array2<f64>, scores: Array2<f64>| by_ranks(&member, &scores).unwrap();
        assert_eq!(area(array![[0.0], [1.0], [0.0], [1.0]], array![[0.1], [0.4], [0.35], [0.8]]), 1.0);
        assert_eq!(area(array![[0.0], [1.0], [0.0], [1.0]], array![[0.1], [0.3], [0.35], [0.8]]), 0.75);
        assert_eq!(area(array![[0.0], [1.0]], array![[2.0], [2.0]]), 0.5);
        assert!(by_ranks(&array![[0.0], [1.0]], &array![[2.0], [f64::NAN]]).is_err());
    }

    #[test]
    fn counts_bound_the_area() {
        let mut curve = Curve::new(4.0, 5.0);
        assert_eq!(curve.area(), RocAuc { auc: 0.5, error_bound: 0.5 });
        curve.insert(0.0, 1.0, 4.0);
        // 3 above 4, of 20 pairs; 1 with 4 and 3 with 1 are unknown.
        assert_eq!(curve.area(), RocAuc { auc: 15.5 / 20.0, error_bound: 3.5 / 20.0 });
        assert_eq!(curve.next(2.0), vec![-2.0, 2.0]);
        curve.close(-2.0);
        assert_eq!(curve.next(2.0), vec![2.0]);
    }
}
