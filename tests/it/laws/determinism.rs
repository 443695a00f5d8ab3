//! Law 7: the same bits, whatever the number of threads, and however often.

use fondaco::{Axis, FedMatrix, Pending};
use ndarray::Array2;

use super::{
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

/// Everything that sums over more than a tile.
fn sums(x: &FedMatrix, v: &Array2<f64>) -> fondaco::Result<Vec<Pending>> {
    let y = x.slice(.., 0..1)?;
    let left = Array2::from_shape_fn((2, x.nrows() as usize), |(i, j)| ((i + 3 * j) % 7) as f64 - 2.5);
    let mut pending = vec![x.gram()?, x.cross(&y)?, x.mmchain(v)?, x.mmchain_weighted(&y, v)?];
    pending.extend([x.mmchain_minus(v, &y)?, x.left_matmul(left)?, x.matmul(v)?.fetch()?]);
    for axis in [Axis::All, Axis::Columns] {
        pending.extend([x.sum(axis)?, x.sumsq(axis)?, x.mean(axis)?, x.var(axis, 1)?, x.std(axis, 0)?]);
    }
    pending.extend([x.row_sum()?.fetch()?, x.row_var(1)?.fetch()?, x.softmax()?.fetch()?]);
    Ok(pending)
}

#[tokio::test(flavor = "multi_thread")]
async fn reductions_and_products_do_not_depend_on_threads() {
    let trios = [with_threads(1).await, with_threads(2).await, with_threads(4).await];
    for seed in 200..203 {
        let mut random = Random::new(seed);
        let (n, d) = (30_000 + random.below(20_000), 3 + random.below(9));
        let x = Cells::Normal.matrix(&mut random, n, d) * 1e3 + 1e6;
        let v = Cells::Normal.matrix(&mut random, d, 1);
        let cuts = Cuts::rows(&mut random, n, d);
        let mut reference: Option<Vec<Array2<f64>>> = None;
        for (index, trio) in trios.iter().enumerate() {
            for again in 0..2 {
                let fed = place(&trio.fed, &x, &cuts.layout());
                let results = trio.fed.fetch_all(sums(&fed, &v).expect("a row cut")).await.expect("it is one's own");
                let reference = reference.get_or_insert_with(|| results.clone());
                for (result, (a, b)) in results.iter().zip(reference.iter()).enumerate() {
                    assert_same_bits(&format!("seed {seed}, trio {index}, run {again}, result {result}"), a, b);
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
            let (a, b) = (run.matrices.last().expect("the input"), runs[0].matrices.last().expect("the input"));
            let (a, b) = (a.to_array().await, b.to_array().await);
            let what = format!("seed {seed}, trio {index}, {script:?}");
            assert_same_bits(&what, &a.expect("it is one's own"), &b.expect("it is one's own"));
        }
    }
}
