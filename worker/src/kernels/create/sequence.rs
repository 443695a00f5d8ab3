//! Numbers that follow from their place: evenly spaced ones, and draws out of a range.

use fondaco_proto::{
    Result,
    op::{Sample, Seq},
};

use super::{
    super::{Context, simd, view::units},
    random::philox,
};
use crate::matrix::{Builder, Matrix};

/// Rounds of a permutation's network: many, because a small population has few halves to mix.
const ROUNDS: usize = 16;

/// Bits of the smallest network.
const BITS_MIN: u32 = 6;

/// What tells draws from the random cells of the same seed.
const DRAWN: u64 = 0x6472_6177_6e21_6f66;

/// `start + index * delta`, row by row of the larger matrix.
pub fn seq(seq: &Seq, cx: &Context<'_>) -> Result<Matrix> {
    let delta = (seq.start + seq.step) - seq.start;
    let mut builder = Builder::new(cx.memory, seq.shape.rows as usize, seq.shape.columns as usize)?;
    cx.each(units(&mut builder), |mut unit| {
        let first_row = seq.row_offset + unit.first_row as u64;
        for (column, out) in unit.columns() {
            // Below 2^53, as the shape rule says.
            let first = (first_row * seq.columns + seq.column_offset + column as u64) as f64;
            simd::run(Spaced { out, first, stride: seq.columns as f64, start: seq.start, delta });
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

struct Spaced<'a> {
    out: &'a mut [f64],
    first: f64,
    stride: f64,
    start: f64,
    delta: f64,
}

impl simd::Body for Spaced<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (i, out) in self.out.iter_mut().enumerate() {
            *out = self.start + (self.first + i as f64 * self.stride) * self.delta;
        }
    }
}

/// Draws out of `0..population`.
pub fn sample(sample: &Sample, cx: &Context<'_>) -> Result<Matrix> {
    let mut builder = Builder::new(cx.memory, sample.shape.rows as usize, sample.shape.columns as usize)?;
    cx.each(units(&mut builder), |mut unit| {
        let first_row = sample.row_offset + unit.first_row as u64;
        for (column, out) in unit.columns() {
            let column = sample.column_offset + column as u64;
            let permutation = Permutation::new(sample.population, sample.seed, column);
            for (row, out) in (first_row..).zip(out) {
                *out = if sample.replace {
                    // The high word of a product: each number as often as any other, but for 1 in 2^11.
                    ((u128::from(word(sample.seed, row, column)) * u128::from(sample.population)) >> 64) as f64
                } else {
                    permutation.at(row) as f64
                };
            }
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// 64 random bits of a seed, a row and a column.
fn word(seed: u64, row: u64, column: u64) -> u64 {
    let low = |word: u64| word & 0xffff_ffff;
    let (mut a, mut b, mut c, mut d) = ([low(row)], [row >> 32], [low(column)], [column >> 32]);
    philox(seed ^ DRAWN, [&mut a, &mut b, &mut c, &mut d]);
    a[0] | b[0] << 32
}

/// A permutation of `0..population`, computed place by place: an unbalanced Feistel network over the next power of two,
/// walked along until it is back in range (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).
struct Permutation {
    population: u64,
    bits: u32,
    keys: [u64; ROUNDS],
}

impl Permutation {
    fn new(population: u64, seed: u64, column: u64) -> Self {
        let bits = (u64::BITS - population.saturating_sub(1).leading_zeros()).max(BITS_MIN);
        // Rows beyond all rows.
        let key = |round: usize| word(seed, u64::MAX - round as u64, column);
        Self { population, bits, keys: std::array::from_fn(key) }
    }

    /// The number at this place, which is in range.
    fn at(&self, place: u64) -> u64 {
        let mut x = self.mix(place);
        // It comes back to the place, which is in range, at the latest.
        while x >= self.population {
            x = self.mix(x);
        }
        x
    }

    /// One pass through the network.
    fn mix(&self, mut x: u64) -> u64 {
        let (mut low_bits, mut high_bits) = (self.bits / 2, self.bits - self.bits / 2);
        for key in self.keys {
            let (high, low) = (x >> low_bits, x & ((1 << low_bits) - 1));
            let mixed = high ^ (scrambled(low ^ key) & ((1 << high_bits) - 1));
            // The halves change places, and so do their sizes.
            x = low << high_bits | mixed;
            (low_bits, high_bits) = (high_bits, low_bits);
        }
        x
    }
}

/// Stafford's mix 13, the finaliser of splitmix64.
fn scrambled(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn permutations_hold_each_number_once() {
        for population in [1, 2, 5, 63, 64, 65, 1000, 4097] {
            let permutation = Permutation::new(population, 3, 1);
            let numbers: HashSet<u64> = (0..population).map(|place| permutation.at(place)).collect();
            assert!(numbers.len() as u64 == population && numbers.iter().all(|x| *x < population), "{population}");
        }
        let large = Permutation::new(1 << 53, 3, 1);
        assert!((0..1000).map(|place| large.at(place)).collect::<HashSet<_>>().len() == 1000);
    }

    /// Each order of four numbers, and each number at each place, about as often as any other.
    #[test]
    fn permutations_are_drawn_evenly() {
        let (mut orders, seeds) = ([0_u32; 256], 24_000);
        for seed in 0..seeds {
            let permutation = Permutation::new(4, seed, 0);
            orders[(0..4).fold(0, |order, place| order * 4 + permutation.at(place) as usize)] += 1;
        }
        let seen: Vec<u32> = orders.into_iter().filter(|count| *count > 0).collect();
        assert_eq!(seen.len(), 24);
        // 1000 each, five standard deviations.
        assert!(seen.iter().all(|count| count.abs_diff(1000) < 160), "{seen:?}");
    }
}
