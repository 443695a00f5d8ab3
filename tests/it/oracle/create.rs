//! `np.array`, `np.full`, `np.arange`.

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
        CreateOp::Seq(seq) => {
            let delta = (seq.start + seq.step) - seq.start;
            let shape = (seq.shape.rows as usize, seq.shape.columns as usize);
            Expected::exact(Array2::from_shape_fn(shape, |(i, j)| {
                let (row, column) = (seq.row_offset + i as u64, seq.column_offset + j as u64);
                seq.start + (row * seq.columns + column) as f64 * delta
            }))
        }
        CreateOp::Read(_) | CreateOp::Rand(_) | CreateOp::Sample(_) => panic!("the oracle holds no data"),
    }
}
