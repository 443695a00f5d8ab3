//! A dataset that is larger than a tenant may hold is read again and again, a slab at a time: the same bits as if all of
//! it were there, within the memory that there is.

use std::path::PathBuf;

use fondaco::{AggregateFunction, Axis, ErrorCode, FedMatrix, Federation, Layout, Pending, column};
use fondaco_worker::{config::DatasetConfig, label::Level};
use ndarray::Array2;

use super::{
    sample::Cells,
    trio::{NAMES, Trio},
};
use crate::{
    harness::{Plan, Random, Table},
    oracle::assert_same_bits,
};

const ROWS: [usize; 3] = [21_000, 4096, 9001];
const COLUMNS: usize = 12;

/// Rows of a row group, by site: many, one, and some that tiles do not divide.
const GROUPS: [usize; 3] = [1000, 1 << 20, 4999];

/// Three sites whose tenants may hold a fraction of the data, or all of it.
async fn sites(tables: &[Array2<f64>], level: Level, small: bool) -> Trio {
    Trio::planned(|index, plan: Plan| {
        let path: PathBuf = plan.folder().join("d.parquet");
        Table::of(&tables[index]).write_parquet_groups(&path, GROUPS[index]);
        let rules = |dataset: &mut DatasetConfig| {
            dataset.privacy = level;
            dataset.extremes = true;
        };
        let plan = plan.files("d", &path, rules);
        plan.limits(|limits| {
            if small {
                limits.tenant_bytes_max = (ROWS[index] * COLUMNS * 8) as u64 - 1;
                limits.memory_bytes_max = 4 << 20;
                limits.cache_bytes_max = 1 << 20;
            }
        })
    })
    .await
}

fn tables(seed: u64, cells: Cells) -> Vec<Array2<f64>> {
    let mut random = Random::new(seed);
    ROWS.map(|rows| cells.matrix(&mut random, rows, COLUMNS)).into()
}

/// Something that is asked of a matrix.
type Question = Box<dyn Fn(&FedMatrix) -> fondaco::Result<Pending>>;

/// What can be asked of rows that are not all there.
fn questions() -> Vec<(String, Question)> {
    let mut questions: Vec<(String, Question)> = Vec::new();
    for &function in AggregateFunction::ALL {
        for axis in [Axis::All, Axis::Columns] {
            let name = format!("{} {axis:?}", function.name());
            questions.push((name, Box::new(move |x| x.aggregate(function, axis, 0))));
        }
    }
    let mut ask = |name: &str, question: Question| questions.push((name.to_owned(), question));
    let v = || Array2::from_shape_fn((COLUMNS, 1), |(i, _)| 0.3 * i as f64 - 0.5);
    ask("gram", Box::new(|x| x.gram()));
    ask("mmchain", Box::new(move |x| x.mmchain(v())));
    ask("scores", Box::new(move |x| x.matmul(v())?.sum(Axis::All)));
    ask("gradient", Box::new(move |x| x.cross(x.matmul(v())?.sigmoid()?)));
    ask("row sums", Box::new(|x| x.row_sum()?.sumsq(Axis::All)));
    ask("some columns", Box::new(|x| x.slice(.., 1..3)?.var(Axis::Columns, 1)));
    ask("some rows", Box::new(|x| x.slice(3000..30_001, ..)?.gram()));
    let deviations = |x: &FedMatrix| x.subtract(Array2::from_elem((1, COLUMNS), 0.25))?.power(2.0)?.divide(3.0);
    ask("a chain", Box::new(move |x| deviations(x)?.sum(Axis::Columns)));
    ask("covariances", Box::new(|x| x.cov(1)));
    ask("two reads", Box::new(|x| x.slice(.., 0..1)?.subtract(x.slice(.., 1..2)?)?.sum(Axis::All)));
    questions
}

/// All of them at once.
fn asked(x: &FedMatrix) -> fondaco::Result<Vec<(String, Pending)>> {
    questions().into_iter().map(|(name, question)| Ok((name, question(x)?))).collect()
}

async fn results(fed: &Federation, x: &FedMatrix) -> Vec<(String, Array2<f64>)> {
    let mut results = Vec::new();
    for (name, pending) in asked(x).expect("a row cut is accepted") {
        let result = pending.await.unwrap_or_else(|error| panic!("{name}: {error}"));
        results.push((name, result));
    }
    fed.flush().await;
    results
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bits_are_those_of_what_is_there() {
    for (seed, cells) in [(700, Cells::Normal), (701, Cells::Special), (702, Cells::Offset)] {
        let tables = tables(seed, cells);
        let (small, large) = (sites(&tables, Level::Public, true).await, sites(&tables, Level::Public, false).await);
        for filter in [None, Some(column("c0").gt(0.0))] {
            let read = |fed: &Federation| match filter.clone() {
                Some(filter) => fed.read("d").filter(filter),
                None => fed.read("d"),
            };
            let (ours, theirs) = (read(&small.fed).await.expect("it is"), read(&large.fed).await.expect("it is"));
            if ours.nrows() < 30_001 {
                continue;
            }
            let expected = results(&large.fed, &theirs).await;
            for ((name, result), (_, expected)) in results(&small.fed, &ours).await.iter().zip(&expected) {
                assert_same_bits(&format!("seed {seed}, {cells:?}, {filter:?}, {name}"), result, expected);
            }
        }
    }
}

/// What goes over rows more than once, or in an order of its own.
async fn of_rows_that_are_there(x: &FedMatrix) -> Vec<(&'static str, fondaco::Result<Array2<f64>>)> {
    let (n, d) = (x.nrows() as usize, x.ncols() as usize);
    let (u, v) = (Array2::from_elem((n, 1), 0.5), Array2::from_shape_fn((d, 1), |(i, _)| 0.3 * i as f64 - 0.5));
    let bounds = [-0.5, 0.75].map(|bound| Array2::from_elem((1, d), bound));
    let here = |pending: fondaco::Result<Pending>| async { pending?.await };
    let all = |matrix: fondaco::Result<FedMatrix>| async { matrix?.to_array().await };
    vec![
        ("sum_product", here(x.sum_product([x, x], Axis::Columns)).await),
        ("loss", here(x.factorised_loss(&u, &v)).await),
        ("divided", here(x.factorised_divided_left(&u, &v).and_then(fondaco::Outcome::local)).await),
        ("clip", here(x.clip(&bounds[0], &bounds[1]).and_then(|x| x.sum(Axis::Columns))).await),
        ("nunique", x.nunique().await.map(|distinct| distinct.counts)),
        ("cumsum", all(x.cumsum().await).await),
        ("row_cummax", all(x.row_cummax().await).await),
    ]
}

/// It gets them if there is room, or says that there is none.
#[tokio::test(flavor = "multi_thread")]
async fn what_needs_all_rows_is_the_same_or_a_limit() {
    let tables = tables(703, Cells::Normal);
    let (small, large) = (sites(&tables, Level::Public, true).await, sites(&tables, Level::Public, false).await);
    let (ours, theirs) = (small.fed.read("d").await.expect("it is"), large.fed.read("d").await.expect("it is"));
    for columns in [0..2, 0..COLUMNS as u64] {
        let [ours, theirs] = [&ours, &theirs].map(|x| x.slice(.., columns.clone()).expect("there are columns"));
        let expected = of_rows_that_are_there(&theirs).await;
        for ((name, result), (_, expected)) in of_rows_that_are_there(&ours).await.into_iter().zip(expected) {
            let expected = expected.unwrap_or_else(|error| panic!("{name}: {error}"));
            match result {
                Ok(result) => assert_same_bits(&format!("{columns:?}: {name}"), &result, &expected),
                Err(error) => assert_eq!(error.code(), Some(ErrorCode::Limit), "{columns:?}: {name}: {error}"),
            }
        }
    }
    assert!(ours.sum(Axis::All).expect("it is planned").await.is_ok(), "nothing is lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_hold() {
    let tables = tables(710, Cells::Normal);
    let (small, large) = (sites(&tables, Level::Aggregate, true).await, sites(&tables, Level::Aggregate, false).await);
    let (ours, theirs) = (small.fed.read("d").await.expect("it is"), large.fed.read("d").await.expect("it is"));
    let v = Array2::from_shape_fn((COLUMNS, 1), |(i, _)| 0.3 * i as f64 - 0.5);
    let asked = |x: &FedMatrix| -> fondaco::Result<[Pending; 7]> {
        let scores = x.matmul(&v)?;
        Ok([
            x.mean(Axis::Columns)?,
            x.std(Axis::Columns, 1)?,
            x.max(Axis::Columns)?,
            x.gram()?,
            x.cross(&scores)?,
            scores.sum(Axis::All)?,
            x.slice(.., 1..3)?.sum(Axis::All)?,
        ])
    };
    let (ours_asked, theirs_asked) = (asked(&ours).expect("it is planned"), asked(&theirs).expect("it is planned"));
    for (index, (ours, theirs)) in ours_asked.into_iter().zip(theirs_asked).enumerate() {
        let (ours, theirs) = (ours.await.expect("it leaves"), theirs.await.expect("it leaves"));
        assert_same_bits(&format!("result {index}"), &ours, &theirs);
    }
    let denied = ours.slice(0..4, ..).and_then(|few| few.sum(Axis::Columns)).expect("it is planned").await;
    assert_eq!(denied.expect_err("four rows").code(), Some(ErrorCode::ReleaseDenied));
    let denied = ours.fetch().expect("it is planned").await;
    assert_eq!(denied.expect_err("rows stay").code(), Some(ErrorCode::ReleaseDenied));
    let near_one_hot = Array2::from_shape_fn((ROWS.iter().sum(), 1), |(i, _)| if i == 7 { 1.0 } else { 1e-12 });
    let one_column = Array2::from_shape_fn((COLUMNS, 1), |(i, _)| if i == 0 { 1e300 } else { 1e-300 });
    for (index, asked) in
        [ours.cross(&near_one_hot), ours.matmul(&one_column).and_then(|scores| scores.multiply(1e-300)?.sum(Axis::All))]
            .into_iter()
            .enumerate()
    {
        let denied = asked.expect("it is planned").await.expect_err("one row, or none that can be told");
        assert_eq!(denied.code(), Some(ErrorCode::ReleaseDenied), "attack {index}: {denied}");
    }
    let limit = ours.exp().and_then(|x| x.sum(Axis::All)).expect("it is planned").await.expect_err("it needs all rows");
    assert_eq!(limit.code(), Some(ErrorCode::Limit), "{limit}");
    let again = ours.sum(Axis::All).expect("it is planned").await;
    assert!(again.is_ok(), "nothing is lost: {again:?}");
}

/// What a tenant is told of each question: the bits, or the code of the error.
async fn told(x: &FedMatrix) -> Vec<(String, Result<Array2<f64>, Option<ErrorCode>>)> {
    let mut told = Vec::new();
    // Each in a program of its own, so that what is refused refuses nothing else.
    for (name, question) in questions() {
        let pending = question(x).expect("a row cut is accepted");
        told.push((name, pending.await.map_err(|error| error.code())));
    }
    told
}

/// Two tenants over one cache, of whom one has room for the rows and the other has not, so that hers are read again and
/// again: neither is told anything else because of the other, whoever comes first.
#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_room_changes_nothing() {
    let tables = tables(720, Cells::Normal);
    let planned = async || {
        Trio::planned(|index, plan: Plan| {
            let path: PathBuf = plan.folder().join("d.parquet");
            Table::of(&tables[index]).write_parquet_groups(&path, GROUPS[index]);
            let plan = plan.files("d", &path, |dataset: &mut DatasetConfig| dataset.privacy = Level::Aggregate);
            plan.limits(|limits| limits.tenant_bytes_max = (ROWS[index] * COLUMNS * 8) as u64 * 3 / 2)
        })
        .await
    };
    let roomy = async |trio: &Trio| {
        let x = trio.fed.read("d").await.expect("it is");
        told(&x).await
    };
    let crowded = async |trio: &Trio| {
        let fed = trio.connect("bob").await;
        let layout = Layout::rows(NAMES.into_iter().zip(ROWS.map(|rows| rows as u64)), COLUMNS as u64);
        let ones = Array2::ones((ROWS.iter().sum(), COLUMNS));
        let held = fed.scatter(&ones, &layout.expect("it is one")).expect("it has the shape");
        held.persist().await.expect("there is room for it");
        let x = fed.read("d").await.expect("it is read when it is needed");
        told(&x).await
    };
    let (alone, first, second) = (planned().await, planned().await, planned().await);
    let (large, small) = (roomy(&alone).await, crowded(&planned().await).await);
    assert!(small.iter().any(|(_, told)| told.is_ok()), "something is told");
    for (what, told, expected) in [
        ("first, with room", roomy(&first).await, &large),
        ("second, without", crowded(&first).await, &small),
        ("first, without", crowded(&second).await, &small),
        ("second, with room", roomy(&second).await, &large),
    ] {
        for ((name, told), (_, expected)) in told.iter().zip(expected) {
            match (told, expected) {
                (Ok(told), Ok(expected)) => assert_same_bits(&format!("{what}: {name}"), told, expected),
                (told, expected) => assert_eq!(told.as_ref().err(), expected.as_ref().err(), "{what}: {name}"),
            }
        }
    }
}
