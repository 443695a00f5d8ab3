//! The cache under real threads: many tasks on few keys that fill, fail, panic and are aborted at any point.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fondaco_lineage::{Cache, Cost, ENTRY_BYTES, Key, Options, Probe, Reach, TenantTag};

const KEYS: usize = 5;
const TASKS: u64 = 12;
const TENANTS: u64 = 3;
const RUN: Duration = Duration::from_millis(1_000);
/// Far beyond what any round takes: only a task that hangs gets here.
const HANG: Duration = Duration::from_secs(60);

/// Counts who computes a key; leaves with the computation, however that ends.
struct Computing<'a>(&'a AtomicUsize);

impl<'a> Computing<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        assert_eq!(count.fetch_add(1, Ordering::SeqCst), 0, "two compute one key");
        Self(count)
    }
}

impl Drop for Computing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct World {
    cache: Cache<(usize, u64)>,
    computers: [AtomicUsize; KEYS],
    answers: AtomicU64,
}

/// A small generator (xorshift64): the test needs variety, and a seed to repeat it.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

async fn compute_once(world: Arc<World>, seed: u64) {
    let mut random = Random(seed);
    let number = usize::try_from(random.below(KEYS as u64)).unwrap_or(0);
    let least = random.below(3);
    let key = Key::apply(&number.to_le_bytes(), &[]);
    let asker = TenantTag::new(random.below(TENANTS));
    let answer = world.cache.probe(asker, Reach::Shared, key, |value| value.1 >= least).await;
    world.answers.fetch_add(1, Ordering::SeqCst);
    match answer {
        Probe::Hit((found, quality)) => assert!(found == number && quality >= least),
        Probe::Miss(reservation) => {
            let computing = Computing::enter(&world.computers[number]);
            for _ in 0..random.below(4) {
                tokio::task::yield_now().await;
            }
            match random.below(8) {
                0 => {}
                1 => std::panic::resume_unwind(Box::new("kernel")),
                _ => {
                    drop(computing);
                    let cost = Cost { bytes: random.below(300), nanos: random.below(1_000_000) };
                    reservation.fill((number, least + random.below(2)), cost);
                }
            }
        }
    }
}

async fn spawn_and_abort(world: Arc<World>, seed: u64, end: Instant) {
    let mut random = Random(seed);
    while Instant::now() < end {
        let children: Vec<_> =
            (0..4).map(|_| tokio::spawn(compute_once(Arc::clone(&world), 1 + random.below(u64::MAX - 1)))).collect();
        for child in children {
            if random.below(3) == 0 {
                for _ in 0..random.below(3) {
                    tokio::task::yield_now().await;
                }
                child.abort();
            }
            let ended = tokio::time::timeout(HANG, child).await;
            assert!(ended.is_ok(), "a task hangs; seed {seed}");
            if let Ok(Err(error)) = ended
                && let Ok(panic) = error.try_into_panic()
                && panic.downcast_ref::<&str>() != Some(&"kernel")
            {
                std::panic::resume_unwind(panic);
            }
        }
        if random.below(4) == 0 {
            world.cache.evict_bytes(random.below(3 * ENTRY_BYTES));
            let key = Key::apply(&0_usize.to_le_bytes(), &[]);
            assert!(world.cache.peek(Reach::Shared, key, |_| true).is_none_or(|value| value.0 == 0));
            if random.below(4) == 0 {
                world.cache.remove(Reach::Shared, key);
            }
        }
    }
}

fn stress(bytes_max: u64) {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build();
    let Ok(runtime) = built else {
        panic!("no runtime: {built:?}");
    };
    let evicted = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&evicted);
    let options = Options::new(bytes_max)
        .with_tenant_bytes_max(bytes_max / 2)
        .with_pinned(|value: &(usize, u64)| value.1 == 0)
        .with_on_evict(move |_| {
            told.fetch_add(1, Ordering::SeqCst);
        });
    let world =
        Arc::new(World { cache: Cache::with(options), computers: Default::default(), answers: AtomicU64::new(0) });
    let end = Instant::now() + RUN;
    let tasks: Vec<_> =
        (1..=TASKS).map(|seed| runtime.spawn(spawn_and_abort(Arc::clone(&world), seed * 0x9E37_79B9, end))).collect();
    for task in tasks {
        if let Err(error) = runtime.block_on(task) {
            std::panic::resume_unwind(error.into_panic());
        }
    }
    let stats = world.cache.stats();
    assert_eq!(stats.hits + stats.misses, world.answers.load(Ordering::SeqCst));
    assert!(stats.hits > 0 && stats.misses > 0 && stats.waits > 0, "{stats:?}");
    assert!(stats.bytes <= bytes_max);
    assert_eq!(stats.evictions, evicted.load(Ordering::SeqCst));
    let each = (0..TENANTS).map(|tenant| world.cache.stats_of(TenantTag::new(tenant)));
    let sums = each.fold((0, 0, 0), |sum, of| (sum.0 + of.hits, sum.1 + of.misses, sum.2 + of.bytes));
    assert_eq!(sums, (stats.hits, stats.misses, stats.bytes));
    // Nothing is under way any more: each key can be reserved at once.
    for number in 0..KEYS {
        let key = Key::apply(&number.to_le_bytes(), &[]);
        let probing = async {
            tokio::time::timeout(HANG, world.cache.probe(TenantTag::new(0), Reach::Shared, key, |_| false)).await
        };
        assert!(matches!(runtime.block_on(probing), Ok(Probe::Miss(_))));
    }
}

#[test]
fn threads_share_computations_without_a_cache() {
    stress(0);
}

#[test]
fn threads_share_computations_while_entries_are_evicted() {
    stress(3 * (ENTRY_BYTES + 150));
}
