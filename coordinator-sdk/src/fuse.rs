//! Finds in what waits for a site what one operator does in one pass, and leaves out the intermediates that nobody else
//! sees. One file per kind of fusion.

mod products;

use std::collections::{HashMap, HashSet};

use fondaco_proto::{Op, VarId};

use crate::queue::{Bind, How, Item, Used};

/// The same items, fused. What is not used any more is still among them; drops are where they were.
pub(crate) fn fuse(items: Vec<Item>) -> Vec<Item> {
    let mut waiting = Waiting::of(items);
    for index in 0..waiting.items.len() {
        products::fuse(&mut waiting, index);
    }
    waiting.items
}

/// What waits for a site, as a graph.
struct Waiting {
    items: Vec<Item>,
    /// At which item a variable is bound.
    bound: HashMap<VarId, usize>,
    /// How often a variable is an input.
    uses: HashMap<VarId, usize>,
    dropped: HashSet<VarId>,
}

impl Waiting {
    fn of(items: Vec<Item>) -> Self {
        let (mut bound, mut uses, mut dropped) = (HashMap::new(), HashMap::new(), HashSet::new());
        for (index, item) in items.iter().enumerate() {
            match item {
                Item::Bind(bind) => {
                    bound.insert(bind.output, index);
                    for input in &bind.inputs {
                        *uses.entry(input.id).or_default() += 1;
                    }
                }
                Item::Drop(id) => drop(dropped.insert(*id)),
                Item::Cleanup(_) => {}
            }
        }
        Self { items, bound, uses, dropped }
    }

    /// The instruction at an item, if it is one.
    fn instruction(&self, index: usize) -> Option<(&Op, &[Used])> {
        match &self.items[index] {
            Item::Bind(Bind { how: How::Op(op), inputs, .. }) => Some((op, inputs)),
            Item::Bind(Bind { how: How::Upload(_), .. }) | Item::Drop(_) | Item::Cleanup(_) => None,
        }
    }

    /// The instruction that binds a variable, if it waits.
    fn made_by(&self, variable: Used) -> Option<(&Op, &[Used])> {
        self.instruction(*self.bound.get(&variable.id)?)
    }

    /// The instruction that binds a variable that only one other uses: nobody holds it, so nobody fetches it, and
    /// nobody misses it.
    fn intermediate(&self, variable: Used) -> Option<(&Op, &[Used])> {
        let alone = self.dropped.contains(&variable.id) && self.uses.get(&variable.id) == Some(&1);
        if alone { self.made_by(variable) } else { None }
    }

    /// Another operator on other inputs in the place of an instruction. `instead_of`: what it stands for.
    fn replace(&mut self, index: usize, op: Op, inputs: Vec<Used>, instead_of: &'static str) {
        let Item::Bind(bind) = &mut self.items[index] else { return };
        for input in &bind.inputs {
            self.uses.entry(input.id).and_modify(|uses| *uses -= 1);
        }
        for input in &inputs {
            *self.uses.entry(input.id).or_default() += 1;
        }
        *bind = Bind { how: How::Op(op), inputs, fused: Some(instead_of), ..bind.clone() };
    }
}
