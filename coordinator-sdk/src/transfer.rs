//! Values as bytes and back. Of arrays: row tiles of a fixed height, column-major inside a tile.

mod frame;

use std::{ops::Range, sync::Arc};

use bytes::{Bytes, BytesMut};
use fondaco_proto::{Block, CHUNK_BYTES, MatrixHeader, Shape, tile_rows, wire};
use ndarray::{ArcArray2, Array2, ArrayView2, Axis, ShapeBuilder, s};

use crate::{Error, Frame, Result, relay::Relay};
use frame::{FrameIncoming, FrameUpload};

/// A part of a value of the coordinator, to be sent to a site.
#[derive(Clone)]
pub(crate) enum Upload {
    Matrix(MatrixUpload),
    Frame(FrameUpload),
}

impl Upload {
    /// The region `array[rows, columns]`, which lies within the array.
    pub fn new(source: Source, rows: Range<u64>, columns: Range<u64>) -> Self {
        Self::Matrix(MatrixUpload::new(source, rows, columns))
    }

    /// The rows `frame[rows]`, which lie within the frame.
    pub fn of_frame(frame: Arc<Frame>, rows: Range<u64>) -> Self {
        Self::Frame(FrameUpload::new(frame, rows))
    }

    pub fn shape(&self) -> Shape {
        match self {
            Self::Matrix(matrix) => matrix.shape(),
            Self::Frame(frame) => frame.shape(),
        }
    }

    pub fn bytes(&self) -> u64 {
        match self {
            Self::Matrix(matrix) => matrix.bytes(),
            // What was sent was made by this crate, and counted.
            Self::Frame(frame) => frame.header().bytes().unwrap_or(u64::MAX),
        }
    }

    /// What is relayed, if it is.
    pub fn relay(&self) -> Option<&Arc<Relay>> {
        match self {
            Self::Matrix(matrix) => matrix.relay(),
            Self::Frame(_) => None,
        }
    }

    /// Whether it is here; the error of what was to be relayed, and `None` before it was released.
    pub fn arrived(&self) -> Option<Result<()>> {
        match self {
            Self::Matrix(matrix) => matrix.arrived(),
            Self::Frame(_) => Some(Ok(())),
        }
    }

    /// Whether both are the same bits; of frames, only if they are the same rows of the same one.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Matrix(a), Self::Matrix(b)) => a.is_same(b),
            (Self::Frame(a), Self::Frame(b)) => a.is_same(b),
            (Self::Matrix(_), Self::Frame(_)) | (Self::Frame(_), Self::Matrix(_)) => false,
        }
    }

    /// Whether it may go within a program; frames go by themselves.
    pub fn is_inline(&self, bytes_max: u64) -> bool {
        matches!(self, Self::Matrix(matrix) if matrix.bytes() <= bytes_max)
    }

    /// All of it, for one message, if it may go within a program.
    pub fn block(&self, bytes_max: u64) -> Option<Block> {
        match self {
            Self::Matrix(matrix) if matrix.bytes() <= bytes_max => matrix.block().ok(),
            Self::Matrix(_) | Self::Frame(_) => None,
        }
    }

    /// What goes before its chunks.
    pub fn headers(&self) -> (Option<wire::MatrixHeader>, Option<wire::FrameHeader>) {
        match self {
            Self::Matrix(matrix) => (Some(MatrixHeader::new(matrix.shape()).into()), None),
            Self::Frame(frame) => (None, Some(frame.header().into())),
        }
    }

    /// The hash of its bytes; takes as long as to make them.
    pub fn hash(self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for (_, chunk) in self.chunks() {
            hasher.update(&chunk);
        }
        hasher.finalize()
    }

    /// Its bytes in chunks, made when they are asked for, each with its offset.
    pub fn chunks(self) -> impl Iterator<Item = (u64, Bytes)> + Send + 'static {
        let (matrix, frame) = match self {
            Self::Matrix(matrix) => (Some(matrix.chunks()), None),
            Self::Frame(frame) => (None, Some(frame.chunks())),
        };
        matrix.into_iter().flatten().chain(frame.into_iter().flatten())
    }
}

/// A value that a site has released.
#[derive(Clone, Debug)]
pub(crate) enum Released {
    Matrix(Array2<f64>),
    Frame(Frame),
}

impl Released {
    /// # Errors
    /// `Plan` if it is a frame.
    pub fn matrix(self) -> Result<Array2<f64>> {
        match self {
            Self::Matrix(matrix) => Ok(matrix),
            Self::Frame(frame) => Err(Error::plan(format!("a matrix was expected, not a {frame:?}"))),
        }
    }

    /// # Errors
    /// `Plan` if it is a matrix.
    pub fn frame(self) -> Result<Frame> {
        match self {
            Self::Frame(frame) => Ok(frame),
            Self::Matrix(_) => Err(Error::plan("a frame was expected, not a matrix")),
        }
    }
}

/// A value that is being received.
pub(crate) enum Incoming {
    Matrix(MatrixIncoming),
    Frame(FrameIncoming),
}

impl Incoming {
    /// # Errors
    /// What is wrong with the header; nothing is allocated for a shape that was not expected.
    pub fn new(header: wire::FetchHeader, expected: Shape) -> Result<Self, String> {
        let text = |error: fondaco_proto::Error| error.message().to_owned();
        match (header.matrix, header.frame) {
            (Some(matrix), None) => Ok(Self::Matrix(MatrixIncoming::new(matrix.try_into().map_err(text)?, expected)?)),
            (None, Some(frame)) => Ok(Self::Frame(FrameIncoming::new(frame.try_into().map_err(text)?, expected)?)),
            _ => Err("a value that is neither a matrix nor a frame".to_owned()),
        }
    }

    /// Takes the next chunk.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn push(&mut self, offset: u64, data: &[u8]) -> Result<(), String> {
        match self {
            Self::Matrix(matrix) => matrix.push(offset, data),
            Self::Frame(frame) => frame.push(offset, data),
        }
    }

    /// Bytes that it has.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Matrix(matrix) => 8 * matrix.received as u64,
            Self::Frame(frame) => frame.bytes(),
        }
    }

    /// The value; it was received whole.
    ///
    /// # Errors
    /// What is missing, or that the bytes are not those that the sender hashed.
    pub fn finish(self) -> Result<Released, String> {
        match self {
            Self::Matrix(matrix) => matrix.finish().map(Released::Matrix),
            Self::Frame(frame) => frame.finish().map(Released::Frame),
        }
    }
}

/// A region of an array of the coordinator, to be sent to a site.
#[derive(Clone)]
pub(crate) struct MatrixUpload {
    source: Source,
    rows: Range<usize>,
    columns: Range<usize>,
}

/// Where the array is from.
#[derive(Clone)]
pub(crate) enum Source {
    /// It is here.
    Here(ArcArray2<f64>),
    /// Sites release it first.
    Relayed(Arc<Relay>),
}

impl MatrixUpload {
    /// The region `array[rows, columns]`, which lies within the array.
    pub fn new(source: Source, rows: Range<u64>, columns: Range<u64>) -> Self {
        let narrow = |range: Range<u64>| range.start as usize..range.end as usize;
        Self { source, rows: narrow(rows), columns: narrow(columns) }
    }

    pub fn shape(&self) -> Shape {
        Shape::new(self.rows.len() as u64, self.columns.len() as u64)
    }

    pub fn bytes(&self) -> u64 {
        8 * self.rows.len() as u64 * self.columns.len() as u64
    }

    /// What is relayed, if it is.
    pub fn relay(&self) -> Option<&Arc<Relay>> {
        match &self.source {
            Source::Here(_) => None,
            Source::Relayed(relay) => Some(relay),
        }
    }

    /// Whether the array is here; the error of what was to be relayed, and `None` before it was released.
    pub fn arrived(&self) -> Option<Result<()>> {
        match &self.source {
            Source::Here(_) => Some(Ok(())),
            Source::Relayed(relay) => Some(relay.value()?.as_ref().map(drop).map_err(Clone::clone)),
        }
    }

    /// Whether both are the same bits.
    pub fn is_same(&self, other: &Self) -> bool {
        if self.shape() != other.shape() {
            return false;
        }
        match (&self.source, &other.source) {
            (Source::Here(_), Source::Here(_)) => {
                let (a, b) = (self.view(), other.view());
                (a.as_ptr() == b.as_ptr() && a.strides() == b.strides())
                    || a.iter().zip(&b).all(|(a, b)| a.to_bits() == b.to_bits())
            }
            (Source::Relayed(a), Source::Relayed(b)) => {
                a.is_same(b) && (&self.rows, &self.columns) == (&other.rows, &other.columns)
            }
            (Source::Here(_), Source::Relayed(_)) | (Source::Relayed(_), Source::Here(_)) => false,
        }
    }

    /// The cells, once they are here.
    fn view(&self) -> ArrayView2<'_, f64> {
        let array = match &self.source {
            Source::Here(array) => Some(array),
            Source::Relayed(relay) => relay.value().and_then(|value| value.as_ref().ok()),
        };
        match array {
            Some(array) => array.slice(s![self.rows.clone(), self.columns.clone()]),
            None => ArrayView2::from(&[[0.0; 0]; 0]),
        }
    }

    /// All of it, for one message.
    pub fn block(&self) -> fondaco_proto::Result<Block> {
        let values: Vec<f64> = self.view().t().iter().copied().collect();
        Block::new(self.shape(), &values)
    }

    /// Its bytes in chunks, made when they are asked for, each with its offset.
    pub fn chunks(self) -> impl Iterator<Item = (u64, Bytes)> + Send + 'static {
        let height = tile_rows(self.columns.len() as u64) as usize;
        let mut tops = (0..self.rows.len()).step_by(height);
        let mut pending = BytesMut::new();
        let mut offset = 0;
        std::iter::from_fn(move || {
            while pending.len() < CHUNK_BYTES {
                let Some(top) = tops.next() else { break };
                let bottom = self.rows.len().min(top + height);
                append_tile(&mut pending, self.view().slice(s![top..bottom, ..]));
            }
            let chunk = pending.split_to(pending.len().min(CHUNK_BYTES)).freeze();
            let at = offset;
            offset += chunk.len() as u64;
            (!chunk.is_empty()).then_some((at, chunk))
        })
    }
}

/// Appends a tile, column-major. A few columns at a time, so that both sides are touched in cache lines.
fn append_tile(bytes: &mut BytesMut, tile: ArrayView2<f64>) {
    let (rows, start) = (tile.nrows(), bytes.len());
    bytes.resize(start + 8 * tile.len(), 0);
    let mut rest = &mut bytes[start..];
    for block in tile.axis_chunks_iter(Axis(1), 8) {
        let (cells, next) = rest.split_at_mut(8 * block.len());
        let (cells, _) = cells.as_chunks_mut::<8>();
        for (i, row) in block.rows().into_iter().enumerate() {
            for (column, value) in row.iter().enumerate() {
                cells[column * rows + i] = value.to_le_bytes();
            }
        }
        rest = next;
    }
}

/// A matrix that is being received: each run of a column goes to its place in a column-major array.
pub(crate) struct MatrixIncoming {
    header: MatrixHeader,
    values: Vec<f64>,
    received: usize,
    hasher: Option<Box<blake3::Hasher>>,
}

impl MatrixIncoming {
    /// # Errors
    /// What is wrong with the header; nothing is allocated for a shape that was not expected.
    pub fn new(header: MatrixHeader, expected: Shape) -> Result<Self, String> {
        if header.shape != expected {
            return Err(format!("a value of shape {} instead of {expected}", header.shape));
        }
        let cells = expected.cells().map_err(|error| error.message().to_owned())? as usize;
        let hasher = header.blake3.map(|_| Box::default());
        Ok(Self { header, values: vec![0.0; cells], received: 0, hasher })
    }

    /// Takes the next chunk.
    ///
    /// # Errors
    /// What is wrong with it: out of order, cut within a number, or more than the shape holds.
    pub fn push(&mut self, offset: u64, data: &[u8]) -> Result<(), String> {
        let (mut numbers, rest) = data.as_chunks::<8>();
        let in_order = offset == 8 * self.received as u64;
        if !in_order || !rest.is_empty() || numbers.len() > self.values.len() - self.received {
            return Err(format!("a chunk of {} bytes at {offset} that does not fit", data.len()));
        }
        let (rows, columns) = (self.header.shape.rows as usize, self.header.shape.columns as usize);
        let height = self.header.tile_rows as usize;
        while !numbers.is_empty() {
            let top = self.received / (height * columns) * height;
            let tile_height = height.min(rows - top);
            let within = self.received - top * columns;
            let (column, row) = (within / tile_height, within % tile_height);
            let (run, next) = numbers.split_at(numbers.len().min(tile_height - row));
            let start = column * rows + top + row;
            for (value, bytes) in self.values[start..start + run.len()].iter_mut().zip(run) {
                *value = f64::from_le_bytes(*bytes);
            }
            self.received += run.len();
            numbers = next;
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(data);
        }
        Ok(())
    }

    /// The array, column-major; it was received whole.
    ///
    /// # Errors
    /// What is missing, or that the bytes are not those that the sender hashed.
    pub fn finish(self) -> Result<Array2<f64>, String> {
        if self.received != self.values.len() {
            return Err(format!("{} cells of {}", self.received, self.values.len()));
        }
        if let (Some(hasher), Some(expected)) = (&self.hasher, self.header.blake3)
            && hasher.finalize() != expected
        {
            return Err("bytes that are not those that were hashed".to_owned());
        }
        let (rows, columns) = (self.header.shape.rows as usize, self.header.shape.columns as usize);
        Array2::from_shape_vec((rows, columns).f(), self.values).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(rows: usize, columns: usize) {
        let whole = Array2::from_shape_fn((rows + 2, columns + 1), |(i, j)| (i * 1000 + j) as f64);
        let upload = MatrixUpload::new(Source::Here(whole.to_shared()), 1..rows as u64 + 1, 1..columns as u64 + 1);
        let expected = whole.slice(s![1..=rows, 1..=columns]);
        let mut header = MatrixHeader::new(upload.shape());
        let chunks: Vec<(u64, Bytes)> = upload.clone().chunks().collect();
        let mut hasher = blake3::Hasher::new();
        for (_, chunk) in &chunks {
            hasher.update(chunk);
        }
        header.blake3 = Some(hasher.finalize().into());
        assert!(chunks.iter().rev().skip(1).all(|(_, chunk)| chunk.len() == CHUNK_BYTES));
        let mut incoming = MatrixIncoming::new(header, upload.shape()).unwrap();
        for (offset, chunk) in &chunks {
            incoming.push(*offset, chunk).unwrap();
        }
        assert_eq!(incoming.finish().unwrap(), expected);
        let block = upload.block().unwrap();
        assert_eq!(Array2::from_shape_vec((rows, columns).f(), block.values()).unwrap(), expected);
    }

    #[test]
    fn arrays_survive_the_way() {
        for (rows, columns) in [(0, 3), (3, 0), (1, 1), (4096, 2), (4097, 3), (10_000, 9), (300, 600), (70, 20_000)] {
            round_trip(rows, columns);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let shape = Shape::new(2, 1);
        assert!(MatrixIncoming::new(MatrixHeader::new(shape), Shape::new(1, 2)).is_err());
        let incoming = || MatrixIncoming::new(MatrixHeader::new(shape), shape).unwrap();
        assert!(incoming().push(8, &[0; 8]).is_err());
        assert!(incoming().push(0, &[0; 7]).is_err());
        assert!(incoming().push(0, &[0; 24]).is_err());
        let mut short = incoming();
        short.push(0, &[0; 8]).unwrap();
        assert!(short.finish().is_err());
        let header = MatrixHeader { blake3: Some([0; 32]), ..MatrixHeader::new(shape) };
        let mut forged = MatrixIncoming::new(header, shape).unwrap();
        forged.push(0, &[0; 16]).unwrap();
        assert!(forged.finish().is_err());
    }
}
