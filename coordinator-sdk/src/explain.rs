//! What would be sent for a result, for people and as JSON. Nothing is sent by explaining.

mod plan;
mod text;

use serde::Serialize;

use crate::{FedMatrix, Pending};

pub(crate) use plan::explain;

/// What can be explained: a result that is pending, or a matrix that is to be computed.
#[derive(Clone, Copy, Debug)]
pub enum Explained<'a> {
    /// For the coordinator.
    Pending(&'a Pending),
    /// It stays at the sites.
    Matrix(&'a FedMatrix),
}

impl<'a> From<&'a Pending> for Explained<'a> {
    fn from(pending: &'a Pending) -> Self {
        Self::Pending(pending)
    }
}

impl<'a> From<&'a FedMatrix> for Explained<'a> {
    fn from(matrix: &'a FedMatrix) -> Self {
        Self::Matrix(matrix)
    }
}

/// The plan of a result: what is still to be sent for it. Values are doubles, of 8 bytes; what else is queued, and would
/// go along, is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The result's shape, and where it will be.
    pub result: String,
    /// One after another; more than one where something is relayed, or a program is full.
    pub stages: Vec<Stage>,
}

/// What goes to all sites at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// What the coordinator passes on from site to site, after the stage before.
    pub relays: Vec<Relayed>,
    /// In the order in which they were connected, but for those that are not asked.
    pub sites: Vec<SitePlan>,
}

/// Values that pass the coordinator on their way to other sites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Relayed {
    /// What it is for.
    pub why: String,
    /// The variables that it is put together from, each at its site.
    pub parts: Vec<String>,
    /// The sites that need it.
    pub to: Vec<String>,
    /// Rows and columns of what is put together.
    pub shape: [u64; 2],
    /// From the sites.
    pub bytes_received: u64,
    /// To the sites.
    pub bytes_sent: u64,
}

/// One site's part of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SitePlan {
    /// Its name.
    pub site: String,
    /// Programs, and uploads that go by themselves.
    pub round_trips: u64,
    /// In order.
    pub instructions: Vec<Step>,
    /// What leaves the site, if its gate lets it.
    pub releases: Vec<Release>,
    /// To the site.
    pub bytes_sent: u64,
    /// From the site.
    pub bytes_received: u64,
}

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it binds, by its number at the site; none, if it drops.
    pub variable: Option<String>,
    /// Its name.
    pub operator: &'static str,
    /// Variables.
    pub inputs: Vec<String>,
    /// Rows and columns of the result; none, if only the data know.
    pub shape: Option<[u64; 2]>,
    /// Of an upload.
    pub bytes_sent: u64,
    /// What it stands for, if it was written otherwise, and how often it was asked for.
    pub notes: Vec<String>,
}

/// A value that leaves its site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Release {
    /// What is released.
    pub variable: String,
    /// Its rows and columns.
    pub shape: [u64; 2],
    /// Its size.
    pub bytes: u64,
}

impl Explanation {
    /// Round trips of the site that has the most, stage after stage: sites are asked in parallel.
    pub fn round_trips(&self) -> u64 {
        let most = |stage: &Stage| stage.sites.iter().map(|site| site.round_trips).max().unwrap_or(0);
        self.stages.iter().map(most).sum()
    }

    /// Bytes to all sites together.
    pub fn bytes_sent(&self) -> u64 {
        self.sites().map(|site| site.bytes_sent).sum()
    }

    /// Bytes from all sites together.
    pub fn bytes_received(&self) -> u64 {
        self.sites().map(|site| site.bytes_received).sum()
    }

    /// All relays, in order.
    pub fn relays(&self) -> impl Iterator<Item = &Relayed> {
        self.stages.iter().flat_map(|stage| &stage.relays)
    }

    fn sites(&self) -> impl Iterator<Item = &SitePlan> {
        self.stages.iter().flat_map(|stage| &stage.sites)
    }

    /// As JSON: the fields of this type, by their names.
    pub fn to_json(&self) -> String {
        // Strings and whole numbers can always be written.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}
