//! Cumulative sums, products and extremes along an axis.

use super::{Axis, no_axis, unknown};
use crate::{Axes, Canonical, Effect, Error, Facet, Measure, Result, Shape, vocabulary::vocabulary, wire};

/// What each cell and all before it along an axis come to: `(n, d) → (n, d)`; of `cumsumprod`, `(n, 2) → (n, 1)` or
/// `(2, n) → (1, n)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cumulate {
    /// What is computed.
    pub function: CumulateFunction,
    /// Down the rows, or along them.
    pub axis: Axis,
    /// Whether a second input says what all cells before the first come to: a row `(1, d)` or, along rows, a column
    /// `(n, 1)`; of `cumprod` two of them, a scaled product; of `cumsumprod` one cell.
    pub carried: bool,
}

vocabulary! {
    /// What cells come to, one after another.
    CumulateFunction from wire::CumulateFunction {
        Cumsum = "cumsum", Cumprod = "cumprod", Cummin = "cummin", Cummax = "cummax", Cumsumprod = "cumsumprod",
    }
}

impl CumulateFunction {
    /// Whether a result can be the value of a single cell, or decided by one.
    const fn is_selection(self) -> bool {
        !matches!(self, Self::Cumsum)
    }
}

impl Cumulate {
    pub(super) fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let (name, x) = (self.function.name(), inputs[0]);
        let along = |rows: Shape| if self.axis == Axis::Rows { rows.transposed() } else { rows };
        // As if it went down the rows.
        let Shape { rows, columns } = along(x);
        let (carry, result) = match self.function {
            CumulateFunction::Cumsum | CumulateFunction::Cummin | CumulateFunction::Cummax => {
                (Shape::new(1, columns), Shape::new(rows, columns))
            }
            CumulateFunction::Cumprod => (Shape::new(2, columns), Shape::new(rows, columns)),
            CumulateFunction::Cumsumprod if columns == 2 => (Shape::new(1, 1), Shape::new(rows, 1)),
            CumulateFunction::Cumsumprod => {
                let what = if self.axis == Axis::Rows { "rows" } else { "columns" };
                return Err(Error::invalid(format!("{name} needs two {what}, but the matrix is {x}")));
            }
        };
        if let Some(other) = inputs.get(1).filter(|other| **other != along(carry)) {
            let right = along(carry);
            return Err(Error::invalid(format!("{name}: what is carried on must be {right}, not {other}")));
        }
        Ok(along(result))
    }

    /// Along a data row's own cells each row stays one: sums of plain columns stay plain, all else is measured. Down
    /// the data rows each result holds all rows before it, so that a difference of two is one row: entangled.
    pub(super) fn effect(&self, inputs: &[Facet]) -> Effect {
        let Facet { axes, plain, .. } = inputs[0];
        let own = if self.axis == Axis::Rows { Axes::Rows } else { Axes::Columns };
        let carries_data = inputs[1..].iter().any(|carry| carry.axes != Axes::None);
        let mut effect = match axes {
            Axes::None if !carries_data => Effect::keeping(Axes::None, false),
            axes if axes == own && !self.carried && self.function != CumulateFunction::Cumsumprod => {
                let plain = plain && self.function == CumulateFunction::Cumsum;
                let measure = if plain { Measure::Linear } else { Measure::Cells(vec![]) };
                Effect::keeping(axes, plain).measured(measure)
            }
            _across_rows => Effect::entangled(),
        };
        effect.extreme = self.function.is_selection() && effect.axes == Axes::Entangled;
        effect
    }

    pub(super) fn write_canonical(&self, out: &mut Canonical) {
        out.code(self.function.code()).code(self.axis.code()).tag(self.carried.into());
    }
}

impl TryFrom<wire::CumulateOp> for Cumulate {
    type Error = Error;

    fn try_from(op: wire::CumulateOp) -> Result<Self> {
        let function = CumulateFunction::from_code(op.function).ok_or_else(|| unknown("cumulative"))?;
        match Axis::from_code(op.axis) {
            Some(axis @ (Axis::Columns | Axis::Rows)) => Ok(Self { function, axis, carried: op.carried }),
            Some(Axis::All) | None => Err(no_axis(function.name(), "down the rows, or along them")),
        }
    }
}

impl From<Cumulate> for wire::CumulateOp {
    fn from(op: Cumulate) -> Self {
        Self { function: op.function.code(), axis: op.axis.code(), carried: op.carried }
    }
}
