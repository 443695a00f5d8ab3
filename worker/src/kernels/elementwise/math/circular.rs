//! Sine, cosine and tangent.

use super::{ROUNDER, TINY};

/// The largest argument in magnitude: beyond, multiples of π need more digits.
pub const ARGUMENT_MAX: f64 = 1_000_000.0;

/// π / 2 in three parts; products of the first two (of 33 bits) with multiples of arguments are exact.
const HALF_PI_1: f64 = 1.570_796_326_734_125_6;
const HALF_PI_2: f64 = 6.077_100_506_303_966e-11;
const HALF_PI_3: f64 = 2.022_266_248_795_950_6e-21;

/// An angle within π / 4 of a multiple of π / 2.
struct Reduced {
    /// Which multiple, in its two lowest bits.
    quarter: u64,
    /// The rest, and what it is rounded by.
    rest: f64,
    low: f64,
}

#[inline(always)]
fn reduced(x: f64) -> Reduced {
    let shifted = x * std::f64::consts::FRAC_2_PI + ROUNDER;
    let k = shifted - ROUNDER;
    let first = x - k * HALF_PI_1;
    // The second difference with its rounding error, whichever is larger (Knuth's two-sum).
    let by = k * HALF_PI_2;
    let second = first - by;
    let back = second - first;
    let error = (first - (second - back)) - (by + back);
    let by = k * HALF_PI_3 - error;
    let rest = second - by;
    Reduced { quarter: shifted.to_bits(), rest, low: (second - rest) - by }
}

/// The sine within π / 4 of 0 (`k_sin.c`).
#[inline(always)]
fn near_sin(x: f64, low: f64) -> f64 {
    let z = x * x;
    let v = z * x;
    let r = 8.333_333_333_322_49e-3
        + z * (-1.984_126_982_985_795e-4
            + z * (2.755_731_370_707_006_8e-6 + z * (-2.505_076_025_340_686_3e-8 + z * 1.589_690_995_211_55e-10)));
    x - ((z * (0.5 * low - v * r) - low) - v * -1.666_666_666_666_663_2e-1)
}

/// The cosine within π / 4 of 0 (`k_cos.c`).
#[inline(always)]
fn near_cos(x: f64, low: f64) -> f64 {
    let z = x * x;
    let w = z * z;
    let r = z * (4.166_666_666_666_66e-2 + z * (-1.388_888_888_887_411e-3 + z * 2.480_158_728_947_673e-5))
        + w * w * (-2.755_731_435_139_066_3e-7 + z * (2.087_572_321_298_175e-9 + z * -1.135_964_755_778_819_5e-11));
    let half = 0.5 * z;
    let w = 1.0 - half;
    w + (((1.0 - w) - half) + (z * r - x * low))
}

/// Turns the sign if the bit is set.
#[inline(always)]
fn turned(x: f64, bit: u64) -> f64 {
    f64::from_bits(x.to_bits() ^ (bit & 2) << 62)
}

/// The sine of an angle of at most [`ARGUMENT_MAX`].
#[inline(always)]
pub fn sin(x: f64) -> f64 {
    let Reduced { quarter, rest, low } = reduced(x);
    let (sin, cos) = (near_sin(rest, low), near_cos(rest, low));
    let sin = turned(if quarter & 1 == 0 { sin } else { cos }, quarter);
    if x.abs() < TINY { x } else { sin }
}

/// The cosine of an angle of at most [`ARGUMENT_MAX`].
#[inline(always)]
pub fn cos(x: f64) -> f64 {
    let Reduced { quarter, rest, low } = reduced(x);
    let (sin, cos) = (near_sin(rest, low), near_cos(rest, low));
    turned(if quarter & 1 == 0 { cos } else { sin }, quarter.wrapping_add(1))
}

/// The tangent of an angle of at most [`ARGUMENT_MAX`].
#[inline(always)]
pub fn tan(x: f64) -> f64 {
    let Reduced { quarter, rest, low } = reduced(x);
    let (sin, cos) = (near_sin(rest, low), near_cos(rest, low));
    let tan = if quarter & 1 == 0 { sin / cos } else { -cos / sin };
    if x.abs() < TINY { x } else { tan }
}
