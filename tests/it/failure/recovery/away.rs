//! A worker that stays away is an error that names it, soon enough; one that comes back is waited for.

use std::time::{Duration, Instant};

use fondaco::{Axis, Error, Layout};
use ndarray::Array2;

use super::recoveries;
use crate::{
    harness::within,
    laws::trio::{Trio, place},
};

/// Within which a worker that stays away is an error: the SDK's 15 seconds, and what the last call takes.
const AWAY_MAX: Duration = Duration::from_secs(30);

fn thirds() -> Layout {
    Layout::rows([("a", 10), ("b", 10), ("c", 10)], 1).expect("there are parts")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stays_away_is_named() {
    let mut trio = Trio::start().await;
    let x = place(&trio.fed, &Array2::ones((30, 1)), &thirds());
    x.persist().await.expect("it is small");
    trio.sites[2].stop().await;
    let sum = within(AWAY_MAX, "the error", x.sum(Axis::All).expect("a row cut").fetch()).await;
    let error = sum.expect_err("site c is gone");
    assert!(matches!(&error, Error::Unreachable { site, .. } if site == "c"), "{error}");
    // Others are not concerned.
    let head = x.slice(0..20, ..).and_then(|head| head.sum(Axis::All)).expect("a row cut");
    assert_eq!(head.scalar().await.expect("a and b are there"), 20.0);
    // When it is back, the analysis goes on.
    trio.sites[2].serve_again().await;
    assert_eq!(x.sum(Axis::All).expect("a row cut").scalar().await.expect("it is made again"), 30.0);
    assert_eq!(recoveries(&trio.fed), [0, 0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn switched_off_it_is_an_error_at_once() {
    let mut trio = Trio::start().await;
    trio.fed.recover(false);
    let x = place(&trio.fed, &Array2::ones((30, 1)), &thirds());
    x.persist().await.expect("it is small");
    trio.sites[2].stop().await;
    let begun = Instant::now();
    let error = x.sum(Axis::All).expect("a row cut").await.expect_err("site c is gone");
    assert!(matches!(&error, Error::Unreachable { site, .. } if site == "c"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_comes_back_is_waited_for() {
    let mut trio = Trio::start().await;
    let x = place(&trio.fed, &Array2::ones((30, 1)), &thirds());
    x.persist().await.expect("it is small");
    trio.sites[0].stop().await;
    let pending = x.sum(Axis::All).expect("a row cut");
    let waiting = tokio::spawn(pending.scalar());
    // The others have answered, and this one was found to be away.
    let trips = trio.fed.stats().sites[1].round_trips;
    crate::harness::eventually("the others have answered", async || {
        trio.fed.stats().sites[1].round_trips > trips || waiting.is_finished()
    })
    .await;
    trio.sites[0].serve_again().await;
    assert_eq!(waiting.await.expect("it does not panic").expect("it is made again"), 30.0);
    assert_eq!(recoveries(&trio.fed), [1, 0, 0]);
}
