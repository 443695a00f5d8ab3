//! The normal distribution function Φ of each row, of the operators there are.

use super::family::LogOdds;
use crate::{BinaryFunction, FedMatrix, Result};

/// log(Q(a) e^(a²/2) / t) with `Q(a) = 1 - Φ(a)` and `t = 4 / (4 + a)`, as a polynomial in t, which is moved so that a
/// from 0 to 40 is 1 to -1: the Chebyshev interpolant of degree 21, in monomials, within 3e-14 there. (The variable is
/// that of Schonfelder 1978, "Chebyshev Expansions for the Error and Related Functions".)
const TAIL: [f64; 22] = [
    -1.592_221_652_976_352_2,
    0.762_993_241_790_892_5,
    0.156_778_531_561_525_27,
    -0.000_673_459_881_288_653_3,
    -0.018_368_741_383_094_352,
    -0.004_727_136_326_647_079,
    0.002_154_402_510_060_584,
    0.001_374_503_719_657_870_2,
    -0.000_190_174_664_434_101_2,
    -0.000_326_456_326_867_714_95,
    -6.374_490_358_108_561e-06,
    7.135_150_554_789_374e-05,
    9.813_618_662_106_322e-06,
    -1.464_987_981_721_192_7e-05,
    -3.536_605_700_818_737e-06,
    2.813_024_283_651_346_4e-06,
    9.354_273_722_485_892e-07,
    -4.940_966_391_586_698e-07,
    -1.837_774_603_204_293e-07,
    7.362_045_421_773_055e-08,
    2.002_211_245_284_839_2e-08,
    -6.951_846_775_006_164_5e-09,
];

/// t is stretched by this, and moved by that.
const STRETCH: f64 = 2.2;
const SHIFT: f64 = -1.2;

/// log √(2π).
const LOG_ROOT_TAU: f64 = 0.918_938_533_204_672_7;

/// `log(Φ(x) / (1 - Φ(x)))`, odd in x, and its derivative, in both tails to full accuracy: by the tail of |x| alone, so
/// that no row is treated by another rule than others.
pub fn log_odds(x: &FedMatrix) -> Result<LogOdds> {
    let size = x.abs()?;
    let half_square = size.multiply(&size)?.multiply(0.5)?;
    let t = size.add(4.0)?.binary_left(4.0, BinaryFunction::Divide)?;
    let variable = t.multiply(STRETCH)?.add(SHIFT)?;
    let [rest @ .., last] = &TAIL;
    let mut polynomial = variable.multiply(*last)?;
    for (degree, coefficient) in rest.iter().enumerate().rev() {
        polynomial = polynomial.add(*coefficient)?;
        if degree > 0 {
            polynomial = polynomial.multiply(&variable)?;
        }
    }
    // log(Q e^(a²/2)), log Q and log(1 - Q).
    let scaled = polynomial.add(t.log()?)?;
    let tail = scaled.subtract(&half_square)?;
    let body = tail.exp()?.negative()?.log1p()?;
    // |log-odds| over |x|, times x. Of 0 it is 0.
    let ratio = body.subtract(&tail)?.divide(size.add(f64::MIN_POSITIVE)?)?;
    // φ / (Q (1 - Q))
    let slope = scaled.add(&body)?.add(LOG_ROOT_TAU)?.negative()?.exp()?;
    Ok(LogOdds { odds: ratio.multiply(x)?, slope: Some(slope) })
}

/// The density of the standard normal distribution.
pub fn density(x: f64) -> f64 {
    (-0.5 * x * x - LOG_ROOT_TAU).exp()
}

/// Φ of a number: by the same polynomial.
fn distribution(x: f64) -> f64 {
    let size = x.abs();
    let t = 4.0 / (4.0 + size);
    let variable = STRETCH * t + SHIFT;
    let polynomial = TAIL.iter().rev().fold(0.0, |sum, coefficient| sum * variable + coefficient);
    let tail = (polynomial + t.ln() - 0.5 * size * size).exp();
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// The number below which a share of the standard normal distribution is, by bisection; infinite for 0 and 1.
pub fn quantile(share: f64) -> f64 {
    if share.is_nan() || share <= 0.0 || share >= 1.0 {
        return if share == 0.0 {
            f64::NEG_INFINITY
        } else if share == 1.0 {
            f64::INFINITY
        } else {
            f64::NAN
        };
    }
    let (mut low, mut high) = (-40.0, 40.0);
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            return middle;
        }
        if distribution(middle) < share { low = middle } else { high = middle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_of_a_table() {
        let table = [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_542_9),
            (-1.0, 0.158_655_253_931_457_05),
            (-5.0, 2.866_515_718_791_933_3e-7),
            (-20.0, 2.753_624_118_606_233e-89),
            (-37.0, 5.725_571_222_524_577e-300),
        ];
        for (x, share) in table {
            let got = distribution(x);
            assert!((got - share).abs() <= 1e-12 * share, "{x}: {got} instead of {share}");
        }
        for share in [1e-300, 1e-9, 0.2, 0.5, 0.975] {
            assert!((distribution(quantile(share)) - share).abs() <= 1e-12 * share, "{share}");
        }
        assert!((quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-14);
        assert!(quantile(f64::NAN).is_nan() && quantile(1.5).is_nan() && quantile(0.0).is_infinite());
    }
}
