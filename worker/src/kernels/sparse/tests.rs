//! A sparse matrix gives what the dense one gives that it stands for.

use fondaco_proto::op::{
    AggregateFunction, AggregateOp, Axis, Binary, BinaryFunction, Cumulate, CumulateFunction, Distinct, ElementwiseOp,
    Factorised, LossWeights, Scalar, SliceOp, SumProduct, Ternary, Unary,
};

use super::{
    super::{
        dense_one, evaluate,
        testing::{Seeded, for_each_pool, matrix, random, serially},
    },
    *,
};

/// Few cells that are not 0; now and then one that is not finite.
fn scattered(seed: u64, rows: usize, columns: usize, special: bool, cx: &Context<'_>) -> Matrix {
    let mut seeded = Seeded(seed);
    let cells: Vec<f64> = (0..rows * columns)
        .map(|_| match seeded.below(60) {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2..7 => 3.0 * seeded.number(),
            _ => 0.0,
        })
        .map(|x: f64| if x.is_finite() || special { x } else { 0.0 })
        .collect();
    matrix(rows, columns, &cells, cx)
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-12 * (1.0 + a.abs().max(b.abs()))
}

/// Asserts that an operator gives the same on both kinds; whether its result is sparse.
fn same(op: &Op, inputs: &[Value], what: &str, cx: &Context<'_>) -> bool {
    let dense: Vec<Value> = inputs.iter().map(|input| Value::Dense(dense_one(input, cx).unwrap())).collect();
    let (ours, theirs) = (evaluate(op, inputs, cx).unwrap(), evaluate(op, &dense, cx).unwrap());
    assert_eq!(ours.shape(), theirs.shape(), "{what}");
    let (a, b) = (dense_one(&ours, cx).unwrap().to_column_major(), dense_one(&theirs, cx).unwrap().to_column_major());
    let wrong = a.iter().zip(&b).position(|(a, b)| !close(*a, *b));
    assert!(wrong.is_none(), "{what}: cell {wrong:?} is {} and {}", a[wrong.unwrap_or(0)], b[wrong.unwrap_or(0)]);
    matches!(ours, Value::Sparse(_))
}

fn settled_sparse(matrix: Matrix, cx: &Context<'_>) -> Value {
    let value = settled(matrix, cx).unwrap();
    assert!(matches!(value, Value::Sparse(_)));
    value
}

#[test]
fn cell_by_cell() {
    serially(|cx| {
        for (special, transposed) in [(false, false), (true, true)] {
            let x = settled_sparse(scattered(1, 5000, 40, special, cx), cx);
            let x = if transposed { evaluate(&Op::Reorg(ReorgOp::Transpose), &[x], cx).unwrap() } else { x };
            let (n, d) = (x.shape().rows as usize, x.shape().columns as usize);
            for &function in Unary::ALL {
                same(&Op::Elementwise(ElementwiseOp::Unary(function)), std::slice::from_ref(&x), function.name(), cx);
            }
            for &function in BinaryFunction::ALL {
                for scalar in
                    [Some(Scalar::Right(2.0)), Some(Scalar::Left(-1.5)), Some(Scalar::Right(f64::INFINITY)), None]
                {
                    let op = Op::Elementwise(ElementwiseOp::Binary(Binary { function, scalar }));
                    let others = [random(2, 1, d, cx), random(3, n, 1, cx), random(4, n, d, cx)];
                    let others = if scalar.is_some() { vec![] } else { others.to_vec() };
                    if scalar.is_some() {
                        same(&op, std::slice::from_ref(&x), function.name(), cx);
                    }
                    for other in others {
                        same(&op, &[x.clone(), other.clone().into()], function.name(), cx);
                        same(&op, &[other.into(), x.clone()], function.name(), cx);
                    }
                }
            }
            let clip = Op::Elementwise(ElementwiseOp::Ternary(Ternary::Clip { low: -0.5, high: 1.0 }));
            assert!(same(&clip, std::slice::from_ref(&x), "clip", cx), "0 stays 0");
            let fill = Op::Elementwise(ElementwiseOp::Ternary(Ternary::Replace { pattern: 0.0, value: 1.0 }));
            assert!(!same(&fill, &[x], "replace", cx), "0 becomes 1");
        }
    });
}

#[test]
fn reductions() {
    serially(|cx| {
        for special in [false, true] {
            let x = scattered(5, 9000, 20, special, cx);
            let empty = matrix(6000, 30, &[0.0; 180_000], cx);
            for x in [x.clone(), x.transpose(), empty] {
                let x = settled_sparse(x, cx);
                for &function in AggregateFunction::ALL {
                    for &axis in Axis::ALL {
                        let op = Op::Aggregate(AggregateOp::new(function, axis));
                        same(&op, std::slice::from_ref(&x), &format!("{} {}", function.name(), axis.name()), cx);
                        if axis != Axis::Rows {
                            same(&op, &[x.clone(), x.clone()], &format!("two of {}", function.name()), cx);
                        }
                    }
                }
            }
        }
    });
}

#[test]
fn aggregates_of_several_and_thin_factors() {
    serially(|cx| {
        let x = settled_sparse(scattered(18, 9000, 30, true, cx), cx);
        let turned = evaluate(&Op::Reorg(ReorgOp::Transpose), std::slice::from_ref(&x), cx).unwrap();
        let dense = |seed, rows, columns| Value::Dense(random(seed, rows, columns, cx));
        for (x, what) in [(&x, "sparse"), (&turned, "turned")] {
            let (n, d) = (x.shape().rows as usize, x.shape().columns as usize);
            for axis in [Axis::Columns, Axis::Rows] {
                for function in [CumulateFunction::Cumsum, CumulateFunction::Cumprod, CumulateFunction::Cummax] {
                    let op = AggregateOp::Cumulate(Cumulate { function, axis, carried: false });
                    same(&Op::Aggregate(op), std::slice::from_ref(x), what, cx);
                }
            }
            for what in [Distinct::Count, Distinct::Values { rows: 5 }, Distinct::Registers { bits: 4 }] {
                same(&Op::Aggregate(AggregateOp::Distinct(what)), &[x.clone(), x.clone()], "distinct", cx);
            }
            let product = Op::Aggregate(AggregateOp::SumProduct(SumProduct { factors: 3, axis: Axis::Columns }));
            same(&product, &[x.clone(), x.clone(), dense(19, n, 1)], what, cx);
            let between = Op::Elementwise(ElementwiseOp::Ternary(Ternary::ClipBetween));
            same(&between, &[x.clone(), dense(20, 1, d), dense(21, n, 1)], what, cx);
            for op in [
                Factorised::Loss(LossWeights::Nonzero),
                Factorised::Times(Unary::Tanh),
                Factorised::Divided,
                Factorised::DividedLeft,
            ] {
                let inputs = [dense(22, d, 2), x.clone(), dense(23, n, 2)];
                same(&Op::Matmul(MatmulOp::Factorised(op)), &inputs, what, cx);
            }
        }
    });
}

#[test]
fn products() {
    serially(|cx| {
        for special in [false, true] {
            let x = settled_sparse(scattered(6, 9000, 30, special, cx), cx);
            let turned = evaluate(&Op::Reorg(ReorgOp::Transpose), std::slice::from_ref(&x), cx).unwrap();
            let dense = |seed, rows, columns| Value::Dense(random(seed, rows, columns, cx));
            let (v, w, y) = (dense(7, 30, 1), dense(8, 9000, 1), dense(9, 9000, 4));
            let infinite = Value::Dense(matrix(30, 1, &[f64::INFINITY; 30], cx));
            let cases = [
                (MatmulOp::Gram, vec![x.clone()]),
                (MatmulOp::Gram, vec![x.clone(), x.clone()]),
                (MatmulOp::Product, vec![x.clone(), dense(10, 30, 3)]),
                (MatmulOp::Product, vec![x.clone(), infinite]),
                (MatmulOp::Product, vec![dense(11, 3, 9000), x.clone()]),
                (MatmulOp::Product, vec![turned.clone(), y.clone()]),
                (MatmulOp::Cross, vec![x.clone(), y.clone()]),
                (MatmulOp::Cross, vec![y, x.clone()]),
                (MatmulOp::Cross, vec![x.clone(), x.clone()]),
                (MatmulOp::Product, vec![turned, x.clone()]),
                (MatmulOp::Mmchain, vec![v.clone(), x.clone()]),
                (MatmulOp::MmchainWeighted, vec![v.clone(), x.clone(), w.clone()]),
                (MatmulOp::MmchainMinus, vec![v, x, w]),
            ];
            for (i, (op, inputs)) in cases.iter().enumerate() {
                same(&Op::Matmul(*op), inputs, &format!("{special}, case {i}, {}", op.name()), cx);
            }
        }
    });
    for_each_pool(|cx| {
        let x = settled_sparse(scattered(12, 20_000, 30, false, cx), cx);
        dense_one(&evaluate(&Op::Matmul(MatmulOp::Gram), &[x], cx).unwrap(), cx).unwrap()
    });
}

#[test]
fn rows_columns_and_stacks() {
    serially(|cx| {
        let x = settled_sparse(scattered(13, 9000, 30, true, cx), cx);
        let turned = evaluate(&Op::Reorg(ReorgOp::Transpose), std::slice::from_ref(&x), cx).unwrap();
        let range = Op::Slice(SliceOp::Range { rows: 100..8500, columns: 3..29 });
        assert!(same(&range, std::slice::from_ref(&x), "a range", cx));
        assert!(same(
            &Op::Slice(SliceOp::Range { rows: 3..29, columns: 100..8500 }),
            std::slice::from_ref(&turned),
            "turned",
            cx
        ));
        same(&Op::Slice(SliceOp::Columns(vec![5, 2, 5, 29])), std::slice::from_ref(&x), "a list", cx);
        same(&Op::Slice(SliceOp::Columns(vec![5, 2, 5, 29])), &[turned], "a turned list", cx);
        let few = Value::Dense(random(14, 9000, 1, cx));
        assert!(same(&Op::Reorg(ReorgOp::Hstack), &[x.clone(), few, x.clone()], "beside", cx));
        assert!(same(&Op::Reorg(ReorgOp::Vstack), &[x.clone(), x.clone()], "below", cx));
        same(&Op::Reorg(ReorgOp::Flip), &[x], "a reversal", cx);
        let full = settled(random(15, 9000, 30, cx), cx).unwrap();
        assert!(matches!(full, Value::Dense(_)), "nothing would be saved");
    });
}

#[test]
fn chosen_rows_and_places() {
    serially(|cx| {
        let x = settled_sparse(scattered(16, 9000, 30, true, cx), cx);
        let turned = evaluate(&Op::Reorg(ReorgOp::Transpose), std::slice::from_ref(&x), cx).unwrap();
        let mask = |n: usize| Value::Dense(matrix(n, 1, &(0..n).map(|i| (i % 3) as f64).collect::<Vec<_>>(), cx));
        for (x, n, what) in [(&x, 9000, "rows"), (&turned, 30, "turned rows")] {
            let rows = (0..n as u64).rev().step_by(2).chain([1, 1]).collect();
            assert!(same(&Op::Slice(SliceOp::Rows(rows)), std::slice::from_ref(x), what, cx));
            assert!(same(&Op::Slice(SliceOp::FilterRows), &[x.clone(), mask(n)], what, cx));
            let set = Op::Slice(SliceOp::Set { rows: 2..9, columns: 3..17 });
            same(&set, &[x.clone(), Value::Dense(random(17, 7, 14, cx))], what, cx);
        }
        let column = evaluate(&Op::Slice(SliceOp::Columns(vec![4])), std::slice::from_ref(&x), cx).unwrap();
        same(&Op::Reorg(ReorgOp::Unique), std::slice::from_ref(&column), "distinct values", cx);
        same(&Op::Slice(SliceOp::FilterRows), &[x.clone(), column], "a sparse mask", cx);
        for op in [
            ReorgOp::FlipColumns,
            ReorgOp::Diagonal { offset: -70 },
            ReorgOp::Triangle { upper: true, k: -50 },
            ReorgOp::Reshape(Shape::new(4500, 60)),
            ReorgOp::Sort { by: 3, descending: true, indices: false },
        ] {
            same(&Op::Reorg(op), std::slice::from_ref(&x), op.name(), cx);
        }
    });
}
