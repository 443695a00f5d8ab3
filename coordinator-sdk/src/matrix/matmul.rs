//! Products.

use std::sync::Arc;

use fondaco_proto::{Op, op::MatmulOp};

use crate::{Error, FedMatrix, Operand, Outcome, Pending, Result, layout::Cut};

impl FedMatrix {
    /// `X @ Y`, whatever becomes of it: a row cut by an array stays, a sum over the cut is for the coordinator.
    /// `X.T @ X`, `X @ X.T` and `X.T @ Y` are carried out as [`FedMatrix::gram`] and [`FedMatrix::cross`].
    ///
    /// # Errors
    /// `Plan` if shapes do not fit, no operand is federated, or row-level values would have to move.
    pub fn product(left: impl Into<Operand>, right: impl Into<Operand>) -> Result<Outcome> {
        let (left, right) = (left.into(), right.into());
        if let (Operand::Fed(x), Operand::Fed(y)) = (&left, &right)
            && (y.is_transpose_of(x) || x.is_transpose_of(y))
            && y.layout().whole_at().is_none()
        {
            return y.product_of(MatmulOp::Gram, vec![y.into()]);
        }
        if let Operand::Fed(x_t) = &left
            && let Some(x) = &x_t.0.transpose_of
            && x.layout().banded(Cut::Rows).is_some()
            && x.layout().whole_at().is_none()
            // What stays where its rows are is no sum.
            && (x.layout().is(Cut::Rows) || x_t.layout().banded(Cut::Rows).is_none())
        {
            let shapes = [left.arg().shape(), right.clone().into_matrix().arg().shape()];
            Op::Matmul(MatmulOp::Product).shape(&shapes)?;
            return x.product_of(MatmulOp::Cross, vec![x.into(), right]);
        }
        let session_of = match (&left, &right) {
            (Operand::Fed(x), _) | (_, Operand::Fed(x)) => x.clone(),
            _ => return Err(Error::plan("matmul: at least one operand must be federated")),
        };
        session_of.product_of(MatmulOp::Product, vec![left, right])
    }

    /// `X @ Y` that stays at the sites: `(n, k) · (k, m) → (n, m)`, a row cut X by an array Y.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit, or the product is a sum over the sites ([`FedMatrix::matmul_local`] gives it).
    pub fn matmul(&self, other: impl Into<Operand>) -> Result<Self> {
        Self::product(self, other)?.fed()
    }

    /// `X @ Y` for the coordinator: `(n, k) · (k, m) → (n, m)`, a column cut X by rows that are cut alike, or by an
    /// array; summed over the sites.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit, or the product stays ([`FedMatrix::matmul`] gives it).
    pub fn matmul_local(&self, other: impl Into<Operand>) -> Result<Pending> {
        Self::product(self, other)?.local()
    }

    /// `A @ X` of a row cut X, for the coordinator: `(m, n) · (n, d) → (m, d)`; A is cut along the rows of X.
    ///
    /// # Errors
    /// `Plan` if the shapes do not fit, or X is cut by columns: then [`FedMatrix::product`] gives what stays.
    pub fn left_matmul(&self, other: impl Into<Operand>) -> Result<Pending> {
        Self::product(other, self)?.local()
    }

    /// `X.T @ X`: `(n, d) → (d, d)`, for the coordinator; half the work of a product (dsyrk). Rows whose columns are at
    /// different sites are relayed ([`crate::Federation::allow_relays`]).
    ///
    /// # Errors
    /// `Plan` if rows would have to move, and nothing is relayed.
    pub fn gram(&self) -> Result<Pending> {
        self.product_of(MatmulOp::Gram, vec![self.into()])?.local()
    }

    /// `X.T @ Y` of aligned rows: `(n, d), (n, e) → (d, e)`, for the coordinator; Y is federated or an array. With columns
    /// of X at different sites, rows of Y are relayed to those that have none ([`crate::Federation::allow_relays`]).
    ///
    /// # Errors
    /// `Plan` if the numbers of rows differ, or rows would have to move.
    pub fn cross(&self, other: impl Into<Operand>) -> Result<Pending> {
        self.product_of(MatmulOp::Cross, vec![self.into(), other.into()])?.local()
    }

    /// `X.T @ (X @ v)` in one pass over X: `(n, d), (d, 1) → (d, 1)`, for the coordinator. With columns of X at different
    /// sites, `X @ v` is relayed ([`crate::Federation::allow_relays`]).
    ///
    /// # Errors
    /// `Plan` if v is not `(d, 1)`, or rows would have to move, and nothing is relayed.
    pub fn mmchain(&self, v: impl Into<Operand>) -> Result<Pending> {
        self.product_of(MatmulOp::Mmchain, vec![v.into(), self.into()])?.local()
    }

    /// `X.T @ (w * (X @ v))` in one pass over X: `(n, d), (n, 1), (d, 1) → (d, 1)`, for the coordinator.
    ///
    /// # Errors
    /// As [`FedMatrix::mmchain`]; `Plan` if shapes do not fit.
    pub fn mmchain_weighted(&self, w: impl Into<Operand>, v: impl Into<Operand>) -> Result<Pending> {
        self.product_of(MatmulOp::MmchainWeighted, vec![v.into(), self.into(), w.into()])?.local()
    }

    /// `X.T @ ((X @ v) - y)` in one pass over X: `(n, d), (d, 1), (n, 1) → (d, 1)`, for the coordinator.
    ///
    /// # Errors
    /// As [`FedMatrix::mmchain`]; `Plan` if shapes do not fit.
    pub fn mmchain_minus(&self, v: impl Into<Operand>, y: impl Into<Operand>) -> Result<Pending> {
        self.product_of(MatmulOp::MmchainMinus, vec![v.into(), self.into(), y.into()])?.local()
    }

    fn product_of(&self, op: MatmulOp, operands: Vec<Operand>) -> Result<Outcome> {
        self.apply(&Op::Matmul(op), operands)
    }

    fn is_transpose_of(&self, other: &Self) -> bool {
        self.0.transpose_of.as_ref().is_some_and(|original| original.is(other))
    }

    /// Whether both are the same parts.
    fn is(&self, other: &Self) -> bool {
        let same = |(a, b): (&Arc<_>, &Arc<_>)| Arc::ptr_eq(a, b);
        self.layout() == other.layout() && self.parts().iter().zip(other.parts()).all(same)
    }
}
