//! Frames in the bytes of the wire: columns one after another, each in the sections that its header declares.

use std::{collections::HashSet, ops::Range, sync::Arc};

use arrow::{
    array::{BooleanArray, Date32Array, Float64Array, Int32Array, Int64Array},
    buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, ScalarBuffer},
};
use bytes::Bytes;
use fondaco_proto::{CHUNK_BYTES, ColumnKind, Error, FrameColumn, FrameHeader, Result, wire};

use super::{Cells, Column, Frame, Interner, Texts, cell_bytes};
use crate::memory::{Memory, Ticket};

/// A frame that is being received: consecutive bytes go into consecutive sections.
pub struct Incoming {
    header: FrameHeader,
    memory: Arc<Memory>,
    /// Of each column.
    sections: Vec<Vec<MutableBuffer>>,
    tickets: Vec<Ticket>,
    /// The section that is written: its column, its index there, and how many bytes it has.
    next: (usize, usize, usize),
    received: u64,
}

impl Incoming {
    /// Takes the memory that the header declares.
    ///
    /// # Errors
    /// `Limit` if it does not fit.
    pub fn new(header: FrameHeader, memory: &Arc<Memory>) -> Result<Self> {
        let rows = usize::try_from(header.rows).map_err(|_| Error::limit("a frame of too many rows (cells_max)"))?;
        let lengths = header.columns.iter().map(|column| column.sections(header.rows)).collect::<Result<Vec<_>>>()?;
        let mut tickets = Vec::with_capacity(lengths.len());
        for (column, lengths) in header.columns.iter().zip(&lengths) {
            // The ends of texts take twice what their lengths do.
            let ends = column.values.saturating_mul(8);
            let bytes = lengths.iter().fold(ends, |sum, length| sum.saturating_add(*length));
            tickets.push(memory.ticket(bytes.saturating_add(cell_bytes(column.field.kind, rows, false)))?);
        }
        // What was reserved fits the address space.
        let section = |length: &u64| MutableBuffer::from_len_zeroed(*length as usize);
        let sections = lengths.iter().map(|lengths| lengths.iter().map(section).collect()).collect();
        Ok(Self { header, memory: Arc::clone(memory), sections, tickets, next: (0, 0, 0), received: 0 })
    }

    /// Takes the next chunk.
    ///
    /// # Errors
    /// `Invalid` if it is out of order, or more than the header declares.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        if offset != self.received {
            let message = format!("chunks come in order: expected offset {}, got {offset}", self.received);
            return Err(Error::invalid(message));
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let (column, section, within) = self.next;
            let Some(sections) = self.sections.get_mut(column) else {
                return Err(Error::invalid("more bytes came than the header's columns have"));
            };
            let Some(buffer) = sections.get_mut(section) else {
                self.next = (column + 1, 0, 0);
                continue;
            };
            let count = rest.len().min(buffer.len() - within);
            let (now, later) = rest.split_at(count);
            buffer[within..within + count].copy_from_slice(now);
            self.next = if within + count == buffer.len() {
                (column, section + 1, 0)
            } else {
                (column, section, within + count)
            };
            self.received += count as u64;
            rest = later;
        }
        Ok(())
    }

    /// The frame; all of it has come.
    ///
    /// # Errors
    /// `Invalid` if bytes are missing, or are not what the header declares.
    pub fn finish(self) -> Result<Frame> {
        if self.received != self.header.bytes()? {
            let message = format!("the frame needs {} bytes; {} came", self.header.bytes()?, self.received);
            return Err(Error::invalid(message));
        }
        // It fitted when the sections were made.
        let rows = self.header.rows as usize;
        let mut columns = Vec::with_capacity(self.header.columns.len());
        for ((column, sections), ticket) in self.header.columns.iter().zip(self.sections).zip(self.tickets) {
            let cells = received(column, sections, rows, &self.memory)?;
            columns.push((column.field.name.clone(), Column::new(cells, ticket)));
        }
        Ok(Frame::new(rows, columns))
    }
}

fn wrong(column: &FrameColumn, what: &str) -> Error {
    Error::invalid(format!("column {:?} has {what}", column.field.name))
}

fn received(column: &FrameColumn, sections: Vec<MutableBuffer>, rows: usize, memory: &Arc<Memory>) -> Result<Cells> {
    let mut sections = sections.into_iter();
    let mut section = || sections.next().map(Buffer::from).ok_or_else(|| Error::internal("a section is missing"));
    let nulls = match column.nullable {
        true => Some(NullBuffer::new(BooleanBuffer::new(section()?, 0, rows))),
        false => None,
    };
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
    Ok(match column.field.kind {
        ColumnKind::Float64 => Cells::Float64(Float64Array::new(ScalarBuffer::from(section()?), nulls)),
        ColumnKind::Int64 => Cells::Int64(Int64Array::new(ScalarBuffer::from(section()?), nulls)),
        ColumnKind::Date => Cells::Date(Date32Array::new(ScalarBuffer::from(section()?), nulls)),
        ColumnKind::Bool => {
            let bytes = section()?;
            if bytes.iter().any(|byte| *byte > 1) {
                return Err(wrong(column, "a bool that is neither 0 nor 1"));
            }
            Cells::Bool(BooleanArray::new(BooleanBuffer::collect_bool(rows, |row| bytes[row] == 1), nulls))
        }
        ColumnKind::Text => {
            let (lengths, bytes) = (section()?, section()?);
            let texts = distinct(column, &lengths, &bytes, memory)?;
            let codes = ScalarBuffer::<i32>::from(section()?);
            let is_valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            let is_there = |code: i32| usize::try_from(code).is_ok_and(|code| code < texts.len());
            if codes.iter().enumerate().any(|(row, code)| is_valid(row) && !is_there(*code)) {
                return Err(wrong(column, "an index beyond its texts"));
            }
            Cells::Text(Int32Array::new(codes, nulls), texts)
        }
    })
}

fn distinct(column: &FrameColumn, lengths: &[u8], bytes: &[u8], memory: &Arc<Memory>) -> Result<Texts> {
    let mut ends = Vec::with_capacity(lengths.len() / 4);
    let mut end = 0_usize;
    for length in lengths.as_chunks::<4>().0 {
        end = end.saturating_add(u32::from_le_bytes(*length) as usize);
        ends.push(end);
    }
    if end != bytes.len() {
        return Err(wrong(column, "texts whose lengths are not those of their bytes"));
    }
    let ticket = memory.ticket(bytes.len() as u64)?;
    let all = std::str::from_utf8(bytes).map_err(|_| wrong(column, "a text that is not UTF-8"))?;
    if ends.iter().any(|end| !all.is_char_boundary(*end)) {
        return Err(wrong(column, "a text that is not UTF-8"));
    }
    let texts = Texts::new(all.to_owned(), ends, vec![ticket]);
    let _seen = memory.ticket(texts.len() as u64 * 2 * size_of::<&str>() as u64)?;
    let mut seen = HashSet::with_capacity(texts.len());
    if !texts.iter().all(|text| seen.insert(text)) {
        return Err(wrong(column, "a text twice among its distinct ones"));
    }
    drop(seen);
    Ok(texts)
}

/// The frame with no other texts than those that its rows have: what leaves holds nothing beside its rows.
///
/// # Errors
/// `Limit` if it does not fit the memory.
pub fn compacted(frame: &Frame, memory: &Arc<Memory>) -> Result<Frame> {
    let columns = frame.fields().iter().zip(frame.columns()).map(|(field, column)| {
        let column = match column.cells() {
            Cells::Text(codes, texts) => compacted_texts(codes, texts, memory)?,
            Cells::Float64(_) | Cells::Int64(_) | Cells::Bool(_) | Cells::Date(_) => column.clone(),
        };
        Ok((field.name.clone(), column))
    });
    Ok(Frame::new(frame.rows(), columns.collect::<Result<_>>()?))
}

fn compacted_texts(codes: &Int32Array, texts: &Texts, memory: &Arc<Memory>) -> Result<Column> {
    let ticket = Column::reserve(memory, ColumnKind::Text, codes.len())?;
    let _scratch = memory.ticket(texts.len() as u64 * size_of::<i32>() as u64)?;
    let mut renamed = vec![-1; texts.len()];
    let mut interner = Interner::new(memory);
    let mut cells = vec![0; codes.len()];
    for (cell, code) in cells.iter_mut().zip(codes) {
        let Some(code) = code else { continue };
        // Codes of rows that have a value are those of texts.
        let new = &mut renamed[code as usize];
        if *new < 0 {
            *new = interner.code(texts.get(code as usize))?;
        }
        *cell = *new;
    }
    let codes = Int32Array::new(cells.into(), arrow::array::Array::nulls(codes).cloned());
    Ok(Column::new(Cells::Text(codes, interner.finish()?), ticket))
}

/// What goes before the bytes of a frame.
pub fn header(frame: &Frame) -> FrameHeader {
    let column = |(field, column): (&fondaco_proto::Field, &Column)| {
        let (values, value_bytes) = match column.cells() {
            Cells::Text(_, texts) => (texts.len() as u64, texts.concatenated().len() as u64),
            Cells::Float64(_) | Cells::Int64(_) | Cells::Bool(_) | Cells::Date(_) => (0, 0),
        };
        FrameColumn { field: field.clone(), nullable: column.nulls().is_some(), values, value_bytes }
    };
    let columns = frame.fields().iter().zip(frame.columns()).map(column).collect();
    FrameHeader { rows: frame.rows() as u64, columns, blake3: None }
}

/// The bytes of a frame in chunks that are made when they are asked for.
pub struct Chunks {
    sections: Vec<Section>,
    section: usize,
    within: usize,
    offset: u64,
}

impl Chunks {
    /// All of them.
    pub fn of(frame: &Frame) -> Self {
        let sections = frame.columns().iter().flat_map(Section::of).collect();
        Self { sections, section: 0, within: 0, offset: 0 }
    }
}

impl Iterator for Chunks {
    type Item = wire::Chunk;

    fn next(&mut self) -> Option<wire::Chunk> {
        let mut data: Vec<u8> = Vec::new();
        while data.len() < CHUNK_BYTES {
            let Some(section) = self.sections.get(self.section) else { break };
            let end = section.len().min(self.within + CHUNK_BYTES - data.len());
            section.append(self.within..end, &mut data);
            (self.section, self.within) =
                if end == section.len() { (self.section + 1, 0) } else { (self.section, end) };
        }
        if data.is_empty() {
            return None;
        }
        let chunk = wire::Chunk { offset: self.offset, data: Bytes::from(data) };
        self.offset += chunk.data.len() as u64;
        Some(chunk)
    }
}

/// One section of a column.
enum Section {
    /// One bit for each row.
    Bits(NullBuffer),
    /// Cells as they are. Whoever makes a column writes zeros where there is no value, so that nothing hides there.
    Cells(Buffer),
    /// One byte for each row.
    Bools(BooleanBuffer),
    Lengths(Texts),
    Texts(Texts),
}

impl Section {
    fn of(column: &Column) -> Vec<Self> {
        let mut sections: Vec<Self> = column.nulls().cloned().map(Self::Bits).into_iter().collect();
        match column.cells() {
            Cells::Float64(cells) => sections.push(Self::Cells(cells.values().inner().clone())),
            Cells::Int64(cells) => sections.push(Self::Cells(cells.values().inner().clone())),
            Cells::Date(cells) => sections.push(Self::Cells(cells.values().inner().clone())),
            Cells::Bool(cells) => sections.push(Self::Bools(cells.values().clone())),
            Cells::Text(codes, texts) => {
                sections.extend([Self::Lengths(texts.clone()), Self::Texts(texts.clone())]);
                sections.push(Self::Cells(codes.values().inner().clone()));
            }
        }
        sections
    }

    fn len(&self) -> usize {
        match self {
            Self::Bits(nulls) => nulls.len().div_ceil(8),
            Self::Cells(bytes) => bytes.len(),
            Self::Bools(bits) => bits.len(),
            Self::Lengths(texts) => texts.len() * 4,
            Self::Texts(texts) => texts.concatenated().len(),
        }
    }

    fn append(&self, range: Range<usize>, out: &mut Vec<u8>) {
        match self {
            Self::Bits(nulls) => out.extend(range.map(|byte| {
                let bits = (8 * byte..nulls.len().min(8 * byte + 8)).enumerate();
                bits.fold(0, |byte, (i, row)| byte | u8::from(nulls.is_valid(row)) << i)
            })),
            Self::Cells(bytes) => out.extend_from_slice(&bytes[range]),
            Self::Bools(bits) => out.extend(range.map(|row| u8::from(bits.value(row)))),
            Self::Lengths(texts) => out.extend(range.map(|at| {
                // A text is as long as a message, at most.
                let length = u32::try_from(texts.get(at / 4).len()).unwrap_or(u32::MAX);
                length.to_le_bytes()[at % 4]
            })),
            Self::Texts(texts) => out.extend_from_slice(&texts.concatenated().as_bytes()[range]),
        }
    }
}
