//! The operators' kernels, by family: pure functions of values.
//!
//! Work is cut into units and partial results are merged in an order that follow from shapes alone, so that results are
//! bit-identical whatever the number of threads.

use std::sync::Arc;

use fondaco_proto::{
    Error, Op, Result, Shape,
    op::{AggregateOp, CreateOp, MatmulOp},
};
use rayon::prelude::*;

use crate::{cancel::Cancel, matrix::Matrix, memory::Memory, value::Value};

pub(crate) mod aggregate;
pub(crate) mod blas;
mod create;
mod elementwise;
mod encode;
mod lazy;
mod materialise;
pub(crate) mod matmul;
mod reorg;
pub(crate) mod simd;
pub(crate) mod slice;
mod sparse;
pub(crate) mod stats;
mod stream;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod view;

pub use blas::{core_name as blas_core_name, single_threaded as single_threaded_blas};
pub use lazy::Lazy;
pub use materialise::untransposed;
pub use sparse::settled;
pub use stream::magnitudes;

/// What a kernel runs with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Where results and accumulators are reserved.
    pub memory: &'a Arc<Memory>,
    /// Looked at before each tile.
    pub cancel: &'a Cancel,
    /// Whether the caller is on the rayon pool that the work is to be spread over; otherwise it stays on this thread.
    pub parallel: bool,
}

impl Context<'_> {
    /// The results of `f` over `items`, in their order; stops at an error or when cancelled.
    pub(crate) fn map<T, R>(&self, items: Vec<T>, f: impl Fn(T) -> Result<R> + Send + Sync) -> Result<Vec<R>>
    where
        T: Send,
        R: Send,
    {
        let checked = |item| {
            self.cancel.check()?;
            f(item)
        };
        if self.parallel && items.len() > 1 {
            items.into_par_iter().map(checked).collect()
        } else {
            items.into_iter().map(checked).collect()
        }
    }

    /// Runs `f` over `items`, in any order; stops at an error or when cancelled.
    pub(crate) fn each<T: Send>(&self, items: Vec<T>, f: impl Fn(T) -> Result<()> + Send + Sync) -> Result<()> {
        self.map(items, f).map(drop)
    }
}

/// The value of an operator on values of any kind.
///
/// # Errors
/// As [`run`].
pub fn evaluate(op: &Op, inputs: &[Value], cx: &Context<'_>) -> Result<Value> {
    cx.cancel.check()?;
    if let Op::Encode(op) = op {
        return encode::run(op, inputs, cx);
    }
    let piecewise = inputs.iter().any(|input| !matches!(input, Value::Dense(_)));
    let value = if piecewise { piece_by_piece(op, inputs, cx)? } else { None };
    match value {
        Some(value) => Ok(value),
        None => {
            let matrix = run(op, &dense(inputs, cx)?, cx)?;
            // Other operators give what is as full as what they are given.
            if matches!(op, Op::Create(_)) { sparse::settled(matrix, cx) } else { Ok(matrix.into()) }
        }
    }
}

/// The value of an operator that takes inputs piece by piece; `None` if they have to be there first.
fn piece_by_piece(op: &Op, inputs: &[Value], cx: &Context<'_>) -> Result<Option<Value>> {
    let shapes: Vec<Shape> = inputs.iter().map(Value::shape).collect();
    let shape = op.shape(&shapes)?;
    let streamed = inputs.iter().any(|input| input.streamed().is_some());
    if inputs.iter().any(|input| matches!(input, Value::Sparse(_))) {
        let inputs = inputs.iter().map(|input| computed(input, cx)).collect::<Result<Vec<_>>>()?;
        if let Some(value) = sparse::run(op, &inputs, shape, cx)? {
            return Ok(Some(value));
        }
    }
    let matrix = match op {
        Op::Elementwise(_) if streamed => None,
        Op::Elementwise(_) => Lazy::of(op, inputs, shape, cx)?.map(|lazy| lazy.to_matrix(cx)).transpose()?,
        Op::Aggregate(AggregateOp::Reduce(op)) => Some(aggregate::reduce(op, inputs, shape, cx)?),
        Op::Matmul(op) if streamed => stream::matmul(*op, inputs, cx)?,
        Op::Matmul(MatmulOp::Cross) => matmul::cross(inputs, cx)?,
        Op::Create(_)
        | Op::Aggregate(_)
        | Op::Matmul(_)
        | Op::Reorg(_)
        | Op::Slice(_)
        | Op::Stats(_)
        | Op::Encode(_) => None,
    };
    Ok(matrix.map(Value::Dense))
}

/// The value, as a matrix that is there if it is one that is not, though it could be.
fn computed(value: &Value, cx: &Context<'_>) -> Result<Value> {
    match value {
        Value::Lazy(lazy) if lazy.node().streamed().is_none() => lazy.to_matrix(cx).map(Value::Dense),
        Value::Dense(_) | Value::Sparse(_) | Value::Lazy(_) | Value::Streamed(_) | Value::Frame(_) => Ok(value.clone()),
    }
}

/// The value of an operator as one that is computed where it is used; `None` where it is better computed at once.
///
/// # Errors
/// `Limit` if the memory does not suffice.
pub fn defer(op: &Op, inputs: &[Value], shape: Shape, cx: &Context<'_>) -> Result<Option<Value>> {
    Ok(Lazy::of(op, inputs, shape, cx)?.map(Value::Lazy))
}

/// Fewer rows or columns of what is read when it is needed: nothing is read for that, and nothing computed.
pub fn narrowed(op: &Op, inputs: &[Value]) -> Option<Value> {
    match (op, inputs) {
        (Op::Slice(op), [Value::Streamed(x)]) => stream::slice(op, x).map(Value::Streamed),
        (
            Op::Create(_)
            | Op::Elementwise(_)
            | Op::Aggregate(_)
            | Op::Matmul(_)
            | Op::Reorg(_)
            | Op::Slice(_)
            | Op::Stats(_)
            | Op::Encode(_),
            _inputs,
        ) => None,
    }
}

/// The matrices that these values are, or stand for.
///
/// # Errors
/// `Limit` if the memory does not suffice, `Cancelled` if asked to stop.
pub fn dense(values: &[Value], cx: &Context<'_>) -> Result<Vec<Matrix>> {
    values.iter().map(|value| dense_one(value, cx)).collect()
}

/// The matrix that a value is, or stands for.
///
/// # Errors
/// As [`dense`]; `Invalid` for a frame, which stands for none.
pub fn dense_one(value: &Value, cx: &Context<'_>) -> Result<Matrix> {
    match value {
        Value::Dense(matrix) => Ok(matrix.clone()),
        Value::Sparse(sparse) => sparse.to_matrix(cx.memory),
        Value::Lazy(lazy) if lazy.node().streamed().is_none() => lazy.to_matrix(cx),
        Value::Lazy(_) => stream::gathered(value, cx),
        Value::Streamed(streamed) => streamed.to_matrix(cx.memory, cx.cancel, cx.parallel),
        Value::Frame(frame) => Err(Error::invalid(format!(
            "a matrix is needed, and this is a frame of shape {}: encode it, or make a matrix of its columns of numbers",
            frame.shape()
        ))),
    }
}

/// Bytes that an operator's result, of this shape, may hold at most; known before it is computed.
///
/// # Errors
/// `Invalid` if they do not fit 64 bits.
pub fn bytes_max(op: &Op, inputs: &[Value], shape: Shape) -> Result<u64> {
    if let Op::Encode(op) = op {
        return encode::bytes_max(op, inputs, shape);
    }
    match sparse::bytes_max(op, inputs, shape) {
        Some(bytes) => Ok(bytes.min(shape.footprint_bytes()?)),
        None => shape.footprint_bytes(),
    }
}

/// The value of an operator; the shapes of its inputs must fit. `Read` is not computed but read, elsewhere.
///
/// # Errors
/// `Invalid` if the inputs' shapes do not fit, `Limit` if the memory does not suffice, `Cancelled` if asked to stop.
pub fn run(op: &Op, inputs: &[Matrix], cx: &Context<'_>) -> Result<Matrix> {
    cx.cancel.check()?;
    if let Op::Create(CreateOp::Read(_)) = op {
        return Err(Error::internal("a read is not a kernel"));
    }
    let shapes: Vec<Shape> = inputs.iter().map(Matrix::shape).collect();
    let shape = op.shape(&shapes)?;
    match op {
        Op::Create(op) => create::run(op, cx),
        Op::Elementwise(op) => elementwise::run(op, inputs, shape, cx),
        Op::Aggregate(op) => aggregate::run(op, inputs, shape, cx),
        Op::Matmul(op) => matmul::run(*op, inputs, cx),
        Op::Reorg(op) => reorg::run(*op, inputs, cx),
        Op::Slice(op) => slice::run(op, inputs, cx),
        Op::Stats(op) => stats::run(op, inputs, shape, cx),
        Op::Encode(op) => {
            let inputs: Vec<Value> = inputs.iter().cloned().map(Value::Dense).collect();
            dense_one(&encode::run(op, &inputs, cx)?, cx)
        }
    }
}

/// Roughly how many scalar operations a kernel does: enough to decide whether to spread it over threads.
pub fn cost(op: &Op, inputs: &[Shape], output: Shape) -> u64 {
    match op {
        Op::Matmul(op) => matmul::cost(*op, inputs, output),
        Op::Encode(_) => encode::cost(inputs, output),
        // What only touches each cell once or twice.
        Op::Create(_) | Op::Elementwise(_) | Op::Aggregate(_) | Op::Reorg(_) | Op::Slice(_) | Op::Stats(_) => {
            let cells = |shape: &Shape| shape.rows.saturating_mul(shape.columns);
            inputs.iter().map(cells).fold(cells(&output), u64::saturating_add)
        }
    }
}
