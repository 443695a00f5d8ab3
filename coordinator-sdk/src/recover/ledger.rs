//! What a site has bound for this federation, and how each variable came to be.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Weak},
};

use fondaco_proto::{Instruction, Shape, VarId};

use super::origin::{Origin, dataset_of};
use crate::{
    batch::{Batch, Output},
    queue::{How, Variable},
};

/// The variables of one site.
#[derive(Default)]
pub(crate) struct Ledger {
    entries: HashMap<VarId, Entry>,
    /// Whether some of them are not bound: the scope was opened anew, and what was lost is not all made again.
    pub damaged: bool,
}

/// One that was bound.
struct Entry {
    /// How; not known of what was made while nothing was to be recovered.
    origin: Option<Arc<Origin>>,
    handle: Weak<Variable>,
}

/// What is to be made again.
#[derive(Default)]
pub(crate) struct Needed {
    pub origins: Vec<Arc<Origin>>,
    /// What cannot, because nobody knows how.
    pub unknown: Vec<VarId>,
}

impl Ledger {
    /// An upload arrived. `recovers`: whether to remember how.
    pub fn uploaded(&mut self, output: &mut Output, shape: Shape, recovers: bool) {
        output.bound = Some(shape);
        let how = output.upload.take().filter(|_| recovers).map(How::Upload);
        let origin = how.map(|how| Origin::new(output.id, how, Vec::new(), shape, None));
        self.entries.insert(output.id, Entry { origin, handle: output.handle.clone() });
    }

    /// A program has committed: its outputs, whose shapes are these, are bound; what it drops is not any more.
    /// `version`: that of a dataset before it was read.
    pub fn committed(
        &mut self,
        batch: &mut Batch,
        shapes: &[Shape],
        recovers: bool,
        version: impl Fn(&str) -> Option<Arc<str>>,
    ) {
        for ((instruction, output), shape) in batch.instructions.iter().zip(&mut batch.outputs).zip(shapes) {
            match (instruction, output) {
                (Instruction::Apply(apply), Some(output)) => {
                    output.bound = Some(*shape);
                    let input = |id| self.entries.get(id)?.origin.clone();
                    let inputs = if recovers { apply.inputs.iter().map(input).collect() } else { None };
                    let origin = inputs.map(|inputs| {
                        let how = output.upload.take().map_or_else(|| How::Op(apply.op.clone()), How::Upload);
                        let version = dataset_of(&apply.op).and_then(&version);
                        Origin::new(output.id, how, inputs, *shape, version)
                    });
                    self.entries.insert(output.id, Entry { origin, handle: output.handle.clone() });
                }
                (Instruction::Drop(ids), _) => self.forget(ids.iter().copied()),
                (Instruction::Apply(_), None) => {}
            }
        }
    }

    /// These are not bound any more, or will not be, and nobody can use them.
    pub fn forget(&mut self, variables: impl IntoIterator<Item = VarId>) {
        for id in variables {
            self.entries.remove(&id);
        }
    }

    /// How things came to be is forgotten.
    pub fn forget_origins(&mut self) {
        self.entries.values_mut().for_each(|entry| entry.origin = None);
    }

    /// Those that somebody holds. Whoever uses another has queued that before he gave up his handle.
    pub fn held(&self) -> HashSet<VarId> {
        let held = self.entries.iter().filter(|(_, entry)| entry.handle.strong_count() > 0);
        held.map(|(id, _)| *id).collect()
    }

    /// How these were made, of those that were bound; all others are forgotten.
    pub fn needed(&mut self, used: &HashSet<VarId>) -> Needed {
        self.entries.retain(|id, _| used.contains(id));
        let mut needed = Needed::default();
        for (id, entry) in &self.entries {
            match &entry.origin {
                Some(origin) => needed.origins.push(Arc::clone(origin)),
                None => needed.unknown.push(*id),
            }
        }
        needed
    }
}
