//! The shapes of results. Where only the data tell the rows, it is the most that there may be.

use super::{EncodeOp, Feature};
use crate::{Error, Result, Shape};

impl EncodeOp {
    /// A frame's shape is its rows and columns.
    pub(in crate::op) fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let [rows, columns] = [inputs[0].rows, inputs[0].columns];
        Ok(match self {
            Self::Select(selected) => Shape::new(rows, selected.len() as u64),
            Self::Cast { .. } | Self::Filter(_) | Self::DropMissing(_) => inputs[0],
            Self::Map { .. } => {
                let more = columns.checked_add(1).ok_or_else(|| Error::invalid("map: too many columns to count"))?;
                Shape::new(rows, more)
            }
            Self::Join(join) => {
                let all = columns.checked_add(inputs[1].columns);
                let all = all.and_then(|all| all.checked_sub(join.right.len() as u64));
                Shape::new(rows, all.ok_or_else(|| Error::invalid("join: more keys than columns"))?)
            }
            Self::Matrix(names) if names.is_empty() => inputs[0],
            Self::Matrix(names) => Shape::new(rows, names.len() as u64),
            Self::Frame(names) if names.len() as u64 == columns => inputs[0],
            Self::Frame(names) => {
                let message = format!("to_frame: {} names for the columns of a matrix {}", names.len(), inputs[0]);
                return Err(Error::invalid(message));
            }
            Self::Categories { .. } | Self::Tokens { .. } => {
                let sum = inputs.iter().try_fold(0_u64, |sum, input| sum.checked_add(input.rows));
                let sum = sum.and_then(|sum| sum.checked_add(1));
                let too_many = || Error::invalid(format!("{}: too many rows to count", self.name()));
                Shape::new(sum.ok_or_else(too_many)?, 2)
            }
            Self::Features { features, .. } => Shape::new(rows, width(features)),
            Self::Decode(features) if width(features) == columns => Shape::new(rows, features.len() as u64),
            Self::Decode(features) => {
                return Err(Error::invalid(format!(
                    "decode: these features have {} columns together, and the matrix is {}",
                    width(features),
                    inputs[0]
                )));
            }
            Self::FillMissing(values) if values.len() as u64 == columns => inputs[0],
            Self::FillMissing(values) => {
                let message =
                    format!("fill_missing: {} numbers for the columns of a matrix {}", values.len(), inputs[0]);
                return Err(Error::invalid(message));
            }
        })
    }
}

/// How many columns features have together.
fn width(features: &[Feature]) -> u64 {
    features.iter().map(|feature| feature.width() as u64).fold(0, u64::saturating_add)
}
