//! Diagonals, and what lies below or above them.

use std::ops::Range;

use fondaco_proto::Result;

use super::super::{Context, slice::copy_column, view::units};
use crate::matrix::{Builder, Matrix};

/// `np.diagonal(X, offset)`, as a column.
pub fn cells(x: &Matrix, offset: i64, cx: &Context<'_>) -> Result<Matrix> {
    let (down, right) = (offset.min(0).unsigned_abs() as usize, offset.max(0) as usize);
    let count = x.rows().saturating_sub(down).min(x.columns().saturating_sub(right));
    let mut builder = Builder::new(cx.memory, count, 1)?;
    cx.each(units(&mut builder), |unit| {
        for (i, out) in unit.row_range().zip(unit.data) {
            *out = x.get(down + i, right + i);
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// Zeros with a vector's cells at `(i, i + offset)`.
pub fn matrix(v: &Matrix, columns: usize, offset: i64, cx: &Context<'_>) -> Result<Matrix> {
    let mut builder = Builder::new(cx.memory, v.rows(), columns)?;
    cx.each(units(&mut builder), |mut unit| {
        let rows = unit.row_range();
        for (column, out) in unit.columns() {
            out.fill(0.0);
            let row = usize::try_from(column as i128 - i128::from(offset)).unwrap_or(usize::MAX);
            if rows.contains(&row) {
                out[row - rows.start] = v.get(row, 0);
            }
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// `np.tril(X, k)` or `np.triu(X, k)`.
pub fn triangle(x: &Matrix, upper: bool, k: i64, cx: &Context<'_>) -> Result<Matrix> {
    if x.is_transposed() {
        return Ok(triangle(&x.transpose(), !upper, k.saturating_neg(), cx)?.transpose());
    }
    let mut builder = Builder::new(cx.memory, x.rows(), x.columns())?;
    cx.each(units(&mut builder), |mut unit| {
        let rows = unit.row_range();
        for (column, out) in unit.columns() {
            let Range { start, end } = kept(column, rows.clone(), upper, k);
            out.fill(0.0);
            copy_column(x, column, start, &mut out[start - rows.start..end - rows.start]);
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// Of some rows of a column, those that stay.
fn kept(column: usize, rows: Range<usize>, upper: bool, k: i64) -> Range<usize> {
    let on_diagonal = column as i128 - i128::from(k);
    let clamped = |row: i128| row.clamp(rows.start as i128, rows.end as i128) as usize;
    if upper { rows.start..clamped(on_diagonal + 1) } else { clamped(on_diagonal)..rows.end }
}
