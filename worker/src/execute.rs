//! A program, instruction by instruction. The loop is async and waits for values without a thread; only kernels run
//! on a tenant's pool.

use std::{sync::Arc, time::Instant};

use fondaco_lineage::{DatasetLeaf, Probe, Reach, Trace};
use fondaco_proto::{
    Apply, Axes, Block, Error, Instruction, Op, Program, Result, Shape, VarId,
    op::{Arity, CreateOp, Read},
};

use crate::{
    cancel::Cancel,
    catalog::Entry,
    kernels,
    label::{Label, Level, RowGroups},
    matrix::Matrix,
    pool::guarded,
    quota::Account,
    scope::{Bound, Outcome, Receipt, Staged},
    support::{self, Support},
    value::Value,
    worker::{Cached, State},
};

/// Kernels cheaper than this (in scalar operations) run where they are asked for: to hand them to a pool would cost
/// more than the work.
const POOLED_COST_MIN: u64 = 50_000;

/// Runs and commits a program; on an error nothing of it is bound.
///
/// # Errors
/// The first instruction's that fails, with its index.
pub async fn run(worker: &Arc<State>, mut staged: Staged, program: &Program, cancel: &Cancel) -> Result<Arc<Outcome>> {
    let mut receipts = Vec::with_capacity(program.instructions.len());
    for (index, instruction) in program.instructions.iter().enumerate() {
        cancel.check().map_err(|error| error.at(index))?;
        receipts.push(match instruction {
            Instruction::Drop(variables) => {
                staged.stage_drop(variables);
                Receipt::default()
            }
            Instruction::Apply(apply) => {
                let step = Step { worker, staged: &staged, cancel, account: worker.account(staged.scope().tenant()) };
                let (bound, receipt) = step.apply(apply).await.map_err(|error| error.at(index))?;
                staged.stage(apply.output, bound);
                receipt
            }
        });
    }
    staged.commit(receipts, &program.fetch, &worker.limits)
}

/// One instruction of a running program.
struct Step<'a> {
    worker: &'a Arc<State>,
    staged: &'a Staged,
    cancel: &'a Cancel,
    account: Arc<Account>,
}

impl Step<'_> {
    async fn apply(&self, apply: &Apply) -> Result<(Bound, Receipt)> {
        match &apply.op {
            Op::Create(CreateOp::Read(read)) => self.read(read).await,
            Op::Create(CreateOp::Put(block)) => self.put(block),
            op => self.compute(op, &apply.inputs).await,
        }
    }

    /// The way of a value: shape, quota, key, cache, kernel, support, label.
    async fn compute(&self, op: &Op, inputs: &[VarId]) -> Result<(Bound, Receipt)> {
        let inputs: Vec<&Arc<Bound>> = inputs.iter().map(|var| self.staged.get(*var)).collect::<Result<_>>()?;
        let labels: Vec<&Label> = inputs.iter().map(|bound| &bound.label).collect();
        let values: Vec<Value> = inputs.iter().map(|bound| bound.value.clone()).collect();
        let shapes: Vec<Shape> = values.iter().map(Value::shape).collect();
        let shape = self.worker.admit(op.shape(&shapes)?)?;
        let charge = self.account.charge(kernels::bytes_max(op, &values, shape)?)?;

        let traces = inputs.iter().map(|bound| Arc::clone(&bound.trace)).collect();
        let trace = Trace::apply(op.name(), &op.canonical(), traces);
        let reach = Reach::join_all(inputs.iter().map(|bound| bound.reach))
            .ok_or_else(|| Error::internal("values of two tenants met"))?;

        let facets: Vec<_> = labels.iter().zip(&shapes).map(|(label, shape)| label.facet(*shape)).collect();
        let effect = op.effect(&facets);
        let measured = labels.iter().any(|label| label.level == Level::Aggregate);
        let mut label = Label::derive(&effect, &labels, groups(op), trace.key());
        if matches!(op, Op::Create(_)) {
            label = Label::free(effect.plain);
        }

        // What no dataset stands behind is reused by its tenant alone: a hit would tell that somebody made it.
        let reuse_by = if label.sources.is_empty() { Reach::Tenant(self.staged.scope().tenant().tag()) } else { reach };
        let usable = |cached: &Cached| !measured || cached.support.is_some();
        let begun = Instant::now();
        let (cached, hit) = match self.worker.cache.probe(reuse_by, trace.key(), usable).await {
            Probe::Hit(cached) => (cached, true),
            Probe::Miss(reservation) => {
                let axes: Vec<Axes> = facets.iter().map(|facet| facet.axes).collect();
                let noise: Vec<f64> = inputs.iter().map(|bound| bound.support.noise).collect();
                let measure = measured.then(|| (effect.measure.clone(), label.axes, axes, noise));
                let cost = kernels::cost(op, &shapes, shape);
                let (op, memory) = (op.clone(), Arc::clone(&self.worker.memory));
                let cached = self
                    .kernel(cost, move |parallel, cancel| {
                        let cx = kernels::Context { memory: &memory, cancel, parallel };
                        let value = kernels::evaluate(&op, &values, &cx)?;
                        let support = measure
                            .map(|(measure, axes, input_axes, input_noise)| {
                                let (inputs, output) = (&kernels::dense(&values, &cx)?, &kernels::dense_one(&value, &cx)?);
                                let (input_axes, input_noise, op, cx) = (&input_axes, &input_noise, &op, &cx);
                                support::Step { op, inputs, input_axes, input_noise, output, axes, cx }
                                    .measure(&measure)
                            })
                            .transpose()?;
                        Ok(Cached { value, support })
                    })
                    .await?;
                let bytes = cached.value.bytes();
                (reservation.fill(cached, bytes), false)
            }
        };
        let receipt = receipt(shape, hit, begun);
        let of_inputs = inputs.iter().map(|bound| bound.support);
        let support = of_inputs.fold(cached.support.unwrap_or(Support::FULL), Support::weakest);
        // Rows that are not told apart by their digits any more are no plain rows. This, too, follows from the key.
        label.plain &= support.is_exact();
        Ok((Bound { value: cached.value, support, trace, reach, label, charge }, receipt))
    }

    async fn read(&self, read: &Read) -> Result<(Bound, Receipt)> {
        let tenant = self.staged.scope().tenant();
        let entry = self.worker.catalog.find(tenant, &read.dataset)?;
        if entry.level() == Level::Private {
            let message = format!(
                "{}: nothing leaves a private dataset, not even counts; ask its owner for a rule",
                entry.name()
            );
            return Err(Error::denied(message));
        }
        let read = entry.narrow(read)?;
        let snapshot = entry.snapshot().await?;
        let plan = snapshot.plan(&read)?;
        let widest = self.worker.admit(Shape::new(snapshot.rows(), plan.columns() as u64))?;
        let mut charge =
            if read.filter.is_none() { Some(self.account.charge(widest.footprint_bytes()?)?) } else { None };

        let files = snapshot.identities().to_vec();
        let leaf = DatasetLeaf { files, canonical_read: &read.canonical_options() };
        let trace = Trace::dataset(entry.name(), &leaf);
        let reach = entry.reach(tenant);
        let begun = Instant::now();
        let (cached, hit) = match self.worker.cache.probe(reach, trace.key(), |_| true).await {
            Probe::Hit(cached) => (cached, true),
            Probe::Miss(reservation) => {
                let (snapshot, memory) = (Arc::clone(&snapshot), Arc::clone(&self.worker.memory));
                let cost = widest.cells()?.max(POOLED_COST_MIN);
                let value =
                    self.kernel(cost, move |parallel, cancel| snapshot.read(&plan, &memory, cancel, parallel)).await?;
                let bytes = value.bytes();
                (reservation.fill(Cached { value: value.into(), support: Some(Support::FULL) }, bytes), false)
            }
        };
        let shape = cached.value.shape();
        let label = entry.label(&snapshot, &read, shape.rows);
        self.release_count(entry, &read, &label, shape, &trace)?;
        let charge = match charge.take() {
            Some(charge) => charge,
            None => self.account.charge(shape.footprint_bytes()?)?,
        };
        let receipt = receipt(shape, hit, begun);
        Ok((Bound { value: cached.value, support: Support::FULL, trace, reach, label, charge }, receipt))
    }

    /// How many rows a filter leaves is a release by itself.
    fn release_count(&self, entry: &Entry, read: &Read, label: &Label, shape: Shape, trace: &Trace) -> Result<()> {
        if read.filter.is_none() {
            return Ok(());
        }
        let decision = self.worker.gate.release_count(entry.level(), entry.name(), shape.rows);
        let count = Shape::new(1, 1);
        self.worker.record(self.staged.scope(), "row count", trace, count, label, decision.as_ref().err())?;
        decision
    }

    /// A small upload that came with the program.
    fn put(&self, block: &Block) -> Result<(Bound, Receipt)> {
        let begun = Instant::now();
        let shape = self.worker.admit(block.shape())?;
        let charge = self.account.charge(shape.footprint_bytes()?)?;
        let (rows, columns) = (shape.rows as usize, shape.columns as usize);
        let value = Matrix::from_column_major(&self.worker.memory, rows, columns, &block.values())?;
        let bound = upload(self.staged, value, &blake3::hash(block.bytes()), charge);
        Ok((bound, receipt(shape, false, begun)))
    }

    /// Runs a kernel: a small one here, any other on the tenant's pool.
    async fn kernel<T: Send + 'static>(
        &self,
        cost: u64,
        kernel: impl FnOnce(bool, &Cancel) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if cost < POOLED_COST_MIN {
            return guarded(|| kernel(false, self.cancel));
        }
        let cancel = self.cancel.clone();
        self.worker.pools.run(self.staged.scope().tenant().tag(), move || kernel(true, &cancel)).await
    }
}

/// The binding of a tenant's own upload, whose bytes have this hash.
pub fn upload(staged: &Staged, value: Matrix, hash: &blake3::Hash, charge: crate::quota::Charge) -> Bound {
    let shape = value.shape();
    Bound {
        value: value.into(),
        support: Support::FULL,
        trace: Trace::upload((shape.rows, shape.columns), hash),
        reach: Reach::Tenant(staged.scope().tenant().tag()),
        label: Label::free(false),
        charge,
    }
}

fn receipt(shape: Shape, hit: bool, begun: Instant) -> Receipt {
    let compute = if hit { std::time::Duration::ZERO } else { begun.elapsed() };
    Receipt { shape: Some(shape), hit, compute }
}

/// How an operator's inputs belong to row parts.
fn groups(op: &Op) -> RowGroups {
    match op.arity() {
        Arity::Exactly(_) => RowGroups { fixed: 0, size: usize::MAX },
        Arity::Groups { fixed, group } => RowGroups { fixed, size: group },
    }
}
