//! Rows that somebody chose, put in order or replaced: what is made of them has as many rows behind it as it seems to.

use fondaco_proto::{
    ErrorCode::ReleaseDenied,
    op::{AggregateFunction, Axis, BinaryFunction, Ternary},
};
use ndarray::{Array2, arr2};

use super::{Attempt, ROWS, column, data, denied, labels, near_one_hot, one_hot, refused_unless_public};
use crate::harness::{Plan, Program, Table, op, refusal};

/// The rows that a mask takes.
fn filter(program: &mut Program, x: u64, mask: u64) -> u64 {
    program.apply(op::filter_rows(), &[x, mask])
}

/// The rows that a tenant's own mask takes.
fn own(program: &mut Program, x: u64, mask: &Array2<f64>) -> u64 {
    let mask = program.put(mask);
    filter(program, x, mask)
}

fn sum(program: &mut Program, x: u64) -> u64 {
    program.apply(op::sum(), &[x])
}

/// A column, 1 where it is less than its `rank`th smallest cell.
fn below(program: &mut Program, x: u64, rank: usize) -> u64 {
    let first = program.apply(op::columns(&[0]), &[x]);
    program.apply(op::with(BinaryFunction::Less, threshold(rank)), &[first])
}

/// Between the cells of the first column; just so many are below.
fn threshold(rank: usize) -> f64 {
    let mut cells = data().column(0).to_vec();
    cells.sort_by(f64::total_cmp);
    if rank == 0 { -9.0 } else { (cells[rank - 1] + cells.get(rank).unwrap_or(&9.0)) / 2.0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn few_rows_are_not_chosen_by_a_mask() {
    let attempts: &[Attempt] = &[
        ("one row by one's own mask", |p, d| {
            let x = p.read(d);
            let one = own(p, x, &one_hot());
            sum(p, one)
        }),
        ("four rows", |p, d| {
            let x = p.read(d);
            let four = own(p, x, &labels(4));
            sum(p, four)
        }),
        ("a mask that is nearly nothing takes all rows, but weighs none", |p, d| {
            let (x, mask) = (p.read(d), p.put(&near_one_hot()));
            let all = filter(p, x, mask);
            let weighted = p.apply(op::multiply(), &[all, mask]);
            sum(p, weighted)
        }),
        ("four rows, twice, by two masks", |p, d| {
            let x = p.read(d);
            let (four, again) = (own(p, x, &labels(4)), own(p, x, &(labels(4) * 2.0)));
            p.apply(op::sum(), &[four, again])
        }),
        ("six rows less five of them", |p, d| {
            let x = p.read(d);
            let (six, five) = (own(p, x, &labels(6)), own(p, x, &labels(5)));
            let (six, five) = (sum(p, six), sum(p, five));
            p.apply(op::subtract(), &[six, five])
        }),
        ("ten rows that data chose less nine of them", |p, d| {
            let x = p.read(d);
            let (ten, nine) = (below(p, x, 10), below(p, x, 9));
            let (ten, nine) = (filter(p, x, ten), filter(p, x, nine));
            let (ten, nine) = (sum(p, ten), sum(p, nine));
            p.apply(op::subtract(), &[ten, nine])
        }),
        ("what a mask takes, less the same rows by their numbers", |p, d| {
            let x = p.read(d);
            let six = own(p, x, &column(|row| f64::from(u8::from(row < 6))));
            let five = p.apply(op::take(&[0, 1, 2, 3, 4]), &[x]);
            let (six, five) = (sum(p, six), sum(p, five));
            p.apply(op::subtract(), &[six, five])
        }),
        ("the first rows of what a mask takes", |p, d| {
            let x = p.read(d);
            let ten = own(p, x, &labels(10));
            let four = p.apply(op::slice(0..4, 0..3), &[ten]);
            sum(p, four)
        }),
        ("what was taken, again from the end", |p, d| {
            let x = p.read(d);
            let seven = own(p, x, &labels(7));
            let flipped = p.apply(op::flip(), &[seven]);
            let (a, b) = (p.apply(op::slice(0..3, 0..3), &[flipped]), p.apply(op::slice(4..7, 0..3), &[seven]));
            p.apply(op::sum(), &[a, b])
        }),
    ];
    refused_unless_public(attempts).await;
}

/// A count is refused with the program that would bind what it counts, though nothing of that is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn counts_do_not_tell_of_few_rows() {
    let site = super::site().await;
    let ada = site.client("ada").await;
    let mut wrong = Vec::new();
    for (name, attempt) in COUNTS {
        match ada.bind(|p| attempt(p, "aggregate")).await {
            Err(refused) if super::is_denied(&refused) => {}
            other => wrong.push(format!("{name}: {other:?}")),
        }
        if let Err(refused) = ada.bind(|p| attempt(p, "public")).await {
            wrong.push(format!("{name} of public data: {refused:?}"));
        }
    }
    assert!(wrong.is_empty(), "of {} attempts {} went wrong:\n{}", COUNTS.len(), wrong.len(), wrong.join("\n"));
}

const COUNTS: &[Attempt] = &[
    ("one row by its outlier", |p, d| {
        let x = p.read(d);
        let last = p.apply(op::columns(&[2]), &[x]);
        let high = p.apply(op::with(BinaryFunction::Greater, 10.0), &[last]);
        filter(p, x, high)
    }),
    ("all rows but that one", |p, d| {
        let x = p.read(d);
        let last = p.apply(op::columns(&[2]), &[x]);
        let low = p.apply(op::with(BinaryFunction::Less, 10.0), &[last]);
        filter(p, x, low)
    }),
    ("whether the outlier is above a number", |p, d| {
        let x = p.read(d);
        let last = p.apply(op::columns(&[2]), &[x]);
        let high = p.apply(op::with(BinaryFunction::Greater, 60.0), &[last]);
        filter(p, x, high)
    }),
    ("one row's answer among known ones", |p, d| {
        let (x, one, known) = (p.read(d), p.put(&one_hot()), p.put(&(labels(10) * (1.0 - one_hot()))));
        let first = p.apply(op::columns(&[0]), &[x]);
        let positive = p.apply(op::with(BinaryFunction::Greater, 0.0), &[first]);
        let its = p.apply(op::multiply(), &[positive, one]);
        let mask = p.apply(op::add(), &[its, known]);
        filter(p, x, mask)
    }),
    ("one row's answer for everybody", |p, d| {
        let (x, zero) = (p.read(d), p.fill(ROWS as u64, 1, 0.0));
        let cell = p.apply(op::slice(7..8, 0..1), &[x]);
        let many = p.apply(op::add(), &[zero, cell]);
        let mask = p.apply(op::with(BinaryFunction::Greater, 0.0), &[many]);
        filter(p, x, mask)
    }),
    ("who the rows are, read off one's own numbers", |p, d| {
        let (x, numbers) = (p.read(d), p.put(&column(|row| row as f64)));
        let mask = below(p, x, 10);
        filter(p, numbers, mask)
    }),
    ("rows equal to a number", |p, d| {
        let x = p.read(d);
        let first = p.apply(op::columns(&[0]), &[x]);
        let shifted = p.apply(op::with(BinaryFunction::Subtract, data()[[11, 0]]), &[first]);
        filter(p, x, shifted)
    }),
    ("values that are one row's each", |p, d| {
        let x = p.read(d);
        let first = p.apply(op::columns(&[0]), &[x]);
        p.apply(op::unique(), &[first])
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn counts_of_enough_rows_are_told_and_written_down() {
    let site = super::site().await;
    let ada = site.client("ada").await;
    let taken = async |dataset: &'static str, rank: usize| {
        let mut program = ada.program();
        let x = program.read(dataset);
        let mask = below(&mut program, x, rank);
        filter(&mut program, x, mask);
        ada.run(&program).await.map(|answer| answer.receipts.last().unwrap().shape.unwrap().rows)
    };
    let mut texts = Vec::new();
    for rank in [0, 1, 4, 16, 19, 20] {
        assert_eq!(taken("public", rank).await.unwrap(), rank as u64);
        texts.push(refusal(taken("aggregate", rank).await, ReleaseDenied).message().to_owned());
    }
    assert!(texts.iter().all(|text| *text == texts[0]), "one text for all: {texts:?}");
    for rank in [5, 10, 15] {
        assert_eq!(taken("aggregate", rank).await.unwrap(), rank as u64);
    }
    let audit = site.audit();
    let counts =
        |event: &str| audit.iter().filter(|line| line["event"] == event && line["operator"] == "row count").count();
    assert_eq!((counts("deny"), counts("release")), (6, 3), "of public data nobody asks");
    let line = audit.iter().find(|line| line["operator"] == "row count").unwrap();
    assert_eq!(line["sources"][0]["dataset"], "aggregate");
}

/// A dataset's own column as a mask: that nobody was left out is nobody's secret, that one was is.
#[tokio::test(flavor = "multi_thread")]
async fn a_datasets_own_masks() {
    for (zeros, shifted, told) in [(0, false, true), (1, false, false), (4, false, false), (5, false, true)]
        .into_iter()
        .chain([(0, true, false), (1, true, false), (5, true, true)])
    {
        let flag = (0..20).map(|row| f64::from(u8::from(row >= zeros))).collect();
        let table = Table::of(&data()).f64("flag", flag);
        let site = Plan::new().dataset("d", &table).start().await;
        let ada = site.client("ada").await;
        let total = ada.value(|p| {
            let (x, flag) =
                (p.apply(op::read_columns("d", &["c0"]), &[]), p.apply(op::read_columns("d", &["flag"]), &[]));
            let flag = if shifted { p.apply(op::with(BinaryFunction::Multiply, 3.0), &[flag]) } else { flag };
            let some = filter(p, x, flag);
            sum(p, some)
        });
        let expected: f64 = data().column(0).iter().skip(zeros).sum();
        match (total.await, told) {
            (Ok(total), true) => assert!((total[[0, 0]] - expected).abs() < 1e-12, "{zeros} zeros"),
            (Err(refused), false) => assert!(super::is_denied(&refused), "{refused:?}"),
            (other, _) => panic!("{zeros} zeros, shifted {shifted}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn few_rows_are_not_chosen_by_their_place() {
    let attempts: &[Attempt] = &[
        ("four rows of a list", |p, d| {
            let x = p.read(d);
            let four = p.apply(op::take(&[9, 1, 17, 4]), &[x]);
            sum(p, four)
        }),
        ("one row, six times", |p, d| {
            let x = p.read(d);
            let six = p.apply(op::take(&[3, 3, 3, 3, 3, 3]), &[x]);
            sum(p, six)
        }),
        ("a sample with a row again", |p, d| {
            let x = p.read(d);
            let many = p.apply(op::take(&[0, 1, 2, 3, 4, 5, 5]), &[x]);
            sum(p, many)
        }),
        ("a list, and the same rows by their range", |p, d| {
            let x = p.read(d);
            let (a, b) = (p.apply(op::take(&[2, 0, 1]), &[x]), p.apply(op::slice(0..3, 0..3), &[x]));
            p.apply(op::sum(), &[a, b])
        }),
    ];
    refused_unless_public(attempts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn few_rows_are_not_chosen_by_their_order() {
    let attempts: &[Attempt] = &[
        ("the largest row", |p, d| {
            let x = p.read(d);
            let sorted = p.apply(op::sort(2), &[x]);
            let first = p.apply(op::slice(0..1, 0..3), &[sorted]);
            sum(p, first)
        }),
        ("the six largest less the five largest", |p, d| {
            let x = p.read(d);
            let sorted = p.apply(op::sort(2), &[x]);
            let sums = [6, 5].map(|rows| {
                let first = p.apply(op::slice(0..rows, 0..3), &[sorted]);
                p.apply(op::sum(), &[first])
            });
            p.apply(op::subtract(), &sums)
        }),
        ("all rows less all but the largest", |p, d| {
            let x = p.read(d);
            let sorted = p.apply(op::sort(2), &[x]);
            let others = p.apply(op::slice(1..20, 0..3), &[sorted]);
            let (all, others) = (sum(p, x), sum(p, others));
            p.apply(op::subtract(), &[all, others])
        }),
        ("the first rows in two orders", |p, d| {
            let x = p.read(d);
            let sorted = p.apply(op::sort(2), &[x]);
            let (a, b) = (p.apply(op::slice(0..19, 0..3), &[sorted]), p.apply(op::slice(0..19, 0..3), &[x]));
            let (a, b) = (sum(p, a), sum(p, b));
            p.apply(op::subtract(), &[a, b])
        }),
        ("the first rows of a list, and of all", |p, d| {
            let x = p.read(d);
            let turned: Vec<u64> = (0..20).map(|row| (row + 1) % 20).collect();
            let turned = p.apply(op::take(&turned), &[x]);
            let (a, b) = (p.apply(op::slice(0..19, 0..3), &[turned]), p.apply(op::slice(0..19, 0..3), &[x]));
            let (a, b) = (sum(p, a), sum(p, b));
            p.apply(op::subtract(), &[a, b])
        }),
        ("the order of the rows", |p, d| {
            let x = p.read(d);
            p.apply(op::argsort(0), &[x])
        }),
        ("weights by the order of the rows", |p, d| {
            let x = p.read(d);
            let order = p.apply(op::argsort(0), &[x]);
            p.apply(op::cross(), &[order, x])
        }),
        ("columns in the order of one row", |p, d| {
            let x = p.read(d);
            let t = p.apply(op::transpose(), &[x]);
            let sorted = p.apply(op::sort(4), &[t]);
            p.apply(op::aggregate(AggregateFunction::Sum, Axis::Rows), &[sorted])
        }),
    ];
    refused_unless_public(attempts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_does_not_show_by_its_place() {
    let attempts: &[Attempt] = &[
        ("the corner of a triangle", |p, d| {
            let x = p.read(d);
            let corner = p.apply(op::tril(-16), &[x]);
            sum(p, corner)
        }),
        ("all but the corner", |p, d| {
            let x = p.read(d);
            let (rest, all) = (p.apply(op::triu(-16), &[x]), sum(p, x));
            let rest = sum(p, rest);
            p.apply(op::subtract(), &[all, rest])
        }),
        ("the one column of a diagonal", |p, d| {
            let (x, only) = (p.read(d), p.put(&arr2(&[[1.0, 0.0, 0.0], [0.0; 3], [0.0; 3]])));
            let lone = p.apply(op::product(), &[x, only]);
            let on = p.apply(op::diagonal(-4), &[lone]);
            sum(p, on)
        }),
        ("three rows on a diagonal", |p, d| {
            let x = p.read(d);
            let on = p.apply(op::diagonal(0), &[x]);
            sum(p, on)
        }),
        ("a column on the diagonal", |p, d| {
            let x = p.apply(op::read_columns(d, &["c1"]), &[]);
            let square = p.apply(op::diag(20), &[x]);
            sum(p, square)
        }),
        ("rows cut into many", |p, d| {
            let x = p.read(d);
            let few = p.apply(op::slice(0..4, 0..3), &[x]);
            let many = p.apply(op::reshape(12, 1), &[few]);
            sum(p, many)
        }),
        ("rows put into one", |p, d| {
            let x = p.read(d);
            let one = p.apply(op::reshape(1, 60), &[x]);
            sum(p, one)
        }),
    ];
    refused_unless_public(attempts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_not_left_alone_among_others() {
    let attempts: &[Attempt] = &[
        ("all rows but one are 0", |p, d| {
            let (x, zero) = (p.read(d), p.fill(1, 1, 0.0));
            let one = p.apply(op::set(1..20, 0..3), &[x, zero]);
            sum(p, one)
        }),
        ("all rows but one are known numbers", |p, d| {
            let (x, known) = (p.read(d), p.put(&Array2::from_shape_fn((19, 3), |(i, j)| (i * 3 + j) as f64)));
            let one = p.apply(op::set(1..20, 0..3), &[x, known]);
            sum(p, one)
        }),
        ("a row among one's own", |p, d| {
            let (x, known) = (p.read(d), p.put(&Array2::ones((20, 3))));
            let row = p.apply(op::slice(4..5, 0..3), &[x]);
            let among = p.apply(op::set(4..5, 0..3), &[known, row]);
            sum(p, among)
        }),
        ("a row in all places", |p, d| {
            let x = p.read(d);
            let row = p.apply(op::slice(4..5, 0..3), &[x]);
            let many = p.apply(op::set(0..20, 0..3), &[x, row]);
            sum(p, many)
        }),
        ("a column of one's own that weighs one row", |p, d| {
            let (x, one) = (p.read(d), p.put(&one_hot()));
            let beside = p.apply(op::set(0..20, 2..3), &[x, one]);
            p.apply(op::gram(), &[beside])
        }),
        ("other columns by chance of the transpose", |p, d| {
            let (x, zero) = (p.read(d), p.fill(1, 1, 0.0));
            let t = p.apply(op::transpose(), &[x]);
            let one = p.apply(op::set(0..3, 1..20), &[t, zero]);
            p.apply(op::aggregate(AggregateFunction::Sum, Axis::Rows), &[one])
        }),
    ];
    refused_unless_public(attempts).await;
}

/// Values are rows' own: the owner's to release, and enough rows stand for each.
#[tokio::test(flavor = "multi_thread")]
async fn values_and_their_counts() {
    let codes = |rare: usize| {
        let code = |row: usize| if row < rare { 2.0 } else { (row % 2) as f64 };
        Table::new().f64("code", (0..20).map(code).collect())
    };
    let site = Plan::new()
        .dataset("closed", &codes(6))
        .dataset_with("open", &codes(6), |dataset| dataset.extremes = true)
        .dataset_with("rare", &codes(4), |dataset| dataset.extremes = true)
        .start()
        .await;
    let ada = site.client("ada").await;
    let unique = |dataset: &'static str| {
        move |p: &mut Program| {
            let x = p.read(dataset);
            p.apply(op::unique(), &[x])
        }
    };
    assert_eq!(ada.value(unique("open")).await.unwrap(), arr2(&[[0.0, 7.0], [1.0, 7.0], [2.0, 6.0]]));
    let text = denied(&ada, unique("closed")).await;
    assert!(text.contains("extremes"), "{text}");
    ada.bind(unique("closed")).await.expect("it may stay");
    let text = denied(&ada, unique("rare")).await;
    assert!(text.contains("how many rows there are"), "{text}");
    // Two functions that differ for one row.
    denied(&ada, |p| {
        let x = p.read("open");
        let counts = [0.5, 1.5].map(|at| {
            let mask = p.apply(op::with(BinaryFunction::Less, at), &[x]);
            p.apply(op::unique(), &[mask])
        });
        p.apply(op::ternary(Ternary::MinusMultiply(1.0)), &counts)
    })
    .await;
}
