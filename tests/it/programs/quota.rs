//! Law 8: limits are checked before memory is taken; each refusal names its limit, and the worker lives on.

use fondaco_proto::{
    ErrorCode::{Invalid, Limit},
    op::BinaryFunction,
};
use ndarray::Array2;
use tonic::Code;

use crate::harness::{Client, Plan, Refused, Result, Site, Table, eventually, op, refusal};

/// Asserts a refusal for a limit, and that nothing was kept of it.
async fn bounded<T>(site: &Site, client: &Client, limit: &str, result: Result<T>, bytes_before: u64) -> Refused {
    let refused = refusal(result, Limit);
    assert!(refused.message().contains(limit), "{limit} is not named: {refused:?}");
    assert_eq!(refused.grpc, Code::ResourceExhausted, "{refused:?}");
    // A few scalars are kept with the programs that fetched them.
    eventually("memory is where it was", async || site.used_bytes() <= bytes_before + 128).await;
    client.value(|p| p.fill(1, 1, 1.0)).await.expect("the worker lives on");
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn tenant_bytes_max() {
    let plan = Plan::new().limits(|limits| (limits.tenant_bytes_max, limits.reuse) = (1 << 20, false));
    let site = plan.dataset("d", &Table::of(&Array2::ones((20_000, 8)))).start().await;
    let ada = site.client("ada").await;
    let held = ada.bind(|p| p.fill(1 << 16, 1, 1.0)).await.unwrap();
    let used = site.used_bytes();
    let check = async |result: Result<u64>| bounded(&site, &ada, "tenant_bytes_max", result, used).await;
    check(ada.bind(|p| p.fill((1 << 16) + 1, 1, 1.0)).await).await;
    // A dataset that does not fit is read whenever it is needed; what needs all of its rows is not to be had.
    let dataset = ada.bind(|p| p.read("d")).await.unwrap();
    check(ada.bind(|p| p.apply(op::flip(), &[dataset])).await).await;
    let name = ada.name();
    check(ada.put(name, &Array2::ones((1 << 16, 2))).await.map(|_| name)).await;
    check(ada.bind(|p| p.apply(op::hstack(), &[held, held])).await).await;

    let bob = site.client("bob").await;
    bob.bind(|p| p.fill(1 << 17, 1, 1.0)).await.expect("each tenant has its own");
    ada.clear(&[held]).await.unwrap();
    eventually("the charge is given back", async || site.tenant("ada").await.bytes < 64).await;
    ada.bind(|p| p.fill((1 << 16) + 1, 1, 1.0)).await.expect("there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_bytes_max() {
    let limits = |limits: &mut fondaco_worker::config::Limits| {
        (limits.memory_bytes_max, limits.tenant_bytes_max, limits.reuse) = (8 << 20, 1 << 40, false);
    };
    let site = Plan::new().limits(limits).dataset("d", &Table::of(&Array2::ones((200_000, 8)))).start().await;
    let (ada, bob) = (site.client("ada").await, site.client("bob").await);
    let held = ada.bind(|p| p.fill(1000, 600, 1.0)).await.unwrap();
    let used = site.used_bytes();
    let check = async |result: Result<u64>| bounded(&site, &bob, "memory_bytes_max", result, used).await;
    check(bob.bind(|p| p.fill(1000, 600, 1.0)).await).await;
    check(bob.bind(|p| p.fill(1 << 20, 1 << 10, 1.0)).await).await;
    let dataset = bob.bind(|p| p.read("d")).await.unwrap();
    check(bob.bind(|p| p.apply(op::flip(), &[dataset])).await).await;
    let name = bob.name();
    check(bob.put(name, &Array2::ones((1000, 600))).await.map(|_| name)).await;
    let two = bob
        .bind(|p| {
            let half = p.fill(1000, 300, 1.0);
            p.apply(op::hstack(), &[half, half])
        })
        .await;
    assert_eq!(check(two).await.kind().instruction, Some(1));
    ada.clear(&[held]).await.unwrap();
    eventually("memory is back", async || site.used_bytes() < 1000).await;
    bob.bind(|p| p.fill(1000, 600, 1.0)).await.expect("there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_gives_way_before_anything_is_refused() {
    let limits = |limits: &mut fondaco_worker::config::Limits| {
        (limits.memory_bytes_max, limits.cache_bytes_max) = (8 << 20, 8 << 20);
    };
    let site = Plan::new().limits(limits).start().await;
    let ada = site.client("ada").await;
    for value in 0..20 {
        let large = ada.bind(|p| p.fill(1000, 600, f64::from(value))).await.expect("the last one can go");
        ada.clear(&[large]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cells_max() {
    let plan = Plan::new().limits(|limits| (limits.cells_max, limits.reuse) = (1000, false));
    let site = plan.dataset("d", &Table::of(&Array2::ones((600, 2)))).start().await;
    let ada = site.client("ada").await;
    let held = ada.bind(|p| p.fill(1000, 1, 1.0)).await.unwrap();
    let used = site.used_bytes();
    let check = async |result: Result<u64>| bounded(&site, &ada, "cells_max", result, used).await;
    check(ada.bind(|p| p.fill(1001, 1, 1.0)).await).await;
    check(ada.bind(|p| p.apply(op::vstack(), &[held, held])).await).await;
    check(ada.bind(|p| p.read("d")).await).await;
    let outer = ada
        .bind(|p| {
            let row = p.apply(op::transpose(), &[held]);
            p.apply(op::binary(BinaryFunction::Multiply), &[held, row])
        })
        .await;
    check(outer).await;
    let name = ada.name();
    check(ada.put(name, &Array2::ones((1001, 1))).await.map(|_| name)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_with_a_program() {
    let plan = Plan::new().limits(|limits| {
        (limits.inline_bytes_max, limits.program_instructions_max) = (800, 10);
        limits.reuse = false;
    });
    let site = plan.start().await;
    let ada = site.client("ada").await;
    let answer = ada.describe().await.unwrap().limits.unwrap();
    assert_eq!((answer.inline_bytes_max, answer.program_instructions_max), (800, 10), "limits are told");

    ada.value(|p| p.put(&Array2::ones((100, 1)))).await.expect("just so many bytes");
    let used = site.used_bytes();
    let refused = ada.bind(|p| p.put(&Array2::ones((101, 1)))).await;
    let refused = bounded(&site, &ada, "inline_bytes_max", refused, used).await;
    assert_eq!(refused.kind().instruction, Some(0));
    let many = |n: u32| move |p: &mut crate::harness::Program| (0..n).fold(0, |_, i| p.fill(1, 1, f64::from(i)));
    ada.bind(many(10)).await.expect("just so many instructions");
    let used = site.used_bytes();
    let refused = ada.bind(many(11)).await;
    bounded(&site, &ada, "program_instructions_max", refused, used).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_max() {
    let site = Plan::new().limits(|limits| limits.variables_max = 3).start().await;
    let ada = site.client("ada").await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(ada.bind(|p| p.fill(1, 1, 1.0)).await.unwrap());
    }
    let refused = refusal(ada.bind(|p| p.fill(1, 1, 1.0)).await, Limit);
    assert!(refused.message().contains("variables_max"), "{refused:?}");
    ada.clear(&held[..1]).await.unwrap();
    ada.bind(|p| p.fill(1, 1, 1.0)).await.expect("one was dropped");
}

/// More cells than can be counted are no limit of this site's, but nonsense everywhere.
#[tokio::test(flavor = "multi_thread")]
async fn uncountable_cells() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    refusal(ada.bind(|p| p.fill(1 << 63, 2, 1.0)).await, Invalid);
    refusal(ada.bind(|p| p.fill(1 << 31, 1 << 31, 1.0)).await, Invalid);
    refusal(ada.bind(|p| p.fill(1 << 30, 1 << 30, 1.0)).await, Limit);
    refusal(ada.bind(|p| p.fill(1 << 63, 1, 1.0)).await, Invalid);
    ada.value(|p| p.fill(1, 1, 1.0)).await.expect("the worker lives on");
}
