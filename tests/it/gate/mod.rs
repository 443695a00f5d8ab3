//! Law 5: no sequence of calls makes a worker emit a value that its label forbids.

mod aggregates;
mod allowed;
mod attacks;
mod caps;
mod cells;
mod chosen;
mod counts;
mod dependence;
mod digits;
mod disguise;
mod ordinary;
mod quantile;
mod rows;

use fondaco_proto::ErrorCode::ReleaseDenied;
use ndarray::{Array2, arr2};

use crate::harness::{Client, Plan, Program, Random, Refused, Site, Table};

/// Rows of the datasets.
const ROWS: usize = 20;

/// What somebody tries with a dataset: a program whose last value is asked for.
type Attempt = (&'static str, fn(&mut Program, &str) -> u64);

/// Seeded data of three columns, none of which has two equal cells: the last column of row 3 is far above the rest.
fn data() -> Array2<f64> {
    let mut data = Random::new(11).matrix(ROWS, 3);
    data[[3, 2]] = 50.0;
    data
}

/// A site with the same data under the names `aggregate` and `public`.
async fn site() -> Site {
    let table = Table::of(&data());
    Plan::new().dataset("aggregate", &table).public("public", &table).start().await
}

/// Asserts that each is refused on `aggregate` data, and each succeeds on the same data where it is public.
async fn refused_unless_public(attempts: &[Attempt]) {
    let site = site().await;
    let ada = site.client("ada").await;
    let mut wrong = Vec::new();
    for (name, attempt) in attempts {
        match ada.value(|p| attempt(p, "aggregate")).await {
            Err(refused) if is_denied(&refused) => {}
            Err(refused) => wrong.push(format!("{name}: {refused:?}")),
            Ok(value) => wrong.push(format!("{name} was released: {value:?}")),
        }
        if let Err(refused) = ada.value(|p| attempt(p, "public")).await {
            wrong.push(format!("{name} of public data: {refused:?}"));
        }
    }
    assert!(wrong.is_empty(), "of {} attempts {} went wrong:\n{}", attempts.len(), wrong.len(), wrong.join("\n"));
}

fn is_denied(refused: &Refused) -> bool {
    refused.code() == ReleaseDenied && refused.detailed && refused.grpc == tonic::Code::PermissionDenied
}

/// A column vector of `ROWS` cells.
fn column(cell: impl Fn(usize) -> f64) -> Array2<f64> {
    Array2::from_shape_fn((ROWS, 1), |(row, _)| cell(row))
}

fn one_hot() -> Array2<f64> {
    column(|row| f64::from(u8::from(row == 7)))
}

/// One row, and all the others as good as not.
fn near_one_hot() -> Array2<f64> {
    column(|row| if row == 7 { 1.0 } else { 1e-9 })
}

/// Everybody once, one row twice.
fn one_plus_one_hot() -> Array2<f64> {
    1.0 + one_hot()
}

/// 0 and 1, so many ones.
fn labels(ones: usize) -> Array2<f64> {
    column(|row| f64::from(u8::from(row % 2 == 0 && row / 2 < ones)))
}

fn transposed(matrix: &Array2<f64>) -> Array2<f64> {
    matrix.t().to_owned()
}

/// A `(3, 1)` vector without zeros.
fn dense_v() -> Array2<f64> {
    arr2(&[[0.5], [-1.5], [2.0]])
}

/// The text of a refused release.
async fn denied(client: &Client, build: impl FnOnce(&mut Program) -> u64) -> String {
    crate::harness::refusal(client.value(build).await, ReleaseDenied).message().to_owned()
}
