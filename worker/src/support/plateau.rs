//! Plateaus: constants that a function takes for most rows. A function that is 1 for some rows and 0 for all others but
//! one tells that one's value in a sum, though neither the terms nor the terms less their centre look uneven.

use fondaco_proto::Result;

use super::{
    Support,
    series::{Magnitudes, SAMPLE_MAX, Term, fold, scan},
};
use crate::{kernels::Context, matrix::Matrix};

/// Terms of a sample that make a plateau, at least: those of fewer rows are refused as few rows anyway, and fewer of a
/// larger sample are near to each other by chance.
const MEMBERS_MIN: usize = 5;

/// Where there are more than two, plateaus have at least this share of the sample: each value that some rows of small
/// integers have would be one, and the few in the tail beyond them would be refused.
const SHARE_MIN: usize = 32;

/// A function of two constants is a step, of which both sides count however small.
const STEP: usize = 2;

/// Plateaus that are looked at, the heaviest; enough for sums of a few steps.
const PLATEAUS_MAX: usize = 8;

/// Members of a plateau are nearer to the next one than this share of the mean distance, so that continuous data have
/// none.
const NEARNESS: f64 = 128.0;

/// Members of a level, which may slope, are nearer to the next one than this share of all that the series spans, and
/// all of them within `LEVEL_MAX` of it.
const LEVEL_NEARNESS: f64 = 1.0 / 16.0;
const LEVEL_MAX: f64 = 1.0 / 4.0;

/// How often a cluster is looked at again by its own spread, so that a few terms far away do not make two plateaus one.
const DEPTH_MAX: usize = 8;

/// The plateaus of a series; if there are fewer than fit, the first again.
#[derive(Clone, Copy)]
pub struct Plateaus {
    centres: [f64; PLATEAUS_MAX],
    count: usize,
}

struct Cluster {
    centre: f64,
    members: usize,
}

impl Cluster {
    fn of(sorted: &[f64]) -> Self {
        Self { centre: sorted[sorted.len() / 2], members: sorted.len() }
    }
}

impl Plateaus {
    /// Those that a sorted sample of finite terms shows: of plateaus and levels, what leaves fewer terms beside them.
    pub fn of(sorted: &[f64]) -> Option<Self> {
        let plateaus = Self::heaviest(clusters(sorted), sorted.len());
        // Of a sample that is not all terms nobody can say which leaves fewer.
        if plateaus.is_some() && sorted.len() == SAMPLE_MAX {
            return plateaus;
        }
        let levels = levels(sorted);
        // A single one is the centre that is looked at anyway.
        let levels = if levels.len() < STEP { None } else { Self::heaviest(levels, sorted.len()) };
        let effective = |at: &Self| {
            let off: Vec<f64> = sorted.iter().map(|t| at.distance(*t)).collect();
            enough(Magnitudes::of(&off)).effective
        };
        [plateaus, levels].into_iter().flatten().min_by(|a, b| effective(a).total_cmp(&effective(b)))
    }

    fn heaviest(mut found: Vec<Cluster>, sample: usize) -> Option<Self> {
        found.sort_by_key(|cluster| std::cmp::Reverse(cluster.members));
        if found.len() > STEP {
            found.retain(|cluster| cluster.members * SHARE_MIN >= sample);
        }
        Self::at(found.iter().take(PLATEAUS_MAX).map(|cluster| cluster.centre))
    }

    /// These, as many as fit.
    pub fn at(centres: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let mut of = Self { centres: [centres.clone().next()?; PLATEAUS_MAX], count: 0 };
        for (slot, centre) in of.centres.iter_mut().zip(centres) {
            *slot = centre;
            of.count += 1;
        }
        Some(of)
    }

    /// How far a term is from the nearest; NaN of NaN.
    #[inline(always)]
    fn distance(&self, t: f64) -> f64 {
        let mut least = (t - self.centres[0]).abs();
        for centre in &self.centres[1..] {
            let distance = (t - centre).abs();
            least = if distance < least { distance } else { least };
        }
        least
    }
}

/// Clusters of a sorted sample: the terms of each are much nearer to each other than terms are in general, there or, if
/// that can be said as well, within the cluster that it is part of.
fn clusters(sorted: &[f64]) -> Vec<Cluster> {
    let mut found = Vec::new();
    gather(sorted, DEPTH_MAX, &mut found);
    found
}

fn gather(sorted: &[f64], depth: usize, found: &mut Vec<Cluster>) {
    let [first, .., last] = sorted else { return };
    let nearest = (last - first) / (NEARNESS * sorted.len() as f64);
    for part in sorted.chunk_by(|a, b| b - a <= nearest).filter(|part| part.len() >= MEMBERS_MIN) {
        let before = found.len();
        if depth > 0 && part.first() < part.last() {
            gather(part, depth - 1, found);
        }
        if found.len() == before {
            found.push(Cluster::of(part));
        }
    }
}

/// Where nothing is flat, as beside the step of an arc tangent: stretches that are small beside all that the terms span.
fn levels(sorted: &[f64]) -> Vec<Cluster> {
    let [first, .., last] = sorted else { return Vec::new() };
    let span = last - first;
    let level = |part: &&[f64]| part.len() >= MEMBERS_MIN && part[part.len() - 1] - part[0] <= span * LEVEL_MAX;
    sorted.chunk_by(|a, b| b - a <= span * LEVEL_NEARNESS).filter(level).map(Cluster::of).collect()
}

/// The weakest column of `np.vstack(parts)` by its rows off all plateaus: none at all, or enough.
pub fn weakest(parts: &[Matrix], term: Term, plateaus: &[Option<Plateaus>], cx: &Context<'_>) -> Result<Support> {
    if plateaus.iter().all(Option::is_none) {
        return Ok(Support::FULL);
    }
    let distances = |column: usize, cells: &[f64]| match plateaus[column] {
        Some(at) => scan(cells, 0.0, |x| at.distance(term.of(x))).terms,
        None => Magnitudes::EMPTY,
    };
    let off = fold(parts, cx, Magnitudes::EMPTY, distances, Magnitudes::merge)?;
    let supports = cx.map((0..off.len()).collect(), |column: usize| {
        let few = off[column].nonzero > 0.0 && off[column].nonzero <= SAMPLE_MAX as f64;
        let of = enough(off[column]);
        Ok(match plateaus[column] {
            // A sample of all terms shows all plateaus.
            Some(at) if few && at.count == 1 && rows(parts) > SAMPLE_MAX => of.weakest(hidden(parts, column, term, at)),
            Some(_) | None => of,
        })
    })?;
    Ok(supports.into_iter().fold(Support::FULL, Support::weakest))
}

fn enough(off: Magnitudes) -> Support {
    if off.nonzero == 0.0 { Support::FULL } else { off.support() }
}

fn rows(parts: &[Matrix]) -> usize {
    parts.iter().map(Matrix::rows).sum()
}

/// The other side of a step may have too few rows for a sample to show: if few are off the one plateau, all are looked at.
fn hidden(parts: &[Matrix], column: usize, term: Term, at: Plateaus) -> Support {
    let terms = parts.iter().flat_map(|part| (0..part.rows()).map(move |row| term.of(part.get(row, column))));
    let mut off: Vec<f64> = terms.filter(|t| t.is_finite() && at.distance(*t) != 0.0).collect();
    off.sort_unstable_by(f64::total_cmp);
    match clusters(&off).as_slice() {
        [other] => {
            let Some(both) = Plateaus::at([at.centres[0], other.centre].into_iter()) else { return Support::FULL };
            off.iter_mut().for_each(|t| *t = both.distance(*t));
            enough(Magnitudes::of(&off))
        }
        _ => Support::FULL,
    }
}
