//! Words of texts, and how often they come. Each distinct text is cut once.

use std::collections::{HashMap, HashSet};

use arrow::array::Int32Array;
use fondaco_proto::{
    Error, Result,
    op::{Guard, Words},
};

use super::{build, categories::counted, groups::is_kept};
use crate::{
    frame::{Cells, Column, Frame, Interner, Texts},
    kernels::Context,
};

/// Bytes of a word of a text in the tables.
const WORD_BYTES: u64 = 64;

/// A column of texts.
pub fn texts<'a>(name: &str, column: &'a Column) -> Result<(&'a Int32Array, &'a Texts)> {
    match column.cells() {
        Cells::Text(codes, texts) => Ok((codes, texts)),
        Cells::Float64(_) | Cells::Int64(_) | Cells::Bool(_) | Cells::Date(_) => {
            Err(Error::invalid(format!("column {name:?} is {}; words are of text", column.kind())))
        }
    }
}

/// The words that enough rows of all parts have, ascending, and how many rows have them.
pub fn tokens(
    parts: &[&Frame],
    name: &str,
    words: Words,
    (rows_min, guard): (u64, Guard),
    cx: &Context<'_>,
) -> Result<Frame> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    let mut total = 0;
    // A word has at least one byte, and one before the next.
    let bytes: u64 = parts.iter().map(|part| part.bytes()).sum();
    let _table = cx.memory.ticket(bytes.saturating_mul(WORD_BYTES / 2))?;
    for part in parts {
        let (codes, texts) = texts(name, part.column(name)?)?;
        total += codes.len() as u64;
        let mut of_codes: Vec<u64> = vec![0; texts.len()];
        codes.iter().flatten().for_each(|code| of_codes[code as usize] += 1);
        let mut seen = HashSet::new();
        for (code, rows) in of_codes.into_iter().enumerate().filter(|(_, rows)| *rows > 0) {
            cx.cancel.check()?;
            seen.clear();
            words.each(texts.get(code), |word| {
                if seen.insert(word.to_owned()) {
                    *counts.entry(word.to_owned()).or_default() += rows;
                }
            });
        }
    }
    let mut kept: Vec<(String, u64)> =
        counts.into_iter().filter(|(_, count)| is_kept(*count, total, rows_min, guard)).collect();
    kept.sort_unstable();
    let mut value = Interner::new(cx.memory);
    kept.iter().try_for_each(|(word, _)| value.code(word).map(drop))?;
    let counts: Vec<u64> = kept.iter().map(|(_, count)| *count).collect();
    counted(build::texts(counts.len(), value.finish()?, cx, |i| Some(i as i32))?, &counts, cx)
}

/// The words of a vocabulary in each distinct text, with how often they come.
pub struct Bags {
    /// For each text, where its words end.
    ends: Vec<usize>,
    words: Vec<(u32, f64)>,
}

impl Bags {
    /// Of these texts; without the words that are not kept.
    pub fn of(codes: &Int32Array, texts: &Texts, vocabulary: &[String], by: Words, guard: Guard, binary: bool) -> Self {
        // A vocabulary has fewer words than a matrix columns.
        let index: HashMap<&str, u32> =
            vocabulary.iter().enumerate().map(|(i, word)| (word.as_str(), i as u32)).collect();
        let mut bags = Self { ends: Vec::with_capacity(texts.len()), words: Vec::new() };
        let mut counts: HashMap<u32, f64> = HashMap::new();
        for text in texts.iter() {
            counts.clear();
            by.each(text, |word| {
                if let Some(word) = index.get(word) {
                    *counts.entry(*word).or_default() += 1.0;
                }
            });
            let start = bags.words.len();
            bags.words.extend(counts.iter().map(|(word, count)| (*word, if binary { 1.0 } else { *count })));
            bags.words[start..].sort_unstable_by_key(|(word, _)| *word);
            bags.ends.push(bags.words.len());
        }
        if guard != Guard::Open {
            bags.leave_out(codes, vocabulary.len(), guard);
        }
        bags
    }

    fn leave_out(&mut self, codes: &Int32Array, words: usize, guard: Guard) {
        let mut rows = vec![0_u64; words];
        for code in codes.iter().flatten() {
            self.get(code as usize).iter().for_each(|(word, _)| rows[*word as usize] += 1);
        }
        let total = codes.len() as u64;
        let kept: Vec<bool> = rows.iter().map(|count| is_kept(*count, total, 1, guard)).collect();
        self.words.iter_mut().filter(|(word, _)| !kept[*word as usize]).for_each(|(_, count)| *count = 0.0);
    }

    /// The words of a text.
    pub fn get(&self, text: usize) -> &[(u32, f64)] {
        let start = if text == 0 { 0 } else { self.ends[text - 1] };
        &self.words[start..self.ends[text]]
    }
}
