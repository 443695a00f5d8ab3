//! Cumulative aggregates, which stay at the sites. Down the rows of a row cut (along the columns of a column cut) what
//! the parts of one site come to is carried to the next by the coordinator.

use fondaco_proto::{
    Op,
    op::{AggregateOp, Axis, Cumulate, CumulateFunction},
};
use ndarray::Array2;

use crate::{
    FedMatrix, Result,
    layout::Cut,
    perform::perform_planned,
    plan::aggregate::cumulate::{self, Runs},
};

macro_rules! cumulative {
    ($($name:ident, $row_name:ident => $function:ident, $meaning:literal;)+) => {
        $(
            #[doc = concat!("`", $meaning, "` down the rows (`axis=0`), staying at the sites.")]
            ///
            /// # Errors
            /// As [`FedMatrix::cumulate`].
            pub async fn $name(&self) -> Result<Self> {
                self.cumulate(CumulateFunction::$function, Axis::Columns).await
            }

            #[doc = concat!("`", $meaning, "` along the rows (`axis=1`), staying at the sites.")]
            ///
            /// # Errors
            /// As [`FedMatrix::cumulate`].
            pub async fn $row_name(&self) -> Result<Self> {
                self.cumulate(CumulateFunction::$function, Axis::Rows).await
            }
        )+
    };
}

impl FedMatrix {
    /// What each cell and all before it along an axis come to; the same shape, of `cumsumprod` one column (row). Where
    /// parts that follow one another are at different sites, their totals are released first, in a round trip of its
    /// own, and what each site has to begin with is sent there with the next; `cumsumprod`, whose totals do not merge,
    /// goes from site to site. Otherwise nothing is sent yet.
    ///
    /// # Errors
    /// `Plan` for `cumsumprod` of other than two columns (rows), or of two at different sites; what a site says of its
    /// totals, which may be refused like any others.
    pub async fn cumulate(&self, function: CumulateFunction, axis: Axis) -> Result<Self> {
        let op = Cumulate { function, axis, carried: false };
        let whole = Op::Aggregate(AggregateOp::Cumulate(op));
        whole.shape(&[self.shape()])?;
        let Some(runs) = cumulate::runs(op, self.layout()) else {
            return self.apply(&whole, vec![self.into()])?.fed();
        };
        if function == CumulateFunction::Cumsumprod {
            return self.site_after_site(op, runs).await;
        }
        let name = function.name();
        let totals = |args: &[_]| cumulate::totals(op, &args[0]);
        let totals = perform_planned(self.session(), name, vec![self.into()], totals)?.local()?.await?;
        let carries = cumulate::carries(op, &totals);
        let operands = vec![self.into(), carries.into()];
        perform_planned(self.session(), name, operands, |args| cumulate::carried(op, args))?.fed()
    }

    /// Each run from the last cell of the one before.
    async fn site_after_site(&self, op: Cumulate, Runs { bands, runs }: Runs) -> Result<Self> {
        let down = op.axis == Axis::Columns;
        let mut results: Vec<Self> = Vec::new();
        let mut carry = Array2::zeros((1, 1));
        for run in runs {
            if let Some(last) = results.last() {
                carry = last.slice(last.nrows() - 1.., last.ncols() - 1..)?.to_array().await?;
            }
            let parts = &bands.parts()[run];
            let cut = if down { Cut::Rows } else { Cut::Columns };
            let (start, end) = (parts[0].along(cut).start, parts[parts.len() - 1].along(cut).end);
            let x = if down { self.slice(start..end, ..)? } else { self.slice(.., start..end)? };
            let operands = vec![x.into(), carry.clone().into()];
            let plan = |args: &[_]| cumulate::continued(op, args);
            results.push(perform_planned(self.session(), op.function.name(), operands, plan)?.fed()?);
        }
        match results.split_first() {
            Some((first, rest)) if down => first.vstack(rest),
            Some((first, rest)) => first.hstack(rest),
            None => Ok(self.clone()),
        }
    }

    cumulative! {
        cumsum, row_cumsum => Cumsum, "np.cumsum(X)";
        cumprod, row_cumprod => Cumprod, "np.cumprod(X)";
        cummin, row_cummin => Cummin, "np.minimum.accumulate(X)";
        cummax, row_cummax => Cummax, "np.maximum.accumulate(X)";
        cumsumprod, row_cumsumprod => Cumsumprod, "y[i] = x[i, 0] + x[i, 1] * y[i - 1]";
    }
}
