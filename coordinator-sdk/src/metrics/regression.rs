//! Of numbers.

use super::{Compared, total};
use crate::{Axis, Error, FedMatrix, Operand, Pending, Result};

/// The mean of `(y_true - y_pred)**2`, over all rows and targets. One round trip; two with weights.
///
/// # Errors
/// `Plan` if shapes or layouts do not fit; a site's.
pub async fn mean_squared_error(
    y_true: impl Into<Operand>,
    y_pred: &FedMatrix,
    sample_weight: Option<&Operand>,
) -> Result<f64> {
    let compared = Compared::of(&y_true.into(), y_pred, sample_weight)?;
    let squares = squares(&difference(&compared, y_pred)?, compared.weights.as_ref())?.await?;
    let count = total(y_pred, compared.weights.as_ref()).await? * y_pred.ncols() as f64;
    Ok(squares.sum() / count)
}

/// The mean of `|y_true - y_pred|`, over all rows and targets. One round trip; two with weights.
///
/// # Errors
/// `Plan` if shapes or layouts do not fit; a site's.
pub async fn mean_absolute_error(
    y_true: impl Into<Operand>,
    y_pred: &FedMatrix,
    sample_weight: Option<&Operand>,
) -> Result<f64> {
    let compared = Compared::of(&y_true.into(), y_pred, sample_weight)?;
    let sizes = difference(&compared, y_pred)?.abs()?;
    let sums = match &compared.weights {
        Some(weights) => sizes.cross(weights)?,
        None => sizes.sum(Axis::Columns)?,
    };
    let sums = sums.await?;
    Ok(sums.sum() / (total(y_pred, compared.weights.as_ref()).await? * y_pred.ncols() as f64))
}

/// The coefficient of determination, `1 - Σ(y_true - y_pred)² / Σ(y_true - mean)²`, the mean of all targets. One round
/// trip; two with weights. A constant target has 1 if it is predicted exactly, else 0.
///
/// # Errors
/// `Plan` if shapes or layouts do not fit; a site's.
pub async fn r2_score(y_true: impl Into<Operand>, y_pred: &FedMatrix, sample_weight: Option<&Operand>) -> Result<f64> {
    let Compared { y_true, weights } = Compared::of(&y_true.into(), y_pred, sample_weight)?;
    let residuals = squares(&y_true.subtract(y_pred)?, weights.as_ref())?;
    let (residuals, totals) = match &weights {
        None => {
            let variance = y_true.var(Axis::Columns, 0)?;
            let residuals = residuals.await?;
            (residuals, variance.await? * y_true.nrows() as f64)
        }
        Some(weights) => {
            let (sums, count) = (weights.cross(&y_true)?, weights.sum(Axis::All)?);
            let means = sums.await? / count.scalar().await?;
            let totals = squares(&y_true.subtract(&means)?, Some(weights))?.await?;
            (residuals.await?.reversed_axes(), totals.reversed_axes())
        }
    };
    let explained = residuals.iter().zip(&totals).map(|(residual, total)| match (*residual, *total) {
        (0.0, 0.0) => 1.0,
        (_, 0.0) => 0.0,
        (residual, total) => 1.0 - residual / total,
    });
    Ok(explained.sum::<f64>() / y_pred.ncols() as f64)
}

fn difference(compared: &Compared, y_pred: &FedMatrix) -> Result<FedMatrix> {
    let fits = compared.y_true.ncols() == y_pred.ncols();
    if !fits {
        let message = format!("y_true has {} columns, but y_pred {}", compared.y_true.ncols(), y_pred.ncols());
        return Err(Error::plan(message));
    }
    compared.y_true.subtract(y_pred)
}

/// Sums of squares of columns, `(1, d)`; with weights `(d, 1)`.
fn squares(x: &FedMatrix, weights: Option<&FedMatrix>) -> Result<Pending> {
    match weights {
        Some(weights) => x.multiply(x)?.cross(weights),
        None => x.sumsq(Axis::Columns),
    }
}
