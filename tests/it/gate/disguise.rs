//! One row in the disguise of many: functions that leave one row's value standing.

use fondaco_proto::op::{
    AggregateFunction, Axis, BinaryFunction,
    BinaryFunction::{Greater, Less, Maximum, Minimum, Multiply, Power, Subtract},
    Ternary, Unary,
};

use super::{Attempt, column, denied, refused_unless_public};
use crate::harness::{Plan, Program, Random, Table, op};

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
    let attempts: &[Attempt] = &[
        ("clip between neighbours", |p, d| {
            let x = first(p, d);
            let (low, high) = (sorted()[12] - 1e-3, sorted()[12] + 1e-3);
            let clipped = p.apply(op::ternary(Ternary::Clip { low, high }), &[x]);
            p.apply(op::sum(), &[clipped])
        }),
        ("|x - a| - |x - b|", |p, d| {
            let x = first(p, d);
            let [below, above] = between(12).map(|at| {
                let moved = p.apply(op::with(Subtract, at), &[x]);
                p.apply(op::unary(Unary::Abs), &[moved])
            });
            let step = p.apply(op::subtract(), &[below, above]);
            p.apply(op::sum(), &[step])
        }),
        ("sqrt((x - a)²) - sqrt((x - b)²), of the sixth from the top", |p, d| {
            let x = first(p, d);
            let [below, above] = between(14).map(|at| {
                let moved = p.apply(op::with(Subtract, at), &[x]);
                let square = p.apply(op::with(Power, 2.0), &[moved]);
                p.apply(op::unary(Unary::Sqrt), &[square])
            });
            let step = p.apply(op::subtract(), &[below, above]);
            p.apply(op::aggregate(AggregateFunction::Moments, Axis::Columns), &[step])
        }),
        ("x, but for those below that become 3, and those above that become 0", |p, d| {
            let x = first(p, d);
            let [a, b] = between(9);
            let below = p.apply(op::with(Less, a), &[x]);
            let [gone, three] = [p.apply(op::multiply(), &[x, below]), p.apply(op::with(Multiply, 3.0), &[below])];
            let without = p.apply(op::subtract(), &[x, gone]);
            let y = p.apply(op::add(), &[without, three]);
            let above = p.apply(op::with(Greater, b), &[x]);
            let gone = p.apply(op::multiply(), &[x, above]);
            let rest = p.apply(op::subtract(), &[y, gone]);
            p.apply(op::sum(), &[rest])
        }),
    ];
    refused_unless_public(attempts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_row_between_steps_that_are_put_together() {
    let attempts: &[Attempt] = &[
        ("three steps, by a steep function and a mask", |p, d| {
            let x = first(p, d);
            let steep = steep(p, x, sorted()[7], 1e6);
            let mask = p.apply(op::with(Greater, between(13)[0]), &[x]);
            let both = p.apply(op::add(), &[steep, mask]);
            p.apply(op::sum(), &[both])
        }),
        ("two steep functions that hide one another's row", |p, d| {
            let x = first(p, d);
            let [a, b] = [6, 13].map(|rank| steep(p, x, sorted()[rank], 1e5));
            let both = p.apply(op::ternary(Ternary::PlusMultiply(0.3)), &[a, b]);
            p.apply(op::sum(), &[both])
        }),
        ("a slope that is taken away again", |p, d| {
            let x = first(p, d);
            let steep = steep(p, x, sorted()[12], 1e6);
            let sloped = p.apply(op::add(), &[steep, x]);
            let again = p.apply(op::subtract(), &[sloped, x]);
            p.apply(op::sum(), &[again])
        }),
        ("the same of rows in two parts", |p, d| {
            let x = first(p, d);
            let y = steep(p, x, sorted()[12], 1e6);
            let [head, tail] = [0..10, 10..20].map(|rows| p.apply(op::slice(rows, 0..1), &[y]));
            p.apply(op::sum(), &[head, tail])
        }),
        ("the same by the transpose", |p, d| {
            let x = first(p, d);
            let t = p.apply(op::transpose(), &[x]);
            let y = steep(p, t, sorted()[12], 1e6);
            p.apply(op::aggregate(AggregateFunction::Sum, Axis::Rows), &[y])
        }),
    ];
    refused_unless_public(attempts).await;
}

/// However steep it is: as long as most of what varies is one row's.
#[tokio::test(flavor = "multi_thread")]
async fn one_row_on_a_steep_slope() {
    let site = super::site().await;
    let ada = site.client("ada").await;
    for steepness in [100.0, 1e3, 1e4, 1e6, 1e12] {
        // At least five rows on either side.
        for rank in [5, 6, 9, 13, 14] {
            for function in [Unary::Tanh, Unary::Sigmoid, Unary::Atan, Unary::Exp] {
                let attempt = |dataset: &'static str| {
                    move |p: &mut Program| {
                        let x = first(p, dataset);
                        let moved = p.apply(op::with(Subtract, sorted()[rank] + 0.3 / steepness), &[x]);
                        let mut y = p.apply(op::with(Multiply, steepness), &[moved]);
                        if function == Unary::Exp {
                            // 1 / (1 + exp(-y)), in steps.
                            y = p.apply(op::with(Multiply, -1.0), &[y]);
                            y = p.apply(op::unary(Unary::Exp), &[y]);
                            y = p.apply(op::with(BinaryFunction::Add, 1.0), &[y]);
                            y = p.apply(op::with(Power, -1.0), &[y]);
                        } else {
                            y = p.apply(op::unary(function), &[y]);
                        }
                        p.apply(op::sum(), &[y])
                    }
                };
                let _public = ada.value(attempt("public")).await.expect("it is public");
                let refused = ada.value(attempt("aggregate")).await;
                assert!(
                    refused.as_ref().is_err_and(super::is_denied),
                    "{function:?} by {steepness} at {rank}: {refused:?}"
                );
            }
        }
    }
}

/// Of more rows than are looked at to see the steps, a few on one side.
#[tokio::test(flavor = "multi_thread")]
async fn one_row_between_many_and_a_few() {
    let x = Random::new(5).matrix(30_000, 1);
    let mut cells = x.column(0).to_vec();
    cells.sort_by(f64::total_cmp);
    let site = Plan::new().dataset("d", &Table::of(&x)).start().await;
    let ada = site.client("ada").await;
    for rank in [5, 30, 400, 15_000, 29_960, 29_994] {
        let (at, gap) = (cells[rank], (cells[rank + 1] - cells[rank]).min(cells[rank] - cells[rank - 1]));
        denied(&ada, |p| {
            let x = p.read("d");
            let y = steep(p, x, at, 50.0 / gap);
            p.apply(op::sum(), &[y])
        })
        .await;
    }
}

/// `tanh(s (x - a))`, with the row at `a` a little off.
fn steep(program: &mut Program, x: u64, at: f64, steepness: f64) -> u64 {
    let moved = program.apply(op::with(Subtract, at + 0.4 / steepness), &[x]);
    let scaled = program.apply(op::with(Multiply, steepness), &[moved]);
    program.apply(op::unary(Unary::Tanh), &[scaled])
}

/// Just below and above the row of this rank in the first column.
fn between(rank: usize) -> [f64; 2] {
    let cells = sorted();
    [(cells[rank - 1] + cells[rank]) / 2.0, (cells[rank] + cells[rank + 1]) / 2.0]
}

/// The first column.
pub fn first(program: &mut Program, dataset: &str) -> u64 {
    program.apply(op::read_columns(dataset, &["c0"]), &[])
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
            let x = first(p, d);
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
