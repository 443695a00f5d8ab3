//! Law 4: no program changes what another variable, tenant or later run can see.

use ndarray::Array2;

use super::{
    every::{Inputs, every},
    sample::{Cells, Cuts},
    script::{Kind, Script, fetched},
    trio::{Trio, scatter},
};
use crate::{
    harness::{Plan, Random, Table},
    oracle::assert_same_bits,
};

#[tokio::test(flavor = "multi_thread")]
async fn inputs_and_intermediates_stay_as_they_are() {
    let trio = Trio::start().await;
    for seed in 300..312 {
        let mut random = Random::new(seed);
        let n = *random.pick(&[1, 30, 700, 5000]);
        let x = Cells::pick(&mut random).matrix(&mut random, n, 3);
        let cuts = Cuts::rows(&mut random, n, 3);
        let input = scatter(&trio.fed, &mut random, &x, &cuts);
        let first = Script::new(&mut random, Kind::Any, &[&x], 12);
        let ran = first.run(&[input]).await;
        assert_same_bits(&format!("seed {seed}, the input"), &ran.stayed[0], &x);
        let values: Vec<&Array2<f64>> = ran.stayed.iter().collect();
        let second = Script::new(&mut random, Kind::Any, &values, 20);
        let later = second.run(&ran.matrices).await;
        let again = trio.fed.fetch_all(ran.matrices.iter().map(fetched)).await.expect("it is one's own");
        for after in [&later.stayed[..ran.stayed.len()], &again] {
            for (index, (after, before)) in after.iter().zip(&ran.stayed).enumerate() {
                assert_same_bits(&format!("seed {seed}, matrix {index} after {second:?}"), after, before);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operator_changes_its_inputs() {
    let trio = Trio::start().await;
    for seed in 313..319 {
        let mut random = Random::new(seed);
        let (n, cells) = (*random.pick(&[1, 30, 500, 5000]), Cells::pick(&mut random));
        let inputs = Inputs::new(&mut random, cells, n, 3);
        let placed = inputs.place(&trio.fed);
        for _ in 0..2 {
            let pending = every(&trio.fed, &placed).await.into_iter().map(|(_, pending)| pending);
            trio.fed.fetch_all(pending).await.expect("it is one's own");
            let (x, y, w) = (placed.x.to_array().await, placed.y.to_array().await, placed.w.to_array().await);
            assert_same_bits(&format!("seed {seed}, X"), &x.expect("it is one's own"), &inputs.x);
            assert_same_bits(&format!("seed {seed}, Y"), &y.expect("it is one's own"), &inputs.y);
            assert_same_bits(&format!("seed {seed}, w"), &w.expect("it is one's own"), &inputs.w);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn datasets_stay_as_they_are_for_everyone() {
    let mut random = Random::new(320);
    let tables: Vec<Array2<f64>> = [5000, 1, 60].map(|n| Cells::Special.matrix(&mut random, n, 3)).into();
    let trio = Trio::planned(|index, plan: Plan| plan.public("d", &Table::of(&tables[index]))).await;
    let bob = trio.connect("bob").await;
    let (ours, theirs) = (trio.fed.read("d").await.expect("a dataset"), bob.read("d").await.expect("a dataset"));
    let before = theirs.to_array().await.expect("it is public");
    for _ in 0..4 {
        let script = Script::new(&mut random, Kind::Any, &[&before], 15);
        drop(script.run(std::slice::from_ref(&ours)).await);
        assert_same_bits("another tenant's", &theirs.to_array().await.expect("it is public"), &before);
    }
    let again = trio.fed.read("d").await.expect("a dataset").to_array().await.expect("it is public");
    assert_same_bits("a later read", &again, &before);
}
