//! The process's memory for values: one budget, reserved before anything is allocated, and a pool of warm buffers.
//!
//! First touch of fresh memory costs more than decoding into it, so freed buffers are kept for a while
//! (`pool_idle_bytes_max`, `POOL_IDLE_MAX`); they stay counted in the budget until they are given back.

use std::{
    collections::HashMap,
    fmt, mem,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use fondaco_proto::{Error, Result};

use self::cells::Cells;

mod cells;

/// For how long a freed buffer is kept for the next taker.
pub const POOL_IDLE_MAX: Duration = Duration::from_secs(30);

/// Bytes that may lie idle in any case, up to three fifths of the budget: a slab of streamed rows.
const POOL_BYTES: u64 = 256 << 20;

/// Buffers shorter than this (in doubles) are not pooled: the allocator does as well.
const POOLED_LEN_MIN: usize = 4096;

/// Called with a number of bytes to be freed; returns how many it let go.
type Reclaim = Box<dyn Fn(u64) -> u64 + Send + Sync>;

/// The budget of the process, and the pool of idle buffers.
pub struct Memory {
    bytes_max: u64,
    idle_bytes_max: u64,
    poison: bool,
    reclaim: OnceLock<Reclaim>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Bytes in use or idle.
    reserved: u64,
    idle_bytes: u64,
    idle: HashMap<usize, Vec<(Instant, Cells)>>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("bytes_max", &self.bytes_max).finish_non_exhaustive()
    }
}

impl Memory {
    /// A budget of `bytes_max`. A tenth of it may lie idle in the pool, and as much as rows that are streamed take turns
    /// in; what is needed elsewhere is taken from there.
    pub fn new(bytes_max: u64) -> Arc<Self> {
        Self::with(bytes_max, false)
    }

    /// The same, but every buffer is handed out full of NaN, so that a cell that a kernel forgets shows.
    pub fn poisoned(bytes_max: u64) -> Arc<Self> {
        Self::with(bytes_max, true)
    }

    fn with(bytes_max: u64, poison: bool) -> Arc<Self> {
        Arc::new(Self {
            bytes_max,
            idle_bytes_max: (bytes_max / 10).max((bytes_max / 5 * 3).min(POOL_BYTES)),
            poison,
            reclaim: OnceLock::new(),
            state: Mutex::default(),
        })
    }

    /// Installs what is asked to let go of memory before a reservation is refused (the cache); once.
    pub fn set_reclaim(&self, reclaim: impl Fn(u64) -> u64 + Send + Sync + 'static) {
        let _already_set = self.reclaim.set(Box::new(reclaim));
    }

    /// The budget.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Bytes in use by values and scratch, without the idle pool.
    pub fn used_bytes(&self) -> u64 {
        let state = self.lock();
        state.reserved - state.idle_bytes
    }

    /// Buffers of these lengths in doubles, all reserved before the first is allocated. Their contents are
    /// unspecified: whoever takes a buffer writes all of it.
    ///
    /// # Errors
    /// `Limit` naming `memory_bytes_max` if they do not fit.
    pub fn buffers(self: &Arc<Self>, lengths: impl Iterator<Item = usize> + Clone) -> Result<Vec<Buffer>> {
        let bytes = lengths.clone().try_fold(0_u64, |sum, len| sum.checked_add((len as u64).checked_mul(8)?));
        bytes.filter(|bytes| *bytes <= self.bytes_max).ok_or_else(|| self.refusal(bytes.unwrap_or(u64::MAX)))?;
        // Idle ones are reserved already; to make room for the others might be to give them back.
        let idle: Vec<Option<Buffer>> = lengths.clone().map(|len| self.idle(len)).collect();
        let missing = lengths.clone().zip(&idle).filter(|(_, idle)| idle.is_none());
        self.reserve(missing.map(|(len, _)| len as u64 * 8).sum())?;
        Ok(idle.into_iter().zip(lengths).map(|(idle, len)| idle.unwrap_or_else(|| self.fresh(len))).collect())
    }

    /// One buffer; see [`Memory::buffers`].
    ///
    /// # Errors
    /// `Limit` naming `memory_bytes_max` if it does not fit.
    pub fn buffer(self: &Arc<Self>, len: usize) -> Result<Buffer> {
        if let Some(buffer) = self.idle(len) {
            return Ok(buffer);
        }
        self.reserve((len as u64).checked_mul(8).ok_or_else(|| self.refusal(u64::MAX))?)?;
        Ok(self.fresh(len))
    }

    /// One buffer of zeros.
    ///
    /// # Errors
    /// `Limit` naming `memory_bytes_max` if it does not fit.
    pub fn zeros(self: &Arc<Self>, len: usize) -> Result<Buffer> {
        let mut buffer = self.buffer(len)?;
        buffer.fill(0.0);
        Ok(buffer)
    }

    /// Reserves bytes for something other than buffers (decoder scratch), until the ticket is dropped.
    ///
    /// # Errors
    /// `Limit` naming `memory_bytes_max` if they do not fit.
    pub fn ticket(self: &Arc<Self>, bytes: u64) -> Result<Ticket> {
        self.reserve(bytes)?;
        Ok(Ticket { bytes, memory: Arc::clone(self) })
    }

    fn reserve(&self, bytes: u64) -> Result<()> {
        if bytes > self.bytes_max {
            return Err(self.refusal(bytes));
        }
        if self.try_reserve(bytes) {
            return Ok(());
        }
        if let Some(reclaim) = self.reclaim.get() {
            // What is let go of goes to the idle pool or back at once; either way it can be reserved again.
            reclaim(bytes);
            if self.try_reserve(bytes) {
                return Ok(());
            }
        }
        Err(self.refusal(bytes))
    }

    fn try_reserve(&self, bytes: u64) -> bool {
        let mut state = self.lock();
        let mut freed = Vec::new();
        if state.reserved + bytes > self.bytes_max {
            freed = state.idle.drain().collect();
            state.reserved -= mem::take(&mut state.idle_bytes);
        }
        let fits = state.reserved + bytes <= self.bytes_max;
        if fits {
            state.reserved += bytes;
        }
        drop(state);
        drop(freed);
        fits
    }

    fn refusal(&self, bytes: u64) -> Error {
        Error::limit(format!(
            "{bytes} bytes more do not fit this worker's memory for values (memory_bytes_max = {}); drop variables, \
             read fewer columns, or try again when others are done",
            self.bytes_max
        ))
    }

    /// A buffer of the pool, if it has one of this length.
    fn idle(self: &Arc<Self>, len: usize) -> Option<Buffer> {
        let mut state = self.lock();
        let (_, data) = state.idle.get_mut(&len)?.pop()?;
        state.idle_bytes -= len as u64 * 8;
        drop(state);
        Some(self.handed_out(data))
    }

    /// A buffer for `len` doubles whose bytes are reserved.
    fn fresh(self: &Arc<Self>, len: usize) -> Buffer {
        self.handed_out(Cells::zeros(len))
    }

    fn handed_out(self: &Arc<Self>, mut data: Cells) -> Buffer {
        if self.poison {
            data.fill(f64::NAN);
        }
        Buffer { data, memory: Arc::clone(self) }
    }

    fn give(&self, data: Cells) {
        let bytes = data.len() as u64 * 8;
        let mut state = self.lock();
        if data.len() >= POOLED_LEN_MIN && state.idle_bytes + bytes <= self.idle_bytes_max {
            state.idle_bytes += bytes;
            state.idle.entry(data.len()).or_default().push((Instant::now(), data));
        } else {
            state.reserved -= bytes;
            drop(state);
            drop(data);
        }
    }

    /// Gives buffers back to the system that were idle for longer than `POOL_IDLE_MAX` at `now`.
    pub fn trim(&self, now: Instant) {
        let mut stale = Vec::new();
        let mut state = self.lock();
        for buffers in state.idle.values_mut() {
            // The oldest are at the front.
            let keep = buffers.partition_point(|(since, _)| now.duration_since(*since) > POOL_IDLE_MAX);
            stale.extend(buffers.drain(..keep));
        }
        state.idle.retain(|_, buffers| !buffers.is_empty());
        let bytes: u64 = stale.iter().map(|(_, data)| data.len() as u64 * 8).sum();
        state.idle_bytes -= bytes;
        state.reserved -= bytes;
        drop(state);
        drop(stale);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and every update keeps the sums right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Doubles that are counted in the budget; back to the pool when dropped.
pub struct Buffer {
    data: Cells,
    memory: Arc<Memory>,
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer[{}]", self.data.len())
    }
}

impl Deref for Buffer {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        &self.data
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.data
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.memory.give(mem::take(&mut self.data));
    }
}

/// Reserved bytes without a buffer; given back when dropped.
#[derive(Debug)]
pub struct Ticket {
    bytes: u64,
    memory: Arc<Memory>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.memory.lock().reserved -= self.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserves_before_it_allocates_and_counts_the_pool() {
        let memory = Memory::new(1 << 20);
        let buffer = memory.buffer(1 << 13).unwrap();
        assert_eq!(memory.used_bytes(), 1 << 16);
        assert!(memory.buffer(1 << 17).unwrap_err().message().contains("memory_bytes_max"));
        drop(buffer);
        assert_eq!(memory.used_bytes(), 0);
        let whole = memory.buffer(1 << 17).expect("idle buffers make room");
        drop(whole);
        assert!(memory.buffers([usize::MAX, 8].into_iter()).is_err());
        assert_eq!(memory.used_bytes(), 0);
    }

    #[test]
    fn idle_buffers_go_back_after_a_while() {
        let memory = Memory::new(1 << 20);
        drop(memory.buffer(1 << 13).unwrap());
        assert_eq!(memory.lock().idle_bytes, 1 << 16);
        memory.trim(Instant::now() + POOL_IDLE_MAX + Duration::from_secs(1));
        let state = memory.lock();
        assert_eq!((state.idle_bytes, state.reserved), (0, 0));
    }

    #[test]
    fn reclaims_before_it_refuses() {
        let memory = Memory::new(1 << 20);
        let held = Arc::new(Mutex::new(Some(memory.buffer(1 << 16).unwrap())));
        let holder = Arc::clone(&held);
        memory.set_reclaim(move |_| holder.lock().unwrap().take().map_or(0, |buffer| buffer.len() as u64 * 8));
        assert!(memory.buffer(1 << 17).is_ok());
    }
}
