//! Operators of a matrix and the product of two thin factors, R = U @ V.T, as weighted matrix factorisations need them.
//! R is never built. X is `(n, m)`, U `(n, k)` and V `(m, k)`. Of a row cut X, U is federated in the same rows or an
//! array, and V an array; of a column cut X, V is federated in the same rows as X has columns or an array, and U an
//! array.

use fondaco_proto::{
    Op,
    op::{Factorised, LossWeights, MatmulOp, Unary},
};

use crate::{FedMatrix, Operand, Outcome, Pending, Result};

impl FedMatrix {
    /// `((X - U @ V.T)**2).sum()`, for the coordinator.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit, or rows would have to move.
    pub fn factorised_loss(&self, u: impl Into<Operand>, v: impl Into<Operand>) -> Result<Pending> {
        self.factorised(Factorised::Loss(LossWeights::None), u.into(), v.into(), None)?.local()
    }

    /// `((X != 0) * (X - U @ V.T)**2).sum()`, for the coordinator: the loss of what was observed.
    ///
    /// # Errors
    /// As [`FedMatrix::factorised_loss`].
    pub fn factorised_loss_nonzero(&self, u: impl Into<Operand>, v: impl Into<Operand>) -> Result<Pending> {
        self.factorised(Factorised::Loss(LossWeights::Nonzero), u.into(), v.into(), None)?.local()
    }

    /// `(W * (X - U @ V.T)**2).sum()`, for the coordinator; W is federated as X is, or an array.
    ///
    /// # Errors
    /// As [`FedMatrix::factorised_loss`].
    pub fn factorised_loss_weighted(
        &self,
        w: impl Into<Operand>,
        u: impl Into<Operand>,
        v: impl Into<Operand>,
    ) -> Result<Pending> {
        self.factorised(Factorised::Loss(LossWeights::Given), u.into(), v.into(), Some(w.into()))?.local()
    }

    /// `X * f(U @ V.T)` with a function of cells, such as the sigmoid; it stays, as X does.
    ///
    /// # Errors
    /// `Plan` for softmax, or as [`FedMatrix::factorised_loss`].
    pub fn factorised_times(&self, f: Unary, u: impl Into<Operand>, v: impl Into<Operand>) -> Result<Self> {
        self.factorised(Factorised::Times(f), u.into(), v.into(), None)?.fed()
    }

    /// `(X / (U @ V.T)) @ V`, `(n, k)`: of a row cut it stays, of a column cut it is a sum for the coordinator.
    ///
    /// # Errors
    /// As [`FedMatrix::factorised_loss`].
    pub fn factorised_divided(&self, u: impl Into<Operand>, v: impl Into<Operand>) -> Result<Outcome> {
        self.factorised(Factorised::Divided, u.into(), v.into(), None)
    }

    /// `(X / (U @ V.T)).T @ U`, `(m, k)`: of a row cut a sum for the coordinator, of a column cut it stays.
    ///
    /// # Errors
    /// As [`FedMatrix::factorised_loss`].
    pub fn factorised_divided_left(&self, u: impl Into<Operand>, v: impl Into<Operand>) -> Result<Outcome> {
        self.factorised(Factorised::DividedLeft, u.into(), v.into(), None)
    }

    /// `(X * np.log(U @ V.T + epsilon)).sum()`, for the coordinator.
    ///
    /// # Errors
    /// As [`FedMatrix::factorised_loss`].
    pub fn factorised_cross_entropy(
        &self,
        u: impl Into<Operand>,
        v: impl Into<Operand>,
        epsilon: f64,
    ) -> Result<Pending> {
        self.factorised(Factorised::CrossEntropy { epsilon }, u.into(), v.into(), None)?.local()
    }

    fn factorised(&self, op: Factorised, u: Operand, v: Operand, w: Option<Operand>) -> Result<Outcome> {
        let operands = [v, self.into(), u].into_iter().chain(w).collect();
        self.apply(&Op::Matmul(MatmulOp::Factorised(op)), operands)
    }
}
