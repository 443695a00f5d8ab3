//! Operators in short.

use std::ops::Range;

use fondaco_proto::{
    Block, Op, Shape,
    op::{
        AggregateFunction, AggregateOp, Axis, Binary, BinaryFunction, Compare, CompareOp, CreateOp, Cumulate,
        CumulateFunction, Distinct, Distribution, ElementwiseOp, Factorised, Fill, Filter, Literal, MatmulOp, Rand,
        Read, ReorgOp, Scalar, SliceOp, SumProduct, Ternary, Unary,
    },
};
use ndarray::Array2;

use super::tiles;

pub fn read(dataset: &str) -> Op {
    read_columns(dataset, &[])
}

pub fn read_columns(dataset: &str, columns: &[&str]) -> Op {
    Op::Create(CreateOp::Read(reading(dataset, columns, None)))
}

pub fn read_where(dataset: &str, filter: Filter) -> Op {
    Op::Create(CreateOp::Read(reading(dataset, &[], Some(filter))))
}

pub fn reading(dataset: &str, columns: &[&str], filter: Option<Filter>) -> Read {
    let columns = columns.iter().map(|&c| c.to_owned()).collect();
    Read { dataset: dataset.to_owned(), columns, filter, frame: false }
}

/// `column op number`, as a filter.
pub fn compare(column: &str, op: CompareOp, number: f64) -> Filter {
    Filter::Compare(Compare { column: column.to_owned(), op, literal: Literal::Number(number) })
}

pub fn put(matrix: &Array2<f64>) -> Op {
    let block = Block::new(tiles::shape(matrix), &tiles::column_major(matrix));
    Op::Create(CreateOp::Put(block.expect("a matrix has as many cells as its shape")))
}

pub fn fill(rows: u64, columns: u64, value: f64) -> Op {
    Op::Create(CreateOp::Fill(Fill { shape: Shape::new(rows, columns), value }))
}

/// Uniform in `[0, 1)`.
pub fn rand(rows: u64, columns: u64, seed: u64) -> Op {
    let distribution = Distribution::Uniform { low: 0.0, high: 1.0 };
    let shape = Shape::new(rows, columns);
    Op::Create(CreateOp::Rand(Rand { shape, seed, row_offset: 0, column_offset: 0, density: 1.0, distribution }))
}

pub fn unary(function: Unary) -> Op {
    Op::Elementwise(ElementwiseOp::Unary(function))
}

pub fn binary(function: BinaryFunction) -> Op {
    Op::Elementwise(ElementwiseOp::Binary(Binary { function, scalar: None }))
}

/// `X f number`.
pub fn with(function: BinaryFunction, number: f64) -> Op {
    Op::Elementwise(ElementwiseOp::Binary(Binary { function, scalar: Some(Scalar::Right(number)) }))
}

pub fn ternary(function: Ternary) -> Op {
    Op::Elementwise(ElementwiseOp::Ternary(function))
}

pub fn add() -> Op {
    binary(BinaryFunction::Add)
}

pub fn subtract() -> Op {
    binary(BinaryFunction::Subtract)
}

pub fn multiply() -> Op {
    binary(BinaryFunction::Multiply)
}

pub fn divide() -> Op {
    binary(BinaryFunction::Divide)
}

pub fn aggregate(function: AggregateFunction, axis: Axis) -> Op {
    Op::Aggregate(AggregateOp::new(function, axis))
}

pub fn cumulate(function: CumulateFunction, axis: Axis) -> Op {
    Op::Aggregate(AggregateOp::Cumulate(Cumulate { function, axis, carried: false }))
}

/// Of two or three factors.
pub fn sum_product(factors: u8, axis: Axis) -> Op {
    Op::Aggregate(AggregateOp::SumProduct(SumProduct { factors, axis }))
}

pub fn trace() -> Op {
    Op::Aggregate(AggregateOp::Trace)
}

pub fn distinct(what: Distinct) -> Op {
    Op::Aggregate(AggregateOp::Distinct(what))
}

/// Of V, X, U and, where there are weights, W.
pub fn factorised(op: Factorised) -> Op {
    Op::Matmul(MatmulOp::Factorised(op))
}

/// One sum per column.
pub fn sum() -> Op {
    aggregate(AggregateFunction::Sum, Axis::Columns)
}

/// One mean per column.
pub fn mean() -> Op {
    aggregate(AggregateFunction::Mean, Axis::Columns)
}

pub fn matmul(kind: MatmulOp) -> Op {
    Op::Matmul(kind)
}

pub fn product() -> Op {
    Op::Matmul(MatmulOp::Product)
}

pub fn gram() -> Op {
    Op::Matmul(MatmulOp::Gram)
}

pub fn cross() -> Op {
    Op::Matmul(MatmulOp::Cross)
}

pub fn transpose() -> Op {
    Op::Reorg(ReorgOp::Transpose)
}

pub fn flip() -> Op {
    Op::Reorg(ReorgOp::Flip)
}

pub fn vstack() -> Op {
    Op::Reorg(ReorgOp::Vstack)
}

pub fn hstack() -> Op {
    Op::Reorg(ReorgOp::Hstack)
}

pub fn flip_columns() -> Op {
    Op::Reorg(ReorgOp::FlipColumns)
}

pub fn unique() -> Op {
    Op::Reorg(ReorgOp::Unique)
}

pub fn diagonal(offset: i64) -> Op {
    Op::Reorg(ReorgOp::Diagonal { offset })
}

pub fn diag(columns: u64) -> Op {
    Op::Reorg(ReorgOp::Diag { columns, offset: 0 })
}

pub fn tril(k: i64) -> Op {
    Op::Reorg(ReorgOp::Triangle { upper: false, k })
}

pub fn triu(k: i64) -> Op {
    Op::Reorg(ReorgOp::Triangle { upper: true, k })
}

pub fn reshape(rows: u64, columns: u64) -> Op {
    Op::Reorg(ReorgOp::Reshape(Shape::new(rows, columns)))
}

/// The largest first.
pub fn sort(by: u64) -> Op {
    Op::Reorg(ReorgOp::Sort { by, descending: true, indices: false })
}

pub fn argsort(by: u64) -> Op {
    Op::Reorg(ReorgOp::Sort { by, descending: false, indices: true })
}

pub fn slice(rows: Range<u64>, columns: Range<u64>) -> Op {
    Op::Slice(SliceOp::Range { rows, columns })
}

pub fn columns(indices: &[u64]) -> Op {
    Op::Slice(SliceOp::Columns(indices.to_vec()))
}

pub fn take(indices: &[u64]) -> Op {
    Op::Slice(SliceOp::Rows(indices.to_vec()))
}

pub fn set(rows: Range<u64>, columns: Range<u64>) -> Op {
    Op::Slice(SliceOp::Set { rows, columns })
}

pub fn filter_rows() -> Op {
    Op::Slice(SliceOp::FilterRows)
}
