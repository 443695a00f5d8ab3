//! Rows by a mask.

use fondaco_proto::Result;

use super::{super::Context, Positions, take_rows};
use crate::{kernels::view::copy_vector, matrix::Matrix};

/// The rows whose cell of the mask, a column, is not 0.
pub fn filtered(x: &Matrix, mask: &Matrix, cx: &Context<'_>) -> Result<Matrix> {
    let mut cells = cx.memory.buffer(mask.rows())?;
    copy_vector(mask, &mut cells);
    let taken = cells.iter().filter(|cell| **cell != 0.0).count();
    if taken == x.rows() {
        return Ok(x.clone());
    }
    let rows = cells.iter().enumerate().filter(|(_, cell)| **cell != 0.0).map(|(row, _)| row);
    take_rows(x, &Positions::new(taken, rows, cx)?, cx)
}
