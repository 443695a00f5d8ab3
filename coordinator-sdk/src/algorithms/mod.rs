//! Algorithms over federated matrices, each over the public interface alone. Data stay where they are; what travels
//! are aggregates and the model.

mod conjugate_gradient;
mod kmeans;
mod linear_regression;

pub use conjugate_gradient::ConjugateGradient;
pub use kmeans::{FittedKMeans, KMeans};
pub use linear_regression::{FittedLinear, LinearRegression};
