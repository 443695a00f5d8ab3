//! The vocabulary of Fondaco: what can be said between a coordinator and a worker.
//!
//! No I/O and no policy. [`Op`] is the closed set of operators, by family; each family's file holds the
//! operators' meaning, arity, shape rule, label rule and canonical bytes. [`Program`] is what one `Exec` carries.
//! Wire types are in [`wire`]; everything else is parsed from them once, and is well-formed from then on.

mod block;
mod canonical;
mod effect;
mod error;
mod frame;
mod fusion;
mod ids;
mod instruction;
pub mod op;
mod shape;
mod unfused;
mod vocabulary;

pub use block::{Block, CHUNK_BYTES, MatrixHeader, doubles_from_le, doubles_to_le};
pub use canonical::Canonical;
pub use effect::{Axes, Effect, Facet, Measure, Selection};
pub use error::{Error, ErrorCode, ErrorKind, Result};
pub use frame::{ColumnKind, Field, FrameColumn, FrameHeader, Kind, check_fields, find_field};
pub use fusion::inner_variables;
pub use ids::{CoordinatorId, Epoch, ProgramId, VarId};
pub use instruction::{Apply, Instruction, Program, ProgramLimits};
pub use op::Op;
pub use shape::{Shape, tile_rows};
pub use unfused::{Origin, Unfused};

/// The version of the protocol and of all canonical bytes; a worker and an SDK of different versions do not talk.
pub const PROTOCOL_VERSION: u32 = 1;

/// The encoded `FileDescriptorSet` of `fondaco.v1`, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/fondaco.v1.bin"));

/// The metadata key under which an encoded `ErrorDetail` accompanies an error status.
pub const ERROR_DETAIL_KEY: &str = "fondaco-error-bin";

/// The generated messages, clients and servers of `fondaco.v1`; their documentation is in the `.proto` files.
#[expect(
    missing_docs,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated from the .proto files, which hold the documentation"
)]
pub mod wire {
    tonic::include_proto!("fondaco.v1");
}
