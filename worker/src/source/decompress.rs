//! Decompression into buffers of known size: no input makes it write, or allocate, more than that.

use std::io::Read;

use arrow::ipc::CompressionType;
use parquet::basic::Compression;

use super::{
    fault::Fault,
    scratch::{Loan, Shelf},
};

/// What a size that the data does not tell is assumed to be at least.
const UNTOLD_SIZE_MIN: usize = 1 << 16;

/// How bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Snappy,
    Gzip,
    Zstd,
    Lz4Raw,
    Lz4Frame,
    /// Blocks after their sizes; some writers put a frame, or a bare block, under the same name.
    Lz4Hadoop,
}

impl Codec {
    /// Of a column chunk; `None` if it is not compressed.
    pub(super) fn of_parquet(compression: Compression) -> Result<Option<Self>, Fault> {
        Ok(Some(match compression {
            Compression::UNCOMPRESSED => return Ok(None),
            Compression::SNAPPY => Self::Snappy,
            Compression::GZIP(_) => Self::Gzip,
            Compression::ZSTD(_) => Self::Zstd,
            Compression::LZ4_RAW => Self::Lz4Raw,
            Compression::LZ4 => Self::Lz4Hadoop,
            Compression::BROTLI(_) | Compression::LZO => {
                let what = "its compression is none of snappy, gzip, zstd and lz4";
                return Err(Fault::of(what, format!("{compression}")));
            }
        }))
    }

    /// Of a record batch.
    pub(super) fn of_arrow(compression: CompressionType) -> Result<Self, Fault> {
        match compression {
            CompressionType::LZ4_FRAME => Ok(Self::Lz4Frame),
            CompressionType::ZSTD => Ok(Self::Zstd),
            other => Err(Fault::damaged(format!("unknown compression {other:?}"))),
        }
    }
}

/// A codec and what it keeps between two calls.
pub(super) struct Decompressor {
    codec: Codec,
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

impl Decompressor {
    pub(super) fn new(codec: Codec) -> Self {
        Self { codec, zstd: None }
    }

    /// Decompresses what has no size of its own: a size in the data is believed as far as the memory goes, else it is
    /// at most `size_max`. Returns the buffer and the size.
    pub(super) fn unsized_bytes(
        &mut self,
        from: &[u8],
        size_max: usize,
        shelf: &Shelf,
    ) -> Result<(Loan, usize), Fault> {
        let told = match self.codec {
            Codec::Snappy => Some(snap::raw::decompress_len(from).map_err(|error| Fault::damaged(error.to_string()))?),
            Codec::Zstd => zstd::zstd_safe::get_frame_content_size(from)
                .map_err(|error| Fault::damaged(error.to_string()))?
                .and_then(|size| usize::try_from(size).ok()),
            Codec::Gzip | Codec::Lz4Raw | Codec::Lz4Frame | Codec::Lz4Hadoop => None,
        };
        let mut to = shelf.take(told.unwrap_or(size_max.max(UNTOLD_SIZE_MIN)))?;
        let size = self.decompress(from, &mut to)?;
        Ok((to, size))
    }

    /// Decompresses all of `from`; returns how much of `to` it takes.
    pub(super) fn decompress(&mut self, from: &[u8], to: &mut [u8]) -> Result<usize, Fault> {
        let damaged = |error: &dyn std::fmt::Display| Fault::damaged(format!("decompression: {error}"));
        match self.codec {
            Codec::Snappy => snap::raw::Decoder::new().decompress(from, to).map_err(|error| damaged(&error)),
            Codec::Gzip => fill(flate2::bufread::MultiGzDecoder::new(from), to),
            Codec::Zstd => {
                let zstd = match &mut self.zstd {
                    Some(zstd) => zstd,
                    none => none.insert(zstd::bulk::Decompressor::new()?),
                };
                Ok(zstd.decompress_to_buffer(from, to)?)
            }
            Codec::Lz4Raw => lz4_flex::block::decompress_into(from, to).map_err(|error| damaged(&error)),
            Codec::Lz4Frame => fill(lz4_flex::frame::FrameDecoder::new(from), to),
            Codec::Lz4Hadoop => hadoop(from, to)
                .or_else(|| fill(lz4_flex::frame::FrameDecoder::new(from), to).ok())
                .map_or_else(|| lz4_flex::block::decompress_into(from, to).map_err(|error| damaged(&error)), Ok),
        }
    }
}

/// Reads a stream to its end, which must come before that of `to`.
fn fill(mut stream: impl Read, to: &mut [u8]) -> Result<usize, Fault> {
    let mut filled = 0;
    loop {
        let rest = &mut to[filled..];
        // With no room left, one byte more tells whether the stream has ended.
        let read = if rest.is_empty() { stream.read(&mut [0])? } else { stream.read(rest)? };
        match (read, rest.is_empty()) {
            (0, _) => return Ok(filled),
            (_, true) => return Err(Fault::damaged("more bytes than declared")),
            (read, false) => filled += read,
        }
    }
}

/// Blocks, each after its size and its compressed size; `None` if this is something else.
fn hadoop(from: &[u8], to: &mut [u8]) -> Option<usize> {
    let (mut from, mut filled) = (from, 0);
    while !from.is_empty() {
        let (size, rest) = from.split_first_chunk::<4>()?;
        let (compressed, rest) = rest.split_first_chunk::<4>()?;
        let (block, rest) = rest.split_at_checked(u32::from_be_bytes(*compressed) as usize)?;
        let end = filled + u32::from_be_bytes(*size) as usize;
        let size = lz4_flex::block::decompress_into(block, to.get_mut(filled..end)?).ok()?;
        (from, filled) = (rest, filled + size);
        if filled != end {
            return None;
        }
    }
    Some(filled)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::memory::Memory;

    fn compressed(codec: Codec, data: &[u8]) -> Vec<u8> {
        let block = || lz4_flex::block::compress(data);
        match codec {
            Codec::Snappy => snap::raw::Encoder::new().compress_vec(data).unwrap(),
            Codec::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Codec::Zstd => zstd::bulk::compress(data, 1).unwrap(),
            Codec::Lz4Raw => block(),
            Codec::Lz4Frame => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Codec::Lz4Hadoop => {
                let block = block();
                let sizes = [data.len() as u32, block.len() as u32].map(u32::to_be_bytes);
                [sizes[0].as_slice(), &sizes[1], &block].concat()
            }
        }
    }

    #[test]
    fn decompresses_and_never_beyond_the_buffer() {
        let data: Vec<u8> = (0..100_000_u32).map(|i| (i / 7) as u8).collect();
        let shelf = Shelf::new(&Memory::new(1 << 24));
        for codec in [Codec::Snappy, Codec::Gzip, Codec::Zstd, Codec::Lz4Raw, Codec::Lz4Frame, Codec::Lz4Hadoop] {
            let bytes = compressed(codec, &data);
            let mut decompressor = Decompressor::new(codec);
            let (to, size) = decompressor.unsized_bytes(&bytes, data.len(), &shelf).unwrap();
            assert_eq!(&to[..size], data, "{codec:?}");
            let mut small = vec![0; data.len() - 1];
            assert!(decompressor.decompress(&bytes, &mut small).is_err(), "{codec:?}");
            assert!(decompressor.decompress(&bytes[..bytes.len() / 2], &mut vec![0; data.len()]).is_err());
        }
    }

    #[test]
    fn a_bomb_is_refused_by_the_memory() {
        let memory = Memory::new(1 << 20);
        let shelf = Shelf::new(&memory);
        let data = vec![0; 1 << 22];
        for codec in [Codec::Snappy, Codec::Gzip, Codec::Zstd, Codec::Lz4Frame] {
            let bytes = compressed(codec, &data);
            assert!(Decompressor::new(codec).unsized_bytes(&bytes, 1 << 18, &shelf).is_err(), "{codec:?}");
        }
        drop(shelf);
        assert_eq!(memory.used_bytes(), 0);
    }
}
