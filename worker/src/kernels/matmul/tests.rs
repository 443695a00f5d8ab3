use std::slice;

use fondaco_proto::Op;

use super::super::{
    run as run_kernel,
    testing::{Seeded, for_each_pool, matrix, oriented, serially},
};
use super::*;

/// Cell (i, j) of a product, and the size of its terms.
fn dot(terms: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    terms.fold((0.0, 0.0), |(sum, size), (a, b)| (sum + a * b, size + (a * b).abs()))
}

fn assert_cell(got: f64, (expected, size): (f64, f64)) {
    assert!((got - expected).abs() <= 1e-12 * size || got == expected, "{got}, not {expected}");
}

/// Some cells of a result: all of a small one.
fn sampled(rows: usize, columns: usize) -> Vec<(usize, usize)> {
    let mut seeded = Seeded(5);
    match rows * columns {
        0 => vec![],
        cells if cells <= 100 => (0..cells).map(|at| (at % rows, at / rows)).collect(),
        _many => (0..100).map(|_| (seeded.below(rows), seeded.below(columns))).collect(),
    }
}

/// (m, k, n): inner, outer, long and wide ones, vectors, nothing.
const EXTENTS: [(usize, usize, usize); 16] = [
    (3, 4, 5),
    (1, 9000, 1),
    (9000, 3, 1),
    (1, 3, 9000),
    (9000, 1, 2),
    (5, 9001, 4),
    (4100, 30, 7),
    (0, 3, 2),
    (3, 0, 2),
    (3, 2, 0),
    (1, 1, 1),
    (1, 5000, 3),
    (600, 300, 520),
    (20, 8, 70_000),
    (70_000, 4, 3),
    (2, 70_000, 300),
];

#[test]
fn products_of_every_orientation() {
    for (m, k, n) in EXTENTS {
        for flags in 0..4 {
            for_each_pool(|cx| {
                let x = oriented(1, m, k, flags & 1 == 1, cx);
                let y = oriented(2, k, n, flags & 2 == 2, cx);
                let product = run_kernel(&Op::Matmul(MatmulOp::Product), &[x.clone(), y.clone()], cx).unwrap();
                assert_eq!((product.rows(), product.columns()), (m, n));
                for (i, j) in sampled(m, n) {
                    assert_cell(product.get(i, j), dot((0..k).map(|l| (x.get(i, l), y.get(l, j)))));
                }
                product
            });
        }
    }
}

/// Row parts of 3, 0 and 8,200 rows, of either orientation.
fn parts(seed: u64, columns: usize, flags: usize, cx: &Context<'_>) -> Vec<Matrix> {
    let part = |(i, rows): (usize, usize)| oriented(seed + i as u64, rows, columns, flags >> i & 1 == 1, cx);
    [3, 0, 8_200].into_iter().enumerate().map(part).collect()
}

/// The rows of all parts.
fn rows_of(parts: &[Matrix]) -> Vec<Vec<f64>> {
    let row = |x: &Matrix, i: usize| (0..x.columns()).map(|j| x.get(i, j)).collect();
    parts.iter().flat_map(|x| (0..x.rows()).map(move |i| row(x, i))).collect()
}

#[test]
fn gram_and_cross_of_parts() {
    for flags in 0..8 {
        for_each_pool(|cx| {
            let (xs, ys) = (parts(1, 5, flags, cx), parts(10, 2, 7 - flags, cx));
            let (x, y) = (rows_of(&xs), rows_of(&ys));
            let gram = run_kernel(&Op::Matmul(MatmulOp::Gram), &xs, cx).unwrap();
            for (i, j) in sampled(5, 5) {
                assert_cell(gram.get(i, j), dot(x.iter().map(|row| (row[i], row[j]))));
                assert_eq!(gram.get(i, j).to_bits(), gram.get(j, i).to_bits());
            }
            let pairs: Vec<Matrix> = xs.iter().zip(&ys).flat_map(|(x, y)| [x.clone(), y.clone()]).collect();
            let cross = run_kernel(&Op::Matmul(MatmulOp::Cross), &pairs, cx).unwrap();
            for (i, j) in sampled(5, 2) {
                assert_cell(cross.get(i, j), dot(x.iter().zip(&y).map(|(x, y)| (x[i], y[j]))));
            }
            run_kernel(&Op::Matmul(MatmulOp::Product), &[gram, cross], cx).unwrap()
        });
    }
}

#[test]
fn wide_and_narrow_grams() {
    for (rows, columns) in [(10_000, 1), (5_000, 9), (300, 1100), (40, 70_001), (0, 3), (3, 0), (1, 1)] {
        for transposed in [false, true] {
            if columns > 2000 && !transposed || rows > 2000 && transposed && columns > 5 {
                continue;
            }
            for_each_pool(|cx| {
                let x = oriented(3, rows, columns, transposed, cx);
                let x = if columns > 2000 { x.transpose() } else { x };
                let gram = run_kernel(&Op::Matmul(MatmulOp::Gram), slice::from_ref(&x), cx).unwrap();
                for (i, j) in sampled(x.columns(), x.columns()) {
                    assert_cell(gram.get(i, j), dot((0..x.rows()).map(|l| (x.get(l, i), x.get(l, j)))));
                    assert_eq!(gram.get(i, j).to_bits(), gram.get(j, i).to_bits());
                }
                gram
            });
        }
    }
}

#[test]
fn chains_of_parts() {
    for kind in [MatmulOp::Mmchain, MatmulOp::MmchainWeighted, MatmulOp::MmchainMinus] {
        for flags in 0..8 {
            for_each_pool(|cx| {
                let (xs, ws) = (parts(1, 6, flags, cx), parts(20, 1, flags / 2, cx));
                let v = oriented(9, 6, 1, flags & 1 == 1, cx);
                let mut inputs = vec![v.clone()];
                for (x, w) in xs.iter().zip(&ws) {
                    inputs.push(x.clone());
                    if kind != MatmulOp::Mmchain {
                        inputs.push(w.clone());
                    }
                }
                let result = run_kernel(&Op::Matmul(kind), &inputs, cx).unwrap();
                let (x, w) = (rows_of(&xs), rows_of(&ws));
                let u = |(x, w): (&Vec<f64>, &Vec<f64>)| {
                    let u: f64 = (0..6).map(|j| x[j] * v.get(j, 0)).sum();
                    match kind {
                        MatmulOp::MmchainWeighted => w[0] * u,
                        MatmulOp::MmchainMinus => u - w[0],
                        _plain => u,
                    }
                };
                for i in 0..6 {
                    let (sum, _) = dot(x.iter().zip(&w).map(|row| (row.0[i], u(row))));
                    // The middle may cancel, so its own terms count: |x| (|x| |v| + |w|), each at most 1 but for the sums.
                    assert_cell(result.get(i, 0), (sum, 7.0 * x.len() as f64));
                }
                result
            });
        }
    }
}

#[test]
fn nothing_hides_nan_and_infinities() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    for n in [1, 2, 7] {
        for rows in [1, 2, 600] {
            serially(|cx| {
                let mut cells = vec![0.0; rows * n];
                (cells[0], cells[(n - 1) * rows]) = (nan, inf);
                let x = matrix(rows, n, &cells, cx);
                let zeros = matrix(n, 2, &vec![0.0; 2 * n], cx);
                let product = run_kernel(&Op::Matmul(MatmulOp::Product), &[x.clone(), zeros], cx).unwrap();
                assert!(product.get(0, 0).is_nan() && product.get(0, 1).is_nan(), "0 * inf");
                let zero = matrix(n, 1, &vec![0.0; n], cx);
                let product = run_kernel(&Op::Matmul(MatmulOp::Product), &[x.clone(), zero.clone()], cx).unwrap();
                assert!(product.get(0, 0).is_nan(), "0 * inf by a vector");
                let zeros = matrix(rows, 1, &vec![0.0; rows], cx);
                let cross = run_kernel(&Op::Matmul(MatmulOp::Cross), &[zeros, x.clone()], cx).unwrap();
                assert!(cross.get(0, n - 1).is_nan(), "0 * inf, summed");
                let gram = run_kernel(&Op::Matmul(MatmulOp::Gram), slice::from_ref(&x), cx).unwrap();
                assert!(gram.get(0, n - 1).is_nan() || n == 1);
                assert_eq!(gram.get(n - 1, n - 1), inf);
                let chain = run_kernel(&Op::Matmul(MatmulOp::Mmchain), &[zero, x], cx).unwrap();
                assert!(chain.to_column_major().iter().all(|x| x.is_nan()));
            });
        }
    }
}

#[test]
fn cancelled_work_stops() {
    serially(|cx| {
        let cancel = crate::cancel::Cancel::default();
        cancel.cancel();
        let x = oriented(1, 10, 3, false, cx);
        let cx = Context { cancel: &cancel, ..*cx };
        let error = run_kernel(&Op::Matmul(MatmulOp::Gram), &[x], &cx).unwrap_err();
        assert_eq!(error.code(), fondaco_proto::ErrorCode::Cancelled);
    });
}
