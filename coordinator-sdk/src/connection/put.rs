//! Uploads: in chunks, unless the worker has these bytes of this tenant already.

use std::sync::atomic::Ordering::Relaxed;

use fondaco_proto::{
    ErrorCode, VarId,
    wire::{self, put_request::Part},
};

use super::Connection;
use crate::{Error, Result, retry::Failure, transfer::Upload};

/// An upload of so many bytes is offered first, which costs a round trip, and if the worker has anything like it, a
/// hash.
const OFFER_BYTES_MIN: u64 = 1 << 20;

/// What a call does.
#[derive(Clone, Copy)]
enum Step {
    /// Asks whether this tenant has anything of the same kind and shape there.
    Ask,
    /// Offers the hash of the bytes.
    Offer(blake3::Hash),
    /// Sends the bytes, with their hash if it is known.
    Send(Option<blake3::Hash>),
}

impl Connection {
    /// Uploads a value to a variable.
    pub async fn put(&self, variable: VarId, upload: &Upload) -> Result<()> {
        let mut hash = None;
        if upload.bytes() >= OFFER_BYTES_MIN && self.put_step(variable, upload, Step::Ask).await?.similar {
            let hashed = upload.clone();
            let hashed = tokio::task::spawn_blocking(move || hashed.hash()).await.map_err(|_| Error::Closed)?;
            if self.put_step(variable, upload, Step::Offer(hashed)).await?.receipt.is_some() {
                return Ok(());
            }
            hash = Some(hashed);
        }
        self.put_step(variable, upload, Step::Send(hash)).await.map(drop)
    }

    async fn put_step(&self, variable: VarId, upload: &Upload, step: Step) -> Result<wire::PutResponse> {
        let mut retries = self.retries();
        let mut again = false;
        loop {
            let header = Part::Header(self.header(variable, upload, step));
            let chunks = matches!(step, Step::Send(_)).then(|| upload.clone().chunks()).into_iter().flatten();
            let chunks = chunks.map(|(offset, data)| Part::Chunk(wire::Chunk { offset, data }));
            let parts = std::iter::once(header).chain(chunks);
            let messages = tokio_stream::iter(parts.map(|part| wire::PutRequest { part: Some(part) }));
            let failure = match self.client.clone().put(self.request(messages)).await {
                Ok(answer) => {
                    let answer = answer.into_inner();
                    self.counters.round_trips.fetch_add(1, Relaxed);
                    if matches!(step, Step::Send(_)) {
                        self.counters.bytes_sent.fetch_add(upload.bytes(), Relaxed);
                    }
                    self.receipts(answer.receipt.into_iter().collect());
                    return Ok(answer);
                }
                Err(status) => Failure::of(&status),
            };
            // The answer to an upload that had arrived was lost.
            if again && matches!(&failure, Failure::Refused(error) if error.code() == ErrorCode::AlreadyBound) {
                return Ok(wire::PutResponse { receipt: Some(wire::Receipt::default()), similar: false });
            }
            let Some(pause) = retries.after(&failure) else { return Err(self.error(failure)) };
            again = true;
            tokio::time::sleep(pause).await;
        }
    }

    fn header(&self, variable: VarId, upload: &Upload, step: Step) -> wire::PutHeader {
        let (mut matrix, mut frame) = upload.headers();
        let (hash, offer) = match step {
            Step::Ask => (None, true),
            Step::Offer(hash) => (Some(hash), true),
            Step::Send(hash) => (hash, false),
        };
        let hash = hash.map(|hash| hash.as_bytes().to_vec()).unwrap_or_default();
        if let Some(matrix) = &mut matrix {
            matrix.blake3.clone_from(&hash);
        }
        if let Some(frame) = &mut frame {
            frame.blake3 = hash;
        }
        wire::PutHeader { scope: self.scope(), output: variable.0, matrix, frame, offer }
    }
}
