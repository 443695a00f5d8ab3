//! The owner's files as matrices.
//!
//! A [`Dataset`] is a name and the place of its [`Files`]: Parquet or Arrow IPC, one or a folder of parts. A
//! [`Snapshot`] is what they held at one moment; it plans reads against their metadata and reads columns straight into
//! the tiles of a matrix. Files are read with positioned reads on the descriptor that the snapshot opened, and are
//! hostile until proven otherwise: sizes are checked before they are believed, scratch memory is counted, and a decoder
//! that panics is an error of the file.
//!
//! `part` is one file, `parquet_file` and `arrow_file` its two formats, `sink` where decoded rows go, `reading` the whole
//! of one read.

mod arrow_dictionary;
mod arrow_file;
mod arrow_values;
mod bits;
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
    fault::{Fault, guarded},
    file::{Stat, cannot_open},
    part::Part,
    snapshot::told,
};
pub use self::{
    plan::ReadPlan,
    schema::Column,
    snapshot::Snapshot,
    stream::{Slab, Streamed},
};

/// How many parts a dataset may have: each keeps a descriptor open.
const PARTS_MAX: usize = 512;

/// What the names of parts end in.
const EXTENSIONS: [&str; 4] = ["parquet", "arrow", "ipc", "feather"];

/// Where a dataset lies: one file, or a folder of parts.
#[derive(Clone)]
pub struct Files {
    path: PathBuf,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Files(..)")
    }
}

impl Files {
    /// At this path. Of a folder, the files ending in `.parquet`, `.arrow`, `.ipc` and `.feather` are the parts, in the
    /// order of their names; hidden ones are not.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
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
            return Err(Fault::of("its folder has no Parquet or Arrow file", "an empty folder"));
        }
        if paths.len() > PARTS_MAX {
            return Err(Fault::of(format!("it has more than {PARTS_MAX} parts"), format!("{} parts", paths.len())));
        }
        let stats = paths.iter().map(|path| Ok(Stat::of(&stat(path)?))).collect::<Result<_, Fault>>()?;
        Ok((paths, stats))
    }
}

fn is_part(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && extension.is_some_and(|extension| EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension)))
}

/// A named table in the owner's files.
#[derive(Debug)]
pub struct Dataset {
    name: String,
    files: Files,
    digest_content: bool,
    current: Mutex<Option<Arc<Snapshot>>>,
}

impl Dataset {
    /// A dataset of these files; nothing is opened yet.
    pub fn new(name: String, files: Files) -> Self {
        Self { name, files, digest_content: false, current: Mutex::default() }
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
            let parts = paths.iter().map(|path| Part::open(path, self.digest_content)).collect::<Result<_, _>>()?;
            let snapshot = Arc::new(Snapshot::new(&self.name, parts)?);
            *current = Some(Arc::clone(&snapshot));
            Ok(snapshot)
        })
        .map_err(|fault| told(&self.name, fault))
    }
}
