//! How many rows: counts are releases too, and nobody learns one below the minimum.

use fondaco_proto::{
    ErrorCode::ReleaseDenied,
    op::{AggregateFunction, Axis, BinaryFunction, CompareOp},
};
use fondaco_worker::label::Level;
use ndarray::{Array2, Axis as Along};

use super::{column, data, denied};
use crate::harness::{Client, Plan, Random, Table, op, refusal};

/// The `rank`th smallest cell of a column; just so many rows are below it.
fn threshold(column: usize, rank: usize) -> f64 {
    let mut cells = data().column(column).to_vec();
    cells.sort_by(f64::total_cmp);
    cells[rank]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_leaves_too_few_rows() {
    let site = super::site().await;
    let ada = site.client("ada").await;
    let read = async |dataset: &str, rows: usize| {
        let filter = op::compare("c0", CompareOp::Less, threshold(0, rows));
        let name = ada.name();
        ada.read(name, op::reading(dataset, &["c1"], Some(filter))).await
    };
    let texts: Vec<String> = [read("aggregate", 0).await, read("aggregate", 1).await, read("aggregate", 4).await]
        .map(|result| refusal(result, ReleaseDenied).message().to_owned())
        .into();
    assert!(texts.iter().all(|text| *text == texts[0]), "one text for zero, one and four rows: {texts:?}");
    for rows in [5, 19] {
        let shape = read("aggregate", rows).await.expect("five are enough").shape.unwrap();
        assert_eq!((shape.rows, shape.columns), (rows as u64, 1));
    }
    for rows in [0, 1, 4] {
        assert_eq!(read("public", rows).await.unwrap().shape.unwrap().rows, rows as u64);
    }
    let decisions: Vec<_> = site.audit().into_iter().filter(|line| line["operator"] == "row count").collect();
    let denied = decisions.iter().filter(|line| line["event"] == "deny").count();
    assert_eq!(denied, 3, "refused counts are written down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_refused_binds_nothing() {
    let site = super::site().await;
    let ada = site.client("ada").await;
    let mut program = ada.program();
    let filter = op::compare("c0", CompareOp::Less, threshold(0, 2));
    let x = program.apply(op::read_where("aggregate", filter), &[]);
    let refused = refusal(ada.run(&program).await, ReleaseDenied);
    assert_eq!(refused.kind().instruction, Some(0));
    refusal(ada.fetch(x).await, fondaco_proto::ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn masks_and_slices_need_five_rows() {
    let site = super::site().await;
    let ada = site.client("ada").await;
    for rows in 0..20_usize {
        let enough = rows >= 5;
        let mask = |p: &mut crate::harness::Program, d: &str| {
            let x = p.read(d);
            let c0 = p.apply(op::columns(&[0]), &[x]);
            let mask = p.apply(op::with(BinaryFunction::Less, threshold(0, rows)), &[c0]);
            let masked = p.apply(op::multiply(), &[x, mask]);
            let rest = p.apply(op::columns(&[1]), &[masked]);
            p.apply(op::sum(), &[rest])
        };
        let slice = |p: &mut crate::harness::Program, d: &str| {
            let x = p.read(d);
            let part = p.apply(op::slice(0..rows as u64, 0..3), &[x]);
            p.apply(op::sum(), &[part])
        };
        ada.value(|p| mask(p, "public")).await.unwrap();
        ada.value(|p| slice(p, "public")).await.unwrap();
        let sliced = ada.value(|p| slice(p, "aggregate")).await;
        assert_eq!(sliced.is_ok(), enough, "the sum of a slice of {rows} rows: {sliced:?}");
        if rows < 5 {
            refusal(ada.value(|p| mask(p, "aggregate")).await, ReleaseDenied);
        } else if rows <= 15 {
            // With few effective contributors among the terms a larger mask may be refused as well.
            let counted = ada
                .value(|p| {
                    let x = p.apply(op::read_columns("aggregate", &["c0"]), &[]);
                    let mask = p.apply(op::with(BinaryFunction::Less, threshold(0, rows)), &[x]);
                    p.apply(op::sum(), &[mask])
                })
                .await
                .unwrap();
            assert_eq!(counted[[0, 0]], rows as f64);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_of_cells_that_are_not_zero() {
    let mut sparse = Array2::zeros((20, 4));
    sparse.slice_mut(ndarray::s![..4, 1]).fill(1.0);
    sparse.slice_mut(ndarray::s![..5, 2]).fill(1.0);
    sparse.column_mut(3).fill(1.0);
    let table = Table::of(&sparse);
    let site = Plan::new().dataset("aggregate", &table).public("public", &table).start().await;
    let ada = site.client("ada").await;
    let nnz = |column: &'static str, dataset: &'static str| {
        move |p: &mut crate::harness::Program| {
            let x = p.apply(op::read_columns(dataset, &[column]), &[]);
            p.apply(op::aggregate(AggregateFunction::Nnz, Axis::Columns), &[x])
        }
    };
    let none = denied(&ada, nnz("c0", "aggregate")).await;
    let four = denied(&ada, nnz("c1", "aggregate")).await;
    let digits = |text: &str| text.split("variable ").last().map(|t| t.trim_start_matches(char::is_numeric).to_owned());
    assert_eq!(digits(&none), digits(&four), "one text for zero and four");
    for (column, count) in [("c2", 5.0), ("c3", 20.0)] {
        assert_eq!(ada.value(nnz(column, "aggregate")).await.unwrap()[[0, 0]], count);
    }
    for (column, count) in [("c0", 0.0), ("c1", 4.0)] {
        assert_eq!(ada.value(nnz(column, "public")).await.unwrap()[[0, 0]], count);
    }
}

/// What is not counted follows from what is: the count of all but one tells of one.
#[tokio::test(flavor = "multi_thread")]
async fn counts_of_all_but_a_few() {
    let site = super::site().await;
    let ada = site.client("ada").await;
    let cells = data().column(0).to_vec();
    for axis in [Axis::Columns, Axis::All] {
        let count = |dataset: &'static str, rows: usize| {
            let (cells, zeros) = (&cells, column(|row| f64::from(u8::from(row >= rows))));
            move |p: &mut crate::harness::Program| {
                let x = p.apply(op::read_columns(dataset, &["c0"]), &[]);
                let counted = match rows {
                    0 => p.apply(op::with(BinaryFunction::Subtract, 77.0), &[x]),
                    1 => p.apply(op::with(BinaryFunction::Subtract, cells[6]), &[x]),
                    _ => {
                        let zeros = p.put(&zeros);
                        p.apply(op::multiply(), &[x, zeros])
                    }
                };
                p.apply(op::aggregate(AggregateFunction::Nnz, axis), &[counted])
            }
        };
        for rows in [0, 1, 4, 7] {
            assert_eq!(ada.value(count("public", rows)).await.unwrap()[[0, 0]], 20.0 - rows as f64);
        }
        for rows in [0, 1, 4] {
            denied(&ada, count("aggregate", rows)).await;
        }
        assert_eq!(ada.value(count("aggregate", 7)).await.unwrap()[[0, 0]], 13.0);
    }
}

/// Cells are no rows: one row with five cells is one.
#[tokio::test(flavor = "multi_thread")]
async fn counts_over_all_cells_count_rows() {
    let mut sparse = Array2::zeros((20, 6));
    sparse.row_mut(4).fill(1.0);
    let table = Table::of(&sparse);
    let site = Plan::new().dataset("aggregate", &table).public("public", &table).start().await;
    let ada = site.client("ada").await;
    let nnz = |dataset: &'static str| {
        move |p: &mut crate::harness::Program| {
            let x = p.read(dataset);
            p.apply(op::aggregate(AggregateFunction::Nnz, Axis::All), &[x])
        }
    };
    assert_eq!(ada.value(nnz("public")).await.unwrap()[[0, 0]], 6.0);
    denied(&ada, nnz("aggregate")).await;
}

/// A product of two plain columns needs the rows alone; a product of three can single out one row: here the factors
/// `code - 1` and `code - 2` vanish for all but one.
#[tokio::test(flavor = "multi_thread")]
async fn three_factors_single_out_a_row() {
    let code = |row: usize| if row == 9 { 3.0 } else { 1.0 + (row % 2) as f64 };
    let table =
        Table::new().f64("code", (0..20).map(code).collect()).f64("y", (0..20).map(|row| 100.0 + row as f64).collect());
    let site = Plan::new().dataset("aggregate", &table).public("public", &table).start().await;
    let ada = site.client("ada").await;
    let attack = |dataset: &'static str| {
        move |p: &mut crate::harness::Program| {
            let code = p.apply(op::read_columns(dataset, &["code"]), &[]);
            let y = p.apply(op::read_columns(dataset, &["y"]), &[]);
            let first = p.apply(op::with(BinaryFunction::Subtract, 1.0), &[code]);
            let second = p.apply(op::with(BinaryFunction::Subtract, 2.0), &[code]);
            let x = p.apply(op::hstack(), &[first, y]);
            let v = p.put(&ndarray::arr2(&[[0.0], [1.0]]));
            p.apply(op::matmul(fondaco_proto::op::MatmulOp::MmchainWeighted), &[v, x, second])
        }
    };
    assert_eq!(ada.value(attack("public")).await.unwrap()[[0, 0]], 2.0 * 109.0, "twice the one row's y");
    denied(&ada, attack("aggregate")).await;
}

/// Whatever can be asked of a dataset, on too few rows.
async fn every_aggregate_is_refused(ada: &Client, dataset: &str) {
    use AggregateFunction::{Max, Mean, Min, Moments, Nnz, Std, Sum, Sumsq, Var};
    for function in [Sum, Sumsq, Mean, Var, Std, Min, Max, Nnz, Moments] {
        for axis in [Axis::All, Axis::Columns] {
            let value = ada.value(|p| {
                let x = p.read(dataset);
                p.apply(op::aggregate(function, axis), &[x])
            });
            let denied = value.await.is_err_and(|refused| super::is_denied(&refused));
            assert!(denied, "{} over {} of {dataset} was not refused", function.name(), axis.name());
        }
    }
    denied(ada, |p| {
        let x = p.read(dataset);
        p.apply(op::gram(), &[x])
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_of_four_rows() {
    let four = Table::of(&Random::new(3).matrix(4, 2));
    let empty = Table::of(&Array2::zeros((0, 2)));
    let site = Plan::new().dataset("four", &four).dataset("empty", &empty).public("public", &four).start().await;
    let ada = site.client("ada").await;
    every_aggregate_is_refused(&ada, "four").await;
    for function in [AggregateFunction::Sum, AggregateFunction::Mean, AggregateFunction::Nnz] {
        denied(&ada, |p| {
            let x = p.read("empty");
            p.apply(op::aggregate(function, Axis::Columns), &[x])
        })
        .await;
    }
    let sum = ada.value(|p| {
        let x = p.read("public");
        p.apply(op::sum(), &[x])
    });
    let expected = Random::new(3).matrix(4, 2).sum_axis(Along(0));
    assert!((sum.await.unwrap().row(0).to_owned() - expected).iter().all(|d| d.abs() < 1e-12));
}

#[tokio::test(flavor = "multi_thread")]
async fn extremes_are_the_owners_to_release() {
    let table = Table::of(&data());
    let site = Plan::new()
        .dataset("closed", &table)
        .dataset_with("open", &table, |dataset| dataset.extremes = true)
        .start()
        .await;
    let ada = site.client("ada").await;
    use AggregateFunction::{All, Any, Max, Min, Nanmax, Nanmin};
    for function in [Min, Max, Nanmin, Nanmax, Any, All] {
        for axis in [Axis::All, Axis::Columns] {
            let extreme = |dataset: &'static str| {
                move |p: &mut crate::harness::Program| {
                    let x = p.read(dataset);
                    p.apply(op::aggregate(function, axis), &[x])
                }
            };
            let text = denied(&ada, extreme("closed")).await;
            assert!(text.contains("extremes"), "{text}");
            let value = ada.value(extreme("open")).await.expect("the owner lets extremes leave");
            let inputs = crate::oracle::eval(&op::aggregate(function, axis), &[&data()]);
            assert_eq!(value, inputs);
        }
    }
    refusal(
        ada.value(|p| {
            let x = p.read("open");
            let four = p.apply(op::slice(0..4, 0..3), &[x]);
            p.apply(op::aggregate(AggregateFunction::Max, Axis::Columns), &[four])
        })
        .await,
        ReleaseDenied,
    );
}

/// Gaps stand behind nothing: what is left counts, column by column, and however it was made.
#[tokio::test(flavor = "multi_thread")]
async fn only_cells_that_are_there_count() {
    let with_gaps = |present: usize| {
        let mut cells = data();
        cells.column_mut(1).iter_mut().skip(present).for_each(|cell| *cell = f64::NAN);
        cells
    };
    let (four, five) = (with_gaps(4), with_gaps(5));
    let site = Plan::new().dataset("four", &Table::of(&four)).dataset("five", &Table::of(&five)).start().await;
    let ada = site.client("ada").await;
    use AggregateFunction::{Nanmean, Nanmoments, Nanstd, Nansum, Nanvar};
    for function in [Nansum, Nanmean, Nanvar, Nanstd, Nanmoments] {
        let nan = op::aggregate(function, Axis::Columns);
        let of = |dataset: &'static str| {
            let nan = nan.clone();
            move |p: &mut crate::harness::Program| {
                let x = p.read(dataset);
                p.apply(nan, &[x])
            }
        };
        denied(&ada, of("four")).await;
        let value = ada.value(of("five")).await.expect("five rows are enough");
        crate::oracle::expected(&nan, &[&five]).check(function.name(), &value);
        // Over all cells, the rows count that have any.
        let all = op::aggregate(function, Axis::All);
        let value = ada.value(|p| {
            let x = p.read("four");
            p.apply(all.clone(), &[x])
        });
        crate::oracle::expected(&all, &[&four]).check(function.name(), &value.await.expect("all rows have some"));
        let doubled = ada.value(|p| {
            let x = p.read("four");
            let doubled = p.apply(op::with(fondaco_proto::op::BinaryFunction::Multiply, 2.0), &[x]);
            p.apply(nan.clone(), &[doubled])
        });
        refusal(doubled.await, ReleaseDenied);
    }
}

/// Gaps leave out rows as weights do: the difference of two sums of what is there may be one row.
#[tokio::test(flavor = "multi_thread")]
async fn sums_of_what_is_there_do_not_combine_at_the_worker() {
    let mut cells = data();
    cells[[7, 1]] = f64::NAN;
    let site = Plan::new().dataset("d", &Table::of(&cells)).start().await;
    let ada = site.client("ada").await;
    let nansum = || op::aggregate(AggregateFunction::Nansum, Axis::Columns);
    let own_gaps = ada.value(|p| {
        let columns = ["c0", "c1"].map(|name| p.apply(op::read_columns("d", &[name]), &[]));
        let both = p.apply(op::add(), &columns);
        let [sum_0, sum_1, sum] = [columns[0], columns[1], both].map(|x| p.apply(nansum(), &[x]));
        let rest = p.apply(op::subtract(), &[sum, sum_0]);
        p.apply(op::subtract(), &[rest, sum_1])
    });
    refusal(own_gaps.await, ReleaseDenied);

    let mut sorted = cells.column(0).to_vec();
    sorted.sort_by(f64::total_cmp);
    // The logarithm of what is below is no number, ten rows or eleven.
    let made_gaps = ada.value(|p| {
        use fondaco_proto::op::{BinaryFunction, Unary};
        let x = p.apply(op::read_columns("d", &["c0"]), &[]);
        let sums = [9, 10].map(|below| {
            let bound = (sorted[below] + sorted[below + 1]) / 2.0;
            let shifted = p.apply(op::with(BinaryFunction::Subtract, bound), &[x]);
            let log = p.apply(op::unary(Unary::Log), &[shifted]);
            let nothing = p.apply(op::with(BinaryFunction::Multiply, 0.0), &[log]);
            let with_gaps = p.apply(op::add(), &[x, nothing]);
            p.apply(nansum(), &[with_gaps])
        });
        p.apply(op::subtract(), &sums)
    });
    refusal(made_gaps.await, ReleaseDenied);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_a_private_dataset() {
    let table = Table::of(&data());
    let site = Plan::new().dataset_with("secret", &table, |d| d.privacy = Level::Private).start().await;
    let mut ada = site.client("ada").await;
    let name = ada.name();
    refusal(ada.read(name, op::reading("secret", &[], None)).await, ReleaseDenied);
    every_aggregate_is_refused(&ada, "secret").await;
    let filter = op::compare("c0", CompareOp::Less, 2.0);
    refusal(ada.bind(|p| p.apply(op::read_where("secret", filter), &[])).await, ReleaseDenied);
    let described = ada.open().await.unwrap().datasets.remove(0);
    assert_eq!(described.privacy(), fondaco_proto::wire::Privacy::Private);
}
