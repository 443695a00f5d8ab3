//! What the cache's one lock guards. Everything here is synchronous, and hands out what it removes so that values and
//! waiters are dropped after the lock is released.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::stats::Stats;
use super::{ENTRY_BYTES, Evicted};
use crate::key::Key;
use crate::policy::{self, Among, Candidate, Clock, Cost, Rank};
use crate::reach::{Reach, TenantTag};

/// What an entry is filed under.
pub(super) type Slot = (Reach, Key);

/// The entries, the order in which they leave, and the computations under way. `W` is how a waiter is woken.
///
/// Whatever the caller passes in that may panic (`clone`, `usable`, `pinned`) runs before the first change of a method,
/// so that a poisoned lock guards a sound state.
pub(super) struct State<V, W> {
    bytes_max: u64,
    tenant_bytes_max: u64,
    bytes: u64,
    clock: Clock,
    /// Counts up with each use and each waiter, and so gives both an order and a name.
    tick: u64,
    stored: HashMap<Slot, Stored<V>>,
    /// Every entry by `Stored::rank`, so that the next to leave is found at once.
    by_rank: BTreeMap<Rank, Slot>,
    /// Everybody who asked.
    tenants: HashMap<TenantTag, Tenant>,
    /// Those who have entries, by the bytes of these.
    by_bytes: BTreeSet<(u64, TenantTag)>,
    flights: HashMap<Slot, Flight<W>>,
}

struct Stored<V> {
    value: V,
    cost: Cost,
    rank: Rank,
    /// Who filled it, and whom it counts for.
    owner: TenantTag,
    uses: u32,
}

impl<V> Stored<V> {
    fn bytes(&self) -> u64 {
        entry_bytes(self.cost)
    }
}

/// What the cache knows of a tenant.
#[derive(Default)]
struct Tenant {
    stats: Stats,
    /// The entries that it filled.
    by_rank: BTreeSet<Rank>,
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
    /// A value to drop: the one that was replaced, or the one that was not kept.
    pub(super) dropped: Option<V>,
    /// Entries that made room.
    pub(super) evicted: Vec<Evicted<V>>,
}

/// Entries taken out.
pub(super) struct Removed<V> {
    pub(super) entries: Vec<Evicted<V>>,
    pub(super) bytes: u64,
}

/// What an entry counts for.
const fn entry_bytes(cost: Cost) -> u64 {
    cost.bytes.saturating_add(ENTRY_BYTES)
}

impl<V, W> State<V, W> {
    pub(super) fn new(bytes_max: u64, tenant_bytes_max: u64) -> Self {
        Self {
            bytes_max,
            tenant_bytes_max,
            bytes: 0,
            clock: Clock::default(),
            tick: 0,
            stored: HashMap::new(),
            by_rank: BTreeMap::new(),
            tenants: HashMap::new(),
            by_bytes: BTreeSet::new(),
            flights: HashMap::new(),
        }
    }

    /// What happened to a tenant's requests and is held of its entries, to be counted up.
    pub(super) fn stats_mut(&mut self, tenant: TenantTag) -> &mut Stats {
        &mut self.tenants.entry(tenant).or_default().stats
    }

    pub(super) fn stats_of(&self, tenant: TenantTag) -> Stats {
        self.tenants.get(&tenant).map_or(Stats::default(), |tenant| tenant.stats)
    }

    pub(super) fn stats(&self) -> Stats {
        self.tenants.values().fold(Stats::default(), |sum, tenant| sum.plus(&tenant.stats))
    }

    /// A value that serves, if there is one, and what it cost. It has been used once more.
    pub(super) fn used(&mut self, slot: &Slot, usable: impl Fn(&V) -> bool) -> Option<(V, Cost)>
    where
        V: Clone,
    {
        let entry = self.stored.get_mut(slot).filter(|entry| usable(&entry.value))?;
        let value = entry.value.clone();
        self.tick += 1;
        entry.uses = entry.uses.saturating_add(1);
        let rank = self.clock.rank(entry.uses, entry.cost.nanos, entry.bytes(), self.tick);
        let before = std::mem::replace(&mut entry.rank, rank);
        self.by_rank.remove(&before);
        self.by_rank.insert(rank, *slot);
        let owner = self.tenants.entry(entry.owner).or_default();
        owner.by_rank.remove(&before);
        owner.by_rank.insert(rank);
        Some((value, entry.cost))
    }

    /// Looks a slot up, for `asker`, whose hit or miss it counts. After [`Found::Vacant`] its computation is under way
    /// and the caller answers for it.
    pub(super) fn find(&mut self, asker: TenantTag, slot: &Slot, usable: impl Fn(&V) -> bool) -> Found<V>
    where
        V: Clone,
    {
        if let Some((value, cost)) = self.used(slot, usable) {
            self.stats_mut(asker).count_hit(cost);
            return Found::Value(value);
        }
        if self.flights.contains_key(slot) {
            return Found::Pending;
        }
        let flight = Flight { waiters: BTreeMap::new(), storable: true };
        self.flights.insert(*slot, flight);
        self.stats_mut(asker).misses += 1;
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

    /// Ends a computation with its value, and stores it for `owner` where it may be stored and there is room, or less
    /// worth having, in its place.
    pub(super) fn settle(&mut self, slot: &Slot, owner: TenantTag, value: V, cost: Cost) -> Settled<V, W> {
        let (waiters, storable) =
            self.flights.remove(slot).map_or((BTreeMap::new(), false), |flight| (flight.waiters, flight.storable));
        if !storable || entry_bytes(cost) > self.bytes_max {
            return Settled { waiters, dropped: Some(value), evicted: Vec::new() };
        }
        let replaced = self.unlink(slot);
        self.tick += 1;
        let rank = self.clock.rank(1, cost.nanos, entry_bytes(cost), self.tick);
        let entry = Stored { value, cost, rank, owner, uses: 1 };
        let Some(evicted) = self.make_room(&entry) else {
            self.clock.pass(rank);
            if let Some(replaced) = replaced {
                self.link(*slot, replaced);
            }
            return Settled { waiters, dropped: Some(entry.value), evicted: Vec::new() };
        };
        self.link(*slot, entry);
        Settled { waiters, dropped: replaced.map(|replaced| replaced.value), evicted }
    }

    /// Takes out what has to go so that the entry fits; `None`, and all as it was, where that is worth more.
    fn make_room(&mut self, entry: &Stored<V>) -> Option<Vec<Evicted<V>>> {
        let mut leaving = Vec::new();
        while self.bytes_max - self.bytes < entry.bytes() {
            let gone = self.victim(entry).and_then(|slot| Some((slot, self.unlink(&slot)?)));
            let Some(gone) = gone else {
                leaving.into_iter().for_each(|(slot, stored)| self.link(slot, stored));
                return None;
            };
            leaving.push(gone);
        }
        Some(leaving.into_iter().map(|(slot, stored)| self.evicted(slot, stored)).collect())
    }

    /// The next to go for the sake of an entry.
    fn victim(&self, entry: &Stored<V>) -> Option<Slot> {
        let first_of = |tenant: &TenantTag| self.tenants.get(tenant)?.by_rank.first().copied();
        let own_bytes = self.stats_of(entry.owner).bytes.saturating_add(entry.bytes());
        let heaviest = self.by_bytes.last().copied();
        let rank = match policy::among(own_bytes, heaviest, self.tenant_bytes_max) {
            Among::Own => first_of(&entry.owner).filter(|rank| *rank < entry.rank),
            Among::Other(tenant) => first_of(&tenant),
            Among::All => self.by_rank.keys().next().copied().filter(|rank| *rank < entry.rank),
        }?;
        self.by_rank.get(&rank).copied()
    }

    /// Takes out the entries that the policy chooses, until `bytes_wanted` of memory are freed or nothing is left that
    /// would free any.
    pub(super) fn evict(&mut self, bytes_wanted: u64, pinned: impl Fn(&V) -> bool) -> Removed<V> {
        let in_order = self.by_rank.values().filter_map(|slot| {
            let stored = self.stored.get(slot)?;
            Some(Candidate { entry: *slot, bytes: stored.bytes(), pinned: pinned(&stored.value) })
        });
        let (leaving, bytes) = policy::victims(in_order, bytes_wanted);
        let mut entries = Vec::with_capacity(leaving.len());
        for slot in leaving {
            if let Some(stored) = self.unlink(&slot) {
                entries.push(self.evicted(slot, stored));
            }
        }
        Removed { entries, bytes }
    }

    /// Counts an entry that was taken out to make room.
    fn evicted(&mut self, slot: Slot, stored: Stored<V>) -> Evicted<V> {
        self.clock.pass(stored.rank);
        self.stats_mut(stored.owner).evictions += 1;
        Evicted { reach: slot.0, key: slot.1, value: stored.value, cost: stored.cost }
    }

    /// Takes out a tenant's entries, and sees to it that its computations under way store nothing.
    pub(super) fn remove_tenant(&mut self, tenant: TenantTag) -> Removed<V> {
        let reach = Reach::Tenant(tenant);
        for (slot, flight) in &mut self.flights {
            flight.storable &= slot.0 != reach;
        }
        let leaving: Vec<Slot> = self.stored.keys().filter(|slot| slot.0 == reach).copied().collect();
        self.take_all(&leaving)
    }

    /// Takes out one entry, and sees to it that a computation of it under way stores nothing.
    pub(super) fn remove(&mut self, slot: &Slot) -> Removed<V> {
        if let Some(flight) = self.flights.get_mut(slot) {
            flight.storable = false;
        }
        self.take_all(&[*slot])
    }

    fn take_all(&mut self, slots: &[Slot]) -> Removed<V> {
        let mut removed = Removed { entries: Vec::with_capacity(slots.len()), bytes: 0 };
        for slot in slots {
            if let Some(stored) = self.unlink(slot) {
                removed.bytes += stored.bytes();
                let entry = Evicted { reach: slot.0, key: slot.1, value: stored.value, cost: stored.cost };
                removed.entries.push(entry);
            }
        }
        removed
    }

    fn link(&mut self, slot: Slot, stored: Stored<V>) {
        let (bytes, rank, owner) = (stored.bytes(), stored.rank, stored.owner);
        self.bytes += bytes;
        self.by_rank.insert(rank, slot);
        self.recount(owner, |tenant| {
            tenant.by_rank.insert(rank);
            tenant.stats.bytes += bytes;
        });
        self.stored.insert(slot, stored);
    }

    fn unlink(&mut self, slot: &Slot) -> Option<Stored<V>> {
        let stored = self.stored.remove(slot)?;
        let bytes = stored.bytes();
        self.bytes -= bytes;
        self.by_rank.remove(&stored.rank);
        self.recount(stored.owner, |tenant| {
            tenant.by_rank.remove(&stored.rank);
            tenant.stats.bytes -= bytes;
        });
        Some(stored)
    }

    /// Changes which entries a tenant has.
    fn recount(&mut self, tag: TenantTag, change: impl FnOnce(&mut Tenant)) {
        let tenant = self.tenants.entry(tag).or_default();
        self.by_bytes.remove(&(tenant.stats.bytes, tag));
        change(tenant);
        tenant.stats.entries = tenant.by_rank.len() as u64;
        if tenant.stats.bytes > 0 {
            self.by_bytes.insert((tenant.stats.bytes, tag));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_counts_for_what_the_tables_take() {
        // A value of the worker's: an enum of some handles, and three numbers.
        type Value = [u64; 10];
        // A hash table is between 7/16 and 7/8 full, a node of a B-tree between 5/11 and all of it; each on average.
        let hashed = (size_of::<(Slot, Stored<Value>)>() + 1) * 3 / 2;
        let ordered = (size_of::<(Rank, Slot)>() + size_of::<Rank>() + 2 * size_of::<usize>()) * 3 / 2;
        assert!((hashed + ordered) as u64 <= ENTRY_BYTES, "{hashed} + {ordered}");
    }
}
