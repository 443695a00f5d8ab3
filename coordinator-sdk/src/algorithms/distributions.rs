//! Tails of distributions, by series and continued fractions (Abramowitz & Stegun 1964, 6.5.29, 6.5.31, 26.5.8).

/// Terms at most; tens are enough but for degrees of freedom in the millions.
const TERMS_MAX: usize = 100_000;

/// Where a continued fraction would divide by 0.
const TINY: f64 = 1e-300;

/// The probability of more than `x` for χ² of so many degrees of freedom; NaN for none.
pub(super) fn chi_squared_above(x: f64, freedom: f64) -> f64 {
    if freedom.is_nan() || freedom <= 0.0 || x.is_nan() {
        return f64::NAN;
    }
    gamma_above(freedom / 2.0, (x / 2.0).max(0.0))
}

/// The probability of more than `f` for F of so many degrees of freedom; NaN for none.
pub(super) fn f_above(f: f64, first: f64, second: f64) -> f64 {
    if (first + second).is_nan() || first <= 0.0 || second <= 0.0 || f.is_nan() {
        return f64::NAN;
    }
    beta_below(second / 2.0, first / 2.0, second / (second + first * f))
}

/// ln Γ(x) for x > 0, by Lanczos (1964, "A precision approximation of the gamma function") with g = 7 and nine terms.
fn ln_gamma(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        let pi = std::f64::consts::PI;
        return (pi / (pi * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let terms = COEFFICIENTS.iter().enumerate().map(|(i, c)| c / (x + i as f64 + 1.0));
    let (sum, t) = (0.999_999_999_999_809_9 + terms.sum::<f64>(), x + 7.5);
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// The upper regularised incomplete gamma function, Q(a, x).
fn gamma_above(a: f64, x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    let scale = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for i in 1..TERMS_MAX {
            term *= x / (a + i as f64);
            sum += term;
            if term < sum * f64::EPSILON {
                break;
            }
        }
        return (1.0 - scale * sum).clamp(0.0, 1.0);
    }
    let terms = (1..TERMS_MAX).map(|i| (-(i as f64) * (i as f64 - a), x + 2.0 * i as f64 + 1.0 - a));
    scale / fraction(x + 1.0 - a, terms)
}

/// The regularised incomplete beta function, I_x(a, b).
fn beta_below(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_below(b, a, 1.0 - x);
    }
    let scale = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp() / a;
    let terms = (1..TERMS_MAX).map(|i| {
        let (m, odd) = ((i / 2) as f64, i % 2 == 1);
        let over = if odd {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        } else {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        };
        (over, 1.0)
    });
    (scale / fraction(1.0, terms)).clamp(0.0, 1.0)
}

/// `b0 + a1 / (b1 + a2 / (b2 + ..))` of pairs (a, b), by Lentz's method (1976, "Generating Bessel functions in Mie
/// scattering calculations using continued fractions").
fn fraction(first: f64, terms: impl Iterator<Item = (f64, f64)>) -> f64 {
    let nonzero = |x: f64| if x.abs() < TINY { TINY } else { x };
    let mut value = nonzero(first);
    let (mut c, mut d) = (value, 0.0);
    for (a, b) in terms {
        d = 1.0 / nonzero(b + a * d);
        c = nonzero(b + a / c);
        let factor = c * d;
        value *= factor;
        if (factor - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.chi2.sf` and `scipy.stats.f.sf`, 1.17.1.
    #[test]
    fn tails_are_scipys() {
        for (x, freedom, p) in [
            (3.84, 1.0, 0.050_043_521_248_705_19),
            (1.0, 4.0, 0.909_795_989_568_950_1),
            (80.0, 20.0, 3.925_932_226_286_184e-9),
        ] {
            let tail = chi_squared_above(x, freedom);
            assert!((tail - p).abs() < 1e-11 * p.max(1e-3), "{x} {freedom}: {tail:e}");
        }
        assert!(chi_squared_above(1.0, 0.0).is_nan());
        assert_eq!(chi_squared_above(0.0, 3.0), 1.0);
        // F of 1 and n degrees of freedom is the square of t.
        assert!((f_above(1.0, 5.0, 5.0) - 0.5).abs() < 1e-14);
        assert!((f_above(161.447_638_797_588_1, 1.0, 1.0) - 0.05).abs() < 1e-12);
        assert_eq!((f_above(0.0, 2.0, 3.0), f_above(f64::INFINITY, 2.0, 3.0)), (1.0, 0.0));
    }
}
