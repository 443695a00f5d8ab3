//! One file of a dataset, whatever its format.

use std::{path::Path, sync::Arc};

use fondaco_lineage::FileIdentity;

use super::{
    arrow_file::ArrowFile,
    arrow_values::Context,
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

/// How much of a file is digested at a time.
const DIGEST_BYTES: usize = 1 << 20;

/// An open file of a dataset.
pub(super) struct Part {
    pub(super) descriptor: Arc<Descriptor>,
    pub(super) columns: Vec<(String, Type)>,
    /// The rows of each row group or record batch.
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
}

impl Part {
    pub(super) fn open(path: &Path, digest_content: bool) -> Result<Self, Fault> {
        let descriptor = Descriptor::open(path)?;
        let mut magic = [0; ARROW_MAGIC.len()];
        let len = magic.len().min(usize::try_from(descriptor.stat().size).unwrap_or(usize::MAX));
        descriptor.read(0, &mut magic[..len])?;
        let format = |what: &str| Err(Fault::of(what, "magic bytes"));
        let (format, columns, footer) = if magic.starts_with(PARQUET_MAGIC) {
            let Opened { file, columns, footer } = ParquetFile::open(&descriptor)?;
            (Format::Parquet(file), columns, footer)
        } else if magic.starts_with(ARROW_MAGIC) {
            let Opened { file, columns, footer } = ArrowFile::open(&descriptor)?;
            (Format::Arrow(file), columns, footer)
        } else if magic.starts_with(ENCRYPTED_PARQUET_MAGIC) {
            return format("a file is encrypted");
        } else if magic.starts_with(FEATHER_1_MAGIC) {
            return format("a file is Feather version 1; version 2 is read");
        } else {
            return format("a file is neither Parquet nor an Arrow IPC file");
        };
        let group_rows = match &format {
            Format::Parquet(file) => file.group_rows().collect::<Result<Vec<_>, _>>()?,
            Format::Arrow(file) => file.batches.iter().map(|batch| batch.rows).collect(),
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

    /// What a test of a column may be in a group, without a look at its rows.
    pub(super) fn possible(&self, group: usize, column: usize, test: &Test) -> Possible {
        match &self.format {
            Format::Parquet(file) => file.possible(group, column, self.columns[column].1, test),
            // Arrow files keep no statistics.
            Format::Arrow(_) => Possible::ANYTHING,
        }
    }

    /// Decodes all the rows of a column in a group.
    pub(super) fn read(
        &self,
        (group, column): (usize, usize),
        shelf: &Shelf,
        cancel: &Cancel,
        sink: &mut impl Sink,
    ) -> Result<(), Fault> {
        match &self.format {
            Format::Parquet(file) => {
                file.read(&self.descriptor, (group, column, self.columns[column].1), shelf, cancel, sink)
            }
            Format::Arrow(file) => {
                file.read(Context { descriptor: &self.descriptor, shelf, cancel }, (group, column), sink)
            }
        }
    }
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
