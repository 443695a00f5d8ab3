//! Programs: atomic, named once, retried safely, cancelled cleanly, bounded.

mod atomic;
mod cancel;
mod flight;
mod lease;
mod offers;
mod quota;
mod retry;
mod transfer;

use crate::harness::{Client, Program, Random, op};

/// Extent of the matrices of slow programs.
const SLOW_EXTENT: u64 = 600;

/// Products of a program that takes its time: a second or so, much longer than it takes to see it run.
const SLOW_PRODUCTS: usize = 80;

/// A program that takes its time, on numbers of the tenant's own.
fn slow(client: &Client, seed: u64) -> (Program, u64) {
    let mut program = client.program();
    let first = program.apply(op::rand(SLOW_EXTENT, SLOW_EXTENT, seed), &[]);
    let last = program.chain(first, SLOW_PRODUCTS);
    (program, last)
}

/// A matrix of `n` seeded columns.
fn square(n: usize) -> ndarray::Array2<f64> {
    Random::new(n as u64).matrix(n, n)
}
