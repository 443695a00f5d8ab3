//! What the cache is supposed to do, written without locks, wake-ups or speed.

use std::collections::VecDeque;

use fondaco_lineage::Stats;

/// The slots in play, as (tenant, key): two reaches of one key, two keys of one reach, two tenants.
pub const SLOTS: [(Option<u64>, u8); 4] = [(None, 0), (Some(1), 0), (Some(1), 1), (Some(2), 0)];

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
    Given(Want, Value),
    /// Was given the turn to compute, and has not been polled since.
    Called(Want),
    Computing(usize),
}

struct Entry {
    value: Value,
    bytes: u64,
}

struct Flight {
    waiters: VecDeque<usize>,
    storable: bool,
}

pub struct Model {
    bytes_max: u64,
    /// The least recently used first.
    entries: Vec<Entry>,
    flights: [Option<Flight>; SLOTS.len()],
    actors: Vec<Actor>,
    stats: Stats,
    answered: u64,
}

impl Model {
    pub fn new(bytes_max: u64, actors: usize) -> Self {
        Self {
            bytes_max,
            entries: Vec::new(),
            flights: Default::default(),
            actors: vec![Actor::Idle; actors],
            stats: Stats::default(),
            answered: 0,
        }
    }

    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// How many probes were answered.
    pub fn answered(&self) -> u64 {
        self.answered
    }

    pub fn stats(&self) -> Stats {
        Stats { entries: self.entries.len() as u64, bytes: self.bytes(), ..self.stats }
    }

    pub fn is_woken(&self, actor: usize) -> bool {
        matches!(self.actors[actor], Actor::Given(..) | Actor::Called(_))
    }

    pub fn start(&mut self, actor: usize, slot: usize, quality: u8) {
        self.actors[actor] = Actor::Started(Want { slot, quality });
    }

    pub fn poll(&mut self, actor: usize) -> Answer {
        let answer = match self.actors[actor] {
            Actor::Started(want) => {
                let answer = self.look(actor, want);
                self.stats.waits += u64::from(matches!(answer, Answer::Pending));
                answer
            }
            Actor::Given(want, value) if value.quality >= want.quality => Answer::Hit(value),
            Actor::Given(want, _) => self.look(actor, want),
            Actor::Called(want) => Answer::Miss(want.slot),
            Actor::Waiting(_) => Answer::Pending,
            Actor::Idle | Actor::Computing(_) => panic!("actor {actor} has nothing to poll"),
        };
        match answer {
            Answer::Pending => return answer,
            Answer::Hit(_) => {
                self.actors[actor] = Actor::Idle;
                self.stats.hits += 1;
            }
            Answer::Miss(slot) => {
                self.actors[actor] = Actor::Computing(slot);
                self.stats.misses += 1;
            }
        }
        self.answered += 1;
        answer
    }

    fn look(&mut self, actor: usize, want: Want) -> Answer {
        let serves = |entry: &Entry| entry.value.slot == want.slot && entry.value.quality >= want.quality;
        if let Some(place) = self.entries.iter().position(serves) {
            let entry = self.entries.remove(place);
            let value = entry.value;
            self.entries.push(entry);
            return Answer::Hit(value);
        }
        if let Some(flight) = &mut self.flights[want.slot] {
            flight.waiters.push_back(actor);
            self.actors[actor] = Actor::Waiting(want);
            return Answer::Pending;
        }
        let waiters = VecDeque::new();
        self.flights[want.slot] = Some(Flight { waiters, storable: true });
        Answer::Miss(want.slot)
    }

    pub fn fill(&mut self, actor: usize, value: Value, bytes: u64) {
        self.actors[actor] = Actor::Idle;
        let Some(flight) = self.flights[value.slot].take() else {
            panic!("nobody was to compute slot {}", value.slot);
        };
        for waiter in flight.waiters {
            if let Actor::Waiting(want) = self.actors[waiter] {
                self.actors[waiter] = Actor::Given(want, value);
            }
        }
        if !flight.storable || bytes > self.bytes_max {
            return;
        }
        self.entries.retain(|entry| entry.value.slot != value.slot);
        while self.bytes_max - self.bytes() < bytes {
            self.entries.remove(0);
            self.stats.evictions += 1;
        }
        self.entries.push(Entry { value, bytes });
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
        let mut freed = 0;
        while freed < bytes_wanted && !self.entries.is_empty() {
            freed += self.entries.remove(0).bytes;
            self.stats.evictions += 1;
        }
        freed
    }

    pub fn remove(&mut self, tenant: u64) -> u64 {
        let before = self.bytes();
        let foreign = |slot: usize| SLOTS[slot].0 != Some(tenant);
        self.entries.retain(|entry| foreign(entry.value.slot));
        for (slot, flight) in self.flights.iter_mut().enumerate() {
            if let Some(flight) = flight {
                flight.storable &= foreign(slot);
            }
        }
        before - self.bytes()
    }

    fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }
}
