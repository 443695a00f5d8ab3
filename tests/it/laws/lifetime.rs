//! What a federation holds at the sites, and for how long.

use std::time::{Duration, Instant};

use fondaco::{Axis, Layout, Shape};
use ndarray::Array2;

use super::trio::{NAMES, Trio, place};
use crate::harness::{Site, eventually};

fn used(sites: &[Site]) -> Vec<u64> {
    sites.iter().map(Site::used_bytes).collect()
}

fn even(rows: u64, columns: u64) -> Layout {
    Layout::even(NAMES, Shape::new(rows, columns)).expect("there are sites")
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_handles_free_memory() {
    let trio = Trio::with(|_, limits| limits.reuse = false).await;
    let x = place(&trio.fed, &Array2::ones((30_000, 4)), &even(30_000, 4));
    // Whatever the first program leaves is left by every other.
    let sum = async || x.sum(Axis::All).expect("a row cut").scalar().await.expect("it is one's own");
    assert_eq!(sum().await, 120_000.0);
    eventually("scratch is given back", async || used(&trio.sites).iter().all(|used| *used < 500_000)).await;
    let before = used(&trio.sites);
    let (double, turned) = (x.multiply(2.0).expect("it fits"), x.t().expect("everything can be transposed"));
    let halves: Vec<_> = (0..4).map(|i| x.slice(i * 7500..(i + 1) * 7500, ..).expect("within")).collect();
    double.persist().await.expect("it is small");
    let after = used(&trio.sites);
    assert!(after.iter().zip(&before).all(|(after, before)| *after >= before + 10_000 * 4 * 8), "{before:?} {after:?}");
    drop((double, turned, halves));
    // Drops ride with the next program.
    assert_eq!(sum().await, 120_000.0);
    // A few numbers are kept for retries.
    let as_before = |now: Vec<u64>| now.iter().zip(&before).all(|(now, before)| *now < before + 1000);
    eventually("memory is as before", async || as_before(used(&trio.sites))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn iterations_do_not_grow() {
    let trio = Trio::with(|_, limits| limits.reuse = false).await;
    let mut x = place(&trio.fed, &Array2::ones((9000, 4)), &even(9000, 4));
    let mut held = 0;
    for step in 0..60 {
        x = x.multiply(0.5).and_then(|x| x.add(0.25)).expect("it fits");
        let sum = x.sum(Axis::All).expect("a row cut").scalar().await.expect("it is one's own");
        assert!(sum.is_finite());
        // By then there are as many programs as are kept for retries.
        if step == 29 {
            held = trio.sites[0].tenant("ada").await.bytes;
        }
    }
    let last = trio.sites[0].tenant("ada").await.bytes;
    assert!((96_000..97_000).contains(&held) && last == held, "{last} bytes after 60 steps, {held} after 30");
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_clears_the_scopes() {
    let trio = Trio::with(|_, limits| limits.reuse = false).await;
    let empty = used(&trio.sites);
    let fed = trio.connect("bob").await;
    let x = place(&fed, &Array2::ones((3000, 4)), &even(3000, 4));
    x.persist().await.expect("it is small");
    let pending = x.sum(Axis::All).expect("a row cut");
    assert!(used(&trio.sites).iter().zip(&empty).all(|(now, before)| now > before));
    fed.close().await.expect("the sites answer");
    for site in &trio.sites {
        assert_eq!(site.tenant("bob").await.scopes, 0);
        assert_eq!(site.tenant("bob").await.bytes, 0);
    }
    eventually("memory is as before", async || used(&trio.sites) == empty).await;
    assert_eq!(pending.await.expect_err("it is closed"), fondaco::Error::Closed);
    assert!(x.persist().await.is_ok() || x.sum(Axis::All).is_ok(), "planning needs no site");
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_federation_clears_its_scopes() {
    let trio = Trio::with(|_, limits| limits.reuse = false).await;
    let empty = used(&trio.sites);
    let fed = trio.connect("bob").await;
    let x = place(&fed, &Array2::ones((3000, 4)), &even(3000, 4));
    x.persist().await.expect("it is small");
    drop(fed);
    eventually("the scopes are gone", async || {
        let mut scopes = 0;
        for site in &trio.sites {
            scopes += site.tenant("bob").await.scopes;
        }
        scopes == 0 && used(&trio.sites) == empty
    })
    .await;
    drop(x);
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_are_renewed() {
    let trio = Trio::with(|_, limits| limits.lease_s = 1).await;
    let x = place(&trio.fed, &Array2::ones((30, 1)), &even(30, 1));
    x.persist().await.expect("it is small");
    // A coordinator that renews nothing shows that the lease is short.
    let idle = trio.sites[0].client("bob").await;
    let begun = Instant::now();
    eventually("the idle scope lapses, and three leases pass", async || {
        assert_eq!(trio.sites[0].tenant("ada").await.scopes, 1, "after {:?}", begun.elapsed());
        trio.sites[0].tenant("bob").await.scopes == 0 && begun.elapsed() > Duration::from_secs(3)
    })
    .await;
    assert!(idle.fetch(1).await.is_err(), "its scope is gone");
    assert_eq!(x.sum(Axis::All).expect("a row cut").scalar().await.expect("its scope is there"), 30.0);
}
