//! Frames: typed Arrow columns of one length, immutable and shared. A text column is held as codes into its distinct
//! texts, so that what is done to texts is done once for each, and a selection of rows copies codes alone.

mod texts;
pub mod wire;

use std::{fmt, sync::Arc};

use arrow::{
    array::{Array as _, BooleanArray, Date32Array, Float64Array, Int32Array, Int64Array},
    buffer::{BooleanBuffer, NullBuffer},
};
use fondaco_proto::{ColumnKind, Field, Result, Shape, find_field};

use crate::memory::{Memory, Ticket};

pub use texts::{Interner, Texts};

/// Rows that are worked on at a time by one thread; a multiple of 64.
pub const BLOCK_ROWS: usize = 1 << 15;

/// An immutable, shared table.
#[derive(Clone)]
pub struct Frame(Arc<Inner>);

struct Inner {
    rows: usize,
    fields: Vec<Field>,
    columns: Vec<Column>,
}

/// A column, with the memory that it takes; cheap to clone.
#[derive(Clone)]
pub struct Column {
    cells: Cells,
    ticket: Arc<Ticket>,
}

/// The cells of a column; any may be null.
#[derive(Clone)]
pub enum Cells {
    /// Doubles.
    Float64(Float64Array),
    /// Integers.
    Int64(Int64Array),
    /// Truth values.
    Bool(BooleanArray),
    /// Codes of texts, and the texts.
    Text(Int32Array, Texts),
    /// Days since 1970.
    Date(Date32Array),
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame{}", self.shape())
    }
}

impl Frame {
    /// Of columns of `rows` rows each; names are checked by the vocabulary.
    pub fn new(rows: usize, columns: Vec<(String, Column)>) -> Self {
        let field = |(name, column): &(String, Column)| Field::new(name.clone(), column.kind());
        let fields = columns.iter().map(field).collect();
        let columns: Vec<Column> = columns.into_iter().map(|(_, column)| column).collect();
        debug_assert!(columns.iter().all(|column| column.len() == rows));
        Self(Arc::new(Inner { rows, fields, columns }))
    }

    /// Rows and columns.
    pub fn shape(&self) -> Shape {
        Shape::new(self.0.rows as u64, self.0.columns.len() as u64)
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.0.rows
    }

    /// Names and kinds of the columns.
    pub fn fields(&self) -> &[Field] {
        &self.0.fields
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.0.columns
    }

    /// The column of this name.
    ///
    /// # Errors
    /// `Invalid` naming those that there are.
    pub fn column(&self, name: &str) -> Result<&Column> {
        Ok(&self.0.columns[find_field(&self.0.fields, name)?])
    }

    /// Whether another frame shares all of it, or all of its columns.
    pub fn is_held_elsewhere(&self) -> bool {
        let held = |column: &Column| Arc::strong_count(&column.ticket) > 1;
        Arc::strong_count(&self.0) > 1 || (!self.0.columns.is_empty() && self.0.columns.iter().all(held))
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> u64 {
        self.0.columns.iter().map(Column::bytes).sum()
    }
}

/// Bytes of the cells of a column of so many rows, its distinct texts aside.
pub fn cell_bytes(kind: ColumnKind, rows: usize, nullable: bool) -> u64 {
    let cells = match kind {
        ColumnKind::Bool => rows.div_ceil(8) as u64,
        kind => (rows as u64).saturating_mul(kind.cell_bytes()),
    };
    cells.saturating_add(if nullable { rows.div_ceil(8) as u64 } else { 0 })
}

impl Column {
    /// Reserves the memory of a column's cells, before they are made.
    ///
    /// # Errors
    /// `Limit` if it does not fit.
    pub fn reserve(memory: &Arc<Memory>, kind: ColumnKind, rows: usize) -> Result<Ticket> {
        memory.ticket(cell_bytes(kind, rows, true))
    }

    /// Of cells whose memory was reserved.
    pub fn new(cells: Cells, ticket: Ticket) -> Self {
        Self { cells, ticket: Arc::new(ticket) }
    }

    /// The cells.
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// What it holds.
    pub fn kind(&self) -> ColumnKind {
        match &self.cells {
            Cells::Float64(_) => ColumnKind::Float64,
            Cells::Int64(_) => ColumnKind::Int64,
            Cells::Bool(_) => ColumnKind::Bool,
            Cells::Text(..) => ColumnKind::Text,
            Cells::Date(_) => ColumnKind::Date,
        }
    }

    /// Rows.
    pub fn len(&self) -> usize {
        match &self.cells {
            Cells::Float64(cells) => cells.len(),
            Cells::Int64(cells) => cells.len(),
            Cells::Bool(cells) => cells.len(),
            Cells::Text(codes, _) => codes.len(),
            Cells::Date(cells) => cells.len(),
        }
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which rows have a value; `None` if all do.
    pub fn nulls(&self) -> Option<&NullBuffer> {
        match &self.cells {
            Cells::Float64(cells) => cells.nulls(),
            Cells::Int64(cells) => cells.nulls(),
            Cells::Bool(cells) => cells.nulls(),
            Cells::Text(codes, _) => codes.nulls(),
            Cells::Date(cells) => cells.nulls(),
        }
    }

    /// Whether a row has no value: a null or a NaN.
    pub fn is_missing(&self, row: usize) -> bool {
        if self.nulls().is_some_and(|nulls| nulls.is_null(row)) {
            return true;
        }
        matches!(&self.cells, Cells::Float64(cells) if cells.value(row).is_nan())
    }

    /// A row as a number, NaN for a null; `None` for a text.
    pub fn number(&self, row: usize) -> Option<f64> {
        if self.kind() != ColumnKind::Text && self.nulls().is_some_and(|nulls| nulls.is_null(row)) {
            return Some(f64::NAN);
        }
        match &self.cells {
            Cells::Float64(cells) => Some(cells.value(row)),
            // The digits that a double loses are refused where a matrix is made.
            Cells::Int64(cells) => Some(cells.value(row) as f64),
            Cells::Bool(cells) => Some(f64::from(u8::from(cells.value(row)))),
            Cells::Date(cells) => Some(f64::from(cells.value(row))),
            Cells::Text(..) => None,
        }
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> u64 {
        let texts = match &self.cells {
            Cells::Text(_, texts) => texts.bytes(),
            Cells::Float64(_) | Cells::Int64(_) | Cells::Bool(_) | Cells::Date(_) => 0,
        };
        cell_bytes(self.kind(), self.len(), self.nulls().is_some()) + texts
    }
}

/// Where there are values, from one flag per row; `None` if everywhere.
pub fn nulls_of(valid: &[bool]) -> Option<NullBuffer> {
    let nulls = NullBuffer::new(BooleanBuffer::collect_bool(valid.len(), |row| valid[row]));
    (nulls.null_count() > 0).then_some(nulls)
}

#[cfg(test)]
mod tests;
