//! Some of the cells, or others in their place.

use std::{collections::HashSet, ops::Range};

use crate::{
    Axes, Canonical, Effect, Error, Facet, Measure, Result, Selection, Shape,
    op::{Arity, reorg, unknown},
    wire,
};

/// A selection of cells; indices are 0-based, ends exclusive.
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
    /// `X[indices, :]`, in this order, with repeats.
    Rows(Vec<u64>),
    /// X with `X[rows, columns] = Y`: `(n, d), (rows, columns) → (n, d)`; Y is broadcast.
    Set {
        /// Rows that Y takes the place of.
        rows: Range<u64>,
        /// Columns of these.
        columns: Range<u64>,
    },
    /// `X[M[:, 0] != 0]`: `(n, d), (n, 1) → (rows taken, d)`. NaN is not 0.
    FilterRows,
}

impl SliceOp {
    /// Indices of one list at most; longer ones are put together from several.
    pub const INDICES_MAX: usize = 1 << 20;

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Range { .. } => "slice",
            Self::Columns(_) => "slice_columns",
            Self::Rows(_) => "take",
            Self::Set { .. } => "set",
            Self::FilterRows => "filter_rows",
        }
    }

    pub(super) fn arity(&self) -> Arity {
        match self {
            Self::Range { .. } | Self::Columns(_) | Self::Rows(_) => Arity::Exactly(1),
            Self::Set { .. } | Self::FilterRows => Arity::Exactly(2),
        }
    }

    pub(super) fn list_bytes(&self) -> u64 {
        match self {
            Self::Columns(indices) | Self::Rows(indices) => 8 * indices.len() as u64,
            Self::Range { .. } | Self::Set { .. } | Self::FilterRows => 0,
        }
    }

    /// Of `FilterRows`, the largest that it may be.
    pub(super) fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = inputs[0];
        match self {
            Self::Range { rows, columns } => {
                self.check_within(rows, columns, input)?;
                Ok(Shape::new(rows.end - rows.start, columns.end - columns.start))
            }
            Self::Columns(indices) => match indices.iter().find(|&&index| index >= input.columns) {
                Some(index) => Err(Error::invalid(format!("slice_columns: there is no column {index} in {input}"))),
                None => Ok(Shape::new(input.rows, indices.len() as u64)),
            },
            Self::Rows(indices) => match indices.iter().find(|&&index| index >= input.rows) {
                Some(index) => Err(Error::invalid(format!("take: there is no row {index} in {input}"))),
                None => Ok(Shape::new(indices.len() as u64, input.columns)),
            },
            Self::Set { rows, columns } => {
                self.check_within(rows, columns, input)?;
                let region = Shape::new(rows.end - rows.start, columns.end - columns.start);
                let fits = |have: u64, need: u64| have == need || have == 1;
                if fits(inputs[1].rows, region.rows) && fits(inputs[1].columns, region.columns) {
                    return Ok(input);
                }
                Err(Error::invalid(format!(
                    "set: a value of shape {} does not fit into {region}; each axis must be equal, or 1",
                    inputs[1]
                )))
            }
            Self::FilterRows if inputs[1] == Shape::new(input.rows, 1) => Ok(input),
            Self::FilterRows => Err(Error::invalid(format!(
                "filter_rows: the mask of {input} must be ({}, 1), one cell for each row, not {}",
                input.rows, inputs[1]
            ))),
        }
    }

    fn check_within(&self, rows: &Range<u64>, columns: &Range<u64>, input: Shape) -> Result<()> {
        if rows.end <= input.rows && columns.end <= input.columns {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "{}: [{}:{}, {}:{}] goes beyond {input}",
            self.name(),
            rows.start,
            rows.end,
            columns.start,
            columns.end
        )))
    }

    pub(super) fn effect(&self, inputs: &[Facet]) -> Effect {
        let input = inputs[0];
        match self {
            Self::Range { rows, columns } => {
                let rows_change = input.axes.rows() && *rows != (0..input.shape.rows);
                let columns_change = input.axes.columns() && *columns != (0..input.shape.columns);
                match input.axes {
                    _ if !rows_change && !columns_change => same(input),
                    Axes::Rows => fewer(input, Selection::Range(rows.start, rows.end)),
                    Axes::Columns => fewer(input, Selection::Range(columns.start, columns.end)),
                    Axes::None | Axes::Both | Axes::Entangled => fewer(input, Selection::Some),
                }
            }
            Self::Columns(indices) if input.axes.columns() => listed(input, indices),
            Self::Rows(indices) if input.axes.rows() => listed(input, indices),
            Self::Columns(_) | Self::Rows(_) => same(input),
            Self::Set { rows, columns } => replaced(input, inputs[1], rows, columns),
            Self::FilterRows => filtered(input, inputs[1]),
        }
    }

    pub(super) fn write_canonical(&self, out: &mut Canonical) {
        match self {
            Self::Range { rows, columns } | Self::Set { rows, columns } => {
                out.tag(if matches!(self, Self::Range { .. }) { 1 } else { 4 });
                out.u64(rows.start).u64(rows.end).u64(columns.start).u64(columns.end);
            }
            Self::Columns(indices) | Self::Rows(indices) => {
                out.tag(if matches!(self, Self::Columns(_)) { 2 } else { 3 }).u64(indices.len() as u64);
                for index in indices {
                    out.u64(*index);
                }
            }
            Self::FilterRows => {
                out.tag(5);
            }
        }
    }
}

/// All data rows, as they are.
fn same(input: Facet) -> Effect {
    Effect::keeping(input.axes, input.plain).native_if(input.native)
}

/// Some of the data rows.
fn fewer(input: Facet, selection: Selection) -> Effect {
    let measure = if input.plain { Measure::Linear } else { Measure::Cells(vec![]) };
    same(input).selecting(selection).measured(measure)
}

/// Data rows in the order of a list.
fn listed(input: Facet, indices: &[u64]) -> Effect {
    if indices.windows(2).all(|two| two[0].checked_add(1) == Some(two[1])) && input.axes != Axes::Both {
        let start = indices.first().copied().unwrap_or(0);
        return fewer(input, Selection::Range(start, start + indices.len() as u64));
    }
    let mut seen = HashSet::new();
    let ascends = indices.is_sorted_by(|a, b| a < b);
    if ascends || indices.iter().all(|index| seen.insert(index)) {
        return fewer(input, Selection::Some);
    }
    // The same row twice would count as two.
    Effect::entangled()
}

/// Cells in the place of others. Whole columns (of columns that are data rows: whole rows) are like others beside them;
/// else a row could be left alone among numbers that a tenant knows.
fn replaced(x: Facet, y: Facet, rows: &Range<u64>, columns: &Range<u64>) -> Effect {
    let stretched = |facet: Facet| {
        (facet.axes.rows() && facet.shape.rows != x.shape.rows)
            || (facet.axes.columns() && facet.shape.columns != x.shape.columns)
    };
    let whole = match x.axes.join(y.axes) {
        Axes::None => return Effect::keeping(Axes::None, false),
        Axes::Rows => *rows == (0..x.shape.rows),
        Axes::Columns => *columns == (0..x.shape.columns),
        Axes::Both | Axes::Entangled => false,
    };
    if !whole || stretched(y) {
        return Effect::entangled();
    }
    let turned = |x: Facet| Facet { shape: x.shape.transposed(), axes: x.axes.transposed(), ..x };
    match x.axes.join(y.axes) {
        Axes::Columns => {
            let mut effect = reorg::side_by_side(&[turned(x), turned(y)]);
            effect.axes = effect.axes.transposed();
            effect
        }
        Axes::None | Axes::Rows | Axes::Both | Axes::Entangled => reorg::side_by_side(&[x, y]),
    }
}

/// The rows that a mask takes.
fn filtered(x: Facet, mask: Facet) -> Effect {
    match (x.axes, mask.axes) {
        (Axes::None | Axes::Columns, Axes::None) => same(x),
        (Axes::Rows | Axes::Both, Axes::None) => fewer(x, Selection::Some),
        (Axes::Rows, Axes::Rows) => {
            same(x).selecting(Selection::Some).measured(Measure::Chosen { plain: x.plain, shifted: !mask.native })
        }
        // Who is taken could be read off the tenant's own rows.
        _ => Effect::entangled(),
    }
}

impl TryFrom<wire::SliceOp> for SliceOp {
    type Error = Error;

    fn try_from(op: wire::SliceOp) -> Result<Self> {
        use wire::slice_op::{Op, Range};
        let ranges = |range: Range| {
            if range.row_start <= range.row_end && range.column_start <= range.column_end {
                return Ok((range.row_start..range.row_end, range.column_start..range.column_end));
            }
            Err(Error::invalid("slice: a range must not end before it starts"))
        };
        let short = |indices: Vec<u64>| {
            if indices.len() <= Self::INDICES_MAX {
                return Ok(indices);
            }
            Err(Error::limit(format!(
                "a list of {} rows or columns; at most {} (indices_max) go in one, stack several",
                indices.len(),
                Self::INDICES_MAX
            )))
        };
        Ok(match op.op.ok_or_else(|| unknown("slice"))? {
            Op::Range(range) => {
                let (rows, columns) = ranges(range)?;
                Self::Range { rows, columns }
            }
            Op::Columns(list) => Self::Columns(short(list.indices)?),
            Op::Rows(list) => Self::Rows(short(list.indices)?),
            Op::Set(range) => {
                let (rows, columns) = ranges(range)?;
                Self::Set { rows, columns }
            }
            Op::FilterRows(_) => Self::FilterRows,
        })
    }
}

impl From<SliceOp> for wire::SliceOp {
    fn from(op: SliceOp) -> Self {
        use wire::slice_op::{ColumnList, FilterRows, Op, RowList};
        let range = |rows: Range<u64>, columns: Range<u64>| wire::slice_op::Range {
            row_start: rows.start,
            row_end: rows.end,
            column_start: columns.start,
            column_end: columns.end,
        };
        let op = match op {
            SliceOp::Range { rows, columns } => Op::Range(range(rows, columns)),
            SliceOp::Columns(indices) => Op::Columns(ColumnList { indices }),
            SliceOp::Rows(indices) => Op::Rows(RowList { indices }),
            SliceOp::Set { rows, columns } => Op::Set(range(rows, columns)),
            SliceOp::FilterRows => Op::FilterRows(FilterRows {}),
        };
        Self { op: Some(op) }
    }
}
