//! Quantiles of `aggregate` data, as intervals. Each threshold that is asked for is asked together with all that were let
//! out before, so that no two answers tell of fewer rows between two thresholds than the owner releases.

use fondaco_proto::op::Ranks;
use ndarray::{Array2, s};

use super::{Quantiles, Rank, Wanted, is_refusal, of_axis, place};
use crate::{Axis, FedMatrix, Operand, Pending, Result};

/// Thresholds that are asked for at a time, evenly spaced; the finest that are let out count.
const FANS: [usize; 4] = [15, 7, 3, 1];

/// If none is, one at the mean of what is in the interval; then near either end of it, at these powers of two of its width.
const NEAR: [i32; 3] = [2, 4, 7];

/// Ways to cut an interval: evenly, after a question for the mean, there, and near its ends.
const WAYS: usize = 3 + NEAR.len();

/// An interval of this width, as a share of its ends, is not cut any more.
const WIDTH_MIN: f64 = 1e-9;

/// Rounds of one quantile at most.
const ROUNDS_MAX: usize = 100;

/// A quantile that is sought, and bounds that hold by themselves.
struct Job {
    /// It is between these two.
    ranks: [Rank; 2],
    low: f64,
    high: f64,
    /// Ways to cut the interval that did not.
    refused: usize,
    /// The mean of what is in the interval, once it was asked for.
    mean: f64,
    rounds: usize,
}

/// What is asked of a column in a round.
enum Asked {
    /// What is between the thresholds that are known, and their sum.
    Sums(Pending),
    /// What is between these thresholds.
    Counts(Vec<f64>, Pending),
}

/// A column (or all cells), the thresholds that were let out, with what is below them, and what is left to do.
struct Column {
    x: FedMatrix,
    weights: Option<Operand>,
    axis: Axis,
    total: f64,
    mean: f64,
    /// Rows behind each count at least; 0 where weights are summed, which do not tell.
    rows_min: f64,
    known: Vec<(f64, f64)>,
    jobs: Vec<Job>,
    found: Vec<(f64, f64)>,
}

/// What a column's cells are like.
#[derive(Clone, Copy)]
struct Spread {
    total: f64,
    mean: f64,
    std: f64,
}

/// The intervals of what is wanted of each column.
pub(super) async fn find(
    x: &FedMatrix,
    weights: Option<&Operand>,
    axis: Axis,
    wanted: Wanted<'_>,
) -> Result<Quantiles> {
    let mut columns = columns(x, weights, axis, wanted).await?;
    loop {
        let mut asked: Vec<Vec<Asked>> = Vec::with_capacity(columns.len());
        for column in &mut columns {
            asked.push(column.ask()?);
        }
        if asked.iter().all(Vec::is_empty) {
            break;
        }
        for (column, asked) in columns.iter_mut().zip(asked) {
            column.learn(asked).await?;
        }
    }
    let mut bounds = Vec::with_capacity(columns.len());
    for column in &columns {
        bounds.push(match (wanted, &column.found[..]) {
            (Wanted::Middle, [(low, low_end), (high, high_end)]) => {
                vec![column.middle([*low, *low_end], [*high, *high_end]).await?]
            }
            _ => column.found.clone(),
        });
    }
    let count = wanted.count();
    let of = |which: fn(&(f64, f64)) -> f64| {
        Array2::from_shape_fn((count, columns.len()), |(i, column)| bounds[column].get(i).map_or(f64::NAN, which))
    };
    Ok(Quantiles { lower: of(|bounds| bounds.0), upper: of(|bounds| bounds.1) })
}

async fn columns(x: &FedMatrix, weights: Option<&Operand>, axis: Axis, wanted: Wanted<'_>) -> Result<Vec<Column>> {
    let spreads = spreads(x, weights, axis).await?;
    let least = x.limits().iter().map(|(_, limits)| limits.release_rows_min).max().unwrap_or(1);
    let mut columns = Vec::with_capacity(spreads.len());
    for (index, of) in spreads.into_iter().enumerate() {
        let index = index as u64;
        columns.push(Column {
            x: if axis == Axis::All { x.clone() } else { x.columns([index])? },
            weights: weights.map(|weights| column_of(weights, index, axis)).transpose()?,
            axis,
            total: of.total,
            mean: of.mean,
            rows_min: if weights.is_some() { 0.0 } else { least as f64 },
            known: Vec::new(),
            jobs: if of.mean.is_nan() { Vec::new() } else { jobs(wanted, of, weights.is_some()) },
            found: Vec::new(),
        });
    }
    Ok(columns)
}

/// A column of weights; the only one, if there is one for all.
fn column_of(weights: &Operand, column: u64, axis: Axis) -> Result<Operand> {
    let whole = axis == Axis::All || weights.arg().shape().columns == 1;
    Ok(match weights {
        Operand::Fed(weights) if !whole => weights.columns([column])?.into(),
        Operand::Local(weights) if !whole => {
            let at = column as usize;
            weights.slice(s![.., at..at + 1]).into()
        }
        Operand::Fed(_) | Operand::Local(_) | Operand::Scalar(_) => weights.clone(),
    })
}

async fn spreads(x: &FedMatrix, weights: Option<&Operand>, axis: Axis) -> Result<Vec<Spread>> {
    let Some(weights) = weights else {
        let (mean, std) = (x.mean(axis)?, x.std(axis, 0)?);
        let cells = if axis == Axis::All { x.shape().cells()? } else { x.nrows() };
        let (mean, std) = (mean.await?, std.await?);
        let of = |(mean, std): (&f64, &f64)| Spread { total: cells as f64, mean: *mean, std: *std };
        return Ok(mean.iter().zip(&std).map(of).collect());
    };
    // Σw, mean and M2, by weights of their own if there are as many.
    let wide = weights.arg().shape().columns > 1;
    let mut pending = Vec::new();
    for column in 0..if wide { x.ncols() } else { 1 } {
        let (x, w) = if wide {
            (x.columns([column])?, column_of(weights, column, Axis::Columns)?)
        } else {
            (x.clone(), weights.clone())
        };
        pending.push(x.weighted_moments(w, 2)?);
    }
    let mut of: Vec<[f64; 3]> = Vec::new();
    for pending in pending {
        of.extend(pending.await?.columns().into_iter().map(|column| [column[0], column[2], column[3]]));
    }
    if axis == Axis::All {
        let merge = |[wa, ma, sa]: [f64; 3], [wb, mb, sb]: [f64; 3]| {
            let (w, delta) = (wa + wb, mb - ma);
            [w, ma + delta * wb / w, sa + sb + delta * delta * wa * wb / w]
        };
        of = of.into_iter().reduce(merge).into_iter().collect();
    }
    Ok(of.into_iter().map(|[total, mean, m2]| Spread { total, mean, std: (m2 / total).sqrt() }).collect())
}

/// What is sought, between the bounds that mean and variance imply: at most a share σ²/(σ² + λ²) is λ below the mean, or
/// above it (Cantelli 1928, "Sui confini della probabilità").
fn jobs(wanted: Wanted<'_>, of: Spread, weighted: bool) -> Vec<Job> {
    let ranks = wanted.ranks(of.total);
    let pairs: Vec<[Rank; 2]> = match wanted {
        Wanted::Linear(q) => ranks
            .chunks_exact(2)
            .zip(q)
            .map(|(two, q)| if place(*q, of.total).2 == 0.0 { [two[0], two[0]] } else { [two[0], two[1]] })
            .collect(),
        Wanted::Median => vec![[ranks[0], ranks[1]]],
        Wanted::Inverted(_) | Wanted::Middle => ranks.iter().map(|rank| [*rank, *rank]).collect(),
    };
    let bound = |share: f64| of.std * ((1.0 - share) / share).sqrt();
    // Of the number at the rank: the share at or below it, and the share at or above it.
    let shares = |rank: Rank| match rank {
        Rank::At(rank) => ((rank + 1.0) / of.total, (of.total - rank) / of.total),
        Rank::Share { share, .. } => (share, 1.0 - share),
    };
    let slack = (of.mean.abs() + of.std) * if weighted { 1e-6 } else { 1e-9 };
    let job = |ranks: [Rank; 2]| Job {
        ranks,
        low: of.mean - bound(shares(ranks[0]).0) - slack,
        high: of.mean + bound(shares(ranks[1]).1) + slack,
        refused: 0,
        mean: f64::NAN,
        rounds: 0,
    };
    let mut jobs: Vec<Job> = pairs.into_iter().map(job).collect();
    // The next is the last.
    jobs.reverse();
    jobs
}

impl Job {
    /// Whether the quantile is at or above a threshold that has so much below it.
    fn is_above(&self, below: f64, total: f64) -> bool {
        !self.ranks[0].reaches(below, total, total - below)
    }

    /// Whether it is below.
    fn is_below(&self, below: f64, total: f64) -> bool {
        self.ranks[1].reaches(below, total, total - below)
    }
}

impl Column {
    /// The interval of a job, and how much is below either end.
    fn bracket(&self, job: &Job) -> [(f64, f64); 2] {
        let above = self.known.iter().filter(|(_, below)| job.is_above(*below, self.total));
        let below = self.known.iter().filter(|(_, below)| job.is_below(*below, self.total));
        let low = above.copied().fold((job.low, 0.0), |a, b| if b.0 >= a.0 { b } else { a });
        let high = below.copied().fold((job.high, self.total), |a, b| if b.0 <= a.0 { b } else { a });
        [low, high]
    }

    /// Ends jobs of which nothing more can be known, and asks for what may cut the interval of the next.
    fn ask(&mut self) -> Result<Vec<Asked>> {
        while let Some(mut job) = self.jobs.pop() {
            let [(low, below_low), (high, below_high)] = self.bracket(&job);
            let within = below_high - below_low;
            let wide = high - low > WIDTH_MIN * low.abs().max(high.abs()) && (high - low).is_finite();
            if wide && within >= 2.0 * self.rows_min && job.rounds < ROUNDS_MAX {
                while job.refused < WAYS {
                    let asked = self.cuts(&job, low, high, within)?;
                    if !asked.is_empty() {
                        job.rounds += 1;
                        self.jobs.push(job);
                        return Ok(asked);
                    }
                    job.refused += 1;
                }
            }
            self.found.push((low, high));
        }
        Ok(Vec::new())
    }

    fn cuts(&self, job: &Job, low: f64, high: f64, within: f64) -> Result<Vec<Asked>> {
        let at = |share: f64| low + (high - low) * share;
        let cuts: Vec<Vec<f64>> = match job.refused {
            0 => {
                let fits = |fan: &&usize| **fan == 1 || (**fan as f64 + 1.0) * 2.0 * self.rows_min <= within;
                let evenly = |fan: &usize| (1..=*fan).map(|i| at(i as f64 / (*fan as f64 + 1.0))).collect();
                FANS.iter().filter(fits).map(evenly).collect()
            }
            1 if self.known.is_empty() => Vec::new(),
            1 => return Ok(vec![Asked::Sums(self.sums(self.known.iter().map(|(known, _)| *known).collect())?)]),
            2 if self.known.is_empty() => vec![vec![self.mean]],
            2 => vec![vec![job.mean]],
            way => {
                let share = 2.0_f64.powi(-NEAR[way - 3]);
                vec![vec![at(share)], vec![at(1.0 - share)]]
            }
        };
        let mut asked = Vec::with_capacity(cuts.len());
        for cuts in cuts {
            let new = |cut: &f64| *cut > low && *cut < high && self.known.iter().all(|(known, _)| known != cut);
            let cuts: Vec<f64> = cuts.into_iter().filter(new).collect();
            if cuts.is_empty() {
                continue;
            }
            let mut thresholds: Vec<f64> = self.known.iter().map(|(known, _)| *known).chain(cuts).collect();
            thresholds.sort_by(f64::total_cmp);
            thresholds.dedup();
            let pending = self.x.ranks(Ranks::Between, column(&thresholds), self.weights.clone())?;
            asked.push(Asked::Counts(thresholds, pending));
        }
        Ok(asked)
    }

    /// The sums of cells (times their weights) between thresholds.
    fn sums(&self, thresholds: Vec<f64>) -> Result<Pending> {
        let terms = match &self.weights {
            Some(weights) => self.x.multiply(weights)?,
            None => self.x.clone(),
        };
        self.x.ranks(Ranks::Between, column(&thresholds), Some(terms.into()))
    }

    /// Takes the first answer that was not refused; the others are part of it, or say nothing more.
    async fn learn(&mut self, asked: Vec<Asked>) -> Result<()> {
        if asked.is_empty() {
            return Ok(());
        }
        let (mut learnt, mut mean) = (false, f64::NAN);
        for asked in asked {
            let (thresholds, pending) = match asked {
                Asked::Sums(pending) => (None, pending),
                Asked::Counts(thresholds, pending) => (Some(thresholds), pending),
            };
            let cells = match pending.await {
                Ok(cells) => of_axis(cells, self.axis),
                Err(error) if is_refusal(&error) => continue,
                Err(error) => return Err(error),
            };
            match thresholds {
                None => mean = self.mean_within(&cells),
                Some(thresholds) if !learnt => {
                    learnt = true;
                    let mut below = 0.0;
                    let cumulated = cells.iter().map(|cell| {
                        below += cell;
                        below
                    });
                    self.known = thresholds.into_iter().zip(cumulated).collect();
                }
                Some(_coarser) => {}
            }
        }
        if let Some(job) = self.jobs.last_mut() {
            job.refused = if learnt { 0 } else { job.refused + 1 };
            job.mean = mean;
        }
        Ok(())
    }

    /// The mean of what is in the interval of the job at hand, from sums between all known thresholds.
    fn mean_within(&self, sums: &Array2<f64>) -> f64 {
        let Some(job) = self.jobs.last() else { return f64::NAN };
        let [(low, below_low), (_, below_high)] = self.bracket(job);
        let cell = self.known.iter().filter(|(known, _)| *known <= low).count();
        sums[[cell, 0]] / (below_high - below_low)
    }

    /// The mean of the middle half is no less than if all between the lower ends and the thresholds within were there.
    async fn middle(&self, [low, low_end]: [f64; 2], [high, high_end]: [f64; 2]) -> Result<(f64, f64)> {
        let below = |threshold: f64| self.known.iter().find(|(known, _)| *known == threshold).map(|(_, below)| *below);
        let widest = (low, high_end);
        let (Some(below_first), Some(below_last)) = (below(low_end), below(high)) else { return Ok(widest) };
        if low_end >= high {
            return Ok(widest);
        }
        let sums = match self.sums(vec![low_end, high])?.await {
            Ok(sums) => of_axis(sums, self.axis),
            Err(error) if is_refusal(&error) => return Ok(widest),
            Err(error) => return Err(error),
        };
        let (first, last) = (below_first - 0.25 * self.total, 0.75 * self.total - below_last);
        let mean = |a: f64, b: f64| (first * a + sums[[1, 0]] + last * b) / (0.5 * self.total);
        Ok((mean(low, high), mean(low_end, high_end)))
    }
}

fn column(cells: &[f64]) -> Operand {
    Array2::from_shape_fn((cells.len(), 1), |(row, _)| cells[row]).into()
}
