//! Where a reduction finds its cells: in a matrix, or in one that is computed a piece at a time.

use std::ops::Range;

use fondaco_proto::{Shape, tile_rows};

use super::super::lazy::{Lazy, Scratch};
use crate::matrix::Matrix;

/// The cells of an input, in the orientation in which they are or would be stored.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// They are there.
    Stored(&'a Matrix),
    /// They are computed.
    Lazy(&'a Lazy),
}

impl<'a> From<&'a Matrix> for Source<'a> {
    fn from(matrix: &'a Matrix) -> Self {
        Self::Stored(matrix)
    }
}

impl<'a> From<&'a Lazy> for Source<'a> {
    fn from(lazy: &'a Lazy) -> Self {
        Self::Lazy(lazy)
    }
}

/// Some rows of a tile.
#[derive(Clone, Copy)]
pub struct Strip {
    /// The stored row that is the tile's first.
    pub first_row: usize,
    /// The tile's rows.
    pub rows: usize,
}

/// What a task computes cells into.
#[derive(Default)]
pub struct Desk {
    cells: Vec<f64>,
    scratch: Scratch,
}

impl<'a> Source<'a> {
    /// Rows and columns, the transpose flag considered.
    pub fn shape(self) -> Shape {
        match self {
            Self::Stored(matrix) => matrix.shape(),
            Self::Lazy(lazy) => lazy.shape(),
        }
    }

    /// Whether it is the transpose of what is, or would be, stored.
    pub fn is_transposed(self) -> bool {
        match self {
            Self::Stored(matrix) => matrix.is_transposed(),
            Self::Lazy(lazy) => lazy.is_transposed(),
        }
    }

    /// The shape in which the cells are, or would be, stored.
    pub fn stored_shape(self) -> Shape {
        if self.is_transposed() { self.shape().transposed() } else { self.shape() }
    }

    /// Rows as stored.
    pub fn stored_rows(self) -> usize {
        self.stored_shape().rows as usize
    }

    /// Columns as stored.
    pub fn stored_columns(self) -> usize {
        self.stored_shape().columns as usize
    }

    /// Rows of a tile but the last.
    pub fn tile_rows(self) -> usize {
        tile_rows(self.stored_shape().columns) as usize
    }

    /// The tiles, in the order of their rows.
    pub fn tiles(self) -> Vec<Strip> {
        let (height, rows) = (self.tile_rows(), self.stored_rows());
        (0..rows).step_by(height).map(|first_row| Strip { first_row, rows: height.min(rows - first_row) }).collect()
    }

    /// Bytes that a task takes beside its results, to have so many cells at a time.
    pub fn desk_bytes(self, cells: usize) -> u64 {
        match self {
            Self::Stored(_) => 0,
            Self::Lazy(lazy) => (cells * size_of::<f64>()) as u64 + Scratch::bytes(lazy.node()),
        }
    }

    /// Some cells of a tile, column after column.
    pub fn cells<'b>(self, tile: Strip, range: Range<usize>, desk: &'b mut Desk) -> &'b [f64]
    where
        'a: 'b,
    {
        match self {
            Self::Stored(matrix) => &matrix.tiles()[tile.first_row / matrix.tile_rows()].data()[range],
            Self::Lazy(lazy) => {
                desk.cells.resize(range.len(), 0.0);
                let mut at = range.start;
                let mut rest = &mut desk.cells[..];
                while !rest.is_empty() {
                    let (column, row) = (at / tile.rows, at % tile.rows);
                    let (cells, next) = rest.split_at_mut(rest.len().min(tile.rows - row));
                    let rows = tile.first_row + row..tile.first_row + row + cells.len();
                    lazy.node().fill(rows, column, cells, &mut desk.scratch);
                    at += cells.len();
                    rest = next;
                }
                &desk.cells
            }
        }
    }

    /// The cells of a stored column in a tile.
    pub fn column<'b>(self, tile: Strip, column: usize, desk: &'b mut Desk) -> &'b [f64]
    where
        'a: 'b,
    {
        self.cells(tile, column * tile.rows..(column + 1) * tile.rows, desk)
    }

    /// Some rows of a tile: their cells, and the distance of columns.
    pub fn strip<'b>(self, tile: Strip, rows: Range<usize>, desk: &'b mut Desk) -> (&'b [f64], usize)
    where
        'a: 'b,
    {
        match self {
            Self::Stored(matrix) => {
                let data = matrix.tiles()[tile.first_row / matrix.tile_rows()].data();
                (&data[rows.start.min(data.len())..], tile.rows)
            }
            Self::Lazy(lazy) => {
                desk.cells.resize(rows.len() * self.stored_columns(), 0.0);
                let stored = tile.first_row + rows.start..tile.first_row + rows.end;
                for (column, cells) in desk.cells.chunks_exact_mut(rows.len()).enumerate() {
                    lazy.node().fill(stored.clone(), column, cells, &mut desk.scratch);
                }
                (&desk.cells, rows.len())
            }
        }
    }
}
