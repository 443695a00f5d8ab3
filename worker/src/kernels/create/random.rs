//! Random cells as a pure function of the seed and of the position: Philox4x32-10 (Salmon et al., "Parallel random
//! numbers: as easy as 1, 2, 3", 2011) with the cell's row and column as its counter.

use fondaco_proto::{
    Result,
    op::{Distribution, Rand},
};

use super::super::{Context, elementwise::math::ln, simd, view::units};
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
    let mut draws = Draws { words: [[0; BATCH]; 4], values: [0.0; BATCH], kept: [0.0; BATCH] };
    simd::run(Uniforms { seed: rand.seed, row, column, draws: &mut draws });
    match rand.distribution {
        Distribution::Uniform { low, high } => simd::map(out, &draws.values, |u| uniform(u, low, high)),
        Distribution::Normal { mean, std } => simd::run(Normals { out, uniforms: &draws.values, mean, std }),
        Distribution::Bernoulli { p } => simd::map(out, &draws.values, |u| if u < p { 1.0 } else { 0.0 }),
    }
    if rand.density < 1.0 {
        for (out, kept) in out.iter_mut().zip(&draws.kept) {
            *out = if *kept < rand.density { *out } else { 0.0 };
        }
    }
}

/// What is drawn for each row of a batch.
#[repr(align(64))]
struct Draws {
    /// The counters, then the words that Philox makes of them; 32 bits each.
    words: [[u64; BATCH]; 4],
    /// Uniform in [0, 1), multiples of 2^-53.
    values: [f64; BATCH],
    /// The same, another.
    kept: [f64; BATCH],
}

struct Uniforms<'a> {
    seed: u64,
    row: u64,
    column: u64,
    draws: &'a mut Draws,
}

impl simd::Body for Uniforms<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Draws { words, values, kept } = self.draws;
        let [w0, w1, w2, w3] = words;
        for (i, (w0, w1)) in w0.iter_mut().zip(&mut *w1).enumerate() {
            let row = self.row.wrapping_add(i as u64);
            (*w0, *w1) = (row & LOW, row >> 32);
        }
        w2.fill(self.column & LOW);
        w3.fill(self.column >> 32);
        philox(self.seed, [w0, w1, w2, w3]);
        for ((value, low), high) in values.iter_mut().zip(w0).zip(w1) {
            *value = unit_interval(*low | *high << 32);
        }
        for ((kept, low), high) in kept.iter_mut().zip(w2).zip(w3) {
            *kept = unit_interval(*low | *high << 32);
        }
    }
}

/// The high 53 bits as a fraction.
#[inline(always)]
fn unit_interval(word: u64) -> f64 {
    (word >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// The low half of a word.
const LOW: u64 = 0xffff_ffff;

/// Philox4x32-10 of each column of counters, in place; round by round, so that it is vectorised.
#[inline(always)]
pub(super) fn philox<const N: usize>(key: u64, [c0, c1, c2, c3]: [&mut [u64; N]; 4]) {
    let (mut k0, mut k1) = (key & LOW, key >> 32);
    for _round in 0..10 {
        for i in 0..N {
            // Neither overflows 64 bits.
            let p0 = (c0[i] & LOW).wrapping_mul(0xd251_1f53);
            let p1 = (c2[i] & LOW).wrapping_mul(0xcd9e_8d57);
            (c0[i], c1[i]) = ((p1 >> 32) ^ c1[i] ^ k0, p1 & LOW);
            (c2[i], c3[i]) = ((p0 >> 32) ^ c3[i] ^ k1, p0 & LOW);
        }
        (k0, k1) = ((k0 + 0x9e37_79b9) & LOW, (k1 + 0xbb67_ae85) & LOW);
    }
}

/// `u` of [0, 1) to [low, high).
fn uniform(u: f64, low: f64, high: f64) -> f64 {
    let span = high - low;
    let value = if span.is_finite() { low + span * u } else { low * (1.0 - u) + high * u };
    // Rounding may reach what must not be reached.
    if value >= high && low < high { high.next_down() } else { value }
}

/// Normal numbers from uniform ones.
struct Normals<'a> {
    out: &'a mut [f64],
    uniforms: &'a [f64],
    mean: f64,
    std: f64,
}

impl simd::Body for Normals<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (out, u) in self.out.iter_mut().zip(self.uniforms) {
            *out = self.mean + self.std * normal(*u);
        }
    }
}

/// The standard normal quantile of `u + 2^-54`: Wichura's AS 241 (PPND16), relative accuracy 1e-16.
#[inline(always)]
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
    let q = (u - 0.5) + HALF_STEP;
    let r = 0.180_625 - q * q;
    let centre = q * polynomial(&A, r) / polynomial(&B, r);
    let tail = if q < 0.0 { u + HALF_STEP } else { (1.0 - u) - HALF_STEP };
    let side = normal_tail(tail).copysign(q);
    if q.abs() <= 0.425 { centre } else { side }
}

/// Half the distance of uniform numbers.
const HALF_STEP: f64 = f64::EPSILON / 4.0;

/// The magnitude of the quantile in a tail of this probability, below 0.075.
#[inline(always)]
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
    let r = (-ln(tail)).sqrt();
    let (near, far) = (r - 1.6, r - 5.0);
    // Both are computed for all, and one is taken.
    let near = polynomial(&C, near) / polynomial(&D, near);
    let far = polynomial(&E, far) / polynomial(&F, far);
    if r <= 5.0 { near } else { far }
}

/// Σ cᵢ rⁱ by Horner's rule.
#[inline(always)]
fn polynomial([c0, c1, c2, c3, c4, c5, c6, c7]: &[f64; 8], r: f64) -> f64 {
    ((((((c7 * r + c6) * r + c5) * r + c4) * r + c3) * r + c2) * r + c1) * r + c0
}

#[cfg(test)]
mod tests;
