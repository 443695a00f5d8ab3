//! Law 1 for whole programs: on integers, where nothing may be off, whatever the layout.

use super::{
    sample::{self, Cells, Cuts},
    script::{Kind, Script},
    trio::{Trio, scatter},
};
use crate::{harness::Random, oracle::Expected};

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_exact_on_integers_whatever_the_layout() {
    let trio = Trio::start().await;
    for seed in 0..30 {
        let mut random = Random::new(seed);
        let n = sample::rows(&mut random).max(1);
        let (x, y) = (Cells::Integers.matrix(&mut random, n, 3), Cells::Integers.matrix(&mut random, n, 1));
        let script = Script::new(&mut random, Kind::Exact, &[&x, &y], 14);
        for _ in 0..3 {
            let cuts = Cuts::rows(&mut random, n, 3);
            let beside = cuts.aligned(&mut random, 1);
            let inputs = [scatter(&trio.fed, &mut random, &x, &cuts), scatter(&trio.fed, &mut random, &y, &beside)];
            let context = format!("seed {seed}, {} rows, {:?}: {script:?}", n, cuts.layout());
            let ran = script.run(&inputs).await;
            for (index, (result, expected)) in ran.results.iter().zip(&script.results).enumerate() {
                Expected::exact(expected.clone()).check(&format!("result {index}, {context}"), result);
            }
            for (index, (stayed, expected)) in ran.stayed.iter().zip(script.values()).enumerate() {
                Expected::exact(expected.clone()).check(&format!("matrix {index}, {context}"), stayed);
            }
        }
    }
}
