//! Cumulative aggregates, sums of products, traces and distinct values.

use std::collections::BTreeSet;

use fondaco_proto::op::{Cumulate, CumulateFunction, Distinct, SumProduct};

use super::*;
use crate::kernels::testing::random;

/// What cells come to one after another, by definition.
fn cumulated(function: CumulateFunction, cells: &[f64]) -> Vec<f64> {
    let smaller = |a: f64, b: f64| if a < b || a.is_nan() { a } else { b };
    let larger = |a: f64, b: f64| if a > b || a.is_nan() { a } else { b };
    let mut sum = total::Sum::default();
    let mut y = cells.first().copied().unwrap_or(0.0);
    let next = cells.iter().enumerate().map(|(i, x)| {
        sum.add(*x);
        y = match function {
            CumulateFunction::Cumsum => sum.value(),
            _ if i == 0 => y,
            CumulateFunction::Cumprod => y * x,
            CumulateFunction::Cummin => smaller(y, *x),
            CumulateFunction::Cummax => larger(y, *x),
            CumulateFunction::Cumsumprod => f64::NAN,
        };
        y
    });
    next.collect()
}

fn cumulate(function: CumulateFunction, axis: Axis, carried: bool) -> Op {
    Op::Aggregate(AggregateOp::Cumulate(Cumulate { function, axis, carried }))
}

/// Columns, or rows.
fn lines(x: &Matrix, axis: Axis) -> Vec<Vec<f64>> {
    series(slice::from_ref(x), axis)
}

#[test]
fn cumulative_aggregates_of_every_orientation() {
    use CumulateFunction::{Cummax, Cummin, Cumprod, Cumsum};
    for (rows, columns) in shapes() {
        for flags in 0..4 {
            let (transposed, axis) = (flags & 1 == 1, if flags & 2 == 2 { Axis::Rows } else { Axis::Columns });
            for function in [Cumsum, Cumprod, Cummin, Cummax] {
                for_each_pool(|cx| {
                    let x = oriented(3, rows, columns, transposed, cx);
                    let y = run_kernel(&cumulate(function, axis, false), slice::from_ref(&x), cx).unwrap();
                    assert_eq!(y.shape(), x.shape());
                    for (got, cells) in lines(&y, axis).iter().zip(lines(&x, axis)) {
                        for (got, expected) in got.iter().zip(cumulated(function, &cells)) {
                            // Below the normal numbers, fewer digits are left.
                            let scale =
                                if function == Cumprod { expected.abs().max(1e-295) } else { cells.len() as f64 };
                            assert!(close(*got, expected, scale), "{function:?} {axis:?}: {got}, not {expected}");
                        }
                    }
                    y
                });
            }
        }
    }
}

/// What is carried on makes two parts one.
#[test]
fn carries_join_parts() {
    use CumulateFunction::{Cummax, Cummin, Cumprod, Cumsum};
    for (rows, columns) in [(9000, 5), (4097, 1), (3, 7)] {
        for (function, total) in [(Cumsum, Sum), (Cumprod, ScaledProd), (Cummin, Min), (Cummax, Max)] {
            for_each_pool(|cx| {
                let (x, y) = (random(1, rows, columns, cx), random(2, rows, columns, cx));
                let whole =
                    crate::kernels::run(&Op::Reorg(fondaco_proto::op::ReorgOp::Vstack), &[x.clone(), y.clone()], cx);
                let whole = run_kernel(&cumulate(function, Axis::Columns, false), &[whole.unwrap()], cx).unwrap();
                let carry = run_kernel(&op(total, Axis::Columns, 0), &[x], cx).unwrap();
                let rest =
                    run_kernel(&cumulate(function, Axis::Columns, true), &[y.clone(), carry.clone()], cx).unwrap();
                let turned = [y.transpose(), carry.transpose()];
                let across = run_kernel(&cumulate(function, Axis::Rows, true), &turned, cx).unwrap().transpose();
                for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
                    let expected = whole.get(rows + i, j);
                    let scale = if function == Cumprod { expected.abs() } else { 2.0 * rows as f64 };
                    assert!(close(rest.get(i, j), expected, scale), "{function:?}: {}, not {expected}", rest.get(i, j));
                    assert!(close(across.get(i, j), expected, scale));
                }
                rest
            });
        }
    }
}

/// Infinities stay, NaN spreads; products leave the numbers and come back.
#[test]
fn cumulative_aggregates_at_the_edges() {
    use CumulateFunction::{Cummax, Cummin, Cumprod, Cumsum};
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    serially(|cx| {
        let of = |function, cells: &[f64]| {
            let down = run_kernel(&cumulate(function, Axis::Columns, false), &[matrix(cells.len(), 1, cells, cx)], cx);
            let down = down.unwrap().to_column_major();
            let along = run_kernel(&cumulate(function, Axis::Rows, false), &[matrix(1, cells.len(), cells, cx)], cx);
            let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
            assert!(down.iter().zip(&along.unwrap().to_column_major()).all(same));
            down
        };
        assert_eq!(of(Cumsum, &[1.0, inf, 2.0]), [1.0, inf, inf]);
        assert!(of(Cumsum, &[inf, -inf, 2.0])[1..].iter().all(|x| x.is_nan()));
        assert_eq!(of(Cummin, &[-1.0, -3.0, -2.0, -inf, inf]), [-1.0, -3.0, -3.0, -inf, -inf]);
        assert_eq!(of(Cummax, &[-5.0, -3.0, -4.0]), [-5.0, -3.0, -3.0]);
        assert!(of(Cummax, &[1.0, nan, 2.0])[1..].iter().all(|x| x.is_nan()));
        assert_eq!(of(Cumprod, &[1e200, 1e200, 1e-300, 1e-300, 1e300]), [1e200, inf, 1e100, 1e-200, 1e100]);
        assert_eq!(of(Cumprod, &[2.0, 0.0, inf])[..2], [2.0, 0.0]);
        assert!(of(Cumprod, &[2.0, 0.0, inf])[2].is_nan());
        assert_eq!(of(Cumprod, &[5e-324, 2.0, -0.5]), [5e-324, 1e-323, -5e-324]);
    });
}

#[test]
fn cumsumprod_is_a_recurrence() {
    for rows in [0, 1, 3, 9001] {
        for_each_pool(|cx| {
            let x = random(4, rows, 2, cx);
            let down = |x: &Matrix, y: f64| {
                let inputs = [x.clone(), matrix(1, 1, &[y], cx)];
                run_kernel(&cumulate(CumulateFunction::Cumsumprod, Axis::Columns, true), &inputs, cx).unwrap()
            };
            let result = down(&x, 0.5);
            let mut y = 0.5;
            for i in 0..rows {
                y = x.get(i, 0) + x.get(i, 1) * y;
                assert_eq!(result.get(i, 0), y);
            }
            let op = cumulate(CumulateFunction::Cumsumprod, Axis::Rows, false);
            let along = run_kernel(&op, &[x.transpose()], cx).unwrap();
            assert_eq!(along.to_column_major(), down(&x, 0.0).to_column_major());
            result
        });
    }
}

#[test]
fn sums_of_products() {
    for (rows, columns) in shapes() {
        for flags in 0..8 {
            for_each_pool(|cx| {
                let x = oriented(1, rows, columns, flags & 1 == 1, cx);
                let y = oriented(2, rows, if flags & 2 == 2 { 1 } else { columns }, flags & 4 == 4, cx);
                let z = oriented(3, if flags & 4 == 4 { 1 } else { rows }, columns, false, cx);
                let cell = |m: &Matrix, i: usize, j: usize| m.get(i.min(m.rows() - 1), j.min(m.columns() - 1));
                let term = |i: usize, j: usize| cell(&x, i, j) * cell(&y, i, j) * cell(&z, i, j);
                let product = |factors, axis| Op::Aggregate(AggregateOp::SumProduct(SumProduct { factors, axis }));
                let three = [x.clone(), y.clone(), z.clone()];
                let sums = run_kernel(&product(3, Axis::Columns), &three, cx).unwrap();
                for j in 0..columns {
                    let expected: f64 = (0..rows).map(|i| term(i, j)).sum();
                    assert!(close(sums.get(0, j), expected, rows as f64), "{} not {expected}", sums.get(0, j));
                }
                let twice = [three.clone(), three].concat();
                let all = run_kernel(&product(3, Axis::All), &twice, cx).unwrap().get(0, 0);
                let total: f64 = (0..columns).map(|j| sums.get(0, j)).sum();
                assert!(close(all, 2.0 * total, (rows * columns) as f64), "{all}, not twice {total}");
                let two = run_kernel(&product(2, Axis::Columns), &[x.clone(), x.clone()], cx).unwrap();
                let squares = run_kernel(&op(Sumsq, Axis::Columns, 0), slice::from_ref(&x), cx).unwrap();
                for j in 0..columns {
                    assert!(close(two.get(0, j), squares.get(0, j), rows as f64));
                }
                sums
            });
        }
    }
}

#[test]
fn traces_of_parts() {
    for_each_pool(|cx| {
        let parts = [random(1, 5, 5, cx), random(2, 4097, 4097, cx), random(3, 0, 0, cx)];
        let trace = run_kernel(&Op::Aggregate(AggregateOp::Trace), &parts, cx).unwrap();
        let expected: f64 = parts.iter().map(|x| (0..x.rows()).map(|i| x.get(i, i)).sum::<f64>()).sum();
        assert!((trace.get(0, 0) - expected).abs() < 1e-11);
        assert!(run_kernel(&Op::Aggregate(AggregateOp::Trace), &[random(1, 2, 3, cx)], cx).is_err());
        trace
    });
}

#[test]
fn distinct_values() {
    let distinct = |what| Op::Aggregate(AggregateOp::Distinct(what));
    for extents in [[5, 0, 3], [0, 40_000, 1], [2, 2, 9000]] {
        for flags in 0..8_usize {
            for_each_pool(|cx| {
                // Few values, NaN, and both zeros.
                let rounded = |x: f64| if x > 0.9 { f64::NAN } else { (x * 30.0).round() * 0.5 };
                let part = |i: usize| {
                    let cells: Vec<f64> =
                        crate::kernels::testing::values(i as u64, 2 * extents[i]).into_iter().map(rounded).collect();
                    let x = matrix(extents[i], 2, &cells, cx);
                    if flags >> i & 1 == 1 { untransposed(&x.transpose(), cx).unwrap().transpose() } else { x }
                };
                let parts: Vec<Matrix> = (0..3).map(part).collect();
                let expected: Vec<BTreeSet<u64>> = series(&parts, Axis::Columns)
                    .into_iter()
                    .map(|cells| cells.into_iter().map(|x| (x + 0.0).to_bits()).collect())
                    .collect();
                let counts = run_kernel(&distinct(Distinct::Count), &parts, cx).unwrap();
                let values = run_kernel(&distinct(Distinct::Values { rows: 90 }), &parts, cx).unwrap();
                assert_eq!((values.rows(), values.columns()), (90, 2));
                for (column, expected) in expected.iter().enumerate() {
                    assert_eq!(counts.get(0, column), expected.len() as f64);
                    let got: Vec<f64> = (0..90).map(|i| values.get(i, column)).collect();
                    let told: BTreeSet<u64> = got[..expected.len()].iter().map(|x| x.to_bits()).collect();
                    assert_eq!(&told, expected);
                    assert!(got[..expected.len()].windows(2).all(|two| two[0] < two[1] || two[1].is_nan()));
                    assert!(got[expected.len()..].iter().all(|x| x.is_nan()));
                }
                let registers = run_kernel(&distinct(Distinct::Registers { bits: 4 }), &parts, cx).unwrap();
                assert_eq!((registers.rows(), registers.columns()), (16, 2));
                let least = least_in_register(&parts, 4, cx).unwrap();
                let empty = registers.to_column_major().contains(&0.0);
                assert_eq!(empty, least == 0.0);
                registers
            });
        }
    }
}
