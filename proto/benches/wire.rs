//! What a message costs beside the network: `cargo bench -p fondaco-proto --bench wire`.
#![expect(clippy::expect_used, reason = "a benchmark ends where it cannot go on")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fondaco_proto::{
    Apply, Block, CHUNK_BYTES, Instruction, Op, Program, ProgramId, ProgramLimits, Shape, VarId,
    op::{Binary, BinaryFunction, CreateOp, ElementwiseOp, Fill, Scalar},
    wire,
};
use prost::Message as _;

const LIMITS: ProgramLimits = ProgramLimits { program_instructions_max: 4096, inline_bytes_max: 1 << 20 };

/// An array of the coordinator, and so many operators on it, one after another.
fn program(operators: u64) -> wire::ExecRequest {
    let shape = Shape::new(1, 100);
    let put = Op::Create(CreateOp::Put(Block::new(shape, &[0.5; 100]).expect("as many cells as the shape")));
    let fill = Op::Create(CreateOp::Fill(Fill { shape, value: 1.0 }));
    let add = Binary { function: BinaryFunction::Add, scalar: None };
    let scale = Binary { function: BinaryFunction::Multiply, scalar: Some(Scalar::Right(0.5)) };
    let mut instructions = vec![apply(1, put, &[]), apply(2, fill, &[])];
    for output in 3..3 + operators {
        instructions.push(match output % 2 {
            0 => apply(output, Op::Elementwise(ElementwiseOp::Binary(add)), &[output - 1, output - 2]),
            _ => apply(output, Op::Elementwise(ElementwiseOp::Binary(scale)), &[output - 1]),
        });
    }
    wire::ExecRequest {
        program_id: ProgramId::new().0.to_vec(),
        instructions: instructions.into_iter().map(Into::into).collect(),
        fetch: vec![2 + operators],
        ..Default::default()
    }
}

fn apply(output: u64, op: Op, inputs: &[u64]) -> Instruction {
    Instruction::Apply(Apply { output: VarId(output), op, inputs: inputs.iter().map(|var| VarId(*var)).collect() })
}

fn programs(c: &mut Criterion) {
    for operators in [10, 1000] {
        let request = program(operators);
        let bytes = Bytes::from(request.encode_to_vec());
        let mut group = c.benchmark_group(format!("program of {operators} operators"));
        group.bench_function("encode", |b| b.iter(|| black_box(&request).encode_to_vec()));
        group.bench_function("decode and parse", |b| {
            b.iter(|| {
                let request = wire::ExecRequest::decode(bytes.clone()).expect("it was encoded");
                Program::parse(&request.program_id, request.instructions, request.fetch, &LIMITS).expect("it is right")
            });
        });
        let parsed = Program::parse(&request.program_id, request.instructions, request.fetch, &LIMITS);
        let parsed = parsed.expect("it is right");
        group.bench_function("canonical bytes", |b| {
            b.iter(|| {
                parsed.instructions.iter().for_each(|instruction| {
                    if let Instruction::Apply(apply) = instruction {
                        black_box(apply.op.canonical());
                    }
                });
            });
        });
    }
}

/// A chunk of a large value, as it comes and goes; its bytes are not copied but by the encoder.
fn chunks(c: &mut Criterion) {
    let chunk = wire::Chunk { offset: 0, data: Bytes::from(vec![7; CHUNK_BYTES]) };
    let request = wire::PutRequest { part: Some(wire::put_request::Part::Chunk(chunk)) };
    let bytes = Bytes::from(request.encode_to_vec());
    let mut group = c.benchmark_group("chunk");
    group.throughput(Throughput::Bytes(CHUNK_BYTES as u64));
    group.bench_function("encode", |b| b.iter(|| black_box(&request).encode_to_vec()));
    group.bench_function("decode", |b| b.iter(|| wire::PutRequest::decode(bytes.clone()).expect("it was encoded")));
}

criterion_group!(benches, programs, chunks);
criterion_main!(benches);
