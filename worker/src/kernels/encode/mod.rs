//! Frames to frames, frames to matrices and back.

use fondaco_proto::{
    Error, Result, Shape,
    op::{EncodeOp, JoinHow},
};

use super::{Context, dense_one};
use crate::{frame::Frame, value::Value};

mod build;
mod cast;
mod categories;
mod decode;
mod features;
mod groups;
mod join;
mod lookup;
mod map;
mod matrix;
mod rows;
mod words;

/// Bytes of a row of a text column beside its text, and of what says which rows have a value.
const ROW_BYTES: u64 = 9;

/// The value of the operator, whose inputs are of the right kinds and shapes.
pub fn run(op: &EncodeOp, inputs: &[Value], cx: &Context<'_>) -> Result<Value> {
    cx.cancel.check()?;
    let x = &inputs[0];
    match op {
        EncodeOp::Select(columns) => rows::select(frame(x)?, columns).map(Value::Frame),
        EncodeOp::Cast { to, strict } => cast::cast(frame(x)?, to, *strict, cx).map(Value::Frame),
        EncodeOp::Filter(filter) => rows::filter(frame(x)?, filter, cx).map(Value::Frame),
        EncodeOp::DropMissing(columns) => rows::drop_missing(frame(x)?, columns, cx).map(Value::Frame),
        EncodeOp::Map { output, map } => map::map(frame(x)?, output, map, cx).map(Value::Frame),
        EncodeOp::Join(join) => join::join(frame(x)?, frame(&inputs[1])?, join, cx).map(Value::Frame),
        EncodeOp::Matrix(columns) => matrix::of_frame(frame(x)?, columns, cx).map(Value::Dense),
        EncodeOp::Frame(names) => matrix::to_frame(&dense_one(x, cx)?, names, cx).map(Value::Frame),
        EncodeOp::Categories { column, rows_min, guard } => {
            let parts = inputs.iter().map(frame).collect::<Result<Vec<_>>>()?;
            categories::categories(&parts, column, (*rows_min, *guard), cx).map(Value::Frame)
        }
        EncodeOp::Tokens { column, words, rows_min, guard } => {
            let parts = inputs.iter().map(frame).collect::<Result<Vec<_>>>()?;
            words::tokens(&parts, column, *words, (*rows_min, *guard), cx).map(Value::Frame)
        }
        EncodeOp::Features { features, guard } => features::encode(frame(x)?, features, *guard, cx),
        EncodeOp::Decode(features) => decode::decode(&dense_one(x, cx)?, features, cx).map(Value::Frame),
        EncodeOp::FillMissing(values) => matrix::fill_missing(&dense_one(x, cx)?, values, cx).map(Value::Dense),
    }
}

fn frame(value: &Value) -> Result<&Frame> {
    match value {
        Value::Frame(frame) => Ok(frame),
        Value::Dense(_) | Value::Sparse(_) | Value::Lazy(_) | Value::Streamed(_) => {
            Err(Error::invalid("a frame is needed, and this is a matrix; to_frame makes one of it"))
        }
    }
}

/// Bytes that the result may hold at most, from the inputs' own.
///
/// # Errors
/// `Invalid` if they do not fit 64 bits.
pub fn bytes_max(op: &EncodeOp, inputs: &[Value], shape: Shape) -> Result<u64> {
    let of_inputs = inputs.iter().map(Value::bytes).fold(0, u64::saturating_add);
    let rows = shape.rows;
    let column = rows.saturating_mul(ROW_BYTES);
    let texts = |growth: u64| of_inputs.saturating_mul(growth).saturating_add(column);
    Ok(match op {
        EncodeOp::Matrix(_) | EncodeOp::FillMissing(_) => shape.footprint_bytes()?,
        EncodeOp::Features { features, .. } => features::bytes_max(features, shape)?,
        EncodeOp::Select(_) | EncodeOp::Filter(_) | EncodeOp::DropMissing(_) => of_inputs.max(rows),
        // A number as a text has at most so many characters; other casts and texts at most so many bytes a row.
        EncodeOp::Cast { to, .. } => {
            of_inputs.saturating_add((to.len() as u64).saturating_mul(rows).saturating_mul(48))
        }
        EncodeOp::Map { map, .. } => of_inputs.saturating_add(texts(map::growth(map, inputs))),
        EncodeOp::Join(join) => {
            let nulls = if join.how == JoinHow::Left { shape.footprint_bytes()? / 8 } else { 0 };
            of_inputs.saturating_add(nulls).saturating_add(shape.footprint_bytes()?)
        }
        EncodeOp::Frame(_) => shape.footprint_bytes()?.saturating_add(column),
        EncodeOp::Categories { .. } => of_inputs.saturating_add(rows.saturating_mul(2 * ROW_BYTES)),
        // A word has a character and one that ends it; in lower case it has at most three times the bytes.
        EncodeOp::Tokens { .. } => of_inputs.saturating_mul(3 + ROW_BYTES),
        EncodeOp::Decode(features) => {
            let categories: u64 = features.iter().map(decode::category_bytes).fold(0, u64::saturating_add);
            shape.footprint_bytes()?.saturating_mul(2).saturating_add(categories)
        }
    })
}

/// How many cells a kernel looks at, roughly.
pub fn cost(inputs: &[Shape], output: Shape) -> u64 {
    let cells = |shape: &Shape| shape.rows.saturating_mul(shape.columns).saturating_mul(4);
    inputs.iter().map(cells).fold(cells(&output), u64::saturating_add)
}

#[cfg(test)]
mod tests;
