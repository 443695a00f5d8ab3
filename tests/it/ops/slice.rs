//! Ranges, lists, masks, and cells in the place of others.

use std::ops::Range;

use fondaco::{FedMatrix, Op, op::SliceOp};
use ndarray::Array2;

mod chosen;
mod masks;

use super::{Asked, cases};
use crate::{
    harness::Random,
    laws::{
        sample::{self, Cells, Cuts},
        trio::{Trio, scatter},
    },
    oracle::{self, Expected},
};

#[test]
fn the_family_is_complete() {
    // A new operator does not compile here, before it is missing there.
    let _tested = |op: &SliceOp| match op {
        SliceOp::Range { .. } | SliceOp::Columns(_) => "ranges_and_columns",
        SliceOp::Rows(_) => "chosen::rows_in_any_order",
        SliceOp::Set { .. } => "chosen::cells_in_the_place_of_others",
        SliceOp::FilterRows => "masks::rows_by_a_mask",
    };
}

fn expected(op: SliceOp, x: &Array2<f64>) -> Expected {
    oracle::expected(&Op::Slice(op), &[x])
}

/// All, nothing, one, or some.
fn range(random: &mut Random, extent: usize) -> Range<u64> {
    let at = random.below(extent + 1);
    let range = match random.below(5) {
        0 => 0..extent,
        1 => at..at,
        2 if extent > 0 => extent - 1..extent,
        _ => at..at + random.below(extent - at + 1),
    };
    range.start as u64..range.end as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_and_columns() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(40, 100) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let (cells, cuts) = (Cells::pick(&mut random), Cuts::any(&mut random, n, d));
        let x = cells.matrix(&mut random, n, d);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) {cells:?} cut {:?}", cuts.layout()));
        for _ in 0..6 {
            let (rows, columns) = (range(&mut random, n), range(&mut random, d));
            let what = format!("[{rows:?}, {columns:?}]");
            let sliced = fed.slice(rows.clone(), columns.clone()).expect("within the matrix");
            let value = expected(SliceOp::Range { rows, columns }, &x);
            asked.ask(&what, sliced.fetch().expect("it is one's own"), value.clone());
            let turned = sliced.t().and_then(|turned| turned.fetch()).expect("everything can be transposed");
            asked.ask(format!("{what}.T"), turned, Expected::exact(value.value.reversed_axes()));
            let indices: Vec<u64> = (0..random.below(6)).map(|_| random.below(d) as u64).collect();
            let taken = fed.columns(indices.clone()).expect("within the matrix");
            let value = expected(SliceOp::Columns(indices.clone()), &x);
            asked.ask(format!("columns {indices:?}"), taken.fetch().expect("it is one's own"), value);
        }
        asked.check(&trio.fed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slices_of_slices() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(41, 30) {
        let (mut n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let cuts = Cuts::any(&mut random, n, d);
        let mut x = Cells::Normal.matrix(&mut random, n, d);
        let mut fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) cut {:?}", cuts.layout()));
        for step in 0..4 {
            let (rows, columns) = (range(&mut random, n), 0..d as u64);
            fed = fed.slice(rows.clone(), ..).expect("within the matrix");
            x = expected(SliceOp::Range { rows, columns }, &x).value;
            n = x.nrows();
            asked.ask(format!("slice {step}"), fed.fetch().expect("it is one's own"), Expected::exact(x.clone()));
        }
        asked.check(&trio.fed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_refused() {
    let trio = Trio::start().await;
    let fed: FedMatrix = trio.fed.put_whole("a", Array2::zeros((4, 3))).expect("a site");
    let refused = |result: fondaco::Result<FedMatrix>| result.expect_err("it goes beyond").to_string();
    assert!(refused(fed.slice(0..5, ..)).contains("goes beyond (4, 3)"));
    assert!(refused(fed.slice(.., 3..=3)).contains("goes beyond (4, 3)"));
    let (start, end) = (3, 2);
    assert!(refused(fed.slice(start..end, ..)).contains("must not end before it starts"));
    assert!(refused(fed.columns([0, 3])).contains("there is no column 3 in (4, 3)"));
}
