//! What the cache's one lock guards. Everything here is synchronous, and hands out what it removes so that values and
//! waiters are dropped after the lock is released.

use std::collections::{BTreeMap, HashMap};

use crate::key::Key;
use crate::policy::{self, Usage};
use crate::reach::{Reach, TenantTag};

/// What an entry is filed under.
pub(super) type Slot = (Reach, Key);

/// The entries, their order of use, and the computations under way. `W` is how a waiter is woken.
///
/// Whatever the caller passes in that may panic (`clone`, `usable`) runs before the first change of a method, so that
/// a poisoned lock guards a sound state.
pub(super) struct State<V, W> {
    bytes_max: u64,
    bytes: u64,
    /// Counts up with each use and each waiter, and so gives both an order and a name.
    tick: u64,
    stored: HashMap<Slot, Stored<V>>,
    /// `Stored::last_use` of every entry, so that the least recently used is found at once.
    by_use: BTreeMap<u64, Slot>,
    flights: HashMap<Slot, Flight<W>>,
}

struct Stored<V> {
    value: V,
    bytes: u64,
    last_use: u64,
}

/// One computation: there is one exactly as long as there is a reservation for its slot.
struct Flight<W> {
    /// By the tick at which each came, so that the first to come is the first to take over.
    waiters: BTreeMap<u64, W>,
    /// Whether the value may be stored: not once the tenant it belongs to was removed.
    storable: bool,
}

/// What was there for a probe.
pub(super) enum Found<V> {
    /// A value that serves the caller.
    Value(V),
    /// Nothing, and nobody computes it: the caller does, from now on.
    Vacant,
    /// Nothing yet, but somebody computes it.
    Pending,
}

/// What a fill leaves to be done after the lock is released.
pub(super) struct Settled<V, W> {
    /// Those who wait for the value.
    pub(super) waiters: BTreeMap<u64, W>,
    /// Values to drop.
    pub(super) dropped: Vec<V>,
    /// How many entries were evicted to make room.
    pub(super) evicted: u64,
}

/// Entries taken out.
pub(super) struct Removed<V> {
    pub(super) values: Vec<V>,
    pub(super) bytes: u64,
}

impl<V, W> State<V, W> {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { bytes_max, bytes: 0, tick: 0, stored: HashMap::new(), by_use: BTreeMap::new(), flights: HashMap::new() }
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn entries(&self) -> usize {
        self.stored.len()
    }

    /// Looks a slot up. After [`Found::Vacant`] its computation is under way and the caller answers for it.
    pub(super) fn find(&mut self, slot: &Slot, usable: impl Fn(&V) -> bool) -> Found<V>
    where
        V: Clone,
    {
        if let Some(entry) = self.stored.get_mut(slot)
            && usable(&entry.value)
        {
            let value = entry.value.clone();
            self.tick += 1;
            self.by_use.remove(&entry.last_use);
            self.by_use.insert(self.tick, *slot);
            entry.last_use = self.tick;
            return Found::Value(value);
        }
        if self.flights.contains_key(slot) {
            return Found::Pending;
        }
        let flight = Flight { waiters: BTreeMap::new(), storable: true };
        self.flights.insert(*slot, flight);
        Found::Vacant
    }

    /// Queues for a pending slot. The ticket names the waiter until it is woken or leaves.
    pub(super) fn enter(&mut self, slot: &Slot, waiter: W) -> u64 {
        self.tick += 1;
        if let Some(flight) = self.flights.get_mut(slot) {
            flight.waiters.insert(self.tick, waiter);
        }
        self.tick
    }

    /// Gives up waiting. `None` where the waiter was woken meanwhile.
    pub(super) fn leave(&mut self, slot: &Slot, ticket: u64) -> Option<W> {
        self.flights.get_mut(slot)?.waiters.remove(&ticket)
    }

    /// Gives up computing: names the waiter who takes over, or ends the computation where nobody waits.
    pub(super) fn next_waiter(&mut self, slot: &Slot) -> Option<W> {
        let waiter = self.flights.get_mut(slot).and_then(|flight| flight.waiters.pop_first());
        if waiter.is_none() {
            self.flights.remove(slot);
        }
        waiter.map(|(_, waiter)| waiter)
    }

    /// Ends a computation with its value, and stores it where it may be stored and fits in the budget at all.
    pub(super) fn settle(&mut self, slot: &Slot, value: V, bytes: u64) -> Settled<V, W> {
        let (waiters, storable) =
            self.flights.remove(slot).map_or((BTreeMap::new(), false), |flight| (flight.waiters, flight.storable));
        let mut settled = Settled { waiters, dropped: Vec::new(), evicted: 0 };
        if !storable || bytes > self.bytes_max {
            settled.dropped.push(value);
            return settled;
        }
        settled.dropped.extend(self.remove(slot).map(|replaced| replaced.value));
        let bytes_free = self.bytes_max - self.bytes;
        let evicted = self.evict(bytes.saturating_sub(bytes_free));
        settled.evicted = evicted.values.len() as u64;
        settled.dropped.extend(evicted.values);
        self.tick += 1;
        let last_use = self.tick;
        self.bytes += bytes;
        self.by_use.insert(last_use, *slot);
        self.stored.insert(*slot, Stored { value, bytes, last_use });
        settled
    }

    /// Takes out the entries that the policy chooses, until `bytes_wanted` are freed or nothing is left.
    pub(super) fn evict(&mut self, bytes_wanted: u64) -> Removed<V> {
        let oldest_first = self.by_use.iter().filter_map(|(&last_use, slot)| {
            let bytes = self.stored.get(slot)?.bytes;
            Some((Usage { last_use, bytes }, *slot))
        });
        let leaving = policy::victims(oldest_first, bytes_wanted);
        self.remove_all(&leaving)
    }

    /// Takes out a tenant's entries, and sees to it that its computations under way store nothing.
    pub(super) fn remove_tenant(&mut self, tenant: TenantTag) -> Removed<V> {
        let reach = Reach::Tenant(tenant);
        for (slot, flight) in &mut self.flights {
            flight.storable &= slot.0 != reach;
        }
        let leaving: Vec<Slot> = self.stored.keys().filter(|slot| slot.0 == reach).copied().collect();
        self.remove_all(&leaving)
    }

    fn remove_all(&mut self, slots: &[Slot]) -> Removed<V> {
        let mut removed = Removed { values: Vec::with_capacity(slots.len()), bytes: 0 };
        for entry in slots.iter().filter_map(|slot| self.remove(slot)) {
            removed.values.push(entry.value);
            removed.bytes += entry.bytes;
        }
        removed
    }

    fn remove(&mut self, slot: &Slot) -> Option<Stored<V>> {
        let entry = self.stored.remove(slot)?;
        self.by_use.remove(&entry.last_use);
        self.bytes -= entry.bytes;
        Some(entry)
    }
}
