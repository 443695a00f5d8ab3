//! Algorithms over federated matrices, each over the public interface alone. Data stay where they are; what travels
//! are aggregates and the model.

mod als;
mod beta;
pub mod bivariate;
mod centred;
pub(crate) mod common;
mod conjugate_gradient;
mod correlation;
mod cross_validation;
mod distributions;
mod draws;
mod elastic_net;
mod estimator;
mod gaussian_mixture;
mod glm;
mod kmeans;
mod linear_regression;
mod linear_svm;
mod logistic_regression;
mod naive_bayes;
mod nmf;
mod pca;
mod sites;
mod stepwise;
mod univariate;

pub use als::{Als, AlsCells, FittedAls};
pub use conjugate_gradient::ConjugateGradient;
pub use correlation::{CorrelationTable, correlation_table};
pub use cross_validation::{GridSearch, KFold, cross_val_score, cross_val_score_by, grid_search, grid_search_by};
pub use elastic_net::{ElasticNet, ElasticNetPath, FittedElasticNet};
pub use estimator::{Estimator, Predictor, Sample};
pub use gaussian_mixture::{CovarianceType, Covariances, FittedGaussianMixture, GaussianMixture, MixtureParameters};
pub use glm::{Family, FittedGlm, Glm, Link};
pub use kmeans::{FittedKMeans, KMeans};
pub use linear_regression::{FittedLinear, LinearRegression};
pub use linear_svm::{FittedSvm, LinearSvm};
pub use logistic_regression::{FittedLogistic, LogisticRegression, LogisticSolver};
pub use naive_bayes::{FittedGaussianNb, FittedMultinomialNb, GaussianNb, MultinomialNb};
pub use nmf::{FittedNmf, Nmf};
pub use pca::{Components, FittedPca, Pca};
pub use stepwise::{FittedStepwise, StepwiseRegression};
pub use univariate::{Categories, Univariate};
