//! Some of the cells.

use std::{collections::HashSet, ops::Range};

use crate::{Axes, Canonical, Effect, Error, Facet, Measure, Result, Selection, Shape, op::unknown, wire};

/// A selection of cells by position; indices are 0-based, ends exclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SliceOp {
    /// `X[rows, columns]`.
    Range {
        /// Rows kept.
        rows: Range<u64>,
        /// Columns kept.
        columns: Range<u64>,
    },
    /// `X[:, indices]`, in this order, with repeats.
    Columns(Vec<u64>),
}

impl SliceOp {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Range { .. } => "slice",
            Self::Columns(_) => "slice_columns",
        }
    }

    pub(super) fn shape(&self, input: Shape) -> Result<Shape> {
        match self {
            Self::Range { rows, columns } => {
                if rows.end > input.rows || columns.end > input.columns {
                    return Err(Error::invalid(format!(
                        "slice: [{}:{}, {}:{}] goes beyond {input}",
                        rows.start, rows.end, columns.start, columns.end
                    )));
                }
                Ok(Shape::new(rows.end - rows.start, columns.end - columns.start))
            }
            Self::Columns(indices) => match indices.iter().find(|&&index| index >= input.columns) {
                Some(index) => Err(Error::invalid(format!("slice_columns: there is no column {index} in {input}"))),
                None => Ok(Shape::new(input.rows, indices.len() as u64)),
            },
        }
    }

    pub(super) fn effect(&self, input: Facet) -> Effect {
        let effect = Effect::keeping(input.axes, input.plain).native_if(input.native);
        let (rows_change, columns_change) = match self {
            Self::Range { rows, columns } => (*rows != (0..input.shape.rows), *columns != (0..input.shape.columns)),
            Self::Columns(_) => (false, true),
        };
        let fewer_data_rows = (input.axes.rows() && rows_change) || (input.axes.columns() && columns_change);
        if input.axes == Axes::None || !fewer_data_rows {
            return effect;
        }
        let selection = match (self, input.axes) {
            (Self::Range { rows, .. }, Axes::Rows) => Selection::Range(rows.start, rows.end),
            (Self::Range { columns, .. }, Axes::Columns) => Selection::Range(columns.start, columns.end),
            (Self::Range { .. }, _) => Selection::Some,
            (Self::Columns(indices), _) => {
                let mut seen = HashSet::new();
                if !indices.iter().all(|index| seen.insert(index)) {
                    // The same row twice would count as two.
                    return Effect::entangled();
                }
                Selection::Some
            }
        };
        let effect = effect.selecting(selection);
        effect.measured(if input.plain { Measure::Linear } else { Measure::Cells(vec![]) })
    }

    pub(super) fn write_canonical(&self, out: &mut Canonical) {
        match self {
            Self::Range { rows, columns } => {
                out.tag(1).u64(rows.start).u64(rows.end).u64(columns.start).u64(columns.end);
            }
            Self::Columns(indices) => {
                out.tag(2).u64(indices.len() as u64);
                for index in indices {
                    out.u64(*index);
                }
            }
        }
    }
}

impl TryFrom<wire::SliceOp> for SliceOp {
    type Error = Error;

    fn try_from(op: wire::SliceOp) -> Result<Self> {
        use wire::slice_op::Op;
        match op.op.ok_or_else(|| unknown("slice"))? {
            Op::Range(r) if r.row_start <= r.row_end && r.column_start <= r.column_end => {
                Ok(Self::Range { rows: r.row_start..r.row_end, columns: r.column_start..r.column_end })
            }
            Op::Range(_) => Err(Error::invalid("slice: a range must not end before it starts")),
            Op::Columns(list) => Ok(Self::Columns(list.indices)),
        }
    }
}

impl From<SliceOp> for wire::SliceOp {
    fn from(op: SliceOp) -> Self {
        use wire::slice_op::{ColumnList, Op, Range};
        let op = match op {
            SliceOp::Range { rows, columns } => Op::Range(Range {
                row_start: rows.start,
                row_end: rows.end,
                column_start: columns.start,
                column_end: columns.end,
            }),
            SliceOp::Columns(indices) => Op::Columns(ColumnList { indices }),
        };
        Self { op: Some(op) }
    }
}
