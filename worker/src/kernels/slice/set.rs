//! Cells in the place of others.

use std::ops::Range;

use fondaco_proto::Result;

use super::{
    super::{Context, untransposed, view::units},
    copy_column,
};
use crate::matrix::{Builder, Matrix};

/// X with these rows and columns from Y, which is as large or, along an axis, one cell that is repeated.
pub fn replaced(x: &Matrix, y: &Matrix, rows: Range<usize>, columns: Range<usize>, cx: &Context<'_>) -> Result<Matrix> {
    if rows.is_empty() || columns.is_empty() {
        return Ok(x.clone());
    }
    if x.is_transposed() {
        return Ok(replaced(&x.transpose(), &y.transpose(), columns, rows, cx)?.transpose());
    }
    let y = untransposed(y, cx)?;
    let mut builder = Builder::new(cx.memory, x.rows(), x.columns())?;
    cx.each(units(&mut builder), |mut unit| {
        let range = unit.row_range();
        let (start, end) = (range.start.max(rows.start), range.end.min(rows.end));
        for (column, out) in unit.columns() {
            copy_column(x, column, range.start, out);
            if !columns.contains(&column) || start >= end {
                continue;
            }
            let out = &mut out[start - range.start..end - range.start];
            let from = if y.columns() == 1 { 0 } else { column - columns.start };
            if y.rows() == rows.len() {
                copy_column(&y, from, start - rows.start, out);
            } else {
                out.fill(y.get(0, from));
            }
        }
        Ok(())
    })?;
    Ok(builder.finish())
}
