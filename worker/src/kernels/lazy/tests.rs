//! What is computed piece by piece has the bits of what is computed step by step.

use fondaco_proto::op::{AggregateFunction, AggregateOp, Axis, Binary, BinaryFunction, Scalar, Ternary, Unary};

use super::{
    super::{
        defer, evaluate, run,
        testing::{Seeded, for_each_pool, oriented, random, serially},
    },
    *,
};

fn binary(function: BinaryFunction) -> Op {
    Op::Elementwise(ElementwiseOp::Binary(Binary { function, scalar: None }))
}

fn with(function: BinaryFunction, number: f64) -> Op {
    Op::Elementwise(ElementwiseOp::Binary(Binary { function, scalar: Some(Scalar::Right(number)) }))
}

fn unary(function: Unary) -> Op {
    Op::Elementwise(ElementwiseOp::Unary(function))
}

/// Both results of the same steps: computed one after the other, and all but the last where they are used.
fn both(steps: &[(Op, Vec<usize>)], leaves: &[Matrix], cx: &Context<'_>) -> [Matrix; 2] {
    [false, true].map(|lazily| {
        let mut values: Vec<Value> = leaves.iter().cloned().map(Value::Dense).collect();
        for (i, (op, inputs)) in steps.iter().enumerate() {
            let inputs: Vec<Value> = inputs.iter().map(|&input| values[input].clone()).collect();
            let shape = op.shape(&inputs.iter().map(Value::shape).collect::<Vec<_>>()).unwrap();
            let deferred = if lazily && i + 1 < steps.len() { defer(op, &inputs, shape, cx).unwrap() } else { None };
            values.push(deferred.unwrap_or_else(|| evaluate(op, &inputs, cx).unwrap()));
        }
        super::super::dense_one(&values[values.len() - 1], cx).unwrap()
    })
}

fn assert_same([one, other]: &[Matrix; 2], what: &str) {
    let bits = |matrix: &Matrix| matrix.to_column_major().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(one.shape(), other.shape(), "{what}");
    assert!(bits(one) == bits(other), "{what}: other bits");
}

#[test]
fn chains_into_every_reduction() {
    serially(|cx| {
        for (rows, columns, transposed) in
            [(9001, 5, false), (4096, 4, false), (5, 9001, true), (300, 100, true), (20_000, 1, false)]
        {
            let leaves = [
                oriented(1, rows, columns, transposed, cx),
                random(2, 1, columns, cx),
                random(3, rows, 1, cx),
                oriented(4, rows, columns, transposed, cx),
            ];
            for &function in AggregateFunction::ALL {
                for &axis in Axis::ALL {
                    let steps = [
                        (binary(BinaryFunction::Subtract), vec![0, 1]),
                        (with(BinaryFunction::Power, 2.0), vec![4]),
                        (binary(BinaryFunction::Divide), vec![5, 2]),
                        (Op::Elementwise(ElementwiseOp::Ternary(Ternary::PlusMultiply(0.3))), vec![6, 3]),
                        (Op::Aggregate(AggregateOp::new(function, axis)), vec![7]),
                    ];
                    let what = format!("({rows}, {columns}) {transposed}, {} {}", function.name(), axis.name());
                    assert_same(&both(&steps, &leaves, cx), &what);
                }
            }
        }
    });
}

#[test]
fn random_trees() {
    serially(|cx| {
        for seed in 0..40 {
            let mut seeded = Seeded(seed);
            let (rows, columns) = (5000 + seeded.below(5000), 4 + seeded.below(5));
            let leaves = [
                random(seed, rows, columns, cx),
                random(seed + 1, rows, columns, cx),
                random(seed + 2, 1, columns, cx),
                random(seed + 3, rows, 1, cx),
            ];
            let mut steps = Vec::new();
            for i in 0..8 {
                let mut earlier = || seeded.below(leaves.len() + i);
                let (a, b) = (if i == 0 { 0 } else { leaves.len() + i - 1 }, earlier());
                steps.push(match seeded.below(4) {
                    0 => (unary(Unary::Exp), vec![a]),
                    1 => (unary(Unary::Sigmoid), vec![a]),
                    2 => (binary(BinaryFunction::Multiply), vec![b, a]),
                    _ => (binary(BinaryFunction::Maximum), vec![a, b]),
                });
            }
            assert_same(&both(&steps, &leaves, cx), &format!("seed {seed}"));
        }
    });
}

#[test]
fn products_into_crosses() {
    let steps = [
        (Op::Matmul(MatmulOp::Product), vec![0, 1]),
        (unary(Unary::Sigmoid), vec![3]),
        (binary(BinaryFunction::Subtract), vec![4, 2]),
        (Op::Matmul(MatmulOp::Cross), vec![0, 5]),
    ];
    for (rows, columns) in [(30_000, 7), (17_000, 130), (16_500, 1500)] {
        for_each_pool(|cx| {
            let leaves = [random(1, rows, columns, cx), random(2, columns, 1, cx), random(3, rows, 1, cx)];
            let results = both(&steps, &leaves, cx);
            assert_same(&results, &format!("({rows}, {columns})"));
            let [_, fused] = results;
            fused
        });
    }
    serially(|cx| {
        let leaves = [random(1, 20_000, 3, cx), random(2, 3, 1, cx), random(3, 20_000, 1, cx)];
        let chain = [(Op::Matmul(MatmulOp::MmchainMinus), vec![1, 0, 2])];
        let plain = [
            (Op::Matmul(MatmulOp::Product), vec![0, 1]),
            (binary(BinaryFunction::Subtract), vec![3, 2]),
            (Op::Matmul(MatmulOp::Cross), vec![0, 4]),
        ];
        let [chain, _] = both(&chain, &leaves, cx);
        assert_same(&[chain, both(&plain, &leaves, cx)[1].clone()], "a chain written out");
        let small = run(&unary(Unary::Exp), &leaves[1..2], cx).unwrap();
        assert!(defer(&unary(Unary::Exp), &[small.into()], Shape::new(3, 1), cx).unwrap().is_none());
    });
}
