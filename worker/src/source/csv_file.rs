//! CSV files: what is known of one after the pass over it, and the values of a block's columns.

use std::{path::Path, sync::Arc};

use super::{
    arrow_values::Context,
    csv_block::Block,
    csv_cells::{Fits, Nulls, date, float, integer, truth},
    csv_header::Header,
    csv_index::Indexing,
    csv_options::CsvOptions,
    csv_rows::{NOWHERE, Rows, Span},
    fault::Fault,
    file::Descriptor,
    number::Number,
    parquet_file::Opened,
    schema::Type,
    scratch::Shelf,
    sink::Sink,
};
use crate::memory::Memory;

/// Prefix of what is hashed as a file's footer, of which it has none.
const DOMAIN: &[u8] = b"fondaco csv 1";

/// What the pass over a file found.
pub(super) struct CsvFile {
    pub(super) blocks: Vec<Block>,
    /// Of each column: what its owner declared, or what fits its cells.
    pub(super) kinds: Vec<Kind>,
    delimiter: u8,
    nulls: Nulls,
}

/// How the type of a column is known.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Declared(Type),
    Inferred(Fits),
}

/// What a file is opened with.
#[derive(Clone, Copy)]
pub(super) struct Opening<'a> {
    pub(super) options: &'a CsvOptions,
    pub(super) memory: &'a Arc<Memory>,
    /// Columns that errors may name; empty: all.
    pub(super) shown: &'a [String],
}

impl CsvFile {
    pub(super) fn open(path: &Path, descriptor: &Descriptor, opening: Opening<'_>) -> Result<Opened<Self>, Fault> {
        let opened = Self::pass(path, descriptor, opening);
        // A file that changed explains whatever is wrong with it.
        if descriptor.is_unchanged() { opened } else { Err(Fault::Changed) }
    }

    fn pass(path: &Path, descriptor: &Descriptor, opening: Opening<'_>) -> Result<Opened<Self>, Fault> {
        let Opening { options, memory, shown } = opening;
        let is_tsv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tsv"));
        let delimiter = options.delimiter.map(|delimiter| delimiter.byte()).or(is_tsv.then_some(b'\t'));
        let shelf = Shelf::new(memory);
        let Header { names, delimiter, rest } = Header::read(descriptor, &shelf, options, delimiter)?;
        if let Some(unknown) = options.types.keys().find(|name| !names.contains(name)) {
            let what = match shown.is_empty() || shown.contains(unknown) {
                true => format!("it has no column {unknown:?}, for which its owner declared a type"),
                false => "it has not all columns for which its owner declared a type".to_owned(),
            };
            return Err(Fault::of(what, format!("no column {unknown:?}")));
        }
        let declared = |name: &String| options.types.get(name).map(|kind| kind.column_type());
        let kinds: Vec<Option<Type>> = names.iter().map(declared).collect();
        let columns: Vec<_> = names.into_iter().zip(kinds).collect();
        let nulls = Nulls::new(&options.nulls);
        let index = Indexing { memory, delimiter, nulls: &nulls, columns: &columns, shown }.index(rest)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(DOMAIN).update(blake3::hash(&options.canonical_bytes(delimiter)).as_bytes());
        for (name, _) in &columns {
            hasher.update(blake3::hash(name.as_bytes()).as_bytes());
        }
        hasher.update(index.digest.as_bytes());
        let kinds = columns.iter().zip(index.fits);
        let kinds = kinds.map(|((_, declared), fits)| declared.map_or(Kind::Inferred(fits), Kind::Declared)).collect();
        let file = Self { blocks: index.blocks, kinds, delimiter, nulls };
        let columns =
            columns.into_iter().zip(&file.kinds).map(|((name, _), kind)| (name, kind.column_type())).collect();
        Ok(Opened { file, columns, footer: *hasher.finalize().as_bytes() })
    }

    /// Decodes all the rows of some columns in a block, each into its sink. `all` are all the file's columns.
    pub(super) fn read<S: Sink>(
        &self,
        context: Context<'_>,
        (block, columns): (usize, &[usize]),
        all: &[(String, Type)],
        sinks: &mut [S],
    ) -> Result<(), Fault> {
        let block = self.blocks.get(block).ok_or_else(|| Fault::damaged("a block is missing"))?;
        // A column that is asked for twice is cut once.
        let mut places = vec![NOWHERE; all.len()];
        let mut used = 1;
        for column in columns {
            if places[*column] == NOWHERE {
                places[*column] = used;
                used += 1;
            }
        }
        const ROW_BYTES: usize = size_of::<&[u8]>() + size_of::<bool>();
        let (mut spans, _ticket) = block.spans((used, all.len()), ROW_BYTES, context.shelf)?;
        let mut bytes = block.load(context.descriptor, context.shelf)?;
        let mut rows = Rows::new(&mut bytes, block.len, self.delimiter);
        let mut left = block.rows;
        loop {
            context.cancel.check()?;
            let cut = rows.cut(&places, &mut spans);
            let cut = cut.map_err(|broken| block.fault(rows.bytes(), all.len(), &broken))?;
            left = left.checked_sub(cut).ok_or_else(|| Fault::damaged("a block has more rows than it had"))?;
            if cut == 0 {
                return if left == 0 { Ok(()) } else { Err(Fault::damaged("a block has fewer rows than it had")) };
            }
            for (column, sink) in columns.iter().zip(&mut *sinks) {
                if !sink.passes(cut) {
                    let cells = Cells { nulls: &self.nulls, rows: &rows, spans: spans.column(places[*column], cut) };
                    cells.give(all[*column].1, sink).map_err(|fault| fault.of_column(*column))?;
                }
            }
        }
    }
}

impl Kind {
    pub(super) fn column_type(self) -> Type {
        match self {
            Self::Declared(kind) => kind,
            Self::Inferred(fits) => fits.column_type(),
        }
    }
}

/// The cells of a column in some rows.
struct Cells<'a> {
    nulls: &'a Nulls,
    rows: &'a Rows<'a>,
    spans: &'a [Span],
}

impl<'a> Cells<'a> {
    fn give(&self, kind: Type, sink: &mut impl Sink) -> Result<(), Fault> {
        match kind {
            Type::Int(_) => self.numbers(sink, integer),
            Type::Float(_) => self.numbers(sink, float),
            Type::Bool => self.numbers(sink, truth),
            Type::Date => self.numbers(sink, date),
            Type::Text => {
                let texts: Vec<&[u8]> = self.iter().collect();
                let valid: Vec<bool> = texts.iter().map(|text| !self.nulls.has(text)).collect();
                sink.texts(&texts, Some(&valid))
            }
            // No cell is anything but null.
            _ => sink.numbers(&vec![0_u8; self.spans.len()], Some(&vec![false; self.spans.len()]), |value| *value),
        }
    }

    fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let rows = self.rows;
        self.spans.iter().map(|span| rows.field(*span))
    }

    fn numbers<N: Number + Default>(
        &self,
        sink: &mut impl Sink,
        number: impl Fn(&[u8]) -> Option<N>,
    ) -> Result<(), Fault> {
        let (mut values, mut valid) = (Vec::with_capacity(self.spans.len()), Vec::with_capacity(self.spans.len()));
        let mut nulls = 0;
        for cell in self.iter() {
            let is_null = self.nulls.has(cell);
            let value = if is_null { Some(N::default()) } else { number(cell) };
            values.push(value.ok_or_else(|| Fault::damaged("a cell is not of its column's type any more"))?);
            valid.push(!is_null);
            nulls += usize::from(is_null);
        }
        sink.numbers(&values, (nulls > 0).then_some(&valid), |value| *value)
    }
}
