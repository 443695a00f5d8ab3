//! To which centre rows are nearest: what is done anew in every iteration, in two passes over X and five over a matrix
//! of one column per centre.

use ndarray::{Array2, Axis as NdAxis};

use super::{
    super::sites::{first_of, hinted},
    square,
};
use crate::{Axis, Error, FedMatrix, Result};

pub(super) const TOO_SMALL: &str =
    "kmeans: a cluster has too few rows at a site: use fewer clusters, other centres, or more rows";

/// What one assignment gives.
pub(super) struct Assigned {
    pub counts: Array2<f64>,
    pub sums: Array2<f64>,
    pub inertia: f64,
}

/// |x − c|² but for |x|², `(n, k)`, staying at the sites.
pub(super) fn scores(x: &FedMatrix, centers: &Array2<f64>) -> Result<FedMatrix> {
    let norms = centers.map_axis(NdAxis(1), square).insert_axis(NdAxis(0));
    x.matmul(centers.t().mapv(|c| -2.0 * c))?.add(&norms)
}

/// The winners of each row, `(n, k)`: more than one where several are as near.
pub(super) fn winners(x: &FedMatrix, centers: &Array2<f64>) -> Result<FedMatrix> {
    let scores = scores(x, centers)?;
    scores.less_equal(scores.row_min()?)
}

/// Membership, one-hot `(n, k)`, staying at the sites.
pub(super) fn nearest(x: &FedMatrix, centers: &Array2<f64>) -> Result<FedMatrix> {
    first_of(&winners(x, centers)?)
}

/// One round trip: counts and sums, of which the inertia follows; one more where a row has several winners, which shows
/// in the counts.
pub(super) async fn assign(x: &FedMatrix, centers: &Array2<f64>, squares: f64) -> Result<Assigned> {
    let winners = winners(x, centers)?;
    let assigned = summed(&winners, x, centers, squares).await?;
    if assigned.counts.sum() <= x.nrows() as f64 {
        return Ok(assigned);
    }
    summed(&first_of(&winners)?, x, centers, squares).await
}

async fn summed(member: &FedMatrix, x: &FedMatrix, centers: &Array2<f64>, squares: f64) -> Result<Assigned> {
    let (counts, sums) = (member.sum(Axis::Columns)?, member.cross(x)?);
    let counts = counts.await.map_err(|error| hinted(error, TOO_SMALL))?;
    let sums = sums.await.map_err(|error| hinted(error, TOO_SMALL))?;
    // Σ|x − c|² = Σ|x|² + Σ (n c − 2 s)·c
    let per_cluster = centers.rows().into_iter().zip(sums.rows()).zip(&counts);
    let off: f64 = per_cluster.map(|((center, sum), count)| count * square(center) - 2.0 * center.dot(&sum)).sum();
    Ok(Assigned { counts, sums, inertia: (squares + off).max(0.0) })
}

impl Assigned {
    /// Sums over counts; an empty cluster (of public data) keeps its centre.
    pub fn means(&self, old: &Array2<f64>) -> Result<Array2<f64>> {
        let mut centers = self.sums.clone();
        for ((mut center, &count), old) in centers.rows_mut().into_iter().zip(&self.counts).zip(old.rows()) {
            if count > 0.0 {
                center /= count;
            } else if count == 0.0 {
                center.assign(&old);
            }
            if !center.iter().all(|value| value.is_finite()) {
                return Err(Error::Numeric("kmeans: a centre is not finite; the data are too large".to_owned()));
            }
        }
        Ok(centers)
    }
}
