//! `X.T @ f(X @ v)` in one pass over X: each block of rows is used twice while it is in cache.

use fondaco_proto::{
    Result,
    op::{Binary, BinaryFunction, ElementwiseOp},
};

use super::{
    super::{
        Context,
        blas::gemv,
        elementwise,
        view::{Panel, copy_vector, grouped, segments, vector_cells},
    },
    accumulate, general,
};
use crate::{
    matrix::{Matrix, Tile},
    memory::Buffer,
};

/// Rows of a block, of narrow matrices.
const BLOCK_ROWS: usize = 512;

/// Cells of a block (512 KiB), of wide ones.
const BLOCK_CELLS: usize = 1 << 16;

/// What happens to `X @ v` in the middle.
#[derive(Clone, Copy)]
pub enum Middle<'a> {
    /// Nothing.
    Plain,
    /// It is multiplied by weights.
    Weighted(&'a Matrix),
    /// A vector is subtracted.
    Minus(&'a Matrix),
}

impl Middle<'_> {
    /// Applies it to the cells of these rows.
    fn apply(self, rows: std::ops::Range<usize>, u: &mut [f64]) {
        match self {
            Self::Plain => {}
            Self::Weighted(w) => u.iter_mut().zip(vector_cells(w, rows)).for_each(|(u, w)| *u *= w),
            Self::Minus(y) => u.iter_mut().zip(vector_cells(y, rows)).for_each(|(u, y)| *u -= y),
        }
    }
}

/// The middle vector, `f(X @ v)`; `(n,d), (d,1) → (n,1)`.
pub fn middle(x: &Matrix, v: &Matrix, middle: Middle<'_>, cx: &Context<'_>) -> Result<Matrix> {
    let u = general::product(x, v, cx)?;
    let (function, operands) = match middle {
        Middle::Plain => return Ok(u),
        Middle::Weighted(w) => (BinaryFunction::Multiply, [w.clone(), u]),
        Middle::Minus(y) => (BinaryFunction::Subtract, [u, y.clone()]),
    };
    let shape = operands[0].shape();
    elementwise::run(&ElementwiseOp::Binary(Binary { function, scalar: None }), &operands, shape, cx)
}

/// `X.T @ f(X @ v)`; `(n,d), (d,1) → (d,1)`.
pub fn mmchain(x: &Matrix, v: &Matrix, f: Middle<'_>, cx: &Context<'_>) -> Result<Matrix> {
    let d = x.columns();
    if x.is_transposed() {
        return general::cross(x, &middle(x, v, f, cx)?, cx);
    }
    let mut coefficients = cx.memory.buffer(d)?;
    copy_vector(v, &mut coefficients);
    let groups = grouped(x.tiles().len(), accumulate::groups(d));
    let accumulators = cx.map(groups, |group| -> Result<Buffer> {
        let mut out = cx.memory.zeros(d)?;
        for tile in &x.tiles()[group] {
            cx.cancel.check()?;
            add_tile(tile, &coefficients, f, &mut out);
        }
        Ok(out)
    })?;
    let total = accumulate::merge(accumulators, cx)?;
    accumulate::from_columns(d, 1, |_| total.as_deref().unwrap_or(&[]), cx)
}

/// Adds a tile's part, block after block.
fn add_tile(tile: &Tile, v: &[f64], f: Middle<'_>, out: &mut [f64]) {
    let d = v.len();
    if d == 0 {
        return;
    }
    let mut scratch = [0.0; BLOCK_ROWS];
    let height = (BLOCK_CELLS / d).clamp(16, BLOCK_ROWS);
    for rows in segments(0..tile.rows(), height) {
        let u = &mut scratch[..rows.len()];
        let block = Panel {
            data: &tile.data()[rows.start..],
            stride: tile.rows(),
            rows: rows.len(),
            columns: d,
            transposed: false,
        };
        u.fill(0.0);
        gemv(block, v, u);
        f.apply(tile.first_row() + rows.start..tile.first_row() + rows.end, u);
        gemv(Panel { rows: d, columns: rows.len(), transposed: true, ..block }, u, out);
    }
}
