//! k-means clustering.

mod assignment;
mod cells;
mod plus_plus;

use ndarray::{Array2, ArrayView1, Axis as NdAxis, Zip};

use self::assignment::{assign, nearest};
use super::sites::{check_finite, is_far, is_refusal};
use crate::{Axis, Error, FedMatrix, Result};

/// How many starts may end because a site refuses a cluster that has become too small.
const REFUSALS_MAX: usize = 10;

/// k-means by Lloyd's algorithm (Lloyd 1982, "Least squares quantization in PCM"): one round trip per iteration, in
/// which each site assigns its rows to the nearest centre and releases counts and sums per cluster. A row that is as
/// near to several centres counts for the first. A cluster that nobody joins keeps its centre.
///
/// The first centres are those of k-means++ (Arthur & Vassilvitskii 2007, "k-means++: the advantages of careful
/// seeding"), the best of `2 + ln k` candidates each time as in scikit-learn: rows of public or own data, each drawn in
/// proportion to its squared distance from the nearest centre so far. Of `aggregate` data no row leaves; there each
/// centre is the mean of at least the minimum of rows that a site has drawn so, in one cell of a random partition of the
/// space, because the mean of rows from everywhere would be the middle of everything.
#[derive(Clone, Debug, PartialEq)]
pub struct KMeans {
    /// The number of clusters.
    pub n_clusters: usize,
    /// The first centres, `(n_clusters, columns)`; none given: k-means++.
    pub init: Option<Array2<f64>>,
    /// How often to start, with other first centres; the run with the least inertia counts. Given centres start once.
    pub n_init: usize,
    /// Seed of what is drawn.
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

/// The rows, and what is known of them from the start.
struct Data {
    /// X; less the means, where it is far from 0.
    x: FedMatrix,
    /// What was subtracted, `(1, d)`.
    shift: Array2<f64>,
    /// The means of `x`, `(1, d)`.
    means: Array2<f64>,
    /// Variances, `(1, d)`.
    variances: Array2<f64>,
    /// Σ|x|².
    squares: f64,
}

impl Data {
    async fn of(x: &FedMatrix) -> Result<Self> {
        let (means, variances) = (x.mean(Axis::Columns)?, x.var(Axis::Columns, 0)?);
        let (means, variances) = (means.await?, variances.await?);
        check_finite("kmeans", means.iter().chain(&variances))?;
        let none = Array2::zeros(means.raw_dim());
        let (x, shift, means) =
            if is_far(&means, &variances) { (x.subtract(&means)?, means, none) } else { (x.clone(), none, means) };
        let squares = x.nrows() as f64 * (&variances + &means.mapv(|mean| mean * mean)).sum();
        Ok(Self { x, shift, means, variances, squares })
    }
}

impl KMeans {
    /// So many clusters, by k-means++ from one start, at most 300 iterations.
    pub fn new(n_clusters: usize) -> Self {
        Self { n_clusters, init: None, n_init: 1, seed: 0, max_iter: 300, tol: 1e-4 }
    }

    /// The same, from these centres.
    #[must_use]
    pub fn with_centers(mut self, centers: Array2<f64>) -> Self {
        self.init = Some(centers);
        self
    }

    /// The same, with this seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Clusters the rows of a row cut, `(n, d)`. NaN has to be replaced before.
    ///
    /// # Errors
    /// `Plan` if there are fewer than two clusters, fewer rows than clusters, or the centres have another shape;
    /// `Numeric` for NaN; a site's. Sites release sums over enough rows alone: a cluster that is too small at one of them
    /// is an error that says so.
    pub async fn fit(&self, x: &FedMatrix) -> Result<FittedKMeans> {
        let (k, d) = (self.n_clusters, x.ncols() as usize);
        if k < 2 {
            return Err(Error::plan("kmeans: at least two clusters are needed; of one, mean and var say all"));
        }
        if x.nrows() < k as u64 {
            return Err(Error::plan(format!("kmeans: {k} clusters need as many rows, but there are {}", x.nrows())));
        }
        if let Some(init) = self.init.as_ref().filter(|init| init.dim() != (k, d)) {
            return Err(Error::plan(format!("kmeans: the centres are {:?}, but must be {:?}", init.dim(), (k, d))));
        }
        let data = Data::of(x).await?;
        let (starts, mut refusals) = (if self.init.is_some() { 1 } else { self.n_init.max(1) }, 0);
        let mut best: Option<FittedKMeans> = None;
        let (mut done, mut seed) = (0, self.seed);
        while done < starts {
            match self.run(&data, seed).await {
                Ok(fitted) if best.as_ref().is_none_or(|best| fitted.inertia < best.inertia) => best = Some(fitted),
                Ok(_) => {}
                // On its way a cluster became too small; another start may do.
                Err(error) if self.init.is_none() && is_refusal(&error) && refusals < REFUSALS_MAX => {
                    refusals += 1;
                    seed = seed.wrapping_add(1);
                    continue;
                }
                Err(error) => return Err(error),
            }
            (done, seed) = (done + 1, seed.wrapping_add(1));
        }
        let mut fitted = best.ok_or_else(|| Error::plan("kmeans: there is no start"))?;
        fitted.cluster_centers += &data.shift;
        Ok(fitted)
    }

    async fn run(&self, data: &Data, seed: u64) -> Result<FittedKMeans> {
        let centers = match &self.init {
            Some(init) => init - &data.shift,
            None => plus_plus::centers(data, self.n_clusters, seed).await?,
        };
        self.lloyd(data, centers).await
    }

    async fn lloyd(&self, data: &Data, mut centers: Array2<f64>) -> Result<FittedKMeans> {
        let goal = self.tol * data.variances.mean().unwrap_or(0.0);
        let mut fitted = FittedKMeans { cluster_centers: centers.clone(), counts: vec![], inertia: 0.0, n_iter: 0 };
        while fitted.n_iter < self.max_iter {
            let assigned = assign(&data.x, &centers, data.squares).await?;
            let next = assigned.means(&centers)?;
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
}

impl FittedKMeans {
    /// One-hot clusters, `(n, n_clusters)`, staying at the sites.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn predict(&self, x: &FedMatrix) -> Result<FedMatrix> {
        let centers = &self.cluster_centers;
        let means = centers.mean_axis(NdAxis(0)).unwrap_or_default().insert_axis(NdAxis(0));
        let variances = centers.var_axis(NdAxis(0), 0.0).insert_axis(NdAxis(0));
        if x.ncols() as usize == centers.ncols() && is_far(&means, &variances) {
            return nearest(&x.subtract(&means)?, &(centers - &means));
        }
        nearest(x, centers)
    }
}

fn square(x: ArrayView1<f64>) -> f64 {
    x.dot(&x)
}
