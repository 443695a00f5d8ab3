//! Decoders on any bytes: they answer or refuse, and never panic. Fuzz targets call these functions with what they
//! come upon; the integration tests call them with seeded bytes, so that they also run on stable.

use fondaco_proto::{
    Axes, Block, Facet, Instruction, MatrixHeader, Op, Program, ProgramLimits, Shape, op::Arity, wire,
};
use prost::Message as _;

/// Limits small enough to be met.
const LIMITS: ProgramLimits = ProgramLimits { program_instructions_max: 64, inline_bytes_max: 4096 };

/// Extents at which arithmetic goes wrong, if it does.
const EXTENTS: [u64; 8] = [0, 1, 2, 5, 4096, 1 << 32, 1 << 63, u64::MAX];

/// Decodes an `ExecRequest` and parses its program. What is well-formed goes through the rules of arity, shape and
/// label, and comes back the same after another trip over the wire. Says whether there was a program.
///
/// # Panics
/// If a decoder or a rule does, or a program changes on the way.
pub fn program(bytes: &[u8]) -> bool {
    let Ok(request) = wire::ExecRequest::decode(bytes) else { return false };
    let Ok(program) = Program::parse(&request.program_id, request.instructions, request.fetch, &LIMITS) else {
        return false;
    };
    for (index, instruction) in program.instructions.iter().enumerate() {
        if let Instruction::Apply(apply) = instruction {
            rules(&apply.op, apply.inputs.len(), index);
        }
    }
    let sent = program.instructions.iter().cloned().map(Into::into).collect();
    let fetch = program.fetch.iter().map(|var| var.0).collect();
    let back = Program::parse(&program.id.0, sent, fetch, &LIMITS).map(|program| program.instructions);
    let same = back.is_ok_and(|back| {
        let bytes = |instructions: &[Instruction]| instructions.iter().map(canonical).collect::<Vec<_>>();
        bytes(&back) == bytes(&program.instructions)
    });
    assert!(same, "a program changed on its way over the wire");
    true
}

/// What of an instruction counts: names, and the operator by its canonical bytes (a NaN is equal to itself there).
fn canonical(instruction: &Instruction) -> (Vec<u64>, Vec<u8>) {
    match instruction {
        Instruction::Drop(variables) => (variables.iter().map(|var| var.0).collect(), Vec::new()),
        Instruction::Apply(apply) => {
            let names = std::iter::once(apply.output.0).chain(apply.inputs.iter().map(|var| var.0));
            (names.collect(), apply.op.canonical())
        }
    }
}

/// Asks an operator for shapes and effects of inputs of every awkward extent.
fn rules(op: &Op, inputs: usize, salt: usize) {
    const AXES: [Axes; 5] = [Axes::None, Axes::Rows, Axes::Columns, Axes::Both, Axes::Entangled];
    let fixed = match op.arity() {
        Arity::Exactly(n) => n,
        Arity::Groups { fixed, group } => fixed + group,
    };
    for round in 0..EXTENTS.len() * EXTENTS.len() {
        let shapes: Vec<Shape> = (0..inputs)
            .map(|i| {
                let turn = round + salt + if i < fixed { i * 3 } else { 0 };
                Shape::new(EXTENTS[turn % EXTENTS.len()], EXTENTS[round / EXTENTS.len()])
            })
            .collect();
        if op.shape(&shapes).is_err() {
            continue;
        }
        let facet = |(i, shape): (usize, &Shape)| Facet {
            shape: *shape,
            axes: AXES[(round + i) % AXES.len()],
            plain: (round + i).is_multiple_of(2),
            native: (round + i).is_multiple_of(4),
        };
        let _effect = op.effect(&shapes.iter().enumerate().map(facet).collect::<Vec<_>>());
    }
}

/// Decodes a block, and a matrix header, as they come with a program or before an upload. What is well-formed comes
/// back the same after another trip over the wire. Says whether there was one.
///
/// # Panics
/// If a decoder does, or a value changes on the way.
pub fn block(bytes: &[u8]) -> bool {
    let header = wire::MatrixHeader::decode(bytes).ok().and_then(|header| MatrixHeader::try_from(header).ok());
    if let Some(header) = header {
        let back = MatrixHeader::try_from(wire::MatrixHeader::from(header));
        assert!(back.is_ok_and(|back| back == header), "a matrix header changed on its way over the wire");
    }
    let block = wire::Block::decode(bytes).ok().and_then(|block| Block::try_from(block).ok());
    let Some(block) = block else { return header.is_some() };
    assert_eq!(block.values().len() * 8, block.bytes().len(), "a block has as many doubles as its bytes");
    let back = Block::try_from(wire::Block::from(block.clone()));
    let same = back.is_ok_and(|back| back.shape() == block.shape() && back.bytes() == block.bytes());
    assert!(same, "a block changed on its way over the wire");
    true
}
