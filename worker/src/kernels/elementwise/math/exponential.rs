//! The exponential function.

use super::{LN2_HIGH, LN2_LOW, ROUNDER, TINY};

/// 2 to an integer power between -1022 and 1023.
#[inline(always)]
fn power_of_two(exponent: f64) -> f64 {
    f64::from_bits((exponent + (ROUNDER + 1023.0)).to_bits() << 52)
}

/// k and `e^r - 1`, where x is `k ln 2 + r` and |r| ≤ ln 2 / 2; the latter by its Taylor polynomial.
#[inline(always)]
fn reduced(x: f64) -> (f64, f64) {
    let k = (x * std::f64::consts::LOG2_E + ROUNDER) - ROUNDER;
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    let r2 = r * r;
    let r4 = r2 * r2;
    let low = (1.0 / 2.0 + r * (1.0 / 6.0)) + r2 * (1.0 / 24.0 + r * (1.0 / 120.0));
    let middle = (1.0 / 720.0 + r * (1.0 / 5_040.0)) + r2 * (1.0 / 40_320.0 + r * (1.0 / 362_880.0));
    let high =
        (1.0 / 3_628_800.0 + r * (1.0 / 39_916_800.0)) + r2 * (1.0 / 479_001_600.0 + r * (1.0 / 6_227_020_800.0));
    (k, r + r2 * (low + r4 * (middle + r4 * high)))
}

/// e to the power x.
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    // Beyond these the result is infinite or 0 anyway. NaN stays.
    let x = if x > 710.0 { 710.0 } else { x };
    let x = if x < -746.0 { -746.0 } else { x };
    let (k, e) = reduced(x);
    // In two steps, so that what is too small for a normal number comes out right.
    let half = (k * 0.5 + ROUNDER) - ROUNDER;
    (1.0 + e) * power_of_two(half) * power_of_two(k - half)
}

/// Half of e to the power x, for x ≥ 0: infinite only where the hyperbolic functions are.
#[inline(always)]
pub(super) fn half_exp(x: f64) -> f64 {
    let x = if x > 712.0 { 712.0 } else { x };
    let (k, e) = reduced(x);
    let half = (k * 0.5 + ROUNDER) - ROUNDER;
    (1.0 + e) * power_of_two(half) * power_of_two(k - half - 1.0)
}

/// Half of e to the power x less 1; not of numbers so small that their halves are no normal ones.
#[inline(always)]
pub(super) fn half_expm1(x: f64) -> f64 {
    // Below, the result is -1/2; beyond, infinite.
    let x = if x > 712.0 { 712.0 } else { x };
    let x = if x < -50.0 { -50.0 } else { x };
    let (k, e) = reduced(x);
    let clamped = if k > 1024.0 { 1024.0 } else { k };
    let half = power_of_two(clamped - 1.0);
    (half * e + (half - 0.5)) * power_of_two(k - clamped)
}

/// `exp(x) - 1`, with all digits near 0.
#[inline(always)]
pub fn expm1(x: f64) -> f64 {
    if x.abs() < TINY { x } else { 2.0 * half_expm1(x) }
}
