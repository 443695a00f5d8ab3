//! Naive Bayes classifiers.

use ndarray::{Array2, Axis as NdAxis, s};

use super::{
    Estimator, Predictor, Sample,
    common::{
        classes::{self, Classes},
        rows::{GAPS, hinted},
    },
};
use crate::{Axis, Error, FedMatrix, Operand, Pending, Result, metrics};

/// What to do where a site does not release what is counted.
const HINT: &str = "a class has too few rows at a site (of a variance far ones count most): merge classes, or read \
                    more rows";

/// Naive Bayes of normally distributed features (as scikit-learn's `GaussianNB`; Duda & Hart 1973, "Pattern
/// Classification and Scene Analysis"): means and variances of each feature in each class, variances from the distances
/// to the class's mean. Two round trips; one more for federated labels.
#[derive(Clone, Debug, PartialEq)]
pub struct GaussianNb {
    /// Probabilities of the classes; none: their shares of the rows.
    pub priors: Option<Vec<f64>>,
    /// This share of the largest variance of all features is added to all variances.
    pub var_smoothing: f64,
    /// How many classes federated labels in one column have; none: two. Known of arrays, and of one-hot columns.
    pub n_classes: Option<usize>,
}

impl Default for GaussianNb {
    fn default() -> Self {
        Self { priors: None, var_smoothing: 1e-9, n_classes: None }
    }
}

/// Naive Bayes of counts (as scikit-learn's `MultinomialNB`; Manning, Raghavan & Schütze 2008, "Introduction to
/// Information Retrieval", ch. 13): how often each feature is counted in each class. One round trip; one more for
/// federated labels.
#[derive(Clone, Debug, PartialEq)]
pub struct MultinomialNb {
    /// Added to the count of each feature in each class (Laplace's and Lidstone's smoothing); greater than 0.
    pub alpha: f64,
    /// Whether probabilities of classes are learnt; if not, all are the same.
    pub fit_prior: bool,
    /// Probabilities of the classes; none: as `fit_prior` says.
    pub class_prior: Option<Vec<f64>>,
    /// How many classes federated labels in one column have; none: two. Known of arrays, and of one-hot columns.
    pub n_classes: Option<usize>,
}

impl Default for MultinomialNb {
    fn default() -> Self {
        Self { alpha: 1.0, fit_prior: true, class_prior: None, n_classes: None }
    }
}

/// A fitted [`GaussianNb`].
#[derive(Clone, Debug, PartialEq)]
pub struct FittedGaussianNb {
    /// Means, `(classes, features)`.
    pub theta: Array2<f64>,
    /// Variances, `(classes, features)`, `epsilon` added.
    pub var: Array2<f64>,
    /// Probabilities of the classes.
    pub class_prior: Vec<f64>,
    /// Rows of each class, each counting its weight.
    pub class_count: Vec<f64>,
    /// What was added to the variances.
    pub epsilon: f64,
    /// What stands for each class in predictions.
    pub classes: Vec<f64>,
}

/// A fitted [`MultinomialNb`].
#[derive(Clone, Debug, PartialEq)]
pub struct FittedMultinomialNb {
    /// Logarithms of the probability of each feature in each class, `(classes, features)`.
    pub feature_log_prob: Array2<f64>,
    /// Logarithms of the probabilities of the classes.
    pub class_log_prior: Vec<f64>,
    /// Rows of each class, each counting its weight.
    pub class_count: Vec<f64>,
    /// How often each feature is counted in each class, `(classes, features)`.
    pub feature_count: Array2<f64>,
    /// What stands for each class in predictions.
    pub classes: Vec<f64>,
}

/// The members of each class, and X with weights.
struct Groups {
    values: Vec<f64>,
    /// One-hot, `(n, classes)`.
    member: FedMatrix,
    weights: Option<FedMatrix>,
    classes: Classes,
}

impl Groups {
    async fn of(sample: &Sample, n_classes: Option<usize>) -> Result<Self> {
        let classes = Classes::of(&sample.x, &sample.y, n_classes).await?;
        let member = match classes.count() {
            2 => classes.member.negative()?.add(1.0)?.hstack([&classes.member])?,
            _ => classes.member.clone(),
        };
        Ok(Self { values: classes.values.clone(), member, weights: sample.weights_beside()?, classes })
    }

    /// Rows of each class, `(classes, 1)` or `(1, classes)`.
    fn counts(&self) -> Result<Pending> {
        match &self.weights {
            Some(weights) => self.member.cross(weights),
            None => self.member.sum(Axis::Columns),
        }
    }

    /// `(classes, d)`: sums of the rows of each class, asked for. With weights one chain for each class: a product of
    /// counts and weights would be a column of few values, some of them of too few rows.
    fn sums(&self, x: &FedMatrix) -> Result<Sums> {
        let Some(weights) = &self.weights else { return Ok(Sums::Whole(self.member.cross(x)?)) };
        let d = x.ncols() as usize;
        let last = Array2::from_shape_fn((d + 1, 1), |(row, _)| f64::from(row == d));
        let chain = |class: u64| {
            let member = self.member.slice(.., class..class + 1)?;
            x.hstack([member])?.mmchain_weighted(weights, &last)
        };
        Ok(Sums::ByClass((0..self.member.ncols()).map(chain).collect::<Result<_>>()?))
    }
}

/// `(classes, d)`, on its way.
enum Sums {
    Whole(Pending),
    /// A column for each class; the last row is that of the class itself.
    ByClass(Vec<Pending>),
}

impl Sums {
    async fn get(self) -> Result<Array2<f64>> {
        match self {
            Self::Whole(pending) => released(pending).await,
            Self::ByClass(columns) => {
                let mut rows = Vec::with_capacity(columns.len());
                for column in columns {
                    let column = released(column).await?;
                    rows.push(column.slice(s![..-1, 0]).to_owned());
                }
                let d = rows.first().map_or(0, |row| row.len());
                Ok(Array2::from_shape_fn((rows.len(), d), |(class, feature)| rows[class][feature]))
            }
        }
    }
}

async fn released(pending: Pending) -> Result<Array2<f64>> {
    pending.await.map_err(|error| hinted(error, HINT))
}

/// # Errors
/// `Numeric` for what is no number, or a class of no weight.
fn counted(counts: &Array2<f64>, sums: &Array2<f64>) -> Result<Vec<f64>> {
    if !counts.iter().chain(sums).all(|sum| sum.is_finite()) {
        return Err(Error::Numeric(GAPS.to_owned()));
    }
    match counts.iter().position(|count| *count <= 0.0) {
        Some(class) => Err(Error::Numeric(format!("the rows of class {class} together have no weight"))),
        None => Ok(counts.iter().copied().collect()),
    }
}

/// # Errors
/// `Plan` if they are no probabilities of so many classes.
fn probabilities(given: &[f64], classes: usize) -> Result<Vec<f64>> {
    let sum: f64 = given.iter().sum();
    if given.len() == classes && (sum - 1.0).abs() < 1e-8 && given.iter().all(|share| *share >= 0.0) {
        return Ok(given.to_vec());
    }
    Err(Error::plan(format!("there must be {classes} probabilities of classes whose sum is 1, not {given:?}")))
}

impl GaussianNb {
    /// Fits `(n, d), (n, 1)`: labels 0, 1, .. (or -1 and 1), or one-hot `(n, classes)`; federated in the same rows, or
    /// an array. NaN has to be replaced before.
    ///
    /// # Errors
    /// `Plan` if shapes, layouts or labels do not fit; `Numeric` for gaps, or federated labels that are none; a site's.
    /// Of `aggregate` data each class needs enough rows at each site.
    pub async fn fit(&self, x: &FedMatrix, y: impl Into<Operand>) -> Result<FittedGaussianNb> {
        self.fit_sample(&Sample::new(x, y)).await
    }
}

impl Estimator for GaussianNb {
    type Fitted = FittedGaussianNb;

    async fn fit_sample(&self, sample: &Sample) -> Result<FittedGaussianNb> {
        let x = &sample.x;
        let mut groups = Groups::of(sample, self.n_classes).await?;
        let given = self.priors.as_ref().map(|priors| probabilities(priors, groups.values.len())).transpose()?;
        let (counts, sums, variance) = (groups.counts()?, groups.sums(x)?, x.var(Axis::Columns, 0)?);
        let (counts, sums, variance) = (released(counts).await?, sums.get().await?, released(variance).await?);
        groups.classes.verified().await?;
        let class_count = counted(&counts, &sums)?;
        let each = Array2::from_shape_fn((class_count.len(), 1), |(class, _)| class_count[class]);
        let theta = sums / &each;
        let off = x.subtract(groups.member.matmul(&theta)?)?;
        let squares = groups.sums(&off.multiply(&off)?)?.get().await?;
        let epsilon = self.var_smoothing * variance.iter().fold(0.0, |most: f64, x| most.max(*x));
        let var = squares / &each + epsilon;
        if let Some((class, feature)) = var.indexed_iter().find(|(_, var)| **var <= 0.0).map(|(at, _)| at) {
            let message =
                format!("feature {feature} is constant in class {class}: give a var_smoothing, or leave it out");
            return Err(Error::Numeric(message));
        }
        let total: f64 = class_count.iter().sum();
        let class_prior = given.unwrap_or_else(|| class_count.iter().map(|count| count / total).collect());
        Ok(FittedGaussianNb { theta, var, class_prior, class_count, epsilon, classes: groups.values })
    }
}

impl FittedGaussianNb {
    /// Logarithms of the probability of each class and of the features in it, up to what is the same for all classes;
    /// staying at the sites: `(n, d) → (n, classes)`.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn joint_log_likelihood(&self, x: &FedMatrix) -> Result<FedMatrix> {
        // Of what is far from 0 squares would lose the digits that tell classes apart.
        let centre = self.theta.mean_axis(NdAxis(0)).unwrap_or_default().insert_axis(NdAxis(0));
        let means = &self.theta - &centre;
        let logs = self.var.mapv(|var| -0.5 * (std::f64::consts::TAU * var).ln());
        let terms = logs - &means * &means / &self.var * 0.5;
        let constant = Array2::from_shape_fn((1, self.classes.len()), |(_, class)| {
            self.class_prior[class].ln() + terms.row(class).sum()
        });
        let x = x.subtract(&centre)?;
        let squares = x.multiply(&x)?.matmul(self.var.t().mapv(|var| -0.5 / var))?;
        squares.add(x.matmul((means / &self.var).t())?)?.add(&constant)
    }

    /// The probability of each class, staying at the sites: `(n, d) → (n, classes)`.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn predict_proba(&self, x: &FedMatrix) -> Result<FedMatrix> {
        self.joint_log_likelihood(x)?.softmax()
    }

    /// The label of the likeliest class, staying at the sites: `(n, d) → (n, 1)`.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn predict(&self, x: &FedMatrix) -> Result<FedMatrix> {
        classes::predicted(&self.joint_log_likelihood(x)?, &self.classes)
    }
}

impl MultinomialNb {
    /// Fits `(n, d), (n, 1)`: counts of features, and labels as [`GaussianNb::fit`].
    ///
    /// # Errors
    /// As [`GaussianNb::fit`]; `Numeric` if a feature's count in a class is negative.
    pub async fn fit(&self, x: &FedMatrix, y: impl Into<Operand>) -> Result<FittedMultinomialNb> {
        self.fit_sample(&Sample::new(x, y)).await
    }

    fn priors(&self, class_count: &[f64]) -> Result<Vec<f64>> {
        let (classes, total) = (class_count.len(), class_count.iter().sum::<f64>());
        match &self.class_prior {
            Some(given) => probabilities(given, classes),
            None if self.fit_prior => Ok(class_count.iter().map(|count| count / total).collect()),
            None => Ok(vec![1.0 / classes as f64; classes]),
        }
    }
}

impl Estimator for MultinomialNb {
    type Fitted = FittedMultinomialNb;

    async fn fit_sample(&self, sample: &Sample) -> Result<FittedMultinomialNb> {
        if !(self.alpha > 0.0 && self.alpha.is_finite()) {
            return Err(Error::plan(format!("alpha must be greater than 0, and finite, not {}", self.alpha)));
        }
        let mut groups = Groups::of(sample, self.n_classes).await?;
        let (counts, sums) = (groups.counts()?, groups.sums(&sample.x)?);
        let (counts, feature_count) = (released(counts).await?, sums.get().await?);
        groups.classes.verified().await?;
        let class_count = counted(&counts, &feature_count)?;
        if let Some((at, count)) = feature_count.indexed_iter().find(|(_, count)| **count < 0.0) {
            let message = format!("features must be counts, but feature {} of class {} comes to {count}", at.1, at.0);
            return Err(Error::Numeric(message));
        }
        let smoothed = &feature_count + self.alpha;
        let totals = smoothed.sum_axis(NdAxis(1)).insert_axis(NdAxis(1));
        let class_log_prior = self.priors(&class_count)?.into_iter().map(f64::ln).collect();
        let feature_log_prob = (smoothed / totals).mapv(f64::ln);
        Ok(FittedMultinomialNb {
            feature_log_prob,
            class_log_prior,
            class_count,
            feature_count,
            classes: groups.values,
        })
    }
}

impl FittedMultinomialNb {
    /// As [`FittedGaussianNb::joint_log_likelihood`].
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn joint_log_likelihood(&self, x: &FedMatrix) -> Result<FedMatrix> {
        let priors = Array2::from_shape_fn((1, self.classes.len()), |(_, class)| self.class_log_prior[class]);
        x.matmul(self.feature_log_prob.t())?.add(&priors)
    }

    /// The probability of each class, staying at the sites: `(n, d) → (n, classes)`.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn predict_proba(&self, x: &FedMatrix) -> Result<FedMatrix> {
        self.joint_log_likelihood(x)?.softmax()
    }

    /// The label of the likeliest class, staying at the sites: `(n, d) → (n, 1)`.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn predict(&self, x: &FedMatrix) -> Result<FedMatrix> {
        classes::predicted(&self.joint_log_likelihood(x)?, &self.classes)
    }
}

macro_rules! accuracy_is_the_score {
    ($($fitted:ident)+) => {
        $(
            impl Predictor for $fitted {
                fn predict(&self, x: &FedMatrix) -> Result<FedMatrix> {
                    Self::predict(self, x)
                }

                async fn score_sample(&self, sample: &Sample) -> Result<f64> {
                    let predicted = Self::predict(self, &sample.x)?;
                    metrics::accuracy_score(&sample.y, &predicted, sample.weights.as_ref()).await
                }
            }

            impl $fitted {
                /// The share of rows with the right label; y as in `fit`.
                ///
                /// # Errors
                /// `Plan` if shapes or layouts do not fit; a site's.
                pub async fn score(&self, x: &FedMatrix, y: impl Into<Operand>) -> Result<f64> {
                    self.score_sample(&Sample::new(x, y)).await
                }
            }
        )+
    };
}
accuracy_is_the_score!(FittedGaussianNb FittedMultinomialNb);
