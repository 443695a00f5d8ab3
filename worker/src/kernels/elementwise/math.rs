//! Exponential and logarithm without tables, branches or fused operations: loops over them are vectorised, and every
//! instruction set and C library gives the same bits. Both are within 2 units in the last place.

/// Adding and subtracting it rounds to an integer, which then is in the low bits of the sum: 1.5 · 2^52.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// ln 2 in two parts; the first has few enough bits that its products with exponents are exact.
const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// 2 to an integer power between -1022 and 1023.
#[inline(always)]
fn power_of_two(exponent: f64) -> f64 {
    f64::from_bits((exponent + (ROUNDER + 1023.0)).to_bits() << 52)
}

/// e to the power x: 2^k · e^r with |r| ≤ ln 2 / 2, and for e^r its Taylor polynomial.
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    // Beyond these the result is infinite or 0 anyway. NaN stays.
    let x = if x > 710.0 { 710.0 } else { x };
    let x = if x < -746.0 { -746.0 } else { x };
    let k = (x * std::f64::consts::LOG2_E + ROUNDER) - ROUNDER;
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    let r2 = r * r;
    let r4 = r2 * r2;
    let low = (1.0 / 2.0 + r * (1.0 / 6.0)) + r2 * (1.0 / 24.0 + r * (1.0 / 120.0));
    let middle = (1.0 / 720.0 + r * (1.0 / 5_040.0)) + r2 * (1.0 / 40_320.0 + r * (1.0 / 362_880.0));
    let high =
        (1.0 / 3_628_800.0 + r * (1.0 / 39_916_800.0)) + r2 * (1.0 / 479_001_600.0 + r * (1.0 / 6_227_020_800.0));
    let e = 1.0 + (r + r2 * (low + r4 * (middle + r4 * high)));
    // In two steps, so that what is too small for a normal number comes out right.
    let half = (k * 0.5 + ROUNDER) - ROUNDER;
    e * power_of_two(half) * power_of_two(k - half)
}

/// The natural logarithm: x = 2^e · (1 + f), and ln(1 + f) as in Sun's fdlibm (`e_log.c`).
#[inline(always)]
pub fn ln(x: f64) -> f64 {
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
    let ln = e * LN2_HIGH - ((half - (s * (half + (even + odd)) + e * LN2_LOW)) - f);
    let ln = if x == f64::INFINITY { x } else { ln };
    let ln = if x == 0.0 { f64::NEG_INFINITY } else { ln };
    if (x < 0.0) | x.is_nan() { f64::NAN } else { ln }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distance in units of the last place of what is expected.
    fn ulps(got: f64, expected: f64) -> f64 {
        (got - expected).abs() / (expected.abs().next_up() - expected.abs()).max(f64::MIN_POSITIVE * f64::EPSILON)
    }

    #[test]
    fn near_the_c_library() {
        let mut x = -750.0;
        while x < 715.0 {
            let (got, expected) = (exp(x), x.exp());
            assert!(got == expected || ulps(got, expected) <= 2.0, "exp({x}) is {got}, not {expected}");
            x += 0.003_71;
        }
        let mut x = 1e-320;
        while x < f64::MAX / 2.0 {
            let (got, expected) = (ln(x), x.ln());
            assert!(ulps(got, expected) <= 2.0, "ln({x}) is {got}, not {expected}");
            x *= 1.003_71;
        }
        for i in -1000..1000 {
            let x = 1.0 + f64::from(i) * 1e-5;
            assert!(ulps(ln(x), x.ln()) <= 2.0, "ln({x})");
            assert!(ulps(exp(x - 1.0), (x - 1.0).exp()) <= 2.0, "exp({x} - 1)");
        }
    }

    #[test]
    fn at_the_edges() {
        let inf = f64::INFINITY;
        assert_eq!([exp(inf), exp(-inf), exp(0.0), exp(-0.0), exp(1e308)], [inf, 0.0, 1.0, 1.0, inf]);
        assert_eq!([ln(inf), ln(0.0), ln(-0.0), ln(1.0)], [inf, -inf, -inf, 0.0]);
        assert!(exp(f64::NAN).is_nan() && ln(f64::NAN).is_nan() && ln(-1.0).is_nan() && ln(-inf).is_nan());
        assert_eq!(exp(-745.0), (-745.0_f64).exp());
        assert_eq!(exp(709.7), 709.7_f64.exp());
    }
}
