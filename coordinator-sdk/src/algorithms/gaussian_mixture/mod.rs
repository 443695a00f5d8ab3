//! Gaussian mixtures.

mod covariance;
mod expectation;
mod maximisation;

use ndarray::{Array1, Array2, Axis as NdAxis};

use self::{
    covariance::Precisions,
    expectation::{Expected, expect},
    maximisation::Statistics,
};
use super::{
    KMeans,
    sites::{beside, check_finite, hinted, is_far},
};
use crate::{Axis, Error, FedMatrix, Result};

pub use covariance::Covariances;

const HINT: &str = "gaussian mixture: a component has too few rows at a site, or too few rows lie between two \
                    components: use fewer components, `hard`, or more rows";

/// A mixture of normal distributions, by expectation and maximisation (Dempster, Laird & Rubin 1977, "Maximum likelihood
/// from incomplete data via the EM algorithm"; scikit-learn's parameters and defaults): one round trip per iteration, in
/// which each site weighs its rows by what each component has of them, and releases sums. Likelihoods are added as
/// logarithms, so that none vanishes.
///
/// Of `aggregate` data, where components lie so far apart that all rows but a few belong to one of them nearly in full,
/// the sums would tell those few, and are refused; [`GaussianMixture::hard`] helps.
#[derive(Clone, Debug, PartialEq)]
pub struct GaussianMixture {
    /// The number of components.
    pub n_components: usize,
    /// What the covariances have in common.
    pub covariance_type: CovarianceType,
    /// Ends when the mean log-likelihood of a row changes by less.
    pub tol: f64,
    /// Added to all variances, so that no component shrinks to a point.
    pub reg_covar: f64,
    /// Iterations at most.
    pub max_iter: usize,
    /// How often to start; the run with the largest likelihood counts. Given parameters start once.
    pub n_init: usize,
    /// Where to start; none given: from clusters of k-means.
    pub init: Option<MixtureParameters>,
    /// Seed of k-means.
    pub seed: u64,
    /// Whether a row counts for its most probable component alone (classification EM: Celeux & Govaert 1992, "A
    /// classification EM algorithm for clustering and two stochastic versions"). Where components lie far apart it
    /// makes no difference; where they overlap, they come out smaller and further apart.
    pub hard: bool,
}

/// What the covariances of a mixture have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CovarianceType {
    /// Nothing: each component has its own matrix.
    #[default]
    Full,
    /// All components have the same matrix.
    Tied,
    /// Each component has its own variances, and no covariances.
    Diag,
    /// Each component has one variance for all columns.
    Spherical,
}

/// A mixture.
#[derive(Clone, Debug, PartialEq)]
pub struct MixtureParameters {
    /// The share of each component, `(k)`; together 1.
    pub weights: Array1<f64>,
    /// The means, `(k, d)`.
    pub means: Array2<f64>,
    /// The covariances.
    pub covariances: Covariances,
}

/// The result of [`GaussianMixture`].
#[derive(Clone, Debug, PartialEq)]
pub struct FittedGaussianMixture {
    /// The mixture.
    pub parameters: MixtureParameters,
    /// The mean log-likelihood of a row at the last expectation.
    pub lower_bound: f64,
    /// Whether it ended by `tol`.
    pub converged: bool,
    /// Iterations run.
    pub n_iter: usize,
    /// What is subtracted first from data far from 0, `(1, d)`; zeros else.
    shift: Array2<f64>,
    precisions: Precisions,
}

/// The rows, and what is known of them from the start.
struct Data {
    /// X; less the means, where it is far from 0.
    x: FedMatrix,
    /// What was subtracted, `(1, d)`.
    shift: Array2<f64>,
    /// `X.T @ X` of `x`, if there is one matrix for all components.
    scatter: Option<Array2<f64>>,
    /// `X**2`, if there are variances alone.
    squares: Option<FedMatrix>,
}

impl GaussianMixture {
    /// So many components with covariances of their own.
    pub fn new(n_components: usize) -> Self {
        Self {
            n_components,
            covariance_type: CovarianceType::Full,
            tol: 1e-3,
            reg_covar: 1e-6,
            max_iter: 100,
            n_init: 1,
            init: None,
            seed: 0,
            hard: false,
        }
    }

    /// Fits the rows of a row cut, `(n, d)`. NaN has to be replaced before.
    ///
    /// # Errors
    /// `Plan` if parameters do not fit; `Numeric` for NaN, or a covariance that is not positive definite; a site's. A
    /// refused release says what may help.
    pub async fn fit(&self, x: &FedMatrix) -> Result<FittedGaussianMixture> {
        self.check(x)?;
        let data = self.data(x).await?;
        let mut best: Option<FittedGaussianMixture> = None;
        let starts = if self.init.is_some() { 1 } else { self.n_init.max(1) };
        for start in 0..starts as u64 {
            let parameters = match &self.init {
                Some(init) => MixtureParameters { means: &init.means - &data.shift, ..init.clone() },
                None => self.of_clusters(&data, self.seed.wrapping_add(start)).await?,
            };
            let fitted = self.iterate(&data, parameters).await.map_err(|error| hinted(error, HINT))?;
            if best.as_ref().is_none_or(|best| fitted.lower_bound > best.lower_bound) {
                best = Some(fitted);
            }
        }
        let mut fitted = best.ok_or_else(|| Error::plan("gaussian mixture: there is no start"))?;
        fitted.parameters.means += &fitted.shift;
        Ok(fitted)
    }

    fn check(&self, x: &FedMatrix) -> Result<()> {
        let (k, d) = (self.n_components, x.ncols() as usize);
        if k == 0 || x.nrows() < k as u64 {
            let message = format!("gaussian mixture: {k} components of {} rows are not possible", x.nrows());
            return Err(Error::plan(message));
        }
        if self.reg_covar.is_nan() || self.reg_covar < 0.0 {
            let message = format!("gaussian mixture: reg_covar must be at least 0, not {}", self.reg_covar);
            return Err(Error::plan(message));
        }
        let Some(init) = &self.init else { return Ok(()) };
        let of_type = init.covariances.covariance_type() == self.covariance_type;
        if init.weights.iter().any(|weight| weight.is_nan() || *weight <= 0.0) {
            return Err(Error::plan("gaussian mixture: the first weights must be greater than 0"));
        }
        if init.weights.len() == k && init.means.dim() == (k, d) && of_type && init.covariances.fits(k, d) {
            return Ok(());
        }
        Err(Error::plan(format!(
            "gaussian mixture: the first parameters must be {k} weights, means of ({k}, {d}) and covariances of the type \
             {:?} that fit",
            self.covariance_type
        )))
    }

    async fn data(&self, x: &FedMatrix) -> Result<Data> {
        let (means, variances) = (x.mean(Axis::Columns)?, x.var(Axis::Columns, 0)?);
        let covariances = if self.covariance_type == CovarianceType::Tied { Some(x.cov(0)?) } else { None };
        let (means, variances) = (means.await?, variances.await?);
        check_finite("gaussian mixture", means.iter().chain(&variances))?;
        let none = Array2::zeros(means.raw_dim());
        let (x, shift, means) =
            if is_far(&means, &variances) { (x.subtract(&means)?, means, none) } else { (x.clone(), none, means) };
        let scatter = match covariances {
            Some(covariances) => Some((covariances.await? + means.t().dot(&means)) * x.nrows() as f64),
            None => None,
        };
        let squares = match self.covariance_type {
            CovarianceType::Diag | CovarianceType::Spherical => Some(x.multiply(&x)?),
            CovarianceType::Full | CovarianceType::Tied => None,
        };
        Ok(Data { x, shift, scatter, squares })
    }

    /// The parameters of clusters.
    async fn of_clusters(&self, data: &Data, seed: u64) -> Result<MixtureParameters> {
        if self.n_components == 1 {
            let (means, rows) = (data.x.mean(Axis::Columns)?.await?, data.x.nrows());
            let ones = data.x.fill_like(&beside(&data.x, 1)?, 1.0)?;
            let statistics = Statistics::of(data, &ones, &means, self.covariance_type)?.await?;
            return statistics.parameters(data, &means, rows as f64, self);
        }
        let clusters = KMeans::new(self.n_components).with_seed(seed).fit(&data.x).await?;
        let (member, means) = (clusters.predict(&data.x)?, &clusters.cluster_centers);
        let statistics = Statistics::of(data, &member, means, self.covariance_type)?.await;
        statistics.map_err(|error| hinted(error, HINT))?.parameters(data, means, data.x.nrows() as f64, self)
    }

    async fn iterate(&self, data: &Data, mut parameters: MixtureParameters) -> Result<FittedGaussianMixture> {
        let rows = data.x.nrows() as f64;
        let (mut lower_bound, mut converged, mut n_iter) = (f64::NEG_INFINITY, false, 0);
        while n_iter < self.max_iter && !converged {
            let precisions = Precisions::of(&parameters.covariances)?;
            let Expected { responsibilities, likelihoods } = expect(data, &parameters, &precisions, self.hard)?;
            let sum = likelihoods.sum(Axis::All)?;
            let statistics = Statistics::of(data, &responsibilities, &parameters.means, self.covariance_type)?;
            let (sum, statistics) = (sum.scalar().await?, statistics.await?);
            let before = lower_bound;
            lower_bound = sum / rows;
            check_finite("gaussian mixture", [&lower_bound])?;
            parameters = statistics.parameters(data, &parameters.means, rows, self)?;
            n_iter += 1;
            converged = (lower_bound - before).abs() < self.tol;
        }
        let precisions = Precisions::of(&parameters.covariances)?;
        Ok(FittedGaussianMixture { parameters, lower_bound, converged, n_iter, shift: data.shift.clone(), precisions })
    }
}

impl FittedGaussianMixture {
    /// What each component has of each row, `(n, k)`, rows adding up to 1, staying at the sites.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn predict_proba(&self, x: &FedMatrix) -> Result<FedMatrix> {
        Ok(self.expected(x, false)?.responsibilities)
    }

    /// The most probable component of each row, one-hot `(n, k)`, staying at the sites.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn predict(&self, x: &FedMatrix) -> Result<FedMatrix> {
        Ok(self.expected(x, true)?.responsibilities)
    }

    /// The log-likelihood of each row, `(n, 1)`, staying at the sites.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn score_samples(&self, x: &FedMatrix) -> Result<FedMatrix> {
        Ok(self.expected(x, false)?.likelihoods)
    }

    /// The mean log-likelihood of a row. One round trip.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit; a site's.
    pub async fn score(&self, x: &FedMatrix) -> Result<f64> {
        self.score_samples(x)?.mean(Axis::All)?.scalar().await
    }

    /// Schwarz's criterion, for this many rows: smaller is better (Schwarz 1978, "Estimating the dimension of a model").
    ///
    /// # Errors
    /// As [`FittedGaussianMixture::score`].
    pub async fn bic(&self, x: &FedMatrix) -> Result<f64> {
        let n = x.nrows() as f64;
        Ok(-2.0 * self.score(x).await? * n + self.n_parameters() * n.ln())
    }

    /// Akaike's criterion: smaller is better (Akaike 1974, "A new look at the statistical model identification").
    ///
    /// # Errors
    /// As [`FittedGaussianMixture::score`].
    pub async fn aic(&self, x: &FedMatrix) -> Result<f64> {
        Ok(-2.0 * self.score(x).await? * x.nrows() as f64 + 2.0 * self.n_parameters())
    }

    fn n_parameters(&self) -> f64 {
        let (k, d) = self.parameters.means.dim();
        (self.parameters.covariances.n_parameters(k, d) + k * d + k - 1) as f64
    }

    fn expected(&self, x: &FedMatrix, hard: bool) -> Result<Expected> {
        let x = if self.shift.iter().any(|shift| *shift != 0.0) { x.subtract(&self.shift)? } else { x.clone() };
        let squares = match self.parameters.covariances.covariance_type() {
            CovarianceType::Diag | CovarianceType::Spherical => Some(x.multiply(&x)?),
            CovarianceType::Full | CovarianceType::Tied => None,
        };
        let data = Data { x, shift: self.shift.clone(), scatter: None, squares };
        let parameters = MixtureParameters { means: &self.parameters.means - &self.shift, ..self.parameters.clone() };
        expect(&data, &parameters, &self.precisions, hard)
    }
}

fn row(means: &Array2<f64>, component: usize) -> Array2<f64> {
    means.row(component).to_owned().insert_axis(NdAxis(0))
}
