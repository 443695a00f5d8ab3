//! The values of a column of an Arrow record batch, from the bytes of its buffers.

use arrow::datatypes::DataType;

use super::{
    arrow_dictionary::{Entries, Lookup},
    arrow_file::{ArrowFile, Batch, Field, Place, Span, dictionary_values},
    decompress::{Codec, Decompressor},
    fault::Fault,
    file::Descriptor,
    number::{Half, Number, decimal},
    scratch::{Loan, Shelf},
    sink::Sink,
};
use crate::cancel::Cancel;

/// How many rows are given on at a time; a multiple of 64.
const BATCH: usize = 8192;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// A buffer that is not compressed stands after this instead of its size.
const NOT_COMPRESSED: i64 = -1;

/// What decoding a column needs beside the column.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) descriptor: &'a Descriptor,
    pub(super) shelf: &'a Shelf,
    pub(super) cancel: &'a Cancel,
}

impl ArrowFile {
    /// Decodes all the rows of a column in a record batch.
    pub(super) fn read(
        &self,
        context: Context<'_>,
        (batch, column): (usize, usize),
        sink: &mut impl Sink,
    ) -> Result<(), Fault> {
        let Field { data_type, dictionary } = &self.fields[column];
        let reader = Reader::new(context, &self.batches[batch], column)?;
        let Some(values) = dictionary_values(data_type) else { return reader.read(data_type, sink) };
        let mut entries = Entries::new(values, context.shelf);
        for (batch, adds) in dictionary.and_then(|id| self.dictionaries.get(&id)).into_iter().flatten() {
            if !adds {
                entries = Entries::new(values, context.shelf);
            }
            Reader::new(context, batch, 0)?.read(values, &mut entries)?;
        }
        let DataType::Dictionary(keys, _) = data_type else { return Err(Fault::damaged("no dictionary")) };
        reader.read(keys, &mut Lookup::new(&entries, sink))
    }
}

/// A column of a batch that is being read.
struct Reader<'a> {
    context: Context<'a>,
    codec: Option<Codec>,
    place: &'a Place,
    rows: usize,
    validity: Option<Loan>,
}

impl<'a> Reader<'a> {
    fn new(context: Context<'a>, batch: &'a Batch, column: usize) -> Result<Self, Fault> {
        let place = batch.columns.get(column).ok_or_else(|| Fault::damaged("a column is missing"))?;
        if place.rows != batch.rows {
            return Err(Fault::damaged("a column does not have the rows of its batch"));
        }
        let rows = usize::try_from(place.rows).map_err(|_| Fault::damaged("too many rows"))?;
        let mut reader = Self { context, codec: batch.codec, place, rows, validity: None };
        if place.has_nulls && !place.buffers.is_empty() {
            reader.validity = Some(reader.whole(0, rows.div_ceil(8))?);
        }
        Ok(reader)
    }

    fn read(&self, data_type: &DataType, sink: &mut impl Sink) -> Result<(), Fault> {
        match data_type {
            DataType::Null => self.nothing(sink),
            DataType::Boolean => self.booleans(sink),
            DataType::Int8 => self.fixed(sink, |bytes| i8::from_le_bytes(*bytes)),
            DataType::Int16 => self.fixed(sink, |bytes| i16::from_le_bytes(*bytes)),
            DataType::Int32 | DataType::Date32 | DataType::Time32(_) => {
                self.fixed(sink, |bytes| i32::from_le_bytes(*bytes))
            }
            DataType::Int64 | DataType::Time64(_) | DataType::Timestamp(..) | DataType::Duration(_) => {
                self.fixed(sink, |bytes| i64::from_le_bytes(*bytes))
            }
            DataType::Date64 => self.fixed(sink, |bytes| i64::from_le_bytes(*bytes).div_euclid(DAY_MS)),
            DataType::UInt8 => self.fixed(sink, |bytes| u8::from_le_bytes(*bytes)),
            DataType::UInt16 => self.fixed(sink, |bytes| u16::from_le_bytes(*bytes)),
            DataType::UInt32 => self.fixed(sink, |bytes| u32::from_le_bytes(*bytes)),
            DataType::UInt64 => self.fixed(sink, |bytes| u64::from_le_bytes(*bytes)),
            DataType::Float16 => self.fixed(sink, |bytes| Half(u16::from_le_bytes(*bytes))),
            DataType::Float32 => self.fixed(sink, |bytes| f32::from_le_bytes(*bytes)),
            DataType::Float64 => self.fixed(sink, |bytes| f64::from_le_bytes(*bytes)),
            DataType::Decimal32(_, scale) => {
                self.decimals(sink, *scale, |bytes: &[u8; 4]| i32::from_le_bytes(*bytes).into())
            }
            DataType::Decimal64(_, scale) => {
                self.decimals(sink, *scale, |bytes: &[u8; 8]| i64::from_le_bytes(*bytes).into())
            }
            DataType::Decimal128(_, scale) => self.decimals(sink, *scale, |bytes| i128::from_le_bytes(*bytes)),
            DataType::Utf8 => self.texts(sink, |bytes: &[u8; 4]| i32::from_le_bytes(*bytes).into()),
            DataType::LargeUtf8 => self.texts(sink, |bytes| i64::from_le_bytes(*bytes)),
            DataType::Utf8View => self.views(sink),
            _ => self.nothing(sink),
        }
    }

    /// The validity of these rows.
    fn valid(&self, start: usize, rows: usize) -> Option<Vec<bool>> {
        let validity = self.validity.as_ref()?;
        Some((start..start + rows).map(|row| bit(validity, row)).collect())
    }

    /// Gives on batch after batch that the sink does not pass over.
    fn batches<S: Sink>(
        &self,
        sink: &mut S,
        mut give: impl FnMut(&mut S, usize, usize, Option<&[bool]>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        for start in (0..self.rows).step_by(BATCH) {
            self.context.cancel.check()?;
            let rows = BATCH.min(self.rows - start);
            if !sink.passes(rows) {
                give(sink, start, rows, self.valid(start, rows).as_deref())?;
            }
        }
        Ok(())
    }

    /// Rows of which nothing but whether they are null is known.
    fn nothing(&self, sink: &mut impl Sink) -> Result<(), Fault> {
        let all_null = self.place.buffers.is_empty();
        self.batches(sink, |sink, _, rows, valid| match all_null {
            true => sink.numbers(&vec![0_u8; rows], Some(&vec![false; rows]), |value| *value),
            false => sink.texts(&vec![[0_u8; 0]; rows], valid),
        })
    }

    fn booleans(&self, sink: &mut impl Sink) -> Result<(), Fault> {
        let bits = self.whole(1, self.rows.div_ceil(8))?;
        self.batches(sink, |sink, start, rows, valid| {
            let values: Vec<bool> = (start..start + rows).map(|row| bit(&bits, row)).collect();
            sink.numbers(&values, valid, |value| *value)
        })
    }

    fn fixed<const WIDTH: usize, N: Number>(
        &self,
        sink: &mut impl Sink,
        number: impl Fn(&[u8; WIDTH]) -> N,
    ) -> Result<(), Fault> {
        let mut values = self.stream(1, self.rows.checked_mul(WIDTH), BATCH * WIDTH)?;
        self.batches(sink, |sink, start, rows, valid| {
            let (values, _) = values.window(start * WIDTH, rows * WIDTH)?.as_chunks();
            sink.numbers(values, valid, &number)
        })
    }

    fn decimals<const WIDTH: usize>(
        &self,
        sink: &mut impl Sink,
        scale: i8,
        integer: impl Fn(&[u8; WIDTH]) -> i128,
    ) -> Result<(), Fault> {
        match scale {
            0 => self.fixed(sink, integer),
            scale => self.fixed(sink, |bytes| decimal(integer(bytes), scale.into())),
        }
    }

    fn texts<const WIDTH: usize>(
        &self,
        sink: &mut impl Sink,
        offset: impl Fn(&[u8; WIDTH]) -> i64,
    ) -> Result<(), Fault> {
        if self.rows == 0 {
            return Ok(());
        }
        let offsets = self.whole(1, (self.rows + 1).saturating_mul(WIDTH))?;
        let (offsets, _) = offsets.as_chunks();
        let data = self.all(2)?;
        self.batches(sink, |sink, start, rows, valid| {
            let text = |pair: &[[u8; WIDTH]]| {
                let (from, to) = (usize::try_from(offset(&pair[0])), usize::try_from(offset(&pair[1])));
                from.ok().zip(to.ok()).and_then(|(from, to)| data.get(from..to))
            };
            let texts = offsets[start..=start + rows].windows(2).map(text).collect::<Option<Vec<_>>>();
            sink.texts(&texts.ok_or_else(|| Fault::damaged("texts beyond their buffer"))?, valid)
        })
    }

    /// Texts of which each row holds the length and either all bytes or where they are.
    fn views(&self, sink: &mut impl Sink) -> Result<(), Fault> {
        const INLINE_MAX: usize = 12;
        let views = self.whole(1, self.rows.saturating_mul(16))?;
        let (views, _) = views.as_chunks::<16>();
        let buffers = (2..self.place.buffers.len()).map(|i| self.all(i)).collect::<Result<Vec<_>, _>>()?;
        self.batches(sink, |sink, start, rows, valid| {
            let text = |(row, view): (usize, _)| {
                let view: &[u8; 16] = view;
                if valid.is_some_and(|valid| !valid[row]) {
                    return Some(&[][..]);
                }
                let number = |i: usize| view[i..].first_chunk().map(|bytes| u32::from_le_bytes(*bytes) as usize);
                let length = number(0)?;
                if length <= INLINE_MAX {
                    return view.get(4..4 + length);
                }
                let from = number(12)?;
                buffers.get(number(8)?)?.get(from..from + length)
            };
            let texts = views[start..start + rows].iter().enumerate().map(text).collect::<Option<Vec<_>>>();
            sink.texts(&texts.ok_or_else(|| Fault::damaged("texts beyond their buffers"))?, valid)
        })
    }

    /// A buffer of which `length` bytes are used, in memory.
    fn whole(&self, buffer: usize, length: usize) -> Result<Loan, Fault> {
        let whole = self.all(buffer)?;
        if whole.len() < length {
            return Err(Fault::damaged("a buffer is too short for its rows"));
        }
        Ok(whole)
    }

    /// A buffer, whatever its length.
    fn all(&self, buffer: usize) -> Result<Loan, Fault> {
        match self.source(buffer)? {
            Source::Memory(whole) => Ok(whole),
            Source::File(span) => {
                let mut whole = self.context.shelf.take(length(span)?)?;
                self.context.descriptor.read(span.offset, &mut whole)?;
                Ok(whole)
            }
        }
    }

    /// A buffer of which `length` bytes are used, at most `window` at a time.
    fn stream(&self, buffer: usize, used: Option<usize>, window: usize) -> Result<Stream<'_>, Fault> {
        let used = used.ok_or_else(|| Fault::damaged("too many rows"))?;
        let source = self.source(buffer)?;
        let (available, scratch) = match &source {
            Source::Memory(whole) => (whole.len(), None),
            Source::File(span) => (length(*span)?, Some(self.context.shelf.take(window.min(used))?)),
        };
        if available < used {
            return Err(Fault::damaged("a buffer is too short for its rows"));
        }
        Ok(Stream { descriptor: self.context.descriptor, source, scratch })
    }

    /// A buffer where it lies, or decompressed.
    fn source(&self, buffer: usize) -> Result<Source, Fault> {
        let span = *self.place.buffers.get(buffer).ok_or_else(|| Fault::damaged("a buffer is missing"))?;
        let Some(codec) = self.codec.filter(|_| span.length > 0) else { return Ok(Source::File(span)) };
        let mut size = [0; 8];
        self.context.descriptor.read(span.offset, &mut size)?;
        let short = || Fault::damaged("a compressed buffer is too short");
        let rest = Span { offset: span.offset + 8, length: span.length.checked_sub(8).ok_or_else(short)? };
        let size = match i64::from_le_bytes(size) {
            NOT_COMPRESSED => return Ok(Source::File(rest)),
            size => usize::try_from(size).map_err(|_| Fault::damaged("a negative size"))?,
        };
        let mut from = self.context.shelf.take(length(rest)?)?;
        self.context.descriptor.read(rest.offset, &mut from)?;
        let mut to = self.context.shelf.take(size)?;
        if Decompressor::new(codec).decompress(&from, &mut to)? != size {
            return Err(Fault::damaged("a buffer is not of its declared size"));
        }
        Ok(Source::Memory(to))
    }
}

fn length(span: Span) -> Result<usize, Fault> {
    usize::try_from(span.length).map_err(|_| Fault::damaged("too long a buffer"))
}

fn bit(bits: &[u8], row: usize) -> bool {
    bits[row / 8] >> (row % 8) & 1 == 1
}

enum Source {
    File(Span),
    Memory(Loan),
}

struct Stream<'a> {
    descriptor: &'a Descriptor,
    source: Source,
    scratch: Option<Loan>,
}

impl Stream<'_> {
    fn window(&mut self, start: usize, len: usize) -> Result<&[u8], Fault> {
        match (&self.source, &mut self.scratch) {
            (Source::File(span), Some(scratch)) => {
                self.descriptor.read(span.offset + start as u64, &mut scratch[..len])?;
                Ok(&scratch[..len])
            }
            (Source::File(_), None) => Err(Fault::damaged("no buffer to read into")),
            (Source::Memory(whole), _) => Ok(&whole[start..start + len]),
        }
    }
}
