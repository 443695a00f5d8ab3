//! What stands beside a federated matrix in an operator.

use ndarray::{ArcArray2, Array2, ArrayView2};

use crate::{FedMatrix, plan::Arg};

/// A number, an array of the coordinator, or a federated matrix. Arrays are `(rows, columns)`: `(1, d)` broadcasts as
/// a row, `(n, 1)` as a column. An array that is borrowed is copied; one given by value, or as `ArcArray2`, is not.
#[derive(Clone)]
pub enum Operand {
    /// The same number for every cell.
    Scalar(f64),
    /// An array of the coordinator; what a site needs of it is sent there.
    Local(ArcArray2<f64>),
    /// A federated matrix.
    Fed(FedMatrix),
}

impl std::fmt::Debug for Operand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Scalar(_) => f.write_str("Scalar"),
            Self::Local(array) => write!(f, "Local({}, {})", array.nrows(), array.ncols()),
            Self::Fed(matrix) => matrix.fmt(f),
        }
    }
}

impl Operand {
    /// The operand as a matrix: a number is `(1, 1)`.
    pub(crate) fn into_matrix(self) -> Self {
        match self {
            Self::Scalar(value) => Self::Local(ArcArray2::from_elem((1, 1), value)),
            other => other,
        }
    }

    /// What a plan needs to know of it.
    pub(crate) fn arg(&self) -> Arg {
        match self {
            Self::Scalar(_) => Arg::Local(fondaco_proto::Shape::new(1, 1)),
            Self::Local(array) => Arg::Local(fondaco_proto::Shape::new(array.nrows() as u64, array.ncols() as u64)),
            Self::Fed(matrix) => Arg::Fed(matrix.layout().clone()),
        }
    }
}

impl From<f64> for Operand {
    fn from(value: f64) -> Self {
        Self::Scalar(value)
    }
}

impl From<&FedMatrix> for Operand {
    fn from(matrix: &FedMatrix) -> Self {
        Self::Fed(matrix.clone())
    }
}

impl From<FedMatrix> for Operand {
    fn from(matrix: FedMatrix) -> Self {
        Self::Fed(matrix)
    }
}

impl From<Array2<f64>> for Operand {
    fn from(array: Array2<f64>) -> Self {
        Self::Local(array.into_shared())
    }
}

impl From<ArcArray2<f64>> for Operand {
    fn from(array: ArcArray2<f64>) -> Self {
        Self::Local(array)
    }
}

impl From<&Array2<f64>> for Operand {
    fn from(array: &Array2<f64>) -> Self {
        Self::Local(array.to_shared())
    }
}

impl From<ArrayView2<'_, f64>> for Operand {
    fn from(array: ArrayView2<'_, f64>) -> Self {
        Self::Local(array.to_shared())
    }
}

impl From<&Operand> for Operand {
    fn from(operand: &Operand) -> Self {
        operand.clone()
    }
}
