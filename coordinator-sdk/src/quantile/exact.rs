//! Order statistics by bisection over the doubles in their order: how many cells lie below and at some thresholds says in
//! which interval the one that is sought is, and eight times 255 thresholds leave one double.

use fondaco_proto::op::Ranks;
use ndarray::Array2;

use super::of_axis;
use crate::{Axis, FedMatrix, Operand, Pending, Result};

/// Thresholds of a round, of all columns together, about.
const THRESHOLDS: usize = 1 << 16;

/// Thresholds of one column: at least that many, at most that many.
const LEAST: usize = 15;
const MOST: usize = 255;

/// What is sought among sorted numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rank {
    /// The one with so many before it.
    At(f64),
    /// The least one such that it and those below have at least (`above`: more than) this share of all weights, and any.
    Share { share: f64, above: bool },
}

impl Rank {
    /// Whether a number with so much at or below it, of so much, and nothing but that `rest` above it, is far enough.
    pub(super) fn reaches(self, below: f64, total: f64, rest: f64) -> bool {
        match self {
            Self::At(rank) => below > rank,
            Self::Share { share, above: true } => below > share * total || (rest == 0.0 && below > 0.0),
            Self::Share { share, above: false } => below > 0.0 && (below / total >= share || rest == 0.0),
        }
    }
}

/// Where the numbers of a matrix are counted.
#[derive(Clone, Copy)]
pub(super) struct Exact<'a> {
    pub x: &'a FedMatrix,
    pub weights: Option<&'a Operand>,
    pub axis: Axis,
    /// Whether NaN is left out.
    pub present: bool,
}

/// What was found of a column, or of all cells.
pub(super) struct Sorted {
    /// Whether there is a NaN that is not left out.
    pub has_nan: bool,
    /// How many numbers, or how much weight.
    pub total: f64,
    /// In the order of the ranks.
    pub found: Vec<f64>,
}

/// A number that is sought between two doubles, by their places.
#[derive(Clone, Copy)]
struct Target {
    rank: Rank,
    low: u64,
    high: u64,
}

/// What is known of a column's numbers at ascending thresholds.
struct Answer {
    thresholds: Vec<f64>,
    /// Numbers, or weights, of each cell: between thresholds and at them in turn.
    cells: Vec<f64>,
    nan: f64,
}

impl Exact<'_> {
    /// How many columns there are to look at: one, over all cells.
    fn columns(&self) -> usize {
        if self.axis == Axis::All { 1 } else { self.x.ncols() as usize }
    }

    /// Asks for the cells at these thresholds of each column.
    fn ask(&self, thresholds: &[Vec<f64>], weights: Option<&Operand>) -> Result<Pending> {
        let most = thresholds.iter().map(Vec::len).max().unwrap_or(0);
        let at = |row: usize, column: usize| thresholds[column].get(row).copied().unwrap_or(f64::NAN);
        let matrix = Array2::from_shape_fn((most, thresholds.len()), |(row, column)| at(row, column));
        self.x.ranks(Ranks::Tied, matrix.into(), weights.cloned())
    }

    fn answers(&self, thresholds: Vec<Vec<f64>>, cells: Array2<f64>) -> Vec<Answer> {
        let cells = of_axis(cells, self.axis);
        let last = cells.nrows() - 1;
        let of = |(column, thresholds): (usize, Vec<f64>)| Answer {
            cells: (0..2 * thresholds.len() + 1).map(|row| cells[[row, column]]).collect(),
            nan: cells[[last, column]],
            thresholds,
        };
        thresholds.into_iter().enumerate().map(of).collect()
    }

    /// The numbers of these ranks, which may depend on how many numbers (or how much weight) a column has.
    pub async fn find(&self, ranks: impl Fn(f64) -> Vec<Rank>) -> Result<Vec<Sorted>> {
        let budget = (THRESHOLDS / self.columns().max(1)).clamp(LEAST, MOST);
        let (low, high) = (place_of(f64::NEG_INFINITY), place_of(f64::INFINITY));
        let everything = vec![between(low, high, budget); self.columns()];
        // Weights say nothing of NaN that have none.
        let nan = self.weights.map(|_| self.ask(&vec![vec![0.0]; self.columns()], None)).transpose()?;
        let first = self.ask(&everything, self.weights)?;
        let nan = match nan {
            Some(nan) => Some(self.answers(vec![vec![0.0]; self.columns()], nan.await?)),
            None => None,
        };
        let mut answers = self.answers(everything, first.await?);
        let mut columns = Vec::with_capacity(answers.len());
        let mut targets: Vec<Vec<Target>> = Vec::with_capacity(answers.len());
        for (column, answer) in answers.iter().enumerate() {
            let nan = nan.as_ref().map_or(answer.nan, |nan| nan[column].nan);
            let total = answer.cells.iter().sum();
            let has_nan = nan > 0.0 && !self.present;
            let ranks = if has_nan || total == 0.0 { Vec::new() } else { ranks(total) };
            targets.push(ranks.into_iter().map(|rank| Target { rank, low, high }).collect());
            columns.push(Sorted { has_nan, total, found: Vec::new() });
        }
        loop {
            for ((targets, answer), column) in targets.iter_mut().zip(&answers).zip(&columns) {
                targets.iter_mut().for_each(|target| target.narrow(answer, column.total));
            }
            if targets.iter().flatten().all(Target::is_found) {
                break;
            }
            let thresholds: Vec<Vec<f64>> = targets.iter().map(|targets| thresholds(targets, budget)).collect();
            let asked = self.ask(&thresholds, self.weights)?.await?;
            answers = self.answers(thresholds, asked);
        }
        for (column, targets) in columns.iter_mut().zip(targets) {
            // Not minus zero.
            column.found = targets.iter().map(|target| number_at(target.low) + 0.0).collect();
        }
        Ok(columns)
    }

    /// The means of the middle halves, between the two numbers that were found of each column.
    pub async fn middle(&self, ends: &[Sorted]) -> Result<Array2<f64>> {
        let thresholds: Vec<Vec<f64>> = ends.iter().map(|column| column.found.clone()).collect();
        let terms = match self.weights {
            Some(weights) => self.x.multiply(weights)?,
            None => self.x.clone(),
        };
        let (counts, sums) = (self.ask(&thresholds, self.weights)?, self.ask(&thresholds, Some(&terms.into()))?);
        let counts = self.answers(thresholds.clone(), counts.await?);
        let sums = self.answers(thresholds, sums.await?);
        let means = ends.iter().zip(counts.iter().zip(&sums)).map(|(column, (counts, sums))| {
            let [a, b] = column.found[..] else { return f64::NAN };
            if a == b {
                return a;
            }
            let within = |before: usize| counts.cells[..before].iter().sum::<f64>();
            let (at_a, at_b) = (within(2) - 0.25 * column.total, 0.75 * column.total - within(3));
            (at_a * a + sums.cells[2] + at_b * b) / (0.5 * column.total)
        });
        Ok(Array2::from_shape_vec((1, ends.len()), means.collect()).unwrap_or_default())
    }
}

impl Target {
    fn is_found(&self) -> bool {
        self.low >= self.high
    }

    /// Between the last threshold that is not far enough and the first one that is.
    fn narrow(&mut self, answer: &Answer, total: f64) {
        if self.is_found() {
            return;
        }
        let reaches = |cells: usize| self.rank.reaches(answer.up_to(cells), total, answer.from(cells));
        // The thresholds ascend, and so does what is at or below them.
        let first = answer.thresholds.iter().enumerate().find(|(i, _)| reaches(2 * i + 2));
        let below = first.map_or(answer.thresholds.len(), |(i, _)| i).checked_sub(1);
        if let Some(below) = below {
            self.low = self.low.max(place_of(answer.thresholds[below]) + 1).min(self.high);
        }
        if let Some((i, threshold)) = first {
            let at = place_of(*threshold);
            // Already what is below it is far enough, or not.
            self.high = self.high.min(if reaches(2 * i + 1) { at - 1 } else { at }).max(self.low);
            if !reaches(2 * i + 1) {
                self.low = self.high;
            }
        }
    }
}

impl Answer {
    /// The sum of the first cells.
    fn up_to(&self, cells: usize) -> f64 {
        self.cells[..cells].iter().sum()
    }

    /// The sum of the cells from this one on.
    fn from(&self, cell: usize) -> f64 {
        self.cells[cell..].iter().sum()
    }
}

/// Thresholds that cut what is left of each target.
fn thresholds(targets: &[Target], budget: usize) -> Vec<f64> {
    let mut brackets: Vec<(u64, u64)> =
        targets.iter().filter(|target| !target.is_found()).map(|target| (target.low, target.high)).collect();
    brackets.sort_unstable();
    brackets.dedup();
    let each = (budget / brackets.len().max(1)).max(1);
    let mut thresholds: Vec<f64> = brackets.iter().flat_map(|(low, high)| between(*low, *high, each)).collect();
    thresholds.sort_by(f64::total_cmp);
    thresholds.dedup_by_key(|threshold| threshold.to_bits());
    thresholds
}

/// At most so many numbers, evenly from the place after `low` (or at it, if there are no more) to `high`.
fn between(low: u64, high: u64, most: usize) -> Vec<f64> {
    let span = u128::from(high - low);
    let most = most as u128;
    if span < most {
        return (low..=high).map(number_at).collect();
    }
    // Less than the span, so it fits.
    (1..=most).map(|i| number_at(low + (span * i / (most + 1)) as u64)).collect()
}

const SIGN: u64 = 1 << 63;

/// The place of a number among all doubles in their order.
fn place_of(x: f64) -> u64 {
    let bits = x.to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

fn number_at(place: u64) -> f64 {
    f64::from_bits(if place & SIGN == 0 { !place } else { place & !SIGN })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_order() {
        let numbers = [f64::NEG_INFINITY, -1e300, -1.0, -5e-324, -0.0, 0.0, 5e-324, 2.0, f64::MAX, f64::INFINITY];
        assert!(numbers.windows(2).all(|two| place_of(two[0]) < place_of(two[1])));
        assert!(numbers.iter().all(|x| number_at(place_of(*x)).to_bits() == x.to_bits()));
        assert_eq!(place_of(1.0) + 1, place_of(1.0_f64.next_up()));
    }

    /// Answers as sites would give them.
    fn answer(sorted: &[f64], thresholds: Vec<f64>) -> Answer {
        let mut cells = vec![0.0; 2 * thresholds.len() + 1];
        for x in sorted {
            let below = thresholds.iter().filter(|threshold| *threshold < x).count();
            cells[2 * below + usize::from(thresholds.get(below) == Some(x))] += 1.0;
        }
        Answer { thresholds, cells, nan: 0.0 }
    }

    #[test]
    fn every_rank_is_found_in_few_rounds() {
        let sorted = [f64::NEG_INFINITY, -7.25, -7.25, -1e-310, 0.0, 0.1, 0.1_f64.next_up(), 3.0, 1e300, f64::INFINITY];
        let (low, high) = (place_of(f64::NEG_INFINITY), place_of(f64::INFINITY));
        let ranks = (0..sorted.len()).map(|rank| Target { rank: Rank::At(rank as f64), low, high });
        let mut targets: Vec<Target> = ranks.collect();
        for round in 0.. {
            assert!(round < 18, "too many rounds");
            let asked = thresholds(&targets, 255);
            if asked.is_empty() {
                break;
            }
            let answer = answer(&sorted, asked);
            targets.iter_mut().for_each(|target| target.narrow(&answer, 10.0));
        }
        let found: Vec<f64> = targets.iter().map(|target| number_at(target.low) + 0.0).collect();
        assert_eq!(found, sorted);
    }

    #[test]
    fn shares_are_of_what_has_weight() {
        let at_least = Rank::Share { share: 0.0, above: false };
        assert!(!at_least.reaches(0.0, 4.0, 4.0) && at_least.reaches(1.0, 4.0, 3.0));
        let all = Rank::Share { share: 1.0, above: false };
        assert!(!all.reaches(3.0, 4.0, 1.0) && all.reaches(3.9999999999999996, 4.0, 0.0));
        let more = Rank::Share { share: 0.25, above: true };
        assert!(!more.reaches(1.0, 4.0, 3.0) && more.reaches(1.5, 4.0, 2.5));
    }
}
