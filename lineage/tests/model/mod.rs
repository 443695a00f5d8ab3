//! What the cache is supposed to do, written without locks, wake-ups or speed.

use std::collections::VecDeque;

use fondaco_lineage::{Cost, ENTRY_BYTES, Stats};

/// The slots in play, as (tenant, key): two reaches of one key, two keys of one reach, two tenants.
pub const SLOTS: [(Option<u64>, u8); 4] = [(None, 0), (Some(1), 0), (Some(1), 1), (Some(2), 0)];

/// How many tenants ask, from 0 on.
pub const ASKERS: u64 = 3;

/// On whose behalf an actor asks.
pub fn asker_of(actor: usize) -> u64 {
    actor as u64 % ASKERS
}

/// Whether a value's entry is held elsewhere, in this world: its number says so.
pub fn is_pinned(value: &Value) -> bool {
    value.fill.is_multiple_of(3)
}

/// A value knows which slot it is for, how good it is, and which fill made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    pub slot: usize,
    pub quality: u8,
    pub fill: u32,
}

/// What a poll answers.
#[derive(Debug)]
pub enum Answer {
    Pending,
    Hit(Value),
    Miss(usize),
}

#[derive(Clone, Copy)]
struct Want {
    slot: usize,
    quality: u8,
}

#[derive(Clone, Copy)]
enum Actor {
    Idle,
    /// Has not looked yet.
    Started(Want),
    Waiting(Want),
    /// Was given a value, and has not been polled since.
    Given(Want, Value, Cost),
    /// Was given the turn to compute, and has not been polled since.
    Called(Want),
    Computing(usize),
}

#[derive(Clone)]
struct Entry {
    value: Value,
    cost: Cost,
    owner: u64,
    uses: u32,
    worth: f64,
    last_use: u64,
}

impl Entry {
    fn bytes(&self) -> u64 {
        self.cost.bytes.saturating_add(ENTRY_BYTES)
    }

    /// Whether it leaves before another.
    fn is_below(&self, other: &Self) -> bool {
        (self.worth, self.last_use) < (other.worth, other.last_use)
    }
}

struct Flight {
    waiters: VecDeque<usize>,
    storable: bool,
}

pub struct Model {
    bytes_max: u64,
    tenant_bytes_max: u64,
    clock: f64,
    uses: u64,
    entries: Vec<Entry>,
    flights: [Option<Flight>; SLOTS.len()],
    actors: Vec<Actor>,
    stats: [Stats; ASKERS as usize],
    answered: u64,
    /// The values that left to make room, in that order.
    pub evicted: Vec<Value>,
}

impl Model {
    pub fn new(bytes_max: u64, tenant_bytes_max: u64, actors: usize) -> Self {
        Self {
            bytes_max,
            tenant_bytes_max,
            clock: 0.0,
            uses: 0,
            entries: Vec::new(),
            flights: Default::default(),
            actors: vec![Actor::Idle; actors],
            stats: Default::default(),
            answered: 0,
            evicted: Vec::new(),
        }
    }

    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// How many probes were answered.
    pub fn answered(&self) -> u64 {
        self.answered
    }

    pub fn stats_of(&self, tenant: u64) -> Stats {
        let own = self.entries.iter().filter(|entry| entry.owner == tenant);
        Stats { entries: own.clone().count() as u64, bytes: own.map(Entry::bytes).sum(), ..self.stats[tenant as usize] }
    }

    pub fn stats(&self) -> Stats {
        let sum = |of: fn(&Stats) -> u64| (0..ASKERS).map(|tenant| of(&self.stats_of(tenant))).sum();
        Stats {
            hits: sum(|stats| stats.hits),
            partial_hits: sum(|stats| stats.partial_hits),
            misses: sum(|stats| stats.misses),
            waits: sum(|stats| stats.waits),
            bytes_served: sum(|stats| stats.bytes_served),
            nanos_saved: sum(|stats| stats.nanos_saved),
            evictions: sum(|stats| stats.evictions),
            entries: sum(|stats| stats.entries),
            bytes: sum(|stats| stats.bytes),
        }
    }

    fn stats_mut(&mut self, actor: usize) -> &mut Stats {
        &mut self.stats[asker_of(actor) as usize]
    }

    pub fn is_woken(&self, actor: usize) -> bool {
        matches!(self.actors[actor], Actor::Given(..) | Actor::Called(_))
    }

    pub fn start(&mut self, actor: usize, slot: usize, quality: u8) {
        self.actors[actor] = Actor::Started(Want { slot, quality });
    }

    pub fn poll(&mut self, actor: usize) -> Answer {
        let (answer, cost) = match self.actors[actor] {
            Actor::Started(want) => {
                let (answer, cost) = self.look(actor, want);
                self.stats_mut(actor).waits += u64::from(matches!(answer, Answer::Pending));
                (answer, cost)
            }
            Actor::Given(want, value, cost) if value.quality >= want.quality => (Answer::Hit(value), cost),
            Actor::Given(want, ..) => self.look(actor, want),
            Actor::Called(want) => (Answer::Miss(want.slot), Cost::default()),
            Actor::Waiting(_) => (Answer::Pending, Cost::default()),
            Actor::Idle | Actor::Computing(_) => panic!("actor {actor} has nothing to poll"),
        };
        match answer {
            Answer::Pending => return answer,
            Answer::Hit(_) => {
                self.actors[actor] = Actor::Idle;
                self.stats_mut(actor).hits += 1;
                self.stats_mut(actor).bytes_served += cost.bytes;
                self.stats_mut(actor).nanos_saved += cost.nanos;
            }
            Answer::Miss(slot) => {
                self.actors[actor] = Actor::Computing(slot);
                self.stats_mut(actor).misses += 1;
            }
        }
        self.answered += 1;
        answer
    }

    fn look(&mut self, actor: usize, want: Want) -> (Answer, Cost) {
        if let Some(entry) = self.used(want.slot, want.quality) {
            return (Answer::Hit(entry.value), entry.cost);
        }
        if let Some(flight) = &mut self.flights[want.slot] {
            flight.waiters.push_back(actor);
            self.actors[actor] = Actor::Waiting(want);
            return (Answer::Pending, Cost::default());
        }
        let waiters = VecDeque::new();
        self.flights[want.slot] = Some(Flight { waiters, storable: true });
        (Answer::Miss(want.slot), Cost::default())
    }

    fn used(&mut self, slot: usize, quality: u8) -> Option<Entry> {
        let serves = |entry: &&mut Entry| entry.value.slot == slot && entry.value.quality >= quality;
        let entry = self.entries.iter_mut().find(serves)?;
        self.uses += 1;
        entry.uses += 1;
        entry.last_use = self.uses;
        entry.worth = self.clock + f64::from(entry.uses) * entry.cost.nanos as f64 / entry.bytes() as f64;
        Some(entry.clone())
    }

    /// What is there, used once more.
    pub fn peek(&mut self, slot: usize, quality: u8) -> Option<Value> {
        self.used(slot, quality).map(|entry| entry.value)
    }

    pub fn partial_hit(&mut self, tenant: u64, saved: Cost) {
        let stats = &mut self.stats[tenant as usize];
        stats.partial_hits += 1;
        stats.bytes_served += saved.bytes;
        stats.nanos_saved += saved.nanos;
    }

    pub fn fill(&mut self, actor: usize, value: Value, cost: Cost) {
        self.actors[actor] = Actor::Idle;
        let Some(flight) = self.flights[value.slot].take() else {
            panic!("nobody was to compute slot {}", value.slot);
        };
        for waiter in flight.waiters {
            if let Actor::Waiting(want) = self.actors[waiter] {
                self.actors[waiter] = Actor::Given(want, value, cost);
            }
        }
        let bytes = cost.bytes.saturating_add(ENTRY_BYTES);
        if !flight.storable || bytes > self.bytes_max {
            return;
        }
        self.uses += 1;
        let worth = self.clock + cost.nanos as f64 / bytes as f64;
        let entry = Entry { value, cost, owner: asker_of(actor), uses: 1, worth, last_use: self.uses };
        let before = self.entries.clone();
        self.entries.retain(|entry| entry.value.slot != value.slot);
        let mut leaving = Vec::new();
        while self.bytes_max - self.bytes() < bytes {
            let Some(victim) = self.victim(&entry) else {
                self.entries = before;
                self.clock = self.clock.max(worth);
                return;
            };
            self.entries.retain(|entry| entry.value != victim.value);
            leaving.push(victim);
        }
        leaving.into_iter().for_each(|entry| self.evicted(entry));
        self.entries.push(entry);
    }

    /// Who leaves next so that the entry fits, if anybody.
    fn victim(&self, entry: &Entry) -> Option<Entry> {
        let share = self.tenant_bytes_max;
        let lowest = |mine: &dyn Fn(&Entry) -> bool| {
            let candidates = self.entries.iter().filter(|entry| mine(entry));
            candidates.cloned().reduce(|a, b| if a.is_below(&b) { a } else { b })
        };
        let heaviest = (0..ASKERS).max_by_key(|tenant| (self.stats_of(*tenant).bytes, *tenant)).unwrap_or(0);
        if self.stats_of(entry.owner).bytes.saturating_add(entry.bytes()) > share {
            lowest(&|other| other.owner == entry.owner).filter(|victim| victim.is_below(entry))
        } else if self.stats_of(heaviest).bytes > share {
            lowest(&|other| other.owner == heaviest)
        } else {
            lowest(&|_| true).filter(|victim| victim.is_below(entry))
        }
    }

    fn evicted(&mut self, entry: Entry) {
        self.clock = self.clock.max(entry.worth);
        self.stats[entry.owner as usize].evictions += 1;
        self.evicted.push(entry.value);
    }

    /// A computing actor gives up.
    pub fn fail(&mut self, actor: usize) {
        if let Actor::Computing(slot) = self.actors[actor] {
            self.actors[actor] = Actor::Idle;
            self.pass_on(slot);
        }
    }

    /// A waiting actor gives up.
    pub fn cancel(&mut self, actor: usize) {
        match std::mem::replace(&mut self.actors[actor], Actor::Idle) {
            Actor::Waiting(want) => {
                if let Some(flight) = &mut self.flights[want.slot] {
                    flight.waiters.retain(|&waiter| waiter != actor);
                }
            }
            Actor::Called(want) => self.pass_on(want.slot),
            Actor::Idle | Actor::Started(_) | Actor::Given(..) | Actor::Computing(_) => {}
        }
    }

    fn pass_on(&mut self, slot: usize) {
        let next = self.flights[slot].as_mut().and_then(|flight| flight.waiters.pop_front());
        match next.map(|next| (next, self.actors[next])) {
            Some((next, Actor::Waiting(want))) => self.actors[next] = Actor::Called(want),
            _ => self.flights[slot] = None,
        }
    }

    pub fn evict(&mut self, bytes_wanted: u64) -> u64 {
        let mut in_order = self.entries.clone();
        in_order.sort_by(|a, b| a.worth.total_cmp(&b.worth).then(a.last_use.cmp(&b.last_use)));
        let mut freed = 0;
        for entry in in_order {
            if freed < bytes_wanted && !is_pinned(&entry.value) {
                freed += entry.bytes();
                self.entries.retain(|other| other.value != entry.value);
                self.evicted(entry);
            }
        }
        freed
    }

    /// A tenant goes.
    pub fn remove_tenant(&mut self, tenant: u64) -> u64 {
        self.remove(|slot| SLOTS[slot].0 == Some(tenant))
    }

    /// Takes out the entries of some slots.
    pub fn remove(&mut self, gone: impl Fn(usize) -> bool) -> u64 {
        let before = self.bytes();
        self.entries.retain(|entry| !gone(entry.value.slot));
        for (slot, flight) in self.flights.iter_mut().enumerate() {
            if let Some(flight) = flight {
                flight.storable &= !gone(slot);
            }
        }
        before - self.bytes()
    }

    fn bytes(&self) -> u64 {
        self.entries.iter().map(Entry::bytes).sum()
    }
}
