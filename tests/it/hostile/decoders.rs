//! The decoders that fuzzing works on, on seeded bytes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fondaco_proto::{
    Block, MatrixHeader, Op, Shape,
    op::{AggregateFunction, Axis, BinaryFunction, MatmulOp, Ternary, Unary},
    wire,
};
use fondaco_tests::fuzz;
use ndarray::Array2;
use prost::Message as _;

use crate::harness::{Random, op};

const SEEDS: u64 = 20_000;

/// Programs of every family, to be damaged.
fn programs() -> Vec<Vec<u8>> {
    let filter = op::compare("x", fondaco_proto::op::CompareOp::Less, 0.5);
    let ops: Vec<(Op, usize)> = vec![
        (op::read_where("d", fondaco_proto::op::Filter::And(vec![filter])), 0),
        (op::put(&Array2::ones((2, 3))), 0),
        (op::fill(4, 5, f64::NAN), 0),
        (op::rand(3, 3, 1), 0),
        (op::unary(Unary::Softmax), 1),
        (op::binary(BinaryFunction::Power), 2),
        (op::with(BinaryFunction::Modulo, -0.0), 1),
        (op::ternary(Ternary::Where), 3),
        (op::ternary(Ternary::Clip { low: -1.0, high: 1.0 }), 1),
        (op::aggregate(AggregateFunction::Moments, Axis::Columns), 3),
        (op::aggregate(AggregateFunction::Var, Axis::Rows), 1),
        (op::matmul(MatmulOp::Product), 4),
        (op::matmul(MatmulOp::Gram), 2),
        (op::matmul(MatmulOp::Cross), 2),
        (op::matmul(MatmulOp::Mmchain), 3),
        (op::matmul(MatmulOp::MmchainWeighted), 5),
        (op::matmul(MatmulOp::MmchainMinus), 3),
        (op::transpose(), 1),
        (op::vstack(), 3),
        (op::hstack(), 2),
        (op::slice(0..5, 1..2), 1),
        (op::columns(&[0, 1, 1]), 1),
    ];
    let names = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(100));
    ops.into_iter()
        .map(|(op, inputs)| {
            let mut program = crate::harness::Program::new(&names);
            let inputs: Vec<u64> = (1..=inputs as u64).collect();
            let output = program.apply(op, &inputs);
            program.drop_variables(&[1]);
            program.fetch(output);
            wire::ExecRequest {
                scope: None,
                program_id: program.id.0.to_vec(),
                instructions: program.instructions.into_iter().map(Into::into).collect(),
                fetch: program.fetch,
            }
            .encode_to_vec()
        })
        .collect()
}

fn blocks() -> Vec<Vec<u8>> {
    let block = |rows: u64, columns: u64| {
        let cells = vec![1.5; (rows * columns) as usize];
        wire::Block::from(Block::new(Shape::new(rows, columns), &cells).unwrap()).encode_to_vec()
    };
    let header = |rows, columns, blake3| {
        wire::MatrixHeader::from(MatrixHeader { blake3, ..MatrixHeader::new(Shape::new(rows, columns)) })
            .encode_to_vec()
    };
    vec![block(0, 3), block(1, 1), block(7, 2), header(5000, 3, None), header(3, 70_000, Some([7; 32]))]
}

/// Damaged a little, cut, or noise altogether.
fn damaged(random: &mut Random, of: &[Vec<u8>]) -> Vec<u8> {
    if random.below(4) == 0 {
        let len = random.below(120);
        return random.bytes(len);
    }
    let mut bytes = random.pick(of).clone();
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len());
        bytes[at] = *random.pick(&[0, 1, 0x7f, 0x80, 0xff, bytes[at] ^ 1, bytes[at].wrapping_add(8)]);
    }
    if random.below(5) == 0 {
        bytes.truncate(random.below(bytes.len()));
    }
    bytes
}

/// Runs a decoder on seeded bytes; the seeds with which it panicked, and how often there was something to decode.
fn run(decode: fn(&[u8]) -> bool, of: &[Vec<u8>]) -> (Vec<u64>, usize) {
    assert!(of.iter().all(|bytes| decode(bytes)), "what is to be damaged is whole");
    let (mut panicked, mut decoded) = (Vec::new(), 0);
    for seed in 0..SEEDS {
        let bytes = damaged(&mut Random::new(seed), of);
        match catch_unwind(AssertUnwindSafe(|| decode(&bytes))) {
            Ok(whole) => decoded += usize::from(whole),
            Err(_) => panicked.push(seed),
        }
    }
    (panicked, decoded)
}

#[test]
fn programs_decode_or_are_refused() {
    let (panicked, decoded) = run(fuzz::program, &programs());
    assert!(
        panicked.is_empty(),
        "seeds that panic: {:?} ({} of {SEEDS})",
        &panicked[..panicked.len().min(5)],
        panicked.len()
    );
    assert!(decoded > SEEDS as usize / 20, "only {decoded} programs were decoded");
}

#[test]
fn blocks_decode_or_are_refused() {
    let (panicked, decoded) = run(fuzz::block, &blocks());
    assert!(
        panicked.is_empty(),
        "seeds that panic: {:?} ({} of {SEEDS})",
        &panicked[..panicked.len().min(5)],
        panicked.len()
    );
    assert!(decoded > SEEDS as usize / 20, "only {decoded} blocks were decoded");
}
