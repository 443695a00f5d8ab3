//! Rows in the order of a column, and its distinct values.

use fondaco::{Op, op::ReorgOp};
use ndarray::s;

use super::super::{Asked, cases};
use crate::{
    laws::{
        sample::{self, Cells, Cuts},
        trio::{NAMES, Trio, scatter},
    },
    oracle::{self, Expected},
};

/// The same cuts, at one site.
fn at(site: &'static str, cuts: Cuts) -> Cuts {
    Cuts { sites: vec![site; cuts.sites.len()], ..cuts }
}

#[tokio::test(flavor = "multi_thread")]
async fn sorts() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(36, 60) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let cells = *random.pick(&[Cells::Special, Cells::Integers, Cells::Normal, Cells::Denormal, Cells::Constant]);
        let x = cells.matrix(&mut random, n, d);
        let site = *random.pick::<&'static str>(&NAMES);
        let cuts = at(site, Cuts::any(&mut random, n, d));
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) {cells:?} cut {:?}", cuts.layout()));
        let by = random.below(d) as u64;
        for descending in [false, true] {
            for indices in [false, true] {
                let sorted = if indices { fed.argsort(by, descending) } else { fed.sort(by, descending) };
                let op = ReorgOp::Sort { by, descending, indices };
                let sorted = sorted.expect("it is at one site");
                let value = oracle::expected(&Op::Reorg(op), &[&x]);
                asked.ask(format!("{op:?}"), sorted.fetch().expect("it is one's own"), value.clone());
                let first = sorted.head(3).and_then(|head| head.t()).expect("every layout is accepted");
                let top = value.value.slice(s![..n.min(3), ..]).reversed_axes().to_owned();
                asked.ask("its first rows", first.fetch().expect("it is one's own"), Expected::exact(top));
            }
        }
        asked.check(&trio.fed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn distinct_values() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(37, 50) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let cells = *random.pick(&[Cells::Special, Cells::Integers, Cells::Integers, Cells::Normal, Cells::Constant]);
        let (x, cuts) = (cells.matrix(&mut random, n, d), Cuts::any(&mut random, n, d));
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let column = random.below(d);
        let what = format!("seed {seed}: column {column} of ({n}, {d}) {cells:?} cut {:?}", cuts.layout());
        let value = oracle::expected(&Op::Reorg(ReorgOp::Unique), &[&x.slice(s![.., column..=column]).to_owned()]);
        let merged = fed.unique_counts(column as u64).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        value.check(&what, &merged);
        if cuts.layout().by_site().len() == 1 {
            let stayed = fed.unique(column as u64).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(stayed.nrows() as usize, merged.nrows(), "{what}");
            let doubled = stayed.multiply(2.0).expect("it is a matrix").to_array().await.expect("it is one's own");
            Expected::exact(value.value * 2.0).check(&what, &doubled);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_at_several_sites_is_not_ordered() {
    let trio = Trio::start().await;
    let x = ndarray::Array2::from_shape_fn((6, 2), |(i, j)| (i * 2 + j) as f64);
    let cuts = Cuts::of(fondaco::Cut::Rows, vec![("a", 4), ("b", 2)], 2);
    let fed = trio.fed.scatter(&x, &cuts.layout()).expect("the layout has the shape");
    let refused = |result: fondaco::Result<fondaco::FedMatrix>| result.expect_err("two sites").to_string();
    assert!(refused(fed.argsort(0, false)).contains("would have to move row-level values"));
    assert!(refused(fed.unique(0).await).contains("await unique_counts"));
    assert!(refused(fed.head(3).expect("within").sort(2, false)).contains("there is no column 2"));
    assert!(fed.unique_counts(2).await.expect_err("no such column").to_string().contains("no column 2"));
    assert!(fed.head(4).expect("within").unique(1).await.is_ok());
}
