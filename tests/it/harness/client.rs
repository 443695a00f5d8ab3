//! A coordinator as bare as the wire: what a program in any other language would do.

use std::{
    fmt,
    net::SocketAddr,
    ops::Deref,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use fondaco_proto::{
    CHUNK_BYTES, CoordinatorId, Error, ErrorCode, MatrixHeader,
    op::Read,
    wire::{self, exec_response::Part, federated_worker_client::FederatedWorkerClient, put_request},
};
use ndarray::Array2;
use tonic::{Code, Request, Status, transport::Channel, transport::Endpoint};

use super::{Program, tiles};

/// A worker's answer, or its refusal.
pub type Result<T> = std::result::Result<T, Refused>;

/// A refusal as it came over the wire.
#[derive(Clone)]
pub struct Refused {
    /// The status code of gRPC.
    pub grpc: Code,
    /// The worker's own error; `Internal`, if the status carries none.
    pub error: Error,
    /// Whether the status carried the worker's own error.
    pub detailed: bool,
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        let detail = Error::from_status(&status);
        let detailed = detail.is_some();
        let error = detail.unwrap_or_else(|| Error::internal(format!("a status without detail: {status:?}")));
        Self { grpc: status.code(), error, detailed }
    }
}

impl Deref for Refused {
    type Target = Error;

    fn deref(&self) -> &Error {
        &self.error
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.grpc, self.error)
    }
}

/// The refusal.
///
/// # Panics
/// If there is none, or it has another code.
#[track_caller]
pub fn refusal<T>(result: Result<T>, code: ErrorCode) -> Refused {
    match result {
        Ok(_) => panic!("expected the refusal {}, but it succeeded", code.name()),
        Err(refused) => {
            assert_eq!(refused.code(), code, "{refused:?}");
            assert!(refused.detailed, "{refused:?}");
            refused
        }
    }
}

/// What an `Exec` answered: receipts, and the fetched values in the order they were asked for.
#[derive(Debug)]
pub struct Answer {
    pub receipts: Vec<wire::Receipt>,
    pub replayed: bool,
    pub values: Vec<Array2<f64>>,
}

impl Answer {
    /// Whether each instruction's value was reused.
    pub fn hits(&self) -> Vec<bool> {
        self.receipts.iter().map(|receipt| receipt.hit).collect()
    }

    /// The value, of a program that fetches one.
    pub fn value(mut self) -> Array2<f64> {
        assert_eq!(self.values.len(), 1, "values fetched");
        self.values.remove(0)
    }
}

/// One connection of one tenant; its fields are open, so that a test can lie.
#[derive(Clone)]
pub struct Client {
    pub grpc: FederatedWorkerClient<Channel>,
    pub token: Option<String>,
    pub coordinator: CoordinatorId,
    pub epoch: u64,
    names: Arc<AtomicU64>,
}

impl Client {
    /// Connects, without a word to the worker.
    pub async fn connect(address: SocketAddr, token: Option<&str>) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address makes a URL");
        let channel = endpoint
            .http2_keep_alive_interval(Duration::from_secs(1))
            .keep_alive_timeout(Duration::from_secs(4))
            .keep_alive_while_idle(true)
            .connect()
            .await
            .expect("the worker listens");
        Self {
            grpc: FederatedWorkerClient::new(channel),
            token: token.map(ToOwned::to_owned),
            coordinator: CoordinatorId::new(),
            epoch: 0,
            names: Arc::new(AtomicU64::new(1)),
        }
    }

    /// The same tenant, who says that it is another connection.
    pub fn forged(&self, coordinator: CoordinatorId, epoch: u64) -> Self {
        Self { coordinator, epoch, ..self.clone() }
    }

    /// A request with this client's token.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            let value = format!("Bearer {token}").parse().expect("tokens are text");
            request.metadata_mut().insert("authorization", value);
        }
        request
    }

    pub fn scope(&self) -> Option<wire::ScopeRef> {
        Some(wire::ScopeRef { coordinator_id: self.coordinator.to_bytes(), epoch: self.epoch })
    }

    /// Opens the scope, and remembers its epoch.
    pub async fn open(&mut self) -> Result<wire::DescribeResponse> {
        self.epoch = 0;
        let answer = self.describe().await?;
        self.epoch = answer.epoch;
        Ok(answer)
    }

    pub async fn describe(&self) -> Result<wire::DescribeResponse> {
        let message = wire::DescribeRequest { coordinator_id: self.coordinator.to_bytes(), epoch: self.epoch };
        Ok(self.grpc.clone().describe(self.request(message)).await?.into_inner())
    }

    pub async fn read(&self, output: u64, read: Read) -> Result<wire::Receipt> {
        let message = wire::ReadRequest { scope: self.scope(), output, read: Some(read.into()) };
        let answer = self.grpc.clone().read(self.request(message)).await?;
        Ok(answer.into_inner().receipt.expect("a read answers a receipt"))
    }

    /// Uploads a matrix as every client should: with its hash, in chunks.
    pub async fn put(&self, output: u64, matrix: &Array2<f64>) -> Result<wire::Receipt> {
        let bytes = tiles::to_bytes(matrix);
        let header =
            MatrixHeader { blake3: Some(*blake3::hash(&bytes).as_bytes()), ..MatrixHeader::new(tiles::shape(matrix)) };
        self.put_raw(output, header.into(), chunks(&bytes)).await
    }

    /// Uploads whatever it is given.
    pub async fn put_raw(
        &self,
        output: u64,
        matrix: wire::MatrixHeader,
        chunks: Vec<wire::Chunk>,
    ) -> Result<wire::Receipt> {
        let header = wire::PutHeader { scope: self.scope(), output, matrix: Some(matrix), frame: None, offer: false };
        let mut parts = vec![put_request::Part::Header(header)];
        parts.extend(chunks.into_iter().map(put_request::Part::Chunk));
        self.put_parts(parts).await
    }

    pub async fn put_parts(&self, parts: Vec<put_request::Part>) -> Result<wire::Receipt> {
        let messages = parts.into_iter().map(|part| wire::PutRequest { part: Some(part) });
        let stream = tokio_stream::iter(messages.collect::<Vec<_>>());
        let answer = self.grpc.clone().put(self.request(stream)).await?;
        Ok(answer.into_inner().receipt.expect("a put answers a receipt"))
    }

    /// An empty program.
    pub fn program(&self) -> Program {
        Program::new(&self.names)
    }

    /// A name that no program of this coordinator takes.
    pub fn name(&self) -> u64 {
        self.program().name()
    }

    /// Runs a program.
    pub async fn run(&self, program: &Program) -> Result<Answer> {
        self.send(wire::ExecRequest {
            scope: self.scope(),
            program_id: program.id.0.to_vec(),
            instructions: program.instructions.iter().cloned().map(Into::into).collect(),
            fetch: program.fetch.clone(),
        })
        .await
    }

    /// Runs a program in which nothing may be wrong.
    pub async fn send(&self, message: wire::ExecRequest) -> Result<Answer> {
        let asked = message.fetch.clone();
        let mut stream = self.grpc.clone().exec(self.request(message)).await?.into_inner();
        let mut answer = Answer { receipts: Vec::new(), replayed: false, values: Vec::new() };
        let mut incoming: Vec<Incoming> = Vec::new();
        while let Some(message) = stream.message().await? {
            match message.part.expect("every message has a part") {
                Part::Receipts(receipts) => {
                    answer.receipts = receipts.receipts;
                    answer.replayed = receipts.replayed;
                }
                Part::Value(header) => incoming.push(Incoming::new(header)),
                Part::Chunk(chunk) => incoming.last_mut().expect("a header goes before chunks").take(&chunk),
            }
        }
        assert_eq!(incoming.iter().map(|value| value.variable).collect::<Vec<_>>(), asked, "values in order");
        answer.values = incoming.into_iter().map(Incoming::finish).collect();
        Ok(answer)
    }

    /// Runs a program that ends in one value, and fetches that.
    pub async fn value(&self, build: impl FnOnce(&mut Program) -> u64) -> Result<Array2<f64>> {
        let mut program = self.program();
        let last = build(&mut program);
        program.fetch(last);
        Ok(self.run(&program).await?.value())
    }

    /// Runs a program and fetches nothing; answers its last variable.
    pub async fn bind(&self, build: impl FnOnce(&mut Program) -> u64) -> Result<u64> {
        let mut program = self.program();
        let last = build(&mut program);
        self.run(&program).await.map(|_| last)
    }

    /// The value of a variable.
    pub async fn fetch(&self, variable: u64) -> Result<Array2<f64>> {
        self.value(|_| variable).await
    }

    /// Drops variables; none named, the whole scope.
    pub async fn clear(&self, variables: &[u64]) -> Result<()> {
        let message = wire::ClearRequest { scope: self.scope(), variables: variables.to_vec() };
        self.grpc.clone().clear(self.request(message)).await?;
        Ok(())
    }
}

/// The bytes of a value as chunks.
pub fn chunks(bytes: &Bytes) -> Vec<wire::Chunk> {
    let starts = (0..bytes.len()).step_by(CHUNK_BYTES);
    let chunk = |start: usize| wire::Chunk {
        offset: start as u64,
        data: bytes.slice(start..bytes.len().min(start + CHUNK_BYTES)),
    };
    starts.map(chunk).collect()
}

/// A fetched value on its way in.
struct Incoming {
    variable: u64,
    header: MatrixHeader,
    bytes: BytesMut,
}

impl Incoming {
    fn new(header: wire::FetchHeader) -> Self {
        let matrix = header.matrix.expect("a value has a matrix header");
        let matrix = MatrixHeader::try_from(matrix).expect("a worker's matrix header is well-formed");
        Self { variable: header.variable, header: matrix, bytes: BytesMut::new() }
    }

    fn take(&mut self, chunk: &wire::Chunk) {
        assert_eq!(chunk.offset, self.bytes.len() as u64, "chunks come in order");
        assert!(chunk.data.len() <= CHUNK_BYTES, "chunks have at most their size");
        self.bytes.extend_from_slice(&chunk.data);
    }

    fn finish(self) -> Array2<f64> {
        tiles::from_bytes(self.header.shape, &self.bytes)
    }
}
