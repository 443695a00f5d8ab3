//! Dense matrices: row tiles of fixed height, column-major inside a tile; the transpose is a flag.

use std::{fmt, sync::Arc};

use fondaco_proto::{Result, Shape, tile_rows};

use crate::memory::{Buffer, Memory};

/// An immutable, shared matrix of doubles. It is *stored* as row tiles; a transposed one is stored untransposed.
#[derive(Clone)]
pub struct Matrix {
    stored: Arc<Stored>,
    transposed: bool,
}

struct Stored {
    rows: usize,
    columns: usize,
    tile_rows: usize,
    tiles: Vec<Tile>,
}

/// Consecutive rows of a matrix, column after column.
pub struct Tile {
    first_row: usize,
    rows: usize,
    data: Buffer,
}

impl Tile {
    /// The matrix's row that is this tile's first.
    pub fn first_row(&self) -> usize {
        self.first_row
    }

    /// Rows of this tile; only the last tile of a matrix may have fewer than the others.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// All cells, column after column; the distance of columns is [`Tile::rows`].
    pub fn data(&self) -> &[f64] {
        &self.data
    }

    /// The cells of one column.
    pub fn column(&self, column: usize) -> &[f64] {
        &self.data[column * self.rows..(column + 1) * self.rows]
    }
}

impl fmt::Debug for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Matrix{}", self.shape())
    }
}

impl Matrix {
    /// The shape, the transpose flag considered.
    pub fn shape(&self) -> Shape {
        let shape = Shape::new(self.stored.rows as u64, self.stored.columns as u64);
        if self.transposed { shape.transposed() } else { shape }
    }

    /// Rows, the transpose flag considered.
    pub fn rows(&self) -> usize {
        if self.transposed { self.stored.columns } else { self.stored.rows }
    }

    /// Columns, the transpose flag considered.
    pub fn columns(&self) -> usize {
        if self.transposed { self.stored.rows } else { self.stored.columns }
    }

    /// Whether this is the transpose of what is stored.
    pub fn is_transposed(&self) -> bool {
        self.transposed
    }

    /// Rows as stored.
    pub fn stored_rows(&self) -> usize {
        self.stored.rows
    }

    /// Columns as stored.
    pub fn stored_columns(&self) -> usize {
        self.stored.columns
    }

    /// Rows of a tile but the last.
    pub fn tile_rows(&self) -> usize {
        self.stored.tile_rows
    }

    /// The tiles, as stored.
    pub fn tiles(&self) -> &[Tile] {
        &self.stored.tiles
    }

    /// Bytes of all cells.
    pub fn bytes(&self) -> u64 {
        self.stored.tiles.iter().map(|tile| tile.data.len() as u64 * 8).sum()
    }

    /// Whether another matrix shares the cells.
    pub fn is_held_elsewhere(&self) -> bool {
        Arc::strong_count(&self.stored) > 1
    }

    /// The transpose; shares the cells.
    #[must_use]
    pub fn transpose(&self) -> Self {
        Self { stored: Arc::clone(&self.stored), transposed: !self.transposed }
    }

    /// One cell, the transpose flag considered.
    ///
    /// # Panics
    /// If it is outside.
    pub fn get(&self, row: usize, column: usize) -> f64 {
        let (row, column) = if self.transposed { (column, row) } else { (row, column) };
        let tile = &self.stored.tiles[row / self.stored.tile_rows];
        tile.column(column)[row - tile.first_row]
    }

    /// A matrix of these cells, given column after column.
    ///
    /// # Errors
    /// `Limit` if it does not fit the memory.
    pub fn from_column_major(memory: &Arc<Memory>, rows: usize, columns: usize, values: &[f64]) -> Result<Self> {
        debug_assert_eq!(values.len(), rows * columns);
        let mut builder = Builder::new(memory, rows, columns)?;
        for tile in builder.tiles_mut() {
            for (column, out) in tile.data.chunks_exact_mut(tile.rows.max(1)).enumerate() {
                let start = column * rows + tile.first_row;
                out.copy_from_slice(&values[start..start + tile.rows]);
            }
        }
        Ok(builder.finish())
    }

    /// All cells, column after column, the transpose flag considered.
    pub fn to_column_major(&self) -> Vec<f64> {
        let (rows, columns) = (self.stored.rows, self.stored.columns);
        let mut out = vec![0.0; rows * columns];
        for tile in self.tiles() {
            for column in 0..columns {
                let cells = tile.column(column);
                if self.transposed {
                    for (i, cell) in cells.iter().enumerate() {
                        out[(tile.first_row + i) * columns + column] = *cell;
                    }
                } else {
                    let start = column * rows + tile.first_row;
                    out[start..start + tile.rows].copy_from_slice(cells);
                }
            }
        }
        out
    }
}

/// A tile that is being written.
pub struct TileMut<'a> {
    /// The matrix's row that is this tile's first.
    pub first_row: usize,
    /// Rows of this tile.
    pub rows: usize,
    /// All cells, column after column; contents are unspecified until written.
    pub data: &'a mut [f64],
}

/// A matrix that is being written; every cell must be.
pub struct Builder {
    stored: Stored,
}

impl Builder {
    /// Takes the memory of a matrix of this (stored) shape; contents are unspecified.
    ///
    /// # Errors
    /// `Limit` if it does not fit the memory.
    pub fn new(memory: &Arc<Memory>, rows: usize, columns: usize) -> Result<Self> {
        Shape::new(rows as u64, columns as u64).bytes()?;
        // At most 4096.
        let height = tile_rows(columns as u64) as usize;
        let heights = (0..rows).step_by(height).map(move |first_row| height.min(rows - first_row));
        let buffers = memory.buffers(heights.clone().map(|rows| rows * columns))?;
        let tiles = buffers
            .into_iter()
            .zip(heights)
            .enumerate()
            .map(|(i, (data, rows))| Tile { first_row: i * height, rows, data })
            .collect();
        Ok(Self { stored: Stored { rows, columns, tile_rows: height, tiles } })
    }

    /// The tiles to write, in row order. Collect them to write in parallel.
    pub fn tiles_mut(&mut self) -> impl ExactSizeIterator<Item = TileMut<'_>> {
        self.stored.tiles.iter_mut().map(|tile| TileMut {
            first_row: tile.first_row,
            rows: tile.rows,
            data: &mut tile.data,
        })
    }

    /// The matrix, every cell of which is written by now.
    pub fn finish(self) -> Matrix {
        Matrix { stored: Arc::new(self.stored), transposed: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn column_major_round_trip_over_tiles_and_transposes() {
        let memory = Memory::poisoned(1 << 30);
        for (rows, columns) in [(0, 3), (3, 0), (1, 1), (5, 2), (4096, 2), (9000, 3), (40, 70_000)] {
            let values: Vec<f64> = (0..rows * columns).map(|i| i as f64).collect();
            let matrix = Matrix::from_column_major(&memory, rows, columns, &values).unwrap();
            assert_eq!(matrix.to_column_major(), values);
            let back = matrix.transpose();
            assert_eq!((back.rows(), back.columns()), (columns, rows));
            assert_eq!(back.transpose().to_column_major(), values);
            if rows > 2 && columns > 1 {
                assert_eq!(matrix.get(2, 1), back.get(1, 2));
                assert_eq!(back.to_column_major()[1], matrix.get(0, 1));
            }
        }
    }

    #[test]
    fn debug_shows_no_values() {
        let memory = Memory::new(1 << 20);
        let matrix = Matrix::from_column_major(&memory, 1, 1, &[42.5]).unwrap();
        assert_eq!(format!("{matrix:?}"), "Matrix(1, 1)");
    }
}
