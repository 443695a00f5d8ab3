//! A worker: bound to its address first, so that what is wrong shows at once; then serving until told to stop.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use fondaco_lineage::{Cache, Options, Trace};
use fondaco_proto::{Error, FILE_DESCRIPTOR_SET, Result, Shape, wire::federated_worker_server::FederatedWorkerServer};
use tokio::net::TcpListener;
use tonic::transport::{Identity, Server, ServerTlsConfig, server::TcpIncoming};

use crate::{
    admin,
    audit::{Audit, Decision},
    auth::{Authenticator, Tenant},
    catalog::Catalog,
    config::{Config, ConfigError, Limits},
    fair::FairQueue,
    gate::Gate,
    kernels,
    memory::Memory,
    pool::Pools,
    quota::{Account, Accounts},
    scope::{Scope, Scopes},
    server::Service,
    support::Support,
    value::Value,
};

/// Time that running calls have to end after a shutdown was asked for.
const DRAIN_MAX: Duration = Duration::from_secs(30);

/// Of the cache, one tenant's share where the owner gives none: one part in so many.
const TENANT_SHARE: u64 = 4;

/// How often leases, idle memory and idle threads are looked at.
const JANITOR_PERIOD: Duration = Duration::from_millis(500);

/// Bytes that a peer may send ahead of what is read; large, so that one stream fills a link.
const WINDOW_BYTES: u32 = 16 << 20;

/// A value kept for reuse: pure functions of its key.
#[derive(Clone, Debug)]
pub struct Cached {
    /// The value.
    pub value: Value,
    /// The rows behind its weakest cell, as far as this step measured them; absent if no rule asked.
    pub support: Option<Support>,
}

/// All that a worker's calls share.
pub struct State {
    pub(crate) limits: Limits,
    pub(crate) authenticator: Authenticator,
    pub(crate) catalog: Catalog,
    pub(crate) scopes: Scopes,
    pub(crate) cache: Cache<Cached>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) pools: Arc<Pools>,
    pub(crate) programs: Arc<FairQueue>,
    pub(crate) gate: Gate,
    audit: Audit,
    accounts: Accounts,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("State")
    }
}

impl State {
    fn new(config: &Config, memory: Arc<Memory>) -> Result<Arc<Self>, ConfigError> {
        let limits = config.limits.clone();
        let audit = Audit::open(&config.audit_file).map_err(|error| {
            ConfigError(format!("audit_file {} cannot be opened for appending: {error}", config.audit_file.display()))
        })?;
        let options = Options::new(limits.cache_bytes_max)
            .with_tenant_bytes_max(limits.cache_tenant_bytes_max.unwrap_or(limits.cache_bytes_max / TENANT_SHARE))
            .with_pinned(|cached: &Cached| cached.value.is_held_elsewhere());
        let cache = if limits.reuse { Cache::with(options) } else { Cache::disabled() };
        let evicting = cache.clone();
        memory.set_reclaim(move |bytes| evicting.evict_bytes(bytes));
        Ok(Arc::new(Self {
            authenticator: Authenticator::new(&config.tenants),
            catalog: Catalog::new(&config.datasets, &memory),
            scopes: Scopes::new(limits.scopes_max, Duration::from_secs(limits.lease_s)),
            cache,
            memory,
            pools: Pools::new(limits.tenant_threads, limits.compute_threads_max),
            programs: FairQueue::new(limits.programs_running_max, limits.programs_queued_max, "programs_queued_max"),
            gate: Gate { release_rows_min: limits.release_rows_min },
            audit,
            accounts: Accounts::new(limits.tenant_bytes_max),
            limits,
        }))
    }

    /// The audit file.
    pub(crate) fn audit(&self) -> &Audit {
        &self.audit
    }

    /// A tenant's account.
    pub(crate) fn account(&self, tenant: &Tenant) -> Arc<Account> {
        self.accounts.of(tenant.tag())
    }

    /// Checks that a matrix is not larger than any may be.
    pub(crate) fn admit(&self, shape: Shape) -> Result<Shape> {
        let bytes = shape.footprint_bytes()?;
        if bytes / 8 <= self.limits.cells_max && usize::try_from(bytes).is_ok() {
            return Ok(shape);
        }
        Err(Error::limit(format!("a matrix of {shape} has more than {} cells (cells_max)", self.limits.cells_max)))
    }

    /// Writes a decision of the gate to the audit file.
    pub(crate) fn record(
        &self,
        scope: &Scope,
        operator: &str,
        trace: &Trace,
        shape: Shape,
        label: &crate::label::Label,
        denied: Option<&Error>,
    ) -> Result<()> {
        self.audit.decision(&Decision {
            tenant: scope.tenant(),
            coordinator: scope.coordinator(),
            request_id: &crate::request::current_id(),
            operator,
            key: trace.key().to_hex(),
            shape,
            label,
            denied: denied.map(Error::message),
        })
    }

    /// Ends a tenant's programs and scopes; says how many scopes there were.
    pub(crate) fn stop_tenant(&self, tenant: &Tenant) -> usize {
        let scopes = self.scopes.of_tenant(tenant.tag());
        scopes.iter().for_each(|scope| self.scopes.end(scope));
        self.cache.remove_reach(tenant.tag());
        scopes.len()
    }

    fn tidy_up(&self, now: Instant) {
        let lapsed = self.scopes.lapse(now);
        if lapsed > 0 {
            tracing::info!(lapsed, "idle scopes were dropped");
        }
        self.memory.trim(now);
        self.pools.trim(now);
    }
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Why serving failed.
pub type ServeError = tonic::transport::Error;

/// A worker that listens but does not serve yet.
#[derive(Debug)]
pub struct Worker {
    address: SocketAddr,
    listener: TcpListener,
    tls: Option<ServerTlsConfig>,
    state: Arc<State>,
}

impl Worker {
    /// Checks the configuration, opens the audit file and listens.
    ///
    /// # Errors
    /// Naming what is wrong and what would be right.
    pub async fn bind(config: Config) -> Result<Self, ConfigError> {
        let memory = Memory::new(config.limits.memory_bytes_max);
        Self::bind_with_memory(config, memory).await
    }

    /// The same with memory made by the caller: for tests, which hand out buffers full of NaN.
    ///
    /// # Errors
    /// As [`Worker::bind`].
    pub async fn bind_with_memory(config: Config, memory: Arc<Memory>) -> Result<Self, ConfigError> {
        config.validate()?;
        kernels::single_threaded_blas();
        let tls = config.tls.as_ref().map(load_tls).transpose()?;
        let state = State::new(&config, memory)?;
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|error| ConfigError(format!("cannot listen on {}: {error}", config.listen)))?;
        let address = listener.local_addr().map_err(|error| ConfigError(format!("no local address: {error}")))?;
        Ok(Self { address, listener, tls, state })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes of values and scratch in use: what tests watch return to where it was.
    pub fn memory(&self) -> Arc<Memory> {
        Arc::clone(&self.state.memory)
    }

    /// Serves until `shutdown` is ready, then lets running calls end, for at most half a minute.
    ///
    /// # Errors
    /// If the transport fails.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), ServeError> {
        self.serve_until(Box::pin(shutdown)).await
    }

    /// Boxed on both sides, so that the whole server is compiled once, here, and not again in each program that uses it.
    fn serve_until(self, shutdown: BoxFuture<()>) -> BoxFuture<Result<(), ServeError>> {
        Box::pin(self.run(shutdown))
    }

    async fn run(self, shutdown: BoxFuture<()>) -> Result<(), ServeError> {
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<FederatedWorkerServer<Service>>().await;
        let mut server = Server::builder()
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_frame_size(1 << 20)
            .http2_keepalive_interval(Some(Duration::from_secs(10)))
            .http2_keepalive_timeout(Some(Duration::from_secs(10)));
        if let Some(tls) = self.tls {
            server = server.tls_config(tls)?;
        }
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1();
        let service = FederatedWorkerServer::new(Service::new(Arc::clone(&self.state)))
            .max_decoding_message_size(self.state.limits.message_bytes_max);
        let (drained, drain_started) = tokio::sync::oneshot::channel::<()>();
        let graceful = async move {
            shutdown.await;
            health.set_not_serving::<FederatedWorkerServer<Service>>().await;
            tracing::info!("draining: no new calls, running ones may end");
            let _nobody_waits = drained.send(());
        };
        let router = server.add_service(health_service).add_service(service);
        let router = router.add_optional_service(reflection.ok());
        // Without it a small answer waits for the acknowledgement of the one before, some 40 ms.
        let incoming = TcpIncoming::from(self.listener).with_nodelay(Some(true));
        let _janitor = spawn_aborting(janitor(Arc::clone(&self.state)));
        let _admin = spawn_aborting(admin::serve(Arc::clone(&self.state), self.address.port()));
        tokio::select! {
            served = router.serve_with_incoming_shutdown(incoming, graceful) => served,
            () = overdue(drain_started) => {
                tracing::warn!("calls that did not end in time are cut off");
                Ok(())
            }
        }
    }
}

/// Ready when a drain that has started takes too long.
async fn overdue(drain_started: tokio::sync::oneshot::Receiver<()>) {
    if drain_started.await.is_err() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(DRAIN_MAX).await;
}

async fn janitor(state: Arc<State>) {
    let mut ticks = tokio::time::interval(JANITOR_PERIOD);
    loop {
        ticks.tick().await;
        state.tidy_up(Instant::now());
    }
}

/// A task that ends with the guard.
fn spawn_aborting(task: impl Future<Output = ()> + Send + 'static) -> AbortOnDrop {
    AbortOnDrop(tokio::spawn(task).abort_handle())
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn load_tls(tls: &crate::config::TlsConfig) -> Result<ServerTlsConfig, ConfigError> {
    let read = |path: &std::path::Path| {
        std::fs::read(path).map_err(|error| ConfigError(format!("{} cannot be read: {error}", path.display())))
    };
    Ok(ServerTlsConfig::new().identity(Identity::from_pem(read(&tls.certificate)?, read(&tls.key)?)))
}
