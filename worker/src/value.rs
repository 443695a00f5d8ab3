//! Values: what a variable is bound to. Immutable and shared, so cheap to clone.

use fondaco_proto::{Kind, Result, Shape};

use crate::{frame::Frame, kernels::Lazy, matrix::Matrix, source::Streamed, sparse::Sparse};

/// A value of some kind. Kernels of dense matrices know nothing of the others; what is of another kind is computed by
/// kernels of its own, or as the dense matrix that it stands for.
#[derive(Clone, Debug)]
pub enum Value {
    /// A dense matrix.
    Dense(Matrix),
    /// A matrix of which few cells are not 0.
    Sparse(Sparse),
    /// A dense matrix that is computed where it is used. No variable outlives its program with such a value.
    Lazy(Lazy),
    /// Rows of a dataset that are larger than the memory, and are read whenever they are needed.
    Streamed(Streamed),
    /// Typed columns, which stand for no matrix.
    Frame(Frame),
}

impl Value {
    /// Rows and columns.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Dense(matrix) => matrix.shape(),
            Self::Sparse(sparse) => sparse.shape(),
            Self::Lazy(lazy) => lazy.shape(),
            Self::Streamed(streamed) => streamed.shape(),
            Self::Frame(frame) => frame.shape(),
        }
    }

    /// Bytes that a tenant is charged for it.
    ///
    /// # Errors
    /// `Invalid` if they do not fit 64 bits.
    pub fn charged_bytes(&self) -> Result<u64> {
        match self {
            Self::Dense(_) | Self::Sparse(_) | Self::Lazy(_) => self.shape().footprint_bytes(),
            Self::Streamed(_) => Ok(0),
            // A frame of one truth for each row takes less than its rows do to be told of.
            Self::Frame(frame) => Ok(frame.bytes().max(self.shape().rows)),
        }
    }

    /// What it is, beside its shape.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Dense(_) | Self::Sparse(_) | Self::Lazy(_) | Self::Streamed(_) => Kind::Matrix,
            Self::Frame(frame) => Kind::Frame(frame.fields().to_vec()),
        }
    }

    /// Rows that are read whenever they are needed, if it has any.
    pub fn streamed(&self) -> Option<&Streamed> {
        match self {
            Self::Dense(_) | Self::Sparse(_) | Self::Frame(_) => None,
            Self::Lazy(lazy) => lazy.node().streamed(),
            Self::Streamed(streamed) => Some(streamed),
        }
    }

    /// Whether somebody else holds it too, so that dropping it frees no memory.
    pub fn is_held_elsewhere(&self) -> bool {
        match self {
            Self::Dense(matrix) => matrix.is_held_elsewhere(),
            Self::Sparse(sparse) => sparse.is_held_elsewhere(),
            // They hold none of their own.
            Self::Lazy(_) | Self::Streamed(_) => false,
            Self::Frame(frame) => frame.is_held_elsewhere(),
        }
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Dense(matrix) => matrix.bytes(),
            Self::Sparse(sparse) => sparse.bytes(),
            Self::Lazy(_) | Self::Streamed(_) => 0,
            Self::Frame(frame) => frame.bytes(),
        }
    }
}

impl From<Matrix> for Value {
    fn from(matrix: Matrix) -> Self {
        Self::Dense(matrix)
    }
}

impl From<Frame> for Value {
    fn from(frame: Frame) -> Self {
        Self::Frame(frame)
    }
}
