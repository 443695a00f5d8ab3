//! Rows in cells: ranks, tables, groups. What leaves says nothing of fewer rows than the owner releases, in any cell, nor of
//! those in none.

use fondaco_proto::op::{BinaryFunction, GroupFunction, Ranks, StatsOp, Unary};
use ndarray::{Array2, Axis as Along, arr2, concatenate, s};

use super::{Attempt, column, data, denied, is_denied, labels, near_one_hot, one_hot, one_plus_one_hot};
use crate::{
    harness::{Client, Plan, Program, Site, Table, op},
    oracle,
};

fn stats(op: StatsOp) -> fondaco_proto::Op {
    fondaco_proto::Op::Stats(op)
}

fn ranks(weighted: bool) -> fondaco_proto::Op {
    stats(StatsOp::RankCounts { ranks: Ranks::Between, weighted })
}

fn group(function: GroupFunction) -> fondaco_proto::Op {
    stats(StatsOp::Group(function))
}

fn table(rows: u64, columns: u64) -> fondaco_proto::Op {
    stats(StatsOp::Table { rows, columns, weighted: false })
}

/// Between the cell of this rank and the one below it in a column.
fn step(column: usize, rank: usize) -> f64 {
    let mut cells = data().column(column).to_vec();
    cells.sort_by(f64::total_cmp);
    if rank == 0 { cells[0] - 1.0 } else { (cells[rank - 1] + cells[rank]) / 2.0 }
}

fn steps(p: &mut Program, column: usize, ranks: &[usize]) -> u64 {
    p.put(&Array2::from_shape_fn((ranks.len(), 1), |(i, _)| step(column, ranks[i])))
}

fn c0(p: &mut Program, d: &str) -> u64 {
    p.apply(op::read_columns(d, &["c0"]), &[])
}

/// The columns of `data`, and codes: `sex` has 12 and 8, `half` and `group` 10 and 10, `rare` 16 and 4, `class` 10, 9 and one that is 7, `gaps` as
/// `half`, but for two.
async fn site() -> Site {
    let code = |of: fn(usize) -> f64| (0..20).map(of).collect::<Vec<_>>();
    let of = |table: Table| {
        table
            .f64("sex", code(|row| f64::from(u8::from(row % 5 < 2))))
            .f64("half", code(|row| (row % 2) as f64))
            .f64("group", code(|row| (row / 10) as f64))
            .f64("rare", code(|row| f64::from(u8::from(row % 5 == 1))))
            .f64("class", code(|row| if row == 3 { 7.0 } else { (row % 2) as f64 }))
            .f64("gaps", code(|row| if row % 13 == 6 { f64::NAN } else { (row % 2) as f64 }))
    };
    let table = of(Table::of(&data()));
    Plan::new()
        .dataset("aggregate", &table)
        .public("public", &table)
        .dataset_with("open", &table, |dataset| dataset.extremes = true)
        .start()
        .await
}

async fn refused_unless_public(attempts: &[Attempt]) {
    let site = site().await;
    let ada = site.client("ada").await;
    let mut wrong = Vec::new();
    for (name, attempt) in attempts {
        match ada.value(|p| attempt(p, "aggregate")).await {
            Err(refused) if is_denied(&refused) => {}
            other => wrong.push(format!("{name}: {other:?}")),
        }
        if let Err(refused) = ada.value(|p| attempt(p, "public")).await {
            wrong.push(format!("{name} of public data: {refused:?}"));
        }
    }
    assert!(wrong.is_empty(), "of {} attempts {} went wrong:\n{}", attempts.len(), wrong.len(), wrong.join("\n"));
}

fn read(p: &mut Program, d: &str, column: &str) -> u64 {
    p.apply(op::read_columns(d, &[column]), &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn few_rows_are_not_counted_by_their_rank() {
    let attempts: &[Attempt] = &[
        ("nobody below", |p, d| rank(p, d, &[0, 10])),
        ("one below", |p, d| rank(p, d, &[1])),
        ("four below", |p, d| rank(p, d, &[4, 12])),
        ("one above", |p, d| rank(p, d, &[5, 19])),
        ("one between two", |p, d| rank(p, d, &[9, 10])),
        ("four between two", |p, d| rank(p, d, &[5, 9, 15])),
        ("thresholds in any order", |p, d| rank(p, d, &[15, 6, 14])),
        ("in one of three columns", |p, d| {
            let x = p.apply(op::read_columns(d, &["c0", "c1", "c2"]), &[]);
            let at = [step(0, 10), step(1, 10), step(2, 3)];
            let at = p.put(&arr2(&[at]));
            p.apply(ranks(false), &[at, x])
        }),
        ("which cells are equal", |p, d| {
            let (at, x) = (steps(p, 0, &[10]), c0(p, d));
            p.apply(stats(StatsOp::RankCounts { ranks: Ranks::Tied, weighted: false }), &[at, x])
        }),
        ("rows as thresholds", |p, d| {
            let x = c0(p, d);
            p.apply(ranks(false), &[x, x])
        }),
        ("few of a function of rows", |p, d| {
            let x = c0(p, d);
            let (e, at) = (p.apply(op::unary(Unary::Exp), &[x]), p.put(&arr2(&[[step(0, 17).exp()]])));
            p.apply(ranks(false), &[at, e])
        }),
        ("whether a logarithm is no number", |p, d| {
            let x = c0(p, d);
            let below = p.apply(op::with(BinaryFunction::Subtract, step(0, 0)), &[x]);
            let log = p.apply(op::unary(Unary::Log), &[below]);
            let at = p.put(&arr2(&[[(step(0, 10) - step(0, 0)).ln()]]));
            p.apply(stats(StatsOp::RankCounts { ranks: Ranks::Present, weighted: false }), &[at, log])
        }),
        ("beside rows of one's own", |p, d| {
            let (at, x) = (steps(p, 0, &[4]), c0(p, d));
            let own = p.fill(5, 1, -9.0);
            p.apply(ranks(false), &[at, x, own])
        }),
        ("beside rows that became a constant", |p, d| {
            let at = steps(p, 0, &[4]);
            let x = c0(p, d);
            let parts = [0..10, 10..20].map(|rows| p.apply(op::slice(rows, 0..1), &[x]));
            let nothing = p.apply(op::with(BinaryFunction::Multiply, 0.0), &[parts[1]]);
            let low = p.apply(op::with(BinaryFunction::Subtract, 9.0), &[nothing]);
            p.apply(ranks(false), &[at, parts[0], low])
        }),
        ("the same rows twice", |p, d| {
            let (at, x) = (steps(p, 0, &[3]), c0(p, d));
            p.apply(ranks(false), &[at, x, x])
        }),
        ("the difference of two", |p, d| {
            let (six, seven) = (rank(p, d, &[6]), rank(p, d, &[7]));
            p.apply(op::subtract(), &[seven, six])
        }),
        ("of four rows", |p, d| {
            let x = c0(p, d);
            let four = p.apply(op::slice(0..4, 0..1), &[x]);
            let at = p.put(&arr2(&[[f64::NEG_INFINITY]]));
            p.apply(ranks(false), &[at, four])
        }),
    ];
    refused_unless_public(attempts).await;
}

fn rank(p: &mut Program, d: &str, at: &[usize]) -> u64 {
    let (at, x) = (steps(p, 0, at), c0(p, d));
    p.apply(ranks(false), &[at, x])
}

/// Five rows, of which one is among the ten smallest.
fn marked() -> Array2<f64> {
    let mut sorted: Vec<usize> = (0..20).collect();
    sorted.sort_by(|a, b| data()[[*a, 0]].total_cmp(&data()[[*b, 0]]));
    column(|row| f64::from(u8::from([3, 12, 14, 16, 18].iter().any(|rank| sorted[*rank] == row))))
}

/// Weights that single out somebody, in a cell if not in all.
fn singling() -> [(&'static str, Array2<f64>); 7] {
    [
        ("one-hot", one_hot()),
        ("near one-hot", near_one_hot()),
        ("one plus one-hot", one_plus_one_hot()),
        ("four rows", labels(4)),
        ("nobody", labels(0)),
        ("a mark that one of ten has", 1.0 + 1e-3 * marked()),
        ("one that is not a number", column(|row| if row == 7 { f64::NAN } else { 1.0 })),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_single_nobody_out_in_a_cell() {
    let site = site().await;
    let ada = site.client("ada").await;
    let mut wrong = Vec::new();
    type Way = (&'static str, fn(&mut Program, &str, u64) -> u64);
    let ways: [Way; 5] = [
        ("rank sums", |p, d, w| {
            let (at, x) = (steps(p, 0, &[10]), c0(p, d));
            p.apply(ranks(true), &[at, x, w])
        }),
        ("a table", |p, d, w| {
            let (a, zeros) = (read(p, d, "group"), p.fill(20, 1, 0.0));
            p.apply(stats(StatsOp::Table { rows: 2, columns: 1, weighted: true }), &[a, zeros, w])
        }),
        ("group sums of one's own numbers", |p, d, w| {
            let (levels, keys) = (p.put(&arr2(&[[0.0], [1.0]])), read(p, d, "group"));
            p.apply(group(GroupFunction::Sum), &[levels, keys, w])
        }),
        ("weighted moments", |p, d, w| {
            let x = c0(p, d);
            p.apply(stats(StatsOp::WeightedMoments { order: 2 }), &[x, w])
        }),
        ("weighted covariances", |p, d, w| {
            let x = p.read(d);
            let two = p.apply(op::columns(&[0, 1]), &[x]);
            p.apply(stats(StatsOp::WeightedCov), &[two, w])
        }),
    ];
    for (way, build) in ways {
        for (weight, w) in &singling() {
            let marks = weight.starts_with("a mark");
            // Who has a mark is in no cell of these, but in all.
            if marks && way.starts_with("weighted") {
                continue;
            }
            let attempt = |p: &mut Program, d: &str| {
                let w = p.put(w);
                build(p, d, w)
            };
            match ada.value(|p| attempt(p, "aggregate")).await {
                Err(refused) if is_denied(&refused) => {}
                // Those who have it are as many in each half.
                Ok(_) if marks && way != "rank sums" => {}
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
async fn few_rows_are_in_no_cell_of_a_table() {
    let attempts: &[Attempt] = &[
        ("four have it", |p, d| two_way(p, d, "rare", "group", (2, 2))),
        ("two of each half have it", |p, d| two_way(p, d, "group", "rare", (2, 2))),
        ("nobody has it", |p, d| two_way(p, d, "sex", "sex", (3, 3))),
        ("both of the same", |p, d| two_way(p, d, "group", "group", (2, 2))),
        ("all but one are in cells", |p, d| two_way(p, d, "class", "class", (2, 1))),
        ("all but the four who have it", |p, d| two_way(p, d, "rare", "rare", (1, 1))),
        ("all but the two who have gaps", |p, d| {
            let (gaps, zeros) = (read(p, d, "gaps"), p.fill(20, 1, 0.0));
            p.apply(table(2, 1), &[gaps, zeros])
        }),
        ("whether anybody is beyond, by one's own codes", |p, d| {
            let x = c0(p, d);
            let above = |p: &mut Program, at: f64| p.apply(op::with(BinaryFunction::Greater, at), &[x]);
            let (half, none) = (above(p, step(0, 10)), above(p, 99.0));
            let code = p.apply(op::add(), &[half, none]);
            let zeros = p.fill(20, 1, 0.0);
            p.apply(table(2, 1), &[code, zeros])
        }),
    ];
    refused_unless_public(attempts).await;
}

fn two_way(p: &mut Program, d: &str, a: &str, b: &str, (rows, columns): (u64, u64)) -> u64 {
    let (a, b) = (read(p, d, a), read(p, d, b));
    p.apply(table(rows, columns), &[a, b])
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_few_rows_have_no_sums() {
    let attempts: &[Attempt] = &[
        ("the sum of four who have it", |p, d| by(p, d, "rare", &[0.0, 1.0], GroupFunction::Sum)),
        ("the sum of those who have not", |p, d| by(p, d, "rare", &[0.0], GroupFunction::Sum)),
        ("the moments of four", |p, d| by(p, d, "rare", &[1.0], GroupFunction::Moments)),
        ("how many have it", |p, d| {
            let (levels, keys) = (p.put(&arr2(&[[1.0]])), read(p, d, "rare"));
            p.apply(group(GroupFunction::Count), &[levels, keys])
        }),
        ("one of a class", |p, d| by(p, d, "class", &[7.0], GroupFunction::Sum)),
        ("all but one of a class", |p, d| by(p, d, "class", &[0.0, 1.0], GroupFunction::Sum)),
        ("a minimum", |p, d| by(p, d, "group", &[0.0, 1.0], GroupFunction::Min)),
        ("a maximum", |p, d| by(p, d, "group", &[0.0, 1.0], GroupFunction::Max)),
        ("four by one's own labels", |p, d| {
            let (levels, keys, x) = (p.put(&arr2(&[[0.0], [1.0]])), p.put(&labels(4)), p.read(d));
            p.apply(group(GroupFunction::Sum), &[levels, keys, x])
        }),
        ("all but four by one's own labels", |p, d| {
            let (levels, keys, x) = (p.put(&arr2(&[[0.0]])), p.put(&labels(4)), p.read(d));
            p.apply(group(GroupFunction::Sum), &[levels, keys, x])
        }),
        ("groups that differ in one row", |p, d| {
            let levels = p.put(&arr2(&[[0.0]]));
            let x = c0(p, d);
            let sum = |p: &mut Program, rows: usize| {
                let keys = p.put(&labels(rows));
                p.apply(group(GroupFunction::Sum), &[levels, keys, x])
            };
            let (six, seven) = (sum(p, 6), sum(p, 7));
            p.apply(op::subtract(), &[seven, six])
        }),
        ("one row that is large, of a function", |p, d| {
            let x = read(p, d, "c2");
            let square = p.apply(op::multiply(), &[x, x]);
            let (levels, keys) = (p.put(&arr2(&[[0.0], [1.0]])), read(p, d, "group"));
            p.apply(group(GroupFunction::Sum), &[levels, keys, square])
        }),
        ("the levels", |p, d| {
            let keys = read(p, d, "group");
            p.apply(stats(StatsOp::Levels { most: 9 }), &[keys])
        }),
        ("the fourth power of one that is large", |p, d| {
            let (x, w) = (read(p, d, "c2"), p.fill(20, 1, 1.0));
            p.apply(stats(StatsOp::WeightedMoments { order: 4 }), &[x, w])
        }),
        ("three factors", |p, d| {
            let (x, w) = (read(p, d, "class"), read(p, d, "class"));
            let first = p.apply(op::with(BinaryFunction::Subtract, 1.0), &[w]);
            p.apply(stats(StatsOp::WeightedMoments { order: 2 }), &[x, first])
        }),
    ];
    refused_unless_public(attempts).await;
}

fn by(p: &mut Program, d: &str, keys: &str, levels: &[f64], function: GroupFunction) -> u64 {
    let levels = p.put(&Array2::from_shape_fn((levels.len(), 1), |(i, _)| levels[i]));
    let (keys, x) = (read(p, d, keys), p.apply(op::read_columns(d, &["c0", "c1"]), &[]));
    p.apply(group(function), &[levels, keys, x])
}

/// Levels, minima and maxima where the owner lets them out, of enough rows.
#[tokio::test(flavor = "multi_thread")]
async fn extremes_of_groups_are_the_owners_to_release() {
    let site = site().await;
    let ada = site.client("ada").await;
    let least = ada.value(|p| by(p, "open", "group", &[0.0, 1.0], GroupFunction::Min)).await.expect("extremes leave");
    let x = data();
    let expected = |rows: std::ops::Range<usize>, column: usize| {
        x.slice(s![rows, column]).iter().copied().fold(f64::INFINITY, f64::min)
    };
    assert_eq!(least, arr2(&[[expected(0..10, 0), expected(0..10, 1)], [expected(10..20, 0), expected(10..20, 1)]]));
    let levels = |column: &'static str| {
        ada.value(move |p| {
            let keys = read(p, "open", column);
            p.apply(stats(StatsOp::Levels { most: 3 }), &[keys])
        })
    };
    let found = levels("group").await.expect("each has ten rows");
    assert_eq!(found.slice(s![..3, ..]), arr2(&[[2.0, 0.0], [0.0, 10.0], [1.0, 10.0]]));
    for column in ["rare", "class", "gaps", "c0"] {
        let refused = levels(column).await.expect_err("a level has few rows, or a gap");
        assert!(is_denied(&refused), "{column}: {refused:?}");
    }
    let text = denied(&ada, |p| by(p, "open", "rare", &[0.0, 1.0], GroupFunction::Max)).await;
    assert!(text.contains("fewer than 5 rows"), "{text}");
}

async fn leaves(client: &Client, what: &str, build: impl FnOnce(&mut Program) -> u64, expected: &Array2<f64>) {
    match client.value(build).await {
        Err(refused) => panic!("{what}: {refused:?}"),
        Ok(value) => {
            let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 * (1.0 + b.abs());
            assert!(value.dim() == expected.dim() && value.iter().zip(expected).all(close), "{what}: {value:?}");
        }
    }
}

/// What they are for.
#[tokio::test(flavor = "multi_thread")]
async fn cells_of_enough_rows_leave() {
    let site = site().await;
    let ada = site.client("ada").await;
    let x = data();
    leaves(&ada, "ranks", |p| rank(p, "aggregate", &[5, 10, 15]), &Array2::from_elem((4, 1), 5.0)).await;
    let infinite = arr2(&[[f64::NEG_INFINITY], [step(0, 8)]]);
    let open = |p: &mut Program| {
        let (at, x) = (p.put(&infinite), c0(p, "aggregate"));
        p.apply(stats(StatsOp::RankCounts { ranks: Ranks::Present, weighted: false }), &[at, x])
    };
    leaves(&ada, "open bins", open, &arr2(&[[0.0], [8.0], [12.0]])).await;
    let function = |p: &mut Program| {
        let x = c0(p, "aggregate");
        let (e, at) = (p.apply(op::unary(Unary::Exp), &[x]), p.put(&arr2(&[[step(0, 9).exp()]])));
        p.apply(ranks(false), &[at, e])
    };
    leaves(&ada, "ranks of a function", function, &arr2(&[[9.0], [11.0]])).await;
    let sums = |p: &mut Program| {
        let (at, x) = (steps(p, 0, &[10]), c0(p, "aggregate"));
        p.apply(ranks(true), &[at, x, x])
    };
    let at = step(0, 10);
    let total = |below: bool| x.column(0).iter().filter(|x| (**x < at) == below).sum::<f64>();
    leaves(&ada, "sums between", sums, &arr2(&[[total(true)], [total(false)]])).await;
    let counts = |p: &mut Program| two_way(p, "aggregate", "half", "group", (2, 2));
    leaves(&ada, "a table", counts, &Array2::from_elem((2, 2), 5.0)).await;
    let halves = |p: &mut Program| {
        let (group, zeros) = (read(p, "aggregate", "group"), p.fill(20, 1, 0.0));
        p.apply(table(2, 1), &[group, zeros])
    };
    leaves(&ada, "a table of one", halves, &arr2(&[[10.0], [10.0]])).await;
    let level = |rows: std::ops::Range<usize>| x.slice(s![rows, ..2]).sum_axis(Along(0)).insert_axis(Along(0));
    let sums = concatenate![Along(0), level(0..10), level(10..20)];
    leaves(&ada, "group sums", |p| by(p, "aggregate", "group", &[0.0, 1.0], GroupFunction::Sum), &sums).await;
    let moments = |p: &mut Program| by(p, "aggregate", "group", &[0.0, 1.0], GroupFunction::Moments);
    let keys = column(|row| (row / 10) as f64);
    let two = x.slice(s![.., ..2]).to_owned();
    let expected = oracle::eval(&group(GroupFunction::Moments), &[&arr2(&[[0.0], [1.0]]), &keys, &two]);
    leaves(&ada, "group moments", moments, &expected).await;
    let even = column(|row| 0.5 + (row % 3) as f64);
    for op in [stats(StatsOp::WeightedMoments { order: 2 }), stats(StatsOp::WeightedCov)] {
        let weighted = |p: &mut Program| {
            let (x, w) = (p.apply(op::read_columns("aggregate", &["c0", "c1"]), &[]), p.put(&even));
            p.apply(op.clone(), &[x, w])
        };
        leaves(&ada, op.name(), weighted, &oracle::eval(&op, &[&two, &even])).await;
    }
}
