//! Random cells as a pure function of the seed and of the position: Philox4x32-10 (Salmon et al., "Parallel random
//! numbers: as easy as 1, 2, 3", 2011) with the cell's row and column as its counter.

use fondaco_proto::{
    Result,
    op::{Distribution, Rand},
};

use super::super::{Context, simd, view::units};
use crate::matrix::{Builder, Matrix};

/// Cells drawn at a time.
const BATCH: usize = 128;

/// The matrix of random cells. The first word of a cell's draw gives its value, the second whether it is drawn at all.
pub fn rand(rand: &Rand, cx: &Context<'_>) -> Result<Matrix> {
    let mut builder = Builder::new(cx.memory, rand.shape.rows as usize, rand.shape.columns as usize)?;
    cx.each(units(&mut builder), |mut unit| {
        let first_row = rand.row_offset + unit.first_row as u64;
        for (column, out) in unit.columns() {
            let column = rand.column_offset + column as u64;
            for (batch, out) in out.chunks_mut(BATCH).enumerate() {
                fill_batch(rand, first_row + (batch * BATCH) as u64, column, out);
            }
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// At most `BATCH` cells of a column, from `row` on.
fn fill_batch(rand: &Rand, row: u64, column: u64, out: &mut [f64]) {
    let mut draws = [[0.0; BATCH]; 2];
    simd::run(Uniforms { seed: rand.seed, row, column, draws: &mut draws });
    let [values, kept] = &draws;
    match rand.distribution {
        Distribution::Uniform { low, high } => simd::map(out, values, |u| uniform(u, low, high)),
        Distribution::Normal { mean, std } => simd::map(out, values, |u| mean + std * normal(u)),
        Distribution::Bernoulli { p } => simd::map(out, values, |u| if u < p { 1.0 } else { 0.0 }),
    }
    if rand.density < 1.0 {
        for (out, kept) in out.iter_mut().zip(kept) {
            *out = if *kept < rand.density { *out } else { 0.0 };
        }
    }
}

/// Two uniform numbers in [0, 1), multiples of 2^-53, for each of `BATCH` rows.
struct Uniforms<'a> {
    seed: u64,
    row: u64,
    column: u64,
    draws: &'a mut [[f64; BATCH]; 2],
}

impl simd::Body for Uniforms<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let [first, second] = self.draws;
        for (i, (first, second)) in first.iter_mut().zip(second).enumerate() {
            let [a, b] = philox(self.seed, self.row.wrapping_add(i as u64), self.column);
            (*first, *second) = (unit_interval(a), unit_interval(b));
        }
    }
}

#[inline(always)]
fn unit_interval(word: u64) -> f64 {
    (word >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// Philox4x32-10: two words from a key and a counter.
#[inline(always)]
fn philox(key: u64, low: u64, high: u64) -> [u64; 2] {
    const LOW: u64 = 0xffff_ffff;
    let (mut k0, mut k1) = (key & LOW, key >> 32);
    let [mut c0, mut c1, mut c2, mut c3] = [low & LOW, low >> 32, high & LOW, high >> 32];
    for _round in 0..10 {
        let (p0, p1) = (0xd251_1f53 * c0, 0xcd9e_8d57 * c2);
        [c0, c1, c2, c3] = [(p1 >> 32) ^ c1 ^ k0, p1 & LOW, (p0 >> 32) ^ c3 ^ k1, p0 & LOW];
        (k0, k1) = ((k0 + 0x9e37_79b9) & LOW, (k1 + 0xbb67_ae85) & LOW);
    }
    [c0 | c1 << 32, c2 | c3 << 32]
}

/// `u` of [0, 1) to [low, high).
fn uniform(u: f64, low: f64, high: f64) -> f64 {
    let span = high - low;
    let value = if span.is_finite() { low + span * u } else { low * (1.0 - u) + high * u };
    // Rounding may reach what must not be reached.
    if value >= high && low < high { high.next_down() } else { value }
}

/// The standard normal quantile of `u + 2^-54`: Wichura's AS 241 (PPND16), relative accuracy 1e-16.
fn normal(u: f64) -> f64 {
    const A: [f64; 8] = [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ];
    const B: [f64; 8] = [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_545,
    ];
    // The centre of the interval that u stands for: never 0, and as near to 1 as 2^-54.
    let q = (u - 0.5) + f64::EPSILON / 4.0;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * polynomial(&A, r) / polynomial(&B, r);
    }
    let tail = if q < 0.0 { u + f64::EPSILON / 4.0 } else { (1.0 - u) - f64::EPSILON / 4.0 };
    normal_tail(tail.max(f64::EPSILON / 4.0)).copysign(q)
}

/// The magnitude of the quantile in a tail of this probability, below 0.075.
#[cold]
fn normal_tail(tail: f64) -> f64 {
    const C: [f64; 8] = [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ];
    const D: [f64; 8] = [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ];
    const E: [f64; 8] = [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ];
    const F: [f64; 8] = [
        1.0,
        0.599_832_206_555_887_9,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_7e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ];
    let r = (-tail.ln()).sqrt();
    if r <= 5.0 {
        let r = r - 1.6;
        polynomial(&C, r) / polynomial(&D, r)
    } else {
        let r = r - 5.0;
        polynomial(&E, r) / polynomial(&F, r)
    }
}

/// Σ cᵢ rⁱ by Horner's rule.
fn polynomial(coefficients: &[f64; 8], r: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * r + c)
}

#[cfg(test)]
mod tests;
