//! What aggregates are for: all of it leaves, and is right.

use fondaco_proto::op::{AggregateFunction, Axis, BinaryFunction, MatmulOp, Unary};
use ndarray::{Array2, Axis as Along, concatenate, s};

use super::{ROWS, column, data, dense_v, labels};
use crate::{
    harness::{Plan, Program, Random, Table, op},
    oracle,
};

/// A program, and what it should give.
type Use = (&'static str, fn(&mut Program, u64) -> u64, fn(&Array2<f64>) -> Array2<f64>);

fn by(kind: MatmulOp, x: &Array2<f64>, more: &[&Array2<f64>]) -> Array2<f64> {
    let inputs: Vec<&Array2<f64>> = match kind {
        MatmulOp::Mmchain | MatmulOp::MmchainWeighted | MatmulOp::MmchainMinus => [&[more[0], x], &more[1..]].concat(),
        MatmulOp::Product | MatmulOp::Gram | MatmulOp::Cross | MatmulOp::Factorised(_) => [&[x], more].concat(),
    };
    oracle::eval(&op::matmul(kind), &inputs)
}

fn even() -> Array2<f64> {
    column(|row| 0.5 + (row % 3) as f64)
}

const USES: &[Use] = &[
    ("mean", |p, x| p.apply(op::mean(), &[x]), |x| oracle::eval(&op::mean(), &[x])),
    (
        "variance",
        |p, x| p.apply(op::aggregate(AggregateFunction::Var, Axis::Columns), &[x]),
        |x| oracle::eval(&op::aggregate(AggregateFunction::Var, Axis::Columns), &[x]),
    ),
    (
        "moments",
        |p, x| p.apply(op::aggregate(AggregateFunction::Moments, Axis::Columns), &[x]),
        |x| oracle::eval(&op::aggregate(AggregateFunction::Moments, Axis::Columns), &[x]),
    ),
    (
        "the sum of squares of all cells",
        |p, x| p.apply(op::aggregate(AggregateFunction::Sumsq, Axis::All), &[x]),
        |x| oracle::eval(&op::aggregate(AggregateFunction::Sumsq, Axis::All), &[x]),
    ),
    ("gram", |p, x| p.apply(op::gram(), &[x]), |x| by(MatmulOp::Gram, x, &[])),
    (
        "gram with an intercept",
        |p, x| {
            let one = p.fill(ROWS as u64, 1, 1.0);
            let wide = p.apply(op::hstack(), &[x, one]);
            p.apply(op::gram(), &[wide])
        },
        |x| by(MatmulOp::Gram, &concatenate![Along(1), x.view(), Array2::ones((ROWS, 1))], &[]),
    ),
    (
        "cross products of its columns",
        |p, x| {
            let (a, b) = (p.apply(op::columns(&[0, 1]), &[x]), p.apply(op::columns(&[2]), &[x]));
            p.apply(op::cross(), &[a, b])
        },
        |x| x.slice(s![.., ..2]).t().dot(&x.slice(s![.., 2..])),
    ),
    (
        "mmchain",
        |p, x| {
            let v = p.put(&dense_v());
            p.apply(op::matmul(MatmulOp::Mmchain), &[v, x])
        },
        |x| by(MatmulOp::Mmchain, x, &[&dense_v()]),
    ),
    (
        "mmchain with even weights",
        |p, x| {
            let (v, w) = (p.put(&dense_v()), p.put(&even()));
            p.apply(op::matmul(MatmulOp::MmchainWeighted), &[v, x, w])
        },
        |x| by(MatmulOp::MmchainWeighted, x, &[&dense_v(), &even()]),
    ),
    (
        "the gradient for a column of its own",
        |p, x| {
            let (v, y) = (p.put(&dense_v()), p.apply(op::columns(&[1]), &[x]));
            p.apply(op::matmul(MatmulOp::MmchainMinus), &[v, x, y])
        },
        |x| by(MatmulOp::MmchainMinus, x, &[&dense_v(), &x.slice(s![.., 1..2]).to_owned()]),
    ),
    (
        "sums weighted evenly",
        |p, x| {
            let w = p.put(&even());
            p.apply(op::cross(), &[w, x])
        },
        |x| even().t().dot(x),
    ),
    (
        "sums over labels",
        |p, x| {
            let w = p.put(&labels(5));
            p.apply(op::cross(), &[w, x])
        },
        |x| labels(5).t().dot(x),
    ),
    (
        "sums over many labels",
        |p, x| {
            let w = p.put(&labels(10));
            let weighted = p.apply(op::multiply(), &[x, w]);
            p.apply(op::sum(), &[weighted])
        },
        |x| labels(10).t().dot(x),
    ),
    (
        "sums of standardised columns",
        |p, x| {
            let mean = p.apply(op::mean(), &[x]);
            let std = p.apply(op::aggregate(AggregateFunction::Std, Axis::Columns), &[x]);
            let centred = p.apply(op::subtract(), &[x, mean]);
            let scaled = p.apply(op::divide(), &[centred, std]);
            p.apply(op::aggregate(AggregateFunction::Sumsq, Axis::Columns), &[scaled])
        },
        |x| Array2::from_elem((1, x.ncols()), x.nrows() as f64),
    ),
    (
        "sums of a rolled matrix, flipped: parts of one dataset in reverse order",
        |p, x| {
            let parts = [17..20, 0..17].map(|rows| p.apply(op::slice(rows, 0..3), &[x]));
            let flipped = parts.map(|part| p.apply(op::flip(), &[part]));
            p.apply(op::sum(), &flipped)
        },
        |x| x.sum_axis(Along(0)).insert_axis(Along(0)),
    ),
    (
        "sums of ten rows that a mask takes",
        |p, x| {
            let mask = p.put(&labels(10));
            let some = p.apply(op::filter_rows(), &[x, mask]);
            p.apply(op::sum(), &[some])
        },
        |x| labels(10).t().dot(x),
    ),
    (
        "the mean of what data chose",
        |p, x| {
            let first = p.apply(op::columns(&[0]), &[x]);
            let mask = p.apply(op::with(BinaryFunction::Less, 0.0), &[first]);
            let some = p.apply(op::filter_rows(), &[x, mask]);
            p.apply(op::mean(), &[some])
        },
        |x| {
            let mask = x.slice(s![.., ..1]).mapv(|x| f64::from(u8::from(x < 0.0)));
            mask.t().dot(x) / mask.sum()
        },
    ),
    (
        "the gram of rows in another order",
        |p, x| {
            let all: Vec<u64> = (0..ROWS as u64).map(|row| row * 7 % ROWS as u64).collect();
            let turned = p.apply(op::take(&all), &[x]);
            p.apply(op::gram(), &[turned])
        },
        |x| x.t().dot(x),
    ),
    (
        "sums of seven different rows",
        |p, x| {
            let seven = p.apply(op::take(&[9, 2, 3, 19, 0, 7, 12]), &[x]);
            p.apply(op::sum(), &[seven])
        },
        |x| x.select(Along(0), &[9, 2, 3, 19, 0, 7, 12]).sum_axis(Along(0)).insert_axis(Along(0)),
    ),
    (
        "sums of sorted rows, flipped and reversed",
        |p, x| {
            let sorted = p.apply(op::sort(1), &[x]);
            let flipped = p.apply(op::flip_columns(), &[sorted]);
            p.apply(op::sum(), &[flipped])
        },
        |x| x.slice(s![.., ..;-1]).sum_axis(Along(0)).insert_axis(Along(0)),
    ),
    (
        "the mean of the eight rows that are the largest in a column",
        |p, x| {
            let sorted = p.apply(op::sort(1), &[x]);
            let eight = p.apply(op::slice(0..8, 0..3), &[sorted]);
            p.apply(op::mean(), &[eight])
        },
        |x| {
            let sorted = oracle::eval(&op::sort(1), &[x]);
            sorted.slice(s![..8, ..]).mean_axis(Along(0)).expect("eight").insert_axis(Along(0))
        },
    ),
    (
        "sums of a triangle that has enough of each column",
        |p, x| {
            let most = p.apply(op::tril(-4), &[x]);
            p.apply(op::sum(), &[most])
        },
        |x| oracle::eval(&op::tril(-4), &[x]).sum_axis(Along(0)).insert_axis(Along(0)),
    ),
    (
        "a column replaced by another",
        |p, x| {
            let last = p.apply(op::columns(&[2]), &[x]);
            let twice = p.apply(op::set(0..ROWS as u64, 0..1), &[x, last]);
            p.apply(op::gram(), &[twice])
        },
        |x| {
            let twice = x.select(Along(1), &[2, 1, 2]);
            twice.t().dot(&twice)
        },
    ),
    (
        "the sum over its first five rows",
        |p, x| {
            let five = p.apply(op::slice(0..5, 0..3), &[x]);
            p.apply(op::sum(), &[five])
        },
        |x| x.slice(s![..5, ..]).sum_axis(Along(0)).insert_axis(Along(0)),
    ),
    (
        "a smooth function",
        |p, x| {
            let soft = p.apply(op::unary(Unary::Sigmoid), &[x]);
            p.apply(op::sum(), &[soft])
        },
        |x| x.mapv(|x| 1.0 / (1.0 + (-x).exp())).sum_axis(Along(0)).insert_axis(Along(0)),
    ),
    (
        "a mask of many rows",
        |p, x| {
            let mask = p.apply(op::with(BinaryFunction::Less, 0.0), &[x]);
            p.apply(op::sum(), &[mask])
        },
        |x| x.mapv(|x| f64::from(u8::from(x < 0.0))).sum_axis(Along(0)).insert_axis(Along(0)),
    ),
    (
        "sums, combined with what the tenant knows",
        |p, x| {
            let (sum, own) = (p.apply(op::sum(), &[x]), p.put(&Array2::from_elem((1, 3), 4.0)));
            p.apply(op::divide(), &[sum, own])
        },
        |x| x.sum_axis(Along(0)).insert_axis(Along(0)) / 4.0,
    ),
    (
        "sums by the transpose",
        |p, x| {
            let t = p.apply(op::transpose(), &[x]);
            p.apply(op::aggregate(AggregateFunction::Sum, Axis::Rows), &[t])
        },
        |x| x.sum_axis(Along(0)).insert_axis(Along(1)),
    ),
    (
        "sums of the rows in two parts",
        |p, x| {
            let (head, tail) = (p.apply(op::slice(0..17, 0..3), &[x]), p.apply(op::slice(17..20, 0..3), &[x]));
            p.apply(op::sum(), &[head, tail])
        },
        |x| x.sum_axis(Along(0)).insert_axis(Along(0)),
    ),
    ("column sums", |p, x| p.apply(op::sum(), &[x]), |x| x.sum_axis(Along(0)).insert_axis(Along(0))),
];

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_leave_and_are_right() {
    // Without the outlier, so that weights of terms are even as well.
    let mut data = data();
    data[[3, 2]] = 0.25;
    let site = Plan::new().dataset("d", &Table::of(&data)).start().await;
    let ada = site.client("ada").await;
    let mut wrong = Vec::new();
    for (name, program, expected) in USES {
        let value = ada
            .value(|p| {
                let x = p.read("d");
                program(p, x)
            })
            .await;
        match value {
            Err(refused) => wrong.push(format!("{name}: {refused:?}")),
            Ok(value) => {
                let expected = expected(&data);
                let scale = 1.0 + expected.iter().fold(0.0_f64, |top, cell| top.max(cell.abs()));
                let fits =
                    value.dim() == expected.dim() && (&value - &expected).iter().all(|d| d.abs() < 1e-12 * scale);
                if !fits {
                    wrong.push(format!("{name} gave {value:?}, not {expected:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} went wrong:\n{}", wrong.len(), USES.len(), wrong.join("\n"));
}

/// Parts at one worker are combined there: three rows and three rows are six.
#[tokio::test(flavor = "multi_thread")]
async fn small_parts_are_combined_before_they_leave() {
    let (first, second) = (Random::new(1).matrix(3, 2), Random::new(2).matrix(3, 2));
    let site = Plan::new().dataset("a", &Table::of(&first)).dataset("b", &Table::of(&second)).start().await;
    let ada = site.client("ada").await;
    let both = |p: &mut Program| [p.read("a"), p.read("b")];
    let sum = ada.value(|p| {
        let parts = both(p);
        p.apply(op::sum(), &parts)
    });
    let expected = oracle::eval(&op::sum(), &[&first, &second]);
    assert!((sum.await.unwrap() - expected).iter().all(|d| d.abs() < 1e-12));
    let gram = ada.value(|p| {
        let parts = both(p);
        p.apply(op::gram(), &parts)
    });
    let expected = oracle::eval(&op::gram(), &[&first, &second]);
    assert!((gram.await.unwrap() - expected).iter().all(|d| d.abs() < 1e-12));
    for part in ["a", "b"] {
        super::denied(&ada, |p| {
            let x = p.read(part);
            p.apply(op::sum(), &[x])
        })
        .await;
    }
    super::denied(&ada, |p| {
        let [a, b] = both(p);
        let (a, b) = (p.apply(op::sum(), &[a]), p.apply(op::sum(), &[b]));
        p.apply(op::add(), &[a, b])
    })
    .await;
}
