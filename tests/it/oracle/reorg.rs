//! `X.T`, `np.vstack`, `np.hstack`.

use fondaco_proto::op::ReorgOp;
use ndarray::{Array2, ArrayView2, Axis, concatenate};

use super::Expected;

pub fn expected(op: ReorgOp, inputs: &[&Array2<f64>]) -> Expected {
    Expected::exact(match op {
        ReorgOp::Transpose => inputs[0].t().to_owned(),
        ReorgOp::Flip => inputs[0].slice(ndarray::s![..;-1, ..]).to_owned(),
        ReorgOp::Vstack => stack(inputs),
        ReorgOp::Hstack => join(inputs, 1),
    })
}

/// Row parts, one below the other.
pub fn stack(parts: &[&Array2<f64>]) -> Array2<f64> {
    join(parts, 0)
}

fn join(parts: &[&Array2<f64>], axis: usize) -> Array2<f64> {
    let views: Vec<ArrayView2<f64>> = parts.iter().map(|part| part.view()).collect();
    concatenate(Axis(axis), &views).expect("the parts fit")
}
