//! Gaps. What operators on frames mean is written where they are tested: frames are no matrices.

use fondaco_proto::op::EncodeOp;
use ndarray::Array2;

use super::Expected;

/// The value of an operator of matrices.
///
/// # Panics
/// For operators on frames.
pub fn expected(op: &EncodeOp, inputs: &[&Array2<f64>]) -> Expected {
    let EncodeOp::FillMissing(values) = op else { panic!("a frame is no matrix") };
    Expected::exact(Array2::from_shape_fn(inputs[0].dim(), |(i, j)| {
        let cell = inputs[0][[i, j]];
        if cell.is_nan() { values[j] } else { cell }
    }))
}
