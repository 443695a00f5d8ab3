//! Matrices of columns of numbers, and back.

use fondaco_proto::{Error, Result};

use super::{build, cast::is_exact};
use crate::{
    frame::{Cells, Column, Frame},
    kernels::{Context, materialise::untransposed, simd, view::units},
    matrix::{Builder, Matrix},
};

/// These columns (none named: all), nulls as NaN.
pub fn of_frame(frame: &Frame, names: &[String], cx: &Context<'_>) -> Result<Matrix> {
    let columns: Vec<(&str, &Column)> = match names {
        [] => frame.fields().iter().map(|field| field.name.as_str()).zip(frame.columns()).collect(),
        names => names.iter().map(|name| Ok((name.as_str(), frame.column(name)?))).collect::<Result<_>>()?,
    };
    columns.iter().try_for_each(|(name, column)| check_exact(name, column))?;
    let mut builder = Builder::new(cx.memory, frame.rows(), columns.len())?;
    cx.each(units(&mut builder), |mut unit| {
        let first_row = unit.first_row;
        for (column, out) in unit.columns() {
            copy_numbers(columns[column].1, first_row, out);
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// # Errors
/// `Data` if a column has an integer that would lose digits as a double.
pub fn check_exact(name: &str, column: &Column) -> Result<()> {
    let Cells::Int64(cells) = column.cells() else { return Ok(()) };
    if cells.values().iter().all(|integer| is_exact(*integer)) {
        return Ok(());
    }
    Err(Error::data(format!(
        "column {name:?} holds an integer beyond 2^53 that would lose digits in a matrix; leave the column out, or cast \
         it to text and encode that"
    )))
}

/// Rows of a column as numbers, NaN for nulls.
pub fn copy_numbers(column: &Column, first_row: usize, out: &mut [f64]) {
    let rows = first_row..first_row + out.len();
    match column.cells() {
        Cells::Float64(cells) => out.copy_from_slice(&cells.values()[rows.clone()]),
        Cells::Int64(cells) => out.iter_mut().zip(&cells.values()[rows.clone()]).for_each(|(out, x)| *out = *x as f64),
        Cells::Date(cells) => {
            out.iter_mut().zip(&cells.values()[rows.clone()]).for_each(|(out, x)| *out = f64::from(*x));
        }
        Cells::Bool(cells) => {
            out.iter_mut().zip(rows.clone()).for_each(|(out, row)| *out = f64::from(u8::from(cells.value(row))));
        }
        Cells::Text(..) => out.fill(f64::NAN),
    }
    if let Some(nulls) = column.nulls() {
        out.iter_mut().zip(rows).filter(|(_, row)| nulls.is_null(*row)).for_each(|(out, _)| *out = f64::NAN);
    }
}

/// A matrix as columns of doubles under these names.
pub fn to_frame(x: &Matrix, names: &[String], cx: &Context<'_>) -> Result<Frame> {
    let x = untransposed(x, cx)?;
    let height = x.tile_rows();
    let column = |(column, name): (usize, &String)| {
        let cell = |row: usize| {
            let tile = &x.tiles()[row / height];
            Some(tile.column(column)[row - tile.first_row()])
        };
        Ok((name.clone(), build::floats(x.rows(), cx, cell)?))
    };
    Ok(Frame::new(x.rows(), names.iter().enumerate().map(column).collect::<Result<_>>()?))
}

/// The matrix with the number of its column in the place of NaN.
pub fn fill_missing(x: &Matrix, values: &[f64], cx: &Context<'_>) -> Result<Matrix> {
    let x = untransposed(x, cx)?;
    let mut builder = Builder::new(cx.memory, x.rows(), x.columns())?;
    cx.each(units(&mut builder), |mut unit| {
        let (first_row, rows) = (unit.first_row, unit.rows);
        let tile = &x.tiles()[first_row / x.tile_rows()];
        for (column, out) in unit.columns() {
            let value = values[column];
            let from = first_row - tile.first_row();
            let cells = &tile.column(column)[from..from + rows];
            simd::map(out, cells, |x| if x.is_nan() { value } else { x });
        }
        Ok(())
    })?;
    Ok(builder.finish())
}
