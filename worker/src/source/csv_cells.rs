//! What a cell of a CSV file means: null, a number, a truth, a date; and which types fit a column.

use super::{number::Number, schema::Type};

/// Digits of an integer that always fits 64 bits, with a sign.
const INTEGER_DIGITS: usize = 18;

/// Digits of an integer that always fits 64 bits without one.
const DIGITS: usize = 19;

/// The powers of ten that are doubles.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// The cells that are null.
pub(super) struct Nulls {
    empty: bool,
    /// Whether one begins with a byte: most cells need no further look.
    first: [bool; 256],
    words: Vec<Box<[u8]>>,
}

impl Nulls {
    pub(super) fn new(nulls: &[String]) -> Self {
        let words: Vec<Box<[u8]>> = nulls.iter().map(|null| null.as_bytes().into()).collect();
        let mut first = [false; 256];
        words.iter().filter_map(|word| word.first()).for_each(|byte| first[usize::from(*byte)] = true);
        Self { empty: nulls.iter().any(String::is_empty), first, words }
    }

    pub(super) fn has(&self, cell: &[u8]) -> bool {
        match cell.first() {
            None => self.empty,
            Some(first) => self.first[usize::from(*first)] && self.words.iter().any(|word| **word == *cell),
        }
    }
}

/// Without the blanks around a number.
fn trimmed(mut cell: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = cell {
        cell = rest;
    }
    cell
}

/// The sign, and what follows it.
fn signed(cell: &[u8]) -> (bool, &[u8]) {
    match cell {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    }
}

/// Decimal digits alone.
fn is_integer(cell: &[u8]) -> bool {
    let (_, digits) = signed(trimmed(cell));
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// The digits that `bytes` begin with, as those of a number after those of `value`; and what follows them.
fn digits(mut value: u64, mut bytes: &[u8]) -> (u64, &[u8]) {
    while let Some((eight, rest)) = bytes.split_first_chunk()
        && let Some(number) = eight_digits(*eight)
    {
        (value, bytes) = (value.wrapping_mul(100_000_000).wrapping_add(number), rest);
    }
    while let [byte @ b'0'..=b'9', rest @ ..] = bytes {
        (value, bytes) = (value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0')), rest);
    }
    (value, bytes)
}

/// Eight digits at once: pairs of neighbours, then pairs of pairs, then the two of those. After Langdale and Lemire.
fn eight_digits(bytes: [u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(bytes);
    let digits = word.wrapping_sub(0x3030_3030_3030_3030);
    if (word.wrapping_add(0x4646_4646_4646_4646) | digits) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let left = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let right = (pairs >> 16 & PAIRS).wrapping_mul(1 + (10_000 << 32));
    Some(left.wrapping_add(right) >> 32)
}

/// An integer of 64 bits.
pub(super) fn integer(cell: &[u8]) -> Option<i64> {
    let cell = trimmed(cell);
    let (negative, unsigned) = signed(cell);
    if unsigned.is_empty() || unsigned.len() > INTEGER_DIGITS {
        return str::from_utf8(cell).ok()?.parse().ok();
    }
    let (value, rest) = digits(0, unsigned);
    // Of so few digits.
    let value = value as i64;
    rest.is_empty().then_some(if negative { -value } else { value })
}

/// The nearest double.
pub(super) fn float(cell: &[u8]) -> Option<f64> {
    let (negative, unsigned) = signed(trimmed(cell));
    let value = short_float(unsigned).or_else(|| {
        // Whatever else there is: many digits, exponents, infinities. A second sign is none.
        let is_signed = matches!(unsigned, [b'+' | b'-', ..]);
        str::from_utf8(unsigned).ok().filter(|_| !is_signed)?.parse().ok()
    })?;
    Some(if negative { -value } else { value })
}

/// Not too many digits with or without a point: the quotient of two doubles that are exact, and so rounded once.
fn short_float(cell: &[u8]) -> Option<f64> {
    let (value, rest) = digits(0, cell);
    let (value, rest, point) = match rest {
        [b'.', fraction @ ..] => {
            let (value, rest) = digits(value, fraction);
            (value, rest, Some(fraction.len()))
        }
        rest => (value, rest, None),
    };
    let count = cell.len() - usize::from(point.is_some());
    let scale = point.unwrap_or(0);
    let is_short = rest.is_empty() && (1..=DIGITS).contains(&count) && value <= 1 << f64::MANTISSA_DIGITS;
    (is_short && scale < POWERS.len()).then(|| value as f64 / POWERS[scale])
}

/// A truth in the words of pandas.
pub(super) fn truth(cell: &[u8]) -> Option<bool> {
    match trimmed(cell) {
        b"true" | b"True" | b"TRUE" => Some(true),
        b"false" | b"False" | b"FALSE" => Some(false),
        _ => None,
    }
}

/// Days since 1970 of a date of the form 2024-12-31, in the calendar of today.
pub(super) fn date(cell: &[u8]) -> Option<i32> {
    let [y3, y2, y1, y0, b'-', m1, m0, b'-', d1, d0] = trimmed(cell) else { return None };
    let number = |digits: &[&u8]| {
        digits.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i32::from(**byte - b'0')))
    };
    let (year, month, day) = (number(&[y3, y2, y1, y0])?, number(&[m1, m0])?, number(&[d1, d0])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) {
        return None;
    }
    // Years begin in March, so that the day that comes and goes is a year's last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + day_of_year;
    const DAYS_OF_ERA: i32 = 146_097;
    const DAYS_BEFORE_1970: i32 = 719_468;
    Some(era * DAYS_OF_ERA + day_of_era - DAYS_BEFORE_1970)
}

/// Whether a cell that is not null is one of this type.
pub(super) fn fits(kind: Type, cell: &[u8]) -> bool {
    match kind {
        Type::Int(_) => integer(cell).is_some(),
        Type::Float(_) => float(cell).is_some(),
        Type::Bool => truth(cell).is_some(),
        Type::Date => date(cell).is_some(),
        _ => kind == Type::Text,
    }
}

/// The types that fit all the cells of a column seen so far; a text fits always.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Fits {
    integer: bool,
    float: bool,
    truth: bool,
    date: bool,
    /// Whether there is a cell that is not null.
    some: bool,
}

impl Fits {
    /// Nothing seen.
    pub(super) const ANYTHING: Self = Self { integer: true, float: true, truth: true, date: true, some: false };

    const NONE: Self = Self { integer: false, float: false, truth: false, date: false, some: true };

    /// What fits both.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            integer: self.integer && other.integer,
            float: self.float && other.float,
            truth: self.truth && other.truth,
            date: self.date && other.date,
            some: self.some || other.some,
        }
    }

    /// What fits a cell that is not null, among what `self` fits.
    pub(super) fn with(self, cell: &[u8]) -> Self {
        if !(self.integer || self.float || self.truth || self.date) {
            return Self { some: true, ..self };
        }
        if self.integer
            && let Some(value) = integer(cell)
        {
            // One that a double cannot hold must not become one because others have a fraction.
            return self.and(Self { integer: true, float: value.is_exact(), ..Self::NONE });
        }
        if self.float
            && let Some(value) = float(cell)
        {
            let is_exact = value.abs() < 1e15 || !is_integer(cell) || is_exact(cell);
            return self.and(Self { float: is_exact, ..Self::NONE });
        }
        self.and(Self { truth: truth(cell).is_some(), date: date(cell).is_some(), ..Self::NONE })
    }

    /// The narrowest type.
    pub(super) fn column_type(self) -> Type {
        match self {
            Self { some: false, .. } => Type::Null,
            Self { integer: true, .. } => Type::Int(64),
            Self { float: true, .. } => Type::Float(64),
            Self { truth: true, .. } => Type::Bool,
            Self { date: true, .. } => Type::Date,
            _ => Type::Text,
        }
    }
}

/// Whether an integer of any length is a double.
fn is_exact(cell: &[u8]) -> bool {
    str::from_utf8(trimmed(cell)).is_ok_and(|cell| cell.parse::<i128>().is_ok_and(Number::is_exact))
}
