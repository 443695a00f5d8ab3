//! Reading datasets: each site binds what it has, and says how many rows that is.

use std::{future::IntoFuture, pin::Pin, sync::Arc};

use fondaco_proto::{
    Field, Op, Shape,
    op::{self, CreateOp, Filter},
};

use crate::{
    Error, FedFrame, FedMatrix, Result,
    layout::{Cut, Layout},
    queue::{How, Variable},
    session::Session,
};

/// A read in the making; await it for the matrix, in which nulls are NaN, or ask for the frame.
#[must_use = "a read is awaited"]
#[derive(Clone)]
pub struct Read {
    session: Arc<Session>,
    /// Row bands, each from left to right.
    bands: Vec<Vec<Block>>,
    filter: Option<Filter>,
}

/// What one part is read from.
#[derive(Clone, Default)]
pub(crate) struct Block {
    pub site: String,
    pub dataset: String,
    /// Those of this part alone; none: all.
    pub columns: Vec<String>,
}

impl std::fmt::Debug for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Read of {} parts", self.blocks().count())
    }
}

impl Read {
    pub(crate) fn new(session: Arc<Session>, bands: Vec<Vec<Block>>) -> Self {
        Self { session, bands, filter: None }
    }

    fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.bands.iter().flatten()
    }

    /// These columns, in this order, of every part; without it, all columns.
    pub fn columns<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        let columns: Vec<String> = columns.into_iter().map(Into::into).collect();
        for block in self.bands.iter_mut().flatten() {
            block.columns.clone_from(&columns);
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
        let block = self.blocks().next().cloned().unwrap_or_default();
        let at = |site: S| vec![Block { site: site.as_ref().to_owned(), ..block.clone() }];
        self.bands = sites.into_iter().map(at).collect();
        self
    }

    /// Reads at all sites in parallel; what else is queued goes along.
    ///
    /// # Errors
    /// A site's (no such dataset or column, text in a matrix); `Plan` if the parts do not fit together.
    pub async fn read(self) -> Result<FedMatrix> {
        let (layout, parts) = self.bind(false).await?;
        Ok(FedMatrix::new(self.session, layout, parts))
    }

    /// The same as a frame, with columns of texts too; row parts alone.
    ///
    /// # Errors
    /// A site's (no such dataset or column); `Plan` if the parts do not fit together, or a column is not of one kind at
    /// all sites.
    pub async fn frame(self) -> Result<FedFrame> {
        if self.bands.iter().any(|band| band.len() != 1) {
            return Err(Error::plan("read: a frame has row parts; columns at different sites are read as matrices"));
        }
        let fields = self.fields()?;
        let (layout, parts) = self.bind(true).await?;
        if layout.shape().columns != fields.len() as u64 {
            return Err(Error::plan(
                "read: the columns have changed since the federation was connected; connect again",
            ));
        }
        Ok(FedFrame::new(self.session, layout, fields, parts))
    }

    /// The columns of a frame, as the sites described them.
    fn fields(&self) -> Result<Vec<Field>> {
        let mut fields: Option<(&str, Vec<Field>)> = None;
        for Block { site, dataset, columns } in self.blocks() {
            let of_part = self.session.sites[self.session.site(site)?].fields(dataset, columns)?;
            match &fields {
                Some((first, known)) if *known != of_part => {
                    let differs = known.iter().zip(&of_part).find(|(a, b)| a != b);
                    let differs = differs.map_or_else(String::new, |(a, b)| {
                        format!(": {} ({}) there, {} ({}) here", a.name, a.kind, b.name, b.kind)
                    });
                    return Err(Error::plan(format!(
                        "read: {dataset} has other columns at {site} than at {first}{differs}; name those that are alike"
                    )));
                }
                Some(_) => {}
                None => fields = Some((site, of_part)),
            }
        }
        Ok(fields.map(|(_, fields)| fields).unwrap_or_default())
    }

    async fn bind(&self, frame: bool) -> Result<(Layout, Vec<Arc<Variable>>)> {
        let across = self.bands.first().map_or(0, Vec::len);
        if across == 0 {
            return Err(Error::plan("read: at least one site is needed"));
        }
        if let Some(band) = self.bands.iter().find(|band| band.len() != across) {
            let message =
                format!("read: every row band needs as many blocks, but one has {across}, another {}", band.len());
            return Err(Error::plan(message));
        }
        let sites: Vec<usize> = self.blocks().map(|block| self.session.site(&block.site)).collect::<Result<_>>()?;
        let mut variables: Vec<Arc<Variable>> = Vec::new();
        for (Block { dataset, columns, .. }, site) in self.blocks().zip(sites) {
            let (dataset, columns) = (dataset.clone(), columns.clone());
            let read = op::Read { dataset, columns, filter: self.filter.clone(), frame };
            let op = Op::Create(CreateOp::Read(read));
            variables.push(self.session.bind(site, How::Op(op), &[], None));
        }
        let shapes = self.session.shapes(&variables).await?;
        let heights = self.extents(Cut::Rows, &shapes)?;
        let widths = self.extents(Cut::Columns, &shapes)?;
        let (rows, columns) = (Layout::kept(&heights), Layout::kept(&widths));
        let kept = rows.iter().flat_map(|row| columns.iter().map(move |column| row * across + column));
        let parts = kept.map(|block| variables[block].clone()).collect();
        let layout = Layout::grid(heights, widths, self.blocks().map(|block| block.site.as_str()))?;
        Ok((layout, parts))
    }

    /// The height of each row band, or the width of each column band: that of each of its blocks.
    fn extents(&self, cut: Cut, shapes: &[Shape]) -> Result<Vec<u64>> {
        let (blocks, across): (Vec<&Block>, usize) = (self.blocks().collect(), self.bands[0].len());
        let (bands, step) = if cut == Cut::Rows { (self.bands.len(), 1) } else { (across, across) };
        let mut extents = Vec::with_capacity(bands);
        for band in 0..bands {
            let first = if cut == Cut::Rows { band * across } else { band };
            let extent = cut.extent(shapes[first]);
            let mut others = (first..blocks.len()).step_by(step).take(blocks.len() / bands);
            if let Some(other) = others.find(|&other| cut.extent(shapes[other]) != extent) {
                return Err(Error::plan(format!(
                    "read: {} of {} has {} {cut}s, but {} of {} has {extent}; {} each other all parts need as many",
                    blocks[other].dataset,
                    blocks[other].site,
                    cut.extent(shapes[other]),
                    blocks[first].dataset,
                    blocks[first].site,
                    if cut == Cut::Rows { "beside" } else { "below" }
                )));
            }
            extents.push(extent);
        }
        Ok(extents)
    }
}

impl IntoFuture for Read {
    type Output = Result<FedMatrix>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.read())
    }
}
