//! Columns as columns of other kinds.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use fondaco_proto::{ColumnKind, Error, Field, Result};

use super::build;
use crate::{
    frame::{Cells, Column, Frame, Interner, Texts},
    kernels::Context,
};

/// Doubles hold all integers up to here.
const EXACT_MAX: u64 = 1 << f64::MANTISSA_DIGITS;

/// The frame with these columns as others of their names.
pub fn cast(frame: &Frame, to: &[Field], strict: bool, cx: &Context<'_>) -> Result<Frame> {
    let columns = frame.fields().iter().zip(frame.columns()).map(|(field, column)| {
        let kind = to.iter().find(|to| to.name == field.name).map_or(field.kind, |to| to.kind);
        if kind == field.kind {
            return Ok((field.name.clone(), column.clone()));
        }
        let failures = AtomicU64::new(0);
        let cast = one(column, kind, &failures, cx)?;
        let failures = failures.into_inner();
        if strict && failures > 0 {
            return Err(Error::data(format!(
                "cast: {failures} cells of column {:?} cannot become {kind}; without strict they become null",
                field.name
            )));
        }
        Ok((field.name.clone(), cast))
    });
    Ok(Frame::new(frame.rows(), columns.collect::<Result<_>>()?))
}

/// The cast column; counts the cells that have a value and cannot be cast.
fn one(column: &Column, to: ColumnKind, failures: &AtomicU64, cx: &Context<'_>) -> Result<Column> {
    let counted = |row: usize, cell_is_none: bool| {
        if cell_is_none && !column.is_missing(row) {
            failures.fetch_add(1, Ordering::Relaxed);
        }
    };
    let rows = column.len();
    let valid = |row: usize| column.nulls().is_none_or(|nulls| nulls.is_valid(row));
    match (column.cells(), to) {
        (Cells::Text(codes, texts), ColumnKind::Text) => {
            build::texts(rows, texts.clone(), cx, |row| valid(row).then(|| codes.value(row)))
        }
        (Cells::Text(codes, texts), to) => {
            let of = |row: usize| valid(row).then(|| codes.value(row) as usize);
            macro_rules! parsed {
                ($make:path, $parse:expr) => {{
                    let _parsed = cx.memory.ticket(texts.len() as u64 * 16)?;
                    let parsed: Vec<Option<_>> = texts.iter().map($parse).collect();
                    $make(rows, cx, |row| {
                        let cell = of(row).and_then(|code| parsed[code]);
                        counted(row, cell.is_none());
                        cell
                    })
                }};
            }
            match to {
                ColumnKind::Int64 => parsed!(build::integers, |text: &str| text.trim().parse::<i64>().ok()),
                ColumnKind::Bool => parsed!(build::bools, truth),
                ColumnKind::Date => parsed!(build::dates, date_of),
                ColumnKind::Float64 | ColumnKind::Text => {
                    parsed!(build::floats, |text: &str| text.trim().parse::<f64>().ok())
                }
            }
        }
        (_, ColumnKind::Text) => to_text(column, cx),
        (cells, to) => {
            let integer = |row: usize| integer_of(cells, row);
            macro_rules! cast {
                ($make:path, $cell:expr) => {
                    $make(rows, cx, |row| {
                        let cell = if valid(row) { $cell(row) } else { None };
                        counted(row, cell.is_none());
                        cell
                    })
                };
            }
            match to {
                ColumnKind::Int64 => cast!(build::integers, integer),
                ColumnKind::Date => cast!(build::dates, |row| integer(row).and_then(|days| i32::try_from(days).ok())),
                ColumnKind::Bool => {
                    cast!(build::bools, |row| column.number(row).filter(|x| !x.is_nan()).map(|x| x != 0.0))
                }
                ColumnKind::Float64 | ColumnKind::Text => cast!(build::floats, |row| float_of(column, row)),
            }
        }
    }
}

/// The integer that a number is, if it is one.
fn integer_of(cells: &Cells, row: usize) -> Option<i64> {
    match cells {
        Cells::Int64(cells) => Some(cells.value(row)),
        Cells::Bool(cells) => Some(i64::from(cells.value(row))),
        Cells::Date(cells) => Some(i64::from(cells.value(row))),
        Cells::Float64(cells) => {
            let x = cells.value(row);
            // The bounds are powers of two, and exact.
            (x.fract() == 0.0 && (i64::MIN as f64..-(i64::MIN as f64)).contains(&x)).then_some(x as i64)
        }
        Cells::Text(..) => None,
    }
}

/// Whether a double holds the integer.
pub fn is_exact(integer: i64) -> bool {
    let magnitude = integer.unsigned_abs();
    magnitude < EXACT_MAX || magnitude >> magnitude.trailing_zeros() < EXACT_MAX
}

fn float_of(column: &Column, row: usize) -> Option<f64> {
    match column.cells() {
        Cells::Int64(cells) => {
            Some(cells.value(row)).filter(|integer| is_exact(*integer)).map(|integer| integer as f64)
        }
        Cells::Float64(_) | Cells::Bool(_) | Cells::Date(_) | Cells::Text(..) => column.number(row),
    }
}

fn truth(text: &str) -> Option<bool> {
    match text.trim() {
        "1" => Some(true),
        "0" => Some(false),
        text if text.eq_ignore_ascii_case("true") => Some(true),
        text if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Numbers as they are written: `1.0`, `1`, `true`, `2013-01-31`.
fn to_text(column: &Column, cx: &Context<'_>) -> Result<Column> {
    let rows = column.len();
    let valid = |row: usize| column.nulls().is_none_or(|nulls| nulls.is_valid(row));
    let bits = |row: usize| match column.cells() {
        Cells::Float64(cells) => cells.value(row).to_bits(),
        Cells::Int64(cells) => cells.value(row) as u64,
        Cells::Bool(cells) => u64::from(cells.value(row)),
        Cells::Date(cells) => cells.value(row) as u64,
        Cells::Text(codes, _) => codes.value(row) as u64,
    };
    let _scratch = cx.memory.ticket(rows as u64 * 4)?;
    let mut codes = vec![0; rows];
    let mut seen: HashMap<u64, i32> = HashMap::new();
    let mut texts = Interner::new(cx.memory);
    let mut text = String::new();
    for (row, code) in codes.iter_mut().enumerate().filter(|(row, _)| valid(*row)) {
        let bits = bits(row);
        *code = match seen.get(&bits) {
            Some(code) => *code,
            None => {
                text.clear();
                written(column.cells(), row, &mut text);
                let code = texts.code(&text)?;
                seen.insert(bits, code);
                code
            }
        };
    }
    build::texts(rows, texts.finish()?, cx, |row| valid(row).then(|| codes[row]))
}

fn written(cells: &Cells, row: usize, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = match cells {
        Cells::Float64(cells) => write!(out, "{:?}", cells.value(row)),
        Cells::Int64(cells) => write!(out, "{}", cells.value(row)),
        Cells::Bool(cells) => write!(out, "{}", cells.value(row)),
        Cells::Date(cells) => {
            let (year, month, day) = civil(cells.value(row));
            write!(out, "{year:04}-{month:02}-{day:02}")
        }
        Cells::Text(codes, texts) => write!(out, "{}", texts.get(codes.value(row) as usize)),
    };
}

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar (Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms").
pub fn civil(days: i32) -> (i64, i64, i64) {
    let days = i64::from(days) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// The days since 1970-01-01 of `YYYY-MM-DD`, if there is such a day.
fn date_of(text: &str) -> Option<i32> {
    let mut parts = text.trim().splitn(3, '-');
    let (year, month, day): (i64, i64, i64) =
        (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    if !(0..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let of_era = shifted_year.rem_euclid(400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let days = i32::try_from(days).ok()?;
    (civil(days) == (year, month, day)).then_some(days)
}

/// Texts that are distinct already, by their codes.
pub fn texts_of(list: &[String], cx: &Context<'_>) -> Result<Texts> {
    Ok(Texts::each(cx.memory, list.len(), |i, out| out.push_str(&list[i]))?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_their_texts() {
        let known = [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (15_706, "2013-01-01"),
            (11_016, "2000-02-29"),
            (-719_528, "0000-01-01"),
        ];
        for (days, text) in known {
            assert_eq!(date_of(text), Some(days), "{text}");
            let (year, month, day) = civil(days);
            assert_eq!(format!("{year:04}-{month:02}-{day:02}"), text);
        }
        for wrong in ["2013-02-29", "2013-13-01", "2013-1", "x", "2013-01-32", ""] {
            assert_eq!(date_of(wrong), None, "{wrong}");
        }
        for days in (-200_000..200_000).step_by(37) {
            let (year, month, day) = civil(days);
            if year >= 0 {
                assert_eq!(date_of(&format!("{year:04}-{month:02}-{day:02}")), Some(days));
            }
        }
    }
}
