//! What can go wrong: one line each, saying what was wrong and what would be right.

use fondaco_proto::ErrorCode;

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Cheap to clone: every handle that a failed program would have bound repeats its error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Shapes or layouts that do not fit, found where the line was written; nothing was sent.
    #[error("{0}")]
    Plan(String),
    /// A site's description (URL, connect line, certificate) cannot be used.
    #[error("{0}")]
    Config(String),
    /// A worker answered with an error instead of a result.
    #[error("site {site}: {error}")]
    Site {
        /// The site's name.
        site: String,
        /// What the worker said.
        error: fondaco_proto::Error,
    },
    /// A worker cannot be reached, or the connection broke and the retries were used up.
    #[error("site {site} at {url} cannot be reached ({reason}): is its worker running?")]
    Unreachable {
        /// The site's name.
        site: String,
        /// Its address.
        url: String,
        /// What the transport said.
        reason: String,
    },
    /// A worker lost its variables (it restarted, or the lease lapsed), and one that is needed cannot be made again as
    /// it was.
    #[error("site {site} lost its variables, and one cannot be made again as it was: {reason}")]
    Lost {
        /// The site's name.
        site: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// A worker answered what this SDK did not ask for.
    #[error("site {site} answered what was not asked for: {reason}")]
    Protocol {
        /// The site's name.
        site: String,
        /// What was unexpected.
        reason: String,
    },
    /// A computation at the coordinator has no result (a matrix that is not positive definite, say).
    #[error("{0}")]
    Numeric(String),
    /// The federation was closed.
    #[error("the federation is closed; connect again to go on")]
    Closed,
}

impl Error {
    /// A planning error.
    pub(crate) fn plan(message: impl Into<String>) -> Self {
        Self::Plan(message.into())
    }

    /// The stable code of a worker's answer; `None` for errors that no worker sent.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Site { error, .. } => Some(error.code()),
            Self::Plan(_)
            | Self::Config(_)
            | Self::Unreachable { .. }
            | Self::Lost { .. }
            | Self::Protocol { .. }
            | Self::Numeric(_)
            | Self::Closed => None,
        }
    }

    /// The site that the error is about, if it is about one.
    pub fn site(&self) -> Option<&str> {
        match self {
            Self::Site { site, .. }
            | Self::Unreachable { site, .. }
            | Self::Lost { site, .. }
            | Self::Protocol { site, .. } => Some(site),
            Self::Plan(_) | Self::Config(_) | Self::Numeric(_) | Self::Closed => None,
        }
    }
}

/// Shape rules are shared with the workers; here they fail before anything is sent.
impl From<fondaco_proto::Error> for Error {
    fn from(error: fondaco_proto::Error) -> Self {
        Self::Plan(error.message().to_owned())
    }
}
