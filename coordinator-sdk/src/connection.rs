//! One worker, over gRPC: the only module that knows the messages of the wire.

mod put;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use fondaco_proto::{
    ColumnKind, CoordinatorId, Field, Instruction, PROTOCOL_VERSION, ProgramId, Shape, VarId,
    wire::{self, exec_response::Part, federated_worker_client::FederatedWorkerClient},
};
use tonic::{
    Request, Streaming,
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

use crate::{
    Error, Result,
    dataset::{Column, Dataset, Limits, Privacy},
    queue::{Fetch, lock},
    retry::{Failure, Retries, cause},
    site::Site,
    stats::Counters,
    transfer::Incoming,
};

const WINDOW_BYTES: u32 = 16 * 1024 * 1024;
const FRAME_BYTES_MAX: u32 = 1024 * 1024;
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A worker that is gone is noticed within these two, also while nothing is sent.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection to one site, with the scope that it opened there.
pub(crate) struct Connection {
    pub name: Arc<str>,
    /// As they were when it was connected.
    pub datasets: Vec<Dataset>,
    pub counters: Counters,
    url: String,
    client: FederatedWorkerClient<Channel>,
    authorization: MetadataValue<Ascii>,
    coordinator: CoordinatorId,
    life: Mutex<Life>,
    /// Whether a worker that is away is waited for.
    patient: AtomicBool,
}

/// What a worker said when the scope was opened, the last time.
#[derive(Default)]
struct Life {
    epoch: u64,
    limits: Limits,
    lease: Duration,
    /// Of each dataset, as it was last looked at.
    versions: HashMap<String, Arc<str>>,
}

/// What a worker says of one instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt {
    pub shape: Shape,
}

/// The answer to a program that has committed.
pub(crate) struct Answer {
    /// One per instruction; of a drop, without a meaning.
    pub receipts: Vec<Receipt>,
    /// Why values were not released, or not received; those before it were.
    pub refused: Option<Error>,
}

impl Connection {
    /// Connects, and opens a scope.
    pub async fn open(site: Site, coordinator: CoordinatorId) -> Result<Self> {
        let mut authorization: MetadataValue<Ascii> = format!("Bearer {}", site.token).parse().map_err(|_| {
            Error::Config(format!("site {}: the token has characters that a header cannot hold", site.name))
        })?;
        authorization.set_sensitive(true);
        let unreachable = |reason| Error::Unreachable { site: site.name.clone(), url: site.url.clone(), reason };
        let channel = endpoint(&site)?.connect().await.map_err(|error| unreachable(cause(&error)))?;
        let client = FederatedWorkerClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let mut connection = Self {
            name: site.name.as_str().into(),
            datasets: Vec::new(),
            counters: Counters::default(),
            url: site.url,
            client,
            authorization,
            coordinator,
            life: Mutex::default(),
            patient: AtomicBool::new(false),
        };
        connection.datasets = connection.reopen().await?;
        connection.wait_for_it(true);
        Ok(connection)
    }

    /// Opens a scope, empty or not: what is there of an earlier one is not known. The datasets as they are now.
    pub async fn reopen(&self) -> Result<Vec<Dataset>> {
        let described = self.describe_with_retries(0).await?;
        if described.protocol_version != PROTOCOL_VERSION {
            return Err(self.unexpected(format!(
                "protocol version {}, while this SDK speaks {PROTOCOL_VERSION}: update the older one",
                described.protocol_version
            )));
        }
        *lock(&self.life) = Life {
            epoch: described.epoch,
            limits: described.limits.map(Into::into).unwrap_or_default(),
            lease: Duration::from_secs(described.lease_s),
            versions: versions(&described.datasets),
        };
        Ok(described.datasets.into_iter().map(Into::into).collect())
    }

    /// What the worker accepts.
    pub fn limits(&self) -> Limits {
        lock(&self.life).limits
    }

    /// How long a scope that is idle lives.
    pub fn lease(&self) -> Duration {
        lock(&self.life).lease
    }

    /// Looks at the versions of the datasets.
    pub async fn look(&self) -> Result<()> {
        let epoch = lock(&self.life).epoch;
        let versions = versions(&self.describe_with_retries(epoch).await?.datasets);
        lock(&self.life).versions = versions;
        Ok(())
    }

    /// The version of a dataset when it was last looked at; `None` if it could not be read then.
    pub fn version(&self, dataset: &str) -> Option<Arc<str>> {
        lock(&self.life).versions.get(dataset).cloned()
    }

    /// Whether a worker that is away is waited for, or is an error soon.
    pub fn wait_for_it(&self, patient: bool) {
        self.patient.store(patient, Relaxed);
    }

    fn retries(&self) -> Retries {
        Retries::new(self.patient.load(Relaxed))
    }

    fn scope(&self) -> Option<wire::ScopeRef> {
        let epoch = lock(&self.life).epoch;
        Some(wire::ScopeRef { coordinator_id: self.coordinator.to_bytes(), epoch })
    }

    /// The columns of a dataset, or those named, as they are read into a frame.
    pub fn fields(&self, dataset: &str, columns: &[String]) -> Result<Vec<Field>> {
        let name = &self.name;
        let found = self.datasets.iter().find(|found| found.name == dataset);
        let found = found.ok_or_else(|| Error::plan(format!("read: there is no dataset {dataset} at {name}")))?;
        let all: Vec<&Column> = match columns {
            [] => found.columns.iter().collect(),
            columns => columns
                .iter()
                .map(|column| {
                    let of_name = found.columns.iter().find(|found| found.name == *column);
                    of_name.ok_or_else(|| Error::plan(format!("read: {dataset} has no column {column:?} at {name}")))
                })
                .collect::<Result<_>>()?,
        };
        let field = |column: &&Column| match ColumnKind::of_type(&column.type_name) {
            Some(kind) => Ok(Field::new(column.name.clone(), kind)),
            None => Err(Error::plan(format!(
                "read: column {:?} of {dataset} is {}, and cannot be a column of a frame; name the columns of numbers, \
                 dates and texts",
                column.name, column.type_name
            ))),
        };
        all.iter().map(field).collect()
    }

    /// Renews the scope's lease.
    pub async fn renew(&self) -> Result<()> {
        let epoch = lock(&self.life).epoch;
        self.describe(epoch).await.map(drop).map_err(|failure| self.error(failure))
    }

    /// Clears variables or, if none are named, the whole scope.
    pub async fn clear(&self, variables: &[VarId]) -> Result<()> {
        let variables: Vec<u64> = variables.iter().map(|variable| variable.0).collect();
        let message = wire::ClearRequest { scope: self.scope(), variables };
        let answer = self.client.clone().clear(self.request(message)).await;
        answer.map(drop).map_err(|status| self.error(Failure::of(&status)))
    }

    /// Runs a program and receives what it releases, in order. An error means that nothing of it is bound, as far as
    /// can be known; a refused release is part of the answer. `sent`: bytes of values that go with it, for the statistics.
    pub async fn exec(&self, instructions: Vec<Instruction>, sent: u64, fetches: &[Arc<Fetch>]) -> Result<Answer> {
        let message = wire::ExecRequest {
            scope: self.scope(),
            program_id: ProgramId::new().0.to_vec(),
            instructions: instructions.into_iter().map(Into::into).collect(),
            fetch: fetches.iter().map(|fetch| fetch.variable.id.0).collect(),
        };
        let mut retries = self.retries();
        loop {
            let mut receipts = None;
            let failure = match self.client.clone().exec(self.request(message.clone())).await {
                Ok(stream) => self.receive(stream.into_inner(), &mut receipts, fetches).await.err(),
                Err(status) => Some(Failure::of(&status)),
            };
            let pause = failure.as_ref().and_then(|failure| retries.after(failure));
            if let Some(pause) = pause {
                tracing::debug!(site = %self.name, ?failure, "the program is sent again");
                tokio::time::sleep(pause).await;
                continue;
            }
            let refused = failure.map(|failure| self.error(failure));
            let Some(receipts) = receipts else {
                return Err(refused.unwrap_or_else(|| self.unexpected("no receipts".to_owned())));
            };
            self.counters.round_trips.fetch_add(1, Relaxed);
            self.counters.bytes_sent.fetch_add(sent, Relaxed);
            if receipts.len() != message.instructions.len() {
                let reason = format!("{} receipts for {} instructions", receipts.len(), message.instructions.len());
                return Err(self.unexpected(reason));
            }
            return Ok(Answer { receipts: self.receipts(receipts), refused });
        }
    }

    /// The messages of one answer: receipts, then each value.
    async fn receive(
        &self,
        mut stream: Streaming<wire::ExecResponse>,
        receipts: &mut Option<Vec<wire::Receipt>>,
        fetches: &[Arc<Fetch>],
    ) -> Result<(), Failure> {
        let mut waiting = fetches.iter();
        let mut incoming: Option<(&Arc<Fetch>, Incoming)> = None;
        let finish = |incoming: Option<(&Arc<Fetch>, Incoming)>| {
            let Some((fetch, incoming)) = incoming else { return Ok(()) };
            self.counters.bytes_received.fetch_add(incoming.bytes(), Relaxed);
            incoming.finish().map(|value| fetch.deliver(Ok(value))).map_err(Failure::Unexpected)
        };
        while let Some(message) = stream.message().await.map_err(|status| Failure::of(&status))? {
            match message.part {
                Some(Part::Receipts(answer)) => *receipts = Some(answer.receipts),
                Some(Part::Value(header)) => {
                    finish(incoming.take())?;
                    let fetch = waiting.next().filter(|fetch| fetch.variable.id.0 == header.variable);
                    let fetch = fetch.ok_or_else(|| Failure::Unexpected(format!("variable {}", header.variable)))?;
                    incoming = Some((fetch, Incoming::new(header, fetch.shape).map_err(Failure::Unexpected)?));
                }
                Some(Part::Chunk(chunk)) => {
                    let (_, incoming) =
                        incoming.as_mut().ok_or_else(|| Failure::Unexpected("a chunk of no value".to_owned()))?;
                    incoming.push(chunk.offset, &chunk.data).map_err(Failure::Unexpected)?;
                }
                None => return Err(Failure::Unexpected("an empty message, or one of a newer protocol".to_owned())),
            }
        }
        finish(incoming)?;
        match waiting.next() {
            Some(fetch) => Err(Failure::Unexpected(format!("no value for {}", fetch.variable.id))),
            None => Ok(()),
        }
    }

    async fn describe_with_retries(&self, epoch: u64) -> Result<wire::DescribeResponse> {
        let mut retries = self.retries();
        loop {
            let failure = match self.describe(epoch).await {
                Ok(described) => return Ok(described),
                Err(failure) => failure,
            };
            let Some(pause) = retries.after(&failure) else { return Err(self.error(failure)) };
            tokio::time::sleep(pause).await;
        }
    }

    async fn describe(&self, epoch: u64) -> Result<wire::DescribeResponse, Failure> {
        let message = wire::DescribeRequest { coordinator_id: self.coordinator.to_bytes(), epoch };
        let answer = self.client.clone().describe(self.request(message)).await;
        answer.map(tonic::Response::into_inner).map_err(|status| Failure::of(&status))
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.authorization.clone());
        request
    }

    /// Counts what the receipts say. A drop's receipt has no shape.
    fn receipts(&self, receipts: Vec<wire::Receipt>) -> Vec<Receipt> {
        for receipt in receipts.iter().filter(|receipt| receipt.shape.is_some()) {
            self.counters.instructions.fetch_add(1, Relaxed);
            self.counters.hits.fetch_add(u64::from(receipt.hit), Relaxed);
            self.counters.compute_ns.fetch_add(receipt.compute_ns, Relaxed);
        }
        receipts.into_iter().map(|receipt| Receipt { shape: receipt.shape.unwrap_or_default().into() }).collect()
    }

    fn error(&self, failure: Failure) -> Error {
        match failure {
            Failure::Refused(error) => Error::Site { site: self.name.to_string(), error },
            Failure::Broken(reason) => {
                Error::Unreachable { site: self.name.to_string(), url: self.url.clone(), reason }
            }
            Failure::Unexpected(reason) => self.unexpected(reason),
        }
    }

    /// The error for an answer that was not asked for.
    pub fn unexpected(&self, reason: String) -> Error {
        Error::Protocol { site: self.name.to_string(), reason }
    }
}

/// The versions of the datasets that can be read.
fn versions(datasets: &[wire::DatasetInfo]) -> HashMap<String, Arc<str>> {
    let readable = datasets.iter().filter(|info| !info.version.is_empty());
    readable.map(|info| (info.name.clone(), info.version.as_str().into())).collect()
}

fn endpoint(site: &Site) -> Result<Endpoint> {
    let wrong = |error: tonic::transport::Error| Error::Config(format!("site {}: {}", site.name, cause(&error)));
    let uri = site.uri()?;
    let secure = uri.scheme_str() == Some("https");
    let mut endpoint = Endpoint::from(uri)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .http2_adaptive_window(false)
        .max_frame_size(FRAME_BYTES_MAX)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    match (secure, &site.ca_pem) {
        (false, _) => {}
        (true, Some(pem)) => {
            let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
            endpoint = endpoint.tls_config(tls).map_err(wrong)?;
        }
        (true, None) => {
            let message = "https needs the authority that signed the worker's certificate: give ca_pem";
            return Err(Error::Config(format!("site {}: {message}", site.name)));
        }
    }
    Ok(endpoint)
}

impl From<wire::Limits> for Limits {
    fn from(limits: wire::Limits) -> Self {
        Self {
            message_bytes_max: limits.message_bytes_max,
            program_instructions_max: limits.program_instructions_max,
            cells_max: limits.cells_max,
            inline_bytes_max: limits.inline_bytes_max,
            tenant_bytes_max: limits.tenant_bytes_max,
            release_rows_min: limits.release_rows_min,
        }
    }
}

impl From<wire::DatasetInfo> for Dataset {
    fn from(info: wire::DatasetInfo) -> Self {
        let privacy = match info.privacy() {
            wire::Privacy::Public => Privacy::Public,
            wire::Privacy::Aggregate => Privacy::Aggregate,
            // What is not known is taken as the strictest.
            wire::Privacy::Private | wire::Privacy::Unspecified => Privacy::Private,
        };
        let column =
            |column: wire::ColumnInfo| Column { name: column.name, type_name: column.r#type, numeric: column.numeric };
        Self {
            name: info.name,
            privacy,
            extremes: info.extremes,
            version: info.version,
            columns: info.columns.into_iter().map(column).collect(),
        }
    }
}
