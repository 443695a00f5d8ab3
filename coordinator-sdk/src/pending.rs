//! Results that are on their way to the coordinator.

use std::{fmt, future::IntoFuture, pin::Pin, sync::Arc};

use fondaco_proto::Shape;
use ndarray::Array2;

use crate::{
    Error, FedMatrix, Result,
    combine::Combine,
    layout::Cut,
    queue::Fetch,
    session::{Session, resolve},
};

/// A result that was planned, but not asked for yet. To await one sends all that is queued, at all sites in parallel,
/// and answers every other pending result of the federation in the same round trip.
#[must_use = "nothing is sent for a result that nobody awaits"]
pub struct Pending {
    session: Arc<Session>,
    fetches: Vec<Arc<Fetch>>,
    combine: Combine,
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pending of {} parts", self.fetches.len())
    }
}

impl Pending {
    pub(crate) fn new(session: Arc<Session>, fetches: Vec<Arc<Fetch>>, combine: Combine) -> Self {
        Self { session, fetches, combine }
    }

    /// All parts of a matrix, put together.
    pub(crate) fn all_of(matrix: &FedMatrix) -> Self {
        let session = matrix.session().clone();
        let fetch =
            |(part, variable): (usize, &Arc<_>)| session.fetch(Arc::clone(variable), matrix.layout().part_shape(part));
        let fetches = matrix.parts().iter().enumerate().map(fetch).collect();
        Self::new(session, fetches, Combine::Concat(matrix.layout().cut()))
    }

    /// The array, when the sites have answered.
    ///
    /// # Errors
    /// The first error of a site; a refused release is [`fondaco_proto::ErrorCode::ReleaseDenied`].
    pub async fn fetch(self) -> Result<Array2<f64>> {
        let parts = resolve(&self.session, &self.fetches).await?;
        Ok(self.combine.apply(parts))
    }

    /// The only cell of a `(1, 1)` result.
    ///
    /// # Errors
    /// As [`Pending::fetch`]; `Plan` if there are more cells.
    pub async fn scalar(self) -> Result<f64> {
        let shape = self.shape();
        if shape != Shape::new(1, 1) {
            return Err(Error::plan(format!("a result of shape {shape} is no single number")));
        }
        Ok(self.fetch().await?[[0, 0]])
    }

    /// The shape that the result will have; of distinct values, the largest that it may have.
    pub fn shape(&self) -> Shape {
        let first = self.fetches.first().map_or(Shape::new(0, 0), |fetch| fetch.shape);
        let sum = |cut: Cut| self.fetches.iter().map(|fetch| cut.extent(fetch.shape)).sum();
        match self.combine {
            Combine::Variance { .. } | Combine::PresentMean | Combine::Product { scaled: false } => {
                Shape::new(1, first.columns)
            }
            Combine::Correlation => Shape::new(first.columns, first.columns),
            Combine::Covariance { operands, .. } => {
                let columns = self.fetches[..operands].iter().map(|fetch| fetch.shape.columns).sum();
                Shape::new(first.columns, columns)
            }
            Combine::Counts | Combine::Concat(Cut::Rows) => Shape::new(sum(Cut::Rows), first.columns),
            Combine::Concat(Cut::Columns) => Shape::new(first.rows, sum(Cut::Columns)),
            Combine::Sum
            | Combine::Mean(_)
            | Combine::Min
            | Combine::Max
            | Combine::PresentMin
            | Combine::PresentMax
            | Combine::Product { scaled: true }
            | Combine::Moments => first,
        }
    }
}

impl IntoFuture for Pending {
    type Output = Result<Array2<f64>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.fetch())
    }
}

/// What an operator gives: a matrix that stays at the sites, or a result for the coordinator.
#[derive(Debug)]
pub enum Outcome {
    /// It stays.
    Fed(FedMatrix),
    /// It is combined at the coordinator.
    Local(Pending),
}

impl Outcome {
    /// The matrix that stays.
    ///
    /// # Errors
    /// `Plan` if the result is for the coordinator.
    pub fn fed(self) -> Result<FedMatrix> {
        match self {
            Self::Fed(matrix) => Ok(matrix),
            Self::Local(pending) => Err(Error::plan(format!(
                "the {} result is a sum over the sites, for the coordinator: ask for it with the method that gives a \
                 Pending (matmul_local, cross, sum, ...)",
                pending.shape()
            ))),
        }
    }

    /// The result for the coordinator. One that is whole at one site is released from there.
    ///
    /// # Errors
    /// `Plan` if the result stays cut over several parts: rows are not pulled silently.
    pub fn local(self) -> Result<Pending> {
        match self {
            Self::Local(pending) => Ok(pending),
            Self::Fed(matrix) if matrix.layout().whole_at().is_some() => Ok(Pending::all_of(&matrix)),
            Self::Fed(matrix) => Err(Error::plan(format!(
                "the result stays at the sites ({}); to_array releases it, if the owners let it out",
                matrix.layout()
            ))),
        }
    }
}
