//! The support of series, in one pass over their terms after a sample gave the centres; one more, where it shows plateaus.

use fondaco_proto::Result;

use super::{
    Centre, Support,
    plateau::{self, Plateaus},
};
use crate::{
    kernels::{
        Context,
        aggregate::{fold_columns, fold_rows},
        simd,
    },
    matrix::Matrix,
};

/// Terms of which a series' centre is the median, at most.
pub const SAMPLE_MAX: usize = 1025;

/// Terms that are looked at side by side; loops over fewer than 32 are not vectorised, but unrolled.
const LANES: usize = 32;

/// More than rounding ever takes from a quotient of sums, so that five equal terms count as five.
const ROUNDING: f64 = 1.0 + 1e-9;

/// Beyond a power of two of this magnitude are the edges of the numbers: products of three are not.
pub const EDGE: i32 = 300;

/// What a cell contributes to its series.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// Itself.
    Cell,
    /// Its square.
    Square,
}

impl Term {
    /// The contribution of a cell.
    #[inline(always)]
    pub fn of(self, x: f64) -> f64 {
        match self {
            Self::Cell => x,
            Self::Square => x * x,
        }
    }
}

/// The weakest column of `np.vstack(parts)`.
pub fn weakest(parts: &[Matrix], term: Term, centre: Centre, cx: &Context<'_>) -> Result<Support> {
    let count = parts.first().map_or(0, Matrix::columns);
    let sampled = cx.map((0..count).collect(), |column| Ok(Sampled::of(sample(parts, column, term), centre)))?;
    let of = |i: usize, cells: &[f64]| Spectrum::of(cells, term, sampled[i].centre);
    let spectra = fold(parts, cx, Spectrum::EMPTY, of, Spectrum::merge)?;
    let support =
        spectra.into_iter().map(|spectrum| spectrum.support(centre, term)).fold(Support::FULL, Support::weakest);
    let plateaus: Vec<Option<Plateaus>> = sampled.into_iter().map(|sampled| sampled.plateaus).collect();
    Ok(support.weakest(plateau::weakest(parts, term, &plateaus, cx)?))
}

/// For each column of `np.vstack(parts)`, merges what `lane` makes of some of its cells after another.
pub fn fold<P: Copy + Send + Sync>(
    parts: &[Matrix],
    cx: &Context<'_>,
    empty: P,
    lane: impl Fn(usize, &[f64]) -> P + Send + Sync,
    merge: impl Fn(P, P) -> P + Send + Sync,
) -> Result<Vec<P>> {
    let mut merged = vec![empty; parts.first().map_or(0, Matrix::columns)];
    for part in parts {
        let partial = if part.is_transposed() {
            fold_rows(part, cx, empty, &lane, &merge)?
        } else {
            fold_columns(part, cx, empty, &lane, &merge)?
        };
        for (merged, partial) in merged.iter_mut().zip(partial) {
            *merged = merge(*merged, partial);
        }
    }
    Ok(merged)
}

/// What a sample tells of a series.
struct Sampled {
    /// The median; one of the terms, so that a constant is its own centre.
    centre: f64,
    /// Of data; weights may have as many values as they like, because each row that is weighed is in the sum.
    plateaus: Option<Plateaus>,
}

impl Sampled {
    fn of(mut sample: Vec<f64>, centre: Centre) -> Self {
        let middle = sample.len() / 2;
        match centre {
            _ if sample.is_empty() => Self { centre: 0.0, plateaus: None },
            Centre::Weights => {
                let centre = *sample.select_nth_unstable_by(middle, f64::total_cmp).1;
                Self { centre, plateaus: None }
            }
            Centre::Data | Centre::Counted => {
                sample.sort_unstable_by(f64::total_cmp);
                Self { centre: sample[middle], plateaus: Plateaus::of(&sample) }
            }
        }
    }
}

/// Evenly spaced terms of a column, those that are finite.
fn sample(parts: &[Matrix], column: usize, term: Term) -> Vec<f64> {
    let total: usize = parts.iter().map(Matrix::rows).sum();
    let count = total.min(SAMPLE_MAX);
    let mut sample = Vec::with_capacity(count);
    let (mut part, mut first) = (0, 0);
    for i in 0..count {
        // Below `total`, so there is a part that has the row.
        let row = (i as u128 * total as u128 / count as u128) as usize;
        while row - first >= parts[part].rows() {
            first += parts[part].rows();
            part += 1;
        }
        let value = term.of(parts[part].get(row - first, column));
        if value.is_finite() {
            sample.push(value);
        }
    }
    sample
}

/// The magnitudes of terms, scaled by a power of two so that neither sums nor squares overflow or vanish.
#[derive(Clone, Copy)]
pub struct Magnitudes {
    /// Terms that are not 0.
    pub nonzero: f64,
    /// Terms that are NaN or infinite.
    pub not_finite: f64,
    /// Sums are of |t| · 2^-exponent; the largest finite one is about 1.
    pub exponent: i32,
    sum: f64,
    squares: f64,
}

impl Magnitudes {
    /// Of no terms.
    pub const EMPTY: Self = Self { nonzero: 0.0, not_finite: 0.0, exponent: i32::MIN / 2, sum: 0.0, squares: 0.0 };

    /// Of cells as they are.
    pub fn of(cells: &[f64]) -> Self {
        scan(cells, 0.0, |x| x).terms
    }

    /// Of the terms of both.
    pub fn merge(a: Self, b: Self) -> Self {
        let exponent = a.exponent.max(b.exponent);
        let (by_a, by_b) = (power_of_two(a.exponent - exponent), power_of_two(b.exponent - exponent));
        Self {
            nonzero: a.nonzero + b.nonzero,
            not_finite: a.not_finite + b.not_finite,
            exponent,
            sum: a.sum * by_a + b.sum * by_b,
            squares: a.squares * by_a * by_a + b.squares * by_b * by_b,
        }
    }

    /// The mean of those that are not 0, and finite.
    pub fn mean(&self) -> f64 {
        let count = self.nonzero - self.not_finite;
        if count > 0.0 { self.sum / count * power_of_two(self.exponent) } else { 0.0 }
    }

    /// At least the largest finite one.
    pub fn largest(&self) -> f64 {
        if self.sum > 0.0 { power_of_two(self.exponent + 1) } else { 0.0 }
    }

    /// Of all terms together.
    pub fn support(&self) -> Support {
        if self.not_finite > 0.0 {
            return Support::equal(self.not_finite);
        }
        if self.nonzero == 0.0 {
            return Support::NONE;
        }
        let effective = self.sum * self.sum / self.squares * ROUNDING;
        Support { effective: effective.min(self.nonzero), ..Support::equal(self.nonzero) }
    }
}

/// That of the least normal number.
pub const LEAST_EXPONENT: i32 = -1022;

/// 2 to a power of at least -1074; 0 below.
pub fn power_of_two(exponent: i32) -> f64 {
    // 2^-1022 and below are subnormal.
    if exponent < -1074 {
        0.0
    } else if exponent < -1022 {
        f64::from_bits(1 << (exponent + 1074))
    } else {
        f64::from_bits(((exponent + 1023) as u64) << 52)
    }
}

/// The exponent of a finite number that is not negative; of zero and subnormal numbers that of the least normal one.
fn exponent_of(x: f64) -> i32 {
    ((x.to_bits() >> 52) as i32 - 1023).max(LEAST_EXPONENT)
}

/// The magnitudes of terms, and of terms less their centre.
#[derive(Clone, Copy)]
pub struct Spectrum {
    /// Of terms.
    pub terms: Magnitudes,
    /// Of terms less the centre.
    pub centred: Magnitudes,
}

impl Spectrum {
    const EMPTY: Self = Self { terms: Magnitudes::EMPTY, centred: Magnitudes::EMPTY };

    fn of(cells: &[f64], term: Term, centre: f64) -> Self {
        match term {
            Term::Cell => scan(cells, centre, |x| x),
            Term::Square => scan(cells, centre, |x| x * x),
        }
    }

    fn merge(a: Self, b: Self) -> Self {
        Self { terms: Magnitudes::merge(a.terms, b.terms), centred: Magnitudes::merge(a.centred, b.centred) }
    }

    fn support(self, centre: Centre, term: Term) -> Support {
        // What was multiplied with terms at the edge of the numbers would vanish, or not be finite, for most rows.
        let edge = EDGE * if term == Term::Square { 2 } else { 1 };
        if self.terms.sum > 0.0 && !(-edge..=edge).contains(&self.terms.exponent) {
            return Support::NONE;
        }
        let terms = self.terms.support();
        let constant = self.centred.nonzero == 0.0;
        match centre {
            Centre::Weights | Centre::Counted if constant => terms,
            Centre::Weights | Centre::Counted | Centre::Data => terms.weakest(self.centred.support()),
        }
    }
}

/// Of consecutive cells.
pub fn scan(cells: &[f64], centre: f64, term: impl Fn(f64) -> f64 + Copy) -> Spectrum {
    let Counts { largest, nonzero, not_finite } = simd::run(Count { cells, centre, term });
    let exponents = largest.map(exponent_of);
    let scales = exponents.map(|exponent| power_of_two(-exponent));
    let Sums { sum, squares } = simd::run(Sum { cells, centre, term, scales });
    let magnitudes = |i: usize| Magnitudes {
        nonzero: nonzero[i],
        not_finite: not_finite[i],
        exponent: exponents[i],
        sum: sum[i],
        squares: squares[i],
    };
    Spectrum { terms: magnitudes(0), centred: magnitudes(1) }
}

/// Of terms, and of terms less their centre.
struct Counts {
    largest: [f64; 2],
    nonzero: [f64; 2],
    not_finite: [f64; 2],
}

/// The first pass over cells: their largest finite magnitude, and how many are not zero, and not finite.
struct Count<'a, F> {
    cells: &'a [f64],
    centre: f64,
    term: F,
}

impl<F: Fn(f64) -> f64> simd::Body for Count<'_, F> {
    type Output = Counts;

    #[inline(always)]
    fn run(self) -> Counts {
        let mut largest = [[0.0; LANES]; 2];
        let mut nonzero = [[0.0; LANES]; 2];
        let mut not_finite = [[0.0; LANES]; 2];
        let (chunks, rest) = self.cells.as_chunks::<LANES>();
        // The rest is filled up with terms that are not looked at.
        let mut last = [0.0; LANES];
        last[..rest.len()].copy_from_slice(rest);
        let chunks = chunks.iter().map(|chunk| (chunk, LANES)).chain([(&last, rest.len())]);
        for (chunk, count) in chunks {
            for lane in 0..count {
                let t = (self.term)(chunk[lane]);
                look(t, &mut largest[0][lane], &mut nonzero[0][lane], &mut not_finite[0][lane]);
                look(t - self.centre, &mut largest[1][lane], &mut nonzero[1][lane], &mut not_finite[1][lane]);
            }
        }
        Counts {
            largest: largest.map(|lanes| lanes.into_iter().fold(0.0, f64::max)),
            nonzero: nonzero.map(|lanes| lanes.iter().sum()),
            not_finite: not_finite.map(|lanes| lanes.iter().sum()),
        }
    }
}

#[inline(always)]
fn look(t: f64, largest: &mut f64, nonzero: &mut f64, not_finite: &mut f64) {
    let magnitude = t.abs();
    let finite = magnitude < f64::INFINITY;
    *largest = if finite & (magnitude > *largest) { magnitude } else { *largest };
    *nonzero += if magnitude == 0.0 { 0.0 } else { 1.0 };
    *not_finite += if finite { 0.0 } else { 1.0 };
}

/// Of terms, and of terms less their centre.
struct Sums {
    sum: [f64; 2],
    squares: [f64; 2],
}

/// The second pass, while the cells are in cache: sums of the scaled magnitudes and of their squares.
struct Sum<'a, F> {
    cells: &'a [f64],
    centre: f64,
    term: F,
    scales: [f64; 2],
}

impl<F: Fn(f64) -> f64> simd::Body for Sum<'_, F> {
    type Output = Sums;

    #[inline(always)]
    fn run(self) -> Sums {
        let (mut sum, mut squares) = ([[0.0; LANES]; 2], [[0.0; LANES]; 2]);
        let (chunks, rest) = self.cells.as_chunks::<LANES>();
        let mut last = [0.0; LANES];
        last[..rest.len()].copy_from_slice(rest);
        let chunks = chunks.iter().map(|chunk| (chunk, LANES)).chain([(&last, rest.len())]);
        for (chunk, count) in chunks {
            for lane in 0..count {
                let t = (self.term)(chunk[lane]);
                add(t * self.scales[0], &mut sum[0][lane], &mut squares[0][lane]);
                add((t - self.centre) * self.scales[1], &mut sum[1][lane], &mut squares[1][lane]);
            }
        }
        Sums { sum: sum.map(|lanes| lanes.iter().sum()), squares: squares.map(|lanes| lanes.iter().sum()) }
    }
}

#[inline(always)]
fn add(t: f64, sum: &mut f64, squares: &mut f64) {
    let magnitude = if t.abs() < f64::INFINITY { t.abs() } else { 0.0 };
    *sum += magnitude;
    *squares += magnitude * magnitude;
}
