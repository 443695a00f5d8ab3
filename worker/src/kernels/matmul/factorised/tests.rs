use fondaco_proto::Op;

use super::super::super::{
    run as run_kernel,
    testing::{for_each_pool, oriented},
};
use super::*;

/// X and W of (n, m), U of (n, k) and V of (m, k), in every orientation by turns; X has zeros.
struct Inputs {
    x: Matrix,
    w: Matrix,
    u: Matrix,
    v: Matrix,
}

fn inputs(seed: u64, [n, m, k]: [usize; 3], flags: usize, cx: &Context<'_>) -> Inputs {
    let of = |seed: u64, rows, columns, bit: usize| {
        let x = oriented(seed, rows, columns, flags >> bit & 1 == 1, cx);
        let positive = fondaco_proto::op::ElementwiseOp::Unary(Unary::Abs);
        run_kernel(&Op::Elementwise(positive), &[x], cx).unwrap()
    };
    let binary = |function, s| {
        let scalar = Some(fondaco_proto::op::Scalar::Right(s));
        Op::Elementwise(fondaco_proto::op::ElementwiseOp::Binary(fondaco_proto::op::Binary { function, scalar }))
    };
    let x = of(seed, n, m, 0);
    let holes =
        run_kernel(&binary(fondaco_proto::op::BinaryFunction::Greater, 0.3), std::slice::from_ref(&x), cx).unwrap();
    let times = fondaco_proto::op::Binary { function: fondaco_proto::op::BinaryFunction::Multiply, scalar: None };
    let x = run_kernel(&Op::Elementwise(fondaco_proto::op::ElementwiseOp::Binary(times)), &[x, holes], cx).unwrap();
    Inputs { x, w: of(seed + 1, n, m, 1), u: of(seed + 2, n, k, 2), v: of(seed + 3, m, k, 3) }
}

impl Inputs {
    fn r(&self, i: usize, j: usize) -> f64 {
        (0..self.u.columns()).map(|l| self.u.get(i, l) * self.v.get(j, l)).sum()
    }

    fn cells(&self) -> impl Iterator<Item = (usize, usize)> {
        let (n, m) = (self.x.rows(), self.x.columns());
        (0..n).flat_map(move |i| (0..m).map(move |j| (i, j)))
    }
}

fn assert_near(got: f64, expected: f64, size: f64) {
    assert!(got == expected || (got - expected).abs() <= 1e-12 * size, "{got}, not {expected} of {size}");
}

const EXTENTS: [[usize; 3]; 7] =
    [[7, 5, 2], [300, 270, 3], [4100, 9, 1], [1, 600, 4], [5, 1, 0], [0, 3, 2], [90, 20, 70]];

#[test]
fn losses_and_entropies() {
    for extents in EXTENTS {
        for flags in [0, 1, 6, 9, 15] {
            for_each_pool(|cx| {
                let parts = [inputs(1, extents, flags, cx), inputs(5, extents, 15 - flags, cx)];
                let parts = [&parts[0], &Inputs { v: parts[0].v.clone(), ..inputs(5, extents, 15 - flags, cx) }];
                let of = |op: Factorised, weighted: bool| {
                    let mut inputs = vec![parts[0].v.clone()];
                    for part in parts {
                        inputs.extend([part.x.clone(), part.u.clone()]);
                        inputs.extend(weighted.then(|| part.w.clone()));
                    }
                    run_kernel(&Op::Matmul(super::super::MatmulOp::Factorised(op)), &inputs, cx).unwrap().get(0, 0)
                };
                let sum = |term: &dyn Fn(&Inputs, usize, usize) -> f64| -> (f64, f64) {
                    let terms = parts.iter().flat_map(|part| part.cells().map(|(i, j)| term(part, i, j)));
                    terms.fold((0.0, 1e-300), |(sum, size), term| (sum + term, size + term.abs()))
                };
                let square = |part: &Inputs, i, j| (part.x.get(i, j) - part.r(i, j)).powi(2);
                let (expected, size) = sum(&|part, i, j| square(part, i, j));
                assert_near(of(Factorised::Loss(LossWeights::None), false), expected, 4.0 * size);
                let nonzero = |x: f64| if x == 0.0 { 0.0 } else { 1.0 };
                let (expected, size) = sum(&|part, i, j| nonzero(part.x.get(i, j)) * square(part, i, j));
                assert_near(of(Factorised::Loss(LossWeights::Nonzero), false), expected, 4.0 * size);
                let (expected, size) = sum(&|part, i, j| part.w.get(i, j) * square(part, i, j));
                let weighted = of(Factorised::Loss(LossWeights::Given), true);
                assert_near(weighted, expected, 4.0 * size);
                let entropy = |part: &Inputs, i, j| part.x.get(i, j) * (part.r(i, j) + 0.1).ln();
                let (expected, size) = sum(&|part, i, j| entropy(part, i, j));
                assert_near(of(Factorised::CrossEntropy { epsilon: 0.1 }, false), expected, 4.0 * size);
                Matrix::from_column_major(cx.memory, 1, 1, &[weighted]).unwrap()
            });
        }
    }
}

#[test]
fn what_stays_and_what_is_summed() {
    for extents in EXTENTS {
        for flags in [0, 1, 6, 9, 15] {
            for_each_pool(|cx| {
                let of = inputs(1, extents, flags, cx);
                let [n, m, k] = extents;
                let run = |op: Factorised| {
                    let inputs = [of.v.clone(), of.x.clone(), of.u.clone()];
                    run_kernel(&Op::Matmul(super::super::MatmulOp::Factorised(op)), &inputs, cx).unwrap()
                };
                let times = run(Factorised::Times(Unary::Sigmoid));
                assert_eq!((times.rows(), times.columns()), (n, m));
                for (i, j) in of.cells() {
                    let expected = of.x.get(i, j) / (1.0 + (-of.r(i, j)).exp());
                    assert_near(times.get(i, j), expected, expected.abs());
                }
                let quotient = |i, j| of.x.get(i, j) / of.r(i, j);
                let right = run(Factorised::Divided);
                assert_eq!((right.rows(), right.columns()), (n, k));
                for (i, l) in (0..n).flat_map(|i| (0..k).map(move |l| (i, l))).step_by(1 + n * k / 200) {
                    let terms = (0..m).map(|j| quotient(i, j) * of.v.get(j, l));
                    let (expected, size) = terms.fold((0.0, 0.0), |(sum, size), t: f64| (sum + t, size + t.abs()));
                    assert_near(right.get(i, l), expected, size);
                }
                let left = run(Factorised::DividedLeft);
                assert_eq!((left.rows(), left.columns()), (m, k));
                for (j, l) in (0..m).flat_map(|j| (0..k).map(move |l| (j, l))).step_by(1 + m * k / 200) {
                    let terms = (0..n).map(|i| quotient(i, j) * of.u.get(i, l));
                    let (expected, size) = terms.fold((0.0, 0.0), |(sum, size), t: f64| (sum + t, size + t.abs()));
                    assert_near(left.get(j, l), expected, size);
                }
                left
            });
        }
    }
}
