//! Law 3: reuse is invisible. Cache on, off, tiny, and filled by somebody else: the same bits.

use fondaco::{FedMatrix, Federation};
use ndarray::Array2;

use super::{
    every::{Inputs, every},
    sample::{Cells, Cuts},
    script::{Kind, Ran, Script},
    trio::{Trio, place},
};
use crate::{
    harness::{Plan, Random, Table},
    oracle::assert_same_bits,
};

fn same(what: &str, ran: &Ran, reference: &Ran) {
    assert_eq!(ran.results.len(), reference.results.len());
    for (index, (result, expected)) in ran.results.iter().zip(&reference.results).enumerate() {
        assert_same_bits(&format!("{what}, result {index}"), result, expected);
    }
    for (index, (stayed, expected)) in ran.stayed.iter().zip(&reference.stayed).enumerate() {
        assert_same_bits(&format!("{what}, matrix {index}"), stayed, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads() {
    let off = Trio::with(|_, limits| limits.reuse = false).await;
    let on = Trio::start().await;
    let tiny = Trio::with(|_, limits| limits.cache_bytes_max = 64 * 1024).await;
    for seed in 100..116 {
        let mut random = Random::new(seed);
        let n = *random.pick(&[1, 40, 900, 6000]);
        let (x, y) = (Cells::pick(&mut random).matrix(&mut random, n, 3), Cells::Normal.matrix(&mut random, n, 1));
        let script = Script::new(&mut random, Kind::Any, &[&x, &y], 16);
        let cuts = Cuts::rows(&mut random, n, 3);
        let inputs = |fed: &Federation| {
            let column = Cuts { widths: vec![1], ..cuts.clone() };
            [place(fed, &x, &cuts.layout()), place(fed, &y, &column.layout())]
        };
        let reference = script.run(&inputs(&off.fed)).await;
        for (what, trio) in [("on", &on), ("on again", &on), ("tiny", &tiny), ("tiny again", &tiny)] {
            let ran = script.run(&inputs(&trio.fed)).await;
            same(&format!("seed {seed}, {what}, {script:?}"), &ran, &reference);
        }
    }
    let (hits, instructions) = (on.fed.stats().total().hits, on.fed.stats().total().instructions);
    assert!(hits > instructions / 3, "{hits} of {instructions} were reused");
    let evicting = tiny.fed.stats().total().hits;
    assert!(evicting < hits, "a tiny cache evicts: {evicting} hits, while a large one has {hits}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operator() {
    let off = Trio::with(|_, limits| limits.reuse = false).await;
    let on = Trio::start().await;
    let tiny = Trio::with(|_, limits| limits.cache_bytes_max = 64 * 1024).await;
    for seed in 90..96 {
        let mut random = Random::new(seed);
        let n = *random.pick(&[1, 30, 500, 5000]);
        let inputs = Inputs::new(&mut random, Cells::ALL[seed as usize % Cells::ALL.len()], n, 3);
        let (names, pending): (Vec<_>, Vec<_>) = every(&off.fed, &inputs.place(&off.fed)).await.into_iter().unzip();
        let reference = off.fed.fetch_all(pending).await.expect("it is one's own");
        for (cache, trio) in [("on", &on), ("on again", &on), ("tiny", &tiny), ("tiny again", &tiny)] {
            let pending = every(&trio.fed, &inputs.place(&trio.fed)).await.into_iter().map(|(_, pending)| pending);
            let results = trio.fed.fetch_all(pending).await.expect("it is one's own");
            for ((name, result), expected) in names.iter().zip(&results).zip(&reference) {
                assert_same_bits(&format!("seed {seed}, {:?}, {cache}, {name}", inputs.layout()), result, expected);
            }
        }
    }
    let total = on.fed.stats().total();
    assert!(total.hits > total.instructions / 3, "the second run is reused: {total}");
    assert_eq!(off.fed.stats().total().hits, 0, "nothing is reused where the owner says so");
}

#[tokio::test(flavor = "multi_thread")]
async fn datasets_that_another_tenant_has_used() {
    let mut random = Random::new(120);
    let tables: Vec<Array2<f64>> = [5000, 20, 300].map(|n| Cells::Special.matrix(&mut random, n, 4)).into();
    let planned = |reuse: bool| {
        let tables = tables.clone();
        Trio::planned(move |index, plan: Plan| {
            plan.limits(|limits| limits.reuse = reuse).public("d", &Table::of(&tables[index]))
        })
    };
    let (off, on) = (planned(false).await, planned(true).await);
    let bob = on.connect("bob").await;
    let pooled = ndarray::concatenate(ndarray::Axis(0), &[tables[0].view(), tables[1].view(), tables[2].view()]);
    let pooled = pooled.expect("they have the same columns");
    let script = Script::new(&mut random, Kind::Any, &[&pooled], 20);
    let read = async |fed: &Federation| -> [FedMatrix; 1] { [fed.read("d").await.expect("there is a dataset")] };
    let reference = script.run(&read(&off.fed).await).await;
    let first = script.run(&read(&on.fed).await).await;
    let second = script.run(&read(&bob).await).await;
    same("the first tenant", &first, &reference);
    same("the second tenant", &second, &reference);
    let (ada, bob) = (on.fed.stats().total(), bob.stats().total());
    assert!(bob.hits > ada.hits, "the second reuses what the first computed: {bob} after {ada}");
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_same_time() {
    let off = Trio::with(|_, limits| limits.reuse = false).await;
    let on = Trio::with(|_, limits| limits.cache_bytes_max = 256 * 1024).await;
    let mut random = Random::new(130);
    let n = 3000;
    let x = Cells::Normal.matrix(&mut random, n, 3);
    let cuts = Cuts::rows(&mut random, n, 3);
    let script = Script::new(&mut random, Kind::Any, &[&x], 20);
    let reference = script.run(&[place(&off.fed, &x, &cuts.layout())]).await;
    let feds = [on.connect("ada").await, on.connect("ada").await, on.connect("bob").await, on.connect("bob").await];
    let inputs = feds.each_ref().map(|fed| [place(fed, &x, &cuts.layout())]);
    let (a, b, c, d) =
        tokio::join!(script.run(&inputs[0]), script.run(&inputs[1]), script.run(&inputs[2]), script.run(&inputs[3]));
    for (index, ran) in [a, b, c, d].iter().enumerate() {
        same(&format!("coordinator {index}"), ran, &reference);
    }
}
