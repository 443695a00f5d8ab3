//! What a federation cost so far.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// What a federation cost since it was connected, per site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// In the order in which the sites were connected.
    pub sites: Vec<SiteStats>,
}

/// What one site's part of a federation cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteStats {
    /// The site's name.
    pub site: String,
    /// Programs and uploads answered; lease renewals are not counted.
    pub round_trips: u64,
    /// Instructions run or reused; drops are not counted.
    pub instructions: u64,
    /// Instructions whose value was reused.
    pub hits: u64,
    /// Bytes of values sent.
    pub bytes_sent: u64,
    /// Bytes of values received.
    pub bytes_received: u64,
    /// The worker's own computing for this federation.
    pub compute: Duration,
    /// How often the worker lost its variables, and they were made again.
    pub recoveries: u64,
}

impl Stats {
    /// Round trips of the site that had the most: sites are asked in parallel.
    pub fn round_trips(&self) -> u64 {
        self.sites.iter().map(|site| site.round_trips).max().unwrap_or(0)
    }

    /// All sites together.
    pub fn total(&self) -> SiteStats {
        let mut total = SiteStats { site: "all sites".to_owned(), ..SiteStats::default() };
        for site in &self.sites {
            total.round_trips += site.round_trips;
            total.instructions += site.instructions;
            total.hits += site.hits;
            total.bytes_sent += site.bytes_sent;
            total.bytes_received += site.bytes_received;
            total.compute += site.compute;
            total.recoveries += site.recoveries;
        }
        total
    }
}

impl fmt::Display for SiteStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} round trips, {} instructions ({} reused), {} bytes sent, {} received, {:.1?} computing",
            self.site,
            self.round_trips,
            self.instructions,
            self.hits,
            self.bytes_sent,
            self.bytes_received,
            self.compute
        )?;
        match self.recoveries {
            0 => Ok(()),
            recoveries => write!(f, ", recovered {recoveries} times"),
        }
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for site in &self.sites {
            writeln!(f, "{site}")?;
        }
        write!(f, "{}", self.total())
    }
}

/// The running counts of one site.
#[derive(Default)]
pub(crate) struct Counters {
    pub round_trips: AtomicU64,
    pub instructions: AtomicU64,
    pub hits: AtomicU64,
    pub bytes_sent: AtomicU64,
    pub bytes_received: AtomicU64,
    pub compute_ns: AtomicU64,
    pub recoveries: AtomicU64,
}

impl Counters {
    pub fn snapshot(&self, site: &str) -> SiteStats {
        SiteStats {
            site: site.to_owned(),
            round_trips: self.round_trips.load(Relaxed),
            instructions: self.instructions.load(Relaxed),
            hits: self.hits.load(Relaxed),
            bytes_sent: self.bytes_sent.load(Relaxed),
            bytes_received: self.bytes_received.load(Relaxed),
            compute: Duration::from_nanos(self.compute_ns.load(Relaxed)),
            recoveries: self.recoveries.load(Relaxed),
        }
    }
}
