//! Least squares over several sites.
//!
//! Start a worker per site, each in a terminal of its own, and give their connect lines:
//!
//! ```text
//! fondaco worker --data examples/data/ewr --port 7171
//! fondaco worker --data examples/data/jfk --port 7172
//! cargo run -p fondaco-examples --example linear_regression -- fondaco://..@127.0.0.1:7171 fondaco://..@127.0.0.1:7172
//! ```
#![expect(clippy::print_stdout, reason = "an example shows its results")]

use std::process::ExitCode;

use fondaco::{Axis, Federation, Result, Site, algorithms::LinearRegression, column};

const FEATURES: [&str; 3] = ["dep_delay", "air_time", "distance"];

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("linear_regression: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let sites = std::env::args().skip(1).map(|line| Site::parse(&line)).collect::<Result<Vec<_>>>()?;
    let fed = Federation::connect(sites).await?;

    // One matrix over all sites: each reads its own rows, and keeps them. Here, flights before noon.
    let columns = FEATURES.into_iter().chain(["arr_delay"]);
    let flights = fed.read("flights").columns(columns).filter(column("hour").lt(12.0)).await?;
    println!("{}", flights.layout());
    let (x, y) = (flights.slice(.., 0..3)?, flights.slice(.., 3..4)?);

    // Both are planned here, and computed in one round trip to each site when the first is awaited.
    let (means, stds) = (flights.mean(Axis::Columns)?, flights.std(Axis::Columns, 1)?);
    println!("means                {:.2}", means.await?);
    println!("standard deviations  {:.2}", stds.await?);

    let model = LinearRegression::default().fit(&x, &y).await?;
    for (name, coefficient) in FEATURES.iter().zip(&model.coef) {
        println!("{name:<20} {coefficient:+.4}");
    }
    println!("intercept            {:+.4}", model.intercept[[0, 0]]);
    println!("R²                   {:.4}", model.score(&x, &y).await?);

    println!("\n{}", fed.stats());
    fed.close().await
}
