//! The owner's files as matrices and frames.
//!
//! A [`Dataset`] is a name and the place of its [`Files`]: Parquet, Arrow IPC or CSV, one or a folder of parts. A
//! [`Snapshot`] is what they held at one moment; it plans reads against their metadata and reads columns straight into
//! the tiles of a matrix, or into typed columns. Files are read with positioned reads on the descriptor that the snapshot opened, and are
//! hostile until proven otherwise: sizes are checked before they are believed, scratch memory is counted, and a decoder
//! that panics is an error of the file.
//!
//! `part` is one file, `parquet_file`, `arrow_file` and `csv_file` its formats, `sink` and `columns` where decoded rows
//! go, `reading` the whole of one read.

mod arrow_dictionary;
mod arrow_file;
mod arrow_values;
mod bits;
mod columns;
mod csv_block;
mod csv_cells;
mod csv_file;
mod csv_header;
mod csv_index;
mod csv_options;
mod csv_rows;
mod decompress;
mod fault;
mod file;
mod levels;
mod number;
mod pages;
mod parquet_file;
mod part;
mod plan;
mod predicate;
mod reading;
mod row_filter;
mod schema;
mod scratch;
mod sink;
mod snapshot;
mod stream;
#[cfg(test)]
mod tests;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use fondaco_proto::Result;

use self::{
    csv_file::Opening,
    fault::{Fault, guarded},
    file::{Stat, cannot_open},
    part::{CSV_EXTENSIONS, Part, has_extension, settle},
    snapshot::told,
};
pub use self::{
    csv_options::{CsvOptions, CsvType, Delimiter},
    plan::ReadPlan,
    row_filter::RowFilter,
    schema::Column,
    snapshot::Snapshot,
    stream::{Slab, Streamed},
};
use crate::memory::Memory;

/// How many parts a dataset may have: each keeps a descriptor open.
const PARTS_MAX: usize = 512;

/// What the names of parts end in, beside those of CSV.
const EXTENSIONS: [&str; 4] = ["parquet", "arrow", "ipc", "feather"];

/// Where a dataset lies: one file, or a folder of parts.
#[derive(Clone)]
pub struct Files {
    path: PathBuf,
    csv: Option<CsvOptions>,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Files(..)")
    }
}

impl Files {
    /// At this path. Of a folder, the files ending in `.parquet`, `.arrow`, `.ipc`, `.feather`, `.csv` and `.tsv` are
    /// the parts, in the order of their names; hidden ones are not.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), csv: None }
    }

    /// How CSV files are read. With it, a single file of another ending is one unless it is Parquet or Arrow.
    #[must_use]
    pub fn with_csv(mut self, csv: Option<CsvOptions>) -> Self {
        self.csv = csv;
        self
    }

    /// The files there are now, in the order of their rows, and their states.
    fn find(&self) -> Result<(Vec<PathBuf>, Vec<Stat>), Fault> {
        let stat = |path: &Path| fs::metadata(path).map_err(cannot_open);
        let metadata = stat(&self.path)?;
        if !metadata.is_dir() {
            return Ok((vec![self.path.clone()], vec![Stat::of(&metadata)]));
        }
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(cannot_open)? {
            let path = entry.map_err(cannot_open)?.path();
            if is_part(&path) {
                paths.push(path);
            }
        }
        paths.sort();
        if paths.is_empty() {
            return Err(Fault::of("its folder has no Parquet, Arrow or CSV file", "an empty folder"));
        }
        if paths.len() > PARTS_MAX {
            return Err(Fault::of(format!("it has more than {PARTS_MAX} parts"), format!("{} parts", paths.len())));
        }
        let stats = paths.iter().map(|path| Ok(Stat::of(&stat(path)?))).collect::<Result<_, Fault>>()?;
        Ok((paths, stats))
    }
}

fn is_part(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    // A compressed CSV file that is not read is an error: without it, rows would be missing.
    let is_gzip = has_extension(path, &["gz"]) && has_extension(&path.with_extension(""), &CSV_EXTENSIONS);
    !hidden && (has_extension(path, &EXTENSIONS) || has_extension(path, &CSV_EXTENSIONS) || is_gzip)
}

/// A named table in the owner's files.
#[derive(Debug)]
pub struct Dataset {
    name: String,
    files: Files,
    digest_content: bool,
    shown: Vec<String>,
    memory: Arc<Memory>,
    current: Mutex<Option<Arc<Snapshot>>>,
}

impl Dataset {
    /// A dataset of these files; nothing is opened yet.
    pub fn new(name: String, files: Files) -> Self {
        let memory = Memory::new(u64::MAX);
        Self { name, files, digest_content: false, shown: Vec::new(), memory, current: Mutex::default() }
    }

    /// Where the scratch of looking at its files is counted.
    #[must_use]
    pub fn with_memory(mut self, memory: &Arc<Memory>) -> Self {
        self.memory = Arc::clone(memory);
        self
    }

    /// The columns that errors of CSV files may name; none of them: all.
    #[must_use]
    pub fn with_columns_shown(mut self, shown: &[String]) -> Self {
        self.shown = shown.to_vec();
        self
    }

    /// Whether the identity of a file covers all its bytes; each change costs reading the whole file.
    #[must_use]
    pub fn with_content_digest(mut self, digest_content: bool) -> Self {
        self.digest_content = digest_content;
        self
    }

    /// The dataset as its files are now; the same snapshot as long as they do not change. Blocks on the file system.
    ///
    /// # Errors
    /// `Data` if a file is missing, damaged, of another format, or of another schema than the first.
    pub fn snapshot(&self) -> Result<Arc<Snapshot>> {
        // A panic leaves the last complete snapshot, or none.
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        guarded(|| {
            let (paths, stats) = self.files.find()?;
            if let Some(snapshot) = current.as_ref().filter(|snapshot| snapshot.is_of(&stats)) {
                return Ok(Arc::clone(snapshot));
            }
            let mut parts = self.open(&paths)?;
            settle(&mut parts);
            let snapshot = Arc::new(Snapshot::new(&self.name, parts)?);
            *current = Some(Arc::clone(&snapshot));
            Ok(snapshot)
        })
        .map_err(|fault| told(&self.name, fault))
    }

    fn open(&self, paths: &[PathBuf]) -> Result<Vec<Part>, Fault> {
        let options = self.files.csv.clone().unwrap_or_default();
        let csv = Opening { options: &options, memory: &self.memory, shown: &self.shown };
        let is_csv = self.files.csv.is_some();
        let open = |(i, path): (usize, &PathBuf)| {
            Part::open(path, self.digest_content, csv, is_csv).map_err(|fault| fault.of_part(i, paths.len(), path))
        };
        paths.iter().enumerate().map(open).collect()
    }
}
