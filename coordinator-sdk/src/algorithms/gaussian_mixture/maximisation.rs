//! The parameters that fit best, from sums over weighted rows.

use ndarray::{Array1, Array2, Axis as NdAxis};

use super::{CovarianceType, Covariances, Data, GaussianMixture, MixtureParameters, row};
use crate::{Axis, FedMatrix, Pending, Result};

/// What the sites were asked for.
pub(super) struct Asked {
    counts: Pending,
    sums: Asks,
}

enum Asks {
    /// Of each component, sums and products of rows less the means that the iteration began with.
    Products(Vec<(Pending, Pending)>),
    /// Sums of rows, and of their squares if there are variances.
    Sums(Pending, Option<Pending>),
}

/// What they gave.
pub(super) struct Statistics {
    /// Rows of each component, `(k)`.
    counts: Array1<f64>,
    sums: Sums,
}

enum Sums {
    Products(Vec<(Array1<f64>, Array2<f64>)>),
    Sums(Array2<f64>, Option<Array2<f64>>),
}

impl Statistics {
    /// Asks for what a maximisation needs: sums of rows weighed by responsibilities, `(n, k)`.
    pub fn of(
        data: &Data,
        responsibilities: &FedMatrix,
        means: &Array2<f64>,
        covariance_type: CovarianceType,
    ) -> Result<Asked> {
        let x = &data.x;
        let counts = responsibilities.sum(Axis::Columns)?;
        let sums = match covariance_type {
            CovarianceType::Full => {
                // Less the means, so that little is lost when those of the sums are taken off; one component after
                // another, so that a site needs to hold one such difference.
                let of = |i: usize| {
                    let weights = responsibilities.slice(.., i as u64..i as u64 + 1)?;
                    let off = x.subtract(row(means, i))?;
                    Ok((weights.cross(&off)?, off.multiply(weights)?.cross(&off)?))
                };
                Asks::Products((0..means.nrows()).map(of).collect::<Result<_>>()?)
            }
            CovarianceType::Tied => Asks::Sums(responsibilities.cross(x)?, None),
            CovarianceType::Diag | CovarianceType::Spherical => {
                let squares = data.squares.clone().map_or_else(|| x.multiply(x), Ok)?;
                Asks::Sums(responsibilities.cross(x)?, Some(responsibilities.cross(squares)?))
            }
        };
        Ok(Asked { counts, sums })
    }

    /// The parameters; `means` are those that the sums are less.
    pub fn parameters(
        self,
        data: &Data,
        means: &Array2<f64>,
        rows: f64,
        model: &GaussianMixture,
    ) -> Result<MixtureParameters> {
        // As scikit-learn: an empty component keeps a trace of weight.
        let counts = self.counts.mapv(|count| count + 10.0 * f64::EPSILON);
        let total = counts.sum();
        let column = counts.view().insert_axis(NdAxis(1));
        let reg = model.reg_covar;
        let (means, covariances) = match (self.sums, model.covariance_type) {
            (Sums::Products(all), _) => {
                let mut next = means.clone();
                let mut covariances = Vec::with_capacity(all.len());
                for ((i, (sum, products)), count) in all.into_iter().enumerate().zip(&counts) {
                    let moved = sum / *count;
                    let mut mean = next.row_mut(i);
                    mean += &moved;
                    let moved = moved.insert_axis(NdAxis(1));
                    let mut covariance = products / *count - moved.dot(&moved.t());
                    covariance.diag_mut().mapv_inplace(|v| v + reg);
                    covariances.push(covariance);
                }
                (next, Covariances::Full(covariances))
            }
            (Sums::Sums(sums, None), _) => {
                let means = sums / column;
                let between = (&means * &column).t().dot(&means);
                let scatter = data.scatter.clone().unwrap_or_else(|| Array2::zeros(between.raw_dim()));
                let mut covariance = (scatter - between) / rows;
                covariance.diag_mut().mapv_inplace(|v| v + reg);
                (means, Covariances::Tied(covariance))
            }
            (Sums::Sums(sums, Some(squares)), covariance_type) => {
                let means = sums / column;
                let variances = squares / column - &means * &means + reg;
                let covariances = match covariance_type {
                    CovarianceType::Spherical => {
                        Covariances::Spherical(variances.mean_axis(NdAxis(1)).unwrap_or_default())
                    }
                    CovarianceType::Full | CovarianceType::Tied | CovarianceType::Diag => Covariances::Diag(variances),
                };
                (means, covariances)
            }
        };
        Ok(MixtureParameters { weights: counts / total, means, covariances })
    }
}

impl IntoFuture for Asked {
    type Output = Result<Statistics>;
    type IntoFuture = std::pin::Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.fetch())
    }
}

impl Asked {
    async fn fetch(self) -> Result<Statistics> {
        let counts = self.counts.await?.remove_axis(NdAxis(0));
        let sums = match self.sums {
            Asks::Products(all) => {
                let mut given = Vec::with_capacity(all.len());
                for (sum, products) in all {
                    given.push((sum.await?.remove_axis(NdAxis(0)), products.await?));
                }
                Sums::Products(given)
            }
            Asks::Sums(sums, squares) => {
                let sums = sums.await?;
                let squares = match squares {
                    Some(squares) => Some(squares.await?),
                    None => None,
                };
                Sums::Sums(sums, squares)
            }
        };
        Ok(Statistics { counts, sums })
    }
}
