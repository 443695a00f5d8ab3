//! Moments of several sites, merged in layout order, and what follows from them.

use fondaco_proto::op::CentralMoments;
use ndarray::{Array2, ArrayView1};

/// What is told of central moments, for each column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Statistic {
    /// The mean.
    Mean,
    /// The variance.
    Variance {
        /// Delta degrees of freedom.
        ddof: u32,
        /// The standard deviation instead.
        root: bool,
        /// NaN where the degrees of freedom are too few, as in `np.nanvar`; else a division by 0, as in `np.var`.
        present: bool,
    },
    /// The mean of such a power of what cells lie off the mean.
    Moment(usize),
    /// `scipy.stats.skew`.
    Skew {
        /// For bias.
        corrected: bool,
    },
    /// `scipy.stats.kurtosis`.
    Kurtosis {
        /// For bias.
        corrected: bool,
    },
}

impl Statistic {
    /// One row of it, from parts as [`merged`] takes them.
    pub fn of(self, parts: &[Array2<f64>]) -> Array2<f64> {
        let columns = parts.first().map_or(0, Array2::ncols);
        Array2::from_shape_fn((1, columns), |(_, column)| self.told(&of_column(parts, column)))
    }

    fn told(self, of: &CentralMoments) -> f64 {
        match self {
            Self::Mean => of.mean,
            Self::Variance { ddof, present: true, .. } if of.count <= f64::from(ddof) => f64::NAN,
            Self::Variance { ddof, root: false, .. } => of.variance(ddof),
            Self::Variance { ddof, root: true, .. } => of.variance(ddof).sqrt(),
            Self::Moment(order) => of.moment(order),
            Self::Skew { corrected } => of.skew(corrected),
            Self::Kurtosis { corrected } => of.kurtosis(corrected),
        }
    }
}

/// Merged moments, of as many rows as each part has: three (count, mean, M2), four (count, mean, what its rounding
/// lost, M2) or six (with M3 and M4).
pub(super) fn merged(parts: &[Array2<f64>]) -> Array2<f64> {
    let (rows, columns) = parts.first().map_or((0, 0), Array2::dim);
    let mut merged = Array2::zeros((rows, columns));
    for (column, mut out) in merged.columns_mut().into_iter().enumerate() {
        let CentralMoments { count, mean, rest, sums: [m2, m3, m4] } = of_column(parts, column);
        let words = if rows == 3 { vec![count, mean + rest, m2] } else { vec![count, mean, rest, m2, m3, m4] };
        out.iter_mut().zip(words).for_each(|(out, word)| *out = word);
    }
    merged
}

fn of_column(parts: &[Array2<f64>], column: usize) -> CentralMoments {
    parts.iter().map(|part| read(part.column(column))).fold(CentralMoments::EMPTY, CentralMoments::merge)
}

fn read(words: ArrayView1<f64>) -> CentralMoments {
    let word = |row: usize| words.get(row).copied().unwrap_or(0.0);
    let (rest, first) = if words.len() == 3 { (0.0, 2) } else { (word(2), 3) };
    CentralMoments { count: word(0), mean: word(1), rest, sums: [word(first), word(first + 1), word(first + 2)] }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn variances_merge_far_from_zero() {
        let part = |count: f64, mean: f64, m2: f64| array![[count], [1e9 + mean], [0.0], [m2]];
        let parts = [part(2.0, 5.5, 4.5), array![[0.0], [f64::NAN], [0.0], [0.0]], part(2.0, 14.5, 4.5)];
        let variance = |ddof, root| Statistic::Variance { ddof, root, present: false }.of(&parts);
        assert_eq!(variance(1, false), array![[30.0]]);
        assert_eq!(variance(0, true), array![[22.5_f64.sqrt()]]);
        let one = [part(1.0, 0.0, 0.0)];
        for present in [false, true] {
            assert!(Statistic::Variance { ddof: 2, root: false, present }.of(&one)[[0, 0]].is_nan());
        }
        assert_eq!(merged(&parts), array![[4.0], [1e9 + 10.0], [0.0], [90.0]]);
    }

    /// Means of thirds are no doubles: what they lose would be all that is left of the variance.
    #[test]
    fn what_rounding_took_of_means_counts() {
        let part = |mean: f64, rest: f64| array![[3.0], [1e9 + mean], [rest], [0.0]];
        let (low, high) = (1e9_f64, (1e9_f64).next_up());
        let parts = [part(0.0, 1e-9), part(0.0, -1e-9)];
        assert!(high - low > 1e-7);
        let variance = Statistic::Variance { ddof: 0, root: false, present: false }.of(&parts)[[0, 0]];
        assert!((variance / 1e-18 - 1.0).abs() < 1e-12, "{variance}");
    }
}
