//! Summaries of pairs of columns: SystemDS's `bivar-stats`.

use ndarray::{Array1, Array2, Axis as NdAxis, s};

use super::distributions::{chi_squared_above, f_above};
use crate::{Error, FedMatrix, Result};

/// Two columns of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pearson {
    /// Their correlation.
    pub r: f64,
    /// Their covariance, of one degree of freedom less than rows.
    pub covariance: f64,
}

impl Pearson {
    /// Of two columns `(n, 1)` of aligned rows, in one round trip.
    ///
    /// # Errors
    /// `Plan` if they are no single columns, or their rows are at different sites; a site's.
    pub async fn of(x: &FedMatrix, y: &FedMatrix) -> Result<Self> {
        single("pearson", &[x, y])?;
        let both = x.hstack([y])?.cov(1)?.await?;
        let r = both[[0, 1]] / both[[0, 0]].sqrt() / both[[1, 1]].sqrt();
        Ok(Self { r: r.clamp(-1.0, 1.0), covariance: both[[0, 1]] })
    }
}

/// Two columns of codes from 0 on.
#[derive(Clone, Debug, PartialEq)]
pub struct ChiSquared {
    /// How many rows have each pair.
    pub table: Array2<f64>,
    /// Pearson's statistic, Σ(observed − expected)² / expected, without a correction.
    pub statistic: f64,
    /// (rows − 1)(columns − 1) of those that there are.
    pub freedom: f64,
    /// How probable a statistic at least as large is, if the columns are independent.
    pub p: f64,
    /// √(statistic / (n · (the fewer of rows and columns − 1))).
    pub cramers_v: f64,
}

impl ChiSquared {
    /// Of two columns `(n, 1)` of aligned rows.
    ///
    /// # Errors
    /// As [`FedMatrix::table`]; a site's.
    pub async fn of(a: &FedMatrix, b: &FedMatrix, rows: u64, columns: u64) -> Result<Self> {
        Ok(Self::of_table(a.table(b, rows, columns)?.await?))
    }

    /// Of counts that are here.
    pub fn of_table(table: Array2<f64>) -> Self {
        let (rows, columns, total) = (table.sum_axis(NdAxis(1)), table.sum_axis(NdAxis(0)), table.sum());
        let off = table.indexed_iter().map(|((i, j), count)| {
            let expected = rows[i] * columns[j] / total;
            if expected > 0.0 { (count - expected).powi(2) / expected } else { 0.0 }
        });
        let statistic = off.sum::<f64>();
        let there = |counts: &Array1<f64>| counts.iter().filter(|count| **count > 0.0).count() as f64;
        let (rows, columns) = (there(&rows), there(&columns));
        let freedom = (rows - 1.0) * (columns - 1.0);
        let cramers_v = (statistic / (total * (rows.min(columns) - 1.0))).sqrt();
        Self { table, statistic, freedom, p: chi_squared_above(statistic, freedom), cramers_v }
    }
}

/// A column of numbers by levels of another.
#[derive(Clone, Debug, PartialEq)]
pub struct Anova {
    /// Rows of each level.
    pub counts: Array1<f64>,
    /// Their means.
    pub means: Array1<f64>,
    /// Their variances.
    pub variances: Array1<f64>,
    /// The root of the share of all squared deviations that is between levels.
    pub eta: f64,
    /// The F statistic of one way.
    pub f: f64,
    /// How probable one at least as large is, if all levels have the same mean.
    pub p: f64,
}

impl Anova {
    /// Of numbers `(n, 1)` by keys of aligned rows and their levels `(levels, 1)`; rows of other keys do not count. In one
    /// round trip.
    ///
    /// # Errors
    /// As [`FedMatrix::group_by`]; a site's.
    pub async fn of(y: &FedMatrix, keys: &FedMatrix, levels: &Array2<f64>) -> Result<Self> {
        single("anova", &[y])?;
        let groups = levels.nrows();
        let of = y.group_by(keys, levels.to_shared())?.moments()?.await?;
        let part = |i: usize| of.slice(s![i * groups..(i + 1) * groups, 0]).to_owned();
        let (counts, means, squares) = (part(0), part(1), part(2));
        let there = |count: &&f64| **count > 0.0;
        let (total, levels) = (counts.sum(), counts.iter().filter(there).count() as f64);
        let of_level = || counts.iter().zip(&means).filter(|(count, _)| **count > 0.0);
        let mean = of_level().map(|(count, mean)| count * mean).sum::<f64>() / total;
        let between = of_level().map(|(count, of)| count * (of - mean).powi(2)).sum::<f64>();
        let within = squares.sum();
        let (first, second) = (levels - 1.0, total - levels);
        let f = (between / first) / (within / second);
        let variance = |(squares, count): (&f64, &f64)| if *count > 1.0 { squares / (count - 1.0) } else { f64::NAN };
        Ok(Self {
            variances: squares.iter().zip(&counts).map(variance).collect(),
            eta: (between / (between + within)).sqrt(),
            p: f_above(f, first, second),
            counts,
            means,
            f,
        })
    }
}

/// Spearman's correlation of two columns of ordered codes: Pearson's of their ranks, of equal ones the mean of theirs.
///
/// # Errors
/// As [`FedMatrix::table`]; a site's.
pub async fn spearman(a: &FedMatrix, b: &FedMatrix, rows: u64, columns: u64) -> Result<f64> {
    Ok(spearman_of_table(&a.table(b, rows, columns)?.await?))
}

/// Spearman's correlation from counts of each pair of ordered codes.
pub fn spearman_of_table(table: &Array2<f64>) -> f64 {
    let total = table.sum();
    let centred_ranks = |counts: &Array1<f64>| {
        let mut before = 0.0;
        let ranks = counts.mapv(|count| {
            before += count;
            before - count / 2.0
        });
        // Half a rank more makes no difference to what is centred.
        let mean = (&ranks * counts).sum() / total;
        ranks - mean
    };
    let (rows, columns) = (table.sum_axis(NdAxis(1)), table.sum_axis(NdAxis(0)));
    let (a, b) = (centred_ranks(&rows), centred_ranks(&columns));
    let squares = |ranks: &Array1<f64>, counts: &Array1<f64>| (ranks * ranks * counts).sum();
    a.dot(&table.dot(&b)) / (squares(&a, &rows).sqrt() * squares(&b, &columns).sqrt())
}

fn single(what: &str, columns: &[&FedMatrix]) -> Result<()> {
    match columns.iter().find(|column| column.ncols() != 1) {
        Some(column) => Err(Error::plan(format!("{what}: single columns are needed, not {}", column.shape()))),
        None => Ok(()),
    }
}
