//! Cumulative aggregates, sums of products, traces, distinct values.

use fondaco::{
    Axis, Cut, FedMatrix, Op, Operand,
    op::{self, Cumulate, CumulateFunction, Distinct, SumProduct},
};
use fondaco_proto::{ErrorCode, op::AggregateOp};
use ndarray::{Array2, Axis as Along, array, concatenate, s};

use super::super::{Asked, cases};
use crate::{
    harness::{Plan, Random, Table},
    laws::{
        sample::{self, Cells, Cuts},
        trio::{Trio, place, scatter},
    },
    oracle::{self, Expected},
};

fn expected(op: AggregateOp, inputs: &[&Array2<f64>]) -> Expected {
    oracle::expected(&Op::Aggregate(op), inputs)
}

/// Along an axis, of any layout: carries cross the borders of sites.
#[tokio::test(flavor = "multi_thread")]
async fn cumulative_aggregates() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(16, 60) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let (cells, cuts) = (Cells::pick(&mut random), Cuts::any(&mut random, n, d));
        let x = cells.matrix(&mut random, n, d);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) {cells:?} cut {:?}", cuts.layout()));
        for &function in CumulateFunction::ALL {
            if function == CumulateFunction::Cumsumprod {
                continue;
            }
            for axis in [op::Axis::Columns, op::Axis::Rows] {
                let before = trio.fed.stats().round_trips();
                let result = fed.cumulate(function, axis).await.expect("every layout is accepted");
                let (by_rows, by_columns) = (cuts.by_rows(), cuts.by_columns());
                let (along, across) =
                    if axis == op::Axis::Rows { (by_columns, by_rows) } else { (by_rows, by_columns) };
                if across || !along {
                    assert_eq!(trio.fed.stats().round_trips(), before, "nothing is carried between sites");
                }
                let expected = expected(AggregateOp::Cumulate(Cumulate { function, axis, carried: false }), &[&x]);
                let what = format!("{} {}", function.name(), axis.name());
                asked.ask(what, result.fetch().expect("it is one's own"), expected);
            }
        }
        asked.check(&trio.fed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cumulative_sums_of_products() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(17, 25) {
        let n = 1 + sample::rows(&mut random).min(300);
        let cells = Cells::pick(&mut random);
        let x = cells.matrix(&mut random, n, 2);
        let cuts = Cuts::rows(&mut random, n, 2);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let op =
            |axis| AggregateOp::Cumulate(Cumulate { function: CumulateFunction::Cumsumprod, axis, carried: false });
        let mut asked = Asked::new(format!("seed {seed}: {n} {cells:?} cut {:?}", cuts.layout()));
        let down = fed.cumsumprod().await.expect("a row cut").fetch().expect("it is one's own");
        asked.ask("down", down, expected(op(op::Axis::Columns), &[&x]));
        let turned = fed.t().expect("everything can be transposed");
        let along = turned.row_cumsumprod().await.expect("a column cut").fetch().expect("it is one's own");
        asked.ask("along", along, expected(op(op::Axis::Rows), &[&x.t().to_owned()]));
        asked.check(&trio.fed).await;
        let message = fed.columns([0, 1, 1]).expect("columns").cumsumprod().await.expect_err("three").to_string();
        assert!(message.contains("needs two columns"), "{message}");
    }
}

/// One row part at each of three sites: two round trips, or one that waits for the result.
#[tokio::test(flavor = "multi_thread")]
async fn carries_take_one_round_trip() {
    let trio = Trio::start().await;
    let x = array![[1.0, -1.0], [2.0, -2.0], [3.0, f64::INFINITY], [4.0, 5.0]];
    let layout = Cuts::of(Cut::Rows, vec![("a", 1), ("b", 2), ("c", 1)], 2).layout();
    let fed = place(&trio.fed, &x, &layout);
    let before = trio.fed.stats().round_trips();
    let sums = fed.cumsum().await.expect("a row cut");
    assert_eq!(trio.fed.stats().round_trips() - before, 1);
    let inf = f64::INFINITY;
    let expected = array![[1.0, -1.0], [3.0, -3.0], [6.0, inf], [10.0, inf]];
    assert_eq!(sums.to_array().await.expect("it is one's own"), expected);
    assert_eq!(sums.layout().parts().len(), 3);
    let message = fed.apply(
        &Op::Aggregate(AggregateOp::Cumulate(Cumulate {
            function: CumulateFunction::Cumsum,
            axis: op::Axis::Columns,
            carried: false,
        })),
        vec![(&fed).into()],
    );
    let message = message.expect_err("it has to be carried").to_string();
    assert!(message.contains("the method cumsum does"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_of_products() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(18, 60) {
        let (n, d) = (sample::rows(&mut random).max(1), sample::columns(&mut random));
        let (cells, cuts) = (Cells::pick(&mut random), Cuts::any(&mut random, n, d));
        let x = cells.matrix(&mut random, n, d);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) {cells:?} cut {:?}", cuts.layout()));
        for factors in [2, 3] {
            for axis in [Axis::All, Axis::Columns] {
                let mut operands: Vec<(Operand, Array2<f64>)> = Vec::new();
                for _ in 1..factors {
                    operands.push(operand(&trio, &mut random, &cuts, (n, d)));
                }
                let (others, arrays): (Vec<Operand>, Vec<Array2<f64>>) = operands.into_iter().unzip();
                let what = format!("{axis:?} with {others:?}");
                let pending =
                    fed.sum_product(others, axis).unwrap_or_else(|error| panic!("seed {seed}, {what}: {error}"));
                let inputs: Vec<&Array2<f64>> = std::iter::once(&x).chain(&arrays).collect();
                let op = AggregateOp::SumProduct(SumProduct { factors, axis: axis.into() });
                asked.ask(what, pending, expected(op, &inputs));
            }
        }
        asked.check(&trio.fed).await;
    }
    let one = trio.fed.fill(&Cuts::rows(&mut Random::new(1), 3, 1).layout(), 1.0).expect("the sites are there");
    let message = one.sum_product([1.0, 2.0, 3.0], Axis::All).expect_err("three others").to_string();
    assert!(message.contains("one or two other"), "{message}");
}

/// What stands beside a matrix of this shape in these cuts.
fn operand(trio: &Trio, random: &mut Random, cuts: &Cuts, (n, d): (usize, usize)) -> (Operand, Array2<f64>) {
    let cells = Cells::pick(random);
    let shape = *random.pick(&[(1, 1), (1, d), (n, 1), (n, d), (n, d)]);
    let array = cells.matrix(random, shape.0, shape.1);
    if shape == (n, d) && random.below(2) == 0 {
        let aligned = cuts.realigned(random);
        return (scatter(&trio.fed, random, &array, &aligned).into(), array);
    }
    (Operand::from(&array), array)
}

#[tokio::test(flavor = "multi_thread")]
async fn traces() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(19, 25) {
        let n = random.below(40);
        let (cells, cuts) = (Cells::pick(&mut random), Cuts::any(&mut random, n, n));
        let x = cells.matrix(&mut random, n, n);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: {n} {cells:?} cut {:?}", cuts.layout()));
        asked.ask("trace", fed.trace().expect("it is square"), expected(AggregateOp::Trace, &[&x]));
        asked.check(&trio.fed).await;
    }
    let flat = trio.fed.fill(&Cuts::rows(&mut Random::new(1), 3, 2).layout(), 1.0).expect("the sites are there");
    assert!(flat.trace().expect_err("it is not square").to_string().contains("square"));
}

#[tokio::test(flavor = "multi_thread")]
async fn distinct_values_of_ones_own() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(22, 40) {
        let (n, d) = (sample::rows(&mut random), sample::columns(&mut random));
        let (cells, cuts) = (Cells::pick(&mut random), Cuts::any(&mut random, n, d));
        let x = cells.matrix(&mut random, n, d);
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let counted = fed.nunique().await.expect("it is one's own");
        assert!(counted.is_exact());
        let what = format!("seed {seed}: ({n}, {d}) {cells:?} cut {:?}", cuts.layout());
        expected(AggregateOp::Distinct(Distinct::Count), &[&x]).check(&what, &counted.counts);
        let whole = place(&trio.fed, &x, &fondaco::Layout::whole("b", fed.shape()));
        let values = AggregateOp::Distinct(Distinct::Values { rows: 5 });
        let told = whole.apply(&Op::Aggregate(values), vec![(&whole).into()]).expect("it is at one site");
        let told = told.local().expect("it is for the coordinator").await.expect("it is one's own");
        expected(values, &[&x]).check(&what, &told);
    }
}

/// Of `aggregate` data counts are extremes, and over several sites estimates, which say how good they are.
#[tokio::test(flavor = "multi_thread")]
async fn distinct_values_of_aggregate_data() {
    let rows = 30_000;
    let mut random = Random::new(23);
    let tables: Vec<Array2<f64>> =
        (0..3).map(|_| Array2::from_shape_fn((rows, 2), |(_, j)| random.below([20_000, 40][j]) as f64 / 7.0)).collect();
    let trio = Trio::planned(|index, plan: Plan| {
        let table = Table::of(&tables[index]);
        plan.dataset("closed", &table).dataset_with("open", &table, |dataset| dataset.extremes = true)
    })
    .await;
    let views: Vec<_> = tables.iter().map(|table| table.view()).collect();
    let pooled = concatenate(Along(0), &views).expect("they have the same columns");
    let exact = oracle::eval(&Op::Aggregate(AggregateOp::Distinct(Distinct::Count)), &[&pooled]);
    let closed = trio.fed.read("closed").await.expect("there is a dataset");
    let refused = closed.nunique().await.expect_err("a count may tell of a single row");
    assert_eq!(refused.code(), Some(ErrorCode::ReleaseDenied));
    let open = trio.fed.read("open").await.expect("there is a dataset");
    let many = open.slice(.., ..1).expect("a column");
    let estimated = many.nunique().await.expect("the owner lets extremes leave");
    assert!(!estimated.is_exact() && estimated.relative_error < 0.07, "{estimated:?}");
    let off = estimated.counts[[0, 0]] / exact[[0, 0]] - 1.0;
    assert!(off.abs() < 4.0 * estimated.relative_error, "off by {off}: {estimated:?} of {exact}");
    // Of forty values most registers hold nobody.
    let few: FedMatrix = open.slice(.., 1..).expect("a column");
    let refused = few.nunique().await.expect_err("registers with few rows tell of them");
    assert_eq!(refused.code(), Some(ErrorCode::ReleaseDenied));
    let at_one = trio.fed.read_parts([("a", "open")]).await.expect("there is a part");
    let counted = at_one.nunique().await.expect("the owner lets extremes leave");
    let expected = oracle::eval(&Op::Aggregate(AggregateOp::Distinct(Distinct::Count)), &[&tables[0]]);
    assert!(counted.is_exact() && counted.counts == expected, "{counted:?}");
    assert_eq!(exact.slice(s![.., 1..]), array![[40.0]]);
}
