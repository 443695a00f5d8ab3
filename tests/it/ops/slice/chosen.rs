//! Rows by lists and by chance, and cells in the place of others.

use fondaco::{FedMatrix, Op, Operand, op::SliceOp};
use ndarray::{Array2, Axis, s};

use super::{
    super::{Asked, cases},
    expected, range,
};
use crate::{
    harness::Random,
    laws::{
        sample::{self, Cells, Cuts},
        trio::{Trio, place, scatter},
    },
    oracle::{self, Expected},
};

#[tokio::test(flavor = "multi_thread")]
async fn rows_in_any_order() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(42, 60) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let (cells, cuts) = (Cells::pick(&mut random), Cuts::any(&mut random, n, d));
        let x = cells.matrix(&mut random, n, d);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) {cells:?} cut {:?}", cuts.layout()));
        for _ in 0..4 {
            let count = if n == 0 { 0 } else { random.below(2 * n.min(60) + 1) };
            let mut list: Vec<u64> = (0..count).map(|_| random.below(n) as u64).collect();
            if random.below(2) == 0 {
                list.sort_unstable();
                list.dedup();
            }
            let taken = fed.take(list.clone()).expect("within the matrix");
            let value = expected(SliceOp::Rows(list.clone()), &x);
            asked.ask(format!("rows {list:?}"), taken.fetch().expect("it is one's own"), value.clone());
            let turned = taken.t().and_then(|turned| turned.fetch()).expect("everything can be transposed");
            asked.ask(format!("rows {list:?}, turned"), turned, Expected::exact(value.value.reversed_axes()));
        }
        asked.check(&trio.fed).await;
    }
}

/// A value for a region of X: a number, an array of any fitting shape, or rows that are where those of the region are.
fn value(
    trio: &Trio,
    random: &mut Random,
    cuts: &Cuts,
    (rows, columns): (&std::ops::Range<u64>, &std::ops::Range<u64>),
) -> (Operand, Array2<f64>) {
    let (height, width) = ((rows.end - rows.start) as usize, (columns.end - columns.start) as usize);
    let cells = Cells::pick(random);
    match random.below(4) {
        0 => (7.5.into(), Array2::from_elem((1, 1), 7.5)),
        1 => {
            let (down, right) = (*random.pick(&[1, height]), *random.pick(&[1, width]));
            let array = cells.matrix(random, down, right);
            ((&array).into(), array)
        }
        2 if cuts.by_rows() => {
            let n = cuts.heights.iter().sum();
            let all = cells.matrix(random, n, width);
            let aligned = cuts.aligned(random, width);
            let fed = scatter(&trio.fed, random, &all, &aligned).slice(rows.clone(), ..).expect("within the matrix");
            (fed.into(), all.slice(s![rows.start as usize..rows.end as usize, ..]).to_owned())
        }
        _ => {
            let array = cells.matrix(random, height, width);
            ((&array).into(), array)
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cells_in_the_place_of_others() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(43, 80) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let (cells, cuts) = (Cells::pick(&mut random), Cuts::any(&mut random, n, d));
        let x = cells.matrix(&mut random, n, d);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) {cells:?} cut {:?}", cuts.layout()));
        for _ in 0..4 {
            let (rows, columns) = (range(&mut random, n), range(&mut random, d));
            let (operand, array) = value(&trio, &mut random, &cuts, (&rows, &columns));
            let what = format!("[{rows:?}, {columns:?}] = {operand:?}");
            let set = fed.set(rows.clone(), columns.clone(), operand);
            let set = set.unwrap_or_else(|error| panic!("seed {seed}, {what}: {error}"));
            let value = oracle::expected(&Op::Slice(SliceOp::Set { rows, columns }), &[&x, &array]);
            asked.ask(what, set.fetch().expect("it is one's own"), value);
        }
        asked.ask("X itself", fed.fetch().expect("it is one's own"), Expected::exact(x));
        asked.check(&trio.fed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_does_not_depend_on_the_layout() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(44, 20) {
        let (n, d) = (5 + random.below(400), sample::columns(&mut random));
        let x = Cells::Normal.matrix(&mut random, n, d);
        let numbers = Array2::from_shape_fn((n, 1), |(row, _)| row as f64);
        let count = random.below(n + 1) as u64;
        let drawn = async |fed: &FedMatrix, again: bool| {
            let drawn =
                if again { fed.sample_rows_with_replacement(count, seed) } else { fed.sample_rows(count, seed) };
            drawn.expect("there are enough").to_array().await.expect("it is one's own")
        };
        let whole = trio.fed.put_whole("b", &numbers).expect("a site");
        for again in [false, true] {
            let rows: Vec<usize> = drawn(&whole, again).await.iter().map(|row| *row as usize).collect();
            assert!(rows.is_sorted_by(|a, b| if again { a <= b } else { a < b }), "seed {seed}: {rows:?}");
            assert_eq!(rows.len() as u64, count);
            let cuts = Cuts::any(&mut random, n, d);
            let fed = scatter(&trio.fed, &mut random, &x, &cuts);
            let what = format!("seed {seed}: {count} of {n} cut {:?}", cuts.layout());
            Expected::exact(x.select(Axis(0), &rows)).check(&what, &drawn(&fed, again).await);
        }
        let other = whole.sample_rows(count, seed + 1).expect("enough").to_array().await.expect("it is one's own");
        assert!(count < 5 || count + 5 > n as u64 || other != drawn(&whole, false).await, "another seed");
        assert!(whole.sample_rows(n as u64 + 1, seed).is_err());
    }
}

/// Each row as often as the others, up to six standard errors.
#[tokio::test(flavor = "multi_thread")]
async fn samples_are_fair() {
    let trio = Trio::start().await;
    let numbers = Array2::from_shape_fn((30, 1), |(row, _)| row as f64);
    let whole = place(&trio.fed, &numbers, &fondaco::Layout::rows([("a", 20), ("c", 10)], 1).expect("there are parts"));
    let mut drawn = Vec::new();
    for seed in 0..600 {
        drawn.push(whole.sample_rows(10, seed).expect("enough").fetch().expect("it is one's own"));
        drawn.push(whole.sample_rows_with_replacement(10, seed).expect("some").fetch().expect("it is one's own"));
    }
    let drawn = trio.fed.fetch_all(drawn).await.expect("it is one's own");
    for again in [0, 1] {
        let mut counts = [0.0; 30];
        drawn.iter().skip(again).step_by(2).flatten().for_each(|row| counts[*row as usize] += 1.0);
        let worst = counts.iter().fold(0.0_f64, |worst, count| worst.max((count - 200.0_f64).abs()));
        assert!(worst < 6.0 * 200.0_f64.sqrt(), "{counts:?}");
    }
}
