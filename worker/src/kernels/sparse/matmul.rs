//! Products. A factor that is not finite makes NaN of the zeros of the other: that is left to the dense kernels.

use std::ops::Range;

use fondaco_proto::{Error, Result, op::MatmulOp};

use super::{
    super::{
        Context, elementwise,
        matmul::accumulate,
        view::{copy_vector, grouped, segments, units},
    },
    is_chain, is_finite,
};
use crate::{
    matrix::{Builder, Matrix},
    memory::Buffer,
    sparse::Sparse,
    value::Value,
};

/// Columns of a panel of a result that is as wide as a sparse factor.
const PANEL: usize = 1024;

/// The product of all parts; `None` if it has to be computed of dense matrices.
pub fn run(op: MatmulOp, inputs: &[Value], cx: &Context<'_>) -> Result<Option<Matrix>> {
    let mut parts = Vec::new();
    let (head, groups) = if is_chain(op) { inputs.split_at(1) } else { inputs.split_at(0) };
    let size = match op {
        MatmulOp::Gram | MatmulOp::Mmchain => 1,
        MatmulOp::Product | MatmulOp::Cross | MatmulOp::MmchainWeighted | MatmulOp::MmchainMinus => 2,
        MatmulOp::Factorised(_) => return Ok(None),
    };
    for group in groups.chunks_exact(size) {
        let part = match (op, head, group) {
            (MatmulOp::Gram, _, [Value::Sparse(x)]) => gram(x, cx)?,
            (MatmulOp::Product, _, [Value::Sparse(x), Value::Dense(y)]) => product(x, y, cx)?,
            (MatmulOp::Product, _, [Value::Dense(x), Value::Sparse(y)]) => {
                product(&y.transpose(), &x.transpose(), cx)?.map(|product| product.transpose())
            }
            (MatmulOp::Cross, _, [Value::Sparse(x), Value::Dense(y)]) => product(&x.transpose(), y, cx)?,
            (MatmulOp::Cross, _, [Value::Dense(x), Value::Sparse(y)]) => {
                product(&y.transpose(), x, cx)?.map(|product| product.transpose())
            }
            (MatmulOp::Mmchain, [Value::Dense(v)], [Value::Sparse(x)]) => chain(x, v, |_, u| u, cx)?,
            (MatmulOp::MmchainWeighted, [Value::Dense(v)], [Value::Sparse(x), Value::Dense(w)]) if is_finite(w) => {
                let w = vector(w, cx)?;
                chain(x, v, |row, u| w[row] * u, cx)?
            }
            (MatmulOp::MmchainMinus, [Value::Dense(v)], [Value::Sparse(x), Value::Dense(y)]) if is_finite(y) => {
                let y = vector(y, cx)?;
                chain(x, v, |row, u| u - y[row], cx)?
            }
            _dense => None,
        };
        let Some(part) = part else { return Ok(None) };
        parts.push(part);
    }
    elementwise::sum(parts, cx)
}

fn vector(matrix: &Matrix, cx: &Context<'_>) -> Result<Buffer> {
    let mut cells = cx.memory.buffer(matrix.rows() * matrix.columns())?;
    copy_vector(matrix, &mut cells);
    Ok(cells)
}

/// Whether all cells are numbers that 0 stays 0 with.
fn is_finite_sparse(x: &Sparse) -> bool {
    (0..x.stored_rows()).all(|row| x.row(row).1.iter().all(|value| value.is_finite()))
}

/// `X @ Y`.
fn product(x: &Sparse, y: &Matrix, cx: &Context<'_>) -> Result<Option<Matrix>> {
    if !is_finite(y) || (x.is_transposed() && !is_finite_sparse(x)) {
        return Ok(None);
    }
    let y = by_rows(y, cx)?;
    if x.is_transposed() { scattered(x, &y, cx).map(Some) } else { gathered(x, &y, cx).map(Some) }
}

/// The cells of a dense matrix, row after row.
struct ByRows {
    cells: Buffer,
    columns: usize,
}

impl ByRows {
    fn row(&self, row: usize) -> &[f64] {
        &self.cells[row * self.columns..(row + 1) * self.columns]
    }
}

fn by_rows(y: &Matrix, cx: &Context<'_>) -> Result<ByRows> {
    let (rows, columns) = (y.rows(), y.columns());
    let mut cells = cx.memory.buffer(rows * columns)?;
    for (row, out) in cells.chunks_exact_mut(columns.max(1)).enumerate() {
        for (column, out) in out.iter_mut().enumerate() {
            *out = y.get(row, column);
        }
    }
    Ok(ByRows { cells, columns })
}

/// Each row of X says which rows of Y are added up.
fn gathered(x: &Sparse, y: &ByRows, cx: &Context<'_>) -> Result<Matrix> {
    let mut builder = Builder::new(cx.memory, x.stored_rows(), y.columns)?;
    cx.each(units(&mut builder), |mut unit| {
        let rows = unit.row_range();
        for (column, out) in unit.columns() {
            for (row, out) in rows.clone().zip(out) {
                let (indices, values) = x.row(row);
                let terms = indices.iter().zip(values).map(|(i, value)| value * y.row(*i as usize)[column]);
                *out = terms.sum();
            }
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// `X.T @ Y` of a stored X: each row of it says to which rows of the result the row of Y is added.
fn scattered(x: &Sparse, y: &ByRows, cx: &Context<'_>) -> Result<Matrix> {
    let (d, k, blocks) = (x.stored_columns(), y.columns, x.blocks());
    let accumulators = cx.map(grouped(blocks.len(), accumulate::groups(d * k)), |group| -> Result<Buffer> {
        let mut out = cx.memory.zeros(d * k)?;
        for rows in &blocks[group] {
            cx.cancel.check()?;
            for row in rows.clone() {
                let (indices, values) = x.row(row);
                for (column, value) in indices.iter().zip(values) {
                    let out = &mut out[*column as usize * k..][..k];
                    out.iter_mut().zip(y.row(row)).for_each(|(out, y)| *out += value * y);
                }
            }
        }
        Ok(out)
    })?;
    let total = accumulate::merge(accumulators, cx)?;
    let total = total.ok_or_else(|| Error::internal("a sum without accumulators"))?;
    let mut builder = Builder::new(cx.memory, d, k)?;
    cx.each(units(&mut builder), |mut unit| {
        let rows = unit.row_range();
        for (column, out) in unit.columns() {
            rows.clone().zip(out).for_each(|(row, out)| *out = total[row * k + column]);
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// `X.T @ f(X @ v)`; `f` gets the row and its product.
fn chain(x: &Sparse, v: &Matrix, f: impl Fn(usize, f64) -> f64 + Sync, cx: &Context<'_>) -> Result<Option<Matrix>> {
    if x.is_transposed() || !is_finite(v) || !is_finite_sparse(x) {
        return Ok(None);
    }
    let (v, d, blocks) = (vector(v, cx)?, x.stored_columns(), x.blocks());
    let accumulators = cx.map(grouped(blocks.len(), accumulate::groups(d)), |group| -> Result<Buffer> {
        let mut out = cx.memory.zeros(d)?;
        for rows in &blocks[group] {
            cx.cancel.check()?;
            for row in rows.clone() {
                let (indices, values) = x.row(row);
                let u: f64 = indices.iter().zip(values).map(|(i, value)| value * v[*i as usize]).sum();
                let u = f(row, u);
                indices.iter().zip(values).for_each(|(i, value)| out[*i as usize] += value * u);
            }
        }
        Ok(out)
    })?;
    let total = accumulate::merge(accumulators, cx)?;
    accumulate::from_columns(d, 1, |_| total.as_deref().unwrap_or(&[]), cx).map(Some)
}

/// `X.T @ X`: the pairs of cells of each row, a panel of columns at a time.
fn gram(x: &Sparse, cx: &Context<'_>) -> Result<Option<Matrix>> {
    if x.is_transposed() || !is_finite_sparse(x) {
        return Ok(None);
    }
    let d = x.stored_columns();
    let mut builder = Builder::new(cx.memory, d, d)?;
    // Column-major panels of all rows, as tiles cut rows.
    let panels: Vec<Range<usize>> = segments(0..d, PANEL).collect();
    let sums = cx.map(panels, |panel| -> Result<(Range<usize>, Buffer)> {
        let mut out = cx.memory.zeros(d * panel.len())?;
        for rows in x.blocks() {
            cx.cancel.check()?;
            for row in rows {
                let (indices, values) = x.row(row);
                let first = indices.partition_point(|column| (*column as usize) < panel.start);
                for (column, value) in indices[first..].iter().zip(&values[first..]) {
                    if *column as usize >= panel.end {
                        break;
                    }
                    let out = &mut out[(*column as usize - panel.start) * d..][..d];
                    indices.iter().zip(values).for_each(|(i, other)| out[*i as usize] += other * value);
                }
            }
        }
        Ok((panel, out))
    })?;
    for tile in builder.tiles_mut() {
        for (panel, sums) in &sums {
            for (column, cells) in panel.clone().zip(sums.chunks_exact(d)) {
                let out = &mut tile.data[column * tile.rows..][..tile.rows];
                out.copy_from_slice(&cells[tile.first_row..tile.first_row + tile.rows]);
            }
        }
    }
    Ok(Some(builder.finish()))
}
