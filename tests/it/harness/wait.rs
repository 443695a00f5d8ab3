//! Waiting for what nobody announces, with a deadline; and deadlines on what should come by itself.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives it up; generous, for machines that build at the same time.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Looks again and again until the condition holds.
///
/// # Panics
/// If it does not within [`PATIENCE`], saying what was waited for.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        ticks.tick().await;
    }
}

/// The future's output.
///
/// # Panics
/// If it takes longer than `limit`, saying what did.
pub async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(limit, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} took longer than {limit:?}"),
    }
}
