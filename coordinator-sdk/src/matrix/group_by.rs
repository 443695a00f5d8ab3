//! Rows by their keys.

use fondaco_proto::{
    Op, Shape,
    op::{GroupFunction, StatsOp},
};
use ndarray::{ArcArray2, Array2, s};

use crate::{Error, FedMatrix, Operand, Pending, Result};

/// The rows of a matrix by the levels of keys. Each result has a row for each level, `(groups, columns)`.
///
/// Of `aggregate` data each group must have enough rows, and so must those in no group, unless there are none and the
/// keys are a dataset's own columns.
#[derive(Clone, Debug)]
pub struct GroupBy {
    x: FedMatrix,
    keys: Operand,
    levels: ArcArray2<f64>,
}

impl GroupBy {
    pub(super) fn new(x: FedMatrix, keys: Operand, levels: ArcArray2<f64>) -> Result<Self> {
        let mut rows: Vec<Vec<f64>> = levels.rows().into_iter().map(|row| row.to_vec()).collect();
        if rows.is_empty() || levels.iter().any(|level| level.is_nan()) {
            return Err(Error::plan("group_by: levels are numbers, and there is at least one"));
        }
        rows.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        if let Some(twice) = rows.windows(2).find(|two| two[0] == two[1]) {
            return Err(Error::plan(format!("group_by: the level {:?} is there twice", twice[0])));
        }
        let grouped = Self { x, keys, levels };
        let shapes = [grouped.levels().arg().shape(), grouped.keys.arg().shape(), grouped.x.shape()];
        Op::Stats(StatsOp::Group(GroupFunction::Sum)).shape(&shapes)?;
        Ok(grouped)
    }

    fn levels(&self) -> Operand {
        Operand::Local(self.levels.clone())
    }

    /// How many there are.
    fn groups(&self) -> usize {
        self.levels.nrows()
    }

    fn of(&self, function: GroupFunction) -> Result<Pending> {
        let operands = vec![self.levels(), self.keys.clone(), Operand::from(&self.x)];
        self.x.apply(&Op::Stats(StatsOp::Group(function)), operands)?.local()
    }

    /// The rows of each group: `(groups, 1)`.
    ///
    /// # Errors
    /// `Plan` if the rows of keys and of X are not at the same sites.
    pub fn count(&self) -> Result<Pending> {
        let columns = Shape::new(self.groups() as u64, 1);
        let groups = self.groups();
        // Where the keys are an array, X says which rows are where.
        if let (Operand::Local(_), true) = (&self.keys, self.x.ncols() > 0) {
            let moments = self.of(GroupFunction::Moments)?;
            return Ok(moments.then(columns, move |of| of.slice(s![..groups, ..1]).to_owned()));
        }
        let operands = vec![self.levels(), self.keys.clone()];
        self.x.apply(&Op::Stats(StatsOp::Group(GroupFunction::Count)), operands)?.local()
    }

    /// Sums of each column; 0 of no rows.
    ///
    /// # Errors
    /// As [`GroupBy::count`].
    pub fn sum(&self) -> Result<Pending> {
        self.of(GroupFunction::Sum)
    }

    /// Means of each column; NaN of no rows.
    ///
    /// # Errors
    /// As [`GroupBy::count`].
    pub fn mean(&self) -> Result<Pending> {
        let groups = self.groups();
        self.finished(move |of| of.slice(s![groups..2 * groups, ..]).to_owned())
    }

    /// Variances of each column; NaN where the degrees of freedom are too few.
    ///
    /// # Errors
    /// As [`GroupBy::count`].
    pub fn var(&self, ddof: u32) -> Result<Pending> {
        let groups = self.groups();
        self.finished(move |of| variances(&of, groups, ddof))
    }

    /// Standard deviations of each column; NaN where the degrees of freedom are too few.
    ///
    /// # Errors
    /// As [`GroupBy::count`].
    pub fn std(&self, ddof: u32) -> Result<Pending> {
        let groups = self.groups();
        self.finished(move |of| variances(&of, groups, ddof).mapv(f64::sqrt))
    }

    /// Counts, means and sums of squared deviations of each column, one below the other: `(3 groups, columns)`.
    ///
    /// # Errors
    /// As [`GroupBy::count`].
    pub fn moments(&self) -> Result<Pending> {
        self.of(GroupFunction::Moments)
    }

    fn finished(&self, make: impl FnOnce(Array2<f64>) -> Array2<f64> + Send + 'static) -> Result<Pending> {
        let shape = Shape::new(self.groups() as u64, self.x.ncols());
        Ok(self.of(GroupFunction::Moments)?.then(shape, make))
    }

    /// Minima of each column; infinity of no rows.
    ///
    /// # Errors
    /// As [`GroupBy::count`].
    pub fn min(&self) -> Result<Pending> {
        self.of(GroupFunction::Min)
    }

    /// Maxima of each column; minus infinity of no rows.
    ///
    /// # Errors
    /// As [`GroupBy::count`].
    pub fn max(&self) -> Result<Pending> {
        self.of(GroupFunction::Max)
    }
}

fn variances(moments: &Array2<f64>, groups: usize, ddof: u32) -> Array2<f64> {
    Array2::from_shape_fn((groups, moments.ncols()), |(group, column)| {
        let freedom = moments[[group, column]] - f64::from(ddof);
        if freedom > 0.0 { moments[[2 * groups + group, column]] / freedom } else { f64::NAN }
    })
}
