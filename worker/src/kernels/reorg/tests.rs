use fondaco_proto::{Op, Shape};

use super::super::{
    run as run_kernel,
    testing::{for_each_pool, matrix, oriented, random, serially, shapes},
};
use super::*;

/// Stacks of parts with these extents, each of either orientation, against the definition.
fn check(extents: &[usize], other: usize, flags: usize) {
    for side in [Side::Below, Side::Beside] {
        for_each_pool(|cx| {
            let part = |(i, &extent): (usize, &usize)| {
                let (rows, columns) = if side == Side::Below { (extent, other) } else { (other, extent) };
                if flags >> i & 1 == 1 {
                    random(i as u64, columns, rows, cx).transpose()
                } else {
                    random(i as u64, rows, columns, cx)
                }
            };
            let parts: Vec<Matrix> = extents.iter().enumerate().map(part).collect();
            let kind = if side == Side::Below { ReorgOp::Vstack } else { ReorgOp::Hstack };
            let stack = run_kernel(&Op::Reorg(kind), &parts, cx).unwrap();
            let mut first = 0;
            for part in &parts {
                for (i, j) in (0..part.rows()).flat_map(|i| (0..part.columns()).map(move |j| (i, j))) {
                    let (row, column) = if side == Side::Below { (first + i, j) } else { (i, first + j) };
                    assert_eq!(stack.get(row, column), part.get(i, j));
                }
                first += if side == Side::Below { part.rows() } else { part.columns() };
            }
            assert_eq!(first, if side == Side::Below { stack.rows() } else { stack.columns() });
            stack
        });
    }
}

#[test]
fn flips_of_every_orientation() {
    for (rows, columns) in [(0, 3), (1, 4), (5000, 2), (3, 0), (4096, 1), (9000, 3)] {
        for transposed in [false, true] {
            for_each_pool(|cx| {
                let x = random(7, rows, columns, cx);
                let x = if transposed { x.transpose() } else { x };
                let flipped = run_kernel(&Op::Reorg(ReorgOp::Flip), std::slice::from_ref(&x), cx).unwrap();
                let cells = (0..x.rows()).flat_map(|i| (0..x.columns()).map(move |j| (i, j)));
                for (i, j) in cells {
                    assert_eq!(flipped.get(x.rows() - 1 - i, j), x.get(i, j));
                }
                flipped
            });
        }
    }
}

#[test]
fn stacks_of_every_orientation() {
    for flags in 0..8 {
        check(&[3, 0, 2], 4, flags);
        check(&[0, 5000, 1], 3, flags);
        check(&[4096, 4096, 10], 2, flags);
        check(&[2, 1], 0, flags);
        check(&[7], 5, flags);
    }
    check(&[0, 0], 3, 0);
}

/// Against the definition, cell by cell, for matrices of every shape and either orientation.
fn check_all(op: impl Fn(usize, usize) -> ReorgOp + Sync, cell: impl Fn(&Matrix, usize, usize) -> f64 + Sync) {
    for (rows, columns) in shapes() {
        for transposed in [false, true] {
            for_each_pool(|cx| {
                let x = oriented(5, rows, columns, transposed, cx);
                let op = Op::Reorg(op(rows, columns));
                let result = run_kernel(&op, std::slice::from_ref(&x), cx).unwrap();
                assert_eq!(result.shape(), op.shape(&[x.shape()]).unwrap());
                for (i, j) in (0..result.rows()).flat_map(|i| (0..result.columns()).map(move |j| (i, j))) {
                    assert_eq!(result.get(i, j), cell(&x, i, j), "{op:?} of ({rows}, {columns}): ({i}, {j})");
                }
                result
            });
        }
    }
}

#[test]
fn columns_in_reverse() {
    check_all(|_, _| ReorgOp::FlipColumns, |x, i, j| x.get(i, x.columns() - 1 - j));
}

#[test]
fn diagonals_and_triangles() {
    for offset in [0, 3, -4096, i64::MIN, i64::MAX] {
        let (down, right) = (offset.min(0).unsigned_abs() as usize, offset.max(0) as usize);
        check_all(|_, _| ReorgOp::Diagonal { offset }, |x, i, _| x.get(down + i, right + i));
        let below = |i: usize, j: usize| j as i128 - i as i128 - i128::from(offset);
        let kept = |x: &Matrix, i: usize, j: usize, keep: bool| if keep { x.get(i, j) } else { 0.0 };
        let lower = ReorgOp::Triangle { upper: false, k: offset };
        check_all(|_, _| lower, |x, i, j| kept(x, i, j, below(i, j) <= 0));
        let upper = ReorgOp::Triangle { upper: true, k: offset };
        check_all(|_, _| upper, |x, i, j| kept(x, i, j, below(i, j) >= 0));
    }
}

#[test]
fn vectors_on_diagonals() {
    for (rows, columns, offset) in [(5, 5, 0), (5, 3, 1), (4100, 9, -4095), (0, 4, 0), (7, 0, 0), (3, 3, i64::MAX)] {
        for transposed in [false, true] {
            for_each_pool(|cx| {
                let v = oriented(3, rows, 1, transposed, cx);
                let op = Op::Reorg(ReorgOp::Diag { columns, offset });
                let result = run_kernel(&op, std::slice::from_ref(&v), cx).unwrap();
                for (i, j) in (0..rows).flat_map(|i| (0..columns as usize).map(move |j| (i, j))) {
                    let on = i as i128 + i128::from(offset) == j as i128;
                    assert_eq!(result.get(i, j), if on { v.get(i, 0) } else { 0.0 });
                }
                result
            });
        }
    }
}

#[test]
fn reshapes_keep_the_order_of_cells() {
    // To one column, to one row, and to every divisor of the columns or the rows.
    for pick in 0..6 {
        let shape = |rows: usize, columns: usize| {
            let cells = (rows * columns) as u64;
            let divides = |n: &u64| *n > 0 && cells.is_multiple_of(*n);
            let wide = [1, cells, 2, 3, rows as u64, 7][pick];
            let wide = Some(wide).filter(divides).unwrap_or(columns as u64);
            Shape::new(cells.checked_div(wide).unwrap_or(rows as u64), wide)
        };
        check_all(
            |rows, columns| ReorgOp::Reshape(shape(rows, columns)),
            |x, i, j| {
                let at = i * shape(x.rows(), x.columns()).columns as usize + j;
                x.get(at / x.columns(), at % x.columns())
            },
        );
    }
}

/// A column of many equal cells, zeros of both signs, NaN and infinities.
fn mixed(n: usize) -> Vec<f64> {
    let special = [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -f64::NAN, 5e-324, -3.0];
    (0..n)
        .map(|i| if i % 5 == 0 { special[i / 5 % special.len()] } else { f64::from((i * 7919 % 97) as u32) })
        .collect()
}

#[test]
fn rows_in_the_order_of_a_column() {
    for n in [0, 1, 7, 4096, 9001] {
        for (transposed, descending) in [(false, false), (false, true), (true, false), (true, true)] {
            let key = mixed(n);
            let mut expected: Vec<usize> = (0..n).collect();
            expected.sort_by(|&a, &b| {
                let numbers = key[a].partial_cmp(&key[b]).map(|order| if descending { order.reverse() } else { order });
                numbers.unwrap_or_else(|| key[a].is_nan().cmp(&key[b].is_nan()))
            });
            for indices in [false, true] {
                for_each_pool(|cx| {
                    let cells: Vec<f64> = key.iter().copied().chain((0..n).map(|i| i as f64)).collect();
                    let x = matrix(n, 2, &cells, cx);
                    let x = if transposed { untransposed(&x.transpose(), cx).unwrap().transpose() } else { x };
                    let op = Op::Reorg(ReorgOp::Sort { by: 0, descending, indices });
                    let sorted = run_kernel(&op, std::slice::from_ref(&x), cx).unwrap();
                    let last = sorted.columns() - 1;
                    let order: Vec<usize> = (0..n).map(|i| sorted.get(i, last) as usize).collect();
                    assert_eq!(order, expected);
                    sorted
                });
            }
        }
    }
}

#[test]
fn distinct_values_are_counted() {
    for n in [0, 1, 40, 5000] {
        let cells = mixed(n);
        let mut expected: Vec<(f64, f64)> = Vec::new();
        let mut sorted = cells.clone();
        sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())));
        for cell in sorted {
            match expected.last_mut() {
                Some((value, count)) if *value == cell || (value.is_nan() && cell.is_nan()) => *count += 1.0,
                _ => expected.push((cell, 1.0)),
            }
        }
        for transposed in [false, true] {
            for_each_pool(|cx| {
                let x = matrix(n, 1, &cells, cx);
                let x = if transposed { untransposed(&x.transpose(), cx).unwrap().transpose() } else { x };
                let counted = run_kernel(&Op::Reorg(ReorgOp::Unique), std::slice::from_ref(&x), cx).unwrap();
                assert_eq!(counted.rows(), expected.len());
                for (group, (value, count)) in expected.iter().enumerate() {
                    let found = counted.get(group, 0);
                    assert!(found == *value || (found.is_nan() && value.is_nan()), "{found} instead of {value}");
                    assert_eq!(counted.get(group, 1), *count);
                }
                counted
            });
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    serially(|cx| {
        let x = random(1, 4, 3, cx);
        let refused = |op: ReorgOp| run_kernel(&Op::Reorg(op), std::slice::from_ref(&x), cx).unwrap_err();
        assert!(refused(ReorgOp::Reshape(Shape::new(5, 2))).message().contains("another number of cells"));
        assert!(refused(ReorgOp::Reshape(Shape::new(1 << 40, 1 << 40))).message().contains("more cells"));
        assert!(refused(ReorgOp::Sort { by: 3, descending: false, indices: false }).message().contains("no column 3"));
        assert!(refused(ReorgOp::Unique).message().contains("takes a column"));
        assert!(refused(ReorgOp::Diag { columns: 4, offset: 0 }).message().contains("takes a column"));
    });
}
