//! Operators over rows that are larger than the memory: a slab at a time, the next one being read meanwhile. The tiles,
//! and the order in which what comes of them is merged, are those of a matrix that is there, and so are the bits.

use fondaco_proto::{
    Op, Result, Shape,
    op::{ElementwiseOp, MatmulOp, SliceOp, Unary},
};

use super::{
    Context,
    lazy::Lazy,
    matmul::{
        chain::{Middle, Sums, Vector},
        general,
        gram::Gram,
    },
    slice::{copy_column, rows_of},
    view::copy_vector,
};
use crate::{
    matrix::{Builder, Matrix},
    source::{Slab, Streamed},
    value::Value,
};

/// A slab has this share of the memory, at most.
const MEMORY_SHARE: u64 = 8;

/// Bytes of a slab beyond which it gains nothing.
const SLAB_BYTES_MAX: u64 = 256 << 20;

/// A product with so many columns at most is computed tile by tile, however many tiles there are.
const PRODUCT_COLUMNS_MAX: u64 = 256;

/// A product over so many columns at most is computed in one part.
const PRODUCT_DEPTH_MAX: u64 = 4096;

/// The cells of some tiles.
pub enum Rows<'a> {
    /// They are here.
    Here(&'a Matrix),
    /// They are computed from what is here.
    Lazy(Lazy),
}

impl Rows<'_> {
    /// As a matrix.
    pub fn matrix(&self, cx: &Context<'_>) -> Result<Matrix> {
        match self {
            Self::Here(rows) => Ok((*rows).clone()),
            Self::Lazy(lazy) => lazy.to_matrix(cx),
        }
    }
}

/// Some tiles of a value that is read when it is needed.
pub struct Part<'a> {
    /// Their cells.
    pub value: Rows<'a>,
    /// The number of the first.
    pub first_tile: usize,
    /// The row that is the first.
    first_row: usize,
    /// What was read.
    read: &'a Matrix,
}

impl Part<'_> {
    /// The same rows of a value beside it.
    fn beside(&self, value: &Value, cx: &Context<'_>) -> Result<Matrix> {
        let rows = self.first_row..self.first_row + self.read.rows();
        match value {
            Value::Dense(matrix) => rows_of(matrix, rows, cx),
            Value::Sparse(sparse) => rows_of(&sparse.to_matrix(cx.memory)?, rows, cx),
            Value::Lazy(lazy) => lazy.over(self.read, self.first_row, cx)?.to_matrix(cx),
            Value::Streamed(_) => Ok(self.read.clone()),
            Value::Frame(_) => super::dense_one(value, cx),
        }
    }
}

/// Hands out all tiles of a value, in their order.
///
/// # Errors
/// Those of reading, and of `take`.
pub fn each(value: &Value, cx: &Context<'_>, mut take: impl FnMut(&Part<'_>) -> Result<()> + Send) -> Result<()> {
    let Some(streamed) = value.streamed() else { return Ok(()) };
    slabs(streamed, cx, |slab, read| {
        let value = match value {
            Value::Lazy(lazy) => Rows::Lazy(lazy.over(read, slab.first_row, cx)?),
            Value::Dense(_) | Value::Sparse(_) | Value::Streamed(_) | Value::Frame(_) => Rows::Here(read),
        };
        let first_tile = slab.first_row / read.tile_rows();
        take(&Part { value, first_tile, first_row: slab.first_row, read })
    })
}

/// Reads one slab after the other; the next one while one is taken, if there is room for both.
fn slabs(
    streamed: &Streamed,
    cx: &Context<'_>,
    mut take: impl FnMut(&Slab, &Matrix) -> Result<()> + Send,
) -> Result<()> {
    let memory = cx.memory.bytes_max();
    let share = (memory / MEMORY_SHARE).min(SLAB_BYTES_MAX);
    // Rather a larger slab than a row group that is decoded twice.
    let group = streamed.group_bytes_max();
    let bytes = if group <= memory / 5 * 3 { share.max(group) } else { share };
    let ahead = cx.parallel && bytes <= memory / 4;
    let slabs = streamed.slabs(bytes);
    let read = |i: usize, before: Option<&Matrix>| {
        slabs.get(i).map(|slab| streamed.read(slab, before, cx.memory, cx.cancel, cx.parallel)).transpose()
    };
    let mut next = read(0, None)?;
    let mut i = 0;
    while let Some([full, rest]) = next {
        next = if ahead {
            let (taken, read) = rayon::join(|| take(&slabs[i], &full), || read(i + 1, Some(&rest)));
            taken?;
            read?
        } else {
            take(&slabs[i], &full)?;
            drop(full);
            read(i + 1, Some(&rest))?
        };
        i += 1;
    }
    Ok(())
}

/// A product of which rows are read when they are needed; `None` where they have to be there first.
pub fn matmul(op: MatmulOp, inputs: &[Value], cx: &Context<'_>) -> Result<Option<Matrix>> {
    // What is beside the rows that are read is read with them, or is here.
    if !Streamed::is_one(inputs.iter().filter_map(Value::streamed)) {
        return Ok(None);
    }
    match (op, inputs) {
        (MatmulOp::Gram, [x]) => gram(x, cx).map(Some),
        (MatmulOp::Product, [Value::Streamed(x), Value::Dense(v)])
            if v.shape().columns <= PRODUCT_COLUMNS_MAX && v.shape().rows <= PRODUCT_DEPTH_MAX =>
        {
            product(x, v, cx).map(Some)
        }
        (MatmulOp::Cross, [x, y]) if x.streamed().is_some() && y.shape().columns == 1 => {
            chain(x, cx, |part| Ok((Some(part.beside(y, cx)?), None)), None).map(Some)
        }
        (MatmulOp::Mmchain, [Value::Dense(v), x]) => chain(x, cx, |_| Ok((None, None)), Some(v)).map(Some),
        (MatmulOp::MmchainWeighted, [Value::Dense(v), x, w]) if x.streamed().is_some() => {
            chain(x, cx, |part| Ok((Some(part.beside(w, cx)?), Some(true))), Some(v)).map(Some)
        }
        (MatmulOp::MmchainMinus, [Value::Dense(v), x, y]) if x.streamed().is_some() => {
            chain(x, cx, |part| Ok((Some(part.beside(y, cx)?), Some(false))), Some(v)).map(Some)
        }
        (
            MatmulOp::Gram
            | MatmulOp::Product
            | MatmulOp::Cross
            | MatmulOp::Mmchain
            | MatmulOp::MmchainWeighted
            | MatmulOp::MmchainMinus
            | MatmulOp::Factorised(_),
            _,
        ) => Ok(None),
    }
}

fn gram(x: &Value, cx: &Context<'_>) -> Result<Matrix> {
    let mut gram = Gram::new(x.shape(), cx)?;
    each(x, cx, |part| gram.add(&part.value.matrix(cx)?, part.first_tile, cx))?;
    gram.finish(cx)
}

/// `X.T @ f(X @ v)` or, without v, `X.T @ u`: `beside` gives u, or the third operand and whether it is a weight.
fn chain(
    x: &Value,
    cx: &Context<'_>,
    beside: impl Fn(&Part<'_>) -> Result<(Option<Matrix>, Option<bool>)> + Sync,
    v: Option<&Matrix>,
) -> Result<Matrix> {
    let mut sums = Sums::new(x.shape(), cx)?;
    let mut coefficients = cx.memory.buffer(v.map_or(0, Matrix::rows))?;
    if let Some(v) = v {
        copy_vector(v, &mut coefficients);
    }
    each(x, cx, |part| {
        let (third, weight) = beside(part)?;
        let vector = match (v, &third, weight) {
            (None, Some(u), _) => Vector::Stored(u),
            (Some(_), Some(w), Some(true)) => Vector::Middle(&coefficients, Middle::Weighted(w)),
            (Some(_), Some(y), _) => Vector::Middle(&coefficients, Middle::Minus(y)),
            (_, None, _) => Vector::Middle(&coefficients, Middle::Plain),
        };
        sums.add(&part.value.matrix(cx)?, vector, part.first_tile, cx)
    })?;
    sums.finish(cx)
}

/// `X @ Y`; `(n,d), (d,k) → (n,k)`.
fn product(x: &Streamed, y: &Matrix, cx: &Context<'_>) -> Result<Matrix> {
    let shape = Shape::new(x.shape().rows, y.shape().columns);
    let x = Value::Streamed(x.clone());
    collected(&x, shape, cx, |part| general::product(&part.value.matrix(cx)?, y, cx))
}

/// `|X| @ |v|` of rows that are read when they are needed; without v, the sums of the magnitudes of each row.
///
/// # Errors
/// `Limit` if the memory does not suffice; those of reading.
pub fn magnitudes(x: &Value, v: Option<&Matrix>, cx: &Context<'_>) -> Result<Matrix> {
    let abs = Op::Elementwise(ElementwiseOp::Unary(Unary::Abs));
    let of = |matrix: Matrix| super::run(&abs, &[matrix], cx);
    let factor = match v {
        Some(v) => of(v.clone())?,
        None => {
            let ones = vec![1.0; x.shape().columns as usize];
            Matrix::from_column_major(cx.memory, ones.len(), 1, &ones)?
        }
    };
    let shape = Shape::new(x.shape().rows, factor.shape().columns);
    collected(x, shape, cx, |part| general::product(&of(part.value.matrix(cx)?)?, &factor, cx))
}

/// All of a value that is computed from rows that are read.
///
/// # Errors
/// `Limit` if the memory does not suffice; those of reading.
pub fn gathered(value: &Value, cx: &Context<'_>) -> Result<Matrix> {
    collected(value, value.shape(), cx, |part| part.value.matrix(cx))
}

/// A matrix of this shape from what `make` makes of the rows of each part.
fn collected(
    value: &Value,
    shape: Shape,
    cx: &Context<'_>,
    make: impl Fn(&Part<'_>) -> Result<Matrix> + Sync,
) -> Result<Matrix> {
    let mut out = Builder::new(cx.memory, shape.rows as usize, shape.columns as usize)?;
    let mut tiles: Vec<_> = out.tiles_mut().collect();
    each(value, cx, |part| {
        let made = make(part)?;
        let (mut first, end) = (part.first_row, part.first_row + made.rows());
        while first < end {
            let at = tiles.partition_point(|tile| tile.first_row <= first) - 1;
            let tile = &mut tiles[at];
            let (from, count) = (first - tile.first_row, (tile.first_row + tile.rows).min(end) - first);
            for (column, cells) in tile.data.chunks_exact_mut(tile.rows).enumerate() {
                copy_column(&made, column, first - part.first_row, &mut cells[from..from + count]);
            }
            first += count;
        }
        Ok(())
    })?;
    drop(tiles);
    Ok(out.finish())
}

/// Fewer rows or columns, which need not be read for that.
pub fn slice(op: &SliceOp, x: &Streamed) -> Option<Streamed> {
    let Shape { rows: n, columns: d } = x.shape();
    let indices = |indices: &mut dyn Iterator<Item = u64>| indices.map(|index| index as usize).collect::<Vec<_>>();
    match op {
        SliceOp::Range { rows, columns } if rows.end <= n && columns.end <= d => {
            Some(x.slice(rows.start as usize..rows.end as usize, &indices(&mut columns.clone())))
        }
        SliceOp::Columns(list) if list.iter().all(|index| *index < d) => {
            Some(x.slice(0..n as usize, &indices(&mut list.iter().copied())))
        }
        SliceOp::Range { .. } | SliceOp::Columns(_) | SliceOp::Rows(_) | SliceOp::Set { .. } | SliceOp::FilterRows => {
            None
        }
    }
}
