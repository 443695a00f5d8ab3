//! All of a program is bound, or none; a name is bound once.

use fondaco_proto::ErrorCode::{AlreadyBound, Invalid, NotFound, ScopeLost};
use ndarray::arr2;

use super::slow;
use crate::harness::{Plan, eventually, op, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_instruction_binds_nothing_and_is_named() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    let kept = ada.bind(|p| p.fill(2, 2, 1.0)).await.unwrap();
    let mut program = ada.program();
    let a = program.fill(2, 2, 1.0);
    program.drop_variables(&[kept]);
    let b = program.fill(3, 3, 1.0);
    let c = program.apply(op::add(), &[a, b]);
    let error = refusal(ada.run(&program).await, Invalid);
    assert_eq!(error.kind().instruction, Some(3), "{error:?}");
    assert!(error.message().contains("(2, 2)") && error.message().contains("(3, 3)"), "{error:?}");
    for var in [a, b, c] {
        refusal(ada.fetch(var).await, NotFound);
    }
    assert_eq!(ada.fetch(kept).await.unwrap(), arr2(&[[1.0, 1.0], [1.0, 1.0]]), "its drop did not happen either");

    let mut again = ada.program();
    again.bind(a, op::fill(1, 1, 7.0), &[]);
    ada.run(&again).await.expect("the failed program took no names");
    assert_eq!(ada.fetch(a).await.unwrap(), arr2(&[[7.0]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_bound_once_even_after_a_drop() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    let (first, second) = (ada.name(), ada.name());
    let bind = async |name: u64| {
        let mut program = ada.program();
        program.fill(1, 1, 0.0);
        program.bind(name, op::fill(1, 1, 1.0), &[]);
        ada.run(&program).await
    };
    bind(first).await.unwrap();
    bind(second).await.unwrap();
    assert_eq!(refusal(bind(first).await, AlreadyBound).kind().instruction, Some(1));

    let mut drop = ada.program();
    drop.drop_variables(&[first]);
    ada.run(&drop).await.unwrap();
    ada.clear(&[second, u64::MAX - 1]).await.expect("a drop may be repeated, and name what is not there");
    for name in [first, second] {
        refusal(bind(name).await, AlreadyBound);
        refusal(ada.fetch(name).await, NotFound);
        refusal(ada.put(name, &arr2(&[[1.0]])).await, AlreadyBound);
        refusal(ada.read(name, op::reading("nothing", &[], None)).await, AlreadyBound);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_inside_of_a_program() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    let outside = ada.bind(|p| p.fill(2, 1, 3.0)).await.unwrap();

    let mut program = ada.program();
    let inside = program.fill(2, 1, 1.0);
    let sum = program.apply(op::add(), &[outside, inside]);
    program.drop_variables(&[outside, inside]);
    program.fetch(sum);
    let answer = ada.run(&program).await.unwrap();
    assert!(answer.receipts[2].shape.is_none(), "a drop has no shape");
    assert_eq!(answer.value(), arr2(&[[4.0], [4.0]]));
    refusal(ada.fetch(outside).await, NotFound);
    refusal(ada.fetch(inside).await, NotFound);

    let mut late = ada.program();
    late.drop_variables(&[sum]);
    late.apply(op::transpose(), &[sum]);
    assert_eq!(refusal(ada.run(&late).await, Invalid).kind().instruction, Some(1));
    let mut gone = ada.program();
    gone.drop_variables(&[sum]);
    gone.fetch(sum);
    refusal(ada.run(&gone).await, Invalid);
    ada.fetch(sum).await.expect("neither program ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_checked_before_anything_runs() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    let name = ada.name();
    let mut twice = ada.program();
    twice.bind(name, op::fill(1, 1, 1.0), &[]);
    twice.bind(name, op::fill(1, 1, 2.0), &[]);
    assert_eq!(refusal(ada.run(&twice).await, Invalid).kind().instruction, Some(1));

    let mut cycle = ada.program();
    let (a, b) = (cycle.name(), cycle.name());
    cycle.bind(a, op::transpose(), &[b]);
    cycle.bind(b, op::transpose(), &[a]);
    refusal(ada.run(&cycle).await, Invalid);

    let mut own = ada.program();
    own.bind(a, op::transpose(), &[a]);
    refusal(ada.run(&own).await, Invalid);

    let mut absent = ada.program();
    absent.fill(1, 1, 1.0);
    absent.apply(op::transpose(), &[999_999]);
    assert_eq!(refusal(ada.run(&absent).await, NotFound).kind().instruction, Some(1));
    let mut fetched = ada.program();
    fetched.fetch(999_999);
    refusal(ada.run(&fetched).await, NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn overlapping_programs_see_what_was_committed_before_them() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    let before = ada.bind(|p| p.fill(1, 1, 5.0)).await.unwrap();
    let (mut long, last) = slow(&ada, 1);
    let seen = long.apply(op::add(), &[before, before]);
    let long = tokio::spawn({
        let ada = ada.clone();
        async move { ada.run(&long).await }
    });
    eventually("the long program runs", async || site.tenant("ada").await.programs == 1).await;

    refusal(ada.fetch(seen).await, NotFound);
    let mut taker = ada.program();
    taker.bind(last, op::fill(1, 1, 1.0), &[]);
    refusal(ada.run(&taker).await, AlreadyBound);
    ada.clear(&[before]).await.unwrap();
    refusal(ada.fetch(before).await, NotFound);
    let other = ada.value(|p| p.fill(1, 1, 2.0)).await.expect("programs of one scope overlap");
    assert_eq!(other, arr2(&[[2.0]]));
    assert!(!long.is_finished(), "the long program was too short for this test");

    long.await.unwrap().expect("it keeps what was bound when it began");
    assert_eq!(ada.fetch(seen).await.unwrap(), arr2(&[[10.0]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_epoch_is_a_lost_scope() {
    let site = Plan::new().start().await;
    let mut ada = site.client("ada").await;
    let var = ada.bind(|p| p.fill(1, 1, 1.0)).await.unwrap();
    let same = ada.describe().await.unwrap();
    assert_eq!(same.epoch, ada.epoch, "an epoch renews its scope");

    let mut other = ada.clone();
    other.epoch ^= 1;
    refusal(other.describe().await, ScopeLost);
    refusal(other.fetch(var).await, ScopeLost);
    refusal(other.put(9, &arr2(&[[1.0]])).await, ScopeLost);
    refusal(other.read(9, op::reading("d", &[], None)).await, ScopeLost);
    refusal(other.clear(&[]).await, ScopeLost);

    ada.clear(&[]).await.unwrap();
    refusal(ada.fetch(var).await, ScopeLost);
    refusal(ada.describe().await, ScopeLost);
    let old = ada.epoch;
    ada.open().await.unwrap();
    assert_ne!(ada.epoch, old);
    refusal(ada.fetch(var).await, NotFound);
    let mut program = ada.program();
    program.bind(var, op::fill(1, 1, 1.0), &[]);
    ada.run(&program).await.expect("a new scope has all names free");
    eventually("all memory is back", async || site.tenant("ada").await.bytes == 8).await;
}
