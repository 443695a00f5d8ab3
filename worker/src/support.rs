//! How many rows stand behind a value's cells: what the gate's minimum is compared with.
//!
//! A *series* is what is, or was, summed over data rows: the terms of one cell, a column of weights. Its support is how
//! many of its terms count, and how many would count if they weighed the same: (Σ|t|)² / Σt². The same is measured of
//! the terms less a robust centre, because a series that is one constant for all but a few rows hides those few; and, where
//! it has plateaus, of the distances to the nearest, because it may be several constants.

use fondaco_proto::Result;

use crate::{kernels::Context, matrix::Matrix};

mod digits;
pub mod frames;
mod groups;
mod measure;
mod plateau;
mod powers;
mod series;
mod streamed;
mod terms;
mod unfused;

pub use measure::Step;
pub use streamed::of_streamed;

/// How many rows stand behind the weakest cell of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Support {
    /// Rows whose part is not 0.
    pub rows: f64,
    /// As many rows of equal parts would be as much as these are: (Σ|t|)² / Σt². Never more than `rows`.
    pub effective: f64,
    /// How much of what varies in a linear map of rows may be rounding errors, for the worst of its columns.
    pub noise: f64,
}

impl Support {
    /// Of what no cell weakens.
    pub const FULL: Self = Self::equal(f64::INFINITY);

    /// Of a cell behind which stands no row.
    pub const NONE: Self = Self::equal(0.0);

    /// Of so many rows of equal parts.
    pub const fn equal(rows: f64) -> Self {
        Self { rows, effective: rows, noise: 0.0 }
    }

    /// The weaker of both, by each count; what is not a number counts as none.
    #[must_use]
    pub const fn weakest(self, other: Self) -> Self {
        Self {
            rows: least(self.rows, other.rows),
            effective: least(self.effective, other.effective),
            noise: if self.noise < other.noise { other.noise } else { self.noise },
        }
    }

    /// The same, with so much noise.
    #[must_use]
    const fn with_noise(self, noise: f64) -> Self {
        Self { noise, ..self }
    }

    /// Whether a linear map of rows still holds each of them; if not, it is one function among others.
    pub fn is_exact(&self) -> bool {
        self.noise <= digits::NOISE_MAX
    }
}

const fn least(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        0.0
    } else if a < b {
        a
    } else {
        b
    }
}

/// What a series holds that is one constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Centre {
    /// Weights: that all rows weigh the same, and not nothing, hides none of them.
    Weights,
    /// Data: a constant that data became says nothing of anybody, or of somebody alone; it counts as none.
    Data,
    /// Weights that are summed by themselves: as weights, that they are all the same hides nobody; that they are several
    /// constants could.
    Counted,
}

/// The support of the weakest series of a matrix: each column is one whose terms run down the rows or, not
/// `along_rows`, each row is one. NaN and infinities dominate: if there are any, they alone count. A series without
/// terms has no support; a matrix without series has it in full.
///
/// # Errors
/// `Limit` if the memory does not suffice, `Cancelled` if asked to stop.
pub fn series(m: &Matrix, along_rows: bool, centre: Centre, cx: &Context<'_>) -> Result<Support> {
    let oriented = if along_rows { m.clone() } else { m.transpose() };
    series::weakest(&[oriented], series::Term::Cell, centre, cx)
}

#[cfg(test)]
mod tests;
