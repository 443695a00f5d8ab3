use std::{slice, sync::OnceLock};

use fondaco_proto::Op;

use super::super::{
    run as run_kernel,
    testing::{flipped, for_each_pool, matrix, oriented, serially, shapes},
    untransposed,
};
use super::*;

use AggregateFunction::{
    All, Any, Argmax, Argmin, HigherMoments as HigherOf, Kurtosis, Max, Mean, Min, Moment2, Moment3, Moment4,
    Moments as MomentsOf, Nanmax, Nanmean, Nanmin, Nanmoments, Nanstd, Nansum, Nanvar, Nnz, PlacedMax, PlacedMin, Prod,
    ScaledProd, Skew, Std, Sum, Sumsq, Var, WideMoments, WideNanmoments,
};

mod several;

fn op(function: AggregateFunction, axis: Axis, ddof: u32) -> Op {
    Op::Aggregate(AggregateOp::with_ddof(function, axis, ddof))
}

/// What the operator gives for some cells, by definition: exact sums are approached by two passes of compensated ones.
fn naive(function: AggregateFunction, ddof: u32, cells: &[f64]) -> Vec<f64> {
    let exact = |terms: &mut dyn Iterator<Item = f64>| {
        let mut sum = total::Sum::default();
        terms.for_each(|x| sum.add(x));
        sum.value()
    };
    let n = cells.len() as f64;
    let mean = exact(&mut cells.iter().copied()) / n;
    let m2 = exact(&mut cells.iter().map(|x| (x - mean) * (x - mean)));
    let central = |k: i32| exact(&mut cells.iter().map(|x| (x - mean).powi(k)));
    let extreme = |best: fn(f64, f64) -> f64| {
        let any_nan = cells.iter().any(|x| x.is_nan());
        if any_nan { f64::NAN } else { cells.iter().copied().reduce(best).unwrap() }
    };
    let freedom = (n - f64::from(ddof)).max(0.0);
    let present: Vec<f64> = cells.iter().copied().filter(|x| !x.is_nan()).collect();
    match function {
        Sum => vec![exact(&mut cells.iter().copied())],
        Sumsq => vec![exact(&mut cells.iter().map(|x| x * x))],
        Mean => vec![mean],
        Var => vec![m2 / freedom],
        Std => vec![(m2 / freedom).sqrt()],
        Min => vec![extreme(f64::min)],
        Max => vec![extreme(f64::max)],
        Nnz => vec![cells.iter().filter(|x| **x != 0.0).count() as f64],
        MomentsOf => vec![n, mean, m2],
        Prod => {
            let [m, e] = scaled_product(cells);
            vec![scaled(m, e)]
        }
        ScaledProd => scaled_product(cells).to_vec(),
        Any => vec![f64::from(cells.iter().any(|x| *x != 0.0))],
        All => vec![f64::from(cells.iter().all(|x| *x != 0.0))],
        Nansum => naive(Sum, ddof, &present),
        Nanmean => naive(Mean, ddof, &present),
        Nanvar | Nanstd if present.len() as f64 <= f64::from(ddof) => vec![f64::NAN],
        Nanvar => naive(Var, ddof, &present),
        Nanstd => naive(Std, ddof, &present),
        Nanmin | Nanmax if present.is_empty() => vec![f64::NAN],
        Nanmin => naive(Min, ddof, &present),
        Nanmax => naive(Max, ddof, &present),
        Nanmoments => naive(MomentsOf, ddof, &present),
        WideMoments => vec![n, mean, 0.0, m2],
        WideNanmoments => naive(WideMoments, ddof, &present),
        Argmin | Argmax => vec![place(function == Argmin, cells)],
        PlacedMin | PlacedMax => {
            let place = place(function == PlacedMin, cells);
            vec![cells[place as usize], place]
        }
        HigherOf => vec![n, mean, 0.0, m2, central(3), central(4)],
        Moment2 => vec![m2 / n],
        Moment3 => vec![central(3) / n],
        Moment4 => vec![central(4) / n],
        Skew | Kurtosis if m2 / n <= (1e-15 * mean) * (1e-15 * mean) || cells.is_empty() => vec![f64::NAN],
        Skew => vec![central(3) / n / (m2 / n).powf(1.5)],
        Kurtosis => vec![central(4) / n / (m2 / n).powi(2) - 3.0],
    }
}

/// The first of the smallest, or largest.
fn place(smallest: bool, cells: &[f64]) -> f64 {
    let better = |a: f64, b: f64| a.is_nan() || (!b.is_nan() && if smallest { a < b } else { a > b });
    let first = (1..cells.len()).fold(0, |best, i| {
        let taken: f64 = cells[best];
        if !taken.is_nan() && better(cells[i], taken) { i } else { best }
    });
    first as f64
}

/// Normalised after each factor.
fn scaled_product(cells: &[f64]) -> [f64; 2] {
    let (mut m, mut e) = (1.0_f64, 0.0);
    for x in cells {
        m *= x;
        while m.is_finite() && m.abs() >= 2.0 {
            (m, e) = (m / 2.0, e + 1.0);
        }
        while m != 0.0 && m.abs() < 1.0 {
            (m, e) = (m * 2.0, e - 1.0);
        }
    }
    [m, if m == 0.0 || !m.is_finite() { 0.0 } else { e }]
}

fn close(a: f64, b: f64, scale: f64) -> bool {
    (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= 1e-13 * scale
}

/// The cells that each result reduces.
fn series(parts: &[Matrix], axis: Axis) -> Vec<Vec<f64>> {
    let columns = parts[0].columns();
    let column = |j: usize| parts.iter().flat_map(move |x| (0..x.rows()).map(move |i| x.get(i, j))).collect::<Vec<_>>();
    match axis {
        // Row by row, as places are counted.
        Axis::All => {
            let rows = parts.iter().flat_map(|x| (0..x.rows()).map(move |i| (x, i)));
            vec![rows.flat_map(|(x, i)| (0..columns).map(move |j| x.get(i, j))).collect()]
        }
        Axis::Columns => (0..columns).map(column).collect(),
        Axis::Rows => (0..parts[0].rows()).map(|i| (0..columns).map(|j| parts[0].get(i, j)).collect()).collect(),
    }
}

/// Checks every function along an axis of these parts.
fn check(parts: &(dyn Fn(&Context<'_>) -> Vec<Matrix> + Sync), axis: Axis) {
    let expected = serially(|cx| series(&parts(cx), axis));
    let empty = expected.iter().any(Vec::is_empty);
    for &function in AggregateFunction::ALL {
        let ddof = u32::from(matches!(function, Var | Std | Nanvar | Nanstd));
        let naive_results: OnceLock<Vec<Vec<f64>>> = OnceLock::new();
        for_each_pool(|cx| {
            let result = run_kernel(&op(function, axis, ddof), &parts(cx), cx);
            let needs_a_cell =
                matches!(function, Min | Max | Nanmin | Nanmax | Argmin | Argmax | PlacedMin | PlacedMax);
            if empty && needs_a_cell {
                assert!(result.is_err());
                return matrix(0, 0, &[], cx);
            }
            let result = result.unwrap();
            let naive_results =
                naive_results.get_or_init(|| expected.iter().map(|cells| naive(function, ddof, cells)).collect());
            for (i, cells) in expected.iter().enumerate() {
                let mut scale: f64 = cells.iter().map(|x| x.abs().max(x * x)).sum();
                // A ratio of moments is as good as the moments are, and may be large.
                if matches!(function, Skew | Kurtosis) {
                    scale = naive_results[i][0].abs() * cells.len() as f64;
                }
                for (k, &expected) in naive_results[i].iter().enumerate() {
                    let got = if axis == Axis::Rows { result.get(i, k) } else { result.get(k, i) };
                    assert!(close(got, expected, scale.max(1.0)), "{function:?} {axis:?}: {got}, not {expected}");
                }
            }
            result
        });
    }
}

#[test]
fn every_function_axis_and_orientation() {
    for (rows, columns) in shapes() {
        for transposed in [false, true] {
            for &axis in Axis::ALL {
                check(&|cx| vec![oriented(7, rows, columns, transposed, cx)], axis);
            }
        }
    }
}

#[test]
fn parts_are_one_matrix() {
    for flags in 0..8_usize {
        for axis in [Axis::All, Axis::Columns] {
            for extents in [[5, 0, 3], [0, 4097, 1], [2, 2, 9000]] {
                let part = |i: usize, cx: &Context<'_>| oriented(i as u64, extents[i], 3, flags >> i & 1 == 1, cx);
                check(&|cx| (0..3).map(|i| part(i, cx)).collect(), axis);
            }
        }
    }
}

/// One column, both down it and along its transpose.
fn of_column(function: AggregateFunction, ddof: u32, cells: &[f64]) -> f64 {
    serially(|cx| {
        let down = run_kernel(&op(function, Axis::Columns, ddof), &[matrix(cells.len(), 1, cells, cx)], cx).unwrap();
        let two = [cells, cells].concat();
        let along = run_kernel(
            &op(function, Axis::Rows, ddof),
            &[flipped(2, cells.len(), &two, cx).transpose().transpose()],
            cx,
        );
        let along = along.unwrap().get(0, 0);
        assert!(down.get(0, 0) == along || along.is_nan() || (down.get(0, 0) / along - 1.0).abs() < 1e-12);
        down.get(0, 0)
    })
}

#[test]
fn variance_of_large_offsets() {
    assert_eq!(of_column(Var, 1, &[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]), 30.0);
    let n = 50_000;
    let cells: Vec<f64> = (0..n).map(|i| 1e9 + f64::from(i % 7)).collect();
    let expected = naive(Var, 0, &(0..n).map(|i| f64::from(i % 7)).collect::<Vec<_>>())[0];
    assert!((of_column(Var, 0, &cells) / expected - 1.0).abs() < 1e-12);
    assert!(of_column(Var, 0, &[1e9 + 0.1; 10_000]) < 1e-20);
}

/// Ties, NaN and infinities, wherever they are.
#[test]
fn the_first_winner_is_told() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    for cells in [
        vec![2.0, 1.0, 3.0, 1.0, 3.0],
        vec![0.0, -0.0, 0.0],
        vec![inf; 3],
        vec![-inf, nan, -inf, nan],
        [vec![5.0; 9000], vec![nan], vec![6.0; 10]].concat(),
        [vec![5.0; 5000], vec![4.0; 5000]].concat(),
    ] {
        for (function, smallest) in [(Argmin, true), (Argmax, false)] {
            assert_eq!(of_column(function, 0, &cells), place(smallest, &cells), "{function:?}");
        }
    }
    // Of one value in two columns the one that is first row by row.
    serially(|cx| {
        let x = matrix(3, 2, &[0.0, 9.0, 0.0, 0.0, 9.0, 9.0], cx);
        for x in [x.clone(), untransposed(&x.transpose(), cx).unwrap().transpose()] {
            assert_eq!(run_kernel(&op(Argmax, Axis::All, 0), slice::from_ref(&x), cx).unwrap().get(0, 0), 2.0);
            let two = run_kernel(&op(Argmax, Axis::All, 0), &[x.clone(), x.clone()], cx).unwrap();
            assert_eq!(two.get(0, 0), 2.0);
        }
    });
}

#[test]
fn higher_moments_of_large_offsets() {
    for offset in [0.0, 1e9, -1e12] {
        let cells: Vec<f64> = (0..50_000).map(|i| offset + f64::from(i % 7 * (i % 3))).collect();
        let centred: Vec<f64> = cells.iter().map(|x| x - offset).collect();
        for function in [Moment2, Moment3, Moment4, Skew, Kurtosis] {
            let (got, expected) = (of_column(function, 0, &cells), naive(function, 0, &centred)[0]);
            assert!((got / expected - 1.0).abs() < 1e-12, "{function:?} at {offset}: {got}, not {expected}");
        }
        assert!(of_column(Skew, 0, &[offset + 0.1; 10_000]).is_nan());
    }
}

#[test]
fn means_keep_what_rounding_takes() {
    serially(|cx| {
        let cells: Vec<f64> = (0..30_000).map(|i| 1e9 + f64::from(i % 7) * 0.1).collect();
        let words = run_kernel(&op(WideMoments, Axis::Columns, 0), &[matrix(30_000, 1, &cells, cx)], cx).unwrap();
        let mut sum = total::Sum::default();
        cells.iter().for_each(|x| sum.add(x - 1e9));
        let mean = (words.get(1, 0) - 1e9) + words.get(2, 0);
        assert!((mean - sum.value() / 30_000.0).abs() < 1e-15 && words.get(2, 0) != 0.0, "{mean}");
    });
}

#[test]
fn compensated_sums_keep_what_is_small() {
    let mut cells = vec![1e16];
    cells.extend([1.0; 10_000]);
    cells.push(-1e16);
    assert_eq!(of_column(Sum, 0, &cells), 10_000.0);
    assert!((of_column(Sum, 0, &vec![0.1; 1_000_000]) - 100_000.0).abs() < 1e-9);
}

#[test]
fn infinities_and_nan() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    assert_eq!(of_column(Sum, 0, &[1.0, inf, 2.0]), inf);
    assert_eq!(of_column(Mean, 0, &[1.0, -inf, 2.0]), -inf);
    assert_eq!(of_column(Sumsq, 0, &[1.0, -inf]), inf);
    assert!(of_column(Sum, 0, &[inf, -inf]).is_nan());
    assert!(of_column(Sum, 0, &[1.0, nan]).is_nan());
    assert!(of_column(Var, 0, &[1.0, inf]).is_nan());
    assert_eq!(of_column(Min, 0, &[1.0, inf, -inf]), -inf);
    for place in 0..100 {
        let mut cells = vec![1.0; 100];
        cells[place] = nan;
        assert!(of_column(Min, 0, &cells).is_nan() && of_column(Max, 0, &cells).is_nan());
        assert_eq!(of_column(Nnz, 0, &cells), 100.0);
        cells[place] = inf;
        assert_eq!(of_column(Sum, 0, &cells), inf);
        assert_eq!(of_column(Max, 0, &cells), inf);
    }
}

#[test]
fn too_few_degrees_of_freedom_divide_by_zero() {
    assert!(of_column(Var, 1, &[3.0]).is_nan());
    assert_eq!(of_column(Var, 5, &[3.0, 4.0]), f64::INFINITY);
    assert!(of_column(Mean, 0, &[]).is_nan() && of_column(Var, 0, &[]).is_nan());
    assert_eq!(of_column(Sum, 0, &[]), 0.0);
}
