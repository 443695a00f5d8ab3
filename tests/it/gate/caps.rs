//! Cells that are replaced by a number, alike for all rows: `minimum`, `maximum`, `clip`.

use fondaco_proto::op::{
    AggregateFunction, Axis,
    BinaryFunction::{Greater, Maximum, Minimum},
    Ternary,
};
use ndarray::arr2;

use super::{
    Attempt,
    digits::{outlier, standard, standardised, sum, then},
    disguise::first,
    refused_unless_public,
};
use crate::{
    harness::{Plan, Program, Random, Table, op},
    laws::sample::Cells,
    oracle,
};

/// A function that is not linear is released, and right, where enough rows are capped, and enough are not.
#[tokio::test(flavor = "multi_thread")]
async fn capped_columns_leave() {
    let x = Cells::Normal.matrix(&mut Random::new(4), 200, 3);
    let site = Plan::new().dataset("d", &Table::of(&x)).start().await;
    let ada = site.client("ada").await;
    let expected = standard(&x);
    type Cap = (fn(&mut Program, u64) -> u64, fn(f64) -> f64);
    let caps: [Cap; 4] = [
        (|p, z| p.apply(op::ternary(Ternary::Clip { low: -1.5, high: 1.5 }), &[z]), |z| z.clamp(-1.5, 1.5)),
        (|p, z| p.apply(op::with(Maximum, 0.0), &[z]), |z| z.max(0.0)),
        (
            |p, z| {
                let caps = p.put(&arr2(&[[1.0, 1.0, 1.0]]));
                p.apply(op::binary(Minimum), &[z, caps])
            },
            |z| z.min(1.0),
        ),
        (
            |p, z| {
                let t = p.apply(op::transpose(), &[z]);
                let capped = p.apply(op::ternary(Ternary::Clip { low: -1.0, high: 1.2 }), &[t]);
                p.apply(op::transpose(), &[capped])
            },
            |z| z.clamp(-1.0, 1.2),
        ),
    ];
    for (index, (cap, capped)) in caps.into_iter().enumerate() {
        let expected = expected.mapv(capped);
        for op in [op::mean(), op::gram(), op::aggregate(AggregateFunction::Var, Axis::Columns)] {
            let value = ada.value(|p| {
                let x = p.read("d");
                let z = standardised(p, x);
                let z = cap(p, z);
                p.apply(op.clone(), &[z])
            });
            let value = value.await.unwrap_or_else(|refused| panic!("cap {index}: {refused:?}"));
            let off = (value - oracle::eval(&op, &[&expected])).iter().fold(0.0, |off: f64, x| off.max(x.abs()));
            assert!(off < 1e-10, "cap {index} is off by {off}");
        }
    }
}

/// Caps that nobody, or few, are beyond, or all but few; and of what is not plain.
#[tokio::test(flavor = "multi_thread")]
async fn caps_that_tell_of_few() {
    let attempts: &[Attempt] = &[
        ("a cap that nobody is above", |p, d| {
            let x = first(p, d);
            let y = then(p, x, &[(Minimum, 1e6)]);
            sum(p, y)
        }),
        ("a cap that one is above", |p, d| {
            let x = outlier(p, d);
            let y = then(p, x, &[(Minimum, 7.0)]);
            sum(p, y)
        }),
        ("a floor that all but one are below", |p, d| {
            let x = outlier(p, d);
            let y = then(p, x, &[(Maximum, 7.0)]);
            p.apply(op::gram(), &[y])
        }),
        ("two caps, one taken from the other", |p, d| {
            let x = first(p, d);
            let mut cells = super::data().column(0).to_vec();
            cells.sort_by(f64::total_cmp);
            let [low, high] = [10, 11].map(|rank| {
                let at = (cells[rank - 1] + cells[rank]) / 2.0;
                p.apply(op::with(Minimum, at), &[x])
            });
            let step = p.apply(op::subtract(), &[high, low]);
            sum(p, step)
        }),
        ("a cap of a mask", |p, d| {
            let x = first(p, d);
            let y = then(p, x, &[(Greater, 0.0), (Minimum, 0.5)]);
            sum(p, y)
        }),
        ("a cap of a cap", |p, d| {
            let x = first(p, d);
            let y = then(p, x, &[(Maximum, -0.3), (Minimum, 0.3)]);
            sum(p, y)
        }),
        ("the larger of two columns", |p, d| {
            let (x, y) = (first(p, d), outlier(p, d));
            let larger = p.apply(op::binary(Maximum), &[x, y]);
            sum(p, larger)
        }),
        ("another value in the place of one row's", |p, d| {
            let (x, value) = (first(p, d), super::data()[[7, 0]]);
            let other = p.apply(op::ternary(Ternary::Replace { pattern: value, value: value + 1.0 }), &[x]);
            sum(p, other)
        }),
        ("another value in the place of nobody's", |p, d| {
            let x = first(p, d);
            let other = p.apply(op::ternary(Ternary::Replace { pattern: 77.0, value: 1.0 }), &[x]);
            sum(p, other)
        }),
        ("a floor of another sort for one row", |p, d| {
            let (x, u) = (first(p, d), p.put(&super::one_hot()));
            let larger = p.apply(op::binary(Maximum), &[x, u]);
            sum(p, larger)
        }),
    ];
    refused_unless_public(attempts).await;
}
