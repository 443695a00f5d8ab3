//! A caller that leaves cancels what has not committed: nothing is bound, nothing is held, nobody waits.

use std::time::Duration;

use fondaco_proto::ErrorCode::NotFound;

use super::{slow, square};
use crate::harness::{Client, PATIENCE, Plan, Table, eventually, op, refusal, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_call_leaves_nothing() {
    let site = Plan::new().limits(|limits| limits.reuse = false).start().await;
    let ada = site.client("ada").await;
    let (program, last) = slow(&ada, 3);
    let call = tokio::spawn({
        let (ada, program) = (ada.clone(), program.clone());
        async move { ada.run(&program).await }
    });
    eventually("the program runs and holds memory", async || {
        site.tenant("ada").await.programs == 1 && site.used_bytes() > 0
    })
    .await;
    call.abort();
    eventually("the program has ended", async || site.tenant("ada").await.programs == 0).await;
    eventually("memory is back", async || site.used_bytes() == 0).await;
    assert_eq!(site.tenant("ada").await.bytes, 0);
    refusal(ada.fetch(last).await, NotFound);

    let mut small = ada.program();
    small.bind(last, op::fill(1, 1, 1.0), &[]);
    ada.run(&small).await.expect("its names are free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_program_runs_again_under_its_id() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    let (program, last) = slow(&ada, 4);
    let call = tokio::spawn({
        let (ada, program) = (ada.clone(), program.clone());
        async move { ada.run(&program).await }
    });
    eventually("the program runs", async || site.tenant("ada").await.programs == 1).await;
    call.abort();
    eventually("the program has ended", async || site.tenant("ada").await.programs == 0).await;
    let answer = ada.run(&program).await.unwrap();
    assert!(!answer.replayed, "it had not committed");
    ada.fetch(last).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_cancels() {
    let site = Plan::new().limits(|limits| limits.reuse = false).start().await;
    let ada = site.client("ada").await;
    let (program, last) = slow(&ada, 5);
    let message = fondaco_proto::wire::ExecRequest {
        scope: ada.scope(),
        program_id: program.id.0.to_vec(),
        instructions: program.instructions.iter().cloned().map(Into::into).collect(),
        fetch: vec![last],
    };
    let mut request = ada.request(message);
    request.set_timeout(Duration::from_millis(100));
    ada.grpc.clone().exec(request).await.expect_err("the deadline is far too short");
    eventually("the program has ended", async || site.tenant("ada").await.programs == 0).await;
    eventually("memory is back", async || site.used_bytes() == 0).await;
    refusal(ada.fetch(last).await, NotFound);
}

/// Law 6: whoever waits for a computation that is given up computes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_computation_wakes_those_who_wait_for_it() {
    let site = Plan::new().public("d", &Table::of(&square(600))).start().await;
    let (ada, bob) = (site.client("ada").await, site.client("bob").await);
    let run = |client: &Client| {
        let client = client.clone();
        let mut program = client.program();
        let x = program.read("d");
        let last = program.chain(x, 60);
        program.fetch(last);
        tokio::spawn(async move { client.run(&program).await })
    };
    let first = run(&ada);
    eventually("the first runs", async || site.tenant("ada").await.programs == 1).await;
    let second = run(&bob);
    eventually("the second runs", async || site.tenant("bob").await.programs == 1).await;
    first.abort();
    let answer = within(PATIENCE, "the second program", second).await.unwrap().unwrap();
    assert!(answer.hits().contains(&false), "the second computed what the first gave up");
    assert_eq!(site.tenant("ada").await.programs, 0);
}
