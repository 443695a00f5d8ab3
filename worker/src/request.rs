//! What every call has: an id for the log and the audit file, and one place where its end is logged.

use std::{fmt::Debug, time::Instant};

use fondaco_proto::{Error, ErrorCode, Result};
use tonic::Status;
use tracing::Instrument as _;

tokio::task_local! {
    /// Names the call in logs, the audit file and errors.
    static REQUEST_ID: String;
}

/// The id of the call that this task serves; empty outside of one.
pub fn current_id() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}

/// Runs a call's work under a new id; an error gets the id, is logged, and becomes a status here and nowhere else.
///
/// # Errors
/// The work's, as a status.
pub async fn serve<T: Debug>(rpc: &'static str, work: impl Future<Output = Result<T>>) -> Result<T, Status> {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let span = tracing::info_span!("request", id = %id, rpc);
    let begun = Instant::now();
    let logged = async {
        let result = work.await;
        let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        match &result {
            Ok(_) => tracing::debug!(micros, "done"),
            Err(error) if error.code() == ErrorCode::Internal => tracing::error!(micros, %error, "failed"),
            Err(error) => tracing::info!(micros, %error, "refused"),
        }
        result.map_err(|error| refuse(error, &current_id()))
    };
    REQUEST_ID.scope(id, logged.instrument(span)).await
}

fn refuse(error: Error, id: &str) -> Status {
    error.with_request_id(id).to_status()
}
