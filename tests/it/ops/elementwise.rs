//! Cell by cell: unary, binary with every kind of operand, ternary.

use fondaco::{
    BinaryFunction, Cut, FedMatrix, Layout, Op, Operand, Result, Unary,
    op::{Binary, ElementwiseOp, Scalar, Ternary},
};
use ndarray::Array2;

use super::{Asked, cases};
use crate::{
    harness::Random,
    laws::{
        sample::{self, Cells, Cuts},
        trio::{Trio, place, scatter},
    },
    oracle::{self, Expected},
};

type UnaryMethod = fn(&FedMatrix) -> Result<FedMatrix>;
type BinaryMethod = fn(&FedMatrix, Operand) -> Result<FedMatrix>;

const UNARY: &[(Unary, UnaryMethod)] = &[
    (Unary::Negative, FedMatrix::negative),
    (Unary::Abs, FedMatrix::abs),
    (Unary::Sign, FedMatrix::sign),
    (Unary::Sqrt, FedMatrix::sqrt),
    (Unary::Exp, FedMatrix::exp),
    (Unary::Log, FedMatrix::log),
    (Unary::Log1p, FedMatrix::log1p),
    (Unary::Expm1, FedMatrix::expm1),
    (Unary::Sin, FedMatrix::sin),
    (Unary::Cos, FedMatrix::cos),
    (Unary::Tan, FedMatrix::tan),
    (Unary::Asin, FedMatrix::asin),
    (Unary::Acos, FedMatrix::acos),
    (Unary::Atan, FedMatrix::atan),
    (Unary::Sinh, FedMatrix::sinh),
    (Unary::Cosh, FedMatrix::cosh),
    (Unary::Tanh, FedMatrix::tanh),
    (Unary::Sigmoid, FedMatrix::sigmoid),
    (Unary::Floor, FedMatrix::floor),
    (Unary::Ceil, FedMatrix::ceil),
    (Unary::Round, FedMatrix::round),
    (Unary::Isnan, FedMatrix::isnan),
    (Unary::Isinf, FedMatrix::isinf),
    (Unary::Not, FedMatrix::logical_not),
    (Unary::Softmax, FedMatrix::softmax),
    (Unary::LogSoftmax, FedMatrix::log_softmax),
];

const BINARY: &[(BinaryFunction, BinaryMethod)] = &[
    (BinaryFunction::Add, FedMatrix::add),
    (BinaryFunction::Subtract, FedMatrix::subtract),
    (BinaryFunction::Multiply, FedMatrix::multiply),
    (BinaryFunction::Divide, FedMatrix::divide),
    (BinaryFunction::Power, FedMatrix::power),
    (BinaryFunction::Modulo, FedMatrix::modulo),
    (BinaryFunction::FloorDivide, FedMatrix::floor_divide),
    (BinaryFunction::Minimum, FedMatrix::minimum),
    (BinaryFunction::Maximum, FedMatrix::maximum),
    (BinaryFunction::Equal, FedMatrix::equal),
    (BinaryFunction::NotEqual, FedMatrix::not_equal),
    (BinaryFunction::Less, FedMatrix::less),
    (BinaryFunction::LessEqual, FedMatrix::less_equal),
    (BinaryFunction::Greater, FedMatrix::greater),
    (BinaryFunction::GreaterEqual, FedMatrix::greater_equal),
    (BinaryFunction::And, FedMatrix::logical_and),
    (BinaryFunction::Or, FedMatrix::logical_or),
    (BinaryFunction::Xor, FedMatrix::logical_xor),
];

const NUMBERS: [f64; 10] = [0.0, -0.0, 1.0, -2.0, 0.5, 3.0, 1e9, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];

#[test]
fn the_tables_are_complete() {
    assert_eq!(UNARY.iter().map(|line| line.0).collect::<Vec<_>>(), Unary::ALL);
    assert_eq!(BINARY.iter().map(|line| line.0).collect::<Vec<_>>(), BinaryFunction::ALL);
}

fn along_rows(function: Unary) -> bool {
    matches!(function, Unary::Softmax | Unary::LogSoftmax)
}

fn unary(function: Unary, x: &Array2<f64>) -> Expected {
    oracle::expected(&Op::Elementwise(ElementwiseOp::Unary(function)), &[x])
}

fn binary(function: BinaryFunction, x: &Array2<f64>, y: &Array2<f64>) -> Expected {
    oracle::expected(&Op::Elementwise(ElementwiseOp::Binary(Binary { function, scalar: None })), &[x, y])
}

fn with_number(function: BinaryFunction, x: &Array2<f64>, scalar: Scalar) -> Expected {
    oracle::expected(&Op::Elementwise(ElementwiseOp::Binary(Binary { function, scalar: Some(scalar) })), &[x])
}

#[tokio::test(flavor = "multi_thread")]
async fn unary_functions() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(1, 60) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let (cells, cuts) = (Cells::pick(&mut random), Cuts::any(&mut random, n, d));
        let x = cells.matrix(&mut random, n, d);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) {cells:?} cut {:?}", cuts.layout()));
        for (function, method) in UNARY {
            let result = method(&fed).expect("every layout is accepted");
            let merged = along_rows(*function) && cuts.cut() != Some(Cut::Rows);
            assert!(merged || result.layout() == fed.layout(), "seed {seed}: {}", function.name());
            asked.ask(function.name(), result.fetch().expect("it is one's own"), unary(*function, &x));
        }
        asked.check(&trio.fed).await;
    }
}

/// The other operand of a binary operator.
fn operand(trio: &Trio, random: &mut Random, x: &FedMatrix, cuts: &Cuts, cells: Cells) -> (Operand, Array2<f64>) {
    let (n, d) = (x.nrows() as usize, x.ncols() as usize);
    let local = |random: &mut Random, n: usize, d: usize| {
        let array = cells.matrix(random, n, d);
        (Operand::from(&array), array)
    };
    match random.below(8) {
        0 => local(random, 1, 1),
        1 => local(random, 1, d),
        2 => local(random, n, 1),
        3 => local(random, n, d),
        4 => {
            let array = cells.matrix(random, n, d);
            (place(&trio.fed, &array, x.layout()).into(), array)
        }
        5 => {
            // One column (row) of federated numbers, aligned.
            let (array, aligned) = if cuts.by_rows() {
                (cells.matrix(random, n, 1), cuts.aligned(random, 1))
            } else if cuts.by_columns() {
                (cells.matrix(random, 1, d), cuts.transposed().aligned(random, 1).transposed())
            } else {
                return local(random, n, 1);
            };
            (scatter(&trio.fed, random, &array, &aligned).into(), array)
        }
        _ => {
            let array = cells.matrix(random, n, d);
            let aligned = cuts.realigned(random);
            (scatter(&trio.fed, random, &array, &aligned).into(), array)
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_functions() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(2, 60) {
        let (n, d) = (sample::rows(&mut random).max(1), sample::columns(&mut random));
        let (cells, cuts) = (Cells::pick(&mut random), Cuts::any(&mut random, n, d));
        let x = cells.matrix(&mut random, n, d);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) {cells:?} cut {:?}", cuts.layout()));
        for (function, method) in BINARY {
            let other = if random.below(4) == 0 { Cells::Special } else { cells };
            let (y, array) = operand(&trio, &mut random, &fed, &cuts, other);
            let what = format!("{} with {y:?}", function.name());
            let (result, expected) = if random.below(3) == 0 {
                let left = fed.binary_left(&y, *function);
                (left, binary(*function, &array, &x))
            } else {
                (method(&fed, y), binary(*function, &x, &array))
            };
            let result = result.unwrap_or_else(|error| panic!("seed {seed}, {what}: {error}"));
            asked.ask(what, result.fetch().expect("it is one's own"), expected);
        }
        asked.check(&trio.fed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_on_either_side() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(3, 30) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let (cells, cuts) = (Cells::pick(&mut random), Cuts::any(&mut random, n, d));
        let x = cells.matrix(&mut random, n, d);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) {cells:?} cut {:?}", cuts.layout()));
        for (function, method) in BINARY {
            let number = *random.pick(&NUMBERS);
            let what = format!("{} with {number}", function.name());
            let right = method(&fed, number.into()).expect("a number fits").fetch().expect("it is one's own");
            asked.ask(format!("{what} right"), right, with_number(*function, &x, Scalar::Right(number)));
            let left = fed.binary_left(number, *function).expect("a number fits").fetch().expect("it is one's own");
            asked.ask(format!("{what} left"), left, with_number(*function, &x, Scalar::Left(number)));
        }
        asked.check(&trio.fed).await;
    }
}

/// A ternary operator on X, with operands for those that have more.
type TernaryMethod = fn(&FedMatrix, Operand, Operand, [f64; 2]) -> Result<FedMatrix>;

/// What its inputs are, and what it is with these numbers.
type Ternaries = (&'static str, usize, fn([f64; 2]) -> Ternary, TernaryMethod);

const TERNARY: &[Ternaries] = &[
    ("where", 3, |_| Ternary::Where, |x, y, z, _| x.where_(y, z)),
    ("plus_multiply", 2, |s| Ternary::PlusMultiply(s[0]), |x, y, _, s| x.plus_multiply(s[0], y)),
    ("minus_multiply", 2, |s| Ternary::MinusMultiply(s[0]), |x, y, _, s| x.minus_multiply(s[0], y)),
    ("clip", 1, |s| Ternary::Clip { low: s[0], high: s[1] }, |x, _, _, s| x.clip(s[0], s[1])),
    ("clip_between", 3, |_| Ternary::ClipBetween, |x, y, z, _| x.clip(y, z)),
    ("replace", 1, |s| Ternary::Replace { pattern: s[0], value: s[1] }, |x, _, _, s| x.replace(s[0], s[1])),
];

#[test]
fn the_ternary_table_is_complete() {
    // A new one does not compile here, before it is missing there.
    let name = |ternary: Ternary| match ternary {
        Ternary::Where => "where",
        Ternary::PlusMultiply(_) => "plus_multiply",
        Ternary::MinusMultiply(_) => "minus_multiply",
        Ternary::Clip { .. } => "clip",
        Ternary::ClipBetween => "clip_between",
        Ternary::Replace { .. } => "replace",
    };
    assert_eq!(TERNARY.len(), 6);
    for (expected, _, ternary, _) in TERNARY {
        assert_eq!(name(ternary([0.0, 1.0])), *expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ternary_functions() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(4, 60) {
        let (n, d) = (sample::rows(&mut random).max(1), sample::columns(&mut random));
        let (cells, cuts) = (Cells::pick(&mut random), Cuts::any(&mut random, n, d));
        let x = cells.matrix(&mut random, n, d);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) {cells:?} cut {:?}", cuts.layout()));
        for (name, arity, ternary, method) in TERNARY {
            let (y, y_array) = operand(&trio, &mut random, &fed, &cuts, cells);
            let (z, z_array) = operand(&trio, &mut random, &fed, &cuts, Cells::Special);
            let numbers = match *name {
                "replace" => [*random.pick(&NUMBERS), *random.pick(&NUMBERS)],
                "clip" => [*random.pick(&[f64::NEG_INFINITY, -1.0, 0.0]), *random.pick(&[0.0, 2.5, f64::INFINITY])],
                _ => [*random.pick(&NUMBERS), 0.0],
            };
            let what = format!("{name} of {y:?}, {z:?}, {numbers:?}");
            let inputs = [&x, &y_array, &z_array];
            let expected = Op::Elementwise(ElementwiseOp::Ternary(ternary(numbers)));
            let expected = oracle::expected(&expected, &inputs[..*arity]);
            let result = method(&fed, y, z, numbers).unwrap_or_else(|error| panic!("seed {seed}, {what}: {error}"));
            asked.ask(what, result.fetch().expect("it is one's own"), expected);
        }
        asked.check(&trio.fed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outer_products_and_conditions() {
    let trio = Trio::start().await;
    let fed = &trio.fed;
    for (seed, mut random) in cases(6, 20) {
        let (n, m) = (1 + sample::rows(&mut random).min(60), 1 + random.below(9));
        let cells = Cells::pick(&mut random);
        let (u, v) = (cells.matrix(&mut random, n, 1), cells.matrix(&mut random, m, 1));
        let row = v.t().to_owned();
        let cuts = Cuts::rows(&mut random, n, 1);
        let held = scatter(fed, &mut random, &u, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: {n} by {m} {cells:?} cut {:?}", cuts.layout()));
        for function in [BinaryFunction::Multiply, BinaryFunction::Less, BinaryFunction::Xor] {
            let expected = || binary(function, &u, &row);
            let turned = held.t().expect("everything can be transposed");
            for (what, u, v) in [("columns", &held, &v), ("rows", &turned, &row)] {
                let outer = u.outer(function, v).expect("two vectors").fetch().expect("it is one's own");
                asked.ask(format!("outer of {what} {}", function.name()), outer, expected());
            }
        }
        let there = fed.put_whole("b", &u).expect("a site");
        let both = there.outer(BinaryFunction::Add, fed.put_whole("b", &v).expect("a site"));
        let both = both.expect("both are there").fetch().expect("it is one's own");
        asked.ask("outer at one site", both, binary(BinaryFunction::Add, &u, &row));
        let condition = Cells::Integers.matrix(&mut random, n, 1);
        let kept = held.kept_where(&condition, &u * 2.0).expect("rows fit").fetch().expect("it is one's own");
        let op = Op::Elementwise(ElementwiseOp::Ternary(Ternary::Where));
        asked.ask("where of an array", kept, oracle::expected(&op, &[&condition, &u, &(&u * 2.0)]));
        for value in [u[[0, 0]], f64::NAN, 0.0, 12_345.0] {
            let there = u.iter().any(|x| *x == value || (x.is_nan() && value.is_nan()));
            let expected = Expected::exact(Array2::from_elem((1, 1), f64::from(there)));
            asked.ask(format!("contains {value}"), held.contains(value).expect("a number"), expected);
        }
        asked.check(fed).await;
    }
    let square = fed.put_whole("b", Array2::zeros((3, 2))).expect("a site");
    let message = square.outer(BinaryFunction::Add, Array2::zeros((3, 1))).expect_err("no vector").to_string();
    assert!(message.contains("not of a matrix of (3, 2)"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_wider_than_their_operands() {
    let trio = Trio::start().await;
    let fed = &trio.fed;
    for (seed, mut random) in cases(5, 20) {
        let (n, d) = (2 + random.below(30), 2 + random.below(5));
        let (column, row) = (Cells::Special.matrix(&mut random, n, 1), Cells::Special.matrix(&mut random, 1, d));
        let mut asked = Asked::new(format!("seed {seed}"));
        let cuts = Cuts::rows(&mut random, n, 1);
        let down = scatter(fed, &mut random, &column, &cuts);
        let wider = down.add(&row).expect("(n, 1) and (1, d)").fetch().expect("it is one's own");
        asked.ask("column and row", wider, binary(BinaryFunction::Add, &column, &row));
        let cuts = Cuts::columns(&mut random, 1, d);
        let across = scatter(fed, &mut random, &row, &cuts);
        let taller = across.subtract(&column).expect("(1, d) and (n, 1)").fetch().expect("it is one's own");
        asked.ask("row and column", taller, binary(BinaryFunction::Subtract, &row, &column));
        let (there, here) = (fed.put_whole("b", &row).expect("a site"), fed.put_whole("b", &column).expect("a site"));
        let both = there.multiply(&here).expect("both are there").fetch().expect("it is one's own");
        asked.ask("both at one site", both, binary(BinaryFunction::Multiply, &row, &column));
        asked.check(fed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_elsewhere_is_named() {
    let trio = Trio::start().await;
    let fed = &trio.fed;
    let array = Array2::from_shape_fn((6, 3), |(i, j)| (i * 3 + j) as f64);
    let rows = |parts: &[(&'static str, u64)]| {
        place(fed, &array, &Layout::rows(parts.iter().copied(), 3).expect("there are parts"))
    };
    let x = rows(&[("a", 4), ("b", 2)]);
    let refused = |result: Result<FedMatrix>| result.expect_err("rows would have to move").to_string();
    let message = refused(x.add(rows(&[("a", 3), ("b", 3)])));
    assert!(message.contains("row 3 of one operand is at a, of another at b"), "{message}");
    let columns = place(fed, &array, &Layout::columns([("a", 2), ("b", 1)], 6).expect("there are parts"));
    let message = refused(x.add(&columns));
    assert!(message.contains("column 2 of one operand is at a, of another at b"), "{message}");
    let one = fed.put_whole("a", array.slice(ndarray::s![0..1, ..]).to_owned()).expect("a site");
    let message = refused(x.add(&one));
    assert!(message.contains("would have to move to other sites"), "{message}");
    let message = refused(x.add(Array2::zeros((5, 3))));
    assert!(message.contains("do not broadcast") && message.contains("(5, 3)"), "{message}");
    assert_eq!(fed.stats().round_trips(), 0, "nothing was sent");
}
