use std::slice;

use fondaco_proto::{
    Op,
    op::{BinaryFunction, Ternary},
};

use super::super::{
    run as run_kernel,
    testing::{Seeded, for_each_pool, matrix, oriented, random, serially, shapes, values},
};
use super::*;

/// Numbers on which functions differ most.
const SPECIAL: [f64; 12] =
    [0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 7.0, -7.0, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];

/// `np.mod` of all pairs of [`SPECIAL`].
const MOD: &str = "
    nan nan 0.0 -0.0 0.0 -0.0 0.0 -0.0 0.0 0.0 -0.0 nan
    nan nan 0.0 -0.0 0.0 -0.0 0.0 -0.0 0.0 0.0 -0.0 nan
    nan nan 0.0 -0.0 1.0 -1.5 1.0 -6.0 1.0 1.0 -inf nan
    nan nan 0.0 -0.0 1.5 -1.0 6.0 -1.0 1e300 inf -1.0 nan
    nan nan 0.5 -0.5 0.0 -0.0 2.5 -4.5 2.5 2.5 -inf nan
    nan nan 0.5 -0.5 0.0 -0.0 4.5 -2.5 1e300 inf -2.5 nan
    nan nan 0.0 -0.0 2.0 -0.5 0.0 -0.0 7.0 7.0 -inf nan
    nan nan 0.0 -0.0 0.5 -2.0 0.0 -0.0 1e300 inf -7.0 nan
    nan nan 0.0 -0.0 0.0 -0.0 1.0 -6.0 0.0 1e300 -inf nan
    nan nan nan nan nan nan nan nan nan nan nan nan
    nan nan nan nan nan nan nan nan nan nan nan nan
    nan nan nan nan nan nan nan nan nan nan nan nan
";
/// `np.floor_divide` of all pairs of [`SPECIAL`].
const FLOOR_DIVIDE: &str = "
    nan nan 0.0 -0.0 0.0 -0.0 0.0 -0.0 0.0 0.0 -0.0 nan
    nan nan -0.0 0.0 -0.0 0.0 -0.0 0.0 -0.0 -0.0 0.0 nan
    inf -inf 1.0 -1.0 0.0 -1.0 0.0 -1.0 0.0 0.0 -1.0 nan
    -inf inf -1.0 1.0 -1.0 0.0 -1.0 0.0 -1.0 -1.0 0.0 nan
    inf -inf 2.0 -3.0 1.0 -1.0 0.0 -1.0 0.0 0.0 -1.0 nan
    -inf inf -3.0 2.0 -1.0 1.0 -1.0 0.0 -1.0 -1.0 0.0 nan
    inf -inf 7.0 -7.0 2.0 -3.0 1.0 -1.0 0.0 0.0 -1.0 nan
    -inf inf -7.0 7.0 -3.0 2.0 -1.0 1.0 -1.0 -1.0 0.0 nan
    inf -inf 1e300 -1e300 4e299 -4e299 1.4285714285714286e299 -1.4285714285714286e299 1.0 0.0 -1.0 nan
    inf -inf nan nan nan nan nan nan nan nan nan nan
    -inf inf nan nan nan nan nan nan nan nan nan nan
    nan nan nan nan nan nan nan nan nan nan nan nan
";

fn binary(function: BinaryFunction, scalar: Option<Scalar>) -> Op {
    Op::Elementwise(ElementwiseOp::Binary(Binary { function, scalar }))
}

fn unary(function: Unary) -> Op {
    Op::Elementwise(ElementwiseOp::Unary(function))
}

fn ternary(op: Ternary) -> Op {
    Op::Elementwise(ElementwiseOp::Ternary(op))
}

/// The same numbers, zeros of the same sign; any NaN is as good as another.
fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

fn assert_same(got: &[f64], expected: &[f64], what: &str) {
    assert_eq!(got.len(), expected.len());
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!(same(*got, *expected), "{what}: cell {i} is {got}, not {expected}");
    }
}

/// Of one column each.
fn of(op: &Op, inputs: &[&[f64]]) -> Vec<f64> {
    serially(|cx| {
        let inputs: Vec<Matrix> = inputs.iter().map(|cells| matrix(cells.len(), 1, cells, cx)).collect();
        run_kernel(op, &inputs, cx).unwrap().to_column_major()
    })
}

#[test]
fn modulo_and_floor_divide_are_numpys() {
    for (function, golden) in [(BinaryFunction::Modulo, MOD), (BinaryFunction::FloorDivide, FLOOR_DIVIDE)] {
        let expected: Vec<f64> = golden.split_whitespace().map(|cell| cell.parse().unwrap()).collect();
        let x: Vec<f64> = SPECIAL.iter().flat_map(|x| [*x; 12]).collect();
        let y = SPECIAL.repeat(12);
        assert_same(&of(&binary(function, None), &[&x, &y]), &expected, function.name());
    }
}

#[test]
fn binary_functions_of_special_numbers() {
    type Naive = fn(f64, f64) -> f64;
    let truth = |holds: bool| f64::from(u8::from(holds));
    let logic = move |f: fn(bool, bool) -> bool| move |x: f64, y: f64| truth(f(x != 0.0, y != 0.0));
    let naive: [(BinaryFunction, Naive); 11] = [
        (BinaryFunction::Add, |x, y| x + y),
        (BinaryFunction::Subtract, |x, y| x - y),
        (BinaryFunction::Multiply, |x, y| x * y),
        (BinaryFunction::Divide, |x, y| x / y),
        (BinaryFunction::Power, f64::powf),
        (BinaryFunction::Equal, |x, y| f64::from(u8::from(x == y))),
        (BinaryFunction::NotEqual, |x, y| f64::from(u8::from(x != y))),
        (BinaryFunction::Less, |x, y| f64::from(u8::from(x < y))),
        (BinaryFunction::LessEqual, |x, y| f64::from(u8::from(x <= y))),
        (BinaryFunction::Greater, |x, y| f64::from(u8::from(x > y))),
        (BinaryFunction::GreaterEqual, |x, y| f64::from(u8::from(x >= y))),
    ];
    let x: Vec<f64> = SPECIAL.iter().flat_map(|x| [*x; 12]).collect();
    let y = SPECIAL.repeat(12);
    let check = |function: BinaryFunction, naive: &dyn Fn(f64, f64) -> f64| {
        let expected: Vec<f64> = x.iter().zip(&y).map(|(x, y)| naive(*x, *y)).collect();
        assert_same(&of(&binary(function, None), &[&x, &y]), &expected, function.name());
        for s in SPECIAL {
            let right: Vec<f64> = SPECIAL.iter().map(|x| naive(*x, s)).collect();
            assert_same(&of(&binary(function, Some(Scalar::Right(s))), &[&SPECIAL]), &right, function.name());
            let left: Vec<f64> = SPECIAL.iter().map(|x| naive(s, *x)).collect();
            assert_same(&of(&binary(function, Some(Scalar::Left(s))), &[&SPECIAL]), &left, function.name());
        }
    };
    for (function, naive) in naive {
        check(function, &naive);
    }
    check(BinaryFunction::And, &logic(|x, y| x && y));
    check(BinaryFunction::Or, &logic(|x, y| x || y));
    check(BinaryFunction::Xor, &logic(|x, y| x != y));
    for (function, sign) in [(BinaryFunction::Minimum, 1.0), (BinaryFunction::Maximum, -1.0)] {
        let got = of(&binary(function, None), &[&x, &y]);
        for ((got, x), y) in got.iter().zip(&x).zip(&y) {
            let right = if x.is_nan() || y.is_nan() { got.is_nan() } else { *got == sign * (sign * x).min(sign * y) };
            assert!(right, "{} of {x} and {y} is {got}", function.name());
        }
    }
}

#[test]
fn unary_functions_of_special_numbers() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let of = |function, cells: &[f64]| of(&unary(function), &[cells]);
    assert_same(&of(Unary::Sign, &[-3.0, 0.0, 2.0, nan, -inf]), &[-1.0, 0.0, 1.0, nan, -1.0], "sign");
    assert_same(&of(Unary::Round, &[0.5, 1.5, 2.5, -0.5, -1.5]), &[0.0, 2.0, 2.0, -0.0, -2.0], "round");
    assert_same(&of(Unary::Floor, &[-0.5, 1.5, inf, nan]), &[-1.0, 1.0, inf, nan], "floor");
    assert_same(&of(Unary::Ceil, &[-0.5, 1.5, -inf]), &[-0.0, 2.0, -inf], "ceil");
    assert_same(&of(Unary::Isnan, &[nan, 1.0, inf]), &[1.0, 0.0, 0.0], "isnan");
    assert_same(&of(Unary::Isinf, &[nan, 1.0, -inf]), &[0.0, 0.0, 1.0], "isinf");
    assert_same(&of(Unary::Not, &[0.0, -0.0, 2.0, nan]), &[1.0, 1.0, 0.0, 0.0], "not");
    assert_same(&of(Unary::Abs, &[-2.0, -0.0, nan]), &[2.0, 0.0, nan], "abs");
    assert_same(&of(Unary::Negative, &[-2.0, 0.0]), &[2.0, -0.0], "negative");
    assert_same(&of(Unary::Log, &[0.0, -1.0, 1.0]), &[-inf, nan, 0.0], "log");
    assert_same(&of(Unary::Sigmoid, &[-inf, 0.0, inf, nan, 800.0]), &[0.0, 0.5, 1.0, nan, 1.0], "sigmoid");
    let tail = of(Unary::Sigmoid, &[-740.0])[0];
    assert!((tail / (-740.0_f64).exp() - 1.0).abs() < 1e-12, "{tail}");
    let x = values(3, 100);
    type Naive = fn(f64) -> f64;
    let naive: [(Unary, Naive); 14] = [
        (Unary::Sqrt, f64::sqrt),
        (Unary::Exp, f64::exp),
        (Unary::Log, f64::ln),
        (Unary::Log1p, f64::ln_1p),
        (Unary::Expm1, f64::exp_m1),
        (Unary::Sin, f64::sin),
        (Unary::Cos, f64::cos),
        (Unary::Tan, f64::tan),
        (Unary::Asin, f64::asin),
        (Unary::Acos, f64::acos),
        (Unary::Atan, f64::atan),
        (Unary::Sinh, f64::sinh),
        (Unary::Cosh, f64::cosh),
        (Unary::Tanh, f64::tanh),
    ];
    for (function, naive) in naive {
        let expected: Vec<f64> = x.iter().map(|x| naive(*x)).collect();
        for (got, expected) in of(function, &x).iter().zip(&expected) {
            let close = (got - expected).abs() <= 1e-15 * expected.abs() || (got.is_nan() && expected.is_nan());
            assert!(close, "{}: {got}, not {expected}", function.name());
        }
    }
}

#[test]
fn ternary_functions() {
    let nan = f64::NAN;
    assert_same(
        &of(&ternary(Ternary::Where), &[&[0.0, 2.0, nan], &[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]]),
        &[4.0, 2.0, 3.0],
        "where",
    );
    assert_same(&of(&ternary(Ternary::PlusMultiply(2.0)), &[&[1.0, 2.0], &[3.0, nan]]), &[7.0, nan], "plus");
    assert_same(&of(&ternary(Ternary::MinusMultiply(2.0)), &[&[1.0, 2.0], &[3.0, 4.0]]), &[-5.0, -6.0], "minus");
    let clip = ternary(Ternary::Clip { low: -1.0, high: 2.0 });
    assert_same(&of(&clip, &[&[-5.0, 0.5, 9.0, nan]]), &[-1.0, 0.5, 2.0, nan], "clip");
    let (of_nan, of_one) = (
        ternary(Ternary::Replace { pattern: nan, value: 7.0 }),
        ternary(Ternary::Replace { pattern: 1.0, value: nan }),
    );
    assert_same(&of(&of_nan, &[&[nan, 1.0]]), &[7.0, 1.0], "replace NaN");
    assert_same(&of(&of_one, &[&[1.0, 2.0]]), &[nan, 2.0], "replace 1");
}

/// A cell of an operand that is broadcast.
fn stretched(x: &Matrix, row: usize, column: usize) -> f64 {
    x.get(if x.rows() == 1 { 0 } else { row }, if x.columns() == 1 { 0 } else { column })
}

#[test]
fn broadcasts_in_both_axes_and_orientations() {
    for (rows, columns) in shapes() {
        let extents = [(rows, columns), (1, columns), (rows, 1), (1, 1)];
        for (case, (x, y)) in extents.into_iter().flat_map(|x| extents.map(|y| (x, y))).enumerate() {
            let large = rows * columns > 100_000;
            for flags in (0..4).filter(|flags| !large || *flags == case % 4) {
                for_each_pool(|cx| {
                    let x = oriented(case as u64, x.0, x.1, flags & 1 == 1, cx);
                    let y = oriented(99, y.0, y.1, flags & 2 == 2, cx);
                    let out = run_kernel(&binary(BinaryFunction::Subtract, None), &[x.clone(), y.clone()], cx).unwrap();
                    let mut seeded = Seeded(case as u64);
                    let every = out.rows() * out.columns() <= 2000;
                    for cell in 0..(out.rows() * out.columns()).min(2000) {
                        let at = if every { cell } else { seeded.below(out.rows() * out.columns()) };
                        let (i, j) = (at % out.rows(), at / out.rows());
                        assert_eq!(out.get(i, j), stretched(&x, i, j) - stretched(&y, i, j));
                    }
                    out
                });
            }
        }
    }
}

#[test]
fn where_broadcasts_each_operand() {
    let extents = [(50, 6), (1, 6), (50, 1), (1, 1)];
    for case in 0..64 {
        let shape = |i: usize| extents[case >> (2 * i) & 3];
        for_each_pool(|cx| {
            let x: Vec<Matrix> =
                (0..3).map(|i| oriented(i as u64, shape(i).0, shape(i).1, case % 3 == i, cx)).collect();
            let condition = run_kernel(&binary(BinaryFunction::Less, Some(Scalar::Right(0.0))), &x[..1], cx).unwrap();
            let inputs = [condition.clone(), x[1].clone(), x[2].clone()];
            let out = run_kernel(&ternary(Ternary::Where), &inputs, cx).unwrap();
            for (i, j) in (0..out.rows()).flat_map(|i| (0..out.columns()).map(move |j| (i, j))) {
                let pick = if stretched(&condition, i, j) != 0.0 { &x[1] } else { &x[2] };
                assert_eq!(out.get(i, j), stretched(pick, i, j));
            }
            out
        });
    }
}

#[test]
fn the_transpose_flag_stays_where_nothing_is_gained() {
    serially(|cx| {
        let x = random(1, 20, 3, cx).transpose();
        assert!(run_kernel(&unary(Unary::Abs), slice::from_ref(&x), cx).unwrap().is_transposed());
        let sum = run_kernel(&binary(BinaryFunction::Add, None), &[x.clone(), x.clone()], cx).unwrap();
        assert!(sum.is_transposed());
        let mixed = run_kernel(&binary(BinaryFunction::Add, None), &[x.clone(), random(2, 3, 20, cx)], cx).unwrap();
        assert!(!mixed.is_transposed());
    });
}

#[test]
fn softmax_of_rows() {
    for (rows, columns) in shapes() {
        for transposed in [false, true] {
            for (function, logarithm) in [(Unary::Softmax, false), (Unary::LogSoftmax, true)] {
                for_each_pool(|cx| {
                    let x = oriented(5, rows, columns, transposed, cx);
                    let scaled = binary(BinaryFunction::Multiply, Some(Scalar::Right(500.0)));
                    let x = run_kernel(&scaled, &[x], cx).unwrap();
                    let out = run_kernel(&unary(function), slice::from_ref(&x), cx).unwrap();
                    for row in (0..rows).step_by(1 + rows / 50) {
                        let cells: Vec<f64> = (0..columns).map(|j| x.get(row, j)).collect();
                        let top = cells.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                        let total: f64 = cells.iter().map(|x| (x - top).exp()).sum();
                        for (j, cell) in cells.iter().enumerate() {
                            let plain = (cell - top).exp() / total;
                            let expected = if logarithm { cell - top - total.ln() } else { plain };
                            assert!((out.get(row, j) - expected).abs() <= 1e-12 * expected.abs().max(1e-300));
                        }
                    }
                    out
                });
            }
        }
    }
    let row = serially(|cx| {
        let x = matrix(1, 3, &[1.0, f64::NAN, 2.0], cx);
        run_kernel(&unary(Unary::Softmax), &[x], cx).unwrap().to_column_major()
    });
    assert!(row.iter().all(|x| x.is_nan()));
}
