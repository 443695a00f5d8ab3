//! Against plain loops, over tiles, orientations and threads.

use fondaco_proto::{
    Op,
    op::{GroupFunction, Ranks, StatsOp},
};

use super::super::{
    run,
    testing::{Seeded, flipped, for_each_pool, matrix, oriented, serially, values},
};
use crate::matrix::Matrix;

/// Small whole numbers, and now and then something else.
fn keys(seed: u64, count: usize) -> Vec<f64> {
    let mut seeded = Seeded(seed);
    let odd = [f64::NAN, -1.0, 0.5, 7.0, -0.0];
    (0..count).map(|_| if seeded.below(9) == 0 { odd[seeded.below(5)] } else { seeded.below(3) as f64 }).collect()
}

/// A column of all parts.
fn column(parts: &[Matrix; 2], j: usize) -> Vec<f64> {
    parts.iter().flat_map(|part| (0..part.rows()).map(move |row| part.get(row, j))).collect()
}

fn close(a: &Matrix, b: &[f64]) {
    let a = a.to_column_major();
    assert_eq!(a.len(), b.len());
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-11 * (1.0 + b.abs());
        assert!(same, "cell {i} is {a:e}, not {b:e}");
    }
}

const HEIGHTS: [[usize; 2]; 4] = [[0, 3], [5, 1], [1500, 700], [9000, 4100]];

#[test]
fn ranks() {
    for ([n, m], d) in HEIGHTS.into_iter().zip([1, 3, 2, 20]) {
        for transposed in [false, true] {
            for_each_pool(|cx| {
                let parts = [oriented(1, n, d, transposed, cx), oriented(2, m, d, !transposed, cx)];
                let weights = [oriented(3, n, 1, false, cx), oriented(4, m, 1, true, cx)];
                let steps = [0.25, -0.5, f64::NAN, parts[1].get(0, 0), f64::NEG_INFINITY];
                let thresholds = matrix(5, 1, &steps, cx);
                let op = Op::Stats(StatsOp::RankCounts { ranks: Ranks::Tied, weighted: true });
                let [a, b] = &parts;
                let [u, v] = &weights;
                let inputs = [thresholds, a.clone(), u.clone(), b.clone(), v.clone()];
                let counts = run(&op, &inputs, cx).unwrap();
                let mut expected = vec![0.0; 12 * d];
                for (x, w) in parts.iter().zip(&weights) {
                    for column in 0..d {
                        for row in 0..x.rows() {
                            let cell = x.get(row, column);
                            let below = steps.iter().filter(|step| **step < cell).count();
                            let cell = 2 * below + usize::from(steps.contains(&cell));
                            expected[column * 12 + cell] += w.get(row, 0);
                        }
                    }
                }
                close(&counts, &expected);
                counts
            });
        }
    }
}

#[test]
fn nan_is_above_all_and_apart_where_ties_are() {
    serially(|cx| {
        let x = matrix(6, 1, &[f64::NAN, 1.0, f64::INFINITY, -0.0, f64::NEG_INFINITY, 2.0], cx);
        let steps = matrix(4, 1, &[0.0, 1.0, f64::INFINITY, f64::NAN], cx);
        let counts = |ranks| {
            let op = Op::Stats(StatsOp::RankCounts { ranks, weighted: false });
            run(&op, &[steps.clone(), x.clone()], cx).unwrap().to_column_major()
        };
        assert_eq!(counts(Ranks::Between), [1.0, 1.0, 2.0, 2.0, 0.0]);
        assert_eq!(counts(Ranks::Present), [1.0, 1.0, 2.0, 1.0, 0.0]);
        assert_eq!(counts(Ranks::Tied), [1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    });
}

#[test]
fn tables_and_groups() {
    for [n, m] in HEIGHTS {
        for_each_pool(|cx| {
            let codes = |seed, count, turned| {
                let keys = keys(seed, count);
                if turned { flipped(count, 1, &keys, cx) } else { matrix(count, 1, &keys, cx) }
            };
            let parts = [[codes(1, n, false), codes(2, n, true)], [codes(3, m, true), codes(4, m, false)]];
            let table = Op::Stats(StatsOp::Table { rows: 3, columns: 2, weighted: false });
            let counts = run(&table, parts.as_flattened(), cx).unwrap();
            let rows: Vec<[f64; 2]> =
                parts.iter().flat_map(|[a, b]| (0..a.rows()).map(|row| [a.get(row, 0), b.get(row, 0)])).collect();
            let pairs = |want: [f64; 2]| rows.iter().filter(|row| **row == want).count() as f64;
            let cells = [0.0, 1.0].map(|b| [0.0, 1.0, 2.0].map(|a| pairs([a, b])));
            close(&counts, cells.as_flattened());

            let levels = [[2.0, 0.5], [0.0, 0.0], [f64::NAN, 1.0], [-1.0, 7.0], [2.0, 0.5]];
            let given: Vec<f64> = [0, 1].map(|c| levels.map(|level| level[c])).concat();
            let both: Vec<Matrix> = parts.iter().map(|[a, b]| hstack(a, b, cx)).collect();
            let op = Op::Stats(StatsOp::Group(GroupFunction::Count));
            let by_level = run(&op, &[matrix(5, 2, &given, cx), both[0].clone(), both[1].clone()], cx).unwrap();
            let expected: Vec<f64> =
                levels.iter().enumerate().map(|(i, level)| if i == 4 { 0.0 } else { pairs(*level) }).collect();
            close(&by_level, &expected);
            by_level
        });
    }
}

fn hstack(a: &Matrix, b: &Matrix, cx: &super::Context<'_>) -> Matrix {
    matrix(a.rows(), 2, &[a.to_column_major(), b.to_column_major()].concat(), cx)
}

#[test]
fn group_values() {
    for ([n, m], d) in HEIGHTS.into_iter().zip([1, 3, 17, 2]) {
        for_each_pool(|cx| {
            let k = [matrix(n, 1, &keys(1, n), cx), matrix(m, 1, &keys(2, m), cx)];
            let x = [oriented(3, n, d, true, cx), oriented(4, m, d, false, cx)];
            let levels = [1.0, 0.5, 0.0];
            let inputs = [matrix(3, 1, &levels, cx), k[0].clone(), x[0].clone(), k[1].clone(), x[1].clone()].to_vec();
            let keys = column(&k, 0);
            let group = |j: usize, level: f64| -> Vec<f64> {
                column(&x, j).into_iter().zip(&keys).filter(|(_, key)| **key == level).map(|(x, _)| x).collect()
            };
            let of = |f: fn(&[f64]) -> f64| -> Vec<f64> {
                (0..d).flat_map(|j| levels.map(|level| f(&group(j, level)))).collect()
            };
            let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
            let m2 = move |x: &[f64]| x.iter().map(|cell| (cell - mean(x)).powi(2)).sum::<f64>();
            let value = |function| run(&Op::Stats(StatsOp::Group(function)), &inputs, cx).unwrap();
            close(&value(GroupFunction::Sum), &of(|x| x.iter().sum()));
            close(&value(GroupFunction::Min), &of(|x| x.iter().copied().fold(f64::INFINITY, f64::min)));
            close(&value(GroupFunction::Max), &of(|x| x.iter().copied().fold(f64::NEG_INFINITY, f64::max)));
            let moments = value(GroupFunction::Moments);
            let expected: Vec<f64> = (0..d)
                .flat_map(|j| {
                    let groups = levels.map(|level| group(j, level));
                    [
                        groups.each_ref().map(|x| x.len() as f64),
                        groups.each_ref().map(|x| mean(x)),
                        groups.each_ref().map(|x| m2(x)),
                    ]
                    .concat()
                })
                .collect();
            close(&moments, &expected);
            moments
        });
    }
}

#[test]
fn levels() {
    for [n, m] in HEIGHTS {
        for_each_pool(|cx| {
            let parts = [matrix(n, 1, &keys(1, n), cx), flipped(m, 1, &keys(2, m), cx)];
            let found = run(&Op::Stats(StatsOp::Levels { most: 7 }), &parts, cx).unwrap();
            let all = parts.iter().flat_map(Matrix::to_column_major);
            let mut sorted: Vec<f64> = all.clone().filter(|x| !x.is_nan()).map(|x| x + 0.0).collect();
            sorted.sort_by(f64::total_cmp);
            let groups: Vec<&[f64]> = sorted.chunk_by(|a, b| a == b).collect();
            let mut expected = vec![f64::NAN; 16];
            (expected[0], expected[8]) = (groups.len() as f64, all.filter(|x| x.is_nan()).count() as f64);
            for (i, group) in groups.iter().enumerate() {
                (expected[i + 1], expected[i + 9]) = (group[0], group.len() as f64);
            }
            close(&found, &expected);
            if groups.len() > 2 {
                let more = run(&Op::Stats(StatsOp::Levels { most: 2 }), &parts, cx).unwrap();
                assert_eq!(more.get(0, 0), 3.0);
                assert!((1..3).all(|row| more.get(row, 0).is_nan()));
            }
            found
        });
    }
}

#[test]
fn weighted_moments_and_products() {
    for ([n, m], d) in HEIGHTS.into_iter().zip([2, 3, 33, 2]) {
        for_each_pool(|cx| {
            let x = [oriented(1, n, d, true, cx), oriented(2, m, d, false, cx)];
            let positive =
                |seed, count| matrix(count, 1, &values(seed, count).iter().map(|w| 1.5 + w).collect::<Vec<_>>(), cx);
            let w = [positive(3, n), positive(4, m)];
            let inputs = [x[0].clone(), w[0].clone(), x[1].clone(), w[1].clone()].to_vec();
            let weights = [w[0].to_column_major(), w[1].to_column_major()].concat();
            let total: f64 = weights.iter().sum();
            let mean = |x: &[f64]| x.iter().zip(&weights).map(|(x, w)| x * w).sum::<f64>() / total;
            let power =
                |x: &[f64], k: i32| x.iter().zip(&weights).map(|(cell, w)| w * (cell - mean(x)).powi(k)).sum::<f64>();
            let squares: f64 = weights.iter().map(|w| w * w).sum();
            let moments = run(&Op::Stats(StatsOp::WeightedMoments { order: 4 }), &inputs, cx).unwrap();
            let expected: Vec<f64> = (0..d)
                .flat_map(|j| {
                    let x = column(&x, j);
                    [total, squares, mean(&x), power(&x, 2), power(&x, 3), power(&x, 4)]
                })
                .collect();
            close(&moments, &expected);
            let cov = run(&Op::Stats(StatsOp::WeightedCov), &inputs, cx).unwrap();
            let expected: Vec<f64> = (0..d)
                .flat_map(|j| {
                    let y = column(&x, j);
                    let product = |i: usize| {
                        let x = column(&x, i);
                        let (mean_x, mean_y) = (mean(&x), mean(&y));
                        x.iter().zip(&y).zip(&weights).map(|((x, y), w)| w * (x - mean_x) * (y - mean_y)).sum::<f64>()
                    };
                    [total, squares, mean(&y)].into_iter().chain((0..d).map(product)).collect::<Vec<_>>()
                })
                .collect();
            close(&cov, &expected);
            cov
        });
    }
}
