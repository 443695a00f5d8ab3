//! The same cells at other places.

use crate::{
    Axes, Canonical, Effect, Error, Facet, Measure, Result, Selection, Shape,
    op::{Arity, unknown},
    wire,
};

/// An operator that moves cells. Offsets are of columns, as in NumPy: that of a part of a matrix, which begins at some
/// row and column of it, is the whole one's plus the row, less the column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReorgOp {
    /// `X.T`.
    Transpose,
    /// `np.vstack` of all inputs.
    Vstack,
    /// `np.hstack` of all inputs.
    Hstack,
    /// `np.flip(X, axis=0)`.
    Flip,
    /// `np.flip(X, axis=1)`.
    FlipColumns,
    /// `np.unique(X, return_counts=True)` of a column: `(n, 1) → (distinct values, 2)`, values in order and counts. All
    /// NaN are one value, the last; so are zeros of both signs.
    Unique,
    /// `np.diagonal(X, offset)`: `(n, d) → (cells on it, 1)`.
    Diagonal {
        /// The column of row 0.
        offset: i64,
    },
    /// Zeros, but for the cells of a column on a diagonal: `(n, 1) → (n, columns)`. With the square, `np.diag(X[:, 0])`.
    Diag {
        /// Columns of the result.
        columns: u64,
        /// The column of row 0.
        offset: i64,
    },
    /// `np.tril(X, k)` or, if `upper`, `np.triu(X, k)`.
    Triangle {
        /// Whether what is above the diagonal stays, rather than what is below.
        upper: bool,
        /// The column of row 0 on the last diagonal that stays.
        k: i64,
    },
    /// `np.reshape(X, (rows, columns))`, row-major.
    Reshape(Shape),
    /// The rows in the order of a column; those of equal cells stay in theirs, NaN come last.
    Sort {
        /// The column.
        by: u64,
        /// Whether the largest cell comes first. NaN come last still.
        descending: bool,
        /// The order itself, as a column of row numbers: `np.argsort(X[:, by], stable=True)`.
        indices: bool,
    },
}

impl ReorgOp {
    /// The name that users see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transpose => "transpose",
            Self::Vstack => "vstack",
            Self::Hstack => "hstack",
            Self::Flip => "flip",
            Self::FlipColumns => "flip_columns",
            Self::Unique => "unique",
            Self::Diagonal { .. } => "diagonal",
            Self::Diag { .. } => "diag",
            Self::Triangle { upper: false, .. } => "tril",
            Self::Triangle { upper: true, .. } => "triu",
            Self::Reshape(_) => "reshape",
            Self::Sort { indices: false, .. } => "sort",
            Self::Sort { indices: true, .. } => "argsort",
        }
    }

    pub(super) fn arity(self) -> Arity {
        match self {
            Self::Vstack | Self::Hstack => Arity::Groups { fixed: 0, group: 1 },
            Self::Transpose | Self::Flip | Self::FlipColumns | Self::Unique | Self::Reshape(_) => Arity::Exactly(1),
            Self::Diagonal { .. } | Self::Diag { .. } | Self::Triangle { .. } | Self::Sort { .. } => Arity::Exactly(1),
        }
    }

    /// Of `Unique`, the largest that it may be.
    pub(super) fn shape(self, inputs: &[Shape]) -> Result<Shape> {
        let first = inputs[0];
        let wrong = |what: &str, other: &Shape| {
            Error::invalid(format!(
                "{}: the inputs need the same number of {what}, but are {first} and {other}",
                self.name()
            ))
        };
        let too_large = || Error::invalid(format!("{}: the result has too many cells to count", self.name()));
        let sum = |extents: Vec<u64>| extents.into_iter().try_fold(0_u64, u64::checked_add).ok_or_else(too_large);
        let column = |result: Shape| {
            let needs = || Error::invalid(format!("{} takes a column, (n, 1), not {first}", self.name()));
            if first.columns == 1 { Ok(result) } else { Err(needs()) }
        };
        match self {
            Self::Transpose => Ok(first.transposed()),
            Self::Flip | Self::FlipColumns | Self::Triangle { .. } => Ok(first),
            Self::Vstack => match inputs.iter().find(|input| input.columns != first.columns) {
                Some(other) => Err(wrong("columns", other)),
                None => Ok(Shape::new(sum(inputs.iter().map(|input| input.rows).collect())?, first.columns)),
            },
            Self::Hstack => match inputs.iter().find(|input| input.rows != first.rows) {
                Some(other) => Err(wrong("rows", other)),
                None => Ok(Shape::new(first.rows, sum(inputs.iter().map(|input| input.columns).collect())?)),
            },
            Self::Unique => column(Shape::new(first.rows, 2)),
            Self::Diagonal { offset } => Ok(Shape::new(diagonal_cells(first, offset).2, 1)),
            Self::Diag { columns, .. } => column(Shape::new(first.rows, columns)),
            Self::Reshape(shape) if shape.cells()? == first.cells()? => Ok(shape),
            Self::Reshape(shape) => {
                Err(Error::invalid(format!("reshape: {shape} has another number of cells than {first}")))
            }
            Self::Sort { by, .. } if by >= first.columns => {
                Err(Error::invalid(format!("{}: there is no column {by} in {first}", self.name())))
            }
            Self::Sort { indices, .. } => Ok(Shape::new(first.rows, if indices { 1 } else { first.columns })),
        }
    }

    pub(super) fn effect(self, inputs: &[Facet]) -> Effect {
        let flipped = |inputs: &[Facet]| -> Vec<Facet> {
            inputs.iter().map(|x| Facet { shape: x.shape.transposed(), axes: x.axes.transposed(), ..*x }).collect()
        };
        let Facet { shape, axes, plain, native } = inputs[0];
        let same = Effect::keeping(axes, plain).native_if(native);
        match self {
            Self::Transpose => Effect { axes: axes.transposed(), ..same },
            Self::Flip if axes.rows() => same.selecting(Selection::Reversed),
            Self::FlipColumns if axes.columns() => same.selecting(Selection::Reversed),
            Self::Flip | Self::FlipColumns => same,
            Self::Hstack => side_by_side(inputs),
            // vstack is the transpose of the hstack of the transposes.
            Self::Vstack => {
                let mut effect = side_by_side(&flipped(inputs));
                effect.axes = effect.axes.transposed();
                effect
            }
            Self::Unique => unique(axes),
            Self::Diagonal { offset } => diagonal(inputs[0], offset),
            // Each of its columns has the cell of one row.
            Self::Diag { .. } if axes != Axes::None => Effect::entangled(),
            Self::Diag { .. } => Effect::keeping(Axes::None, false),
            // What becomes 0 is chosen by position: a weight of 0 or 1 for each cell.
            Self::Triangle { .. } if axes != Axes::None => {
                Effect::keeping(axes, false).measured(Measure::Cells(vec![]))
            }
            Self::Triangle { .. } => Effect::keeping(Axes::None, false),
            Self::Reshape(new) if new == shape || axes == Axes::None => same,
            // A data row becomes several rows, or several become one.
            Self::Reshape(_) => Effect::entangled(),
            Self::Sort { indices, .. } => match axes {
                Axes::None => Effect::keeping(Axes::None, plain && !indices),
                // The same rows; but which of them is at a place, the data say.
                Axes::Rows if !indices => same.selecting(Selection::Some),
                // Columns would be in the order of one data row.
                Axes::Rows | Axes::Columns | Axes::Both | Axes::Entangled => Effect::entangled(),
            },
        }
    }

    pub(super) fn write_canonical(self, out: &mut Canonical) {
        // Kinds have the codes of the wire; those with parameters, codes from 101 on.
        match self {
            Self::Transpose | Self::Vstack | Self::Hstack | Self::Flip | Self::FlipColumns | Self::Unique => {
                out.code(self.kind().map_or(0, |kind| kind as i32));
            }
            Self::Diagonal { offset } => {
                out.code(101).i64(offset);
            }
            Self::Diag { columns, offset } => {
                out.code(102).u64(columns).i64(offset);
            }
            Self::Triangle { upper, k } => {
                out.code(103).tag(upper.into()).i64(k);
            }
            Self::Reshape(Shape { rows, columns }) => {
                out.code(104).u64(rows).u64(columns);
            }
            Self::Sort { by, descending, indices } => {
                out.code(105).u64(by).tag(descending.into()).tag(indices.into());
            }
        }
    }

    /// The code of an operator without parameters.
    fn kind(self) -> Option<wire::ReorgKind> {
        use wire::ReorgKind as Kind;
        match self {
            Self::Transpose => Some(Kind::Transpose),
            Self::Vstack => Some(Kind::Vstack),
            Self::Hstack => Some(Kind::Hstack),
            Self::Flip => Some(Kind::Flip),
            Self::FlipColumns => Some(Kind::FlipColumns),
            Self::Unique => Some(Kind::Unique),
            Self::Diagonal { .. } | Self::Diag { .. } | Self::Triangle { .. } => None,
            Self::Reshape(_) | Self::Sort { .. } => None,
        }
    }
}

/// The first row and the first column of a diagonal, and its cells.
fn diagonal_cells(shape: Shape, offset: i64) -> (u64, u64, u64) {
    let (row, column) = (offset.min(0).unsigned_abs(), offset.max(0).unsigned_abs());
    (row, column, shape.rows.saturating_sub(row).min(shape.columns.saturating_sub(column)))
}

/// Of each row the cell of another column: a function of the row.
fn diagonal(x: Facet, offset: i64) -> Effect {
    let (row, column, cells) = diagonal_cells(x.shape, offset);
    let (start, extent) = match x.axes {
        Axes::None => return Effect::keeping(Axes::None, x.plain),
        Axes::Rows => (row, x.shape.rows),
        Axes::Columns => (column, x.shape.columns),
        Axes::Both | Axes::Entangled => return Effect::entangled(),
    };
    let effect = Effect::keeping(Axes::Rows, false).measured(Measure::Cells(vec![]));
    if cells == extent { effect } else { effect.selecting(Selection::Range(start, start + cells)) }
}

/// Values of rows, and of how many each: what leaves is a selection, and has those rows behind it.
fn unique(axes: Axes) -> Effect {
    match axes {
        Axes::None => Effect::keeping(Axes::None, false),
        Axes::Rows => Effect { extreme: true, ..Effect::keeping(Axes::None, false).measured(Measure::Groups) },
        Axes::Columns | Axes::Both | Axes::Entangled => Effect::entangled(),
    }
}

/// `hstack`: more columns for the same rows or, where columns are data rows, more data rows.
pub(super) fn side_by_side(inputs: &[Facet]) -> Effect {
    let axes = inputs.iter().fold(Axes::None, |axes, input| axes.join(input.axes));
    let native = inputs.iter().all(|input| input.native);
    match axes {
        _ if inputs.len() == 1 => Effect::keeping(axes, inputs[0].plain).native_if(native),
        Axes::None => Effect::keeping(Axes::None, false),
        Axes::Rows => {
            let plain = inputs.iter().all(|input| input.plain);
            let weights = (0..inputs.len()).filter(|&i| inputs[i].axes == Axes::None && inputs[i].weighs()).collect();
            let effect = Effect::keeping(Axes::Rows, plain).native_if(native);
            if plain { effect } else { effect.measured(Measure::Weights(weights)) }
        }
        Axes::Columns if inputs.iter().all(|input| input.axes == Axes::Columns) => {
            let effect = Effect::keeping(Axes::Columns, native).native_if(native).selecting(Selection::Concatenated);
            if native { effect } else { effect.measured(Measure::Cells(vec![])) }
        }
        Axes::Columns | Axes::Both | Axes::Entangled => Effect::entangled(),
    }
}

impl TryFrom<wire::ReorgOp> for ReorgOp {
    type Error = Error;

    fn try_from(op: wire::ReorgOp) -> Result<Self> {
        use wire::{ReorgKind as Kind, reorg_op::Op};
        Ok(match op.op.ok_or_else(|| unknown("reorg"))? {
            Op::Kind(kind) => match Kind::try_from(kind).unwrap_or(Kind::Unspecified) {
                Kind::Unspecified => return Err(unknown("reorg")),
                Kind::Transpose => Self::Transpose,
                Kind::Vstack => Self::Vstack,
                Kind::Hstack => Self::Hstack,
                Kind::Flip => Self::Flip,
                Kind::FlipColumns => Self::FlipColumns,
                Kind::Unique => Self::Unique,
            },
            Op::Diagonal(diagonal) => Self::Diagonal { offset: diagonal.offset },
            Op::Diag(diag) => Self::Diag { columns: diag.columns, offset: diag.offset },
            Op::Triangle(triangle) => Self::Triangle { upper: triangle.upper, k: triangle.k },
            Op::Reshape(shape) => Self::Reshape(Shape::new(shape.rows, shape.columns)),
            Op::Sort(sort) => Self::Sort { by: sort.by, descending: sort.descending, indices: sort.indices },
        })
    }
}

impl From<ReorgOp> for wire::ReorgOp {
    fn from(op: ReorgOp) -> Self {
        use wire::reorg_op::{Diag, Diagonal, Op, Reshape, Sort, Triangle};
        let parameters = match op {
            ReorgOp::Transpose | ReorgOp::Vstack | ReorgOp::Hstack => None,
            ReorgOp::Flip | ReorgOp::FlipColumns | ReorgOp::Unique => None,
            ReorgOp::Diagonal { offset } => Some(Op::Diagonal(Diagonal { offset })),
            ReorgOp::Diag { columns, offset } => Some(Op::Diag(Diag { columns, offset })),
            ReorgOp::Triangle { upper, k } => Some(Op::Triangle(Triangle { upper, k })),
            ReorgOp::Reshape(Shape { rows, columns }) => Some(Op::Reshape(Reshape { rows, columns })),
            ReorgOp::Sort { by, descending, indices } => Some(Op::Sort(Sort { by, descending, indices })),
        };
        Self { op: parameters.or_else(|| op.kind().map(|kind| Op::Kind(kind.into()))) }
    }
}
