//! The distinct values of a column, and how many rows have each.

use std::collections::HashMap;

use fondaco_proto::{Result, op::Guard};

use super::{build, groups::kept};
use crate::{
    frame::{Cells, Column, Frame, Interner},
    kernels::Context,
};

/// Bytes of a value in the tables.
const VALUE_BYTES: u64 = 64;

/// The values of a column over all parts that enough rows have, ascending, and how many have them; nulls and NaN as one
/// null at the end.
pub fn categories(parts: &[&Frame], name: &str, (rows_min, guard): (u64, Guard), cx: &Context<'_>) -> Result<Frame> {
    let columns = parts.iter().map(|part| part.column(name)).collect::<Result<Vec<&Column>>>()?;
    let total: usize = columns.iter().map(|column| column.len()).sum();
    let distinct = |column: &&Column| match column.cells() {
        Cells::Text(_, texts) => texts.len(),
        Cells::Float64(_) | Cells::Int64(_) | Cells::Bool(_) | Cells::Date(_) => column.len(),
    };
    let _tables = cx.memory.ticket(columns.iter().map(distinct).sum::<usize>() as u64 * VALUE_BYTES)?;
    let missing: usize =
        columns.iter().map(|column| (0..column.len()).filter(|row| column.is_missing(*row)).count()).sum();
    let choose = |counts: Vec<u64>| {
        // The missing are a group like others.
        let counts = [counts, vec![missing as u64]].concat();
        let mut chosen = kept(&counts, total as u64, rows_min, guard);
        if missing == 0 {
            chosen.pop();
        }
        let rows: Vec<usize> = (0..chosen.len()).filter(|group| chosen[*group]).collect();
        let counts: Vec<u64> = rows.iter().map(|group| counts[*group]).collect();
        (rows, counts)
    };
    let (value, counts) = match columns[0].cells() {
        Cells::Text(..) => {
            let mut groups: Vec<(&str, u64)> = of_texts(&columns).into_iter().collect();
            groups.sort_unstable();
            let (rows, counts) = choose(groups.iter().map(|group| group.1).collect());
            let mut texts = Interner::new(cx.memory);
            for row in rows.iter().filter(|row| **row < groups.len()) {
                texts.code(groups[*row].0)?;
            }
            let last = texts.finish()?;
            let count = last.len();
            // Kept ones are numbered in their order, the missing after them.
            (build::texts(rows.len(), last, cx, |i| (i < count).then_some(i as i32))?, counts)
        }
        Cells::Float64(_) => {
            let mut groups: Vec<(u64, u64)> = of_numbers(&columns, float_bits).into_iter().collect();
            groups.sort_unstable_by(|a, b| f64::from_bits(a.0).total_cmp(&f64::from_bits(b.0)));
            let (rows, counts) = choose(groups.iter().map(|group| group.1).collect());
            let value = |i: usize| groups.get(rows[i]).map(|group| f64::from_bits(group.0));
            (build::floats(rows.len(), cx, value)?, counts)
        }
        Cells::Int64(_) | Cells::Bool(_) | Cells::Date(_) => {
            let mut groups: Vec<(i64, u64)> = of_numbers(&columns, integer).into_iter().collect();
            groups.sort_unstable();
            let (rows, counts) = choose(groups.iter().map(|group| group.1).collect());
            let value = |i: usize| groups.get(rows[i]).map(|group| group.0);
            let column = match columns[0].cells() {
                Cells::Bool(_) => build::bools(rows.len(), cx, |i| value(i).map(|value| value != 0))?,
                Cells::Date(_) => build::dates(rows.len(), cx, |i| value(i).map(|days| days as i32))?,
                Cells::Int64(_) | Cells::Float64(_) | Cells::Text(..) => build::integers(rows.len(), cx, value)?,
            };
            (column, counts)
        }
    };
    counted(value, &counts, cx)
}

/// Values, and how many rows have each.
pub fn counted(value: Column, counts: &[u64], cx: &Context<'_>) -> Result<Frame> {
    let count = build::integers(counts.len(), cx, |i| Some(counts[i] as i64))?;
    Ok(Frame::new(counts.len(), vec![("value".to_owned(), value), ("count".to_owned(), count)]))
}

fn of_texts<'a>(columns: &[&'a Column]) -> HashMap<&'a str, u64> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for column in columns {
        let Cells::Text(codes, texts) = column.cells() else { continue };
        let mut of_codes = vec![0; texts.len()];
        codes.iter().flatten().for_each(|code| of_codes[code as usize] += 1);
        for (code, count) in of_codes.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            *counts.entry(texts.get(code)).or_default() += count;
        }
    }
    counts
}

/// How many rows have each number.
pub fn of_numbers<K: Eq + std::hash::Hash>(columns: &[&Column], key: fn(&Cells, usize) -> K) -> HashMap<K, u64> {
    let mut counts = HashMap::new();
    for column in columns {
        for row in (0..column.len()).filter(|row| !column.is_missing(*row)) {
            *counts.entry(key(column.cells(), row)).or_default() += 1;
        }
    }
    counts
}

/// Zeros of both signs are one value.
pub fn float_bits(cells: &Cells, row: usize) -> u64 {
    if let Cells::Float64(cells) = cells { (cells.value(row) + 0.0).to_bits() } else { 0 }
}

/// Of what is no double.
pub fn integer(cells: &Cells, row: usize) -> i64 {
    match cells {
        Cells::Int64(cells) => cells.value(row),
        Cells::Bool(cells) => i64::from(cells.value(row)),
        Cells::Date(cells) => i64::from(cells.value(row)),
        Cells::Float64(_) | Cells::Text(..) => 0,
    }
}
