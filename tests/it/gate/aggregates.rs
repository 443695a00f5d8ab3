//! Aggregates that hold one row beside others: what comes one after another, places, distinct values, steep powers; and
//! operators that stand for several, which hide what lies between.

use fondaco_proto::op::{
    AggregateFunction, Axis, BinaryFunction, CumulateFunction, Distinct, Factorised, LossWeights, MatmulOp, Ternary,
    Unary,
};
use ndarray::{Array2, arr2};

use super::{
    Attempt, column, dense_v, labels, near_one_hot, one_hot, one_plus_one_hot, refused_unless_public, transposed,
};
use crate::{
    harness::{Plan, Program, Random, Table, op},
    laws::sample::Cells,
    oracle,
};

fn cumulated(p: &mut Program, d: &str, function: CumulateFunction) -> u64 {
    let x = p.read(d);
    p.apply(op::cumulate(function, Axis::Columns), &[x])
}

/// Each result holds all rows before it: a difference of two is one row.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_one_after_another() {
    use CumulateFunction::{Cummax, Cumprod, Cumsum, Cumsumprod};
    let attempts: &[Attempt] = &[
        ("cumulative sums", |p, d| cumulated(p, d, Cumsum)),
        ("their last row", |p, d| {
            let y = cumulated(p, d, Cumsum);
            p.apply(op::slice(19..20, 0..3), &[y])
        }),
        ("their sum", |p, d| {
            let y = cumulated(p, d, Cumsum);
            p.apply(op::sum(), &[y])
        }),
        ("five differences that are one row's", |p, d| {
            let y = cumulated(p, d, Cumsum);
            // Six rows weigh y, three x.
            let w = p.put(&transposed(&column(|row| [0.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0][row.min(6) % 7])));
            p.apply(op::product(), &[w, y])
        }),
        ("the sum of cumulative products", |p, d| {
            let y = cumulated(p, d, Cumprod);
            p.apply(op::sum(), &[y])
        }),
        ("the mean of cumulative maxima", |p, d| {
            let y = cumulated(p, d, Cummax);
            p.apply(op::mean(), &[y])
        }),
        ("a recurrence", |p, d| {
            let x = p.read(d);
            let two = p.apply(op::columns(&[0, 1]), &[x]);
            let y = p.apply(op::cumulate(Cumsumprod, Axis::Columns), &[two]);
            p.apply(op::sum(), &[y])
        }),
        ("sums along each row", |p, d| {
            let x = p.read(d);
            p.apply(op::cumulate(Cumsum, Axis::Rows), &[x])
        }),
        ("sums along transposed rows", |p, d| {
            let x = p.read(d);
            let t = p.apply(op::transpose(), &[x]);
            let y = p.apply(op::cumulate(Cumsum, Axis::Rows), &[t]);
            p.apply(op::aggregate(AggregateFunction::Sum, Axis::Rows), &[y])
        }),
        ("a trace of rows", |p, d| {
            let x = p.read(d);
            let square = p.apply(op::slice(4..7, 0..3), &[x]);
            p.apply(op::trace(), &[square])
        }),
        ("a trace of rows beside what is known", |p, d| {
            let (x, known) = (p.read(d), p.put(&Random::new(4).matrix(super::ROWS, 19)));
            let x = p.apply(op::columns(&[0]), &[x]);
            let square = p.apply(op::hstack(), &[x, known]);
            p.apply(op::trace(), &[square])
        }),
    ];
    refused_unless_public(attempts).await;
}

/// Which row, and how many values: a single one decides.
#[tokio::test(flavor = "multi_thread")]
async fn places_and_distinct_values() {
    let attempts: &[Attempt] = &[
        ("the row of the largest", |p, d| after(p, d, op::aggregate(AggregateFunction::Argmax, Axis::Columns))),
        ("the place of the least", |p, d| after(p, d, op::aggregate(AggregateFunction::Argmin, Axis::All))),
        ("it and its place", |p, d| after(p, d, op::aggregate(AggregateFunction::PlacedMax, Axis::Columns))),
        ("how many values", |p, d| after(p, d, op::distinct(Distinct::Count))),
        ("whether any row is above", |p, d| {
            let mask = after(p, d, op::with(BinaryFunction::Greater, 40.0));
            p.apply(op::distinct(Distinct::Count), &[mask])
        }),
        ("which values", |p, d| after(p, d, op::distinct(Distinct::Values { rows: 20 }))),
        ("registers", |p, d| after(p, d, op::distinct(Distinct::Registers { bits: 4 }))),
    ];
    refused_unless_public(attempts).await;
}

fn after(p: &mut Program, d: &str, op: fondaco_proto::Op) -> u64 {
    let x = p.read(d);
    p.apply(op, &[x])
}

/// The row far above the others is all there is of a third power.
#[tokio::test(flavor = "multi_thread")]
async fn steep_powers() {
    fn of_outlier(p: &mut Program, d: &str, function: AggregateFunction, axis: Axis) -> u64 {
        let x = p.read(d);
        let x = p.apply(op::columns(&[2]), &[x]);
        p.apply(op::aggregate(function, axis), &[x])
    }
    let attempts: &[Attempt] = &[
        ("skew", |p, d| of_outlier(p, d, AggregateFunction::Skew, Axis::Columns)),
        ("kurtosis", |p, d| of_outlier(p, d, AggregateFunction::Kurtosis, Axis::All)),
        ("the third moment", |p, d| of_outlier(p, d, AggregateFunction::Moment3, Axis::Columns)),
        ("the fourth moment", |p, d| of_outlier(p, d, AggregateFunction::Moment4, Axis::Columns)),
        ("all of them", |p, d| of_outlier(p, d, AggregateFunction::HigherMoments, Axis::Columns)),
        ("the sum of cubes", |p, d| {
            let x = p.read(d);
            p.apply(op::sum_product(3, Axis::Columns), &[x, x, x])
        }),
    ];
    refused_unless_public(attempts).await;
}

/// How a weight, or a hidden one by the second factor, comes to rows in one pass.
type Way = (&'static str, fn(&mut Program, u64, &Array2<f64>, &Array2<f64>) -> u64);

const FUSED: &[Way] = &[
    ("sum_product of two", |p, x, w, _| {
        let w = p.put(w);
        p.apply(op::sum_product(2, Axis::Columns), &[x, w])
    }),
    ("sum_product of three", |p, x, w, _| {
        let w = p.put(w);
        p.apply(op::sum_product(3, Axis::All), &[x, w, x])
    }),
    ("a loss with these weights", |p, x, w, _| {
        let (v, u) = (p.put(&dense_v()), p.apply(op::columns(&[0]), &[x]));
        let w = p.put(&w.broadcast((super::ROWS, 3)).expect("a column broadcasts").to_owned());
        p.apply(op::factorised(Factorised::Loss(LossWeights::Given)), &[v, x, u, w])
    }),
    ("a loss with this factor", |p, x, w, _| {
        let (v, u) = (p.put(&dense_v()), p.put(w));
        p.apply(op::factorised(Factorised::Loss(LossWeights::None)), &[v, x, u])
    }),
    ("a loss with this difference of factors", |p, x, w, hidden| {
        let both = ndarray::concatenate![ndarray::Axis(1), w + 1.0, Array2::ones((super::ROWS, 1))];
        let (v, u) = (p.put(hidden), p.put(&both));
        p.apply(op::factorised(Factorised::Loss(LossWeights::None)), &[v, x, u])
    }),
    ("a quotient by this factor, times it", |p, x, w, _| {
        let (v, u) = (p.put(&dense_v()), p.put(w));
        p.apply(op::factorised(Factorised::DividedLeft), &[v, x, u])
    }),
    ("an entropy of this factor", |p, x, w, _| {
        let (v, u) = (p.put(&dense_v().mapv(f64::abs)), p.put(w));
        p.apply(op::factorised(Factorised::CrossEntropy { epsilon: 1.0 }), &[v, x, u])
    }),
    ("a sum of what it is multiplied with", |p, x, w, _| {
        let (v, u) = (p.put(&dense_v()), p.put(w));
        let y = p.apply(op::factorised(Factorised::Times(Unary::Tanh)), &[v, x, u]);
        p.apply(op::sum(), &[y])
    }),
    ("bounds of its own for each row", |p, x, w, _| {
        let (low, high) = (p.put(&(w - 1e3)), p.put(&(w * 1e3)));
        let y = p.apply(op::ternary(Ternary::ClipBetween), &[x, low, high]);
        p.apply(op::sum(), &[y])
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn weights_of_fused_operators() {
    let hidden_v = || arr2(&[[1.0, -1.0], [1.0, -1.0], [1.0, -1.0]]);
    let weights = [
        ("one-hot", one_hot()),
        ("near one-hot", near_one_hot()),
        ("a large one-hot on one", 1.0 + 1e6 * one_hot()),
        ("one plus one-hot", one_plus_one_hot()),
        ("four rows", labels(4)),
    ];
    let site = super::site().await;
    let ada = site.client("ada").await;
    let mut wrong = Vec::new();
    for (way, build) in FUSED {
        for (weight, w) in &weights {
            let attempt = |p: &mut Program, d: &str| {
                let x = p.read(d);
                build(p, x, w, &hidden_v())
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

/// What has enough rows behind it leaves, and is right.
#[tokio::test(flavor = "multi_thread")]
async fn ordinary_ones_leave() {
    let x = Cells::Normal.matrix(&mut Random::new(9), 400, 3);
    let table = Table::of(&x);
    let site =
        Plan::new().dataset("d", &table).dataset_with("open", &table, |dataset| dataset.extremes = true).start().await;
    let ada = site.client("ada").await;
    use AggregateFunction::{Argmax, HigherMoments, Kurtosis, Moment3, PlacedMin, Skew, WideMoments};
    for function in [WideMoments, HigherMoments, Moment3, Skew, Kurtosis] {
        for axis in [Axis::Columns, Axis::All] {
            let op = op::aggregate(function, axis);
            let value =
                ada.value(|p| after(p, "d", op.clone())).await.unwrap_or_else(|error| panic!("{op:?}: {error:?}"));
            oracle::expected(&op, &[&x]).check(function.name(), &value);
        }
    }
    for op in [op::aggregate(Argmax, Axis::Columns), op::aggregate(PlacedMin, Axis::All), op::distinct(Distinct::Count)]
    {
        let value = ada.value(|p| after(p, "open", op.clone())).await.expect("the owner lets extremes leave");
        oracle::expected(&op, &[&x]).check(op.name(), &value);
    }
    let registers = ada.value(|p| after(p, "open", op::distinct(Distinct::Registers { bits: 4 }))).await;
    assert_eq!(registers.expect("some 25 rows are in each").dim(), (16, 3));
    let product = op::sum_product(3, Axis::Columns);
    let value = ada.value(|p| {
        let x = p.read("d");
        let [a, b, c] = [0, 1, 2].map(|column| p.apply(op::columns(&[column]), &[x]));
        p.apply(product.clone(), &[a, b, c])
    });
    let of = |column: usize| x.column(column).to_owned().insert_axis(ndarray::Axis(1));
    let expected = oracle::expected(&product, &[&of(0), &of(1), &of(2)]);
    expected.check("a product of three columns", &value.await.expect("rows are many, and even"));
    // U is made of the rows; what is released are sums over them.
    let (a, v) = (arr2(&[[0.5], [-0.25], [1.0]]), arr2(&[[1.0], [0.5], [-2.0]]));
    let u = x.dot(&a);
    for factorised in [Factorised::Loss(LossWeights::None)] {
        let value = ada.value(|p| {
            let (x, a, v) = (p.read("d"), p.put(&a), p.put(&v));
            let u = p.apply(op::matmul(MatmulOp::Product), &[x, a]);
            p.apply(op::factorised(factorised), &[v, x, u])
        });
        let value = value.await.unwrap_or_else(|error| panic!("{factorised:?}: {error:?}"));
        oracle::expected(&op::factorised(factorised), &[&v, &x, &u]).check("a loss", &value);
    }
    let along = op::cumulate(CumulateFunction::Cumsum, Axis::Rows);
    let value = ada.value(|p| {
        let y = after(p, "d", along.clone());
        p.apply(op::mean(), &[y])
    });
    let expected = oracle::expected(&op::mean(), &[&oracle::eval(&along, &[&x])]);
    expected.check("sums along each row, averaged", &value.await.expect("a linear map of columns"));
    let clip = op::ternary(Ternary::ClipBetween);
    let (low, high) = (arr2(&[[-1.0, -0.5, -1.5]]), arr2(&[[1.0, 1.25, 0.75]]));
    let value = ada.value(|p| {
        let (x, low, high) = (p.read("d"), p.put(&low), p.put(&high));
        let y = p.apply(clip.clone(), &[x, low, high]);
        p.apply(op::mean(), &[y])
    });
    let expected = oracle::expected(&op::mean(), &[&oracle::eval(&clip, &[&x, &low, &high])]);
    expected.check("clipped by column", &value.await.expect("enough rows are clipped, and enough are not"));
}
