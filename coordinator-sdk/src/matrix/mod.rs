//! One matrix over many sites.

mod aggregate;
mod cumulate;
mod distinct;
mod elementwise;
mod encode;
mod factorised;
mod group_by;
mod matmul;
mod reorg;
mod slice;
mod stats;

use std::{fmt, sync::Arc};

use fondaco_proto::{
    Op, Shape,
    op::{CreateOp, Distribution, Fill, Rand},
};
use ndarray::Array2;

pub use aggregate::Axis;
pub use distinct::DistinctCounts;
pub use group_by::GroupBy;
pub use stats::Levels;

use crate::{
    Limits, Operand, Outcome, Pending, Result,
    layout::Layout,
    perform::{perform, scatter},
    queue::Variable,
    session::Session,
};

/// A matrix whose parts are at the sites of a federation. Cheap to clone; never changed: every operator gives a new
/// one. Operators are planned at once, so that shapes and layouts that do not fit are errors of the line that is
/// written, and run when a result is awaited. When the last handle goes, the sites drop the parts.
#[derive(Clone)]
pub struct FedMatrix(Arc<Inner>);

struct Inner {
    session: Arc<Session>,
    layout: Layout,
    parts: Vec<Arc<Variable>>,
    /// Of what it is the transpose, for `X.T @ Y`.
    transpose_of: Option<FedMatrix>,
}

impl fmt::Debug for FedMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FedMatrix {}", self.0.layout)
    }
}

impl FedMatrix {
    pub(crate) fn new(session: Arc<Session>, layout: Layout, parts: Vec<Arc<Variable>>) -> Self {
        Self(Arc::new(Inner { session, layout, parts, transpose_of: None }))
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.0.session
    }

    pub(crate) fn parts(&self) -> &[Arc<Variable>] {
        &self.0.parts
    }

    pub(crate) fn part(&self, index: usize) -> Option<&Arc<Variable>> {
        self.0.parts.get(index)
    }

    /// The error of the program that should have bound it.
    pub(crate) fn check(&self) -> Result<()> {
        self.0.parts.iter().try_for_each(|part| part.check())
    }

    /// Its shape.
    pub fn shape(&self) -> Shape {
        self.0.layout.shape()
    }

    /// Its number of rows.
    pub fn nrows(&self) -> u64 {
        self.shape().rows
    }

    /// Its number of columns.
    pub fn ncols(&self) -> u64 {
        self.shape().columns
    }

    /// Where its parts are.
    pub fn layout(&self) -> &Layout {
        &self.0.layout
    }

    /// What each of its sites accepts, with the site's name.
    pub fn limits(&self) -> Vec<(Arc<str>, Limits)> {
        let sites = self.0.layout.by_site();
        let limits = |name: &Arc<str>| self.0.session.sites.iter().find(|site| site.name == *name).map(|s| s.limits());
        sites.into_iter().filter_map(|(name, _)| Some((name.clone(), limits(&name)?))).collect()
    }

    /// Any operator of the vocabulary, with its operands in order; at least one is federated, of the same federation.
    /// Every other method is a short way to say this.
    ///
    /// # Errors
    /// `Plan` if shapes or layouts do not fit; the error of the program that should have bound an operand.
    pub fn apply(&self, op: &Op, operands: Vec<Operand>) -> Result<Outcome> {
        perform(&self.0.session, op, operands, None)
    }

    /// `np.full(shape, value)` on a layout, at sites of the same federation.
    ///
    /// # Errors
    /// `Plan` if the layout names another federation's site.
    pub fn fill_like(&self, layout: &Layout, value: f64) -> Result<Self> {
        let fill = CreateOp::Fill(Fill { shape: layout.shape(), value });
        perform(&self.0.session, &Op::Create(fill), Vec::new(), Some(layout))?.fed()
    }

    /// Seeded random numbers on a layout, at sites of the same federation; the same for every layout of the shape.
    ///
    /// # Errors
    /// `Plan` if the layout names another federation's site.
    pub fn rand_like(&self, layout: &Layout, seed: u64, distribution: Distribution) -> Result<Self> {
        let shape = layout.shape();
        let rand = Rand { shape, seed, row_offset: 0, column_offset: 0, density: 1.0, distribution };
        perform(&self.0.session, &Op::Create(CreateOp::Rand(rand)), Vec::new(), Some(layout))?.fed()
    }

    /// An array cut along a layout of its shape, at sites of the same federation; as [`crate::Federation::scatter`].
    ///
    /// # Errors
    /// `Plan` if the shapes differ, it is no array, or the layout names another federation's site.
    pub fn scatter_like(&self, array: impl Into<Operand>, layout: &Layout) -> Result<Self> {
        scatter(&self.0.session, array.into(), layout)
    }

    /// All its cells, as a pending result in the order of the layout. The workers release them if they are public or
    /// the tenant's own.
    ///
    /// # Errors
    /// The error of the program that should have bound it.
    pub fn fetch(&self) -> Result<Pending> {
        self.check()?;
        Ok(Pending::all_of(self))
    }

    /// All its cells, `(rows, columns)`; as [`FedMatrix::fetch`], awaited.
    ///
    /// # Errors
    /// The first error of a site; a refused release is [`fondaco_proto::ErrorCode::ReleaseDenied`].
    pub async fn to_array(&self) -> Result<Array2<f64>> {
        self.fetch()?.await
    }

    /// Computes it now, and keeps it at the sites.
    ///
    /// # Errors
    /// The first error of a site.
    pub async fn persist(&self) -> Result<()> {
        self.0.session.flush().await;
        self.check()
    }
}
