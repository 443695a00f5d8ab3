//! What several algorithms need of layouts, refusals and numbers.

use fondaco_proto::ErrorCode;
use ndarray::Array2;

use crate::{Error, FedMatrix, Result, layout::Layout};

/// Means whose squares are more than this times the variances cost squared distances four digits: such data are centred
/// first.
const FAR: f64 = 1e4;

/// A layout of other columns in the rows of X.
pub(super) fn beside(x: &FedMatrix, columns: u64) -> Result<Layout> {
    Layout::rows(x.layout().parts().iter().map(|part| (part.site.clone(), part.shape().rows)), columns)
}

/// For each site, the rows of X that it holds.
pub(super) fn at_each_site(x: &FedMatrix) -> Result<Vec<FedMatrix>> {
    let rows = |part: usize| {
        let range = x.layout().parts()[part].rows.clone();
        x.slice(range, ..)
    };
    let sites = x.layout().by_site().into_iter().map(|(_, parts)| {
        let mut parts = parts.into_iter().map(rows).collect::<Result<Vec<_>>>()?.into_iter();
        let Some(first) = parts.next() else { return Err(Error::plan("a site without parts")) };
        if parts.len() == 0 { Ok(first) } else { first.vstack(parts) }
    });
    sites.collect()
}

/// The most rows that any site wants behind a released number.
pub(super) fn release_rows_min(x: &FedMatrix) -> u64 {
    x.limits().iter().map(|(_, limits)| limits.release_rows_min).max().unwrap_or(1).max(1)
}

/// Whether data lie far from 0 beside their spread, by the means and variances of the columns.
pub(super) fn is_far(means: &Array2<f64>, variances: &Array2<f64>) -> bool {
    means.iter().map(|mean| mean * mean).sum::<f64>() > FAR * variances.sum()
}

/// Whether an owner's rules are against a release.
pub(super) fn is_refusal(error: &Error) -> bool {
    error.code() == Some(ErrorCode::ReleaseDenied)
}

/// A refused release, with what to do about it.
pub(super) fn hinted(error: Error, hint: &str) -> Error {
    match error {
        Error::Site { site, error } if error.code() == ErrorCode::ReleaseDenied => {
            let message = format!("{hint}. {}", error.message());
            Error::Site { site, error: fondaco_proto::Error::denied(message).with_request_id(&error.kind().request_id) }
        }
        other => other,
    }
}

/// What is released, or nothing where the owner's rules are against it.
pub(super) fn if_released<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_refusal(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The error of data with gaps, unless all of these are numbers.
pub(super) fn check_finite<'a>(what: &str, numbers: impl IntoIterator<Item = &'a f64>) -> Result<()> {
    if numbers.into_iter().all(|x| x.is_finite()) {
        return Ok(());
    }
    Err(Error::Numeric(format!("{what}: the data hold NaN or infinities; replace them before")))
}

/// Of several winners the first stays: the others have an earlier one. (The number of winners of a row would divide
/// them evenly, but is 1 for all rows but a few, and such a series is not released.)
pub(super) fn first_of(winners: &FedMatrix) -> Result<FedMatrix> {
    let k = winners.ncols() as usize;
    let earlier = Array2::from_shape_fn((k, k - 1), |(i, j)| f64::from(i <= j));
    let rest = winners.slice(.., 1..)?.greater(winners.matmul(earlier)?)?;
    winners.slice(.., ..1)?.hstack([rest])
}
