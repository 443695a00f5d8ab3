//! One table over many sites.

use std::{fmt, sync::Arc};

use fondaco_proto::{Field, Shape};

use crate::{
    Error, Frame, Result,
    layout::{Cut, Layout},
    queue::{How, Variable},
    session::{Session, resolve_frames},
    transfer::Upload,
};

/// A table whose row parts are at the sites of a federation. Cheap to clone, and never changed: what is made of it is a
/// new one. When the last handle goes, the sites drop the parts.
#[derive(Clone)]
pub struct FedFrame(Arc<Inner>);

struct Inner {
    session: Arc<Session>,
    layout: Layout,
    fields: Vec<Field>,
    parts: Vec<Arc<Variable>>,
}

impl fmt::Debug for FedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FedFrame {}", self.0.layout)?;
        self.0.fields.iter().try_for_each(|field| write!(f, ", {}: {}", field.name, field.kind))
    }
}

impl FedFrame {
    pub(crate) fn new(session: Arc<Session>, layout: Layout, fields: Vec<Field>, parts: Vec<Arc<Variable>>) -> Self {
        Self(Arc::new(Inner { session, layout, fields, parts }))
    }

    /// Sends each site its rows of a frame.
    pub(crate) fn scatter(session: &Arc<Session>, frame: Frame, layout: &Layout) -> Result<Self> {
        if layout.shape() != frame.shape() || !layout.is(Cut::Rows) {
            return Err(Error::plan(format!(
                "scatter: the frame is {}, and is cut by rows, but the layout is {layout}",
                frame.shape()
            )));
        }
        let (frame, fields) = (Arc::new(frame.clone()), frame.fields());
        let mut parts = Vec::with_capacity(layout.parts().len());
        for part in layout.parts() {
            let upload = Upload::of_frame(frame.clone(), part.rows.clone());
            let shape = upload.shape();
            parts.push(session.bind(session.site(&part.site)?, How::Upload(upload), &[], Some(shape)));
        }
        Ok(Self::new(session.clone(), layout.clone(), fields, parts))
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.0.session
    }

    pub(crate) fn parts(&self) -> &[Arc<Variable>] {
        &self.0.parts
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

    /// Names and kinds of its columns.
    pub fn fields(&self) -> &[Field] {
        &self.0.fields
    }

    /// Where its parts are.
    pub fn layout(&self) -> &Layout {
        &self.0.layout
    }

    /// All its rows, in the order of the layout. The workers release them if they are public or the tenant's own.
    ///
    /// # Errors
    /// The first error of a site; a refused release is [`fondaco_proto::ErrorCode::ReleaseDenied`].
    pub async fn collect(&self) -> Result<Frame> {
        self.check()?;
        let fetch = |(part, variable): (usize, &Arc<Variable>)| {
            self.0.session.fetch(Arc::clone(variable), self.0.layout.part_shape(part))
        };
        let fetches: Vec<_> = self.0.parts.iter().enumerate().map(fetch).collect();
        Frame::vstack(resolve_frames(&self.0.session, fetches).await?)
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
