//! Carries out a plan: queues its steps at their sites. No operator is known here.

use std::{collections::HashMap, sync::Arc};

use fondaco_proto::Op;

use crate::{
    Error, FedMatrix, Operand, Outcome, Pending, Result,
    layout::Layout,
    plan::{Arg, Counted, Input, Plan, Planned, Step, plan},
    queue::{How, Variable},
    session::Session,
    transfer::Upload,
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
    let mut performer = Performer::new(session, &operands);
    for step in steps {
        performer.step(step)?;
    }
    Ok((layout, parts.into_iter().map(|step| performer.results[step].clone()).collect()))
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

/// Queues the steps of a plan.
pub(crate) fn carry_out(session: &Arc<Session>, plan: Plan, operands: &[Operand]) -> Result<Outcome> {
    let mut performer = Performer::new(session, operands);
    let shapes: Vec<_> = plan.steps.iter().map(|step| step.shape).collect();
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
        Planned::Local(steps, combine) => {
            let fetch = |step: usize| session.fetch(performer.results[step].clone(), shapes[step]);
            Ok(Outcome::Local(Pending::new(session.clone(), steps.into_iter().map(fetch).collect(), combine)))
        }
    }
}

struct Performer<'a> {
    session: &'a Arc<Session>,
    operands: &'a [Operand],
    /// What was uploaded for this plan, by site and region.
    uploads: HashMap<(usize, Input), Arc<Variable>>,
    results: Vec<Arc<Variable>>,
}

impl<'a> Performer<'a> {
    fn new(session: &'a Arc<Session>, operands: &'a [Operand]) -> Self {
        Self { session, operands, uploads: HashMap::new(), results: Vec::new() }
    }

    fn step(&mut self, step: Step) -> Result<()> {
        let site = self.session.site(&step.site)?;
        let inputs: Vec<Arc<Variable>> =
            step.inputs.into_iter().map(|input| self.variable(input, site)).collect::<Result<_>>()?;
        let ids = inputs.iter().map(|variable| variable.id).collect();
        let shape = step.op.rows_decided_by().is_none().then_some(step.shape);
        self.results.push(self.session.bind(site, How::Op(step.op), ids, shape));
        Ok(())
    }

    fn variable(&mut self, input: Input, site: usize) -> Result<Arc<Variable>> {
        let missing = || Error::plan("the plan speaks of an operand that is not there");
        match (&input, self.operands) {
            (Input::Step(step), _) => self.results.get(*step).cloned().ok_or_else(missing),
            (Input::Part { arg, part }, operands) => match operands.get(*arg) {
                Some(Operand::Fed(matrix)) => matrix.part(*part).cloned().ok_or_else(missing),
                Some(Operand::Local(_) | Operand::Scalar(_)) | None => Err(missing()),
            },
            (Input::Region { arg, rows, columns }, operands) => match operands.get(*arg) {
                Some(Operand::Local(array)) => {
                    let upload = Upload::new(array.clone(), rows.clone(), columns.clone());
                    let session = self.session;
                    let bind = || {
                        let shape = upload.shape();
                        session.bind(site, How::Upload(upload), Vec::new(), Some(shape))
                    };
                    Ok(self.uploads.entry((site, input)).or_insert_with(bind).clone())
                }
                Some(Operand::Fed(_) | Operand::Scalar(_)) | None => Err(missing()),
            },
        }
    }
}
