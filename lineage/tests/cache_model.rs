//! The cache against a model, over random interleavings of probes, fills, drops, panics, cancellations and evictions.
//!
//! Actors are polled by hand, one step at a time, so that every interleaving is a sequence of steps that proptest can
//! shrink. The model says exactly what each poll answers, who was woken, and what the statistics are.

mod model;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use fondaco_lineage::{Cache, Cost, ENTRY_BYTES, Key, Options, Probe, Reach, Reservation, TenantTag};
use model::{ASKERS, Answer, Model, SLOTS, Value, asker_of, is_pinned};
use proptest::prelude::*;

const ACTORS: usize = 6;

/// One step of the world. A step that makes no sense for its actor at that time does nothing.
#[derive(Clone, Debug)]
enum Step {
    /// An idle actor asks for a value of at least this quality.
    Probe { actor: usize, slot: usize, quality: u8 },
    /// A waiting actor is polled, woken or not.
    Poll { actor: usize },
    /// A computing actor has the value.
    Fill { actor: usize, quality: u8, cost: Cost },
    /// A computing actor fails; by a panic, if so.
    Fail { actor: usize, panics: bool },
    /// A waiting actor's future is dropped.
    Cancel { actor: usize },
    /// Somebody needs room.
    Evict { bytes: u64 },
    /// A tenant goes.
    RemoveTenant { tenant: u64 },
    /// A value goes.
    Remove { slot: usize },
    /// Somebody looks whether there is a part of what it needs, and counts what that saved.
    Peek { asker: u64, slot: usize, quality: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let actor = 0..ACTORS;
    prop_oneof![
        6 => (actor.clone(), 0..SLOTS.len(), 0..3u8)
            .prop_map(|(actor, slot, quality)| Step::Probe { actor, slot, quality }),
        5 => actor.clone().prop_map(|actor| Step::Poll { actor }),
        3 => (actor.clone(), 0..3u8, cost()).prop_map(|(actor, quality, cost)| Step::Fill { actor, quality, cost }),
        2 => (actor.clone(), any::<bool>()).prop_map(|(actor, panics)| Step::Fail { actor, panics }),
        2 => actor.prop_map(|actor| Step::Cancel { actor }),
        1 => (0..3 * ENTRY_BYTES).prop_map(|bytes| Step::Evict { bytes }),
        1 => (1..3u64).prop_map(|tenant| Step::RemoveTenant { tenant }),
        1 => (0..SLOTS.len()).prop_map(|slot| Step::Remove { slot }),
        2 => (0..ASKERS, 0..SLOTS.len(), 0..3u8).prop_map(|(asker, slot, quality)| Step::Peek { asker, slot, quality }),
    ]
}

/// Small values, and few times, so that the same worth comes often.
fn cost() -> impl Strategy<Value = Cost> {
    let nanos = prop_oneof![Just(0), Just(100_000), 0..1_000_000u64];
    (0..400u64, nanos).prop_map(|(bytes, nanos)| Cost { bytes, nanos })
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Default)]
enum Actor {
    #[default]
    Idle,
    Waiting(Pin<Box<dyn Future<Output = Probe<Value>>>>),
    Computing(usize, Reservation<Value>),
}

struct World {
    cache: Cache<Value>,
    model: Model,
    actors: [Actor; ACTORS],
    flags: [Arc<Flag>; ACTORS],
    /// Tells fills apart, so that a value is known to be the right one.
    fills: u32,
    /// What the cache said that it evicted.
    evicted: Arc<Mutex<Vec<Value>>>,
}

fn reach_of(slot: usize) -> Reach {
    SLOTS[slot].0.map_or(Reach::Shared, |tenant| Reach::Tenant(TenantTag::new(tenant)))
}

fn key_of(slot: usize) -> Key {
    Key::apply(&[SLOTS[slot].1], &[])
}

impl World {
    fn new(bytes_max: u64, tenant_bytes_max: u64) -> Self {
        let evicted: Arc<Mutex<Vec<Value>>> = Arc::default();
        let told = Arc::clone(&evicted);
        let options = Options::new(bytes_max)
            .with_tenant_bytes_max(tenant_bytes_max)
            .with_pinned(is_pinned)
            .with_on_evict(move |entry| {
                assert_eq!((entry.reach, entry.key), (reach_of(entry.value.slot), key_of(entry.value.slot)));
                told.lock().unwrap_or_else(PoisonError::into_inner).push(entry.value);
            });
        Self {
            cache: Cache::with(options),
            model: Model::new(bytes_max, tenant_bytes_max, ACTORS),
            actors: Default::default(),
            flags: Default::default(),
            fills: 0,
            evicted,
        }
    }

    fn perform(&mut self, step: &Step) {
        match *step {
            Step::Probe { actor, slot, quality } => self.probe(actor, slot, quality),
            Step::Poll { actor } => self.poll(actor),
            Step::Fill { actor, quality, cost } => self.fill(actor, quality, cost),
            Step::Fail { actor, panics } => self.fail(actor, panics),
            Step::Cancel { actor } => {
                if matches!(self.actors[actor], Actor::Waiting(_)) {
                    self.actors[actor] = Actor::Idle;
                    self.model.cancel(actor);
                }
            }
            Step::Evict { bytes } => {
                assert_eq!(self.cache.evict_bytes(bytes), self.model.evict(bytes));
            }
            Step::RemoveTenant { tenant } => {
                let freed = self.cache.remove_reach(TenantTag::new(tenant));
                assert_eq!(freed, self.model.remove_tenant(tenant));
            }
            Step::Remove { slot } => {
                let freed = self.cache.remove(reach_of(slot), key_of(slot));
                assert_eq!(freed, self.model.remove(|other| other == slot));
            }
            Step::Peek { asker, slot, quality } => {
                let found = self.cache.peek(reach_of(slot), key_of(slot), |value| value.quality >= quality);
                assert_eq!(found, self.model.peek(slot, quality));
                if found.is_some() {
                    let saved = Cost { bytes: 3, nanos: 7 };
                    self.cache.count_partial_hit(TenantTag::new(asker), saved);
                    self.model.partial_hit(asker, saved);
                }
            }
        }
        self.check();
    }

    fn probe(&mut self, actor: usize, slot: usize, quality: u8) {
        if !matches!(self.actors[actor], Actor::Idle) {
            return;
        }
        let cache = self.cache.clone();
        let future = async move {
            let usable = |value: &Value| value.quality >= quality;
            let asker = TenantTag::new(asker_of(actor));
            cache.probe(asker, reach_of(slot), key_of(slot), usable).await
        };
        self.actors[actor] = Actor::Waiting(Box::pin(future));
        self.model.start(actor, slot, quality);
        self.poll(actor);
    }

    fn poll(&mut self, actor: usize) {
        let Actor::Waiting(future) = &mut self.actors[actor] else {
            return;
        };
        let flag = &self.flags[actor];
        flag.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(flag));
        let answer = future.as_mut().poll(&mut Context::from_waker(&waker));
        let expected = self.model.poll(actor);
        match (answer, expected) {
            (Poll::Pending, Answer::Pending) => {}
            (Poll::Ready(Probe::Hit(value)), Answer::Hit(promised)) => {
                assert_eq!(value, promised);
                self.actors[actor] = Actor::Idle;
            }
            (Poll::Ready(Probe::Miss(reservation)), Answer::Miss(slot)) => {
                self.actors[actor] = Actor::Computing(slot, reservation);
            }
            (answer, expected) => panic!("actor {actor} got {answer:?}, not {expected:?}"),
        }
    }

    fn fill(&mut self, actor: usize, quality: u8, cost: Cost) {
        match std::mem::take(&mut self.actors[actor]) {
            Actor::Computing(slot, reservation) => {
                self.fills += 1;
                let value = Value { slot, quality, fill: self.fills };
                assert_eq!(reservation.fill(value, cost), value);
                self.model.fill(actor, value, cost);
            }
            other => self.actors[actor] = other,
        }
    }

    fn fail(&mut self, actor: usize, panics: bool) {
        match std::mem::take(&mut self.actors[actor]) {
            Actor::Computing(_, reservation) => {
                if panics {
                    let kernel = AssertUnwindSafe(|| {
                        let _reservation = reservation;
                        resume_unwind(Box::new("kernel"))
                    });
                    let outcome: std::thread::Result<()> = catch_unwind(kernel);
                    assert!(outcome.is_err());
                } else {
                    drop(reservation);
                }
                self.model.fail(actor);
            }
            other => self.actors[actor] = other,
        }
    }

    /// What holds after every step.
    fn check(&self) {
        let mut computers = [0; SLOTS.len()];
        for (number, actor) in self.actors.iter().enumerate() {
            if let Actor::Computing(slot, _) = actor {
                computers[*slot] += 1;
            }
            // Who has something to receive was told so.
            let told = self.flags[number].0.load(Ordering::Relaxed);
            assert!(told || !self.model.is_woken(number), "actor {number} was not woken");
        }
        assert!(computers.into_iter().all(|count| count <= 1));
        let stats = self.cache.stats();
        assert_eq!(stats, self.model.stats());
        for tenant in 0..ASKERS {
            assert_eq!(self.cache.stats_of(TenantTag::new(tenant)), self.model.stats_of(tenant));
        }
        assert_eq!(*self.evicted.lock().unwrap_or_else(PoisonError::into_inner), self.model.evicted);
        assert!(stats.bytes <= self.model.bytes_max());
    }

    /// Lets everybody finish, polling only those who were woken: afterwards nobody waits and nothing is under way.
    fn finish(&mut self) {
        for round in 0.. {
            let mut moved = false;
            for actor in 0..ACTORS {
                let woken = self.flags[actor].0.load(Ordering::Relaxed);
                let step = match &self.actors[actor] {
                    Actor::Idle => continue,
                    Actor::Waiting(_) if !woken => continue,
                    Actor::Waiting(_) => Step::Poll { actor },
                    Actor::Computing(..) if round == 0 => Step::Fail { actor, panics: false },
                    Actor::Computing(..) => Step::Fill { actor, quality: 2, cost: Cost { bytes: 8, nanos: 0 } },
                };
                moved = true;
                self.perform(&step);
            }
            if !moved {
                break;
            }
        }
        assert!(self.actors.iter().all(|actor| matches!(actor, Actor::Idle)), "somebody hangs");
        let stats = self.cache.stats();
        assert_eq!(stats.hits + stats.misses, self.model.answered());
        for slot in 0..SLOTS.len() {
            self.perform(&Step::Probe { actor: 0, slot, quality: 3 });
            assert!(matches!(self.actors[0], Actor::Computing(..)), "a computation was left behind");
            self.perform(&Step::Fail { actor: 0, panics: false });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_cache_does_what_the_model_says(
        bytes_max in prop_oneof![Just(0), Just(ENTRY_BYTES), 0..5 * ENTRY_BYTES, Just(u64::MAX)],
        tenant_bytes_max in prop_oneof![Just(0), 0..3 * ENTRY_BYTES, Just(u64::MAX)],
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut world = World::new(bytes_max, tenant_bytes_max);
        for step in &steps {
            world.perform(step);
        }
        world.finish();
    }
}
