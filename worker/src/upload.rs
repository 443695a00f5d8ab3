//! Uploads by stream: a header, then chunks in order, straight into the tiles of a new matrix.

use std::sync::Arc;

use fondaco_proto::{
    Block, Error, MatrixHeader, Op, Result, VarId,
    op::CreateOp,
    wire::{self, put_request::Part},
};
use tonic::Streaming;

use crate::{
    execute,
    matrix::{Builder, TileMut},
    scope::{Begin, InUse, Receipt},
    server::single,
    worker::State,
};

/// The first message of a put.
///
/// # Errors
/// `Invalid` if it is no header; `Cancelled` if the stream breaks.
pub async fn header(messages: &mut Streaming<wire::PutRequest>) -> Result<wire::PutHeader> {
    match next(messages).await? {
        Some(Part::Header(header)) => Ok(header),
        _ => Err(Error::invalid("a put begins with a header, then chunks follow in order")),
    }
}

async fn next(messages: &mut Streaming<wire::PutRequest>) -> Result<Option<Part>> {
    let message = messages.message().await.map_err(|status| match status.code() {
        tonic::Code::OutOfRange => Error::limit("a message of the put is larger than message_bytes_max"),
        _ => Error::cancelled("the upload broke off before its end"),
    })?;
    Ok(message.and_then(|message| message.part))
}

/// Receives the chunks of a matrix and binds it; nothing is bound if the stream breaks.
///
/// # Errors
/// `AlreadyBound`, `Limit`, `Invalid` (chunks out of order, too many, too few, or with another hash), `Cancelled`.
pub async fn receive(
    state: &Arc<State>,
    scope: &InUse,
    output: VarId,
    header: MatrixHeader,
    mut messages: Streaming<wire::PutRequest>,
) -> Result<Receipt> {
    let shape = state.admit(header.shape)?;
    let empty = Block::new(fondaco_proto::Shape::new(0, 0), &[])?;
    let program = single(output, Op::Create(CreateOp::Put(empty)));
    let Begin::Fresh(mut staged) = scope.begin(&program, &state.limits)? else {
        return Err(Error::internal("a fresh program was run before"));
    };
    let charge = state.account(scope.tenant()).charge(shape.footprint_bytes()?)?;
    let mut builder = Builder::new(&state.memory, shape.rows as usize, shape.columns as usize)?;
    let mut hasher = blake3::Hasher::new();
    let mut writer = Writer { tiles: builder.tiles_mut().collect(), tile: 0, within: 0, offset: 0 };
    while let Some(part) = next(&mut messages).await? {
        let Part::Chunk(chunk) = part else { return Err(Error::invalid("a put has one header alone")) };
        hasher.update(&chunk.data);
        writer.write(chunk.offset, &chunk.data)?;
    }
    if writer.offset != shape.bytes()? {
        let message = format!("a matrix of {shape} needs {} bytes; {} came", shape.bytes()?, writer.offset);
        return Err(Error::invalid(message));
    }
    let hash = hasher.finalize();
    if header.blake3.is_some_and(|expected| expected != *hash.as_bytes()) {
        return Err(Error::invalid("the bytes that came do not have the header's blake3; send them again"));
    }
    drop(writer);
    staged.stage(output, execute::upload(&staged, builder.finish(), &hash, charge));
    let receipt = Receipt { shape: Some(shape), ..Receipt::default() };
    staged.commit(vec![receipt], &[], &state.limits)?;
    Ok(receipt)
}

/// Writes consecutive bytes into consecutive tiles.
struct Writer<'a> {
    tiles: Vec<TileMut<'a>>,
    tile: usize,
    /// Cells of the tile that are written.
    within: usize,
    /// Bytes that are written.
    offset: u64,
}

impl Writer<'_> {
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        if offset != self.offset || !bytes.len().is_multiple_of(8) {
            return Err(Error::invalid(format!(
                "chunks hold whole doubles and come in order: expected offset {}, got {offset} with {} bytes",
                self.offset,
                bytes.len()
            )));
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(tile) = self.tiles.get_mut(self.tile) else {
                return Err(Error::invalid("more bytes came than the header's shape has"));
            };
            let room = &mut tile.data[self.within..];
            if room.is_empty() {
                (self.tile, self.within) = (self.tile + 1, 0);
                continue;
            }
            let cells = room.len().min(rest.len() / 8);
            let (now, later) = rest.split_at(cells * 8);
            // Little-endian, as the crate demands.
            bytemuck::cast_slice_mut::<f64, u8>(&mut room[..cells]).copy_from_slice(now);
            self.within += cells;
            self.offset += now.len() as u64;
            rest = later;
        }
        Ok(())
    }
}
