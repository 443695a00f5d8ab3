//! Values as bytes: small ones whole, large ones as a header and chunks.

use bytes::Bytes;

use crate::{Canonical, Error, Result, Shape, tile_rows, wire};

/// Bytes of a chunk that this project sends; a receiver takes any number of whole doubles.
pub const CHUNK_BYTES: usize = 256 * 1024;

/// A whole small matrix, column-major.
#[derive(Clone, PartialEq)]
pub struct Block {
    shape: Shape,
    data: Bytes,
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Block{}", self.shape)
    }
}

impl Block {
    /// A block of doubles in column-major order.
    ///
    /// # Errors
    /// `Invalid` if the number of values is not that of the shape's cells.
    pub fn new(shape: Shape, values: &[f64]) -> Result<Self> {
        Self::from_le(shape, doubles_to_le(values))
    }

    fn from_le(shape: Shape, data: Bytes) -> Result<Self> {
        if shape.bytes()? == data.len() as u64 {
            return Ok(Self { shape, data });
        }
        Err(Error::invalid(format!("a block of {shape} needs 8 bytes per cell, but has {} bytes", data.len())))
    }

    /// Its shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Its little-endian bytes, column after column.
    pub fn bytes(&self) -> &Bytes {
        &self.data
    }

    /// Its values, column after column.
    pub fn values(&self) -> Vec<f64> {
        doubles_from_le(&self.data)
    }

    pub(crate) fn canonical(&self, out: &mut Canonical) {
        out.u64(self.shape.rows).u64(self.shape.columns).text(&blake3::hash(&self.data).to_hex());
    }
}

impl TryFrom<wire::Block> for Block {
    type Error = Error;

    fn try_from(block: wire::Block) -> Result<Self> {
        let shape = block.shape.ok_or_else(|| Error::invalid("a block needs a shape"))?;
        Self::from_le(shape.into(), block.data)
    }
}

impl From<Block> for wire::Block {
    fn from(block: Block) -> Self {
        Self { shape: Some(block.shape.into()), data: block.data }
    }
}

impl From<wire::Shape> for Shape {
    fn from(shape: wire::Shape) -> Self {
        Self::new(shape.rows, shape.columns)
    }
}

impl From<Shape> for wire::Shape {
    fn from(shape: Shape) -> Self {
        Self { rows: shape.rows, columns: shape.columns }
    }
}

/// What goes before the chunks of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatrixHeader {
    /// The matrix's shape.
    pub shape: Shape,
    /// Rows of a tile, as [`tile_rows`] says.
    pub tile_rows: u64,
    /// blake3 of all bytes, if the sender gives it.
    pub blake3: Option<[u8; 32]>,
}

impl MatrixHeader {
    /// The header of a matrix of this shape.
    pub fn new(shape: Shape) -> Self {
        Self { shape, tile_rows: tile_rows(shape.columns), blake3: None }
    }
}

impl TryFrom<wire::MatrixHeader> for MatrixHeader {
    type Error = Error;

    fn try_from(header: wire::MatrixHeader) -> Result<Self> {
        let shape: Shape = header.shape.ok_or_else(|| Error::invalid("a matrix header needs a shape"))?.into();
        shape.bytes()?;
        let expected = tile_rows(shape.columns);
        if header.tile_rows != expected {
            return Err(Error::invalid(format!(
                "tiles of a matrix of {shape} have {expected} rows, not {}",
                header.tile_rows
            )));
        }
        let blake3 = match header.blake3.as_slice() {
            [] => None,
            bytes => Some(bytes.try_into().map_err(|_| Error::invalid("blake3 must be 32 bytes, or absent"))?),
        };
        Ok(Self { shape, tile_rows: header.tile_rows, blake3 })
    }
}

impl From<MatrixHeader> for wire::MatrixHeader {
    fn from(header: MatrixHeader) -> Self {
        Self {
            shape: Some(header.shape.into()),
            tile_rows: header.tile_rows,
            blake3: header.blake3.map(Vec::from).unwrap_or_default(),
        }
    }
}

/// Doubles as little-endian bytes.
pub fn doubles_to_le(values: &[f64]) -> Bytes {
    let mut bytes = Vec::with_capacity(values.len() * 8);
    for value in values {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    bytes.into()
}

/// Little-endian bytes as doubles; trailing bytes that make no whole double are not looked at.
pub fn doubles_from_le(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
}
