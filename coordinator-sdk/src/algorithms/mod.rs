//! Algorithms over federated matrices, each over the public interface alone. Data stay where they are; what travels
//! are aggregates and the model.

pub mod bivariate;
pub(crate) mod common;
mod conjugate_gradient;
mod cross_validation;
mod distributions;
mod estimator;
mod glm;
mod kmeans;
mod linear_regression;
mod linear_svm;
mod logistic_regression;
mod naive_bayes;
mod univariate;

pub use conjugate_gradient::ConjugateGradient;
pub use cross_validation::{GridSearch, KFold, cross_val_score, cross_val_score_by, grid_search, grid_search_by};
pub use estimator::{Estimator, Predictor, Sample};
pub use glm::{Family, FittedGlm, Glm, Link};
pub use kmeans::{FittedKMeans, KMeans};
pub use linear_regression::{FittedLinear, LinearRegression};
pub use linear_svm::{FittedSvm, LinearSvm};
pub use logistic_regression::{FittedLogistic, LogisticRegression, LogisticSolver};
pub use naive_bayes::{FittedGaussianNb, FittedMultinomialNb, GaussianNb, MultinomialNb};
pub use univariate::{Categories, Univariate};
