//! Seeded inputs, and runs on pools of several sizes whose bits must agree.

use std::sync::Arc;

use rayon::ThreadPoolBuilder;

use super::{Context, blas};
use crate::{cancel::Cancel, matrix::Matrix, memory::Memory};

/// A small deterministic generator (splitmix64).
pub struct Seeded(pub u64);

impl Seeded {
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [-1, 1).
    pub fn number(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    /// Less than `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.word() % bound as u64) as usize
    }
}

/// Shapes with every edge: none, one, a tile, a bit more, several, wide.
pub fn shapes() -> Vec<(usize, usize)> {
    let mut seeded = Seeded(11);
    let mut shapes =
        vec![(0, 0), (0, 3), (3, 0), (1, 1), (1, 7), (9, 1), (5, 3), (4096, 2), (4097, 1), (9001, 5), (300, 5000)];
    shapes.extend((0..4).map(|_| (1 + seeded.below(200), 1 + seeded.below(40))));
    shapes
}

pub fn values(seed: u64, count: usize) -> Vec<f64> {
    let mut seeded = Seeded(seed);
    (0..count).map(|_| seeded.number()).collect()
}

/// Cells uniform in [-1, 1).
pub fn random(seed: u64, rows: usize, columns: usize, cx: &Context<'_>) -> Matrix {
    matrix(rows, columns, &values(seed, rows * columns), cx)
}

/// The same, stored transposed if asked.
pub fn oriented(seed: u64, rows: usize, columns: usize, transposed: bool, cx: &Context<'_>) -> Matrix {
    if transposed { random(seed, columns, rows, cx).transpose() } else { random(seed, rows, columns, cx) }
}

/// From cells column after column.
pub fn matrix(rows: usize, columns: usize, cells: &[f64], cx: &Context<'_>) -> Matrix {
    Matrix::from_column_major(cx.memory, rows, columns, cells).unwrap()
}

/// From cells row after row, stored as the transpose.
pub fn flipped(rows: usize, columns: usize, cells: &[f64], cx: &Context<'_>) -> Matrix {
    matrix(columns, rows, cells, cx).transpose()
}

/// Runs serially and on pools of 1, 2 and 4 threads; all results must have the same bits.
pub fn for_each_pool(f: impl Fn(&Context<'_>) -> Matrix + Sync) {
    let bits = |matrix: &Matrix| matrix.to_column_major().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let serial = serially(|cx| bits(&f(cx)));
    for threads in [1, 2, 4] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let parallel = pool.install(|| within(true, |cx| bits(&f(cx))));
        assert!(serial == parallel, "other bits with {threads} threads");
    }
}

/// Runs on this thread.
pub fn serially<R>(f: impl FnOnce(&Context<'_>) -> R) -> R {
    within(false, f)
}

fn within<R>(parallel: bool, f: impl FnOnce(&Context<'_>) -> R) -> R {
    blas::single_threaded();
    let memory: Arc<Memory> = Memory::poisoned(4 << 30);
    let cancel = Cancel::default();
    let result = f(&Context { memory: &memory, cancel: &cancel, parallel });
    assert_eq!(memory.used_bytes(), 0, "a kernel kept memory");
    result
}
