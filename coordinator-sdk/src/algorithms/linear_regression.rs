//! Least squares by the normal equations.

use ndarray::{Array2, Axis as NdAxis, s};

use crate::{
    Axis, Error, FedMatrix, Operand, Result,
    solve::{solve_positive, vanishing_pivot},
};

/// Least squares, with an L2 penalty if one is given: minimises `‖y − X w − b‖² + l2 ‖w‖²` (the intercept b is not
/// penalised), by the normal equations on centred columns (Golub & Van Loan, "Matrix Computations", 4th ed., 5.3.2 and
/// 6.1.4). One round trip: columns are centred at the sites, so that what one tenant computed serves others too.
///
/// The condition number is squared: for columns that are nearly dependent give an `l2`, or use fewer of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearRegression {
    /// Whether there is an intercept.
    pub fit_intercept: bool,
    /// The penalty; 0 for none.
    pub l2: f64,
}

impl Default for LinearRegression {
    fn default() -> Self {
        Self { fit_intercept: true, l2: 0.0 }
    }
}

/// A fitted linear model: `y = X @ coef + intercept`.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedLinear {
    /// `(columns of X, columns of y)`.
    pub coef: Array2<f64>,
    /// `(1, columns of y)`; zeros without an intercept.
    pub intercept: Array2<f64>,
    /// Iterations, of an iterative method; 0 else.
    pub n_iter: usize,
}

impl LinearRegression {
    /// With an intercept and this penalty (ridge regression: Hoerl & Kennard 1970).
    pub fn ridge(l2: f64) -> Self {
        Self { l2, ..Self::default() }
    }

    /// Fits `(n, d), (n, targets)`; y is federated in the same rows, or an array. NaN has to be replaced before.
    ///
    /// # Errors
    /// `Plan` if shapes or layouts do not fit; `Numeric` if the columns are linearly dependent, naming the pivot; a
    /// site's.
    pub async fn fit(&self, x: &FedMatrix, y: impl Into<Operand>) -> Result<FittedLinear> {
        if !(self.l2 >= 0.0 && self.l2.is_finite()) {
            return Err(Error::plan(format!("l2 must be a number of at least 0, not {}", self.l2)));
        }
        let y = y.into();
        if !self.fit_intercept {
            let (gram, right) = (x.gram()?, x.cross(&y)?);
            let coef = self.solve(gram.await?, &right.await?, None)?;
            let intercept = Array2::zeros((1, coef.ncols()));
            return Ok(FittedLinear { coef, intercept, n_iter: 0 });
        }
        let (asked, known) = match &y {
            Operand::Fed(y) => (Some(y.mean(Axis::Columns)?), None),
            Operand::Local(y) => (None, y.mean_axis(NdAxis(0))),
            Operand::Scalar(_) => return Err(Error::plan("fit: y must be a matrix of (rows of X, targets)")),
        };
        let (means, covariances) = (x.mean(Axis::Columns)?, x.cov_with(&y, 0)?);
        let y_means = match asked {
            Some(means) => means.await?,
            None => known.ok_or_else(|| Error::plan("fit: there are no rows"))?.insert_axis(NdAxis(0)),
        };
        let (n, d) = (x.nrows() as f64, x.ncols() as usize);
        let (x_means, products) = (means.await?, covariances.await? * n);
        let (gram, right) = (products.slice(s![.., ..d]).to_owned(), products.slice(s![.., d..]).to_owned());
        let rounding = x_means.mapv(|mean| n * (8.0 * f64::EPSILON * mean).powi(2));
        let coef = self.solve(gram, &right, Some(&rounding))?;
        let intercept = y_means - x_means.dot(&coef);
        Ok(FittedLinear { coef, intercept, n_iter: 0 })
    }

    /// `rounding`: what the squares of a centred column may sum to although it is constant, `(1, d)`.
    fn solve(&self, mut gram: Array2<f64>, right: &Array2<f64>, rounding: Option<&Array2<f64>>) -> Result<Array2<f64>> {
        gram.diag_mut().mapv_inplace(|pivot| pivot + self.l2);
        let constant = rounding.and_then(|rounding| gram.diag().iter().zip(rounding).position(|(a, b)| a <= b));
        let solved = match constant {
            Some(column) => Err(vanishing_pivot(column)),
            None => solve_positive(&gram, right),
        };
        solved.map_err(|error| match error {
            Error::Numeric(message) => Error::Numeric(format!(
                "the normal equations cannot be solved ({message}): a column is constant, depends on the others or \
                 holds NaN; leave it out, replace NaN, or give an l2"
            )),
            other => other,
        })
    }
}

impl FittedLinear {
    /// `X @ coef + intercept`, staying at the sites: `(n, d) → (n, targets)`.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn predict(&self, x: &FedMatrix) -> Result<FedMatrix> {
        x.matmul(&self.coef)?.add(&self.intercept)
    }

    /// `X @ coef + intercept` of an array: `(n, d) → (n, targets)`.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn predict_local(&self, x: &Array2<f64>) -> Result<Array2<f64>> {
        if x.ncols() != self.coef.nrows() {
            let message = format!("predict: the model has {} columns, X has {}", self.coef.nrows(), x.ncols());
            return Err(Error::plan(message));
        }
        Ok(x.dot(&self.coef) + &self.intercept)
    }

    /// The coefficient of determination R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)², over all targets; federated y, in two round
    /// trips.
    ///
    /// # Errors
    /// `Plan` if shapes or layouts do not fit; a site's.
    pub async fn score(&self, x: &FedMatrix, y: &FedMatrix) -> Result<f64> {
        let residuals = y.subtract(self.predict(x)?)?.sumsq(Axis::All)?;
        let means = y.mean(Axis::Columns)?.await?;
        let total = y.subtract(means)?.sumsq(Axis::All)?.scalar().await?;
        Ok(1.0 - residuals.scalar().await? / total)
    }
}
