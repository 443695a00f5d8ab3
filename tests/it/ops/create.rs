//! What comes from the coordinator, from a seed, or from the owners' files.

use fondaco::{Cut, Distribution, Federation, Layout, Op, Scheme, Shape, column, op};
use ndarray::{Array2, Axis, concatenate, s};

use super::{Asked, cases};
use crate::{
    harness::{Plan, Random, Table},
    laws::{
        sample::{self, Cells, Cuts},
        trio::{NAMES, Trio, place, scatter},
    },
    oracle::{Expected, assert_same_bits},
};

#[test]
fn the_family_is_complete() {
    // A new member does not compile here, before it is missing below.
    let _tested = |op: &op::CreateOp| match op {
        op::CreateOp::Read(_) => "datasets_as_one",
        op::CreateOp::Put(_) => "what_is_sent_comes_back",
        op::CreateOp::Fill(_) => "fills",
        op::CreateOp::Rand(_) => "random_numbers_do_not_depend_on_the_layout",
        op::CreateOp::Seq(_) => "sequences",
        op::CreateOp::Sample(_) => "samples",
    };
    assert_eq!(Op::Create(op::CreateOp::Fill(op::Fill { shape: Shape::new(1, 1), value: 0.0 })).name(), "fill");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_comes_back() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(50, 60) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d})"));
        for _ in 0..4 {
            let x = Cells::pick(&mut random).matrix(&mut random, n, d);
            let cuts = Cuts::any(&mut random, n, d);
            let fed = scatter(&trio.fed, &mut random, &x, &cuts);
            asked.ask(format!("{:?}", cuts.layout()), fed.fetch().expect("it is one's own"), Expected::exact(x));
        }
        asked.check(&trio.fed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_beyond_what_goes_inline() {
    let trio = Trio::start().await;
    let mut random = Random::new(51);
    let (n, d) = (70_001, 3);
    let x = Cells::Special.matrix(&mut random, n, d);
    let strided = x.slice(s![..;2, ..;2]).to_owned();
    for cuts in [
        Cuts::of(Cut::Rows, vec![("a", 60_000), ("b", 1), ("c", 10_000)], d),
        Cuts::of(Cut::Columns, vec![("b", 2), ("a", 1)], n),
        Cuts { heights: vec![40_000, 30_001], widths: vec![1, 2], sites: vec!["b", "a", "a", "c"] },
    ] {
        let fed = place(&trio.fed, &x, &cuts.layout());
        assert_same_bits("an upload", &fed.to_array().await.expect("it is one's own"), &x);
        let turned = fed.t().expect("everything can be transposed").to_array().await.expect("it is one's own");
        assert_same_bits("its transpose", &turned, &x.t().to_owned());
    }
    let whole = trio.fed.put_whole("c", &strided).expect("a site").to_array().await.expect("it is one's own");
    assert_same_bits("every other cell", &whole, &strided);
}

#[tokio::test(flavor = "multi_thread")]
async fn matrices_without_columns() {
    let trio = Trio::start().await;
    let nothing = Array2::<f64>::zeros((5, 0));
    let fed = place(&trio.fed, &nothing, &Layout::rows([("a", 2), ("b", 3)], 0).expect("there are parts"));
    let sum = fed.sum(fondaco::Axis::All).expect("sums of nothing").scalar().await.expect("it is one's own");
    assert_eq!((sum, fed.to_array().await.expect("it is one's own").dim()), (0.0, (5, 0)));
    let columns = fed.sum(fondaco::Axis::Columns).expect("sums of nothing").await.expect("it is one's own");
    assert_eq!(columns.dim(), (1, 0));
    assert_eq!(fed.gram().expect("a row cut").await.expect("it is one's own").dim(), (0, 0));
    let product = fed.matmul(Array2::zeros((0, 2))).expect("shapes fit").to_array().await.expect("it is one's own");
    assert_eq!(product, Array2::<f64>::zeros((5, 2)));
    let beside = fed.hstack([Array2::ones((5, 1))]).expect("rows fit").to_array().await.expect("it is one's own");
    assert_eq!(beside, Array2::<f64>::ones((5, 1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn fills() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(52, 20) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d})"));
        for value in [0.0, -1.5, f64::NAN, f64::INFINITY, 5e-324] {
            let layout = Cuts::any(&mut random, n, d).layout();
            let fed = trio.fed.fill(&layout, value).expect("the sites are there");
            let expected = Expected::exact(Array2::from_elem((n, d), value));
            asked.ask(format!("{value} on {layout:?}"), fed.fetch().expect("it is one's own"), expected);
        }
        asked.check(&trio.fed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sequences() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(56, 20) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d})"));
        for (start, step) in [(0.0, 1.0), (5.0, -0.1), (1e9, 0.25), (0.1, 0.1)] {
            let layout = Cuts::any(&mut random, n, d).layout();
            let fed = trio.fed.seq(&layout, start, step).expect("the sites are there");
            // As np.arange computes it.
            let delta = (start + step) - start;
            let expected = Array2::from_shape_fn((n, d), |(i, j)| start + (i * d + j) as f64 * delta);
            asked.ask(format!("{start} by {step} on {layout:?}"), fed.fetch().expect("own"), Expected::exact(expected));
        }
        asked.check(&trio.fed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn samples() {
    let trio = Trio::start().await;
    let fed = &trio.fed;
    for (seed, mut random) in cases(57, 20) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let shape = Shape::new(n as u64, d as u64);
        for (population, replace) in [(n as u64, false), (3 * n as u64 + 1, false), (7, true), (1 << 53, false)] {
            let drawn = async |layout: &Layout| {
                let drawn = fed.sample(layout, population, replace, seed).expect("there are enough");
                drawn.to_array().await.expect("it is one's own")
            };
            let whole = drawn(&Layout::whole("b", shape)).await;
            let layout = Cuts::any(&mut random, n, d).layout();
            assert_same_bits(&format!("seed {seed} on {layout:?}"), &drawn(&layout).await, &whole);
            let within = |x: &f64| x.fract() == 0.0 && *x >= 0.0 && *x < population as f64;
            assert!(whole.iter().all(within), "seed {seed}: out of {population}");
            for column in whole.columns().into_iter().filter(|_| !replace) {
                let mut once: Vec<u64> = column.iter().map(|x| *x as u64).collect();
                once.sort_unstable();
                once.dedup();
                assert_eq!(once.len(), n, "seed {seed}: each at most once");
            }
        }
        if n > 1 {
            let layout = Layout::whole("a", shape);
            let message = fed.sample(&layout, n as u64 - 1, false, 1).expect_err("too few").to_string();
            assert!(message.contains("without replacement; draw fewer"), "{message}");
        }
    }
    // Each number as often as any other: 3,000 of 10, six standard deviations.
    let layout = Layout::even(NAMES, Shape::new(30_000, 1)).expect("there are sites");
    let drawn = fed.sample(&layout, 10, true, 8).expect("there are enough").to_array().await.expect("it is one's own");
    let mut counts = [0_i32; 10];
    drawn.iter().for_each(|x| counts[*x as usize] += 1);
    assert!(counts.iter().all(|count| (count - 3_000).abs() < 320), "{counts:?}");
}

/// Rows of an array, dealt out.
#[tokio::test(flavor = "multi_thread")]
async fn rows_are_dealt_out() {
    let trio = Trio::start().await;
    let x = Cells::Normal.matrix(&mut Random::new(58), 50, 3);
    let schemes =
        [Scheme::Contiguous, Scheme::RoundRobin, Scheme::Random { seed: 3 }, Scheme::OverlappingReshuffle { seed: 3 }];
    for scheme in schemes {
        let fed = trio.fed.scatter_by(&x, scheme).expect("an array");
        let rows = scheme.rows(50, 3);
        let sites: Vec<&str> = fed.layout().parts().iter().map(|part| &*part.site).collect();
        assert_eq!(sites, NAMES);
        let order: Vec<usize> = rows.concat().into_iter().map(|row| row as usize).collect();
        let expected = x.select(Axis(0), &order);
        assert_same_bits(&format!("{scheme:?}"), &fed.to_array().await.expect("it is one's own"), &expected);
    }
    assert!(trio.fed.scatter_by(trio.fed.scatter_by(&x, schemes[0]).expect("an array"), schemes[0]).is_err());
}

const UNIFORM: Distribution = Distribution::Uniform { low: -2.0, high: 3.0 };
const NORMAL: Distribution = Distribution::Normal { mean: 5.0, std: 2.0 };
const BERNOULLI: Distribution = Distribution::Bernoulli { p: 0.3 };

#[tokio::test(flavor = "multi_thread")]
async fn random_numbers_do_not_depend_on_the_layout() {
    let trio = Trio::start().await;
    let fed = &trio.fed;
    for (seed, mut random) in cases(53, 25) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d})"));
        for distribution in [UNIFORM, NORMAL, BERNOULLI] {
            for density in [1.0, 0.4] {
                let whole = Layout::whole("a", Shape::new(n as u64, d as u64));
                let drawn = |layout: &Layout| fed.rand_sparse(layout, seed, distribution, density).expect("sites");
                let expected = drawn(&whole).to_array().await.expect("it is one's own");
                let layout = Cuts::any(&mut random, n, d).layout();
                let what = format!("{distribution:?} density {density} on {layout:?}");
                let pending = drawn(&layout).fetch().expect("it is one's own");
                asked.ask(what, pending, Expected::exact(expected));
            }
        }
        asked.check(fed).await;
    }
}

/// Mean, variance, and share of cells that are not 0.
fn summary(x: &Array2<f64>) -> (f64, f64, f64) {
    let n = x.len() as f64;
    let mean = x.sum() / n;
    let variance = x.mapv(|x| (x - mean) * (x - mean)).sum() / n;
    (mean, variance, x.iter().filter(|x| **x != 0.0).count() as f64 / n)
}

#[tokio::test(flavor = "multi_thread")]
async fn random_numbers_have_their_distribution() {
    let trio = Trio::start().await;
    let layout = Layout::even(NAMES, Shape::new(20_000, 5)).expect("there are sites");
    let drawn = async |seed: u64, distribution: Distribution, density: f64| {
        let drawn = trio.fed.rand_sparse(&layout, seed, distribution, density).expect("the sites are there");
        drawn.to_array().await.expect("it is one's own")
    };
    // With 100,000 cells, six standard errors.
    let near = |a: f64, b: f64, std: f64| assert!((a - b).abs() < 6.0 * std / 100_000_f64.sqrt(), "{a}, not {b}");
    let uniform = drawn(7, UNIFORM, 1.0).await;
    assert!(uniform.iter().all(|x| (-2.0..3.0).contains(x)));
    let (mean, variance, _) = summary(&uniform);
    near(mean, 0.5, 1.5);
    near(variance, 25.0 / 12.0, 2.0);
    let normal = drawn(7, NORMAL, 1.0).await;
    let (mean, variance, _) = summary(&normal);
    near(mean, 5.0, 2.0);
    near(variance, 4.0, 6.0);
    let beyond = normal.iter().filter(|x| (*x - 5.0).abs() > 4.0).count() as f64 / 100_000.0;
    near(beyond, 0.0455, 0.21);
    let bernoulli = drawn(7, BERNOULLI, 1.0).await;
    assert!(bernoulli.iter().all(|x| *x == 0.0 || *x == 1.0));
    near(summary(&bernoulli).0, 0.3, 0.5);
    let sparse = drawn(7, NORMAL, 0.25).await;
    near(summary(&sparse).2, 0.25, 0.5);
    assert_same_bits("the same seed", &drawn(7, NORMAL, 1.0).await, &normal);
    // Neither seeds nor neighbouring cells have anything to do with each other.
    let correlation = |a: &Array2<f64>, b: &Array2<f64>| ((a - 5.0) * (b - 5.0)).sum() / 4.0 / a.len() as f64;
    near(correlation(&normal, &drawn(8, NORMAL, 1.0).await), 0.0, 1.0);
    let (above, below) = (normal.slice(s![1.., ..]).to_owned(), normal.slice(s![..-1, ..]).to_owned());
    near(correlation(&above, &below), 0.0, 1.0);
    let (left, right) = (normal.slice(s![.., 1..]).to_owned(), normal.slice(s![.., ..-1]).to_owned());
    near(correlation(&left, &right), 0.0, 1.2);
}

/// Three public datasets `d` of uneven length, as columns `c0`, `c1`, ..
async fn datasets(seed: u64) -> (Trio, Vec<Array2<f64>>) {
    let mut random = Random::new(seed);
    let arrays: Vec<Array2<f64>> =
        [9000, 1, 300].map(|rows| Cells::Special.matrix(&mut random, rows, 4)).into_iter().collect();
    let trio = Trio::planned(|index, plan: Plan| plan.public("d", &Table::of(&arrays[index]))).await;
    (trio, arrays)
}

fn below(arrays: &[Array2<f64>]) -> Array2<f64> {
    let views: Vec<_> = arrays.iter().map(|array| array.view()).collect();
    concatenate(Axis(0), &views).expect("they have the same columns")
}

#[tokio::test(flavor = "multi_thread")]
async fn datasets_as_one() {
    let (trio, arrays) = datasets(54).await;
    let fed: &Federation = &trio.fed;
    let pooled = below(&arrays);
    let all = fed.read("d").await.expect("there is a dataset");
    assert_same_bits("all of it", &all.to_array().await.expect("it is public"), &pooled);
    let some = fed.read("d").columns(["c3", "c0"]).await.expect("there are such columns");
    let expected = pooled.select(Axis(1), &[3, 0]);
    assert_same_bits("columns", &some.to_array().await.expect("it is public"), &expected);

    let parts = fed.read_parts([("c", "d"), ("a", "d"), ("c", "d")]).await.expect("there are such parts");
    let expected = below(&[arrays[2].clone(), arrays[0].clone(), arrays[2].clone()]);
    assert_same_bits("parts in any order", &parts.to_array().await.expect("it is public"), &expected);

    let at = [("a", "d", vec!["c2"]), ("a", "d", vec!["c0", "c1"])];
    let columns = fed.read_columns(at).await.expect("the same rows");
    assert_eq!(columns.layout().cut(), Some(Cut::Columns));
    let expected = arrays[0].select(Axis(1), &[2, 0, 1]);
    assert_same_bits("a column cut", &columns.to_array().await.expect("it is public"), &expected);

    let grid = [
        [("c", "d", vec!["c3"]), ("c", "d", vec!["c0", "c1"])],
        [("a", "d", vec!["c1"]), ("a", "d", vec!["c2", "c1"])],
        [("b", "d", vec!["c0"]), ("b", "d", vec!["c0", "c3"])],
    ];
    let blocks = fed.read_grid(grid).await.expect("blocks that fit");
    let expected = below(&[
        arrays[2].select(Axis(1), &[3, 0, 1]),
        arrays[0].select(Axis(1), &[1, 2, 1]),
        arrays[1].select(Axis(1), &[0, 0, 3]),
    ]);
    assert_eq!((blocks.layout().cut(), blocks.layout().parts().len()), (None, 6));
    assert_same_bits("a grid", &blocks.to_array().await.expect("it is public"), &expected);
    let wider = [[("a", "d", vec!["c0"])], [("b", "d", vec!["c0", "c1"])]];
    let message = fed.read_grid(wider).await.expect_err("other columns").to_string();
    assert!(message.contains("below each other all parts need as many"), "{message}");
    let ragged = [vec![("a", "d", vec!["c0"])], vec![("b", "d", vec!["c0"]), ("b", "d", vec!["c1"])]];
    let message = fed.read_grid(ragged).await.expect_err("no grid").to_string();
    assert!(message.contains("as many blocks"), "{message}");

    let uneven = [("a", "d", vec!["c2"]), ("b", "d", vec!["c0"])];
    let message = fed.read_columns(uneven).await.expect_err("other rows").to_string();
    assert!(message.contains("all parts need as many"), "{message}");
    let message = fed.read("d").columns(["c9"]).await.expect_err("no such column").to_string();
    assert!(message.contains("c9"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn filtered_datasets() {
    let (trio, arrays) = datasets(55).await;
    let pooled = below(&arrays);
    let kept = |holds: &dyn Fn(f64, f64) -> bool| {
        let rows = pooled.rows().into_iter().enumerate().filter(|(_, row)| holds(row[0], row[1]));
        pooled.select(Axis(0), &rows.map(|(index, _)| index).collect::<Vec<_>>())
    };
    let both = fondaco::all_of([column("c0").gt(0.5), column("c1").le(0)]);
    let either = fondaco::any_of([column("c0").lt(-1), fondaco::not(column("c1").ne(0.0))]);
    let cases = [
        (column("c0").ge(0), kept(&|x, _| x >= 0.0)),
        (both, kept(&|x, y| x > 0.5 && y <= 0.0)),
        (either, kept(&|x, y| x < -1.0 || y == 0.0)),
        (column("c0").gt(f64::INFINITY), kept(&|_, _| false)),
    ];
    for (filter, expected) in cases {
        let what = format!("{filter:?}");
        let read = trio.fed.read("d").filter(filter).await.expect("there are such columns");
        assert_same_bits(&what, &read.to_array().await.expect("it is public"), &expected);
    }
}
