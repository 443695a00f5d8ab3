//! The owner's side door: a socket that only the worker's own user can open, for `fondaco status` and `fondaco stop`.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        net::UnixStream as BlockingStream,
    },
    path::PathBuf,
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
};

use crate::worker::State;

/// Longest line that is read.
const COMMAND_BYTES_MAX: u64 = 4096;

/// What the owner may ask for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Command {
    /// Who holds and runs what.
    Status,
    /// End a tenant's programs and scopes.
    Stop(String),
}

/// The answer to [`Command::Status`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// Bytes of values and scratch in use, cached ones included.
    pub memory_bytes: u64,
    /// Their limit.
    pub memory_bytes_max: u64,
    /// Bytes kept for reuse.
    pub cache_bytes: u64,
    /// Values kept for reuse.
    pub cache_entries: u64,
    /// Results that were reused, of all tenants.
    pub cache_hits: u64,
    /// Results that were computed.
    pub cache_misses: u64,
    /// By name.
    pub tenants: Vec<TenantStatus>,
}

/// One tenant.
#[derive(Debug, Serialize, Deserialize)]
pub struct TenantStatus {
    /// Its name.
    pub name: String,
    /// Its open scopes.
    pub scopes: usize,
    /// Bytes of its bound values.
    pub bytes: u64,
    /// Its running programs.
    pub programs: usize,
}

/// Where the worker on this port listens for its owner.
///
/// # Errors
/// If the folder cannot be made, or belongs to somebody else.
pub fn socket_path(port: u16) -> io::Result<PathBuf> {
    let user = fs::metadata("/proc/self")?.uid();
    let folder = std::env::temp_dir().join(format!("fondaco-{user}"));
    fs::create_dir_all(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
    if fs::metadata(&folder)?.uid() != user {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the folder of owner sockets is somebody else's"));
    }
    Ok(folder.join(format!("{port}.sock")))
}

/// Serves the owner until aborted; a worker whose socket cannot be made serves its tenants all the same.
pub(crate) async fn serve(state: Arc<State>, port: u16) {
    let listener = socket_path(port).and_then(|path| {
        // A socket that a killed worker left; the port is ours now.
        let _absent = fs::remove_file(&path);
        UnixListener::bind(&path).map(|listener| (listener, Leave(path)))
    });
    let (listener, _leave) = match listener {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(%error, "`fondaco status` and `fondaco stop` cannot reach this worker");
            return;
        }
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = answer(&state, stream).await {
                    tracing::warn!(%error, "an owner's command failed");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the owner's socket failed");
                return;
            }
        }
    }
}

/// Removes the socket when serving ends.
struct Leave(PathBuf);

impl Drop for Leave {
    fn drop(&mut self) {
        let _absent = fs::remove_file(&self.0);
    }
}

async fn answer(state: &State, stream: UnixStream) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(COMMAND_BYTES_MAX)).read_line(&mut line).await?;
    let reply = match serde_json::from_str(&line) {
        Ok(Command::Status) => serde_json::to_string(&status(state))?,
        Ok(Command::Stop(name)) => {
            let tenant = state.authenticator.tenants().find(|tenant| **tenant.name() == *name);
            let stopped = tenant.map(|tenant| state.stop_tenant(tenant));
            tracing::info!(tenant = name, ?stopped, "the owner stopped a tenant");
            serde_json::to_string(&stopped)?
        }
        Err(error) => serde_json::to_string(&error.to_string())?,
    };
    write.write_all(reply.as_bytes()).await
}

fn status(state: &State) -> Status {
    let cache = state.cache.stats();
    let mut tenants: Vec<TenantStatus> = state
        .authenticator
        .tenants()
        .map(|tenant| {
            let account = state.account(tenant);
            TenantStatus {
                name: tenant.name().to_string(),
                scopes: state.scopes.of_tenant(tenant.tag()).len(),
                bytes: account.bytes(),
                programs: account.programs(),
            }
        })
        .collect();
    tenants.sort_by(|a, b| a.name.cmp(&b.name));
    Status {
        memory_bytes: state.memory.used_bytes(),
        memory_bytes_max: state.limits.memory_bytes_max,
        cache_bytes: cache.bytes,
        cache_entries: cache.entries,
        cache_hits: cache.hits,
        cache_misses: cache.misses,
        tenants,
    }
}

/// Sends a command to the worker on this port; the answer is JSON.
///
/// # Errors
/// If no worker of this user listens there.
pub fn ask(port: u16, command: &Command) -> io::Result<String> {
    let mut stream = BlockingStream::connect(socket_path(port)?)?;
    writeln!(stream, "{}", serde_json::to_string(command)?)?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply)
}
