//! Values on their way out: first the gate's decision on each, then their bytes as chunks.

use std::sync::Arc;

use bytes::Bytes;
use fondaco_proto::{
    CHUNK_BYTES, MatrixHeader, Result, VarId,
    wire::{self, exec_response::Part},
};
use tokio_stream::Stream;
use tonic::Status;

use crate::{
    frame::{self, Frame},
    kernels::{self, Context},
    matrix::Matrix,
    request,
    scope::{Bound, InUse},
    value::Value,
    worker::State,
};

/// A value in the order of the wire.
pub enum Outgoing {
    /// As stored, not transposed.
    Matrix(Matrix),
    /// With no texts but those that its rows have.
    Frame(Frame),
}

/// Asks the gate for each value, and writes each decision to the audit file.
///
/// # Errors
/// The first refusal, naming the variable; then none of them leaves.
pub async fn release(
    state: &Arc<State>,
    scope: &InUse,
    fetched: &[(VarId, Arc<Bound>)],
) -> Result<Vec<(VarId, Outgoing)>, Status> {
    let mut values = Vec::with_capacity(fetched.len());
    for (var, bound) in fetched {
        let released = decide(state, scope, *var, bound);
        let value = match released {
            Ok(()) => as_stored(state, scope, &bound.value).await,
            Err(error) => Err(error),
        };
        match value {
            Ok(value) => values.push((*var, value)),
            Err(error) => {
                tracing::info!(%error, "a release was refused");
                return Err(error.with_request_id(request::current_id()).to_status());
            }
        }
    }
    Ok(values)
}

fn decide(state: &State, scope: &InUse, var: VarId, bound: &Bound) -> Result<()> {
    let tenant = scope.tenant();
    let decision = state.gate.release(&bound.label, bound.support, |dataset| state.catalog.may_read(tenant, dataset));
    let operator = match bound.trace.origin() {
        fondaco_lineage::Origin::Dataset { .. } => "read",
        fondaco_lineage::Origin::Upload { .. } => "put",
        fondaco_lineage::Origin::Apply { op, .. } => op,
    };
    let (trace, shape) = (&bound.trace, bound.value.shape());
    state.record(scope, operator, trace, shape, &bound.label, decision.as_ref().err())?;
    decision.map_err(|error| fondaco_proto::Error::denied(format!("{var} ({operator}, {shape}): {}", error.message())))
}

/// The value in the order of the wire: a transpose is carried out first.
async fn as_stored(state: &Arc<State>, scope: &InUse, value: &Value) -> Result<Outgoing> {
    match value {
        Value::Dense(matrix) if !matrix.is_transposed() => return Ok(Outgoing::Matrix(matrix.clone())),
        Value::Dense(_) | Value::Sparse(_) | Value::Lazy(_) | Value::Streamed(_) | Value::Frame(_) => {}
    }
    let (value, memory, cancel) = (value.clone(), Arc::clone(&state.memory), scope.ended().clone());
    let kernel = move || {
        let cx = Context { memory: &memory, cancel: &cancel, parallel: true };
        match &value {
            Value::Frame(frame) => frame::wire::compacted(frame, &memory).map(Outgoing::Frame),
            Value::Dense(_) | Value::Sparse(_) | Value::Lazy(_) | Value::Streamed(_) => {
                kernels::untransposed(&kernels::dense_one(&value, &cx)?, &cx).map(Outgoing::Matrix)
            }
        }
    };
    state.pools.run(scope.tenant().tag(), kernel).await
}

/// The answer to an `Exec`: receipts, then header and chunks of each value, or the refusal.
pub fn stream(
    receipts: wire::Receipts,
    values: Result<Vec<(VarId, Outgoing)>, Status>,
) -> impl Stream<Item = Result<wire::ExecResponse, Status>> + Send {
    let message = |part| Ok(wire::ExecResponse { part: Some(part) });
    let first = std::iter::once(message(Part::Receipts(receipts)));
    let (values, refusal) = match values {
        Ok(values) => (values, None),
        Err(status) => (Vec::new(), Some(Err(status))),
    };
    let parts = values.into_iter().flat_map(move |(var, value)| {
        let (matrix, frame) = match &value {
            Outgoing::Matrix(matrix) => (Some(MatrixHeader::new(matrix.shape()).into()), None),
            Outgoing::Frame(frame) => (None, Some(frame::wire::header(frame).into())),
        };
        let header = wire::FetchHeader { variable: var.0, matrix, frame };
        let chunks: Box<dyn Iterator<Item = wire::Chunk> + Send> = match value {
            Outgoing::Matrix(matrix) => Box::new(Chunks::of(matrix)),
            Outgoing::Frame(frame) => Box::new(frame::wire::Chunks::of(&frame)),
        };
        std::iter::once(Part::Value(header)).chain(chunks.map(Part::Chunk)).map(message)
    });
    tokio_stream::iter(first.chain(parts).chain(refusal))
}

/// The bytes of a matrix, tile after tile, in chunks that are made when they are asked for.
struct Chunks {
    value: Matrix,
    tile: usize,
    /// Cells of the tile that are sent.
    within: usize,
    offset: u64,
}

impl Chunks {
    fn of(value: Matrix) -> Self {
        Self { value, tile: 0, within: 0, offset: 0 }
    }
}

impl Iterator for Chunks {
    type Item = wire::Chunk;

    fn next(&mut self) -> Option<wire::Chunk> {
        let mut data: Vec<u8> = Vec::new();
        while data.len() < CHUNK_BYTES {
            let Some(tile) = self.value.tiles().get(self.tile) else { break };
            let rest = &tile.data()[self.within..];
            if rest.is_empty() {
                (self.tile, self.within) = (self.tile + 1, 0);
                continue;
            }
            if data.is_empty() {
                data.reserve_exact(CHUNK_BYTES.min(self.value.bytes() as usize));
            }
            let cells = rest.len().min((CHUNK_BYTES - data.len()) / 8);
            data.extend_from_slice(bytemuck::cast_slice(&rest[..cells]));
            self.within += cells;
        }
        if data.is_empty() {
            return None;
        }
        let chunk = wire::Chunk { offset: self.offset, data: Bytes::from(data) };
        self.offset += chunk.data.len() as u64;
        Some(chunk)
    }
}
