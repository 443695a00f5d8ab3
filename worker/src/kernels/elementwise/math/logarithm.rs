//! Logarithms.

use super::{LN2_HIGH, LN2_LOW, TINY};

/// The natural logarithm.
#[inline(always)]
pub fn ln(x: f64) -> f64 {
    near(x, 0.0)
}

/// The natural logarithm of `1 + x`, with all digits near 0.
#[inline(always)]
pub fn log1p(x: f64) -> f64 {
    let u = 1.0 + x;
    // What the sum lost, of whichever is the smaller.
    let lost = if x.abs() < 1.0 { x - (u - 1.0) } else { 1.0 - (u - x) };
    let lost = lost / u;
    let ln = near(u, if lost.is_nan() { 0.0 } else { lost });
    if x.abs() < TINY { x } else { ln }
}

/// The logarithm of x, and something small added: x = 2^e · (1 + f), and ln(1 + f) as in `e_log.c`.
#[inline(always)]
fn near(x: f64, small: f64) -> f64 {
    let subnormal = x < f64::MIN_POSITIVE;
    let scaled = if subnormal { x * (1_u64 << 54) as f64 } else { x };
    // From sqrt(1/2) to sqrt(2).
    let bits = scaled.to_bits().wrapping_add(0x3ff0_0000_0000_0000 - 0x3fe6_a09e_0000_0000);
    let exponent = f64::from_bits(bits >> 52 | 0x4330_0000_0000_0000) - ((1_u64 << 52) as f64 + 1023.0);
    let e = if subnormal { exponent - 54.0 } else { exponent };
    let f = f64::from_bits((bits & 0x000f_ffff_ffff_ffff).wrapping_add(0x3fe6_a09e_0000_0000)) - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = w * (0.399_999_999_994_094_2 + w * (0.222_221_984_321_497_84 + w * 0.153_138_376_992_093_73));
    let odd = z
        * (0.666_666_666_666_673_5
            + w * (0.285_714_287_436_623_9 + w * (0.181_835_721_616_180_5 + w * 0.147_981_986_051_165_86)));
    let half = 0.5 * f * f;
    let ln = e * LN2_HIGH - ((half - (s * (half + (even + odd)) + (e * LN2_LOW + small))) - f);
    let ln = if x == f64::INFINITY { x } else { ln };
    let ln = if x == 0.0 { f64::NEG_INFINITY } else { ln };
    if (x < 0.0) | x.is_nan() { f64::NAN } else { ln }
}
