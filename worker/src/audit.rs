//! The audit file: who did what, one line of JSON for each connection, release and denial. Appended to, never
//! rewritten; what cannot be written down does not happen.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use fondaco_proto::{CoordinatorId, Error, Result, Shape};
use serde_json::{Value, json};

use crate::{auth::Tenant, label::Label};

/// The open audit file.
#[derive(Debug)]
pub struct Audit(Mutex<File>);

/// A value that was released or refused.
#[derive(Debug)]
pub struct Decision<'a> {
    /// To whom.
    pub tenant: &'a Tenant,
    /// By which connection.
    pub coordinator: CoordinatorId,
    /// Under which request.
    pub request_id: &'a str,
    /// What it was: the operator's name.
    pub operator: &'a str,
    /// Its lineage key in hexadecimal.
    pub key: String,
    /// Its shape.
    pub shape: Shape,
    /// Its label, with the row sets of each source.
    pub label: &'a Label,
    /// Why not, if it was refused.
    pub denied: Option<&'a str>,
}

impl Audit {
    /// Opens the file for appending, readable by its owner alone.
    ///
    /// # Errors
    /// The operating system's.
    pub fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(|file| Self(Mutex::new(file)))
    }

    /// Writes that a tenant opened a scope.
    ///
    /// # Errors
    /// `Internal` if the line cannot be written.
    pub fn connection(&self, tenant: &Tenant, coordinator: CoordinatorId, request_id: &str) -> Result<()> {
        self.write(&json!({
            "event": "connect", "tenant": &**tenant.name(), "coordinator": coordinator.to_string(), "request": request_id,
        }))
    }

    /// Writes that somebody without a valid token called.
    ///
    /// # Errors
    /// `Internal` if the line cannot be written.
    pub fn stranger(&self, rpc: &str, request_id: &str) -> Result<()> {
        self.write(&json!({ "event": "unauthenticated", "rpc": rpc, "request": request_id }))
    }

    /// Writes a decision of the gate.
    ///
    /// # Errors
    /// `Internal` if the line cannot be written; then nothing may be released.
    pub fn decision(&self, decision: &Decision<'_>) -> Result<()> {
        let sources: Vec<Value> = decision
            .label
            .sources
            .iter()
            .map(|source| {
                let sets = source.rows.iter();
                let rows: Vec<Value> =
                    sets.map(|r| json!({"selection": r.selection.to_hex(), "start": r.start, "end": r.end})).collect();
                json!({ "dataset": &*source.dataset, "privacy": source.level, "rows": rows })
            })
            .collect();
        self.write(&json!({
            "event": if decision.denied.is_some() { "deny" } else { "release" },
            "tenant": &**decision.tenant.name(),
            "coordinator": decision.coordinator.to_string(),
            "request": decision.request_id,
            "operator": decision.operator,
            "key": decision.key,
            "shape": [decision.shape.rows, decision.shape.columns],
            "sources": sources,
            "reason": decision.denied,
        }))
    }

    fn write(&self, event: &Value) -> Result<()> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut line = json!({ "time_ms": u64::try_from(now.as_millis()).unwrap_or(u64::MAX) });
        if let (Some(line), Some(event)) = (line.as_object_mut(), event.as_object()) {
            line.extend(event.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        let mut text = line.to_string();
        text.push('\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(text.as_bytes()).map_err(|error| {
            tracing::error!(%error, "the audit file cannot be written");
            Error::internal("the site cannot write its audit file, so nothing is released; tell its owner")
        })
    }
}
