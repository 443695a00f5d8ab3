//! Of X and R = U @ V.T, with R built. A cell of R may be off by 1e-12 of the size of its terms, and what is made of it
//! by as much more as it makes of that.

use fondaco_proto::op::{Factorised, LossWeights};
use ndarray::Array2;

use super::{Expected, LEAST, Terms, stack};
use crate::oracle::elementwise::unary;

const SLACK: f64 = 1e-12;

/// V, then X, U and, where there are weights, W of each part.
pub fn expected(op: Factorised, inputs: &[&Array2<f64>]) -> Expected {
    let group = if op == Factorised::Loss(LossWeights::Given) { 3 } else { 2 };
    let every = |slot: usize| stack(&inputs[1..].iter().skip(slot).step_by(group).copied().collect::<Vec<_>>());
    let (v, x, u) = (inputs[0], every(0), every(1));
    let product = Terms::of(&u).dot(&Terms::of(v).transposed());
    let r = Array2::from_shape_fn(x.dim(), |at| product.wide[at].value_or(product.plain[at]));
    let size = &product.size;
    // A value for each cell, and its slack.
    let each = |f: &dyn Fn((usize, usize)) -> (f64, f64)| {
        (Array2::from_shape_fn(x.dim(), |at| f(at).0), Array2::from_shape_fn(x.dim(), |at| f(at).1))
    };
    let sum = |f: &dyn Fn((usize, usize)) -> (f64, f64)| {
        let (value, slack) = each(f);
        let one = |sum: f64| Array2::from_elem((1, 1), sum);
        Expected::within(one(value.sum()), one(slack.sum() + SLACK * value.mapv(f64::abs).sum() + LEAST))
    };
    let quotient = |at| {
        let (x, r, size) = (x[at], r[at], size[at]);
        (x / r, 2.0 * SLACK * (x / r).abs() * (size / r.abs()).max(1.0))
    };
    let divided = |value: Array2<f64>, slack: Array2<f64>, by: &Array2<f64>| {
        let sizes = (slack + value.mapv(|value| SLACK * value.abs())).dot(&by.mapv(f64::abs));
        Expected::within(value.dot(by), sizes + LEAST)
    };
    match op {
        Factorised::Loss(weights) => {
            let given = if group == 3 { every(2) } else { Array2::zeros((0, 0)) };
            sum(&|at| {
                let weight = match weights {
                    LossWeights::None => 1.0,
                    LossWeights::Nonzero => f64::from(x[at] != 0.0),
                    LossWeights::Given => given[at],
                };
                let terms = x[at].abs() + size[at];
                (weight * (x[at] - r[at]) * (x[at] - r[at]), SLACK * weight.abs() * terms * terms)
            })
        }
        Factorised::Times(f) => {
            let (value, slack) = each(&|at| {
                let (value, off) = (unary(f, r[at]), SLACK * size[at]);
                let moved = [r[at] - off, r[at] + off].map(|r| (unary(f, r) - value).abs());
                (x[at] * value, x[at].abs() * (moved[0].max(moved[1]) + SLACK * value.abs()) + LEAST)
            });
            Expected::within(value, slack)
        }
        Factorised::Divided => {
            let (value, slack) = each(&quotient);
            divided(value, slack, v)
        }
        Factorised::DividedLeft => {
            let (value, slack) = each(&quotient);
            divided(value.reversed_axes(), slack.reversed_axes(), &u)
        }
        Factorised::CrossEntropy { epsilon } => sum(&|at| {
            let (argument, size) = (r[at] + epsilon, size[at] + epsilon.abs());
            (x[at] * argument.ln(), SLACK * x[at].abs() * (size / argument.abs() + argument.ln().abs()))
        }),
    }
}
