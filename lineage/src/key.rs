//! Keys: the identity of a value is how it came to be.
//!
//! Every key is `blake3(domain, VERSION, fields)`. The domain says which constructor made it. Every part is of fixed
//! size or preceded by its length (`u64`), numbers are little-endian, so that no two descriptions share their bytes.

use std::fmt;

use blake3::Hasher;

/// The version bound into every key. Whatever changes what a key covers or means raises it.
pub const VERSION: u32 = 1;

const DOMAIN_APPLY: &str = "fondaco.lineage.apply";
const DOMAIN_UPLOAD: &str = "fondaco.lineage.upload";
const DOMAIN_DATASET: &str = "fondaco.lineage.dataset";

/// How many bytes of a key its `Debug` form shows.
const DEBUG_BYTES: usize = 4;

/// The identity of a value: equal keys mean equal values.
///
/// Keys are computed where the value lives and never taken from a peer, hence nothing makes a key from raw bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of an operator's result: its canonical bytes (parameters included) on these inputs, in this order.
    #[must_use]
    pub fn apply(canonical_op: &[u8], inputs: &[Self]) -> Self {
        Self::apply_each(canonical_op, inputs.iter().copied())
    }

    /// [`Key::apply`] for inputs whose keys do not lie in one slice.
    pub(crate) fn apply_each(canonical_op: &[u8], inputs: impl ExactSizeIterator<Item = Self>) -> Self {
        let mut fields = Fields::new(DOMAIN_APPLY);
        fields.bytes(canonical_op).length(inputs.len());
        for input in inputs {
            fields.fixed(&input.0);
        }
        fields.finish()
    }

    /// The key of an upload of this shape (rows, columns), where `content` is the hash of everything else that makes
    /// it the value it is: its kind, its element type and its bytes.
    #[must_use]
    pub fn upload(shape: (u64, u64), content: &blake3::Hash) -> Self {
        let mut fields = Fields::new(DOMAIN_UPLOAD);
        fields.fixed(&shape.0.to_le_bytes()).fixed(&shape.1.to_le_bytes()).fixed(content.as_bytes());
        fields.finish()
    }

    /// The key of what was read from a dataset.
    #[must_use]
    pub fn dataset(leaf: &DatasetLeaf<'_>) -> Self {
        let mut fields = Fields::new(DOMAIN_DATASET);
        fields.bytes(leaf.canonical_read).length(leaf.files.len());
        for file in &leaf.files {
            file.write(&mut fields);
        }
        fields.finish()
    }

    /// The key's 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key as 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

/// The first digits only, enough to tell keys apart in a log.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..DEBUG_BYTES].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a value read from a dataset depends on.
///
/// Its `Debug` form shows sizes only: a filter may hold a value that is nobody else's business.
#[derive(Clone, PartialEq, Eq)]
pub struct DatasetLeaf<'a> {
    /// The files, in the order in which their rows follow each other.
    pub files: Vec<FileIdentity>,
    /// Canonical bytes of the columns, the row filter and the read options.
    pub canonical_read: &'a [u8],
}

impl fmt::Debug for DatasetLeaf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatasetLeaf")
            .field("files", &self.files.len())
            .field("canonical_read_bytes", &self.canonical_read.len())
            .finish()
    }
}

/// Which state of which file was read.
///
/// Its `Debug` form shows nothing: sizes and digests of private files stay private.
#[derive(Clone, PartialEq, Eq)]
pub struct FileIdentity {
    /// Size in bytes.
    pub size: u64,
    /// Time of the last change of the content, in nanoseconds since the Unix epoch.
    pub mtime_ns: i128,
    /// Time of the last change of the inode, in nanoseconds since the Unix epoch; unlike `mtime_ns`, no user sets it.
    pub ctime_ns: i128,
    /// The device that holds the file.
    pub device: u64,
    /// The file's number on that device.
    pub inode: u64,
    /// blake3 of the file's footer.
    pub footer: [u8; 32],
    /// blake3 of the whole file, where the owner demands it.
    pub content: Option<[u8; 32]>,
}

impl FileIdentity {
    fn write(&self, fields: &mut Fields) {
        fields
            .fixed(&self.size.to_le_bytes())
            .fixed(&self.mtime_ns.to_le_bytes())
            .fixed(&self.ctime_ns.to_le_bytes())
            .fixed(&self.device.to_le_bytes())
            .fixed(&self.inode.to_le_bytes())
            .fixed(&self.footer);
        match &self.content {
            None => fields.fixed(&[0]),
            Some(content) => fields.fixed(&[1]).fixed(content),
        };
    }
}

impl fmt::Debug for FileIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileIdentity").finish_non_exhaustive()
    }
}

/// Writes the parts of a key so that where one ends and the next begins is never in doubt.
struct Fields(Hasher);

impl Fields {
    fn new(domain: &str) -> Self {
        let mut fields = Self(Hasher::new());
        fields.bytes(domain.as_bytes()).fixed(&VERSION.to_le_bytes());
        fields
    }

    /// A part whose size follows from where it stands.
    fn fixed(&mut self, part: &[u8]) -> &mut Self {
        self.0.update(part);
        self
    }

    /// A part of any size, after its length.
    fn bytes(&mut self, part: &[u8]) -> &mut Self {
        self.length(part.len()).fixed(part)
    }

    /// How much follows. `usize` has at most 64 bits wherever this builds, so that nothing is cut off.
    fn length(&mut self, count: usize) -> &mut Self {
        self.fixed(&(count as u64).to_le_bytes())
    }

    fn finish(&self) -> Key {
        Key(*self.0.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests;
