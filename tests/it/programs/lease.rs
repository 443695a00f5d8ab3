//! Scopes that nobody uses are dropped.

use fondaco_proto::ErrorCode::{Limit, ScopeLost};
use ndarray::Array2;

use super::slow;
use crate::harness::{Plan, eventually, op, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_scope_lapses_and_its_memory_returns() {
    let site = Plan::new().limits(|limits| limits.lease_s = 1).start().await;
    let mut ada = site.client("ada").await;
    let (large, small) = (ada.name(), ada.name());
    ada.put(large, &Array2::ones((20_000, 3))).await.unwrap();
    ada.put(small, &Array2::ones((1, 1))).await.unwrap();
    assert!(site.used_bytes() >= 480_000);
    assert_eq!(site.tenant("ada").await.bytes, 480_008);
    eventually("the scope has lapsed", async || site.tenant("ada").await.scopes == 0).await;
    eventually("its memory is back", async || site.used_bytes() == 0).await;
    assert_eq!(site.tenant("ada").await.bytes, 0);
    refusal(ada.fetch(large).await, ScopeLost);
    ada.open().await.expect("a new scope can be opened");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_program_keeps_its_scope() {
    let site = Plan::new().limits(|limits| limits.lease_s = 1).start().await;
    let ada = site.client("ada").await;
    let begun = std::time::Instant::now();
    let mut seed = 10;
    while begun.elapsed() < std::time::Duration::from_millis(1600) {
        let (mut program, last) = slow(&ada, seed);
        let sum = program.apply(op::sum(), &[last]);
        program.fetch(sum);
        ada.run(&program).await.expect("a scope in use does not lapse");
        seed += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_so_many_scopes() {
    let site = Plan::new().limits(|limits| limits.scopes_max = 2).start().await;
    let first = site.client("ada").await;
    let _second = site.client("ada").await;
    let mut third = first.clone();
    third.coordinator = fondaco_proto::CoordinatorId::new();
    let error = refusal(third.open().await, Limit);
    assert!(error.message().contains("scopes_max"), "{error:?}");
    let _others_are_not_concerned = site.client("bob").await;
    first.clear(&[]).await.unwrap();
    third.open().await.expect("one was given up");
}
