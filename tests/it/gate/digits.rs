//! The edge of the numbers: scales and offsets so extreme that rounding leaves one row of what is linear.

use fondaco_proto::op::{
    AggregateFunction, Axis,
    BinaryFunction::{Add, Divide, Multiply, Subtract},
    MatmulOp, Ternary,
};
use ndarray::{Array2, Axis as Along, arr2, concatenate};

use super::{Attempt, ROWS, column, refused_unless_public};
use crate::{
    harness::{Plan, Program, Random, Table, op},
    laws::sample::Cells,
    oracle,
};

/// The last column, in which row 3 is far above the others.
pub fn outlier(program: &mut Program, dataset: &str) -> u64 {
    program.apply(op::read_columns(dataset, &["c2"]), &[])
}

pub fn then(program: &mut Program, x: u64, functions: &[(fondaco_proto::op::BinaryFunction, f64)]) -> u64 {
    functions.iter().fold(x, |x, (function, number)| program.apply(op::with(*function, *number), &[x]))
}

pub fn sum(program: &mut Program, x: u64) -> u64 {
    program.apply(op::sum(), &[x])
}

#[tokio::test(flavor = "multi_thread")]
async fn scales_at_the_edge() {
    let attempts: &[Attempt] = &[
        ("x * 0.1 * 5e-324", |p, d| {
            let x = outlier(p, d);
            let y = then(p, x, &[(Multiply, 0.1), (Multiply, 5e-324)]);
            sum(p, y)
        }),
        ("x * 1e307", |p, d| {
            let x = outlier(p, d);
            let y = then(p, x, &[(Multiply, 1e307)]);
            sum(p, y)
        }),
        ("x / 1e200 / 1e123", |p, d| {
            let x = outlier(p, d);
            let y = then(p, x, &[(Divide, 1e200), (Divide, 1e123)]);
            p.apply(op::mean(), &[y])
        }),
        ("x, small by small steps", |p, d| {
            let mut x = outlier(p, d);
            for _ in 0..41 {
                x = p.apply(op::with(Multiply, 1.2e-8), &[x]);
            }
            sum(p, x)
        }),
        ("the gram of x * 1e-162", |p, d| {
            let x = outlier(p, d);
            let y = then(p, x, &[(Multiply, 1e-162)]);
            p.apply(op::gram(), &[y])
        }),
        ("the gram of |x| * 1e-162", |p, d| {
            let x = outlier(p, d);
            let y = p.apply(op::unary(fondaco_proto::op::Unary::Abs), &[x]);
            let y = then(p, y, &[(Multiply, 1e-162)]);
            p.apply(op::gram(), &[y])
        }),
        ("cross(constants of 1e-323, x)", |p, d| {
            let (w, x) = (p.fill(ROWS as u64, 1, 1e-323), outlier(p, d));
            let x = then(p, x, &[(Multiply, 0.1)]);
            p.apply(op::cross(), &[w, x])
        }),
        ("cross(weights of 1e-323, x)", |p, d| {
            let (w, x) = (p.put(&column(|row| if row % 2 == 0 { 1e-323 } else { 5e-324 })), outlier(p, d));
            let x = then(p, x, &[(Multiply, 0.1)]);
            p.apply(op::cross(), &[w, x])
        }),
        ("X @ 1e-323", |p, d| {
            let (x, v) = (p.read(d), p.put(&arr2(&[[0.0], [0.0], [1e-323]])));
            let y = p.apply(op::product(), &[x, v]);
            sum(p, y)
        }),
        ("mmchain of 5e-324", |p, d| {
            let (x, v) = (p.read(d), p.put(&arr2(&[[0.0], [0.0], [5e-324]])));
            let x = then(p, x, &[(Multiply, 0.1)]);
            p.apply(op::matmul(MatmulOp::Mmchain), &[v, x])
        }),
        ("mmchain of 1e307", |p, d| {
            let (x, v) = (p.read(d), p.put(&arr2(&[[0.0], [0.0], [1e307]])));
            p.apply(op::matmul(MatmulOp::Mmchain), &[v, x])
        }),
        ("mmchain weighted by 1e-323", |p, d| {
            let (x, v, w) = (p.read(d), p.put(&arr2(&[[0.0], [0.0], [0.1]])), p.fill(ROWS as u64, 1, 5e-324));
            p.apply(op::matmul(MatmulOp::MmchainWeighted), &[v, x, w])
        }),
    ];
    refused_unless_public(attempts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_at_the_edge() {
    let attempts: &[Attempt] = &[
        ("(x + 1e17) - 1e17", |p, d| {
            let x = outlier(p, d);
            let y = then(p, x, &[(Add, 1e17), (Subtract, 1e17)]);
            sum(p, y)
        }),
        ("(x + 4e16) - 4e16, in parts", |p, d| {
            let x = outlier(p, d);
            let y = then(p, x, &[(Add, 1e16), (Add, 3e16), (Subtract, 2e16), (Subtract, 2e16)]);
            let [head, tail] = [0..10, 10..20].map(|rows| p.apply(op::slice(rows, 0..1), &[y]));
            p.apply(op::sum(), &[head, tail])
        }),
        ("the same, halving what is left", |p, d| {
            let x = outlier(p, d);
            let mut y = then(p, x, &[(Add, 2.0_f64.powi(56))]);
            for power in (30..56).rev() {
                y = then(p, y, &[(Subtract, 2.0_f64.powi(power))]);
            }
            let y = then(p, y, &[(Subtract, 2.0_f64.powi(30))]);
            sum(p, y)
        }),
        ("the same by the transpose", |p, d| {
            let x = outlier(p, d);
            let t = p.apply(op::transpose(), &[x]);
            let y = then(p, t, &[(Add, 1e17), (Subtract, 1e17)]);
            p.apply(op::aggregate(AggregateFunction::Sum, Axis::Rows), &[y])
        }),
    ];
    refused_unless_public(attempts).await;
}

/// The same where nobody sees what cancels.
#[tokio::test(flavor = "multi_thread")]
async fn offsets_within_an_operator() {
    let attempts: &[Attempt] = &[
        ("X @ v beside a constant", |p, d| {
            let (x, one) = (outlier(p, d), p.fill(ROWS as u64, 1, 1.0));
            let wide = p.apply(op::hstack(), &[x, one]);
            let v = p.put(&arr2(&[[1.0], [1e17]]));
            let y = p.apply(op::product(), &[wide, v]);
            let y = then(p, y, &[(Subtract, 1e17)]);
            sum(p, y)
        }),
        ("X @ v beside a constant, and its negative", |p, d| {
            let (x, one) = (outlier(p, d), p.fill(ROWS as u64, 1, 1.0));
            let wide = p.apply(op::hstack(), &[one, x, one]);
            let v = p.put(&arr2(&[[1e17], [1.0], [-1e17]]));
            let y = p.apply(op::product(), &[wide, v]);
            sum(p, y)
        }),
        ("cross(X.T, v) beside a constant", |p, d| {
            let (x, one) = (outlier(p, d), p.fill(ROWS as u64, 1, 1.0));
            let wide = p.apply(op::hstack(), &[x, one]);
            let (t, v) = (p.apply(op::transpose(), &[wide]), p.put(&arr2(&[[1.0, 0.5, 0.0], [1e17, 1.0, 1.0]])));
            let y = p.apply(op::cross(), &[t, v]);
            let y = p.apply(op::columns(&[0]), &[y]);
            let y = then(p, y, &[(Subtract, 1e17)]);
            sum(p, y)
        }),
        ("row sums beside a constant", |p, d| {
            let (x, much) = (outlier(p, d), p.fill(ROWS as u64, 1, 1e17));
            let wide = p.apply(op::hstack(), &[x, much]);
            let y = p.apply(op::aggregate(AggregateFunction::Sum, Axis::Rows), &[wide]);
            let y = then(p, y, &[(Subtract, 1e17)]);
            sum(p, y)
        }),
        ("mmchain minus a constant", |p, d| {
            let (x, one) = (outlier(p, d), p.fill(ROWS as u64, 1, 1.0));
            let wide = p.apply(op::hstack(), &[x, one]);
            let (v, y) = (p.put(&arr2(&[[1.0], [1e17]])), p.fill(ROWS as u64, 1, 1e17));
            p.apply(op::matmul(MatmulOp::MmchainMinus), &[v, wide, y])
        }),
        ("x (1 + eps) - x, the step of its last bit", |p, d| {
            // In [32, 64) all cells are, and one is above the middle.
            let x = outlier(p, d);
            let x = then(p, x, &[(Multiply, 0.2), (Add, 40.0)]);
            let more = then(p, x, &[(Multiply, 1.0 + f64::EPSILON)]);
            let step = p.apply(op::subtract(), &[more, x]);
            sum(p, step)
        }),
        ("the same, halving what is left", |p, d| {
            let x = outlier(p, d);
            let x = then(p, x, &[(Multiply, 0.2), (Add, 40.0)]);
            let mut more = then(p, x, &[(Multiply, 1.0 + f64::EPSILON)]);
            for power in 1..50 {
                more = p.apply(op::ternary(Ternary::MinusMultiply(0.5_f64.powi(power))), &[more, x]);
            }
            let step = p.apply(op::ternary(Ternary::MinusMultiply(0.5_f64.powi(49))), &[more, x]);
            sum(p, step)
        }),
    ];
    refused_unless_public(attempts).await;
}

fn c(program: &mut Program, name: &str) -> u64 {
    program.apply(op::read_columns("aggregate", &[name]), &[])
}

/// A column that is not 0 for few rows hides what they have in another one, and is taken away again.
#[tokio::test(flavor = "multi_thread")]
async fn a_rare_column_hides_its_rows() {
    let n = 3_000;
    let mut random = Random::new(9);
    let rare = Array2::from_shape_fn((n, 1), |(row, _)| f64::from(u8::from(row % 1_000 == 501)));
    let table = concatenate![Along(1), Cells::Normal.matrix(&mut random, n, 2), rare];
    let site = Plan::new().dataset("aggregate", &Table::of(&table)).start().await;
    let ada = site.client("ada").await;
    let attempts: &[Attempt] = &[
        ("x + 1e17 r - 1e17 r", |p, _| {
            let (x, r) = (c(p, "c0"), c(p, "c2"));
            let much = then(p, r, &[(Multiply, 1e17)]);
            let with = p.apply(op::add(), &[x, much]);
            p.apply(op::subtract(), &[with, much])
        }),
        ("by steps, beside another column", |p, _| {
            let (x, y, r) = (c(p, "c0"), c(p, "c1"), c(p, "c2"));
            let much = then(p, r, &[(Multiply, 1e17)]);
            let with = p.apply(op::add(), &[x, much]);
            let other = p.apply(op::ternary(Ternary::PlusMultiply(1e-3)), &[much, y]);
            let without = p.apply(op::subtract(), &[with, other]);
            p.apply(op::ternary(Ternary::PlusMultiply(1e-3)), &[without, y])
        }),
        ("by a product", |p, d| {
            let wide = p.read(d);
            let wide = p.apply(op::columns(&[0, 2, 2]), &[wide]);
            let v = p.put(&arr2(&[[1.0], [1e17], [-1e17]]));
            p.apply(op::product(), &[wide, v])
        }),
        ("by rows that have it, and others", |p, _| {
            let (x, r) = (c(p, "c0"), c(p, "c2"));
            let much = then(p, r, &[(Multiply, 1e17)]);
            let with = p.apply(op::add(), &[x, much]);
            let [with, much] = [with, much].map(|x| p.apply(op::slice(480..530, 0..1), &[x]));
            p.apply(op::subtract(), &[with, much])
        }),
    ];
    for (name, attempt) in attempts {
        let value = ada.value(|p| {
            let y = attempt(p, "aggregate");
            p.apply(op::sum(), &[y])
        });
        let value = value.await;
        assert!(value.as_ref().is_err_and(super::is_denied), "{name}: {value:?}");
    }
}

/// What a program makes of a dataset, and its input; then `sum`, `gram` and `var` of that.
type Use = (&'static str, fn(&mut Program, u64) -> u64, fn(&Array2<f64>) -> Array2<f64>);

pub fn standardised(program: &mut Program, x: u64) -> u64 {
    let mean = program.apply(op::mean(), &[x]);
    let std = program.apply(op::aggregate(AggregateFunction::Std, Axis::Columns), &[x]);
    let centred = program.apply(op::subtract(), &[x, mean]);
    program.apply(op::divide(), &[centred, std])
}

pub fn standard(x: &Array2<f64>) -> Array2<f64> {
    (x - &x.mean_axis(Along(0)).expect("rows")) / x.std_axis(Along(0), 0.0)
}

const USES: &[Use] = &[
    ("standardised", standardised, standard),
    ("X - 1e9", |p, x| p.apply(op::with(Subtract, 1e9), &[x]), |x| x - 1e9),
    ("X * 1e-3", |p, x| p.apply(op::with(Multiply, 1e-3), &[x]), |x| x * 1e-3),
    ("1e6 X / 7", |p, x| then(p, x, &[(Multiply, 1e6), (Divide, 7.0)]), |x| x * 1e6 / 7.0),
    (
        "X @ w",
        |p, x| {
            let w = p.put(&weights());
            p.apply(op::product(), &[x, w])
        },
        |x| x.dot(&weights()),
    ),
    (
        "X @ 0",
        |p, x| {
            let w = p.put(&Array2::zeros((4, 1)));
            p.apply(op::product(), &[x, w])
        },
        |x| x.dot(&Array2::zeros((4, 1))),
    ),
    (
        "X + Y of two columns",
        |p, x| {
            let [a, b] = [0, 3].map(|column| p.apply(op::columns(&[column]), &[x]));
            p.apply(op::add(), &[a, b])
        },
        |x| (&x.column(0) + &x.column(3)).insert_axis(Along(1)),
    ),
    ("X - X", |p, x| p.apply(op::subtract(), &[x, x]), |x| x * 0.0),
    (
        "row means",
        |p, x| p.apply(op::aggregate(AggregateFunction::Mean, Axis::Rows), &[x]),
        |x| x.mean_axis(Along(1)).expect("columns").insert_axis(Along(1)),
    ),
];

/// Of coefficients one is as good as 0.
fn weights() -> Array2<f64> {
    arr2(&[[0.5, 1e-14], [-3.0, 0.0], [2.0, 1.0], [0.25, -1.0]])
}

/// Normal numbers, a rare one, large ones with noise, and one that is the same for all but few.
#[tokio::test(flavor = "multi_thread")]
async fn linear_maps_of_ordinary_columns_leave() {
    for n in [20, 1_000, 5_000] {
        let mut random = Random::new(n as u64);
        let rare = Array2::from_shape_fn((n, 1), |(row, _)| f64::from(u8::from((3..6).contains(&row))));
        let [x, large, y] = [0.0, 1e9, 0.0].map(|offset| Cells::Normal.matrix(&mut random, n, 1) + offset);
        let table = concatenate![Along(1), x, rare, large, y];
        let site = Plan::new().dataset("d", &Table::of(&table)).start().await;
        let ada = site.client("ada").await;
        for (name, build, expected) in USES {
            let expected = expected(&table);
            let size = expected.iter().fold(1.0, |size: f64, x| size.max(x.abs()));
            let ops = [op::sum(), op::gram(), op::aggregate(AggregateFunction::Var, Axis::Columns)];
            for op in ops {
                let value = ada.value(|p| {
                    let x = p.read("d");
                    let made = build(p, x);
                    p.apply(op.clone(), &[made])
                });
                let value = value.await.unwrap_or_else(|refused| panic!("{name} of {n} rows: {refused:?}"));
                let off = (value - oracle::eval(&op, &[&expected])).iter().fold(0.0, |off: f64, x| off.max(x.abs()));
                assert!(off <= 1e-6 * size * size * n as f64, "{name} of {n} rows is off by {off}");
            }
        }
    }
}
