//! What each operator means, in plain loops: written down once more, as simply as can be, from OPERATORS' NumPy
//! expressions, and never from the worker's kernels. Sums are exact, and each value comes with the slack that law 1
//! grants.

mod aggregate;
mod create;
mod elementwise;
mod encode;
mod expected;
mod least_squares;
mod matmul;
mod reorg;
mod slice;
mod stats;
mod wide;

use fondaco_proto::Op;
use ndarray::Array2;

pub use aggregate::covariances;
pub use expected::{Expected, assert_same_bits};
pub use least_squares::least_squares;

/// The value of an operator on these inputs, whose shapes fit.
///
/// # Panics
/// For a read or a random matrix: what these hold, the caller knows.
pub fn eval(op: &Op, inputs: &[&Array2<f64>]) -> Array2<f64> {
    expected(op, inputs).value
}

/// The value of an operator on these inputs, whose shapes fit, and how far from it a cell may be.
///
/// # Panics
/// As [`eval`].
pub fn expected(op: &Op, inputs: &[&Array2<f64>]) -> Expected {
    match op {
        Op::Create(op) => create::expected(op),
        Op::Elementwise(op) => elementwise::expected(op, inputs),
        Op::Aggregate(op) => aggregate::expected(op, inputs),
        Op::Matmul(op) => matmul::expected(*op, inputs),
        Op::Reorg(op) => reorg::expected(*op, inputs),
        Op::Slice(op) => slice::expected(op, inputs),
        Op::Stats(op) => stats::expected(op, inputs),
        Op::Encode(op) => encode::expected(op, inputs),
    }
}
