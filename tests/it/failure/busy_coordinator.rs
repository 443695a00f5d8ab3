//! A coordinator that holds memory at a worker and keeps it computing, until it is killed.

use std::error::Error;

use fondaco::{Axis, Distribution, Federation, Layout, Shape, Site};
use ndarray::Array2;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let line = std::env::args().nth(1).ok_or("give the worker's connect line")?;
    let fed = Federation::connect([Site::parse(&line)?]).await?;
    let site = fed.sites()[0].to_owned();
    let held = fed.put_whole(&site, Array2::ones((50_000, 10)))?;
    held.persist().await?;
    let layout = Layout::whole(site.as_str(), Shape::new(600, 600));
    let factor = fed.rand(&layout, 1, Distribution::Uniform { low: 0.0, high: 1.0 })?;
    let mut product = factor.clone();
    for _ in 0..1500 {
        product = product.matmul(&factor)?;
    }
    product.sum(Axis::All)?.scalar().await?;
    Err("it should have been killed by now".into())
}
