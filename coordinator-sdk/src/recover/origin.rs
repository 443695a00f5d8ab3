//! How variables came to be, as their site was told.

use std::{
    collections::{BTreeMap, HashSet, btree_map::Entry},
    mem,
    sync::{Arc, Weak},
};

use fondaco_proto::{Op, Shape, VarId, op::CreateOp};

use crate::queue::{Bind, How, Item, Used};

/// How a variable was bound, and what it was made of. It outlives the variables that it was made of: those are not kept
/// for it, and can be made again.
pub(crate) struct Origin {
    pub id: VarId,
    pub how: How,
    inputs: Vec<Arc<Origin>>,
    /// As the worker said.
    pub shape: Shape,
    /// Of a read: the version of its dataset, as it was looked at before.
    pub version: Option<Arc<str>>,
}

impl Origin {
    pub fn new(id: VarId, how: How, inputs: Vec<Arc<Origin>>, shape: Shape, version: Option<Arc<str>>) -> Arc<Self> {
        Arc::new(Self { id, how, inputs, shape, version })
    }

    /// The dataset that it was read from, if it was.
    pub fn dataset(&self) -> Option<&str> {
        match &self.how {
            How::Op(op) => dataset_of(op),
            How::Upload(_) => None,
        }
    }

    /// The instruction that binds it again.
    fn bind(&self) -> Bind {
        let used = |input: &Arc<Origin>| Used { id: input.id, shape: Some(input.shape) };
        Bind {
            output: self.id,
            how: self.how.clone(),
            inputs: self.inputs.iter().map(used).collect(),
            shape: Some(self.shape),
            handle: Weak::new(),
            fused: None,
        }
    }
}

/// The dataset that an operator reads, if it does.
pub(crate) fn dataset_of(op: &Op) -> Option<&str> {
    let Op::Create(CreateOp::Read(read)) = op else { return None };
    Some(&read.dataset)
}

/// Origins are as deep as the analysis was long, and dropping them field by field would go as deep on the stack.
impl Drop for Origin {
    fn drop(&mut self) {
        let mut pending = mem::take(&mut self.inputs);
        while let Some(input) = pending.pop() {
            if let Some(mut sole) = Arc::into_inner(input) {
                pending.append(&mut sole.inputs);
            }
        }
    }
}

/// These and what they were made of, by id: inputs before what is made of them, as ids grow.
pub(crate) fn closure(of: impl IntoIterator<Item = Arc<Origin>>) -> BTreeMap<VarId, Arc<Origin>> {
    let mut all = BTreeMap::new();
    let mut open: Vec<Arc<Origin>> = of.into_iter().collect();
    while let Some(origin) = open.pop() {
        if let Entry::Vacant(unseen) = all.entry(origin.id) {
            open.extend(origin.inputs.iter().cloned());
            unseen.insert(origin);
        }
    }
    all
}

/// What binds these again: with all that they were made of, each of which is dropped behind its last use unless it is
/// one of these.
pub(crate) fn items(of: impl IntoIterator<Item = Arc<Origin>>) -> Vec<Item> {
    let of: Vec<Arc<Origin>> = of.into_iter().collect();
    let all = closure(of.iter().cloned());
    let mut last = BTreeMap::new();
    for origin in all.values() {
        last.extend(origin.inputs.iter().map(|input| (input.id, origin.id)));
    }
    for kept in &of {
        last.remove(&kept.id);
    }
    let mut behind: BTreeMap<VarId, Vec<VarId>> = BTreeMap::new();
    for (input, user) in last {
        behind.entry(user).or_default().push(input);
    }
    let mut items = Vec::with_capacity(2 * all.len());
    for origin in all.values() {
        items.push(Item::Bind(origin.bind()));
        items.extend(behind.remove(&origin.id).unwrap_or_default().into_iter().map(Item::Drop));
    }
    items
}

/// Which of these are made of one of those, or are one.
pub(crate) fn made_of(all: &BTreeMap<VarId, Arc<Origin>>, those: &[VarId]) -> Vec<VarId> {
    let mut made: HashSet<VarId> = those.iter().copied().collect();
    for origin in all.values() {
        if origin.inputs.iter().any(|input| made.contains(&input.id)) {
            made.insert(origin.id);
        }
    }
    all.keys().copied().filter(|id| made.contains(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchLimits, batches, testing::*};

    const ONE: Shape = Shape { rows: 1, columns: 1 };

    fn made(id: u64, how: How, inputs: &[&Arc<Origin>]) -> Arc<Origin> {
        Origin::new(VarId(id), how, inputs.iter().map(|input| Arc::clone(input)).collect(), ONE, None)
    }

    #[test]
    fn what_is_lost_is_made_again_in_order() {
        let x = made(1, fill(), &[]);
        let turned = made(3, transpose(), &[&x]);
        let back = made(4, transpose(), &[&turned]);
        let other = made(5, transpose(), &[&x]);
        let limits = BatchLimits { instructions_max: 99, ..LIMITS };
        let text = |of: &[&Arc<Origin>]| written(&batches(items(of.iter().map(|o| Arc::clone(o))), limits)).join("; ");
        assert_eq!(text(&[&back]), "1=fill 3=transpose drop[1] 4=transpose drop[3]");
        assert_eq!(text(&[&back, &x]), "1=fill 3=transpose 4=transpose drop[3]");
        assert_eq!(text(&[&other, &turned]), "1=fill 3=transpose 5=transpose drop[1]");
        assert_eq!(text(&[]), "");
        let all = closure([back, other]);
        assert_eq!(made_of(&all, &[VarId(3)]), [VarId(3), VarId(4)]);
        assert_eq!(made_of(&all, &[VarId(1)]).len(), 4);
    }

    #[test]
    fn a_long_chain_is_walked_and_dropped_without_recursion() {
        let top = (2..200_000).fold(made(1, fill(), &[]), |last, id| made(id, transpose(), &[&last]));
        assert_eq!(items([top.clone()]).len(), 2 * 199_999 - 1);
        drop(top);
    }
}
