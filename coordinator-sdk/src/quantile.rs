//! Quantiles and what is made of them. Of public data, and one's own, they are found exactly, in at most eight round
//! trips, whatever the number of rows; of `aggregate` data as intervals in which enough rows lie.

mod exact;
mod interval;

use fondaco_proto::ErrorCode;
use ndarray::{Array2, Axis as NdAxis};

use crate::{Axis, Error, FedMatrix, Operand, Result};
use exact::{Exact, Rank, Sorted};

/// Quantiles, or the intervals that they are known to be in.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantiles {
    /// `(quantiles, columns)`, or `(quantiles, 1)` over all cells: no more than the quantile.
    pub lower: Array2<f64>,
    /// No less than the quantile; the same as `lower` where it is known exactly.
    pub upper: Array2<f64>,
}

impl Quantiles {
    fn exactly(value: Array2<f64>) -> Self {
        Self { upper: value.clone(), lower: value }
    }

    /// Whether they are known exactly; NaN is.
    pub fn is_exact(&self) -> bool {
        self.lower.iter().zip(&self.upper).all(|(lower, upper)| lower == upper || (lower.is_nan() && upper.is_nan()))
    }

    /// The quantiles, where they are known exactly.
    ///
    /// # Errors
    /// `Plan` where only intervals are known, of `aggregate` data.
    pub fn exact(self) -> Result<Array2<f64>> {
        if self.is_exact() {
            return Ok(self.lower);
        }
        Err(Error::plan("of aggregate data quantiles are known as intervals: use lower and upper"))
    }

    /// The middle of each interval.
    pub fn midpoint(&self) -> Array2<f64> {
        let middle = |(lower, upper): (&f64, &f64)| if lower == upper { *lower } else { lower.midpoint(*upper) };
        let cells = self.lower.iter().zip(&self.upper).map(middle).collect();
        Array2::from_shape_vec(self.lower.raw_dim(), cells).unwrap_or_default()
    }
}

/// What is asked of each column.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wanted<'a> {
    /// `np.quantile(.., method="linear")`.
    Linear(&'a [f64]),
    /// `np.median`.
    Median,
    /// `np.quantile(.., method="inverted_cdf", weights=..)`.
    Inverted(&'a [f64]),
    /// The mean of the middle half.
    Middle,
}

impl Wanted<'_> {
    /// Numbers that each column gets.
    fn count(self) -> usize {
        match self {
            Self::Linear(q) | Self::Inverted(q) => q.len(),
            Self::Median | Self::Middle => 1,
        }
    }

    /// The order statistics that this is made of, of so many numbers (or so much weight).
    fn ranks(self, total: f64) -> Vec<Rank> {
        let linear = |q: f64| {
            let (k, next, _) = place(q, total);
            [Rank::At(k), Rank::At(next)]
        };
        match self {
            Self::Linear(q) => q.iter().flat_map(|q| linear(*q)).collect(),
            Self::Median => vec![Rank::At(((total - 1.0) / 2.0).floor()), Rank::At((total / 2.0).floor())],
            Self::Inverted(q) => q.iter().map(|q| Rank::Share { share: *q, above: false }).collect(),
            Self::Middle => vec![Rank::Share { share: 0.25, above: true }, Rank::Share { share: 0.75, above: false }],
        }
    }
}

/// Between which of so many sorted numbers a quantile lies, and how far from the first, as `np.quantile` says.
fn place(q: f64, total: f64) -> (f64, f64, f64) {
    let at = (total - 1.0) * q;
    if at >= total - 1.0 {
        return (total - 1.0, total - 1.0, at - at.floor());
    }
    (at.floor(), at.floor() + 1.0, at - at.floor())
}

/// NumPy's linear interpolation.
fn lerp(a: f64, b: f64, share: f64) -> f64 {
    let difference = b - a;
    if share >= 0.5 { b - difference * (1.0 - share) } else { a + difference * share }
}

impl FedMatrix {
    /// `np.quantile(X, q, method="linear")`: `(quantiles, columns)` along axis 0, `(quantiles, 1)` over all cells; NaN
    /// where there is any.
    ///
    /// Of `aggregate` data each is an interval between two thresholds, found by asking how many rows are below some
    /// more, until too few rows would be between two of them at a site, or on either side. Where no threshold was let out
    /// the bounds are those that mean and variance imply (Cantelli 1928).
    ///
    /// # Errors
    /// `Plan` if a quantile is not between 0 and 1, or there are no cells; a site's.
    pub async fn quantile(&self, q: &[f64], axis: Axis) -> Result<Quantiles> {
        self.sought(Wanted::Linear(q), None, axis).await
    }

    /// `np.median(X)`; see [`FedMatrix::quantile`].
    ///
    /// # Errors
    /// As [`FedMatrix::quantile`].
    pub async fn median(&self, axis: Axis) -> Result<Quantiles> {
        self.sought(Wanted::Median, None, axis).await
    }

    /// The mean of the middle half of the cells, those at its ends by the share of them that is within: the integral of
    /// the sorted cells from n/4 to 3n/4, over n/2. See [`FedMatrix::quantile`].
    ///
    /// # Errors
    /// As [`FedMatrix::quantile`].
    pub async fn iqm(&self, axis: Axis) -> Result<Quantiles> {
        self.sought(Wanted::Middle, None, axis).await
    }

    /// `np.quantile(X, q, method="inverted_cdf", weights=w)`: the least number such that it and those below have at
    /// least the share q of all weights, and any; weights are `(rows, 1)` or `(rows, columns)`. See
    /// [`FedMatrix::quantile`].
    ///
    /// # Errors
    /// As [`FedMatrix::quantile`]; `Plan` if weights of an array are negative.
    pub async fn quantile_weighted(&self, q: &[f64], weights: impl Into<Operand>, axis: Axis) -> Result<Quantiles> {
        let weights = checked(weights.into())?;
        self.sought(Wanted::Inverted(q), Some(weights), axis).await
    }

    /// [`FedMatrix::quantile_weighted`] of one half.
    ///
    /// # Errors
    /// As [`FedMatrix::quantile_weighted`].
    pub async fn median_weighted(&self, weights: impl Into<Operand>, axis: Axis) -> Result<Quantiles> {
        self.quantile_weighted(&[0.5], weights, axis).await
    }

    /// [`FedMatrix::iqm`] of cells that count by their weights.
    ///
    /// # Errors
    /// As [`FedMatrix::quantile_weighted`].
    pub async fn iqm_weighted(&self, weights: impl Into<Operand>, axis: Axis) -> Result<Quantiles> {
        let weights = checked(weights.into())?;
        self.sought(Wanted::Middle, Some(weights), axis).await
    }

    /// `np.nanquantile(X, q)`, of public data and one's own alone; NaN where all are.
    ///
    /// # Errors
    /// As [`FedMatrix::quantile`].
    pub async fn nanquantile(&self, q: &[f64], axis: Axis) -> Result<Array2<f64>> {
        let wanted = Wanted::Linear(q);
        self.check_wanted(wanted)?;
        self.exactly(Exact { x: self, weights: None, axis, present: true }, wanted).await
    }

    /// `np.nanmedian(X)`, of public data and one's own alone; NaN where all are.
    ///
    /// # Errors
    /// As [`FedMatrix::quantile`].
    pub async fn nanmedian(&self, axis: Axis) -> Result<Array2<f64>> {
        self.check_wanted(Wanted::Median)?;
        self.exactly(Exact { x: self, weights: None, axis, present: true }, Wanted::Median).await
    }

    fn check_wanted(&self, wanted: Wanted<'_>) -> Result<()> {
        if let Wanted::Linear(q) | Wanted::Inverted(q) = wanted
            && let Some(wrong) = q.iter().find(|q| !(0.0..=1.0).contains(*q))
        {
            return Err(Error::plan(format!("quantile: quantiles are between 0 and 1, not {wrong}")));
        }
        if self.shape().cells()? == 0 {
            return Err(Error::plan("quantile: there are no cells"));
        }
        Ok(())
    }

    /// Exactly or, if that is refused, as intervals.
    async fn sought(&self, wanted: Wanted<'_>, weights: Option<Operand>, axis: Axis) -> Result<Quantiles> {
        self.check_wanted(wanted)?;
        let exact = Exact { x: self, weights: weights.as_ref(), axis, present: false };
        match self.exactly(exact, wanted).await {
            Err(error) if is_refusal(&error) => interval::find(self, weights.as_ref(), axis, wanted).await,
            other => Ok(Quantiles::exactly(other?)),
        }
    }

    async fn exactly(&self, exact: Exact<'_>, wanted: Wanted<'_>) -> Result<Array2<f64>> {
        let sorted = exact.find(|total| wanted.ranks(total)).await?;
        if wanted == Wanted::Middle {
            return exact.middle(&sorted).await;
        }
        let of = |column: &Sorted| -> Vec<f64> {
            if column.has_nan || column.total == 0.0 {
                return vec![f64::NAN; wanted.count()];
            }
            let pairs = column.found.chunks_exact(2);
            match wanted {
                Wanted::Linear(q) => {
                    q.iter().zip(pairs).map(|(q, two)| lerp(two[0], two[1], place(*q, column.total).2)).collect()
                }
                Wanted::Median => pairs.map(|two| (two[0] + two[1]) / 2.0).collect(),
                Wanted::Inverted(_) | Wanted::Middle => column.found.clone(),
            }
        };
        let cells: Vec<f64> = sorted.iter().flat_map(of).collect();
        let by_column = Array2::from_shape_vec((sorted.len(), wanted.count()), cells);
        Ok(by_column.unwrap_or_default().reversed_axes().as_standard_layout().into_owned())
    }
}

fn is_refusal(error: &Error) -> bool {
    error.code() == Some(ErrorCode::ReleaseDenied)
}

fn checked(weights: Operand) -> Result<Operand> {
    match &weights {
        Operand::Local(array) if array.iter().any(|weight| *weight < 0.0) => {
            Err(Error::plan("quantile: weights cannot be negative"))
        }
        Operand::Scalar(_) => Err(Error::plan("quantile: weights are a matrix")),
        Operand::Local(_) | Operand::Fed(_) => Ok(weights),
    }
}

/// Column by column or, over all cells, in sum.
fn of_axis(cells: Array2<f64>, axis: Axis) -> Array2<f64> {
    if axis == Axis::All { cells.sum_axis(NdAxis(1)).insert_axis(NdAxis(1)) } else { cells }
}
