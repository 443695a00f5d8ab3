//! Principal components.

use ndarray::{Array1, Array2, ArrayView1, Axis as NdAxis, s};

use super::sites::{check_finite, is_far};
use crate::{Axis, Error, FedMatrix, Result, solve::eigh};

/// Principal component analysis by the eigenvectors of the covariance matrix (Pearson 1901, "On lines and planes of
/// closest fit to systems of points in space"; Jolliffe, "Principal Component Analysis", 2nd ed., 3.1), which is one
/// round trip. Names, and what they mean, are scikit-learn's; the largest loading of each component is positive, as there
/// (`svd_flip` on V).
///
/// Components with less variance than about 1e-16 of the largest are rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pca {
    /// How many components are kept.
    pub n_components: Components,
    /// Whether [`FittedPca::transform`] divides each component by its standard deviation.
    pub whiten: bool,
}

/// How many components to keep.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Components {
    /// As many as there are: columns or, if they are fewer, rows.
    #[default]
    All,
    /// So many.
    Count(usize),
    /// As few as together have more than this share of the variance, between 0 and 1.
    Variance(f64),
}

/// The result of [`Pca`].
#[derive(Clone, Debug, PartialEq)]
pub struct FittedPca {
    /// The components as rows, the one with the most variance first: `(n_components, d)`.
    pub components: Array2<f64>,
    /// The variance along each, with n − 1 degrees of freedom, `(n_components)`.
    pub explained_variance: Array1<f64>,
    /// The same as a share of the variance of all columns.
    pub explained_variance_ratio: Array1<f64>,
    /// The singular values of the centred rows, `(n_components)`.
    pub singular_values: Array1<f64>,
    /// The mean variance along what was left out (Tipping & Bishop 1999, "Probabilistic principal component analysis").
    pub noise_variance: f64,
    /// The means of the columns, `(1, d)`.
    pub mean: Array2<f64>,
    /// Whether components are divided by their standard deviations.
    pub whiten: bool,
    /// Whether the data lie so far from 0 that they must be centred first.
    far: bool,
}

impl Pca {
    /// So many components.
    pub fn new(n_components: usize) -> Self {
        Self { n_components: Components::Count(n_components), whiten: false }
    }

    /// Fits the rows of a row cut, `(n, d)`. NaN has to be replaced before.
    ///
    /// # Errors
    /// `Plan` if there are fewer than two rows, or fewer components than are wanted; `Numeric` for NaN; a site's.
    pub async fn fit(&self, x: &FedMatrix) -> Result<FittedPca> {
        let rows = x.nrows();
        if rows < 2 {
            return Err(Error::plan(format!("pca: at least two rows are needed, but there are {rows}")));
        }
        let (mean, covariance) = (x.mean(Axis::Columns)?, x.cov(1)?);
        let (mean, covariance) = (mean.await?, covariance.await?);
        check_finite("pca", mean.iter().chain(&covariance))?;
        let (values, vectors) = eigh(&covariance)?;
        let most = (x.ncols().min(rows)) as usize;
        let largest = values.iter().rev().map(|value| value.max(0.0));
        let variance: Array1<f64> = largest.take(most).collect();
        let total = variance.sum();
        let ratio = if total > 0.0 { &variance / total } else { Array1::zeros(most) };
        let kept = self.kept(ratio.view())?;
        let components = vectors.slice(s![.., ..;-1]).t().slice(s![..kept, ..]).to_owned();
        let left_out = variance.slice(s![kept..]);
        let far = is_far(&mean, &covariance.diag().to_owned().insert_axis(NdAxis(0)));
        Ok(FittedPca {
            noise_variance: left_out.mean().unwrap_or(0.0),
            singular_values: variance.slice(s![..kept]).mapv(|v| (v * (rows - 1) as f64).sqrt()),
            explained_variance_ratio: ratio.slice(s![..kept]).to_owned(),
            explained_variance: variance.slice(s![..kept]).to_owned(),
            components,
            mean,
            whiten: self.whiten,
            far,
        })
    }

    fn kept(&self, ratio: ArrayView1<f64>) -> Result<usize> {
        match self.n_components {
            Components::All => Ok(ratio.len()),
            Components::Count(count) if (1..=ratio.len()).contains(&count) => Ok(count),
            Components::Count(count) => {
                Err(Error::plan(format!("pca: there are {} components, not {count}", ratio.len())))
            }
            Components::Variance(share) if share > 0.0 && share < 1.0 => {
                let mut sum = 0.0;
                let within = ratio.iter().take_while(|ratio| {
                    sum += **ratio;
                    sum <= share
                });
                Ok((within.count() + 1).min(ratio.len()))
            }
            Components::Variance(share) => {
                Err(Error::plan(format!("pca: the share of the variance must be between 0 and 1, not {share}")))
            }
        }
    }
}

impl FittedPca {
    /// The coordinates of rows along the components, `(n, d) → (n, n_components)`, staying at the sites.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn transform(&self, x: &FedMatrix) -> Result<FedMatrix> {
        let turn = (&self.components / &self.scale()).reversed_axes();
        if self.far {
            return x.subtract(&self.mean)?.matmul(turn);
        }
        let shift = self.mean.dot(&turn);
        x.matmul(turn)?.subtract(shift)
    }

    /// Rows from coordinates, `(n, n_components) → (n, d)`, staying at the sites; without the parts that were left out.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn inverse_transform(&self, coordinates: &FedMatrix) -> Result<FedMatrix> {
        coordinates.matmul(&self.components * &self.scale())?.add(&self.mean)
    }

    /// What coordinates are divided by, `(n_components, 1)`.
    fn scale(&self) -> Array2<f64> {
        let of = |variance: &f64| if self.whiten { variance.sqrt().max(f64::EPSILON) } else { 1.0 };
        self.explained_variance.map(of).insert_axis(NdAxis(1))
    }
}
