//! Row filters over frames: the same tests as over files.

use std::ops::Range;

use arrow::array::Array as _;
use fondaco_proto::{ColumnKind, Error, Result, op::Filter};

use super::{
    bits::Bits,
    fault::Fault,
    predicate::{Predicate, Truth},
    schema::{Column, Type},
    sink::{Sink as _, Tests},
    snapshot::told,
};
use crate::frame::{Cells, Frame};

/// A filter that fits the columns of a frame.
pub struct RowFilter(Predicate);

impl RowFilter {
    /// # Errors
    /// `Invalid` naming a column that is not there or cannot be tested so.
    pub fn new(frame: &Frame, filter: &Filter) -> Result<Self> {
        let types: Vec<Type> = frame.fields().iter().map(|field| type_of(field.kind)).collect();
        let columns = frame.fields().iter().zip(&types);
        let columns: Vec<Column> = columns.map(|(field, kind)| kind.column(&field.name)).collect();
        Predicate::new("of this frame", &columns, &types, filter).map(Self)
    }

    /// Bytes of the bitmaps that it needs over so many rows.
    pub fn bytes(&self, rows: usize) -> u64 {
        Bits::bytes(rows).saturating_mul(self.0.bitmaps_max())
    }

    /// The rows in a range that satisfy it.
    ///
    /// # Errors
    /// `Internal` if the frame has other columns.
    pub fn rows(&self, frame: &Frame, range: Range<usize>) -> Result<Vec<usize>> {
        let mut truths: Vec<Option<Truth>> = vec![None; self.0.leaves().len()];
        for column in self.0.columns() {
            let leaves = || self.0.leaves().iter().enumerate().filter(|(_, leaf)| leaf.column == column);
            let mut tests = Tests::new(leaves().map(|(_, leaf)| leaf), range.len());
            test(frame, column, range.clone(), &mut tests).map_err(|fault| told("of this frame", fault))?;
            for ((i, _), truth) in leaves().zip(tests.into_truths()) {
                truths[i] = Some(truth);
            }
        }
        let truths: Vec<Truth> = truths.into_iter().flatten().collect();
        let rows = self.0.rows(range.len(), &truths);
        Ok(rows.iter(0..range.len()).map(|row| range.start + row).collect())
    }
}

fn type_of(kind: ColumnKind) -> Type {
    match kind {
        ColumnKind::Float64 => Type::Float(64),
        ColumnKind::Int64 => Type::Int(64),
        ColumnKind::Bool => Type::Bool,
        ColumnKind::Text => Type::Text,
        ColumnKind::Date => Type::Date,
    }
}

fn test(frame: &Frame, column: usize, range: Range<usize>, tests: &mut Tests<'_>) -> Result<(), Fault> {
    let column = frame.columns().get(column).ok_or_else(|| Error::internal("a filter of another frame"))?;
    let nulls = column.nulls();
    let valid: Option<Vec<bool>> = nulls.map(|nulls| range.clone().map(|row| nulls.is_valid(row)).collect());
    let valid = valid.as_deref();
    match column.cells() {
        Cells::Float64(cells) => tests.numbers(&cells.values()[range], valid, |x| *x),
        Cells::Int64(cells) => tests.numbers(&cells.values()[range], valid, |x| *x),
        Cells::Date(cells) => tests.numbers(&cells.values()[range], valid, |x| *x),
        Cells::Bool(cells) => {
            let cells: Vec<bool> = range.map(|row| cells.value(row)).collect();
            tests.numbers(&cells, valid, |x| *x)
        }
        Cells::Text(codes, texts) => {
            let text = |row: usize| if codes.is_valid(row) { texts.get(codes.value(row) as usize) } else { "" };
            let cells: Vec<&str> = range.map(text).collect();
            tests.texts(&cells, valid)
        }
    }
}
