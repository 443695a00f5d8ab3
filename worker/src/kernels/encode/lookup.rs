//! Which group each row of a column is in: its category, its interval, its hash.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    ops::Range,
};

use arrow::array::{Array as _, Int32Array};
use fondaco_proto::{
    Error, Result,
    op::{Code, Feature, Guard, Values, hash_column},
};

use super::{
    categories::{float_bits, integer, of_numbers},
    groups::kept,
    words::texts,
};
use crate::{
    frame::{BLOCK_ROWS, Cells, Column},
    kernels::{Context, view::segments},
};

/// In the place of a group: none that is kept.
pub const UNKNOWN: i32 = -1;

/// A null or NaN, where these are no group of their own.
pub const MISSING: i32 = -2;

/// Bytes of a value in the tables.
const VALUE_BYTES: u64 = 64;

/// Which group each row of a column is in.
pub struct Groups<'a> {
    column: &'a Column,
    by: By<'a>,
    /// The group of nulls and NaN.
    missing: i32,
    /// Which intervals are kept; all, if empty.
    kept: Vec<bool>,
}

enum By<'a> {
    /// The group of each distinct text.
    Texts(&'a Int32Array, Vec<i32>),
    Integers(HashMap<i64, i32>),
    Floats(HashMap<u64, i32>),
    Edges(&'a [f64]),
}

impl<'a> Groups<'a> {
    /// # Errors
    /// `Data` if a value is in no group, and must not be; `Limit`, `Cancelled`.
    pub fn new(column: &'a Column, feature: &'a Feature, guard: Guard, cx: &Context<'_>) -> Result<Self> {
        let by = match &feature.code {
            Code::Ordinal { categories, .. } | Code::OneHot { categories, .. } => {
                By::categories(&feature.column, column, categories)?
            }
            Code::Bins { edges, .. } => By::Edges(edges),
            Code::Hash { columns, alternate_sign } => {
                let (codes, texts) = texts(&feature.column, column)?;
                let slot = |text: &str| {
                    let (column, negative) = hash_column(&feature.column, text, *columns, *alternate_sign);
                    // At most 2^20 columns.
                    2 * column as i32 + i32::from(negative)
                };
                By::Texts(codes, texts.iter().map(slot).collect())
            }
            Code::Number { .. } | Code::Words { .. } => return Err(Error::internal("a feature without groups")),
        };
        let missing = match &feature.code {
            Code::OneHot { missing: true, categories, .. } => categories.len() as i32,
            _other => MISSING,
        };
        let mut groups = Self { column, by, missing, kept: Vec::new() };
        if feature.is_strict() {
            groups.check_known(feature, cx)?;
        }
        groups.guard(guard, cx)?;
        Ok(groups)
    }

    /// The groups of some rows.
    pub fn slots(&self, rows: Range<usize>, out: &mut [i32]) {
        match &self.by {
            By::Texts(codes, slots) if codes.null_count() == 0 => {
                let codes = &codes.values()[rows];
                out.iter_mut().zip(codes).for_each(|(out, code)| *out = slots[*code as usize]);
            }
            _other => out.iter_mut().zip(rows).for_each(|(out, row)| *out = self.slot(row)),
        }
        if !self.kept.is_empty() {
            for slot in out {
                if usize::try_from(*slot).is_ok_and(|group| !self.kept[group]) {
                    *slot = UNKNOWN;
                }
            }
        }
    }

    fn slot(&self, row: usize) -> i32 {
        if self.column.is_missing(row) {
            return self.missing;
        }
        let among = |slot: Option<&i32>| slot.copied().unwrap_or(UNKNOWN);
        match (&self.by, self.column.cells()) {
            (By::Texts(codes, slots), _) => slots[codes.value(row) as usize],
            (By::Integers(slots), Cells::Int64(cells)) => among(slots.get(&cells.value(row))),
            (By::Integers(slots), Cells::Bool(cells)) => among(slots.get(&i64::from(cells.value(row)))),
            (By::Integers(slots), Cells::Date(cells)) => among(slots.get(&i64::from(cells.value(row)))),
            (By::Floats(slots), Cells::Float64(cells)) => among(slots.get(&(cells.value(row) + 0.0).to_bits())),
            (By::Edges(edges), _) => {
                let x = self.column.number(row).unwrap_or(f64::NAN);
                // As np.searchsorted(edges[1:-1], x, side="right"); there are fewer than 2^31.
                edges[1..edges.len() - 1].partition_point(|edge| *edge <= x) as i32
            }
            (By::Integers(_) | By::Floats(_), _) => UNKNOWN,
        }
    }

    fn check_known(&self, feature: &Feature, cx: &Context<'_>) -> Result<()> {
        cx.each(segments(0..self.column.len(), BLOCK_ROWS).collect(), |rows: Range<usize>| {
            let mut slots = vec![0; rows.len()];
            self.slots(rows, &mut slots);
            if !slots.contains(&UNKNOWN) {
                return Ok(());
            }
            Err(Error::data(format!(
                "encode: column {:?} has a value that is none of its categories; fit the encoder on all data, or let \
                 unknown values be ignored",
                feature.column
            )))
        })
    }

    /// Leaves out what too few rows have. Which values these are follows from the column alone and not from what is asked
    /// for, so that what two encoders of it tell apart are always enough rows; but intervals are a tenant's choice.
    fn guard(&mut self, guard: Guard, cx: &Context<'_>) -> Result<()> {
        if guard == Guard::Open {
            return Ok(());
        }
        let _table = cx.memory.ticket(self.column.len() as u64 * VALUE_BYTES)?;
        let total = self.column.len() as u64;
        let missing = (0..self.column.len()).filter(|row| self.column.is_missing(*row)).count() as u64;
        // The missing are a value like others, the last.
        let choose = |mut counts: Vec<u64>, guard| {
            counts.push(missing);
            kept(&counts, total, 1, guard)
        };
        let missing_is_kept = match &mut self.by {
            By::Texts(codes, slots) => {
                let mut counts = vec![0; slots.len()];
                codes.iter().flatten().for_each(|code| counts[code as usize] += 1);
                let kept = choose(counts, guard);
                slots.iter_mut().zip(&kept).filter(|(_, kept)| !**kept).for_each(|(slot, _)| *slot = UNKNOWN);
                kept.last() == Some(&true)
            }
            By::Integers(slots) => {
                leave_out(slots, of_numbers(&[self.column], integer), |counts| choose(counts, guard))
            }
            By::Floats(slots) => {
                leave_out(slots, of_numbers(&[self.column], float_bits), |counts| choose(counts, guard))
            }
            By::Edges(edges) => {
                let mut counts = vec![0; edges.len() - 1];
                let mut slots = vec![0; self.column.len()];
                self.slots(0..self.column.len(), &mut slots);
                slots.iter().filter_map(|slot| usize::try_from(*slot).ok()).for_each(|slot| counts[slot] += 1);
                self.kept = choose(counts, Guard::Shaped(guard.rows_min()));
                self.kept.last() == Some(&true)
            }
        };
        if !missing_is_kept {
            self.missing = UNKNOWN;
        }
        Ok(())
    }
}

/// Leaves out the values that are not kept of all that there are; whether the missing are kept.
fn leave_out<K: Eq + Hash + Ord + Copy>(
    slots: &mut HashMap<K, i32>,
    counts: HashMap<K, u64>,
    choose: impl FnOnce(Vec<u64>) -> Vec<bool>,
) -> bool {
    let mut values: Vec<(K, u64)> = counts.into_iter().collect();
    values.sort_unstable();
    let kept = choose(values.iter().map(|(_, count)| *count).collect());
    let chosen: HashSet<K> =
        values.iter().zip(&kept).filter(|(_, kept)| **kept).map(|((value, _), _)| *value).collect();
    slots.retain(|value, _| chosen.contains(value));
    kept.last() == Some(&true)
}

impl By<'_> {
    fn categories<'a>(name: &str, column: &'a Column, categories: &Values) -> Result<By<'a>> {
        let integers = |values: &mut dyn Iterator<Item = i64>| By::Integers(values.zip(0..).collect());
        Ok(match categories {
            Values::Text(values) => {
                let (codes, texts) = texts(name, column)?;
                let slots: HashMap<&str, i32> = values.iter().map(String::as_str).zip(0..).collect();
                By::Texts(codes, texts.iter().map(|text| slots.get(text).copied().unwrap_or(UNKNOWN)).collect())
            }
            Values::Float64(values) => {
                By::Floats(values.iter().map(|value| (value + 0.0).to_bits()).zip(0..).collect())
            }
            Values::Int64(values) => integers(&mut values.iter().copied()),
            Values::Bool(values) => integers(&mut values.iter().copied().map(i64::from)),
            Values::Date(values) => integers(&mut values.iter().copied().map(i64::from)),
        })
    }
}
