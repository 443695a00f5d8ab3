//! Hyperbolic functions.

use super::{
    TINY,
    exponential::{half_exp, half_expm1},
};

/// `(exp(x) - exp(-x)) / 2`, with all digits near 0.
#[inline(always)]
pub fn sinh(x: f64) -> f64 {
    let half = half_expm1(x.abs());
    // Half of the other exponential, less 1; of infinity it would be no number.
    let other = if half > 1e20 { 0.5 } else { half / (2.0 * half + 1.0) };
    if x.abs() < TINY { x } else { (half + other).copysign(x) }
}

/// `(exp(x) + exp(-x)) / 2`.
#[inline(always)]
pub fn cosh(x: f64) -> f64 {
    let half = half_exp(x.abs());
    half + 0.25 / half
}

/// `sinh(x) / cosh(x)`, with all digits near 0.
#[inline(always)]
pub fn tanh(x: f64) -> f64 {
    let size = x.abs();
    // (exp(-2x) - 1) / 2 for small x, so that no digits cancel; (exp(2x) - 1) / 2 for others, of which little matters.
    let large = size >= 1.0;
    let sign = if large { 2.0 } else { -2.0 };
    let half = half_expm1(sign * (if size > 30.0 { 30.0 } else { size }));
    let numerator = if large { 1.0 } else { -half };
    let quotient = numerator / (half + 1.0);
    let offset = if large { 1.0 } else { 0.0 };
    let tanh = (offset - sign * 0.5 * quotient).copysign(x);
    if size < TINY { x } else { tanh }
}
