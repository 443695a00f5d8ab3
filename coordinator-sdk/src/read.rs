//! Reading datasets: each site binds what it has, and says how many rows that is.

use std::{future::IntoFuture, pin::Pin, sync::Arc};

use fondaco_proto::{
    Op, Shape,
    op::{self, CreateOp, Filter},
};

use crate::{
    Error, FedMatrix, Result,
    layout::{Cut, Layout},
    queue::{How, Variable},
    session::Session,
};

/// A read in the making; await it for the matrix. Nulls read as NaN.
#[must_use = "a read is awaited"]
#[derive(Clone)]
pub struct Read {
    session: Arc<Session>,
    cut: Cut,
    /// Site, dataset, columns (where they are the part's own).
    parts: Vec<(String, String, Vec<String>)>,
    filter: Option<Filter>,
}

impl std::fmt::Debug for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Read of {} parts", self.parts.len())
    }
}

impl Read {
    pub(crate) fn new(session: Arc<Session>, cut: Cut, parts: Vec<(String, String, Vec<String>)>) -> Self {
        Self { session, cut, parts, filter: None }
    }

    /// These columns, in this order, of every part; without it, all columns.
    pub fn columns<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        let columns: Vec<String> = columns.into_iter().map(Into::into).collect();
        for (_, _, of_part) in &mut self.parts {
            of_part.clone_from(&columns);
        }
        self
    }

    /// The rows that satisfy this; a second filter narrows the first.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(match self.filter {
            Some(first) => Filter::And(vec![first, filter]),
            None => filter,
        });
        self
    }

    /// From these sites alone, in this order; without it, from all sites of the federation.
    pub fn at<S: AsRef<str>>(mut self, sites: impl IntoIterator<Item = S>) -> Self {
        let part = self.parts.first().cloned().unwrap_or_default();
        let at = |site: S| (site.as_ref().to_owned(), part.1.clone(), part.2.clone());
        self.parts = sites.into_iter().map(at).collect();
        self
    }

    /// Reads at all sites in parallel; what else is queued goes along.
    ///
    /// # Errors
    /// A site's (no such dataset or column, text in a matrix); `Plan` if the parts do not fit together.
    pub async fn read(self) -> Result<FedMatrix> {
        if self.parts.is_empty() {
            return Err(Error::plan("read: at least one site is needed"));
        }
        let sites: Vec<usize> = self.parts.iter().map(|(site, ..)| self.session.site(site)).collect::<Result<_>>()?;
        let mut variables: Vec<Arc<Variable>> = Vec::new();
        for ((_, dataset, columns), site) in self.parts.iter().zip(sites) {
            let (dataset, columns) = (dataset.clone(), columns.clone());
            let read = op::Read { dataset, columns, filter: self.filter.clone() };
            let op = Op::Create(CreateOp::Read(read));
            variables.push(self.session.bind(site, How::Op(op), Vec::new(), None));
        }
        let shapes = self.session.shapes(&variables).await?;
        let layout = self.layout(&shapes)?;
        let extents: Vec<u64> = shapes.iter().map(|shape| self.cut.extent(*shape)).collect();
        let parts = Layout::kept(&extents).into_iter().map(|part| variables[part].clone()).collect();
        Ok(FedMatrix::new(self.session, layout, parts))
    }

    fn layout(&self, shapes: &[Shape]) -> Result<Layout> {
        let across = |shape: &Shape| self.cut.other().extent(*shape);
        let first = shapes.first().map_or(0, across);
        if let Some(part) = shapes.iter().position(|shape| across(shape) != first) {
            return Err(Error::plan(format!(
                "read: {} of {} has {} {}s, but {} of {} has {first}; all parts need as many",
                self.parts[part].1,
                self.parts[part].0,
                across(&shapes[part]),
                self.cut.other(),
                self.parts[0].1,
                self.parts[0].0
            )));
        }
        let extents = self.parts.iter().zip(shapes);
        Layout::new(self.cut, extents.map(|((site, ..), shape)| (site.as_str(), self.cut.extent(*shape))), first)
    }
}

impl IntoFuture for Read {
    type Output = Result<FedMatrix>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.read())
    }
}
