//! One file of a dataset, whatever its format.

use std::{collections::HashMap, path::Path, sync::Arc};

use fondaco_lineage::FileIdentity;

use super::{
    arrow_file::ArrowFile,
    arrow_values::Context,
    csv_cells::Fits,
    csv_file::{CsvFile, Kind, Opening},
    fault::Fault,
    file::Descriptor,
    parquet_file::{Opened, ParquetFile},
    predicate::{Possible, Test},
    schema::Type,
    scratch::Shelf,
    sink::Sink,
};
use crate::cancel::Cancel;

const PARQUET_MAGIC: &[u8] = b"PAR1";
const ENCRYPTED_PARQUET_MAGIC: &[u8] = b"PARE";
const ARROW_MAGIC: &[u8] = b"ARROW1";
const FEATHER_1_MAGIC: &[u8] = b"FEA1";
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// What the names of CSV files end in; they have no magic.
pub(super) const CSV_EXTENSIONS: [&str; 2] = ["csv", "tsv"];

/// How much of a file is digested at a time.
const DIGEST_BYTES: usize = 1 << 20;

/// An open file of a dataset.
pub(super) struct Part {
    pub(super) descriptor: Arc<Descriptor>,
    pub(super) columns: Vec<(String, Type)>,
    /// The rows of each row group, record batch or block.
    pub(super) group_rows: Vec<usize>,
    digests: Digests,
    format: Format,
}

struct Digests {
    footer: [u8; 32],
    content: Option<[u8; 32]>,
}

enum Format {
    Parquet(ParquetFile),
    Arrow(ArrowFile),
    Csv(CsvFile),
}

impl Part {
    /// Opens a file. `is_csv` is what one of an unknown ending is taken for if it is nothing else.
    pub(super) fn open(path: &Path, digest_content: bool, csv: Opening<'_>, is_csv: bool) -> Result<Self, Fault> {
        let descriptor = Descriptor::open(path)?;
        let mut magic = [0; ARROW_MAGIC.len()];
        let len = magic.len().min(usize::try_from(descriptor.stat().size).unwrap_or(usize::MAX));
        descriptor.read(0, &mut magic[..len])?;
        let format = |what: &str| Err(Fault::of(what, "magic bytes"));
        let (format, columns, footer) = if has_extension(path, &CSV_EXTENSIONS) {
            let Opened { file, columns, footer } = CsvFile::open(path, &descriptor, csv)?;
            (Format::Csv(file), columns, footer)
        } else if magic.starts_with(PARQUET_MAGIC) {
            let Opened { file, columns, footer } = ParquetFile::open(&descriptor)?;
            (Format::Parquet(file), columns, footer)
        } else if magic.starts_with(ARROW_MAGIC) {
            let Opened { file, columns, footer } = ArrowFile::open(&descriptor)?;
            (Format::Arrow(file), columns, footer)
        } else if magic.starts_with(ENCRYPTED_PARQUET_MAGIC) {
            return format("a file is encrypted");
        } else if magic.starts_with(FEATHER_1_MAGIC) {
            return format("a file is Feather version 1; version 2 is read");
        } else if magic.starts_with(GZIP_MAGIC) {
            return format("a file is compressed with gzip; CSV is read as it is, and Parquet compresses better");
        } else if is_csv {
            let Opened { file, columns, footer } = CsvFile::open(path, &descriptor, csv)?;
            (Format::Csv(file), columns, footer)
        } else {
            return format(
                "a file is neither Parquet nor an Arrow IPC file, and its name does not end in .csv or .tsv",
            );
        };
        let group_rows = match &format {
            Format::Parquet(file) => file.group_rows().collect::<Result<Vec<_>, _>>()?,
            Format::Arrow(file) => file.batches.iter().map(|batch| batch.rows).collect(),
            Format::Csv(file) => file.blocks.iter().map(|block| block.rows as u64).collect(),
        };
        let group_rows = group_rows.into_iter().map(usize::try_from).collect::<Result<_, _>>();
        let content = digest_content.then(|| digest(&descriptor)).transpose()?;
        Ok(Self {
            descriptor: Arc::new(descriptor),
            columns,
            group_rows: group_rows.map_err(|_| Fault::damaged("too many rows"))?,
            digests: Digests { footer, content },
            format,
        })
    }

    pub(super) fn identity(&self) -> FileIdentity {
        let stat = self.descriptor.stat();
        FileIdentity {
            size: stat.size,
            mtime_ns: stat.mtime_ns,
            ctime_ns: stat.ctime_ns,
            device: stat.device,
            inode: stat.inode,
            footer: self.digests.footer,
            content: self.digests.content,
        }
    }

    fn csv_kinds(&self) -> Option<&[Kind]> {
        match &self.format {
            Format::Parquet(_) | Format::Arrow(_) => None,
            Format::Csv(file) => Some(&file.kinds),
        }
    }

    /// What a test of a column may be in a group, without a look at its rows.
    pub(super) fn possible(&self, group: usize, column: usize, test: &Test) -> Possible {
        match &self.format {
            Format::Parquet(file) => file.possible(group, column, self.columns[column].1, test),
            // Arrow files keep no statistics, and of CSV none are made.
            Format::Arrow(_) | Format::Csv(_) => Possible::ANYTHING,
        }
    }

    /// How many of `columns` are best decoded together: all where rows must be cut into their fields, else one by one.
    pub(super) fn columns_together(&self, columns: usize) -> usize {
        match &self.format {
            Format::Parquet(_) | Format::Arrow(_) => 1,
            Format::Csv(_) => columns.max(1),
        }
    }

    /// Decodes all the rows of some columns in a group, each into its sink.
    pub(super) fn read<S: Sink>(
        &self,
        (group, columns): (usize, &[usize]),
        shelf: &Shelf,
        cancel: &Cancel,
        sinks: &mut [S],
    ) -> Result<(), Fault> {
        let context = Context { descriptor: &self.descriptor, shelf, cancel };
        let mut each = columns.iter().copied().zip(&mut *sinks);
        match &self.format {
            Format::Parquet(file) => each.try_for_each(|(column, sink)| {
                let kind = self.columns[column].1;
                let read = file.read(&self.descriptor, (group, column, kind), shelf, cancel, sink);
                read.map_err(|fault| fault.of_column(column))
            }),
            Format::Arrow(file) => each.try_for_each(|(column, sink)| {
                file.read(context, (group, column), sink).map_err(|fault| fault.of_column(column))
            }),
            Format::Csv(file) => file.read(context, (group, columns), &self.columns, sinks),
        }
    }
}

/// Gives the columns of CSV files the types that fit their cells in all of them.
pub(super) fn settle(parts: &mut [Part]) {
    let mut all: HashMap<String, Kind> = HashMap::new();
    for part in parts.iter() {
        for ((name, _), kind) in part.columns.iter().zip(part.csv_kinds().unwrap_or_default()) {
            let all = all.entry(name.clone()).or_insert(Kind::Inferred(Fits::ANYTHING));
            *all = match (*all, *kind) {
                (Kind::Inferred(all), Kind::Inferred(fits)) => Kind::Inferred(all.and(fits)),
                (_, kind) => kind,
            };
        }
    }
    for part in parts.iter_mut().filter(|part| part.csv_kinds().is_some()) {
        for (name, column) in &mut part.columns {
            *column = all.get(name).map_or(*column, |kind| kind.column_type());
        }
    }
}

/// Whether a path ends in one of these, in letters of any case.
pub(super) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| extensions.iter().any(|known| known.eq_ignore_ascii_case(extension)))
}

fn digest(descriptor: &Descriptor) -> Result<[u8; 32], Fault> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; DIGEST_BYTES];
    let size = descriptor.stat().size;
    for start in (0..size).step_by(DIGEST_BYTES) {
        // At most the buffer's length.
        let len = (size - start).min(DIGEST_BYTES as u64) as usize;
        descriptor.read(start, &mut buffer[..len])?;
        hasher.update(&buffer[..len]);
    }
    Ok(*hasher.finalize().as_bytes())
}
