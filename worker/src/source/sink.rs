//! Where the decoded rows of a column go: into the cells of a matrix, or into the tests of a filter.

use std::{cmp::Ordering, ops::Range};

use super::{
    bits::{Bits, WORD},
    fault::Fault,
    number::Number,
    predicate::{Leaf, Test, Truth},
};

/// Takes a column's rows in order, batch after batch; every batch but the last has a multiple of 64 rows.
pub(super) trait Sink {
    /// Forgets all rows that it took.
    fn rewind(&mut self);

    /// Whether none of the next `rows` rows matters; they count as taken then.
    fn passes(&mut self, rows: usize) -> bool;

    /// Rows of numbers; a row that is not `valid` is null, whatever its value.
    fn numbers<V, N: Number>(
        &mut self,
        values: &[V],
        valid: Option<&[bool]>,
        number: impl Fn(&V) -> N,
    ) -> Result<(), Fault>;

    /// Rows of texts, or of other bytes of which only the nulls matter.
    fn texts<V: AsRef<[u8]>>(&mut self, values: &[V], valid: Option<&[bool]>) -> Result<(), Fault>;
}

/// Cells of a matrix, in pieces of consecutive rows, one for each row that is selected.
pub(super) struct Cells<'a> {
    pieces: Vec<&'a mut [f64]>,
    selection: Option<&'a Bits>,
    /// The next cell: its piece, and its index in there.
    next: (usize, usize),
    row: usize,
}

impl<'a> Cells<'a> {
    pub(super) fn new(pieces: Vec<&'a mut [f64]>, selection: Option<&'a Bits>) -> Self {
        Self { pieces, selection, next: (0, 0), row: 0 }
    }

    /// Up to `len` consecutive cells that are written next.
    fn take(&mut self, len: usize) -> Result<&mut [f64], Fault> {
        let (mut piece, mut start) = self.next;
        while self.pieces.get(piece).is_some_and(|cells| start == cells.len()) {
            (piece, start) = (piece + 1, 0);
        }
        let cells = self.pieces.get_mut(piece).ok_or_else(|| Fault::damaged("more rows than declared"))?;
        let end = cells.len().min(start + len);
        self.next = (piece, end);
        Ok(&mut cells[start..end])
    }

    /// Writes so many numbers; `numbers` gives those in a range of them.
    fn write<I: Iterator<Item = f64>>(&mut self, len: usize, numbers: impl Fn(Range<usize>) -> I) -> Result<(), Fault> {
        let mut done = 0;
        while done < len {
            let cells = self.take(len - done)?;
            let range = done..done + cells.len();
            done = range.end;
            cells.iter_mut().zip(numbers(range)).for_each(|(cell, number)| *cell = number);
        }
        Ok(())
    }
}

impl Sink for Cells<'_> {
    fn rewind(&mut self) {
        (self.next, self.row) = ((0, 0), 0);
    }

    fn passes(&mut self, rows: usize) -> bool {
        let range = self.row..self.row + rows;
        let passes = self.selection.is_some_and(|selection| selection.is_empty(range.clone()));
        if passes {
            self.row = range.end;
        }
        passes
    }

    fn numbers<V, N: Number>(
        &mut self,
        values: &[V],
        valid: Option<&[bool]>,
        number: impl Fn(&V) -> N,
    ) -> Result<(), Fault> {
        let first = self.row;
        self.row += values.len();
        let is_exact = |value: &V| number(value).is_exact();
        let double = |value: &V| number(value).double();
        let cell = |(value, valid): (&V, &bool)| if *valid { double(value) } else { f64::NAN };
        match (self.selection, valid) {
            (None, None) if values.iter().all(is_exact) => {
                self.write(values.len(), |range| values[range].iter().map(double))
            }
            (None, Some(valid)) if values.iter().zip(valid).all(|(value, valid)| !valid || is_exact(value)) => {
                self.write(values.len(), |range| values[range.clone()].iter().zip(&valid[range]).map(cell))
            }
            (None, _) => Err(Fault::Inexact),
            (Some(selection), valid) => {
                let selected: Vec<usize> = selection.iter(first..self.row).map(|row| row - first).collect();
                let valid = |i: usize| valid.is_none_or(|valid| valid[i]);
                if selected.iter().any(|i| valid(*i) && !is_exact(&values[*i])) {
                    return Err(Fault::Inexact);
                }
                self.write(selected.len(), |range| selected[range].iter().map(|i| cell((&values[*i], &valid(*i)))))
            }
        }
    }

    fn texts<V: AsRef<[u8]>>(&mut self, _values: &[V], _valid: Option<&[bool]>) -> Result<(), Fault> {
        Err(Fault::damaged("texts where numbers were declared"))
    }
}

/// The tests of a filter on one column.
pub(super) struct Tests<'a> {
    tests: Vec<(&'a Test, Truth)>,
    row: usize,
}

impl<'a> Tests<'a> {
    pub(super) fn new(leaves: impl Iterator<Item = &'a Leaf>, rows: usize) -> Self {
        let unknown = || Truth { yes: Bits::zeros(rows), no: Bits::zeros(rows) };
        Self { tests: leaves.map(|leaf| (&leaf.test, unknown())).collect(), row: 0 }
    }

    /// In the order of the leaves.
    pub(super) fn into_truths(self) -> impl Iterator<Item = Truth> {
        self.tests.into_iter().map(|(_, truth)| truth)
    }

    /// Records the outcomes of so many rows; `outcome` is asked for rows that are not null.
    fn record(&mut self, rows: usize, valid: Option<&[bool]>, outcome: impl Fn(&Test, usize) -> bool) {
        for (test, truth) in &mut self.tests {
            let test = *test;
            for start in (0..rows).step_by(WORD) {
                let (mut yes, mut no) = (0, 0);
                for i in start..rows.min(start + WORD) {
                    let is_valid = valid.is_none_or(|valid| valid[i]);
                    let (is_yes, is_no) = match test {
                        Test::IsNull => (!is_valid, is_valid),
                        _ if !is_valid => (false, false),
                        test => {
                            let holds = outcome(test, i);
                            (holds, !holds)
                        }
                    };
                    yes |= u64::from(is_yes) << (i - start);
                    no |= u64::from(is_no) << (i - start);
                }
                truth.yes.set_word(self.row + start, yes);
                truth.no.set_word(self.row + start, no);
            }
        }
        self.row += rows;
    }
}

impl Sink for Tests<'_> {
    fn rewind(&mut self) {
        self.row = 0;
    }

    fn passes(&mut self, _rows: usize) -> bool {
        false
    }

    fn numbers<V, N: Number>(
        &mut self,
        values: &[V],
        valid: Option<&[bool]>,
        number: impl Fn(&V) -> N,
    ) -> Result<(), Fault> {
        let compare = |literal: f64, i: usize| -> Option<Ordering> { number(&values[i]).compare(literal) };
        self.record(values.len(), valid, |test, i| match test {
            Test::Number(op, literal) => op.holds(compare(*literal, i)),
            Test::IsNull | Test::Text(..) => false,
        });
        Ok(())
    }

    fn texts<V: AsRef<[u8]>>(&mut self, values: &[V], valid: Option<&[bool]>) -> Result<(), Fault> {
        self.record(values.len(), valid, |test, i| match test {
            Test::Text(op, literal) => op.holds(Some(values[i].as_ref().cmp(literal.as_bytes()))),
            Test::IsNull | Test::Number(..) => false,
        });
        Ok(())
    }
}
