//! `X.T @ f(X @ v)` in one pass over X: each block of rows is used twice while it is in cache.

use std::ops::Range;

use fondaco_proto::{
    Result, Shape,
    op::{Binary, BinaryFunction, ElementwiseOp},
    tile_rows,
};

use super::{
    super::{
        Context,
        blas::gemv,
        elementwise,
        lazy::{Lazy, Node, Scratch},
        view::{Panel, copy_vector, grouped, overlap, segments, vector_cells},
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

/// What X is multiplied with from the left, transposed: a vector whose cells are made block by block.
#[derive(Clone, Copy)]
pub enum Vector<'a> {
    /// `f(X @ v)`, of the same X.
    Middle(&'a [f64], Middle<'a>),
    /// It is there.
    Stored(&'a Matrix),
    /// It is computed.
    Lazy(&'a Node),
}

impl Middle<'_> {
    /// Applies it to the cells of these rows.
    fn apply(self, rows: Range<usize>, u: &mut [f64]) {
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
    if x.is_transposed() {
        return general::cross(x, &middle(x, v, f, cx)?, cx);
    }
    let mut coefficients = cx.memory.buffer(x.columns())?;
    copy_vector(v, &mut coefficients);
    summed(x, Vector::Middle(&coefficients, f), cx)
}

/// `X.T @ u` of an X that is stored as it is; `(n,d), (n,1) → (d,1)`.
pub fn cross_vector(x: &Matrix, u: &Matrix, cx: &Context<'_>) -> Result<Matrix> {
    summed(x, Vector::Stored(u), cx)
}

/// The same of a vector that is not there yet: each block of it is computed just before it is used. If that needs
/// the same rows of X, they are still in cache.
pub fn cross_lazy(x: &Matrix, u: &Lazy, cx: &Context<'_>) -> Result<Matrix> {
    let _scratch = cx.memory.ticket(accumulate::groups(x.columns()) as u64 * Scratch::bytes(u.node()))?;
    summed(x, Vector::Lazy(u.node()), cx)
}

fn summed(x: &Matrix, vector: Vector<'_>, cx: &Context<'_>) -> Result<Matrix> {
    let mut sums = Sums::new(x.shape(), cx)?;
    sums.add(x, vector, 0, cx)?;
    sums.finish(cx)
}

/// `X.T @ u` in the making, of an X and a u that come a few tiles at a time.
pub struct Sums {
    d: usize,
    groups: Vec<Range<usize>>,
    /// One for each group of tiles.
    accumulators: Vec<Buffer>,
}

impl Sums {
    /// Of an X of this shape.
    pub fn new(shape: Shape, cx: &Context<'_>) -> Result<Self> {
        let (n, d) = (shape.rows as usize, shape.columns as usize);
        let groups = grouped(n.div_ceil(tile_rows(shape.columns) as usize), accumulate::groups(d));
        let accumulators = groups.iter().map(|_| cx.memory.zeros(d)).collect::<Result<_>>()?;
        Ok(Self { d, groups, accumulators })
    }

    /// Takes the next tiles of X, and as many rows of u; `first_tile` is the number of the first.
    pub fn add(&mut self, x: &Matrix, vector: Vector<'_>, first_tile: usize, cx: &Context<'_>) -> Result<()> {
        let tasks = self.groups.iter().zip(&mut self.accumulators);
        let tasks = tasks.filter_map(|(group, out)| Some((overlap(group, first_tile, x.tiles().len())?, out)));
        cx.each(tasks.collect(), |(here, out): (Range<usize>, &mut Buffer)| {
            let mut scratch = Scratch::default();
            for tile in &x.tiles()[here] {
                cx.cancel.check()?;
                add_tile(tile, vector, out, &mut scratch);
            }
            Ok(())
        })
    }

    /// The product, `(d, 1)`.
    pub fn finish(self, cx: &Context<'_>) -> Result<Matrix> {
        let total = accumulate::merge(self.accumulators, cx)?;
        accumulate::from_columns(self.d, 1, |_| total.as_deref().unwrap_or(&[]), cx)
    }
}

/// Adds a tile's part, block after block.
fn add_tile(tile: &Tile, vector: Vector<'_>, out: &mut [f64], scratch: &mut Scratch) {
    let d = out.len();
    if d == 0 {
        return;
    }
    let mut block = [0.0; BLOCK_ROWS];
    let height = (BLOCK_CELLS / d).clamp(16, BLOCK_ROWS);
    for rows in segments(0..tile.rows(), height) {
        let u = &mut block[..rows.len()];
        let stored = tile.first_row() + rows.start..tile.first_row() + rows.end;
        let x = Panel {
            data: &tile.data()[rows.start..],
            stride: tile.rows(),
            rows: rows.len(),
            columns: d,
            transposed: false,
        };
        match vector {
            Vector::Middle(v, f) => {
                u.fill(0.0);
                gemv(x, v, u);
                f.apply(stored, u);
            }
            Vector::Stored(vector) => u.copy_from_slice(vector_cells(vector, stored)),
            Vector::Lazy(node) => node.fill(stored, 0, u, scratch),
        }
        gemv(Panel { rows: d, columns: rows.len(), transposed: true, ..x }, u, out);
    }
}
