//! Some of a frame's columns or rows.

use fondaco_proto::{
    Result,
    op::{Filter, Selected},
};

use super::build;
use crate::{
    frame::{BLOCK_ROWS, Cells, Column, Frame},
    kernels::{Context, view::segments},
    memory::Ticket,
    source::RowFilter,
};

/// In the place of a row: there is none.
pub const NOWHERE: usize = usize::MAX;

/// Columns under their names; shares the cells.
pub fn select(frame: &Frame, columns: &[Selected]) -> Result<Frame> {
    let column = |selected: &Selected| Ok((selected.name.clone(), frame.column(&selected.from)?.clone()));
    Ok(Frame::new(frame.rows(), columns.iter().map(column).collect::<Result<_>>()?))
}

/// The rows that satisfy a filter.
pub fn filter(frame: &Frame, filter: &Filter, cx: &Context<'_>) -> Result<Frame> {
    let filter = RowFilter::new(frame, filter)?;
    let _bits = cx.memory.ticket(filter.bytes(frame.rows()))?;
    let (rows, _rows) = matching(frame, cx, |rows| filter.rows(frame, rows))?;
    some(frame, &rows, cx)
}

/// The rows without a null or NaN in these columns; in all, if none are named.
pub fn drop_missing(frame: &Frame, names: &[String], cx: &Context<'_>) -> Result<Frame> {
    let columns: Vec<&Column> = match names {
        [] => frame.columns().iter().collect(),
        names => names.iter().map(|name| frame.column(name)).collect::<Result<_>>()?,
    };
    let complete = |row: &usize| !columns.iter().any(|column| column.is_missing(*row));
    let (rows, _rows) = matching(frame, cx, |range| Ok(range.filter(complete).collect()))?;
    some(frame, &rows, cx)
}

/// All rows that `some` finds, block after block.
fn matching(
    frame: &Frame,
    cx: &Context<'_>,
    some: impl Fn(std::ops::Range<usize>) -> Result<Vec<usize>> + Send + Sync,
) -> Result<(Vec<usize>, Ticket)> {
    let ticket = cx.memory.ticket(frame.rows() as u64 * 2 * size_of::<usize>() as u64)?;
    let found = cx.map(segments(0..frame.rows(), BLOCK_ROWS).collect(), some)?;
    Ok((found.concat(), ticket))
}

fn some(frame: &Frame, rows: &[usize], cx: &Context<'_>) -> Result<Frame> {
    if rows.len() == frame.rows() {
        return Ok(frame.clone());
    }
    let columns = frame.fields().iter().zip(frame.columns());
    let columns = columns.map(|(field, column)| Ok((field.name.clone(), take(column, rows, cx)?)));
    Ok(Frame::new(rows.len(), columns.collect::<Result<_>>()?))
}

/// These rows of a column, in this order; a null where there is none.
pub fn take(column: &Column, rows: &[usize], cx: &Context<'_>) -> Result<Column> {
    let nulls = column.nulls();
    let at = |i: usize| {
        let row = rows[i];
        (row != NOWHERE && nulls.is_none_or(|nulls| nulls.is_valid(row))).then_some(row)
    };
    match column.cells() {
        Cells::Float64(cells) => build::floats(rows.len(), cx, |i| at(i).map(|row| cells.value(row))),
        Cells::Int64(cells) => build::integers(rows.len(), cx, |i| at(i).map(|row| cells.value(row))),
        Cells::Bool(cells) => build::bools(rows.len(), cx, |i| at(i).map(|row| cells.value(row))),
        Cells::Date(cells) => build::dates(rows.len(), cx, |i| at(i).map(|row| cells.value(row))),
        Cells::Text(codes, texts) => {
            debug_assert_eq!(codes.len(), column.len());
            build::texts(rows.len(), texts.clone(), cx, |i| at(i).map(|row| codes.value(row)))
        }
    }
}
