//! Reductions over all cells, down the rows (`axis=0`) or along each row (`axis=1`).

use super::{stacked, unknown};
use crate::{
    Axes, Canonical, Effect, Error, Facet, Measure, Result, Selection, Shape, op::Arity, vocabulary::vocabulary, wire,
};

/// A reduction. Over all or down the rows it takes any number of row parts and is the reduction of
/// `np.vstack(parts)`; along rows it takes one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reduce {
    /// What is computed.
    pub function: AggregateFunction,
    /// Along what.
    pub axis: Axis,
    /// Delta degrees of freedom, of var, std and their nan-variants; of skew and kurtosis, 1 corrects for bias.
    pub ddof: u32,
}

vocabulary! {
    /// What a reduction computes.
    AggregateFunction from wire::AggregateFunction {
        Sum = "sum", Sumsq = "sumsq", Mean = "mean", Var = "var", Std = "std", Min = "min", Max = "max", Nnz = "nnz",
        Moments = "moments", Prod = "prod", ScaledProd = "scaled_prod", Any = "any", All = "all", Nansum = "nansum",
        Nanmean = "nanmean", Nanvar = "nanvar", Nanstd = "nanstd", Nanmin = "nanmin", Nanmax = "nanmax",
        Nanmoments = "nanmoments", Argmin = "argmin", Argmax = "argmax", PlacedMin = "placed_min",
        PlacedMax = "placed_max", Moment2 = "moment2", Moment3 = "moment3", Moment4 = "moment4", Skew = "skew",
        Kurtosis = "kurtosis", WideMoments = "wide_moments", WideNanmoments = "wide_nanmoments",
        HigherMoments = "higher_moments",
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
        use AggregateFunction::{Nanmax, Nanmean, Nanmin, Nanmoments, Nanstd, Nansum, Nanvar, WideNanmoments};
        matches!(self, Nansum | Nanmean | Nanvar | Nanstd | Nanmin | Nanmax | Nanmoments | WideNanmoments)
    }

    /// Whether it sums third or fourth powers, so that few rows may be all there is to see of it.
    pub const fn is_steep(self) -> bool {
        use AggregateFunction::{HigherMoments, Kurtosis, Moment3, Moment4, Skew};
        matches!(self, Moment3 | Moment4 | Skew | Kurtosis | HigherMoments)
    }

    /// Whether a result can be the value of a single cell, or decided by one.
    const fn is_selection(self) -> bool {
        use AggregateFunction::{
            All, Any, Argmax, Argmin, Max, Min, Nanmax, Nanmin, PlacedMax, PlacedMin, Prod, ScaledProd,
        };
        matches!(
            self,
            Min | Max | Nanmin | Nanmax | Prod | ScaledProd | Any | All | Argmin | Argmax | PlacedMin | PlacedMax
        )
    }

    /// Whether there is none of no cells.
    const fn needs_a_cell(self) -> bool {
        use AggregateFunction::{Argmax, Argmin, Max, Min, Nanmax, Nanmin, PlacedMax, PlacedMin};
        matches!(self, Min | Max | Nanmin | Nanmax | Argmin | Argmax | PlacedMin | PlacedMax)
    }

    /// The largest `ddof` that it takes.
    const fn ddof_max(self) -> u32 {
        use AggregateFunction::{Kurtosis, Nanstd, Nanvar, Skew, Std, Var};
        match self {
            Var | Std | Nanvar | Nanstd => u32::MAX,
            Skew | Kurtosis => 1,
            _none => 0,
        }
    }

    /// Rows (axis 1: columns) of the result in the place of one.
    pub const fn width(self) -> u64 {
        use AggregateFunction::{
            HigherMoments, Moments, Nanmoments, PlacedMax, PlacedMin, ScaledProd, WideMoments, WideNanmoments,
        };
        match self {
            HigherMoments => 6,
            WideMoments | WideNanmoments => 4,
            Moments | Nanmoments => 3,
            ScaledProd | PlacedMin | PlacedMax => 2,
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

impl Reduce {
    /// Its name for messages.
    fn name(&self) -> &'static str {
        self.function.name()
    }

    pub(super) fn arity(&self) -> Arity {
        match self.axis {
            Axis::All | Axis::Columns => Arity::Groups { fixed: 0, group: 1 },
            Axis::Rows => Arity::Exactly(1),
        }
    }

    /// `(1, 1)`, `(1, d)` or `(n, 1)`, with as many rows (axis 1: columns) in the place of one as the function is wide.
    pub(super) fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let Shape { rows, columns } = stacked(self.name(), inputs)?;
        let reduced = match self.axis {
            Axis::All => Shape::new(rows, columns).cells()?,
            Axis::Columns => rows,
            Axis::Rows => columns,
        };
        if self.function.needs_a_cell()
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
            // A third power is a product of three: plain or not, the terms have to be looked at.
            (true, Axes::None) if !plain || self.function.is_steep() => effect.measured(Measure::Terms(vec![])),
            (true, Axes::None) => effect.measured(Measure::Count),
            (true, _) => effect.measured(Measure::Cells(vec![])),
        }
    }

    pub(super) fn write_canonical(&self, out: &mut Canonical) {
        out.code(self.function.code()).code(self.axis.code()).u64(u64::from(self.ddof));
    }

    /// From the codes of the wire.
    pub(super) fn parse(function: i32, axis: i32, ddof: u32) -> Result<Self> {
        let function = AggregateFunction::from_code(function).ok_or_else(|| unknown("aggregate"))?;
        let axis = Axis::from_code(axis).ok_or_else(|| Error::invalid("an aggregate needs an axis"))?;
        if ddof > function.ddof_max() {
            return Err(Error::invalid(format!(
                "{} takes no ddof of {ddof}; var and std do, and nanvar and nanstd; of skew and kurtosis, 1 corrects \
                 for bias",
                function.name()
            )));
        }
        Ok(Self { function, axis, ddof })
    }
}
