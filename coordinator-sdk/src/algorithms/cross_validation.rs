//! Cross-validation, and the search for the best of several estimators.

use ndarray::{Array2, concatenate, s};

use super::{
    Estimator, Predictor, Sample,
    common::rows::{beside, layout_beside},
};
use crate::{Error, FedMatrix, Operand, Result, op::Distribution};

/// Folds of rows, as scikit-learn's `KFold`: each is held out once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KFold {
    /// How many, at least two.
    pub n_splits: usize,
    /// None: folds are neighbouring rows, the first ones one more where they do not go even; they are slices, and nothing
    /// is copied or sent. With a seed: each row goes to a fold by chance, by the seed and its position, whatever the
    /// layout; folds are weights of 0 and 1, so that estimators have to take weights.
    pub shuffle: Option<u64>,
}

impl Default for KFold {
    fn default() -> Self {
        Self { n_splits: 5, shuffle: None }
    }
}

impl KFold {
    /// So many folds of neighbouring rows.
    pub fn new(n_splits: usize) -> Self {
        Self { n_splits, shuffle: None }
    }

    /// The same, with rows in folds by chance.
    #[must_use]
    pub fn shuffled(mut self, seed: u64) -> Self {
        self.shuffle = Some(seed);
        self
    }

    /// What to learn from, and what to be judged by, for each fold.
    ///
    /// # Errors
    /// `Plan` if there are fewer than two folds, more than rows, or the layout does not let rows be told apart.
    pub fn split(&self, sample: &Sample) -> Result<Vec<(Sample, Sample)>> {
        let n = sample.x.nrows();
        if self.n_splits < 2 || self.n_splits as u64 > n {
            let message = format!("n_splits must be at least 2, and at most the {n} rows, not {}", self.n_splits);
            return Err(Error::plan(message));
        }
        match self.shuffle {
            Some(seed) => self.by_chance(sample, seed),
            None => self.neighbours(sample, n),
        }
    }

    fn neighbours(&self, sample: &Sample, n: u64) -> Result<Vec<(Sample, Sample)>> {
        let k = self.n_splits as u64;
        let mut start = 0;
        (0..k)
            .map(|fold| {
                let end = start + n / k + u64::from(fold < n % k);
                let split = (sample.rows(&[0..start, end..n])?, sample.rows(std::slice::from_ref(&(start..end)))?);
                start = end;
                Ok(split)
            })
            .collect()
    }

    fn by_chance(&self, sample: &Sample, seed: u64) -> Result<Vec<(Sample, Sample)>> {
        let x = &sample.x;
        let uniform = Distribution::Uniform { low: 0.0, high: 1.0 };
        let drawn = x.rand_like(&layout_beside(x, 1)?, seed, uniform)?;
        let fold_of = drawn.multiply(self.n_splits as f64)?.floor()?;
        let weights = sample.weights.as_ref().map(|weights| beside(x, "the weights", weights)).transpose()?;
        let of = |mask: FedMatrix| -> Result<Sample> {
            let mask = match &weights {
                Some(weights) => mask.multiply(weights)?,
                None => mask,
            };
            Ok(Sample { x: x.clone(), y: sample.y.clone(), weights: Some(mask.into()) })
        };
        (0..self.n_splits)
            .map(|fold| Ok((of(fold_of.not_equal(fold as f64)?)?, of(fold_of.equal(fold as f64)?)?)))
            .collect()
    }
}

impl Sample {
    /// Some of the rows: ranges in order, empty ones too.
    fn rows(&self, ranges: &[std::ops::Range<u64>]) -> Result<Self> {
        let ranges: Vec<_> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
        let of = |matrix: &FedMatrix| {
            let parts: Vec<FedMatrix> =
                ranges.iter().map(|range| matrix.slice(range.clone(), ..)).collect::<Result<_>>()?;
            match parts.as_slice() {
                [first, rest @ ..] if !rest.is_empty() => first.vstack(rest),
                [first, ..] => Ok(first.clone()),
                [] => Err(Error::plan("a fold without rows")),
            }
        };
        let of_operand = |operand: &Operand| -> Result<Operand> {
            Ok(match operand {
                Operand::Fed(matrix) => of(matrix)?.into(),
                Operand::Local(array) if array.nrows() as u64 == self.x.nrows() => {
                    let part =
                        |range: &std::ops::Range<u64>| array.slice(s![range.start as usize..range.end as usize, ..]);
                    let parts: Vec<_> = ranges.iter().map(part).collect();
                    let whole =
                        concatenate(ndarray::Axis(0), &parts).map_err(|error| Error::plan(error.to_string()))?;
                    whole.into()
                }
                Operand::Local(_) | Operand::Scalar(_) => {
                    return Err(Error::plan(format!("y must have the {} rows of X", self.x.nrows())));
                }
            })
        };
        let weights = self.weights.as_ref().map(of_operand).transpose()?;
        Ok(Self { x: of(&self.x)?, y: of_operand(&self.y)?, weights })
    }
}

/// The score of each fold, of an estimator that learnt from the others (Stone 1974, "Cross-Validatory Choice and
/// Assessment of Statistical Predictions"), as scikit-learn's `cross_val_score`: R² of regressions, the accuracy of
/// classifiers.
///
/// # Errors
/// As the estimator's `fit`, and `KFold::split`.
pub async fn cross_val_score<E: Estimator>(estimator: &E, sample: &Sample, folds: &KFold) -> Result<Vec<f64>> {
    cross_val_score_by(estimator, sample, folds, async |fitted: &E::Fitted, held_out: &Sample| {
        fitted.score_sample(held_out).await
    })
    .await
}

/// As [`cross_val_score`], by any metric of what was learnt and the rows that were held out; more is better.
///
/// # Errors
/// As [`cross_val_score`]; the metric's.
pub async fn cross_val_score_by<E: Estimator>(
    estimator: &E,
    sample: &Sample,
    folds: &KFold,
    metric: impl AsyncFn(&E::Fitted, &Sample) -> Result<f64>,
) -> Result<Vec<f64>> {
    let mut scores = Vec::with_capacity(folds.n_splits);
    for (learn, held_out) in folds.split(sample)? {
        let fitted = estimator.fit_sample(&learn).await?;
        scores.push(metric(&fitted, &held_out).await?);
    }
    Ok(scores)
}

/// The best of several estimators by cross-validation, fitted to all rows: what [`grid_search`] finds.
#[derive(Clone, Debug)]
pub struct GridSearch<E: Estimator> {
    /// Of each candidate (rows) the score of each fold.
    pub scores: Array2<f64>,
    /// Which has the best mean score; of several the first.
    pub best_index: usize,
    /// That mean.
    pub best_score: f64,
    /// The best candidate.
    pub best_estimator: E,
    /// It, fitted to all rows.
    pub fitted: E::Fitted,
}

/// Compares estimators by [`cross_val_score`], as scikit-learn's `GridSearchCV`. A grid is a list of candidates:
/// `[0.01, 0.1, 1.0].map(|c| LogisticRegression { c, ..LogisticRegression::default() })`. What does not depend on the
/// candidate, as products of X with itself, is computed once for all of them.
///
/// # Errors
/// `Plan` if there are no candidates; as [`cross_val_score`].
pub async fn grid_search<E: Estimator + Clone>(
    candidates: &[E],
    sample: &Sample,
    folds: &KFold,
) -> Result<GridSearch<E>> {
    grid_search_by(candidates, sample, folds, async |fitted: &E::Fitted, held_out: &Sample| {
        fitted.score_sample(held_out).await
    })
    .await
}

/// As [`grid_search`], by any metric.
///
/// # Errors
/// As [`grid_search`]; the metric's.
pub async fn grid_search_by<E: Estimator + Clone>(
    candidates: &[E],
    sample: &Sample,
    folds: &KFold,
    metric: impl AsyncFn(&E::Fitted, &Sample) -> Result<f64>,
) -> Result<GridSearch<E>> {
    let mut scores = Array2::from_elem((candidates.len(), folds.n_splits), f64::NAN);
    // Folds outside, so that each is made once.
    for (fold, (learn, held_out)) in folds.split(sample)?.iter().enumerate() {
        for (index, candidate) in candidates.iter().enumerate() {
            let fitted = candidate.fit_sample(learn).await?;
            scores[[index, fold]] = metric(&fitted, held_out).await?;
        }
    }
    let means = scores.rows().into_iter().map(|row| row.mean().unwrap_or(f64::NAN));
    let best = means.enumerate().fold(None, |best: Option<(usize, f64)>, (index, mean)| match best {
        Some((_, most)) if mean <= most || mean.is_nan() => best,
        _ => Some((index, mean)),
    });
    let (best_index, best_score) = best.ok_or_else(|| Error::plan("grid_search: there are no candidates"))?;
    let best_estimator = candidates[best_index].clone();
    let fitted = best_estimator.fit_sample(sample).await?;
    Ok(GridSearch { scores, best_index, best_score, best_estimator, fitted })
}
