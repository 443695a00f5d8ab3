//! Two tenants at the same workers: each in a scope of its own, with results reused between them.
//!
//! Start a worker per site, each in a terminal of its own. Each prints a connect line per tenant; give those of the
//! first tenant as one argument, with commas between them, and those of the second as another:
//!
//! ```text
//! fondaco worker --data examples/data/ewr --port 7171 --tenants ada,bob
//! fondaco worker --data examples/data/jfk --port 7172 --tenants ada,bob
//! cargo run -p fondaco-examples --example two_tenants -- ADA_AT_7171,ADA_AT_7172 BOB_AT_7171,BOB_AT_7172
//! ```
#![expect(clippy::print_stdout, reason = "an example shows its results")]

use std::process::ExitCode;

use fondaco::{Axis, ErrorCode, Federation, Result, Site};
use ndarray::Array2;

#[tokio::main]
async fn main() -> ExitCode {
    let lines: Vec<String> = std::env::args().skip(1).collect();
    let [ada, bob] = lines.as_slice() else {
        eprintln!("usage: two_tenants LINE,LINE,.. LINE,LINE,..");
        return ExitCode::from(2);
    };
    match run(ada, bob).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("two_tenants: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(ada: &str, bob: &str) -> Result<()> {
    let (ada, bob) = tokio::try_join!(connect(ada), connect(bob))?;

    // At once: what both need is computed once at each site, for whoever comes first.
    let (of_ada, of_bob) = tokio::try_join!(covariance(&ada), covariance(&bob))?;
    println!("the same to the last bit: {}", of_ada == of_bob);
    println!("ada  {}", ada.stats().total());
    println!("bob  {}", bob.stats().total());

    // What a tenant uploads is its own, and can be fetched again; what it computes from rows leaves if it is an
    // aggregate.
    let flights = bob.read("flights").columns(["arr_delay"]).await?;
    let weights = bob.scatter(Array2::from_elem((flights.nrows() as usize, 1), 0.5), flights.layout())?;
    println!("weighted sum: {:.0} minutes", weights.multiply(&flights)?.sum(Axis::All)?.scalar().await?);
    match flights.to_array().await {
        Err(error) if error.code() == Some(ErrorCode::ReleaseDenied) => println!("rows do not leave: {error}"),
        Err(error) => return Err(error),
        Ok(_) => println!("rows leave: the owner calls this data public"),
    }

    tokio::try_join!(ada.close(), bob.close())?;
    Ok(())
}

async fn connect(lines: &str) -> Result<Federation> {
    let sites = lines.split(',').map(Site::parse).collect::<Result<Vec<_>>>()?;
    Federation::connect(sites).await
}

/// The covariance matrix, from aggregates alone: `X.T @ X / n - mean.T @ mean`.
async fn covariance(fed: &Federation) -> Result<Array2<f64>> {
    let x = fed.read("flights").columns(["dep_delay", "arr_delay", "air_time"]).await?;
    let (gram, means) = (x.gram()?, x.mean(Axis::Columns)?);
    let (gram, means) = (gram.await?, means.await?);
    Ok(gram / x.nrows() as f64 - means.t().dot(&means))
}
