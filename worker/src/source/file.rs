//! One open descriptor: positioned reads, and whether the file is still the one that was opened.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use super::fault::Fault;

/// What tells one state of a file from another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    pub(super) mtime_ns: i128,
    pub(super) ctime_ns: i128,
    links: u64,
}

impl Stat {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            links: metadata.nlink(),
        }
    }

    /// Whether the content is the same. Renaming another file over this one takes a link away from it, which sets
    /// `ctime` and leaves the content alone.
    fn same_content(&self, later: &Self) -> bool {
        (self.device, self.inode, self.size, self.mtime_ns) == (later.device, later.inode, later.size, later.mtime_ns)
            && (self.ctime_ns == later.ctime_ns || self.links != later.links)
    }
}

/// A path leads nowhere, or may not be followed.
pub(super) fn cannot_open(error: io::Error) -> Fault {
    match error.kind() {
        ErrorKind::NotFound => Fault::of("a file is missing", error.to_string()),
        _ => Fault::of("a file cannot be opened", error.to_string()),
    }
}

/// A file that stays open, so that what happens to its name does not disturb whoever reads it.
pub(super) struct Descriptor {
    file: File,
    stat: Stat,
}

impl Descriptor {
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        // Were the path a pipe, opening it would wait for a writer.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(cannot_open)?;
        let metadata = file.metadata().map_err(cannot_open)?;
        if !metadata.is_file() {
            return Err(Fault::of("a file cannot be opened", "not a regular file"));
        }
        Ok(Self { file, stat: Stat::of(&metadata) })
    }

    /// As it was when opened.
    pub(super) fn stat(&self) -> &Stat {
        &self.stat
    }

    /// Whether the content is still that which was opened.
    pub(super) fn is_unchanged(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| self.stat.same_content(&Stat::of(&metadata)))
    }

    /// `Err` unless these bytes lie in the file.
    pub(super) fn check(&self, offset: u64, length: u64) -> Result<(), Fault> {
        match offset.checked_add(length) {
            Some(end) if end <= self.stat.size => Ok(()),
            _ => Err(Fault::damaged(format!("{length} bytes at {offset} do not lie in {}", self.stat.size))),
        }
    }

    /// Fills `out` from there on.
    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.check(offset, out.len() as u64)?;
        self.file.read_exact_at(out, offset).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => Fault::damaged(error.to_string()),
            _ => Fault::of("a file cannot be read", error.to_string()),
        })
    }

    /// A few bytes of metadata, at most `bytes_max`.
    pub(super) fn metadata_bytes(&self, offset: u64, length: u64, bytes_max: u64) -> Result<Vec<u8>, Fault> {
        self.check(offset, length)?;
        if length > bytes_max {
            return Err(Fault::of("a file's metadata is too large", format!("{length} bytes of at most {bytes_max}")));
        }
        // At most `bytes_max`.
        let mut bytes = vec![0; length as usize];
        self.read(offset, &mut bytes)?;
        Ok(bytes)
    }
}
