//! Shapes, with checked arithmetic, and the tile height that follows from a shape alone.

use std::fmt;

use crate::{Error, Result};

/// Rows and columns of a matrix; either may be 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Shape {
    /// Rows.
    pub rows: u64,
    /// Columns.
    pub columns: u64,
}

impl Shape {
    /// A shape; nothing is checked until cells or bytes are asked for.
    pub const fn new(rows: u64, columns: u64) -> Self {
        Self { rows, columns }
    }

    /// Rows × columns.
    ///
    /// # Errors
    /// `Invalid` if the product does not fit 64 bits.
    pub fn cells(self) -> Result<u64> {
        self.rows
            .checked_mul(self.columns)
            .ok_or_else(|| Error::invalid(format!("a matrix of {self} has more cells than can be counted")))
    }

    /// Bytes of all cells as doubles.
    ///
    /// # Errors
    /// `Invalid` if the product does not fit 64 bits.
    pub fn bytes(self) -> Result<u64> {
        self.cells()?
            .checked_mul(8)
            .ok_or_else(|| Error::invalid(format!("a matrix of {self} has more bytes than can be counted")))
    }

    /// Bytes that a worker counts for it: an axis of no extent counts as 1, because rows take room even without columns.
    ///
    /// # Errors
    /// `Invalid` if they do not fit 64 bits.
    pub fn footprint_bytes(self) -> Result<u64> {
        Self::new(self.rows.max(1), self.columns.max(1)).bytes()
    }

    /// The shape of the transpose.
    pub const fn transposed(self) -> Self {
        Self { rows: self.columns, columns: self.rows }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.rows, self.columns)
    }
}

/// The height of a row tile of a matrix with so many columns: 4096, halved for very wide matrices until a tile
/// holds at most 2^20 cells (8 MiB), at least 16. By the shape alone, so that results do not depend on anything else.
pub const fn tile_rows(columns: u64) -> u64 {
    let mut height = 4096;
    while height > 16 && columns.saturating_mul(height) > 1 << 20 {
        height /= 2;
    }
    height
}
