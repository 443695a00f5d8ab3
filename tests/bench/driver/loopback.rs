//! What the transport alone costs: a bare tonic server, and a TCP copy that hashes on both sides; each in a child
//! process, as a worker is.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    pin::Pin,
    process::{Child, Command, Stdio},
    time::Instant,
};

use fondaco_proto::wire::{
    self,
    exec_response::Part,
    federated_worker_client::FederatedWorkerClient,
    federated_worker_server::{FederatedWorker, FederatedWorkerServer},
};
use serde_json::{Value, json};
use tokio_stream::Stream;
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Endpoint, server::TcpIncoming},
};

use crate::{AnyError, number};

/// Bytes of one write of the copy.
const COPY_BYTES: usize = 256 * 1024;

/// The endpoint that all latencies are measured over.
pub fn endpoint(address: &str) -> Result<Endpoint, AnyError> {
    Ok(Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true))
}

/// The other side, in a child process.
pub fn child(kind: &str) -> Result<(), AnyError> {
    match kind {
        "bare" => {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
                announce(&listener.local_addr()?.to_string())?;
                let mut server = tonic::transport::Server::builder().http2_keepalive_interval(None);
                let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
                server.add_service(FederatedWorkerServer::new(Bare)).serve_with_incoming(incoming).await?;
                Ok(())
            })
        }
        "tcp_copy" => {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            announce(&listener.local_addr()?.to_string())?;
            let (mut stream, _) = listener.accept()?;
            let mut length = [0; 8];
            stream.read_exact(&mut length)?;
            // Touched before the first timed byte comes, as a warm worker's memory is.
            let mut memory = vec![1_u8; usize::try_from(u64::from_le_bytes(length))?];
            stream.write_all(&[1])?;
            let mut hasher = blake3::Hasher::new();
            for chunk in memory.chunks_mut(COPY_BYTES) {
                stream.read_exact(chunk)?;
                hasher.update(chunk);
            }
            stream.write_all(hasher.finalize().as_bytes())?;
            Ok(())
        }
        other => Err(format!("unknown child {other}").into()),
    }
}

fn announce(address: &str) -> Result<(), AnyError> {
    let mut out = std::io::stdout();
    writeln!(out, "{address}")?;
    Ok(out.flush()?)
}

/// A child that is gone when its owner is.
struct Other {
    child: Child,
    address: String,
}

impl Other {
    fn start(kind: &str) -> Result<Self, AnyError> {
        let mut child =
            Command::new(std::env::current_exe()?).args(["--child", kind]).stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        let out = child.stdout.take().ok_or("the child has no output")?;
        BufReader::new(out).read_line(&mut address)?;
        Ok(Self { child, address: address.trim().to_owned() })
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Calls of the bare server: one message there, a stream of messages back.
pub async fn bare(command: &Value) -> Result<Value, AnyError> {
    let calls = number(command, "calls")?;
    let sizes: Vec<u64> = serde_json::from_value(command["response_bytes"].clone())?;
    let other = Other::start("bare")?;
    let mut client = FederatedWorkerClient::new(endpoint(&other.address)?.connect().await?);
    // The sizes travel in `fetch`, and count towards the request's.
    let padding = number(command, "request_bytes")?.saturating_sub(4 * sizes.len() + 4);
    let message = wire::ExecRequest { program_id: vec![7; padding], fetch: sizes, ..Default::default() };
    let mut latencies = Vec::with_capacity(calls);
    let begun = Instant::now();
    for _ in 0..calls {
        let message = message.clone();
        let begun = Instant::now();
        let mut stream = client.exec(message).await?.into_inner();
        while stream.message().await?.is_some() {}
        latencies.push(u64::try_from(begun.elapsed().as_nanos())?);
    }
    let seconds = begun.elapsed().as_secs_f64();
    Ok(json!({ "seconds": seconds, "check": {}, "latencies_ns": latencies }))
}

/// Sends a buffer to a child, which stores and hashes it; this side hashes as well.
pub fn tcp_copy(bytes: usize) -> Result<Value, AnyError> {
    let buffer: Vec<u8> = (0..bytes).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let other = Other::start("tcp_copy")?;
    let mut stream = TcpStream::connect(&other.address)?;
    stream.write_all(&(bytes as u64).to_le_bytes())?;
    stream.read_exact(&mut [0])?;
    let begun = Instant::now();
    let mut hasher = blake3::Hasher::new();
    for chunk in buffer.chunks(COPY_BYTES) {
        hasher.update(chunk);
        stream.write_all(chunk)?;
    }
    let mut answer = [0; 32];
    stream.read_exact(&mut answer)?;
    let seconds = begun.elapsed().as_secs_f64();
    if answer != *hasher.finalize().as_bytes() {
        return Err("the copy has another hash".into());
    }
    Ok(json!({ "seconds": seconds, "check": {} }))
}

/// Answers with messages of the sizes that the request names, and does nothing else.
struct Bare;

type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl FederatedWorker for Bare {
    type ExecStream = Messages<wire::ExecResponse>;

    async fn exec(&self, request: Request<wire::ExecRequest>) -> Result<Response<Self::ExecStream>, Status> {
        let messages = request.into_inner().fetch.into_iter().map(|bytes| {
            let data = vec![7; bytes.saturating_sub(4) as usize].into();
            Ok(wire::ExecResponse { part: Some(Part::Chunk(wire::Chunk { offset: 0, data })) })
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(messages))))
    }

    async fn describe(&self, _: Request<wire::DescribeRequest>) -> Result<Response<wire::DescribeResponse>, Status> {
        Err(Status::unimplemented("bare"))
    }

    async fn read(&self, _: Request<wire::ReadRequest>) -> Result<Response<wire::ReadResponse>, Status> {
        Err(Status::unimplemented("bare"))
    }

    async fn put(&self, _: Request<Streaming<wire::PutRequest>>) -> Result<Response<wire::PutResponse>, Status> {
        Err(Status::unimplemented("bare"))
    }

    async fn clear(&self, _: Request<wire::ClearRequest>) -> Result<Response<wire::ClearResponse>, Status> {
        Err(Status::unimplemented("bare"))
    }
}
