//! Hostile input ends in a clear error; the worker lives on, and memory returns to where it was.

mod contents;
mod csv;
mod decoders;
mod files;
mod messages;
mod programs;
mod shapes;

use fondaco_proto::ErrorCode;

use crate::harness::{Client, Refused, Site, eventually};

/// Asserts that an error says what was wrong in the worker's own words, and nothing that is not the tenant's business.
#[track_caller]
pub fn clear(case: &str, refused: &Refused, codes: &[ErrorCode]) {
    assert!(refused.detailed, "{case}: {refused:?}");
    assert!(codes.contains(&refused.code()), "{case}: {refused:?}");
    assert!(refused.message().len() > 10 && refused.message().len() < 600, "{case}: {refused:?}");
    let folder = std::env::temp_dir();
    for secret in
        ["/", "fondaco-it-", "d.parquet", "d.arrow", "d.csv", ".rs", "panicked", "Os {", &folder.to_string_lossy()]
    {
        assert!(!refused.message().contains(secret), "{case}: {secret:?} in {refused:?}");
    }
}

/// Asserts that the worker answers the next call.
async fn lives_on(client: &Client) {
    let answer = client.value(|p| p.fill(1, 1, 42.0)).await.expect("the worker lives on");
    assert_eq!(answer[[0, 0]], 42.0);
}

async fn memory_returns(site: &Site, bytes: u64) {
    eventually("memory is where it was", async || site.used_bytes() <= bytes).await;
}
