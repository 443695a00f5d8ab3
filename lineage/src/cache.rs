//! The cache: values by `(Reach, Key)` within a byte budget, each computed by one caller at a time.

mod reservation;
mod state;
mod stats;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::key::Key;
use crate::policy::Cost;
use crate::reach::{Reach, TenantTag};
pub use reservation::Reservation;
use state::{Found, Slot, State};
pub use stats::Stats;

/// What each entry costs the budget beside the bytes of its value: the cache's own tables. Without it, any number of
/// scalars would fit.
pub const ENTRY_BYTES: u64 = 512;

/// Values by `(Reach, Key)`, within a byte budget. Clones are handles on the same cache.
///
/// `V` should be cheap to clone (an `Arc` and a few words): it is cloned under the cache's lock.
pub struct Cache<V> {
    shared: Arc<Shared<V>>,
}

/// How much a cache holds, and what it asks and tells the one who made it.
pub struct Options<V> {
    bytes_max: u64,
    tenant_bytes_max: u64,
    pinned: Box<dyn Fn(&V) -> bool + Send + Sync>,
    on_evict: Box<dyn Fn(Evicted<V>) + Send + Sync>,
}

/// An entry that left to make room.
#[derive(Clone, PartialEq, Eq)]
pub struct Evicted<V> {
    /// Who could reuse it.
    pub reach: Reach,
    /// What it is.
    pub key: Key,
    /// The value.
    pub value: V,
    /// What it takes and took.
    pub cost: Cost,
}

/// What a probe found.
pub enum Probe<V> {
    /// The value.
    Hit(V),
    /// Nothing that serves the caller, who is now the one to compute it.
    Miss(Reservation<V>),
}

/// What handles and reservations have in common.
struct Shared<V> {
    enabled: bool,
    pinned: Box<dyn Fn(&V) -> bool + Send + Sync>,
    on_evict: Box<dyn Fn(Evicted<V>) + Send + Sync>,
    state: Mutex<State<V, Waiter<V>>>,
}

/// What a waiter is woken with. A turn that its waiter no longer takes is dropped like any reservation, and so goes
/// on to the next: there is no wake-up to lose.
enum Wake<V> {
    Value(V, Cost),
    Turn(Reservation<V>),
}

/// Who waits, and how it is woken.
struct Waiter<V> {
    asker: TenantTag,
    waker: oneshot::Sender<Wake<V>>,
}

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

impl<V: 'static> Options<V> {
    /// Entries of at most `bytes_max` bytes altogether, whoever fills them. With 0 nothing is kept, but computations
    /// under way are still shared.
    #[must_use]
    pub fn new(bytes_max: u64) -> Self {
        let (pinned, on_evict) = (Box::new(|_: &V| false), Box::new(drop));
        Self { bytes_max, tenant_bytes_max: bytes_max, pinned, on_evict }
    }

    /// What one tenant's entries may count for while somebody needs the room. Beyond it the tenant's own entries go
    /// first, for its own new ones and for those of others; what is shared counts for the one who filled it.
    #[must_use]
    pub fn with_tenant_bytes_max(self, tenant_bytes_max: u64) -> Self {
        Self { tenant_bytes_max, ..self }
    }

    /// Whether a value is held elsewhere, so that dropping its entry would free no memory. It is called under the
    /// cache's lock: it looks at the value and does nothing else.
    #[must_use]
    pub fn with_pinned(self, pinned: impl Fn(&V) -> bool + Send + Sync + 'static) -> Self {
        Self { pinned: Box::new(pinned), ..self }
    }

    /// Who gets what left to make room, but not what was removed. It is called outside of the lock, by whoever needed
    /// the room, and so should be quick; the memory is free when it has dropped the value.
    #[must_use]
    pub fn with_on_evict(self, on_evict: impl Fn(Evicted<V>) + Send + Sync + 'static) -> Self {
        Self { on_evict: Box::new(on_evict), ..self }
    }
}

impl<V: Clone + Send + Sync + 'static> Cache<V> {
    /// An empty cache for entries of at most `bytes_max` bytes altogether; see [`Options::new`].
    #[must_use]
    pub fn new(bytes_max: u64) -> Self {
        Self::with(Options::new(bytes_max))
    }

    /// An empty cache.
    #[must_use]
    pub fn with(options: Options<V>) -> Self {
        Self::made(options, true)
    }

    /// A cache that does nothing: every probe is a miss at once, nothing is kept, shared or waited for.
    #[must_use]
    pub fn disabled() -> Self {
        Self::made(Options::new(0), false)
    }

    fn made(options: Options<V>, enabled: bool) -> Self {
        let Options { bytes_max, tenant_bytes_max, pinned, on_evict } = options;
        let state = Mutex::new(State::new(bytes_max, tenant_bytes_max));
        Self { shared: Arc::new(Shared { enabled, pinned, on_evict, state }) }
    }

    /// Asks, for the tenant `asker`, for a value that satisfies `usable`.
    ///
    /// An entry that does is a hit. Otherwise one caller at a time gets the reservation, and the others wait until it
    /// is filled with a value that serves them (a hit), or until it is their turn to compute. An entry that does not
    /// satisfy `usable` stays for those whom it serves until the reservation's value replaces it.
    ///
    /// Who asks is counted, and answers for what it fills; what it may reuse is the reach's to say.
    ///
    /// Dropping the future gives up the place in the queue. A turn may fall to a future at any time, so it should be
    /// polled or dropped, not kept aside; and a caller that holds one reservation while it waits for another must take
    /// keys in an order that all callers keep, as with locks.
    ///
    /// `usable` is called under the cache's lock: it looks at the value and does nothing else.
    pub async fn probe(&self, asker: TenantTag, reach: Reach, key: Key, usable: impl Fn(&V) -> bool) -> Probe<V> {
        let slot = (reach, key);
        let mut waited = false;
        loop {
            let waiting = match self.look(asker, slot, waited, &usable) {
                Look::Found(value) => return Probe::Hit(value),
                Look::Reserved(reservation) => return Probe::Miss(reservation),
                Look::Waiting(waiting) => waiting,
            };
            waited = true;
            match waiting.wake().await {
                Some(Wake::Value(value, cost)) if usable(&value) => {
                    self.shared.lock().stats_mut(asker).count_hit(cost);
                    return Probe::Hit(value);
                }
                Some(Wake::Turn(reservation)) => {
                    self.shared.lock().stats_mut(asker).misses += 1;
                    return Probe::Miss(reservation);
                }
                // The value serves others, or its clone for this caller panicked: look again.
                Some(Wake::Value(..)) | None => {}
            }
        }
    }

    /// One look at a slot, in which the caller gets the value, the reservation, or a place in the queue.
    fn look(&self, asker: TenantTag, slot: Slot, waited: bool, usable: impl Fn(&V) -> bool) -> Look<'_, V> {
        let mut state = self.shared.lock();
        if !self.shared.enabled {
            state.stats_mut(asker).misses += 1;
            return Look::Reserved(Reservation::detached(slot, asker));
        }
        match state.find(asker, &slot, usable) {
            Found::Value(value) => Look::Found(value),
            Found::Vacant => Look::Reserved(Reservation::new(Arc::clone(&self.shared), slot, asker)),
            Found::Pending => {
                let (waker, woken) = oneshot::channel();
                let ticket = state.enter(&slot, Waiter { asker, waker });
                state.stats_mut(asker).waits += u64::from(!waited);
                Look::Waiting(Waiting { shared: &self.shared, slot, ticket, woken })
            }
        }
    }

    /// The value that a probe would hit, without a reservation or a wait where there is none. It counts as used, but
    /// neither as a hit nor as a miss: the caller may have asked for something else, of which this is a part, and
    /// counts that by [`Cache::count_partial_hit`].
    ///
    /// `usable` is called under the cache's lock, as by [`Cache::probe`].
    pub fn peek(&self, reach: Reach, key: Key, usable: impl Fn(&V) -> bool) -> Option<V> {
        self.shared.lock().used(&(reach, key), usable).map(|(value, _)| value)
    }

    /// Counts a value that `asker` got from entries of other keys: what they saved it.
    pub fn count_partial_hit(&self, asker: TenantTag, saved: Cost) {
        self.shared.lock().stats_mut(asker).count_partial_hit(saved);
    }

    /// Drops entries, those that are least worth keeping first, to make room elsewhere for `bytes_wanted`. Those whose
    /// values are held elsewhere stay, unless they are so many that to pass over them would take too long. Returns the
    /// bytes that are free for it; fewer than wanted only if nothing is left that would free any.
    pub fn evict_bytes(&self, bytes_wanted: u64) -> u64 {
        // The guard is gone at the end of the statement, the values after that.
        let removed = self.shared.lock().evict(bytes_wanted, &self.shared.pinned);
        self.shared.hand_out(removed.entries);
        removed.bytes
    }

    /// Drops one entry, and returns the bytes that it counted for; 0 if there is none. A computation of it under way
    /// still answers those who wait for it, but is not kept.
    pub fn remove(&self, reach: Reach, key: Key) -> u64 {
        let removed = self.shared.lock().remove(&(reach, key));
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
        self.shared.lock().stats()
    }

    /// What the cache did for one tenant, and holds of what it filled.
    #[must_use]
    pub fn stats_of(&self, tenant: TenantTag) -> Stats {
        self.shared.lock().stats_of(tenant)
    }
}

impl<V> Shared<V> {
    /// A panic under the lock leaves the state sound (see [`State`]), so that the lock's poison means nothing here.
    fn lock(&self) -> MutexGuard<'_, State<V, Waiter<V>>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives away what was evicted; not under the lock.
    fn hand_out(&self, evicted: Vec<Evicted<V>>) {
        evicted.into_iter().for_each(&self.on_evict);
    }
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

impl<V: Clone + Send + Sync + 'static> fmt::Debug for Cache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cache").field(&self.stats()).finish()
    }
}

impl<V> fmt::Debug for Options<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes_max, tenant_bytes_max, .. } = self;
        write!(f, "Options {{ bytes_max: {bytes_max}, tenant_bytes_max: {tenant_bytes_max}, .. }}")
    }
}

impl<V> fmt::Debug for Evicted<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Evicted").field(&self.reach).field(&self.key).finish()
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
