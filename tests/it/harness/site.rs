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
use tokio::sync::oneshot;

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
    stop: Option<oneshot::Sender<()>>,
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
    pub async fn start(self) -> Site {
        let memory = Memory::poisoned(self.config.limits.memory_bytes_max);
        let worker = Worker::bind_with_memory(self.config, Arc::clone(&memory)).await.expect("the site is valid");
        let address = worker.address();
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(worker.serve(async move {
            let _stopped_or_dropped = stopped.await;
        }));
        Site { address, memory, folder: self.folder, stop: Some(stop) }
    }
}

impl Site {
    /// A new connection of a tenant, its scope open.
    pub async fn client(&self, tenant: &str) -> Client {
        let mut client = Client::connect(self.address, Some(&token(tenant))).await;
        client.open().await.expect("a tenant can open a scope");
        client
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
        if let Some(stop) = self.stop.take() {
            let _already_stopped = stop.send(());
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
