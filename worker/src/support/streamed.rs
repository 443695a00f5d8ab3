//! The support of what is computed from rows that are not all here. What can be said of them without a look is said;
//! what needs one is measured on what came out, as strictly as of any function; the rest is refused.

use fondaco_proto::{
    Axes, Error, Measure, Op, Result,
    op::{AggregateFunction, AggregateOp, Axis, MatmulOp},
};

use super::{Centre, Support, digits, series};
use crate::{
    kernels::{self, Context},
    matrix::Matrix,
    value::Value,
};

/// The support that an operator gives its result by itself, where rows of an input are read when they are needed; the
/// data axes of the inputs are `axes`, those of the output beside it.
///
/// # Errors
/// `Limit` if it cannot be measured without having all rows; `Cancelled` if asked to stop.
pub fn of_streamed(
    op: &Op,
    inputs: &[Value],
    axes: &[Axes],
    (output, output_axes): (&Value, Axes),
    measure: &Measure,
    cx: &Context<'_>,
) -> Result<Support> {
    let rows = || Support::equal(rows(op, inputs, axes) as f64);
    match (measure, output) {
        (Measure::Inherit, _) => Ok(Support::FULL),
        // The rows of a dataset, or a range of them, as they are.
        (Measure::Linear, Value::Streamed(_)) => Ok(Support::FULL),
        // Whether a linear map keeps each row cannot be seen: it is one function among others.
        (Measure::Linear, Value::Dense(output)) if output_axes == Axes::Rows => of_rows(op, inputs, output, cx),
        (Measure::Cells(weights), Value::Dense(output)) if output_axes == Axes::Rows && weights.is_empty() => {
            of_rows(op, inputs, output, cx)
        }
        (Measure::Count, _) if !is_chain(op) => Ok(rows().weakest(constants(inputs, axes, &[])?)),
        (Measure::Weights(weights), _) if matches!(op, Op::Matmul(MatmulOp::Cross)) => {
            let listed: Vec<Matrix> = weights.iter().filter_map(|&i| dense(inputs.get(i)?)).collect();
            if listed.len() != weights.len() {
                return Err(too_many());
            }
            let mut support = rows().weakest(constants(inputs, axes, weights)?);
            for weights in &listed {
                support = support.weakest(series(weights, true, Centre::Weights, cx)?);
            }
            Ok(support)
        }
        _unseen => Err(too_many()),
    }
}

/// A constant factor at the edge of the numbers leaves few rows of what it is multiplied with; others that hold no data
/// are weights, and measured as such.
fn constants(inputs: &[Value], axes: &[Axes], weights: &[usize]) -> Result<Support> {
    for (i, (input, axes)) in inputs.iter().zip(axes).enumerate() {
        if *axes != Axes::None || weights.contains(&i) || input.shape().cells()? == 0 {
            continue;
        }
        match input {
            Value::Dense(constant) if digits::is_at_the_edge(constant.get(0, 0)) => return Ok(Support::NONE),
            Value::Dense(_) => {}
            Value::Sparse(_) | Value::Lazy(_) | Value::Streamed(_) | Value::Frame(_) => return Err(too_many()),
        }
    }
    Ok(Support::FULL)
}

/// What came out, row by row, as strictly as of any function; where columns were summed for each row, the sums of their
/// magnitudes too: few rows that are large hide what else they have.
fn of_rows(op: &Op, inputs: &[Value], output: &Matrix, cx: &Context<'_>) -> Result<Support> {
    let cells = series(output, true, Centre::Data, cx)?;
    let magnitudes = match (op, inputs) {
        (Op::Matmul(MatmulOp::Product), [x, Value::Dense(v)]) => Some(kernels::magnitudes(x, Some(v), cx)?),
        (Op::Aggregate(AggregateOp::Reduce(op)), [x]) if op.axis == Axis::Rows => match op.function {
            AggregateFunction::Sum | AggregateFunction::Mean => Some(kernels::magnitudes(x, None, cx)?),
            _no_sum => None,
        },
        _others => return Err(too_many()),
    };
    let summed = magnitudes.map(|sums| series(&sums, true, Centre::Data, cx)).transpose()?;
    Ok(cells.weakest(summed.unwrap_or(Support::FULL)).with_noise(f64::INFINITY))
}

fn dense(value: &Value) -> Option<Matrix> {
    match value {
        Value::Dense(matrix) => Some(matrix.clone()),
        Value::Sparse(_) | Value::Lazy(_) | Value::Streamed(_) | Value::Frame(_) => None,
    }
}

fn is_chain(op: &Op) -> bool {
    matches!(op, Op::Matmul(MatmulOp::Mmchain | MatmulOp::MmchainWeighted | MatmulOp::MmchainMinus))
}

/// Data rows that are summed over, all parts together.
fn rows(op: &Op, inputs: &[Value], axes: &[Axes]) -> u64 {
    let first_of_pairs = matches!(op, Op::Matmul(MatmulOp::Cross | MatmulOp::Product));
    let of_rows = inputs.iter().zip(axes).filter(|(_, axes)| axes.rows()).map(|(input, _)| input.shape().rows);
    let step = if first_of_pairs { 2 } else { 1 };
    match op {
        Op::Aggregate(AggregateOp::Reduce(op)) if op.axis != Axis::Rows => of_rows.sum(),
        Op::Aggregate(AggregateOp::Distinct(_)) => of_rows.sum(),
        Op::Aggregate(_) => 0,
        Op::Matmul(MatmulOp::Cross) => inputs.iter().step_by(step).map(|input| input.shape().rows).sum(),
        Op::Matmul(MatmulOp::Gram) => of_rows.sum(),
        Op::Create(_)
        | Op::Elementwise(_)
        | Op::Matmul(_)
        | Op::Reorg(_)
        | Op::Slice(_)
        | Op::Stats(_)
        | Op::Encode(_) => 0,
    }
}

fn too_many() -> Error {
    Error::limit(
        "the dataset's rows do not fit this tenant's memory (tenant_bytes_max), and whether enough of them stand behind \
         this result can only be seen with all of them; sums, means, variances, X.T @ X, X @ v and X.T @ u can be had, or \
         read fewer columns",
    )
}
