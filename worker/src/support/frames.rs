//! How many rows stand behind what operators on frames give.

use std::slice;

use fondaco_proto::{
    Error, Measure, Op, Result,
    op::{AggregateFunction, AggregateOp, Axis, Code, EncodeOp, Feature, Guard, SliceOp},
};

use super::{Centre, Support};
use crate::{
    frame::{Cells, Frame},
    kernels::{self, Context},
    matrix::Matrix,
    value::Value,
};

/// The support that an operator on frames gives its result by itself.
///
/// # Errors
/// `Limit` if the memory does not suffice, `Cancelled` if asked to stop.
pub fn measure(
    op: &EncodeOp,
    measure: &Measure,
    inputs: &[Value],
    output: &Value,
    cx: &Context<'_>,
) -> Result<Support> {
    match (measure, op, inputs, output) {
        (Measure::Inherit, ..) => Ok(Support::FULL),
        (Measure::Groups, _, _, Value::Frame(groups)) => fewest(groups),
        (Measure::Frame { native }, EncodeOp::Filter(_) | EncodeOp::DropMissing(_), [input], output) => {
            let (all, taken) = (input.shape().rows, output.shape().rows);
            Ok(chosen(taken, all.saturating_sub(taken), *native))
        }
        (Measure::Frame { native }, EncodeOp::Features { features, guard }, [Value::Frame(frame)], output) => {
            of_features(features, *guard, *native, frame, output, cx)
        }
        (Measure::Frame { .. }, _, _, output) => {
            super::series(&kernels::dense_one(output, cx)?, true, Centre::Data, cx)
        }
        _other => Err(Error::internal("an operator on frames with a measure of matrices")),
    }
}

/// Of values and how many rows have each; of none, nothing is told.
fn fewest(groups: &Frame) -> Result<Support> {
    let Cells::Int64(counts) = groups.column("count")?.cells() else {
        return Err(Error::internal("counts that are no integers"));
    };
    // Counts are far below 2^53.
    let fewest = counts.iter().flatten().min();
    Ok(fewest.map_or(Support::FULL, |count| Support::equal(count as f64)))
}

/// Of a choice of rows, both those that were taken and those that were left; where it is the data's own, these may be
/// none.
fn chosen(taken: u64, left: u64, own: bool) -> Support {
    Support::equal(if own && left == 0 { taken } else { taken.min(left) } as f64)
}

/// Groups are as large as they must be, or left out. Numbers that are not a dataset's own are measured as any function of
/// them is, and so are counts of words, of which one row may have most; a word that is left out tells nothing. Where edges
/// or words are a tenant's choice, or a few gaps were filled, nothing is plain: two such choices could differ by one row.
fn of_features(
    features: &[Feature],
    guard: Guard,
    native: bool,
    frame: &Frame,
    output: &Value,
    cx: &Context<'_>,
) -> Result<Support> {
    let (mut first, mut plain) = (0, true);
    let (mut numbers, mut words) = (Vec::new(), Vec::new());
    for feature in features {
        let columns = first..first + feature.width() as u64;
        first = columns.end;
        match &feature.code {
            Code::Number { missing } if !native || (missing.is_some() && few_gaps(frame, feature, guard)?) => {
                plain = false;
                numbers.extend(columns);
            }
            Code::Words { .. } => {
                plain = false;
                words.extend(columns);
            }
            Code::Bins { .. } => plain = false,
            Code::Number { .. } | Code::Ordinal { .. } | Code::OneHot { .. } | Code::Hash { .. } => {}
        }
    }
    let mut support = Support::FULL;
    if !numbers.is_empty() || !words.is_empty() {
        let matrix = kernels::dense_one(output, cx)?;
        if !words.is_empty() {
            let counts = nonzero(&matrix, &words, cx)?;
            numbers.extend(words.iter().zip(counts).filter(|(_, count)| *count > 0.0).map(|(column, _)| *column));
        }
        if !numbers.is_empty() {
            support = super::series(&columns(&matrix, &numbers, cx)?, true, Centre::Data, cx)?;
        }
    }
    Ok(if plain { support } else { support.with_noise(f64::INFINITY) })
}

/// Whether the rows with a gap, or those without, are some but too few to be seen.
fn few_gaps(frame: &Frame, feature: &Feature, guard: Guard) -> Result<bool> {
    let column = frame.column(&feature.column)?;
    let gaps = (0..column.len()).filter(|row| column.is_missing(*row)).count() as u64;
    let others = column.len() as u64 - gaps;
    Ok(gaps > 0 && gaps.min(others) < guard.rows_min())
}

fn columns(matrix: &Matrix, indices: &[u64], cx: &Context<'_>) -> Result<Matrix> {
    kernels::run(&Op::Slice(SliceOp::Columns(indices.to_vec())), slice::from_ref(matrix), cx)
}

/// How many cells of each of these columns are not 0.
fn nonzero(matrix: &Matrix, indices: &[u64], cx: &Context<'_>) -> Result<Vec<f64>> {
    let nnz = Op::Aggregate(AggregateOp::new(AggregateFunction::Nnz, Axis::Columns));
    Ok(kernels::run(&nnz, &[columns(matrix, indices, cx)?], cx)?.to_column_major())
}
