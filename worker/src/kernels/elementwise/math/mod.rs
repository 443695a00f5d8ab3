//! Functions of one number without tables, branches or fused operations: loops over them are vectorised, and every
//! instruction set and C library gives the same bits. Nearly all results are within 2 units in the last place, and all
//! within 3. Where not said otherwise the polynomials, and how rounding is kept small, are those of Sun's fdlibm 5.3.

mod circular;
mod exponential;
mod hyperbolic;
mod inverse;
mod logarithm;
#[cfg(test)]
mod tests;

pub use circular::{ARGUMENT_MAX, cos, sin, tan};
pub use exponential::{exp, expm1};
pub use hyperbolic::{cosh, sinh, tanh};
pub use inverse::{acos, asin, atan};
pub use logarithm::{ln, log1p};

/// Adding and subtracting it rounds to an integer, which then is in the low bits of the sum: 1.5 · 2^52.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// ln 2 in two parts; the first has few enough bits that its products with exponents are exact.
const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// Below it `f(x)` is x, of all functions here whose series begins so, and halves may be too small for normal numbers.
const TINY: f64 = 1.0 / (1_u64 << 54) as f64;
