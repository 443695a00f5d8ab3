//! Factorisations, against scikit-learn's, plain loops', and the least objective there is.

use fondaco::algorithms::{Als, AlsCells, Nmf};
use fondaco_worker::label::Level;
use ndarray::{Array2, s};

use super::{
    numbers::{Placed, assert_close, assert_near, matrix, number, read, truth},
    samples::at_sites,
};
use crate::{
    harness::Random,
    laws::{sample::Cells, trio::Trio},
};

#[tokio::test(flavor = "multi_thread")]
async fn nmf_is_that_of_scikit_learn_whatever_the_layout() {
    let (trio, known) = (Trio::start().await, read("nmf"));
    let (x, w, h) = (matrix(&known["x"]), matrix(&known["w"]), matrix(&known["h"]));
    for (seed, case) in known["cases"].as_array().expect("a list").iter().enumerate() {
        let mut placed = Placed::new(&trio.fed, 840 + seed as u64, x.nrows());
        let (fed, first, context) = (placed.put(&x), placed.put(&w), placed.context());
        let (max_iter, tol) = (number(&case["max_iter"]) as usize, number(&case["tol"]));
        let model = Nmf { max_iter, tol, ..Nmf::new(3) };
        for model in [model.clone().with_factors(&first, h.clone()), model.with_factors(&w, h.clone())] {
            let fitted = model.fit(&fed).await.expect(&context);
            assert_eq!(fitted.n_iter as f64, number(&case["n_iter"]), "{context}");
            assert_near(&context, &fitted.components, &matrix(&case["h"]), 1e-9);
            assert_near(&context, &fitted.w.to_array().await.expect("one's own"), &matrix(&case["w"]), 1e-9);
            let error = fitted.reconstruction_err.expect("one's own");
            assert_close(&context, error, number(&case["error"]), 1e-9);
            let few = Placed::new(&trio.fed, seed as u64, 8).put(&x.slice(s![..8, ..]).to_owned());
            let transformed = fitted.transform(&few).await.expect(&context).to_array().await.expect("one's own");
            assert_near(&context, &transformed, &matrix(&case["transformed"]), 1e-9);
        }
    }
}

/// Counts of a Poisson distribution, by the products of uniform numbers.
fn counts(random: &mut Random, rows: usize, columns: usize, rank: usize) -> Array2<f64> {
    let (w, h) = (random.matrix(rows, rank) + 1.2, random.matrix(rank, columns) + 1.2);
    w.dot(&h).mapv(|mean| {
        let (mut product, mut count) = (random.unit(), 0.0);
        while product > f64::exp(-mean) {
            product *= random.unit();
            count += 1.0;
        }
        count
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn nmf_of_data_that_do_not_leave() {
    let x = counts(&mut Random::new(850), 900, 6, 3);
    let (trio, owned) = at_sites(Level::Aggregate, &x).await;
    let (_public, public) = at_sites(Level::Public, &x).await;
    let model = Nmf { max_iter: 40, tol: 0.0, seed: 3, ..Nmf::new(3) };
    let expected = model.fit(&public).await.expect("public");
    let before = trio.fed.stats().round_trips();
    let fitted = model.fit(&owned).await.expect("columns have enough rows");
    // What is refused is asked for again, one by one.
    let trips = trio.fed.stats().round_trips() - before;
    assert_eq!(trips, 40 + 2 + 3, "one per iteration, two for objectives, three to begin");
    assert_near("H", &fitted.components, &expected.components, 1e-12);
    assert!(expected.reconstruction_err.is_some());
    assert_eq!(fitted.reconstruction_err, None, "few rows have the largest counts");
    let stopped = Nmf { max_iter: 2000, tol: 1e-3, ..model.clone() }.fit(&owned).await.expect("enough rows");
    assert!(stopped.n_iter < 2000 && stopped.n_iter.is_multiple_of(10), "{}", stopped.n_iter);
    assert!(fitted.w.to_array().await.is_err(), "rows stay");
    let product = fitted.inverse_transform(&fitted.w).expect("it fits").sum(fondaco::Axis::Columns).expect("a row cut");
    // The divergence is stationary in the size of each column.
    let sums = owned.sum(fondaco::Axis::Columns).expect("a row cut").await.expect("it leaves");
    assert_near("sums", &product.await.expect("it leaves"), &sums, 1e-10);
    let mut gaps = x;
    gaps[[5, 1]] = f64::NAN;
    let (_trio, owned) = at_sites(Level::Aggregate, &gaps).await;
    let message = model.fit(&owned).await.expect_err("gaps").to_string();
    assert!(message.contains("NaN or infinities"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn als_is_that_of_plain_loops_whatever_the_layout() {
    let (trio, known) = (Trio::start().await, read("als"));
    let (x, start) = (matrix(&known["x"]), matrix(&known["start"]));
    for (seed, case) in known["cases"].as_array().expect("a list").iter().enumerate() {
        let mut placed = Placed::new(&trio.fed, 860 + seed as u64, x.nrows());
        let (fed, context) = (placed.put(&x), placed.context());
        let cells = if truth(&case["zeros"]) { AlsCells::All } else { AlsCells::NonZero };
        let (reg, max_iter) = (number(&case["reg"]), number(&case["iterations"]) as usize);
        let model = Als { reg, cells, max_iter, tol: -1.0, init: Some(start.clone()), ..Als::new(3) };
        let fitted = model.fit(&fed).await.expect(&context);
        assert_eq!((fitted.n_iter, fitted.converged), (max_iter, false), "{context}");
        assert_near(&context, &fitted.v, &matrix(&case["v"]), 1e-9);
        let u = fitted.u.to_array().await.expect("one's own");
        assert_near(&context, &u.slice(s![..8, ..]).to_owned(), &matrix(&case["u"]), 1e-9);
        assert_close(&context, fitted.loss, number(&case["loss"]), 1e-10);
    }
    let model = Als { reg: 2.0, max_iter: 2000, tol: 1e-14, ..Als::new(3) };
    let fed = Placed::new(&trio.fed, 870, x.nrows()).put(&x);
    let fitted = model.fit(&fed).await.expect("one's own");
    assert!(fitted.converged, "{}", fitted.n_iter);
    assert_close("the least objective", fitted.loss, number(&known["least"]), 1e-9);
    let product = fitted.predict(&fitted.transform(&fed).expect("it fits")).expect("it fits");
    assert_near("the product", &product.to_array().await.expect("one's own"), &matrix(&known["best"]), 1e-5);
}

#[tokio::test(flavor = "multi_thread")]
async fn als_of_data_that_do_not_leave() {
    let mut random = Random::new(880);
    let full = Cells::Normal.matrix(&mut random, 800, 2).dot(&Cells::Normal.matrix(&mut random, 2, 6));
    let sparse = full.mapv(|x| if random.below(3) == 0 { 0.0 } else { x });
    for cells in [AlsCells::All, AlsCells::NonZero] {
        let x = if cells == AlsCells::All { &full } else { &sparse };
        let (trio, owned) = at_sites(Level::Aggregate, x).await;
        let (_public, public) = at_sites(Level::Public, x).await;
        let model = Als { cells, reg: 0.1, max_iter: 25, tol: 0.0, seed: 1, ..Als::new(2) };
        let expected = model.fit(&public).await.expect("public");
        let before = trio.fed.stats().round_trips();
        let fitted = model.fit(&owned).await.expect("columns have enough rows");
        assert_eq!(trio.fed.stats().round_trips() - before, fitted.n_iter as u64, "one per iteration");
        assert_near("V", &fitted.v, &expected.v, 1e-9);
        assert!(fitted.loss < 0.05 * full.iter().map(|x| x * x).sum::<f64>(), "{cells:?}: {}", fitted.loss);
        assert!(fitted.u.to_array().await.is_err(), "rows stay");
        // Those that nobody knew are found, but for two rows in a hundred of which fewer than two cells are known.
        let u = public.slice(.., ..).and_then(|x| expected.transform(&x)).expect("it fits");
        let found = expected.predict(&u).expect("it fits").to_array().await.expect("public");
        let off = (&found - &full).mapv(|x| x * x).sum() / full.mapv(|x| x * x).sum();
        assert!(off < if cells == AlsCells::All { 1e-3 } else { 0.05 }, "{cells:?}: {off}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_possible_is_said() {
    let trio = Trio::start().await;
    let x = Array2::from_shape_fn((12, 3), |(i, j)| ((i + 2 * j) % 4) as f64);
    let fed = Placed::new(&trio.fed, 890, 12).put(&x);
    let message = Nmf::new(2).with_factors(x.clone(), x.clone()).fit(&fed).await.expect_err("H").to_string();
    assert!(message.contains("(12, 3), but must be (2, 3)"), "{message}");
    let message = Nmf::new(0).fit(&fed).await.expect_err("no factors").to_string();
    assert!(message.contains("0 factors"), "{message}");
    let message = Als { init: Some(x.clone()), ..Als::new(2) }.fit(&fed).await.expect_err("V").to_string();
    assert!(message.contains("(12, 3), but must be (3, 2)"), "{message}");
    let singular = Als { reg: 0.0, ..Als::new(5) }.fit(&fed).await.expect_err("five factors of three columns");
    assert!(singular.to_string().contains("larger reg"), "{singular}");
    let gaps = Placed::new(&trio.fed, 891, 12).put(&x.mapv(|x| if x == 3.0 { f64::NAN } else { x }));
    assert!(Als::new(2).fit(&gaps).await.expect_err("gaps").to_string().contains("NaN"));
    assert!(Nmf::new(2).fit(&gaps).await.expect_err("gaps").to_string().contains("NaN"));
}
