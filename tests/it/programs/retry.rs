//! The same program id never runs twice once it has committed, and may run again until then.

use fondaco_proto::ErrorCode::{AlreadyBound, Busy, NotFound, ReleaseDenied};
use ndarray::arr2;

use super::slow;
use crate::harness::{Plan, Random, Table, eventually, op, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn after_the_commit_a_retry_gets_the_same_answer() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    let mut program = ada.program();
    let x = program.apply(op::rand(30, 3, 7), &[]);
    let gram = program.apply(op::gram(), &[x]);
    program.fetch(gram);
    let first = ada.run(&program).await.unwrap();
    assert!(!first.replayed);

    let again = ada.run(&program).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.receipts, first.receipts);
    assert_eq!(again.values, first.values);
    ada.clear(&[gram, x]).await.unwrap();
    let kept = ada.run(&program).await.expect("outputs are kept beyond a drop");
    assert_eq!((kept.replayed, &kept.values), (true, &first.values));
    refusal(ada.fetch(gram).await, NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_is_held_by_its_variables() {
    let site = Plan::new().limits(|limits| (limits.reuse, limits.kept_bytes_max) = (false, 100)).start().await;
    let ada = site.client("ada").await;
    let mut program = ada.program();
    let x = program.apply(op::rand(30, 3, 7), &[]);
    program.fetch(x);
    let first = ada.run(&program).await.unwrap();
    let again = ada.run(&program).await.unwrap();
    assert_eq!((again.replayed, &again.values), (true, &first.values));
    let bytes = site.used_bytes();
    ada.clear(&[x]).await.unwrap();
    assert!(site.used_bytes() < bytes, "a dropped variable gives its memory back");
    let refused = refusal(ada.run(&program).await, NotFound);
    assert!(refused.message().contains("kept_bytes_max"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_last_programs_are_kept() {
    let site = Plan::new().limits(|limits| limits.programs_kept_max = 2).start().await;
    let ada = site.client("ada").await;
    let programs: Vec<_> = (0..3)
        .map(|i| {
            let mut program = ada.program();
            program.fill(1, 1, f64::from(i));
            program
        })
        .collect();
    for program in &programs {
        ada.run(program).await.unwrap();
    }
    assert!(ada.run(&programs[1]).await.unwrap().replayed);
    assert!(ada.run(&programs[2]).await.unwrap().replayed);
    refusal(ada.run(&programs[0]).await, AlreadyBound);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failure_a_retry_runs_again() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    let missing = ada.name();
    let mut program = ada.program();
    let copy = program.apply(op::transpose(), &[missing]);
    program.fetch(copy);
    refusal(ada.run(&program).await, NotFound);
    let mut supply = ada.program();
    supply.bind(missing, op::fill(1, 2, 4.0), &[]);
    ada.run(&supply).await.unwrap();
    let answer = ada.run(&program).await.unwrap();
    assert!(!answer.replayed);
    assert_eq!(answer.value(), arr2(&[[4.0], [4.0]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_release_comes_after_the_commit() {
    let site = Plan::new().dataset("d", &Table::of(&Random::new(1).matrix(9, 2))).start().await;
    let ada = site.client("ada").await;
    let mut program = ada.program();
    let x = program.read("d");
    program.fetch(x);
    let first = refusal(ada.run(&program).await, ReleaseDenied);
    let again = refusal(ada.run(&program).await, ReleaseDenied);
    assert_eq!(first.message(), again.message());
    ada.value(|p| p.apply(op::sum(), &[x])).await.expect("the program has committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_of_a_running_program_is_told_to_wait() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    let (program, last) = slow(&ada, 2);
    let running = tokio::spawn({
        let (ada, program) = (ada.clone(), program.clone());
        async move { ada.run(&program).await }
    });
    eventually("the program runs", async || site.tenant("ada").await.programs == 1).await;
    let busy = refusal(ada.run(&program).await, Busy);
    assert!(busy.kind().retry_after.is_some_and(|after| !after.is_zero()), "{busy:?}");
    assert!(!running.is_finished(), "the program was too short for this test");
    assert!(!running.await.unwrap().unwrap().replayed);
    assert!(ada.run(&program).await.unwrap().replayed);
    ada.fetch(last).await.unwrap();
}
