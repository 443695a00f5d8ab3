//! Why a read failed: what the asker is told, and what only the owner's log holds.

use std::{
    any::Any,
    io,
    panic::{self, AssertUnwindSafe},
    path::Path,
};

use fondaco_proto::Error;
use parquet::errors::ParquetError;

/// Why a file could not be read as asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The file is at fault: what everybody may know of it, and the detail for its owner's log.
    #[error("{what}: {detail}")]
    File {
        /// Without paths and values.
        what: String,
        /// For the log alone.
        detail: String,
    },
    /// An integer has digits that a double would lose.
    #[error("an integer beyond 2^53")]
    Inexact,
    /// The same, in this column.
    #[error("an integer beyond 2^53")]
    InexactIn(usize),
    /// A file is not what it was when it was opened.
    #[error("changed while it was read")]
    Changed,
    /// A column chunk has nulls although its statistics know of none.
    #[error("nulls that the statistics do not know of")]
    HiddenNulls,
    /// The asker is told as it is.
    #[error(transparent)]
    Refused(#[from] Error),
}

impl Fault {
    /// The file's bytes contradict its format, or each other.
    pub(super) fn damaged(detail: impl Into<String>) -> Self {
        Self::of("a file is damaged", detail)
    }

    /// Something else that everybody may know.
    pub(super) fn of(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::File { what: what.into(), detail: detail.into() }
    }

    /// In a column.
    pub(super) fn of_column(self, column: usize) -> Self {
        if matches!(self, Self::Inexact) { Self::InexactIn(column) } else { self }
    }

    /// In one of `parts` files, which the owner's log names.
    pub(super) fn of_part(self, part: usize, parts: usize, path: &Path) -> Self {
        match self {
            Self::File { what, detail } => {
                let what = if parts > 1 { format!("{what} (in file {} of {parts})", part + 1) } else { what };
                Self::File { what, detail: format!("{detail}, in {}", path.display()) }
            }
            other => other,
        }
    }
}

impl From<ParquetError> for Fault {
    fn from(error: ParquetError) -> Self {
        match error {
            // What the page reader wrapped on its way through the column reader.
            ParquetError::External(inner) => match inner.downcast::<Self>() {
                Ok(fault) => *fault,
                Err(other) => Self::damaged(other.to_string()),
            },
            other => Self::damaged(other.to_string()),
        }
    }
}

impl From<Fault> for ParquetError {
    fn from(fault: Fault) -> Self {
        Self::External(Box::new(fault))
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::damaged(error.to_string())
    }
}

/// Runs a decoder; a panic in it is the file's fault. What it was writing is thrown away with the error.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    panic::catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|payload| Err(Fault::damaged(panic_text(&*payload))))
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    format!("a decoder panicked: {}", text.unwrap_or("without a message"))
}
