//! Tables of correlations.

use ndarray::Array2;

use super::beta::two_sided;
use crate::{Error, FedMatrix, Result};

/// Pearson's correlations of all pairs of columns, and how likely as large ones are by chance.
#[derive(Clone, Debug, PartialEq)]
pub struct CorrelationTable {
    /// r, `(d, d)`; NaN for a constant column.
    pub correlations: Array2<f64>,
    /// The two-sided p-value of each r, for normal columns that do not depend on each other, `(d, d)`.
    pub p_values: Array2<f64>,
    /// The number of rows.
    pub n: u64,
}

/// Pearson's correlations of the columns with their p-values, `(n, d) → (d, d)`: by Student's t with n − 2 degrees of
/// freedom (Student 1908, "Probable error of a correlation coefficient"; `scipy.stats.pearsonr`). One round trip. NaN has
/// to be replaced before, or is in the results.
///
/// # Errors
/// `Plan` if there are fewer than two rows, or the columns are at different sites; a site's.
pub async fn correlation_table(x: &FedMatrix) -> Result<CorrelationTable> {
    let n = x.nrows();
    if n < 2 {
        return Err(Error::plan(format!("correlations need at least two rows, but there are {n}")));
    }
    let correlations = x.corr()?.await?;
    let p_values = correlations.mapv(|r| two_sided(r, n));
    Ok(CorrelationTable { correlations, p_values, n })
}
