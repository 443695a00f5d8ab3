use fondaco_proto::{Op, Shape};

use super::super::{
    run as run_kernel,
    testing::{for_each_pool, serially, shapes, values},
};
use super::*;

#[test]
fn fills_and_puts() {
    for (rows, columns) in shapes() {
        let shape = Shape::new(rows as u64, columns as u64);
        let cells = values(4, rows * columns);
        for_each_pool(|cx| {
            let fill = Op::Create(CreateOp::Fill(Fill { shape, value: 2.5 }));
            let full = run_kernel(&fill, &[], cx).unwrap();
            assert_eq!(full.to_column_major(), vec![2.5; rows * columns]);
            let put = Op::Create(CreateOp::Put(Block::new(shape, &cells).unwrap()));
            let block = run_kernel(&put, &[], cx).unwrap();
            assert_eq!(block.to_column_major(), cells);
            block
        });
    }
}

#[test]
fn a_read_is_not_a_kernel() {
    let read = fondaco_proto::op::Read { dataset: "d".into(), columns: vec![], filter: None, frame: false };
    let error = serially(|cx| run_kernel(&Op::Create(CreateOp::Read(read)), &[], cx).unwrap_err());
    assert_eq!(error.code(), fondaco_proto::ErrorCode::Internal);
}
