//! What is sent now, and what has to wait for a relay: values that other sites release first. No operator is known here;
//! those of [`fuse`] know theirs.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Weak},
};

use fondaco_proto::VarId;

use crate::{
    Error,
    fuse::fuse,
    queue::{Bind, Fetch, How, Item, SiteQueue},
};

/// What waits for one site: one program as a rule; where something is relayed, one after another.
pub(crate) struct Waiting {
    pub items: Vec<Item>,
    pub fetches: Vec<Arc<Fetch>>,
}

impl Waiting {
    /// What there is to send of what waits for all sites.
    pub fn of(queues: Vec<SiteQueue>) -> Vec<Self> {
        let (items, fetches): (Vec<_>, Vec<_>) =
            queues.into_iter().map(|queue| (prepared(queue.items), queue.fetches)).unzip();
        // A relay that nobody needs is gone by now, and its releases with it.
        let upgraded = |fetches: Vec<Weak<Fetch>>| fetches.iter().filter_map(Weak::upgrade).collect();
        items
            .into_iter()
            .zip(fetches.into_iter().map(upgraded))
            .map(|(items, fetches)| Self { items, fetches })
            .collect()
    }

    /// Nothing but these items.
    pub fn more(&mut self, items: Vec<Item>) {
        self.items.extend(items);
    }

    /// Whether anything is left.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.fetches.is_empty()
    }

    /// What is left is applied to these.
    pub fn uses(&self) -> HashSet<VarId> {
        let binds = self.items.iter().filter_map(|item| match item {
            Item::Bind(bind) => Some(bind),
            Item::Drop(_) | Item::Cleanup(_) => None,
        });
        binds.flat_map(|bind| bind.inputs.iter().map(|input| input.id)).collect()
    }

    /// How much is left.
    pub fn len(&self) -> usize {
        self.items.len() + self.fetches.len()
    }

    /// Takes what can be sent now, in order. What needs a variable whose program failed, or a relay that was refused,
    /// repeats the error. `failed` are the variables that were never bound, until they are dropped.
    pub fn ready(&mut self, failed: &mut HashMap<VarId, Error>) -> (Vec<Item>, Vec<Arc<Fetch>>) {
        let (mut ready, mut late) = (Vec::with_capacity(self.items.len()), Vec::new());
        // What late items bind, and what they need at their site.
        let (mut unbound, mut needed) = (HashSet::new(), HashSet::new());
        for item in std::mem::take(&mut self.items) {
            match item {
                Item::Bind(bind) => match state(&bind, &unbound, failed) {
                    State::Ready => ready.push(Item::Bind(bind)),
                    State::Late => {
                        unbound.insert(bind.output);
                        needed.extend(bind.inputs.iter().map(|input| input.id).chain([bind.output]));
                        late.push(Item::Bind(bind));
                    }
                    State::Failed(error) => {
                        failed.insert(bind.output, error.clone());
                        if let Some(handle) = bind.handle.upgrade() {
                            handle.bound.get_or_init(|| Err(error));
                        }
                    }
                },
                Item::Drop(id) if needed.contains(&id) => late.push(Item::Drop(id)),
                Item::Drop(id) if failed.remove(&id).is_some() => {}
                Item::Drop(_) | Item::Cleanup(_) => ready.push(item),
            }
        }
        self.items = late;
        let mut released = Vec::new();
        for fetch in std::mem::take(&mut self.fetches) {
            match failed.get(&fetch.variable.id) {
                Some(error) => fetch.deliver(Err(error.clone())),
                None if unbound.contains(&fetch.variable.id) => self.fetches.push(fetch),
                None => released.push(fetch),
            }
        }
        (ready, released)
    }
}

/// Whether an instruction can be sent.
enum State {
    Ready,
    Late,
    Failed(Error),
}

fn state(bind: &Bind, unbound: &HashSet<VarId>, failed: &HashMap<VarId, Error>) -> State {
    if let Some(error) = bind.inputs.iter().find_map(|input| failed.get(&input.id)) {
        return State::Failed(error.clone());
    }
    let relayed = match &bind.how {
        How::Upload(upload) => upload.arrived(),
        How::Op(_) => Some(Ok(())),
    };
    match relayed {
        Some(Err(error)) => State::Failed(error),
        Some(Ok(())) if !bind.inputs.iter().any(|input| unbound.contains(&input.id)) => State::Ready,
        Some(Ok(())) | None => State::Late,
    }
}

/// What is sent of what waits: fused, without what nobody uses, and each variable dropped as soon as it can be.
pub(crate) fn prepared(items: Vec<Item>) -> Vec<Item> {
    without_dead(drops_in_place(without_dead(fuse(without_dead(items)))))
}

/// Each drop right behind the last use: a fused instruction may use what was dropped before it.
fn drops_in_place(items: Vec<Item>) -> Vec<Item> {
    let mut last = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        if let Item::Bind(bind) = item {
            last.extend(
                std::iter::once(bind.output).chain(bind.inputs.iter().map(|input| input.id)).map(|id| (id, index)),
            );
        }
    }
    let mut behind: HashMap<usize, Vec<VarId>> = HashMap::new();
    for item in &items {
        if let Item::Drop(id) = item
            && let Some(index) = last.get(id)
        {
            behind.entry(*index).or_default().push(*id);
        }
    }
    let mut placed = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        match item {
            Item::Drop(id) if last.contains_key(&id) => {}
            Item::Bind(_) | Item::Drop(_) | Item::Cleanup(_) => placed.push(item),
        }
        placed.extend(behind.remove(&index).unwrap_or_default().into_iter().map(Item::Drop));
    }
    placed
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
            Item::Bind(bind) => used.extend(bind.inputs.iter().map(|input| input.id)),
        }
    }
    let alive = |item: &Item| match item {
        Item::Drop(id) => !dead.contains(id),
        Item::Cleanup(_) => true,
        Item::Bind(bind) => !dead.contains(&bind.output),
    };
    items.into_iter().filter(alive).collect()
}

#[cfg(test)]
mod tests {
    use fondaco_proto::Shape;
    use ndarray::Array2;

    use super::*;
    use crate::{
        batch::{BatchLimits, batches, testing::*},
        queue::Queues,
        transfer::Released,
    };

    fn ready(queues: &Arc<Queues>, failed: &mut HashMap<VarId, Error>) -> (Vec<Item>, Vec<Arc<Fetch>>) {
        Waiting::of(queues.take_waiting()).remove(0).ready(failed)
    }

    #[test]
    fn drops_follow_the_last_use_and_ride_along() {
        let queues = Queues::new(1);
        let (x, _) = queues.bind(0, fill(), &[], None);
        let (y, _) = queues.bind(0, transpose(), std::slice::from_ref(&x), None);
        drop(x);
        let fetch = queues.fetch(y.clone(), Shape::new(1, 1));
        drop(y);
        let (items, fetches) = ready(&queues, &mut HashMap::new());
        assert_eq!(
            (written(&batches(items, LIMITS)), fetches.len()),
            (vec!["1=fill 2=transpose drop[1]".to_owned()], 1)
        );
        drop((fetch, fetches));
        assert!(queues.take_waiting().remove(0).items.is_empty(), "a drop alone is not worth a program");
        let (items, _) = Waiting::of(vec![queues.take_lone_drops(0)]).remove(0).ready(&mut HashMap::new());
        assert_eq!(written(&batches(items, LIMITS)), ["drop[2]"]);
    }

    #[test]
    fn what_nobody_uses_is_not_sent() {
        let queues = Queues::new(1);
        let (x, _) = queues.bind(0, fill(), &[], None);
        let (y, _) = queues.bind(0, transpose(), std::slice::from_ref(&x), None);
        drop((x, y));
        drop(queues.fetch(queues.bind(0, fill(), &[], None).0, Shape::new(1, 1)));
        let (items, fetches) = ready(&queues, &mut HashMap::new());
        assert!(items.is_empty() && fetches.is_empty());
    }

    #[test]
    fn uses_of_a_failed_variable_repeat_its_error() {
        let queues = Queues::new(1);
        let (x, _) = queues.bind(0, fill(), &[], None);
        drop(queues.take_waiting());
        let mut failed = HashMap::from([(x.id, Error::Closed)]);
        let (y, _) = queues.bind(0, transpose(), std::slice::from_ref(&x), None);
        let fetch = queues.fetch(y.clone(), Shape::new(1, 1));
        let (other, _) = queues.bind(0, fill(), &[], None);
        drop(x);
        let (items, _) = ready(&queues, &mut failed);
        assert_eq!(written(&batches(items, LIMITS)), ["3=fill"]);
        assert!(y.check().is_err() && other.check().is_ok());
        assert_eq!(fetch.take().unwrap().unwrap_err(), Error::Closed);
        assert_eq!(failed.keys().copied().collect::<Vec<_>>(), [y.id]);
    }

    #[test]
    fn the_same_is_computed_and_sent_once() {
        let queues = Queues::new(1);
        let shape = Some(Shape::new(1, 1));
        let again = || queues.bind(0, fill(), &[], shape).0;
        let (x, y) = (again(), again());
        assert_eq!((x.id, x.asked()), (y.id, 2));
        let turned = queues.bind(0, transpose(), &[x], shape).0;
        // Nobody holds it any more, but it is known until it is sent.
        let id = turned.id;
        drop((turned, y));
        let same = again();
        let turned = queues.bind(0, transpose(), &[same], shape).0;
        assert_eq!(turned.id, id);
        let (one, other) = (queues.fetch(turned.clone(), Shape::new(1, 1)), queues.fetch(turned, Shape::new(1, 1)));
        let sent = [upload(1), upload(1), upload(2)].map(|upload| queues.bind(0, upload, &[], shape).0.id.0);
        assert_eq!(sent, [3, 3, 4]);
        let (items, fetches) = ready(&queues, &mut HashMap::new());
        assert_eq!(
            (written(&batches(items, LIMITS)), fetches.len()),
            (vec!["1=fill 2=transpose drop[1]".to_owned()], 1)
        );
        one.deliver(Ok(Released::Matrix(Array2::zeros((1, 1)))));
        drop(fetches);
        assert!(one.take().is_some() && other.take().is_some(), "both get it");
        assert_ne!(again().id.0, 1, "what was sent is asked for anew");
    }

    #[test]
    fn variables_are_dropped_as_soon_as_they_can_be() {
        let queues = Queues::new(1);
        let (x, y) = (queues.bind(0, fill(), &[], None).0, queues.bind(0, fill(), &[], None).0);
        let turned = queues.bind(0, transpose(), std::slice::from_ref(&x), None).0;
        let again = queues.bind(0, transpose(), std::slice::from_ref(&y), None).0;
        drop((y, x));
        let (items, _) = ready(&queues, &mut HashMap::new());
        let limits = BatchLimits { instructions_max: 9, ..LIMITS };
        assert_eq!(written(&batches(items, limits)), ["1=fill 2=fill 3=transpose drop[1] 4=transpose drop[2]"]);
        drop((turned, again));
    }
}
