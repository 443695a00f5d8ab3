//! Rows and columns by masks: what is not 0, not empty, no gap.

use fondaco::{Op, Operand, op::SliceOp};
use ndarray::{Array2, Axis};

use super::super::cases;
use crate::{
    harness::Random,
    laws::{
        sample::{self, Cells, Cuts},
        trio::{Trio, place, scatter},
    },
    oracle::{self, Expected},
};

/// Truth of every kind, more or less often.
fn mask(random: &mut Random, n: usize) -> Array2<f64> {
    let share = random.below(5);
    let truth = [1.0, -0.5, f64::NAN, 5e-324, f64::INFINITY];
    Array2::from_shape_simple_fn((n, 1), || {
        if random.below(4) < share { *random.pick(&truth) } else { *random.pick(&[0.0, -0.0]) }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_by_a_mask() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(45, 80) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let (cells, cuts) = (Cells::pick(&mut random), Cuts::any(&mut random, n, d));
        let x = cells.matrix(&mut random, n, d);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mask = mask(&mut random, n);
        let mut masks: Vec<Operand> = vec![(&mask).into()];
        if cuts.by_rows() {
            let aligned = cuts.aligned(&mut random, 1);
            masks.push(scatter(&trio.fed, &mut random, &mask, &aligned).into());
        }
        let value = oracle::expected(&Op::Slice(SliceOp::FilterRows), &[&x, &mask]);
        for mask in masks {
            let what = format!("seed {seed}: ({n}, {d}) cut {:?} by {mask:?}", cuts.layout());
            let taken = fed.filter_rows(mask).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!((taken.nrows() as usize, taken.ncols() as usize), value.value.dim(), "{what}");
            value.check(&what, &taken.to_array().await.expect("it is one's own"));
            // What is made of it knows how many there are.
            let turned = taken.flip().and_then(|flipped| flipped.slice(.., ..1)).expect("within the matrix");
            let turned = turned.to_array().await.expect("it is one's own");
            let flipped = value.value.slice(ndarray::s![..;-1, ..1]).to_owned();
            Expected::exact(flipped).check(&what, &turned);
        }
    }
}

/// Some rows are nothing but zeros, some cancel, some are gaps.
fn with_empty_rows(random: &mut Random, n: usize, d: usize) -> Array2<f64> {
    let mut x = Cells::Normal.matrix(random, n, d);
    for mut row in x.rows_mut() {
        match random.below(5) {
            0 => row.fill(0.0),
            1 => row.iter_mut().enumerate().for_each(|(i, cell)| *cell = if i % 2 == 0 { 0.0 } else { -0.0 }),
            2 => row.iter_mut().enumerate().for_each(|(i, cell)| *cell = if i % 2 == 0 { 3.0 } else { -3.0 }),
            3 => {
                row.fill(0.0);
                row[random.below(d)] = *random.pick(&[f64::NAN, 5e-324, f64::INFINITY]);
            }
            _ => {}
        }
    }
    x
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_rows_and_gaps_go() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(46, 40) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let (x, cuts) = (with_empty_rows(&mut random, n, d), Cuts::rows(&mut random, n, d));
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let what = format!("seed {seed}: ({n}, {d}) cut {:?}", cuts.layout());
        let rows = |keep: &dyn Fn(usize) -> bool| (0..n).filter(|row| keep(*row)).collect::<Vec<_>>();
        let full = rows(&|row| x.row(row).iter().any(|cell| *cell != 0.0));
        let left = fed.remove_empty_rows().await.unwrap_or_else(|error| panic!("{what}: {error}"));
        Expected::exact(x.select(Axis(0), &full)).check(&what, &left.to_array().await.expect("it is one's own"));
        let present = rows(&|row| !x.row(row).iter().any(|cell| cell.is_nan()));
        let left = fed.drop_nan_rows().await.unwrap_or_else(|error| panic!("{what}: {error}"));
        Expected::exact(x.select(Axis(0), &present)).check(&what, &left.to_array().await.expect("it is one's own"));
        assert_eq!(fed.nrows() as usize, n, "{what}");
    }
}

/// A column that is empty at one site is not empty.
#[tokio::test(flavor = "multi_thread")]
async fn columns_that_are_empty_at_all_sites_go() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(47, 40) {
        let (n, d) = (2 + sample::rows(&mut random), 1 + sample::columns(&mut random));
        let x = with_empty_rows(&mut random, d, n).reversed_axes();
        let cuts = Cuts::any(&mut random, n, d);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let what = format!("seed {seed}: ({n}, {d}) cut {:?}", cuts.layout());
        let full = (0..d).filter(|column| x.column(*column).iter().any(|cell| *cell != 0.0)).collect::<Vec<_>>();
        let left = fed.remove_empty_columns().await.unwrap_or_else(|error| panic!("{what}: {error}"));
        Expected::exact(x.select(Axis(1), &full)).check(&what, &left.to_array().await.expect("it is one's own"));
        let mask: Vec<bool> = (0..d).map(|column| full.contains(&column)).collect();
        let chosen = fed.filter_columns(&mask).expect("one for each").to_array().await.expect("it is one's own");
        Expected::exact(x.select(Axis(1), &full)).check(&what, &chosen);
    }
    let x = ndarray::arr2(&[[1.0, 0.0, 0.0], [0.0, 2.0, -0.0]]);
    let fed = place(&trio.fed, &x, &fondaco::Layout::rows([("a", 1), ("b", 1)], 3).expect("there are parts"));
    assert_eq!(fed.remove_empty_columns().await.expect("it is one's own").ncols(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn masks_that_do_not_fit_are_refused() {
    let trio = Trio::start().await;
    let x = Array2::from_shape_fn((6, 3), |(i, j)| (i * 3 + j) as f64);
    let rows = |first: u64| {
        let layout = fondaco::Layout::rows([("a", first), ("b", 6 - first)], 3).expect("there are parts");
        place(&trio.fed, &x, &layout)
    };
    let columns = place(&trio.fed, &x, &fondaco::Layout::columns([("a", 1), ("b", 2)], 6).expect("there are parts"));
    let column = |of: &fondaco::FedMatrix| of.slice(.., 0..1).expect("within the matrix");
    let refusals = [
        (rows(2).filter_rows(Array2::ones((5, 1))).await, "must be (6, 1)"),
        (rows(2).filter_rows(1.0).await, "must be (6, 1)"),
        (rows(2).filter_rows(&rows(2)).await, "must be (6, 1)"),
        (rows(2).filter_rows(column(&rows(4))).await, "row 2 of one operand is at b, of another at a"),
        (columns.filter_rows(column(&rows(2))).await, "both need the same rows at the same sites"),
        (columns.remove_empty_rows().await, "would have to move"),
        (rows(2).filter_columns(&[true]), "1 cells for 3 columns"),
        (rows(2).set(4..7, .., 0.0), "goes beyond (6, 3)"),
        (rows(2).set(1..3, .., Array2::ones((3, 3))), "does not fit into (2, 3)"),
        (rows(2).set(1..3, .., rows(2).slice(0..2, ..).expect("within")), "of one operand is at b, of another at a"),
        (rows(2).take([0, 6]), "there is no row 6 in (6, 3)"),
    ];
    for (index, (result, what)) in refusals.into_iter().enumerate() {
        let message = result.expect_err(&format!("refusal {index}: {what}")).to_string();
        assert!(message.contains(what), "refusal {index} should say {what:?}: {message}");
    }
    let lazy = rows(2).apply(&Op::Slice(SliceOp::FilterRows), vec![(&rows(2)).into(), Array2::ones((6, 1)).into()]);
    assert!(lazy.expect_err("how many there are is not known").to_string().contains("await filter_rows"));
    assert_eq!(trio.fed.stats().round_trips(), 0, "nothing was sent");
}
