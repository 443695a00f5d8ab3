//! What is made of ordinary columns has as many rows behind it as it seems to, whatever constants it holds.

use fondaco_proto::op::{BinaryFunction::*, Ternary, Unary};
use ndarray::{Array2, Axis as Along, concatenate};

use crate::{
    harness::{Plan, Program, Random, Table, op},
    laws::sample::Cells,
};

/// What is made of columns of normal numbers, of such with 3 zeros in 5, and of counts; from how many rows on it leaves.
type Use = (&'static str, usize, fn(&mut Program, [u64; 3]) -> u64);

const USES: &[Use] = &[
    ("|x|", 20, |p, [x, ..]| p.apply(op::unary(Unary::Abs), &[x])),
    ("sigmoid", 20, |p, [x, ..]| p.apply(op::unary(Unary::Sigmoid), &[x])),
    ("tanh", 20, |p, [x, ..]| p.apply(op::unary(Unary::Tanh), &[x])),
    ("sin", 20, |p, [x, ..]| p.apply(op::unary(Unary::Sin), &[x])),
    ("exp(x / 2)", 20, |p, [x, ..]| exp_half(p, x)),
    ("sqrt(|x|)", 20, |p, [x, ..]| {
        let positive = p.apply(op::unary(Unary::Abs), &[x]);
        p.apply(op::unary(Unary::Sqrt), &[positive])
    }),
    ("x²", 20, |p, [x, ..]| p.apply(op::with(Power, 2.0), &[x])),
    ("x > 0", 20, |p, [x, ..]| p.apply(op::with(Greater, 0.0), &[x])),
    ("x (x > 0)", 200, |p, [x, ..]| {
        let mask = p.apply(op::with(Greater, 0.0), &[x]);
        p.apply(op::multiply(), &[x, mask])
    }),
    ("(x > -0.3) + 2 (x > 0.3)", 200, |p, [x, ..]| {
        let [low, high] = [-0.3, 0.3].map(|at| p.apply(op::with(Greater, at), &[x]));
        p.apply(op::ternary(Ternary::PlusMultiply(2.0)), &[low, high])
    }),
    ("|y|", 33, |p, [_, y, _]| p.apply(op::unary(Unary::Abs), &[y])),
    ("exp(y / 2)", 33, |p, [_, y, _]| exp_half(p, y)),
    ("squares of counts", 1_000, |p, [.., z]| p.apply(op::with(Power, 2.0), &[z])),
    ("logs of counts", 1_000, |p, [.., z]| p.apply(op::unary(Unary::Log1p), &[z])),
    ("counts times x", 1_000, |p, [x, _, z]| p.apply(op::multiply(), &[x, z])),
];

fn exp_half(program: &mut Program, x: u64) -> u64 {
    let half = program.apply(op::with(Multiply, 0.5), &[x]);
    program.apply(op::unary(Unary::Exp), &[half])
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_ordinary_columns_leave() {
    let mut wrong = Vec::new();
    for n in [20, 33, 200, 1_000, 3_000] {
        let mut random = Random::new(n as u64);
        let x = Cells::Normal.matrix(&mut random, n, 1);
        let few = Array2::from_shape_fn((n, 1), |(row, _)| f64::from(u8::from(row % 5 >= 3)));
        let y = Cells::Normal.matrix(&mut random, n, 1) * few;
        let table = concatenate![Along(1), x, y, counts(&mut random, n)];
        let site = Plan::new().dataset("d", &Table::of(&table)).start().await;
        let ada = site.client("ada").await;
        for (name, _, build) in USES.iter().filter(|(_, rows_min, _)| n >= *rows_min) {
            let value = ada.value(|p| {
                let columns = ["c0", "c1", "c2"].map(|name| p.apply(op::read_columns("d", &[name]), &[]));
                let made = build(p, columns);
                p.apply(op::sum(), &[made])
            });
            if let Err(refused) = value.await {
                wrong.push(format!("{name} of {n} rows: {refused:?}"));
            }
        }
        let mut sorted = x.column(0).to_vec();
        sorted.sort_by(f64::total_cmp);
        for (rank, below) in [(5, 5.0), (n - 5, n as f64 - 5.0)] {
            let mask = ada.value(|p| {
                let x = p.apply(op::read_columns("d", &["c0"]), &[]);
                let mask = p.apply(op::with(Less, sorted[rank]), &[x]);
                p.apply(op::sum(), &[mask])
            });
            assert_eq!(mask.await.expect("five rows on either side")[[0, 0]], below);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Of a Poisson distribution of mean 1, by the products of uniform numbers; in its tail are values of few rows.
fn counts(random: &mut Random, rows: usize) -> Array2<f64> {
    let mut count = || {
        let (mut product, mut count) = (random.unit(), 0.0);
        while product > f64::exp(-1.0) {
            product *= random.unit();
            count += 1.0;
        }
        count
    };
    Array2::from_shape_simple_fn((rows, 1), &mut count)
}
