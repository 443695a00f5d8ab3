//! Where the decoded rows of a column of a frame go, and how those of all row groups become one column.

use std::sync::Arc;

use arrow::{
    array::{BooleanArray, Date32Array, Float64Array, Int32Array, Int64Array},
    buffer::BooleanBuffer,
};
use fondaco_proto::{ColumnKind, Result};

use super::{bits::Bits, fault::Fault, number::Number, sink::Sink};
use crate::{
    frame::{Cells, Column, Interner, Texts, nulls_of},
    memory::{Memory, Ticket},
};

/// The selected rows of a column in one row group.
pub(super) struct Piece<'a> {
    values: Values,
    valid: Vec<bool>,
    selection: Option<&'a Bits>,
    row: usize,
    /// How many rows are selected.
    rows: usize,
    _ticket: Ticket,
}

/// Values as they were read; zeros for nulls.
enum Values {
    Float64(Vec<f64>),
    Int64(Vec<i64>),
    Bool(Vec<bool>),
    Date(Vec<i32>),
    Text(Vec<i32>, Interner),
}

impl Values {
    fn new(kind: ColumnKind, rows: usize, memory: &Arc<Memory>) -> Self {
        match kind {
            ColumnKind::Float64 => Self::Float64(Vec::with_capacity(rows)),
            ColumnKind::Int64 => Self::Int64(Vec::with_capacity(rows)),
            ColumnKind::Bool => Self::Bool(Vec::with_capacity(rows)),
            ColumnKind::Date => Self::Date(Vec::with_capacity(rows)),
            ColumnKind::Text => Self::Text(Vec::with_capacity(rows), Interner::new(memory)),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Float64(values) => values.clear(),
            Self::Int64(values) => values.clear(),
            Self::Bool(values) => values.clear(),
            Self::Date(values) => values.clear(),
            Self::Text(codes, texts) => {
                codes.clear();
                *texts = Interner::new(texts.memory());
            }
        }
    }

    fn push<N: Number>(&mut self, number: Option<N>) -> Result<(), Fault> {
        let integer = |number: N| number.integer().ok_or(Fault::Inexact);
        match self {
            Self::Float64(values) => match number {
                Some(number) if !number.is_exact() => return Err(Fault::Inexact),
                number => values.push(number.map_or(0.0, Number::double)),
            },
            Self::Int64(values) => values.push(number.map(integer).transpose()?.unwrap_or(0)),
            Self::Bool(values) => values.push(number.is_some_and(|number| number.double() != 0.0)),
            Self::Date(values) => {
                let days = number.map(integer).transpose()?.unwrap_or(0);
                values.push(i32::try_from(days).map_err(|_| Fault::damaged("a date beyond all calendars"))?);
            }
            // What is null in all rows has no texts.
            Self::Text(codes, _) if number.is_none() => codes.push(0),
            Self::Text(..) => return Err(Fault::damaged("numbers where texts were declared")),
        }
        Ok(())
    }
}

impl<'a> Piece<'a> {
    /// For so many selected rows.
    pub(super) fn new(
        kind: ColumnKind,
        rows: usize,
        selection: Option<&'a Bits>,
        memory: &Arc<Memory>,
    ) -> Result<Self, Fault> {
        let ticket = memory.ticket(rows as u64 * (kind.cell_bytes() + 1))?;
        let values = Values::new(kind, rows, memory);
        Ok(Self { values, valid: Vec::with_capacity(rows), selection, row: 0, rows, _ticket: ticket })
    }

    /// # Errors
    /// If rows are missing.
    pub(super) fn check(&self) -> Result<(), Fault> {
        if self.valid.len() == self.rows { Ok(()) } else { Err(Fault::damaged("fewer rows than declared")) }
    }

    /// Hands on the selected ones of so many rows, by their indices.
    fn each(
        &mut self,
        rows: usize,
        mut push: impl FnMut(&mut Values, usize) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let first = self.row;
        self.row += rows;
        match self.selection {
            None => {
                for i in 0..rows {
                    self.valid.push(push(&mut self.values, i)?);
                }
            }
            Some(selection) => {
                for row in selection.iter(first..first + rows) {
                    self.valid.push(push(&mut self.values, row - first)?);
                }
            }
        }
        if self.valid.len() > self.rows {
            return Err(Fault::damaged("more rows than declared"));
        }
        Ok(())
    }
}

impl Sink for Piece<'_> {
    fn rewind(&mut self) {
        self.row = 0;
        self.valid.clear();
        self.values.clear();
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
        self.each(values.len(), |into, i| {
            let is_valid = valid.is_none_or(|valid| valid[i]);
            into.push(is_valid.then(|| number(&values[i])))?;
            Ok(is_valid)
        })
    }

    fn texts<V: AsRef<[u8]>>(&mut self, values: &[V], valid: Option<&[bool]>) -> Result<(), Fault> {
        // The last one's code: texts often repeat.
        let mut last: Option<(usize, i32)> = None;
        self.each(values.len(), |into, i| {
            let Values::Text(codes, texts) = into else {
                return Err(Fault::damaged("texts where numbers were declared"));
            };
            if !valid.is_none_or(|valid| valid[i]) {
                codes.push(0);
                return Ok(false);
            }
            let bytes = values[i].as_ref();
            let code = match last {
                Some((same, code)) if values[same].as_ref() == bytes => code,
                _ => {
                    let text = std::str::from_utf8(bytes);
                    texts.code(text.map_err(|_| Fault::damaged("a text that is not UTF-8"))?)?
                }
            };
            last = Some((i, code));
            codes.push(code);
            Ok(true)
        })
    }
}

/// All pieces of a column, one after another.
pub(super) fn joined(kind: ColumnKind, pieces: Vec<Piece<'_>>, memory: &Arc<Memory>) -> Result<Column, Fault> {
    let rows = pieces.iter().map(|piece| piece.valid.len()).sum();
    let ticket = Column::reserve(memory, kind, rows)?;
    let _valid = memory.ticket(rows as u64)?;
    let mut valid = Vec::with_capacity(rows);
    pieces.iter().for_each(|piece| valid.extend_from_slice(&piece.valid));
    let nulls = nulls_of(&valid);
    drop(valid);
    let cells = match kind {
        ColumnKind::Float64 => Cells::Float64(Float64Array::new(concatenated(pieces, rows, floats).into(), nulls)),
        ColumnKind::Int64 => Cells::Int64(Int64Array::new(concatenated(pieces, rows, integers).into(), nulls)),
        ColumnKind::Date => Cells::Date(Date32Array::new(concatenated(pieces, rows, dates).into(), nulls)),
        ColumnKind::Bool => {
            Cells::Bool(BooleanArray::new(BooleanBuffer::from(concatenated(pieces, rows, bools)), nulls))
        }
        ColumnKind::Text => {
            let (codes, texts) = joined_texts(pieces, rows, memory)?;
            Cells::Text(Int32Array::new(codes.into(), nulls), texts)
        }
    };
    Ok(Column::new(cells, ticket))
}

fn concatenated<T>(pieces: Vec<Piece<'_>>, rows: usize, of: fn(Values) -> Vec<T>) -> Vec<T> {
    let mut all = Vec::with_capacity(rows);
    pieces.into_iter().for_each(|piece| all.append(&mut of(piece.values)));
    all
}

fn floats(values: Values) -> Vec<f64> {
    if let Values::Float64(values) = values { values } else { Vec::new() }
}

fn integers(values: Values) -> Vec<i64> {
    if let Values::Int64(values) = values { values } else { Vec::new() }
}

fn dates(values: Values) -> Vec<i32> {
    if let Values::Date(values) = values { values } else { Vec::new() }
}

fn bools(values: Values) -> Vec<bool> {
    if let Values::Bool(values) = values { values } else { Vec::new() }
}

/// Texts are numbered anew, in the order of the rows in which they come first.
fn joined_texts(pieces: Vec<Piece<'_>>, rows: usize, memory: &Arc<Memory>) -> Result<(Vec<i32>, Texts), Fault> {
    let mut all = Interner::new(memory);
    let mut codes = Vec::with_capacity(rows);
    for piece in pieces {
        let Values::Text(local, texts) = piece.values else { return Err(Fault::damaged("texts that are none")) };
        let texts = texts.finish()?;
        let _renamed = memory.ticket(texts.len() as u64 * size_of::<i32>() as u64)?;
        let renamed = texts.iter().map(|text| all.code(text)).collect::<Result<Vec<i32>>>()?;
        // A null's code is 0, whether or not there is such a text.
        codes.extend(
            local.into_iter().zip(&piece.valid).map(|(code, valid)| if *valid { renamed[code as usize] } else { 0 }),
        );
    }
    Ok((codes, all.finish()?))
}
