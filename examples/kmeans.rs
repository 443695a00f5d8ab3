//! k-means over several sites.
//!
//! Start a worker per site, each in a terminal of its own, and give their connect lines:
//!
//! ```text
//! fondaco worker --data examples/data/ewr --port 7171
//! fondaco worker --data examples/data/jfk --port 7172
//! cargo run -p fondaco-examples --example kmeans -- fondaco://..@127.0.0.1:7171 fondaco://..@127.0.0.1:7172
//! ```
#![expect(clippy::print_stdout, reason = "an example shows its results")]

use std::process::ExitCode;

use fondaco::{Axis, Federation, Result, Site, algorithms::KMeans};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kmeans: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let sites = std::env::args().skip(1).map(|line| Site::parse(&line)).collect::<Result<Vec<_>>>()?;
    let fed = Federation::connect(sites).await?;
    let columns = ["dep_delay", "arr_delay", "distance", "hour"];
    let flights = fed.read("flights").columns(columns).await?;

    // Means and standard deviations of all sites together leave; the standardised rows stay where they are.
    let (means, stds) = (flights.mean(Axis::Columns)?, flights.std(Axis::Columns, 0)?);
    let (means, stds) = (means.await?, stds.await?);
    let standard = flights.subtract(&means)?.divide(&stds)?;

    // One round trip per iteration. The first centres are means of small random groups; another seed, other groups.
    let fitted = KMeans::new(4).with_seed(1).fit(&standard).await?;
    println!("{} iterations, inertia {:.0}", fitted.n_iter, fitted.inertia);

    // Back to minutes, miles and hours.
    let centers = &fitted.cluster_centers * &stds + &means;
    println!("{:>9}  {}", "flights", columns.map(|column| format!("{column:>10}")).join(""));
    for (center, count) in centers.rows().into_iter().zip(&fitted.counts) {
        println!("{count:>9.0}  {}", center.iter().map(|value| format!("{value:>10.1}")).collect::<String>());
    }

    println!("\n{}", fed.stats());
    fed.close().await
}
