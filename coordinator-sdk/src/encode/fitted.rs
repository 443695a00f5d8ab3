//! Encoders that were fitted: plain numbers and texts.

use fondaco_proto::op::{Code, Feature, Values};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::numbers::Numbers;
use crate::{Error, FedFrame, FedMatrix, Result};

/// What becomes of the columns of a frame, fitted. It holds no rows: it may be saved, sent, and applied elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedTransformer {
    /// In the order of the matrix.
    pub columns: Vec<FittedColumn>,
}

/// What becomes of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedColumn {
    /// The frame's column.
    pub column: String,
    /// Its encoder.
    pub encoder: FittedEncoder,
}

/// Categories in ascending order, of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Categories {
    /// Of doubles.
    Float64(Vec<f64>),
    /// Of integers.
    Int64(Vec<i64>),
    /// Of truth values.
    Bool(Vec<bool>),
    /// Of texts.
    Text(Vec<String>),
    /// Of dates, in days since 1970.
    Date(Vec<i32>),
}

/// A fitted encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum FittedEncoder {
    /// One column for each category.
    OneHot {
        /// The categories.
        categories: Categories,
        /// Whether gaps are one more, the last.
        missing: bool,
        /// Which of them has no column.
        dropped: Option<u32>,
        /// Whether other values are an error.
        strict: bool,
    },
    /// The index of the category.
    Ordinal {
        /// The categories.
        categories: Categories,
        /// For other values; NaN if none.
        unknown: Option<f64>,
        /// For gaps; NaN if none.
        missing: Option<f64>,
    },
    /// The interval in which a number lies; the ends of the outermost are open.
    Bins {
        /// Ascending; one more than intervals.
        edges: Vec<f64>,
        /// One column for each interval, and not its index.
        one_hot: bool,
    },
    /// The hash of a text.
    Hash {
        /// How many columns.
        columns: u32,
        /// Whether half of them are negative.
        alternate_sign: bool,
    },
    /// `(min(max(x, low), high) - shift) / scale` of the number, or of `missing` where there is none.
    Numeric {
        /// What a gap is; NaN if none.
        missing: Option<f64>,
        /// Smallest and largest number kept.
        clip: Option<(f64, f64)>,
        /// What is subtracted.
        shift: f64,
        /// What it is divided by.
        scale: f64,
    },
}

impl From<Categories> for Values {
    fn from(categories: Categories) -> Self {
        match categories {
            Categories::Float64(values) => Self::Float64(values),
            Categories::Int64(values) => Self::Int64(values),
            Categories::Bool(values) => Self::Bool(values),
            Categories::Text(values) => Self::Text(values),
            Categories::Date(values) => Self::Date(values),
        }
    }
}

impl Categories {
    /// As texts, for names.
    fn texts(&self) -> Vec<String> {
        match self {
            Self::Float64(values) => values.iter().map(f64::to_string).collect(),
            Self::Int64(values) => values.iter().map(i64::to_string).collect(),
            Self::Bool(values) => values.iter().map(bool::to_string).collect(),
            Self::Text(values) => values.clone(),
            Self::Date(values) => values.iter().map(i32::to_string).collect(),
        }
    }
}

impl FittedColumn {
    /// What a site is told: of numbers, how gaps are filled; the rest are operators of matrices.
    pub(super) fn feature(&self) -> Feature {
        let code = match self.encoder.clone() {
            FittedEncoder::OneHot { categories, missing, dropped, strict } => {
                Code::OneHot { categories: categories.into(), missing, strict, dropped }
            }
            FittedEncoder::Ordinal { categories, unknown, missing } => Code::Ordinal {
                categories: categories.into(),
                strict: false,
                unknown: unknown.unwrap_or(f64::NAN),
                missing: missing.unwrap_or(f64::NAN),
            },
            FittedEncoder::Bins { edges, one_hot } => Code::Bins { edges, one_hot },
            FittedEncoder::Hash { columns, alternate_sign } => Code::Hash { columns, alternate_sign },
            FittedEncoder::Numeric { missing, .. } => Code::Number { missing },
        };
        Feature { column: self.column.clone(), code }
    }

    fn is_number(&self) -> bool {
        matches!(self.encoder, FittedEncoder::Numeric { .. })
    }

    fn names(&self) -> Vec<String> {
        let of = |texts: Vec<String>| texts.into_iter().map(|text| format!("{}_{text}", self.column));
        match &self.encoder {
            FittedEncoder::OneHot { categories, missing, dropped, .. } => {
                let mut names: Vec<String> = of(categories.texts()).collect();
                names.extend(missing.then(|| format!("{}_nan", self.column)));
                if let Some(dropped) = dropped {
                    names.remove(*dropped as usize);
                }
                names
            }
            FittedEncoder::Bins { edges, one_hot: true } => {
                of((1..edges.len()).map(|i| (i - 1).to_string()).collect()).collect()
            }
            FittedEncoder::Hash { columns, .. } => of((0..*columns).map(|i| i.to_string()).collect()).collect(),
            FittedEncoder::Ordinal { .. } | FittedEncoder::Bins { .. } | FittedEncoder::Numeric { .. } => {
                vec![self.column.clone()]
            }
        }
    }
}

impl FittedTransformer {
    /// The matrix, `(rows, columns)`: one instruction for each run of columns that are numbers, or are none; few rows with
    /// something in them stay sparse.
    ///
    /// # Errors
    /// `Plan` if a column is not there, or of another kind than when it was fitted.
    pub fn transform(&self, frame: &FedFrame) -> Result<FedMatrix> {
        let mut runs: Vec<FedMatrix> = Vec::new();
        for run in self.columns.chunk_by(|a, b| a.is_number() == b.is_number()) {
            let matrix = frame.encode(run.iter().map(FittedColumn::feature).collect())?;
            runs.push(if run[0].is_number() { Numbers::of(run).apply(&matrix)? } else { matrix });
        }
        let first = runs.first().ok_or_else(|| Error::plan("transform: there are no columns to encode"))?;
        if runs.len() == 1 { Ok(first.clone()) } else { first.hstack(&runs[1..]) }
    }

    /// The columns that a matrix was made of: categories of the largest cell, middles of intervals, numbers before they
    /// were scaled. What was clipped or filled stays so.
    ///
    /// # Errors
    /// `Plan` if the matrix has other columns, or some were hashed, from which nothing comes back.
    pub fn inverse_transform(&self, matrix: &FedMatrix) -> Result<FedFrame> {
        let width = |column: &FittedColumn| column.feature().width();
        let of_number = |number: fn(&FittedEncoder) -> f64, other: f64| {
            let cells = self.columns.iter().flat_map(|column| {
                let cell = if column.is_number() { number(&column.encoder) } else { other };
                std::iter::repeat_n(cell, width(column))
            });
            Array2::from_shape_vec((1, self.columns.iter().map(width).sum()), cells.collect()).unwrap_or_default()
        };
        let (scales, shifts) = (of_number(FittedEncoder::scale_of, 1.0), of_number(FittedEncoder::shift_of, 0.0));
        let scaled = scales.iter().any(|scale| *scale != 1.0) || shifts.iter().any(|shift| *shift != 0.0);
        let matrix = if scaled { matrix.multiply(scales)?.add(shifts)? } else { matrix.clone() };
        matrix.decode(self.columns.iter().map(FittedColumn::feature).collect())
    }

    /// The names of the matrix's columns (`get_feature_names_out`).
    pub fn feature_names_out(&self) -> Vec<String> {
        self.columns.iter().flat_map(FittedColumn::names).collect()
    }

    /// All of it as JSON, from which the same numbers come back, bit by bit.
    ///
    /// # Errors
    /// `Plan` if a number is infinite or NaN, of which JSON has none.
    pub fn to_json(&self) -> Result<String> {
        let json = serde_json::to_string_pretty(self).map_err(|error| Error::plan(error.to_string()))?;
        match serde_json::from_str::<Self>(&json) {
            Ok(same) if same == *self => Ok(json),
            Ok(_) | Err(_) => Err(Error::plan("to_json: an infinity or NaN cannot be saved")),
        }
    }

    /// What was saved.
    ///
    /// # Errors
    /// `Plan` saying what is wrong with it.
    pub fn from_json(json: &str) -> Result<Self> {
        serde_json::from_str(json).map_err(|error| Error::plan(format!("this is no fitted transformer: {error}")))
    }
}

impl FittedEncoder {
    fn scale_of(&self) -> f64 {
        if let Self::Numeric { scale, .. } = self { *scale } else { 1.0 }
    }

    fn shift_of(&self) -> f64 {
        if let Self::Numeric { shift, .. } = self { *shift } else { 0.0 }
    }
}
