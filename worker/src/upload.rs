//! Uploads by stream: a header, then chunks in order, straight into the tiles of a new matrix. What the tenant has
//! bound already may be offered by its hash, and is then not sent again.

use std::sync::Arc;

use fondaco_lineage::Key;
use fondaco_proto::{
    Block, Error, FrameHeader, MatrixHeader, Op, Result, Shape, VarId,
    op::CreateOp,
    wire::{self, put_request::Part},
};
use tonic::Streaming;

use crate::{
    execute, frame,
    matrix::{Builder, TileMut},
    quota::Charge,
    scope::{Begin, Bound, InUse, Receipt, Staged},
    server::single,
    value::Value,
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

/// What is uploaded.
pub enum Header {
    /// A matrix.
    Matrix(MatrixHeader),
    /// A frame.
    Frame(FrameHeader),
}

impl Header {
    /// # Errors
    /// `Invalid` if it is malformed, or not one of both.
    pub fn of(header: &mut wire::PutHeader) -> Result<Self> {
        match (header.matrix.take(), header.frame.take()) {
            (Some(matrix), None) => Ok(Self::Matrix(matrix.try_into()?)),
            (None, Some(frame)) => Ok(Self::Frame(frame.try_into()?)),
            _ => Err(Error::invalid("the put header needs a matrix header, or a frame header")),
        }
    }

    fn shape(&self) -> Shape {
        match self {
            Self::Matrix(header) => header.shape,
            Self::Frame(header) => header.shape(),
        }
    }

    /// What the tenant is charged.
    fn charged_bytes(&self) -> Result<u64> {
        let footprint = self.shape().footprint_bytes()?;
        Ok(match self {
            Self::Matrix(_) => footprint,
            Self::Frame(header) => header.bytes()?.max(footprint),
        })
    }

    /// The sender's hash of the bytes.
    fn blake3(&self) -> Option<[u8; 32]> {
        match self {
            Self::Matrix(header) => header.blake3,
            Self::Frame(header) => header.blake3,
        }
    }

    /// What, with the shape, identifies a value of this header whose bytes have this hash.
    fn content(&self, data: &blake3::Hash) -> blake3::Hash {
        match self {
            Self::Matrix(_) => *data,
            Self::Frame(header) => header.content_hash(data),
        }
    }

    /// The key of such a value.
    fn key(&self, data: &blake3::Hash) -> Key {
        let shape = self.shape();
        Key::upload((shape.rows, shape.columns), &self.content(data))
    }

    /// What all values of this header have in common.
    fn form(&self) -> Key {
        self.key(&blake3::Hash::from_bytes([0; 32]))
    }
}

/// What a put is answered.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// It is bound.
    Bound(Receipt),
    /// Nothing is, and the bytes have to be sent; whether the tenant has anything of the same kind and shape.
    Wanted {
        /// If so, it may pay to offer the hash.
        similar: bool,
    },
}

impl From<Answer> for wire::PutResponse {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Bound(receipt) => Self { receipt: Some(receipt.into()), similar: false },
            Answer::Wanted { similar } => Self { receipt: None, similar },
        }
    }
}

/// Binds what the tenant has bound already in any of its scopes, if it has. What others have is not looked at, so that
/// the answer is the same as for bytes that nobody ever sent.
///
/// # Errors
/// `AlreadyBound`, `Limit`, `Invalid` if chunks follow, `Cancelled`.
pub async fn offered(
    state: &Arc<State>,
    scope: &InUse,
    output: VarId,
    header: Header,
    mut messages: Streaming<wire::PutRequest>,
) -> Result<Answer> {
    if next(&mut messages).await?.is_some() {
        return Err(Error::invalid("an offer is its header alone; without a receipt in the answer, put the value"));
    }
    let shape = state.admit(header.shape())?;
    let (tenant, uploads) = (scope.tenant().tag(), state.scopes.uploads());
    let Some(claimed) = header.blake3().map(blake3::Hash::from_bytes) else {
        return Ok(Answer::Wanted { similar: uploads.has(tenant, header.form()) });
    };
    let Some(known) = uploads.find(tenant, header.form(), header.key(&claimed)) else {
        return Ok(Answer::Wanted { similar: false });
    };
    let mut staged = begin(state, scope, output)?;
    let charge = state.account(scope.tenant()).charge(header.charged_bytes()?)?;
    let bound = stage(&mut staged, output, known.value.clone(), &header.content(&claimed), charge)?;
    let receipt = Receipt { shape: Some(shape), hit: true, ..Receipt::default() };
    staged.commit(vec![receipt], &[], &state.limits)?;
    uploads.remember(tenant, header.form(), &bound);
    Ok(Answer::Bound(receipt))
}

fn begin(state: &Arc<State>, scope: &InUse, output: VarId) -> Result<Staged> {
    let empty = Block::new(Shape::new(0, 0), &[])?;
    let program = single(output, Op::Create(CreateOp::Put(empty)));
    match scope.begin(&program, &state.limits)? {
        Begin::Fresh(staged) => Ok(staged),
        Begin::Again(_) => Err(Error::internal("a fresh program was run before")),
    }
}

/// Receives the chunks of a value and binds it; nothing is bound if the stream breaks.
///
/// # Errors
/// `AlreadyBound`, `Limit`, `Invalid` (chunks out of order, too many, too few, or with another hash), `Cancelled`.
pub async fn receive(
    state: &Arc<State>,
    scope: &InUse,
    output: VarId,
    header: Header,
    messages: Streaming<wire::PutRequest>,
) -> Result<Answer> {
    let shape = state.admit(header.shape())?;
    let mut staged = begin(state, scope, output)?;
    let charge = state.account(scope.tenant()).charge(header.charged_bytes()?)?;
    let form = header.form();
    let (value, hash) = match header {
        Header::Matrix(header) => matrix(state, header, messages).await?,
        Header::Frame(header) => frame(state, header, messages).await?,
    };
    let bound = stage(&mut staged, output, value, &hash, charge)?;
    let receipt = Receipt { shape: Some(shape), ..Receipt::default() };
    staged.commit(vec![receipt], &[], &state.limits)?;
    state.scopes.uploads().remember(scope.tenant().tag(), form, &bound);
    Ok(Answer::Bound(receipt))
}

fn stage(
    staged: &mut Staged,
    output: VarId,
    value: Value,
    content: &blake3::Hash,
    charge: Charge,
) -> Result<Arc<Bound>> {
    let bound = execute::upload(staged, value, content, charge);
    staged.stage(output, bound);
    staged.get(output).cloned()
}

/// The chunks of a frame; the hash of them with the header.
async fn frame(
    state: &Arc<State>,
    header: FrameHeader,
    mut messages: Streaming<wire::PutRequest>,
) -> Result<(Value, blake3::Hash)> {
    let mut incoming = frame::wire::Incoming::new(header.clone(), &state.memory)?;
    let mut hasher = blake3::Hasher::new();
    while let Some(part) = next(&mut messages).await? {
        let Part::Chunk(chunk) = part else { return Err(Error::invalid("a put has one header alone")) };
        hasher.update(&chunk.data);
        incoming.write(chunk.offset, &chunk.data)?;
    }
    let hash = hasher.finalize();
    check(header.blake3, &hash)?;
    Ok((incoming.finish()?.into(), header.content_hash(&hash)))
}

fn check(expected: Option<[u8; 32]>, hash: &blake3::Hash) -> Result<()> {
    if expected.is_some_and(|expected| expected != *hash.as_bytes()) {
        return Err(Error::invalid("the bytes that came do not have the header's blake3; send them again"));
    }
    Ok(())
}

/// The chunks of a matrix; their hash.
async fn matrix(
    state: &Arc<State>,
    header: MatrixHeader,
    mut messages: Streaming<wire::PutRequest>,
) -> Result<(Value, blake3::Hash)> {
    let shape = header.shape;
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
    check(header.blake3, &hash)?;
    drop(writer);
    Ok((builder.finish().into(), hash))
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
