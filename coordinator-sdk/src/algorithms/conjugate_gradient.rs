//! Least squares by conjugate gradients.

use ndarray::Array2;

use super::FittedLinear;
use crate::{Axis, Error, FedMatrix, Operand, Result};

const GAPS: &str = "the data hold NaN or infinities; replace them before";

/// Least squares with an L2 penalty: solves `(X.T @ X + l2 I) w = X.T @ y` by conjugate gradients (Hestenes & Stiefel
/// 1952, "Methods of Conjugate Gradients for Solving Linear Systems"), without forming `X.T @ X`: one pass over X
/// (`X.T @ (X @ p)`) and one round trip per iteration, and one before the first. Columns are scaled by their squares
/// (Jacobi's preconditioner: Golub & Van Loan, "Matrix Computations", 4th ed., 11.5), so that their units do not matter.
/// For many columns, where the normal equations are too large.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConjugateGradient {
    /// Whether there is an intercept, as a further column of ones; it is not penalised.
    pub fit_intercept: bool,
    /// The penalty; 0 for none.
    pub l2: f64,
    /// Ends when the norm of the scaled residual is this share of that of `X.T @ y`.
    pub tol: f64,
    /// Iterations at most; none given: ten times as many as there are columns.
    pub max_iter: Option<usize>,
}

impl Default for ConjugateGradient {
    fn default() -> Self {
        Self { fit_intercept: true, l2: 0.0, tol: 1e-12, max_iter: None }
    }
}

impl ConjugateGradient {
    /// Fits `(n, d), (n, 1)`; y is federated in the same rows, or an array. NaN has to be replaced before.
    ///
    /// # Errors
    /// `Plan` if shapes or layouts do not fit; `Numeric` if a product is not finite; a site's.
    pub async fn fit(&self, x: &FedMatrix, y: impl Into<Operand>) -> Result<FittedLinear> {
        let y = y.into();
        let columns = x.ncols() as usize;
        let with_ones;
        let x = if self.fit_intercept {
            with_ones = x.hstack([self.ones(x)?])?;
            &with_ones
        } else {
            x
        };
        let mut penalty = Array2::from_elem((x.ncols() as usize, 1), self.l2);
        penalty.slice_mut(ndarray::s![columns.., ..]).fill(0.0);

        let mut w = Array2::<f64>::zeros((x.ncols() as usize, 1));
        let (right, squares) = (x.cross(y)?, x.sumsq(Axis::Columns)?);
        let mut residual: Array2<f64> = -right.await?;
        if residual.ncols() != 1 {
            return Err(Error::plan("fit: y must have one column"));
        }
        // A column of zeros keeps its coefficient of zero, whatever its scale.
        let scale =
            (squares.await?.reversed_axes() + &penalty).mapv(|pivot| if pivot > 0.0 { 1.0 / pivot } else { 1.0 });
        let mut scaled = &scale * &residual;
        let mut direction = -&scaled;
        let mut norm = (&residual * &scaled).sum();
        if !norm.is_finite() {
            return Err(Error::Numeric(GAPS.to_owned()));
        }
        let goal = self.tol * self.tol * norm;
        let max_iter = self.max_iter.unwrap_or(10 * x.ncols() as usize);
        let mut n_iter = 0;
        while n_iter < max_iter && norm > goal {
            let product = x.mmchain(&direction)?.await? + &penalty * &direction;
            let curvature = (&direction * &product).sum();
            if !curvature.is_finite() {
                return Err(Error::Numeric(GAPS.to_owned()));
            }
            // X has a direction without any variation: it is solved as far as it can be.
            if curvature <= 0.0 {
                break;
            }
            let step = norm / curvature;
            w.scaled_add(step, &direction);
            residual.scaled_add(step, &product);
            scaled = &scale * &residual;
            let next = (&residual * &scaled).sum();
            direction = &direction * (next / norm) - &scaled;
            norm = next;
            n_iter += 1;
        }
        let (coef, intercept) = w.view().split_at(ndarray::Axis(0), columns);
        let intercept = if self.fit_intercept { intercept.to_owned() } else { Array2::zeros((1, 1)) };
        Ok(FittedLinear { coef: coef.to_owned(), intercept, n_iter })
    }

    /// A column of ones in the rows of X.
    fn ones(&self, x: &FedMatrix) -> Result<FedMatrix> {
        x.fill_like(&x.layout().column(), 1.0)
    }
}
