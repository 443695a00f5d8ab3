//! Numbers of twice the digits of a double, as the unevaluated sum of two (Dekker 1971, "A floating-point technique
//! for extending the available precision"): what sums are compared with.

/// About 32 decimal digits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wide {
    high: f64,
    low: f64,
}

impl From<f64> for Wide {
    fn from(x: f64) -> Self {
        Self { high: x, low: 0.0 }
    }
}

/// `a + b`, and what its rounding lost.
fn two_sum(a: f64, b: f64) -> Wide {
    let high = a + b;
    let b_virtual = high - a;
    Wide { high, low: (a - (high - b_virtual)) + (b - b_virtual) }
}

impl Wide {
    /// The exact product of two doubles.
    pub fn product(a: f64, b: f64) -> Self {
        let high = a * b;
        Self { high, low: a.mul_add(b, -high) }
    }

    /// The sum of these.
    pub fn sum(terms: impl Iterator<Item = Self>) -> Self {
        terms.fold(Self::default(), Self::plus)
    }

    pub fn plus(self, other: Self) -> Self {
        let sum = two_sum(self.high, other.high);
        let rest = two_sum(self.low, other.low);
        let sum = two_sum(sum.high, sum.low + rest.high);
        two_sum(sum.high, sum.low + rest.low)
    }

    pub fn minus(self, other: Self) -> Self {
        self.plus(Self { high: -other.high, low: -other.low })
    }

    pub fn times(self, other: Self) -> Self {
        let product = Self::product(self.high, other.high);
        two_sum(product.high, product.low + self.high * other.low + self.low * other.high)
    }

    pub fn divided_by(self, divisor: f64) -> Self {
        let first = self.high / divisor;
        let rest = self.minus(Self::product(first, divisor));
        two_sum(first, (rest.high + rest.low) / divisor)
    }

    /// The nearest double.
    pub fn value(self) -> f64 {
        self.high + self.low
    }

    /// The nearest double where plain arithmetic has a finite result; else that result: infinities and NaN are not
    /// a matter of rounding.
    pub fn value_or(self, plain: f64) -> f64 {
        if plain.is_finite() { self.value() } else { plain }
    }
}

#[test]
fn wide_numbers_keep_what_doubles_lose() {
    let sum = Wide::sum([1e100, 1.0, -1e100, 1e-20].into_iter().map(Wide::from));
    assert_eq!(sum.value(), 1.0);
    assert_eq!(sum.minus(Wide::from(1.0)).value(), 1e-20);
    let third = Wide::from(1.0).divided_by(3.0);
    assert!(third.times(Wide::from(3.0)).minus(Wide::from(1.0)).value().abs() < 1e-31);
    let square = Wide::product(1.0 + f64::EPSILON, 1.0 + f64::EPSILON);
    assert_eq!(square.minus(Wide::from(1.0 + 2.0 * f64::EPSILON)).value(), f64::EPSILON * f64::EPSILON);
}
