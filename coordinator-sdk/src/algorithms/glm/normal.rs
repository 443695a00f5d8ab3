//! The normal distribution function Φ of each row, of the operators there are.

use super::family::LogOdds;
use crate::{BinaryFunction, FedMatrix, Result};

/// log(Q(a) e^(a²/2) / t) with `Q(a) = 1 - Φ(a)` and `t = 4 / (4 + a)`, as a polynomial in t, which is moved so that a
/// from 0 to 40 is 1 to -1: the Chebyshev interpolant of degree 21, in monomials, within 3e-15 there. (The variable is
/// that of Schonfelder 1978, "Chebyshev Expansions for the Error and Related Functions".)
const TAIL: [f64; 22] = [
    -1.592_221_652_976_353_8,
    0.762_993_241_790_912_4,
    0.156_778_531_561_859_25,
    -0.000_673_459_882_934_808_5,
    -0.018_368_741_395_688_77,
    -0.004_727_136_287_298_153,
    0.002_154_402_685_705_641_7,
    0.001_374_503_297_649_361_5,
    -0.000_190_175_883_092_759_02,
    -0.000_326_453_872_743_073,
    -6.369_672_865_631_241_5e-6,
    7.134_300_090_939_025e-5,
    9.802_070_832_354_85e-6,
    -1.463_152_927_395_155_2e-5,
    -3.519_523_321_948_980_7e-6,
    2.788_112_226_239_649e-6,
    9.201_984_784_593_789e-7,
    -4.734_518_800_902_099_5e-7,
    -1.762_813_425_222_519e-7,
    6.407_639_403_983_117e-8,
    1.845_810_994_135_101e-8,
    -5.066_225_350_902_158e-9,
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
