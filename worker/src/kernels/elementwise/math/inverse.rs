//! The angles to sines, cosines and tangents.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

use super::TINY;

/// What π / 2 is rounded by.
const HALF_PI_LOW: f64 = 6.123_233_995_736_766e-17;

/// `(asin(√z) - √z) / √z` for z up to 1/4 (`e_asin.c`).
#[inline(always)]
fn rational(z: f64) -> f64 {
    let p = z
        * (1.666_666_666_666_666_6e-1
            + z * (-3.255_658_186_224_009e-1
                + z * (2.012_125_321_348_629_3e-1
                    + z * (-4.005_553_450_067_941e-2
                        + z * (7.915_349_942_898_145e-4 + z * 3.479_331_075_960_212e-5)))));
    let q = 1.0
        + z * (-2.403_394_911_734_414
            + z * (2.020_945_760_233_505_7 + z * (-6.882_839_716_054_533e-1 + z * 7.703_815_055_590_194e-2)));
    p / q
}

/// A number without the lower half of its digits, whose square is exact.
#[inline(always)]
fn upper(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & 0xffff_ffff_0000_0000)
}

/// The angle of a sine.
#[inline(always)]
pub fn asin(x: f64) -> f64 {
    let size = x.abs();
    let small = size < 0.5;
    let z = if small { x * x } else { (1.0 - size) * 0.5 };
    let r = rational(z);
    let near = x + x * r;
    let s = z.sqrt();
    let high = upper(s);
    let sum = s + high;
    let low = if sum > 0.0 { (z - high * high) / sum } else { 0.0 };
    let far = FRAC_PI_4 - ((2.0 * s * r - (HALF_PI_LOW - 2.0 * low)) - (FRAC_PI_4 - 2.0 * high));
    let angle = if small { near } else { far.copysign(x) };
    let angle = if size <= 1.0 { angle } else { f64::NAN };
    if size < TINY { x } else { angle }
}

/// The angle of a cosine.
#[inline(always)]
pub fn acos(x: f64) -> f64 {
    let size = x.abs();
    let small = size < 0.5;
    let z = if small { x * x } else { (1.0 - size) * 0.5 };
    let r = rational(z);
    let middle = FRAC_PI_2 - (x - (HALF_PI_LOW - x * r));
    let s = z.sqrt();
    let left = PI - 2.0 * (s + (r * s - HALF_PI_LOW));
    let high = upper(s);
    let sum = s + high;
    let low = if sum > 0.0 { (z - high * high) / sum } else { 0.0 };
    let right = 2.0 * (high + (r * s + low));
    let angle = if small {
        middle
    } else if x < 0.0 {
        left
    } else {
        right
    };
    if size <= 1.0 { angle } else { f64::NAN }
}

/// The angle of a tangent (`s_atan.c`): near one of four angles, whose tangents are 1/2, 1, 3/2 and infinite.
#[inline(always)]
pub fn atan(x: f64) -> f64 {
    let size = x.abs();
    let (two, three, four) = (size >= 11.0 / 16.0, size >= 19.0 / 16.0, size >= 39.0 / 16.0);
    let one = size >= 7.0 / 16.0;
    let pick = |a: f64, b: f64, c: f64, d: f64, e: f64| {
        if four {
            e
        } else if three {
            d
        } else if two {
            c
        } else if one {
            b
        } else {
            a
        }
    };
    let numerator = pick(size, 2.0 * size - 1.0, size - 1.0, size - 1.5, -1.0);
    let denominator = pick(1.0, 2.0 + size, size + 1.0, 1.0 + 1.5 * size, size);
    let high = pick(0.0, 4.636_476_090_008_061e-1, FRAC_PI_4, 9.827_937_232_473_29e-1, FRAC_PI_2);
    let low =
        pick(0.0, 2.269_877_745_296_168_7e-17, 3.061_616_997_868_383e-17, 1.390_331_103_123_099_8e-17, HALF_PI_LOW);
    let t = numerator / denominator;
    let z = t * t;
    let w = z * z;
    let odd = z
        * (3.333_333_333_333_293e-1
            + w * (1.428_571_427_250_346_6e-1
                + w * (9.090_887_133_436_507e-2
                    + w * (6.661_073_137_387_531e-2
                        + w * (4.976_877_994_615_932e-2 + w * 1.628_582_011_536_578_2e-2)))));
    let even = w
        * (-1.999_999_999_987_648_3e-1
            + w * (-1.111_111_040_546_235_6e-1
                + w * (-7.691_876_205_044_83e-2 + w * (-5.833_570_133_790_573e-2 + w * -3.653_157_274_421_691_6e-2))));
    let angle = high - ((t * (odd + even) - low) - t);
    let angle = if x.is_nan() { x } else { angle.copysign(x) };
    if size < TINY { x } else { angle }
}
