//! Errors: few and stable at the edge, the same type on both sides of the wire.

use std::{fmt, time::Duration};

use prost::Message as _;
use tonic::{Code, Status, metadata::MetadataValue};

use crate::{ERROR_DETAIL_KEY, vocabulary::vocabulary, wire};

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

vocabulary! {
    /// What kind of error it is; stable, for programs to act on.
    ErrorCode from wire::ErrorCode {
        Invalid = "INVALID",
        NotFound = "NOT_FOUND",
        AlreadyBound = "ALREADY_BOUND",
        ScopeLost = "SCOPE_LOST",
        Unauthenticated = "UNAUTHENTICATED",
        ReleaseDenied = "RELEASE_DENIED",
        Limit = "LIMIT",
        Busy = "BUSY",
        Data = "DATA",
        Cancelled = "CANCELLED",
        Internal = "INTERNAL",
    }
}

impl ErrorCode {
    fn grpc(self) -> Code {
        match self {
            Self::Invalid => Code::InvalidArgument,
            Self::NotFound | Self::ScopeLost => Code::NotFound,
            Self::AlreadyBound => Code::AlreadyExists,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::ReleaseDenied => Code::PermissionDenied,
            Self::Limit => Code::ResourceExhausted,
            Self::Busy => Code::Unavailable,
            Self::Data => Code::FailedPrecondition,
            Self::Cancelled => Code::Cancelled,
            Self::Internal => Code::Internal,
        }
    }
}

/// What a worker answers instead of a result. The message is for the user: what was wrong and what would be right;
/// it never holds a path, a data value, a protected count, or whether somebody else's thing exists.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct Error {
    /// Boxed, so that results stay small.
    kind: Box<ErrorKind>,
}

/// The parts of an [`Error`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorKind {
    /// The stable code.
    pub code: ErrorCode,
    /// Index of the instruction in its program, if the error is about one.
    pub instruction: Option<usize>,
    /// What was wrong, and what would be right.
    pub message: String,
    /// When a retry may succeed.
    pub retry_after: Option<Duration>,
    /// Names the entry in the worker's log; empty where no worker was involved.
    pub request_id: String,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code.name())?;
        if let Some(index) = self.instruction {
            write!(f, " at instruction {index}")?;
        }
        write!(f, ": {}", self.message)
    }
}

macro_rules! constructors {
    ($($name:ident => $code:ident, $doc:literal;)+) => {
        $(#[doc = $doc]
        pub fn $name(message: impl Into<String>) -> Self {
            Self::new(ErrorCode::$code, message)
        })+
    };
}

impl Error {
    /// An error with a code and a message for the user.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let kind = ErrorKind {
            code,
            instruction: None,
            message: message.into(),
            retry_after: None,
            request_id: String::new(),
        };
        Self { kind: Box::new(kind) }
    }

    constructors! {
        invalid => Invalid, "Malformed, or shapes that do not fit.";
        not_found => NotFound, "No such thing, for this tenant.";
        already_bound => AlreadyBound, "A name that was bound before.";
        scope_lost => ScopeLost, "The scope lapsed, was cleared, or never was.";
        unauthenticated => Unauthenticated, "No valid token.";
        denied => ReleaseDenied, "The gate refused a release.";
        limit => Limit, "A named limit would be exceeded.";
        data => Data, "The owner's files cannot be read as asked.";
        cancelled => Cancelled, "The caller went away, or the owner stopped the tenant.";
        internal => Internal, "A bug; details are in the worker's log alone.";
    }

    /// Too much to do at present; try again after `retry_after`.
    pub fn busy(message: impl Into<String>, retry_after: Duration) -> Self {
        let mut error = Self::new(ErrorCode::Busy, message);
        error.kind.retry_after = Some(retry_after);
        error
    }

    /// The same error, about this instruction, unless it already names one.
    #[must_use]
    pub fn at(mut self, index: usize) -> Self {
        self.kind.instruction.get_or_insert(index);
        self
    }

    /// The same error, with the id under which the worker logged it.
    #[must_use]
    pub fn with_request_id(mut self, id: impl Into<String>) -> Self {
        self.kind.request_id = id.into();
        self
    }

    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        self.kind.code
    }

    /// What was wrong, and what would be right.
    pub fn message(&self) -> &str {
        &self.kind.message
    }

    /// All parts.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// As a gRPC status with an `ErrorDetail` in its metadata.
    pub fn to_status(&self) -> Status {
        let kind = &self.kind;
        let detail = wire::ErrorDetail {
            code: kind.code.code(),
            instruction: kind.instruction.and_then(|i| i64::try_from(i).ok()).unwrap_or(-1),
            message: kind.message.clone(),
            retry_after_ms: kind.retry_after.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
            request_id: kind.request_id.clone(),
        };
        let mut status = Status::new(kind.code.grpc(), self.to_string());
        status.metadata_mut().insert_bin(ERROR_DETAIL_KEY, MetadataValue::from_bytes(&detail.encode_to_vec()));
        status
    }

    /// From a status that a worker answered; `None` if it holds no `ErrorDetail` (a transport's own error, say).
    pub fn from_status(status: &Status) -> Option<Self> {
        let bytes = status.metadata().get_bin(ERROR_DETAIL_KEY)?.to_bytes().ok()?;
        let detail = wire::ErrorDetail::decode(bytes).ok()?;
        let mut error = Self::new(ErrorCode::from_code(detail.code)?, detail.message);
        error.kind.instruction = usize::try_from(detail.instruction).ok();
        error.kind.retry_after = (detail.retry_after_ms > 0).then(|| Duration::from_millis(detail.retry_after_ms));
        error.kind.request_id = detail.request_id;
        Some(error)
    }
}
