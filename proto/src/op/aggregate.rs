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
    /// Delta degrees of freedom, of var, std and their nan-variants alone.
    pub ddof: u32,
}

vocabulary! {
    /// What a reduction computes.
    AggregateFunction from wire::AggregateFunction {
        Sum = "sum", Sumsq = "sumsq", Mean = "mean", Var = "var", Std = "std", Min = "min", Max = "max", Nnz = "nnz",
        Moments = "moments", Prod = "prod", ScaledProd = "scaled_prod", Any = "any", All = "all", Nansum = "nansum",
        Nanmean = "nanmean", Nanvar = "nanvar", Nanstd = "nanstd", Nanmin = "nanmin", Nanmax = "nanmax",
        Nanmoments = "nanmoments",
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

impl AggregateFunction {
    /// Whether cells that are NaN are left out.
    pub const fn skips_nan(self) -> bool {
        use AggregateFunction::{Nanmax, Nanmean, Nanmin, Nanmoments, Nanstd, Nansum, Nanvar};
        matches!(self, Nansum | Nanmean | Nanvar | Nanstd | Nanmin | Nanmax | Nanmoments)
    }

    /// Whether a result can be the value of a single cell, or decided by one.
    const fn is_selection(self) -> bool {
        use AggregateFunction::{All, Any, Max, Min, Nanmax, Nanmin, Prod, ScaledProd};
        matches!(self, Min | Max | Nanmin | Nanmax | Prod | ScaledProd | Any | All)
    }

    const fn takes_ddof(self) -> bool {
        use AggregateFunction::{Nanstd, Nanvar, Std, Var};
        matches!(self, Var | Std | Nanvar | Nanstd)
    }

    /// Rows (axis 1: columns) of the result in the place of one.
    const fn width(self) -> u64 {
        use AggregateFunction::{Moments, Nanmoments, ScaledProd};
        match self {
            Moments | Nanmoments => 3,
            ScaledProd => 2,
            _one => 1,
        }
    }
}

/// The number `m · 2^e` of a scaled product, rounded once: 0 below the least number, infinite beyond the largest.
pub fn scaled(m: f64, e: f64) -> f64 {
    if m == 0.0 || !m.is_finite() || !e.is_finite() {
        return m;
    }
    let power = |e: i32| f64::from_bits(if e < -1022 { 1 << (e + 1074) } else { ((e + 1023) as u64) << 52 });
    match e as i64 {
        ..=-1076 => 0.0_f64.copysign(m),
        -1075 => m / 2.0 * power(-1074),
        e @ -1074..=1023 => m * power(e as i32),
        1024.. => f64::INFINITY.copysign(m),
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

    /// `(1, 1)`, `(1, d)` or `(n, 1)`; moments have three rows (axis 1: columns) in the place of one, scaled products two.
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
        use AggregateFunction::{Max, Min, Nanmax, Nanmin};
        if matches!(self.function, Min | Max | Nanmin | Nanmax)
            && reduced == 0
            && (self.axis != Axis::Columns || columns > 0)
            && (self.axis != Axis::Rows || rows > 0)
        {
            return Err(Error::invalid(format!("{} of no cells has no value; ask for at least one row", self.name())));
        }
        let width = self.function.width();
        Ok(match self.axis {
            Axis::All => Shape::new(width, 1),
            Axis::Columns => Shape::new(width, columns),
            Axis::Rows => Shape::new(rows, width),
        })
    }

    pub(super) fn effect(&self, inputs: &[Facet]) -> Effect {
        use AggregateFunction::{Mean, Nnz, Sum};
        let axes = inputs[0].axes;
        if inputs.iter().any(|input| input.axes != axes) {
            return Effect::entangled();
        }
        let plain = inputs.iter().all(|input| if inputs.len() == 1 { input.plain } else { input.native });
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
        effect.extreme = self.function.is_selection() && contracts;
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
            (true, Axes::None) if self.function.skips_nan() => effect.measured(Measure::Present { plain }),
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
        if op.ddof != 0 && !function.takes_ddof() {
            return Err(Error::invalid(format!(
                "{} takes no ddof; var and std do, and nanvar and nanstd",
                function.name()
            )));
        }
        Ok(Self { function, axis, ddof: op.ddof })
    }
}

impl From<AggregateOp> for wire::AggregateOp {
    fn from(op: AggregateOp) -> Self {
        Self { function: op.function.code(), axis: op.axis.code(), ddof: op.ddof }
    }
}
