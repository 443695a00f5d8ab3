//! How many distinct values there are.

use std::collections::HashSet;

use fondaco_proto::{
    ErrorCode, Op,
    op::{AggregateOp, Distinct},
};
use ndarray::{Array2, ArrayView1, Axis, concatenate, s};

use crate::{FedMatrix, Result, layout::Cut, perform::perform_planned, plan::aggregate::per_site};

/// The bits of the registers that are asked for, at least and at most, and the rows that each should have.
const BITS_MIN: u32 = 4;
const BITS_MAX: u32 = 12;
const ROWS_PER_REGISTER: u64 = 64;

/// The numbers of distinct values of columns.
#[derive(Clone, Debug, PartialEq)]
pub struct DistinctCounts {
    /// One for each column: `(1, columns)`.
    pub counts: Array2<f64>,
    /// The standard error of a count as a share of it: 0 where it is exact.
    pub relative_error: f64,
}

impl DistinctCounts {
    /// Whether they were counted, rather than estimated.
    pub fn is_exact(&self) -> bool {
        self.relative_error == 0.0
    }
}

impl FedMatrix {
    /// How many distinct values each column has, `len(np.unique(X[:, j]))`: NaN is one, and 0 and -0 are the same.
    ///
    /// Exact for columns that are at one site each, and where the sites release the values themselves: public data, and
    /// one's own. Otherwise an estimate from HyperLogLog registers, which says how good it is. A count may tell whether
    /// a single row differs, so that of `aggregate` data it is an extreme; registers must have enough rows in each.
    ///
    /// # Errors
    /// The first error of a site; a refused release is [`fondaco_proto::ErrorCode::ReleaseDenied`].
    pub async fn nunique(&self) -> Result<DistinctCounts> {
        if self.layout().banded(Cut::Columns).is_some() {
            let op = Op::Aggregate(AggregateOp::Distinct(Distinct::Count));
            return Ok(exact(self.apply(&op, vec![self.into()])?.local()?.await?));
        }
        let mut all: Option<DistinctCounts> = None;
        for columns in self.layout().ranges(Cut::Columns) {
            let DistinctCounts { counts, relative_error } = self.slice(.., columns)?.over_sites().await?;
            all = Some(match all {
                None => DistinctCounts { counts, relative_error },
                Some(before) => DistinctCounts {
                    counts: concatenate![Axis(1), before.counts, counts],
                    relative_error: before.relative_error.max(relative_error),
                },
            });
        }
        Ok(all.unwrap_or_else(|| exact(Array2::default((1, 0)))))
    }

    /// Of a row cut.
    async fn over_sites(&self) -> Result<DistinctCounts> {
        let rows = self.layout();
        let counts = self.of_each_site(Distinct::Count).await?;
        let most = counts.iter().copied().fold(0.0, f64::max) as usize;
        match self.of_each_site(Distinct::Values { rows: most as u64 }).await {
            Ok(values) => Ok(exact(union(&counts, &values, most))),
            Err(error) if error.code() == Some(ErrorCode::ReleaseDenied) => {
                let of_site =
                    |parts: Vec<usize>| parts.into_iter().map(|part| rows.parts()[part].extent(Cut::Rows)).sum();
                let least: u64 = rows.by_site().into_iter().map(|(_, parts)| of_site(parts)).min().unwrap_or(0);
                let bits = (least / ROWS_PER_REGISTER).max(1).ilog2().clamp(BITS_MIN, BITS_MAX);
                let op = Op::Aggregate(AggregateOp::Distinct(Distinct::Registers { bits }));
                let registers = self.apply(&op, vec![self.into()])?.local()?.await?;
                let counts = registers.columns().into_iter().map(|column| estimate(column, bits)).collect();
                let counts = Array2::from_shape_vec((1, registers.ncols()), counts).unwrap_or_default();
                Ok(DistinctCounts { counts, relative_error: 1.04 / f64::from(1_u32 << bits).sqrt() })
            }
            Err(error) => Err(error),
        }
    }

    async fn of_each_site(&self, what: Distinct) -> Result<Array2<f64>> {
        let plan = |args: &[_]| per_site(AggregateOp::Distinct(what), &args[0]);
        perform_planned(self.session(), "nunique", vec![self.into()], plan)?.local()?.await
    }
}

fn exact(counts: Array2<f64>) -> DistinctCounts {
    DistinctCounts { counts, relative_error: 0.0 }
}

/// How many values all sites have together; of each site's `most` rows, the first ones are there.
fn union(counts: &Array2<f64>, values: &Array2<f64>, most: usize) -> Array2<f64> {
    Array2::from_shape_fn((1, counts.ncols()), |(_, column)| {
        let mut all = HashSet::new();
        for (site, count) in counts.column(column).iter().enumerate() {
            let first = site * most;
            let there = values.slice(s![first..first + *count as usize, column]);
            // NaN and zeros come in one kind.
            all.extend(there.iter().map(|value| value.to_bits()));
        }
        all.len() as f64
    })
}

/// The number of distinct values behind registers: Ertl's improved raw estimator ("New cardinality estimation
/// algorithms for HyperLogLog sketches", 2017, algorithm 6).
fn estimate(registers: ArrayView1<f64>, bits: u32) -> f64 {
    let m = registers.len() as f64;
    let largest = 64 - bits as usize + 1;
    let mut counts = vec![0.0; largest + 1];
    for register in registers {
        counts[(*register as usize).min(largest)] += 1.0;
    }
    let mut z = m * tau(1.0 - counts[largest] / m);
    for count in counts[1..largest].iter().rev() {
        z = 0.5 * (z + count);
    }
    z += m * sigma(counts[0] / m);
    m * m / (2.0 * std::f64::consts::LN_2 * z)
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn sets_of_sites_are_merged() {
        let counts = array![[2.0, 1.0], [3.0, 0.0]];
        let nan = f64::NAN;
        let values = array![[1.0, nan], [nan, nan], [nan, nan], [1.0, nan], [2.0, nan], [nan, nan]];
        assert_eq!(union(&counts, &values, 3), array![[3.0, 1.0]]);
    }

    #[test]
    fn estimates_of_none_and_of_all_that_registers_hold() {
        assert_eq!(estimate(Array2::<f64>::zeros((16, 1)).column(0), 4), 0.0);
        // One value fills one register.
        let mut registers = Array2::<f64>::zeros((4096, 1));
        registers[[7, 0]] = 1.0;
        assert!((estimate(registers.column(0), 12) - 1.0).abs() < 0.01);
        assert!(estimate(Array2::<f64>::from_elem((16, 1), 61.0).column(0), 4) > 1e18);
    }
}
