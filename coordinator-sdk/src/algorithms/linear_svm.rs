//! Linear support vector machines.

use ndarray::{Array2, Axis as NdAxis, Zip, concatenate, s};

use super::{
    Estimator, Predictor, Sample,
    common::{
        bordered::explained,
        classes::{self, Classes},
        design::{Design, GRAM_COLUMNS_MAX, Wanted},
        metric::Metric,
        rows::{hinted, weighed},
    },
};
use crate::{Axis, Error, FedMatrix, Operand, Pending, Result, metrics};

/// What to do where a site does not release what an iteration needs.
const HINT: &str = "an iteration needs what a site does not release: a class or a column has too few rows there, or \
                    nearly all rows there are beyond the margin, or nearly none; use a smaller c, fewer columns, or more \
                    rows";

/// A line search ends when the slope is this share of what it began with.
const EXACT: f64 = 1e-3;

/// A step is likely to be the last if the slope before it was this share.
const NEAR: f64 = 5e-2;

/// Steps of a line search, at most.
const STEPS_MAX: usize = 20;

/// Linear support vector machine with the squared hinge loss, as scikit-learn's `LinearSVC`: for each class (of two, for
/// the second) minimises `(‖w‖² + b²) / 2 + c Σ max(0, 1 - y (x w + b))²`, where y is 1 for rows of the class and -1 for
/// others. The intercept is penalised like a coefficient, as in LIBLINEAR.
///
/// Nonlinear conjugate gradients (Polak & Ribière 1969; Keerthi & DeCoste 2005, "A Modified Finite Newton Method for Fast
/// Solution of Large Scale Linear SVMs") with an exact line search, as SystemDS' `l2svm`: margins stay at the sites, and
/// a step along the line needs two numbers per class. An iteration is two passes over X and three round trips as a rule;
/// all classes go together. The first approximation of the Hessian is `X.T @ X`, that at 0, which the sites keep for
/// others too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearSvm {
    /// The weight of the losses.
    pub c: f64,
    /// Whether there is an intercept.
    pub fit_intercept: bool,
    /// How many classes federated labels in one column have; none: two. Known of arrays, and of one-hot columns.
    pub n_classes: Option<usize>,
    /// Ends when an iteration promises to lower the objective by no more than this share.
    pub tol: f64,
    /// Iterations at most.
    pub max_iter: usize,
}

impl Default for LinearSvm {
    fn default() -> Self {
        Self { c: 1.0, fit_intercept: true, n_classes: None, tol: 1e-4, max_iter: 1000 }
    }
}

/// A fitted [`LinearSvm`].
#[derive(Clone, Debug, PartialEq)]
pub struct FittedSvm {
    /// `(columns of X, classes)`; of two classes `(columns of X, 1)`.
    pub coef: Array2<f64>,
    /// `(1, classes)`, or `(1, 1)`; zeros without an intercept.
    pub intercept: Array2<f64>,
    /// What stands for each class in predictions: 0, 1, ..; or -1 and 1, where labels were that.
    pub classes: Vec<f64>,
    /// Iterations run.
    pub n_iter: usize,
    /// Whether `tol` was reached, or as much of it as rounding lets.
    pub converged: bool,
}

impl LinearSvm {
    /// Fits `(n, d), (n, 1)`: labels -1 and 1, or 0, 1, .., or one-hot `(n, classes)`; federated in the same rows, or an
    /// array. NaN has to be replaced before.
    ///
    /// # Errors
    /// `Plan` if shapes, layouts or labels do not fit; `Numeric` for gaps, or federated labels that are none; a site's.
    /// Of `aggregate` data each class needs enough rows at each site, and enough of them near the margin.
    pub async fn fit(&self, x: &FedMatrix, y: impl Into<Operand>) -> Result<FittedSvm> {
        self.fit_sample(&Sample::new(x, y)).await
    }
}

impl Estimator for LinearSvm {
    type Fitted = FittedSvm;

    async fn fit_sample(&self, sample: &Sample) -> Result<FittedSvm> {
        if !(self.c > 0.0 && self.c.is_finite()) {
            return Err(Error::plan(format!("c must be greater than 0, and finite, not {}", self.c)));
        }
        let x = &sample.x;
        let mut classes = Classes::of(x, &sample.y, self.n_classes).await?;
        let weights = sample.weights_beside()?;
        // As the intercept is penalised, columns cannot be centred.
        let gram = x.ncols() <= GRAM_COLUMNS_MAX;
        let wanted = Wanted { intercept: self.fit_intercept, gram, penalised: true, centred: false, hint: HINT };
        let design = Design::of(x, &classes.member, weights.as_ref(), wanted).await?;
        classes.verified().await?;
        let signs = classes.member.multiply(2.0)?.subtract(1.0)?;
        // The objective over 2 c: half the squares of the losses, and half of this times those of the coefficients.
        let penalty = 0.5 / self.c;
        let metric = Metric::of(&design, 1.0, penalty, penalty).map_err(|error| explained(error, "fit"))?;
        let (theta, n_iter, converged) = Descent { model: self, design, metric, penalty }.run(signs).await?;
        let d = theta.nrows() - 1;
        Ok(FittedSvm {
            coef: theta.slice(s![..d, ..]).to_owned(),
            intercept: theta.slice(s![d.., ..]).to_owned(),
            classes: classes.values,
            n_iter,
            converged,
        })
    }
}

struct Descent<'a> {
    model: &'a LinearSvm,
    design: Design,
    metric: Metric,
    penalty: f64,
}

/// What the sites have, one column per class that still moves.
struct Sites {
    /// 1 for rows of the class, -1 for others.
    signs: FedMatrix,
    /// `y (x w + b)`; none where all are 0.
    margins: Option<FedMatrix>,
    /// Twice the losses, `2 max(0, 1 - margin)`, and what they are of.
    losses: Option<Losses>,
}

#[derive(Clone)]
struct Losses {
    twice: FedMatrix,
    short: FedMatrix,
}

/// What the coordinator has, one column per class that still moves.
#[derive(Clone)]
struct Point {
    /// Coefficients and, in the last row, intercepts, `(d + 1, k)`.
    theta: Array2<f64>,
    gradient: Array2<f64>,
    /// `M⁻¹ @ gradient`.
    scaled: Array2<f64>,
    /// `(1, k)`.
    objective: Array2<f64>,
}

/// Column sums of products, `(1, k)`.
fn columns_of(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    (a * b).sum_axis(NdAxis(0)).insert_axis(NdAxis(0))
}

impl Descent<'_> {
    /// Coefficients of all classes, iterations, and whether they are good enough.
    async fn run(&self, signs: FedMatrix) -> Result<(Array2<f64>, usize, bool)> {
        let mut done = Array2::zeros((self.design.cross.nrows() + 1, self.design.cross.ncols()));
        let mut moving: Vec<usize> = (0..done.ncols()).collect();
        let mut point = self.start();
        let mut direction = -&point.scaled;
        let mut sites = Sites { signs, margins: None, losses: None };
        let mut settled = vec![false; done.ncols()];
        for n_iter in 0..self.model.max_iter {
            let promised = columns_of(&point.gradient, &point.scaled);
            let still = |column: &usize| {
                !settled[*column] && promised[[0, *column]] > self.model.tol * point.objective[[0, *column]]
            };
            let kept: Vec<usize> = (0..moving.len()).filter(still).collect();
            if kept.len() < moving.len() {
                for (column, class) in moving.iter().enumerate() {
                    done.column_mut(*class).assign(&point.theta.column(column));
                }
                if kept.is_empty() {
                    return Ok((done, n_iter, true));
                }
                moving = kept.iter().map(|column| moving[*column]).collect();
                point = point.select(&kept);
                direction = direction.select(NdAxis(1), &kept);
                sites = sites.select(&kept)?;
            }
            let next = self.searched(&mut sites, &point, &direction).await?;
            settled = point.settled(&next);
            // Polak and Ribière's, begun again where it would turn back.
            let ahead = columns_of(&next.scaled, &(&next.gradient - &point.gradient));
            let beta = (ahead / columns_of(&point.gradient, &point.scaled)).mapv(|beta| beta.max(0.0));
            direction = &direction * &beta - &next.scaled;
            let uphill = columns_of(&direction, &next.gradient).mapv(|slope| slope >= 0.0);
            for (column, _) in uphill.iter().enumerate().filter(|(_, uphill)| **uphill) {
                direction.column_mut(column).assign(&-&next.scaled.column(column));
            }
            point = next;
        }
        for (column, class) in moving.iter().enumerate() {
            done.column_mut(*class).assign(&point.theta.column(column));
        }
        Ok((done, self.model.max_iter, false))
    }

    /// At 0, where all losses are 1, nothing has to be asked.
    fn start(&self) -> Point {
        let (d, k) = self.design.cross.dim();
        let theta = Array2::zeros((d + 1, k));
        let mut gradient = Array2::zeros((d + 1, k));
        gradient.slice_mut(s![..d, ..]).assign(&(&self.design.sums.t() - &(&self.design.cross * 2.0)));
        gradient.slice_mut(s![d.., ..]).assign(&(self.design.total - &self.design.target_sums * 2.0));
        let objective = Array2::from_elem((1, k), self.design.total / 2.0);
        self.point(theta, gradient, objective)
    }

    fn point(&self, theta: Array2<f64>, mut gradient: Array2<f64>, objective: Array2<f64>) -> Point {
        if !self.design.intercept {
            gradient.slice_mut(s![-1.., ..]).fill(0.0);
        }
        let scaled = self.metric.solve(&gradient);
        Point { theta, gradient, scaled, objective }
    }

    /// The least point along a direction, by Newton's method for the derivative, which has a kink where a row passes the
    /// margin. One round trip for the first step, one for each further one, and one more if the last was not foreseen.
    async fn searched(&self, sites: &mut Sites, point: &Point, direction: &Array2<f64>) -> Result<Point> {
        let d = direction.nrows() - 1;
        let weights = self.design.weights.as_ref();
        let mut along = self.design.x.matmul(direction.slice(s![..d, ..]))?;
        if self.design.intercept {
            along = along.add(direction.slice(s![d.., ..]))?;
        }
        let line = Line {
            weighed: weighed(&along, weights)?.multiply(&sites.signs)?,
            moved: along.multiply(&sites.signs)?,
            from: columns_of(&point.theta, direction) * self.penalty,
            curvature: columns_of(direction, direction) * self.penalty,
        };
        let begun = columns_of(&point.gradient, direction);
        let bent = match &sites.losses {
            // All rows are within the margin, and signs are squared away.
            None => products(&weighed(&along, weights)?, &along)?,
            Some(losses) => line.bend(losses)?,
        };
        let bent = bent.await.map_err(|error| hinted(error, HINT))? + &line.curvature;
        let mut length = -&begun / bent;
        let (mut low, mut high) = (Array2::zeros(length.raw_dim()), Array2::from_elem(length.raw_dim(), f64::INFINITY));
        let mut near = false;
        for step in 0..STEPS_MAX {
            let margins = line.margins(sites, &length)?;
            let losses = Losses::of(&margins)?;
            let (slope, bend) = (products(&losses.twice, &line.weighed)?, line.bend(&losses)?);
            // What needs a pass over X is asked for with the step that is likely to be the last.
            let early = if near { Some(self.asked(&sites.signs, &losses)?) } else { None };
            let hint = |error| hinted(error, HINT);
            let slope = slope.await.map_err(hint)? * -0.5 + &line.from + &length * &line.curvature;
            let bend = bend.await.map_err(hint)? + &line.curvature;
            let within = |share: f64| slope.iter().zip(&begun).all(|(slope, begun)| slope.abs() <= share * begun.abs());
            near = within(NEAR);
            if within(EXACT) || step + 1 == STEPS_MAX {
                let gradient = match early {
                    Some(gradient) => gradient,
                    None => self.asked(&sites.signs, &losses)?,
                };
                let next = gradient.get(self, &point.theta + &(direction * &length)).await.map_err(hint)?;
                sites.margins = Some(margins);
                sites.losses = Some(losses);
                return Ok(next);
            }
            Zip::from(&slope).and(&length).and(&mut low).and(&mut high).for_each(|slope, length, low, high| {
                *(if *slope < 0.0 { low } else { high }) = *length;
            });
            length = length - slope / bend;
            // A kink may throw it beyond what is known to be too far.
            Zip::from(&mut length).and(&low).and(&high).for_each(|length, low, high| {
                if *length < *low || *length > *high {
                    *length = if high.is_finite() { low + (high - low) / 2.0 } else { 2.0 * low };
                }
            });
        }
        Err(Error::Numeric("the line search did not end: the data hold NaN or infinities".to_owned()))
    }

    /// What the gradient and the objective need, at points with these losses.
    fn asked(&self, signs: &FedMatrix, losses: &Losses) -> Result<Asked> {
        let weighed_losses = weighed(&losses.twice, self.design.weights.as_ref())?;
        let pulls = weighed_losses.multiply(signs)?;
        Ok(Asked {
            pulls: self.design.x.cross(&pulls)?,
            sums: pulls.sum(Axis::Columns)?,
            squares: products(&weighed_losses, &losses.twice)?,
        })
    }
}

/// A gradient on its way.
struct Asked {
    pulls: Pending,
    sums: Pending,
    squares: Pending,
}

impl Asked {
    async fn get(self, descent: &Descent<'_>, theta: Array2<f64>) -> Result<Point> {
        let (pulls, sums, squares) = (self.pulls.await?, self.sums.await?, self.squares.await?);
        let pulls = concatenate(NdAxis(0), &[pulls.view(), sums.view()]);
        let pulls = pulls.map_err(|error| Error::Numeric(error.to_string()))?;
        let gradient = &theta * descent.penalty - pulls / 2.0;
        let objective = squares / 8.0 + columns_of(&theta, &theta) * (descent.penalty / 2.0);
        Ok(descent.point(theta, gradient, objective))
    }
}

/// A line from a point along a direction.
struct Line {
    /// By how much margins grow with the length, `(n, k)`; and that times weights.
    moved: FedMatrix,
    weighed: FedMatrix,
    /// What the penalty adds to the derivative, at its begin and per length, `(1, k)`.
    from: Array2<f64>,
    curvature: Array2<f64>,
}

impl Line {
    fn margins(&self, sites: &Sites, length: &Array2<f64>) -> Result<FedMatrix> {
        match &sites.margins {
            None => self.moved.multiply(length),
            Some(margins) if length.len() == 1 => margins.plus_multiply(length[[0, 0]], &self.moved),
            Some(margins) => margins.add(self.moved.multiply(length)?),
        }
    }

    /// The sum of squares of what moves within the margin, `(1, k)`: loss over shortfall is 1 there and 0 beyond. Not as
    /// a mask, which is one constant where all rows are on one side.
    fn bend(&self, losses: &Losses) -> Result<Pending> {
        let denominator = losses.short.multiply(2.0)?.add(f64::MIN_POSITIVE)?;
        products(&losses.twice.multiply(&self.moved)?.divide(denominator)?, &self.weighed)
    }
}

impl Losses {
    fn of(margins: &FedMatrix) -> Result<Self> {
        let short = margins.negative()?.add(1.0)?;
        Ok(Self { twice: short.abs()?.add(&short)?, short })
    }
}

/// `(A * B).sum(axis=0)`.
fn products(a: &FedMatrix, b: &FedMatrix) -> Result<Pending> {
    if a.ncols() == 1 { a.cross(b) } else { a.multiply(b)?.sum(Axis::Columns) }
}

impl Sites {
    fn select(&self, columns: &[usize]) -> Result<Self> {
        let of = |matrix: &FedMatrix| matrix.columns(columns.iter().map(|column| *column as u64));
        let losses =
            |losses: &Losses| -> Result<Losses> { Ok(Losses { twice: of(&losses.twice)?, short: of(&losses.short)? }) };
        Ok(Self {
            signs: of(&self.signs)?,
            margins: self.margins.as_ref().map(of).transpose()?,
            losses: self.losses.as_ref().map(losses).transpose()?,
        })
    }
}

impl Point {
    fn select(&self, columns: &[usize]) -> Self {
        let of = |array: &Array2<f64>| array.select(NdAxis(1), columns);
        Self {
            theta: of(&self.theta),
            gradient: of(&self.gradient),
            scaled: of(&self.scaled),
            objective: of(&self.objective),
        }
    }

    /// The classes in which a step brought no more than rounding takes.
    fn settled(&self, next: &Self) -> Vec<bool> {
        let (before, after) = (columns_of(&self.gradient, &self.scaled), columns_of(&next.gradient, &next.scaled));
        let stuck = |column: usize| {
            let (from, to) = (self.objective[[0, column]], next.objective[[0, column]]);
            from - to <= 4.0 * f64::EPSILON * from && after[[0, column]] >= before[[0, column]] / 4.0
        };
        (0..self.objective.ncols()).map(stuck).collect()
    }
}

impl FittedSvm {
    /// `X @ coef + intercept`, staying at the sites: `(n, d) → (n, classes)`, or `(n, 1)` of two.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn decision_function(&self, x: &FedMatrix) -> Result<FedMatrix> {
        x.matmul(&self.coef)?.add(&self.intercept)
    }

    /// The label with the largest score, staying at the sites: `(n, d) → (n, 1)`.
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

impl Predictor for FittedSvm {
    fn predict(&self, x: &FedMatrix) -> Result<FedMatrix> {
        Self::predict(self, x)
    }

    async fn score_sample(&self, sample: &Sample) -> Result<f64> {
        let predicted = Self::predict(self, &sample.x)?;
        metrics::accuracy_score(&sample.y, &predicted, sample.weights.as_ref()).await
    }
}
