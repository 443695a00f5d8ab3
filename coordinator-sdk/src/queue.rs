//! What waits to be sent, per site. No operator is known here.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use fondaco_proto::{Op, Shape, VarId};

use crate::{
    Result,
    transfer::{Released, Upload},
};

/// A variable at one site. When its last handle goes, its drop is queued.
pub(crate) struct Variable {
    pub id: VarId,
    pub site: usize,
    /// Set when its program was answered: its shape, or the error that every use of it repeats.
    pub bound: OnceLock<Result<Shape>>,
    /// As planned; only what the data decide has none.
    planned: Option<Shape>,
    /// How often it was asked for.
    asked: AtomicUsize,
    queues: Weak<Queues>,
}

impl Variable {
    /// The error of the program that should have bound it.
    pub fn check(&self) -> Result<()> {
        match self.bound.get() {
            Some(Err(error)) => Err(error.clone()),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    /// Its shape, as far as it is known.
    pub fn shape(&self) -> Option<Shape> {
        self.planned.or_else(|| self.bound.get()?.as_ref().ok().copied())
    }

    /// How often it was asked for: what is the same is computed once.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Variable {
    fn drop(&mut self) {
        if let Some(queues) = self.queues.upgrade() {
            queues.push(self.site, Item::Drop(self.id));
        }
    }
}

/// A value that is to be released with the next program.
pub(crate) struct Fetch {
    pub variable: Arc<Variable>,
    pub shape: Shape,
    value: Mutex<Option<Result<Released>>>,
}

impl Fetch {
    /// Whether it was answered.
    pub fn is_delivered(&self) -> bool {
        lock(&self.value).is_some()
    }

    /// The value, of which the last one who asked for it gets the original; `None` before it was answered.
    pub fn take(self: Arc<Self>) -> Option<Result<Released>> {
        match Arc::try_unwrap(self) {
            Ok(last) => last.value.into_inner().unwrap_or_else(PoisonError::into_inner),
            Err(shared) => lock(&shared.value).clone(),
        }
    }

    pub fn deliver(&self, value: Result<Released>) {
        *lock(&self.value) = Some(value);
    }
}

/// One thing to be done at a site.
#[derive(Clone)]
pub(crate) enum Item {
    Bind(Bind),
    /// The last handle went.
    Drop(VarId),
    /// A worker has what no handle speaks of any more: it was part of a program that failed elsewhere.
    Cleanup(VarId),
}

/// A variable to be bound.
#[derive(Clone)]
pub(crate) struct Bind {
    pub output: VarId,
    pub how: How,
    pub inputs: Vec<Used>,
    /// Its planned shape; none where only the data know it.
    pub shape: Option<Shape>,
    pub handle: Weak<Variable>,
    /// What was written in several instructions, if it is now this one.
    pub fused: Option<&'static str>,
}

/// A variable as an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Used {
    pub id: VarId,
    /// As far as it is known.
    pub shape: Option<Shape>,
}

/// From what a variable is bound.
#[derive(Clone)]
pub(crate) enum How {
    Op(Op),
    Upload(Upload),
}

/// What waits for one site.
#[derive(Default)]
pub(crate) struct SiteQueue {
    pub items: Vec<Item>,
    pub fetches: Vec<Weak<Fetch>>,
    /// What these items bind, so that the same is computed once, and sent once, also where nobody holds it any more.
    remembered: Vec<Arc<Variable>>,
    /// Which of these an operator gives on these inputs.
    computed: HashMap<Computed, usize>,
    /// Which of these was uploaded.
    sent: Vec<(Upload, usize)>,
}

/// An operator, by its canonical bytes, on its inputs.
type Computed = (blake3::Hash, Vec<VarId>);

/// By what the same instruction is known.
enum Name {
    Computed(Computed),
    Sent(Upload),
}

impl Name {
    fn of(how: &How, inputs: &[Used]) -> Self {
        match how {
            How::Op(op) => {
                Self::Computed((blake3::hash(&op.canonical()), inputs.iter().map(|input| input.id).collect()))
            }
            How::Upload(upload) => Self::Sent(upload.clone()),
        }
    }
}

/// What waits for all sites.
#[derive(Default)]
pub(crate) struct Queues {
    sites: Mutex<Vec<SiteQueue>>,
    /// What fills programs, and waits to be sent before the rest. Where one ends follows from what was queued alone.
    full: Mutex<VecDeque<Vec<SiteQueue>>>,
    variables: AtomicU64,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these locks, so what a poisoned one guards is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queues {
    pub fn new(sites: usize) -> Arc<Self> {
        let queues = std::iter::repeat_with(SiteQueue::default).take(sites).collect();
        Arc::new(Self { sites: Mutex::new(queues), ..Self::default() })
    }

    fn push(&self, site: usize, item: Item) -> usize {
        let mut sites = lock(&self.sites);
        sites[site].items.push(item);
        sites[site].items.len()
    }

    /// Queues an instruction, if the same one does not wait already; the variable that it will bind, and how many items
    /// now wait for the site.
    pub fn bind(
        self: &Arc<Self>,
        site: usize,
        how: How,
        inputs: &[Arc<Variable>],
        shape: Option<Shape>,
    ) -> (Arc<Variable>, usize) {
        let inputs: Vec<Used> = inputs.iter().map(|input| Used { id: input.id, shape: input.shape() }).collect();
        // What only the data decide is asked of them each time.
        let name = shape.map(|_| Name::of(&how, &inputs));
        let mut sites = lock(&self.sites);
        let queue = &mut sites[site];
        if let Some(known) = name.as_ref().and_then(|name| queue.known(name)) {
            known.asked.fetch_add(1, Ordering::Relaxed);
            return (known, queue.items.len());
        }
        let variable = Arc::new(Variable {
            id: VarId(self.variables.fetch_add(1, Ordering::Relaxed) + 1),
            site,
            bound: OnceLock::new(),
            planned: shape,
            asked: AtomicUsize::new(1),
            queues: Arc::downgrade(self),
        });
        if let Some(name) = name {
            queue.remember(name, variable.clone());
        }
        let (output, handle) = (variable.id, Arc::downgrade(&variable));
        queue.items.push(Item::Bind(Bind { output, how, inputs, shape, handle, fused: None }));
        (variable, queue.items.len())
    }

    /// Queues a release, if it does not wait already.
    pub fn fetch(&self, variable: Arc<Variable>, shape: Shape) -> Arc<Fetch> {
        // A variable that is given up takes the lock: what was looked at goes after it is given back.
        let (fetch, _looked_at) = {
            let mut sites = lock(&self.sites);
            let queue = &mut sites[variable.site];
            let waiting: Vec<Arc<Fetch>> = queue.fetches.iter().filter_map(Weak::upgrade).collect();
            let same = waiting.iter().find(|fetch| Arc::ptr_eq(&fetch.variable, &variable)).cloned();
            let fetch = same.unwrap_or_else(|| {
                let fetch = Arc::new(Fetch { variable, shape, value: Mutex::new(None) });
                queue.fetches.push(Arc::downgrade(&fetch));
                fetch
            });
            (fetch, waiting)
        };
        fetch
    }

    /// Queues drops of what a worker has, but should not.
    pub fn clean_up(&self, site: usize, variables: impl IntoIterator<Item = VarId>) {
        lock(&self.sites)[site].items.extend(variables.into_iter().map(Item::Cleanup));
    }

    /// What waits for a site is applied to these.
    pub fn uses(&self, site: usize) -> HashSet<VarId> {
        let inputs = |queue: &SiteQueue| {
            let binds = queue.items.iter().filter_map(|item| match item {
                Item::Bind(bind) => Some(bind),
                Item::Drop(_) | Item::Cleanup(_) => None,
            });
            binds.flat_map(|bind| bind.inputs.iter().map(|input| input.id)).collect::<Vec<_>>()
        };
        let mut uses: HashSet<VarId> = lock(&self.full).iter().flat_map(|queues| inputs(&queues[site])).collect();
        uses.extend(inputs(&lock(&self.sites)[site]));
        uses
    }

    /// Puts all that waits aside, to be sent before what comes.
    pub fn set_aside(&self) {
        let queues = self.take_waiting();
        lock(&self.full).push_back(queues);
    }

    /// All that waits, without taking it: what was set aside, then the rest, for each site.
    pub fn look(&self) -> Vec<Vec<SiteQueue>> {
        let copies = |queues: &[SiteQueue]| queues.iter().map(SiteQueue::copy).collect();
        let mut waiting: Vec<Vec<SiteQueue>> = lock(&self.full).iter().map(|queues| copies(queues)).collect();
        waiting.push(copies(&lock(&self.sites)));
        waiting
    }

    /// Takes what was set aside first.
    pub fn take_full(&self) -> Option<Vec<SiteQueue>> {
        lock(&self.full).pop_front()
    }

    /// Takes all that waits, at all sites at one moment; but for sites where drops alone wait: those ride with the
    /// site's next program, or go by [`Queues::take_lone_drops`], so that nobody waits for a site that he asks nothing.
    pub fn take_waiting(&self) -> Vec<SiteQueue> {
        // What is remembered for its sake alone is dropped in the same programs.
        let forgotten: Vec<_> = lock(&self.sites).iter_mut().map(SiteQueue::forget).collect();
        drop(forgotten);
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

    /// What would be taken now.
    fn copy(&self) -> Self {
        // What nobody else holds would be dropped.
        let alone = self.remembered.iter().filter(|variable| Arc::strong_count(variable) == 1);
        let drops = alone.map(|variable| Item::Drop(variable.id));
        let items = self.items.iter().cloned().chain(drops).collect();
        Self { items, fetches: self.fetches.clone(), ..Self::default() }
    }

    fn known(&self, name: &Name) -> Option<Arc<Variable>> {
        let index = match name {
            Name::Computed(computed) => self.computed.get(computed).copied(),
            Name::Sent(upload) => {
                let same = self.sent.iter().find(|(sent, _)| sent.is_same(upload));
                if let Some((known, relay)) = same.and_then(|(sent, _)| Some((sent.relay()?, upload.relay()?))) {
                    known.share(relay);
                }
                same.map(|(_, index)| *index)
            }
        };
        index.map(|index| self.remembered[index].clone())
    }

    fn remember(&mut self, name: Name, variable: Arc<Variable>) {
        let index = self.remembered.len();
        match name {
            Name::Computed(computed) => drop(self.computed.insert(computed, index)),
            Name::Sent(upload) => self.sent.push((upload, index)),
        }
        self.remembered.push(variable);
    }

    fn forget(&mut self) -> Vec<Arc<Variable>> {
        self.computed.clear();
        self.sent.clear();
        std::mem::take(&mut self.remembered)
    }
}
