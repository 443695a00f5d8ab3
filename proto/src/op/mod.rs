//! The operators, by family: meaning, arity, shape rule, label rule, canonical bytes.

mod aggregate;
mod create;
mod elementwise;
mod encode;
mod matmul;
mod reorg;
mod slice;
mod stats;

pub use aggregate::{
    AggregateFunction, AggregateOp, Axis, CentralMoments, Cumulate, CumulateFunction, Distinct, Reduce, SumProduct,
    scaled,
};
pub use create::{Compare, CompareOp, CreateOp, Distribution, Fill, Filter, Literal, Rand, Read, Sample, Seq};
pub use elementwise::{Binary, BinaryFunction, ElementwiseOp, Scalar, Ternary, Unary};
pub use encode::{
    Code, EncodeOp, Feature, Guard, Join, JoinHow, JoinKeys, Map, MapFunction, Selected, Values, Words, hash_column,
};
pub use matmul::{Factorised, LossWeights, MatmulOp};
pub use reorg::ReorgOp;
pub use slice::SliceOp;
pub use stats::{GroupFunction, Ranks, StatsOp};

use crate::{Canonical, Effect, Error, Facet, Kind, Result, Shape, unfused::Unfused, wire};

/// A pure function of values.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Values out of nothing, or out of a dataset.
    Create(CreateOp),
    /// Cell by cell.
    Elementwise(ElementwiseOp),
    /// Reductions.
    Aggregate(AggregateOp),
    /// Products.
    Matmul(MatmulOp),
    /// The same cells at other places.
    Reorg(ReorgOp),
    /// Some of the cells.
    Slice(SliceOp),
    /// Ranks, tables, groups, weighted moments.
    Stats(StatsOp),
    /// Frames to frames, frames to matrices and back.
    Encode(EncodeOp),
}

/// How many inputs an operator takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// Just so many.
    Exactly(usize),
    /// `fixed` ones, then one or more groups of `group` inputs, one group per part.
    Groups {
        /// Inputs before the groups.
        fixed: usize,
        /// Inputs per part.
        group: usize,
    },
}

impl Op {
    /// The name that users see: the family's, then the operator's.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create(op) => op.name(),
            Self::Elementwise(op) => op.name(),
            Self::Aggregate(op) => op.name(),
            Self::Matmul(op) => op.name(),
            Self::Reorg(op) => op.name(),
            Self::Slice(op) => op.name(),
            Self::Stats(op) => op.name(),
            Self::Encode(op) => op.name(),
        }
    }

    /// How many inputs it takes.
    pub fn arity(&self) -> Arity {
        match self {
            Self::Create(_) => Arity::Exactly(0),
            Self::Elementwise(op) => op.arity(),
            Self::Aggregate(op) => op.arity(),
            Self::Matmul(op) => op.arity(),
            Self::Reorg(op) => op.arity(),
            Self::Slice(op) => op.arity(),
            Self::Stats(op) => op.arity(),
            Self::Encode(op) => op.arity(),
        }
    }

    /// Checks a number of inputs.
    ///
    /// # Errors
    /// `Invalid`, saying how many would be right.
    pub fn check_arity(&self, inputs: usize) -> Result<()> {
        let (fits, right) = match self.arity() {
            Arity::Exactly(n) => (inputs == n, format!("{n}")),
            Arity::Groups { fixed, group } => (
                inputs > fixed && (inputs - fixed).is_multiple_of(group),
                format!("{fixed} + {group} for each of one or more parts"),
            ),
        };
        if fits { Ok(()) } else { Err(Error::invalid(format!("{} takes {right} inputs, not {inputs}", self.name()))) }
    }

    /// The input whose data decide how many rows the result has. Of most operators shapes do: none.
    pub fn rows_decided_by(&self) -> Option<usize> {
        match self {
            Self::Create(_) | Self::Elementwise(_) | Self::Aggregate(_) | Self::Matmul(_) | Self::Stats(_) => None,
            Self::Reorg(op) => (*op == ReorgOp::Unique).then_some(0),
            Self::Slice(op) => (*op == SliceOp::FilterRows).then_some(1),
            Self::Encode(op) => op.counts_rows().then_some(0),
        }
    }

    /// Bytes that its parameters may take in a message, where they are a list.
    pub fn list_bytes(&self) -> u64 {
        match self {
            Self::Create(_)
            | Self::Elementwise(_)
            | Self::Aggregate(_)
            | Self::Matmul(_)
            | Self::Reorg(_)
            | Self::Stats(_) => 0,
            Self::Slice(op) => op.list_bytes(),
            Self::Encode(op) => op.list_bytes(),
        }
    }

    /// The shape of the result; where data decide its number of rows ([`Op::rows_decided_by`]), with the most there may
    /// be.
    ///
    /// # Errors
    /// `Invalid` if the inputs' shapes do not fit, naming them; also for `Read`, whose shape only the data knows.
    pub fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        self.check_arity(inputs.len())?;
        let shape = match self {
            Self::Create(op) => op.shape(),
            Self::Elementwise(op) => op.shape(inputs),
            Self::Aggregate(op) => op.shape(inputs),
            Self::Matmul(op) => op.shape(inputs),
            Self::Reorg(op) => op.shape(inputs),
            Self::Slice(op) => op.shape(inputs),
            Self::Stats(op) => op.shape(inputs),
            Self::Encode(op) => op.shape(inputs),
        }?;
        shape.bytes()?;
        Ok(shape)
    }

    /// What the result is, of inputs of these kinds.
    ///
    /// # Errors
    /// `Invalid` if one is a frame where a matrix is needed, or the other way, or has not the columns that are asked for.
    pub fn kind(&self, inputs: &[Kind]) -> Result<Kind> {
        if let Self::Encode(op) = self {
            return op.kind(inputs);
        }
        let frame = inputs.iter().position(|input| matches!(input, Kind::Frame(_)));
        match frame {
            None => Ok(Kind::Matrix),
            Some(index) => Err(Error::invalid(format!(
                "{}: input {index} is a frame, and matrices are needed; encode it, or make a matrix of its columns of \
                 numbers",
                self.name()
            ))),
        }
    }

    /// The operator as a worker carries it out where inputs hold protected data (one flag for each), of whose rows groups
    /// of fewer than `rows_min` are not seen.
    ///
    /// # Errors
    /// `ReleaseDenied` if its error would tell something of protected data.
    pub fn guarded(&self, inputs: &[Facet], protected: &[bool], rows_min: u64) -> Result<Self> {
        match self {
            Self::Encode(op) => op.guarded(inputs, protected, rows_min).map(Self::Encode),
            Self::Create(_)
            | Self::Elementwise(_)
            | Self::Aggregate(_)
            | Self::Matmul(_)
            | Self::Reorg(_)
            | Self::Slice(_)
            | Self::Stats(_) => Ok(self.clone()),
        }
    }

    /// What it does to the labels of its inputs, whose shapes fit.
    pub fn effect(&self, inputs: &[Facet]) -> Effect {
        if inputs.iter().any(|input| input.axes == crate::Axes::Entangled) {
            return Effect::entangled();
        }
        match self {
            Self::Create(op) => op.effect(),
            Self::Elementwise(op) => op.effect(inputs),
            Self::Aggregate(op) => op.effect(inputs),
            Self::Matmul(op) => op.effect(inputs),
            Self::Reorg(op) => op.effect(inputs),
            Self::Slice(op) => op.effect(inputs),
            Self::Stats(op) => op.effect(inputs),
            Self::Encode(op) => op.effect(inputs),
        }
    }

    /// For an operator that stands for several: those, for so many inputs.
    pub fn unfused(&self, inputs: usize) -> Option<Vec<Unfused>> {
        match self {
            Self::Aggregate(op) => op.unfused(inputs),
            Self::Matmul(op) => op.unfused(inputs),
            Self::Create(_)
            | Self::Elementwise(_)
            | Self::Reorg(_)
            | Self::Slice(_)
            | Self::Stats(_)
            | Self::Encode(_) => None,
        }
    }

    pub(crate) fn write_canonical(&self, out: &mut Canonical) {
        match self {
            Self::Create(op) => op.write_canonical(out.tag(1)),
            Self::Elementwise(op) => op.write_canonical(out.tag(2)),
            Self::Aggregate(op) => op.write_canonical(out.tag(3)),
            Self::Matmul(op) => op.write_canonical(out.tag(4)),
            Self::Reorg(op) => op.write_canonical(out.tag(5)),
            Self::Slice(op) => op.write_canonical(out.tag(6)),
            Self::Stats(op) => op.write_canonical(out.tag(7)),
            Self::Encode(op) => op.write_canonical(out.tag(9)),
        }
    }
}

macro_rules! families {
    ($($family:ident($op:ident)),+) => {
        $(impl From<$op> for Op {
            fn from(op: $op) -> Self {
                Self::$family(op)
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
    Stats(StatsOp)
);

/// The error for an operator of a newer protocol, or none at all.
fn unknown(family: &str) -> Error {
    Error::invalid(format!("the {family} operator is missing or unknown to this worker; Describe gives its version"))
}

impl TryFrom<wire::Op> for Op {
    type Error = Error;

    fn try_from(op: wire::Op) -> Result<Self> {
        use wire::op::Family;
        Ok(match op.family.ok_or_else(|| unknown("(no family)"))? {
            Family::Create(op) => Self::Create(op.try_into()?),
            Family::Elementwise(op) => Self::Elementwise(op.try_into()?),
            Family::Aggregate(op) => Self::Aggregate(op.try_into()?),
            Family::Matmul(op) => Self::Matmul(op.try_into()?),
            Family::Reorg(op) => Self::Reorg(op.try_into()?),
            Family::Slice(op) => Self::Slice(op.try_into()?),
            Family::Stats(op) => Self::Stats(op.try_into()?),
            Family::Encode(op) => Self::Encode(op.try_into()?),
        })
    }
}

impl From<Op> for wire::Op {
    fn from(op: Op) -> Self {
        use wire::op::Family;
        let family = match op {
            Op::Create(op) => Family::Create(op.into()),
            Op::Elementwise(op) => Family::Elementwise(op.into()),
            Op::Aggregate(op) => Family::Aggregate(op.into()),
            Op::Matmul(op) => Family::Matmul(op.into()),
            Op::Reorg(op) => Family::Reorg(op.into()),
            Op::Slice(op) => Family::Slice(op.into()),
            Op::Stats(op) => Family::Stats(op.into()),
            Op::Encode(op) => Family::Encode(op.into()),
        };
        Self { family: Some(family) }
    }
}
