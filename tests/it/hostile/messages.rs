//! Bytes that are no messages, and messages that are too long.

use std::io::{Read as _, Write as _};

use bytes::{Buf as _, BufMut as _, Bytes};
use fondaco_proto::{
    ErrorCode::Limit,
    MatrixHeader, Shape,
    wire::{self, put_request::Part},
};
use ndarray::Array2;
use tonic::{
    Code, Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
};

use super::{lives_on, memory_returns};
use crate::harness::{Client, Plan, Random, refusal};

/// Messages as the bytes that they are.
#[derive(Clone, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining()).to_vec()))
    }
}

/// Sends bytes as the message of a call; what came of it does not matter, as long as it ends.
async fn call(client: &Client, channel: &tonic::transport::Channel, rpc: &str, message: Vec<u8>) -> Result<(), Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::try_from(format!("/fondaco.v1.FederatedWorker/{rpc}")).unwrap();
    let request = client.request(tokio_stream::iter([message]));
    let mut stream = grpc.streaming(request, path, Raw).await?.into_inner();
    while stream.message().await?.is_some() {}
    Ok(())
}

async fn channel(client: &crate::harness::Site) -> tonic::transport::Channel {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", client.address)).unwrap();
    endpoint.connect().await.unwrap()
}

const RPCS: [&str; 5] = ["Describe", "Read", "Put", "Exec", "Clear"];

/// A message of each call that makes sense.
fn sensible(client: &Client, rpc: &str) -> Vec<u8> {
    use prost::Message as _;
    let mut program = client.program();
    let x = program.put(&Array2::ones((2, 2)));
    program.apply(crate::harness::op::gram(), &[x]);
    match rpc {
        "Describe" => {
            wire::DescribeRequest { coordinator_id: client.coordinator.to_bytes(), epoch: client.epoch }.encode_to_vec()
        }
        "Read" => {
            let filter = crate::harness::op::compare("x", fondaco_proto::op::CompareOp::Less, 1.0);
            let read = crate::harness::op::reading("d", &["x"], Some(filter));
            wire::ReadRequest { scope: client.scope(), output: 1, read: Some(read.into()) }.encode_to_vec()
        }
        "Put" => {
            let matrix = MatrixHeader::new(Shape::new(0, 3)).into();
            let header = wire::PutHeader {
                scope: client.scope(),
                output: client.name(),
                matrix: Some(matrix),
                frame: None,
                offer: false,
            };
            wire::PutRequest { part: Some(Part::Header(header)) }.encode_to_vec()
        }
        "Exec" => wire::ExecRequest {
            scope: client.scope(),
            program_id: program.id.0.to_vec(),
            instructions: program.instructions.into_iter().map(Into::into).collect(),
            fetch: vec![x],
        }
        .encode_to_vec(),
        // Not of the whole scope: the next calls need it.
        _ => wire::ClearRequest { scope: client.scope(), variables: vec![1 << 40] }.encode_to_vec(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_instead_of_messages() {
    let site = Plan::new().limits(|limits| limits.reuse = false).start().await;
    let channel = channel(&site).await;
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let rpc = *random.pick(&RPCS);
        let ada = site.client("ada").await;
        let message = if seed % 2 == 0 {
            let len = random.below(300);
            random.bytes(len)
        } else {
            let mut message = sensible(&ada, rpc);
            for _ in 0..1 + random.below(3) {
                let at = random.below(message.len());
                message[at] = random.next().to_le_bytes()[0];
            }
            message.truncate(message.len() - random.below(2) * random.below(message.len()));
            message
        };
        if let Err(status) = call(&ada, &channel, rpc, message).await {
            assert_ne!(status.code(), Code::Unknown, "seed {seed}, {rpc}: {status:?}");
            assert_ne!(status.code(), Code::Unavailable, "seed {seed}, {rpc}: {status:?}");
            assert!(
                !status.message().contains("/root") && !status.message().contains("panicked"),
                "seed {seed}: {status:?}"
            );
        }
        let mut ada = ada;
        if ada.clear(&[]).await.is_err() {
            ada.open().await.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
            ada.clear(&[]).await.unwrap();
        }
    }
    lives_on(&site.client("ada").await).await;
    memory_returns(&site, 64).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sensible_messages_are_understood() {
    let site = Plan::new().start().await;
    let channel = channel(&site).await;
    let ada = site.client("ada").await;
    for rpc in ["Describe", "Put", "Exec", "Clear"] {
        call(&ada, &channel, rpc, sensible(&ada, rpc)).await.unwrap_or_else(|status| panic!("{rpc}: {status:?}"));
    }
    let status = call(&ada, &channel, "Nothing", vec![]).await.expect_err("there is no such call");
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test(flavor = "multi_thread")]
async fn oversized_messages() {
    let limits = |limits: &mut fondaco_worker::config::Limits| {
        (limits.message_bytes_max, limits.inline_bytes_max, limits.reuse) = (1 << 20, 4 << 20, false);
    };
    let site = Plan::new().limits(limits).start().await;
    let ada = site.client("ada").await;
    ada.bind(|p| p.put(&Array2::ones((1 << 16, 1)))).await.expect("half a message");
    let before = site.used_bytes();
    let refused = ada.bind(|p| p.put(&Array2::ones((1 << 18, 1)))).await.expect_err("two messages' worth");
    assert!(matches!(refused.grpc, Code::OutOfRange | Code::ResourceExhausted), "{refused:?}");
    lives_on(&ada).await;

    let header = wire::PutHeader {
        scope: ada.scope(),
        output: ada.name(),
        matrix: Some(MatrixHeader::new(Shape::new(1 << 18, 1)).into()),
        frame: None,
        offer: false,
    };
    let chunk = wire::Chunk { offset: 0, data: Bytes::from(vec![0; 8 << 18]) };
    let refused = refusal(ada.put_parts(vec![Part::Header(header), Part::Chunk(chunk)]).await, Limit);
    assert!(refused.message().contains("message_bytes_max"), "{refused:?}");
    lives_on(&ada).await;
    memory_returns(&site, before + 64).await;
}

/// Whoever does not even speak HTTP/2.
#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_wire() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    let address = site.address;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // A frame of 16 MiB - 1 for headers that never come.
    let frame = [preface.clone(), vec![0xff, 0xff, 0xff, 1, 4, 0, 0, 0, 1]].concat();
    let cases = [
        ("noise", Random::new(1).bytes(4096)),
        ("HTTP/1.1", b"GET / HTTP/1.1\r\nHost: here\r\n\r\n".to_vec()),
        ("a preface, then noise", [preface, Random::new(2).bytes(4096)].concat()),
        ("a frame that is too long", frame),
        ("TLS", vec![0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]),
    ];
    let mut open = Vec::new();
    for (case, bytes) in cases {
        let stream = tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
            let _closed_already = stream.write_all(&bytes);
            let _nothing_to_read = stream.read(&mut [0; 64]);
            stream
        });
        open.push(stream.await.unwrap_or_else(|error| panic!("{case}: {error}")));
        lives_on(&ada).await;
    }
    drop(open);
    lives_on(&site.client("bob").await).await;
}
