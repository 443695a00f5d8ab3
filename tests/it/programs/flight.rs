//! One computes, the others wait and get the same value.

use super::square;
use crate::harness::{Client, Plan, Table, op};

#[tokio::test(flavor = "multi_thread")]
async fn two_tenants_ask_at_once_and_one_computes() {
    let site = Plan::new().public("d", &Table::of(&square(500))).start().await;
    let run = |client: Client| {
        tokio::spawn(async move {
            let mut program = client.program();
            let x = program.read("d");
            let last = program.chain(x, 12);
            program.fetch(last);
            client.run(&program).await.unwrap()
        })
    };
    let (ada, bob) = (run(site.client("ada").await), run(site.client("bob").await));
    let (ada, bob) = (ada.await.unwrap(), bob.await.unwrap());
    for (index, (a, b)) in ada.receipts.iter().zip(&bob.receipts).enumerate() {
        assert!(a.hit != b.hit, "instruction {index}: exactly one computes (hits: {}, {})", a.hit, b.hit);
        let idle = if a.hit { a } else { b };
        assert_eq!(idle.compute_ns, 0, "a hit costs no computing");
    }
    assert_eq!(ada.values, bob.values);
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_values_of_one_tenant_are_computed_once() {
    let site = Plan::new().dataset("d", &Table::of(&square(40))).start().await;
    let ada = site.client("ada").await;
    let mut program = ada.program();
    let (x, again) = (program.read("d"), program.read("d"));
    let gram = program.apply(op::gram(), &[x]);
    let same = program.apply(op::gram(), &[again]);
    let transposed = program.apply(op::transpose(), &[x]);
    let (first, second) = (program.apply(op::rand(9, 9, 1), &[]), program.apply(op::rand(9, 9, 1), &[]));
    [gram, same, first, second].into_iter().for_each(|var| program.fetch(var));
    let answer = ada.run(&program).await.unwrap();
    assert_eq!(answer.hits(), [false, true, false, true, false, false, true]);
    assert_eq!(answer.values[0], answer.values[1]);
    assert_eq!(answer.values[2], answer.values[3]);
    let other = site.client("ada").await;
    let mut again = other.program();
    let x = again.read("d");
    again.apply(op::transpose(), &[x]);
    assert_eq!(other.run(&again).await.unwrap().hits(), [true, true], "across connections of one tenant too");
    assert_ne!(transposed, x);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_reuse_everything_is_computed() {
    let site = Plan::new().limits(|l| l.reuse = false).dataset("d", &Table::of(&square(20))).start().await;
    let ada = site.client("ada").await;
    for _ in 0..2 {
        let mut program = ada.program();
        let x = program.read("d");
        program.apply(op::gram(), &[x]);
        assert_eq!(ada.run(&program).await.unwrap().hits(), [false, false]);
    }
}
