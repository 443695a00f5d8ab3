//! One site's share of what is sent: its programs, one after another. Where the site loses the scope meanwhile, what is
//! needed is made again first, and the program that failed is run then.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, atomic::Ordering},
};

use fondaco_proto::{Shape, VarId};

use super::Session;
use crate::{
    Error, Result,
    batch::{Batch, BatchLimits, Output, batches},
    connection::Connection,
    queue::{Fetch, Item, lock},
    recover::{Ledger, RECOVERIES_MAX, is_lost, recover},
};

/// What became of one site's share of what was sent.
pub(super) struct Ran {
    pub site: usize,
    /// What its programs bind; with the shape, where the program committed.
    pub outputs: Vec<Output>,
    /// What its programs dropped, and what they would have dropped, had they not failed.
    pub dropped: HashSet<VarId>,
    pub undropped: Vec<VarId>,
    /// What the site lost, and could not be made again.
    pub lost: HashMap<VarId, Error>,
    pub fetches: Vec<Arc<Fetch>>,
    pub result: Result<()>,
}

impl Ran {
    pub fn succeeded(self) {
        for output in self.outputs {
            if let (Some(handle), Some(shape)) = (output.handle.upgrade(), output.bound) {
                handle.bound.get_or_init(|| Ok(shape));
            }
        }
    }
}

/// What is sent to one site.
pub(super) struct Share<'a> {
    session: &'a Session,
    connection: &'a Connection,
    ledger: &'a Mutex<Ledger>,
    site: usize,
    /// The program that is to be run now, and those after it.
    batches: VecDeque<Batch>,
    fetches: Vec<Arc<Fetch>>,
    /// What is needed by what has to wait.
    late: HashSet<VarId>,
    lost: HashMap<VarId, Error>,
    recoveries: u32,
}

impl<'a> Share<'a> {
    /// In as many programs as the site's limits ask for. `late`: what is needed by what has to wait.
    pub fn new(
        session: &'a Session,
        site: usize,
        items: Vec<Item>,
        fetches: Vec<Arc<Fetch>>,
        late: HashSet<VarId>,
    ) -> Self {
        let (connection, ledger) = (&session.sites[site], &session.ledgers[site]);
        let batches = batches(items, BatchLimits::of(&connection.limits())).into();
        Self { session, connection, ledger, site, batches, fetches, late, lost: HashMap::new(), recoveries: 0 }
    }

    /// Runs it, to the first error.
    pub async fn run(mut self) -> Ran {
        let mut result = if self.session.closed.load(Ordering::Relaxed) { Err(Error::Closed) } else { Ok(()) };
        let (mut outputs, mut dropped, mut undropped) = (Vec::new(), HashSet::new(), Vec::new());
        while !self.batches.is_empty() {
            if result.is_ok() {
                result = self.first().await;
            }
            let Some(batch) = self.batches.pop_front() else { break };
            dropped.extend(batch.drops());
            if result.is_err() {
                undropped.extend(batch.drops());
            }
            outputs.extend(batch.into_outputs());
        }
        let Self { site, fetches, lost, .. } = self;
        Ran { site, outputs, dropped, undropped, lost, fetches, result }
    }

    /// Runs the first program, on what there was before it: if that is lost, it is made again.
    async fn first(&mut self) -> Result<()> {
        if lock(self.ledger).damaged {
            let error = fondaco_proto::Error::scope_lost("the variables here are lost; connect again");
            self.lost_scope(Error::Site { site: self.connection.name.to_string(), error }).await?;
            self.check_lost()?;
        }
        loop {
            match self.attempt().await {
                Err(error) if is_lost(&error) => {
                    self.lost_scope(error).await?;
                    self.check_lost()?;
                }
                result => return result,
            }
        }
    }

    /// Makes what is needed again, after this error.
    async fn lost_scope(&mut self, mut error: Error) -> Result<()> {
        while self.session.recovers() && self.recoveries < RECOVERIES_MAX {
            self.recoveries += 1;
            let mut needed = lock(self.ledger).held();
            needed.extend(self.session.queues.uses(self.site));
            needed.extend(self.batches.iter().flat_map(Batch::uses).chain(self.late.iter().copied()));
            match recover(self.connection, self.ledger, needed).await {
                Ok(recovered) => {
                    self.session.queues.clean_up(self.site, recovered.strays);
                    self.lost.extend(recovered.lost);
                    return Ok(());
                }
                Err(again) if is_lost(&again) => error = again,
                Err(other) => return Err(other),
            }
        }
        Err(error)
    }

    /// What could not be made again may be needed by nothing here.
    fn check_lost(&self) -> Result<()> {
        let used = self.batches.iter().flat_map(Batch::uses);
        let fetched = self.fetches.iter().map(|fetch| fetch.variable.id);
        let error = used.chain(fetched).find_map(|id| self.lost.get(&id));
        error.map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Uploads what goes before the first program, then runs it.
    async fn attempt(&mut self) -> Result<()> {
        let recovers = self.session.recovers();
        let fetches = if self.batches.len() == 1 { self.fetches.as_slice() } else { &[] };
        let Some(batch) = self.batches.front_mut() else { return Ok(()) };
        for output in batch.uploads.iter_mut().filter(|output| output.bound.is_none()) {
            let Some(upload) = output.upload.clone() else { continue };
            self.connection.put(output.id, &upload).await?;
            lock(self.ledger).uploaded(output, upload.shape(), recovers);
        }
        if batch.instructions.is_empty() && fetches.is_empty() {
            return Ok(());
        }
        if recovers && batch.reads() {
            // What is read is then of this version, or of one that never comes back.
            self.connection.look().await?;
        }
        let answer = self.connection.exec(batch.instructions.clone(), batch.inline_bytes, fetches).await?;
        let shapes: Vec<Shape> = answer.receipts.iter().map(|receipt| receipt.shape).collect();
        lock(self.ledger).committed(batch, &shapes, recovers, |dataset| self.connection.version(dataset));
        for output in batch.outputs.iter().flatten() {
            if let (Some(planned), Some(bound)) = (output.shape, output.bound)
                && planned != bound
            {
                let reason = format!("{} of shape {bound}, which is not the planned one", output.id);
                return Err(self.connection.unexpected(reason));
            }
        }
        if let Some(error) = answer.refused {
            self.one_by_one(&error).await;
        }
        Ok(())
    }

    /// A worker that refuses to release one value releases none of the program's: each is asked for by itself, so that
    /// each has its own answer.
    async fn one_by_one(&mut self, error: &Error) {
        let alone = self.fetches.len() == 1 || !matches!(error, Error::Site { .. });
        for fetch in self.fetches.clone().into_iter().filter(|fetch| !fetch.is_delivered()) {
            let refused = if alone { Some(error.clone()) } else { self.fetch(&fetch).await };
            if let Some(error) = refused {
                fetch.deliver(Err(error));
            }
        }
    }

    /// Asks for a value that is bound; why it is not released, if it is not.
    async fn fetch(&mut self, fetch: &Arc<Fetch>) -> Option<Error> {
        loop {
            let error = match self.connection.exec(Vec::new(), 0, std::slice::from_ref(fetch)).await {
                Ok(answer) => return answer.refused,
                Err(error) => error,
            };
            if !is_lost(&error) {
                return Some(error);
            }
            if let Err(error) = self.lost_scope(error).await {
                return Some(error);
            }
            if let Some(error) = self.lost.get(&fetch.variable.id) {
                return Some(error.clone());
            }
        }
    }
}
