//! The answers of the last programs of a scope, kept for a retry.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
};

use fondaco_proto::{Error, ProgramId, Result, VarId};

use super::{Bound, Outcome, Receipt};
use crate::config::Limits;

/// The last answers, the oldest first.
#[derive(Debug, Default)]
pub struct KeptAnswers(VecDeque<(ProgramId, Answer)>);

#[derive(Debug)]
enum Answer {
    /// With its values.
    Whole(Arc<Outcome>),
    /// Its values are held by their variables alone, so that large ones do not stay when these are dropped.
    Large { receipts: Vec<Receipt>, fetched: Vec<(VarId, Weak<Bound>)> },
}

impl KeptAnswers {
    /// The answer to this program, if it is still kept.
    ///
    /// # Errors
    /// `NotFound` if it was large and one of its variables was dropped.
    pub fn find(&self, id: ProgramId) -> Option<Result<Arc<Outcome>>> {
        let (_, answer) = self.0.iter().find(|(kept, _)| *kept == id)?;
        Some(answer.outcome())
    }

    /// Keeps an answer; gives those that it displaces, to be dropped outside of locks.
    #[must_use]
    pub fn keep(&mut self, id: ProgramId, outcome: &Arc<Outcome>, limits: &Limits) -> impl Sized + use<> {
        self.0.push_back((id, Answer::of(outcome, limits.kept_bytes_max)));
        let displaced = self.0.len().saturating_sub(limits.programs_kept_max);
        self.0.drain(..displaced).collect::<Vec<_>>()
    }
}

impl Answer {
    fn of(outcome: &Arc<Outcome>, bytes_max: u64) -> Self {
        let bytes = outcome.fetched.iter().map(|(_, bound)| bound.value.bytes()).fold(0, u64::saturating_add);
        if bytes <= bytes_max {
            return Self::Whole(Arc::clone(outcome));
        }
        let fetched = outcome.fetched.iter().map(|(var, bound)| (*var, Arc::downgrade(bound))).collect();
        Self::Large { receipts: outcome.receipts.clone(), fetched }
    }

    fn outcome(&self) -> Result<Arc<Outcome>> {
        match self {
            Self::Whole(outcome) => Ok(Arc::clone(outcome)),
            Self::Large { receipts, fetched } => {
                let bound =
                    |(var, bound): &(VarId, Weak<Bound>)| Ok((*var, bound.upgrade().ok_or_else(|| gone(*var))?));
                let fetched = fetched.iter().map(bound).collect::<Result<_>>()?;
                Ok(Arc::new(Outcome { receipts: receipts.clone(), fetched }))
            }
        }
    }
}

fn gone(var: VarId) -> Error {
    Error::not_found(format!(
        "{var} was dropped, and was too large to be kept for a retry (kept_bytes_max); compute it again, in a program \
         of another id"
    ))
}
