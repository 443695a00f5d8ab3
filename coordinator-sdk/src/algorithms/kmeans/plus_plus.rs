//! The first centres, by k-means++.

use fondaco_proto::op::Distribution;
use ndarray::Array2;

use super::{
    super::{
        draws::Draws,
        sites::{beside, hinted, if_released, is_refusal},
    },
    Data,
    assignment::{TOO_SMALL, scores, winners},
    cells::{ATTEMPTS, Cells},
};
use crate::{Axis, Error, FedMatrix, Result};

/// Numbers between 0 and 1.
pub(super) const LOTS: Distribution = Distribution::Uniform { low: 0.0, high: 1.0 };

/// How far it has come.
struct Seeding<'a> {
    data: &'a Data,
    draws: Draws,
    /// |x|², `(n, 1)`.
    squares: FedMatrix,
    /// Squared distances to the nearest centre so far, `(n, 1)`; none before the first.
    closest: Option<FedMatrix>,
}

/// k centres. Where the owners let single rows out, of rows; else of cells.
pub(super) async fn centers(data: &Data, k: usize, seed: u64) -> Result<Array2<f64>> {
    let trials = 2 + (k as f64).ln() as usize;
    let mut seeding = Seeding { data, draws: Draws::new(seed), squares: data.x.row_sumsq()?, closest: None };
    let mut chosen = Array2::zeros((0, data.means.ncols()));
    let (mut cells, mut refusals): (Option<Cells>, usize) = (None, 0);
    while chosen.nrows() < k {
        // The first is drawn as all rows are alike.
        let trials = if chosen.is_empty() { 1 } else { trials };
        let candidates = match &cells {
            None => match if_released(seeding.rows(trials).await)? {
                Some(rows) => rows,
                None => {
                    cells = Some(Cells::of(data, k, &mut seeding.draws).await?);
                    continue;
                }
            },
            Some(cells) => cells.groups(trials, seeding.closest.as_ref(), &mut seeding.draws).await?,
        };
        match seeding.take_best(candidates, &mut chosen, cells.is_some()).await {
            Ok(()) => {
                if let Some(cells) = &mut cells {
                    cells.add(chosen.row(chosen.nrows() - 1));
                }
            }
            Err(error) if is_refusal(&error) && refusals < ATTEMPTS => refusals += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(chosen)
}

impl Seeding<'_> {
    /// Rows, each drawn in proportion to its squared distance `w`: the one with the largest `ln(u) / w` of uniform `u`
    /// (Efraimidis & Spirakis 2006, "Weighted random sampling with a reservoir"). Two round trips.
    async fn rows(&mut self, count: usize) -> Result<Array2<f64>> {
        let x = &self.data.x;
        let mut keys = x.rand_like(&beside(x, count as u64)?, self.draws.seed(), LOTS)?.log()?;
        if let Some(closest) = &self.closest {
            // Rounding may have left less than nothing.
            keys = keys.divide(closest.maximum(0.0)?)?;
        }
        let largest = keys.max(Axis::Columns)?.await?;
        let drawn = keys.greater_equal(&largest)?;
        let (counts, sums) = (drawn.sum(Axis::Columns)?, drawn.cross(x)?);
        Ok(sums.await? / counts.await?.reversed_axes())
    }

    /// Adds the candidate that leaves the least squared distances; of several that are `checked`, the best one with
    /// which all clusters are large enough at all sites. One round trip, and one for each check.
    async fn take_best(&mut self, candidates: Array2<f64>, chosen: &mut Array2<f64>, checked: bool) -> Result<()> {
        let apart = scores(&self.data.x, &candidates)?.add(&self.squares)?;
        let mut left = Vec::with_capacity(candidates.nrows());
        for (i, candidate) in candidates.rows().into_iter().enumerate() {
            let distance = apart.slice(.., i as u64..i as u64 + 1)?;
            let closest = match &self.closest {
                Some(closest) => closest.hstack([distance])?.row_min()?,
                None => distance,
            };
            left.push((closest.sum(Axis::All)?, closest, candidate));
        }
        let mut ranked = Vec::with_capacity(left.len());
        for (sum, closest, candidate) in left {
            let sum = if candidates.nrows() > 1 { sum.scalar().await? } else { 0.0 };
            ranked.push((sum, closest, candidate));
        }
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut refusal = None;
        for (_, closest, candidate) in ranked {
            let mut next = chosen.clone();
            next.push_row(candidate).map_err(|error| Error::plan(format!("kmeans: {error}")))?;
            if checked && next.nrows() > 1 {
                match winners(&self.data.x, &next)?.sum(Axis::Columns)?.await {
                    Ok(_) => {}
                    Err(error) if is_refusal(&error) => {
                        refusal = Some(hinted(error, TOO_SMALL));
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            (*chosen, self.closest) = (next, Some(closest));
            return Ok(());
        }
        Err(refusal.unwrap_or_else(|| Error::plan("kmeans: there is no candidate")))
    }
}
