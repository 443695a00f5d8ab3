//! Sparse matrices: compressed sparse rows (CSR); the transpose is a flag. Cells that are not there are 0.

use std::{fmt, ops::Range, sync::Arc};

use fondaco_proto::{Error, Result, Shape};

use crate::{
    matrix::{Builder, Matrix},
    memory::{Memory, Ticket},
};

/// Rows of a block of work, whatever the number of columns.
pub const BLOCK_ROWS: usize = 4096;

/// Below so many cells a dense matrix is as good.
const CELLS_MIN: u64 = 1 << 15;

/// A sparse matrix pays if it takes at most one in so many of the bytes of a dense one.
const SAVING_MIN: u64 = 3;

/// An immutable, shared matrix of which few cells are not 0. It is *stored* by rows; a transposed one is stored
/// untransposed.
#[derive(Clone)]
pub struct Sparse {
    stored: Arc<Rows>,
    transposed: bool,
}

/// The cells of each row.
struct Rows {
    columns: usize,
    /// Where each row begins, and the last ends.
    starts: Vec<usize>,
    /// Ascending within a row.
    indices: Vec<u32>,
    values: Vec<f64>,
    _bytes: Ticket,
}

impl fmt::Debug for Sparse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sparse{}", self.shape())
    }
}

/// Bytes of a sparse matrix with so many rows and cells.
pub const fn bytes(rows: u64, cells: u64) -> u64 {
    8 * (rows + 1) + 12 * cells
}

/// Whether so many cells of a matrix are better kept by themselves.
pub fn pays(shape: Shape, cells: u64) -> bool {
    let Ok(all) = shape.cells() else { return true };
    all >= CELLS_MIN
        && shape.columns <= u64::from(u32::MAX)
        && bytes(shape.rows, cells).saturating_mul(SAVING_MIN) <= all.saturating_mul(8)
}

impl Sparse {
    /// Of these rows, whose cells are given block after block: how many each row has, their columns (ascending), and
    /// their values.
    ///
    /// # Errors
    /// `Limit` if it does not fit the memory.
    pub fn from_blocks(memory: &Arc<Memory>, columns: usize, blocks: &[Block]) -> Result<Self> {
        let rows: usize = blocks.iter().map(|block| block.counts.len()).sum();
        let cells: usize = blocks.iter().map(|block| block.values.len()).sum();
        if u32::try_from(columns).is_err() {
            return Err(Error::limit(format!("a sparse matrix has at most {} columns, not {columns}", u32::MAX)));
        }
        let ticket = memory.ticket(bytes(rows as u64, cells as u64))?;
        let mut starts = Vec::with_capacity(rows + 1);
        let (mut indices, mut values) = (Vec::with_capacity(cells), Vec::with_capacity(cells));
        let mut end = 0;
        starts.push(0);
        for block in blocks {
            for count in &block.counts {
                end += *count as usize;
                starts.push(end);
            }
            indices.extend_from_slice(&block.indices);
            values.extend_from_slice(&block.values);
        }
        let stored = Rows { columns, starts, indices, values, _bytes: ticket };
        Ok(Self { stored: Arc::new(stored), transposed: false })
    }

    /// The shape, the transpose flag considered.
    pub fn shape(&self) -> Shape {
        let shape = Shape::new(self.stored_rows() as u64, self.stored.columns as u64);
        if self.transposed { shape.transposed() } else { shape }
    }

    /// Whether this is the transpose of what is stored.
    pub fn is_transposed(&self) -> bool {
        self.transposed
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

    /// Rows as stored.
    pub fn stored_rows(&self) -> usize {
        self.stored.starts.len() - 1
    }

    /// Columns as stored.
    pub fn stored_columns(&self) -> usize {
        self.stored.columns
    }

    /// Cells that are kept.
    pub fn cells(&self) -> usize {
        self.stored.values.len()
    }

    /// Bytes of all of it.
    pub fn bytes(&self) -> u64 {
        bytes(self.stored_rows() as u64, self.cells() as u64)
    }

    /// The columns and the values of a stored row.
    pub fn row(&self, row: usize) -> (&[u32], &[f64]) {
        let range = self.stored.starts[row]..self.stored.starts[row + 1];
        (&self.stored.indices[range.clone()], &self.stored.values[range])
    }

    /// Blocks of stored rows, of fixed height.
    pub fn blocks(&self) -> Vec<Range<usize>> {
        let rows = self.stored_rows();
        (0..rows).step_by(BLOCK_ROWS).map(|first| first..rows.min(first + BLOCK_ROWS)).collect()
    }

    /// The same cells with other values, one for each of those that are kept, in their order.
    ///
    /// # Errors
    /// `Limit` if it does not fit the memory.
    pub fn with_values(&self, memory: &Arc<Memory>, map: impl Fn(&[f64], &mut [f64])) -> Result<Self> {
        let ticket = memory.ticket(self.bytes())?;
        let mut values = vec![0.0; self.cells()];
        map(&self.stored.values, &mut values);
        let stored = Rows {
            columns: self.stored.columns,
            starts: self.stored.starts.clone(),
            indices: self.stored.indices.clone(),
            values,
            _bytes: ticket,
        };
        Ok(Self { stored: Arc::new(stored), transposed: self.transposed })
    }

    /// The matrix with all its cells.
    ///
    /// # Errors
    /// `Limit` if it does not fit the memory.
    pub fn to_matrix(&self, memory: &Arc<Memory>) -> Result<Matrix> {
        let mut builder = Builder::new(memory, self.stored_rows(), self.stored.columns)?;
        for tile in builder.tiles_mut() {
            tile.data.fill(0.0);
            for row in 0..tile.rows {
                let (columns, values) = self.row(tile.first_row + row);
                for (column, value) in columns.iter().zip(values) {
                    tile.data[*column as usize * tile.rows + row] = *value;
                }
            }
        }
        let matrix = builder.finish();
        Ok(if self.transposed { matrix.transpose() } else { matrix })
    }

    /// The cells of a matrix that are not 0, if they are so few that they are better kept by themselves.
    ///
    /// # Errors
    /// `Limit` if they do not fit the memory.
    pub fn of(matrix: &Matrix, memory: &Arc<Memory>) -> Result<Option<Self>> {
        let shape = Shape::new(matrix.stored_rows() as u64, matrix.stored_columns() as u64);
        if !pays(shape, 0) {
            return Ok(None);
        }
        let mut cells = 0;
        for tile in matrix.tiles() {
            cells += tile.data().iter().filter(|x| **x != 0.0).count() as u64;
            // Most of the matrix need not be looked at to see that it is dense.
            if !pays(shape, cells) {
                return Ok(None);
            }
        }
        let _blocks = memory.ticket(bytes(shape.rows, cells))?;
        let mut blocks = Vec::with_capacity(matrix.tiles().len());
        for tile in matrix.tiles() {
            let mut block = Block::default();
            for row in 0..tile.rows() {
                let before = block.values.len();
                for (column, cells) in tile.data().chunks_exact(tile.rows()).enumerate() {
                    if cells[row] != 0.0 {
                        block.push(column as u32, cells[row]);
                    }
                }
                block.counts.push((block.values.len() - before) as u32);
            }
            blocks.push(block);
        }
        let sparse = Self::from_blocks(memory, matrix.stored_columns(), &blocks)?;
        Ok(Some(if matrix.is_transposed() { sparse.transpose() } else { sparse }))
    }
}

/// Some rows that are being written.
#[derive(Default)]
pub struct Block {
    /// How many cells each row has.
    pub counts: Vec<u32>,
    indices: Vec<u32>,
    values: Vec<f64>,
}

impl Block {
    /// Adds a cell to the row whose count is written next; columns ascend.
    pub fn push(&mut self, column: u32, value: f64) {
        self.indices.push(column);
        self.values.push(value);
    }

    /// Cells so far.
    pub fn cells(&self) -> usize {
        self.values.len()
    }
}
