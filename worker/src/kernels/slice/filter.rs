//! Rows by a mask.

use fondaco_proto::Result;

use super::{super::Context, Positions, take_rows};
use crate::{kernels::view::copy_vector, matrix::Matrix};

/// The rows whose cell of the mask, a column, is not 0.
pub fn filtered(x: &Matrix, mask: &Matrix, cx: &Context<'_>) -> Result<Matrix> {
    let rows = taken(mask, cx)?;
    if rows.len() == x.rows() { Ok(x.clone()) } else { take_rows(x, &rows, cx) }
}

/// Where a mask is not 0.
pub fn taken(mask: &Matrix, cx: &Context<'_>) -> Result<Positions> {
    let mut cells = cx.memory.buffer(mask.rows())?;
    copy_vector(mask, &mut cells);
    let count = cells.iter().filter(|cell| **cell != 0.0).count();
    let rows = cells.iter().enumerate().filter(|(_, cell)| **cell != 0.0).map(|(row, _)| row);
    Positions::new(count, rows, cx)
}
