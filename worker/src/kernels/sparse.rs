//! Operators on sparse matrices that look at the cells that are there alone. What would not come out as of the dense
//! matrix (a function that does not keep 0, a factor that is not finite) is left to the dense kernels.

use fondaco_proto::{
    Op, Result, Shape,
    op::{MatmulOp, ReorgOp},
};

use super::Context;
use crate::{
    matrix::Matrix,
    sparse::{Sparse, bytes, pays},
    value::Value,
};

mod aggregate;
mod elementwise;
mod matmul;
mod slice;
#[cfg(test)]
mod tests;

pub use aggregate::partials;

/// Cells of which a sample is taken before all are looked at.
const SAMPLE: usize = 1024;

/// The value of an operator of which an input is sparse; `None` if all have to be dense.
pub fn run(op: &Op, inputs: &[Value], shape: Shape, cx: &Context<'_>) -> Result<Option<Value>> {
    match op {
        Op::Elementwise(op) => elementwise::run(*op, inputs, shape, cx),
        Op::Matmul(op) => Ok(matmul::run(*op, inputs, cx)?.map(Value::Dense)),
        Op::Reorg(ReorgOp::Transpose) => {
            let [Value::Sparse(x)] = inputs else { return Ok(None) };
            Ok(Some(Value::Sparse(x.transpose())))
        }
        Op::Reorg(op) => slice::stacked(*op, inputs, shape, cx),
        Op::Slice(op) => slice::run(op, inputs, cx),
        // Reductions take sparse matrices as they take others.
        Op::Create(_) | Op::Aggregate(_) | Op::Stats(_) | Op::Encode(_) => Ok(None),
    }
}

/// Bytes that the result of an operator may hold at most, where it stays sparse.
pub fn bytes_max(op: &Op, inputs: &[Value], shape: Shape) -> Option<u64> {
    let stays = matches!(op, Op::Elementwise(_) | Op::Slice(_) | Op::Reorg(_));
    let sparse = inputs.iter().any(|input| matches!(input, Value::Sparse(_)));
    if !stays || !sparse {
        return None;
    }
    let cells = inputs.iter().map(|input| match input {
        Value::Sparse(sparse) => sparse.cells() as u64,
        Value::Dense(_) | Value::Lazy(_) | Value::Streamed(_) | Value::Frame(_) => match op {
            Op::Reorg(_) => input.shape().cells().unwrap_or(u64::MAX),
            Op::Create(_)
            | Op::Elementwise(_)
            | Op::Aggregate(_)
            | Op::Matmul(_)
            | Op::Slice(_)
            | Op::Stats(_)
            | Op::Encode(_) => 0,
        },
    });
    let rows = shape.rows.max(shape.columns);
    Some(bytes(rows, cells.fold(0, u64::saturating_add)))
}

/// The value as it takes the least room: few cells by themselves, many all together.
///
/// # Errors
/// `Limit` if the memory does not suffice.
pub fn settled(matrix: Matrix, cx: &Context<'_>) -> Result<Value> {
    if !pays(matrix.shape(), 0) || is_full(&matrix) {
        return Ok(matrix.into());
    }
    let sparse = Sparse::of(&matrix, cx.memory)?;
    Ok(sparse.map_or(Value::Dense(matrix), Value::Sparse))
}

/// Whether a sample shows that a matrix is not sparse.
fn is_full(matrix: &Matrix) -> bool {
    let cells: usize = matrix.tiles().iter().map(|tile| tile.data().len()).sum();
    let step = (cells / SAMPLE).max(1);
    let (mut seen, mut nonzero) = (0_usize, 0_usize);
    for tile in matrix.tiles() {
        for cell in tile.data().iter().step_by(step) {
            seen += 1;
            nonzero += usize::from(*cell != 0.0);
        }
    }
    2 * nonzero > seen
}

/// Whether all cells of a matrix are numbers that 0 stays 0 with.
fn is_finite(matrix: &Matrix) -> bool {
    matrix.tiles().iter().all(|tile| tile.data().iter().all(|x| x.is_finite()))
}

/// Whether a product is one that sums over rows with a vector in the middle.
fn is_chain(op: MatmulOp) -> bool {
    matches!(op, MatmulOp::Mmchain | MatmulOp::MmchainWeighted | MatmulOp::MmchainMinus)
}
