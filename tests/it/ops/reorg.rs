//! Transposes, stacks, and cells in another order.

use fondaco::{Cut, FedMatrix, Layout, Op, Operand, Result, op::ReorgOp};
use ndarray::{Array2, s};

mod order;
mod places;

use super::{Asked, cases};
use crate::{
    harness::Random,
    laws::{
        sample::{self, Cells, Cuts},
        trio::{Trio, place, scatter},
    },
    oracle::{self, Expected},
};

/// A matrix with others beside it, put together: the result, and the inputs in order.
type Form = fn(&Trio, &mut Random, usize, usize) -> (Result<FedMatrix>, Vec<Array2<f64>>);

const REORG: &[(ReorgOp, &[Form])] = &[
    (ReorgOp::Transpose, &[transpose]),
    (ReorgOp::Vstack, &[rows_below_rows, below_whole, columns_below_columns, rows_among_arrays, below_anything]),
    (ReorgOp::Hstack, &[columns_beside_columns, rows_beside_rows, beside_whole, columns_among_arrays, beside_anything]),
    (ReorgOp::Flip, &[flip]),
    (ReorgOp::FlipColumns, &[fliplr]),
];

#[test]
fn the_family_is_complete() {
    // A new member does not compile here, before it is missing there.
    let tested = |op: &ReorgOp| match op {
        ReorgOp::Transpose | ReorgOp::Vstack | ReorgOp::Hstack | ReorgOp::Flip | ReorgOp::FlipColumns => {
            "reorganisations"
        }
        ReorgOp::Diagonal { .. } | ReorgOp::Triangle { .. } => "places::diagonals_and_triangles",
        ReorgOp::Diag { .. } => "places::vectors_on_the_diagonal",
        ReorgOp::Reshape(_) => "places::reshapes",
        ReorgOp::Sort { .. } => "order::sorts",
        ReorgOp::Unique => "order::distinct_values",
    };
    assert!(REORG.iter().all(|line| tested(&line.0) == "reorganisations"));
}

fn data(random: &mut Random, n: usize, d: usize) -> Array2<f64> {
    Cells::pick(random).matrix(random, n, d)
}

fn transpose(trio: &Trio, random: &mut Random, n: usize, d: usize) -> (Result<FedMatrix>, Vec<Array2<f64>>) {
    let (x, cuts) = (data(random, n, d), Cuts::any(random, n, d));
    (scatter(&trio.fed, random, &x, &cuts).t(), vec![x])
}

fn flip(trio: &Trio, random: &mut Random, n: usize, d: usize) -> (Result<FedMatrix>, Vec<Array2<f64>>) {
    let (x, cuts) = (data(random, n, d), Cuts::any(random, n, d));
    (scatter(&trio.fed, random, &x, &cuts).flip(), vec![x])
}

fn fliplr(trio: &Trio, random: &mut Random, n: usize, d: usize) -> (Result<FedMatrix>, Vec<Array2<f64>>) {
    let (x, cuts) = (data(random, n, d), Cuts::any(random, n, d));
    (scatter(&trio.fed, random, &x, &cuts).fliplr(), vec![x])
}

/// Cut across the direction in which they are put together: every part stays where it is.
fn end_to_end(
    trio: &Trio,
    random: &mut Random,
    (n, d): (usize, usize),
    cut: Cut,
) -> (FedMatrix, Vec<FedMatrix>, Vec<Array2<f64>>) {
    let mut matrices = Vec::new();
    let mut arrays = Vec::new();
    for _ in 0..2 + random.below(3) {
        let extent = if random.below(4) == 0 { 0 } else { 1 + random.below(if cut == Cut::Rows { n + 1 } else { d }) };
        let (rows, columns) = if cut == Cut::Rows { (extent, d) } else { (n, extent) };
        let x = data(random, rows, columns);
        let cuts = match cut {
            Cut::Rows => Cuts::rows(random, rows, columns),
            Cut::Columns => Cuts::columns(random, rows, columns),
        };
        matrices.push(scatter(&trio.fed, random, &x, &cuts));
        arrays.push(x);
    }
    (matrices.remove(0), matrices, arrays)
}

/// Cut along: each part grows at its site; arrays are cut likewise.
fn side_by_side(
    trio: &Trio,
    random: &mut Random,
    (n, d): (usize, usize),
    cut: Cut,
) -> (FedMatrix, Vec<Operand>, Vec<Array2<f64>>) {
    let first = data(random, n, d);
    let cuts = match cut {
        Cut::Rows => Cuts::rows(random, n, d),
        Cut::Columns => Cuts::columns(random, n, d),
    };
    let fed = scatter(&trio.fed, random, &first, &cuts);
    let mut others: Vec<Operand> = Vec::new();
    let mut arrays = vec![first];
    for _ in 0..1 + random.below(3) {
        let across = 1 + random.below(3);
        let (rows, columns) = if cut == Cut::Rows { (n, across) } else { (across, d) };
        let x = data(random, rows, columns);
        others.push(if random.below(3) == 0 {
            (&x).into()
        } else {
            let aligned = match cut {
                Cut::Rows => cuts.aligned(random, across),
                Cut::Columns => cuts.transposed().aligned(random, across).transposed(),
            };
            scatter(&trio.fed, random, &x, &aligned).into()
        });
        arrays.push(x);
    }
    (fed, others, arrays)
}

fn rows_below_rows(trio: &Trio, random: &mut Random, n: usize, d: usize) -> (Result<FedMatrix>, Vec<Array2<f64>>) {
    let (first, others, arrays) = end_to_end(trio, random, (n, d), Cut::Rows);
    (first.vstack(others), arrays)
}

fn columns_beside_columns(
    trio: &Trio,
    random: &mut Random,
    n: usize,
    d: usize,
) -> (Result<FedMatrix>, Vec<Array2<f64>>) {
    let (first, others, arrays) = end_to_end(trio, random, (n, d), Cut::Columns);
    (first.hstack(others), arrays)
}

fn columns_below_columns(
    trio: &Trio,
    random: &mut Random,
    n: usize,
    d: usize,
) -> (Result<FedMatrix>, Vec<Array2<f64>>) {
    let (first, others, arrays) = side_by_side(trio, random, (n, d), Cut::Columns);
    (first.vstack(others), arrays)
}

fn rows_beside_rows(trio: &Trio, random: &mut Random, n: usize, d: usize) -> (Result<FedMatrix>, Vec<Array2<f64>>) {
    let (first, others, arrays) = side_by_side(trio, random, (n, d), Cut::Rows);
    (first.hstack(others), arrays)
}

fn below_whole(trio: &Trio, random: &mut Random, n: usize, d: usize) -> (Result<FedMatrix>, Vec<Array2<f64>>) {
    let (x, y) = (data(random, n, d), data(random, 3, d));
    let cuts = Cuts::rows(random, n, d);
    let whole = trio.fed.put_whole("b", &y).expect("a site");
    (whole.vstack([scatter(&trio.fed, random, &x, &cuts)]), vec![y, x])
}

fn beside_whole(trio: &Trio, random: &mut Random, n: usize, d: usize) -> (Result<FedMatrix>, Vec<Array2<f64>>) {
    let (x, y) = (data(random, n, d), data(random, n, 2));
    let cuts = Cuts::columns(random, n, d);
    let whole = trio.fed.put_whole("b", &y).expect("a site");
    (whole.hstack([scatter(&trio.fed, random, &x, &cuts)]), vec![y, x])
}

/// Arrays of the coordinator among what is cut across the direction.
fn among_arrays(
    trio: &Trio,
    random: &mut Random,
    (n, d): (usize, usize),
    cut: Cut,
) -> (FedMatrix, Vec<Operand>, Vec<Array2<f64>>) {
    let (first, others, mut arrays) = end_to_end(trio, random, (n, d), cut);
    let mut operands: Vec<Operand> = others.into_iter().map(Into::into).collect();
    for _ in 0..1 + random.below(3) {
        let extent = random.below(4);
        let (rows, columns) = if cut == Cut::Rows { (extent, d) } else { (n, extent) };
        let (at, array) = (random.below(operands.len() + 1), data(random, rows, columns));
        operands.insert(at, (&array).into());
        arrays.insert(at + 1, array);
    }
    (first, operands, arrays)
}

fn rows_among_arrays(trio: &Trio, random: &mut Random, n: usize, d: usize) -> (Result<FedMatrix>, Vec<Array2<f64>>) {
    let (first, others, arrays) = among_arrays(trio, random, (n, d), Cut::Rows);
    (first.vstack(others), arrays)
}

fn columns_among_arrays(trio: &Trio, random: &mut Random, n: usize, d: usize) -> (Result<FedMatrix>, Vec<Array2<f64>>) {
    let (first, others, arrays) = among_arrays(trio, random, (n, d), Cut::Columns);
    (first.hstack(others), arrays)
}

/// In any cuts and blocks, at any sites, and arrays.
fn anything(
    trio: &Trio,
    random: &mut Random,
    (n, d): (usize, usize),
    cut: Cut,
) -> (FedMatrix, Vec<Operand>, Vec<Array2<f64>>) {
    let first = data(random, n, d);
    let cuts = Cuts::any(random, n, d);
    let fed = scatter(&trio.fed, random, &first, &cuts);
    let (mut others, mut arrays): (Vec<Operand>, _) = (Vec::new(), vec![first]);
    for _ in 0..1 + random.below(3) {
        let extent = random.below(5);
        let (rows, columns) = if cut == Cut::Rows { (extent, d) } else { (n, extent) };
        let x = data(random, rows, columns);
        let cuts = Cuts::any(random, rows, columns);
        others.push(if random.below(3) == 0 { (&x).into() } else { scatter(&trio.fed, random, &x, &cuts).into() });
        arrays.push(x);
    }
    (fed, others, arrays)
}

fn below_anything(trio: &Trio, random: &mut Random, n: usize, d: usize) -> (Result<FedMatrix>, Vec<Array2<f64>>) {
    let (first, others, arrays) = anything(trio, random, (n, d), Cut::Rows);
    (first.vstack(others), arrays)
}

fn beside_anything(trio: &Trio, random: &mut Random, n: usize, d: usize) -> (Result<FedMatrix>, Vec<Array2<f64>>) {
    let (first, others, arrays) = anything(trio, random, (n, d), Cut::Columns);
    (first.hstack(others), arrays)
}

fn expected(op: ReorgOp, inputs: &[Array2<f64>]) -> Expected {
    oracle::expected(&Op::Reorg(op), &inputs.iter().collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn reorganisations() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(30, 80) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d})"));
        for (op, forms) in REORG {
            for (index, form) in forms.iter().enumerate() {
                let (result, inputs) = form(&trio, &mut random, n, d);
                let what = format!("{} form {index}", op.name());
                let result = result.unwrap_or_else(|error| panic!("seed {seed}, {what}: {error}"));
                let expected = expected(*op, &inputs);
                asked.ask(&what, result.fetch().expect("it is one's own"), expected.clone());
                // What is made of it sees the same cells.
                let again = result.multiply(2.0).and_then(|double| double.fetch()).expect("every layout is accepted");
                asked.ask(format!("{what}, doubled"), again, Expected::exact(expected.value * 2.0));
            }
        }
        asked.check(&trio.fed).await;
    }
}

/// Along either axis, again and again, so that parts are cut more than once.
#[tokio::test(flavor = "multi_thread")]
async fn rolls() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(31, 60) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let (x, cuts) = (data(&mut random, n, d), Cuts::any(&mut random, n, d));
        let mut fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) cut {:?}", cuts.layout()));
        let (mut down, mut right) = (0, 0);
        for _ in 0..3 {
            let shift = random.below(4 * n + 3) as i64 - 2 * n as i64;
            let aside = random.below(4 * d + 3) as i64 - 2 * d as i64;
            (down, right) = (down + shift, right + aside);
            fed = fed.roll(shift).and_then(|fed| fed.roll_columns(aside)).expect("every layout is accepted");
            let from = |at: usize, by: i64, extent: usize| (at as i64 - by).rem_euclid(extent.max(1) as i64) as usize;
            let rolled = Array2::from_shape_fn((n, d), |(i, j)| x[[from(i, down, n), from(j, right, d)]]);
            let (top, bottom) = (rolled.slice(s![..n.min(5), ..]), rolled.slice(s![n - n.min(7).., ..]));
            let (top, bottom) = (top.to_owned(), bottom.to_owned());
            let (head, tail) = (fed.head(5).expect("every layout"), fed.tail(7).expect("every layout"));
            asked.ask(format!("the head, rolled by {down}"), head.fetch().expect("own"), Expected::exact(top));
            asked.ask(format!("the tail, rolled by {down}"), tail.fetch().expect("own"), Expected::exact(bottom));
            let what = format!("rolled by {down} and {right}");
            asked.ask(what, fed.fetch().expect("it is one's own"), Expected::exact(rolled));
        }
        asked.check(&trio.fed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_move_rows_is_refused() {
    let trio = Trio::start().await;
    let fed = &trio.fed;
    let array = Array2::from_shape_fn((4, 4), |(i, j)| (i * 4 + j) as f64);
    let rows =
        |first: u64| place(fed, &array, &Layout::rows([("a", first), ("b", 4 - first)], 4).expect("there are parts"));
    let columns = place(fed, &array, &Layout::columns([("a", 1), ("b", 3)], 4).expect("there are parts"));
    let refusals = [
        (rows(1).sort(0, false), "would have to move row-level values"),
        (rows(1).reshape(2, 8), "rows of 8 cells would lie at two sites"),
        (columns.reshape(8, 2), "would have to move row-level values"),
        (rows(1).vstack([Array2::zeros((1, 3))]), "need the same number of columns"),
        (rows(1).hstack([Array2::zeros((3, 1))]), "need the same number of rows"),
    ];
    for (index, (result, what)) in refusals.into_iter().enumerate() {
        let message = result.expect_err(&format!("refusal {index}: {what}")).to_string();
        assert!(message.contains(what), "refusal {index} should say {what:?}: {message}");
    }
    assert_eq!(fed.stats().round_trips(), 0, "nothing was sent");
}
