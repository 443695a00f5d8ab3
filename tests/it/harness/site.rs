//! A worker in this process: one data owner's place, with tenants and datasets.

use std::{net::SocketAddr, path::Path, sync::Arc};

use fondaco_worker::{
    Worker,
    admin::{self, Command, Status, TenantStatus},
    config::{Config, DatasetConfig, Limits, TenantConfig, TokenHash},
    label::Level,
    memory::Memory,
};
use serde_json::Value;
use tokio::{sync::oneshot, task::JoinHandle};

use super::{Client, Folder, Table, eventually};

/// Memory of a test's worker, unless the test says otherwise.
const MEMORY_BYTES_MAX: u64 = 1 << 30;

/// A site that is being set up.
pub struct Plan {
    folder: Folder,
    config: Config,
}

/// A site that serves; it drains and stops on drop.
pub struct Site {
    pub address: SocketAddr,
    memory: Arc<Memory>,
    folder: Folder,
    config: Config,
    serving: Option<Serving>,
}

/// A worker that serves.
struct Serving {
    stop: oneshot::Sender<()>,
    stopped: JoinHandle<()>,
}

/// The token of a tenant.
pub fn token(tenant: &str) -> String {
    format!("the token of {tenant}").replace(' ', "-")
}

impl Plan {
    /// With the tenants `ada` and `bob`, and no data.
    pub fn new() -> Self {
        let folder = Folder::new();
        let mut config = Config::new(SocketAddr::from(([127, 0, 0, 1], 0)), folder.join("audit.jsonl"));
        config.limits.memory_bytes_max = MEMORY_BYTES_MAX;
        config.limits.cache_bytes_max = MEMORY_BYTES_MAX / 4;
        config.limits.tenant_bytes_max = MEMORY_BYTES_MAX;
        Self { folder, config }.tenant("ada").tenant("bob")
    }

    pub fn tenant(mut self, name: &str) -> Self {
        let token_blake3 = TokenHash::of(&token(name));
        self.config.tenants.push(TenantConfig { name: name.to_owned(), token_blake3 });
        self
    }

    /// A dataset of `aggregate` data.
    pub fn dataset(self, name: &str, table: &Table) -> Self {
        self.dataset_with(name, table, |_| {})
    }

    pub fn public(self, name: &str, table: &Table) -> Self {
        self.dataset_with(name, table, |dataset| dataset.privacy = Level::Public)
    }

    pub fn dataset_with(self, name: &str, table: &Table, rules: impl FnOnce(&mut DatasetConfig)) -> Self {
        let path = self.folder.join(&format!("{name}.parquet"));
        table.write_parquet(&path);
        self.files(name, &path, rules)
    }

    /// A dataset over files that the test writes itself.
    pub fn files(mut self, name: &str, path: &Path, rules: impl FnOnce(&mut DatasetConfig)) -> Self {
        let mut dataset = DatasetConfig::new(name, path);
        rules(&mut dataset);
        self.config.datasets.push(dataset);
        self
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.config.limits);
        self
    }

    /// Binds and serves, with memory that is handed out full of NaN.
    pub async fn start(mut self) -> Site {
        self.config.listen.set_port(lasting_port());
        let (address, memory, serving) = serve(self.config.clone()).await;
        Site { address, memory, folder: self.folder, config: self.config, serving: Some(serving) }
    }
}

/// A port that is free, and is given to nobody else while a worker restarts: below those that the system hands out.
pub fn lasting_port() -> u16 {
    loop {
        let port = 10_000 + (uuid::Uuid::new_v4().as_u128() % 20_000) as u16;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

async fn serve(config: Config) -> (SocketAddr, Arc<Memory>, Serving) {
    let memory = Memory::poisoned(config.limits.memory_bytes_max);
    let worker = Worker::bind_with_memory(config, Arc::clone(&memory)).await.expect("the site is valid");
    let address = worker.address();
    let (stop, asked) = oneshot::channel();
    let stopped = tokio::spawn(async move {
        let served = worker.serve(async move {
            let _stopped_or_dropped = asked.await;
        });
        served.await.expect("the transport does not fail");
    });
    (address, memory, Serving { stop, stopped })
}

impl Site {
    /// A new connection of a tenant, its scope open.
    pub async fn client(&self, tenant: &str) -> Client {
        let mut client = Client::connect(self.address, Some(&token(tenant))).await;
        client.open().await.expect("a tenant can open a scope");
        client
    }

    /// Ends the worker, when running calls have ended; all that it held is lost.
    pub async fn stop(&mut self) {
        let Serving { stop, stopped } = self.serving.take().expect("it serves");
        let _asked = stop.send(());
        stopped.await.expect("the worker does not panic");
    }

    /// Another worker with the same data, at the same address.
    pub async fn serve_again(&mut self) {
        self.config.listen = self.address;
        let (_, memory, serving) = serve(self.config.clone()).await;
        (self.memory, self.serving) = (memory, Some(serving));
    }

    /// Ends the worker, and has another in its place.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.serve_again().await;
    }

    /// Bytes in use by values and scratch.
    pub fn used_bytes(&self) -> u64 {
        self.memory.used_bytes()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub async fn tenant(&self, name: &str) -> TenantStatus {
        tenant(self.address.port(), name).await
    }

    /// The lines of the audit file.
    pub fn audit(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.join("audit.jsonl")).expect("there is an audit file");
        text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            let _already_stopped = serving.stop.send(());
        }
    }
}

/// What a worker on this machine tells its owner.
pub async fn status(port: u16) -> Status {
    let mut answer = None;
    eventually("the worker answers its owner", async || {
        let asked = tokio::task::spawn_blocking(move || admin::ask(port, &Command::Status)).await;
        answer = asked.expect("asking does not panic").ok().and_then(|text| serde_json::from_str(&text).ok());
        answer.is_some()
    })
    .await;
    answer.expect("waited for")
}

/// What a worker on this machine tells its owner of a tenant.
pub async fn tenant(port: u16, name: &str) -> TenantStatus {
    let tenants = status(port).await.tenants;
    tenants.into_iter().find(|tenant| tenant.name == name).expect("the tenant is configured")
}
