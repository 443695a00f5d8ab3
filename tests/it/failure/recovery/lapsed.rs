//! Leases that lapse, and owners who stop a tenant: the worker is the same, but for what it held.

use fondaco::{Axis, FedMatrix, Federation, Layout, Shape};
use fondaco_worker::admin::{self, Command};
use ndarray::Array2;
use tokio::runtime::{Builder, Runtime};

use super::recoveries;
use crate::{
    harness::{Plan, Site, eventually, token},
    laws::trio::{Trio, place},
};

const ROWS: u64 = 200_000;

/// Where a test's sites are, and a coordinator that sleeps between two calls, and then renews no lease.
fn runtimes() -> [Runtime; 2] {
    let sites = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    [sites, Builder::new_current_thread().enable_all().build()].map(|runtime| runtime.expect("a runtime"))
}

/// A coordinator with ones at the site.
async fn coordinator(site: &Site) -> (Federation, FedMatrix) {
    let place_of = fondaco::Site::new("a", format!("http://{}", site.address), token("ada"));
    let fed = Federation::connect([place_of]).await.expect("the site serves");
    let layout = Layout::whole("a", Shape::new(ROWS, 1));
    let x = place(&fed, &Array2::ones((ROWS as usize, 1)), &layout);
    x.persist().await.expect("it is small");
    (fed, x)
}

async fn sum(x: &FedMatrix) -> f64 {
    x.sum(Axis::All).expect("a part").scalar().await.expect("it is made again")
}

#[test]
fn a_lapsed_lease_is_made_good() {
    let [sites, asleep] = runtimes();
    let site = sites.block_on(Plan::new().limits(|limits| limits.lease_s = 1).start());
    let (fed, x) = asleep.block_on(coordinator(&site));
    sites.block_on(async {
        eventually("the lease has lapsed", async || site.tenant("ada").await.scopes == 0).await;
        eventually("its memory is back", async || site.used_bytes() == 0).await;
    });
    asleep.block_on(async {
        assert_eq!((sum(&x).await, recoveries(&fed)), (ROWS as f64, vec![1]));
        fed.close().await.expect("the site answers");
    });
}

#[test]
fn what_the_tenant_still_has_there_is_not_sent_again() {
    let [sites, asleep] = runtimes();
    let site = sites.block_on(Plan::new().limits(|limits| limits.lease_s = 1).start());
    let (fed, x) = asleep.block_on(coordinator(&site));
    let sent = fed.stats().total().bytes_sent;
    let (awake, same) = sites.block_on(async {
        let awake = coordinator(&site).await;
        assert_eq!(site.tenant("ada").await.scopes, 2);
        eventually("one lease has lapsed", async || site.tenant("ada").await.scopes == 1).await;
        awake
    });
    asleep.block_on(async {
        assert_eq!((sum(&x).await, recoveries(&fed)), (ROWS as f64, vec![1]));
        assert_eq!(fed.stats().total().bytes_sent, sent, "the bytes are there");
    });
    sites.block_on(async {
        assert_eq!((sum(&same).await, recoveries(&awake)), (ROWS as f64, vec![0]));
    });
    drop(x);
    asleep.block_on(fed.close()).expect("the site answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_owner_stopped_can_be_taken_up_again() {
    let trio = Trio::start().await;
    let layout = Layout::rows([("a", 4), ("b", 8)], 1).expect("there are parts");
    let x = place(&trio.fed, &Array2::ones((12, 1)), &layout);
    x.persist().await.expect("it is small");
    let port = trio.sites[1].address.port();
    let stopped = tokio::task::spawn_blocking(move || admin::ask(port, &Command::Stop("ada".to_owned()))).await;
    stopped.expect("asking does not panic").expect("the worker answers its owner");
    assert_eq!(x.sum(Axis::All).expect("a row cut").scalar().await.expect("it is made again"), 12.0);
    assert_eq!(recoveries(&trio.fed), [0, 1, 0]);
}
