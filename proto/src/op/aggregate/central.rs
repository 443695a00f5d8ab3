//! Central moments that merge: count, mean in two words, and the sums of the second to fourth powers of what lies off
//! the mean.

/// Count, mean and central sums of some cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CentralMoments {
    /// Cells.
    pub count: f64,
    /// Their mean.
    pub mean: f64,
    /// What rounding lost of the mean.
    pub rest: f64,
    /// `sum((x - mean)**k)` for k of 2, 3, 4.
    pub sums: [f64; 3],
}

/// A standard deviation that is no larger than this share of the mean is rounding, for scipy.
const RESOLUTION: f64 = 1e-15;

impl CentralMoments {
    /// Of no cells.
    pub const EMPTY: Self = Self { count: 0.0, mean: f64::NAN, rest: 0.0, sums: [0.0; 3] };

    /// From powers of what lies off `centre`, which is about the mean: `powers[k]` is `sum((x - centre)**(k + 1))`.
    pub fn about(centre: f64, count: f64, powers: [f64; 4]) -> Self {
        if count == 0.0 {
            return Self::EMPTY;
        }
        if !centre.is_finite() {
            return Self { count, mean: centre, rest: 0.0, sums: [f64::NAN; 3] };
        }
        let [s1, s2, s3, s4] = powers;
        let off = s1 / count;
        let (mean, rest) = two_sum(centre, off);
        let m2 = s2 - s1 * off;
        let m3 = s3 - 3.0 * off * s2 + 2.0 * off * off * s1;
        let m4 = s4 - 4.0 * off * s3 + 6.0 * off * off * s2 - 3.0 * off * off * off * s1;
        // Rounding must not leave what cannot be.
        let positive = |x: f64| if x < 0.0 { 0.0 } else { x };
        Self { count, mean, rest: finite(rest), sums: [positive(m2), m3, positive(m4)] }
    }

    /// Of the cells of both (Pébay 2008, "Formulas for robust, one-pass parallel computation of covariances and
    /// arbitrary-order statistical moments").
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        if self.count == 0.0 {
            return other;
        }
        if other.count == 0.0 {
            return self;
        }
        let (a, b) = (self.count, other.count);
        let count = a + b;
        if !(self.mean.is_finite() && other.mean.is_finite()) {
            return Self { count, mean: self.mean + other.mean, rest: 0.0, sums: [f64::NAN; 3] };
        }
        let (between, lost) = two_sum(other.mean, -self.mean);
        let delta = between + (finite(lost) + other.rest - self.rest);
        let (mean, rest) = two_sum(self.mean, delta * (b / count));
        let ([a2, a3, a4], [b2, b3, b4]) = (self.sums, other.sums);
        let (share_a, share_b) = (a / count, b / count);
        let delta_2 = delta * delta;
        let m2 = a2 + b2 + delta_2 * a * share_b;
        let m3 =
            a3 + b3 + delta_2 * delta * a * share_b * (share_a - share_b) + 3.0 * delta * (share_a * b2 - share_b * a2);
        let m4 = a4
            + b4
            + delta_2 * delta_2 * a * share_b * (share_a * share_a - share_a * share_b + share_b * share_b)
            + 6.0 * delta_2 * (share_a * share_a * b2 + share_b * share_b * a2)
            + 4.0 * delta * (share_a * b3 - share_b * a3);
        Self { count, mean, rest: finite(rest) + self.rest, sums: [m2, m3, m4] }
    }

    /// `scipy.stats.moment(x, order)`: `mean((x - mean)**order)` for 2, 3, 4; NaN of no cells.
    pub fn moment(&self, order: usize) -> f64 {
        self.sums[order - 2] / self.count
    }

    /// The variance with these delta degrees of freedom; a division by 0 where there are too few, as `np.var`.
    pub fn variance(&self, ddof: u32) -> f64 {
        self.sums[0] / (self.count - f64::from(ddof)).max(0.0)
    }

    /// Whether nothing varies, but for rounding.
    fn is_constant(&self) -> bool {
        let bound = RESOLUTION * self.mean;
        self.moment(2) <= bound * bound
    }

    /// `scipy.stats.skew(x)`, with `corrected` for bias; NaN of what does not vary.
    pub fn skew(&self, corrected: bool) -> f64 {
        let (n, m2) = (self.count, self.moment(2));
        if self.is_constant() {
            return f64::NAN;
        }
        let skew = self.moment(3) / m2 / m2.sqrt();
        if corrected && n > 2.0 { ((n - 1.0) * n).sqrt() / (n - 2.0) * skew } else { skew }
    }

    /// `scipy.stats.kurtosis(x)`: 0 of a normal distribution; with `corrected` for bias; NaN of what does not vary.
    pub fn kurtosis(&self, corrected: bool) -> f64 {
        let (n, m2) = (self.count, self.moment(2));
        if self.is_constant() {
            return f64::NAN;
        }
        let ratio = self.moment(4) / m2 / m2;
        if corrected && n > 3.0 {
            ((n * n - 1.0) * ratio - 3.0 * (n - 1.0) * (n - 1.0)) / (n - 2.0) / (n - 3.0)
        } else {
            ratio - 3.0
        }
    }
}

/// The sum as a number, and what its rounding lost (Knuth).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
}

/// Infinities and NaN have lost nothing.
fn finite(rest: f64) -> f64 {
    if rest.is_finite() { rest } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cells: &[f64]) -> CentralMoments {
        let centre = cells.iter().sum::<f64>() / cells.len() as f64;
        let power = |k: i32| cells.iter().map(|x| (x - centre).powi(k)).sum();
        CentralMoments::about(centre, cells.len() as f64, [power(1), power(2), power(3), power(4)])
    }

    #[test]
    fn parts_merge_far_from_zero() {
        let cells = [4.0, 7.0, 13.0, 16.0, 40.0].map(|x| x + 1e9);
        for cut in 0..cells.len() {
            let (a, b) = cells.split_at(cut);
            let merged = (if a.is_empty() { CentralMoments::EMPTY } else { of(a) }).merge(of(b));
            assert_eq!((merged.count, merged.mean, merged.rest), (5.0, 1e9 + 16.0, 0.0));
            for (got, expected) in merged.sums.iter().zip([810.0, 11_340.0, 359_154.0]) {
                assert!((got / expected - 1.0).abs() < 1e-13, "{merged:?}");
            }
        }
        assert_eq!(of(&cells[..4]).variance(1), 30.0);
    }

    #[test]
    fn as_scipy_defines_them() {
        // scipy.stats.skew and kurtosis of [1, 2, 3, 10], without and with the correction.
        let some = of(&[1.0, 2.0, 3.0, 10.0]);
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a}, not {b}");
        near(some.skew(false), 1.018_233_764_908_628_4);
        near(some.skew(true), 1.763_632_614_803_888);
        near(some.kurtosis(false), -0.769_6);
        near(some.kurtosis(true), 3.228);
        assert!(of(&[3.0, 3.0]).skew(false).is_nan() && CentralMoments::EMPTY.kurtosis(true).is_nan());
    }
}
