//! Joins of two frames at one site, by hashing.

use std::collections::{HashMap, hash_map::Entry};

use fondaco_proto::{
    Error, Result,
    op::{Join, JoinHow, JoinKeys},
};

use super::rows::{NOWHERE, take};
use crate::{
    frame::{Cells, Column, Frame},
    kernels::Context,
};

/// In the place of a key: the row has none.
const NO_KEY: u32 = u32::MAX;

/// Bytes of a key in the tables, and of a row beside them.
const KEY_BYTES: u64 = 64;

/// The rows of the left, each with the row of the right that has its keys.
pub fn join(left: &Frame, right: &Frame, join: &Join, cx: &Context<'_>) -> Result<Frame> {
    let _scratch = cx.memory.ticket((left.rows() as u64 + right.rows() as u64).saturating_mul(KEY_BYTES))?;
    let (left_keys, right_keys, count) = keys(left, right, join)?;
    cx.cancel.check()?;
    let found = matches(&left_keys, &right_keys, count, join.keys)?;
    let kept: Vec<usize> = match join.how {
        JoinHow::Left => (0..left.rows()).collect(),
        JoinHow::Inner => (0..left.rows()).filter(|row| found[*row] != NOWHERE).collect(),
    };
    let of_right: Vec<usize> = kept.iter().map(|row| found[*row]).collect();
    let mut columns = Vec::with_capacity(left.fields().len() + right.fields().len());
    for (field, column) in left.fields().iter().zip(left.columns()) {
        let column = if kept.len() == left.rows() { column.clone() } else { take(column, &kept, cx)? };
        columns.push((field.name.clone(), column));
    }
    let names: Vec<&str> = left.fields().iter().map(|field| field.name.as_str()).collect();
    for (field, column) in right.fields().iter().zip(right.columns()) {
        if !join.right.contains(&field.name) {
            let suffix = if names.contains(&field.name.as_str()) { "_right" } else { "" };
            columns.push((format!("{}{suffix}", field.name), take(column, &of_right, cx)?));
        }
    }
    Ok(Frame::new(kept.len(), columns))
}

/// For each row of the left, the row of the right that has its key.
fn matches(left: &[u32], right: &[u32], count: usize, keys: JoinKeys) -> Result<Vec<usize>> {
    const AMBIGUOUS: usize = usize::MAX - 1;
    let mut rows = vec![NOWHERE; count];
    for (row, key) in right.iter().enumerate().filter(|(_, key)| **key != NO_KEY) {
        let at = &mut rows[*key as usize];
        *at = match (*at, keys) {
            (NOWHERE, _) => row,
            (_, JoinKeys::OneToOne) => AMBIGUOUS,
            (_, JoinKeys::ManyToOne) => {
                return Err(Error::invalid(
                    "join: a key comes twice in the right frame, so that a row would have two matches; keep one row of \
                     each, or join one to one",
                ));
            }
        };
    }
    if keys == JoinKeys::OneToOne {
        let mut seen = vec![false; count];
        for key in left.iter().filter(|key| **key != NO_KEY) {
            if std::mem::replace(&mut seen[*key as usize], true) {
                rows[*key as usize] = AMBIGUOUS;
            }
        }
    }
    let found = |key: &u32| if *key == NO_KEY { NOWHERE } else { rows[*key as usize] };
    Ok(left.iter().map(found).map(|row| if row == AMBIGUOUS { NOWHERE } else { row }).collect())
}

/// The number of each row's key, on both sides, and how many there are.
fn keys(left: &Frame, right: &Frame, join: &Join) -> Result<(Vec<u32>, Vec<u32>, usize)> {
    let mut numbers = [vec![0; left.rows()], vec![0; right.rows()]];
    let mut count = 1;
    for (a, b) in join.left.iter().zip(&join.right) {
        let columns = [left.column(a)?, right.column(b)?];
        let mut texts: HashMap<&str, u64> = HashMap::new();
        // A key is the number of those before it, and its own cell.
        let mut seen: HashMap<(u32, u64), u32> = HashMap::new();
        for (column, numbers) in columns.into_iter().zip(&mut numbers) {
            let by_code = codes(column, &mut texts);
            for (row, number) in numbers.iter_mut().enumerate().filter(|(_, number)| **number != NO_KEY) {
                if column.is_missing(row) {
                    *number = NO_KEY;
                    continue;
                }
                let next = u32::try_from(seen.len()).unwrap_or(NO_KEY);
                let entry = seen.entry((*number, cell(column, row, &by_code)));
                *number = match entry {
                    Entry::Occupied(known) => *known.get(),
                    Entry::Vacant(_) if next == NO_KEY => return Err(Error::limit("join: at most 2^32 - 1 keys")),
                    Entry::Vacant(new) => *new.insert(next),
                };
            }
        }
        count = seen.len();
    }
    let [left, right] = numbers;
    Ok((left, right, count))
}

/// The numbers of a column's distinct texts, the same on both sides.
fn codes<'a>(column: &'a Column, texts: &mut HashMap<&'a str, u64>) -> Vec<u64> {
    let Cells::Text(_, distinct) = column.cells() else { return Vec::new() };
    let mut number = |text: &'a str| {
        let next = texts.len() as u64;
        *texts.entry(text).or_insert(next)
    };
    (0..distinct.len()).map(|i| number(distinct.get(i))).collect()
}

/// What tells a cell from others of its column.
fn cell(column: &Column, row: usize, by_code: &[u64]) -> u64 {
    match column.cells() {
        // Zeros of both signs are equal.
        Cells::Float64(cells) => (cells.value(row) + 0.0).to_bits(),
        Cells::Int64(cells) => cells.value(row) as u64,
        Cells::Bool(cells) => u64::from(cells.value(row)),
        Cells::Date(cells) => cells.value(row) as u64,
        Cells::Text(codes, _) => by_code[codes.value(row) as usize],
    }
}
