//! Products as a mantissa and an exponent, so that neither overflows or vanishes on the way.

use fondaco_proto::op::scaled;

use super::reduction::{Block, Reduction};

/// Mantissas below 2 that are multiplied before the product is normalised.
const FACTORS: usize = 512;

/// Between these, the product of two numbers has all its digits.
const SMALL: f64 = 1e-150;
const LARGE: f64 = 1e150;

/// `m · 2^e`, with 1 ≤ |m| < 2 if it is finite and not 0.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    pub m: f64,
    pub e: f64,
}

/// A number as a mantissa and an exponent; zeros, infinities and NaN are their own mantissas.
fn split(x: f64) -> (f64, i64) {
    const EXPONENT: u64 = 0x7ff << 52;
    const ONE: u64 = 1023 << 52;
    if x == 0.0 || !x.is_finite() {
        return (x, 0);
    }
    // Subnormal numbers are made normal first.
    let (x, offset) = if x.abs() < f64::MIN_POSITIVE { (x * 2_f64.powi(54), -54) } else { (x, 0) };
    let bits = x.to_bits();
    (f64::from_bits(bits & !EXPONENT | ONE), ((bits & EXPONENT) >> 52) as i64 - 1023 + offset)
}

impl Product {
    const ONE: Self = Self { m: 1.0, e: 0.0 };

    fn times(self, other: Self) -> Self {
        let (m, e) = split(self.m * other.m);
        // Nothing is left of the exponents of a zero, of infinities and NaN.
        Self { m, e: if m == 0.0 || !m.is_finite() { 0.0 } else { self.e + other.e + e as f64 } }
    }

    /// Takes a factor; the mantissa keeps what a double holds, and is normalised where it would not.
    #[inline(always)]
    pub fn multiply(&mut self, x: f64) {
        let m = self.m * x;
        let safe = |x: f64| (SMALL..LARGE).contains(&x.abs());
        if safe(m) && safe(x) {
            self.m = m;
        } else {
            let (m, e) = split(x);
            let (rest, more) = split(self.m);
            *self = Self { m: rest, e: self.e + more as f64 }.times(Self { m, e: e as f64 });
        }
    }

    /// The number that it stands for, rounded once.
    #[inline(always)]
    pub fn value(&self) -> f64 {
        if self.e == 0.0 {
            return self.m;
        }
        let (m, e) = split(self.m);
        scaled(m, self.e + e as f64)
    }

    fn of<'a>(cells: impl Iterator<Item = &'a f64>) -> Self {
        let (mut product, mut mantissa, mut exponent) = (Self::ONE, 1.0, 0);
        for (i, x) in cells.enumerate() {
            let (m, e) = split(*x);
            (mantissa, exponent) = (mantissa * m, exponent + e);
            if i % FACTORS == FACTORS - 1 {
                product = product.times(Self { m: mantissa, e: 0.0 });
                mantissa = 1.0;
            }
        }
        product.times(Self { m: mantissa, e: exponent as f64 })
    }
}

impl Reduction for Product {
    type Partial = Self;

    const EMPTY: Self = Self::ONE;

    fn lane(cells: &[f64]) -> Self {
        Self::of(cells.iter())
    }

    fn across(block: &Block<'_>, out: &mut [Self]) {
        out.fill(Self::ONE);
        for cells in block.columns() {
            for (out, x) in out.iter_mut().zip(cells) {
                // A subnormal factor would lose digits in a product with the mantissa.
                let (m, e) = split(*x);
                *out = out.times(Self { m, e: e as f64 });
            }
        }
    }

    fn merge(a: Self, b: Self) -> Self {
        a.times(b)
    }
}
