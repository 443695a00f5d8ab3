//! A whole pipeline over several sites: one-hot, impute, clip, scale, split, regress, score.
//!
//! Start a worker per site, each in a terminal of its own, and give their connect lines. The data is public here: of
//! `aggregate` data, clipped numbers beside columns of categories are too much for `X.T @ X`.
//!
//! ```text
//! fondaco worker --data examples/data/ewr --port 7171 --privacy public
//! fondaco worker --data examples/data/jfk --port 7172 --privacy public
//! cargo run -p fondaco-examples --example pipeline -- fondaco://..@127.0.0.1:7171 fondaco://..@127.0.0.1:7172
//! ```
//!
//! `examples/pipeline.py` does the same with scikit-learn on the files put together, and prints the same JSON.
#![expect(clippy::print_stdout, reason = "an example shows its results")]

use std::process::ExitCode;

use fondaco::{
    Federation, Result, Site,
    algorithms::LinearRegression,
    column,
    encode::{ColumnTransformer, Impute, Numeric, OneHotEncoder, Scale},
};

const NUMBERS: [&str; 4] = ["dep_delay", "distance", "temp", "pressure"];

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pipeline: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let site = |(index, line): (usize, String)| Ok(Site::parse(&line)?.named(format!("site{index}")));
    let sites = std::env::args().skip(1).enumerate().map(site).collect::<Result<Vec<_>>>()?;
    let fed = Federation::connect(sites).await?;

    // Typed columns, text too: each site reads its own rows, and keeps them. The last days of each month are for the test.
    let columns = ["carrier", "day"].into_iter().chain(NUMBERS).chain(["arr_delay"]);
    let flights = fed.read("flights").columns(columns).frame().await?;
    let train = flights.filter(column("day").le(24)).await?;
    let test = flights.filter(column("day").gt(24)).await?;

    let transformer = ColumnTransformer::new()
        .with(["carrier"], OneHotEncoder::new().drop_first())
        .with(NUMBERS, Numeric::new().impute(Impute::Mean).clip(1.5).scale(Scale::Standard));
    let (fitted, x) = transformer.fit_transform(&train).await?;
    let model = LinearRegression::default().fit(&x, &train.to_matrix(["arr_delay"])?).await?;
    let score = model.score(&fitted.transform(&test)?, &test.to_matrix(["arr_delay"])?).await?;

    let coefficients: serde_json::Map<String, serde_json::Value> =
        fitted.feature_names_out().into_iter().zip(model.coef.iter().map(|&coefficient| coefficient.into())).collect();
    let answer = serde_json::json!({
        "rows": flights.nrows(), "coefficients": coefficients, "intercept": model.intercept[[0, 0]], "score": score,
    });
    println!("{answer:#}");
    fed.close().await
}
