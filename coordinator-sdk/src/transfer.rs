//! Arrays as bytes and back: row tiles of a fixed height, column-major inside a tile.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use fondaco_proto::{Block, CHUNK_BYTES, MatrixHeader, Shape, tile_rows};
use ndarray::{ArcArray2, Array2, ArrayView2, ShapeBuilder, s};

/// A region of an array of the coordinator, to be sent to a site.
#[derive(Clone)]
pub(crate) struct Upload {
    array: ArcArray2<f64>,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Upload {
    /// The region `array[rows, columns]`, which lies within the array.
    pub fn new(array: ArcArray2<f64>, rows: Range<u64>, columns: Range<u64>) -> Self {
        let narrow = |range: Range<u64>| range.start as usize..range.end as usize;
        Self { array, rows: narrow(rows), columns: narrow(columns) }
    }

    pub fn shape(&self) -> Shape {
        Shape::new(self.rows.len() as u64, self.columns.len() as u64)
    }

    pub fn bytes(&self) -> u64 {
        8 * self.rows.len() as u64 * self.columns.len() as u64
    }

    fn view(&self) -> ArrayView2<'_, f64> {
        self.array.slice(s![self.rows.clone(), self.columns.clone()])
    }

    /// All of it, for one message.
    pub fn block(&self) -> fondaco_proto::Result<Block> {
        let values: Vec<f64> = self.view().t().iter().copied().collect();
        Block::new(self.shape(), &values)
    }

    /// Its bytes in chunks, made when they are asked for, each with its offset.
    pub fn chunks(self) -> impl Iterator<Item = (u64, Bytes)> + Send + 'static {
        let height = tile_rows(self.columns.len() as u64) as usize;
        let (rows, columns) = (self.rows.len(), self.columns.len());
        let runs = (0..rows).step_by(height).flat_map(move |top| (0..columns).map(move |column| (top, column)));
        let mut runs = runs.fuse();
        let mut pending = BytesMut::new();
        let mut offset = 0;
        std::iter::from_fn(move || {
            while pending.len() < CHUNK_BYTES {
                let Some((top, column)) = runs.next() else { break };
                if pending.capacity() < CHUNK_BYTES {
                    pending.reserve(CHUNK_BYTES + 8 * height);
                }
                for value in self.view().slice(s![top..rows.min(top + height), column]) {
                    pending.extend_from_slice(&value.to_le_bytes());
                }
            }
            let chunk = pending.split_to(pending.len().min(CHUNK_BYTES)).freeze();
            let at = offset;
            offset += chunk.len() as u64;
            (!chunk.is_empty()).then_some((at, chunk))
        })
    }
}

/// A matrix that is being received.
pub(crate) struct Incoming {
    header: MatrixHeader,
    values: Vec<f64>,
    cells: usize,
    hasher: Option<Box<blake3::Hasher>>,
}

impl Incoming {
    /// # Errors
    /// What is wrong with the header; nothing is allocated for a shape that was not expected.
    pub fn new(header: MatrixHeader, expected: Shape) -> Result<Self, String> {
        if header.shape != expected {
            return Err(format!("a value of shape {} instead of {expected}", header.shape));
        }
        let cells = expected.cells().map_err(|error| error.message().to_owned())? as usize;
        let hasher = header.blake3.map(|_| Box::default());
        Ok(Self { header, values: Vec::with_capacity(cells), cells, hasher })
    }

    /// Takes the next chunk.
    ///
    /// # Errors
    /// What is wrong with it: out of order, cut within a number, or more than the shape holds.
    pub fn push(&mut self, offset: u64, data: &[u8]) -> Result<(), String> {
        let (numbers, rest) = data.as_chunks::<8>();
        let in_order = offset == 8 * self.values.len() as u64;
        if !in_order || !rest.is_empty() || numbers.len() > self.cells - self.values.len() {
            return Err(format!("a chunk of {} bytes at {offset} that does not fit", data.len()));
        }
        self.values.extend(numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)));
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
        if self.values.len() != self.cells {
            return Err(format!("{} cells of {}", self.values.len(), self.cells));
        }
        if let (Some(hasher), Some(expected)) = (&self.hasher, self.header.blake3)
            && hasher.finalize() != expected
        {
            return Err("bytes that are not those that were hashed".to_owned());
        }
        let (rows, columns) = (self.header.shape.rows as usize, self.header.shape.columns as usize);
        let height = self.header.tile_rows as usize;
        let wrong = |error: ndarray::ShapeError| error.to_string();
        if rows <= height {
            return Array2::from_shape_vec((rows, columns).f(), self.values).map_err(wrong);
        }
        let mut whole = Array2::zeros((rows, columns).f());
        for top in (0..rows).step_by(height) {
            let bottom = rows.min(top + height);
            let tile = &self.values[top * columns..bottom * columns];
            let tile = ArrayView2::from_shape((bottom - top, columns).f(), tile).map_err(wrong)?;
            whole.slice_mut(s![top..bottom, ..]).assign(&tile);
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(rows: usize, columns: usize) {
        let whole = Array2::from_shape_fn((rows + 2, columns + 1), |(i, j)| (i * 1000 + j) as f64);
        let upload = Upload::new(whole.to_shared(), 1..rows as u64 + 1, 1..columns as u64 + 1);
        let expected = whole.slice(s![1..=rows, 1..=columns]);
        let mut header = MatrixHeader::new(upload.shape());
        let chunks: Vec<(u64, Bytes)> = upload.clone().chunks().collect();
        let mut hasher = blake3::Hasher::new();
        for (_, chunk) in &chunks {
            hasher.update(chunk);
        }
        header.blake3 = Some(hasher.finalize().into());
        assert!(chunks.iter().rev().skip(1).all(|(_, chunk)| chunk.len() == CHUNK_BYTES));
        let mut incoming = Incoming::new(header, upload.shape()).unwrap();
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
        assert!(Incoming::new(MatrixHeader::new(shape), Shape::new(1, 2)).is_err());
        let incoming = || Incoming::new(MatrixHeader::new(shape), shape).unwrap();
        assert!(incoming().push(8, &[0; 8]).is_err());
        assert!(incoming().push(0, &[0; 7]).is_err());
        assert!(incoming().push(0, &[0; 24]).is_err());
        let mut short = incoming();
        short.push(0, &[0; 8]).unwrap();
        assert!(short.finish().is_err());
        let header = MatrixHeader { blake3: Some([0; 32]), ..MatrixHeader::new(shape) };
        let mut forged = Incoming::new(header, shape).unwrap();
        forged.push(0, &[0; 16]).unwrap();
        assert!(forged.finish().is_err());
    }
}
