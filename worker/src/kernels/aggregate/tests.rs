use fondaco_proto::Op;

use super::super::{
    run as run_kernel,
    testing::{flipped, for_each_pool, matrix, oriented, serially, shapes},
};
use super::*;

use AggregateFunction::{
    All, Any, Max, Mean, Min, Moments as MomentsOf, Nanmax, Nanmean, Nanmin, Nanmoments, Nanstd, Nansum, Nanvar, Nnz,
    Prod, ScaledProd, Std, Sum, Sumsq, Var,
};

fn op(function: AggregateFunction, axis: Axis, ddof: u32) -> Op {
    Op::Aggregate(AggregateOp { function, axis, ddof })
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
    }
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
        Axis::All => vec![(0..columns).flat_map(column).collect()],
        Axis::Columns => (0..columns).map(column).collect(),
        Axis::Rows => (0..parts[0].rows()).map(|i| (0..columns).map(|j| parts[0].get(i, j)).collect()).collect(),
    }
}

/// Checks every function along an axis of these parts.
fn check(parts: &(dyn Fn(&Context<'_>) -> Vec<Matrix> + Sync), axis: Axis) {
    for &function in AggregateFunction::ALL {
        let ddof = u32::from(matches!(function, Var | Std | Nanvar | Nanstd));
        for_each_pool(|cx| {
            let parts = parts(cx);
            let expected = series(&parts, axis);
            let empty = expected.iter().any(Vec::is_empty);
            let result = run_kernel(&op(function, axis, ddof), &parts, cx);
            if empty && matches!(function, Min | Max | Nanmin | Nanmax) {
                assert!(result.is_err());
                return matrix(0, 0, &[], cx);
            }
            let result = result.unwrap();
            for (i, cells) in expected.iter().enumerate() {
                let scale: f64 = cells.iter().map(|x| x.abs().max(x * x)).sum();
                for (k, expected) in naive(function, ddof, cells).into_iter().enumerate() {
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
