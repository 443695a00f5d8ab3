//! What an operator does to a label: declared by the operator, carried out by the worker.
//!
//! A *data axis* is an axis of a value along which each index still is one protected row of a dataset. A value is
//! *plain* if it is a linear map of a dataset's own columns (or, with no data axis, the same constant everywhere). It is
//! *native* if its cells are a dataset's own: rows put one after another count as rows only where all are native, for
//! else those of one part could be made to vanish beside those of another.

use crate::Shape;

/// Which axes of a value still are protected data rows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Axes {
    /// Neither: an aggregate, or no protected data at all.
    None,
    /// Each row is a data row.
    Rows,
    /// Each column is a data row.
    Columns,
    /// Both are.
    Both,
    /// Data rows are mixed in a way that no rule describes: never released, whatever is done to it.
    Entangled,
}

impl Axes {
    /// From one flag per axis.
    pub const fn of(rows: bool, columns: bool) -> Self {
        match (rows, columns) {
            (false, false) => Self::None,
            (true, false) => Self::Rows,
            (false, true) => Self::Columns,
            (true, true) => Self::Both,
        }
    }

    /// Whether rows are data rows. Entangled counts as both.
    pub const fn rows(self) -> bool {
        matches!(self, Self::Rows | Self::Both | Self::Entangled)
    }

    /// Whether columns are data rows. Entangled counts as both.
    pub const fn columns(self) -> bool {
        matches!(self, Self::Columns | Self::Both | Self::Entangled)
    }

    /// The axes of the transpose.
    pub const fn transposed(self) -> Self {
        match self {
            Self::Rows => Self::Columns,
            Self::Columns => Self::Rows,
            same => same,
        }
    }

    /// The axes of a cell-by-cell combination.
    #[must_use]
    pub const fn join(self, other: Self) -> Self {
        if matches!(self, Self::Entangled) || matches!(other, Self::Entangled) {
            return Self::Entangled;
        }
        Self::of(self.rows() || other.rows(), self.columns() || other.columns())
    }
}

/// What an effect rule may know of an input. Values without protected data have no data axes.
#[derive(Clone, Copy, Debug)]
pub struct Facet {
    /// The input's shape.
    pub shape: Shape,
    /// Its data axes.
    pub axes: Axes,
    /// Whether it is plain.
    pub plain: bool,
    /// Whether it is native: a dataset's own cells, as they are, at whatever place.
    pub native: bool,
}

impl Facet {
    /// Whether it varies along data rows it is combined with, by values that a tenant could have chosen or shaped:
    /// then it must be measured as a weight.
    pub fn weighs(&self) -> bool {
        !self.plain
    }
}

/// How the rows behind a result's cells are measured. The result's support is never more than that of any input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Nothing new: the weakest support of the inputs.
    Inherit,
    /// The result still has data rows and is plain, a linear map of plain inputs, or some of their rows: whether rounding
    /// left each of them. If not it is not plain after all.
    Linear,
    /// Plain rows summed over: as many contributors as rows, all parts together.
    Count,
    /// The result still has data rows but is not plain: each of its series along the data axis is measured,
    /// and the listed inputs as weights.
    Cells(Vec<usize>),
    /// Cells were replaced, alike for all rows: measured as `Cells`, and by the rows that changed.
    Capped,
    /// Rows that have a cell which is not NaN, summed over: those are counted and, where they are not plain, their terms
    /// measured.
    Present {
        /// Whether they are plain.
        plain: bool,
    },
    /// Plain rows summed over with weights: the listed inputs are measured along their contracted axis.
    Weights(Vec<usize>),
    /// Cells that are not 0, counted: the rows that have any, and those that have none, who may be nobody where zero is
    /// the data's own and not `shifted`.
    NonZero {
        /// Whether a tenant could have chosen which value is 0.
        shifted: bool,
    },
    /// Some of the rows, which data chose: as `Linear` if they are plain, else as `Cells`, and by how many were taken
    /// and how many left; these may be nobody where the choice is the data's own and not `shifted`.
    Chosen {
        /// Whether the rows are plain.
        plain: bool,
        /// Whether a tenant could have made the choice.
        shifted: bool,
    },
    /// Rows were counted by what they hold, the counts being the last column: the smallest of them.
    Groups,
    /// As the operators that it stands for, one after another.
    Unfused,
    /// Of operators on frames, what they make of protected rows: groups of rows are as large as they must be, or left out;
    /// of rows that data chose, how many were taken and left; numbers that are not the data's own are measured as `Cells`.
    Frame {
        /// Whether the cells are a dataset's own.
        native: bool,
    },
    /// Sums over data rows where no factor is plain: the terms behind each cell, and the listed inputs as weights.
    Terms(Vec<usize>),
    /// Rows in groups: each group has enough of them and, where what is summed of them is not `plain`, enough effective
    /// contributors. So have those in no group, who may be nobody where `closed`.
    Grouped {
        /// Whether they are counted, or what is summed is plain.
        plain: bool,
        /// Whether no tenant could have shaped what the groups are made by.
        closed: bool,
    },
}

/// Which data rows a result keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All that its inputs have.
    All,
    /// Those from `start` to `end` (exclusive) of its only input.
    Range(u64, u64),
    /// All of its only input, the last first.
    Reversed,
    /// Some of its only input, each at most once.
    Some,
    /// The rows of all inputs, one after another; they must be different rows.
    Concatenated,
}

/// What an operator does to the labels of its inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The result's data axes.
    pub axes: Axes,
    /// Whether the result is plain.
    pub plain: bool,
    /// Whether the result is native.
    pub native: bool,
    /// Whether cells are values of single rows (a minimum, a maximum).
    pub extreme: bool,
    /// How its support is measured.
    pub measure: Measure,
    /// Which data rows it keeps.
    pub selection: Selection,
}

impl Effect {
    /// The effect with these axes, all rows kept, nothing measured.
    pub fn keeping(axes: Axes, plain: bool) -> Self {
        Self { axes, plain, native: false, extreme: false, measure: Measure::Inherit, selection: Selection::All }
    }

    /// The strictest: never released while it holds protected data.
    pub fn entangled() -> Self {
        Self::keeping(Axes::Entangled, false)
    }

    /// The same, native if `native`.
    #[must_use]
    pub fn native_if(mut self, native: bool) -> Self {
        self.native = native;
        self
    }

    /// The same, measured like this.
    #[must_use]
    pub fn measured(mut self, measure: Measure) -> Self {
        self.measure = measure;
        self
    }

    /// The same, with this selection of rows.
    #[must_use]
    pub fn selecting(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }
}
