//! The logarithm of the gamma function of each row, of the operators there are; and of a number.

use crate::{BinaryFunction, FedMatrix, Result};

/// How far arguments are moved up, so that the series below is as good as double precision.
const SHIFT: usize = 9;

/// Stirling's series in 1/z, odd powers (Abramowitz & Stegun, "Handbook of Mathematical Functions", 6.1.40).
const STIRLING: [f64; 6] = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0];

const LOG_ROOT_TAU: f64 = 0.918_938_533_204_672_7;

/// `log Γ(x)` of each cell, x > 0: Stirling's series of `x + 9`, less the logarithms of x, `x + 1`, .. and `x + 8`; not
/// that of their product, which few rows would dominate.
pub fn log_gamma(x: &FedMatrix) -> Result<FedMatrix> {
    let mut logs = x.log()?;
    for step in 1..SHIFT {
        logs = logs.add(x.add(step as f64)?.log()?)?;
    }
    let z = x.add(SHIFT as f64)?;
    let inverse = z.binary_left(1.0, BinaryFunction::Divide)?;
    let square = inverse.multiply(&inverse)?;
    let [rest @ .., last] = &STIRLING;
    let mut series = square.multiply(*last)?;
    for (place, coefficient) in rest.iter().enumerate().rev() {
        series = series.add(*coefficient)?;
        series = series.multiply(if place > 0 { &square } else { &inverse })?;
    }
    let leading = z.subtract(0.5)?.multiply(z.log()?)?.subtract(&z)?.add(LOG_ROOT_TAU)?;
    leading.add(series)?.subtract(logs)
}

/// `log Γ(x)` of a number greater than 0.
pub fn log_gamma_of(x: f64) -> f64 {
    let product: f64 = (0..SHIFT).map(|step| (x + step as f64).ln()).sum();
    let z = x + SHIFT as f64;
    let series = STIRLING.iter().rev().fold(0.0, |sum, coefficient| sum / (z * z) + coefficient) / z;
    (z - 0.5) * z.ln() - z + LOG_ROOT_TAU + series - product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factorials() {
        let mut factorial = 1.0_f64;
        for n in 1..100 {
            factorial *= f64::from(n);
            let (got, expected) = (log_gamma_of(f64::from(n) + 1.0), factorial.ln());
            assert!((got - expected).abs() <= 1e-13 * expected.max(1.0), "{n}: {got} instead of {expected}");
        }
        assert!((log_gamma_of(0.5) - std::f64::consts::PI.ln() / 2.0).abs() < 1e-14);
    }
}
