//! One row in the disguise of many: functions that leave one row's value standing.

use fondaco_proto::op::{AggregateFunction, Axis, BinaryFunction, Ternary, Unary};

use super::{Attempt, column, refused_unless_public};
use crate::harness::{Program, op};

/// The last column, in which row 3 is far above the others.
fn outlier(program: &mut Program, dataset: &str) -> u64 {
    program.apply(op::read_columns(dataset, &["c2"]), &[])
}

/// A function of the column with the outlier, then the sum.
fn sum_of(program: &mut Program, dataset: &str, functions: &[fondaco_proto::Op]) -> u64 {
    let x = outlier(program, dataset);
    let shaped = functions.iter().fold(x, |x, function| program.apply(function.clone(), &[x]));
    program.apply(op::sum(), &[shaped])
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_that_leave_one_row_standing() {
    use BinaryFunction::{Greater, Maximum, Minimum, Multiply, Power, Subtract};
    let attempts: &[Attempt] = &[
        ("exp(1e6 x)", |p, d| {
            sum_of(p, d, &[op::with(Subtract, 50.0), op::with(Multiply, 1e6), op::unary(Unary::Exp)])
        }),
        ("exp(x)", |p, d| sum_of(p, d, &[op::unary(Unary::Exp)])),
        ("x ** 60", |p, d| sum_of(p, d, &[op::with(Power, 60.0)])),
        ("maximum(x, 2)", |p, d| sum_of(p, d, &[op::with(Maximum, 2.0)])),
        ("maximum(x, 2) - 2", |p, d| sum_of(p, d, &[op::with(Maximum, 2.0), op::with(Subtract, 2.0)])),
        ("-minimum(-x, -2)", |p, d| {
            sum_of(p, d, &[op::unary(Unary::Negative), op::with(Minimum, -2.0), op::unary(Unary::Negative)])
        }),
        ("clip(x, 2, 100)", |p, d| sum_of(p, d, &[op::ternary(Ternary::Clip { low: 2.0, high: 100.0 })])),
        ("x > 2", |p, d| sum_of(p, d, &[op::with(Greater, 2.0)])),
        ("(x > 2) + 1", |p, d| sum_of(p, d, &[op::with(Greater, 2.0), op::with(BinaryFunction::Add, 1.0)])),
        ("floor(x / 10)", |p, d| {
            sum_of(p, d, &[op::with(BinaryFunction::FloorDivide, 10.0), op::unary(Unary::Abs), op::with(Greater, 1.0)])
        }),
        ("where(x > 2, x, 7)", |p, d| {
            let (x, seven) = (outlier(p, d), p.fill(1, 1, 7.0));
            let mask = p.apply(op::with(Greater, 2.0), &[x]);
            let chosen = p.apply(op::ternary(Ternary::Where), &[mask, x, seven]);
            p.apply(op::sum(), &[chosen])
        }),
        ("the gram of a masked matrix", |p, d| {
            let x = p.read(d);
            let c2 = p.apply(op::columns(&[2]), &[x]);
            let mask = p.apply(op::with(Greater, 2.0), &[c2]);
            let masked = p.apply(op::multiply(), &[x, mask]);
            p.apply(op::gram(), &[masked])
        }),
        ("the cross product with a mask", |p, d| {
            let x = p.read(d);
            let c2 = p.apply(op::columns(&[2]), &[x]);
            let mask = p.apply(op::with(Greater, 2.0), &[c2]);
            p.apply(op::cross(), &[mask, x])
        }),
        ("the sum of squares of a mask", |p, d| {
            let mask = {
                let x = outlier(p, d);
                p.apply(op::with(Greater, 2.0), &[x])
            };
            p.apply(op::aggregate(AggregateFunction::Sumsq, Axis::All), &[mask])
        }),
        ("the variance of a mask", |p, d| {
            let mask = {
                let x = outlier(p, d);
                p.apply(op::with(Greater, 2.0), &[x])
            };
            p.apply(op::aggregate(AggregateFunction::Var, Axis::All), &[mask])
        }),
    ];
    refused_unless_public(attempts).await;
}

/// Half of the rows on one step, half on another, and one between them: neither step tells who it is.
#[tokio::test(flavor = "multi_thread")]
async fn one_row_between_two_constants() {
    let attempts: &[Attempt] = &[("clip between neighbours", |p, d| {
        let x = p.apply(op::read_columns(d, &["c0"]), &[]);
        let (low, high) = (sorted()[12] - 1e-3, sorted()[12] + 1e-3);
        let clipped = p.apply(op::ternary(Ternary::Clip { low, high }), &[x]);
        p.apply(op::sum(), &[clipped])
    })];
    refused_unless_public(attempts).await;
}

/// A number of the tenant's own for each row: below the outlier, far above all others, and not even.
fn own(row: usize) -> f64 {
    40.0 + row as f64 / 2.0
}

/// Numbers that the tenant sent hide nobody from it, however many and however different they are.
#[tokio::test(flavor = "multi_thread")]
async fn one_row_among_the_tenants_own_numbers() {
    let attempts: &[Attempt] = &[
        ("the larger of x and numbers above all but one row", |p, d| {
            let (x, u) = (outlier(p, d), p.put(&column(own)));
            let larger = p.apply(op::binary(BinaryFunction::Maximum), &[x, u]);
            p.apply(op::sum(), &[larger])
        }),
        ("numbers in the place of some, and all others but one raised", |p, d| {
            let (x, u) = (outlier(p, d), p.put(&column(own)));
            let above = p.apply(op::with(BinaryFunction::Greater, 0.0), &[x]);
            let some = p.apply(op::ternary(Ternary::Where), &[above, x, u]);
            let raised = p.apply(op::with(BinaryFunction::Maximum, 30.0), &[some]);
            p.apply(op::sum(), &[raised])
        }),
        ("raised, moved by numbers, and capped", |p, d| {
            let x = p.apply(op::read_columns(d, &["c0"]), &[]);
            let raised = p.apply(op::with(BinaryFunction::Maximum, (sorted()[9] + sorted()[10]) / 2.0), &[x]);
            // Who was raised is known by now (a mask of ten rows is released): these go far down, all others stay.
            let cells = super::data().column(0).to_vec();
            let u = p.put(&column(|row| if cells[row] < sorted()[10] { -9.0 - row as f64 / 7.0 } else { 0.0 }));
            let moved = p.apply(op::add(), &[raised, u]);
            let capped = p.apply(op::with(BinaryFunction::Minimum, (sorted()[10] + sorted()[11]) / 2.0), &[moved]);
            p.apply(op::sum(), &[capped])
        }),
    ];
    refused_unless_public(attempts).await;
}

/// The cells of the first column; no two are nearer than a hundredth.
fn sorted() -> Vec<f64> {
    let mut cells = super::data().column(0).to_vec();
    cells.sort_by(f64::total_cmp);
    cells
}

/// The rows of the transpose run over people: what a softmax or a maximum does along them, it does over people.
#[tokio::test(flavor = "multi_thread")]
async fn selections_along_the_transpose() {
    let attempts: &[Attempt] = &[
        ("log_softmax(1e6 x.T)", |p, d| {
            let x = outlier(p, d);
            let t = p.apply(op::transpose(), &[x]);
            let steep = p.apply(op::with(BinaryFunction::Multiply, 1e6), &[t]);
            let log = p.apply(op::unary(Unary::LogSoftmax), &[steep]);
            p.apply(op::aggregate(AggregateFunction::Sum, Axis::Rows), &[log])
        }),
        ("softmax(x.T) @ x", |p, d| {
            let x = outlier(p, d);
            let t = p.apply(op::transpose(), &[x]);
            let weights = p.apply(op::unary(Unary::Softmax), &[t]);
            p.apply(op::product(), &[weights, x])
        }),
        ("max(X.T, axis=1)", |p, d| {
            let x = p.read(d);
            let t = p.apply(op::transpose(), &[x]);
            p.apply(op::aggregate(AggregateFunction::Max, Axis::Rows), &[t])
        }),
        ("max - min, scaled", |p, d| {
            let x = p.read(d);
            let (top, low) = (
                p.apply(op::aggregate(AggregateFunction::Max, Axis::Columns), &[x]),
                p.apply(op::aggregate(AggregateFunction::Min, Axis::Columns), &[x]),
            );
            let range = p.apply(op::subtract(), &[top, low]);
            p.apply(op::with(BinaryFunction::Multiply, 2.0), &[range])
        }),
        ("sum(X - max(X))", |p, d| {
            let x = p.read(d);
            let top = p.apply(op::aggregate(AggregateFunction::Max, Axis::Columns), &[x]);
            let below = p.apply(op::subtract(), &[x, top]);
            p.apply(op::sum(), &[below])
        }),
    ];
    refused_unless_public(attempts).await;
}
