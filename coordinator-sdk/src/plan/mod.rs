//! Planning: `(operator, layouts) -> instructions per site, and what the coordinator does with their results`.
//! Pure; nothing here is sent.

mod aggregate;
mod align;
pub(crate) mod cov;
mod create;
mod elementwise;
mod matmul;
pub(crate) mod reorg;
pub(crate) mod slice;

use std::{ops::Range, sync::Arc};

use fondaco_proto::{Op, Shape};

use crate::{
    Error, Result,
    combine::Combine,
    layout::{Cut, Layout},
};

/// What is known of an argument before anything is sent.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    /// A federated matrix.
    Fed(Layout),
    /// An array of the coordinator.
    Local(Shape),
}

impl Arg {
    /// Its shape.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Fed(layout) => layout.shape(),
            Self::Local(shape) => *shape,
        }
    }
}

/// Where an instruction's input comes from; it is at the instruction's site.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Input {
    /// A part of a federated argument.
    Part {
        /// Which argument.
        arg: usize,
        /// Which of its parts.
        part: usize,
    },
    /// A region of a local argument, uploaded to the site.
    Region {
        /// Which argument.
        arg: usize,
        /// Its rows.
        rows: Range<u64>,
        /// Its columns.
        columns: Range<u64>,
    },
    /// The result of an earlier step.
    Step(usize),
}

/// One instruction at one site.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    /// Where it runs.
    pub site: Arc<str>,
    /// What it computes.
    pub op: Op,
    /// Of what.
    pub inputs: Vec<Input>,
    /// The shape of its result.
    pub shape: Shape,
}

/// What becomes of the steps' results.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Planned {
    /// They stay: one input per part of the layout.
    Fed(Layout, Vec<Input>),
    /// The results of these steps are released, and combined in this order.
    Local(Vec<usize>, Combine),
}

/// The instructions in order, and what becomes of their results.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// Instructions, inputs before what uses them.
    pub steps: Vec<Step>,
    /// What becomes of their results.
    pub result: Planned,
}

/// Instructions that stay, with as many rows as only the data know: their receipts say it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Counted {
    /// Instructions, inputs before what uses them.
    pub steps: Vec<Step>,
    /// The steps whose results stay.
    pub parts: Vec<usize>,
    /// Where the rows are that are chosen from.
    pub layout: Layout,
}

/// Plans one operator. `onto` is the layout of what is created, for operators without inputs.
pub(crate) fn plan(op: &Op, args: &[Arg], onto: Option<&Layout>) -> Result<Plan> {
    let builder = Builder { args, steps: Vec::new() };
    match op {
        Op::Create(op) => create::plan(op, onto, builder),
        Op::Elementwise(op) => elementwise::plan(*op, builder),
        Op::Aggregate(op) => aggregate::plan(*op, builder),
        Op::Matmul(op) => matmul::plan(*op, builder),
        Op::Reorg(op) => reorg::plan(*op, builder),
        Op::Slice(op) => slice::plan(op, builder),
    }
}

/// Uploads a local argument, cut along a layout.
pub(crate) fn scatter(arg: &Arg, layout: &Layout) -> Result<Plan> {
    let args = std::slice::from_ref(arg);
    if arg.shape() != layout.shape() {
        let message = format!("scatter: the array is {}, but the layout is {layout}", arg.shape());
        return Err(Error::plan(message));
    }
    let mut builder = Builder { args, steps: Vec::new() };
    let parts = builder.along("scatter", 0, layout)?;
    Ok(builder.fed(layout.clone(), parts))
}

/// A plan in the making.
#[derive(Clone)]
struct Builder<'a> {
    args: &'a [Arg],
    steps: Vec<Step>,
}

impl Builder<'_> {
    fn shapes(&self) -> Vec<Shape> {
        self.args.iter().map(Arg::shape).collect()
    }

    /// The layout of a federated argument.
    fn layout(&self, arg: usize) -> Option<&Layout> {
        match self.args.get(arg)? {
            Arg::Fed(layout) => Some(layout),
            Arg::Local(_) => None,
        }
    }

    /// The layout of the one argument that an operator takes.
    fn only(&self, what: &str) -> Result<&Layout> {
        self.layout(0).ok_or_else(|| Error::plan(format!("{what} needs a federated matrix")))
    }

    fn shape_of(&self, input: &Input) -> Shape {
        match input {
            Input::Part { arg, part } => self.layout(*arg).map_or(Shape::new(0, 0), |layout| layout.part_shape(*part)),
            Input::Region { rows, columns, .. } => Shape::new(rows.end - rows.start, columns.end - columns.start),
            Input::Step(step) => self.steps[*step].shape,
        }
    }

    /// Adds an instruction; its shape rule is checked. The input that is its result.
    fn push(&mut self, site: &Arc<str>, op: impl Into<OpOf>, inputs: Vec<Input>) -> Result<Input> {
        let OpOf(op) = op.into();
        let shapes: Vec<Shape> = inputs.iter().map(|input| self.shape_of(input)).collect();
        let shape = op.shape(&shapes)?;
        self.steps.push(Step { site: site.clone(), op, inputs, shape });
        Ok(Input::Step(self.steps.len() - 1))
    }

    /// Adds one instruction per part of a layout, with the inputs that `inputs` gives for it.
    fn each(
        &mut self,
        layout: &Layout,
        op: impl Into<OpOf>,
        mut inputs: impl FnMut(usize) -> Vec<Input>,
    ) -> Result<Vec<Input>> {
        let OpOf(op) = op.into();
        let parts = layout.parts().iter().enumerate();
        parts.map(|(index, part)| self.push(&part.site, OpOf(op.clone()), inputs(index))).collect()
    }

    fn fed(self, layout: Layout, parts: Vec<Input>) -> Plan {
        Plan { steps: self.steps, result: Planned::Fed(layout, parts) }
    }

    /// The results of these inputs, all of them steps, released and combined.
    fn local(self, parts: Vec<Input>, combine: Combine) -> Plan {
        Plan { result: Planned::Local(steps_of(parts), combine), steps: self.steps }
    }

    /// The results of these inputs, all of them steps, which stay with as many rows as their data say.
    fn counted(self, layout: Layout, parts: Vec<Input>) -> Counted {
        Counted { steps: self.steps, parts: steps_of(parts), layout }
    }

    /// One instruction per site over all its parts, in layout order, the inputs repeated part after part behind the
    /// fixed ones: what is summed over the cut.
    fn per_site(
        &mut self,
        layout: &Layout,
        op: impl Into<OpOf>,
        fixed: &[Vec<Input>],
        groups: &[Vec<Input>],
    ) -> Result<Vec<Input>> {
        let OpOf(op) = op.into();
        let mut results = Vec::new();
        for (site, parts) in layout.by_site() {
            let head = fixed.iter().map(|inputs| inputs[parts[0]].clone());
            let tail = parts.iter().flat_map(|&part| groups.iter().map(move |inputs| inputs[part].clone()));
            results.push(self.push(&site, OpOf(op.clone()), head.chain(tail).collect())?);
        }
        Ok(results)
    }
}

fn steps_of(inputs: Vec<Input>) -> Vec<usize> {
    let step = |input| match input {
        Input::Step(step) => Some(step),
        Input::Part { .. } | Input::Region { .. } => None,
    };
    inputs.into_iter().filter_map(step).collect()
}

/// Parts of one argument, all of them.
fn parts_of(arg: usize, layout: &Layout) -> Vec<Input> {
    (0..layout.parts().len()).map(|part| Input::Part { arg, part }).collect()
}

/// Any family's operator as an [`Op`].
struct OpOf(Op);

macro_rules! families {
    ($($family:ident($op:ident)),+) => {
        $(impl From<fondaco_proto::op::$op> for OpOf {
            fn from(op: fondaco_proto::op::$op) -> Self {
                Self(Op::$family(op))
            }
        })+
    };
}
families!(
    Create(CreateOp),
    Elementwise(ElementwiseOp),
    Aggregate(AggregateOp),
    Matmul(MatmulOp),
    Reorg(ReorgOp),
    Slice(SliceOp)
);

/// The refusal of what would move row-level values between sites.
fn refused(what: &str, layout: &Layout, instead: &str) -> Error {
    let cut: Cut = layout.cut();
    Error::plan(format!(
        "{what} of a matrix whose {cut}s are at different sites would have to move row-level values; {instead}"
    ))
}

#[cfg(test)]
mod testing {
    //! Short ways to write and read plans in the families' tests.
    use super::*;

    pub(super) fn rows(parts: &[(&str, u64)], columns: u64) -> Arg {
        Arg::Fed(Layout::rows(parts.to_vec(), columns).unwrap())
    }

    pub(super) fn columns(parts: &[(&str, u64)], rows: u64) -> Arg {
        Arg::Fed(Layout::columns(parts.to_vec(), rows).unwrap())
    }

    pub(super) fn local(rows: u64, columns: u64) -> Arg {
        Arg::Local(Shape::new(rows, columns))
    }

    /// One step as text: `site op(inputs)`; parts as `argument.part`, regions as `argument[rows,columns]`.
    pub(super) fn steps(plan: &Plan) -> Vec<String> {
        written(&plan.steps)
    }

    pub(super) fn written(steps: &[Step]) -> Vec<String> {
        let input = |input: &Input| match input {
            Input::Part { arg, part } => format!("{arg}.{part}"),
            Input::Region { arg, rows, columns } => format!("{arg}[{rows:?},{columns:?}]"),
            Input::Step(step) => format!("%{step}"),
        };
        let step = |step: &Step| {
            let inputs: Vec<String> = step.inputs.iter().map(input).collect();
            format!("{} {}({})", step.site, step.op.name(), inputs.join(" "))
        };
        steps.iter().map(step).collect()
    }

    pub(super) fn fed(plan: &Plan) -> &Layout {
        match &plan.result {
            Planned::Fed(layout, _) => layout,
            Planned::Local(..) => panic!("the result is local"),
        }
    }

    pub(super) fn combined(plan: &Plan) -> Combine {
        match &plan.result {
            Planned::Local(_, combine) => *combine,
            Planned::Fed(..) => panic!("the result is federated"),
        }
    }
}
