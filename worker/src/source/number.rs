//! Stored values as numbers: the nearest double, whether digits are lost, and exact comparison with a double.

use std::cmp::Ordering;

/// A stored value that is a number.
pub(super) trait Number: Copy {
    /// The nearest double.
    fn double(self) -> f64;

    /// Whether `double` loses no digit of an integer.
    fn is_exact(self) -> bool {
        true
    }

    /// The number as an integer, if it is one of 64 bits.
    fn integer(self) -> Option<i64> {
        let double = self.double();
        // The bounds are powers of two, and exact.
        let fits = double.fract() == 0.0 && (i64::MIN as f64..-(i64::MIN as f64)).contains(&double);
        fits.then_some(double as i64)
    }

    /// Compares with a literal as real numbers; `None` if either is NaN.
    fn compare(self, literal: f64) -> Option<Ordering> {
        self.double().partial_cmp(&literal)
    }
}

macro_rules! doubles {
    ($($type:ty)+) => {
        $(impl Number for $type {
            fn double(self) -> f64 {
                f64::from(self)
            }
        })+
    };
}

doubles! { f64 f32 u8 u16 u32 i8 i16 i32 }

impl Number for bool {
    fn double(self) -> f64 {
        f64::from(u8::from(self))
    }
}

macro_rules! integers {
    ($($type:ty, $magnitude:ty)+) => {
        $(impl Number for $type {
            fn double(self) -> f64 {
                self as f64
            }

            fn is_exact(self) -> bool {
                let magnitude: $magnitude = self.abs_diff(0);
                magnitude < 1 << f64::MANTISSA_DIGITS
                    || magnitude >> magnitude.trailing_zeros() < 1 << f64::MANTISSA_DIGITS
            }

            fn integer(self) -> Option<i64> {
                i64::try_from(self).ok()
            }

            fn compare(self, literal: f64) -> Option<Ordering> {
                if literal.is_nan() {
                    return None;
                }
                // The cast saturates, hence the bounds first: both are powers of two, or zero, and exact.
                if literal < <$type>::MIN as f64 {
                    return Some(Ordering::Greater);
                }
                if literal >= <$type>::MAX as f64 {
                    return Some(Ordering::Less);
                }
                let floor = literal.floor();
                let rest = if literal > floor { Ordering::Less } else { Ordering::Equal };
                Some(self.cmp(&(floor as $type)).then(rest))
            }
        })+
    };
}

integers! { i64, u64 u64, u64 i128, u128 }

/// IEEE 754 half precision, by its bits.
#[derive(Clone, Copy, Default)]
pub(super) struct Half(pub(super) u16);

impl Number for Half {
    fn double(self) -> f64 {
        let sign = if self.0 >> 15 == 1 { -1.0 } else { 1.0 };
        let (exponent, fraction) = (i32::from(self.0 >> 10 & 0x1f), f64::from(self.0 & 0x3ff));
        sign * match exponent {
            0 => fraction * 2_f64.powi(-24),
            0x1f if fraction == 0.0 => f64::INFINITY,
            0x1f => f64::NAN,
            _ => (1024.0 + fraction) * 2_f64.powi(exponent - 25),
        }
    }
}

/// The double nearest to `unscaled · 10^-scale`.
pub(super) fn decimal(unscaled: i128, scale: i32) -> f64 {
    // Both operands are exact, so the quotient is rounded once.
    const EXACT_POWER_MAX: i32 = 22;
    if (0..=EXACT_POWER_MAX).contains(&scale) && unscaled.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS {
        return unscaled as f64 / 10_f64.powi(scale);
    }
    format!("{unscaled}e{}", -i64::from(scale)).parse().unwrap_or(f64::NAN)
}

/// A big-endian two's complement integer of at most 16 bytes.
pub(super) fn big_endian(bytes: &[u8]) -> Option<i128> {
    let missing = size_of::<i128>().checked_sub(bytes.len())?;
    let sign = if bytes.first()? >> 7 == 1 { 0xff } else { 0 };
    let mut whole = [sign; size_of::<i128>()];
    whole[missing..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(whole))
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Equal, Greater, Less};

    use super::*;

    #[test]
    fn integers_lose_digits_only_where_a_double_has_too_few() {
        for exact in [0, 1, -1, 1 << 53, (1 << 53) + 2, i64::MIN, 1 << 62, -(1 << 53)] {
            assert!(exact.is_exact(), "{exact}");
        }
        for lost in [(1_i64 << 53) + 1, i64::MAX, i64::MIN + 1] {
            assert!(!lost.is_exact(), "{lost}");
        }
        assert!(!u64::MAX.is_exact() && (1_u64 << 63).is_exact());
        assert_eq!((u64::MAX.integer(), i64::MAX.integer(), (-1_i128).integer()), (None, Some(i64::MAX), Some(-1)));
        assert_eq!(
            (0.5.integer(), (-3.0).integer(), f64::NAN.integer(), 2_f64.powi(63).integer()),
            (None, Some(-3), None, None)
        );
        assert!((i128::from(i64::MAX) + 1).is_exact() && !i128::MAX.is_exact() && i128::MIN.is_exact());
    }

    #[test]
    fn integers_compare_exactly() {
        let beyond = (1_i64 << 53) + 1;
        assert_eq!(beyond.compare((1_u64 << 53) as f64), Some(Greater));
        assert_eq!(3_i64.compare(3.5), Some(Less));
        assert_eq!((-4_i64).compare(-3.5), Some(Less));
        assert_eq!((-3_i64).compare(-3.5), Some(Greater));
        assert_eq!(3_i64.compare(3.0), Some(Equal));
        assert_eq!(i64::MAX.compare(i64::MAX as f64), Some(Less));
        assert_eq!(i64::MIN.compare(i64::MIN as f64), Some(Equal));
        assert_eq!(i64::MIN.compare(f64::NEG_INFINITY), Some(Greater));
        assert_eq!(0_u64.compare(-0.5), Some(Greater));
        assert_eq!(0_u64.compare(-0.0), Some(Equal));
        assert_eq!(u64::MAX.compare(f64::INFINITY), Some(Less));
        assert_eq!(1_i64.compare(f64::NAN), None);
    }

    #[test]
    fn halves_and_decimals() {
        for (bits, value) in [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 2_f64.powi(-24)), (0x7bff, 65504.0)] {
            assert_eq!(Half(bits).double(), value);
        }
        assert_eq!(Half(0xfc00).double(), f64::NEG_INFINITY);
        assert!(Half(0x7e00).double().is_nan());
        assert_eq!(decimal(12_345, 2), 123.45);
        assert_eq!(decimal(12_340_000_000_000_000_000_000, 21), 12.34);
        assert_eq!(decimal(7, -2), 700.0);
        assert_eq!(decimal(1, 30), 1e-30);
        assert_eq!(big_endian(&[0xff, 0xfe]), Some(-2));
        assert_eq!(big_endian(&[0; 17]), None);
    }
}
