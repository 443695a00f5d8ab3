//! Parquet: the footer, what its statistics exclude, and the values of a column chunk.

use std::sync::Arc;

use parquet::{
    basic::{ColumnOrder, SortOrder},
    column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader},
    data_type::DataType,
    file::{
        FOOTER_SIZE,
        metadata::{ColumnChunkMetaData, FooterTail, ParquetMetaData, ParquetMetaDataReader},
        statistics::{Statistics, ValueStatistics},
    },
};

use super::{
    fault::Fault,
    file::Descriptor,
    number::{Half, Number, big_endian, decimal},
    pages::{Nulls, Pages, TEXT_BATCH},
    predicate::{Possible, Test},
    schema::Type,
    scratch::Shelf,
    sink::Sink,
};
use crate::cancel::Cancel;

/// How large a footer may be.
const FOOTER_BYTES_MAX: u64 = 256 << 20;

/// How many rows of numbers are decoded at a time: few enough to stay in the fastest cache.
const BATCH: usize = 4096;

/// What a Parquet file says of itself.
pub(super) struct ParquetFile {
    metadata: ParquetMetaData,
    /// For each column the index of its values, unless it is nested.
    leaves: Vec<Option<usize>>,
}

/// A footer as it lies in the file: what was made of it, and its bytes' digest.
pub(super) struct Opened<T> {
    pub(super) file: T,
    pub(super) columns: Vec<(String, Type)>,
    pub(super) footer: [u8; 32],
}

impl ParquetFile {
    pub(super) fn open(descriptor: &Descriptor) -> Result<Opened<Self>, Fault> {
        let size = descriptor.stat().size;
        let tail_start = size.checked_sub(FOOTER_SIZE as u64).ok_or_else(|| Fault::damaged("too short"))?;
        let mut tail = [0; FOOTER_SIZE];
        descriptor.read(tail_start, &mut tail)?;
        let tail = FooterTail::try_new(&tail)?;
        if tail.is_encrypted_footer() {
            return Err(Fault::of("a file is encrypted", "encrypted footer"));
        }
        let length = tail.metadata_length() as u64;
        let start = tail_start.checked_sub(length).ok_or_else(|| Fault::damaged("a footer larger than its file"))?;
        let footer = descriptor.metadata_bytes(start, length, FOOTER_BYTES_MAX)?;
        let metadata = ParquetMetaDataReader::decode_metadata(&footer)?;
        let schema = metadata.file_metadata().schema_descr();
        let mut leaves = vec![None; schema.root_schema().get_fields().len()];
        for leaf in 0..schema.num_columns() {
            let column = schema.column(leaf);
            if column.path().parts().len() == 1 && column.max_rep_level() == 0 {
                leaves[schema.get_column_root_idx(leaf)] = Some(leaf);
            }
        }
        let fields = schema.root_schema().get_fields();
        let columns = fields.iter().map(|field| (field.name().to_owned(), Type::of_parquet(field))).collect();
        Ok(Opened { file: Self { metadata, leaves }, columns, footer: *blake3::hash(&footer).as_bytes() })
    }

    /// The rows of each row group.
    pub(super) fn group_rows(&self) -> impl Iterator<Item = Result<u64, Fault>> {
        let rows = |rows: i64| u64::try_from(rows).map_err(|_| Fault::damaged("a negative number of rows"));
        self.metadata.row_groups().iter().map(move |group| rows(group.num_rows()))
    }

    fn chunk(&self, group: usize, column: usize) -> Option<(usize, &ColumnChunkMetaData)> {
        let leaf = *self.leaves.get(column)?.as_ref()?;
        Some((leaf, self.metadata.row_groups().get(group)?.columns().get(leaf)?))
    }

    /// What a test may be in a row group.
    pub(super) fn possible(&self, group: usize, column: usize, kind: Type, test: &Test) -> Possible {
        let Some((leaf, chunk)) = self.chunk(group, column) else { return Possible::ANYTHING };
        let statistics = chunk.statistics();
        let required = chunk.column_descr().max_def_level() == 0;
        let nulls = if required { Some(0) } else { statistics.and_then(Statistics::null_count_opt) };
        let (some_null, some_value) = match nulls {
            None => (true, true),
            Some(nulls) => (nulls > 0, nulls != u64::try_from(chunk.num_values()).unwrap_or(u64::MAX)),
        };
        if matches!(test, Test::IsNull) {
            return Possible { yes: some_null, no: some_value, unknown: false };
        }
        let order = self.metadata.file_metadata().column_order(leaf);
        let among = match statistics {
            Some(statistics) if some_value => among_values(statistics, order, kind, test),
            _ => Possible::ANYTHING,
        };
        Possible { yes: among.yes && some_value, no: among.no && some_value, unknown: some_null }
    }

    /// Decodes all the rows of a column in a row group.
    pub(super) fn read(
        &self,
        descriptor: &Arc<Descriptor>,
        (group, column, kind): (usize, usize, Type),
        shelf: &Shelf,
        cancel: &Cancel,
        sink: &mut impl Sink,
    ) -> Result<(), Fault> {
        let (_, chunk) = self.chunk(group, column).ok_or_else(|| Fault::damaged("a column chunk is missing"))?;
        let rows = self.metadata.row_group(group).num_rows();
        if chunk.num_values() != rows {
            return Err(Fault::damaged("a column chunk does not have the rows of its row group"));
        }
        let rows = usize::try_from(rows).map_err(|_| Fault::damaged("a negative number of rows"))?;
        let decode = |nulls: Nulls, sink: &mut _| {
            let pages = Pages::new(descriptor, chunk, (rows, nulls), shelf)?;
            let description = pages.description(chunk);
            let decoder = Decoder { rows, nullable: description.max_def_level() > 0, cancel };
            decoder.decode(get_column_reader(description, Box::new(pages)), kind, sink)
        };
        match decode(Nulls::of(chunk), &mut *sink) {
            Err(Fault::HiddenNulls) => {
                sink.rewind();
                decode(Nulls::Some, sink)
            }
            outcome => outcome,
        }
    }
}

/// The outcomes of a comparison in a column chunk, nulls aside.
fn among_values(statistics: &Statistics, order: ColumnOrder, kind: Type, test: &Test) -> Possible {
    fn bounds<T>(values: &ValueStatistics<T>) -> Option<(&T, &T)> {
        values.min_opt().zip(values.max_opt())
    }
    // The fields of old were compared as signed numbers whatever the type.
    let is_signed_order = matches!(order, ColumnOrder::TYPE_DEFINED_ORDER(SortOrder::SIGNED) | ColumnOrder::UNDEFINED);
    let is_unsigned_order =
        matches!(order, ColumnOrder::TYPE_DEFINED_ORDER(SortOrder::UNSIGNED)) && !statistics.is_min_max_deprecated();
    let known = match (statistics, kind) {
        (Statistics::Boolean(values), Type::Bool) => bounds(values).map(|(min, max)| test.between(*min, *max)),
        (Statistics::Int32(values), Type::Uint(_)) if is_unsigned_order => {
            bounds(values).map(|(min, max)| test.between(*min as u32, *max as u32))
        }
        (Statistics::Int64(values), Type::Uint(_)) if is_unsigned_order => {
            bounds(values).map(|(min, max)| test.between(*min as u64, *max as u64))
        }
        (_, Type::Uint(_)) => None,
        (Statistics::Int32(values), Type::Decimal(scale)) if is_signed_order => {
            bounds(values).map(|(min, max)| test.between(decimal((*min).into(), scale), decimal((*max).into(), scale)))
        }
        (Statistics::Int64(values), Type::Decimal(scale)) if is_signed_order => {
            bounds(values).map(|(min, max)| test.between(decimal((*min).into(), scale), decimal((*max).into(), scale)))
        }
        (Statistics::Int32(values), _) if is_signed_order => bounds(values).map(|(min, max)| test.between(*min, *max)),
        (Statistics::Int64(values), _) if is_signed_order => bounds(values).map(|(min, max)| test.between(*min, *max)),
        (Statistics::Float(values), _) => bounds(values).map(|(min, max)| with_nan(test, test.between(*min, *max))),
        (Statistics::Double(values), _) => bounds(values).map(|(min, max)| with_nan(test, test.between(*min, *max))),
        (Statistics::ByteArray(values), Type::Text) if is_unsigned_order => {
            bounds(values).map(|(min, max)| test.between_texts(min.data(), max.data()))
        }
        _ => None,
    };
    known.unwrap_or(Possible::ANYTHING)
}

/// Bounds of floating-point numbers do not tell whether there are NaN beside them.
fn with_nan(test: &Test, among: Possible) -> Possible {
    let Test::Number(op, _) = test else { return Possible::ANYTHING };
    let holds = op.holds(None);
    Possible { yes: among.yes || holds, no: among.no || !holds, ..among }
}

/// Values of one column chunk, batch by batch.
struct Decoder<'a> {
    rows: usize,
    nullable: bool,
    cancel: &'a Cancel,
}

impl Decoder<'_> {
    fn decode(&self, reader: ColumnReader, kind: Type, sink: &mut impl Sink) -> Result<(), Fault> {
        match reader {
            ColumnReader::BoolColumnReader(reader) => self.numbers(reader, BATCH, sink, |value| *value),
            ColumnReader::FloatColumnReader(reader) => self.numbers(reader, BATCH, sink, |value| *value),
            ColumnReader::DoubleColumnReader(reader) => self.numbers(reader, BATCH, sink, |value| *value),
            ColumnReader::Int32ColumnReader(reader) => match kind {
                Type::Uint(_) => self.numbers(reader, BATCH, sink, |value| *value as u32),
                Type::Decimal(scale) if scale != 0 => {
                    self.numbers(reader, BATCH, sink, |value| decimal(i128::from(*value), scale))
                }
                _ => self.numbers(reader, BATCH, sink, |value| *value),
            },
            ColumnReader::Int64ColumnReader(reader) => match kind {
                Type::Uint(_) => self.numbers(reader, BATCH, sink, |value| *value as u64),
                Type::Decimal(scale) if scale != 0 => {
                    self.numbers(reader, BATCH, sink, |value| decimal(i128::from(*value), scale))
                }
                _ => self.numbers(reader, BATCH, sink, |value| *value),
            },
            ColumnReader::Int96ColumnReader(reader) => self
                .batches(reader, BATCH, sink, |sink, values, valid| sink.texts(&vec![[0_u8; 0]; values.len()], valid)),
            ColumnReader::ByteArrayColumnReader(reader) => self.bytes(reader, kind, sink),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => self.bytes(reader, kind, sink),
        }
    }

    fn bytes<T: DataType>(&self, reader: ColumnReaderImpl<T>, kind: Type, sink: &mut impl Sink) -> Result<(), Fault>
    where
        T::T: AsRef<[u8]>,
    {
        let integer = |value: &T::T| big_endian(value.as_ref()).unwrap_or(0);
        match kind {
            Type::Float(_) => self.numbers(reader, TEXT_BATCH, sink, |value| {
                Half(value.as_ref().first_chunk().map_or(0, |bytes| u16::from_le_bytes(*bytes)))
            }),
            Type::Decimal(0) => self.numbers(reader, TEXT_BATCH, sink, integer),
            Type::Decimal(scale) => self.numbers(reader, TEXT_BATCH, sink, |value| decimal(integer(value), scale)),
            _ => self.batches(reader, TEXT_BATCH, sink, |sink, values, valid| sink.texts(values, valid)),
        }
    }

    fn numbers<T: DataType, N: Number>(
        &self,
        reader: ColumnReaderImpl<T>,
        batch: usize,
        sink: &mut impl Sink,
        number: impl Fn(&T::T) -> N,
    ) -> Result<(), Fault> {
        self.batches(reader, batch, sink, |sink, values, valid| sink.numbers(values, valid, &number))
    }

    fn batches<T: DataType, S: Sink>(
        &self,
        mut reader: ColumnReaderImpl<T>,
        batch: usize,
        sink: &mut S,
        mut give: impl FnMut(&mut S, &[T::T], Option<&[bool]>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let (mut values, mut levels, mut valid) = (Vec::new(), Vec::new(), Vec::new());
        for start in (0..self.rows).step_by(batch) {
            self.cancel.check()?;
            let rows = batch.min(self.rows - start);
            if sink.passes(rows) {
                if reader.skip_records(rows)? != rows {
                    return Err(Fault::damaged("pages hold fewer rows than their row group"));
                }
                continue;
            }
            values.clear();
            levels.clear();
            let (records, present, _) =
                reader.read_records(rows, self.nullable.then_some(&mut levels), None, &mut values)?;
            if records != rows {
                return Err(Fault::damaged("pages hold fewer rows than their row group"));
            }
            if present == rows {
                give(sink, &values, None)?;
                continue;
            }
            valid.clear();
            valid.extend(levels.iter().map(|level| *level > 0));
            spread(&mut values, &valid);
            give(sink, &values, Some(&valid))?;
        }
        values.clear();
        levels.clear();
        match reader.read_records(1, self.nullable.then_some(&mut levels), None, &mut values)? {
            (0, ..) => Ok(()),
            _ => Err(Fault::damaged("pages hold more rows than their row group")),
        }
    }
}

/// Moves each value to the row that is its own; rows that are not valid have any value.
fn spread<V: Clone + Default>(values: &mut Vec<V>, valid: &[bool]) {
    let mut next = values.len();
    values.resize(valid.len(), V::default());
    for (row, valid) in valid.iter().enumerate().rev() {
        // Without a branch: which rows are null is hard to foresee. `next` is the number of values before this row.
        next = next.saturating_sub(usize::from(*valid));
        values[row] = values[next].clone();
    }
}
