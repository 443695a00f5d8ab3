//! How likely rows are, and which component has what of them.

use ndarray::{Array2, Axis as NdAxis};

use super::{
    super::sites::{self, first_of},
    Data, MixtureParameters,
    covariance::{Factors, Precisions},
    row,
};
use crate::{FedMatrix, Result};

/// What an expectation gives; it stays at the sites.
pub(super) struct Expected {
    /// `(n, k)`.
    pub responsibilities: FedMatrix,
    /// Logarithms, `(n, 1)`.
    pub likelihoods: FedMatrix,
}

/// Nothing of a row is lost where all components are far from it: the largest term is taken out of the logarithm.
pub(super) fn expect(
    data: &Data,
    parameters: &MixtureParameters,
    precisions: &Precisions,
    hard: bool,
) -> Result<Expected> {
    let (k, d) = parameters.means.dim();
    let logs = Array2::from_shape_fn((1, k), |(_, i)| {
        let determinant = match &precisions.factors {
            Factors::Matrices(all) if all.len() == 1 => precisions.log_determinants[0],
            Factors::Matrices(_) | Factors::Diagonals(_) => precisions.log_determinants[i],
            Factors::Numbers(_) => precisions.log_determinants[i] * d as f64,
        };
        parameters.weights[i].ln() + determinant - 0.5 * d as f64 * std::f64::consts::TAU.ln()
    });
    let terms = distances(data, &parameters.means, &precisions.factors)?.multiply(-0.5)?.add(logs)?;
    if k == 1 {
        // Of a single component each row is in full.
        let responsibilities = data.x.fill_like(&sites::beside(&data.x, 1)?, 1.0)?;
        return Ok(Expected { responsibilities, likelihoods: terms });
    }
    if hard {
        let largest = terms.row_max()?;
        return Ok(Expected { responsibilities: first_of(&terms.greater_equal(&largest)?)?, likelihoods: largest });
    }
    // That of a row is the logarithm of any term less that of its share. (The largest term's share is nearly 1 for most
    // rows, and such a series is not released.)
    let shares = terms.log_softmax()?;
    let likelihoods = terms.slice(.., ..1)?.subtract(shares.slice(.., ..1)?)?;
    Ok(Expected { responsibilities: shares.exp()?, likelihoods })
}

/// Squared distances in units of the covariances (Mahalanobis'), `(n, k)`.
fn distances(data: &Data, means: &Array2<f64>, factors: &Factors) -> Result<FedMatrix> {
    let (x, k) = (&data.x, means.nrows());
    match (factors, &data.squares) {
        (Factors::Matrices(all), _) if all.len() == 1 => {
            // One matrix turns all rows, and all means.
            let (turned, means) = (x.matmul(&all[0])?, means.dot(&all[0]));
            beside((0..k).map(|i| turned.subtract(row(&means, i))?.row_sumsq()).collect::<Result<_>>()?)
        }
        (Factors::Matrices(all), _) => {
            let of = |(i, factor)| x.subtract(row(means, i))?.matmul(factor)?.row_sumsq();
            beside(all.iter().enumerate().map(of).collect::<Result<_>>()?)
        }
        (Factors::Diagonals(inverse), squares) => {
            let constant = (means * means * inverse).sum_axis(NdAxis(1)).insert_axis(NdAxis(0));
            let squares = squares.clone().map_or_else(|| x.multiply(x), Ok)?;
            let straight = x.matmul((means * inverse).reversed_axes() * -2.0)?.add(constant)?;
            squares.matmul(inverse.t().to_owned())?.add(straight)
        }
        (Factors::Numbers(inverse), squares) => {
            let inverse = inverse.view().insert_axis(NdAxis(1));
            let constant = ((means * means).sum_axis(NdAxis(1)).insert_axis(NdAxis(1)) * inverse).reversed_axes();
            let lengths = match squares {
                Some(squares) => squares.row_sum()?,
                None => x.row_sumsq()?,
            };
            let straight = x.matmul((means * &inverse).reversed_axes() * -2.0)?.add(constant)?;
            lengths.matmul(inverse.t().to_owned())?.add(straight)
        }
    }
}

fn beside(columns: Vec<FedMatrix>) -> Result<FedMatrix> {
    let mut columns = columns.into_iter();
    let Some(first) = columns.next() else { return Err(crate::Error::plan("gaussian mixture: no components")) };
    if columns.len() == 0 { Ok(first) } else { first.hstack(columns) }
}
