//! Programs: what one `Exec` carries, parsed whole or refused whole.

use std::collections::HashSet;

use crate::{Canonical, Error, Op, ProgramId, Result, VarId, op::CreateOp, wire};

/// What a program may hold; checked while it is parsed.
#[derive(Clone, Copy, Debug)]
pub struct ProgramLimits {
    /// Instructions of one program.
    pub program_instructions_max: usize,
    /// Bytes of one inline operand.
    pub inline_bytes_max: usize,
}

/// An ordered batch of instructions; atomic.
#[derive(Clone, Debug)]
pub struct Program {
    /// The id under which a retry is known.
    pub id: ProgramId,
    /// In order.
    pub instructions: Vec<Instruction>,
    /// Variables to release after the commit.
    pub fetch: Vec<VarId>,
}

/// One step of a program.
#[derive(Clone, Debug)]
pub enum Instruction {
    /// Binds a new variable.
    Apply(Apply),
    /// Forgets variables; their names stay taken.
    Drop(Vec<VarId>),
}

/// `output = op(inputs)`.
#[derive(Clone, Debug)]
pub struct Apply {
    /// The variable to bind.
    pub output: VarId,
    /// The operator.
    pub op: Op,
    /// Its inputs, as many as its arity says.
    pub inputs: Vec<VarId>,
}

impl Program {
    /// Parses and checks a program: known operators with all their parameters, right numbers of inputs, every
    /// output bound once and never before it is made, nothing used after its drop.
    ///
    /// # Errors
    /// `Invalid` or `Limit`, with the index of the instruction.
    pub fn parse(
        id: &[u8],
        instructions: Vec<wire::Instruction>,
        fetch: Vec<u64>,
        limits: &ProgramLimits,
    ) -> Result<Self> {
        let id = ProgramId::from_bytes(id)?;
        if instructions.len() > limits.program_instructions_max {
            let message = format!(
                "the program has {} instructions; at most {} (program_instructions_max) go in one",
                instructions.len(),
                limits.program_instructions_max
            );
            return Err(Error::limit(message));
        }
        let mut names = Names::default();
        let mut parsed = Vec::with_capacity(instructions.len());
        for (index, instruction) in instructions.into_iter().enumerate() {
            let instruction = Instruction::parse(instruction, limits).map_err(|error| error.at(index))?;
            names.visit(&instruction).map_err(|error| error.at(index))?;
            parsed.push(instruction);
        }
        let fetch: Vec<VarId> = fetch.into_iter().map(VarId).collect();
        if let Some(gone) = fetch.iter().find(|var| names.dropped.contains(var)) {
            return Err(Error::invalid(format!("{gone} is fetched, but the program drops it")));
        }
        Ok(Self { id, instructions: parsed, fetch })
    }
}

/// The names that a program has bound and dropped so far.
#[derive(Default)]
struct Names {
    bound: HashSet<VarId>,
    used: HashSet<VarId>,
    dropped: HashSet<VarId>,
}

impl Names {
    fn visit(&mut self, instruction: &Instruction) -> Result<()> {
        match instruction {
            Instruction::Apply(apply) => {
                for input in &apply.inputs {
                    if self.dropped.contains(input) {
                        return Err(Error::invalid(format!("{input} was dropped earlier in this program")));
                    }
                    self.used.insert(*input);
                }
                let output = apply.output;
                if self.used.contains(&output) && !self.bound.contains(&output) {
                    return Err(Error::invalid(format!("{output} is used before it is bound")));
                }
                if !self.bound.insert(output) {
                    return Err(Error::invalid(format!("{output} is bound twice; every output needs a new name")));
                }
            }
            Instruction::Drop(variables) => self.dropped.extend(variables),
        }
        Ok(())
    }
}

impl Instruction {
    fn parse(instruction: wire::Instruction, limits: &ProgramLimits) -> Result<Self> {
        use wire::instruction::Effect;
        match instruction.effect {
            None => Err(Error::invalid("the instruction is empty or of a newer protocol: give `apply` or `drop`")),
            Some(Effect::Drop(drop)) => Ok(Self::Drop(drop.variables.into_iter().map(VarId).collect())),
            Some(Effect::Apply(apply)) => {
                let op = apply.op.ok_or_else(|| Error::invalid("`apply` needs an op"))?;
                let op = Op::try_from(op)?;
                if let Op::Create(CreateOp::Put(block)) = &op
                    && block.bytes().len() > limits.inline_bytes_max
                {
                    let message = format!(
                        "the inline operand has {} bytes; more than {} (inline_bytes_max) go by `Put`",
                        block.bytes().len(),
                        limits.inline_bytes_max
                    );
                    return Err(Error::limit(message));
                }
                op.check_arity(apply.inputs.len())?;
                let inputs = apply.inputs.into_iter().map(VarId).collect();
                Ok(Self::Apply(Apply { output: VarId(apply.output), op, inputs }))
            }
        }
    }
}

impl From<Instruction> for wire::Instruction {
    fn from(instruction: Instruction) -> Self {
        use wire::instruction::Effect;
        let effect = match instruction {
            Instruction::Drop(variables) => {
                Effect::Drop(wire::Drop { variables: variables.into_iter().map(|v| v.0).collect() })
            }
            Instruction::Apply(apply) => Effect::Apply(wire::Apply {
                output: apply.output.0,
                op: Some(apply.op.into()),
                inputs: apply.inputs.into_iter().map(|v| v.0).collect(),
            }),
        };
        Self { effect: Some(effect) }
    }
}

impl Op {
    /// The bytes that stand for this operator in lineage keys.
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Canonical::default();
        self.write_canonical(&mut out);
        out.into_bytes()
    }
}
