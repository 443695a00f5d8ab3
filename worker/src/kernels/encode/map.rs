//! Functions of the columns of a row. What is done to texts is done once for each distinct one.

use std::collections::HashMap;

use arrow::array::{Array as _, Int32Array};
use fondaco_proto::{
    ColumnKind, Error, Result,
    op::{Map, MapFunction},
};

use super::{build, cast::civil};
use crate::{
    frame::{Cells, Column, Frame, Interner, Texts},
    kernels::Context,
    value::Value,
};

/// The frame with one column more.
pub fn map(frame: &Frame, output: &str, map: &Map, cx: &Context<'_>) -> Result<Frame> {
    let inputs = map.inputs.iter().map(|name| frame.column(name)).collect::<Result<Vec<&Column>>>()?;
    let made = mapped(map, &inputs, frame.rows(), cx)?;
    let columns = frame.fields().iter().zip(frame.columns());
    let columns = columns.map(|(field, column)| (field.name.clone(), column.clone()));
    Ok(Frame::new(frame.rows(), columns.chain([(output.to_owned(), made)]).collect()))
}

/// How many times as many bytes as its inputs a mapped text may have, at most.
pub fn growth(map: &Map, inputs: &[Value]) -> u64 {
    match map.function {
        // Of one character, in UTF-8.
        MapFunction::Lower | MapFunction::Upper => 3,
        MapFunction::Replace => map.texts.get(1).map_or(1, |to| to.len() as u64).max(1),
        // Each row may be a text of its own.
        MapFunction::Concat => {
            let longest = |column: &Column| match column.cells() {
                Cells::Text(_, texts) => texts.longest() as u64,
                Cells::Float64(_) | Cells::Int64(_) | Cells::Bool(_) | Cells::Date(_) => 0,
            };
            let separators = map.texts.first().map_or(0, String::len) as u64 * map.inputs.len() as u64;
            let of = |input: &Value| match input {
                Value::Frame(frame) => {
                    let columns = map.inputs.iter().filter_map(|name| frame.column(name).ok());
                    columns.map(longest).fold(separators, u64::saturating_add)
                }
                Value::Dense(_) | Value::Sparse(_) | Value::Lazy(_) | Value::Streamed(_) => 0,
            };
            // Bytes of a row, of which its inputs have four or more each.
            inputs.iter().map(of).fold(1, u64::saturating_add)
        }
        MapFunction::Fill => 2 + map.texts.first().map_or(0, |text| text.len() as u64),
        _no_longer => 1,
    }
}

fn mapped(map: &Map, inputs: &[&Column], rows: usize, cx: &Context<'_>) -> Result<Column> {
    use MapFunction::{
        Concat, Contains, Day, EndsWith, Fill, IsMissing, Length, Lower, Month, Replace, StartsWith, Substring, Trim,
        Upper, Weekday, Year,
    };
    let x = inputs[0];
    match (map.function, x.cells()) {
        (IsMissing, _) => build::bools(rows, cx, |row| Some(x.is_missing(row))),
        (Fill, _) => filled(map, x, cx),
        (Concat, _) => concatenated(map, inputs, rows, cx),
        (Lower | Upper | Trim | Replace | Substring, Cells::Text(codes, texts)) => of_texts(map, codes, texts, cx),
        (Length | Contains | StartsWith | EndsWith, Cells::Text(codes, texts)) => told(map, codes, texts, cx),
        (Year | Month | Day | Weekday, Cells::Date(days)) => {
            let valid = |row: usize| days.is_valid(row);
            build::integers(rows, cx, |row| valid(row).then(|| of_date(map.function, days.value(row))))
        }
        (function, _) => {
            let y = inputs.get(1);
            let number = map.numbers.first().copied().unwrap_or(f64::NAN);
            let of = arithmetic(function).ok_or_else(|| Error::internal("a function of no numbers"))?;
            let null = |column: &Column, row: usize| column.nulls().is_some_and(|nulls| nulls.is_null(row));
            build::floats(rows, cx, |row| {
                if null(x, row) || y.is_some_and(|y| null(y, row)) {
                    return None;
                }
                let right = y.map_or(Some(number), |y| y.number(row))?;
                Some(of(x.number(row)?, right))
            })
        }
    }
}

/// A function of one or two numbers.
fn arithmetic(function: MapFunction) -> Option<fn(f64, f64) -> f64> {
    use MapFunction::{Abs, Add, Ceil, Divide, Exp, Floor, Log, Multiply, Negative, Round, Sign, Sqrt, Subtract};
    Some(match function {
        Abs => |x, _| x.abs(),
        Negative => |x, _| -x,
        // NaN and zeros stay.
        Sign => |x, _| {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                x
            }
        },
        Sqrt => |x, _| x.sqrt(),
        Exp => |x, _| x.exp(),
        Log => |x, _| x.ln(),
        Floor => |x, _| x.floor(),
        Ceil => |x, _| x.ceil(),
        Round => |x, _| x.round_ties_even(),
        Add => |x, y| x + y,
        Subtract => |x, y| x - y,
        Multiply => |x, y| x * y,
        Divide => |x, y| x / y,
        _of_texts_and_dates => return None,
    })
}

fn of_date(function: MapFunction, days: i32) -> i64 {
    let (year, month, day) = civil(days);
    match function {
        MapFunction::Year => year,
        MapFunction::Month => month,
        MapFunction::Day => day,
        // The first of January 1970 was a Thursday.
        _weekday => (i64::from(days) + 3).rem_euclid(7),
    }
}

/// Texts made of texts.
fn of_texts(map: &Map, codes: &Int32Array, texts: &Texts, cx: &Context<'_>) -> Result<Column> {
    let one = |i: usize, out: &mut String| {
        let text = texts.get(i);
        match map.function {
            MapFunction::Lower => out.push_str(&text.to_lowercase()),
            MapFunction::Upper => out.push_str(&text.to_uppercase()),
            MapFunction::Trim => out.push_str(text.trim()),
            MapFunction::Replace => out.push_str(&text.replace(&map.texts[0], &map.texts[1])),
            _substring => {
                // Whole numbers that fit, or it is no program.
                let (start, length) = (map.numbers[0] as usize, map.numbers[1] as usize);
                out.extend(text.chars().skip(start).take(length));
            }
        }
    };
    let (texts, renamed) = Texts::each(cx.memory, texts.len(), one)?;
    build::texts(codes.len(), texts, cx, |row| codes.is_valid(row).then(|| renamed[codes.value(row) as usize]))
}

/// What is told of texts.
fn told(map: &Map, codes: &Int32Array, texts: &Texts, cx: &Context<'_>) -> Result<Column> {
    let text = map.texts.first().map_or("", String::as_str);
    let _told = cx.memory.ticket(texts.len() as u64 * 8)?;
    let of = |row: usize| codes.is_valid(row).then(|| codes.value(row) as usize);
    if map.function == MapFunction::Length {
        // No text has more characters than a double, or an integer, can tell.
        let lengths: Vec<i64> = texts.iter().map(|text| text.chars().count() as i64).collect();
        return build::integers(codes.len(), cx, |row| of(row).map(|code| lengths[code]));
    }
    let holds = |other: &str| match map.function {
        MapFunction::Contains => other.contains(text),
        MapFunction::StartsWith => other.starts_with(text),
        _ends_with => other.ends_with(text),
    };
    let told: Vec<bool> = texts.iter().map(holds).collect();
    build::bools(codes.len(), cx, |row| of(row).map(|code| told[code]))
}

/// The column with a value where it is missing.
fn filled(map: &Map, x: &Column, cx: &Context<'_>) -> Result<Column> {
    let rows = x.len();
    let valid = |row: usize| x.nulls().is_none_or(|nulls| nulls.is_valid(row));
    let number = map.numbers.first().copied().unwrap_or_default();
    match x.cells() {
        Cells::Text(codes, texts) => {
            let fill = map.texts.first().map_or("", String::as_str);
            let one = |i: usize, out: &mut String| out.push_str(if i < texts.len() { texts.get(i) } else { fill });
            // The old texts are distinct, hence keep their codes.
            let (all, renamed) = Texts::each(cx.memory, texts.len() + 1, one)?;
            let fill = renamed[texts.len()];
            build::texts(rows, all, cx, |row| Some(if valid(row) { codes.value(row) } else { fill }))
        }
        Cells::Float64(cells) => {
            build::floats(rows, cx, |row| Some(if x.is_missing(row) { number } else { cells.value(row) }))
        }
        Cells::Int64(cells) => {
            build::integers(rows, cx, |row| Some(if valid(row) { cells.value(row) } else { number as i64 }))
        }
        Cells::Bool(cells) => {
            build::bools(rows, cx, |row| Some(if valid(row) { cells.value(row) } else { number != 0.0 }))
        }
        Cells::Date(cells) => {
            build::dates(rows, cx, |row| Some(if valid(row) { cells.value(row) } else { number as i32 }))
        }
    }
}

/// Texts one after another. Each combination of distinct texts is put together once.
fn concatenated(map: &Map, inputs: &[&Column], rows: usize, cx: &Context<'_>) -> Result<Column> {
    let separator = map.texts.first().map_or("", String::as_str);
    let mut parts: Vec<(&Int32Array, &Texts)> = Vec::with_capacity(inputs.len());
    for column in inputs {
        let Cells::Text(codes, texts) = column.cells() else {
            return Err(Error::invalid(format!("map: {} is of text", map.function.name())));
        };
        parts.push((codes, texts));
    }
    let _scratch = cx.memory.ticket(rows as u64 * (4 + inputs.len() as u64 * 16))?;
    let mut joined = vec![0; rows];
    let mut valid = vec![true; rows];
    let mut seen: HashMap<Vec<i32>, i32> = HashMap::new();
    let (mut texts, mut text, mut key) = (Interner::new(cx.memory), String::new(), Vec::new());
    for row in 0..rows {
        if row % (1 << 16) == 0 {
            cx.cancel.check()?;
        }
        if parts.iter().any(|(codes, _)| codes.is_null(row)) {
            valid[row] = false;
            continue;
        }
        key.clear();
        key.extend(parts.iter().map(|(codes, _)| codes.value(row)));
        joined[row] = match seen.get(&key) {
            Some(code) => *code,
            None => {
                text.clear();
                for (i, ((_, texts), code)) in parts.iter().zip(&key).enumerate() {
                    text.push_str(if i == 0 { "" } else { separator });
                    text.push_str(texts.get(*code as usize));
                }
                let code = texts.code(&text)?;
                seen.insert(key.clone(), code);
                code
            }
        };
    }
    debug_assert_eq!(inputs[0].kind(), ColumnKind::Text);
    build::texts(rows, texts.finish()?, cx, |row| valid[row].then(|| joined[row]))
}
