//! Shapes without cells, or with more than there is memory: refused or answered at once, by a real worker process,
//! which a wrong answer cannot take this test down with.

use std::time::Duration;

use fondaco_proto::{
    ErrorCode::{Invalid, Limit},
    Op,
    op::{AggregateFunction, Axis, Unary},
};

use super::clear;
use crate::harness::{Client, Folder, Process, Program, Table, op, status, within};

/// What a shape may take to be refused or made.
const AT_ONCE: Duration = Duration::from_secs(20);

async fn worker() -> (Process, Client) {
    let folder = Folder::new();
    Table::new().f64("x", vec![1.0; 8]).write_parquet(&folder.join("d.parquet"));
    let process = Process::serve(folder, &["ada"], &["--privacy", "public"]);
    let client = process.client("ada").await;
    (process, client)
}

/// The last variable of each is an absurdity.
type Absurdity = (&'static str, fn(&mut Program) -> u64);

async fn refused(cases: &[Absurdity]) {
    let (process, client) = worker().await;
    for (case, build) in cases {
        let result = within(AT_ONCE, case, client.bind(*build)).await;
        clear(case, &result.expect_err(case), &[Invalid, Limit]);
        within(AT_ONCE, "the next call", super::lives_on(&client)).await;
    }
    let held = status(process.address.port()).await;
    let held = held.memory_bytes.saturating_sub(held.cache_bytes);
    assert!(held < 1 << 20, "{held} bytes are still held, besides what is kept for reuse");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_cells_than_memory() {
    refused(&[
        ("2^63 rows", |p| p.fill(1 << 63, 1, 1.0)),
        ("2^63 x 2^63", |p| p.fill(1 << 63, 1 << 63, 1.0)),
        ("2^64 - 1 rows and columns", |p| p.fill(u64::MAX, u64::MAX, 1.0)),
        ("2^32 x 2^32", |p| p.fill(1 << 32, 1 << 32, 1.0)),
        ("2^60 random cells", |p| p.apply(op::rand(1 << 30, 1 << 30, 1), &[])),
        ("cells_max cells", |p| p.fill(1 << 36, 1, 1.0)),
        ("an outer product", |p| {
            let v = p.fill(1 << 18, 1, 1.0);
            let t = p.apply(op::transpose(), &[v]);
            p.apply(op::product(), &[v, t])
        }),
        ("a broadcast", |p| {
            let v = p.fill(1 << 18, 1, 1.0);
            let t = p.apply(op::transpose(), &[v]);
            p.apply(op::add(), &[v, t])
        }),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_without_columns() {
    refused(&[
        ("2^63 rows of none", |p| p.fill(1 << 63, 0, 1.0)),
        ("2^64 - 1 rows of none", |p| p.fill(u64::MAX, 0, 1.0)),
        ("2^40 random rows of none", |p| p.apply(op::rand(1 << 40, 0, 1), &[])),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_without_rows() {
    let (_process, client) = worker().await;
    let cases: &[(&str, Op)] = &[
        ("its transpose", op::transpose()),
        ("its sums", op::aggregate(AggregateFunction::Sum, Axis::Columns)),
        ("its row sums", op::aggregate(AggregateFunction::Sum, Axis::Rows)),
        ("its negative", op::unary(Unary::Negative)),
        ("its softmax", op::unary(Unary::Softmax)),
        ("its gram", op::gram()),
        ("it twice", op::vstack()),
    ];
    for columns in [1 << 20, 1 << 40, 1 << 63, u64::MAX] {
        for (case, op) in cases {
            let case = format!("{case}, of (0, {columns})");
            let bind = client.bind(|p| {
                let x = p.fill(0, columns, 1.0);
                let inputs = if case.contains("twice") { vec![x, x] } else { vec![x] };
                p.apply(op.clone(), &inputs)
            });
            if let Err(error) = within(AT_ONCE, &case, bind).await {
                clear(&case, &error, &[Invalid, Limit]);
            }
            within(AT_ONCE, "the next call", super::lives_on(&client)).await;
        }
    }
}

/// Extents that are fine one by one, and too much together.
#[tokio::test(flavor = "multi_thread")]
async fn sums_of_extents() {
    let (_process, client) = worker().await;
    let cases: &[(&str, Op)] = &[
        ("parts of a sum", op::sum()),
        ("a vstack", op::vstack()),
        ("a hstack", op::hstack()),
        ("a gram of parts", op::gram()),
    ];
    for (case, op) in cases {
        for (rows, columns) in [(1 << 63, 0), (0, 1 << 63), (u64::MAX, 0), (0, u64::MAX)] {
            let case = format!("{case}, of twice ({rows}, {columns})");
            let bind = client.bind(|p| {
                let x = p.fill(rows, columns, 1.0);
                p.apply(op.clone(), &[x, x])
            });
            if let Err(error) = within(AT_ONCE, &case, bind).await {
                clear(&case, &error, &[Invalid, Limit]);
            }
            within(AT_ONCE, "the next call", super::lives_on(&client)).await;
        }
    }
}
