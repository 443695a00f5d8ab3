//! Values: what a variable is bound to. Immutable and shared, so cheap to clone.

use fondaco_proto::Shape;

use crate::matrix::Matrix;

/// A value of some kind. Kernels of dense matrices know nothing of the others; what is of another kind is computed by
/// kernels of its own, or as the dense matrix that it stands for.
#[derive(Clone, Debug)]
pub enum Value {
    /// A dense matrix.
    Dense(Matrix),
}

impl Value {
    /// Rows and columns.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Dense(matrix) => matrix.shape(),
        }
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Dense(matrix) => matrix.bytes(),
        }
    }
}

impl From<Matrix> for Value {
    fn from(matrix: Matrix) -> Self {
        Self::Dense(matrix)
    }
}
