//! The distribution of a correlation by chance: the incomplete beta function with a half.

/// More terms are never needed where the fraction is used.
const TERMS_MAX: usize = 10_000;

/// The two-sided p-value of a correlation r of n rows: `I(1 − r²; (n − 2)/2, 1/2)`.
pub(super) fn two_sided(r: f64, n: u64) -> f64 {
    if r.is_nan() || n < 2 {
        return f64::NAN;
    }
    if n == 2 {
        return 1.0;
    }
    let a = (n - 2) as f64 / 2.0;
    let rest = (1.0 - r.abs()) * (1.0 + r.abs());
    if rest <= 0.0 {
        return 0.0;
    }
    if r == 0.0 {
        return 1.0;
    }
    // x^a (1 − x)^(1/2) / B(a, 1/2)
    let front = (a * (-r * r).ln_1p()).exp() * r.abs() / beta_half(a);
    if rest < (a + 1.0) / (a + 2.5) {
        front * fraction(a, 0.5, rest) / a
    } else {
        1.0 - front * fraction(0.5, a, r * r) / 0.5
    }
}

/// `B(a, 1/2)`, for multiples of a half: √π Γ(a) / Γ(a + 1/2).
fn beta_half(a: f64) -> f64 {
    // The quotient Γ(a + 1/2) / Γ(a), by its series for large a (Tricomi & Erdélyi 1951, "The asymptotic expansion of a
    // ratio of gamma functions"), and by Γ(a + 1) = a Γ(a) from there down.
    let (mut up, mut steps) = (a, 1.0);
    while up < 50.0 {
        steps *= up / (up + 0.5);
        up += 1.0;
    }
    let terms = [-1.0 / 8.0, 1.0 / 128.0, 5.0 / 1024.0, -21.0 / 32768.0, -399.0 / 262_144.0, 869.0 / 4_194_304.0];
    let series = 1.0 + terms.iter().rev().fold(0.0, |sum, term| (sum + term) / up);
    std::f64::consts::PI.sqrt() / (up.sqrt() * series * steps)
}

/// The continued fraction of the incomplete beta function, by Lentz's method (Press et al., "Numerical Recipes", 3rd ed.,
/// 6.4).
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let least = |x: f64| if x.abs() < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { x };
    let mut c = 1.0;
    let mut d = 1.0 / least(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for m in 1..TERMS_MAX {
        let m = m as f64;
        for term in [
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        ] {
            d = 1.0 / least(1.0 + term * d);
            c = least(1.0 + term / c);
            value *= c * d;
        }
        if (c * d - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // With one degree of freedom r is the sine of a uniform angle; with two it is uniform itself.
        for r in [0.0, 1e-9, 0.3, -0.3, 0.99, -0.999_999] {
            let one = 1.0 - 2.0 / std::f64::consts::PI * f64::asin(f64::abs(r));
            assert!((two_sided(r, 3) - one).abs() < 1e-14, "{r}: {} {one}", two_sided(r, 3));
            let two = 1.0 - f64::abs(r);
            assert!((two_sided(r, 4) - two).abs() < 1e-14, "{r}: {} {two}", two_sided(r, 4));
        }
        assert_eq!((two_sided(1.0, 9), two_sided(0.3, 2)), (0.0, 1.0));
        assert!(two_sided(f64::NAN, 9).is_nan());
        assert!((beta_half(0.5) - std::f64::consts::PI).abs() < 1e-14);
        assert!((beta_half(1.0) - 2.0).abs() < 1e-14 && (beta_half(60.0) - 0.229_300_013_793_453_86).abs() < 1e-14);
    }
}
