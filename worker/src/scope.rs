//! Scopes: the variables of one (tenant, coordinator ID). Programs are staged and committed whole; a foreign scope
//! and an absent one look the same.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use dashmap::DashMap;
use fondaco_lineage::{Reach, TenantTag, Trace};
use fondaco_proto::{CoordinatorId, Epoch, Error, Instruction, Program, ProgramId, Result, Shape, VarId};

use crate::{
    auth::Tenant, cancel::Cancel, config::Limits, label::Label, names::NameSet, quota::Charge, support::Support,
    value::Value,
};

use self::{kept::KeptAnswers, uploads::Uploads};

mod kept;
mod uploads;

/// What a variable is bound to: what belongs together, stored together.
#[derive(Debug)]
pub struct Bound {
    /// The value.
    pub value: Value,
    /// The rows behind its weakest cell.
    pub support: Support,
    /// How it came to be.
    pub trace: Arc<Trace>,
    /// Who may reuse it.
    pub reach: Reach,
    /// What the owner's rules say about releasing it.
    pub label: Label,
    /// What the tenant pays for it, as long as it is held.
    #[expect(dead_code, reason = "held for what its drop gives back")]
    pub charge: Charge,
}

/// Values by name.
type Values = HashMap<VarId, Arc<Bound>>;

/// What one instruction did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Receipt {
    /// The result's shape; none for a drop.
    pub shape: Option<Shape>,
    /// Whether the value was reused.
    pub hit: bool,
    /// Time of the tenant's own computing.
    pub compute: Duration,
    /// Whether the value was computed within the instruction that uses it.
    pub fused: bool,
}

/// What a committed program answers, also to a retry.
#[derive(Debug)]
pub struct Outcome {
    /// One per instruction.
    pub receipts: Vec<Receipt>,
    /// The values that it names for release, not yet released.
    pub fetched: Vec<(VarId, Arc<Bound>)>,
}

/// The variables of one (tenant, coordinator ID), for one lease.
#[derive(Debug)]
pub struct Scope {
    tenant: Tenant,
    coordinator: CoordinatorId,
    epoch: Epoch,
    /// Cancelled when the scope ends; programs watch it.
    ended: Cancel,
    busy: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    used: Instant,
    variables: Values,
    /// Names that were ever bound, or are about to be.
    taken: NameSet,
    kept: KeptAnswers,
    running: HashSet<ProgramId>,
}

impl Scope {
    fn new(tenant: Tenant, coordinator: CoordinatorId) -> Self {
        let state = State {
            used: Instant::now(),
            variables: HashMap::new(),
            taken: NameSet::default(),
            kept: KeptAnswers::default(),
            running: HashSet::new(),
        };
        Self {
            tenant,
            coordinator,
            epoch: Epoch(uuid::Uuid::new_v4().as_u64_pair().0.max(1)),
            ended: Cancel::default(),
            busy: AtomicUsize::new(0),
            state: Mutex::new(state),
        }
    }

    /// Whose it is.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Of which connection.
    pub fn coordinator(&self) -> CoordinatorId {
        self.coordinator
    }

    /// Of which life.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Cancelled when the scope ends.
    pub fn ended(&self) -> &Cancel {
        &self.ended
    }

    /// Drops variables; their names stay taken. Unknown names are no error: a drop may be repeated.
    pub fn drop_variables(&self, variables: &[VarId]) {
        let mut state = self.lock();
        let dropped: Vec<_> = variables.iter().filter_map(|var| state.variables.remove(var)).collect();
        drop(state);
        drop(dropped);
    }

    /// Begins a program: finds what it uses, as it is now, and takes the names that it will bind.
    ///
    /// # Errors
    /// `NotFound` for a variable that is not bound, `AlreadyBound` for an output that ever was, `Busy` if the same
    /// program still runs, `Limit` for too many variables; each with the instruction's index.
    pub fn begin(self: &Arc<Self>, program: &Program, limits: &Limits) -> Result<Begin> {
        let mut state = self.lock();
        state.used = Instant::now();
        if let Some(outcome) = state.kept.find(program.id) {
            return Ok(Begin::Again(outcome?));
        }
        if state.running.contains(&program.id) {
            let message = "this program still runs; its first caller will get the answer, or retry shortly";
            return Err(Error::busy(message, Duration::from_millis(200)));
        }
        let (outputs, inputs) = state.resolve(program)?;
        if state.variables.len() + outputs.len() > limits.variables_max {
            return Err(Error::limit(format!(
                "the scope would hold more than {} variables (variables_max); drop some",
                limits.variables_max
            )));
        }
        outputs.iter().for_each(|output| state.taken.insert(output.0));
        state.running.insert(program.id);
        Ok(Begin::Fresh(Staged {
            scope: Arc::clone(self),
            id: program.id,
            outputs,
            values: inputs,
            drops: Vec::new(),
            committed: false,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Updates under the lock are simple and do not panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The outputs of a program, and the values of the variables it uses from outside.
    fn resolve(&self, program: &Program) -> Result<(Vec<VarId>, Values)> {
        let mut outputs = HashSet::new();
        let mut ordered = Vec::new();
        let mut inputs = HashMap::new();
        let find = |var: &VarId| {
            let bound = self.variables.get(var).map(Arc::clone);
            bound.ok_or_else(|| Error::not_found(format!("{var} is not bound in this scope")))
        };
        for (index, instruction) in program.instructions.iter().enumerate() {
            let Instruction::Apply(apply) = instruction else { continue };
            for input in apply.inputs.iter().filter(|input| !outputs.contains(*input)) {
                inputs.insert(*input, find(input).map_err(|error| error.at(index))?);
            }
            if self.taken.contains(apply.output.0) {
                let message = format!("{} was bound before; a name is bound once, even after a drop", apply.output);
                return Err(Error::already_bound(message).at(index));
            }
            outputs.insert(apply.output);
            ordered.push(apply.output);
        }
        for var in program.fetch.iter().filter(|var| !outputs.contains(*var)) {
            inputs.insert(*var, find(var)?);
        }
        Ok((ordered, inputs))
    }
}

/// How a program begins.
#[derive(Debug)]
pub enum Begin {
    /// It is a retry of one that has committed.
    Again(Arc<Outcome>),
    /// It runs.
    Fresh(Staged),
}

/// A program that is running: nothing of it is bound before [`Staged::commit`]; dropped without, it leaves no trace.
#[derive(Debug)]
pub struct Staged {
    scope: Arc<Scope>,
    id: ProgramId,
    outputs: Vec<VarId>,
    values: Values,
    drops: Vec<VarId>,
    committed: bool,
}

impl Staged {
    /// The scope.
    pub fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }

    /// A variable that the program may use.
    ///
    /// # Errors
    /// `NotFound`; `begin` has checked every use.
    pub fn get(&self, var: VarId) -> Result<&Arc<Bound>> {
        self.values.get(&var).ok_or_else(|| Error::not_found(format!("{var} is not bound in this scope")))
    }

    /// Keeps a result for the commit.
    pub fn stage(&mut self, output: VarId, bound: Bound) {
        self.values.insert(output, Arc::new(bound));
    }

    /// Keeps a drop for the commit.
    pub fn stage_drop(&mut self, variables: &[VarId]) {
        self.drops.extend_from_slice(variables);
    }

    /// Binds all outputs at once, and keeps the outcome for a retry.
    ///
    /// # Errors
    /// `ScopeLost` if the scope ended meanwhile.
    pub fn commit(mut self, receipts: Vec<Receipt>, fetch: &[VarId], limits: &Limits) -> Result<Arc<Outcome>> {
        let fetched = fetch.iter().map(|var| Ok((*var, Arc::clone(self.get(*var)?)))).collect::<Result<Vec<_>>>()?;
        let outcome = Arc::new(Outcome { receipts, fetched });
        let mut state = self.scope.lock();
        if self.scope.ended.is_cancelled() {
            return Err(lost());
        }
        for output in &self.outputs {
            if let Some(bound) = self.values.get(output) {
                state.variables.insert(*output, Arc::clone(bound));
            }
        }
        let mut gone: Vec<_> = self.drops.iter().filter_map(|var| state.variables.remove(var)).collect();
        let forgotten = state.kept.keep(self.id, &outcome, limits);
        state.used = Instant::now();
        drop(state);
        gone.clear();
        drop(forgotten);
        self.committed = true;
        Ok(outcome)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let mut state = self.scope.lock();
        state.running.remove(&self.id);
        if !self.committed {
            self.outputs.iter().for_each(|output| state.taken.remove(output.0));
        }
    }
}

/// Keeps a scope from lapsing while it is in use.
#[derive(Debug)]
pub struct InUse(Arc<Scope>);

impl std::ops::Deref for InUse {
    type Target = Arc<Scope>;

    fn deref(&self) -> &Arc<Scope> {
        &self.0
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.lock().used = Instant::now();
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All scopes of a worker.
#[derive(Debug)]
pub struct Scopes {
    scopes: DashMap<(TenantTag, CoordinatorId), Arc<Scope>>,
    uploads: Uploads,
    scopes_max: usize,
    lease: Duration,
}

impl Scopes {
    /// No scopes yet; at most `scopes_max` per tenant, dropped after `lease` without use.
    pub fn new(scopes_max: usize, lease: Duration) -> Self {
        Self { scopes: DashMap::new(), uploads: Uploads::default(), scopes_max, lease }
    }

    /// What tenants have uploaded, and still have bound.
    pub fn uploads(&self) -> &Uploads {
        &self.uploads
    }

    /// The lease.
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// Opens a scope, or answers the one that is open; the flag says whether it is new.
    ///
    /// # Errors
    /// `Limit` if the tenant has too many.
    pub fn open(&self, tenant: &Tenant, coordinator: CoordinatorId) -> Result<(Arc<Scope>, bool)> {
        let key = (tenant.tag(), coordinator);
        if let Some(scope) = self.scopes.get(&key).map(|entry| Arc::clone(entry.value())) {
            return Ok((scope, false));
        }
        if self.of_tenant(tenant.tag()).len() >= self.scopes_max {
            return Err(Error::limit(format!(
                "this tenant has {} scopes (scopes_max); close connections, or wait until idle ones lapse",
                self.scopes_max
            )));
        }
        let scope = Arc::new(Scope::new(tenant.clone(), coordinator));
        let entry = self.scopes.entry(key).or_insert(scope);
        Ok((Arc::clone(entry.value()), true))
    }

    /// Finds a tenant's scope, and keeps it in use.
    ///
    /// # Errors
    /// `ScopeLost`, the same whether it is another tenant's, of another epoch, lapsed, or never was.
    pub fn find(&self, tenant: &Tenant, coordinator: CoordinatorId, epoch: Epoch) -> Result<InUse> {
        let scope = self.scopes.get(&(tenant.tag(), coordinator)).map(|entry| Arc::clone(entry.value()));
        let scope = scope.filter(|scope| scope.epoch == epoch).ok_or_else(lost)?;
        scope.busy.fetch_add(1, Ordering::Relaxed);
        scope.lock().used = Instant::now();
        Ok(InUse(scope))
    }

    /// Ends a scope: its programs are cancelled, its variables dropped.
    pub fn end(&self, scope: &Arc<Scope>) {
        self.scopes.remove_if(&(scope.tenant.tag(), scope.coordinator), |_, found| Arc::ptr_eq(found, scope));
        scope.ended.cancel();
        let mut state = scope.lock();
        let variables = std::mem::take(&mut state.variables);
        let kept = std::mem::take(&mut state.kept);
        drop(state);
        drop((variables, kept));
    }

    /// All scopes of a tenant.
    pub fn of_tenant(&self, tenant: TenantTag) -> Vec<Arc<Scope>> {
        let of_tenant = self.scopes.iter().filter(|entry| entry.key().0 == tenant);
        of_tenant.map(|entry| Arc::clone(entry.value())).collect()
    }

    /// Ends the scopes whose lease has run out at `now`; says how many. Forgets the uploads that are gone.
    pub fn lapse(&self, now: Instant) -> usize {
        let idle = |scope: &Arc<Scope>| {
            scope.busy.load(Ordering::Relaxed) == 0 && now.saturating_duration_since(scope.lock().used) > self.lease
        };
        let stale: Vec<_> = self.scopes.iter().map(|entry| Arc::clone(entry.value())).filter(idle).collect();
        stale.iter().for_each(|scope| self.end(scope));
        self.uploads.sweep();
        stale.len()
    }
}

fn lost() -> Error {
    Error::scope_lost(
        "scope not found: it lapsed, was cleared, belongs to a worker that has restarted, or never was; connect again",
    )
}
