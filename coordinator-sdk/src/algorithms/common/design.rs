//! What a linear method asks of X once, before it starts.

use ndarray::{Array1, Array2, s};

use super::{
    bordered::Bordered,
    rows::{GAPS, hinted, weighed},
};
use crate::{Axis, Error, FedMatrix, Result, solve::vanishing_pivot};

/// A column whose mean is more than a thousand times its standard deviation is centred first: squares would lose half of
/// the digits.
const FAR: f64 = 1e6;

/// Columns up to which `X.T @ X` is worth its time as a first approximation of a Hessian.
pub const GRAM_COLUMNS_MAX: u64 = 1000;

/// X, its products with itself and with targets; each row counts its weight.
pub struct Design {
    /// X; less `shift`, where that is.
    pub x: FedMatrix,
    /// `(n, 1)`; none: each row counts once.
    pub weights: Option<FedMatrix>,
    /// The means of X, if they were subtracted, `(1, d)`.
    pub shift: Option<Array2<f64>>,
    /// The sum of the weights.
    pub total: f64,
    /// `X.sum(axis=0)`, `(1, d)`.
    pub sums: Array2<f64>,
    /// `(X**2).sum(axis=0)`, `(d)`.
    pub squares: Array1<f64>,
    /// `X.T @ X`, `(d, d)`, if it was asked for.
    pub gram: Option<Array2<f64>>,
    /// `X.T @ T`, `(d, t)`.
    pub cross: Array2<f64>,
    /// `T.sum(axis=0)`, `(1, t)`.
    pub target_sums: Array2<f64>,
    /// Whether there is an intercept.
    pub intercept: bool,
}

/// How a design is wanted.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// Whether there is an intercept.
    pub intercept: bool,
    /// Whether columns may be centred: if there is an intercept that makes up for it.
    pub centred: bool,
    /// Whether `X.T @ X` is needed, or its diagonal alone.
    pub gram: bool,
    /// Whether a penalty makes up for columns that are constant.
    pub penalised: bool,
    /// What to do where a site does not release it.
    pub hint: &'static str,
}

impl Design {
    /// One round trip; three where a column is far from 0, beside its spread.
    ///
    /// # Errors
    /// `Numeric` for gaps, weights without a positive sum, or constant columns, naming the pivot; a site's.
    pub async fn of(x: &FedMatrix, targets: &FedMatrix, weights: Option<&FedMatrix>, wanted: Wanted) -> Result<Self> {
        let design = Self::measured(x.clone(), targets, weights, wanted).await?;
        if !design.total.is_finite() || design.total <= 0.0 {
            let message = format!("the weights of all rows together are {}, but must be greater than 0", design.total);
            return Err(Error::Numeric(message));
        }
        let of_x = design.sums.iter().chain(&design.squares);
        if !of_x.chain(&design.cross).chain(&design.target_sums).all(|sum| sum.is_finite()) {
            return Err(Error::Numeric(GAPS.to_owned()));
        }
        if !wanted.centred || !design.is_far() {
            return Ok(design);
        }
        let variance = x.var(Axis::Columns, 0)?.await.map_err(|error| hinted(error, wanted.hint))?;
        let means = &design.sums / design.total;
        let constant = |(variance, mean): (&f64, &f64)| variance.sqrt() <= 8.0 * f64::EPSILON * mean.abs();
        if !wanted.penalised
            && let Some(column) = variance.iter().zip(&means).position(constant)
        {
            return Err(super::bordered::explained(vanishing_pivot(column), "fit"));
        }
        let centred = x.subtract(&means)?;
        let design = Self::measured(centred, targets, weights, wanted).await?;
        Ok(Self { shift: Some(means), ..design })
    }

    async fn measured(x: FedMatrix, targets: &FedMatrix, weights: Option<&FedMatrix>, wanted: Wanted) -> Result<Self> {
        let weighed_x = weighed(&x, weights)?;
        let squares = match (wanted.gram, weights) {
            (true, None) => x.gram()?,
            (true, Some(_)) => x.cross(&weighed_x)?,
            (false, None) => x.sumsq(Axis::Columns)?,
            (false, Some(_)) => x.multiply(&weighed_x)?.sum(Axis::Columns)?,
        };
        // Weights go with X: times classes they would be a few numbers, of which some have too few rows.
        let cross = weighed_x.cross(targets)?;
        let (sums, target_sums, total) = match weights {
            None => (x.sum(Axis::Columns)?, targets.sum(Axis::Columns)?, None),
            Some(weights) => (weights.cross(&x)?, weights.cross(targets)?, Some(weights.sum(Axis::All)?)),
        };
        let hint = |error| hinted(error, wanted.hint);
        let (squares, cross) = (squares.await.map_err(hint)?, cross.await.map_err(hint)?);
        let (sums, target_sums) = (sums.await.map_err(hint)?, target_sums.await.map_err(hint)?);
        let total = match total {
            Some(total) => total.scalar().await.map_err(hint)?,
            None => x.nrows() as f64,
        };
        let (gram, squares) = if wanted.gram {
            let diagonal = squares.diag().to_owned();
            (Some(squares), diagonal)
        } else {
            (None, squares.row(0).to_owned())
        };
        let (weights, intercept) = (weights.cloned(), wanted.intercept);
        Ok(Self { x, weights, shift: None, total, sums, squares, gram, cross, target_sums, intercept })
    }

    fn is_far(&self) -> bool {
        let far = |(square, sum): (&f64, &f64)| {
            let offset = sum * sum / self.total;
            offset > FAR * (square - offset)
        };
        self.squares.iter().zip(&self.sums).any(far)
    }

    /// `[X, 1].T @ [X, 1]`; without an intercept, `X.T @ X`.
    pub fn bordered(&self) -> Option<Bordered> {
        let edge = self.intercept.then(|| (self.sums.t().to_owned(), self.total));
        Some(Bordered { matrix: self.gram.clone()?, edge })
    }

    /// The standard deviations of the columns, `(d)`.
    pub fn spreads(&self) -> Array1<f64> {
        let of = |(square, sum): (&f64, &f64)| ((square - sum * sum / self.total) / self.total).max(0.0).sqrt();
        self.squares.iter().zip(&self.sums).map(of).collect()
    }

    /// Coefficients and, in the last row, intercepts as they are for X itself, `(d + 1, m)`.
    pub fn unshifted(&self, theta: &Array2<f64>) -> Array2<f64> {
        let mut theta = theta.clone();
        if let Some(shift) = &self.shift {
            let d = shift.ncols();
            let moved = shift.dot(&theta.slice(s![..d, ..]));
            let mut intercept = theta.slice_mut(s![d.., ..]);
            intercept -= &moved;
        }
        theta
    }

    /// Covariances of coefficients and, last, of an intercept, as they are for X itself.
    pub fn unshifted_inverse(&self, inverse: Array2<f64>) -> Array2<f64> {
        let Some(shift) = &self.shift else { return inverse };
        let d = shift.ncols();
        let mut turn = Array2::eye(d + 1);
        turn.slice_mut(s![d.., ..d]).assign(&-shift);
        turn.dot(&inverse).dot(&turn.t())
    }
}
