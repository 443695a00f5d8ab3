//! The same cells at other places.

use std::sync::Arc;

use fondaco_proto::{Op, Shape, op::ReorgOp};
use ndarray::Array2;

use super::Inner;
use crate::{
    FedMatrix, Operand, Pending, Result,
    combine::Combine,
    gather::Gather,
    layout::Layout,
    perform::perform_counted,
    plan::reorg::{unique, unique_counts},
};

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

    /// `np.vstack([X, ..])`: a matter of the layout alone, but for aligned columns, which grow at their sites; operands
    /// that are cut differently become blocks. The rows of an array go to the site of the rows before them.
    ///
    /// # Errors
    /// `Plan` if the numbers of columns differ.
    pub fn vstack(&self, others: impl IntoIterator<Item = impl Into<Operand>>) -> Result<Self> {
        self.stack(ReorgOp::Vstack, others)
    }

    /// `np.hstack([X, ..])`: aligned rows side by side, at their sites, also with arrays; else more columns where they
    /// are, in blocks if rows are cut differently. The columns of an array go to the site of the columns before them.
    ///
    /// # Errors
    /// `Plan` if the numbers of rows differ.
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

    /// `np.fliplr(X)`: the columns in reverse order.
    ///
    /// # Errors
    /// The error of the program that should have bound X.
    pub fn fliplr(&self) -> Result<Self> {
        self.apply(&Op::Reorg(ReorgOp::FlipColumns), vec![self.into()])?.fed()
    }

    /// `np.roll(X, shift, axis=0)`: a matter of the layout, but for the part that is cut. Rows stay at their sites; any
    /// shift, negative and beyond the number of rows too.
    ///
    /// # Errors
    /// The error of the program that should have bound X.
    pub fn roll(&self, shift: i64) -> Result<Self> {
        let split = split(shift, self.nrows());
        if split == 0 {
            return Ok(self.clone());
        }
        self.slice(split.., ..)?.vstack([self.slice(..split, ..)?])
    }

    /// `np.roll(X, shift, axis=1)`: each row at its site; of a column cut a matter of the layout, but for the part that
    /// is cut.
    ///
    /// # Errors
    /// The error of the program that should have bound X.
    pub fn roll_columns(&self, shift: i64) -> Result<Self> {
        let split = split(shift, self.ncols());
        if split == 0 {
            return Ok(self.clone());
        }
        self.slice(.., split..)?.hstack([self.slice(.., ..split)?])
    }

    /// `np.tile(X, (down, right))`: of row cuts, more rows are a matter of the layout.
    ///
    /// # Errors
    /// The error of the program that should have bound X.
    pub fn tile(&self, down: usize, right: usize) -> Result<Self> {
        let wide = match right {
            0 => self.slice(.., 0..0)?,
            1 => self.clone(),
            _ => self.hstack(vec![self; right - 1])?,
        };
        match down {
            0 => wide.slice(0..0, ..),
            1 => Ok(wide),
            _ => wide.vstack(vec![&wide; down - 1]),
        }
    }

    /// `np.diag(X)`: of a column, `(n, 1) → (n, n)`, the matrix with it on its diagonal; of any other matrix its
    /// diagonal, as [`FedMatrix::diagonal`].
    ///
    /// # Errors
    /// `Plan` if the matrix would have more cells than can be counted.
    pub fn diag(&self) -> Result<Self> {
        if self.ncols() != 1 {
            return self.diagonal(0);
        }
        let diag = ReorgOp::Diag { columns: self.nrows(), offset: 0 };
        self.apply(&Op::Reorg(diag), vec![self.into()])?.fed()
    }

    /// `np.diagonal(X, offset)` as a column, `(n, d) → (cells on it, 1)`: each cell where it is, in a row cut.
    ///
    /// # Errors
    /// The error of the program that should have bound X.
    pub fn diagonal(&self, offset: i64) -> Result<Self> {
        self.apply(&Op::Reorg(ReorgOp::Diagonal { offset }), vec![self.into()])?.fed()
    }

    /// `np.tril(X, k)`: zeros above the k-th diagonal.
    ///
    /// # Errors
    /// The error of the program that should have bound X.
    pub fn tril(&self, k: i64) -> Result<Self> {
        self.apply(&Op::Reorg(ReorgOp::Triangle { upper: false, k }), vec![self.into()])?.fed()
    }

    /// `np.triu(X, k)`: zeros below the k-th diagonal.
    ///
    /// # Errors
    /// The error of the program that should have bound X.
    pub fn triu(&self, k: i64) -> Result<Self> {
        self.apply(&Op::Reorg(ReorgOp::Triangle { upper: true, k }), vec![self.into()])?.fed()
    }

    /// `np.reshape(X, (rows, columns))`, row-major. Each site's cells stay there: where X is at several, new rows must
    /// begin where sites do.
    ///
    /// # Errors
    /// `Plan` if the numbers of cells differ, or a new row would have cells of two sites.
    pub fn reshape(&self, rows: u64, columns: u64) -> Result<Self> {
        self.apply(&Op::Reorg(ReorgOp::Reshape(Shape::new(rows, columns))), vec![self.into()])?.fed()
    }

    /// The rows in the order of a column: `X[np.argsort(X[:, by], stable=True)]`. With `descending` the largest comes
    /// first; rows with equal cells stay in their order, and NaN come last, either way. X is at one site.
    ///
    /// # Errors
    /// `Plan` if there is no such column, or the rows are at different sites.
    pub fn sort(&self, by: u64, descending: bool) -> Result<Self> {
        self.apply(&Op::Reorg(ReorgOp::Sort { by, descending, indices: false }), vec![self.into()])?.fed()
    }

    /// The numbers of the rows in the order of a column, `(n, 1)`: `np.argsort(X[:, by], stable=True)`, as
    /// [`FedMatrix::sort`].
    ///
    /// # Errors
    /// As [`FedMatrix::sort`].
    pub fn argsort(&self, by: u64, descending: bool) -> Result<Self> {
        self.apply(&Op::Reorg(ReorgOp::Sort { by, descending, indices: true }), vec![self.into()])?.fed()
    }

    /// `np.unique(X[:, column], return_counts=True)`, `(distinct values, 2)`, for the coordinator: values in order, all
    /// NaN as one at the end, and how often each is there. Each site releases its own list, if its owner lets values of
    /// rows out and each stands for enough of them; they are merged here. Two round trips: a list's length first.
    ///
    /// # Errors
    /// `Plan` if there is no such column; a site's.
    pub async fn unique_counts(&self, column: u64) -> Result<Array2<f64>> {
        let column = self.columns([column])?;
        let (_, lists) = perform_counted(self.session(), "unique_counts", vec![column.into()], unique_counts)?;
        let shapes = self.session().shapes(&lists).await?;
        let fetches = lists.into_iter().zip(shapes).map(|(list, shape)| self.session().fetch(list, shape)).collect();
        Pending::new(self.session().clone(), Gather::one(fetches, Combine::Counts)).await
    }

    /// The same, staying at the site that has all of X.
    ///
    /// # Errors
    /// `Plan` if there is no such column, or the rows are at different sites; a site's, if not enough rows stand for
    /// each value.
    pub async fn unique(&self, column: u64) -> Result<Self> {
        let column = self.columns([column])?;
        let (layout, parts) = perform_counted(self.session(), "unique", vec![column.into()], unique)?;
        let shape = self.session().shapes(&parts).await?.first().copied().unwrap_or(Shape::new(0, 2));
        Ok(Self::new(self.session().clone(), Layout::whole(layout.parts()[0].site.clone(), shape), parts))
    }
}

/// Where what comes first is, of so many, when all are rolled.
fn split(shift: i64, extent: u64) -> u64 {
    let back = (-i128::from(shift)).rem_euclid(i128::from(extent.max(1)));
    back as u64
}
