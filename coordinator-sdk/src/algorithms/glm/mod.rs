//! Generalised linear models.

mod family;
mod irls;
mod likelihood;
mod normal;
mod range;
mod special;

use ndarray::{Array1, Array2, Axis as NdAxis, s};

use super::{
    Estimator, Predictor, Sample,
    common::rows::{column_beside, weighted_sum},
};
use crate::{Error, FedMatrix, Operand, Result};

pub use family::{Family, Link};

/// A generalised linear model (Nelder & Wedderburn 1972, "Generalized Linear Models"; McCullagh & Nelder 1989, 2nd
/// ed.), as statsmodels' `GLM`: the mean of y is a function of `X w + b`. Fitted by iteratively reweighted least
/// squares, in the form of Fisher scoring: one round trip before it, one in each iteration, and at most one after it.
///
/// It begins as statsmodels does, at the least squares of `g(μ) + (y - μ) g'(μ)`, but with the mean of y for μ instead
/// of the half way there of each row, so that only sums and products leave. A step that makes the deviance worse is
/// halved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Glm {
    /// The distribution of y.
    pub family: Family,
    /// How the linear predictor follows from the mean; none: the family's canonical link.
    pub link: Option<Link>,
    /// Whether there is an intercept.
    pub fit_intercept: bool,
    /// A penalty `l2 ‖w‖²` on the coefficients, added to the deviance (of `LinearRegression` the same; of
    /// `LogisticRegression` 1 / c).
    pub l2: f64,
    /// Ends when the deviance has changed by no more, and the next step promises no more.
    pub tol: f64,
    /// Iterations at most.
    pub max_iter: usize,
}

/// A fitted [`Glm`].
#[derive(Clone, Debug, PartialEq)]
pub struct FittedGlm {
    /// The distribution of y.
    pub family: Family,
    /// How the linear predictor follows from the mean.
    pub link: Link,
    /// `(columns of X, 1)`.
    pub coef: Array2<f64>,
    /// 0 without an intercept.
    pub intercept: f64,
    /// Twice the distance from the best log-likelihood there could be, without the dispersion.
    pub deviance: f64,
    /// The deviance of the mean alone; none where a site does not release it, or with an offset.
    pub null_deviance: Option<f64>,
    /// The dispersion: 1 for the binomial and the Poisson family, else Pearson's statistic over `df_resid`.
    pub scale: f64,
    /// The log-likelihood, of the Gaussian family with the identity link at its largest by the scale, as statsmodels'
    /// `llf`; none where a site does not release what it needs.
    pub llf: Option<f64>,
    /// Rows, each counting its weight.
    pub nobs: f64,
    /// Rows less coefficients.
    pub df_resid: f64,
    /// Covariances of the coefficients and, last, of the intercept; none with a penalty.
    pub cov_params: Option<Array2<f64>>,
    /// Iterations run.
    pub n_iter: usize,
}

impl Glm {
    /// Of this family with its canonical link, an intercept and no penalty; at most 100 iterations.
    pub fn new(family: Family) -> Self {
        Self { family, link: None, fit_intercept: true, l2: 0.0, tol: 1e-8, max_iter: 100 }
    }

    /// The same, with this link.
    #[must_use]
    pub fn with_link(mut self, link: Link) -> Self {
        self.link = Some(link);
        self
    }

    /// Fits `(n, d), (n, 1)`; y is federated in the same rows, or an array. NaN has to be replaced before.
    ///
    /// # Errors
    /// `Plan` if shapes, layouts, or family and link do not fit; `Numeric` for responses that the family cannot have,
    /// as far as sums show it, for columns that are linearly dependent, naming the pivot, for rows that are separated,
    /// and where it does not converge; a site's. Of `aggregate` data each column must vary in enough rows at each site.
    pub async fn fit(&self, x: &FedMatrix, y: impl Into<Operand>) -> Result<FittedGlm> {
        self.fit_with(&Sample::new(x, y), None).await
    }

    /// Fits a sample; its weights are statsmodels' `freq_weights`, and what `offset` holds is added to the linear
    /// predictor of each row, `(n, 1)`.
    ///
    /// # Errors
    /// As [`Glm::fit`].
    pub async fn fit_with(&self, sample: &Sample, offset: Option<&Operand>) -> Result<FittedGlm> {
        let link = self.link.unwrap_or(self.family.link());
        self.family.allow(link)?;
        if !(self.l2 >= 0.0 && self.l2.is_finite()) {
            return Err(Error::plan(format!("l2 must be a number of at least 0, not {}", self.l2)));
        }
        let x = &sample.x;
        let rows = irls::Rows {
            y: column_beside(x, "y", &sample.y)?,
            weights: sample.weights_beside()?,
            offset: offset.map(|offset| column_beside(x, "the offset", offset)).transpose()?,
        };
        let found = irls::fit(self, link, x, &rows).await?;
        let nobs = found.known.total;
        let df_resid = nobs - (x.ncols() + u64::from(self.fit_intercept)) as f64;
        let pearson = found.pearson.unwrap_or(found.deviance);
        let scale = if self.family.has_fixed_scale() { 1.0 } else { pearson / df_resid };
        let (null_deviance, llf) = likelihood::of(self.family, link, &rows, &found, scale).await?;
        let d = found.theta.nrows() - 1;
        Ok(FittedGlm {
            family: self.family,
            link,
            coef: found.theta.slice(s![..d, ..]).to_owned(),
            intercept: found.theta[[d, 0]],
            deviance: found.deviance,
            null_deviance,
            scale,
            llf,
            nobs,
            df_resid,
            cov_params: (self.l2 == 0.0).then(|| found.inverse * scale),
            n_iter: found.n_iter,
        })
    }
}

impl Estimator for Glm {
    type Fitted = FittedGlm;

    async fn fit_sample(&self, sample: &Sample) -> Result<FittedGlm> {
        self.fit_with(sample, None).await
    }
}

impl FittedGlm {
    /// Coefficients and, last, the intercept, if there is one.
    pub fn params(&self) -> Array1<f64> {
        let mut params = self.coef.column(0).to_vec();
        let with_intercept = self.cov_params.as_ref().is_none_or(|cov| cov.nrows() > params.len());
        params.extend(with_intercept.then_some(self.intercept));
        params.into()
    }

    /// Standard errors of the coefficients and, last, of the intercept; none with a penalty.
    pub fn bse(&self) -> Option<Array1<f64>> {
        self.cov_params.as_ref().map(|cov| cov.diag().mapv(f64::sqrt))
    }

    /// Coefficients over their standard errors, as `params`; none with a penalty. (statsmodels' `tvalues`.)
    pub fn zvalues(&self) -> Option<Array1<f64>> {
        self.bse().map(|bse| self.params() / bse)
    }

    /// Akaike's information criterion, `-2 llf + 2 coefficients`, the intercept counting as one; none where the
    /// log-likelihood is not released, or with a penalty.
    pub fn aic(&self) -> Option<f64> {
        let coefficients = self.cov_params.as_ref()?.nrows() as f64;
        self.llf.map(|llf| -2.0 * llf + 2.0 * coefficients)
    }

    /// `X @ coef + intercept`, staying at the sites: `(n, d) → (n, 1)`.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn linear_predictor(&self, x: &FedMatrix) -> Result<FedMatrix> {
        x.matmul(&self.coef)?.add(self.intercept)
    }

    /// The mean of each row, without an offset, staying at the sites: `(n, d) → (n, 1)`.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn predict(&self, x: &FedMatrix) -> Result<FedMatrix> {
        self.link.mean(&self.linear_predictor(x)?)
    }

    /// The share of the deviance that is explained, D² (as scikit-learn's `TweedieRegressor.score`): of the Gaussian
    /// family R². Two round trips.
    ///
    /// # Errors
    /// `Plan` if shapes or layouts do not fit; a site's.
    pub async fn score(&self, x: &FedMatrix, y: impl Into<Operand>) -> Result<f64> {
        self.score_sample(&Sample::new(x, y)).await
    }
}

impl Predictor for FittedGlm {
    fn predict(&self, x: &FedMatrix) -> Result<FedMatrix> {
        Self::predict(self, x)
    }

    async fn score_sample(&self, sample: &Sample) -> Result<f64> {
        let y = column_beside(&sample.x, "y", &sample.y)?;
        let rows = irls::Rows { y, weights: sample.weights_beside()?, offset: None };
        let terms = self.family.terms(self.link, &rows.y, &self.linear_predictor(&sample.x)?)?;
        let sum = weighted_sum(&terms.deviance, rows.weights.as_ref())?;
        let known = likelihood::Known::of(&rows).await?;
        let sum = sum.scalar().await?;
        let null = likelihood::null_deviance(self.family, &rows, &known)?;
        let base = likelihood::saturated(self.family, &rows, &known)?;
        let null = match null {
            likelihood::Null::Known(value) => value,
            likelihood::Null::Asked(pending) => pending.scalar().await? * self.family.deviance_scale(),
        };
        let base = match base {
            None => 0.0,
            Some(pending) => pending.scalar().await? * self.family.deviance_scale(),
        };
        Ok(1.0 - (sum * self.family.deviance_scale() + base) / (null + base))
    }
}

/// The same in the last row, `(d + 1, 1)`.
fn stacked(top: &Array2<f64>, bottom: f64) -> Array2<f64> {
    let mut theta = Array2::zeros((top.nrows() + 1, 1));
    theta.slice_mut(s![..top.nrows(), ..]).assign(top);
    theta.index_axis_mut(NdAxis(0), top.nrows()).fill(bottom);
    theta
}
