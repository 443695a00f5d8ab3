//! Covariances, and what likelihoods need of them.

use ndarray::{Array1, Array2};

use super::CovarianceType;
use crate::{
    Error, Result,
    solve::{cholesky, inv},
};

/// The covariances of a mixture.
#[derive(Clone, Debug, PartialEq)]
pub enum Covariances {
    /// A matrix for each component, `(d, d)`.
    Full(Vec<Array2<f64>>),
    /// One matrix for all, `(d, d)`.
    Tied(Array2<f64>),
    /// Variances for each component, `(k, d)`.
    Diag(Array2<f64>),
    /// One variance for each component, `(k)`.
    Spherical(Array1<f64>),
}

impl Covariances {
    /// What they have in common.
    pub fn covariance_type(&self) -> CovarianceType {
        match self {
            Self::Full(_) => CovarianceType::Full,
            Self::Tied(_) => CovarianceType::Tied,
            Self::Diag(_) => CovarianceType::Diag,
            Self::Spherical(_) => CovarianceType::Spherical,
        }
    }

    pub(super) fn fits(&self, k: usize, d: usize) -> bool {
        match self {
            Self::Full(all) => all.len() == k && all.iter().all(|of| of.dim() == (d, d)),
            Self::Tied(of) => of.dim() == (d, d),
            Self::Diag(of) => of.dim() == (k, d),
            Self::Spherical(of) => of.len() == k,
        }
    }

    pub(super) fn n_parameters(&self, k: usize, d: usize) -> usize {
        match self {
            Self::Full(_) => k * d * (d + 1) / 2,
            Self::Tied(_) => d * (d + 1) / 2,
            Self::Diag(_) => k * d,
            Self::Spherical(_) => k,
        }
    }
}

/// Factors of the inverses of covariances: `P` with `P @ P.T = inv(C)`, and the logarithms of their determinants.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Precisions {
    pub factors: Factors,
    /// `ln det P` of each component; of one matrix for all, one.
    pub log_determinants: Vec<f64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Factors {
    /// `(d, d)` for each component, or for all.
    Matrices(Vec<Array2<f64>>),
    /// The inverse variances, `(k, d)`.
    Diagonals(Array2<f64>),
    /// The inverse variances, `(k)`.
    Numbers(Array1<f64>),
}

impl Precisions {
    pub fn of(covariances: &Covariances) -> Result<Self> {
        let (factors, log_determinants) = match covariances {
            Covariances::Full(all) => matrices(all)?,
            Covariances::Tied(of) => matrices(std::slice::from_ref(of))?,
            Covariances::Diag(variances) => {
                positive(variances)?;
                let of = |row: ndarray::ArrayView1<f64>| -0.5 * row.iter().map(|v| v.ln()).sum::<f64>();
                (Factors::Diagonals(variances.mapv(f64::recip)), variances.rows().into_iter().map(of).collect())
            }
            Covariances::Spherical(variances) => {
                positive(variances)?;
                (Factors::Numbers(variances.mapv(f64::recip)), variances.iter().map(|v| -0.5 * v.ln()).collect())
            }
        };
        Ok(Self { factors, log_determinants })
    }
}

const SHRUNK: &str = "gaussian mixture: a component shrinks to fewer dimensions than there are columns: use fewer \
                      components, a larger reg_covar, or scale the columns";

fn positive<'a>(variances: impl IntoIterator<Item = &'a f64>) -> Result<()> {
    if variances.into_iter().all(|v| *v > 0.0 && v.is_finite()) {
        Ok(())
    } else {
        Err(Error::Numeric(SHRUNK.to_owned()))
    }
}

fn matrices(covariances: &[Array2<f64>]) -> Result<(Factors, Vec<f64>)> {
    let explained = |error| match error {
        Error::Numeric(message) => Error::Numeric(format!("{SHRUNK} ({message})")),
        other => other,
    };
    let (mut factors, mut log_determinants) = (Vec::new(), Vec::new());
    for covariance in covariances {
        let lower = cholesky(covariance).map_err(explained)?;
        log_determinants.push(-lower.diag().iter().map(|x| x.ln()).sum::<f64>());
        factors.push(inv(&lower).map_err(explained)?.reversed_axes());
    }
    Ok((Factors::Matrices(factors), log_determinants))
}
