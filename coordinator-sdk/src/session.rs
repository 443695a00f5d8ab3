//! The sites of one federation, what waits for them, and how it is sent: all sites in parallel, one program each.

mod share;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex as StdMutex,
        atomic::{AtomicBool, Ordering},
    },
};

use fondaco_proto::{Shape, VarId};
use ndarray::Array2;
use tokio::{runtime::Handle, sync::Mutex, task::JoinSet};

use crate::{
    Error, Frame, Result,
    connection::Connection,
    queue::{Fetch, How, Item, Queues, SiteQueue, Variable, lock},
    recover::{Ledger, is_lost},
    session::share::{Ran, Share},
    stage::Waiting,
    transfer::Released,
};

/// The sites of one federation, and what waits for them.
pub(crate) struct Session {
    pub sites: Vec<Connection>,
    /// What each site has bound.
    ledgers: Vec<StdMutex<Ledger>>,
    queues: Arc<Queues>,
    /// Held while programs are under way, so that each sees what the one before it bound. The errors are those of
    /// variables that were never bound and still have handles.
    flight: Mutex<HashMap<VarId, Error>>,
    runtime: Handle,
    /// Whether row-level values may pass the coordinator on their way to other sites.
    relays: AtomicBool,
    /// Whether what a site loses is made again.
    recovers: AtomicBool,
    closed: AtomicBool,
}

impl Session {
    pub fn new(sites: Vec<Connection>, runtime: Handle) -> Self {
        let queues = Queues::new(sites.len());
        Self {
            ledgers: sites.iter().map(|_| StdMutex::default()).collect(),
            sites,
            queues,
            flight: Mutex::default(),
            runtime,
            relays: AtomicBool::new(true),
            recovers: AtomicBool::new(true),
            closed: AtomicBool::new(false),
        }
    }

    /// Whether row-level values may pass the coordinator on their way to other sites.
    pub fn relays(&self) -> bool {
        self.relays.load(Ordering::Relaxed)
    }

    pub fn allow_relays(&self, allowed: bool) {
        self.relays.store(allowed, Ordering::Relaxed);
    }

    /// Whether what a site loses is made again.
    pub fn recovers(&self) -> bool {
        self.recovers.load(Ordering::Relaxed)
    }

    pub fn recover(&self, recovers: bool) {
        self.recovers.store(recovers, Ordering::Relaxed);
        self.sites.iter().for_each(|site| site.wait_for_it(recovers));
        if !recovers {
            self.ledgers.iter().for_each(|ledger| lock(ledger).forget_origins());
        }
    }

    /// What waits, without taking it: what was set aside first.
    pub fn waiting(&self) -> Vec<Vec<SiteQueue>> {
        self.queues.look()
    }

    /// The index of a site.
    pub fn site(&self, name: &str) -> Result<usize> {
        self.sites.iter().position(|site| &*site.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.sites.iter().map(|site| &*site.name).collect();
            Error::plan(format!("there is no site {name} in this federation; it has {}", names.join(", ")))
        })
    }

    /// Queues an instruction. What waits is sent when a program is full, at the latest.
    pub fn bind(
        self: &Arc<Self>,
        site: usize,
        how: How,
        inputs: &[Arc<Variable>],
        shape: Option<Shape>,
    ) -> Arc<Variable> {
        let (variable, waiting) = self.queues.bind(site, how, inputs, shape);
        if waiting >= self.sites[site].limits().program_instructions_max.max(1) as usize {
            self.queues.set_aside();
            let session = self.clone();
            self.runtime.spawn(async move { session.send(false).await });
        }
        variable
    }

    /// Queues a release.
    pub fn fetch(&self, variable: Arc<Variable>, shape: Shape) -> Arc<Fetch> {
        self.queues.fetch(variable, shape)
    }

    /// Sends all that waits, and waits for the answers. It goes on if the caller leaves.
    pub async fn flush(self: &Arc<Self>) {
        let session = self.clone();
        if let Err(error) = self.runtime.spawn(async move { session.send(true).await }).await {
            tracing::debug!(%error, "a program was not finished");
        }
    }

    /// Sends all that waits; the shapes of these variables, which only receipts tell.
    ///
    /// # Errors
    /// The first of the programs that should have bound them.
    pub async fn shapes(self: &Arc<Self>, variables: &[Arc<Variable>]) -> Result<Vec<Shape>> {
        self.flush().await;
        let shape = |variable: &Arc<Variable>| variable.bound.get().cloned().unwrap_or(Err(Error::Closed));
        variables.iter().map(shape).collect()
    }

    /// Sends what was set aside and, if it is asked for, what else waits.
    async fn send(self: Arc<Self>, all: bool) {
        let mut failed = self.flight.lock().await;
        while let Some(full) = self.queues.take_full() {
            self.send_queues(full, &mut failed).await;
        }
        if all {
            self.send_queues(self.queues.take_waiting(), &mut failed).await;
        }
    }

    /// Sends it, stage after stage: what needs a relay goes when the sites have released what is relayed.
    async fn send_queues(self: &Arc<Self>, queues: Vec<SiteQueue>, failed: &mut HashMap<VarId, Error>) {
        let mut waiting = Waiting::of(queues);
        loop {
            let before: usize = waiting.iter().map(Waiting::len).sum();
            let mut programs = JoinSet::new();
            for (site, waiting) in waiting.iter_mut().enumerate() {
                let (items, fetches) = waiting.ready(failed);
                if !items.is_empty() || !fetches.is_empty() {
                    let (session, late) = (self.clone(), waiting.uses());
                    programs.spawn(async move { Share::new(&session, site, items, fetches, late).run().await });
                }
            }
            // An error may have reached a relay, and what waits for it.
            if programs.is_empty() && waiting.iter().map(Waiting::len).sum::<usize>() == before {
                return;
            }
            let mut ran = finished(programs).await;
            ran.sort_by_key(|ran| ran.site);
            let error = ran.iter().find_map(|ran| ran.result.as_ref().err().cloned());
            for mut ran in ran {
                let lost = std::mem::take(&mut ran.lost);
                failed.extend(lost.into_iter().filter(|(id, _)| !ran.dropped.contains(id)));
                match &error {
                    None => ran.succeeded(),
                    Some(error) => self.undo(ran, error, failed),
                }
            }
            for (site, waiting) in waiting.iter_mut().enumerate().filter(|(_, waiting)| !waiting.is_empty()) {
                waiting.more(self.queues.take_lone_drops(site).items);
            }
        }
    }

    /// A program failed at some site: what was bound is dropped, and every handle repeats the error.
    fn undo(&self, ran: Ran, error: &Error, failed: &mut HashMap<VarId, Error>) {
        let own: HashSet<VarId> = ran.outputs.iter().map(|output| output.id).collect();
        self.clean_up(ran.site, ran.undropped.into_iter().filter(|id| !own.contains(id)).collect());
        for output in ran.outputs {
            if !ran.dropped.contains(&output.id) {
                failed.insert(output.id, error.clone());
            }
            // In a later program of the same share it may have been dropped already; a second drop does no harm.
            if output.bound.is_some() {
                self.clean_up(ran.site, vec![output.id]);
            }
            if let Some(handle) = output.handle.upgrade() {
                handle.bound.get_or_init(|| Err(error.clone()));
            }
        }
        for fetch in ran.fetches.iter().filter(|fetch| !fetch.is_delivered()) {
            fetch.deliver(Err(error.clone()));
        }
    }

    /// Queues drops of what a site has, but nobody can use.
    fn clean_up(&self, site: usize, variables: Vec<VarId>) {
        lock(&self.ledgers[site]).forget(variables.iter().copied());
        self.queues.clean_up(site, variables);
    }

    /// Renews all leases. A scope that is lost is noticed by the next program.
    pub async fn renew(&self) {
        for connection in &self.sites {
            if let Err(error) = connection.renew().await {
                tracing::debug!(%error, "a lease was not renewed");
            }
        }
    }

    /// Sends the drops of sites where nothing else waits. What a site does not take is dropped with its scope.
    pub async fn send_lone_drops(&self) {
        for (site, connection) in self.sites.iter().enumerate() {
            let mut failed = self.flight.lock().await;
            let mut drops = Waiting::of(vec![self.queues.take_lone_drops(site)]);
            let items = drops.iter_mut().flat_map(|drops| drops.ready(&mut failed).0).collect::<Vec<_>>();
            let dropped: Vec<VarId> = items
                .iter()
                .filter_map(|item| match item {
                    Item::Drop(id) | Item::Cleanup(id) => Some(*id),
                    Item::Bind(_) => None,
                })
                .collect();
            lock(&self.ledgers[site]).forget(dropped.iter().copied());
            if !dropped.is_empty()
                && let Err(error) = connection.clear(&dropped).await
            {
                tracing::debug!(%error, "variables were not dropped");
            }
        }
    }

    /// Clears the scopes, after what is under way. The first error, if a site did not answer; later calls do nothing.
    pub async fn close(self: Arc<Self>) -> Result<()> {
        if self.closed.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let _flight = self.flight.lock().await;
        let mut clears = JoinSet::new();
        for site in 0..self.sites.len() {
            let session = self.clone();
            clears.spawn(async move { (site, session.sites[site].clear(&[]).await) });
        }
        let mut cleared = finished(clears).await;
        cleared.sort_by_key(|(site, _)| *site);
        // What is lost is cleared.
        let is_gone = |error: &Error| self.recovers() && is_lost(error);
        let failed = cleared.into_iter().filter_map(|(_, result)| result.err());
        failed.into_iter().find(|error| !is_gone(error)).map_or(Ok(()), Err)
    }

    /// Closes in the background, if the runtime is still there.
    pub fn close_later(self: Arc<Self>) {
        let runtime = self.runtime.clone();
        runtime.spawn(async move {
            if let Err(error) = self.close().await {
                tracing::debug!(%error, "a scope was not cleared");
            }
        });
    }
}

/// What all tasks gave, but for those that a stopping runtime has cut off.
pub(crate) async fn finished<T: 'static>(mut tasks: JoinSet<T>) -> Vec<T> {
    let mut results = Vec::with_capacity(tasks.len());
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok(result) => results.push(result),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_cut_off) => {}
        }
    }
    results
}

/// Waits for all of these matrices; what is not answered yet is sent.
pub(crate) async fn resolve(session: &Arc<Session>, fetches: Vec<Arc<Fetch>>) -> Result<Vec<Array2<f64>>> {
    released(session, fetches).await?.into_iter().map(Released::matrix).collect()
}

/// Waits for all of these frames; what is not answered yet is sent.
pub(crate) async fn resolve_frames(session: &Arc<Session>, fetches: Vec<Arc<Fetch>>) -> Result<Vec<Frame>> {
    released(session, fetches).await?.into_iter().map(Released::frame).collect()
}

async fn released(session: &Arc<Session>, fetches: Vec<Arc<Fetch>>) -> Result<Vec<Released>> {
    if !fetches.iter().all(|fetch| fetch.is_delivered()) {
        session.flush().await;
    }
    fetches.into_iter().map(|fetch| fetch.take().unwrap_or(Err(Error::Closed))).collect()
}
