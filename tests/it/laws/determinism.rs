//! Law 7: the same bits, whatever the number of threads, and however often.

use ndarray::Array2;

use super::{
    every::{Inputs, every},
    sample::{Cells, Cuts},
    script::{Kind, Script},
    trio::{Trio, place},
};
use crate::{harness::Random, oracle::assert_same_bits};

async fn with_threads(threads: usize) -> Trio {
    Trio::with(|_, limits| {
        limits.tenant_threads = threads;
        limits.reuse = false;
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operator_depends_on_threads() {
    let trios = [with_threads(1).await, with_threads(2).await, with_threads(4).await];
    for (seed, n, d) in [(200, 30_000, 4), (201, 13_000, 9), (202, 5000, 40)] {
        let inputs = Inputs::new(&mut Random::new(seed), Cells::Offset, n, d);
        let mut reference: Option<Vec<Array2<f64>>> = None;
        for (index, trio) in trios.iter().enumerate() {
            for again in 0..2 {
                let (names, pending): (Vec<_>, Vec<_>) =
                    every(&trio.fed, &inputs.place(&trio.fed)).await.into_iter().unzip();
                let results = trio.fed.fetch_all(pending).await.expect("it is one's own");
                let reference = reference.get_or_insert_with(|| results.clone());
                for ((name, result), expected) in names.iter().zip(&results).zip(reference.iter()) {
                    let what = format!("seed {seed}, {:?}, trio {index}, run {again}, {name}", inputs.layout());
                    assert_same_bits(&what, result, expected);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_do_not_depend_on_threads() {
    let trios = [with_threads(1).await, with_threads(2).await, with_threads(4).await];
    for seed in 210..214 {
        let mut random = Random::new(seed);
        let n = 9000 + random.below(4000);
        let x = Cells::pick(&mut random).matrix(&mut random, n, 4);
        let script = Script::new(&mut random, Kind::Any, &[&x], 16);
        let layout = Cuts::rows(&mut random, n, 4).layout();
        let mut runs = Vec::new();
        for trio in &trios {
            runs.push(script.run(&[place(&trio.fed, &x, &layout)]).await);
        }
        for (index, run) in runs.iter().enumerate().skip(1) {
            for (result, (a, b)) in run.results.iter().zip(&runs[0].results).enumerate() {
                assert_same_bits(&format!("seed {seed}, trio {index}, result {result}, {script:?}"), a, b);
            }
            for (matrix, (a, b)) in run.stayed.iter().zip(&runs[0].stayed).enumerate() {
                assert_same_bits(&format!("seed {seed}, trio {index}, matrix {matrix}, {script:?}"), a, b);
            }
        }
    }
}
