//! A dataset as its files were at one moment: its schema, and reads of it into matrices and frames.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use fondaco_lineage::FileIdentity;
use fondaco_proto::{Error, ErrorCode, Result, op::Read};

use super::{
    fault::Fault,
    file::Stat,
    part::Part,
    plan::ReadPlan,
    reading::Reading,
    schema::{Column, Type},
    stream::Slab,
};
use crate::{cancel::Cancel, frame::Frame, matrix::Matrix, memory::Memory};

/// The files of a dataset, open, as they were when they were found.
pub struct Snapshot {
    dataset: String,
    schema: Arc<[Column]>,
    types: Vec<Type>,
    parts: Vec<Part>,
    rows: u64,
    identities: Vec<FileIdentity>,
    chunks_read: AtomicU64,
    #[cfg(test)]
    pub(super) before_last_check: std::sync::Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("dataset", &self.dataset).finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Of parts that must agree on their columns.
    pub(super) fn new(dataset: &str, parts: Vec<Part>) -> Result<Self, Fault> {
        let first: &[(String, Type)] = parts.first().map_or(&[], |part| &part.columns);
        for part in &parts {
            agree(first, &part.columns)?;
        }
        let rows = parts.iter().flat_map(|part| &part.group_rows).try_fold(0_u64, |sum, rows| {
            sum.checked_add(*rows as u64).filter(|sum| usize::try_from(*sum).is_ok_and(|sum| sum < usize::MAX / 64))
        });
        Ok(Self {
            dataset: dataset.to_owned(),
            schema: first.iter().map(|(name, kind)| kind.column(name)).collect(),
            types: first.iter().map(|(_, kind)| *kind).collect(),
            rows: rows.ok_or_else(|| Fault::damaged("too many rows"))?,
            identities: parts.iter().map(Part::identity).collect(),
            parts,
            chunks_read: AtomicU64::new(0),
            #[cfg(test)]
            before_last_check: std::sync::Mutex::default(),
        })
    }

    /// Whether these are the files that this was made of.
    pub(super) fn is_of(&self, stats: &[Stat]) -> bool {
        stats.len() == self.parts.len()
            && self.parts.iter().zip(stats).all(|(part, stat)| part.descriptor.stat() == stat)
    }

    /// The columns, in the order of the files.
    pub fn schema(&self) -> &[Column] {
        &self.schema
    }

    /// Rows of all files.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The state of each file, in the order of their rows.
    pub fn identities(&self) -> &[FileIdentity] {
        &self.identities
    }

    /// Column chunks decoded from these files so far.
    pub fn chunks_read(&self) -> u64 {
        self.chunks_read.load(Ordering::Relaxed)
    }

    /// Checks the columns and the filter against the schema, and leaves out what the files' statistics exclude.
    ///
    /// # Errors
    /// `Invalid` naming a column that is not there or does not fit its literal; `Data` naming one that is no number.
    pub fn plan(&self, read: &Read) -> Result<ReadPlan> {
        ReadPlan::new(&self.dataset, &self.schema, &self.types, &self.parts, read)
    }

    /// Reads `(matching rows, columns)`, in the order of the files and of the rows in them; nulls become NaN.
    ///
    /// With `parallel` it runs on the rayon pool of the caller, else on the caller's thread alone. The result does not
    /// depend on that.
    ///
    /// # Errors
    /// `Limit` if it does not fit the memory, `Cancelled`, `Data` if the files changed or cannot be read.
    pub fn read(&self, plan: &ReadPlan, memory: &Arc<Memory>, cancel: &Cancel, parallel: bool) -> Result<Matrix> {
        self.reading(plan, (memory, cancel, parallel), |reading| reading.matrix())
    }

    /// The same rows of the columns as a frame; of a plan for one.
    ///
    /// # Errors
    /// As [`Snapshot::read`].
    pub fn read_frame(&self, plan: &ReadPlan, memory: &Arc<Memory>, cancel: &Cancel, parallel: bool) -> Result<Frame> {
        self.reading(plan, (memory, cancel, parallel), |reading| reading.frame())
    }

    /// How many rows of each of the plan's row groups match.
    ///
    /// # Errors
    /// As [`Snapshot::read`].
    pub(super) fn matching_rows(
        &self,
        plan: &ReadPlan,
        memory: &Arc<Memory>,
        cancel: &Cancel,
        parallel: bool,
    ) -> Result<Vec<usize>> {
        self.reading(plan, (memory, cancel, parallel), |reading| reading.matching_rows())
    }

    /// Some of the rows that [`Snapshot::read`] reads: those that fill tiles, and the rest. They may begin with `before`.
    ///
    /// # Errors
    /// As [`Snapshot::read`].
    pub(super) fn read_slab(
        &self,
        plan: &ReadPlan,
        slab: &Slab,
        before: Option<&Matrix>,
        memory: &Arc<Memory>,
        cancel: &Cancel,
        parallel: bool,
    ) -> Result<[Matrix; 2]> {
        self.reading(plan, (memory, cancel, parallel), |reading| reading.slab(slab, before))
    }

    fn reading<T>(
        &self,
        plan: &ReadPlan,
        (memory, cancel, parallel): (&Arc<Memory>, &Cancel, bool),
        read: impl FnOnce(&Reading<'_>) -> Result<T, Fault>,
    ) -> Result<T> {
        if !Arc::ptr_eq(&plan.schema, &self.schema) {
            return Err(Error::internal("a plan for another snapshot"));
        }
        self.check_unchanged(plan)?;
        let (dataset, parts, chunks_read) = (&self.dataset, &self.parts, &self.chunks_read);
        let outcome = read(&Reading { dataset, parts, chunks_read, plan, memory, cancel, parallel });
        #[cfg(test)]
        if let Some(hook) = self.before_last_check.lock().unwrap().take() {
            hook();
        }
        // A file that changed explains whatever is wrong with the data.
        if !matches!(&outcome, Err(Fault::Refused(error)) if error.code() != ErrorCode::Data) {
            self.check_unchanged(plan)?;
        }
        outcome.map_err(|fault| match fault {
            // The memory's own words tell how much was asked for, hence how many rows match: that is not theirs to say.
            Fault::Refused(error) if error.code() == ErrorCode::Limit => Error::limit(format!(
                "what is read of dataset {} does not fit this worker's memory for values (memory_bytes_max); read \
                 fewer columns, drop variables, or try again when others are done",
                self.dataset
            )),
            fault => told(&self.dataset, fault),
        })
    }

    fn check_unchanged(&self, plan: &ReadPlan) -> Result<()> {
        let mut parts: Vec<usize> = plan.groups.iter().map(|group| group.part).collect();
        parts.dedup();
        if parts.into_iter().all(|part| self.parts[part].descriptor.is_unchanged()) {
            return Ok(());
        }
        Err(changed(&self.dataset))
    }
}

fn changed(dataset: &str) -> Error {
    Error::data(format!("dataset {dataset} changed while it was read; read it again"))
}

/// What the asker is told of a fault; the rest goes to the owner's log.
pub(super) fn told(dataset: &str, fault: Fault) -> Error {
    match fault {
        Fault::Refused(error) => error,
        Fault::File { what, detail } => {
            tracing::warn!(dataset, detail, "a dataset cannot be read: {what}");
            Error::data(format!("dataset {dataset} cannot be read: {what}; tell its owner"))
        }
        Fault::Changed => changed(dataset),
        // None gets here: the first are told with their column, after the last the chunk is read again.
        fault @ (Fault::Inexact | Fault::InexactIn(_) | Fault::HiddenNulls) => {
            Error::data(format!("dataset {dataset} has {fault}"))
        }
    }
}

fn agree(first: &[(String, Type)], other: &[(String, Type)]) -> Result<(), Fault> {
    if first == other {
        return Ok(());
    }
    let named = |columns: &[(String, Type)], name: &str| columns.iter().find(|(other, _)| other == name).map(|of| of.1);
    for (name, kind) in first.iter().chain(other) {
        let (here, there) = (named(first, name), named(other, name));
        let what = match (here, there) {
            (Some(here), Some(there)) if here != there => {
                let (here, there) = (here.column(name).type_name, there.column(name).type_name);
                let units = if here == there { " of another unit or scale" } else { "" };
                format!("its column {name:?} is {here} in one part and {there}{units} in another")
            }
            (Some(_), Some(_)) => continue,
            _ => format!("its column {name:?} ({}) is not in all parts", kind.column(name).type_name),
        };
        return Err(Fault::of(what, "parts of different schemas"));
    }
    Err(Fault::of("its parts have their columns in different orders", "parts of different schemas"))
}
