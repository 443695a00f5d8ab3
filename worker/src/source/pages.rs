//! Pages of a Parquet column chunk, with every size checked before it is believed.
//!
//! The chunk is given to the library's page reader as if it were not compressed, so that decompression is ours: into
//! buffers that are counted and used again, and that no page overruns.

use std::{
    io::{self, BufReader, Read},
    ops::Range,
    sync::Arc,
};

use bytes::Bytes;
use parquet::{
    basic::{Compression, Encoding, Type as Physical},
    column::page::{Page, PageMetadata, PageReader},
    errors::{ParquetError, Result as ParquetResult},
    file::{
        metadata::ColumnChunkMetaData,
        reader::{ChunkReader, Length},
        serialized_reader::SerializedPageReader,
        statistics::Statistics,
    },
    schema::types::{ColumnDescPtr, ColumnDescriptor},
};

use super::{
    decompress::{Codec, Decompressor},
    fault::Fault,
    file::Descriptor,
    levels,
    scratch::Shelf,
};
use crate::memory::Ticket;

/// Room for one page header without statistics.
const HEADER_BYTES: usize = 512;

/// How many rows of byte arrays are decoded at a time: a prefix-encoded one may be as long as its page.
pub(super) const TEXT_BATCH: usize = 64;

/// Positioned reads of one file, for the library.
struct Window {
    descriptor: Arc<Descriptor>,
    shelf: Shelf,
}

impl Length for Window {
    fn len(&self) -> u64 {
        self.descriptor.stat().size
    }
}

impl ChunkReader for Window {
    type T = BufReader<Cursor>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        let cursor = Cursor { descriptor: Arc::clone(&self.descriptor), offset: start };
        Ok(BufReader::with_capacity(HEADER_BYTES, cursor))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.descriptor.check(start, length as u64)?;
        let mut bytes = self.shelf.take(length)?;
        self.descriptor.read(start, &mut bytes)?;
        Ok(bytes.into_bytes(length))
    }
}

/// Reads on from an offset to the end of the file.
struct Cursor {
    descriptor: Arc<Descriptor>,
    offset: u64,
}

impl Read for Cursor {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let rest = self.descriptor.stat().size.saturating_sub(self.offset);
        let len = out.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
        self.descriptor.read(self.offset, &mut out[..len]).map_err(io::Error::other)?;
        self.offset += len as u64;
        Ok(len)
    }
}

/// Whether a column chunk has nulls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Nulls {
    /// The schema allows none, so there are no definition levels.
    Required,
    /// The statistics know of none: definition levels are checked, and not decoded.
    None,
    /// There may be some.
    Some,
}

impl Nulls {
    /// As the schema and the statistics say.
    pub(super) fn of(chunk: &ColumnChunkMetaData) -> Self {
        if chunk.column_descr().max_def_level() == 0 {
            return Self::Required;
        }
        #[expect(deprecated, reason = "old files have levels of this encoding, which is not worth a way of its own")]
        let is_packed = chunk.encodings().any(|encoding| encoding == Encoding::BIT_PACKED);
        let nulls = chunk.statistics().and_then(Statistics::null_count_opt);
        if nulls == Some(0) && !is_packed { Self::None } else { Self::Some }
    }
}

/// The pages of one column chunk.
pub(super) struct Pages {
    inner: SerializedPageReader<Window>,
    decompressor: Option<Decompressor>,
    shelf: Shelf,
    physical: Physical,
    /// What the metadata says of the whole chunk, decompressed.
    uncompressed_max: usize,
    rows_left: usize,
    nulls: Nulls,
    dictionary: Option<Ticket>,
    prefixes: Option<Ticket>,
}

impl Pages {
    /// Of a flat column of so many rows.
    pub(super) fn new(
        descriptor: &Arc<Descriptor>,
        chunk: &ColumnChunkMetaData,
        (rows, nulls): (usize, Nulls),
        shelf: &Shelf,
    ) -> Result<Self, Fault> {
        let size = |bytes: i64| u64::try_from(bytes).map_err(|_| Fault::damaged("a negative size"));
        let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
        descriptor.check(size(start)?, size(chunk.compressed_size())?)?;
        if chunk.file_path().is_some() {
            return Err(Fault::of("a file refers to another one", "a column chunk with a path"));
        }
        let plain = chunk.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build()?;
        let window = Window { descriptor: Arc::clone(descriptor), shelf: shelf.clone() };
        Ok(Self {
            inner: SerializedPageReader::new(Arc::new(window), &plain, rows, None)?,
            decompressor: Codec::of_parquet(chunk.compression())?.map(Decompressor::new),
            shelf: shelf.clone(),
            physical: chunk.column_type(),
            uncompressed_max: usize::try_from(chunk.uncompressed_size()).unwrap_or(0),
            rows_left: rows,
            nulls,
            dictionary: None,
            prefixes: None,
        })
    }

    /// What the column reader must know; without definition levels where these pages have none.
    pub(super) fn description(&self, chunk: &ColumnChunkMetaData) -> ColumnDescPtr {
        if self.nulls != Nulls::None {
            return chunk.column_descr_ptr();
        }
        let description = chunk.column_descr();
        Arc::new(ColumnDescriptor::new(description.self_type_ptr(), 0, 0, description.path().clone()))
    }

    /// The bytes after the first `plain` ones decompressed, with those before them.
    fn decompressed(&mut self, bytes: Bytes, plain: usize) -> Result<Bytes, Fault> {
        let Some(decompressor) = &mut self.decompressor else { return Ok(bytes) };
        let (levels, values) = bytes.split_at_checked(plain).ok_or_else(|| Fault::damaged("levels beyond a page"))?;
        if values.is_empty() {
            return Ok(bytes);
        }
        let (values, size) = decompressor.unsized_bytes(values, self.uncompressed_max, &self.shelf)?;
        if levels.is_empty() {
            return Ok(values.into_bytes(size));
        }
        let mut whole = self.shelf.take(plain + size)?;
        whole[..plain].copy_from_slice(levels);
        whole[plain..].copy_from_slice(&values[..size]);
        Ok(whole.into_bytes(plain + size))
    }

    fn page(&mut self, page: Page) -> Result<Page, Fault> {
        Ok(match page {
            Page::DictionaryPage { buf, num_values, encoding, is_sorted } => {
                let buf = self.decompressed(buf, 0)?;
                self.check_dictionary(&buf, num_values)?;
                Page::DictionaryPage { buf, num_values, encoding, is_sorted }
            }
            Page::DataPage { buf, num_values, encoding, def_level_encoding, rep_level_encoding, statistics } => {
                let buf = self.decompressed(buf, 0)?;
                let levels = self.levels(&buf, def_level_encoding, num_values);
                let (buf, _) = self.checked(buf, levels, encoding, num_values)?;
                Page::DataPage { buf, num_values, encoding, def_level_encoding, rep_level_encoding, statistics }
            }
            Page::DataPageV2 {
                buf,
                num_values,
                encoding,
                num_nulls,
                num_rows,
                def_levels_byte_len,
                rep_levels_byte_len,
                is_compressed,
                statistics,
            } => {
                let start = rep_levels_byte_len as usize;
                let levels = start..start + def_levels_byte_len as usize;
                let buf = if is_compressed { self.decompressed(buf, levels.end)? } else { buf };
                let (buf, has_levels) = self.checked(buf, Some(levels), encoding, num_values)?;
                Page::DataPageV2 {
                    buf,
                    num_values,
                    encoding,
                    num_nulls,
                    num_rows,
                    def_levels_byte_len: if has_levels { def_levels_byte_len } else { 0 },
                    rep_levels_byte_len: if has_levels { rep_levels_byte_len } else { 0 },
                    is_compressed,
                    statistics,
                }
            }
        })
    }

    fn take_rows(&mut self, rows: usize) -> Result<(), Fault> {
        let left = self.rows_left.checked_sub(rows);
        self.rows_left = left.ok_or_else(|| Fault::damaged("pages hold more rows than their row group"))?;
        Ok(())
    }

    /// A dictionary is decoded as a whole: it must hold what it declares, and fit.
    fn check_dictionary(&mut self, buf: &Bytes, values: u32) -> Result<(), Fault> {
        let (bits, decoded_bytes) = match self.physical {
            Physical::BOOLEAN => (1, 1),
            Physical::INT32 | Physical::FLOAT => (32, 4),
            Physical::INT64 | Physical::DOUBLE => (64, 8),
            Physical::INT96 => (96, 16),
            // A length or nothing at all; decoded, a shared slice.
            Physical::BYTE_ARRAY => (32, 40),
            Physical::FIXED_LEN_BYTE_ARRAY => (8, 40),
        };
        if u64::from(values) * bits > buf.len() as u64 * 8 {
            return Err(Fault::damaged("a dictionary declares more values than it holds"));
        }
        self.dictionary = Some(self.shelf.ticket(u64::from(values) * decoded_bytes)?);
        Ok(())
    }

    /// Where the levels of a page of version 1 are.
    fn levels(&self, buf: &Bytes, encoding: Encoding, values: u32) -> Option<Range<usize>> {
        if self.nulls == Nulls::Required {
            return Some(0..0);
        }
        if encoding == Encoding::RLE {
            let (size, _) = buf.split_first_chunk::<4>()?;
            return Some(4..4 + u32::from_le_bytes(*size) as usize);
        }
        // The other encoding packs one bit for each.
        Some(0..values.div_ceil(8) as usize)
    }

    /// A data page's bytes, checked, and whether the levels are still among them.
    fn checked(
        &mut self,
        buf: Bytes,
        levels: Option<Range<usize>>,
        encoding: Encoding,
        values: u32,
    ) -> Result<(Bytes, bool), Fault> {
        self.take_rows(values as usize)?;
        let levels = levels.filter(|levels| levels.end <= buf.len());
        let levels = levels.ok_or_else(|| Fault::damaged("levels beyond a page"))?;
        self.check_values(&buf, encoding, values, levels.end)?;
        if self.nulls != Nulls::None {
            return Ok((buf, true));
        }
        if !levels::all_ones(&buf[levels.clone()], values) {
            return Err(Fault::HiddenNulls);
        }
        Ok((buf.slice(levels.end..), false))
    }

    /// Delta encodings say on their own how many values they hold, and the library believes them.
    fn check_values(&mut self, buf: &Bytes, encoding: Encoding, values: u32, start: usize) -> Result<(), Fault> {
        self.prefixes = None;
        let end = |start: usize| Some(start + levels::delta_end(buf.get(start..)?, values)?);
        let end = match encoding {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => end(start),
            Encoding::DELTA_BYTE_ARRAY => end(start).and_then(end),
            _ => return Ok(()),
        };
        if end.is_none() {
            return Err(Fault::damaged("a delta encoding declares more values than its page"));
        }
        if encoding == Encoding::DELTA_BYTE_ARRAY {
            self.prefixes = Some(self.shelf.ticket(buf.len() as u64 * TEXT_BATCH as u64)?);
        }
        Ok(())
    }
}

impl Iterator for Pages {
    type Item = ParquetResult<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> ParquetResult<Option<Page>> {
        let Some(page) = self.inner.get_next_page()? else { return Ok(None) };
        Ok(Some(self.page(page)?))
    }

    fn peek_next_page(&mut self) -> ParquetResult<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> ParquetResult<()> {
        if let Some(PageMetadata { num_rows, num_levels, is_dict: false }) = self.inner.peek_next_page()? {
            let rows = num_rows.or(num_levels);
            self.take_rows(rows.ok_or_else(|| ParquetError::General("a page of unknown length".into()))?)?;
        }
        self.inner.skip_next_page()
    }
}
