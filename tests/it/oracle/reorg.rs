//! `X.T`, `np.vstack`, `np.hstack`, `np.flip`, `np.diagonal`, `np.tril`, `np.reshape`, `np.argsort`, `np.unique`.

use std::cmp::Ordering;

use fondaco_proto::op::ReorgOp;
use ndarray::{Array2, ArrayView2, Axis, concatenate, s};

use super::Expected;

pub fn expected(op: ReorgOp, inputs: &[&Array2<f64>]) -> Expected {
    let x = inputs[0];
    Expected::exact(match op {
        ReorgOp::Transpose => x.t().to_owned(),
        ReorgOp::Flip => x.slice(s![..;-1, ..]).to_owned(),
        ReorgOp::FlipColumns => x.slice(s![.., ..;-1]).to_owned(),
        ReorgOp::Vstack => stack(inputs),
        ReorgOp::Hstack => join(inputs, 1),
        ReorgOp::Unique => unique(x),
        ReorgOp::Diagonal { offset } => {
            let on = x.indexed_iter().filter(|((i, j), _)| beside(*i, *j) == i128::from(offset));
            column(on.map(|(_, cell)| *cell).collect())
        }
        ReorgOp::Diag { columns, offset } => Array2::from_shape_fn((x.nrows(), columns as usize), |(i, j)| {
            if beside(i, j) == i128::from(offset) { x[[i, 0]] } else { 0.0 }
        }),
        ReorgOp::Triangle { upper, k } => Array2::from_shape_fn(x.dim(), |(i, j)| {
            let kept = if upper { beside(i, j) >= i128::from(k) } else { beside(i, j) <= i128::from(k) };
            if kept { x[[i, j]] } else { 0.0 }
        }),
        ReorgOp::Reshape(shape) => {
            let cells = x.iter().copied().collect();
            Array2::from_shape_vec((shape.rows as usize, shape.columns as usize), cells).expect("as many cells")
        }
        ReorgOp::Sort { by, descending, indices } => {
            let order = order(x, by as usize, descending);
            if indices { column(order.iter().map(|row| *row as f64).collect()) } else { x.select(Axis(0), &order) }
        }
    })
}

/// How far a cell is right of the main diagonal.
fn beside(i: usize, j: usize) -> i128 {
    j as i128 - i as i128
}

fn column(cells: Vec<f64>) -> Array2<f64> {
    Array2::from_shape_vec((cells.len(), 1), cells).expect("one column")
}

/// NaN last.
fn compare(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn order(x: &Array2<f64>, by: usize, descending: bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..x.nrows()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (x[[a, by]], x[[b, by]]);
        if descending && !a.is_nan() && !b.is_nan() { compare(b, a) } else { compare(a, b) }
    });
    order
}

fn unique(x: &Array2<f64>) -> Array2<f64> {
    let mut cells: Vec<f64> = x.iter().copied().collect();
    cells.sort_by(|a, b| compare(*a, *b));
    let groups: Vec<&[f64]> = cells.chunk_by(|a, b| compare(*a, *b).is_eq()).collect();
    Array2::from_shape_fn((groups.len(), 2), |(i, j)| if j == 0 { groups[i][0] } else { groups[i].len() as f64 })
}

/// Row parts, one below the other.
pub fn stack(parts: &[&Array2<f64>]) -> Array2<f64> {
    join(parts, 0)
}

fn join(parts: &[&Array2<f64>], axis: usize) -> Array2<f64> {
    let views: Vec<ArrayView2<f64>> = parts.iter().map(|part| part.view()).collect();
    concatenate(Axis(axis), &views).expect("the parts fit")
}
