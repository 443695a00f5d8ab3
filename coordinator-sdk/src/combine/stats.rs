//! Moments by groups and with weights, and levels, from the sites' parts.

use ndarray::{Array2, s};

/// Merges counts, means and M2 that stand one below the other, group by group (Chan, Golub & LeVeque 1979).
pub(super) fn group_moments(parts: Vec<Array2<f64>>) -> Array2<f64> {
    let mut parts = parts.into_iter();
    let mut merged = parts.next().unwrap_or_default();
    let groups = merged.nrows() / 3;
    for part in parts {
        for (mut a, b) in merged.columns_mut().into_iter().zip(part.columns()) {
            for group in 0..groups {
                let at = [group, groups + group, 2 * groups + group];
                let next = merge(at.map(|i| a[i]), at.map(|i| b[i]));
                at.into_iter().zip(next).for_each(|(i, next)| a[i] = next);
            }
        }
    }
    merged
}

/// Count, mean and M2 of both.
fn merge(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    if b[0] == 0.0 {
        return a;
    }
    if a[0] == 0.0 {
        return b;
    }
    let count = a[0] + b[0];
    if !(a[1].is_finite() && b[1].is_finite()) {
        return [count, a[1] + b[1], f64::NAN];
    }
    let delta = b[1] - a[1];
    let share = b[0] / count;
    [count, a[1] + delta * share, a[2] + b[2] + delta * delta * a[0] * share]
}

/// Merges Σw, Σw², the mean and sums of powers of deviations up to the fourth (Pébay 2008, "Formulas for robust, one-pass
/// parallel computation of covariances and arbitrary-order statistical moments").
pub(super) fn weighted_moments(parts: Vec<Array2<f64>>) -> Array2<f64> {
    let mut parts = parts.into_iter();
    let mut merged = parts.next().unwrap_or_default();
    for part in parts {
        for (mut a, b) in merged.columns_mut().into_iter().zip(part.columns()) {
            // Σw² is 0 where nobody has any weight.
            if b[1] == 0.0 {
                continue;
            }
            if a[1] == 0.0 {
                a.assign(&b);
                continue;
            }
            let (wa, wb, delta) = (a[0], b[0], b[2] - a[2]);
            let w = wa + wb;
            if !delta.is_finite() {
                a.slice_mut(s![3..]).fill(f64::NAN);
                (a[0], a[1], a[2]) = (w, a[1] + b[1], a[2] + b[2]);
                continue;
            }
            let (sa, sb) = (wa / w, wb / w);
            let of = |column: &ndarray::ArrayView1<f64>, order: usize| column.get(order + 1).copied().unwrap_or(0.0);
            let (a2, a3, a4) = (of(&a.view(), 2), of(&a.view(), 3), of(&a.view(), 4));
            let (b2, b3, b4) = (of(&b, 2), of(&b, 3), of(&b, 4));
            let between = wa * sb * delta * delta;
            let next = [
                w,
                a[1] + b[1],
                a[2] + delta * sb,
                a2 + b2 + between,
                a3 + b3 + between * delta * (sa - sb) + 3.0 * delta * (sa * b2 - sb * a2),
                a4 + b4
                    + between * delta * delta * (sa * sa - sa * sb + sb * sb)
                    + 6.0 * delta * delta * (sa * sa * b2 + sb * sb * a2)
                    + 4.0 * delta * (sa * b3 - sb * a3),
            ];
            a.iter_mut().zip(next).for_each(|(a, next)| *a = next);
        }
    }
    merged
}

/// Merges Σw, Σw², the means, and products of deviations from them.
pub(super) fn weighted_products(parts: Vec<Array2<f64>>) -> Array2<f64> {
    let mut parts = parts.into_iter();
    let mut merged = parts.next().unwrap_or_default();
    for part in parts {
        let weightless = |of: &Array2<f64>| of.row(1).iter().all(|squares| *squares == 0.0);
        if weightless(&part) {
            continue;
        }
        if weightless(&merged) {
            merged = part;
            continue;
        }
        let d = merged.ncols();
        let deltas = &part.row(2) - &merged.row(2);
        for column in 0..d {
            let (wa, wb) = (merged[[0, column]], part[[0, column]]);
            for row in 0..d {
                let between = wa * (wb / (wa + wb)) * deltas[row] * deltas[column];
                merged[[3 + row, column]] += part[[3 + row, column]] + between;
            }
        }
        for column in 0..d {
            let (wa, wb) = (merged[[0, column]], part[[0, column]]);
            merged[[0, column]] = wa + wb;
            merged[[1, column]] += part[[1, column]];
            // What is not finite has no distance.
            let by = if deltas[column].is_finite() { deltas[column] * (wb / (wa + wb)) } else { part[[2, column]] };
            merged[[2, column]] += by;
        }
    }
    merged
}

/// All levels that any part found, with the sum of their counts; as each part says it.
pub(super) fn levels(parts: Vec<Array2<f64>>) -> Array2<f64> {
    let Some(first) = parts.first() else { return Array2::default((0, 0)) };
    let (most, width) = (first.nrows() - 1, first.ncols() - 1);
    let mut merged = Array2::from_elem(first.raw_dim(), f64::NAN);
    merged.slice_mut(s![0, ..width]).fill(0.0);
    let too_many = |mut merged: Array2<f64>| {
        merged[[0, 0]] = most as f64 + 1.0;
        merged
    };
    let mut found: Vec<Vec<f64>> = Vec::new();
    let mut others = 0.0;
    for part in &parts {
        if part[[0, 0]] > most as f64 {
            return too_many(merged);
        }
        others += part[[0, width]];
        found.extend((1..=part[[0, 0]] as usize).map(|row| part.row(row).to_vec()));
    }
    // No NaN among them; counts, which come last, do not matter.
    found.sort_by(|a, b| a[..width].partial_cmp(&b[..width]).unwrap_or(std::cmp::Ordering::Equal));
    let groups: Vec<&[Vec<f64>]> = found.chunk_by(|a, b| a[..width] == b[..width]).collect();
    if groups.len() > most {
        return too_many(merged);
    }
    merged[[0, 0]] = groups.len() as f64;
    merged[[0, width]] = others;
    for (level, group) in groups.iter().enumerate() {
        let mut row = merged.row_mut(level + 1);
        row.iter_mut().zip(&group[0]).for_each(|(cell, key)| *cell = *key);
        row[width] = group.iter().map(|row| row[width]).sum();
    }
    merged
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use crate::combine::Combine;

    #[test]
    fn groups_merge_one_by_one() {
        // Group 0 has (4, 7) at one site and (13, 16) at the other, group 1 nobody and then (1).
        let parts = vec![
            array![[2.0], [0.0], [5.5], [f64::NAN], [4.5], [0.0]],
            array![[2.0], [1.0], [14.5], [1.0], [4.5], [0.0]],
        ];
        assert_eq!(Combine::GroupMoments.apply(parts), array![[4.0], [1.0], [10.0], [1.0], [90.0], [0.0]]);
    }

    #[test]
    fn weighted_moments_merge_as_of_all() {
        let of = |x: &[f64], w: &[f64]| {
            let total: f64 = w.iter().sum();
            let mean = x.iter().zip(w).map(|(x, w)| x * w).sum::<f64>() / total;
            let power = |k| x.iter().zip(w).map(|(x, w)| w * (x - mean).powi(k)).sum::<f64>();
            let squares = w.iter().map(|w| w * w).sum::<f64>();
            Array2::from_shape_vec((6, 1), vec![total, squares, mean, power(2), power(3), power(4)]).unwrap()
        };
        let (x, w) = ([1.0, 5.0, 2.0, -7.0, 0.5, 3.0], [1.0, 2.0, 0.5, 0.25, 3.0, 1.0]);
        let nobody = array![[0.0], [0.0], [f64::NAN], [0.0], [0.0], [0.0]];
        let parts = vec![nobody.clone(), of(&x[..2], &w[..2]), of(&x[2..], &w[2..]), nobody];
        let merged = Combine::WeightedMoments.apply(parts.clone());
        assert!((&merged - &of(&x, &w)).iter().all(|off| off.abs() < 1e-11), "{merged}");
        let products =
            Combine::WeightedProducts.apply(parts.iter().map(|of| of.slice(ndarray::s![..4, ..]).to_owned()).collect());
        assert!((&products.row(3) - &merged.row(3)).iter().all(|off| off.abs() < 1e-11));
    }

    #[test]
    fn levels_are_one_list() {
        let nan = f64::NAN;
        let part = |rows: &[[f64; 2]]| {
            let mut cells = vec![[rows.len() as f64, 1.0]];
            cells.extend_from_slice(rows);
            cells.resize(4, [nan, nan]);
            Array2::from(cells)
        };
        let merged =
            Combine::Levels.apply(vec![part(&[[-1.0, 2.0], [3.0, 1.0]]), part(&[]), part(&[[3.0, 4.0], [5.0, 6.0]])]);
        assert_eq!(merged, array![[3.0, 3.0], [-1.0, 2.0], [3.0, 5.0], [5.0, 6.0]]);
        let many = Combine::Levels.apply(vec![part(&[[1.0, 1.0], [2.0, 1.0]]), part(&[[3.0, 1.0], [4.0, 1.0]])]);
        assert_eq!(many[[0, 0]], 4.0);
        assert!(many.row(1).iter().all(|cell| cell.is_nan()));
    }
}
