//! The objective of a logistic regression, its gradient, and its Hessian.

use ndarray::{Array2, concatenate, s};

use super::super::common::{
    bordered::Bordered,
    design::Design,
    metric::Metric,
    rows::{hinted, weighed, weighted_sum},
};
use crate::{Axis, Error, FedMatrix, Pending, Result, solve::solve_positive};

/// What to do where a site does not release what an iteration needs.
pub const HINT: &str = "an iteration needs what a site does not release: a class or a column has too few rows there, or \
                        nearly all fitted probabilities are 0 or 1; use a stronger penalty, fewer columns, or more rows";

/// Of parameters theta, `(d + 1, k)`: coefficients and, in the last row, intercepts; of two classes one column.
pub struct Problem {
    pub design: Design,
    /// Of the penalty: 1 / c.
    strength: f64,
    /// What the objective has of theta that needs no row: its derivative, `(d + 1, k)`.
    linear: Array2<f64>,
    /// `[X, 1].T @ Y`, `(d + 1, k)`.
    observed: Array2<f64>,
}

/// What is known of one theta.
pub struct Point {
    pub objective: f64,
    /// More than rounding can change the objective.
    pub rounding: f64,
    /// `(d + 1, k)`.
    pub gradient: Array2<f64>,
    pub hessian: Option<Hessian>,
}

/// Second derivatives, without the penalty.
pub enum Hessian {
    /// Of one column.
    One(Bordered),
    /// Of several, class after class, `(k p, k p)` of p parameters each.
    Several(Array2<f64>),
}

impl Problem {
    pub fn new(design: Design, strength: f64) -> Self {
        let (d, k) = design.cross.dim();
        let below = |top: &Array2<f64>, bottom: &Array2<f64>| {
            // As many columns, by construction.
            concatenate(ndarray::Axis(0), &[top.view(), bottom.view()]).unwrap_or_else(|_| Array2::zeros((d + 1, k)))
        };
        let observed = below(&design.cross, &design.target_sums);
        let all = below(&design.sums.t().to_owned(), &Array2::from_elem((1, 1), design.total));
        let mut linear = -&observed;
        // log(1 + exp(e)) is log(2 cosh(e / 2)) + e / 2; log Σ exp(e_j) is e_0 less the log softmax of the first.
        linear.column_mut(0).scaled_add(if k == 1 { 0.5 } else { 1.0 }, &all.column(0));
        Self { design, strength, linear, observed }
    }

    fn parameters(&self) -> (usize, usize) {
        self.observed.dim()
    }

    /// Zeros, and what is there.
    pub fn start(&self) -> (Array2<f64>, Point) {
        let (rows, k) = self.parameters();
        let share = if k == 1 { 0.5 } else { 1.0 / k as f64 };
        let sums = self.design.sums.t();
        let mut gradient = -&self.observed;
        for mut column in gradient.columns_mut() {
            column.slice_mut(s![..rows - 1]).scaled_add(share, &sums.column(0));
            column[rows - 1] += share * self.design.total;
        }
        let objective = self.design.total * (k.max(2) as f64).ln();
        let theta = Array2::zeros((rows, k));
        let rounding = 4.0 * f64::EPSILON * objective;
        (theta, Point { objective, rounding, gradient: self.freed(gradient), hessian: None })
    }

    /// Without an intercept nothing moves it.
    fn freed(&self, mut gradient: Array2<f64>) -> Array2<f64> {
        if !self.design.intercept {
            gradient.slice_mut(s![-1.., ..]).fill(0.0);
        }
        gradient
    }

    /// The largest derivative, over the number of rows.
    pub fn steepest(&self, gradient: &Array2<f64>) -> f64 {
        gradient.iter().fold(0.0, |most: f64, x| most.max(x.abs())) / self.design.total
    }

    /// The Hessian at 0, where all classes are as likely, the same for each of them.
    pub fn metric(&self) -> Result<Metric> {
        let k = self.parameters().1;
        Metric::of(&self.design, if k == 1 { 0.25 } else { 1.0 / k as f64 }, self.strength, 0.0)
    }

    /// One round trip.
    pub async fn at(&self, theta: &Array2<f64>, curved: bool) -> Result<Point> {
        let (rows, k) = self.parameters();
        let (coef, intercept) =
            (theta.slice(s![..rows - 1, ..]).to_owned(), theta.slice(s![rows - 1.., ..]).to_owned());
        let scores = self.design.x.matmul(&coef)?;
        let scores = if self.design.intercept { scores.add(&intercept)? } else { scores };
        let weights = self.design.weights.as_ref();
        let (probabilities, loss) = if k == 1 { two(&scores, weights)? } else { several(&scores, weights)? };
        let shares = weighed(&probabilities, weights)?;
        let curvature = match (curved, k) {
            (false, _) => None,
            (true, 1) => Some(Curvature::planned(&self.design.x, &[shares.multiply(scores.negative()?.sigmoid()?)?])?),
            (true, _) => Some(Curvature::planned(&self.design.x, &pairs(&shares, &probabilities)?)?),
        };
        let (slopes, sums) = (self.design.x.cross(&shares)?, shares.sum(Axis::Columns)?);
        let hint = |error| hinted(error, HINT);
        let (loss, slopes, sums) =
            (loss.scalar().await.map_err(hint)?, slopes.await.map_err(hint)?, sums.await.map_err(hint)?);
        let mut gradient = -&self.observed;
        let mut upper = gradient.slice_mut(s![..rows - 1, ..]);
        upper += &slopes;
        upper.scaled_add(self.strength, &coef);
        let mut lower = gradient.slice_mut(s![rows - 1.., ..]);
        lower += &sums;
        let terms = &self.linear * theta;
        let penalty = 0.5 * self.strength * coef.iter().map(|w| w * w).sum::<f64>();
        let objective = loss + terms.sum() + penalty;
        let size = loss.abs() + terms.iter().map(|x| x.abs()).sum::<f64>() + penalty;
        let hessian = match curvature {
            Some(curvature) => Some(curvature.hessian(self.design.intercept, k).await.map_err(hint)?),
            None => None,
        };
        Ok(Point { objective, rounding: 4.0 * f64::EPSILON * size, gradient: self.freed(gradient), hessian })
    }

    /// Newton's direction.
    pub fn newton(&self, hessian: &Hessian, gradient: &Array2<f64>) -> Result<Array2<f64>> {
        let (rows, k) = self.parameters();
        match hessian {
            Hessian::One(bordered) => Ok(-bordered.penalised(1.0, self.strength).factor()?.solve(gradient)),
            Hessian::Several(matrix) => {
                let p = rows - usize::from(!self.design.intercept);
                let mut matrix = matrix.clone();
                for parameter in 0..p {
                    let penalised = parameter + 1 < rows && self.strength > 0.0;
                    let place = |class: usize| class * p + parameter;
                    if penalised {
                        (0..k).for_each(|class| matrix[[place(class), place(class)]] += self.strength);
                        continue;
                    }
                    // The same for all classes changes nothing: of all solutions, that whose sum over classes is 0.
                    let pin = (0..k).map(|class| matrix[[place(class), place(class)]]).sum::<f64>() / (k * k) as f64;
                    for (i, j) in (0..k).flat_map(|i| (0..k).map(move |j| (i, j))) {
                        matrix[[place(i), place(j)]] += pin;
                    }
                }
                let right = Array2::from_shape_fn((k * p, 1), |(at, _)| -gradient[[at % p, at / p]]);
                let solution = solve_positive(&matrix, &right)?;
                Ok(Array2::from_shape_fn(
                    (rows, k),
                    |(row, class)| {
                        if row < p { solution[[class * p + row, 0]] } else { 0.0 }
                    },
                ))
            }
        }
    }
}

/// Of two classes: the probability of the second, and the losses but for what is linear.
fn two(scores: &FedMatrix, weights: Option<&FedMatrix>) -> Result<(FedMatrix, Pending)> {
    let size = scores.abs()?;
    let loss = size.negative()?.exp()?.log1p()?.plus_multiply(0.5, &size)?;
    Ok((scores.sigmoid()?, weighted_sum(&loss, weights)?))
}

/// Of several classes: their probabilities, and the losses but for what is linear.
fn several(scores: &FedMatrix, weights: Option<&FedMatrix>) -> Result<(FedMatrix, Pending)> {
    let log = scores.log_softmax()?;
    let loss = log.slice(.., ..1)?.negative()?;
    Ok((log.exp()?, weighted_sum(&loss, weights)?))
}

/// `w p_i (δ_ij - p_j)` for all i ≤ j.
fn pairs(shares: &FedMatrix, probabilities: &FedMatrix) -> Result<Vec<FedMatrix>> {
    let k = shares.ncols();
    let mut pairs = Vec::new();
    for i in 0..k {
        let share = shares.slice(.., i..i + 1)?;
        for j in i..k {
            let product = share.multiply(probabilities.slice(.., j..j + 1)?)?;
            pairs.push(if i == j { share.subtract(product)? } else { product.negative()? });
        }
    }
    Ok(pairs)
}

/// The products of the Hessian, asked for.
struct Curvature {
    /// `X.T @ (v * X)` of each weight.
    matrices: Vec<Pending>,
    /// `X.T @ [v, ..]`, and their sums.
    borders: Pending,
    corners: Pending,
}

impl Curvature {
    fn planned(x: &FedMatrix, of: &[FedMatrix]) -> Result<Self> {
        let matrices = of.iter().map(|v| x.cross(x.multiply(v)?)).collect::<Result<_>>()?;
        let together = match of {
            [first] => first.clone(),
            [first, rest @ ..] => first.hstack(rest)?,
            [] => return Err(Error::plan("a Hessian of no classes")),
        };
        Ok(Self { matrices, borders: x.cross(&together)?, corners: together.sum(Axis::Columns)? })
    }

    async fn hessian(self, intercept: bool, k: usize) -> Result<Hessian> {
        let (borders, corners) = (self.borders.await?, self.corners.await?);
        let mut blocks = Vec::with_capacity(self.matrices.len());
        for (at, matrix) in self.matrices.into_iter().enumerate() {
            let edge = intercept.then(|| (borders.slice(s![.., at..=at]).to_owned(), corners[[0, at]]));
            blocks.push(Bordered { matrix: matrix.await?, edge });
        }
        if k == 1 && blocks.len() == 1 {
            return Ok(Hessian::One(blocks.remove(0)));
        }
        let p = borders.nrows() + usize::from(intercept);
        let mut whole = Array2::zeros((k * p, k * p));
        let places = (0..k).flat_map(|i| (i..k).map(move |j| (i, j)));
        for ((i, j), block) in places.zip(&blocks) {
            let block = block.whole();
            whole.slice_mut(s![i * p..(i + 1) * p, j * p..(j + 1) * p]).assign(&block);
            whole.slice_mut(s![j * p..(j + 1) * p, i * p..(i + 1) * p]).assign(&block.t());
        }
        Ok(Hessian::Several(whole))
    }
}
