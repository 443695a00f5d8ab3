//! Distinct values: how many, which, and a summary that merges over sites.

use super::{AggregateFunction, Axis, Reduce, stacked, unknown};
use crate::{Axes, Canonical, Effect, Error, Facet, Measure, Result, Selection, Shape, wire};

/// The bits by which a HyperLogLog register is chosen.
const BITS: std::ops::RangeInclusive<u32> = 4..=16;

/// The distinct values of each column of `np.vstack(parts)`. NaN is one, and 0 and -0 are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distinct {
    /// How many: `(1, d)`.
    Count,
    /// The smallest in ascending order, NaN last; then NaN for what is not there: `(rows, d)`.
    Values {
        /// Rows of the result.
        rows: u64,
    },
    /// Registers of HyperLogLog (Flajolet et al. 2007), `(2^bits, d)`; they merge by their maxima.
    Registers {
        /// Of a value's hash, those that say which register is its own.
        bits: u32,
    },
}

impl Distinct {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Count => "distinct",
            Self::Values { .. } => "distinct_values",
            Self::Registers { .. } => "distinct_registers",
        }
    }

    pub(super) fn shape(self, inputs: &[Shape]) -> Result<Shape> {
        let columns = stacked(self.name(), inputs)?.columns;
        Ok(match self {
            Self::Count => Shape::new(1, columns),
            Self::Values { rows } => Shape::new(rows, columns),
            Self::Registers { bits } => Shape::new(1 << bits, columns),
        })
    }

    /// A count may be decided by one row, as whether a mask has both values is: an extreme. So is a register, which is
    /// a maximum over the rows whose values choose it; those rows are counted. Values are single rows' own.
    pub(super) fn effect(self, inputs: &[Facet]) -> Effect {
        let of_rows = Reduce { function: AggregateFunction::Max, axis: Axis::Columns, ddof: 0 }.effect(inputs);
        let protected = inputs.iter().any(|input| input.axes != Axes::None);
        match self {
            _ if !protected => {
                let selection = if inputs.len() > 1 { Selection::Concatenated } else { Selection::All };
                Effect::keeping(Axes::None, false).selecting(selection)
            }
            _ if of_rows.axes != Axes::None => Effect::entangled(),
            Self::Count => of_rows,
            Self::Values { .. } => Effect::entangled(),
            Self::Registers { .. } => of_rows.measured(Measure::Terms(vec![])),
        }
    }

    pub(super) fn write_canonical(self, out: &mut Canonical) {
        match self {
            Self::Count => out.tag(1),
            Self::Values { rows } => out.tag(2).u64(rows),
            Self::Registers { bits } => out.tag(3).u64(bits.into()),
        };
    }
}

impl TryFrom<wire::DistinctOp> for Distinct {
    type Error = Error;

    fn try_from(op: wire::DistinctOp) -> Result<Self> {
        use wire::distinct_op::What;
        match op.what.ok_or_else(|| unknown("distinct"))? {
            What::Count(_) => Ok(Self::Count),
            What::Values(values) => Ok(Self::Values { rows: values.rows }),
            What::Registers(registers) if BITS.contains(&registers.bits) => {
                Ok(Self::Registers { bits: registers.bits })
            }
            What::Registers(registers) => Err(Error::invalid(format!(
                "distinct_registers: bits must be from {} to {}, not {}",
                BITS.start(),
                BITS.end(),
                registers.bits
            ))),
        }
    }
}

impl From<Distinct> for wire::DistinctOp {
    fn from(op: Distinct) -> Self {
        use wire::distinct_op::{Count, Registers, Values, What};
        let what = match op {
            Distinct::Count => What::Count(Count {}),
            Distinct::Values { rows } => What::Values(Values { rows }),
            Distinct::Registers { bits } => What::Registers(Registers { bits }),
        };
        Self { what: Some(what) }
    }
}
