//! The distinct texts of a column.

use std::{collections::HashMap, sync::Arc};

use fondaco_proto::{Error, Result};

use crate::memory::{Memory, Ticket};

/// Memory is reserved in steps of this many bytes while texts are collected.
const STEP_BYTES: u64 = 1 << 16;

/// What a text takes beside its bytes: an entry of the table, an end, and the allocator's own.
const ENTRY_BYTES: u64 = 64;

/// Distinct texts, numbered from 0 on; shared by the columns that refer to them.
#[derive(Clone)]
pub struct Texts(Arc<Inner>);

struct Inner {
    bytes: String,
    /// Where each ends.
    ends: Vec<usize>,
    _tickets: Vec<Ticket>,
}

impl Texts {
    /// Texts one after another, and where each ends; the memory was reserved.
    pub fn new(bytes: String, ends: Vec<usize>, tickets: Vec<Ticket>) -> Self {
        Self(Arc::new(Inner { bytes, ends, _tickets: tickets }))
    }

    /// What `text` makes of each of some texts, distinct or not: the distinct results, and the number of each.
    ///
    /// # Errors
    /// `Limit` if they do not fit the memory.
    pub fn each(
        memory: &Arc<Memory>,
        count: usize,
        mut text: impl FnMut(usize, &mut String),
    ) -> Result<(Self, Vec<i32>)> {
        let _codes = memory.ticket(count as u64 * size_of::<i32>() as u64)?;
        let mut interner = Interner::new(memory);
        let mut codes = Vec::with_capacity(count);
        let mut scratch = String::new();
        for i in 0..count {
            scratch.clear();
            text(i, &mut scratch);
            codes.push(interner.code(&scratch)?);
        }
        Ok((interner.finish()?, codes))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.ends.is_empty()
    }

    /// One of them.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn get(&self, i: usize) -> &str {
        let start = if i == 0 { 0 } else { self.0.ends[i - 1] };
        &self.0.bytes[start..self.0.ends[i]]
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|i| self.get(i))
    }

    /// All of them, one after another.
    pub fn concatenated(&self) -> &str {
        &self.0.bytes
    }

    /// Bytes that they take.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.len() as u64 + self.0.ends.len() as u64 * 8
    }

    /// The length of the longest.
    pub fn longest(&self) -> usize {
        self.iter().map(str::len).max().unwrap_or(0)
    }
}

/// Numbers texts in the order in which they come first.
pub struct Interner {
    memory: Arc<Memory>,
    codes: HashMap<Box<str>, i32>,
    /// Bytes that the texts take while they are collected.
    used: u64,
    reserved: u64,
    tickets: Vec<Ticket>,
}

impl Interner {
    /// Without texts.
    pub fn new(memory: &Arc<Memory>) -> Self {
        Self { memory: Arc::clone(memory), codes: HashMap::new(), used: 0, reserved: 0, tickets: Vec::new() }
    }

    /// Where its memory is reserved.
    pub fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// The number of a text; a new one, if it comes for the first time.
    ///
    /// # Errors
    /// `Limit` if it does not fit the memory, or there are too many.
    pub fn code(&mut self, text: &str) -> Result<i32> {
        if let Some(code) = self.codes.get(text) {
            return Ok(*code);
        }
        let code = i32::try_from(self.codes.len());
        let code = code.map_err(|_| Error::limit("a text column has at most 2^31 distinct texts"))?;
        // Once while they are collected, once for good.
        self.used = self.used.saturating_add(2 * text.len() as u64 + ENTRY_BYTES);
        if self.used > self.reserved {
            let more = (self.used - self.reserved).max(STEP_BYTES).max(self.reserved / 4);
            self.tickets.push(self.memory.ticket(more)?);
            self.reserved += more;
        }
        self.codes.insert(text.into(), code);
        Ok(code)
    }

    /// All texts, by their numbers.
    ///
    /// # Errors
    /// `Limit` if they do not fit the memory.
    pub fn finish(self) -> Result<Texts> {
        let bytes: usize = self.codes.keys().map(|text| text.len()).sum();
        let ticket = self.memory.ticket(bytes as u64 + self.codes.len() as u64 * 8)?;
        let mut ordered: Vec<&str> = vec![""; self.codes.len()];
        for (text, code) in &self.codes {
            // Numbers are those from 0 on.
            ordered[*code as usize] = text;
        }
        let mut all = String::with_capacity(bytes);
        let mut ends = Vec::with_capacity(ordered.len());
        for text in ordered {
            all.push_str(text);
            ends.push(all.len());
        }
        drop(self.tickets);
        Ok(Texts::new(all, ends, vec![ticket]))
    }
}
