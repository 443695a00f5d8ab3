//! `X[i:j, k:l]`, `X[:, list]`, `X[list]`, `X[i:j, k:l] = Y`, `X[mask]`.

use fondaco_proto::op::SliceOp;
use ndarray::{Array2, Axis, s};

use super::Expected;

pub fn expected(op: &SliceOp, inputs: &[&Array2<f64>]) -> Expected {
    let x = inputs[0];
    let listed = |indices: &[u64]| indices.iter().map(|&index| index as usize).collect::<Vec<_>>();
    Expected::exact(match op {
        SliceOp::Range { rows, columns } => {
            let (rows, columns) =
                (rows.start as usize..rows.end as usize, columns.start as usize..columns.end as usize);
            x.slice(s![rows, columns]).to_owned()
        }
        SliceOp::Columns(indices) => x.select(Axis(1), &listed(indices)),
        SliceOp::Rows(indices) => x.select(Axis(0), &listed(indices)),
        SliceOp::Set { rows, columns } => Array2::from_shape_fn(x.dim(), |(i, j)| {
            if !rows.contains(&(i as u64)) || !columns.contains(&(j as u64)) {
                return x[[i, j]];
            }
            let (i, j) = (i - rows.start as usize, j - columns.start as usize);
            inputs[1][[i.min(inputs[1].nrows() - 1), j.min(inputs[1].ncols() - 1)]]
        }),
        SliceOp::FilterRows => {
            let taken = (0..x.nrows()).filter(|row| inputs[1][[*row, 0]] != 0.0);
            x.select(Axis(0), &taken.collect::<Vec<_>>())
        }
    })
}
