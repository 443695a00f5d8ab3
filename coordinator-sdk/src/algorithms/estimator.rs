//! What cross-validation and grid search need of an algorithm.

use super::{ConjugateGradient, FittedLinear, LinearRegression};
use crate::{Error, FedMatrix, Operand, Result, metrics};

/// Rows to learn from, or to be judged by.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Features, `(n, d)`.
    pub x: FedMatrix,
    /// What they should tell, `(n, 1)` or more columns: federated in the same rows, or an array.
    pub y: Operand,
    /// How often each row counts, `(n, 1)`; none: once.
    pub weights: Option<Operand>,
}

impl Sample {
    /// Each row counts once.
    pub fn new(x: &FedMatrix, y: impl Into<Operand>) -> Self {
        Self { x: x.clone(), y: y.into(), weights: None }
    }

    /// The same, each row counting so often: scikit-learn's `sample_weight`. A weight of 0 leaves a row out.
    #[must_use]
    pub fn weighted(mut self, weights: impl Into<Operand>) -> Self {
        self.weights = Some(weights.into());
        self
    }

    /// The weights, beside X.
    pub(super) fn weights_beside(&self) -> Result<Option<FedMatrix>> {
        let beside = |weights| super::common::rows::column_beside(&self.x, "the weights", weights);
        self.weights.as_ref().map(beside).transpose()
    }
}

/// An algorithm that learns from rows and a response (as scikit-learn's estimators).
pub trait Estimator {
    /// What it learns.
    type Fitted: Predictor + Send + Sync;

    /// Learns from a sample.
    ///
    /// # Errors
    /// As the estimator's own `fit`; `Plan` if the estimator takes no weights, and there are some.
    fn fit_sample(&self, sample: &Sample) -> impl Future<Output = Result<Self::Fitted>> + Send;
}

/// What an estimator has learnt.
pub trait Predictor {
    /// The response of each row, `(n, d) → (n, targets)`, staying at the sites.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    fn predict(&self, x: &FedMatrix) -> Result<FedMatrix>;

    /// How well it predicts; more is better. R² of a regression, the accuracy of a classifier.
    ///
    /// # Errors
    /// `Plan` if shapes or layouts do not fit; a site's.
    fn score_sample(&self, sample: &Sample) -> impl Future<Output = Result<f64>> + Send;
}

fn unweighted(sample: &Sample, name: &str) -> Result<()> {
    match sample.weights {
        None => Ok(()),
        Some(_) => Err(Error::plan(format!(
            "{name} takes no weights: use folds of neighbouring rows, or a Glm of the gaussian family"
        ))),
    }
}

impl Estimator for LinearRegression {
    type Fitted = FittedLinear;

    async fn fit_sample(&self, sample: &Sample) -> Result<FittedLinear> {
        unweighted(sample, "LinearRegression")?;
        self.fit(&sample.x, &sample.y).await
    }
}

impl Estimator for ConjugateGradient {
    type Fitted = FittedLinear;

    async fn fit_sample(&self, sample: &Sample) -> Result<FittedLinear> {
        unweighted(sample, "ConjugateGradient")?;
        self.fit(&sample.x, &sample.y).await
    }
}

impl Predictor for FittedLinear {
    fn predict(&self, x: &FedMatrix) -> Result<FedMatrix> {
        Self::predict(self, x)
    }

    async fn score_sample(&self, sample: &Sample) -> Result<f64> {
        let predicted = Self::predict(self, &sample.x)?;
        metrics::r2_score(&sample.y, &predicted, sample.weights.as_ref()).await
    }
}
