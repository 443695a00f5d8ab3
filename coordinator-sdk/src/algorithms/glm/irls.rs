//! Iteratively reweighted least squares.

use ndarray::{Array2, s};

use super::{Family, Glm, Link, family, likelihood::Known, range::Range, stacked};
use crate::{
    Axis, Error, FedMatrix, Pending, Result,
    algorithms::common::{
        bordered::{Bordered, explained},
        design::{Design, Wanted},
        rows::{hinted, weighed, weighted_sum},
    },
};

/// What to do where a site does not release what an iteration needs.
const HINT: &str = "an iteration needs what a site does not release: a column varies in too few rows there, the \
                    response has too few values of a kind, or nearly all means are at the edge of their range (rows \
                    that are separated); use fewer columns, a penalty, or more rows";

/// Halvings of a step, at most.
const HALVINGS_MAX: usize = 30;

/// What a step may make worse without being halved, as a share.
const WORSE: f64 = 1e-7;

/// The rounding of a deviance, as a share.
const ROUNDING: f64 = 1e-13;

/// What a step promises when rounding is all that is left of the score, as a share.
const NOTHING: f64 = 1e-20;

/// Coefficients that still move by so many standard deviations of the linear predictor, when the deviance does not any
/// more, grow without bound.
const UNBOUNDED: f64 = 1e-2;

/// Binomial coefficients are not as large as this, in standard deviations of their columns, but for rows that are
/// separated: of half of the rows the odds would be e^70 at least.
const FAR: f64 = 1e2;

/// The rows beside X.
pub struct Rows {
    pub y: FedMatrix,
    pub weights: Option<FedMatrix>,
    pub offset: Option<FedMatrix>,
}

/// What was found.
pub struct Found {
    /// Coefficients and the intercept, `(d + 1, 1)`.
    pub theta: Array2<f64>,
    pub deviance: f64,
    /// What of the deviance the response has by itself: of binomial shares.
    pub saturated: f64,
    /// Pearson's statistic, where it is not the deviance.
    pub pearson: Option<f64>,
    /// The linear predictor, at the sites.
    pub eta: FedMatrix,
    pub known: Known,
    /// The inverse of the information, without the dispersion; coefficients, then the intercept.
    pub inverse: Array2<f64>,
    pub n_iter: usize,
}

/// Minimises the deviance.
pub async fn fit(model: &Glm, link: Link, x: &FedMatrix, rows: &Rows) -> Result<Found> {
    let range = Range::asked(model.family, &rows.y)?;
    let targets = match &rows.offset {
        Some(offset) => rows.y.hstack([offset])?,
        None => rows.y.clone(),
    };
    let (intercept, centred) = (model.fit_intercept, model.fit_intercept);
    let wanted = Wanted { intercept, centred, gram: true, penalised: model.l2 > 0.0, hint: HINT };
    let design = Design::of(x, &targets, rows.weights.as_ref(), wanted).await?;
    let binary = range.checked(HINT).await?;
    let known = Known { total: design.total, mean: design.target_sums[[0, 0]] / design.total, binary };
    Iteration { model, link, rows, design, known }.run().await
}

struct Iteration<'a> {
    model: &'a Glm,
    link: Link,
    rows: &'a Rows,
    design: Design,
    known: Known,
}

/// What is at one point.
struct Point {
    /// The deviance and the penalty.
    objective: f64,
    deviance: f64,
    pearson: Option<f64>,
    /// `[X, 1].T @ score`, `(d + 1, 1)`; less the penalty's part.
    score: Array2<f64>,
    information: Bordered,
    eta: FedMatrix,
}

impl Iteration<'_> {
    async fn run(self) -> Result<Found> {
        let saturated = match self.model.family {
            Family::Binomial if !self.known.binary => {
                let terms = family::saturated_terms(&self.rows.y)?;
                Some(weighted_sum(&terms, self.rows.weights.as_ref())?)
            }
            Family::Binomial | Family::Gaussian | Family::Poisson | Family::Gamma => None,
        };
        let (mut before, mut theta) = self.start()?;
        let mut last: Option<f64> = None;
        for n_iter in 1..=self.model.max_iter {
            let point = self.settled_on(&mut theta, &before, last).await?;
            let factored = point.information.penalised(1.0, self.model.l2).factor();
            let factored = factored.map_err(|error| explained(error, "fit"))?;
            let step = factored.solve(&point.score);
            let gain = (&step * &point.score).sum();
            let moved = last.map_or(f64::INFINITY, |last| (last - point.objective).abs());
            let size = point.objective.abs();
            let settled = moved <= self.model.tol + ROUNDING * size && gain.abs() <= self.model.tol;
            if settled || gain.abs() <= NOTHING * size {
                self.refuse_unbounded(&step, UNBOUNDED)?;
                let saturated = match saturated {
                    Some(pending) => 2.0 * pending.scalar().await.map_err(|error| hinted(error, HINT))?,
                    None => 0.0,
                };
                return Ok(Found {
                    theta: self.design.unshifted(&theta),
                    deviance: point.deviance + saturated,
                    saturated,
                    pearson: point.pearson,
                    eta: point.eta,
                    known: self.known,
                    inverse: self.design.unshifted_inverse(factored.inverse()),
                    n_iter,
                });
            }
            last = Some(point.objective);
            before.assign(&theta);
            theta += &step;
            if self.model.family == Family::Binomial && self.model.l2 == 0.0 {
                self.refuse_unbounded(&theta, FAR)?;
            }
        }
        Err(Error::Numeric(format!(
            "it did not converge: after {} iterations the deviance still changes by more than {:e}; allow more, or \
             scale the columns",
            self.model.max_iter, self.model.tol
        )))
    }

    /// The constant model, and the least squares of `g(μ) + (y - μ) g'(μ)` around it.
    fn start(&self) -> Result<(Array2<f64>, Array2<f64>)> {
        let Known { total, mean, .. } = self.known;
        let family = self.model.family;
        let (eta, slope, variance) = (self.link.of(mean), self.link.slope(mean), family.variance(mean));
        if !(eta.is_finite() && slope.is_finite() && slope != 0.0 && variance > 0.0) {
            return Err(Error::Numeric(format!(
                "the mean of all responses is {mean}, at or beyond the edge of what the {family:?} family with the \
                 link {:?} can have: there is nothing to fit",
                self.link
            )));
        }
        let (design, d) = (&self.design, self.design.cross.nrows());
        let constant = eta - mean / slope;
        let mut right = &design.sums.t() * constant + &design.cross.slice(s![.., ..1]) / slope;
        let mut last = total * constant + design.target_sums[[0, 0]] / slope;
        if self.rows.offset.is_some() {
            right -= &design.cross.slice(s![.., 1..2]);
            last -= design.target_sums[[0, 1]];
        }
        let weight = slope * slope / variance;
        let right = stacked(&right, last) * weight;
        let system = design.bordered().ok_or_else(|| Error::plan("fit: X.T @ X is missing"))?;
        let factored = system.penalised(weight, self.model.l2).factor().map_err(|error| explained(error, "fit"))?;
        let intercept = if design.intercept { eta } else { 0.0 };
        Ok((stacked(&Array2::zeros((d, 1)), intercept), factored.solve(&right)))
    }

    /// The point, moved towards the one before it until it is not worse.
    async fn settled_on(&self, theta: &mut Array2<f64>, before: &Array2<f64>, last: Option<f64>) -> Result<Point> {
        for _ in 0..=HALVINGS_MAX {
            let point = self.at(theta).await?;
            let worst = last.map_or(f64::INFINITY, |last| last + self.model.tol + WORSE * last.abs());
            if point.objective.is_finite() && point.objective <= worst {
                return Ok(point);
            }
            *theta = (&*theta + before) / 2.0;
        }
        let zeros = if self.model.family == Family::Gamma { " (a gamma response of 0 has none)" } else { "" };
        Err(Error::Numeric(format!(
            "it diverges: no step, however short, has a finite deviance that is not worse{zeros}; use another link, a \
             penalty, or scaled columns"
        )))
    }

    /// One round trip.
    async fn at(&self, theta: &Array2<f64>) -> Result<Point> {
        let (x, weights) = (&self.design.x, self.rows.weights.as_ref());
        let d = theta.nrows() - 1;
        let coef = theta.slice(s![..d, ..]).to_owned();
        let mut eta = x.matmul(&coef)?;
        if self.design.intercept {
            eta = eta.add(theta[[d, 0]])?;
        }
        if let Some(offset) = &self.rows.offset {
            eta = eta.add(offset)?;
        }
        let terms = self.model.family.terms(self.link, &self.rows.y, &eta)?;
        let deviance = weighted_sum(&terms.deviance, weights)?;
        let pearson = terms.pearson.as_ref().map(|terms| weighted_sum(terms, weights)).transpose()?;
        let score = weighed(&terms.score, weights)?;
        let products = match &terms.weight {
            None => Products { matrix: None, beside: x.cross(&score)?, sums: score.sum(Axis::Columns)? },
            Some(weight) => {
                let weight = weighed(weight, weights)?;
                let both = score.hstack([&weight])?;
                let matrix = Some(x.cross(x.multiply(&weight)?)?);
                Products { matrix, beside: x.cross(&both)?, sums: both.sum(Axis::Columns)? }
            }
        };
        let hint = |error| hinted(error, HINT);
        let deviance = deviance.scalar().await.map_err(hint)? * self.model.family.deviance_scale();
        let pearson = match pearson {
            Some(pearson) => Some(pearson.scalar().await.map_err(hint)?),
            None => None,
        };
        let (beside, sums) = (products.beside.await.map_err(hint)?, products.sums.await.map_err(hint)?);
        let score = stacked(&(&beside.slice(s![.., ..1]) - &coef * self.model.l2), sums[[0, 0]]);
        let information = match products.matrix {
            None => self.design.bordered().ok_or_else(|| Error::plan("fit: X.T @ X is missing"))?,
            Some(matrix) => {
                let edge = self.design.intercept.then(|| (beside.slice(s![.., 1..]).to_owned(), sums[[0, 1]]));
                Bordered { matrix: matrix.await.map_err(hint)?, edge }
            }
        };
        let objective = deviance + self.model.l2 * coef.iter().map(|w| w * w).sum::<f64>();
        Ok(Point { objective, deviance, pearson, score, information, eta })
    }

    /// # Errors
    /// `Numeric` if the deviance has an infimum that no coefficients reach.
    fn refuse_unbounded(&self, theta: &Array2<f64>, bound: f64) -> Result<()> {
        let spreads = self.design.spreads();
        let size = |moved: f64| if moved.is_nan() { f64::INFINITY } else { moved.abs() };
        let moves = theta.iter().zip(&spreads).map(|(theta, spread)| size(theta * spread));
        let (column, most) = moves.enumerate().fold((0, 0.0), |most, at| if at.1 > most.1 { at } else { most });
        if most <= bound {
            return Ok(());
        }
        Err(Error::Numeric(format!(
            "perfect separation: the coefficient of column {column} grows without bound while the deviance does not \
             change any more, because some rows are predicted without error; leave columns out, or give a penalty"
        )))
    }
}

/// What is asked of the sites.
struct Products {
    /// `X.T @ (w * X)`; none where it is what the design has.
    matrix: Option<Pending>,
    /// `X.T @ [score, w]`.
    beside: Pending,
    sums: Pending,
}
