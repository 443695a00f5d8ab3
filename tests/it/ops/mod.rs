//! Law 1 for every operator: the federated result is NumPy's on the pooled data, whatever the data and the layout.
//! Each family has a table; an operator that is not in it fails a test.

mod aggregate;
mod create;
mod elementwise;
mod encode;
mod matmul;
mod reorg;
mod slice;
mod stats;

use fondaco::{Federation, Pending};

use crate::{harness::Random, oracle::Expected};

/// Results that were asked for, and what they should be.
struct Asked {
    context: String,
    pending: Vec<Pending>,
    expected: Vec<(String, Expected)>,
}

impl Asked {
    /// `context` says of which case the results are: its seed before all.
    fn new(context: String) -> Self {
        Self { context, pending: Vec::new(), expected: Vec::new() }
    }

    fn ask(&mut self, what: impl Into<String>, pending: Pending, expected: Expected) {
        let what = what.into();
        let shape = (pending.shape().rows as usize, pending.shape().columns as usize);
        assert_eq!(shape, expected.value.dim(), "{}, {what}: the planned shape", self.context);
        self.pending.push(pending);
        self.expected.push((what, expected));
    }

    /// Fetches everything in one round trip, and compares.
    async fn check(self, fed: &Federation) {
        let context = &self.context;
        let before = fed.stats().total().round_trips;
        let results = fed.fetch_all(self.pending).await.unwrap_or_else(|error| panic!("{context}: {error}"));
        assert_eq!(results.len(), self.expected.len(), "{context}");
        assert!(fed.stats().total().round_trips > before || results.is_empty(), "{context}: nothing was sent");
        let wrong = self.expected.iter().zip(&results).filter_map(|((what, expected), result)| {
            expected.mismatch(result).map(|wrong| format!("\n  {what}: {wrong}"))
        });
        let wrong: Vec<String> = wrong.collect();
        assert!(wrong.is_empty(), "{context}: {} of {} are wrong{}", wrong.len(), results.len(), wrong.concat());
    }
}

/// A generator for each of so many cases of a test, with its seed for the message of a failure.
fn cases(test: u64, count: u64) -> impl Iterator<Item = (u64, Random)> {
    (0..count).map(move |case| {
        let seed = test * 10_000 + case;
        (seed, Random::new(seed))
    })
}
