//! Many cells to one, or to what they come to one after another.

mod central;
mod cumulate;
mod distinct;
mod reduce;
mod sum_product;

pub use central::CentralMoments;
pub use cumulate::{Cumulate, CumulateFunction};
pub use distinct::Distinct;
pub use reduce::{AggregateFunction, Axis, Reduce, scaled};
pub use sum_product::SumProduct;

use super::{Arity, unknown};
use crate::{
    Axes, Canonical, Effect, Error, Facet, Result, Shape,
    unfused::{self, Unfused},
    wire,
};

/// An aggregate. All but cumulative ones take any number of row parts down the rows or over all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateOp {
    /// A reduction to one number, or to few.
    Reduce(Reduce),
    /// What each cell and all before it come to.
    Cumulate(Cumulate),
    /// The sum of products of two or three matrices.
    SumProduct(SumProduct),
    /// The sum of the diagonal of a square matrix; of several, all their diagonals together.
    Trace,
    /// The distinct values of each column.
    Distinct(Distinct),
}

impl AggregateOp {
    /// A reduction with `ddof` 0.
    pub const fn new(function: AggregateFunction, axis: Axis) -> Self {
        Self::with_ddof(function, axis, 0)
    }

    /// A reduction with delta degrees of freedom.
    pub const fn with_ddof(function: AggregateFunction, axis: Axis, ddof: u32) -> Self {
        Self::Reduce(Reduce { function, axis, ddof })
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Reduce(reduce) => reduce.function.name(),
            Self::Cumulate(cumulate) => cumulate.function.name(),
            Self::SumProduct(_) => "sum_product",
            Self::Trace => "trace",
            Self::Distinct(distinct) => distinct.name(),
        }
    }

    pub(super) fn arity(&self) -> Arity {
        match self {
            Self::Reduce(reduce) => reduce.arity(),
            Self::Cumulate(cumulate) => Arity::Exactly(1 + usize::from(cumulate.carried)),
            Self::SumProduct(product) => Arity::Groups { fixed: 0, group: product.factors.into() },
            Self::Trace | Self::Distinct(_) => Arity::Groups { fixed: 0, group: 1 },
        }
    }

    pub(super) fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        match self {
            Self::Reduce(reduce) => reduce.shape(inputs),
            Self::Cumulate(cumulate) => cumulate.shape(inputs),
            Self::SumProduct(product) => product.shape(inputs),
            Self::Trace => match inputs.iter().find(|input| input.rows != input.columns) {
                Some(other) => Err(Error::invalid(format!("trace needs a square matrix, not one of {other}"))),
                None => Ok(Shape::new(1, 1)),
            },
            Self::Distinct(distinct) => distinct.shape(inputs),
        }
    }

    pub(super) fn effect(&self, inputs: &[Facet]) -> Effect {
        match self {
            Self::Reduce(reduce) => reduce.effect(inputs),
            Self::Cumulate(cumulate) => cumulate.effect(inputs),
            Self::SumProduct(product) => unfused::effect(&product.unfused(inputs.len()), inputs),
            // Of each data row one cell, which another column may have made: a sum of single cells.
            Self::Trace if inputs.iter().any(|input| input.axes != Axes::None) => Effect::entangled(),
            Self::Trace => Effect::keeping(Axes::None, false),
            Self::Distinct(distinct) => distinct.effect(inputs),
        }
    }

    pub(super) fn unfused(&self, inputs: usize) -> Option<Vec<Unfused>> {
        match self {
            Self::SumProduct(product) => Some(product.unfused(inputs)),
            Self::Reduce(_) | Self::Cumulate(_) | Self::Trace | Self::Distinct(_) => None,
        }
    }

    pub(super) fn write_canonical(&self, out: &mut Canonical) {
        match self {
            Self::Reduce(reduce) => reduce.write_canonical(out),
            // No reduction has the code 0.
            Self::Cumulate(cumulate) => cumulate.write_canonical(out.code(0).tag(1)),
            Self::SumProduct(product) => product.write_canonical(out.code(0).tag(2)),
            Self::Trace => {
                out.code(0).tag(3);
            }
            Self::Distinct(distinct) => distinct.write_canonical(out.code(0).tag(4)),
        }
    }
}

/// The rows of all parts, which need the same number of columns.
fn stacked(name: &str, inputs: &[Shape]) -> Result<Shape> {
    let columns = inputs[0].columns;
    if let Some(other) = inputs.iter().find(|input| input.columns != columns) {
        return Err(Error::invalid(format!(
            "{name}: row parts need the same number of columns, but have shapes {} and {other}",
            inputs[0]
        )));
    }
    let rows = inputs.iter().try_fold(0, |rows: u64, input| rows.checked_add(input.rows));
    let rows = rows.ok_or_else(|| Error::invalid(format!("{name}: the parts together have too many rows to count")))?;
    Ok(Shape::new(rows, columns))
}

impl TryFrom<wire::AggregateOp> for AggregateOp {
    type Error = Error;

    fn try_from(op: wire::AggregateOp) -> Result<Self> {
        use wire::aggregate_op::Other;
        let plain = op.function == 0 && op.axis == 0 && op.ddof == 0;
        match op.other {
            None => Ok(Self::Reduce(Reduce::parse(op.function, op.axis, op.ddof)?)),
            Some(_) if !plain => Err(Error::invalid("an aggregate has a function, or is another operator, not both")),
            Some(Other::Cumulate(cumulate)) => Ok(Self::Cumulate(cumulate.try_into()?)),
            Some(Other::SumProduct(product)) => Ok(Self::SumProduct(product.try_into()?)),
            Some(Other::Trace(_)) => Ok(Self::Trace),
            Some(Other::Distinct(distinct)) => Ok(Self::Distinct(distinct.try_into()?)),
        }
    }
}

impl From<AggregateOp> for wire::AggregateOp {
    fn from(op: AggregateOp) -> Self {
        use wire::aggregate_op::Other;
        let other = |other| Self { other: Some(other), ..Self::default() };
        match op {
            AggregateOp::Reduce(Reduce { function, axis, ddof }) => {
                Self { function: function.code(), axis: axis.code(), ddof, other: None }
            }
            AggregateOp::Cumulate(cumulate) => other(Other::Cumulate(cumulate.into())),
            AggregateOp::SumProduct(product) => other(Other::SumProduct(product.into())),
            AggregateOp::Trace => other(Other::Trace(wire::TraceOp {})),
            AggregateOp::Distinct(distinct) => other(Other::Distinct(distinct.into())),
        }
    }
}

/// The error for an axis that an operator does not have.
fn no_axis(name: &str, axes: &str) -> Error {
    Error::invalid(format!("{name} needs an axis: {axes}"))
}
