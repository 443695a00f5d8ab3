//! What the coordinator does with the sites' partial results: pure functions of them, in layout order.

use std::sync::Arc;

use fondaco_proto::{Shape, op};
use ndarray::{Array2, Axis, ShapeBuilder, Zip, concatenate};

mod central;
mod place;
mod stats;

pub(crate) use central::Statistic;
pub(crate) use place::Places;

/// How partial results become one. All parts have the same shape, but for `Covariance`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Combine {
    /// The sum, compensated.
    Sum,
    /// The compensated sum over so many values.
    Mean(u64),
    /// The smallest; NaN wins, as in NumPy.
    Min,
    /// The largest; NaN wins, as in NumPy.
    Max,
    /// Three rows: count, mean, M2; with what the mean's rounding lost, four; and with M3 and M4, six.
    Moments,
    /// What follows from such moments.
    Central(Statistic),
    /// The first winner, from parts of two rows: values, and their places within each site.
    First {
        /// Whether the largest wins.
        largest: bool,
        /// Whether its value is told too.
        both: bool,
        /// Where the sites' rows and columns lie, for each cell of the result.
        places: Arc<[Places]>,
    },
    /// Products of two rows: mantissa and exponent; the same, or the number that they stand for.
    Product {
        /// Whether they stay two.
        scaled: bool,
    },
    /// The smallest that is not NaN.
    PresentMin,
    /// The largest that is not NaN.
    PresentMax,
    /// Covariances. Each site has the moments of one operand or of two, then the first one's centred products with
    /// itself and with the other.
    Covariance {
        /// One or two.
        operands: usize,
        /// Delta degrees of freedom.
        ddof: u32,
    },
    /// Correlations, from the parts of a covariance of one operand.
    Correlation,
    /// Two columns: distinct values in order, and how often each is there.
    Counts,
    /// There is one part: it is the result.
    Only,
    /// Counts, means and M2 of groups, one below the other.
    GroupMoments,
    /// Rows Σw, Σw², mean, M2 and perhaps M3 and M4.
    WeightedMoments,
    /// Rows Σw, Σw², mean, then products of deviations.
    WeightedProducts,
    /// Their number, then distinct rows with their counts.
    Levels,
}

impl Combine {
    /// That of one cell of the result, of several.
    pub fn of_cell(&self, cell: usize) -> Self {
        match self {
            Self::First { largest, both, places } => {
                let places = places.get(cell..=cell).unwrap_or_default().into();
                Self::First { largest: *largest, both: *both, places }
            }
            alike => alike.clone(),
        }
    }

    /// The combination; at least one part.
    pub fn apply(self, mut parts: Vec<Array2<f64>>) -> Array2<f64> {
        match self {
            Self::Sum => sum(parts),
            Self::Mean(count) => sum(parts) / count as f64,
            Self::Min => fold(parts, |a, b| if b < a || b.is_nan() { b } else { a }),
            Self::Max => fold(parts, |a, b| if b > a || b.is_nan() { b } else { a }),
            Self::Moments => central::merged(&parts),
            Self::Central(statistic) => statistic.of(&parts),
            Self::First { largest, both, places } => {
                places.first().map_or_else(|| Array2::default((0, 0)), |places| places.first(largest, both, &parts))
            }
            Self::Product { scaled } => product(parts, scaled),
            Self::PresentMin => fold(parts, f64::min),
            Self::PresentMax => fold(parts, f64::max),
            Self::Covariance { operands, ddof } => covariance(&parts, operands, ddof),
            Self::Correlation => correlation(&covariance(&parts, 1, 0)),
            Self::Counts => counts(&parts),
            Self::GroupMoments => stats::group_moments(parts),
            Self::WeightedMoments => stats::weighted_moments(parts),
            Self::WeightedProducts => stats::weighted_products(parts),
            Self::Levels => stats::levels(parts),
            Self::Only => parts.pop().unwrap_or_default(),
        }
    }

    /// The shape of the combination of parts of these shapes; of distinct values, the largest that it may have.
    pub fn shape(&self, parts: &[Shape]) -> Shape {
        let first = parts.first().copied().unwrap_or(Shape::new(0, 0));
        match self {
            Self::Central(_) | Self::First { both: false, .. } | Self::Product { scaled: false } => {
                Shape::new(1, first.columns)
            }
            Self::Correlation => Shape::new(first.columns, first.columns),
            Self::Counts => Shape::new(parts.iter().map(|part| part.rows).sum(), first.columns),
            Self::Covariance { operands, .. } => {
                let columns = parts.iter().take(*operands).map(|part| part.columns).sum();
                Shape::new(first.columns, columns)
            }
            Self::Sum
            | Self::Mean(_)
            | Self::Min
            | Self::Max
            | Self::PresentMin
            | Self::PresentMax
            | Self::First { both: true, .. }
            | Self::Product { scaled: true }
            | Self::Moments
            | Self::GroupMoments
            | Self::WeightedMoments
            | Self::WeightedProducts
            | Self::Levels
            | Self::Only => first,
        }
    }
}

/// The product of mantissas and exponents, in layout order.
fn product(parts: Vec<Array2<f64>>, scaled: bool) -> Array2<f64> {
    let mut parts = parts.into_iter();
    let mut product = parts.next().unwrap_or_default();
    for part in parts {
        for (mut product, part) in product.columns_mut().into_iter().zip(part.columns()) {
            product[0] *= part[0];
            product[1] += part[1];
            if product[0] == 0.0 || !product[0].is_finite() {
                product[1] = 0.0;
            } else if product[0].abs() >= 2.0 {
                product[0] /= 2.0;
                product[1] += 1.0;
            }
        }
    }
    if scaled {
        return product;
    }
    Array2::from_shape_fn((1, product.ncols()), |(_, column)| op::scaled(product[[0, column]], product[[1, column]]))
}

fn fold(parts: Vec<Array2<f64>>, choose: impl Fn(f64, f64) -> f64) -> Array2<f64> {
    let mut parts = parts.into_iter();
    let mut result = parts.next().unwrap_or_default();
    for part in parts {
        // A NaN that was already chosen stays: no comparison with it holds.
        Zip::from(&mut result).and(&part).for_each(|a, &b| *a = choose(*a, b));
    }
    result
}

/// Neumaier's compensated sum, cell by cell, in layout order (Neumaier 1974, "Rundungsfehleranalyse einiger
/// Verfahren zur Summation endlicher Summen").
fn sum(parts: Vec<Array2<f64>>) -> Array2<f64> {
    let mut parts = parts.into_iter();
    let mut sums = parts.next().unwrap_or_default();
    let mut lost = Array2::<f64>::zeros(sums.raw_dim().set_f(!sums.is_standard_layout()));
    for part in parts {
        Zip::from(&mut sums).and(&mut lost).and(&part).for_each(|sum, lost, &x| {
            let next = *sum + x;
            *lost += if sum.abs() >= x.abs() { (*sum - next) + x } else { (x - next) + *sum };
            *sum = next;
        });
    }
    Zip::from(&mut sums).and(&lost).for_each(|sum, &lost| {
        // Infinities lose nothing; their differences are NaN.
        if sum.is_finite() {
            *sum += lost;
        }
    });
    sums
}

/// Merges sums of products of deviations as variances are merged: each site's are from its own means (Chan, Golub &
/// LeVeque 1979; for two variables Pébay 2008, "Formulas for robust, one-pass parallel computation of covariances").
fn covariance(parts: &[Array2<f64>], operands: usize, ddof: u32) -> Array2<f64> {
    let beside = |parts: &[Array2<f64>]| {
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        concatenate(Axis(1), &views).unwrap_or_default()
    };
    let mut merged: Option<[Array2<f64>; 3]> = None;
    for site in parts.chunks_exact(2 * operands) {
        let (of_x, all) = (site[0].clone(), beside(&site[..operands]));
        // Centred on means that were rounded.
        let lost =
            Array2::from_shape_fn((of_x.ncols(), all.ncols()), |(i, j)| of_x[[0, i]] * of_x[[2, i]] * all[[2, j]]);
        let products = beside(&site[operands..]) - lost;
        merged = match merged {
            Some([left, right, sums]) if of_x.is_empty() || of_x[[0, 0]] > 0.0 => {
                let sums = sums + products + between(&left, &right, &of_x, &all);
                Some([central::merged(&[left, of_x]), central::merged(&[right, all]), sums])
            }
            // A site without rows.
            Some(merged) if merged[0][[0, 0]] > 0.0 => Some(merged),
            _ => Some([of_x, all, products]),
        };
    }
    let Some([of_x, _, sums]) = merged else { return Array2::default((0, 0)) };
    let count = of_x.get((0, 0)).copied().unwrap_or(0.0);
    sums / (count - f64::from(ddof)).max(0.0)
}

/// `np.corrcoef`: covariances over the standard deviations, no further from 0 than 1; NaN for a constant column.
pub(crate) fn correlation(covariances: &Array2<f64>) -> Array2<f64> {
    let deviations = covariances.diag().mapv(f64::sqrt);
    Array2::from_shape_fn(covariances.raw_dim(), |(i, j)| {
        // One after the other, as their product could overflow or vanish.
        let quotient = covariances[[i, j]] / deviations[i] / deviations[j];
        if i == j && quotient.is_finite() { 1.0 } else { quotient.clamp(-1.0, 1.0) }
    })
}

/// What two groups of rows add by the distance of their means, which are in two words, from the moments of the columns
/// on either side.
fn between(left: &Array2<f64>, right: &Array2<f64>, more_left: &Array2<f64>, more_right: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((left.ncols(), right.ncols()), |(i, j)| {
        let (count, more) = (left[[0, i]], more_left[[0, i]]);
        let share = more / (count + more);
        let delta = |a: &Array2<f64>, b: &Array2<f64>, j: usize| (b[[1, j]] - a[[1, j]]) + (b[[2, j]] - a[[2, j]]);
        delta(left, more_left, i) * delta(right, more_right, j) * count * share
    })
}

/// The values of all parts in order, NaN last, each once.
fn counts(parts: &[Array2<f64>]) -> Array2<f64> {
    let mut all: Vec<(f64, f64)> = parts.iter().flat_map(|part| part.rows()).map(|row| (row[0], row[1])).collect();
    all.sort_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())));
    let mut merged: Vec<(f64, f64)> = Vec::with_capacity(all.len());
    for (value, count) in all {
        match merged.last_mut() {
            Some((last, sum)) if *last == value || (last.is_nan() && value.is_nan()) => *sum += count,
            _ => merged.push((value, count)),
        }
    }
    Array2::from_shape_fn((merged.len(), 2), |(i, j)| if j == 0 { merged[i].0 } else { merged[i].1 })
}

#[cfg(test)]
mod tests {
    use ndarray::{array, s};

    use super::*;

    #[test]
    fn sums_are_compensated_and_infinities_kept() {
        let parts = vec![array![[1e100, f64::INFINITY]], array![[1.0, 1.0]], array![[-1e100, 2.0]]];
        assert_eq!(Combine::Sum.apply(parts), array![[1.0, f64::INFINITY]]);
        assert_eq!(Combine::Mean(4).apply(vec![array![[6.0]], array![[2.0]]]), array![[2.0]]);
    }

    #[test]
    fn covariances_merge_far_from_zero() {
        // Rows (4, 1), (7, 3) and (13, 2), (16, 8), all with an offset of 1e9 in the first column.
        let part = |mean: f64, m2: f64, mean_y: f64, m2_y: f64, c: f64| {
            [array![[2.0, 2.0], [1e9 + mean, mean_y], [0.0, 0.0], [m2, m2_y]], array![[m2, c], [c, m2_y]]]
        };
        let parts = [part(5.5, 4.5, 2.0, 2.0, 3.0), part(14.5, 4.5, 5.0, 18.0, 9.0)].concat();
        let all = Combine::Covariance { operands: 1, ddof: 1 }.apply(parts);
        assert_eq!(all, array![[30.0, 13.0], [13.0, 29.0 / 3.0]]);
        assert!(
            Combine::Covariance { operands: 1, ddof: 1 }.apply(vec![array![[1.0], [2.0], [0.0], [0.0]], array![[0.0]]])
                [[0, 0]]
            .is_nan()
        );
    }

    #[test]
    fn correlations_are_at_most_one() {
        let parts = vec![
            array![[3.0, 3.0, 3.0], [1.0, 1.0, 4.0], [0.0, 0.0, 0.0], [2.0, 8.0, 0.0]],
            array![[2.0, -4.0, 0.0], [-4.0, 8.0, 0.0], [0.0, 0.0, 0.0]],
        ];
        let all = Combine::Correlation.apply(parts);
        assert_eq!(all.slice(s![..2, ..2]), array![[1.0, -1.0], [-1.0, 1.0]]);
        assert!(all.row(2).iter().chain(all.column(2)).all(|cell| cell.is_nan()), "a constant has no correlations");
    }

    #[test]
    fn nan_is_the_extreme_wherever_it_is() {
        for combine in [Combine::Min, Combine::Max] {
            assert!(combine.clone().apply(vec![array![[f64::NAN]], array![[1.0]]])[[0, 0]].is_nan());
            assert!(combine.apply(vec![array![[1.0]], array![[f64::NAN]]])[[0, 0]].is_nan());
        }
        assert_eq!(Combine::Max.apply(vec![array![[1.0, 5.0]], array![[2.0, 3.0]]]), array![[2.0, 5.0]]);
    }

    #[test]
    fn values_of_all_sites_are_counted_together() {
        let parts = vec![array![[-1.0, 2.0], [0.0, 5.0], [f64::NAN, 1.0]], array![[0.0, 1.0], [3.0, 1.0]]];
        let merged = Combine::Counts.apply([parts, vec![array![[f64::NAN, 4.0]]]].concat());
        assert_eq!(merged.column(1).to_vec(), [2.0, 6.0, 1.0, 5.0]);
        assert_eq!(merged.slice(s![..3, 0]).to_vec(), [-1.0, 0.0, 3.0]);
        assert_eq!(Combine::Counts.apply(vec![Array2::zeros((0, 2))]).dim(), (0, 2));
    }
}
