//! Byte buffers of decoders, counted in the memory budget and used again.

use std::{
    mem,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use super::fault::Fault;
use crate::memory::{Memory, Ticket};

/// Sizes are rounded up to this, so that a buffer fits the next page too.
const STEP_BYTES: usize = 1 << 16;

/// How many free buffers wait for the next taker.
const FREE_MAX: usize = 4;

/// The buffers of one thread of a read.
#[derive(Clone)]
pub(super) struct Shelf {
    memory: Arc<Memory>,
    free: Arc<Mutex<Vec<Scratch>>>,
}

struct Scratch {
    bytes: Vec<u8>,
    _ticket: Ticket,
}

impl Shelf {
    pub(super) fn new(memory: &Arc<Memory>) -> Self {
        Self { memory: Arc::clone(memory), free: Arc::default() }
    }

    /// A buffer of so many bytes; their contents are unspecified.
    pub(super) fn take(&self, len: usize) -> Result<Loan, Fault> {
        let mut free = self.lock();
        let fitting = free.iter().position(|scratch| scratch.bytes.len() >= len);
        if let Some(i) = fitting {
            let scratch = free.swap_remove(i);
            return Ok(Loan { scratch: Some(scratch), len, shelf: self.clone() });
        }
        // None fits: their memory is of more use to the larger one.
        let small = mem::take(&mut *free);
        drop(free);
        drop(small);
        let capacity = len.checked_next_multiple_of(STEP_BYTES).unwrap_or(len);
        let ticket = self.ticket(capacity as u64)?;
        Ok(Loan { scratch: Some(Scratch { bytes: vec![0; capacity], _ticket: ticket }), len, shelf: self.clone() })
    }

    /// Reserves what a library allocates.
    pub(super) fn ticket(&self, bytes: u64) -> Result<Ticket, Fault> {
        Ok(self.memory.ticket(bytes)?)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Scratch>> {
        // Nothing panics while it holds the lock.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes from a shelf; back on it when dropped.
pub(super) struct Loan {
    /// Present until dropped.
    scratch: Option<Scratch>,
    len: usize,
    shelf: Shelf,
}

impl Loan {
    /// The first `len` bytes, shared; back on the shelf when the last share is dropped.
    pub(super) fn into_bytes(mut self, len: usize) -> Bytes {
        self.len = len.min(self.len);
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Loan {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Deref for Loan {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.scratch.as_ref().map_or(&[], |scratch| &scratch.bytes[..self.len])
    }
}

impl DerefMut for Loan {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.scratch.as_mut().map_or(&mut [], |scratch| &mut scratch.bytes[..self.len])
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let Some(scratch) = self.scratch.take() else { return };
        let mut free = self.shelf.lock();
        if free.len() < FREE_MAX {
            free.push(scratch);
        }
    }
}
