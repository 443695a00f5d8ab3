//! Values that pass the coordinator on their way to other sites: released by their workers' gates, put together here,
//! and sent on. Row-level values pass this way alone, hence those of public data and one's own.

use std::sync::{Arc, Mutex, OnceLock};

use fondaco_proto::{ErrorCode, Shape, VarId};
use ndarray::ArcArray2;

use crate::{
    Error, Result,
    gather::Gather,
    plan::Why,
    queue::{Fetch, lock},
};

/// An array that is there when sites have released what it is made of.
pub(crate) struct Relay {
    /// What it is for; more than one thing, where several need the same.
    whys: Mutex<Vec<Why>>,
    /// What it is made of.
    pub parts: Gather<Released>,
    waiting: Mutex<Option<Gather<Arc<Fetch>>>>,
    value: OnceLock<Result<ArcArray2<f64>>>,
}

/// A variable that is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Released {
    pub id: VarId,
    pub site: usize,
    pub shape: Shape,
}

impl Relay {
    pub fn new(why: Why, fetches: Gather<Arc<Fetch>>) -> Self {
        let released =
            |fetch: &Arc<Fetch>| Released { id: fetch.variable.id, site: fetch.variable.site, shape: fetch.shape };
        let (parts, whys) = (fetches.map(released), Mutex::new(vec![why]));
        Self { whys, parts, waiting: Mutex::new(Some(fetches)), value: OnceLock::new() }
    }

    /// The array, or why there is none; `None` before all sites have answered.
    pub fn value(&self) -> Option<&Result<ArcArray2<f64>>> {
        if self.value.get().is_none() {
            let mut waiting = lock(&self.waiting);
            if waiting.as_ref()?.parts().all(|fetch| fetch.is_delivered()) {
                let fetches = waiting.take()?.cells.into_iter().flatten();
                let values = fetches
                    .map(|fetch| fetch.take().unwrap_or(Err(Error::Closed))?.matrix())
                    .collect::<Result<Vec<_>>>();
                let shapes = self.parts.map(|part| part.shape);
                let value = values.map(|values| shapes.assemble(values).into_shared());
                self.value.get_or_init(|| value.map_err(|error| self.refused(error)));
            }
        }
        self.value.get()
    }

    /// A refused release, with what it was for and what would do without.
    fn refused(&self, error: Error) -> Error {
        match error {
            Error::Site { site, error } if error.code() == ErrorCode::ReleaseDenied => {
                let instead: Vec<&str> = lock(&self.whys).iter().map(Why::instead).collect();
                let (why, instead) = (self.why(), instead.join(", "));
                let message = format!(
                    "{why}: rows have to move, which this site's owner refuses; instead, {instead}. {}",
                    error.message()
                );
                Error::Site {
                    site,
                    error: fondaco_proto::Error::denied(message).with_request_id(&error.kind().request_id),
                }
            }
            other => other,
        }
    }

    /// What it is for.
    pub fn why(&self) -> String {
        lock(&self.whys).iter().map(Why::to_string).collect::<Vec<_>>().join(", ")
    }

    /// Whether both are made of the same.
    pub fn is_same(&self, other: &Self) -> bool {
        self.parts == other.parts
    }

    /// It is for this too.
    pub fn share(&self, other: &Self) {
        if std::ptr::eq(self, other) {
            return;
        }
        let others = lock(&other.whys).clone();
        let mut whys = lock(&self.whys);
        for why in others {
            if !whys.contains(&why) {
                whys.push(why);
            }
        }
    }
}
