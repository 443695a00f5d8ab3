//! The cache: values by `(Reach, Key)` within a byte budget, each computed by one caller at a time.

mod reservation;
mod state;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::key::Key;
use crate::reach::{Reach, TenantTag};
pub use reservation::Reservation;
use state::{Found, Slot, State};

/// What each entry costs the budget beside the bytes of its value: the cache's own tables. Without it, any number of
/// scalars would fit.
pub const ENTRY_BYTES: u64 = 256;

/// Values by `(Reach, Key)`, within a byte budget. Clones are handles on the same cache.
///
/// `V` should be cheap to clone (an `Arc` and a few words): it is cloned under the cache's lock.
pub struct Cache<V> {
    shared: Arc<Shared<V>>,
}

/// What a probe found.
pub enum Probe<V> {
    /// The value.
    Hit(V),
    /// Nothing that serves the caller, who is now the one to compute it.
    Miss(Reservation<V>),
}

/// What the cache did and holds. Requests that were cancelled while they waited are in `waits` only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Probes answered with a value.
    pub hits: u64,
    /// Probes answered with a reservation.
    pub misses: u64,
    /// Probes that waited for another caller's computation, whatever came of it.
    pub waits: u64,
    /// Entries dropped to make room.
    pub evictions: u64,
    /// Entries held now.
    pub entries: u64,
    /// Bytes that these entries count for now, [`ENTRY_BYTES`] each included.
    pub bytes: u64,
}

/// What handles and reservations have in common.
struct Shared<V> {
    enabled: bool,
    counters: Counters,
    state: Mutex<State<V, Waker<V>>>,
}

#[derive(Default)]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    waits: AtomicU64,
    evictions: AtomicU64,
}

/// What a waiter is woken with. A turn that its waiter no longer takes is dropped like any reservation, and so goes
/// on to the next: there is no wake-up to lose.
enum Wake<V> {
    Value(V),
    Turn(Reservation<V>),
}

type Waker<V> = oneshot::Sender<Wake<V>>;

/// How a probe stands after one look.
enum Look<'a, V> {
    Found(V),
    Reserved(Reservation<V>),
    Waiting(Waiting<'a, V>),
}

/// A place in the queue for one computation, given up on drop.
struct Waiting<'a, V> {
    shared: &'a Shared<V>,
    slot: Slot,
    ticket: u64,
    woken: oneshot::Receiver<Wake<V>>,
}

impl<V: Clone + Send + Sync> Cache<V> {
    /// An empty cache for entries of at most `bytes_max` bytes altogether. With 0 nothing is kept, but computations
    /// under way are still shared.
    #[must_use]
    pub fn new(bytes_max: u64) -> Self {
        Self::with(bytes_max, true)
    }

    /// A cache that does nothing: every probe is a miss at once, nothing is kept, shared or waited for.
    #[must_use]
    pub fn disabled() -> Self {
        Self::with(0, false)
    }

    fn with(bytes_max: u64, enabled: bool) -> Self {
        let shared = Shared { enabled, counters: Counters::default(), state: Mutex::new(State::new(bytes_max)) };
        Self { shared: Arc::new(shared) }
    }

    /// Asks for a value that satisfies `usable`.
    ///
    /// An entry that does is a hit. Otherwise one caller at a time gets the reservation, and the others wait until it
    /// is filled with a value that serves them (a hit), or until it is their turn to compute. An entry that does not
    /// satisfy `usable` stays for those whom it serves until the reservation's value replaces it.
    ///
    /// Dropping the future gives up the place in the queue. A turn may fall to a future at any time, so it should be
    /// polled or dropped, not kept aside; and a caller that holds one reservation while it waits for another must take
    /// keys in an order that all callers keep, as with locks.
    ///
    /// `usable` is called under the cache's lock: it looks at the value and does nothing else.
    pub async fn probe(&self, reach: Reach, key: Key, usable: impl Fn(&V) -> bool) -> Probe<V> {
        let counters = &self.shared.counters;
        let slot = (reach, key);
        let mut waited = false;
        let answer = loop {
            let waiting = match self.look(slot, &usable) {
                Look::Found(value) => break Probe::Hit(value),
                Look::Reserved(reservation) => break Probe::Miss(reservation),
                Look::Waiting(waiting) => waiting,
            };
            if !waited {
                waited = true;
                add(&counters.waits, 1);
            }
            match waiting.wake().await {
                Some(Wake::Value(value)) if usable(&value) => break Probe::Hit(value),
                Some(Wake::Turn(reservation)) => break Probe::Miss(reservation),
                // The value serves others, or its clone for this caller panicked: look again.
                Some(Wake::Value(_)) | None => {}
            }
        };
        match answer {
            Probe::Hit(_) => add(&counters.hits, 1),
            Probe::Miss(_) => add(&counters.misses, 1),
        }
        answer
    }

    /// One look at a slot, in which the caller gets the value, the reservation, or a place in the queue.
    fn look(&self, slot: Slot, usable: impl Fn(&V) -> bool) -> Look<'_, V> {
        if !self.shared.enabled {
            return Look::Reserved(Reservation::detached(slot));
        }
        let mut state = self.shared.lock();
        match state.find(&slot, usable) {
            Found::Value(value) => Look::Found(value),
            Found::Vacant => Look::Reserved(Reservation::new(Arc::clone(&self.shared), slot)),
            Found::Pending => {
                let (waker, woken) = oneshot::channel();
                let ticket = state.enter(&slot, waker);
                Look::Waiting(Waiting { shared: &self.shared, slot, ticket, woken })
            }
        }
    }

    /// Drops entries, the least recently used first, to make room elsewhere for `bytes_wanted`. Returns the bytes
    /// that they counted for; fewer than wanted only if nothing is left.
    pub fn evict_bytes(&self, bytes_wanted: u64) -> u64 {
        // The guard is gone at the end of the statement, the values at the end of the function.
        let removed = self.shared.lock().evict(bytes_wanted);
        add(&self.shared.counters.evictions, removed.values.len() as u64);
        removed.bytes
    }

    /// Drops all entries of a tenant, and returns the bytes that they counted for. Its computations under way still
    /// answer those who wait for them, but are not kept. Takes time in proportion to all entries.
    pub fn remove_reach(&self, tenant: TenantTag) -> u64 {
        let removed = self.shared.lock().remove_tenant(tenant);
        removed.bytes
    }

    /// What the cache did and holds.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (entries, bytes) = {
            let state = self.shared.lock();
            (state.entries() as u64, state.bytes())
        };
        let counters = &self.shared.counters;
        Stats {
            hits: counters.hits.load(Ordering::Relaxed),
            misses: counters.misses.load(Ordering::Relaxed),
            waits: counters.waits.load(Ordering::Relaxed),
            evictions: counters.evictions.load(Ordering::Relaxed),
            entries,
            bytes,
        }
    }
}

impl<V> Shared<V> {
    /// A panic under the lock leaves the state sound (see [`State`]), so that the lock's poison means nothing here.
    fn lock(&self) -> MutexGuard<'_, State<V, Waker<V>>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The counters order nothing: each is read for itself.
fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

impl<V> Waiting<'_, V> {
    /// `None` where the one who should have woken this waiter could not.
    async fn wake(mut self) -> Option<Wake<V>> {
        (&mut self.woken).await.ok()
    }
}

impl<V> Drop for Waiting<'_, V> {
    fn drop(&mut self) {
        // First out of the queue; then `woken` is dropped, and with it a turn that was given meanwhile.
        let waker = self.shared.lock().leave(&self.slot, self.ticket);
        drop(waker);
    }
}

impl<V> Clone for Cache<V> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<V: Clone + Send + Sync> fmt::Debug for Cache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cache").field(&self.stats()).finish()
    }
}

impl<V> fmt::Debug for Probe<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hit(_) => f.write_str("Hit(..)"),
            Self::Miss(reservation) => f.debug_tuple("Miss").field(reservation).finish(),
        }
    }
}

#[cfg(test)]
mod tests;
