//! Finds out what would be sent: what is queued, as it would be prepared, but for what this result does not need.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use fondaco_proto::{Shape, VarId};

use super::{Explained, Explanation, Relayed, Release, SitePlan, Stage, Step};
use crate::{
    batch::BatchLimits,
    layout::Layout,
    queue::{Bind, Fetch, How, Item},
    relay::{Relay, Released},
    session::Session,
    stage::Waiting,
};

/// The plan of a result.
pub(crate) fn explain(session: &Session, what: Explained<'_>) -> Explanation {
    let (result, roots, fetches) = match what {
        Explained::Pending(pending) => {
            let fetches: Vec<Arc<Fetch>> = pending.fetches().filter(|fetch| !fetch.is_delivered()).cloned().collect();
            let roots = fetches.iter().map(|fetch| fetch.variable.id).collect();
            (format!("{} for the coordinator", pending.shape()), roots, fetches)
        }
        Explained::Matrix(matrix) => {
            let roots = matrix.parts().iter().map(|part| part.id).collect();
            (staying(matrix.layout()), roots, Vec::new())
        }
    };
    let waves: Vec<Wave> = session.waiting().into_iter().map(|queues| Wave::of(Waiting::of(queues))).collect();
    let needed = Needed::of(&waves, roots, fetches.iter().map(|fetch| fetch.variable.id).collect());
    let stages = waves.iter().flat_map(|wave| wave.stages(session, &needed)).collect();
    Explanation { result, stages }
}

fn staying(layout: &Layout) -> String {
    match layout.whole_at() {
        Some(site) => format!("{} staying at {site}", layout.shape()),
        None => format!("{layout}, staying there"),
    }
}

fn bytes(shape: Shape) -> u64 {
    shape.bytes().unwrap_or(u64::MAX)
}

fn extents(shape: Shape) -> [u64; 2] {
    [shape.rows, shape.columns]
}

fn named(variable: VarId) -> String {
    format!("v{}", variable.0)
}

/// What is sent together, but for relays: the items of each site.
struct Wave {
    sites: Vec<Vec<Item>>,
    /// What is released, at its site.
    fetches: Vec<Released>,
    /// At which site and item a variable is bound.
    bound: HashMap<VarId, (usize, usize)>,
    /// In which stage.
    levels: HashMap<VarId, usize>,
}

/// What a result needs.
struct Needed {
    variables: HashSet<VarId>,
    released: HashSet<VarId>,
}

/// What an upload waits for, if it is relayed and not here yet.
fn relay(bind: &Bind) -> Option<&Arc<Relay>> {
    match &bind.how {
        How::Upload(upload) => upload.relay().filter(|_| upload.arrived().is_none()),
        How::Op(_) => None,
    }
}

impl Needed {
    fn of(waves: &[Wave], roots: Vec<VarId>, released: HashSet<VarId>) -> Self {
        let mut needed = Self { variables: HashSet::new(), released };
        let mut open = roots;
        while let Some(id) = open.pop() {
            if !needed.variables.insert(id) {
                continue;
            }
            let Some(bind) = waves.iter().find_map(|wave| wave.bind(id)) else { continue };
            open.extend(bind.inputs.iter().map(|input| input.id));
            for part in relay(bind).iter().flat_map(|relay| relay.parts.parts()) {
                needed.released.insert(part.id);
                open.push(part.id);
            }
        }
        needed
    }
}

impl Wave {
    fn of(waiting: Vec<Waiting>) -> Self {
        let (mut sites, mut fetches, mut bound) = (Vec::new(), Vec::new(), HashMap::new());
        for (site, waiting) in waiting.into_iter().enumerate() {
            for (index, item) in waiting.items.iter().enumerate() {
                if let Item::Bind(bind) = item {
                    bound.insert(bind.output, (site, index));
                }
            }
            sites.push(waiting.items);
            let released = |fetch: &Arc<Fetch>| Released { id: fetch.variable.id, site, shape: fetch.shape };
            fetches.extend(waiting.fetches.iter().map(released));
        }
        let mut wave = Self { sites, fetches, bound, levels: HashMap::new() };
        while wave.find_levels() {}
        wave
    }

    fn bind(&self, id: VarId) -> Option<&Bind> {
        let (site, index) = self.bound.get(&id)?;
        match &self.sites[*site][*index] {
            Item::Bind(bind) => Some(bind),
            Item::Drop(_) | Item::Cleanup(_) => None,
        }
    }

    /// One more pass over what has no level yet; whether there is anything new.
    fn find_levels(&mut self) -> bool {
        let mut found = false;
        for bind in
            self.sites.iter().flatten().filter_map(|item| if let Item::Bind(bind) = item { Some(bind) } else { None })
        {
            if self.levels.contains_key(&bind.output) {
                continue;
            }
            // What was sent before is there.
            let level = |id: VarId| if self.bound.contains_key(&id) { self.levels.get(&id).copied() } else { Some(0) };
            let inputs = bind.inputs.iter().map(|input| level(input.id));
            let relayed =
                relay(bind).into_iter().flat_map(|relay| relay.parts.parts()).map(|part| Some(level(part.id)? + 1));
            if let Some(levels) = inputs.chain(relayed).collect::<Option<Vec<usize>>>() {
                self.levels.insert(bind.output, levels.into_iter().max().unwrap_or(0));
                found = true;
            }
        }
        found
    }

    /// What is sent, stage after stage.
    fn stages(&self, session: &Session, needed: &Needed) -> Vec<Stage> {
        let stages = self.levels.values().max().map_or(0, |last| last + 1).max(1);
        (0..stages).map(|level| self.stage(level, session, needed)).filter(|stage| !stage.sites.is_empty()).collect()
    }

    fn stage(&self, level: usize, session: &Session, needed: &Needed) -> Stage {
        let mut stage = Stage { relays: Vec::new(), sites: Vec::new() };
        let mut relays: Vec<(Arc<Relay>, Vec<String>, u64)> = Vec::new();
        for (site, items) in self.sites.iter().enumerate() {
            let name = session.sites[site].name.to_string();
            let items = self.at(level, items, needed);
            for bind in items.iter().filter_map(|item| if let Item::Bind(bind) = item { Some(bind) } else { None }) {
                let (Some(relay), Some(shape)) = (relay(bind), bind.shape) else { continue };
                match relays.iter_mut().find(|(known, ..)| known.is_same(relay)) {
                    Some((_, to, sent)) => {
                        if to.last() != Some(&name) {
                            to.push(name.clone());
                        }
                        *sent += bytes(shape);
                    }
                    None => relays.push((relay.clone(), vec![name.clone()], bytes(shape))),
                }
            }
            let here = |fetch: &&Released| fetch.site == site && needed.released.contains(&fetch.id);
            let now = |fetch: &&Released| self.levels.get(&fetch.id).copied().unwrap_or(0) == level;
            let releases: Vec<Released> = self.fetches.iter().filter(here).filter(now).copied().collect();
            if !items.is_empty() || !releases.is_empty() {
                let limits = BatchLimits::of(&session.sites[site].limits());
                stage.sites.push(site_plan(name, items, &releases, limits));
            }
        }
        let relayed = |(relay, to, bytes_sent): (Arc<Relay>, Vec<String>, u64)| Relayed {
            why: relay.why(),
            parts: relay
                .parts
                .parts()
                .map(|part| format!("{} at {}", named(part.id), session.sites[part.site].name))
                .collect(),
            to,
            shape: extents(relay.parts.map(|part| part.shape).shape()),
            bytes_received: relay.parts.parts().map(|part| bytes(part.shape)).sum(),
            bytes_sent,
        };
        stage.relays = relays.into_iter().map(relayed).collect();
        stage
    }

    /// What is needed of a site's items in this stage; a drop goes with the last use.
    fn at(&self, level: usize, items: &[Item], needed: &Needed) -> Vec<Item> {
        let mut last: HashMap<VarId, usize> = HashMap::new();
        let mut at = Vec::new();
        for item in items {
            match item {
                Item::Bind(bind) if needed.variables.contains(&bind.output) => {
                    let of = self.levels.get(&bind.output).copied().unwrap_or(0);
                    for id in bind.inputs.iter().map(|input| input.id).chain([bind.output]) {
                        last.entry(id).and_modify(|last| *last = of.max(*last)).or_insert(of);
                    }
                    if of == level {
                        at.push(item.clone());
                    }
                }
                Item::Drop(id) if last.get(id) == Some(&level) && self.bound.contains_key(id) => at.push(item.clone()),
                Item::Bind(_) | Item::Drop(_) | Item::Cleanup(_) => {}
            }
        }
        at
    }
}

fn site_plan(site: String, items: Vec<Item>, releases: &[Released], limits: BatchLimits) -> SitePlan {
    let puts = items.iter().filter(|item| limits.is_put(item)).count();
    let programs = limits.split(items.clone());
    let last = programs.len() - 1;
    let runs = |(index, items): (usize, &Vec<Item>)| {
        items.iter().any(|item| !limits.is_put(item)) || (index == last && !releases.is_empty())
    };
    let execs = programs.iter().enumerate().filter(|program| runs(*program)).count();
    let instructions: Vec<Step> = steps(&items);
    let releases: Vec<Release> = releases
        .iter()
        .map(|released| Release {
            variable: named(released.id),
            shape: extents(released.shape),
            bytes: bytes(released.shape),
        })
        .collect();
    SitePlan {
        site,
        round_trips: (puts + execs) as u64,
        bytes_sent: instructions.iter().map(|step| step.bytes_sent).sum(),
        bytes_received: releases.iter().map(|release| release.bytes).sum(),
        instructions,
        releases,
    }
}

fn steps(items: &[Item]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for item in items {
        match item {
            Item::Bind(bind) => steps.push(step(bind)),
            Item::Drop(id) | Item::Cleanup(id) => match steps.last_mut().filter(|step| step.variable.is_none()) {
                Some(step) => step.inputs.push(named(*id)),
                None => steps.push(Step {
                    variable: None,
                    operator: "drop",
                    inputs: vec![named(*id)],
                    shape: None,
                    bytes_sent: 0,
                    notes: Vec::new(),
                }),
            },
        }
    }
    steps
}

fn step(bind: &Bind) -> Step {
    let (operator, bytes_sent) = match &bind.how {
        How::Op(op) => (op.name(), op.list_bytes()),
        How::Upload(upload) => ("put", upload.bytes()),
    };
    let asked = bind.handle.upgrade().map_or(1, |handle| handle.asked());
    let shared = (asked > 1).then(|| format!("shared by {asked}"));
    Step {
        variable: Some(named(bind.output)),
        operator,
        inputs: bind.inputs.iter().map(|input| named(input.id)).collect(),
        shape: bind.shape.map(extents),
        bytes_sent,
        notes: bind.fused.map(|fused| format!("for {fused}")).into_iter().chain(shared).collect(),
    }
}
