//! What a probe costs where nobody waits: a hit, a miss with its fill, and the same while entries are evicted.

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use criterion::{Criterion, criterion_group, criterion_main};
use fondaco_lineage::{Cache, Cost, Key, Probe, Reach, TenantTag};

const ENTRIES: u64 = 10_000;
const VALUE_BYTES: u64 = 1_000;
const ASKER: TenantTag = TenantTag::new(1);
const REACH: Reach = Reach::Tenant(ASKER);

type Value = Arc<Vec<f64>>;

/// A probe that has nothing to wait for is ready at the first poll.
fn probe(cache: &Cache<Value>, key: Key) -> Probe<Value> {
    let future = pin!(cache.probe(ASKER, REACH, key, |_| true));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("nobody else computes"),
    }
}

fn fetch(cache: &Cache<Value>, key: Key, value: &Value) -> Value {
    match probe(cache, key) {
        Probe::Hit(value) => value,
        Probe::Miss(reservation) => reservation.fill(Arc::clone(value), Cost { bytes: VALUE_BYTES, nanos: 1_000 }),
    }
}

fn keys(count: u64) -> Vec<Key> {
    (0..count).map(|number| Key::apply(&number.to_le_bytes(), &[])).collect()
}

fn probes(c: &mut Criterion) {
    let value: Value = Arc::new(vec![0.0; 16]);
    let all = keys(2 * ENTRIES);

    let cache = Cache::new(u64::MAX);
    let held = &all[..usize::try_from(ENTRIES).unwrap_or(usize::MAX)];
    for &key in held {
        fetch(&cache, key, &value);
    }
    let mut next = held.iter().cycle();
    c.bench_function("hit, 10,000 entries", |b| {
        b.iter(|| black_box(next.next().map(|&key| probe(&cache, key))));
    });

    let mut next = all.iter().cycle();
    let cache = Cache::new(0);
    c.bench_function("miss and fill, nothing kept", |b| {
        b.iter(|| black_box(next.next().map(|&key| fetch(&cache, key, &value))));
    });

    // Twice as many keys as fit, in turn: every probe is a miss, and every fill evicts one entry.
    let mut next = all.iter().cycle();
    let cache = Cache::new(ENTRIES * (VALUE_BYTES + fondaco_lineage::ENTRY_BYTES));
    c.bench_function("miss, fill and evict, 10,000 entries", |b| {
        b.iter(|| black_box(next.next().map(|&key| fetch(&cache, key, &value))));
    });
}

fn key_of_an_operator(c: &mut Criterion) {
    let inputs = keys(2);
    c.bench_function("key of an operator with two inputs", |b| {
        b.iter(|| Key::apply(black_box(b"matmul, no parameters"), black_box(&inputs)));
    });
}

criterion_group!(benches, probes, key_of_an_operator);
criterion_main!(benches);
