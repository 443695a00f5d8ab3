//! Columns made row by row, in parallel by blocks of rows.

use arrow::{
    array::{BooleanArray, Date32Array, Float64Array, Int32Array, Int64Array},
    buffer::{BooleanBuffer, NullBuffer},
};
use fondaco_proto::{ColumnKind, Result};

use crate::{
    frame::{BLOCK_ROWS, Cells, Column, Texts, nulls_of},
    kernels::Context,
};

/// What `cell` gives for each row; `None` for a null.
fn made<T: Copy + Default + Send>(
    kind: ColumnKind,
    rows: usize,
    cx: &Context<'_>,
    cell: impl Fn(usize) -> Option<T> + Send + Sync,
    cells: impl FnOnce(Vec<T>, Option<NullBuffer>) -> Cells,
) -> Result<Column> {
    let ticket = Column::reserve(cx.memory, kind, rows)?;
    let _flags = cx.memory.ticket(rows as u64 * if kind == ColumnKind::Bool { 2 } else { 1 })?;
    let (mut values, mut valid) = (vec![T::default(); rows], vec![true; rows]);
    let blocks = values.chunks_mut(BLOCK_ROWS).zip(valid.chunks_mut(BLOCK_ROWS)).enumerate().collect();
    cx.each(blocks, |(block, (values, valid)): (usize, (&mut [T], &mut [bool]))| {
        for (i, (value, valid)) in values.iter_mut().zip(valid).enumerate() {
            match cell(block * BLOCK_ROWS + i) {
                Some(cell) => *value = cell,
                None => *valid = false,
            }
        }
        Ok(())
    })?;
    Ok(Column::new(cells(values, nulls_of(&valid)), ticket))
}

/// A column of doubles.
pub fn floats(rows: usize, cx: &Context<'_>, cell: impl Fn(usize) -> Option<f64> + Send + Sync) -> Result<Column> {
    let cells = |values: Vec<f64>, nulls| Cells::Float64(Float64Array::new(values.into(), nulls));
    made(ColumnKind::Float64, rows, cx, cell, cells)
}

/// A column of integers.
pub fn integers(rows: usize, cx: &Context<'_>, cell: impl Fn(usize) -> Option<i64> + Send + Sync) -> Result<Column> {
    let cells = |values: Vec<i64>, nulls| Cells::Int64(Int64Array::new(values.into(), nulls));
    made(ColumnKind::Int64, rows, cx, cell, cells)
}

/// A column of truth values.
pub fn bools(rows: usize, cx: &Context<'_>, cell: impl Fn(usize) -> Option<bool> + Send + Sync) -> Result<Column> {
    let cells = |values: Vec<bool>, nulls| Cells::Bool(BooleanArray::new(BooleanBuffer::from(values), nulls));
    made(ColumnKind::Bool, rows, cx, cell, cells)
}

/// A column of dates.
pub fn dates(rows: usize, cx: &Context<'_>, cell: impl Fn(usize) -> Option<i32> + Send + Sync) -> Result<Column> {
    let cells = |values: Vec<i32>, nulls| Cells::Date(Date32Array::new(values.into(), nulls));
    made(ColumnKind::Date, rows, cx, cell, cells)
}

/// A column of texts, from the code of each row's.
pub fn texts(
    rows: usize,
    texts: Texts,
    cx: &Context<'_>,
    code: impl Fn(usize) -> Option<i32> + Send + Sync,
) -> Result<Column> {
    let cells = |codes: Vec<i32>, nulls| Cells::Text(Int32Array::new(codes.into(), nulls), texts);
    made(ColumnKind::Text, rows, cx, code, cells)
}
