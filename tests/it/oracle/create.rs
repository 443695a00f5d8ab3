//! `np.array`, `np.full`.

use fondaco_proto::op::CreateOp;
use ndarray::Array2;

use super::Expected;

pub fn expected(op: &CreateOp) -> Expected {
    match op {
        CreateOp::Put(block) => {
            let (rows, columns) = (block.shape().rows as usize, block.shape().columns as usize);
            let transposed = Array2::from_shape_vec((columns, rows), block.values()).expect("a block fits its shape");
            Expected::exact(transposed.reversed_axes())
        }
        CreateOp::Fill(fill) => {
            let shape = (fill.shape.rows as usize, fill.shape.columns as usize);
            Expected::exact(Array2::from_elem(shape, fill.value))
        }
        CreateOp::Read(_) | CreateOp::Rand(_) => panic!("the oracle holds no data"),
    }
}
