//! Operands of a cell-by-cell operator, broadcast to the result's stored cells.

use std::ops::Range;

use fondaco_proto::{Result, Shape};

use super::super::{
    Context, untransposed,
    view::{Unit, vector_cells},
};
use crate::matrix::Matrix;

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
}

impl Operand {
    /// Whether it has no need of the column's index.
    pub fn is_flat(&self) -> bool {
        matches!(self, Self::Cell(_) | Self::Full(_))
    }

    /// Its cells for some stored rows, within a tile, of a stored column.
    pub fn column(&self, rows: Range<usize>, column: usize) -> Lane<'_> {
        match self {
            Self::Cell(cell) => Lane::Cell(*cell),
            Self::PerColumn(vector) => Lane::Cell(vector_cells(vector, column..column + 1)[0]),
            Self::PerRow(vector) => Lane::Cells(vector_cells(vector, rows)),
            Self::Full(matrix) => {
                let tile = &matrix.tiles()[rows.start / matrix.tile_rows()];
                Lane::Cells(&tile.column(column)[rows.start - tile.first_row()..rows.end - tile.first_row()])
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
            Self::Cell(_) | Self::PerColumn(_) | Self::PerRow(_) => self.column(unit.row_range(), unit.first_column),
        }
    }
}

/// The operands of a result of this shape, and whether it is stored transposed: if all operands as large as it are.
pub fn arrange(inputs: &[Matrix], shape: Shape, cx: &Context<'_>) -> Result<(Vec<Operand>, bool)> {
    let full = || inputs.iter().filter(|input| input.shape() == shape);
    let transposed = full().next().is_some() && full().all(Matrix::is_transposed);
    let operand = |input: &Matrix| {
        let own = input.shape();
        Ok(if own == shape {
            Operand::Full(if transposed { input.transpose() } else { untransposed(input, cx)? })
        } else if own == Shape::new(1, 1) {
            Operand::Cell(input.get(0, 0))
        } else if (own.rows == shape.rows) != transposed {
            Operand::PerRow(input.clone())
        } else {
            Operand::PerColumn(input.clone())
        })
    };
    Ok((inputs.iter().map(operand).collect::<Result<_>>()?, transposed))
}
