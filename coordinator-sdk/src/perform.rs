//! Carries out a plan: queues its steps at their sites. No operator is known here.

use std::sync::Arc;

use fondaco_proto::{Op, Shape};

use crate::{
    Error, FedMatrix, Operand, Outcome, Pending, Result,
    layout::Layout,
    plan::{self, Arg, Counted, Input, Plan, Planned, Step, plan},
    queue::{Fetch, How, Variable},
    relay::Relay,
    session::Session,
    transfer::{Source, Upload},
};

/// Plans an operator and queues it.
pub(crate) fn perform(
    session: &Arc<Session>,
    op: &Op,
    operands: Vec<Operand>,
    onto: Option<&Layout>,
) -> Result<Outcome> {
    perform_planned(session, op.name(), operands, |args| plan(op, args, onto))
}

/// Plans something of these operands and queues it.
pub(crate) fn perform_planned(
    session: &Arc<Session>,
    name: &str,
    operands: Vec<Operand>,
    plan: impl FnOnce(&[Arg]) -> Result<Plan>,
) -> Result<Outcome> {
    let operands = matrices(session, name, operands)?;
    let args: Vec<Arg> = operands.iter().map(Operand::arg).collect();
    carry_out(session, plan(&args)?, &operands)
}

/// Plans something of these operands that stays, with as many rows as only the data know, and queues it: the layout
/// that rows are chosen from, and what will be bound.
pub(crate) fn perform_counted(
    session: &Arc<Session>,
    name: &str,
    operands: Vec<Operand>,
    plan: impl FnOnce(&[Arg]) -> Result<Counted>,
) -> Result<(Layout, Vec<Arc<Variable>>)> {
    let operands = matrices(session, name, operands)?;
    let args: Vec<Arg> = operands.iter().map(Operand::arg).collect();
    let Counted { steps, parts, layout } = plan(&args)?;
    let mut performer = Performer::new(session, &operands, Vec::new());
    for step in steps {
        performer.step(step)?;
    }
    Ok((layout, parts.into_iter().map(|step| performer.results[step].0.clone()).collect()))
}

/// The operands as matrices; they belong to this federation, and none is known to have failed.
fn matrices(session: &Arc<Session>, name: &str, operands: Vec<Operand>) -> Result<Vec<Operand>> {
    let operands: Vec<Operand> = operands.into_iter().map(Operand::into_matrix).collect();
    for operand in &operands {
        if let Operand::Fed(matrix) = operand {
            if !Arc::ptr_eq(matrix.session(), session) {
                return Err(Error::plan(format!("{name}: the operands belong to two federations")));
            }
            matrix.check()?;
        }
    }
    Ok(operands)
}

/// Cuts an array along a layout, and queues an upload of each part.
pub(crate) fn scatter(session: &Arc<Session>, array: Operand, layout: &Layout) -> Result<FedMatrix> {
    let operand = array.into_matrix();
    if matches!(operand, Operand::Fed(_)) {
        return Err(Error::plan("scatter: the matrix is federated already"));
    }
    let plan = plan::scatter(&operand.arg(), layout)?;
    carry_out(session, plan, &[operand])?.fed()
}

/// Queues the steps of a plan.
fn carry_out(session: &Arc<Session>, plan: Plan, operands: &[Operand]) -> Result<Outcome> {
    if let Some(relay) = plan.relays.first().filter(|_| !session.relays()) {
        return Err(relay.why.refusal());
    }
    let mut performer = Performer::new(session, operands, plan.relays);
    for step in plan.steps {
        performer.step(step)?;
    }
    match plan.result {
        Planned::Fed(layout, inputs) => {
            let mut parts = Vec::with_capacity(inputs.len());
            for (input, part) in inputs.into_iter().zip(layout.parts()) {
                parts.push(performer.variable(input, session.site(&part.site)?)?);
            }
            Ok(Outcome::Fed(FedMatrix::new(session.clone(), layout, parts)))
        }
        Planned::Local(gather) => {
            let gather = gather.try_map(|step| performer.release(step))?;
            Ok(Outcome::Local(Pending::new(session.clone(), gather)))
        }
    }
}

struct Performer<'a> {
    session: &'a Arc<Session>,
    operands: &'a [Operand],
    results: Vec<(Arc<Variable>, Shape)>,
    relays: Vec<plan::Relay>,
    /// Those that are on their way, in order.
    relayed: Vec<Arc<Relay>>,
}

impl<'a> Performer<'a> {
    fn new(session: &'a Arc<Session>, operands: &'a [Operand], relays: Vec<plan::Relay>) -> Self {
        Self { session, operands, results: Vec::new(), relays, relayed: Vec::new() }
    }

    fn step(&mut self, step: Step) -> Result<()> {
        let site = self.session.site(&step.site)?;
        let inputs: Vec<Arc<Variable>> =
            step.inputs.into_iter().map(|input| self.variable(input, site)).collect::<Result<_>>()?;
        let shape = step.op.rows_decided_by().is_none().then_some(step.shape);
        self.results.push((self.session.bind(site, How::Op(step.op), &inputs, shape), step.shape));
        Ok(())
    }

    /// Queues the release of what is at a site.
    fn release(&self, input: Input) -> Result<Arc<Fetch>> {
        let (variable, shape) = match (&input, self.operands) {
            (Input::Step(step), _) => self.results.get(*step).cloned().ok_or_else(missing)?,
            (Input::Part { arg, part }, operands) => match operands.get(*arg) {
                Some(Operand::Fed(matrix)) => {
                    let variable = matrix.part(*part).cloned().ok_or_else(missing)?;
                    (variable, matrix.layout().part_shape(*part))
                }
                Some(Operand::Local(_) | Operand::Scalar(_)) | None => return Err(missing()),
            },
            (Input::Region { .. }, _) => return Err(missing()),
        };
        Ok(self.session.fetch(variable, shape))
    }

    /// What a relay stands for, the first time it is needed: by then what is released is queued.
    fn relay(&mut self, index: usize) -> Result<Arc<Relay>> {
        while self.relayed.len() <= index {
            let plan::Relay { why, gather } = self.relays.get(self.relayed.len()).cloned().ok_or_else(missing)?;
            let fetches = gather.try_map(|input| self.release(input))?;
            self.relayed.push(Arc::new(Relay::new(why, fetches)));
        }
        Ok(self.relayed[index].clone())
    }

    fn variable(&mut self, input: Input, site: usize) -> Result<Arc<Variable>> {
        match (&input, self.operands) {
            (Input::Step(step), _) => self.results.get(*step).map(|result| result.0.clone()).ok_or_else(missing),
            (Input::Part { arg, part }, operands) => match operands.get(*arg) {
                Some(Operand::Fed(matrix)) => matrix.part(*part).cloned().ok_or_else(missing),
                Some(Operand::Local(_) | Operand::Scalar(_)) | None => Err(missing()),
            },
            (Input::Region { arg, rows, columns }, operands) => {
                let source = match operands.get(*arg) {
                    Some(Operand::Local(array)) => Source::Here(array.clone()),
                    Some(Operand::Fed(_) | Operand::Scalar(_)) => return Err(missing()),
                    None => Source::Relayed(self.relay(*arg - operands.len())?),
                };
                let upload = Upload::new(source, rows.clone(), columns.clone());
                let shape = upload.shape();
                Ok(self.session.bind(site, How::Upload(upload), &[], Some(shape)))
            }
        }
    }
}

fn missing() -> Error {
    Error::plan("the plan speaks of an operand that is not there")
}
