//! How what is sent to a site becomes programs. No operator is known here.

use std::sync::Weak;

use fondaco_proto::{Apply, Instruction, Op, Shape, VarId, op::CreateOp};

use crate::{
    Limits,
    queue::{Bind, How, Item, Variable},
    transfer::Upload,
};

/// What one `Exec` carries, with the uploads that go before it.
#[derive(Default)]
pub(crate) struct Batch {
    /// What is bound by itself, each an upload.
    pub uploads: Vec<Output>,
    pub instructions: Vec<Instruction>,
    /// For each instruction, what it binds; `None` for a drop.
    pub outputs: Vec<Option<Output>>,
    /// Bytes of its inline operands, and of lists.
    pub inline_bytes: u64,
}

/// A variable that a batch binds.
pub(crate) struct Output {
    pub id: VarId,
    /// As planned.
    pub shape: Option<Shape>,
    pub handle: Weak<Variable>,
    /// What was uploaded, if it is no operator's result.
    pub upload: Option<Upload>,
    /// Its shape, once its program has committed.
    pub bound: Option<Shape>,
}

/// What a worker accepts at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchLimits {
    pub instructions_max: usize,
    /// Of one inline operand; larger ones go by `Put`.
    pub inline_bytes_max: u64,
    /// Of all inline operands of a program, and of lists.
    pub inline_total_bytes_max: u64,
}

/// Items as programs that a worker accepts, in order; at least one.
pub(crate) fn batches(items: Vec<Item>, limits: BatchLimits) -> Vec<Batch> {
    limits.split(items).into_iter().map(|items| batch(items, &limits)).collect()
}

/// Items that go in one program.
pub(crate) fn batch(items: Vec<Item>, limits: &BatchLimits) -> Batch {
    let mut batch = Batch::default();
    items.into_iter().for_each(|item| batch.add(item, limits.inline_bytes_max));
    batch
}

impl BatchLimits {
    /// What a site accepts.
    pub fn of(limits: &Limits) -> Self {
        Self {
            instructions_max: limits.program_instructions_max as usize,
            inline_bytes_max: limits.inline_bytes_max,
            inline_total_bytes_max: limits.message_bytes_max / 2,
        }
    }

    /// Whether an item is an upload that goes by itself, before the program.
    pub fn is_put(&self, item: &Item) -> bool {
        matches!(item, Item::Bind(Bind { how: How::Upload(upload), .. }) if !upload.is_inline(self.inline_bytes_max))
    }

    /// The bytes that an item adds to a program.
    fn inline_bytes(&self, item: &Item) -> u64 {
        match item {
            Item::Bind(Bind { how: How::Upload(upload), .. }) if !self.is_put(item) => upload.bytes(),
            Item::Bind(Bind { how: How::Op(op), .. }) => op.list_bytes(),
            Item::Bind(_) | Item::Drop(_) | Item::Cleanup(_) => 0,
        }
    }

    /// Cuts items into what goes in one program each; at least one, which may be empty.
    pub fn split(&self, items: Vec<Item>) -> Vec<Vec<Item>> {
        let mut programs = vec![Vec::new()];
        // Drops behind each other are one instruction, and large uploads are none.
        let (mut instructions, mut bytes, mut after_drop) = (0, 0, false);
        for item in items {
            let inline = self.inline_bytes(&item);
            let full =
                instructions >= self.instructions_max || (inline > 0 && bytes + inline > self.inline_total_bytes_max);
            if full && instructions > 0 {
                programs.push(Vec::new());
                (instructions, bytes, after_drop) = (0, 0, false);
            }
            let is_drop = matches!(item, Item::Drop(_) | Item::Cleanup(_));
            let put = self.is_put(&item);
            if !(put || is_drop && after_drop) {
                instructions += 1;
            }
            after_drop = is_drop || (put && after_drop);
            bytes += inline;
            if let Some(program) = programs.last_mut() {
                program.push(item);
            }
        }
        programs
    }
}

impl Batch {
    fn add(&mut self, item: Item, inline_bytes_max: u64) {
        match item {
            Item::Drop(id) | Item::Cleanup(id) => match self.instructions.last_mut() {
                Some(Instruction::Drop(ids)) => ids.push(id),
                _ => {
                    self.instructions.push(Instruction::Drop(vec![id]));
                    self.outputs.push(None);
                }
            },
            Item::Bind(Bind { output, how, inputs, shape, handle, fused: _ }) => {
                let inputs = inputs.into_iter().map(|input| input.id).collect();
                let mut bound = Output { id: output, shape, handle, upload: None, bound: None };
                let op = match how {
                    How::Op(op) => {
                        self.inline_bytes += op.list_bytes();
                        op
                    }
                    How::Upload(upload) => {
                        let block = upload.block(inline_bytes_max);
                        let bytes = upload.bytes();
                        bound.upload = Some(upload);
                        let Some(block) = block else {
                            self.uploads.push(bound);
                            return;
                        };
                        self.inline_bytes += bytes;
                        Op::Create(CreateOp::Put(block))
                    }
                };
                self.instructions.push(Instruction::Apply(Apply { output, op, inputs }));
                self.outputs.push(Some(bound));
            }
        }
    }

    /// What its instructions are applied to.
    pub fn uses(&self) -> impl Iterator<Item = VarId> + '_ {
        self.instructions
            .iter()
            .flat_map(|instruction| match instruction {
                Instruction::Apply(apply) => apply.inputs.as_slice(),
                Instruction::Drop(_) => &[],
            })
            .copied()
    }

    /// Whether it reads a dataset.
    pub fn reads(&self) -> bool {
        let read = |instruction: &Instruction| match instruction {
            Instruction::Apply(apply) => matches!(apply.op, Op::Create(CreateOp::Read(_))),
            Instruction::Drop(_) => false,
        };
        self.instructions.iter().any(read)
    }

    /// What it would drop.
    pub fn drops(&self) -> impl Iterator<Item = VarId> + '_ {
        self.instructions
            .iter()
            .flat_map(|instruction| match instruction {
                Instruction::Drop(ids) => ids.as_slice(),
                Instruction::Apply(_) => &[],
            })
            .copied()
    }

    /// What it would bind.
    pub fn into_outputs(self) -> impl Iterator<Item = Output> {
        self.uploads.into_iter().chain(self.outputs.into_iter().flatten())
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Short ways to queue things and to read programs.
    use fondaco_proto::op::{Fill, ReorgOp};
    use ndarray::Array2;

    use super::*;
    use crate::transfer::Source;

    pub(crate) const LIMITS: BatchLimits =
        BatchLimits { instructions_max: 3, inline_bytes_max: 16, inline_total_bytes_max: 24 };

    pub(crate) fn fill() -> How {
        How::Op(Op::Create(CreateOp::Fill(Fill { shape: Shape::new(1, 1), value: 0.0 })))
    }

    pub(crate) fn transpose() -> How {
        How::Op(Op::Reorg(ReorgOp::Transpose))
    }

    pub(crate) fn upload(cells: u64) -> How {
        How::Upload(Upload::new(Source::Here(Array2::zeros((1, cells as usize)).to_shared()), 0..1, 0..cells))
    }

    /// Each program as text.
    pub(crate) fn written(batches: &[Batch]) -> Vec<String> {
        let one = |instruction: &Instruction| match instruction {
            Instruction::Apply(apply) => format!("{}={}", apply.output.0, apply.op.name()),
            Instruction::Drop(ids) => format!("drop{:?}", ids.iter().map(|id| id.0).collect::<Vec<_>>()),
        };
        batches.iter().map(|batch| batch.instructions.iter().map(one).collect::<Vec<_>>().join(" ")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::*, *};
    use crate::queue::Queues;

    #[test]
    fn programs_stay_within_the_limits() {
        let queues = Queues::new(1);
        let small: Vec<_> = (0..4).map(|_| queues.bind(0, upload(1), &[], None)).collect();
        let large = queues.bind(0, upload(3), &[], None);
        let more: Vec<_> = (0..3).map(|_| queues.bind(0, fill(), &[], None)).collect();
        let batches = batches(queues.take_waiting().remove(0).items, LIMITS);
        assert_eq!(written(&batches), ["1=put 2=put 3=put", "4=put 6=fill 7=fill", "8=fill"]);
        assert_eq!(batches[1].uploads.len(), 1);
        assert_eq!(batches.into_iter().flat_map(Batch::into_outputs).count(), 8);
        drop((small, large, more));
    }
}
