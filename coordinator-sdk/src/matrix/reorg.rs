//! The same cells at other places, and some of the cells.

use std::{
    ops::{Bound, RangeBounds},
    sync::Arc,
};

use fondaco_proto::{
    Op,
    op::{ReorgOp, SliceOp},
};

use super::Inner;
use crate::{Error, FedMatrix, Operand, Result};

impl FedMatrix {
    /// `X.T`: a row cut becomes a column cut. `x.t()?.matmul_local(&y)` is carried out as a cross product.
    ///
    /// # Errors
    /// The error of the program that should have bound X.
    pub fn t(&self) -> Result<Self> {
        if let Some(original) = &self.0.transpose_of {
            return Ok(original.clone());
        }
        let transposed = self.apply(&Op::Reorg(ReorgOp::Transpose), vec![self.into()])?.fed()?;
        let (session, layout) = (self.session().clone(), transposed.layout().clone());
        let parts = transposed.parts().to_vec();
        Ok(Self(Arc::new(Inner { session, layout, parts, transpose_of: Some(self.clone()) })))
    }

    /// `np.vstack([X, ..])`: of row cuts a matter of the layout alone.
    ///
    /// # Errors
    /// `Plan` if the numbers of columns differ, or an array has no site beside this layout.
    pub fn vstack(&self, others: impl IntoIterator<Item = impl Into<Operand>>) -> Result<Self> {
        self.stack(ReorgOp::Vstack, others)
    }

    /// `np.hstack([X, ..])`: aligned rows side by side, at their sites, also with arrays; else a column cut.
    ///
    /// # Errors
    /// `Plan` if the numbers of rows differ, or rows would have to move.
    pub fn hstack(&self, others: impl IntoIterator<Item = impl Into<Operand>>) -> Result<Self> {
        self.stack(ReorgOp::Hstack, others)
    }

    fn stack(&self, op: ReorgOp, others: impl IntoIterator<Item = impl Into<Operand>>) -> Result<Self> {
        let operands = std::iter::once(self.into()).chain(others.into_iter().map(Into::into)).collect();
        self.apply(&Op::Reorg(op), operands)?.fed()
    }

    /// `np.flip(X, axis=0)`: the rows in reverse order, each part at its site. X is not changed.
    ///
    /// # Errors
    /// The error of the program that should have bound X.
    pub fn flip(&self) -> Result<Self> {
        self.apply(&Op::Reorg(ReorgOp::Flip), vec![self.into()])?.fed()
    }

    /// `np.roll(X, shift, axis=0)`: a matter of the layout, but for the part that is cut. Rows stay at their sites; any
    /// shift, negative and beyond the number of rows too.
    ///
    /// # Errors
    /// The error of the program that should have bound X.
    pub fn roll(&self, shift: i64) -> Result<Self> {
        let rows = self.nrows();
        let down = i128::from(shift).rem_euclid(i128::from(rows.max(1))) as u64;
        if down == 0 {
            return Ok(self.clone());
        }
        self.slice(rows - down.., ..)?.vstack([self.slice(..rows - down, ..)?])
    }

    /// The first rows, `X[:rows]`; all if there are fewer.
    ///
    /// # Errors
    /// The error of the program that should have bound X.
    pub fn head(&self, rows: u64) -> Result<Self> {
        self.slice(..rows.min(self.nrows()), ..)
    }

    /// `X[rows, columns]`; ranges as Rust writes them: `..`, `2..5`, `..=7`. Sites that hold none of it are not asked.
    ///
    /// # Errors
    /// `Plan` if a range goes beyond X, or ends before it starts.
    pub fn slice(&self, rows: impl RangeBounds<u64>, columns: impl RangeBounds<u64>) -> Result<Self> {
        let within = |range: (Bound<&u64>, Bound<&u64>), extent: u64| {
            let start = match range.0 {
                Bound::Included(start) => *start,
                Bound::Excluded(start) => start.saturating_add(1),
                Bound::Unbounded => 0,
            };
            let end = match range.1 {
                Bound::Included(end) => end.saturating_add(1),
                Bound::Excluded(end) => *end,
                Bound::Unbounded => extent,
            };
            if start <= end { Ok(start..end) } else { Err(Error::plan("slice: a range must not end before it starts")) }
        };
        let rows = within((rows.start_bound(), rows.end_bound()), self.nrows())?;
        let columns = within((columns.start_bound(), columns.end_bound()), self.ncols())?;
        self.apply(&Op::Slice(SliceOp::Range { rows, columns }), vec![self.into()])?.fed()
    }

    /// `X[:, indices]`, in this order, with repeats.
    ///
    /// # Errors
    /// `Plan` if there is no such column.
    pub fn columns(&self, indices: impl IntoIterator<Item = u64>) -> Result<Self> {
        let op = SliceOp::Columns(indices.into_iter().collect());
        self.apply(&Op::Slice(op), vec![self.into()])?.fed()
    }
}
