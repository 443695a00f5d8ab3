//! A coordinator's connection to its sites.

use std::{collections::HashSet, fmt, pin::Pin, sync::Arc, time::Duration};

use fondaco_proto::{
    CoordinatorId, Op,
    op::{CreateOp, Distribution, Fill, Rand, Sample, Seq},
};
use ndarray::{Array2, Axis};
use tokio::{runtime::Handle, task::JoinSet};

use crate::{
    Dataset, Error, FedFrame, FedMatrix, Frame, Limits, Operand, Pending, Read, Result, Scheme, Site, Stats, blas,
    connection::Connection,
    explain::{Explained, Explanation, explain},
    layout::Layout,
    perform::{perform, scatter},
    read::Block,
    session::{Session, finished},
};

/// How often sites are told of dropped variables when no program tells them.
const LONE_DROPS_EVERY: Duration = Duration::from_secs(5);

/// A coordinator's connection to its sites, with a scope of variables at each. Dropped, it clears its scopes in the
/// background; [`Federation::close`] waits for that.
pub struct Federation {
    session: Arc<Session>,
    renewal: tokio::task::JoinHandle<()>,
}

impl fmt::Debug for Federation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Federation of {}", self.sites().join(", "))
    }
}

impl Federation {
    /// Connects to all sites in parallel, under one coordinator ID. Must be called within a tokio runtime, which then
    /// renews the leases in the background.
    ///
    /// # Errors
    /// That of the first site that cannot be used, by name: `Config`, `Unreachable`, or the worker's own.
    pub async fn connect(sites: impl IntoIterator<Item = Site>) -> Result<Self> {
        Self::connect_to(sites.into_iter().collect()).await
    }

    /// Boxed, so that all of the transport is compiled once, here, and not again in each program that connects.
    fn connect_to(sites: Vec<Site>) -> Pin<Box<dyn Future<Output = Result<Self>> + Send>> {
        Box::pin(Self::open(sites))
    }

    async fn open(sites: Vec<Site>) -> Result<Self> {
        blas::single_threaded();
        let mut names = HashSet::new();
        if let Some(site) = sites.iter().find(|site| !names.insert(&site.name)) {
            return Err(Error::Config(format!("two sites are named {}; give each its own name", site.name)));
        }
        if sites.is_empty() {
            return Err(Error::Config("a federation needs at least one site".to_owned()));
        }
        let coordinator = CoordinatorId::new();
        let mut opening = JoinSet::new();
        for (index, site) in sites.into_iter().enumerate() {
            opening.spawn(async move { (index, Connection::open(site, coordinator).await) });
        }
        let mut opened = finished(opening).await;
        opened.sort_by_key(|(index, _)| *index);
        let connections: Vec<Connection> =
            opened.into_iter().map(|(_, connection)| connection).collect::<Result<_>>()?;
        let runtime = Handle::current();
        let session = Arc::new(Session::new(connections, runtime.clone()));
        let renewal = runtime.spawn(keep_house(session.clone()));
        Ok(Self { session, renewal })
    }

    /// The sites' names, in order.
    pub fn sites(&self) -> Vec<&str> {
        self.session.sites.iter().map(|site| &*site.name).collect()
    }

    /// The datasets that each site showed when it was connected.
    pub fn datasets(&self) -> Vec<(&str, &[Dataset])> {
        self.session.sites.iter().map(|site| (&*site.name, site.datasets.as_slice())).collect()
    }

    /// What each site accepts.
    pub fn limits(&self) -> Vec<(&str, Limits)> {
        self.session.sites.iter().map(|site| (&*site.name, site.limits())).collect()
    }

    /// What the federation cost so far.
    pub fn stats(&self) -> Stats {
        Stats { sites: self.session.sites.iter().map(|site| site.counters.snapshot(&site.name)).collect() }
    }

    /// Whether row-level values may pass this coordinator on their way to other sites, for operators that need whole rows
    /// (`gram`, the chains, `axis=1`, softmax, covariances) of a matrix whose columns are at different sites. Only what the
    /// owners let out does: public data, and one's own. [`Federation::explain`] shows it. At first they may; where they
    /// may not, such operators are refused.
    pub fn allow_relays(&self, allowed: bool) {
        self.session.allow_relays(allowed);
    }

    /// Whether variables that a worker loses, because it restarts or the lease lapses, are made again from what they were
    /// made of: the same reads, uploads and operators; at first they are. A worker that is away is then waited for, some 15
    /// seconds. For this, arrays that were uploaded are kept as long as anything made of them is used. Switched off, they
    /// are not, and a lost scope is the error `SCOPE_LOST`; what is made meanwhile cannot be made again later.
    pub fn recover(&self, recovers: bool) {
        self.session.recover(recovers);
    }

    /// A dataset of that name at all sites, one row part per site in site order; [`Read`] narrows it.
    pub fn read(&self, dataset: &str) -> Read {
        self.read_parts(self.sites().into_iter().map(|site| (site, dataset)))
    }

    /// Row parts from (site, dataset) in this order; a site may come more than once.
    pub fn read_parts<S: Into<String>, D: Into<String>>(&self, parts: impl IntoIterator<Item = (S, D)>) -> Read {
        self.read_grid(parts.into_iter().map(|(site, dataset)| [(site, dataset, Vec::<String>::new())]))
    }

    /// Column parts from (site, dataset, columns) in this order: the same rows, in the same order, at every site.
    pub fn read_columns<S: Into<String>, D: Into<String>, C: Into<String>>(
        &self,
        parts: impl IntoIterator<Item = (S, D, Vec<C>)>,
    ) -> Read {
        self.read_grid([parts])
    }

    /// A grid of blocks: row bands from the top down, each of blocks (site, dataset, columns) from left to right, which
    /// hold the same rows in the same order; no columns: all of the dataset.
    pub fn read_grid<S: Into<String>, D: Into<String>, C: Into<String>>(
        &self,
        bands: impl IntoIterator<Item = impl IntoIterator<Item = (S, D, Vec<C>)>>,
    ) -> Read {
        let block = |(site, dataset, columns): (S, D, Vec<C>)| Block {
            site: site.into(),
            dataset: dataset.into(),
            columns: columns.into_iter().map(Into::into).collect(),
        };
        let bands = bands.into_iter().map(|band| band.into_iter().map(block).collect());
        Read::new(self.session.clone(), bands.collect())
    }

    /// Cuts an array along a layout of its shape, and sends each site its part. An owned array is not copied.
    ///
    /// # Errors
    /// `Plan` if the shapes differ, it is no array, or the layout names another federation's site.
    pub fn scatter(&self, array: impl Into<Operand>, layout: &Layout) -> Result<FedMatrix> {
        scatter(&self.session, array.into(), layout)
    }

    /// Deals out the rows of an array to all sites, one part each in the order of the sites; which row came where,
    /// [`Scheme::rows`] says.
    ///
    /// # Errors
    /// `Plan` if it is no array.
    pub fn scatter_by(&self, array: impl Into<Operand>, scheme: Scheme) -> Result<FedMatrix> {
        let Operand::Local(array) = array.into().into_matrix() else {
            return Err(Error::plan("scatter: the matrix is federated already"));
        };
        let dealt = scheme.rows(array.nrows() as u64, self.session.sites.len());
        let extents = self.sites().into_iter().zip(&dealt).map(|(site, rows)| (site, rows.len() as u64));
        let layout = Layout::rows(extents, array.ncols() as u64)?;
        let order: Vec<usize> = dealt.concat().into_iter().map(|row| row as usize).collect();
        self.scatter(array.select(Axis(0), &order), &layout)
    }

    /// Sends an array whole to one site.
    ///
    /// # Errors
    /// `Plan` if there is no such site.
    pub fn put_whole(&self, site: &str, array: impl Into<Operand>) -> Result<FedMatrix> {
        let array = array.into();
        let shape = array.arg().shape();
        self.scatter(array, &Layout::whole(site, shape))
    }

    /// Cuts a frame along a row layout of its shape, and sends each site its rows.
    ///
    /// # Errors
    /// `Plan` if the shapes differ, or the layout is cut by columns or names another federation's site.
    pub fn scatter_frame(&self, frame: Frame, layout: &Layout) -> Result<FedFrame> {
        FedFrame::scatter(&self.session, frame, layout)
    }

    /// Sends a frame whole to one site.
    ///
    /// # Errors
    /// `Plan` if there is no such site.
    pub fn put_frame(&self, site: &str, frame: Frame) -> Result<FedFrame> {
        let layout = Layout::whole(site, frame.shape());
        self.scatter_frame(frame, &layout)
    }

    /// `np.full(shape, value)` on a layout.
    ///
    /// # Errors
    /// `Plan` if the layout names another federation's site.
    pub fn fill(&self, layout: &Layout, value: f64) -> Result<FedMatrix> {
        self.create(CreateOp::Fill(Fill { shape: layout.shape(), value }), layout)
    }

    /// Seeded random numbers on a layout: the same for every layout of the shape.
    ///
    /// # Errors
    /// `Plan` if the layout names another federation's site.
    pub fn rand(&self, layout: &Layout, seed: u64, distribution: Distribution) -> Result<FedMatrix> {
        self.rand_sparse(layout, seed, distribution, 1.0)
    }

    /// As [`Federation::rand`], each cell drawn with probability `density`, and 0 else.
    ///
    /// # Errors
    /// `Plan` if the layout names another federation's site.
    pub fn rand_sparse(
        &self,
        layout: &Layout,
        seed: u64,
        distribution: Distribution,
        density: f64,
    ) -> Result<FedMatrix> {
        let shape = layout.shape();
        let rand = Rand { shape, seed, row_offset: 0, column_offset: 0, density, distribution };
        self.create(CreateOp::Rand(rand), layout)
    }

    /// `np.arange(start, stop, step)` of as many numbers as the layout has cells, row by row.
    ///
    /// # Errors
    /// `Plan` if the layout names another federation's site, or has more than 2^53 cells.
    pub fn seq(&self, layout: &Layout, start: f64, step: f64) -> Result<FedMatrix> {
        let shape = layout.shape();
        let seq = Seq { shape, start, step, row_offset: 0, column_offset: 0, columns: shape.columns };
        self.create(CreateOp::Seq(seq), layout)
    }

    /// `np.random.choice(population, rows, replace)` for each column of a layout, seeded: the same for every layout of
    /// the shape.
    ///
    /// # Errors
    /// `Plan` if the layout names another federation's site, or the population is too small.
    pub fn sample(&self, layout: &Layout, population: u64, replace: bool, seed: u64) -> Result<FedMatrix> {
        let shape = layout.shape();
        let sample = Sample { shape, population, replace, seed, row_offset: 0, column_offset: 0 };
        self.create(CreateOp::Sample(sample), layout)
    }

    fn create(&self, op: CreateOp, layout: &Layout) -> Result<FedMatrix> {
        perform(&self.session, &Op::Create(op), Vec::new(), Some(layout))?.fed()
    }

    /// The plan of a [`Pending`] result or of a [`FedMatrix`]: per site and stage the program, what is fused and shared, what
    /// leaves, what is relayed, bytes and round trips. Nothing is sent; see [`Explanation`] for the JSON.
    ///
    /// # Errors
    /// `Plan` if it belongs to another federation.
    pub fn explain<'a>(&self, what: impl Into<Explained<'a>>) -> Result<Explanation> {
        let what = what.into();
        let session = match what {
            Explained::Pending(pending) => pending.session(),
            Explained::Matrix(matrix) => matrix.session(),
        };
        if !Arc::ptr_eq(session, &self.session) {
            return Err(Error::plan("explain: the result belongs to another federation"));
        }
        Ok(explain(&self.session, what))
    }

    /// Several pending results in one round trip, in their order.
    ///
    /// # Errors
    /// The first of theirs.
    pub async fn fetch_all(&self, pending: impl IntoIterator<Item = Pending>) -> Result<Vec<Array2<f64>>> {
        let mut results = Vec::new();
        // The first sends all that is queued; the others are then here.
        for pending in pending.into_iter().collect::<Vec<_>>() {
            results.push(pending.await?);
        }
        Ok(results)
    }

    /// Sends all that is queued, and waits until it is done.
    pub async fn flush(&self) {
        self.session.flush().await;
    }

    /// Clears the scopes at all sites. Matrices of this federation cannot be used any more.
    ///
    /// # Errors
    /// That of the first site that did not answer.
    pub async fn close(self) -> Result<()> {
        self.session.clone().close().await
    }
}

/// Renews the leases at a third of the shortest, and sends drops that nothing else carries.
async fn keep_house(session: Arc<Session>) {
    let mut renewed = tokio::time::Instant::now();
    loop {
        let leases = session.sites.iter().map(|site| site.lease()).filter(|lease| !lease.is_zero());
        let renew_every = (leases.min().unwrap_or(Duration::MAX) / 3).max(Duration::from_millis(100));
        tokio::time::sleep(LONE_DROPS_EVERY.min(renew_every)).await;
        session.send_lone_drops().await;
        if renewed.elapsed() >= renew_every {
            session.renew().await;
            renewed = tokio::time::Instant::now();
        }
    }
}

impl Drop for Federation {
    fn drop(&mut self) {
        self.renewal.abort();
        self.session.clone().close_later();
    }
}
