//! Reductions over all cells, down the rows (`axis=0`) or along each row (`axis=1`).

use crate::{
    Axes, Canonical, Effect, Error, Facet, Measure, Result, Selection, Shape,
    op::{Arity, unknown},
    vocabulary::vocabulary,
    wire,
};

/// A reduction. Over all or down the rows it takes any number of row parts and is the reduction of
/// `np.vstack(parts)`; along rows it takes one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AggregateOp {
    /// What is computed.
    pub function: AggregateFunction,
    /// Along what.
    pub axis: Axis,
    /// Delta degrees of freedom, of var and std alone.
    pub ddof: u32,
}

vocabulary! {
    /// What a reduction computes.
    AggregateFunction from wire::AggregateFunction {
        Sum = "sum", Sumsq = "sumsq", Mean = "mean", Var = "var", Std = "std", Min = "min", Max = "max", Nnz = "nnz",
        Moments = "moments",
    }
}

vocabulary! {
    /// Along what a reduction goes.
    Axis from wire::Axis {
        All = "all",
        Columns = "axis=0",
        Rows = "axis=1",
    }
}

impl AggregateOp {
    /// A reduction with `ddof` 0.
    pub const fn new(function: AggregateFunction, axis: Axis) -> Self {
        Self { function, axis, ddof: 0 }
    }

    pub(super) fn name(&self) -> &'static str {
        self.function.name()
    }

    pub(super) fn arity(&self) -> Arity {
        match self.axis {
            Axis::All | Axis::Columns => Arity::Groups { fixed: 0, group: 1 },
            Axis::Rows => Arity::Exactly(1),
        }
    }

    /// `(1, 1)`, `(1, d)` or `(n, 1)`; moments have three rows (axis 1: columns) in the place of one.
    pub(super) fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let columns = inputs[0].columns;
        if let Some(other) = inputs.iter().find(|input| input.columns != columns) {
            return Err(Error::invalid(format!(
                "{}: row parts need the same number of columns, but have shapes {} and {other}",
                self.name(),
                inputs[0]
            )));
        }
        let sum = |rows: u64, input: &Shape| rows.checked_add(input.rows);
        let rows = inputs.iter().try_fold(0, sum).ok_or_else(|| {
            Error::invalid(format!("{}: the parts together have too many rows to count", self.name()))
        })?;
        let reduced = match self.axis {
            Axis::All => Shape::new(rows, columns).cells()?,
            Axis::Columns => rows,
            Axis::Rows => columns,
        };
        let extreme = matches!(self.function, AggregateFunction::Min | AggregateFunction::Max);
        if extreme
            && reduced == 0
            && (self.axis != Axis::Columns || columns > 0)
            && (self.axis != Axis::Rows || rows > 0)
        {
            return Err(Error::invalid(format!("{} of no cells has no value; ask for at least one row", self.name())));
        }
        let width = if self.function == AggregateFunction::Moments { 3 } else { 1 };
        Ok(match self.axis {
            Axis::All => Shape::new(width, 1),
            Axis::Columns => Shape::new(width, columns),
            Axis::Rows => Shape::new(rows, width),
        })
    }

    pub(super) fn effect(&self, inputs: &[Facet]) -> Effect {
        use AggregateFunction::{Max, Mean, Min, Nnz, Sum};
        let axes = inputs[0].axes;
        if inputs.iter().any(|input| input.axes != axes) {
            return Effect::entangled();
        }
        let plain = inputs.iter().all(|input| if inputs.len() == 1 { input.plain } else { input.native });
        let extreme = matches!(self.function, Min | Max);
        let contracts = match self.axis {
            Axis::All => axes != Axes::None,
            Axis::Columns => axes.rows(),
            Axis::Rows => axes.columns(),
        };
        let kept = match (self.axis, axes) {
            (Axis::All, Axes::Both) => return Effect::entangled(),
            (Axis::All, _) => Axes::None,
            (Axis::Columns, axes) => Axes::of(false, axes.columns()),
            (Axis::Rows, axes) => Axes::of(axes.rows(), false),
        };
        let mut effect = Effect::keeping(kept, false);
        if inputs.len() > 1 {
            effect = effect.selecting(if axes == Axes::Rows || axes == Axes::None {
                Selection::Concatenated
            } else {
                return Effect::entangled();
            });
        }
        effect.extreme = extreme && contracts;
        let linear = matches!(self.function, Sum | Mean);
        match (contracts, kept) {
            (false, Axes::None) => effect,
            (false, _) => {
                effect.plain = plain && linear;
                let measure = if effect.plain { Measure::Linear } else { Measure::Cells(vec![]) };
                effect.measured(measure)
            }
            (true, Axes::None) if self.function == Nnz => {
                effect.measured(Measure::NonZero { shifted: !inputs.iter().all(|input| input.native) })
            }
            (true, Axes::None) if !plain => effect.measured(Measure::Terms(vec![])),
            (true, Axes::None) => effect.measured(Measure::Count),
            (true, _) => effect.measured(Measure::Cells(vec![])),
        }
    }

    pub(super) fn write_canonical(&self, out: &mut Canonical) {
        out.code(self.function.code()).code(self.axis.code()).u64(u64::from(self.ddof));
    }
}

impl TryFrom<wire::AggregateOp> for AggregateOp {
    type Error = Error;

    fn try_from(op: wire::AggregateOp) -> Result<Self> {
        let function = AggregateFunction::from_code(op.function).ok_or_else(|| unknown("aggregate"))?;
        let axis = Axis::from_code(op.axis).ok_or_else(|| Error::invalid("an aggregate needs an axis"))?;
        let takes_ddof = matches!(function, AggregateFunction::Var | AggregateFunction::Std);
        if op.ddof != 0 && !takes_ddof {
            return Err(Error::invalid(format!("{} takes no ddof; only var and std do", function.name())));
        }
        Ok(Self { function, axis, ddof: op.ddof })
    }
}

impl From<AggregateOp> for wire::AggregateOp {
    fn from(op: AggregateOp) -> Self {
        Self { function: op.function.code(), axis: op.axis.code(), ddof: op.ddof }
    }
}
