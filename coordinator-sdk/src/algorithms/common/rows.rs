//! Columns beside X: in its rows, at its sites, in its parts.

use fondaco_proto::{ErrorCode, Shape};

use crate::{
    Axis, Error, FedMatrix, Operand, Pending, Result,
    layout::{Cut, Layout},
};

/// What to do about data with gaps.
pub const GAPS: &str = "the data hold NaN or infinities; replace them before";

/// The layout of a matrix of so many columns in the rows of X.
///
/// # Errors
/// `Plan` if the columns of X are at different sites.
pub fn layout_beside(x: &FedMatrix, columns: u64) -> Result<Layout> {
    if let Some(site) = x.layout().whole_at() {
        return Ok(Layout::whole(site.clone(), Shape::new(x.nrows(), columns)));
    }
    if x.layout().cut() != Some(Cut::Rows) {
        return Err(Error::plan(
            "the columns of X are at different sites, but the algorithm needs whole rows: a row cut",
        ));
    }
    Layout::rows(x.layout().parts().iter().map(|part| (part.site.clone(), part.shape().rows)), columns)
}

/// An operand in the rows of X and in its parts, so that it is sent, or realigned, once.
///
/// # Errors
/// `Plan` if it is a number, has another number of rows, or its rows are at other sites.
pub fn beside(x: &FedMatrix, what: &str, operand: &Operand) -> Result<FedMatrix> {
    let (rows, columns) = match operand {
        Operand::Scalar(_) => (1, 1),
        Operand::Local(array) => (array.nrows() as u64, array.ncols() as u64),
        Operand::Fed(matrix) => (matrix.nrows(), matrix.ncols()),
    };
    if rows != x.nrows() || matches!(operand, Operand::Scalar(_)) {
        return Err(Error::plan(format!("{what} must have the {} rows of X, not {rows}", x.nrows())));
    }
    let layout = layout_beside(x, columns)?;
    match operand {
        Operand::Fed(matrix) if matrix.layout().parts() == layout.parts() => Ok(matrix.clone()),
        Operand::Fed(matrix) => x.fill_like(&layout, 0.0)?.add(matrix),
        Operand::Local(array) => x.scatter_like(array.clone(), &layout),
        Operand::Scalar(_) => Err(Error::plan(format!("{what} must be a matrix"))),
    }
}

/// One column in the rows of X, as [`beside`].
///
/// # Errors
/// Also `Plan` if it has more columns.
pub fn column_beside(x: &FedMatrix, what: &str, operand: &Operand) -> Result<FedMatrix> {
    let column = beside(x, what, operand)?;
    if column.ncols() != 1 {
        return Err(Error::plan(format!("{what} must have one column, not {}", column.ncols())));
    }
    Ok(column)
}

/// `sum(w * terms)` of one column, each row counting w.
///
/// # Errors
/// As [`FedMatrix::cross`].
pub fn weighted_sum(terms: &FedMatrix, weights: Option<&FedMatrix>) -> Result<Pending> {
    match weights {
        Some(weights) => terms.cross(weights),
        None => terms.sum(Axis::All),
    }
}

/// `w * X`, X where each row counts once.
///
/// # Errors
/// As [`FedMatrix::multiply`].
pub fn weighed(x: &FedMatrix, weights: Option<&FedMatrix>) -> Result<FedMatrix> {
    match weights {
        Some(weights) => x.multiply(weights),
        None => Ok(x.clone()),
    }
}

/// A refused release, with what to do about it.
pub fn hinted(error: Error, hint: &str) -> Error {
    match error {
        Error::Site { site, error } if error.code() == ErrorCode::ReleaseDenied => {
            let message = format!("{hint}. {}", error.message());
            Error::Site { site, error: fondaco_proto::Error::denied(message).with_request_id(&error.kind().request_id) }
        }
        other => other,
    }
}

/// The result, or nothing where a site does not release it.
///
/// # Errors
/// Any other.
pub async fn if_released(pending: Pending) -> Result<Option<f64>> {
    match pending.scalar().await {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.code() == Some(ErrorCode::ReleaseDenied) => Ok(None),
        Err(error) => Err(error),
    }
}
