//! Non-negative matrix factorisation.

use fondaco_proto::op::Distribution;
use ndarray::{Array2, Axis as NdAxis};

use super::{
    draws::Draws,
    sites::{beside, check_finite, hinted, if_released},
};
use crate::{Axis, Error, FedMatrix, Operand, Pending, Result};

/// Added to what is divided by, or has a logarithm taken: nothing beside any number that is not 0.
const LEAST: f64 = 1e-80;

/// Iterations from one look at the error to the next, as in scikit-learn.
const LOOK: usize = 10;

const HINT: &str = "nmf: a column has too few rows at a site that are not 0: leave it out, or use more rows";

/// Poisson non-negative matrix factorisation, `X ≈ W @ H`: minimises the Kullback-Leibler divergence
/// `Σ X ln(X / WH) − X + WH` by multiplicative updates (Lee & Seung 2001, "Algorithms for non-negative matrix
/// factorization"; Liu et al. 2010, "Distributed nonnegative matrix factorization for web-scale dyadic data analysis on
/// MapReduce", SystemDS's `pnmf`; scikit-learn's `NMF(solver="mu", beta_loss="kullback-leibler")`, whose parameters and
/// defaults these are). The factors of rows, W, stay at the sites, those of columns, H, are the coordinator's: one round
/// trip per iteration.
///
/// That no cell is negative cannot be asked of `aggregate` data; where one is, the error is that of data with gaps, or
/// the result has no meaning.
#[derive(Clone, Debug)]
pub struct Nmf {
    /// The number of factors.
    pub n_components: usize,
    /// Where to start: W, `(n, r)`, and H, `(r, m)`; none given: random numbers of the size of the mean.
    pub init: Option<(Operand, Array2<f64>)>,
    /// Seed of these.
    pub seed: u64,
    /// Iterations at most.
    pub max_iter: usize,
    /// Ends when ten iterations lower the error by less than this share of that at the start, or, where the error is not
    /// known, the divergence by less than this share of all that it was lowered; 0: never.
    pub tol: f64,
}

/// The result of [`Nmf`].
#[derive(Clone, Debug)]
pub struct FittedNmf {
    /// The factors of rows, `(n, r)`, at the sites.
    pub w: FedMatrix,
    /// The factors of columns, `(r, m)`.
    pub components: Array2<f64>,
    /// The square root of twice the divergence, as scikit-learn's `reconstruction_err_`; none where a site does not
    /// release `Σ X ln X`, as of counts of which few rows have the same. What is minimised does not need it.
    pub reconstruction_err: Option<f64>,
    /// Iterations run.
    pub n_iter: usize,
    model: Nmf,
}

/// The rows, and what is known of them from the start.
struct Data {
    x: FedMatrix,
    /// `Σ X ln X − X`, if it is released.
    constant: Option<f64>,
}

/// Where the factors are.
#[derive(Clone)]
struct Factors {
    w: FedMatrix,
    h: Array2<f64>,
}

impl Nmf {
    /// So many factors, from random ones, at most 200 iterations.
    pub fn new(n_components: usize) -> Self {
        Self { n_components, init: None, seed: 0, max_iter: 200, tol: 1e-4 }
    }

    /// The same, from these factors; W, `(n, r)`, is federated in the rows of X, or an array.
    #[must_use]
    pub fn with_factors(mut self, w: impl Into<Operand>, h: Array2<f64>) -> Self {
        self.init = Some((w.into(), h));
        self
    }

    /// Factorises a row cut of numbers that are not negative, `(n, m)`. NaN has to be replaced before.
    ///
    /// # Errors
    /// `Plan` if shapes or layouts do not fit; `Numeric` for NaN or negative cells; a site's. A refused release says what
    /// may help.
    pub async fn fit(&self, x: &FedMatrix) -> Result<FittedNmf> {
        let (r, m) = (self.n_components, x.ncols() as usize);
        if r == 0 || x.nrows() == 0 || m == 0 {
            return Err(Error::plan(format!("nmf: {r} factors of a matrix of {} are not possible", x.shape())));
        }
        if let Some((_, h)) = self.init.as_ref().filter(|(_, h)| h.dim() != (r, m)) {
            return Err(Error::plan(format!("nmf: the first H is {:?}, but must be {:?}", h.dim(), (r, m))));
        }
        let (data, mean) = Data::of(x).await?;
        let factors = match &self.init {
            Some((w, h)) => {
                let zeros = x.fill_like(&beside(x, r as u64)?, 0.0)?;
                Factors { w: zeros.add(w)?, h: h.clone() }
            }
            None => {
                let (size, mut draws) = ((mean / r as f64).sqrt(), Draws::new(self.seed));
                let normal = Distribution::Normal { mean: 0.0, std: size };
                let w = x.rand_like(&beside(x, r as u64)?, draws.seed(), normal)?.abs()?;
                Factors { w, h: draws.normals(r, m).mapv(|z| size * z.abs()) }
            }
        };
        self.iterate(&data, factors, true).await.map_err(|error| hinted(error, HINT))
    }

    async fn iterate(&self, data: &Data, mut at: Factors, with_h: bool) -> Result<FittedNmf> {
        let first = data.objective(&at)?.of(&at.h).await?;
        let (mut objective, mut n_iter) = (first, 0);
        while n_iter < self.max_iter {
            // The objective of where it is comes with the next update, in one round trip.
            let look = (n_iter > 0 && n_iter.is_multiple_of(LOOK) && self.tol > 0.0).then(|| data.objective(&at));
            let w = data.next_w(&at)?;
            let update = if with_h { Some(data.asked(&w, &at.h)?) } else { None };
            if let Some(asked) = look {
                let before = std::mem::replace(&mut objective, asked?.of(&at.h).await?);
                if data.gain(before, objective, first) < self.tol {
                    break;
                }
            }
            let h = match update {
                Some([numerators, sums]) => next_h(&at.h, &numerators.await?, &sums.await?)?,
                None => at.h,
            };
            at = Factors { w, h };
            n_iter += 1;
        }
        if n_iter == self.max_iter {
            objective = data.objective(&at)?.of(&at.h).await?;
        }
        let reconstruction_err = data.error(objective);
        Ok(FittedNmf { w: at.w, components: at.h, reconstruction_err, n_iter, model: self.clone() })
    }
}

impl Data {
    /// One round trip; also the mean of all cells.
    async fn of(x: &FedMatrix) -> Result<(Self, f64)> {
        let (entropy, sum) = (x.multiply(x.add(LEAST)?.log()?)?.sum(Axis::All)?, x.sum(Axis::All)?);
        let sum = sum.scalar().await.map_err(|error| hinted(error, HINT))?;
        let entropy = if_released(entropy.scalar().await)?;
        check_finite("nmf", entropy.iter().chain([&sum]))?;
        if sum < 0.0 {
            return Err(Error::Numeric("nmf: there are negative cells".to_owned()));
        }
        let constant = entropy.map(|entropy| entropy - sum);
        Ok((Self { x: x.clone(), constant }, sum / (x.nrows() as f64 * x.ncols() as f64)))
    }

    fn error(&self, objective: f64) -> Option<f64> {
        self.constant.map(|constant| (2.0 * (constant + objective).max(0.0)).sqrt())
    }

    /// What ten iterations brought.
    fn gain(&self, before: f64, now: f64, first: f64) -> f64 {
        match (self.error(before), self.error(now), self.error(first)) {
            (Some(before), Some(now), Some(first)) => (before - now) / first,
            _ => (before - now) / (first - now),
        }
    }

    /// `X / WH`.
    fn quotients(&self, w: &FedMatrix, h: &Array2<f64>) -> Result<FedMatrix> {
        self.x.divide(w.matmul(h)?.add(LEAST)?)
    }

    fn next_w(&self, at: &Factors) -> Result<FedMatrix> {
        let sums = at.h.sum_axis(NdAxis(1)).insert_axis(NdAxis(0)) + LEAST;
        let numerators = self.quotients(&at.w, &at.h)?.matmul(at.h.t().to_owned())?;
        at.w.multiply(numerators.divide(sums)?)
    }

    /// `W.T @ (X / WH)`, and `W.sum(axis=0)`.
    fn asked(&self, w: &FedMatrix, h: &Array2<f64>) -> Result<[Pending; 2]> {
        Ok([w.cross(self.quotients(w, h)?)?, w.sum(Axis::Columns)?])
    }

    fn objective(&self, at: &Factors) -> Result<Objective> {
        let logs = at.w.matmul(&at.h)?.add(LEAST)?.log()?;
        Ok(Objective { likelihood: self.x.multiply(logs)?.sum(Axis::All)?, sums: at.w.sum(Axis::Columns)? })
    }
}

/// What the sites were asked for.
struct Objective {
    /// `Σ X ln WH`.
    likelihood: Pending,
    /// `W.sum(axis=0)`.
    sums: Pending,
}

impl Objective {
    /// The divergence but for what does not depend on W and H.
    async fn of(self, h: &Array2<f64>) -> Result<f64> {
        let (likelihood, sums) = (self.likelihood.scalar().await?, self.sums.await?);
        let objective = sums.dot(&h.sum_axis(NdAxis(1)))[0] - likelihood;
        check_finite("nmf", [&objective])?;
        Ok(objective)
    }
}

fn next_h(h: &Array2<f64>, numerators: &Array2<f64>, sums: &Array2<f64>) -> Result<Array2<f64>> {
    let next = h * &(numerators / &(sums.t().to_owned() + LEAST));
    check_finite("nmf", &next)?;
    Ok(next)
}

impl FittedNmf {
    /// The factors of other rows with the same columns, `(n, m) → (n, r)`, at the sites: the updates of W alone, from
    /// equal ones. A round trip for every ten.
    ///
    /// # Errors
    /// As [`Nmf::fit`].
    pub async fn transform(&self, x: &FedMatrix) -> Result<FedMatrix> {
        if x.ncols() as usize != self.components.ncols() {
            let message = format!("nmf: X has {} columns, the model {}", x.ncols(), self.components.ncols());
            return Err(Error::plan(message));
        }
        let (data, mean) = Data::of(x).await?;
        let r = self.components.nrows();
        let w = x.fill_like(&beside(x, r as u64)?, (mean / r as f64).sqrt())?;
        let fitted = self.model.iterate(&data, Factors { w, h: self.components.clone() }, false).await;
        Ok(fitted.map_err(|error| hinted(error, HINT))?.w)
    }

    /// `W @ H`, `(n, r) → (n, m)`, at the sites.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit.
    pub fn inverse_transform(&self, w: &FedMatrix) -> Result<FedMatrix> {
        w.matmul(&self.components)
    }
}
