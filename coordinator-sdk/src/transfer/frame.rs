//! Frames as bytes and back: columns one after another, each in the sections that its header declares.

use std::{ops::Range, sync::Arc};

use bytes::{Bytes, BytesMut};
use fondaco_proto::{CHUNK_BYTES, ColumnKind, Field, FrameColumn, FrameHeader, Shape};

use crate::{Frame, Series};

/// The rows that have each text first, and the number of each row's text.
type Dictionary = (Vec<usize>, Vec<u32>);

/// Rows of a frame of the coordinator, to be sent to a site.
#[derive(Clone)]
pub(crate) struct FrameUpload {
    frame: Arc<Frame>,
    rows: Range<usize>,
    /// Of each text column: the rows (within these) that have each text first, and the number of each row's text.
    texts: Arc<Vec<Option<Dictionary>>>,
}

impl FrameUpload {
    /// The rows `frame[rows]`, which lie within the frame.
    pub fn new(frame: Arc<Frame>, rows: Range<u64>) -> Self {
        let rows = rows.start as usize..rows.end as usize;
        let texts = frame.columns().map(|(_, series)| Some(Series::dictionary(&series.texts()?[rows.clone()])));
        let texts = Arc::new(texts.collect());
        Self { frame, rows, texts }
    }

    pub fn shape(&self) -> Shape {
        Shape::new(self.rows.len() as u64, self.frame.shape().columns)
    }

    /// Whether both are the same rows of the same frame.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.frame, &other.frame) && self.rows == other.rows
    }

    pub fn header(&self) -> FrameHeader {
        let column = |((name, series), texts): ((&str, &Series), &Option<Dictionary>)| {
            let (values, value_bytes) = match (texts, series.texts()) {
                (Some((firsts, _)), Some(cells)) => {
                    (firsts.len() as u64, firsts.iter().map(|row| self.text(cells, *row).len() as u64).sum())
                }
                _ => (0, 0),
            };
            let field = Field::new(name, series.kind());
            FrameColumn { field, nullable: has_nulls(series, &self.rows), values, value_bytes }
        };
        let columns = self.frame.columns().zip(self.texts.iter()).map(column).collect();
        FrameHeader { rows: self.rows.len() as u64, columns, blake3: None }
    }

    fn text<'a>(&self, cells: &'a [Option<String>], row: usize) -> &'a str {
        cells[self.rows.start + row].as_deref().unwrap_or_default()
    }

    /// Its bytes in chunks, each with its offset; a column's are made when its first chunk is asked for.
    pub fn chunks(self) -> impl Iterator<Item = (u64, Bytes)> + Send + 'static {
        let columns = self.frame.shape().columns as usize;
        let (mut column, mut offset) = (0, 0);
        let mut pending = BytesMut::new();
        std::iter::from_fn(move || {
            while pending.len() < CHUNK_BYTES && column < columns {
                self.append(column, &mut pending);
                column += 1;
            }
            let chunk = pending.split_to(pending.len().min(CHUNK_BYTES)).freeze();
            let at = offset;
            offset += chunk.len() as u64;
            (!chunk.is_empty()).then_some((at, chunk))
        })
    }

    fn append(&self, column: usize, out: &mut BytesMut) {
        let Some((_, series)) = self.frame.columns().nth(column) else { return };
        if has_nulls(series, &self.rows) {
            append_bits(series, &self.rows, out);
        }
        let rows = self.rows.clone();
        match series {
            Series::Float64(cells) => append_cells(&cells[rows], |cell| cell.to_le_bytes(), out),
            Series::Int64(cells) => append_cells(&cells[rows], |cell| cell.to_le_bytes(), out),
            Series::Date(cells) => append_cells(&cells[rows], |cell| cell.to_le_bytes(), out),
            Series::Bool(cells) => append_cells(&cells[rows], |cell| [u8::from(cell)], out),
            Series::Text(cells) => {
                let Some((firsts, codes)) = &self.texts[column] else { return };
                for row in firsts {
                    // A text is shorter than a message.
                    out.extend_from_slice(&(self.text(cells, *row).len() as u32).to_le_bytes());
                }
                firsts.iter().for_each(|row| out.extend_from_slice(self.text(cells, *row).as_bytes()));
                codes.iter().for_each(|code| out.extend_from_slice(&code.to_le_bytes()));
            }
        }
    }
}

fn append_cells<T: Copy + Default, const N: usize>(
    cells: &[Option<T>],
    bytes: impl Fn(T) -> [u8; N],
    out: &mut BytesMut,
) {
    out.reserve(N * cells.len());
    cells.iter().for_each(|cell| out.extend_from_slice(&bytes(cell.unwrap_or_default())));
}

fn has_nulls(series: &Series, rows: &Range<usize>) -> bool {
    rows.clone().any(|row| is_null(series, row))
}

fn is_null(series: &Series, row: usize) -> bool {
    match series {
        Series::Float64(cells) => cells[row].is_none(),
        Series::Int64(cells) => cells[row].is_none(),
        Series::Bool(cells) => cells[row].is_none(),
        Series::Text(cells) => cells[row].is_none(),
        Series::Date(cells) => cells[row].is_none(),
    }
}

fn append_bits(series: &Series, rows: &Range<usize>, out: &mut BytesMut) {
    let rows: Vec<usize> = rows.clone().collect();
    let byte =
        |rows: &[usize]| rows.iter().enumerate().fold(0, |b, (i, row)| b | u8::from(!is_null(series, *row)) << i);
    out.extend(rows.chunks(8).map(byte));
}

/// A frame that is being received.
pub(crate) struct FrameIncoming {
    header: FrameHeader,
    bytes: Vec<u8>,
    len: usize,
}

impl FrameIncoming {
    /// # Errors
    /// What is wrong with the header.
    pub fn new(header: FrameHeader, expected: Shape) -> Result<Self, String> {
        if header.shape() != expected {
            return Err(format!("a frame of shape {} instead of {expected}", header.shape()));
        }
        let len = header.bytes().map_err(|error| error.message().to_owned())?;
        let len = usize::try_from(len).map_err(|_| "a frame of too many bytes".to_owned())?;
        Ok(Self { header, bytes: Vec::new(), len })
    }

    /// Takes the next chunk.
    ///
    /// # Errors
    /// What is wrong with it: out of order, or more than the header declares.
    pub fn push(&mut self, offset: u64, data: &[u8]) -> Result<(), String> {
        if offset != self.bytes.len() as u64 || data.len() > self.len - self.bytes.len() {
            return Err(format!("a chunk of {} bytes at {offset} that does not fit", data.len()));
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// Bytes that it has.
    pub fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The frame; it was received whole.
    ///
    /// # Errors
    /// What is missing, or not what was declared.
    pub fn finish(self) -> Result<Frame, String> {
        if self.bytes.len() != self.len {
            return Err(format!("{} bytes of {}", self.bytes.len(), self.len));
        }
        if self.header.blake3.is_some_and(|expected| *blake3::hash(&self.bytes).as_bytes() != expected) {
            return Err("bytes that are not those that were hashed".to_owned());
        }
        let rows = self.header.rows as usize;
        let mut rest = self.bytes.as_slice();
        let mut columns = Vec::with_capacity(self.header.columns.len());
        for column in &self.header.columns {
            let lengths = column.sections(self.header.rows).map_err(|error| error.message().to_owned())?;
            let mut sections = Vec::with_capacity(lengths.len());
            for length in lengths {
                let (section, later) = rest.split_at(length as usize);
                sections.push(section);
                rest = later;
            }
            let series = series(column, &sections, rows).ok_or_else(|| format!("a {} column", column.field.kind))?;
            columns.push((column.field.name.clone(), series));
        }
        Frame::new(columns).map_err(|error| error.to_string())
    }
}

/// The cells of a column; `None` if they are not what was declared.
fn series(column: &FrameColumn, sections: &[&[u8]], rows: usize) -> Option<Series> {
    let (bits, sections) = if column.nullable { (Some(sections[0]), &sections[1..]) } else { (None, sections) };
    let valid = |row: usize| bits.is_none_or(|bits| bits[row / 8] >> (row % 8) & 1 == 1);
    fn cells<T, const N: usize>(
        bytes: &[u8],
        valid: impl Fn(usize) -> bool,
        cell: impl Fn([u8; N]) -> T,
    ) -> Vec<Option<T>> {
        let cells = bytes.as_chunks::<N>().0.iter().enumerate();
        cells.map(|(row, bytes)| valid(row).then(|| cell(*bytes))).collect()
    }
    Some(match column.field.kind {
        ColumnKind::Float64 => Series::Float64(cells(sections[0], valid, f64::from_le_bytes)),
        ColumnKind::Int64 => Series::Int64(cells(sections[0], valid, i64::from_le_bytes)),
        ColumnKind::Date => Series::Date(cells(sections[0], valid, i32::from_le_bytes)),
        ColumnKind::Bool => Series::Bool(cells(sections[0], valid, |[byte]: [u8; 1]| byte != 0)),
        ColumnKind::Text => {
            let mut rest = std::str::from_utf8(sections[1]).ok()?;
            let mut texts = Vec::with_capacity(column.values as usize);
            for length in sections[0].as_chunks::<4>().0 {
                let (text, later) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
                texts.push(text);
                rest = later;
            }
            let codes = cells(sections[2], valid, u32::from_le_bytes);
            let text = |code: Option<u32>| match code {
                Some(code) => texts.get(code as usize).map(|text| Some((*text).to_owned())),
                None => Some(None),
            };
            let texts: Vec<Option<String>> = codes.into_iter().map(text).collect::<Option<_>>()?;
            debug_assert_eq!(texts.len(), rows);
            Series::Text(texts)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_the_way() {
        for rows in [0, 1, 9, 40_000] {
            let every = |i: usize, gap: usize| i % gap != 1;
            let frame = Frame::new([
                ("f", Series::Float64((0..rows).map(|i| every(i, 3).then_some(i as f64 / 3.0)).collect())),
                ("i", Series::Int64((0..rows).map(|i| Some(i as i64 - 7)).collect())),
                ("b", Series::Bool((0..rows).map(|i| every(i, 7).then_some(i % 2 == 0)).collect())),
                ("t", Series::Text((0..rows).map(|i| every(i, 5).then(|| format!("ä{}", i % 13))).collect())),
                ("d", Series::Date((0..rows).map(|i| every(i, 2).then_some(i as i32)).collect())),
            ])
            .unwrap();
            let start = rows / 4;
            let upload = FrameUpload::new(Arc::new(frame.clone()), start as u64..rows as u64);
            let mut incoming = FrameIncoming::new(upload.header(), upload.shape()).unwrap();
            for (offset, chunk) in upload.clone().chunks() {
                incoming.push(offset, &chunk).unwrap();
            }
            let back = incoming.finish().unwrap();
            assert_eq!(back.fields(), frame.fields());
            let whole = FrameUpload::new(Arc::new(back.clone()), 0..back.nrows() as u64);
            assert_eq!(whole.header(), upload.header());
            let bytes = |upload: FrameUpload| upload.chunks().flat_map(|(_, chunk)| chunk.to_vec()).collect::<Vec<_>>();
            assert_eq!(bytes(whole), bytes(upload));
        }
    }
}
