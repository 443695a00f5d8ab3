//! The cache's promises, one by one. Random interleavings are in `tests/cache_model.rs`.

use std::pin::Pin;
use std::task::{Context, Poll, Waker as TaskWaker};

use super::*;

const ROOMY: u64 = 1 << 30;
const ONE: TenantTag = TenantTag::new(1);
const TWO: TenantTag = TenantTag::new(2);

type Probing<'a, V> = Pin<Box<dyn Future<Output = Probe<V>> + 'a>>;

/// Of a value that took no time.
const fn bytes(bytes: u64) -> Cost {
    Cost { bytes, nanos: 0 }
}

fn key(name: &str) -> Key {
    Key::apply(name.as_bytes(), &[])
}

fn start<'a, V: Clone + Send + Sync + 'static>(cache: &'a Cache<V>, name: &str) -> Probing<'a, V> {
    let key = key(name);
    Box::pin(cache.probe(ONE, Reach::Shared, key, |_| true))
}

fn poll<V>(probing: &mut Probing<'_, V>) -> Poll<Probe<V>> {
    probing.as_mut().poll(&mut Context::from_waker(TaskWaker::noop()))
}

fn ready<V>(mut probing: Probing<'_, V>) -> Probe<V> {
    match poll(&mut probing) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the probe waits"),
    }
}

fn miss<V>(probing: Probing<'_, V>) -> Reservation<V> {
    match ready(probing) {
        Probe::Miss(reservation) => reservation,
        Probe::Hit(_) => panic!("a hit where a miss was due"),
    }
}

fn hit<V>(probing: Probing<'_, V>) -> V {
    match ready(probing) {
        Probe::Hit(value) => value,
        Probe::Miss(_) => panic!("a miss where a hit was due"),
    }
}

/// A probe that is already in the queue.
fn queued<'a, V: Clone + Send + Sync + 'static>(cache: &'a Cache<V>, name: &str) -> Probing<'a, V> {
    let mut probing = start(cache, name);
    assert!(poll(&mut probing).is_pending());
    probing
}

fn keep(cache: &Cache<u32>, reach: Reach, name: &str, value: u32) {
    miss(Box::pin(cache.probe(ONE, reach, key(name), |_| true))).fill(value, bytes(1_000 - ENTRY_BYTES));
}

fn has(cache: &Cache<u32>, name: &str) -> bool {
    matches!(ready(start(cache, name)), Probe::Hit(_))
}

#[test]
fn a_filled_value_is_hit() {
    let cache = Cache::new(ROOMY);
    assert_eq!(miss(start(&cache, "x")).fill(7, bytes(100)), 7);
    assert_eq!(hit(start(&cache, "x")), 7);
    let expected =
        Stats { hits: 1, misses: 1, bytes_served: 100, entries: 1, bytes: 100 + ENTRY_BYTES, ..Stats::default() };
    assert_eq!(cache.stats(), expected);
}

#[test]
fn everyone_waits_for_one_computation() {
    for bytes_max in [ROOMY, 0] {
        let cache = Cache::new(bytes_max);
        let reservation = miss(start(&cache, "x"));
        let waiting: Vec<_> = (0..3).map(|_| queued(&cache, "x")).collect();
        reservation.fill(7, bytes(100));
        for probing in waiting {
            assert_eq!(hit(probing), 7);
        }
        let stats = cache.stats();
        assert_eq!((stats.hits, stats.misses, stats.waits), (3, 1, 3));
        assert_eq!(stats.entries, u64::from(bytes_max > 0));
    }
}

#[test]
fn a_dropped_reservation_passes_to_one_waiter() {
    let cache = Cache::<u32>::new(ROOMY);
    let reservation = miss(start(&cache, "x"));
    let first = queued(&cache, "x");
    let mut second = queued(&cache, "x");
    drop(reservation);
    assert!(poll(&mut second).is_pending());
    miss(first).fill(7, bytes(100));
    assert_eq!(hit(second), 7);
}

#[test]
fn a_waiter_cancelled_when_its_turn_has_come_passes_it_on() {
    let cache = Cache::<u32>::new(ROOMY);
    let reservation = miss(start(&cache, "x"));
    let (first, second, third) = (queued(&cache, "x"), queued(&cache, "x"), queued(&cache, "x"));
    drop(second);
    drop(reservation);
    drop(first);
    drop(miss(third));
    drop(miss(start(&cache, "x")));
}

#[test]
fn a_panic_passes_the_turn_on() {
    let cache = Cache::<u32>::new(ROOMY);
    let reservation = miss(start(&cache, "x"));
    let waiting = queued(&cache, "x");
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _reservation = reservation;
        std::panic::resume_unwind(Box::new("kernel"));
    }));
    assert!(outcome.is_err());
    miss(waiting).fill(7, bytes(100));
}

#[test]
fn a_hundred_thousand_waiters_go_without_recursion() {
    let cache = Cache::<u32>::new(ROOMY);
    let reservation = miss(start(&cache, "x"));
    let waiting: Vec<_> = (0..100_000).map(|_| queued(&cache, "x")).collect();
    drop(reservation);
    drop(waiting);
    drop(miss(start(&cache, "x")));
}

#[test]
fn a_turn_that_comes_too_late_for_its_waiter_goes_to_the_next() {
    let cache = Cache::<u32>::new(ROOMY);
    let reservation = miss(start(&cache, "x"));
    for _ in 0..3 {
        // Still in the queue, but no longer there to receive.
        let (waker, _) = oneshot::channel();
        cache.shared.lock().enter(&(Reach::Shared, key("x")), Waiter { asker: ONE, waker });
    }
    let waiting = queued(&cache, "x");
    drop(reservation);
    drop(miss(waiting));
    drop(miss(start(&cache, "x")));
}

#[test]
fn a_cancelled_waiter_leaves_nothing_in_the_queue() {
    let cache = Cache::<u32>::new(ROOMY);
    let _reservation = miss(start(&cache, "x"));
    drop([queued(&cache, "x"), queued(&cache, "x")]);
    let next = cache.shared.lock().next_waiter(&(Reach::Shared, key("x")));
    assert!(next.is_none());
}

#[test]
fn an_unusable_entry_is_a_miss_and_is_replaced() {
    let cache = Cache::new(ROOMY);
    keep(&cache, Reach::Shared, "x", 1);
    let mut reservation = miss(Box::pin(cache.probe(ONE, Reach::Shared, key("x"), |&value| value > 1)));
    // Whom the old entry serves need not wait.
    assert_eq!(hit(start(&cache, "x")), 1);
    let mut picky: Probing<'_, u32> = Box::pin(cache.probe(ONE, Reach::Shared, key("x"), |&value| value > 2));
    assert!(poll(&mut picky).is_pending());
    reservation.fill(2, bytes(100));
    // The value does not serve this waiter either: now it computes.
    reservation = miss(picky);
    reservation.fill(3, bytes(100));
    assert_eq!(hit(start(&cache, "x")), 3);
    assert_eq!(cache.stats().bytes, 100 + ENTRY_BYTES);
}

#[test]
fn of_equal_worth_the_least_recently_used_goes_first() {
    let cache = Cache::new(3_000);
    for (name, value) in [("a", 1), ("b", 2), ("c", 3)] {
        keep(&cache, Reach::Shared, name, value);
    }
    hit(start(&cache, "a"));
    keep(&cache, Reach::Shared, "d", 4);
    assert!(!has(&cache, "b"));
    assert!(has(&cache, "c") && has(&cache, "a") && has(&cache, "d"));
    assert_eq!(cache.stats().evictions, 1);
    assert_eq!(cache.evict_bytes(1_001), 2_000);
    assert!(!has(&cache, "c") && !has(&cache, "a") && has(&cache, "d"));
    assert_eq!(cache.evict_bytes(u64::MAX), 1_000);
    assert_eq!(cache.evict_bytes(1), 0);
    assert_eq!((cache.stats().evictions, cache.stats().bytes), (4, 0));
}

/// Fills an entry that counts for 1,000 bytes, for this tenant.
fn keep_dear(cache: &Cache<u32>, owner: TenantTag, name: &str, nanos: u64) {
    let cost = Cost { bytes: 1_000 - ENTRY_BYTES, nanos };
    miss(Box::pin(cache.probe(owner, Reach::Shared, key(name), |_| true))).fill(1, cost);
}

/// Whether it is there, by a look that is no hit and no miss.
fn holds(cache: &Cache<u32>, name: &str) -> bool {
    cache.peek(Reach::Shared, key(name), |_| true).is_some()
}

#[test]
fn what_was_dear_stays_until_it_is_old() {
    let cache = Cache::new(2_000);
    keep_dear(&cache, ONE, "dear", 1_000);
    keep_dear(&cache, ONE, "cheap", 100);
    keep_dear(&cache, ONE, "next", 200);
    assert!(cache.shared.lock().stats().evictions == 1 && holds(&cache, "next"));
    // What is worth less than all there is is not kept, but ages it.
    keep_dear(&cache, ONE, "cheapest", 1);
    assert!(!holds(&cache, "cheapest"));
    for round in 0..20 {
        keep_dear(&cache, ONE, &format!("round {round}"), 200);
    }
    assert!(!holds(&cache, "dear") && holds(&cache, "round 19"));
    assert_eq!(cache.stats().entries, 2);
}

#[test]
fn use_makes_worth() {
    let cache = Cache::new(2_000);
    keep_dear(&cache, ONE, "used", 100);
    for _ in 0..5 {
        assert!(holds(&cache, "used"));
    }
    keep_dear(&cache, ONE, "unused", 300);
    keep_dear(&cache, ONE, "new", 300);
    assert!(holds(&cache, "used") && !holds(&cache, "unused"));
}

#[test]
fn a_tenant_beyond_its_share_makes_room_for_itself_and_others() {
    let cache = Cache::with(Options::new(4_000).with_tenant_bytes_max(2_000));
    // While there is room anybody may have it.
    for name in ["a", "b", "c", "d"] {
        keep_dear(&cache, ONE, name, 1_000_000);
    }
    assert_eq!(cache.stats_of(ONE).bytes, 4_000);
    // Another gets its share, whatever that is worth; beyond, it makes room itself.
    for name in ["e", "f", "g"] {
        keep_dear(&cache, TWO, name, 1);
    }
    assert_eq!((cache.stats_of(ONE).bytes, cache.stats_of(TWO).bytes), (2_000, 2_000));
    assert_eq!((cache.stats_of(ONE).evictions, cache.stats_of(TWO).misses), (2, 3));
    assert!(holds(&cache, "c") && holds(&cache, "d"));
    keep_dear(&cache, ONE, "h", 2_000_000);
    assert!(!holds(&cache, "c") && holds(&cache, "d") && holds(&cache, "h"));
    assert_eq!(cache.stats_of(TWO).bytes, 2_000);
    // What is more than a share alone does not fit beside others, and is answered but not kept.
    let large = Cost { bytes: 2_500, nanos: u64::MAX };
    assert_eq!(miss(start(&cache, "large")).fill(9, large), 9);
    assert!(!holds(&cache, "large") && holds(&cache, "d") && holds(&cache, "h"));
}

#[test]
fn what_is_held_elsewhere_is_passed_over() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let out = Arc::clone(&told);
    let options = Options::new(ROOMY)
        .with_pinned(|value: &Arc<u32>| Arc::strong_count(value) > 1)
        .with_on_evict(move |entry| out.lock().unwrap().push((entry.key, *entry.value, entry.cost)));
    let cache = Cache::with(options);
    let cost = |nanos| Cost { bytes: 1_000 - ENTRY_BYTES, nanos };
    let held = miss(start(&cache, "held")).fill(Arc::new(1), cost(1));
    miss(start(&cache, "free")).fill(Arc::new(2), cost(2));
    assert_eq!(cache.evict_bytes(500), 1_000);
    assert_eq!(cache.evict_bytes(500), 0);
    assert_eq!(*told.lock().unwrap(), [(key("free"), 2, cost(2))]);
    drop(held);
    assert_eq!(cache.evict_bytes(500), 1_000);
    assert_eq!(told.lock().unwrap().len(), 2);
    // What is removed is not told of.
    drop(miss(start(&cache, "free")).fill(Arc::new(3), cost(2)));
    assert_eq!(cache.remove(Reach::Shared, key("free")), 1_000);
    assert_eq!(cache.remove(Reach::Shared, key("free")), 0);
    assert_eq!(told.lock().unwrap().len(), 2);
}

#[test]
fn a_look_reserves_nothing_and_a_removed_computation_is_not_kept() {
    let cache = Cache::new(ROOMY);
    assert!(!holds(&cache, "x"));
    let reservation = miss(start(&cache, "x"));
    assert!(!holds(&cache, "x"));
    let waiting = queued(&cache, "x");
    assert_eq!(cache.remove(Reach::Shared, key("x")), 0);
    reservation.fill(7, bytes(100));
    assert_eq!(hit(waiting), 7);
    assert!(!holds(&cache, "x"));
    keep(&cache, Reach::Shared, "x", 1);
    assert!(holds(&cache, "x") && cache.peek(Reach::Shared, key("x"), |&value| value > 1).is_none());
    assert_eq!((cache.stats().hits, cache.stats().misses), (1, 2));
}

#[test]
fn each_tenant_has_statistics_of_its_own() {
    let cache = Cache::new(ROOMY);
    let probe = |tenant| -> Probing<'_, u32> { Box::pin(cache.probe(tenant, Reach::Shared, key("x"), |_| true)) };
    let reservation = miss(probe(ONE));
    let mut waiting = probe(TWO);
    assert!(poll(&mut waiting).is_pending());
    reservation.fill(7, Cost { bytes: 100, nanos: 5 });
    assert_eq!((hit(waiting), hit(probe(TWO))), (7, 7));
    cache.count_partial_hit(TWO, Cost { bytes: 1, nanos: 2 });
    let one = Stats { misses: 1, entries: 1, bytes: 100 + ENTRY_BYTES, ..Stats::default() };
    let two = Stats { hits: 2, partial_hits: 1, waits: 1, bytes_served: 201, nanos_saved: 12, ..Stats::default() };
    assert_eq!((cache.stats_of(ONE), cache.stats_of(TWO)), (one, two));
    assert_eq!(cache.stats_of(TenantTag::new(3)), Stats::default());
    assert_eq!(cache.stats(), Stats { misses: 1, entries: 1, bytes: 100 + ENTRY_BYTES, ..two });
}

#[test]
fn a_turn_that_was_passed_on_counts_for_the_one_who_takes_it() {
    let cache = Cache::<u32>::new(ROOMY);
    let reservation = miss(start(&cache, "x"));
    let mut waiting: Probing<'_, u32> = Box::pin(cache.probe(TWO, Reach::Shared, key("x"), |_| true));
    assert!(poll(&mut waiting).is_pending());
    drop(reservation);
    miss(waiting).fill(7, bytes(100));
    assert_eq!((cache.stats_of(ONE).entries, cache.stats_of(TWO).entries), (0, 1));
}

#[test]
fn what_is_too_large_evicts_nothing() {
    let cache = Cache::new(1_000);
    keep(&cache, Reach::Shared, "a", 1);
    for bytes in [1_001 - ENTRY_BYTES, u64::MAX] {
        assert_eq!(miss(start(&cache, "b")).fill(2, Cost { bytes, nanos: 1 }), 2);
        assert!(!has(&cache, "b") && has(&cache, "a"));
    }
}

#[test]
fn reaches_are_apart_and_a_tenant_can_be_removed() {
    let cache = Cache::new(ROOMY);
    let reaches = [Reach::Shared, Reach::Tenant(ONE), Reach::Tenant(TWO)];
    for (reach, value) in reaches.into_iter().zip(1..) {
        keep(&cache, reach, "x", value);
    }
    let under_way = miss(Box::pin(cache.probe(ONE, Reach::Tenant(ONE), key("y"), |_| true)));
    assert_eq!(cache.remove_reach(ONE), 1_000);
    under_way.fill(9, bytes(100));
    let found = reaches.map(|reach| match ready(Box::pin(cache.probe(ONE, reach, key("x"), |_| true))) {
        Probe::Hit(value) => Some(value),
        Probe::Miss(_) => None,
    });
    assert_eq!(found, [Some(1), None, Some(3)]);
    drop(miss(Box::pin(cache.probe(ONE, Reach::Tenant(ONE), key("y"), |_| true))));
    assert_eq!((cache.stats().entries, cache.stats().evictions), (2, 0));
}

#[test]
fn a_disabled_cache_shares_nothing() {
    let cache = Cache::disabled();
    let (one, two) = (miss(start(&cache, "x")), miss(start(&cache, "x")));
    assert_eq!(one.fill(7, bytes(100)), 7);
    drop(two);
    assert_eq!(cache.evict_bytes(1), 0);
    drop(miss(start(&cache, "x")));
    let expected = Stats { misses: 3, ..Stats::default() };
    assert_eq!(cache.stats(), expected);
}

/// A value that looks at its cache when it is dropped, as one that gives back its share of a budget might.
#[derive(Clone)]
struct Guarded(Option<Cache<Self>>);

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(cache) = &self.0 {
            cache.evict_bytes(0);
        }
    }
}

#[test]
fn values_are_dropped_outside_of_the_lock() {
    let cache = Cache::new(2 * ENTRY_BYTES);
    let value = Guarded(Some(cache.clone()));
    for name in ["a", "b", "c"] {
        miss(start(&cache, name)).fill(value.clone(), bytes(0));
    }
    drop(miss(Box::pin(cache.probe(ONE, Reach::Shared, key("c"), |_| false))).fill(value.clone(), bytes(0)));
    drop(miss(start(&cache, "large")).fill(value.clone(), bytes(ROOMY)));
    cache.evict_bytes(1);
    miss(Box::pin(cache.probe(ONE, Reach::Tenant(ONE), key("a"), |_| true))).fill(value, bytes(0));
    cache.remove_reach(ONE);
    // What is left refers to the cache that holds it.
    cache.evict_bytes(u64::MAX);
}

/// A value whose clones panic on demand.
struct Brittle(bool);

impl Clone for Brittle {
    fn clone(&self) -> Self {
        if self.0 {
            std::panic::resume_unwind(Box::new("clone"));
        }
        Self(self.0)
    }
}

#[test]
fn a_panic_in_the_value_or_the_check_wakes_the_next() {
    let cache = Cache::new(ROOMY);
    let reservation = miss(start(&cache, "x"));
    let waiting = queued(&cache, "x");
    let catch = |work: &mut dyn FnMut()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err();
    let mut held = Some(reservation);
    assert!(catch(&mut || {
        held.take().map(|reservation| reservation.fill(Brittle(true), bytes(0)));
    }));
    miss(waiting).fill(Brittle(false), bytes(0));
    assert!(catch(&mut || {
        let check = |_: &Brittle| std::panic::resume_unwind(Box::new("check"));
        let _ = ready(Box::pin(cache.probe(ONE, Reach::Shared, key("x"), check)));
    }));
    hit(start(&cache, "x"));
}

#[test]
fn what_tasks_hold_can_move_between_threads() {
    fn send<T: Send>(_: &T) {}
    let cache = Cache::<Arc<Vec<f64>>>::new(ROOMY);
    send(&cache.probe(ONE, Reach::Shared, key("x"), |value| value.is_empty()));
    send(&miss(start(&cache, "x")));
}

#[test]
fn debug_shows_no_value() {
    let cache = Cache::new(ROOMY);
    let answer = ready(start(&cache, "x"));
    let short = format!("{:?}", key("x"));
    assert_eq!(format!("{answer:?}"), format!("Miss(Reservation(Shared, {short}))"));
    if let Probe::Miss(reservation) = answer {
        reservation.fill("secret", bytes(6));
    }
    let answer = ready(start(&cache, "x"));
    assert_eq!(format!("{answer:?}"), "Hit(..)");
    assert!(!format!("{cache:?}").contains("secret"));
}
