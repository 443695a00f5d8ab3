//! Operands of a cell-by-cell operator, broadcast to the result's stored cells.

use std::{ops::Range, sync::Arc};

use fondaco_proto::{Result, Shape};

use super::super::{
    Context,
    lazy::{Node, Scratch},
    slice::rows_of,
    untransposed,
    view::{Unit, vector_cells},
};
use crate::{matrix::Matrix, source::Streamed};

/// What an operand has for consecutive stored cells of the result.
#[derive(Clone, Copy)]
pub enum Lane<'a> {
    /// The same for all.
    Cell(f64),
    /// One for each.
    Cells(&'a [f64]),
}

/// An operand as seen from the result's storage.
pub enum Operand {
    /// One cell.
    Cell(f64),
    /// A vector with one cell for each stored column.
    PerColumn(Matrix),
    /// A vector with one cell for each stored row.
    PerRow(Matrix),
    /// As large as the result, and stored alike.
    Full(Matrix),
    /// As large as the result, and computed where it is needed.
    Lazy(Arc<Node>),
    /// As large as the result, and read when it is needed, a slab at a time.
    Streamed(Streamed),
}

impl Operand {
    /// A matrix as an operand of a result of this shape, stored as its transpose or not; `None` if it is as large as the
    /// result and stored the other way.
    pub fn of(input: &Matrix, shape: Shape, transposed: bool) -> Option<Self> {
        let own = input.shape();
        Some(if own == shape {
            if input.is_transposed() != transposed {
                return None;
            }
            Self::Full(if transposed { input.transpose() } else { input.clone() })
        } else if own == Shape::new(1, 1) {
            Self::Cell(input.get(0, 0))
        } else if (own.rows == shape.rows) != transposed {
            Self::PerRow(input.clone())
        } else {
            Self::PerColumn(input.clone())
        })
    }

    /// Rows that are read when they are needed, if it has any.
    pub fn streamed(&self) -> Option<&Streamed> {
        match self {
            Self::Lazy(node) => node.streamed(),
            Self::Streamed(streamed) => Some(streamed),
            Self::Cell(_) | Self::PerColumn(_) | Self::PerRow(_) | Self::Full(_) => None,
        }
    }

    /// The same for some rows alone, from `first_row` on; those that are read are here.
    pub fn over(&self, rows: &Matrix, first_row: usize, cx: &Context<'_>) -> Result<Self> {
        let range = first_row..first_row + rows.rows();
        Ok(match self {
            Self::Cell(cell) => Self::Cell(*cell),
            Self::PerColumn(vector) => Self::PerColumn(vector.clone()),
            Self::PerRow(vector) => Self::PerRow(rows_of(vector, range, cx)?),
            Self::Full(matrix) => Self::Full(rows_of(matrix, range, cx)?),
            Self::Lazy(node) => Self::Lazy(Arc::new(node.over(rows, first_row, cx)?)),
            Self::Streamed(_) => Self::Full(rows.clone()),
        })
    }

    /// Bytes that computing it takes at most.
    pub fn scratch_bytes(&self) -> u64 {
        match self {
            Self::Lazy(node) => Scratch::bytes(node),
            Self::Cell(_) | Self::PerColumn(_) | Self::PerRow(_) | Self::Full(_) | Self::Streamed(_) => 0,
        }
    }

    /// Whether it has no need of the column's index.
    pub fn is_flat(&self) -> bool {
        matches!(self, Self::Cell(_) | Self::Full(_))
    }

    /// Its cells for some stored rows, within a tile, of a stored column; of one that is there.
    pub fn column(&self, rows: Range<usize>, column: usize) -> Lane<'_> {
        match self {
            Self::Cell(cell) => Lane::Cell(*cell),
            Self::PerColumn(vector) => Lane::Cell(vector_cells(vector, column..column + 1)[0]),
            Self::PerRow(vector) => Lane::Cells(vector_cells(vector, rows)),
            Self::Full(matrix) => {
                let tile = &matrix.tiles()[rows.start / matrix.tile_rows()];
                Lane::Cells(&tile.column(column)[rows.start - tile.first_row()..rows.end - tile.first_row()])
            }
            Self::Lazy(_) | Self::Streamed(_) => {
                debug_assert!(false, "it is computed, or read, before");
                Lane::Cell(f64::NAN)
            }
        }
    }

    /// Its cells for a unit of the result; of flat operands alone.
    pub fn block(&self, unit: &Unit<'_>) -> Lane<'_> {
        match self {
            Self::Full(matrix) => {
                let tile = &matrix.tiles()[unit.first_row / matrix.tile_rows()];
                let start = unit.first_column * unit.rows;
                Lane::Cells(&tile.data()[start..start + unit.data.len()])
            }
            Self::Cell(_) | Self::PerColumn(_) | Self::PerRow(_) | Self::Lazy(_) | Self::Streamed(_) => {
                self.column(unit.row_range(), unit.first_column)
            }
        }
    }
}

/// The operands of a result of this shape, and whether it is stored transposed: if all operands as large as it are.
pub fn arrange(inputs: &[Matrix], shape: Shape, cx: &Context<'_>) -> Result<(Vec<Operand>, bool)> {
    let full = || inputs.iter().filter(|input| input.shape() == shape);
    let transposed = full().next().is_some() && full().all(Matrix::is_transposed);
    let operand = |input: &Matrix| match Operand::of(input, shape, transposed) {
        Some(operand) => Ok(operand),
        None => Ok(Operand::Full(untransposed(input, cx)?)),
    };
    Ok((inputs.iter().map(operand).collect::<Result<_>>()?, transposed))
}
