//! Arrow IPC files: the footer and where each column's buffers lie.
//!
//! Buffers are read one by one, so that a column costs its own bytes only, and nothing is allocated on the word of a
//! message. What their bytes mean is in `arrow_values`.

use std::collections::HashMap;

use arrow::{
    datatypes::{DataType, UnionMode},
    ipc::{
        Block, MetadataVersion, RecordBatch, convert::fb_to_schema, reader::read_footer_length, root_as_footer,
        root_as_message,
    },
};

use super::{decompress::Codec, fault::Fault, file::Descriptor, parquet_file::Opened, schema::Type};

/// How large a footer, or the metadata of a record batch, may be.
const METADATA_BYTES_MAX: u64 = 64 << 20;

/// The footer's length and the magic.
const TAIL_BYTES: usize = 10;

/// What an Arrow file says of itself.
pub(super) struct ArrowFile {
    pub(super) fields: Vec<Field>,
    pub(super) batches: Vec<Batch>,
    /// By their ids, in the order in which they apply; whether each adds to those before it.
    pub(super) dictionaries: HashMap<i64, Vec<(Batch, bool)>>,
}

/// A column.
pub(super) struct Field {
    pub(super) data_type: DataType,
    /// The id of its dictionary, if it has one.
    pub(super) dictionary: Option<i64>,
}

/// A record batch, or a dictionary of one column.
pub(super) struct Batch {
    pub(super) rows: u64,
    pub(super) codec: Option<Codec>,
    /// Of each column.
    pub(super) columns: Vec<Place>,
}

/// Where a column of a batch lies.
pub(super) struct Place {
    pub(super) rows: u64,
    pub(super) has_nulls: bool,
    /// Its buffers in the order of the format; none of those that a nested column's children have.
    pub(super) buffers: Vec<Span>,
}

/// Bytes of a file.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) offset: u64,
    pub(super) length: u64,
}

fn malformed(error: impl std::fmt::Display) -> Fault {
    Fault::damaged(format!("Arrow metadata: {error}"))
}

fn missing(what: &str) -> Fault {
    Fault::damaged(format!("Arrow metadata without {what}"))
}

fn natural(number: i64) -> Result<u64, Fault> {
    u64::try_from(number).map_err(|_| Fault::damaged("a negative length"))
}

impl ArrowFile {
    pub(super) fn open(descriptor: &Descriptor) -> Result<Opened<Self>, Fault> {
        let short = || Fault::damaged("a footer larger than its file");
        let tail_start = descriptor.stat().size.checked_sub(TAIL_BYTES as u64).ok_or_else(short)?;
        let mut tail = [0; TAIL_BYTES];
        descriptor.read(tail_start, &mut tail)?;
        let length = read_footer_length(tail).map_err(malformed)? as u64;
        let start = tail_start.checked_sub(length).ok_or_else(short)?;
        let bytes = descriptor.metadata_bytes(start, length, METADATA_BYTES_MAX)?;
        let footer = root_as_footer(&bytes).map_err(malformed)?;
        let schema = footer.schema().ok_or_else(|| missing("a schema"))?;
        if !schema.endianness().equals_to_target_endianness() {
            return Err(Fault::of("a file has the byte order of another machine", "endianness"));
        }
        let ids = schema.fields().into_iter().flatten().map(|field| field.dictionary().map(|of| of.id()));
        let schema = fb_to_schema(schema);
        let names = schema.fields().iter();
        let columns = names.map(|field| (field.name().clone(), Type::of_arrow(field.data_type()))).collect();
        let types = schema.fields().iter().map(|field| field.data_type().clone());
        let fields: Vec<Field> =
            types.zip(ids).map(|(data_type, dictionary)| Field { data_type, dictionary }).collect();
        let reader = Messages { descriptor, version: footer.version() };
        let types: Vec<&DataType> = fields.iter().map(|field| &field.data_type).collect();
        let batches = footer.recordBatches().into_iter().flatten();
        let batches = batches.map(|block| reader.batch(block, &types)).collect::<Result<_, _>>()?;
        let mut dictionaries: HashMap<i64, Vec<_>> = HashMap::new();
        for block in footer.dictionaries().into_iter().flatten() {
            if let Some((id, batch, adds)) = reader.dictionary(block, &fields)? {
                dictionaries.entry(id).or_default().push((batch, adds));
            }
        }
        let file = Self { fields, batches, dictionaries };
        Ok(Opened { file, columns, footer: *blake3::hash(&bytes).as_bytes() })
    }
}

/// The values of a dictionary-encoded column.
pub(super) fn dictionary_values(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::Dictionary(_, values) => Some(values),
        _ => None,
    }
}

struct Messages<'a> {
    descriptor: &'a Descriptor,
    version: MetadataVersion,
}

impl Messages<'_> {
    /// A message's metadata, and where its body starts and how long it is.
    fn message(&self, block: &Block) -> Result<(Vec<u8>, Span), Fault> {
        let (offset, length) = (natural(block.offset())?, natural(i64::from(block.metaDataLength()))?);
        let mut bytes = self.descriptor.metadata_bytes(offset, length, METADATA_BYTES_MAX)?;
        // Before the metadata stand a marker, which old files lack, and its length.
        let prefix = if bytes.starts_with(&[0xff; 4]) { 8 } else { 4 };
        bytes.drain(..prefix.min(bytes.len()));
        let body = Span { offset: offset + length, length: natural(block.bodyLength())? };
        self.descriptor.check(body.offset, body.length)?;
        Ok((bytes, body))
    }

    fn batch(&self, block: &Block, types: &[&DataType]) -> Result<Batch, Fault> {
        let (bytes, body) = self.message(block)?;
        let message = root_as_message(&bytes).map_err(malformed)?;
        let batch = message.header_as_record_batch().ok_or_else(|| missing("a record batch"))?;
        self.places(&batch, body, types)
    }

    /// A dictionary's id, its values, and whether they add to those before; `None` if no column uses it.
    fn dictionary(&self, block: &Block, fields: &[Field]) -> Result<Option<(i64, Batch, bool)>, Fault> {
        let (bytes, body) = self.message(block)?;
        let message = root_as_message(&bytes).map_err(malformed)?;
        let dictionary = message.header_as_dictionary_batch().ok_or_else(|| missing("a dictionary"))?;
        let user = fields.iter().find(|field| field.dictionary == Some(dictionary.id()));
        let Some(values) = user.and_then(|field| dictionary_values(&field.data_type)) else { return Ok(None) };
        let batch = dictionary.data().ok_or_else(|| missing("a dictionary's values"))?;
        Ok(Some((dictionary.id(), self.places(&batch, body, &[values])?, dictionary.isDelta())))
    }

    fn places(&self, batch: &RecordBatch<'_>, body: Span, types: &[&DataType]) -> Result<Batch, Fault> {
        let codec = batch.compression().map(|compression| Codec::of_arrow(compression.codec())).transpose()?;
        let spans = batch.buffers().into_iter().flatten().map(|buffer| {
            let (offset, length) = (natural(buffer.offset())?, natural(buffer.length())?);
            match offset.checked_add(length) {
                Some(end) if end <= body.length => Ok(Span { offset: body.offset + offset, length }),
                _ => Err(Fault::damaged("a buffer beyond its body")),
            }
        });
        let spans = spans.collect::<Result<Vec<_>, Fault>>()?;
        let nodes: Vec<(i64, i64)> =
            batch.nodes().into_iter().flatten().map(|node| (node.length(), node.null_count())).collect();
        let variadic: Vec<i64> = batch.variadicBufferCounts().into_iter().flatten().collect();
        let mut walk = Walk {
            nodes: nodes.iter(),
            spans: spans.iter(),
            variadic: variadic.iter(),
            has_union_validity: self.version < MetadataVersion::V5,
        };
        let columns = types.iter().map(|data_type| {
            let place = walk.column(data_type).ok_or_else(|| missing("all buffers"))?;
            let (rows, nulls) = (natural(place.0)?, natural(place.1)?);
            Ok(Place { rows, has_nulls: nulls > 0, buffers: place.2 })
        });
        Ok(Batch { rows: natural(batch.length())?, codec, columns: columns.collect::<Result<_, Fault>>()? })
    }
}

/// Nodes and buffers stand in the order of the columns, depth first.
struct Walk<'a> {
    nodes: std::slice::Iter<'a, (i64, i64)>,
    spans: std::slice::Iter<'a, Span>,
    variadic: std::slice::Iter<'a, i64>,
    has_union_validity: bool,
}

impl Walk<'_> {
    /// Length, null count and own buffers of the next column; `None` if there are too few.
    fn column(&mut self, data_type: &DataType) -> Option<(i64, i64, Vec<Span>)> {
        let (rows, nulls) = *self.nodes.next()?;
        let (own, children): (usize, Vec<&DataType>) = match data_type {
            DataType::Null => (0, Vec::new()),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => (3, Vec::new()),
            DataType::Utf8View | DataType::BinaryView => {
                (usize::try_from(*self.variadic.next()?).ok()?.checked_add(2)?, Vec::new())
            }
            DataType::List(child) | DataType::LargeList(child) | DataType::Map(child, _) => {
                (2, vec![child.data_type()])
            }
            DataType::ListView(child) | DataType::LargeListView(child) => (3, vec![child.data_type()]),
            DataType::FixedSizeList(child, _) => (1, vec![child.data_type()]),
            DataType::Struct(fields) => (1, fields.iter().map(|field| field.data_type()).collect()),
            DataType::Union(fields, mode) => {
                let own = 1 + usize::from(*mode == UnionMode::Dense) + usize::from(self.has_union_validity);
                (own, fields.iter().map(|(_, field)| field.data_type()).collect())
            }
            DataType::RunEndEncoded(ends, values) => (0, vec![ends.data_type(), values.data_type()]),
            // Numbers, keys of dictionaries, and other bytes of fixed width.
            _ => (2, Vec::new()),
        };
        if own > self.spans.len() {
            return None;
        }
        let buffers = self.spans.by_ref().take(own).copied().collect();
        for child in children {
            self.column(child)?;
        }
        Some((rows, nulls, buffers))
    }
}
