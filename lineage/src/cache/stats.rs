//! What the cache did and holds, for one tenant or for all.

use crate::policy::Cost;

/// What the cache did and holds: for all, or for one tenant, of whose own requests and entries it then tells alone.
/// Requests that were cancelled while they waited are in `waits` only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Probes answered with a value.
    pub hits: u64,
    /// Values that were made from entries of others, by what the caller told the cache.
    pub partial_hits: u64,
    /// Probes answered with a reservation.
    pub misses: u64,
    /// Probes that waited for another caller's computation, whatever came of it.
    pub waits: u64,
    /// Bytes of the values that answered probes, and of what partial hits used.
    pub bytes_served: u64,
    /// Nanoseconds that these values took to compute, once.
    pub nanos_saved: u64,
    /// Entries dropped to make room; of one tenant, those that it had filled.
    pub evictions: u64,
    /// Entries held now; of one tenant, those that it filled.
    pub entries: u64,
    /// Bytes that these entries count for now, [`ENTRY_BYTES`](super::ENTRY_BYTES) each included.
    pub bytes: u64,
}

impl Stats {
    pub(super) fn count_hit(&mut self, cost: Cost) {
        self.hits += 1;
        self.count_saved(cost);
    }

    pub(super) fn count_partial_hit(&mut self, saved: Cost) {
        self.partial_hits += 1;
        self.count_saved(saved);
    }

    const fn count_saved(&mut self, cost: Cost) {
        self.bytes_served = self.bytes_served.saturating_add(cost.bytes);
        self.nanos_saved = self.nanos_saved.saturating_add(cost.nanos);
    }

    pub(super) const fn plus(self, other: &Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            partial_hits: self.partial_hits + other.partial_hits,
            misses: self.misses + other.misses,
            waits: self.waits + other.waits,
            bytes_served: self.bytes_served.saturating_add(other.bytes_served),
            nanos_saved: self.nanos_saved.saturating_add(other.nanos_saved),
            evictions: self.evictions + other.evictions,
            entries: self.entries + other.entries,
            bytes: self.bytes + other.bytes,
        }
    }
}
