//! The gate: the one way by which a value leaves a worker.

use fondaco_proto::{Axes, Error, Result};

use crate::{
    label::{Label, Level},
    support::Support,
};

/// Relative slack for the rounding of measured contributors: five equal weights count as five.
const ROUNDING: f64 = 1e-9;

/// The owner's rule for aggregates.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    /// Rows, and effective contributors, behind each cell.
    pub release_rows_min: u64,
}

impl Gate {
    /// Whether a value with this label and support may leave to a tenant with (or without) the right to each source.
    ///
    /// # Errors
    /// `ReleaseDenied`, saying what would be right. The text never depends on how many rows there are.
    pub fn release(&self, label: &Label, support: Support, may_read: impl Fn(&str) -> bool) -> Result<()> {
        if let Some(source) = label.sources.iter().find(|source| !may_read(&source.dataset)) {
            return Err(Error::denied(format!("dataset {:?} is no longer open to this tenant", &*source.dataset)));
        }
        let names: Vec<_> = label.sources.iter().filter(|s| s.level > Level::Public).map(|s| &*s.dataset).collect();
        let names = names.join(", ");
        match label.level {
            Level::Public => return Ok(()),
            Level::Private => {
                return Err(Error::denied(format!(
                    "{names}: nothing leaves a private dataset; ask its owner for a rule"
                )));
            }
            Level::Aggregate => {}
        }
        if label.axes != Axes::None {
            return Err(Error::denied(format!(
                "the value still has single rows of {names}; reduce over the rows first (sum, mean, var, gram, X.T @ Y, ..)"
            )));
        }
        if label.mixed {
            return Err(Error::denied(format!(
                "the value combines different overlapping sets of rows of {names}, so that single rows could be told \
                 apart; release each aggregate by itself, over the same rows"
            )));
        }
        if label.extreme && label.sources.iter().any(|s| s.level > Level::Public && !s.extremes) {
            return Err(Error::denied(format!(
                "a minimum or maximum is the value of one row, and the owner of {names} does not release those \
                 (extremes = false); use mean and std, or ask the owner"
            )));
        }
        self.check_support(support, &names)
    }

    fn check_support(&self, support: Support, names: &str) -> Result<()> {
        if self.enough(support) {
            return Ok(());
        }
        Err(Error::denied(format!(
            "fewer than {} rows of {names} stand behind a cell, or tell it from a constant, or contribute to it \
             effectively; aggregate over more rows, with weights that are more even",
            self.release_rows_min
        )))
    }

    fn enough(&self, support: Support) -> bool {
        // Counts are far below 2^53.
        let min = self.release_rows_min as f64;
        support.rows >= min && support.effective * (1.0 + ROUNDING) >= min
    }

    /// Whether the number of rows that data gave a value may be told, as an aggregate over what decided it: `decider` is
    /// the label of that, `support` says how many rows were taken, how many left, and decided it effectively.
    ///
    /// # Errors
    /// `ReleaseDenied`, always the same for one operator.
    pub fn release_rows(
        &self,
        operator: &str,
        decider: &Label,
        support: Support,
        may_read: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let count = Label { axes: Axes::None, ..decider.clone() };
        if decider.axes != Axes::Entangled && self.release(&count, support, may_read).is_ok() {
            return Ok(());
        }
        let protected = decider.sources.iter().filter(|source| source.level > Level::Public);
        let names: Vec<_> = protected.map(|source| &*source.dataset).collect();
        Err(Error::denied(format!(
            "{operator}: how many rows there are would tell of fewer than {} rows of {}, be they taken, left out or \
             equal, or of rows that were combined or weighted unevenly; let more rows decide, or filter when the \
             dataset is read",
            self.release_rows_min,
            names.join(", ")
        )))
    }

    /// Whether the number of rows that a selection left may be told.
    ///
    /// # Errors
    /// `ReleaseDenied`, the same from none to the minimum less one.
    pub fn release_count(&self, level: Level, dataset: &str, rows: u64) -> Result<()> {
        if level == Level::Public || rows >= self.release_rows_min {
            return Ok(());
        }
        Err(Error::denied(format!(
            "the filter leaves fewer than {} rows of {dataset}, which includes none; widen the filter",
            self.release_rows_min
        )))
    }
}
