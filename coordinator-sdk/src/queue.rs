//! What waits to be sent, per site; and how it becomes programs. No operator is known here.

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
    atomic::{AtomicU64, Ordering},
};

use fondaco_proto::{Op, Shape, VarId};
use ndarray::Array2;

use crate::{Result, transfer::Upload};

/// A variable at one site. When its last handle goes, its drop is queued.
pub(crate) struct Variable {
    pub id: VarId,
    pub site: usize,
    /// Set when its program was answered: its shape, or the error that every use of it repeats.
    pub bound: OnceLock<Result<Shape>>,
    queues: Arc<Queues>,
}

impl Variable {
    /// The error of the program that should have bound it.
    pub fn check(&self) -> Result<()> {
        match self.bound.get() {
            Some(Err(error)) => Err(error.clone()),
            Some(Ok(_)) | None => Ok(()),
        }
    }
}

impl Drop for Variable {
    fn drop(&mut self) {
        self.queues.push(self.site, Item::Drop(self.id));
    }
}

/// A value that is to be released with the next program.
pub(crate) struct Fetch {
    pub variable: Arc<Variable>,
    pub shape: Shape,
    value: Mutex<Option<Result<Array2<f64>>>>,
}

impl Fetch {
    /// Whether it was answered.
    pub fn is_delivered(&self) -> bool {
        lock(&self.value).is_some()
    }

    /// The value, once; `None` before it was answered.
    pub fn take(&self) -> Option<Result<Array2<f64>>> {
        lock(&self.value).take()
    }

    pub fn deliver(&self, value: Result<Array2<f64>>) {
        *lock(&self.value) = Some(value);
    }
}

/// One thing to be done at a site.
pub(crate) enum Item {
    Bind(Bind),
    /// The last handle went.
    Drop(VarId),
    /// A worker has what no handle speaks of any more: it was part of a program that failed elsewhere.
    Cleanup(VarId),
}

/// A variable to be bound.
pub(crate) struct Bind {
    pub output: VarId,
    pub how: How,
    pub inputs: Vec<VarId>,
    /// Its planned shape; none where only the data know it.
    pub shape: Option<Shape>,
    pub handle: Weak<Variable>,
}

/// From what a variable is bound.
pub(crate) enum How {
    Op(Op),
    Upload(Upload),
}

/// What waits for one site.
#[derive(Default)]
pub(crate) struct SiteQueue {
    pub items: Vec<Item>,
    pub fetches: Vec<Weak<Fetch>>,
}

/// What waits for all sites.
#[derive(Default)]
pub(crate) struct Queues {
    sites: Mutex<Vec<SiteQueue>>,
    variables: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in this file panics while it holds a lock, so what a poisoned one guards is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queues {
    pub fn new(sites: usize) -> Arc<Self> {
        let queues = std::iter::repeat_with(SiteQueue::default).take(sites).collect();
        Arc::new(Self { sites: Mutex::new(queues), variables: AtomicU64::new(0) })
    }

    fn push(&self, site: usize, item: Item) -> usize {
        let mut sites = lock(&self.sites);
        sites[site].items.push(item);
        sites[site].items.len()
    }

    /// Queues an instruction; the variable that it will bind, and how many items now wait for the site.
    pub fn bind(
        self: &Arc<Self>,
        site: usize,
        how: How,
        inputs: Vec<VarId>,
        shape: Option<Shape>,
    ) -> (Arc<Variable>, usize) {
        let id = VarId(self.variables.fetch_add(1, Ordering::Relaxed) + 1);
        let variable = Arc::new(Variable { id, site, bound: OnceLock::new(), queues: self.clone() });
        let handle = Arc::downgrade(&variable);
        let waiting = self.push(site, Item::Bind(Bind { output: id, how, inputs, shape, handle }));
        (variable, waiting)
    }

    /// Queues a release.
    pub fn fetch(&self, variable: Arc<Variable>, shape: Shape) -> Arc<Fetch> {
        let site = variable.site;
        let fetch = Arc::new(Fetch { variable, shape, value: Mutex::new(None) });
        lock(&self.sites)[site].fetches.push(Arc::downgrade(&fetch));
        fetch
    }

    /// Queues drops of what a worker has, but should not.
    pub fn clean_up(&self, site: usize, variables: impl IntoIterator<Item = VarId>) {
        lock(&self.sites)[site].items.extend(variables.into_iter().map(Item::Cleanup));
    }

    /// Takes all that waits, at all sites at one moment; but for sites where drops alone wait: those ride with the
    /// site's next program, or go by [`Queues::take_lone_drops`], so that nobody waits for a site that he asks nothing.
    pub fn take(&self) -> Vec<SiteQueue> {
        let take =
            |queue: &mut SiteQueue| if queue.only_drops() { SiteQueue::default() } else { std::mem::take(queue) };
        lock(&self.sites).iter_mut().map(take).collect()
    }

    /// Takes what waits for a site, if it is drops alone.
    pub fn take_lone_drops(&self, site: usize) -> SiteQueue {
        let mut sites = lock(&self.sites);
        if sites[site].only_drops() { std::mem::take(&mut sites[site]) } else { SiteQueue::default() }
    }
}

impl SiteQueue {
    fn only_drops(&self) -> bool {
        let asked = self.fetches.iter().any(|fetch| fetch.strong_count() > 0);
        !asked && !self.items.iter().any(|item| matches!(item, Item::Bind(_)))
    }
}
