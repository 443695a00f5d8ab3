//! What is done to columns of numbers side by side: `(min(max(X, low), high) - shift) / scale`.

use ndarray::Array2;

use super::fitted::{FittedColumn, FittedEncoder};
use crate::{BinaryFunction, FedMatrix, Result};

/// The parameters of each column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Numbers {
    pub low: Vec<f64>,
    pub high: Vec<f64>,
    pub shift: Vec<f64>,
    pub scale: Vec<f64>,
}

impl Numbers {
    /// Nothing for so many columns.
    pub fn none(columns: usize) -> Self {
        Self {
            low: vec![f64::NEG_INFINITY; columns],
            high: vec![f64::INFINITY; columns],
            shift: vec![0.0; columns],
            scale: vec![1.0; columns],
        }
    }

    pub fn of(columns: &[FittedColumn]) -> Self {
        let mut numbers = Self::none(columns.len());
        for (i, column) in columns.iter().enumerate() {
            if let FittedEncoder::Numeric { clip, shift, scale, .. } = column.encoder {
                (numbers.low[i], numbers.high[i]) = clip.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
                (numbers.shift[i], numbers.scale[i]) = (shift, scale);
            }
        }
        numbers
    }

    /// The columns clipped.
    pub fn clipped(&self, x: &FedMatrix) -> Result<FedMatrix> {
        if self.low.iter().all(|low| low.is_infinite()) && self.high.iter().all(|high| high.is_infinite()) {
            return Ok(x.clone());
        }
        x.binary(BinaryFunction::Maximum, row(&self.low))?.binary(BinaryFunction::Minimum, row(&self.high))
    }

    /// The columns clipped and scaled. What changes nothing is left out, so that nothing is asked for it.
    pub fn apply(&self, x: &FedMatrix) -> Result<FedMatrix> {
        let mut x = self.clipped(x)?;
        if self.shift.iter().any(|shift| *shift != 0.0) {
            x = x.subtract(row(&self.shift))?;
        }
        if self.scale.iter().any(|scale| *scale != 1.0) {
            x = x.divide(row(&self.scale))?;
        }
        Ok(x)
    }
}

fn row(cells: &[f64]) -> Array2<f64> {
    Array2::from_shape_fn((1, cells.len()), |(_, column)| cells[column])
}
