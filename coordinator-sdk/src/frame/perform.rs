//! Carries out plans of operators on frames. No operator is known here.

use std::{collections::HashMap, sync::Arc};

use fondaco_proto::{Kind, Op, Shape, op::EncodeOp};

use super::{FedFrame, Frame};
use crate::{
    Error, FedMatrix, Result,
    layout::Layout,
    plan::{Arg, Input, Plan, Planned, plan, slice::counted},
    queue::{How, Variable},
    session::Session,
    transfer::Upload,
};

/// What an operator on frames is applied to.
#[derive(Clone)]
pub(crate) enum Given {
    Fed(FedFrame),
    Matrix(FedMatrix),
    /// Sent whole to each site that needs it.
    Local(Arc<Frame>),
}

impl Given {
    fn arg(&self) -> Arg {
        match self {
            Self::Fed(frame) => Arg::Fed(frame.layout().clone()),
            Self::Matrix(matrix) => Arg::Fed(matrix.layout().clone()),
            Self::Local(frame) => Arg::Local(frame.shape()),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Fed(frame) => Kind::Frame(frame.fields().to_vec()),
            Self::Matrix(_) => Kind::Matrix,
            Self::Local(frame) => Kind::Frame(frame.fields()),
        }
    }

    fn session(&self) -> Option<&Arc<Session>> {
        match self {
            Self::Fed(frame) => Some(frame.session()),
            Self::Matrix(matrix) => Some(matrix.session()),
            Self::Local(_) => None,
        }
    }

    fn check(&self) -> Result<()> {
        match self {
            Self::Fed(frame) => frame.check(),
            Self::Matrix(matrix) => matrix.check(),
            Self::Local(_) => Ok(()),
        }
    }

    fn part(&self, part: usize) -> Option<&Arc<Variable>> {
        match self {
            Self::Fed(frame) => frame.parts().get(part),
            Self::Matrix(matrix) => matrix.part(part),
            Self::Local(_) => None,
        }
    }
}

/// What was queued, and stays at the sites; where only the data tell the rows, the layout has the most there may be.
pub(crate) struct Queued {
    session: Arc<Session>,
    kind: Kind,
    layout: Layout,
    pub parts: Vec<Arc<Variable>>,
}

/// Plans an operator and queues it.
pub(crate) fn queue(op: EncodeOp, given: &[Given]) -> Result<Queued> {
    let op = Op::Encode(op);
    let session = given.iter().find_map(Given::session).cloned();
    let session = session.ok_or_else(|| Error::plan(format!("{}: nothing is federated", op.name())))?;
    if given.iter().filter_map(Given::session).any(|other| !Arc::ptr_eq(other, &session)) {
        return Err(Error::plan(format!("{}: the operands belong to two federations", op.name())));
    }
    given.iter().try_for_each(Given::check)?;
    let kind = op.kind(&given.iter().map(Given::kind).collect::<Vec<_>>())?;
    let Plan { steps, result, .. } = plan(&op, &given.iter().map(Given::arg).collect::<Vec<_>>(), None)?;
    let Planned::Fed(layout, results) = result else {
        return Err(Error::plan(format!("{}: the result does not stay", op.name())));
    };
    let mut uploads = HashMap::new();
    let mut bound = Vec::with_capacity(steps.len());
    for step in steps {
        let site = session.site(&step.site)?;
        let inputs = step.inputs.iter().map(|input| variable(&session, given, &mut uploads, input, site));
        let inputs = inputs.collect::<Result<Vec<Arc<Variable>>>>()?;
        let shape = step.op.rows_decided_by().is_none().then_some(step.shape);
        bound.push(session.bind(site, How::Op(step.op), &inputs, shape));
    }
    let part = |input: Input| match input {
        Input::Step(step) => bound.get(step).cloned().ok_or_else(missing),
        Input::Part { .. } | Input::Region { .. } => Err(missing()),
    };
    let parts = results.into_iter().map(part).collect::<Result<_>>()?;
    Ok(Queued { session, kind, layout, parts })
}

/// An input of a step; frames of the coordinator are sent to a site once.
fn variable(
    session: &Arc<Session>,
    given: &[Given],
    uploads: &mut HashMap<(usize, usize), Arc<Variable>>,
    input: &Input,
    site: usize,
) -> Result<Arc<Variable>> {
    match input {
        Input::Part { arg, part } => given.get(*arg).and_then(|of| of.part(*part)).cloned().ok_or_else(missing),
        Input::Region { arg, rows, .. } => {
            let Some(Given::Local(frame)) = given.get(*arg) else { return Err(missing()) };
            let send = || {
                let upload = Upload::of_frame(frame.clone(), rows.clone());
                let shape = upload.shape();
                session.bind(site, How::Upload(upload), &[], Some(shape))
            };
            Ok(uploads.entry((site, *arg)).or_insert_with(send).clone())
        }
        Input::Step(_) => Err(missing()),
    }
}

fn missing() -> Error {
    Error::plan("the plan speaks of an operand that is not there")
}

impl Queued {
    /// The frame that stays.
    pub fn frame(self) -> Result<FedFrame> {
        match self.kind {
            Kind::Frame(fields) => Ok(FedFrame::new(self.session, self.layout, fields, self.parts)),
            Kind::Matrix => Err(Error::plan("the result is a matrix, and no frame")),
        }
    }

    /// The frame that stays, when the sites have said how many rows each part has.
    pub async fn counted(mut self) -> Result<FedFrame> {
        let shapes: Vec<Shape> = self.session.shapes(&self.parts).await?;
        let (layout, kept) = counted(&self.layout, &shapes)?;
        self.parts = kept.into_iter().map(|part| self.parts[part].clone()).collect();
        self.layout = layout;
        self.frame()
    }

    /// The matrix that stays.
    pub fn matrix(self) -> Result<FedMatrix> {
        match self.kind {
            Kind::Matrix => Ok(FedMatrix::new(self.session, self.layout, self.parts)),
            Kind::Frame(_) => Err(Error::plan("the result is a frame, and no matrix")),
        }
    }
}
