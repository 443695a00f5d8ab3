//! Logistic regression, of two classes or more.

mod problem;

use ndarray::{Array2, s};

use super::{
    Estimator, Predictor, Sample,
    common::{
        bordered::explained,
        classes::{self, Classes},
        design::{Design, GRAM_COLUMNS_MAX, Wanted},
        lbfgs::Lbfgs,
    },
};
use crate::{Error, FedMatrix, Operand, Result, metrics};
use problem::{HINT, Point, Problem};

/// Multiplications of one Newton iteration, and its parameters, up to which it is the better choice.
const NEWTON_COST_MAX: f64 = 2e8;
const NEWTON_PARAMETERS_MAX: u64 = 500;

/// Part of the decrease promised by the slope that a step must bring (Armijo 1966).
const ARMIJO: f64 = 1e-4;

/// Halvings of a step, at most.
const HALVINGS_MAX: usize = 40;

/// How the iteration chooses its direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogisticSolver {
    /// Newton for few columns, classes and rows, L-BFGS for many; by their numbers alone.
    #[default]
    Auto,
    /// Newton's method: the Hessian by weighted products. The fewest round trips.
    Newton,
    /// L-BFGS (Nocedal 1980), two passes over X per iteration.
    Lbfgs,
}

/// Logistic regression of two classes, or of several by softmax (Cox 1958, "The Regression Analysis of Binary
/// Sequences"; Böhning 1992, "Multinomial Logistic Regression Algorithm"): minimises
/// `Σ -log p(class of the row) + ‖W‖² / (2 c)`, intercepts not penalised, as scikit-learn's `LogisticRegression`.
///
/// One round trip before the iteration and one in each. The first step is Newton's from 0, where the Hessian is a
/// multiple of `X.T @ X`, which the sites keep for others too; L-BFGS then takes it as its first approximation, so that
/// units and correlations of columns do not matter (Böhning & Lindsay 1988, "Monotonicity of Quadratic-Approximation
/// Algorithms"). Labels travel in one product, `X.T @ Y`. Losses are stable for any margin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogisticRegression {
    /// The inverse of the strength of the penalty; infinite for none.
    pub c: f64,
    /// Whether there is an intercept.
    pub fit_intercept: bool,
    /// How many classes federated labels in one column have; none: two. Known of arrays, and of one-hot columns.
    pub n_classes: Option<usize>,
    /// Ends when no derivative of the objective, over the number of rows, is larger.
    pub tol: f64,
    /// Iterations at most.
    pub max_iter: usize,
    /// How it iterates.
    pub solver: LogisticSolver,
}

impl Default for LogisticRegression {
    fn default() -> Self {
        Self { c: 1.0, fit_intercept: true, n_classes: None, tol: 1e-4, max_iter: 100, solver: LogisticSolver::Auto }
    }
}

/// A fitted [`LogisticRegression`].
#[derive(Clone, Debug, PartialEq)]
pub struct FittedLogistic {
    /// `(columns of X, classes)`; of two classes `(columns of X, 1)`, those of the second.
    pub coef: Array2<f64>,
    /// `(1, classes)`, or `(1, 1)`; zeros without an intercept.
    pub intercept: Array2<f64>,
    /// What stands for each class in predictions: 0, 1, ..; or -1 and 1, where labels were that.
    pub classes: Vec<f64>,
    /// The objective that was reached.
    pub objective: f64,
    /// Steps taken.
    pub n_iter: usize,
    /// Whether `tol` was reached, or as much of it as rounding lets.
    pub converged: bool,
}

impl LogisticRegression {
    /// Fits `(n, d), (n, 1)`: labels 0, 1, .. (or -1 and 1), or one-hot `(n, classes)`; federated in the same rows, or
    /// an array. NaN has to be replaced before.
    ///
    /// # Errors
    /// `Plan` if shapes, layouts or labels do not fit; `Numeric` for gaps, federated labels that are none, or, without
    /// a penalty, columns that are linearly dependent; a site's. Of `aggregate` data each class needs enough rows at
    /// each site.
    pub async fn fit(&self, x: &FedMatrix, y: impl Into<Operand>) -> Result<FittedLogistic> {
        self.fit_sample(&Sample::new(x, y)).await
    }

    fn checked(&self) -> Result<f64> {
        if self.c > 0.0 {
            return Ok(1.0 / self.c);
        }
        Err(Error::plan(format!("c must be greater than 0, not {}", self.c)))
    }

    fn is_newton(&self, x: &FedMatrix, columns: u64) -> bool {
        let d = x.ncols() + 1;
        let cost = x.nrows() as f64 * (d * d * columns * (columns + 1) / 2) as f64;
        match self.solver {
            LogisticSolver::Newton => true,
            LogisticSolver::Lbfgs => false,
            LogisticSolver::Auto => cost <= NEWTON_COST_MAX && columns * d <= NEWTON_PARAMETERS_MAX,
        }
    }

    /// Steps until the gradient is small: where to, what is there, how many, and whether that is enough.
    async fn minimise(&self, problem: &Problem, newton: bool) -> Result<(Array2<f64>, Point, usize, bool)> {
        let metric = problem.metric().map_err(|error| explained(error, "fit"))?;
        let mut method = Lbfgs::default();
        let (mut theta, mut point) = problem.start();
        for n_iter in 0..self.max_iter {
            let steepest = problem.steepest(&point.gradient);
            if steepest <= self.tol {
                return Ok((theta, point, n_iter, true));
            }
            // Where nearly all probabilities are 0 or 1 the Hessian may be nothing but rounding.
            let newton_step = point.hessian.as_ref().and_then(|hessian| problem.newton(hessian, &point.gradient).ok());
            let direction =
                newton_step.unwrap_or_else(|| method.direction(&point.gradient, |gradient| metric.solve(gradient)));
            let Some((step, next)) = self.searched(problem, &theta, &point, &direction, newton).await? else {
                return Ok((theta, point, n_iter, true));
            };
            let gained = point.objective - next.objective;
            let stuck = gained <= next.rounding && problem.steepest(&next.gradient) >= steepest / 2.0;
            method.learn(step.clone(), &next.gradient - &point.gradient);
            theta += &step;
            point = next;
            if stuck {
                return Ok((theta, point, n_iter + 1, true));
            }
        }
        let converged = problem.steepest(&point.gradient) <= self.tol;
        Ok((theta, point, self.max_iter, converged))
    }

    /// The step along a direction that brings enough, halved as often as it takes, and what is there; none if not even
    /// the shortest brings more than rounding takes.
    async fn searched(
        &self,
        problem: &Problem,
        theta: &Array2<f64>,
        point: &Point,
        direction: &Array2<f64>,
        newton: bool,
    ) -> Result<Option<(Array2<f64>, Point)>> {
        let slope = (&point.gradient * direction).sum();
        let mut length = 1.0;
        for _ in 0..HALVINGS_MAX {
            let step = direction * length;
            let next = problem.at(&(theta + &step), newton).await?;
            if next.objective <= point.objective + ARMIJO * length * slope + point.rounding {
                return Ok(Some((step, next)));
            }
            length /= 2.0;
        }
        Ok(None)
    }
}

impl Estimator for LogisticRegression {
    type Fitted = FittedLogistic;

    async fn fit_sample(&self, sample: &Sample) -> Result<FittedLogistic> {
        let strength = self.checked()?;
        let x = &sample.x;
        let mut classes = Classes::of(x, &sample.y, self.n_classes).await?;
        let weights = sample.weights_beside()?;
        let newton = self.is_newton(x, classes.member.ncols());
        let wanted = Wanted {
            intercept: self.fit_intercept,
            centred: self.fit_intercept,
            gram: newton || x.ncols() <= GRAM_COLUMNS_MAX,
            penalised: strength > 0.0,
            hint: HINT,
        };
        let design = Design::of(x, &classes.member, weights.as_ref(), wanted).await?;
        classes.verified().await?;
        let problem = Problem::new(design, strength);
        let (theta, point, n_iter, converged) = self.minimise(&problem, newton).await?;
        let theta = problem.design.unshifted(&theta);
        let d = theta.nrows() - 1;
        Ok(FittedLogistic {
            coef: theta.slice(s![..d, ..]).to_owned(),
            intercept: theta.slice(s![d.., ..]).to_owned(),
            classes: classes.values,
            objective: point.objective,
            n_iter,
            converged,
        })
    }
}

impl FittedLogistic {
    /// `X @ coef + intercept`, staying at the sites: `(n, d) → (n, classes)`, or `(n, 1)` of two.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn decision_function(&self, x: &FedMatrix) -> Result<FedMatrix> {
        x.matmul(&self.coef)?.add(&self.intercept)
    }

    /// The probability of each class, staying at the sites: `(n, d) → (n, classes)`.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn predict_proba(&self, x: &FedMatrix) -> Result<FedMatrix> {
        let scores = self.decision_function(x)?;
        if scores.ncols() > 1 {
            return scores.softmax();
        }
        scores.negative()?.sigmoid()?.hstack([scores.sigmoid()?])
    }

    /// The label of the likeliest class, staying at the sites: `(n, d) → (n, 1)`.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn predict(&self, x: &FedMatrix) -> Result<FedMatrix> {
        classes::predicted(&self.decision_function(x)?, &self.classes)
    }

    /// The share of rows with the right label; y as in `fit`.
    ///
    /// # Errors
    /// `Plan` if shapes or layouts do not fit; a site's.
    pub async fn score(&self, x: &FedMatrix, y: impl Into<Operand>) -> Result<f64> {
        self.score_sample(&Sample::new(x, y)).await
    }
}

impl Predictor for FittedLogistic {
    fn predict(&self, x: &FedMatrix) -> Result<FedMatrix> {
        Self::predict(self, x)
    }

    async fn score_sample(&self, sample: &Sample) -> Result<f64> {
        let predicted = Self::predict(self, &sample.x)?;
        metrics::accuracy_score(&sample.y, &predicted, sample.weights.as_ref()).await
    }
}
