//! Rows that are stacked, cut and put together again: counted as who they are, not as how many there seem to be.

use fondaco_proto::op::{AggregateFunction, Axis, BinaryFunction};

use super::{Attempt, refused_unless_public, transposed};
use crate::harness::{Program, op};

/// Rows from `start` to `end` of a value.
fn rows(program: &mut Program, x: u64, start: u64, end: u64) -> u64 {
    program.apply(op::slice(start..end, 0..3), &[x])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_row_does_not_count_twice() {
    let attempts: &[Attempt] = &[
        ("four rows, then again", |p, d| {
            let x = p.read(d);
            let four = p.apply(op::slice(0..4, 0..3), &[x]);
            let eight = p.apply(op::vstack(), &[four, four]);
            p.apply(op::sum(), &[eight])
        }),
        ("parts that are the same four rows", |p, d| {
            let x = p.read(d);
            let four = p.apply(op::slice(0..4, 0..3), &[x]);
            p.apply(op::sum(), &[four, four])
        }),
        ("one row six times, by the columns of the transpose", |p, d| {
            let x = p.read(d);
            let t = p.apply(op::transpose(), &[x]);
            let six = p.apply(op::columns(&[3, 3, 3, 3, 3, 3]), &[t]);
            p.apply(op::aggregate(AggregateFunction::Sum, Axis::Rows), &[six])
        }),
        ("four rows, read twice", |p, d| {
            let (x, y) = (p.read(d), p.read(d));
            let (a, b) = (p.apply(op::slice(0..4, 0..3), &[x]), p.apply(op::slice(0..4, 0..3), &[y]));
            p.apply(op::gram(), &[a, b])
        }),
        ("four rows, and the same ones reversed", |p, d| {
            let x = p.read(d);
            let (four, flipped) = (rows(p, x, 0, 4), p.apply(op::flip(), &[x]));
            let same = rows(p, flipped, 16, 20);
            p.apply(op::sum(), &[four, same])
        }),
        ("all rows less all but the last, reversed", |p, d| {
            let x = p.read(d);
            let flipped = p.apply(op::flip(), &[x]);
            let others = rows(p, flipped, 1, 20);
            let (all, others) = (p.apply(op::sum(), &[x]), p.apply(op::sum(), &[others]));
            p.apply(op::subtract(), &[all, others])
        }),
        ("two rows thrice, transposed and side by side", |p, d| {
            let x = p.read(d);
            let two = p.apply(op::slice(5..7, 0..3), &[x]);
            let t = p.apply(op::transpose(), &[two]);
            let six = p.apply(op::hstack(), &[t, t, t]);
            let ones = p.put(&transposed(&ndarray::Array2::ones((1, 6))));
            p.apply(op::product(), &[six, ones])
        }),
    ];
    refused_unless_public(attempts).await;
}

/// A dataset's parts may be summed together; but what was made of each before says how much its rows count.
#[tokio::test(flavor = "multi_thread")]
async fn other_rows_do_not_make_up_for_what_they_no_longer_hold() {
    let attempts: &[Attempt] = &[
        ("one row, and nineteen times nothing", |p, d| {
            let x = p.read(d);
            let nothing = p.apply(op::with(BinaryFunction::Multiply, 0.0), &[x]);
            let (one, others) = (rows(p, x, 0, 1), rows(p, nothing, 1, 20));
            p.apply(op::sum(), &[one, others])
        }),
        ("one row above X - X", |p, d| {
            let x = p.read(d);
            let nothing = p.apply(op::subtract(), &[x, x]);
            let (one, others) = (rows(p, x, 0, 1), rows(p, nothing, 1, 20));
            let all = p.apply(op::vstack(), &[one, others]);
            p.apply(op::sum(), &[all])
        }),
        ("one row, and the others times a zero matrix", |p, d| {
            let (x, zero) = (p.read(d), p.put(&ndarray::Array2::zeros((3, 3))));
            let nothing = p.apply(op::product(), &[x, zero]);
            let (one, others) = (rows(p, x, 0, 1), rows(p, nothing, 1, 20));
            p.apply(op::gram(), &[one, others])
        }),
        ("one row, a thousand million times", |p, d| {
            let x = p.read(d);
            let much = p.apply(op::with(BinaryFunction::Multiply, 1e9), &[x]);
            let (one, others) = (rows(p, much, 0, 1), rows(p, x, 1, 20));
            p.apply(op::mean(), &[one, others])
        }),
        ("one row, and the others standardised away", |p, d| {
            let (x, tiny) = (p.read(d), p.fill(1, 3, 1e-9));
            let small = p.apply(op::multiply(), &[x, tiny]);
            let (one, others) = (rows(p, x, 0, 1), rows(p, small, 1, 20));
            p.apply(op::aggregate(AggregateFunction::Var, Axis::Columns), &[one, others])
        }),
    ];
    refused_unless_public(attempts).await;
}

/// Rows that were put in another order are other rows than they seem when they are cut again.
#[tokio::test(flavor = "multi_thread")]
async fn another_order_does_not_hide_who_the_rows_are() {
    let attempts: &[Attempt] = &[
        ("the last row first, then a difference of sums", |p, d| {
            let x = p.read(d);
            let (tail, head) = (rows(p, x, 1, 20), rows(p, x, 0, 1));
            let turned = p.apply(op::vstack(), &[tail, head]);
            let (without_first, without_last) = (rows(p, turned, 0, 19), rows(p, x, 0, 19));
            let (a, b) = (p.apply(op::sum(), &[without_first]), p.apply(op::sum(), &[without_last]));
            p.apply(op::subtract(), &[a, b])
        }),
        ("four rows that seem to be others", |p, d| {
            let x = p.read(d);
            let (tail, head) = (rows(p, x, 4, 20), rows(p, x, 0, 4));
            let turned = p.apply(op::vstack(), &[tail, head]);
            let again = rows(p, turned, 16, 20);
            let eight = p.apply(op::vstack(), &[head, again]);
            p.apply(op::sum(), &[eight])
        }),
        ("the same by the columns of the transpose", |p, d| {
            let x = p.read(d);
            let t = p.apply(op::transpose(), &[x]);
            let (tail, head) = (p.apply(op::slice(0..3, 1..20), &[t]), p.apply(op::slice(0..3, 0..1), &[t]));
            let turned = p.apply(op::hstack(), &[tail, head]);
            let (a, b) = (p.apply(op::slice(0..3, 0..19), &[turned]), p.apply(op::slice(0..3, 0..19), &[t]));
            let sum = op::aggregate(AggregateFunction::Sum, Axis::Rows);
            let (a, b) = (p.apply(sum.clone(), &[a]), p.apply(sum, &[b]));
            p.apply(op::subtract(), &[a, b])
        }),
    ];
    refused_unless_public(attempts).await;
}
