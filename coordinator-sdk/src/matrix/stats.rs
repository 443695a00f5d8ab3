//! Ranks, histograms, contingency tables, weighted moments: sums over rows that are put into cells at the sites.

use fondaco_proto::{
    Op, Shape,
    op::{Ranks, StatsOp},
};
use ndarray::{ArcArray2, Array2, Axis as NdAxis, s};

use crate::{Axis, Error, FedMatrix, GroupBy, Operand, Pending, Result, combine::correlation};

impl FedMatrix {
    /// How many cells of each column lie between k thresholds, `(k, columns)` or `(k, 1)` for all columns: `(k + 1,
    /// columns)`. Row b counts the cells with b thresholds at or below them; a NaN counts as above all.
    ///
    /// Of `aggregate` data each of the counts must be enough rows, wherever a number can be: also those below the
    /// first threshold, and above the last.
    ///
    /// # Errors
    /// `Plan` if shapes or layouts do not fit.
    pub fn rank_counts(&self, thresholds: impl Into<Operand>) -> Result<Pending> {
        self.ranks(Ranks::Between, thresholds.into(), None)
    }

    /// The same with the cells apart that are equal to a threshold, and those that are NaN: `(2k + 2, columns)`. Row 2b
    /// counts cells with b thresholds below them that are equal to none, row 2b + 1 those equal to the next, the last
    /// row NaN. Of public data, and one's own, alone.
    ///
    /// # Errors
    /// As [`FedMatrix::rank_counts`].
    pub fn rank_counts_with_ties(&self, thresholds: impl Into<Operand>) -> Result<Pending> {
        self.ranks(Ranks::Tied, thresholds.into(), None)
    }

    /// As [`FedMatrix::rank_counts`], with sums of weights `(rows, 1)` or `(rows, columns)` instead of counts.
    ///
    /// # Errors
    /// As [`FedMatrix::rank_counts`].
    pub fn rank_sums(&self, thresholds: impl Into<Operand>, weights: impl Into<Operand>) -> Result<Pending> {
        self.ranks(Ranks::Between, thresholds.into(), Some(weights.into()))
    }

    /// As [`FedMatrix::rank_counts_with_ties`], with sums of weights `(rows, 1)` or `(rows, columns)`.
    ///
    /// # Errors
    /// As [`FedMatrix::rank_counts`].
    pub fn rank_sums_with_ties(&self, thresholds: impl Into<Operand>, weights: impl Into<Operand>) -> Result<Pending> {
        self.ranks(Ranks::Tied, thresholds.into(), Some(weights.into()))
    }

    pub(crate) fn ranks(&self, ranks: Ranks, thresholds: Operand, weights: Option<Operand>) -> Result<Pending> {
        let op = StatsOp::RankCounts { ranks, weighted: weights.is_some() };
        let operands = [thresholds, self.into()].into_iter().chain(weights).collect();
        self.apply(&Op::Stats(op), operands)?.local()
    }

    /// `np.histogram(X, edges)`: `(edges - 1, 1)` over all cells, or `(edges - 1, columns)` column by column. Each bin has
    /// its left edge, the last one both; NaN is in none.
    ///
    /// Of `aggregate` data give infinite edges on both sides: that nobody lies beyond an edge would tell of the
    /// smallest or the largest value, and is refused as a count of none.
    ///
    /// # Errors
    /// `Plan` if there are fewer than two edges, or they do not ascend.
    pub fn histogram(&self, edges: &[f64], axis: Axis) -> Result<Pending> {
        self.bins(edges, axis, None)
    }

    /// `np.histogram(X, edges, weights=w)`, with weights `(rows, 1)` or `(rows, columns)`.
    ///
    /// # Errors
    /// As [`FedMatrix::histogram`].
    pub fn histogram_weighted(&self, edges: &[f64], weights: impl Into<Operand>, axis: Axis) -> Result<Pending> {
        self.bins(edges, axis, Some(weights.into()))
    }

    /// `np.histogram(X, edges, density=True)`: shares of the counted cells over the widths of the bins.
    ///
    /// # Errors
    /// As [`FedMatrix::histogram`].
    pub fn histogram_density(&self, edges: &[f64], axis: Axis) -> Result<Pending> {
        let counts = self.bins(edges, axis, None)?;
        let (shape, widths) = (counts.shape(), edges.windows(2).map(|bin| bin[1] - bin[0]).collect::<Vec<_>>());
        Ok(counts.then(shape, move |mut counts| {
            for mut column in counts.columns_mut() {
                let total = column.sum();
                column.iter_mut().zip(&widths).for_each(|(count, width)| *count = *count / width / total);
            }
            counts
        }))
    }

    fn bins(&self, edges: &[f64], axis: Axis, weights: Option<Operand>) -> Result<Pending> {
        let last = match edges {
            [_, .., last] if edges.windows(2).all(|bin| bin[0] <= bin[1]) => *last,
            _ => return Err(Error::plan("histogram: at least two edges are needed, in ascending order")),
        };
        let bins = edges.len() - 1;
        // Above the last bin is what has the number after its edge at or below it; after infinity there is none.
        let (ranks, closing) =
            if last == f64::INFINITY { (Ranks::Present, None) } else { (Ranks::Between, Some(last.next_up())) };
        let thresholds = edges[..bins].iter().copied().chain(closing);
        let thresholds = Array2::from_shape_fn((bins + usize::from(closing.is_some()), 1), {
            let thresholds: Vec<f64> = thresholds.collect();
            move |(row, _)| thresholds[row]
        });
        let pending = self.ranks(ranks, thresholds.into(), weights)?;
        let columns = if axis == Axis::All { 1 } else { self.ncols() };
        Ok(pending.then(Shape::new(bins as u64, columns), move |cells| {
            let bins = cells.slice(s![1..=bins, ..]);
            if axis == Axis::All { bins.sum_axis(NdAxis(1)).insert_axis(NdAxis(1)) } else { bins.to_owned() }
        }))
    }

    /// Contingency counts of two columns of codes from 0 on, `(rows, columns)`: in cell (i, j) those that are i here and j
    /// there. A row whose codes are outside, or no whole numbers, is not counted, as in R's `table` of factors.
    ///
    /// Of `aggregate` data each cell must have enough rows, and so must those that are not counted, unless there are
    /// none and the codes are a dataset's own columns.
    ///
    /// # Errors
    /// `Plan` if they are no single columns of the same rows.
    pub fn table(&self, other: impl Into<Operand>, rows: u64, columns: u64) -> Result<Pending> {
        let op = StatsOp::Table { rows, columns, weighted: false };
        self.apply(&Op::Stats(op), vec![self.into(), other.into()])?.local()
    }

    /// The same with the sum of weights `(n, 1)` in each cell.
    ///
    /// # Errors
    /// As [`FedMatrix::table`].
    pub fn table_weighted(
        &self,
        other: impl Into<Operand>,
        weights: impl Into<Operand>,
        rows: u64,
        columns: u64,
    ) -> Result<Pending> {
        let op = StatsOp::Table { rows, columns, weighted: true };
        self.apply(&Op::Stats(op), vec![self.into(), other.into(), weights.into()])?.local()
    }

    /// The rows of X by keys `(n, m)` that are equal to each of the given levels `(groups, m)`; rows of other keys, and
    /// of NaN, are in no group.
    ///
    /// # Errors
    /// `Plan` if levels are missing, not finite or there twice, or shapes do not fit.
    pub fn group_by(&self, keys: impl Into<Operand>, levels: impl Into<ArcArray2<f64>>) -> Result<GroupBy> {
        GroupBy::new(self.clone(), keys.into(), levels.into())
    }

    /// The distinct rows without NaN and how many there are of each, `np.unique(X, axis=0, return_counts=True)`: at most
    /// `most`. They are values of rows: of `aggregate` data they leave if the owner releases extremes, and each has
    /// enough rows.
    ///
    /// # Errors
    /// `Plan` if there are more than `most`, or the columns are at different sites; a site's.
    pub async fn levels(&self, most: u64) -> Result<Levels> {
        let op = StatsOp::Levels { most };
        let found = self.apply(&Op::Stats(op), vec![self.into()])?.local()?.await?;
        if found[[0, 0]] > most as f64 {
            return Err(Error::plan(format!("levels: there are more than {most} distinct rows; raise the number")));
        }
        let (count, width) = (found[[0, 0]] as usize, found.ncols() - 1);
        let found = found.slice(s![1..=count, ..]);
        Ok(Levels { keys: found.slice(s![.., ..width]).to_owned(), counts: found.column(width).to_vec() })
    }

    /// Rows Σw, Σw², the weighted mean and Σw(x − mean)^k for k from 2 to `order`: `(order + 2, columns)`; weights are
    /// `(n, 1)`. The central moments are the last ones over Σw.
    ///
    /// # Errors
    /// `Plan` if the order is not 2, 3 or 4, or shapes do not fit.
    pub fn weighted_moments(&self, weights: impl Into<Operand>, order: u32) -> Result<Pending> {
        if !(2..=4).contains(&order) {
            return Err(Error::plan(format!("weighted_moments: the order is 2, 3 or 4, not {order}")));
        }
        let op = StatsOp::WeightedMoments { order };
        self.apply(&Op::Stats(op), vec![self.into(), weights.into()])?.local()
    }

    /// `np.average(X, axis=0, weights=w)`: `(1, columns)`.
    ///
    /// # Errors
    /// `Plan` if shapes do not fit.
    pub fn average(&self, weights: impl Into<Operand>) -> Result<Pending> {
        let moments = self.weighted_moments(weights, 2)?;
        Ok(moments.then(Shape::new(1, self.ncols()), |moments| moments.slice(s![2..3, ..]).to_owned()))
    }

    /// `np.cov(X.T, aweights=w, ddof=ddof)`: `(n, d), (n, 1) → (d, d)`, centred on the weighted means at the sites.
    ///
    /// # Errors
    /// As [`FedMatrix::cov`]; `Plan` if weights of an array are negative.
    pub fn cov_weighted(&self, weights: impl Into<Operand>, ddof: u32) -> Result<Pending> {
        let products = self.weighted_products(weights.into())?;
        Ok(products.then(Shape::new(self.ncols(), self.ncols()), move |of| {
            let (w, squares) = of.get((0, 0)).zip(of.get((1, 0))).map_or((0.0, 0.0), |(w, squares)| (*w, *squares));
            let freedom = if ddof == 0 { w } else { w - f64::from(ddof) * squares / w };
            of.slice(s![3.., ..]).to_owned() / freedom.max(0.0)
        }))
    }

    /// Weighted correlations of the columns, `(n, d), (n, 1) → (d, d)`; NaN for a constant column.
    ///
    /// # Errors
    /// As [`FedMatrix::cov_weighted`].
    pub fn corr_weighted(&self, weights: impl Into<Operand>) -> Result<Pending> {
        let products = self.weighted_products(weights.into())?;
        let square = Shape::new(self.ncols(), self.ncols());
        Ok(products.then(square, |of| correlation(&of.slice(s![3.., ..]).to_owned())))
    }

    fn weighted_products(&self, weights: Operand) -> Result<Pending> {
        if let Operand::Local(weights) = &weights
            && weights.iter().any(|weight| *weight < 0.0)
        {
            return Err(Error::plan("cov: weights cannot be negative"));
        }
        self.apply(&Op::Stats(StatsOp::WeightedCov), vec![self.into(), weights])?.local()
    }
}

/// Distinct rows, in lexicographic order.
#[derive(Clone, Debug, PartialEq)]
pub struct Levels {
    /// `(levels, columns)`.
    pub keys: Array2<f64>,
    /// Rows of each.
    pub counts: Vec<f64>,
}
