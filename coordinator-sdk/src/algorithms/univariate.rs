//! Summaries of single columns.

use ndarray::{Array1, Array2, Axis as NdAxis};

use crate::{Axis, Error, ErrorCode, FedMatrix, Operand, Pending, Quantiles, Result};

/// What is said of each column of numbers: the columns of SystemDS's `Univar-Stats`, as R has them (`e1071` of type 3 for
/// skewness and kurtosis). Each has an entry per column.
///
/// Of `aggregate` data what the owner does not let out is NaN: extremes, and skewness and kurtosis that few rows make.
#[derive(Clone, Debug, PartialEq)]
pub struct Univariate {
    /// The smallest.
    pub min: Array1<f64>,
    /// The largest.
    pub max: Array1<f64>,
    /// The largest less the smallest.
    pub range: Array1<f64>,
    /// The mean.
    pub mean: Array1<f64>,
    /// The variance, of one degree of freedom less than rows.
    pub variance: Array1<f64>,
    /// Its root.
    pub std: Array1<f64>,
    /// The standard error of the mean.
    pub standard_error: Array1<f64>,
    /// The standard deviation over the mean.
    pub variation: Array1<f64>,
    /// The third central moment over the third power of the standard deviation.
    pub skewness: Array1<f64>,
    /// The fourth central moment over the fourth power of the standard deviation, less 3.
    pub kurtosis: Array1<f64>,
    /// The standard error of the skewness of as many normal numbers.
    pub skewness_error: f64,
    /// The standard error of the kurtosis of as many normal numbers.
    pub kurtosis_error: f64,
    /// The median, `(1, columns)`.
    pub median: Quantiles,
    /// The mean of the middle half, `(1, columns)`.
    pub iqm: Quantiles,
}

impl Univariate {
    /// The summary of a matrix of at least two rows. NaN has to be replaced before: else what it is in is NaN.
    ///
    /// # Errors
    /// `Plan` if there are fewer than two rows; a site's.
    pub async fn of(x: &FedMatrix) -> Result<Self> {
        if x.nrows() < 2 {
            return Err(Error::plan("univariate: at least two rows are needed"));
        }
        let n = x.nrows() as f64;
        let powers = x.weighted_moments(ones(x)?, 4)?;
        let (mean, variance) = (x.mean(Axis::Columns)?, x.var(Axis::Columns, 1)?);
        let (min, max) = (x.min(Axis::Columns)?, x.max(Axis::Columns)?);
        let row = |of: Array2<f64>, row: usize| of.index_axis_move(NdAxis(0), row);
        let unknown = || Array1::from_elem(x.ncols() as usize, f64::NAN);
        let (mean, variance) = (row(mean.await?, 0), row(variance.await?, 0));
        let std = variance.mapv(f64::sqrt);
        let min = let_out(min).await?.map_or_else(unknown, |of| row(of, 0));
        let max = let_out(max).await?.map_or_else(unknown, |of| row(of, 0));
        let powers = let_out(powers).await?;
        let central = |power: i32| {
            let of = powers.as_ref().map_or_else(unknown, |of| of.row(power as usize + 1).to_owned());
            of / n / std.mapv(|std| std.powi(power))
        };
        let skewness_error = (6.0 * n * (n - 1.0) / ((n - 2.0) * (n + 1.0) * (n + 3.0))).sqrt();
        Ok(Self {
            range: &max - &min,
            standard_error: &std / n.sqrt(),
            variation: &std / &mean,
            skewness: central(3),
            kurtosis: central(4) - 3.0,
            skewness_error,
            kurtosis_error: (4.0 * (n * n - 1.0) * skewness_error.powi(2) / ((n + 5.0) * (n - 3.0))).sqrt(),
            median: x.median(Axis::Columns).await?,
            iqm: x.iqm(Axis::Columns).await?,
            min,
            max,
            mean,
            variance,
            std,
        })
    }
}

/// A weight of 1 for each row, where the rows are.
fn ones(x: &FedMatrix) -> Result<Operand> {
    if x.layout().parts().len() > 1 && x.layout().cut() != Some(crate::Cut::Rows) {
        return Ok(Array2::ones((x.nrows() as usize, 1)).into());
    }
    Ok(x.fill_like(&x.layout().column(), 1.0)?.into())
}

/// The result, if its owners let it out.
async fn let_out(pending: Pending) -> Result<Option<Array2<f64>>> {
    match pending.await {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.code() == Some(ErrorCode::ReleaseDenied) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is said of a column of categories: how many rows have each, and which are had most.
#[derive(Clone, Debug, PartialEq)]
pub struct Categories {
    /// The categories that there are, in ascending order.
    pub categories: Vec<f64>,
    /// Rows of each.
    pub counts: Vec<f64>,
    /// Those that most rows have.
    pub modes: Vec<f64>,
}

impl Categories {
    /// Of codes from 0 to `codes`, exclusive, `(n, 1)`. Of `aggregate` data each must have enough rows.
    ///
    /// # Errors
    /// `Plan` if it is no single column; a site's.
    pub async fn of_codes(x: &FedMatrix, codes: u64) -> Result<Self> {
        let levels = Array2::from_shape_fn((codes as usize, 1), |(code, _)| code as f64);
        let counts = x.group_by(x, levels)?.count()?.await?;
        Ok(Self::new((0..counts.nrows()).map(|code| (code as f64, counts[[code, 0]]))))
    }

    /// Of whatever values a column `(n, 1)` has, at most `most`. They are values of rows: of `aggregate` data they leave
    /// if the owner lets extremes out.
    ///
    /// # Errors
    /// `Plan` if it is no single column, or has more; a site's.
    pub async fn found(x: &FedMatrix, most: u64) -> Result<Self> {
        if x.ncols() != 1 {
            return Err(Error::plan("categories: a single column is needed"));
        }
        let levels = x.levels(most).await?;
        Ok(Self::new(levels.keys.column(0).iter().copied().zip(levels.counts)))
    }

    fn new(counted: impl Iterator<Item = (f64, f64)>) -> Self {
        let (categories, counts): (Vec<f64>, Vec<f64>) = counted.filter(|(_, count)| *count > 0.0).unzip();
        let most = counts.iter().copied().fold(0.0, f64::max);
        let modes = categories.iter().zip(&counts).filter(|(_, count)| **count == most).map(|(of, _)| *of).collect();
        Self { categories, counts, modes }
    }
}
