//! Operators of each family, in the order in which they came.

use fondaco_proto::{Block, Op, Shape, op::*};

/// One of each operator, with several parameters where it has any.
pub fn samples() -> Vec<Op> {
    let mut ops = Vec::new();
    let shape = Shape::new(2, 3);
    let compare = |literal| Filter::Compare(Compare { column: "a".into(), op: CompareOp::Less, literal });
    let filters = [
        None,
        Some(compare(Literal::Number(1.0))),
        Some(compare(Literal::Text("1".into()))),
        Some(Filter::And(vec![compare(Literal::Number(1.0)), Filter::IsNull("b".into())])),
        Some(Filter::Or(vec![compare(Literal::Number(1.0)), Filter::IsNull("b".into())])),
        Some(Filter::Not(Box::new(Filter::IsNull("b".into())))),
    ];
    for filter in filters {
        for columns in [vec![], vec!["a".into(), "b".into()], vec!["ab".into()]] {
            ops.push(Op::Create(CreateOp::Read(Read {
                dataset: "d".into(),
                columns,
                filter: filter.clone(),
                frame: false,
            })));
        }
    }
    ops.push(Op::Create(CreateOp::Put(Block::new(shape, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap())));
    ops.push(Op::Create(CreateOp::Put(Block::new(Shape::new(3, 2), &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap())));
    ops.push(Op::Create(CreateOp::Fill(Fill { shape, value: 0.0 })));
    ops.push(Op::Create(CreateOp::Fill(Fill { shape, value: -0.0 })));
    let distributions = [
        Distribution::Uniform { low: 0.0, high: 1.0 },
        Distribution::Normal { mean: 0.0, std: 1.0 },
        Distribution::Bernoulli { p: 0.5 },
    ];
    for distribution in distributions {
        let rand = Rand { shape, seed: 7, row_offset: 1, column_offset: 2, density: 1.0, distribution };
        ops.push(Op::Create(CreateOp::Rand(rand)));
        ops.push(Op::Create(CreateOp::Rand(Rand { row_offset: 2, column_offset: 1, ..rand })));
    }
    ops.extend(Unary::ALL.iter().map(|unary| Op::Elementwise(ElementwiseOp::Unary(*unary))));
    for function in BinaryFunction::ALL {
        for scalar in [None, Some(Scalar::Left(2.0)), Some(Scalar::Right(2.0))] {
            ops.push(Op::Elementwise(ElementwiseOp::Binary(Binary { function: *function, scalar })));
        }
    }
    for ternary in [
        Ternary::Where,
        Ternary::PlusMultiply(2.0),
        Ternary::MinusMultiply(2.0),
        Ternary::Clip { low: 1.0, high: 2.0 },
        Ternary::Replace { pattern: 1.0, value: 2.0 },
        Ternary::Replace { pattern: f64::INFINITY, value: 2.0 },
    ] {
        ops.push(Op::Elementwise(ElementwiseOp::Ternary(ternary)));
    }
    for function in &AggregateFunction::ALL[..20] {
        ops.extend(Axis::ALL.iter().map(|axis| Op::Aggregate(AggregateOp::new(*function, *axis))));
    }
    ops.push(Op::Aggregate(AggregateOp::with_ddof(AggregateFunction::Var, Axis::All, 1)));
    ops.extend(MatmulOp::ALL.iter().map(|op| Op::Matmul(*op)));
    let simple = [ReorgOp::Transpose, ReorgOp::Vstack, ReorgOp::Hstack, ReorgOp::Flip];
    ops.extend(simple.map(Op::Reorg));
    ops.push(Op::Slice(SliceOp::Range { rows: 1..2, columns: 0..3 }));
    ops.push(Op::Slice(SliceOp::Range { rows: 0..3, columns: 1..2 }));
    ops.push(Op::Slice(SliceOp::Columns(vec![2, 0, 2])));
    ops
}

/// More members of the families that move and choose cells, in the order in which they came.
pub fn moved() -> Vec<Op> {
    let sort = |by, descending, indices| ReorgOp::Sort { by, descending, indices };
    let mut ops: Vec<Op> = [
        ReorgOp::FlipColumns,
        ReorgOp::Unique,
        ReorgOp::Diagonal { offset: -2 },
        ReorgOp::Diag { columns: 3, offset: -2 },
        ReorgOp::Triangle { upper: false, k: 1 },
        ReorgOp::Triangle { upper: true, k: 1 },
        ReorgOp::Reshape(Shape::new(2, 3)),
        ReorgOp::Reshape(Shape::new(3, 2)),
        sort(1, false, false),
        sort(1, true, false),
        sort(1, false, true),
        sort(2, false, false),
    ]
    .map(Op::Reorg)
    .into();
    ops.push(Op::Slice(SliceOp::Rows(vec![2, 0, 2])));
    ops.push(Op::Slice(SliceOp::Rows(vec![])));
    ops.push(Op::Slice(SliceOp::Set { rows: 1..2, columns: 0..3 }));
    ops.push(Op::Slice(SliceOp::FilterRows));
    ops
}

/// Of the family stats.
pub fn stats() -> Vec<Op> {
    let mut ops = Vec::new();
    for weighted in [false, true] {
        ops.extend(Ranks::ALL.iter().map(|ranks| StatsOp::RankCounts { ranks: *ranks, weighted }));
        ops.extend([(2, 3), (3, 2)].map(|(rows, columns)| StatsOp::Table { rows, columns, weighted }));
    }
    ops.extend(GroupFunction::ALL.iter().map(|function| StatsOp::Group(*function)));
    ops.extend([3, 4].map(|most| StatsOp::Levels { most }));
    ops.extend([2, 3, 4].map(|order| StatsOp::WeightedMoments { order }));
    ops.push(StatsOp::WeightedCov);
    ops.into_iter().map(Op::Stats).collect()
}

/// Sequences and draws, bounds that are matrices, more reductions, aggregates that are none, and products of two thin
/// factors.
pub fn several() -> Vec<Op> {
    let shape = Shape::new(2, 3);
    let mut ops = Vec::new();
    let seq = Seq { shape, start: 1.0, step: 2.0, row_offset: 1, column_offset: 2, columns: 9 };
    ops.push(Op::Create(CreateOp::Seq(seq)));
    ops.push(Op::Create(CreateOp::Seq(Seq { row_offset: 2, column_offset: 1, ..seq })));
    for replace in [false, true] {
        let sample = Sample { shape, population: 9, replace, seed: 7, row_offset: 1, column_offset: 2 };
        ops.push(Op::Create(CreateOp::Sample(sample)));
        ops.push(Op::Create(CreateOp::Sample(Sample { row_offset: 2, column_offset: 1, ..sample })));
    }
    ops.push(Op::Elementwise(ElementwiseOp::Ternary(Ternary::ClipBetween)));
    for function in &AggregateFunction::ALL[20..] {
        ops.extend(Axis::ALL.iter().map(|axis| Op::Aggregate(AggregateOp::new(*function, *axis))));
    }
    ops.push(Op::Aggregate(AggregateOp::with_ddof(AggregateFunction::Skew, Axis::All, 1)));
    let mut aggregates = vec![AggregateOp::Trace, AggregateOp::Distinct(Distinct::Count)];
    for function in CumulateFunction::ALL {
        for (axis, carried) in [(Axis::Columns, false), (Axis::Columns, true), (Axis::Rows, false)] {
            aggregates.push(AggregateOp::Cumulate(Cumulate { function: *function, axis, carried }));
        }
    }
    for (factors, axis) in [(2, Axis::All), (3, Axis::All), (2, Axis::Columns)] {
        aggregates.push(AggregateOp::SumProduct(SumProduct { factors, axis }));
    }
    aggregates.push(AggregateOp::Distinct(Distinct::Values { rows: 4 }));
    aggregates.push(AggregateOp::Distinct(Distinct::Registers { bits: 4 }));
    let mut factorised = vec![Factorised::Divided, Factorised::DividedLeft];
    factorised.extend(LossWeights::ALL.iter().map(|weights| Factorised::Loss(*weights)));
    factorised.extend([Unary::Exp, Unary::Sigmoid].map(Factorised::Times));
    factorised.extend([0.0, 1.0].map(|epsilon| Factorised::CrossEntropy { epsilon }));
    let factorised = factorised.into_iter().map(|op| Op::Matmul(MatmulOp::Factorised(op)));
    ops.extend(aggregates.into_iter().map(Op::Aggregate).chain(factorised));
    ops
}
