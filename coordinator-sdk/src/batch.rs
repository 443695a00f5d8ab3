//! How what waits for a site becomes programs. No operator is known here.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Weak},
};

use fondaco_proto::{Apply, Block, Instruction, Op, Shape, VarId, op::CreateOp};

use crate::{
    Error,
    queue::{Bind, Fetch, How, Item, SiteQueue, Variable},
    transfer::Upload,
};

/// What is left of a site's queue: nothing that needs a variable whose program failed, nothing that is dropped before
/// anybody used it. `failed` are the variables that were never bound, until they are dropped.
pub(crate) fn screen(queue: SiteQueue, failed: &mut HashMap<VarId, Error>) -> (Vec<Item>, Vec<Arc<Fetch>>) {
    let mut items = Vec::with_capacity(queue.items.len());
    for item in queue.items {
        match item {
            Item::Bind(bind) => match bind.inputs.iter().find_map(|input| failed.get(input)).cloned() {
                Some(error) => {
                    failed.insert(bind.output, error.clone());
                    if let Some(handle) = bind.handle.upgrade() {
                        handle.bound.get_or_init(|| Err(error));
                    }
                }
                None => items.push(Item::Bind(bind)),
            },
            Item::Drop(id) if failed.remove(&id).is_some() => {}
            Item::Drop(_) | Item::Cleanup(_) => items.push(item),
        }
    }
    let mut fetches = Vec::new();
    for fetch in queue.fetches.iter().filter_map(Weak::upgrade) {
        match failed.get(&fetch.variable.id) {
            Some(error) => fetch.deliver(Err(error.clone())),
            None => fetches.push(fetch),
        }
    }
    (without_dead(items), fetches)
}

/// Leaves out what is dropped without ever being used. A fetched variable has a handle, so it is not dropped.
fn without_dead(items: Vec<Item>) -> Vec<Item> {
    let mut dropped = HashSet::new();
    let mut used = HashSet::new();
    let mut dead = HashSet::new();
    for item in items.iter().rev() {
        match item {
            Item::Drop(id) => drop(dropped.insert(*id)),
            Item::Cleanup(_) => {}
            Item::Bind(bind) if dropped.contains(&bind.output) && !used.contains(&bind.output) => {
                dead.insert(bind.output);
            }
            Item::Bind(bind) => used.extend(bind.inputs.iter().copied()),
        }
    }
    let alive = |item: &Item| match item {
        Item::Drop(id) => !dead.contains(id),
        Item::Cleanup(_) => true,
        Item::Bind(bind) => !dead.contains(&bind.output),
    };
    items.into_iter().filter(alive).collect()
}

/// What one `Exec` carries, with the uploads that go before it.
#[derive(Default)]
pub(crate) struct Batch {
    pub uploads: Vec<(Output, Upload)>,
    pub instructions: Vec<Instruction>,
    /// For each instruction, what it binds; `None` for a drop.
    pub outputs: Vec<Option<Output>>,
    /// Bytes of its inline operands, and of lists.
    pub inline_bytes: u64,
}

/// A variable that a batch binds.
#[derive(Clone)]
pub(crate) struct Output {
    pub id: VarId,
    pub shape: Option<Shape>,
    pub handle: Weak<Variable>,
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

/// Cuts a queue into programs that a worker accepts, in order; at least one.
pub(crate) fn batches(items: Vec<Item>, limits: BatchLimits) -> Vec<Batch> {
    let mut done = Vec::new();
    let mut batch = Batch::default();
    for item in items {
        let inline = match &item {
            Item::Bind(Bind { how: How::Upload(upload), .. }) if upload.bytes() <= limits.inline_bytes_max => {
                upload.bytes()
            }
            Item::Bind(Bind { how: How::Op(op), .. }) => op.list_bytes(),
            Item::Bind(_) | Item::Drop(_) | Item::Cleanup(_) => 0,
        };
        let full = batch.instructions.len() >= limits.instructions_max
            || (inline > 0 && batch.inline_bytes + inline > limits.inline_total_bytes_max);
        if full && !batch.instructions.is_empty() {
            done.push(std::mem::take(&mut batch));
        }
        batch.inline_bytes += inline;
        batch.add(item, limits.inline_bytes_max);
    }
    done.push(batch);
    done
}

fn inline(upload: &Upload, inline_bytes_max: u64) -> Option<Block> {
    if upload.bytes() <= inline_bytes_max { upload.block().ok() } else { None }
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
            Item::Bind(Bind { output, how, inputs, shape, handle }) => {
                let bound = Output { id: output, shape, handle };
                let op = match how {
                    How::Op(op) => op,
                    How::Upload(upload) => match inline(&upload, inline_bytes_max) {
                        Some(block) => Op::Create(CreateOp::Put(block)),
                        None => {
                            self.uploads.push((bound, upload));
                            return;
                        }
                    },
                };
                self.instructions.push(Instruction::Apply(Apply { output, op, inputs }));
                self.outputs.push(Some(bound));
            }
        }
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
        self.uploads.into_iter().map(|(output, _)| output).chain(self.outputs.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use fondaco_proto::op::{Fill, ReorgOp};

    use super::*;
    use crate::queue::Queues;
    use ndarray::Array2;

    const LIMITS: BatchLimits = BatchLimits { instructions_max: 3, inline_bytes_max: 16, inline_total_bytes_max: 24 };

    fn fill() -> How {
        How::Op(Op::Create(CreateOp::Fill(Fill { shape: Shape::new(1, 1), value: 0.0 })))
    }

    fn transpose() -> How {
        How::Op(Op::Reorg(ReorgOp::Transpose))
    }

    fn upload(cells: u64) -> How {
        How::Upload(Upload::new(Array2::zeros((1, cells as usize)).to_shared(), 0..1, 0..cells))
    }

    fn written(batches: &[Batch]) -> Vec<String> {
        let one = |instruction: &Instruction| match instruction {
            Instruction::Apply(apply) => format!("{}={}", apply.output.0, apply.op.name()),
            Instruction::Drop(ids) => format!("drop{:?}", ids.iter().map(|id| id.0).collect::<Vec<_>>()),
        };
        batches.iter().map(|batch| batch.instructions.iter().map(one).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn drops_follow_the_last_use_and_ride_along() {
        let queues = Queues::new(1);
        let (x, _) = queues.bind(0, fill(), vec![], None);
        let (y, _) = queues.bind(0, transpose(), vec![x.id], None);
        drop(x);
        let fetch = queues.fetch(y.clone(), Shape::new(1, 1));
        drop(y);
        let queue = queues.take().remove(0);
        let (items, fetches) = screen(queue, &mut HashMap::new());
        assert_eq!(
            (written(&batches(items, LIMITS)), fetches.len()),
            (vec!["1=fill 2=transpose drop[1]".to_owned()], 1)
        );
        drop((fetch, fetches));
        assert!(queues.take().remove(0).items.is_empty(), "a drop alone is not worth a program");
        let (items, _) = screen(queues.take_lone_drops(0), &mut HashMap::new());
        assert_eq!(written(&batches(items, LIMITS)), ["drop[2]"]);
    }

    #[test]
    fn what_nobody_uses_is_not_sent() {
        let queues = Queues::new(1);
        let (x, _) = queues.bind(0, fill(), vec![], None);
        let (y, _) = queues.bind(0, transpose(), vec![x.id], None);
        drop((x, y));
        drop(queues.fetch(queues.bind(0, fill(), vec![], None).0, Shape::new(1, 1)));
        let (items, fetches) = screen(queues.take().remove(0), &mut HashMap::new());
        assert!(items.is_empty() && fetches.is_empty());
    }

    #[test]
    fn uses_of_a_failed_variable_repeat_its_error() {
        let queues = Queues::new(1);
        let (x, _) = queues.bind(0, fill(), vec![], None);
        drop(queues.take());
        let mut failed = HashMap::from([(x.id, Error::Closed)]);
        let (y, _) = queues.bind(0, transpose(), vec![x.id], None);
        let fetch = queues.fetch(y.clone(), Shape::new(1, 1));
        let (other, _) = queues.bind(0, fill(), vec![], None);
        drop(x);
        let (items, _) = screen(queues.take().remove(0), &mut failed);
        assert_eq!(written(&batches(items, LIMITS)), ["3=fill"]);
        assert!(y.check().is_err() && other.check().is_ok());
        assert_eq!(fetch.take().unwrap().unwrap_err(), Error::Closed);
        assert_eq!(failed.keys().copied().collect::<Vec<_>>(), [y.id]);
    }

    #[test]
    fn programs_stay_within_the_limits() {
        let queues = Queues::new(1);
        let small: Vec<_> = (0..4).map(|_| queues.bind(0, upload(1), vec![], None)).collect();
        let large = queues.bind(0, upload(3), vec![], None);
        let more: Vec<_> = (0..3).map(|_| queues.bind(0, fill(), vec![], None)).collect();
        let (items, _) = screen(queues.take().remove(0), &mut HashMap::new());
        let batches = batches(items, LIMITS);
        assert_eq!(written(&batches), ["1=put 2=put 3=put", "4=put 6=fill 7=fill", "8=fill"]);
        assert_eq!(batches[1].uploads.len(), 1);
        assert_eq!(batches.into_iter().flat_map(Batch::into_outputs).count(), 8);
        drop((small, large, more));
    }
}
