//! `X[i:j, k:l]`, `X[:, list]`.

use fondaco_proto::op::SliceOp;
use ndarray::{Array2, Axis, s};

use super::Expected;

pub fn expected(op: &SliceOp, x: &Array2<f64>) -> Expected {
    Expected::exact(match op {
        SliceOp::Range { rows, columns } => {
            let (rows, columns) =
                (rows.start as usize..rows.end as usize, columns.start as usize..columns.end as usize);
            x.slice(s![rows, columns]).to_owned()
        }
        SliceOp::Columns(indices) => {
            let indices: Vec<usize> = indices.iter().map(|&index| index as usize).collect();
            x.select(Axis(1), &indices)
        }
    })
}
