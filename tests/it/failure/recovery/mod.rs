//! Workers that restart, or whose leases lapse, in the middle of an analysis: what they lost is made again, and the
//! analysis goes on.

mod analyses;
mod away;
mod changed;
mod killed;
mod lapsed;
mod values;

use fondaco::Federation;
use ndarray::Array2;

/// How often each site was recovered.
fn recoveries(fed: &Federation) -> Vec<u64> {
    fed.stats().sites.iter().map(|site| site.recoveries).collect()
}

fn bits(matrix: &Array2<f64>) -> Vec<u64> {
    matrix.iter().map(|cell| cell.to_bits()).collect()
}
