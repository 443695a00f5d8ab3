//! Algorithms over federated matrices, each over the public interface alone. Data stay where they are; what travels
//! are aggregates and the model.

pub mod bivariate;
mod conjugate_gradient;
mod distributions;
mod kmeans;
mod linear_regression;
mod univariate;

pub use conjugate_gradient::ConjugateGradient;
pub use kmeans::{FittedKMeans, KMeans};
pub use linear_regression::{FittedLinear, LinearRegression};
pub use univariate::{Categories, Univariate};
