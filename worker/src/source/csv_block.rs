//! Blocks of a CSV file: rows that are read together, found one after the other.

use super::{
    csv_rows::{Broken, How, Spans, count, padded, row_end},
    fault::Fault,
    file::Descriptor,
    scratch::{Loan, Shelf},
};

/// How long a row may be.
pub(super) const ROW_BYTES_MAX: usize = 16 << 20;

/// How many bytes are read behind a block at first, to find where its last row ends.
const BEHIND_BYTES: usize = 4096;

/// Fields that are cut before they are looked at, column after column: few enough for the second fastest cache.
const BATCH_CELLS: usize = 1 << 14;

/// Rows of a batch: a multiple of 64, as the sinks want them.
const BATCH_ROWS_MAX: usize = 4096;
const BATCH_ROWS_MIN: usize = 64;

/// Rows that are read together.
#[derive(Clone, Copy)]
pub(super) struct Block {
    offset: u64,
    pub(super) len: usize,
    /// The file's line that its first row begins in, from 1.
    line: u64,
    pub(super) rows: usize,
}

impl Block {
    /// Its bytes, with room behind for [`super::csv_rows::Rows`].
    pub(super) fn load(&self, descriptor: &Descriptor, shelf: &Shelf) -> Result<Loan, Fault> {
        let mut bytes = shelf.take(padded(self.len))?;
        descriptor.read(self.offset, &mut bytes[..self.len])?;
        Ok(bytes)
    }

    /// Where the fields of some of its rows go, and the reservation for them: fields of `places` columns out of a
    /// file's `columns`. `row_bytes` are those that a row takes beside.
    pub(super) fn spans(
        &self,
        (places, columns): (usize, usize),
        row_bytes: usize,
        shelf: &Shelf,
    ) -> Result<(Spans, crate::memory::Ticket), Fault> {
        let rows = (BATCH_CELLS / places).clamp(BATCH_ROWS_MIN, BATCH_ROWS_MAX);
        // Each field takes a byte at least, what separates it from the next.
        let rows_max = (self.len / columns.max(1) + 1).next_multiple_of(BATCH_ROWS_MIN);
        let rows = (rows - rows % BATCH_ROWS_MIN).min(rows_max);
        let ticket = shelf.ticket(Spans::bytes(places, rows).saturating_add((rows * row_bytes) as u64))?;
        Ok((Spans::new(places, rows), ticket))
    }

    /// `Err` unless the bytes are those of a text. A row is never cut within a character.
    pub(super) fn check_text(&self, bytes: &[u8]) -> Result<(), Fault> {
        let (at, what) = match str::from_utf8(bytes) {
            Err(error) => (error.valid_up_to(), "is not UTF-8"),
            Ok(_) if bytes.contains(&0) => (bytes.iter().take_while(|byte| **byte != 0).count(), "has a character 0"),
            Ok(_) => return Ok(()),
        };
        Err(Fault::of(format!("its line {} {what}", self.line_of(bytes, at)), "not a text"))
    }

    /// The line of a byte.
    pub(super) fn line_of(&self, bytes: &[u8], at: usize) -> u64 {
        self.line + count(&bytes[..at], b'\n') as u64
    }

    /// What everybody may know of a broken row. `columns` are those of the file's first row.
    pub(super) fn fault(&self, bytes: &[u8], columns: usize, broken: &Broken) -> Fault {
        let line = self.line_of(bytes, broken.at);
        let what = match broken.how {
            How::Fields(fields) => format!("its line {line} has {fields} fields, and its first one {columns}"),
            How::StrayQuote => format!(
                "its line {line} has a quote that is not around a whole field; a field with a quote in it is written \
                 in quotes, and the quote twice"
            ),
            How::OpenQuote => {
                format!("its line {line} begins a row with a quote that nothing closes, or that must be doubled")
            }
            How::BareReturn => format!("its line {line} has a carriage return that no line feed follows"),
        };
        Fault::of(what, "not CSV as RFC 4180 has it")
    }
}

/// Where the next block of a file begins.
#[derive(Clone)]
pub(super) struct Blocks<'a> {
    pub(super) descriptor: &'a Descriptor,
    pub(super) shelf: &'a Shelf,
    pub(super) offset: u64,
    pub(super) line: u64,
}

impl Blocks<'_> {
    /// The next rows that take `bytes_min` bytes or a little more, or the next row; the last ones may take less.
    pub(super) fn next(&mut self, bytes_min: usize) -> Result<Option<Block>, Fault> {
        let left = self.descriptor.stat().size.saturating_sub(self.offset);
        if left == 0 {
            return Ok(None);
        }
        let mut want = bytes_min + BEHIND_BYTES;
        loop {
            let len = usize::try_from(left).map_or(want, |left| left.min(want));
            let mut bytes = self.shelf.take(len)?;
            self.descriptor.read(self.offset, &mut bytes)?;
            let is_last = len as u64 == left;
            // The last row needs no line feed.
            let rest = || (is_last && count(&bytes, b'"').is_multiple_of(2)).then_some(len);
            if let Some(len) = row_end(&bytes, bytes_min.saturating_sub(1)).or_else(rest) {
                let block = Block { offset: self.offset, len, line: self.line, rows: 0 };
                self.offset += len as u64;
                self.line = block.line_of(&bytes, len);
                return Ok(Some(block));
            }
            if is_last || want == bytes_min + ROW_BYTES_MAX {
                return Err(self.endless(&bytes));
            }
            want = (want * 2).min(bytes_min + ROW_BYTES_MAX);
        }
    }

    /// The last row here does not end.
    fn endless(&self, bytes: &[u8]) -> Fault {
        let mut at = 0;
        while let Some(len) = row_end(&bytes[at..], 0) {
            at += len;
        }
        let block = Block { offset: self.offset, len: bytes.len(), line: self.line, rows: 0 };
        if count(&bytes[at..], b'"').is_multiple_of(2) {
            let line = block.line_of(bytes, at);
            return Fault::of(format!("its line {line} has more than {} MiB", ROW_BYTES_MAX >> 20), "too long a row");
        }
        block.fault(bytes, 0, &Broken { at, how: How::OpenQuote })
    }
}
