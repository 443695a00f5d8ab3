//! Some of the cells, and others in their place.

use std::{
    collections::HashSet,
    ops::{Bound, Range, RangeBounds},
    sync::Arc,
};

use fondaco_proto::{Op, op::SliceOp};

use crate::{
    Axis, Error, FedMatrix, Operand, Result,
    perform::perform_counted,
    plan::slice::{counted, filter_rows, filtered},
};

impl FedMatrix {
    /// `X[rows, columns]`; ranges as Rust writes them: `..`, `2..5`, `..=7`. Sites that hold none of it are not asked.
    ///
    /// # Errors
    /// `Plan` if a range goes beyond X, or ends before it starts.
    pub fn slice(&self, rows: impl RangeBounds<u64>, columns: impl RangeBounds<u64>) -> Result<Self> {
        let (rows, columns) = self.region(rows, columns)?;
        self.apply(&Op::Slice(SliceOp::Range { rows, columns }), vec![self.into()])?.fed()
    }

    /// X with `X[rows, columns] = value`, a new matrix: a number, an array, or a federated matrix whose rows (columns,
    /// in a column cut) are where those are that they take the place of; each axis is equal, or 1. Parts that hold
    /// nothing of the region are not touched.
    ///
    /// # Errors
    /// `Plan` if a range goes beyond X, the value does not fit, or rows would have to move.
    pub fn set(
        &self,
        rows: impl RangeBounds<u64>,
        columns: impl RangeBounds<u64>,
        value: impl Into<Operand>,
    ) -> Result<Self> {
        let (rows, columns) = self.region(rows, columns)?;
        self.apply(&Op::Slice(SliceOp::Set { rows, columns }), vec![self.into(), value.into()])?.fed()
    }

    fn region(&self, rows: impl RangeBounds<u64>, columns: impl RangeBounds<u64>) -> Result<(Range<u64>, Range<u64>)> {
        let within = |range: (Bound<&u64>, Bound<&u64>), extent: u64| {
            let start = match range.0 {
                Bound::Included(start) => *start,
                Bound::Excluded(start) => start.saturating_add(1),
                Bound::Unbounded => 0,
            };
            let end = match range.1 {
                Bound::Included(end) => end.saturating_add(1),
                Bound::Excluded(end) => *end,
                Bound::Unbounded => extent,
            };
            if start <= end { Ok(start..end) } else { Err(Error::plan("slice: a range must not end before it starts")) }
        };
        let rows = within((rows.start_bound(), rows.end_bound()), self.nrows())?;
        Ok((rows, within((columns.start_bound(), columns.end_bound()), self.ncols())?))
    }

    /// The first rows, `X[:rows]`; all if there are fewer.
    ///
    /// # Errors
    /// The error of the program that should have bound X.
    pub fn head(&self, rows: u64) -> Result<Self> {
        self.slice(..rows.min(self.nrows()), ..)
    }

    /// The last rows, `X[-rows:]`; all if there are fewer.
    ///
    /// # Errors
    /// The error of the program that should have bound X.
    pub fn tail(&self, rows: u64) -> Result<Self> {
        self.slice(self.nrows().saturating_sub(rows).., ..)
    }

    /// `X[:, indices]`, in this order, with repeats.
    ///
    /// # Errors
    /// `Plan` if there is no such column.
    pub fn columns(&self, indices: impl IntoIterator<Item = u64>) -> Result<Self> {
        let op = SliceOp::Columns(indices.into_iter().collect());
        self.apply(&Op::Slice(op), vec![self.into()])?.fed()
    }

    /// `np.take(X, indices, axis=0)`: these rows, in this order, with repeats. Rows stay at their sites, so that each
    /// change from one site to another is a part of its own. Of `aggregate` data nothing is released in which a row is
    /// repeated.
    ///
    /// # Errors
    /// `Plan` if there is no such row.
    pub fn take(&self, indices: impl IntoIterator<Item = u64>) -> Result<Self> {
        let op = SliceOp::Rows(indices.into_iter().collect());
        self.apply(&Op::Slice(op), vec![self.into()])?.fed()
    }

    /// `X[:, mask]`, one truth value for each column.
    ///
    /// # Errors
    /// `Plan` if there are more or fewer.
    pub fn filter_columns(&self, mask: &[bool]) -> Result<Self> {
        if mask.len() as u64 != self.ncols() {
            return Err(Error::plan(format!(
                "filter_columns: the mask has {} cells for {} columns",
                mask.len(),
                self.ncols()
            )));
        }
        self.columns((0..).zip(mask).filter(|(_, taken)| **taken).map(|(column, _)| column))
    }

    /// `X[mask[:, 0] != 0]`: the rows where a column of as many cells is not 0 (NaN is not), each at its site. The mask
    /// is an array, or a federated matrix whose rows are at the same sites. How many rows a federated mask takes, its
    /// sites tell; of `aggregate` data if it takes enough of them, leaves enough, and enough of them have a say in it.
    /// What is queued is sent with it.
    ///
    /// # Errors
    /// `Plan` if the mask does not fit, or rows would have to move; a site's.
    pub fn filter_rows(&self, mask: impl Into<Operand>) -> impl Future<Output = Result<Self>> + Send {
        let (x, mask) = (self.clone(), mask.into());
        async move { x.filtered(mask).await }
    }

    async fn filtered(self, mask: Operand) -> Result<Self> {
        let own: Option<Vec<bool>> = match &mask {
            Operand::Local(array) => Some(array.iter().map(|cell| *cell != 0.0).collect()),
            Operand::Scalar(number) => Some(vec![*number != 0.0]),
            Operand::Fed(_) => None,
        };
        let session = self.session().clone();
        let (layout, parts) = perform_counted(&session, "filter_rows", vec![self.into(), mask], filter_rows)?;
        let (layout, kept) = match own {
            Some(mask) => filtered(&layout, &mask)?,
            None => counted(&layout, &session.shapes(&parts).await?)?,
        };
        let parts = kept.into_iter().map(|part| Arc::clone(&parts[part])).collect();
        Ok(Self::new(session, layout, parts))
    }

    /// The rows without a NaN: `X[~np.isnan(X).any(axis=1)]`, as [`FedMatrix::filter_rows`].
    ///
    /// # Errors
    /// `Plan` if the columns are at different sites; a site's.
    pub async fn drop_nan_rows(&self) -> Result<Self> {
        let mask = self.isnan()?.row_any()?.logical_not()?;
        self.filter_rows(mask).await
    }

    /// The rows of which any cell is not 0: `X[(X != 0).any(axis=1)]`, as [`FedMatrix::filter_rows`]. Cells that cancel
    /// are not 0, nor is NaN.
    ///
    /// # Errors
    /// `Plan` if the columns are at different sites; a site's.
    pub async fn remove_empty_rows(&self) -> Result<Self> {
        self.filter_rows(self.row_any()?).await
    }

    /// The columns of which any cell is not 0, at any site: `X[:, (X != 0).any(axis=0)]`. One round trip for the counts
    /// of each column, which the sites must let out.
    ///
    /// # Errors
    /// A site's.
    pub async fn remove_empty_columns(&self) -> Result<Self> {
        let counts = self.nnz(Axis::Columns)?.await?;
        self.filter_columns(&counts.iter().map(|count| *count > 0.0).collect::<Vec<_>>())
    }

    /// So many different rows by chance, in their order: the same ones for every layout, from the seed.
    ///
    /// # Errors
    /// `Plan` if there are fewer rows.
    pub fn sample_rows(&self, count: u64, seed: u64) -> Result<Self> {
        let rows = self.nrows();
        if count > rows {
            return Err(Error::plan(format!("sample_rows: {count} different ones of {rows} rows cannot be had")));
        }
        // R. Floyd's: each set of so many is as likely (Bentley & Floyd 1987, "A sample of brilliance").
        let mut draws = Draws::new("without replacement", seed);
        let mut drawn = HashSet::new();
        for last in rows - count..rows {
            let row = draws.below(last + 1);
            drawn.insert(if drawn.contains(&row) { last } else { row });
        }
        let mut drawn: Vec<u64> = drawn.into_iter().collect();
        drawn.sort_unstable();
        self.take(drawn)
    }

    /// So many rows by chance, the same one perhaps again, in their order: the same ones for every layout, from the
    /// seed. Of `aggregate` data nothing is released in which a row is repeated.
    ///
    /// # Errors
    /// `Plan` if there are no rows to draw from.
    pub fn sample_rows_with_replacement(&self, count: u64, seed: u64) -> Result<Self> {
        if self.nrows() == 0 && count > 0 {
            return Err(Error::plan("sample_rows_with_replacement: there are no rows"));
        }
        let mut draws = Draws::new("with replacement", seed);
        let mut drawn: Vec<u64> = (0..count).map(|_| draws.below(self.nrows())).collect();
        drawn.sort_unstable();
        self.take(drawn)
    }
}

/// Random numbers, a pure function of a seed: the output of BLAKE3 (O'Connor et al. 2020) keyed by it.
struct Draws(blake3::OutputReader);

impl Draws {
    fn new(purpose: &str, seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(&format!("fondaco sample_rows {purpose}"));
        Self(hasher.update(&seed.to_le_bytes()).finalize_xof())
    }

    fn word(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Less than `bound`, which is not 0, each as likely (Lemire 2019, "Fast random integer generation in an interval").
    fn below(&mut self, bound: u64) -> u64 {
        loop {
            let product = u128::from(self.word()) * u128::from(bound);
            if product as u64 >= bound.wrapping_neg() % bound {
                return (product >> 64) as u64;
            }
        }
    }
}
