//! A program, instruction by instruction. The loop is async and waits for values without a thread; only kernels run
//! on a tenant's pool.

use std::{sync::Arc, time::Instant};

use fondaco_lineage::{Cost, Probe, Reach, Reservation, Trace};
use fondaco_proto::{
    Apply, Axes, Block, Error, ErrorCode, Facet, Instruction, Kind, Measure, Op, Program, Result, Shape, VarId,
    inner_variables,
    op::{Arity, CreateOp},
};

use crate::{
    cancel::Cancel,
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

mod read;

/// Kernels cheaper than this (in scalar operations) run where they are asked for: to hand them to a pool would cost
/// more than the work.
const POOLED_COST_MIN: u64 = 50_000;

/// Runs and commits a program; on an error nothing of it is bound.
///
/// # Errors
/// The first instruction's that fails, with its index.
pub async fn run(worker: &Arc<State>, mut staged: Staged, program: &Program, cancel: &Cancel) -> Result<Arc<Outcome>> {
    let mut receipts = Vec::with_capacity(program.instructions.len());
    let inner = inner_variables(&program.instructions, &program.fetch);
    for (index, instruction) in program.instructions.iter().enumerate() {
        cancel.check().map_err(|error| error.at(index))?;
        receipts.push(match instruction {
            Instruction::Drop(variables) => {
                staged.stage_drop(variables);
                Receipt::default()
            }
            Instruction::Apply(apply) => {
                let account = worker.account(staged.scope().tenant());
                let inner = inner.contains(&apply.output);
                let step = Step { worker, staged: &staged, cancel, account, inner };
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
    /// Whether the value is of use to one later instruction alone, so that it need not exist by itself.
    inner: bool,
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
        op.kind(&values.iter().map(Value::kind).collect::<Vec<Kind>>())?;
        let shape = self.worker.admit(op.shape(&shapes)?)?;
        let facets: Vec<_> = labels.iter().zip(&shapes).map(|(label, shape)| label.facet(*shape)).collect();
        let protected: Vec<bool> = labels.iter().map(|label| label.level > Level::Public).collect();
        let op = &op.guarded(&facets, &protected, self.worker.gate.release_rows_min)?;
        let quiet = |error: Error| if protected.contains(&true) { without_sizes(op, error) } else { error };
        let traces = inputs.iter().map(|bound| Arc::clone(&bound.trace)).collect();
        let trace = Trace::apply(op.name(), &op.canonical(), traces);
        let reach = Reach::join_all(inputs.iter().map(|bound| bound.reach))
            .ok_or_else(|| Error::internal("values of two tenants met"))?;

        let effect = op.effect(&facets);
        let measured = labels.iter().any(|label| label.level == Level::Aggregate);
        let mut label = Label::derive(&effect, &labels, groups(op), trace.key());
        if matches!(op, Op::Create(_)) {
            label = Label::free(effect.plain);
        }

        if let Some((value, fused)) = self.uncomputed(op, &values, shape, measured)? {
            let charge = self.account.charge(0)?;
            let receipt = Receipt { shape: Some(shape), fused, ..Receipt::default() };
            return Ok((Bound { value, support: Support::FULL, trace, reach, label, charge }, receipt));
        }
        let charged = kernels::bytes_max(op, &values, shape)?;
        let charge = self.account.charge(charged).map_err(quiet)?;
        let streams = measured && values.iter().any(|value| value.streamed().is_some());
        let reuse_by = self.reused_by(reach, &label, streams);
        let usable = |cached: &Cached| !measured || cached.support.is_some();
        let begun = Instant::now();
        let asker = self.staged.scope().tenant().tag();
        let (cached, hit) = match self.worker.cache.probe(asker, reuse_by, trace.key(), usable).await {
            Probe::Hit(cached) => (cached, true),
            Probe::Miss(reservation) => {
                let noise: Vec<f64> = inputs.iter().map(|bound| bound.support.noise).collect();
                let measure =
                    measured.then_some(Measuring { measure: effect.measure, axes: label.axes, facets, noise });
                let cost = kernels::cost(op, &shapes, shape);
                let (op, memory) = (op.clone(), Arc::clone(&self.worker.memory));
                let kernel = move |parallel: bool, cancel: &Cancel| {
                    let cx = kernels::Context { memory: &memory, cancel, parallel };
                    let value = kernels::evaluate(&op, &values, &cx)?;
                    let support = measure.map(|measuring| measuring.run(&op, &values, &value, &cx)).transpose()?;
                    Ok(Cached { value, support })
                };
                let cached = self.kernel(cost, kernel).await.map_err(quiet)?;
                (keep(reservation, cached, &inputs, begun), false)
            }
        };
        let shape = cached.value.shape();
        // What did not stay sparse takes more than was charged.
        let more = cached.value.bytes().saturating_sub(charged);
        let mut charge = if more > 0 { charge.merge(self.account.charge(more)?) } else { charge };
        let receipt = receipt(shape, hit, begun);
        let of_inputs = inputs.iter().map(|bound| bound.support);
        let support = of_inputs.fold(cached.support.unwrap_or(Support::FULL), Support::weakest);
        // Rows that are not told apart by their digits any more are no plain rows. This, too, follows from the key.
        label.plain &= support.is_exact();
        label.settle(&effect.selection, shape);
        if let Some(decider) = op.rows_decided_by() {
            charge.reduce_to(cached.value.charged_bytes()?);
            let entangled = label.axes == Axes::Entangled;
            self.release_rows(op.name(), labels[decider], if entangled { Support::NONE } else { support }, &trace)?;
        }
        Ok((Bound { value: cached.value, support, trace, reach, label, charge }, receipt))
    }

    /// Who may reuse a result. What no dataset stands behind is its tenant's alone: a hit would tell that somebody made
    /// it. So is what is measured of rows that are not all here, where another may have room to get a number, and this
    /// tenant a limit.
    fn reused_by(&self, reach: Reach, label: &Label, streams: bool) -> Reach {
        let own = label.sources.is_empty() || streams;
        if own { Reach::Tenant(self.staged.scope().tenant().tag()) } else { reach }
    }

    /// The value where nothing needs to be computed now, and whether that is because it is computed where it is used.
    fn uncomputed(&self, op: &Op, inputs: &[Value], shape: Shape, measured: bool) -> Result<Option<(Value, bool)>> {
        if self.inner && !measured {
            let cx = kernels::Context { memory: &self.worker.memory, cancel: self.cancel, parallel: false };
            if let Some(value) = kernels::defer(op, inputs, shape, &cx)? {
                return Ok(Some((value, true)));
            }
        }
        Ok(kernels::narrowed(op, inputs).map(|value| (value, false)))
    }

    /// How many rows data gave a value is a release by itself.
    fn release_rows(&self, operator: &str, decider: &Label, support: Support, trace: &Trace) -> Result<()> {
        if decider.level == Level::Public {
            return Ok(());
        }
        let scope = self.staged.scope();
        let may_read = |dataset: &str| self.worker.catalog.may_read(scope.tenant(), dataset);
        let decision = self.worker.gate.release_rows(operator, decider, support, may_read);
        let count = Shape::new(1, 1);
        self.worker.record(scope, "row count", trace, count, decider, decision.as_ref().err())?;
        decision
    }

    /// A small upload that came with the program.
    fn put(&self, block: &Block) -> Result<(Bound, Receipt)> {
        let begun = Instant::now();
        let shape = self.worker.admit(block.shape())?;
        let charge = self.account.charge(shape.footprint_bytes()?)?;
        let (rows, columns) = (shape.rows as usize, shape.columns as usize);
        let value = Matrix::from_column_major(&self.worker.memory, rows, columns, &block.values())?;
        let bound = upload(self.staged, value.into(), &blake3::hash(block.bytes()), charge);
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

/// What is to be measured of a step, and what is known of its inputs.
struct Measuring {
    measure: Measure,
    /// The data axes of the result.
    axes: Axes,
    /// What the effect knew of each input.
    facets: Vec<Facet>,
    /// The noise of each input.
    noise: Vec<f64>,
}

impl Measuring {
    fn run(&self, op: &Op, inputs: &[Value], output: &Value, cx: &kernels::Context<'_>) -> Result<Support> {
        if let Op::Encode(op) = op {
            return support::frames::measure(op, &self.measure, inputs, output, cx);
        }
        let input_axes: Vec<Axes> = self.facets.iter().map(|facet| facet.axes).collect();
        if inputs.iter().any(|input| input.streamed().is_some()) {
            return support::of_streamed(op, inputs, &input_axes, (output, self.axes), &self.measure, cx);
        }
        let (inputs, output) = (kernels::dense(inputs, cx)?, kernels::dense_one(output, cx)?);
        let (inputs, output, axes) = (&inputs[..], &output, self.axes);
        let (facets, input_axes, input_noise) = (&self.facets[..], &input_axes[..], &self.noise[..]);
        support::Step { op, inputs, facets, input_axes, input_noise, output, axes, cx }.measure(&self.measure)
    }
}

/// Keeps a result for reuse. What was measured of rows that were streamed is stricter than of the same rows at hand, and
/// so no function of the key: it serves this caller alone, and whoever needs a support measures again.
fn keep(reservation: Reservation<Cached>, cached: Cached, inputs: &[&Arc<Bound>], begun: Instant) -> Cached {
    let cost = Cost { bytes: cached.value.bytes(), nanos: nanos_since(begun) };
    if inputs.iter().all(|bound| bound.value.streamed().is_none()) {
        return reservation.fill(cached, cost);
    }
    let support = cached.support;
    Cached { support, ..reservation.fill(Cached { support: None, ..cached }, cost) }
}

/// Nanoseconds since then.
fn nanos_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// The binding of a tenant's own upload, whose bytes have this hash.
pub fn upload(staged: &Staged, value: Value, hash: &blake3::Hash, charge: crate::quota::Charge) -> Bound {
    let shape = value.shape();
    Bound {
        value,
        support: Support::FULL,
        trace: Trace::upload((shape.rows, shape.columns), hash),
        reach: Reach::Tenant(staged.scope().tenant().tag()),
        label: Label::free(false),
        charge,
    }
}

/// A limit's own words tell sizes that follow from protected texts; these are not theirs to say.
fn without_sizes(op: &Op, error: Error) -> Error {
    if !matches!(op, Op::Encode(_)) || error.code() != ErrorCode::Limit {
        return error;
    }
    Error::limit(format!(
        "{} does not fit the memory that is left (tenant_bytes_max, memory_bytes_max); drop variables, or take fewer \
         columns",
        op.name()
    ))
}

fn receipt(shape: Shape, hit: bool, begun: Instant) -> Receipt {
    let compute = if hit { std::time::Duration::ZERO } else { begun.elapsed() };
    Receipt { shape: Some(shape), hit, compute, fused: false }
}

/// How an operator's inputs belong to row parts.
fn groups(op: &Op) -> RowGroups {
    match op.arity() {
        Arity::Exactly(_) => RowGroups { fixed: 0, size: usize::MAX },
        Arity::Groups { fixed, group } => RowGroups { fixed, size: group },
    }
}
