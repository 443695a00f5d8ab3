//! Lasso and elastic net.

use ndarray::{Array1, Array2};

use super::{FittedLinear, centred::Centred};
use crate::{Error, FedMatrix, Operand, Result};

/// Least squares with penalties that leave out columns: minimises `‖y − X w − b‖² / 2n + alpha l1_ratio ‖w‖₁ +
/// alpha (1 − l1_ratio) ‖w‖² / 2` (Tibshirani 1996, "Regression shrinkage and selection via the lasso"; Zou & Hastie 2005,
/// "Regularization and variable selection via the elastic net"; scikit-learn's parameters and defaults), by coordinate
/// descent on the Gram matrix (Friedman, Hastie & Tibshirani 2010, "Regularization paths for generalized linear models via
/// coordinate descent"). One round trip in all, for a whole path too: the rest is done at the coordinator. It ends by
/// the duality gap (Kim et al. 2007, "An interior-point method for large-scale l1-regularized least squares").
///
/// The intercept is not penalised. Penalties are of columns as they are: scale columns of different units before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ElasticNet {
    /// How much is penalised.
    pub alpha: f64,
    /// The share of the absolute values: 1 is the lasso, 0 ridge regression.
    pub l1_ratio: f64,
    /// Whether there is an intercept.
    pub fit_intercept: bool,
    /// Passes over the coefficients at most.
    pub max_iter: usize,
    /// Ends when the duality gap is less than this share of the squares of y.
    pub tol: f64,
}

impl Default for ElasticNet {
    fn default() -> Self {
        Self { alpha: 1.0, l1_ratio: 0.5, fit_intercept: true, max_iter: 1000, tol: 1e-4 }
    }
}

/// The result of [`ElasticNet`].
#[derive(Clone, Debug, PartialEq)]
pub struct FittedElasticNet {
    /// The model; `n_iter` are passes over the coefficients.
    pub model: FittedLinear,
    /// What the objective may be above its least, at most.
    pub dual_gap: f64,
}

/// Models of descending penalties.
#[derive(Clone, Debug, PartialEq)]
pub struct ElasticNetPath {
    /// The penalties, descending, `(k)`.
    pub alphas: Vec<f64>,
    /// The coefficients for each, `(d, k)`.
    pub coefs: Array2<f64>,
    /// The intercept of each, `(k)`.
    pub intercepts: Vec<f64>,
    /// What each objective may be above its least, at most, `(k)`.
    pub dual_gaps: Vec<f64>,
}

impl ElasticNet {
    /// The lasso with this penalty.
    pub fn lasso(alpha: f64) -> Self {
        Self { alpha, l1_ratio: 1.0, ..Self::default() }
    }

    /// Fits `(n, d), (n, 1)`; y is federated in the same rows, or an array. NaN has to be replaced before.
    ///
    /// # Errors
    /// `Plan` if shapes or layouts do not fit, or a parameter is out of its range; `Numeric` for NaN; a site's.
    pub async fn fit(&self, x: &FedMatrix, y: impl Into<Operand>) -> Result<FittedElasticNet> {
        self.check()?;
        if !(self.alpha >= 0.0 && self.alpha.is_finite()) {
            return Err(Error::plan(format!("elastic net: alpha must be a number of at least 0, not {}", self.alpha)));
        }
        let data = Centred::of("elastic net", x, &y.into(), self.fit_intercept).await?;
        let mut descent = Descent::new(&data);
        let (n_iter, dual_gap) = descent.run(self, self.alpha);
        Ok(FittedElasticNet { model: data.model(&descent.w, n_iter), dual_gap })
    }

    /// Fits for these penalties, in descending order, each from where the one before ended; `alpha` does not matter. One
    /// round trip.
    ///
    /// # Errors
    /// As [`ElasticNet::fit`].
    pub async fn path(
        &self,
        x: &FedMatrix,
        y: impl Into<Operand>,
        alphas: impl IntoIterator<Item = f64>,
    ) -> Result<ElasticNetPath> {
        self.check()?;
        let mut alphas: Vec<f64> = alphas.into_iter().collect();
        if let Some(alpha) = alphas.iter().find(|alpha| !(**alpha >= 0.0 && alpha.is_finite())) {
            return Err(Error::plan(format!("elastic net: each alpha must be a number of at least 0, not {alpha}")));
        }
        alphas.sort_by(|a, b| b.total_cmp(a));
        let data = Centred::of("elastic net", x, &y.into(), self.fit_intercept).await?;
        Ok(self.along(&data, alphas))
    }

    /// Fits for `n_alphas` penalties from the least that leaves out all columns down to `eps` times that, evenly by their
    /// logarithms (scikit-learn's `enet_path`: 100 and 1e-3). One round trip.
    ///
    /// # Errors
    /// As [`ElasticNet::fit`]; `Plan` if `l1_ratio` is 0, where no penalty leaves out any.
    pub async fn path_of(
        &self,
        x: &FedMatrix,
        y: impl Into<Operand>,
        n_alphas: usize,
        eps: f64,
    ) -> Result<ElasticNetPath> {
        self.check()?;
        if self.l1_ratio == 0.0 {
            return Err(Error::plan("elastic net: with an l1_ratio of 0 no penalty leaves out columns; give alphas"));
        }
        if !(eps > 0.0 && eps < 1.0) {
            return Err(Error::plan(format!("elastic net: eps must be between 0 and 1, not {eps}")));
        }
        let data = Centred::of("elastic net", x, &y.into(), self.fit_intercept).await?;
        let largest = data.cross.iter().fold(0.0, |most: f64, x| most.max(x.abs())) / (data.n * self.l1_ratio);
        // Where y is constant any penalty does.
        let largest = if largest > 0.0 { largest } else { f64::EPSILON };
        let last = n_alphas.saturating_sub(1).max(1) as f64;
        let alphas = (0..n_alphas).map(|i| largest * eps.powf(i as f64 / last)).collect();
        Ok(self.along(&data, alphas))
    }

    fn along(&self, data: &Centred, alphas: Vec<f64>) -> ElasticNetPath {
        let mut descent = Descent::new(data);
        let mut coefs = Array2::zeros((data.gram.nrows(), alphas.len()));
        let (mut intercepts, mut dual_gaps) = (Vec::new(), Vec::new());
        for (i, &alpha) in alphas.iter().enumerate() {
            let (n_iter, gap) = descent.run(self, alpha);
            coefs.column_mut(i).assign(&descent.w);
            intercepts.push(data.model(&descent.w, n_iter).intercept[[0, 0]]);
            dual_gaps.push(gap);
        }
        ElasticNetPath { alphas, coefs, intercepts, dual_gaps }
    }

    fn check(&self) -> Result<()> {
        if (0.0..=1.0).contains(&self.l1_ratio) {
            return Ok(());
        }
        Err(Error::plan(format!("elastic net: l1_ratio must be between 0 and 1, not {}", self.l1_ratio)))
    }
}

/// Coordinate descent on `½ wᵀG w − qᵀw + l1 ‖w‖₁ + ½ l2 ‖w‖²`.
struct Descent<'a> {
    data: &'a Centred,
    w: Array1<f64>,
    /// `G @ w`.
    product: Array1<f64>,
}

impl<'a> Descent<'a> {
    fn new(data: &'a Centred) -> Self {
        let zeros = Array1::zeros(data.gram.nrows());
        Self { data, w: zeros.clone(), product: zeros }
    }

    /// From where it is; the passes, and the gap per row.
    fn run(&mut self, model: &ElasticNet, alpha: f64) -> (usize, f64) {
        let n = self.data.n;
        let (l1, l2) = (alpha * model.l1_ratio * n, alpha * (1.0 - model.l1_ratio) * n);
        let mut gap = f64::INFINITY;
        for pass in 1..=model.max_iter {
            let (largest, moved) = self.pass(l1, l2);
            if largest == 0.0 || moved <= model.tol * largest || pass == model.max_iter {
                // What was added up in small steps is added up anew.
                self.product = self.data.gram.dot(&self.w);
                gap = self.gap(l1, l2);
                if gap <= model.tol * self.data.squares {
                    return (pass, gap / n);
                }
            }
        }
        (model.max_iter, gap / n)
    }

    /// One pass over the coefficients: the largest, and the largest change.
    fn pass(&mut self, l1: f64, l2: f64) -> (f64, f64) {
        let (mut largest, mut moved) = (0.0_f64, 0.0_f64);
        for j in 0..self.w.len() {
            if self.data.is_constant(j) {
                continue;
            }
            let (before, diagonal) = (self.w[j], self.data.gram[[j, j]]);
            let slope = self.data.cross[j] - self.product[j] + diagonal * before;
            let after = slope.signum() * (slope.abs() - l1).max(0.0) / (diagonal + l2);
            if after != before {
                self.product.scaled_add(after - before, &self.data.gram.column(j));
                self.w[j] = after;
            }
            largest = largest.max(after.abs());
            moved = moved.max((after - before).abs());
        }
        (largest, moved)
    }

    /// The duality gap at the point that the residuals, scaled to be feasible, give for the dual.
    fn gap(&self, l1: f64, l2: f64) -> f64 {
        let (w, q, squares) = (&self.w, &self.data.cross, self.data.squares);
        let (fitted, length) = (w.dot(q), w.dot(w));
        let residual = (squares + w.dot(&self.product) - 2.0 * fitted).max(0.0);
        let slopes = q - &self.product - &(w * l2);
        let steepest = slopes.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        let scale = if steepest > l1 { l1 / steepest } else { 1.0 };
        let absolute: f64 = w.iter().map(|w| w.abs()).sum();
        let primal = 0.5 * residual + l1 * absolute + 0.5 * l2 * length;
        let dual = scale * (squares - fitted) - 0.5 * scale * scale * (residual + l2 * length);
        (primal - dual).max(0.0)
    }
}
