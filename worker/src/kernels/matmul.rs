//! Products. BLAS runs on one thread inside tiles; rayon spreads these, and what is summed over tiles is accumulated in
//! groups of consecutive tiles that follow from shapes alone, merged in order.

use fondaco_proto::{Error, Result, Shape, op::MatmulOp};

use self::general::product;
use super::{Context, elementwise};
use crate::{matrix::Matrix, value::Value};

pub(crate) mod accumulate;
pub(crate) mod chain;
mod factorised;
pub(crate) mod general;
pub(crate) mod gram;

/// The value of the operator; see the vocabulary for the order of its inputs.
pub fn run(op: MatmulOp, inputs: &[Matrix], cx: &Context<'_>) -> Result<Matrix> {
    let pairs = || inputs.chunks_exact(2);
    let parts: Result<Vec<Matrix>> = match op {
        MatmulOp::Product => pairs().map(|pair| product(&pair[0], &pair[1], cx)).collect(),
        MatmulOp::Cross => pairs().map(|pair| general::cross(&pair[0], &pair[1], cx)).collect(),
        MatmulOp::Gram => inputs.iter().map(|x| gram::gram(x, cx)).collect(),
        MatmulOp::Mmchain => {
            inputs[1..].iter().map(|x| chain::mmchain(x, &inputs[0], chain::Middle::Plain, cx)).collect()
        }
        MatmulOp::MmchainWeighted => chained(inputs, chain::Middle::Weighted, cx),
        MatmulOp::MmchainMinus => chained(inputs, chain::Middle::Minus, cx),
        MatmulOp::Factorised(op) => return factorised::run(op, inputs, cx),
    };
    elementwise::sum(parts?, cx)?.ok_or_else(|| Error::internal("a product without parts"))
}

/// `X.T @ u` of vectors that may not be there yet, summed over all parts; `None` where they have to be first.
pub fn cross(inputs: &[Value], cx: &Context<'_>) -> Result<Option<Matrix>> {
    let mut parts = Vec::new();
    for pair in inputs.chunks_exact(2) {
        parts.push(match pair {
            [Value::Dense(x), Value::Lazy(u)] if !x.is_transposed() && u.shape().columns == 1 && !u.is_transposed() => {
                chain::cross_lazy(x, u, cx)?
            }
            [Value::Dense(x), Value::Dense(y)] => general::cross(x, y, cx)?,
            _other => return Ok(None),
        });
    }
    elementwise::sum(parts, cx)
}

/// The parts of a chain with a third operand each.
fn chained<'a>(
    inputs: &'a [Matrix],
    middle: impl Fn(&'a Matrix) -> chain::Middle<'a>,
    cx: &Context<'_>,
) -> Result<Vec<Matrix>> {
    inputs[1..].chunks_exact(2).map(|pair| chain::mmchain(&pair[0], &inputs[0], middle(&pair[1]), cx)).collect()
}

/// Multiplications, roughly.
pub fn cost(op: MatmulOp, inputs: &[Shape], output: Shape) -> u64 {
    let cells = |shape: &Shape| shape.rows.saturating_mul(shape.columns);
    let times = |x: &Shape, by: u64| cells(x).saturating_mul(by);
    let sum = |costs: &mut dyn Iterator<Item = u64>| costs.fold(0, u64::saturating_add);
    match op {
        // Each cell of the left meets each column of the result.
        MatmulOp::Product | MatmulOp::Cross => sum(&mut inputs.iter().step_by(2).map(|x| times(x, output.columns))),
        MatmulOp::Gram => sum(&mut inputs.iter().map(|x| times(x, output.columns))),
        MatmulOp::Mmchain | MatmulOp::MmchainWeighted | MatmulOp::MmchainMinus => {
            sum(&mut inputs.iter().map(|x| times(x, 2)))
        }
        // Each cell of X meets the thin axis of the factors, twice at most.
        MatmulOp::Factorised(_) => {
            let thin = inputs.first().map_or(0, |v| v.columns).saturating_mul(2);
            sum(&mut inputs.iter().skip(1).map(|x| times(x, thin)))
        }
    }
}

#[cfg(test)]
mod tests;
