use std::slice;

use fondaco_proto::Op;

use super::super::{
    run as run_kernel,
    testing::{Seeded, flipped, for_each_pool, matrix, oriented, serially, shapes},
};
use super::*;

#[test]
fn ranges_and_lists_on_either_orientation() {
    for (rows, columns) in shapes() {
        for transposed in [false, true] {
            for (a, b) in [(0, rows), (rows / 3, rows - rows / 4), (rows, rows), (0, rows.min(1))] {
                let (c, d) = (columns / 2, columns);
                let range = SliceOp::Range { rows: a as u64..b as u64, columns: c as u64..d as u64 };
                for_each_pool(|cx| {
                    let x = oriented(2, rows, columns, transposed, cx);
                    let sliced = run_kernel(&Op::Slice(range.clone()), slice::from_ref(&x), cx).unwrap();
                    assert_eq!((sliced.rows(), sliced.columns()), (b - a, d - c));
                    let naive: Vec<f64> = (c..d).flat_map(|j| (a..b).map(move |i| (i, j))).map(at(&x)).collect();
                    assert_eq!(sliced.to_column_major(), naive);
                    sliced
                });
            }
            let list: Vec<u64> = (0..columns as u64).rev().chain((0..columns as u64).step_by(2)).collect();
            for_each_pool(|cx| {
                let x = oriented(2, rows, columns, transposed, cx);
                let op = Op::Slice(SliceOp::Columns(list.clone()));
                let sliced = run_kernel(&op, slice::from_ref(&x), cx).unwrap();
                let cells = list.iter().flat_map(|&j| (0..rows).map(move |i| (i, j as usize)));
                assert_eq!(sliced.to_column_major(), cells.map(at(&x)).collect::<Vec<_>>());
                sliced
            });
        }
    }
}

fn at(x: &Matrix) -> impl Fn((usize, usize)) -> f64 {
    move |(row, column)| x.get(row, column)
}

#[test]
fn rows_in_any_order() {
    for (rows, columns) in shapes() {
        let list: Vec<u64> = (0..rows as u64).rev().chain((0..rows as u64).step_by(3)).collect();
        for transposed in [false, true] {
            for_each_pool(|cx| {
                let x = oriented(2, rows, columns, transposed, cx);
                let taken = run_kernel(&Op::Slice(SliceOp::Rows(list.clone())), slice::from_ref(&x), cx).unwrap();
                assert_eq!((taken.rows(), taken.columns()), (list.len(), columns));
                let cells = (0..columns).flat_map(|j| list.iter().map(move |&i| (i as usize, j)));
                assert_eq!(taken.to_column_major(), cells.map(at(&x)).collect::<Vec<_>>());
                taken
            });
        }
    }
}

#[test]
fn rows_by_a_mask() {
    let mut seeded = Seeded(5);
    for (rows, columns) in shapes() {
        for share in [0, 1, 3, 8] {
            let truth = [0.0, -0.0, 1.0, f64::NAN, -5e-324];
            let pick = |seeded: &mut Seeded| truth[if seeded.below(8) < share { 2 + seeded.below(3) } else { 0 }];
            let mask: Vec<f64> = (0..rows).map(|_| pick(&mut seeded)).collect();
            let kept: Vec<usize> = (0..rows).filter(|&row| mask[row] != 0.0).collect();
            for transposed in [false, true] {
                for_each_pool(|cx| {
                    let x = oriented(2, rows, columns, transposed, cx);
                    let make = if transposed { flipped } else { matrix };
                    let inputs = [x, make(rows, 1, &mask, cx)];
                    let filtered = run_kernel(&Op::Slice(SliceOp::FilterRows), &inputs, cx).unwrap();
                    assert_eq!((filtered.rows(), filtered.columns()), (kept.len(), columns));
                    let cells = (0..columns).flat_map(|j| kept.iter().map(move |&i| (i, j)));
                    assert_eq!(filtered.to_column_major(), cells.map(at(&inputs[0])).collect::<Vec<_>>());
                    filtered
                });
            }
        }
    }
}

#[test]
fn cells_in_the_place_of_others() {
    for (rows, columns) in shapes().into_iter().filter(|(rows, columns)| rows * columns < 100_000) {
        for (a, b) in [(0, rows), (rows / 3, rows - rows / 4), (rows, rows), (0, rows.min(1))] {
            let (c, d) = (columns / 2, columns);
            let set = SliceOp::Set { rows: a as u64..b as u64, columns: c as u64..d as u64 };
            for (down, right) in [(b - a, d - c), (1, d - c), (b - a, 1), (1, 1)] {
                for flags in 0..4 {
                    for_each_pool(|cx| {
                        let x = oriented(2, rows, columns, flags & 1 == 1, cx);
                        let y = oriented(3, down, right, flags & 2 == 2, cx);
                        let inputs = [x, y];
                        let result = run_kernel(&Op::Slice(set.clone()), &inputs, cx).unwrap();
                        let [x, y] = &inputs;
                        for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
                            let expected = if (a..b).contains(&i) && (c..d).contains(&j) {
                                y.get((i - a).min(down - 1), (j - c).min(right - 1))
                            } else {
                                x.get(i, j)
                            };
                            assert_eq!(result.get(i, j), expected, "({i}, {j}) of ({rows}, {columns})");
                        }
                        result
                    });
                }
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    serially(|cx| {
        let x = oriented(1, 4, 3, false, cx);
        let refused =
            |op: SliceOp, inputs: &[Matrix]| run_kernel(&Op::Slice(op), inputs, cx).unwrap_err().message().to_owned();
        assert!(refused(SliceOp::Rows(vec![0, 4]), slice::from_ref(&x)).contains("no row 4 in (4, 3)"));
        let mask = oriented(1, 3, 1, false, cx);
        assert!(refused(SliceOp::FilterRows, &[x.clone(), mask.clone()]).contains("must be (4, 1)"));
        let set = SliceOp::Set { rows: 0..2, columns: 0..3 };
        assert!(refused(set, &[x.clone(), mask.clone()]).contains("does not fit into (2, 3)"));
        assert!(refused(SliceOp::Set { rows: 0..5, columns: 0..3 }, &[x.clone(), mask]).contains("set: [0:5, 0:3]"));
    });
}
