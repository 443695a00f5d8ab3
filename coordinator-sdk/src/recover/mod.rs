//! What a site lost is made again: the worker restarted, or the lease lapsed. A new scope is opened, and the variables
//! that are needed are bound in it again, under their names, from the reads, uploads and operators that once bound
//! them. No operator is known here but the read.

mod ledger;
mod origin;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    mem,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::Instant,
};

use fondaco_proto::{ErrorCode, Shape, VarId};

pub(crate) use ledger::Ledger;

use self::{
    ledger::Needed,
    origin::{Origin, closure, items, made_of},
};
use crate::{
    Error, Result,
    batch::{Batch, BatchLimits, batch},
    connection::Connection,
    queue::{Item, lock},
};

/// How often what is sent to a site is begun again because its scope was lost: a program that brings its worker down does
/// so each time.
pub(crate) const RECOVERIES_MAX: u32 = 3;

/// Whether a worker does not know the scope any more.
pub(crate) fn is_lost(error: &Error) -> bool {
    error.code() == Some(ErrorCode::ScopeLost)
}

/// What became of the variables of a site.
pub(crate) struct Recovered {
    /// Those that could not be made again, and why not.
    pub lost: HashMap<VarId, Error>,
    /// Those of them that are bound all the same, to what they were not before.
    pub strays: Vec<VarId>,
}

/// Opens a scope anew and binds what is needed of what the ledger has.
///
/// # Errors
/// Where nothing is known of the variables yet, and another attempt may succeed: the worker is away or too busy, or it lost
/// the scope again.
pub(crate) async fn recover(
    connection: &Connection,
    ledger: &Mutex<Ledger>,
    needed: HashSet<VarId>,
) -> Result<Recovered> {
    let begun = Instant::now();
    let damaged = mem::replace(&mut lock(ledger).damaged, true);
    if damaged {
        // What an earlier attempt left: a name is bound once. If it does not go, the next attempt says so.
        let _gone_already = connection.clear(&[]).await;
    }
    connection.reopen().await?;
    let needed = lock(ledger).needed(&needed);
    let mut rebuild = Rebuild::new(connection, needed);
    rebuild.check_versions(true);
    while let Some(program) = rebuild.programs.pop_front() {
        rebuild.run(program).await?;
    }
    if rebuild.all.values().any(|origin| origin.dataset().is_some()) {
        connection.look().await?;
        rebuild.check_versions(false);
    }
    let Rebuild { bound, lost, .. } = rebuild;
    let mut ledger = lock(ledger);
    ledger.damaged = false;
    ledger.forget(lost.keys().copied());
    connection.counters.recoveries.fetch_add(1, Relaxed);
    let (site, elapsed_ms) = (&connection.name, begun.elapsed().as_millis() as u64);
    tracing::info!(%site, rebuilt = bound.len(), lost = lost.len(), elapsed_ms, "the scope was lost, and made again");
    Ok(Recovered { strays: lost.keys().copied().filter(|id| bound.contains(id)).collect(), lost })
}

/// Variables of a site on their way back.
struct Rebuild<'a> {
    connection: &'a Connection,
    /// What is needed, and all that it was made of.
    all: BTreeMap<VarId, Arc<Origin>>,
    /// What is still to be run.
    programs: VecDeque<Vec<Item>>,
    /// What is bound now.
    bound: HashSet<VarId>,
    lost: HashMap<VarId, Error>,
}

impl<'a> Rebuild<'a> {
    fn new(connection: &'a Connection, needed: Needed) -> Self {
        let Needed { origins, unknown } = needed;
        let programs = BatchLimits::of(&connection.limits()).split(items(origins.iter().cloned())).into();
        let all = closure(origins);
        let mut rebuild = Self { connection, all, programs, bound: HashSet::new(), lost: HashMap::new() };
        rebuild.lose(&unknown, "it was made while recovery was switched off; make it again");
        rebuild
    }

    /// These, and what is made of them, cannot be made again.
    fn lose(&mut self, those: &[VarId], reason: &str) {
        let error = Error::Lost { site: self.connection.name.to_string(), reason: reason.to_owned() };
        for id in those.iter().copied().chain(made_of(&self.all, those)) {
            self.lost.entry(id).or_insert_with(|| error.clone());
        }
        for program in &mut self.programs {
            program.retain(|item| !matches!(item, Item::Bind(bind) if self.lost.contains_key(&bind.output)));
        }
    }

    /// A dataset of another version would give other values, silently. `first`: of one that cannot be read now the read
    /// itself says why.
    fn check_versions(&mut self, first: bool) {
        let mut changed: BTreeMap<String, Vec<VarId>> = BTreeMap::new();
        for origin in self.all.values() {
            let Some(dataset) = origin.dataset() else { continue };
            let now = self.connection.version(dataset);
            if (now.is_none() && first) || (now.is_some() && now == origin.version) {
                continue;
            }
            changed.entry(dataset.to_owned()).or_default().push(origin.id);
        }
        for (dataset, reads) in changed {
            self.lose(&reads, &format!("dataset {dataset} has changed since it was read; read it again"));
        }
    }

    /// Runs a program; without what was refused, where the worker says what that is.
    async fn run(&mut self, program: Vec<Item>) -> Result<()> {
        let batch = batch(program.clone(), &BatchLimits::of(&self.connection.limits()));
        let refused = match self.send(&batch).await {
            Ok(shapes) => {
                self.check_shapes(&batch, &shapes);
                return Ok(());
            }
            Err(refused) => refused,
        };
        let Refused { error, output: Some(output) } = refused else { return Err(refused.error) };
        self.programs.push_front(program);
        self.lose(&[output], &format!("{error}; make it again, of less or of other data"));
        Ok(())
    }

    /// Sends what is not bound yet; the shapes that the instructions gave.
    async fn send(&mut self, batch: &Batch) -> Result<Vec<Shape>, Refused> {
        for output in &batch.uploads {
            let Some(upload) = output.upload.as_ref().filter(|_| !self.bound.contains(&output.id)) else { continue };
            let put = self.connection.put(output.id, upload).await;
            put.map_err(|error| Refused { output: is_final(&error).then_some(output.id), error })?;
            self.bound.insert(output.id);
        }
        if batch.instructions.is_empty() {
            return Ok(Vec::new());
        }
        let answer = self.connection.exec(batch.instructions.clone(), batch.inline_bytes, &[]).await;
        let answer = answer.map_err(|error| {
            let index = match &error {
                Error::Site { error, .. } => error.kind().instruction,
                _elsewhere => None,
            };
            let output = index.filter(|_| is_final(&error)).and_then(|index| batch.outputs.get(index)?.as_ref());
            Refused { output: output.map(|output| output.id), error }
        })?;
        Ok(answer.receipts.iter().map(|receipt| receipt.shape).collect())
    }

    /// Where data decide a shape, it tells that they have changed.
    fn check_shapes(&mut self, batch: &Batch, shapes: &[Shape]) {
        self.bound.extend(batch.outputs.iter().flatten().map(|output| output.id));
        for id in batch.drops() {
            self.bound.remove(&id);
        }
        for (output, shape) in batch.outputs.iter().zip(shapes) {
            let Some((output, planned)) = output.as_ref().and_then(|output| Some((output, output.shape?))) else {
                continue;
            };
            if planned != *shape {
                let reason =
                    format!("{} was {planned} and is now {shape}: the data changed; read them again", output.id);
                self.lose(&[output.id], &reason);
            }
        }
    }
}

/// Why a program was not run, and because of which variable, if it would be so again.
struct Refused {
    error: Error,
    output: Option<VarId>,
}

/// Whether a worker's refusal would be the same again.
fn is_final(error: &Error) -> bool {
    let passing = [ErrorCode::ScopeLost, ErrorCode::Busy, ErrorCode::Cancelled, ErrorCode::Unauthenticated];
    error.code().is_some_and(|code| !passing.contains(&code))
}
