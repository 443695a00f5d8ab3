//! Results that are on their way to the coordinator.

use std::{fmt, future::IntoFuture, pin::Pin, sync::Arc};

use fondaco_proto::Shape;
use ndarray::Array2;

use crate::{
    Error, FedMatrix, Result,
    combine::Combine,
    gather::Gather,
    layout::Cut,
    queue::Fetch,
    session::{Session, resolve},
};

/// A result that was planned, but not asked for yet. To await one sends all that is queued, at all sites in parallel,
/// and answers every other pending result of the federation in the same round trip.
///
/// Matrices that nobody holds any more by then are never written at the sites: a chain of operators is computed in one
/// pass. Temporaries of an expression live to its end, so bind a chain's result before it is awaited:
/// `let sum = x.subtract(1.0)?.exp()?.sum(Axis::All)?; sum.await?`.
#[must_use = "nothing is sent for a result that nobody awaits"]
pub struct Pending {
    session: Arc<Session>,
    gather: Gather<Arc<Fetch>>,
    /// What is made of the combined array, and the shape of that.
    then: Option<(Shape, Then)>,
}

type Then = Box<dyn FnOnce(Array2<f64>) -> Array2<f64> + Send>;

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pending of {} parts", self.gather.parts().count())
    }
}

impl Pending {
    pub(crate) fn new(session: Arc<Session>, gather: Gather<Arc<Fetch>>) -> Self {
        Self { session, gather, then: None }
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// What is released for it.
    pub(crate) fn fetches(&self) -> impl Iterator<Item = &Arc<Fetch>> {
        self.gather.parts()
    }

    /// What `then` makes of the array when it is here, of this shape.
    pub(crate) fn then(self, shape: Shape, then: impl FnOnce(Array2<f64>) -> Array2<f64> + Send + 'static) -> Self {
        let before = self.then.map(|(_, before)| before);
        let both = move |array| match before {
            Some(before) => then(before(array)),
            None => then(array),
        };
        Self { then: Some((shape, Box::new(both))), ..self }
    }

    /// All parts of a matrix, put together.
    pub(crate) fn all_of(matrix: &FedMatrix) -> Self {
        let (session, layout) = (matrix.session().clone(), matrix.layout());
        let fetch =
            |(part, variable): (usize, &Arc<_>)| vec![session.fetch(Arc::clone(variable), layout.part_shape(part))];
        let cells = matrix.parts().iter().enumerate().map(fetch).collect();
        let across = layout.bands(Cut::Columns).len();
        let gather = Gather { cells, across, combine: Combine::Only, turned: false };
        Self::new(session, gather)
    }

    /// The array, when the sites have answered.
    ///
    /// # Errors
    /// The first error of a site; a refused release is [`fondaco_proto::ErrorCode::ReleaseDenied`].
    pub async fn fetch(self) -> Result<Array2<f64>> {
        let shapes = self.gather.map(|fetch| fetch.shape);
        let fetches = self.gather.cells.into_iter().flatten().collect();
        let combined = shapes.assemble(resolve(&self.session, fetches).await?);
        Ok(match self.then {
            Some((_, then)) => then(combined),
            None => combined,
        })
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
        match &self.then {
            Some((shape, _)) => *shape,
            None => self.gather.map(|fetch| fetch.shape).shape(),
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
