//! Reductions: over all cells or down the rows, for the coordinator; along each row, staying at the sites.

use fondaco_proto::{
    Op,
    op::{self, AggregateFunction, AggregateOp, SumProduct},
};

use crate::{Error, FedMatrix, Operand, Pending, Result, perform::perform_planned, plan::cov};

/// Along what a reduction for the coordinator goes. Along each row (`axis=1`) there is one result per row, which
/// stays: `row_sum` and its like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Axis {
    /// Over all cells: `(1, 1)`.
    All,
    /// `axis=0`, down the rows: `(1, columns)`.
    Columns,
}

impl From<Axis> for op::Axis {
    fn from(axis: Axis) -> Self {
        match axis {
            Axis::All => Self::All,
            Axis::Columns => Self::Columns,
        }
    }
}

macro_rules! reductions {
    ($($name:ident, $row_name:ident => $function:ident, $meaning:literal;)+) => {
        $(
            #[doc = concat!("`", $meaning, "`, for the coordinator: `(1, 1)`, or `(1, columns)`.")]
            ///
            /// # Errors
            /// As [`FedMatrix::aggregate`].
            pub fn $name(&self, axis: Axis) -> Result<Pending> {
                self.aggregate(AggregateFunction::$function, axis, 0)
            }

            #[doc = concat!("`", $meaning, "` along each row (`axis=1`): `(rows, 1)`, staying at the sites.")]
            ///
            /// # Errors
            /// As [`FedMatrix::aggregate_rows`].
            pub fn $row_name(&self) -> Result<Self> {
                self.aggregate_rows(AggregateFunction::$function, 0)
            }
        )+
    };
}

impl FedMatrix {
    /// A reduction for the coordinator. Each site reduces all its parts; the coordinator adds with compensation, and
    /// merges moments, in the order of the layout.
    ///
    /// # Errors
    /// `Plan` for a minimum or maximum of no cells.
    pub fn aggregate(&self, function: AggregateFunction, axis: Axis, ddof: u32) -> Result<Pending> {
        let op = AggregateOp::with_ddof(function, axis.into(), ddof);
        self.apply(&Op::Aggregate(op), vec![self.into()])?.local()
    }

    /// A reduction along each row (`axis=1`); the result stays at the sites, in the same row bands. Of rows whose columns
    /// are at different sites, what each site gives is relayed ([`crate::Federation::allow_relays`]).
    ///
    /// # Errors
    /// `Plan` if the columns are at different sites, and nothing is relayed.
    pub fn aggregate_rows(&self, function: AggregateFunction, ddof: u32) -> Result<Self> {
        let op = AggregateOp::with_ddof(function, op::Axis::Rows, ddof);
        self.apply(&Op::Aggregate(op), vec![self.into()])?.fed()
    }

    reductions! {
        sum, row_sum => Sum, "X.sum()";
        sumsq, row_sumsq => Sumsq, "(X**2).sum()";
        mean, row_mean => Mean, "X.mean()";
        min, row_min => Min, "X.min()";
        max, row_max => Max, "X.max()";
        nnz, row_nnz => Nnz, "np.count_nonzero(X)";
        prod, row_prod => Prod, "X.prod()";
        any, row_any => Any, "(X != 0).any()";
        all, row_all => All, "(X != 0).all()";
        nansum, row_nansum => Nansum, "np.nansum(X)";
        nanmean, row_nanmean => Nanmean, "np.nanmean(X)";
        nanmin, row_nanmin => Nanmin, "np.nanmin(X)";
        nanmax, row_nanmax => Nanmax, "np.nanmax(X)";
        argmin, row_argmin => Argmin, "X.argmin()";
        argmax, row_argmax => Argmax, "X.argmax()";
    }

    /// `scipy.stats.moment(X, order)`, the central moment `((X - X.mean())**order).mean()`, for an order of 2, 3 or 4:
    /// `(1, 1)`, or `(1, columns)`.
    ///
    /// # Errors
    /// `Plan` for another order.
    pub fn moment(&self, axis: Axis, order: u32) -> Result<Pending> {
        self.aggregate(moment(order)?, axis, 0)
    }

    /// As [`FedMatrix::moment`], along each row (`axis=1`): `(rows, 1)`, staying at the sites.
    ///
    /// # Errors
    /// As [`FedMatrix::moment`] and [`FedMatrix::aggregate_rows`].
    pub fn row_moment(&self, order: u32) -> Result<Self> {
        self.aggregate_rows(moment(order)?, 0)
    }

    /// `scipy.stats.skew(X, bias=bias)`: `(1, 1)`, or `(1, columns)`; NaN of what does not vary.
    ///
    /// # Errors
    /// As [`FedMatrix::aggregate`].
    pub fn skew(&self, axis: Axis, bias: bool) -> Result<Pending> {
        self.aggregate(AggregateFunction::Skew, axis, u32::from(!bias))
    }

    /// As [`FedMatrix::skew`], along each row (`axis=1`): `(rows, 1)`, staying at the sites.
    ///
    /// # Errors
    /// As [`FedMatrix::aggregate_rows`].
    pub fn row_skew(&self, bias: bool) -> Result<Self> {
        self.aggregate_rows(AggregateFunction::Skew, u32::from(!bias))
    }

    /// `scipy.stats.kurtosis(X, bias=bias)`, 0 of a normal distribution: `(1, 1)`, or `(1, columns)`; NaN of what does
    /// not vary.
    ///
    /// # Errors
    /// As [`FedMatrix::aggregate`].
    pub fn kurtosis(&self, axis: Axis, bias: bool) -> Result<Pending> {
        self.aggregate(AggregateFunction::Kurtosis, axis, u32::from(!bias))
    }

    /// As [`FedMatrix::kurtosis`], along each row (`axis=1`): `(rows, 1)`, staying at the sites.
    ///
    /// # Errors
    /// As [`FedMatrix::aggregate_rows`].
    pub fn row_kurtosis(&self, bias: bool) -> Result<Self> {
        self.aggregate_rows(AggregateFunction::Kurtosis, u32::from(!bias))
    }

    /// `(X * Y).sum()` or `(X * Y * Z).sum()` in one pass, with broadcasting; over all or down the rows, for the
    /// coordinator.
    ///
    /// # Errors
    /// `Plan` if there are not one or two others, or as [`FedMatrix::binary`].
    pub fn sum_product(&self, others: impl IntoIterator<Item = impl Into<Operand>>, axis: Axis) -> Result<Pending> {
        let operands: Vec<Operand> = std::iter::once(self.into()).chain(others.into_iter().map(Into::into)).collect();
        let factors = match operands.len() {
            2 => 2,
            3 => 3,
            other => {
                let others = other - 1;
                return Err(Error::plan(format!("sum_product: with one or two other matrices, not {others}")));
            }
        };
        let op = AggregateOp::SumProduct(SumProduct { factors, axis: axis.into() });
        self.apply(&Op::Aggregate(op), operands)?.local()
    }

    /// `np.trace(X)`: `(n, n) → (1, 1)`, for the coordinator.
    ///
    /// # Errors
    /// `Plan` if X is not square.
    pub fn trace(&self) -> Result<Pending> {
        self.apply(&Op::Aggregate(AggregateOp::Trace), vec![self.into()])?.local()
    }

    /// `X.var(ddof=ddof)`: `(1, 1)`, or `(1, columns)`; merged over the sites as count, mean and M2.
    ///
    /// # Errors
    /// As [`FedMatrix::aggregate`].
    pub fn var(&self, axis: Axis, ddof: u32) -> Result<Pending> {
        self.aggregate(AggregateFunction::Var, axis, ddof)
    }

    /// `X.std(ddof=ddof)`: `(1, 1)`, or `(1, columns)`; merged over the sites as count, mean and M2.
    ///
    /// # Errors
    /// As [`FedMatrix::aggregate`].
    pub fn std(&self, axis: Axis, ddof: u32) -> Result<Pending> {
        self.aggregate(AggregateFunction::Std, axis, ddof)
    }

    /// Covariances of the columns, `np.cov(X.T, ddof=ddof)`: `(n, d) → (d, d)`, for the coordinator. Centred at the
    /// sites and merged by their means, which travel in two words each: as for `var`, an offset that all rows share
    /// costs no digits.
    ///
    /// # Errors
    /// `Plan` if there are no rows, or the columns are at different sites, and nothing is relayed.
    pub fn cov(&self, ddof: u32) -> Result<Pending> {
        perform_planned(self.session(), "cov", vec![self.into()], |args| cov::plan(args, ddof))?.local()
    }

    /// Pearson's correlations of the columns, `np.corrcoef(X.T)`: `(n, d) → (d, d)`, for the coordinator; NaN for a
    /// constant column.
    ///
    /// # Errors
    /// As [`FedMatrix::cov`].
    pub fn corr(&self) -> Result<Pending> {
        perform_planned(self.session(), "corr", vec![self.into()], |args| cov::correlation(&args[0]))?.local()
    }

    /// Covariances of the columns of X with those of X and then of Y, whose rows are aligned: the first d rows of
    /// `np.cov(np.hstack([X, Y]).T, ddof=ddof)`, `(n, d), (n, e) → (d, d + e)`, for the coordinator; Y is federated or
    /// an array. All that a regression of Y on X needs.
    ///
    /// # Errors
    /// As [`FedMatrix::cov`]; `Plan` if the numbers of rows differ.
    pub fn cov_with(&self, other: impl Into<Operand>, ddof: u32) -> Result<Pending> {
        perform_planned(self.session(), "cov", vec![self.into(), other.into()], |args| cov::plan(args, ddof))?.local()
    }

    /// `np.nanvar(X, ddof=ddof)`: `(1, 1)`, or `(1, columns)`; merged over the sites as count, mean and M2.
    ///
    /// # Errors
    /// As [`FedMatrix::aggregate`].
    pub fn nanvar(&self, axis: Axis, ddof: u32) -> Result<Pending> {
        self.aggregate(AggregateFunction::Nanvar, axis, ddof)
    }

    /// `np.nanstd(X, ddof=ddof)`: `(1, 1)`, or `(1, columns)`; merged over the sites as count, mean and M2.
    ///
    /// # Errors
    /// As [`FedMatrix::aggregate`].
    pub fn nanstd(&self, axis: Axis, ddof: u32) -> Result<Pending> {
        self.aggregate(AggregateFunction::Nanstd, axis, ddof)
    }

    /// `X.var(axis=1, ddof=ddof)`: `(rows, 1)`, staying at the sites.
    ///
    /// # Errors
    /// As [`FedMatrix::aggregate_rows`].
    pub fn row_var(&self, ddof: u32) -> Result<Self> {
        self.aggregate_rows(AggregateFunction::Var, ddof)
    }

    /// `np.nanvar(X, axis=1, ddof=ddof)`: `(rows, 1)`, staying at the sites.
    ///
    /// # Errors
    /// As [`FedMatrix::aggregate_rows`].
    pub fn row_nanvar(&self, ddof: u32) -> Result<Self> {
        self.aggregate_rows(AggregateFunction::Nanvar, ddof)
    }

    /// `np.nanstd(X, axis=1, ddof=ddof)`: `(rows, 1)`, staying at the sites.
    ///
    /// # Errors
    /// As [`FedMatrix::aggregate_rows`].
    pub fn row_nanstd(&self, ddof: u32) -> Result<Self> {
        self.aggregate_rows(AggregateFunction::Nanstd, ddof)
    }

    /// `X.std(axis=1, ddof=ddof)`: `(rows, 1)`, staying at the sites.
    ///
    /// # Errors
    /// As [`FedMatrix::aggregate_rows`].
    pub fn row_std(&self, ddof: u32) -> Result<Self> {
        self.aggregate_rows(AggregateFunction::Std, ddof)
    }
}

fn moment(order: u32) -> Result<AggregateFunction> {
    match order {
        2 => Ok(AggregateFunction::Moment2),
        3 => Ok(AggregateFunction::Moment3),
        4 => Ok(AggregateFunction::Moment4),
        other => Err(Error::plan(format!("moment: of order 2, 3 or 4, not {other}"))),
    }
}
