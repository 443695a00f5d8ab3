//! What regressions of one target need of the data: centred products, in one round trip.

use ndarray::{Array1, Array2, Axis as NdAxis, s};

use super::{FittedLinear, sites::check_finite};
use crate::{Axis, Error, FedMatrix, Operand, Result};

/// Products of the columns of X and y less their means; of the columns themselves, without an intercept.
pub(super) struct Centred {
    /// Rows.
    pub n: f64,
    /// `X.T @ X`, `(d, d)`.
    pub gram: Array2<f64>,
    /// `X.T @ y`, `(d)`.
    pub cross: Array1<f64>,
    /// `y.T @ y`.
    pub squares: f64,
    /// The means of X, `(d)`, and of y; zeros without an intercept.
    pub means: (Array1<f64>, f64),
    /// What the squares of a column may sum to although it is constant, `(d)`.
    pub rounding: Array1<f64>,
}

impl Centred {
    /// One round trip.
    pub async fn of(what: &str, x: &FedMatrix, y: &Operand, fit_intercept: bool) -> Result<Self> {
        let columns = match y {
            Operand::Fed(y) => y.ncols() as usize,
            Operand::Local(y) => y.ncols(),
            Operand::Scalar(_) => 0,
        };
        if columns != 1 {
            return Err(Error::plan(format!("{what}: y must be one column, in the rows of X")));
        }
        if x.nrows() == 0 {
            return Err(Error::plan(format!("{what}: there are no rows")));
        }
        let of = if fit_intercept { Self::centred(x, y).await? } else { Self::plain(x, y).await? };
        check_finite(what, of.gram.iter().chain(&of.cross).chain([&of.squares]))?;
        Ok(of)
    }

    async fn plain(x: &FedMatrix, y: &Operand) -> Result<Self> {
        let (gram, cross) = (x.gram()?, x.cross(y)?);
        let squares = match y {
            Operand::Fed(y) => y.sumsq(Axis::All)?.scalar().await?,
            Operand::Local(y) => y.iter().map(|y| y * y).sum(),
            Operand::Scalar(_) => f64::NAN,
        };
        let (gram, cross) = (gram.await?, cross.await?.remove_axis(NdAxis(1)));
        let zeros = Array1::zeros(gram.nrows());
        Ok(Self { n: x.nrows() as f64, gram, cross, squares, means: (zeros.clone(), 0.0), rounding: zeros })
    }

    async fn centred(x: &FedMatrix, y: &Operand) -> Result<Self> {
        let (n, d) = (x.nrows() as f64, x.ncols() as usize);
        let (means, covariances) = (x.mean(Axis::Columns)?, x.cov_with(y, 0)?);
        let (y_mean, variance) = match y {
            Operand::Fed(y) => {
                let (mean, variance) = (y.mean(Axis::All)?, y.var(Axis::All, 0)?);
                (mean.scalar().await?, variance.scalar().await?)
            }
            Operand::Local(y) => (y.mean().unwrap_or(f64::NAN), y.var(0.0)),
            Operand::Scalar(_) => (f64::NAN, f64::NAN),
        };
        let (means, products) = (means.await?.remove_axis(NdAxis(0)), covariances.await? * n);
        let rounding = means.mapv(|mean| n * (8.0 * f64::EPSILON * mean).powi(2));
        let (gram, cross) = (products.slice(s![.., ..d]).to_owned(), products.column(d).to_owned());
        Ok(Self { n, gram, cross, squares: variance * n, means: (means, y_mean), rounding })
    }

    /// Whether a column is constant, but for rounding.
    pub fn is_constant(&self, column: usize) -> bool {
        self.gram[[column, column]] <= self.rounding[column]
    }

    /// The model with these coefficients.
    pub fn model(&self, coef: &Array1<f64>, n_iter: usize) -> FittedLinear {
        let intercept = Array2::from_elem((1, 1), self.means.1 - self.means.0.dot(coef));
        FittedLinear { coef: coef.clone().insert_axis(NdAxis(1)), intercept, n_iter }
    }
}
