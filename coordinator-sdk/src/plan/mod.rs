//! Planning: `(operator, layouts) -> instructions per site, and what the coordinator does with their results`.
//! Pure; nothing here is sent.

pub(crate) mod aggregate;
mod align;
pub(crate) mod cov;
mod create;
mod elementwise;
mod encode;
mod matmul;
pub(crate) mod reorg;
pub(crate) mod slice;
mod stats;

use std::{fmt, ops::Range, sync::Arc};

use fondaco_proto::{Op, Shape};

use crate::{
    Error, Result,
    combine::Combine,
    gather::Gather,
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
    /// The shape of its result; where only the data tell the rows, the most that there may be.
    pub shape: Shape,
}

/// What becomes of the steps' results.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Planned {
    /// They stay: one input per part of the layout.
    Fed(Layout, Vec<Input>),
    /// They are released, and put together at the coordinator.
    Local(Gather<Input>),
}

/// Values that are released, put together at the coordinator, and sent on: one more local argument, behind those that
/// were given. What needs it runs a round trip later.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Relay {
    /// What it is for.
    pub why: Why,
    /// What is released.
    pub gather: Gather<Input>,
}

/// Why row-level values have to move, and what would do without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Why {
    what: String,
    parts: &'static str,
    instead: &'static str,
}

impl Why {
    fn new(what: &str, layout: &Layout, instead: &'static str) -> Self {
        let parts = match layout.cut() {
            Some(Cut::Rows) => "rows",
            Some(Cut::Columns) => "columns",
            None => "blocks",
        };
        Self { what: what.to_owned(), parts, instead }
    }

    /// What would do without.
    pub fn instead(&self) -> &'static str {
        self.instead
    }

    /// Where nothing is relayed.
    pub fn refusal(&self) -> Error {
        let Self { what, parts, instead } = self;
        Error::plan(format!(
            "{what} of a matrix whose {parts} are at different sites would have to move row-level values; {instead}"
        ))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of a matrix whose {} are at different sites", self.what, self.parts)
    }
}

/// The instructions in order, and what becomes of their results.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// Instructions, inputs before what uses them.
    pub steps: Vec<Step>,
    /// What they pass on through the coordinator.
    pub relays: Vec<Relay>,
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
    let builder = Builder::new(args);
    match op {
        Op::Create(op) => create::plan(op, onto, builder),
        Op::Elementwise(op) => elementwise::plan(*op, builder),
        Op::Aggregate(op) => aggregate::plan(*op, builder),
        Op::Matmul(op) => matmul::plan(*op, builder),
        Op::Reorg(op) => reorg::plan(*op, builder),
        Op::Slice(op) => slice::plan(op, builder),
        Op::Stats(op) => stats::plan(*op, builder),
        Op::Encode(op) => encode::plan(op, builder),
    }
}

/// Uploads a local argument, cut along a layout.
pub(crate) fn scatter(arg: &Arg, layout: &Layout) -> Result<Plan> {
    let args = std::slice::from_ref(arg);
    if arg.shape() != layout.shape() {
        let message = format!("scatter: the array is {}, but the layout is {layout}", arg.shape());
        return Err(Error::plan(message));
    }
    let mut builder = Builder::new(args);
    let parts = builder.blocks("scatter", 0, layout)?;
    Ok(builder.fed(layout.clone(), parts))
}

/// A plan in the making.
#[derive(Clone)]
struct Builder {
    /// Those that were given, then what is relayed.
    args: Vec<Arg>,
    steps: Vec<Step>,
    relays: Vec<Relay>,
    /// If what is needed at another site is relayed there: what for.
    relaying: Option<Why>,
}

impl Builder {
    fn new(args: &[Arg]) -> Self {
        Self { args: args.to_vec(), steps: Vec::new(), relays: Vec::new(), relaying: None }
    }

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

    /// Adds an instruction; its shape rule is checked. The input that is its result. What is there already is not
    /// computed again.
    fn push(&mut self, site: &Arc<str>, op: impl Into<OpOf>, inputs: Vec<Input>) -> Result<Input> {
        let OpOf(op) = op.into();
        let shapes: Vec<Shape> = inputs.iter().map(|input| self.shape_of(input)).collect();
        let shape = op.shape(&shapes)?;
        let step = Step { site: site.clone(), op, inputs, shape };
        let known = self.steps.iter().position(|known| *known == step);
        if known.is_none() {
            self.steps.push(step);
        }
        Ok(Input::Step(known.unwrap_or(self.steps.len() - 1)))
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

    /// What is released, as an argument.
    fn relay(&mut self, why: Why, gather: Gather<Input>) -> usize {
        let relay = Relay { why, gather };
        let given = self.args.len() - self.relays.len();
        if let Some(known) = self.relays.iter().position(|known| *known == relay) {
            return given + known;
        }
        self.args.push(Arg::Local(relay.gather.map(|input| self.shape_of(input)).shape()));
        self.relays.push(relay);
        self.args.len() - 1
    }

    fn fed(self, layout: Layout, parts: Vec<Input>) -> Plan {
        Plan { steps: self.steps, relays: self.relays, result: Planned::Fed(layout, parts) }
    }

    /// The results of these inputs, all of them steps, which stay with as many rows as their data say.
    fn counted(self, layout: Layout, parts: Vec<Input>) -> Counted {
        let step = |input| match input {
            Input::Step(step) => Some(step),
            Input::Part { .. } | Input::Region { .. } => None,
        };
        Counted { steps: self.steps, parts: parts.into_iter().filter_map(step).collect(), layout }
    }

    /// These inputs released and combined.
    fn local(self, parts: Vec<Input>, combine: Combine) -> Plan {
        self.released(Gather::one(parts, combine))
    }

    /// The cells of a result released, combined, and put together.
    fn released(self, gather: Gather<Input>) -> Plan {
        Plan { steps: self.steps, relays: self.relays, result: Planned::Local(gather) }
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
        self.per_site_of(layout, 0..layout.parts().len(), op, fixed, groups)
    }

    /// As [`Builder::per_site`], over some of the parts.
    fn per_site_of(
        &mut self,
        layout: &Layout,
        parts: impl IntoIterator<Item = usize>,
        op: impl Into<OpOf>,
        fixed: &[Vec<Input>],
        groups: &[Vec<Input>],
    ) -> Result<Vec<Input>> {
        let OpOf(op) = op.into();
        let mut results = Vec::new();
        for (site, parts) in layout.by_site_of(parts) {
            let head = fixed.iter().map(|inputs| inputs[parts[0]].clone());
            let tail = parts.iter().flat_map(|&part| groups.iter().map(move |inputs| inputs[part].clone()));
            results.push(self.push(&site, OpOf(op.clone()), head.chain(tail).collect())?);
        }
        Ok(results)
    }
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
    Slice(SliceOp),
    Stats(StatsOp),
    Encode(EncodeOp)
);

/// The refusal of what would move row-level values between sites.
fn refused(what: &str, layout: &Layout, instead: &'static str) -> Error {
    Why::new(what, layout, instead).refusal()
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

    /// Row bands, column bands, and the site of each block.
    pub(super) fn grid(heights: &[u64], widths: &[u64], sites: &str) -> Arg {
        let sites = sites.split_whitespace();
        Arg::Fed(Layout::grid(heights.to_vec(), widths.to_vec(), sites).unwrap())
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

    pub(super) fn gathered(plan: &Plan) -> &Gather<Input> {
        match &plan.result {
            Planned::Local(gather) => gather,
            Planned::Fed(..) => panic!("the result is federated"),
        }
    }

    /// What is relayed, as text: its inputs as in [`steps`], and its shape.
    pub(super) fn relays(plan: &Plan) -> Vec<String> {
        let input = |input: &Input| match input {
            Input::Part { arg, part } => format!("{arg}.{part}"),
            Input::Region { arg, rows, columns } => format!("{arg}[{rows:?},{columns:?}]"),
            Input::Step(step) => format!("%{step}"),
        };
        plan.relays.iter().map(|relay| relay.gather.parts().map(input).collect::<Vec<_>>().join(" ")).collect()
    }

    pub(super) fn combined(plan: &Plan) -> Combine {
        gathered(plan).combine.clone()
    }
}
