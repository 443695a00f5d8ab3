//! The classic holes: rows as they are, one row by its weight, differences of sums.

use fondaco_proto::op::{AggregateFunction, Axis, BinaryFunction, MatmulOp, Ternary, Unary};
use ndarray::Array2;

use super::{Attempt, column, dense_v, labels, near_one_hot, one_hot, one_plus_one_hot, refused_unless_public};
use crate::harness::{Program, op};

#[tokio::test(flavor = "multi_thread")]
async fn rows_do_not_leave() {
    let attempts: &[Attempt] = &[
        ("the dataset", |p, d| p.read(d)),
        ("its transpose", |p, d| after(p, d, op::transpose())),
        ("a slice", |p, d| after(p, d, op::slice(2..15, 0..3))),
        ("one row", |p, d| after(p, d, op::slice(2..3, 0..3))),
        ("one column", |p, d| after(p, d, op::columns(&[1]))),
        ("rows side by side", |p, d| {
            let x = p.read(d);
            p.apply(op::hstack(), &[x, x])
        }),
        ("rows beside a constant", |p, d| {
            let (x, one) = (p.read(d), p.fill(20, 1, 1.0));
            p.apply(op::hstack(), &[x, one])
        }),
        ("rows below others", |p, d| {
            let (x, y) = (p.read(d), p.fill(1, 3, 1.0));
            p.apply(op::vstack(), &[x, y])
        }),
        ("row sums", |p, d| after(p, d, op::aggregate(AggregateFunction::Sum, Axis::Rows))),
        ("row moments", |p, d| after(p, d, op::aggregate(AggregateFunction::Moments, Axis::Rows))),
        ("softmax of each row", |p, d| after(p, d, op::unary(Unary::Softmax))),
        ("rows times a vector", |p, d| {
            let (x, v) = (p.read(d), p.put(&dense_v()));
            p.apply(op::product(), &[x, v])
        }),
        ("products of rows", |p, d| {
            let x = p.read(d);
            let t = p.apply(op::transpose(), &[x]);
            p.apply(op::product(), &[x, t])
        }),
        ("the gram of the transpose", |p, d| {
            let t = after(p, d, op::transpose());
            p.apply(op::gram(), &[t])
        }),
        ("rows scaled to nothing and back", |p, d| {
            let small = after(p, d, op::with(BinaryFunction::Multiply, 1e-200));
            p.apply(op::with(BinaryFunction::Multiply, 1e200), &[small])
        }),
        ("rows that replace a constant's cells", |p, d| {
            let (x, never) = (p.read(d), p.fill(20, 3, 0.0));
            p.apply(op::ternary(Ternary::Where), &[never, never, x])
        }),
        ("a broadcast row", |p, d| {
            let (row, zero) = (after(p, d, op::slice(4..5, 0..3)), p.fill(20, 3, 0.0));
            let many = p.apply(op::add(), &[zero, row]);
            p.apply(op::sum(), &[many])
        }),
    ];
    refused_unless_public(attempts).await;
}

/// An operator on a whole dataset.
fn after(program: &mut Program, dataset: &str, op: fondaco_proto::Op) -> u64 {
    let x = program.read(dataset);
    program.apply(op, &[x])
}

/// How a weight comes to the rows.
type Way = (&'static str, fn(&mut Program, u64, u64) -> u64);

const WAYS: &[Way] = &[
    ("w @ X", |p, x, w| {
        let left = p.apply(op::transpose(), &[w]);
        p.apply(op::product(), &[left, x])
    }),
    ("X.T @ w", |p, x, w| {
        let left = p.apply(op::transpose(), &[x]);
        p.apply(op::product(), &[left, w])
    }),
    ("cross(w, X)", |p, x, w| p.apply(op::cross(), &[w, x])),
    ("cross(X, w)", |p, x, w| p.apply(op::cross(), &[x, w])),
    ("sum(w * X)", |p, x, w| {
        let weighted = p.apply(op::multiply(), &[x, w]);
        p.apply(op::sum(), &[weighted])
    }),
    ("mean(X * w)", |p, x, w| {
        let weighted = p.apply(op::multiply(), &[w, x]);
        p.apply(op::mean(), &[weighted])
    }),
    ("sum(X / (1 / w))", |p, x, w| {
        let inverse = p.apply(op::with(BinaryFunction::Power, -1.0), &[w]);
        let weighted = p.apply(op::divide(), &[x, inverse]);
        p.apply(op::sum(), &[weighted])
    }),
    ("mmchain_weighted", |p, x, w| {
        let v = p.put(&dense_v());
        p.apply(op::matmul(MatmulOp::MmchainWeighted), &[v, x, w])
    }),
    ("mmchain_minus", |p, x, w| {
        let v = p.put(&dense_v());
        p.apply(op::matmul(MatmulOp::MmchainMinus), &[v, x, w])
    }),
    ("gram(hstack(X, w))", |p, x, w| {
        let wide = p.apply(op::hstack(), &[x, w]);
        p.apply(op::gram(), &[wide])
    }),
];

/// Weights that single out a row, or a few, or nobody.
fn weights() -> [(&'static str, Array2<f64>); 10] {
    [
        ("one-hot", one_hot()),
        ("near one-hot", near_one_hot()),
        ("one plus one-hot", one_plus_one_hot()),
        ("a large one-hot on one", 1.0 + 1e6 * one_hot()),
        ("negative one-hot", -one_hot()),
        ("four rows", labels(4)),
        ("nobody", labels(0)),
        ("so small that squares vanish", column(|row| [1.5e-162, 1e-163, 0.0][row.min(2)])),
        ("so large that squares overflow", 1e200 * one_hot() + 1.0),
        ("one that is not a number", column(|row| if row == 7 { f64::NAN } else { 0.0 })),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn one_row_is_not_singled_out_by_its_weight() {
    let site = super::site().await;
    let ada = site.client("ada").await;
    let mut wrong = Vec::new();
    for (way, build) in WAYS {
        for (weight, w) in &weights() {
            // To subtract nothing is no weight.
            if (*way, *weight) == ("mmchain_minus", "nobody") {
                continue;
            }
            let attempt = |p: &mut Program, d: &str| {
                let (x, w) = (p.read(d), p.put(w));
                build(p, x, w)
            };
            match ada.value(|p| attempt(p, "aggregate")).await {
                Err(refused) if super::is_denied(&refused) => {}
                other => wrong.push(format!("{way}, {weight}: {other:?}")),
            }
            if let Err(refused) = ada.value(|p| attempt(p, "public")).await {
                wrong.push(format!("{way}, {weight}, of public data: {refused:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} went wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_row_is_not_chosen() {
    let attempts: &[Attempt] = &[
        ("sum(where(one-hot, X, 0))", |p, d| {
            let (x, zero, w) = (p.read(d), p.fill(1, 1, 0.0), p.put(&one_hot()));
            let chosen = p.apply(op::ternary(Ternary::Where), &[w, x, zero]);
            p.apply(op::sum(), &[chosen])
        }),
        ("sum(where(w, X, 0)) for four rows", |p, d| {
            let (x, zero, w) = (p.read(d), p.fill(1, 1, 0.0), p.put(&labels(4)));
            let chosen = p.apply(op::ternary(Ternary::Where), &[w, x, zero]);
            p.apply(op::sum(), &[chosen])
        }),
        ("sum(where(all but one, mean, X))", |p, d| {
            let (x, w) = (p.read(d), p.put(&(1.0 - one_hot())));
            let mean = p.apply(op::mean(), &[x]);
            let chosen = p.apply(op::ternary(Ternary::Where), &[w, mean, x]);
            p.apply(op::sum(), &[chosen])
        }),
        ("sum(X + one-hot), gram", |p, d| {
            let (x, w) = (p.read(d), p.put(&(1e9 * one_hot())));
            let sum = p.apply(op::add(), &[x, w]);
            p.apply(op::gram(), &[sum])
        }),
    ];
    refused_unless_public(attempts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn differences_of_aggregates_are_not_made_here() {
    let attempts: &[Attempt] = &[
        ("sum(X) - sum(X[1:])", |p, d| {
            let x = p.read(d);
            let rest = p.apply(op::slice(1..20, 0..3), &[x]);
            let (all, most) = (p.apply(op::sum(), &[x]), p.apply(op::sum(), &[rest]));
            p.apply(op::subtract(), &[all, most])
        }),
        ("gram(X) - gram(X[1:])", |p, d| {
            let x = p.read(d);
            let rest = p.apply(op::slice(1..20, 0..3), &[x]);
            let (all, most) = (p.apply(op::gram(), &[x]), p.apply(op::gram(), &[rest]));
            p.apply(op::ternary(Ternary::MinusMultiply(1.0)), &[all, most])
        }),
        ("both sums side by side, times (1, -1)", |p, d| {
            let x = p.read(d);
            let rest = p.apply(op::slice(0..19, 0..3), &[x]);
            let (all, most) = (p.apply(op::sum(), &[x]), p.apply(op::sum(), &[rest]));
            let both = p.apply(op::vstack(), &[all, most]);
            let sign = p.put(&ndarray::arr2(&[[1.0, -1.0]]));
            p.apply(op::product(), &[sign, both])
        }),
        ("sum of the first six less the first five, weighted", |p, d| {
            let x = p.read(d);
            let (six, five) = (p.put(&first(6)), p.put(&first(5)));
            let (six, five) = (p.apply(op::cross(), &[six, x]), p.apply(op::cross(), &[five, x]));
            p.apply(op::subtract(), &[six, five])
        }),
        ("a lag difference", |p, d| {
            let x = p.read(d);
            let (head, tail) = (p.apply(op::slice(0..19, 0..3), &[x]), p.apply(op::slice(1..20, 0..3), &[x]));
            let lag = p.apply(op::subtract(), &[head, tail]);
            p.apply(op::sum(), &[lag])
        }),
        ("sums over a filter's rows and over all", |p, d| {
            let filter = op::compare("c0", fondaco_proto::op::CompareOp::Less, 0.7);
            let (x, some) = (p.read(d), p.apply(op::read_where(d, filter), &[]));
            let (all, most) = (p.apply(op::sum(), &[x]), p.apply(op::sum(), &[some]));
            p.apply(op::subtract(), &[all, most])
        }),
        ("overlapping parts of one sum", |p, d| {
            let x = p.read(d);
            let (head, tail) = (p.apply(op::slice(0..12, 0..3), &[x]), p.apply(op::slice(8..20, 0..3), &[x]));
            p.apply(op::sum(), &[head, tail])
        }),
    ];
    refused_unless_public(attempts).await;
}

/// Weights one for the first rows.
fn first(rows: usize) -> ndarray::Array2<f64> {
    column(|row| f64::from(u8::from(row < rows)))
}
