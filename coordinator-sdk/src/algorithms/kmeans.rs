//! k-means clustering.

use fondaco_proto::{ErrorCode, op::Distribution};
use ndarray::{Array2, Axis as NdAxis, Zip};

use crate::{Axis, Error, FedMatrix, Result};

/// k-means by Lloyd's algorithm (Lloyd 1982, "Least squares quantization in PCM"): one round trip per iteration, in
/// which each site assigns its rows to the nearest centre and releases counts and sums per cluster. A row that is as
/// near to several centres counts for each of them.
#[derive(Clone, Debug, PartialEq)]
pub struct KMeans {
    /// The number of clusters.
    pub n_clusters: usize,
    /// The first centres, `(n_clusters, columns)`; none given: the means of small random groups of rows.
    pub init: Option<Array2<f64>>,
    /// Seed of the random groups.
    pub seed: u64,
    /// Iterations at most.
    pub max_iter: usize,
    /// Ends when the squared movement of all centres together is this share of the mean variance of the columns.
    pub tol: f64,
}

/// The result of [`KMeans`].
#[derive(Clone, Debug, PartialEq)]
pub struct FittedKMeans {
    /// `(n_clusters, columns)`.
    pub cluster_centers: Array2<f64>,
    /// Rows of each cluster at the last assignment, `(n_clusters)`.
    pub counts: Vec<f64>,
    /// Sum of squared distances of rows to the nearest of the centres that the last iteration began with.
    pub inertia: f64,
    /// Iterations run.
    pub n_iter: usize,
}

/// What one assignment gives.
struct Assigned {
    counts: Array2<f64>,
    sums: Array2<f64>,
    inertia: f64,
}

impl KMeans {
    /// So many clusters, from random groups, at most 300 iterations.
    pub fn new(n_clusters: usize) -> Self {
        Self { n_clusters, init: None, seed: 0, max_iter: 300, tol: 1e-4 }
    }

    /// The same, from these centres.
    #[must_use]
    pub fn with_centers(mut self, centers: Array2<f64>) -> Self {
        self.init = Some(centers);
        self
    }

    /// The same, with this seed of the random groups.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Clusters the rows of a row cut, `(n, d)`. NaN has to be replaced before.
    ///
    /// # Errors
    /// `Plan` if there are fewer than two clusters or the centres have another shape; `Numeric` for NaN; a site's. Sites release
    /// sums over enough rows alone: a cluster that is too small at one of them is an error that says so.
    pub async fn fit(&self, x: &FedMatrix) -> Result<FittedKMeans> {
        let (k, d) = (self.n_clusters, x.ncols() as usize);
        if k < 2 {
            return Err(Error::plan("kmeans: at least two clusters are needed; of one, mean and var say all"));
        }
        let (variance, squares) = (x.var(Axis::Columns, 0)?, x.sumsq(Axis::All)?);
        let mut centers = match &self.init {
            Some(init) if init.dim() == (k, d) => init.clone(),
            Some(init) => {
                return Err(Error::plan(format!("kmeans: the centres are {:?}, but must be {:?}", init.dim(), (k, d))));
            }
            None => self.random_groups(x).await?,
        };
        let goal = self.tol * variance.await?.mean().unwrap_or(0.0);
        let squares = squares.scalar().await?;
        let mut fitted = FittedKMeans { cluster_centers: centers.clone(), counts: vec![], inertia: 0.0, n_iter: 0 };
        while fitted.n_iter < self.max_iter {
            let assigned = assign(x, &centers, squares).await?;
            let next = means(&assigned, &centers)?;
            let moved = Zip::from(&next).and(&centers).fold(0.0, |sum, a, b| sum + (a - b) * (a - b));
            fitted.counts = assigned.counts.iter().copied().collect();
            fitted.inertia = assigned.inertia;
            fitted.n_iter += 1;
            centers = next;
            if moved <= goal {
                break;
            }
        }
        fitted.cluster_centers = centers;
        Ok(fitted)
    }

    /// Means of disjoint random groups of rows, at each site a few times as many as it must have to release them: the
    /// smaller the groups, the further apart their means. A row's group follows from the seed and its position.
    async fn random_groups(&self, x: &FedMatrix) -> Result<Array2<f64>> {
        let k = self.n_clusters;
        let least = x.limits().iter().map(|(_, limits)| limits.release_rows_min).max().unwrap_or(1);
        let rows = x.layout().by_site().into_iter().map(|(_, parts)| {
            let extent = |part: usize| x.layout().parts()[part].shape().rows;
            parts.into_iter().map(extent).sum::<u64>()
        });
        let fewest = rows.min().unwrap_or(0).max(1);
        let share = (4.0 * least.max(1) as f64 / fewest as f64).min(1.0 / k as f64);
        let layout = x.layout().column();
        let uniform = Distribution::Uniform { low: 0.0, high: 1.0 };
        let group = x.rand_like(&layout, self.seed, uniform)?.multiply(1.0 / share)?.floor()?;
        let numbers = Array2::from_shape_fn((1, k), |(_, group)| group as f64);
        let member = group.equal(&numbers)?;
        let (counts, sums) = (member.sum(Axis::Columns)?, member.cross(x)?);
        let assigned = Assigned {
            counts: counts.await?,
            sums: sums.await.map_err(|error| too_small(error, "a random group has too few rows at a site"))?,
            inertia: 0.0,
        };
        means(&assigned, &Array2::zeros((k, x.ncols() as usize)))
    }
}

/// Membership, one-hot `(n, k)`, and squared distances to the nearest centre but for |x|², `(n, 1)`; both stay.
fn nearest(x: &FedMatrix, centers: &Array2<f64>) -> Result<(FedMatrix, FedMatrix)> {
    let norms = centers.map_axis(NdAxis(1), |center| center.dot(&center)).insert_axis(NdAxis(0));
    let distances = x.matmul(centers.t().mapv(|c| -2.0 * c))?.add(&norms)?;
    let least = distances.row_min()?;
    let winners = distances.less_equal(&least)?;
    let k = centers.nrows();
    // Of several winners the first stays: the others have an earlier one. (The number of winners of a row would divide
    // them evenly, but is 1 for all rows but a few, and such a series is not released.)
    let earlier = Array2::from_shape_fn((k, k - 1), |(i, j)| f64::from(i <= j));
    let rest = winners.slice(.., 1..)?.greater(winners.matmul(earlier)?)?;
    Ok((winners.slice(.., ..1)?.hstack([rest])?, least))
}

/// One round trip: counts, sums, and what the inertia needs.
async fn assign(x: &FedMatrix, centers: &Array2<f64>, squares: f64) -> Result<Assigned> {
    let (member, least) = nearest(x, centers)?;
    let (counts, sums, inertia) = (member.sum(Axis::Columns)?, member.cross(x)?, least.sum(Axis::All)?);
    let hint = "a cluster has too few rows at a site";
    Ok(Assigned {
        counts: counts.await.map_err(|error| too_small(error, hint))?,
        sums: sums.await.map_err(|error| too_small(error, hint))?,
        inertia: inertia.scalar().await? + squares,
    })
}

/// Sums over counts; an empty cluster (of public data) keeps its centre.
fn means(assigned: &Assigned, old: &Array2<f64>) -> Result<Array2<f64>> {
    let mut centers = assigned.sums.clone();
    for ((mut center, &count), old) in centers.rows_mut().into_iter().zip(&assigned.counts).zip(old.rows()) {
        if count > 0.0 {
            center /= count;
        } else if count == 0.0 {
            center.assign(&old);
        }
        if !center.iter().all(|value| value.is_finite()) {
            return Err(Error::Numeric("kmeans: the data hold NaN or infinities; replace them before".to_owned()));
        }
    }
    Ok(centers)
}

/// A refused release, with what to do about it.
fn too_small(error: Error, hint: &str) -> Error {
    match error {
        Error::Site { site, error } if error.code() == ErrorCode::ReleaseDenied => {
            let message = format!("{hint}: use fewer clusters, other centres, or more rows. {}", error.message());
            Error::Site { site, error: fondaco_proto::Error::denied(message).with_request_id(&error.kind().request_id) }
        }
        other => other,
    }
}

impl FittedKMeans {
    /// One-hot clusters, `(n, n_clusters)`, staying at the sites.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn predict(&self, x: &FedMatrix) -> Result<FedMatrix> {
        Ok(nearest(x, &self.cluster_centers)?.0)
    }
}
