//! A dataset as its files were at one moment: its schema, and reads of it into matrices.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use fondaco_lineage::FileIdentity;
use fondaco_proto::{Error, Result, op::Read};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use super::{
    bits::Bits,
    fault::{Fault, guarded},
    file::Stat,
    part::Part,
    plan::{Group, ReadPlan},
    predicate::{Leaf, Predicate, Truth},
    schema::{Column, Type},
    scratch::Shelf,
    sink::{Cells, Tests},
};
use crate::{
    cancel::Cancel,
    matrix::{Builder, Matrix},
    memory::Memory,
};

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
        if !Arc::ptr_eq(&plan.schema, &self.schema) {
            return Err(Error::internal("a plan for another snapshot"));
        }
        self.check_unchanged(plan)?;
        let reading = Reading { snapshot: self, plan, memory, cancel, parallel };
        let outcome = reading.matrix();
        #[cfg(test)]
        if let Some(hook) = self.before_last_check.lock().unwrap().take() {
            hook();
        }
        // Whatever else went wrong: a file that changed explains it.
        if !matches!(outcome, Err(Fault::Refused(_))) {
            self.check_unchanged(plan)?;
        }
        outcome.map_err(|fault| self.told(fault))
    }

    fn check_unchanged(&self, plan: &ReadPlan) -> Result<()> {
        let mut parts: Vec<usize> = plan.groups.iter().map(|group| group.part).collect();
        parts.dedup();
        if parts.into_iter().all(|part| self.parts[part].descriptor.is_unchanged()) {
            return Ok(());
        }
        Err(Error::data(format!("dataset {} changed while it was read; read it again", self.dataset)))
    }

    /// What the asker is told of a fault.
    fn told(&self, fault: Fault) -> Error {
        told(&self.dataset, fault)
    }
}

/// What the asker is told of a fault; the rest goes to the owner's log.
pub(super) fn told(dataset: &str, fault: Fault) -> Error {
    match fault {
        Fault::Refused(error) => error,
        Fault::File { what, detail } => {
            tracing::warn!(dataset, detail, "a dataset cannot be read: {what}");
            Error::data(format!("dataset {dataset} cannot be read: {what}; tell its owner"))
        }
        // Named where the column is known.
        Fault::Inexact => Error::data(format!("dataset {dataset} holds an integer beyond 2^53")),
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

/// One read.
struct Reading<'a> {
    snapshot: &'a Snapshot,
    plan: &'a ReadPlan,
    memory: &'a Arc<Memory>,
    cancel: &'a Cancel,
    parallel: bool,
}

impl Reading<'_> {
    fn matrix(&self) -> Result<Matrix, Fault> {
        let (groups, columns) = (&self.plan.groups, &self.plan.columns);
        let _masks = self.memory.ticket(groups.iter().map(|group| Bits::bytes(group.rows)).sum())?;
        let masks = self.masks()?;
        let rows: Vec<usize> =
            groups.iter().zip(&masks).map(|(group, mask)| mask.as_ref().map_or(group.rows, Bits::count)).collect();
        let mut builder = Builder::new(self.memory, rows.iter().sum(), columns.len()).map_err(|error| {
            // The number of rows that match a filter is the data's to keep.
            if self.plan.filter.is_some() { self.unfit() } else { error }
        })?;
        let pieces = pieces(&mut builder, &rows, columns.len());
        let tasks: Vec<_> = pieces.into_iter().enumerate().filter(|(_, cells)| !cells.is_empty()).collect();
        self.each(tasks, |shelf, (i, cells)| {
            let (group, column) = (i / columns.len(), columns[i % columns.len()]);
            let mut sink = Cells::new(cells, masks[group].as_ref());
            self.decode(&groups[group], column, shelf, &mut sink)
        })?;
        Ok(builder.finish())
    }

    fn unfit(&self) -> Error {
        Error::limit(format!(
            "the rows of dataset {} that the filter selects do not fit this worker's memory for values \
             (memory_bytes_max); read fewer columns, or try again when others are done",
            self.snapshot.dataset
        ))
    }

    /// The matching rows of each group; `None` where all match.
    fn masks(&self) -> Result<Vec<Option<Bits>>, Fault> {
        let Some(filter) = &self.plan.filter else { return Ok(vec![None; self.plan.groups.len()]) };
        self.map(self.plan.groups.iter().collect(), |shelf, group| {
            if group.is_filtered { self.mask(filter, group, shelf).map(Some) } else { Ok(None) }
        })
    }

    fn mask(&self, filter: &Predicate, group: &Group, shelf: &Shelf) -> Result<Bits, Fault> {
        // Each leaf keeps two, evaluation clones them once.
        let bitmaps = 4 * (filter.leaves().len() as u64 + 1);
        let _ticket = shelf.ticket(Bits::bytes(group.rows).saturating_mul(bitmaps))?;
        let part = &self.snapshot.parts[group.part];
        let certain = |leaf: &Leaf| Truth::certain(part.possible(group.group, leaf.column, &leaf.test), group.rows);
        let mut truths: Vec<Option<Truth>> = filter.leaves().iter().map(certain).collect();
        for column in filter.columns() {
            let leaves = || filter.leaves().iter().enumerate().filter(|(_, leaf)| leaf.column == column);
            if leaves().all(|(i, _)| truths[i].is_some()) {
                continue;
            }
            let mut sink = Tests::new(leaves().map(|(_, leaf)| leaf), group.rows);
            self.decode(group, column, shelf, &mut sink)?;
            for ((i, _), truth) in leaves().zip(sink.into_truths()) {
                truths[i] = Some(truth);
            }
        }
        let truths: Vec<Truth> = truths.into_iter().flatten().collect();
        Ok(filter.rows(group.rows, &truths))
    }

    fn decode(
        &self,
        group: &Group,
        column: usize,
        shelf: &Shelf,
        sink: &mut impl super::sink::Sink,
    ) -> Result<(), Fault> {
        let part = &self.snapshot.parts[group.part];
        self.snapshot.chunks_read.fetch_add(1, Ordering::Relaxed);
        guarded(|| part.read((group.group, column), shelf, self.cancel, sink)).map_err(|fault| match fault {
            Fault::Inexact => Fault::Refused(Error::data(format!(
                "column {:?} of dataset {} holds an integer beyond 2^53 that would lose digits; leave the column out, \
                 or ask the owner to store it as text",
                self.plan.schema[column].name, self.snapshot.dataset
            ))),
            fault => fault,
        })
    }

    fn each<T: Send>(&self, tasks: Vec<T>, run: impl Fn(&Shelf, T) -> Result<(), Fault> + Sync) -> Result<(), Fault> {
        self.map(tasks, run).map(|_: Vec<()>| ())
    }

    /// Runs the tasks, each with the shelf of its thread; their results are in the order of the tasks.
    fn map<T: Send, R: Send>(
        &self,
        tasks: Vec<T>,
        run: impl Fn(&Shelf, T) -> Result<R, Fault> + Sync,
    ) -> Result<Vec<R>, Fault> {
        let shelf = || Shelf::new(self.memory);
        if self.parallel {
            return tasks.into_par_iter().with_max_len(1).map_init(shelf, |shelf, task| run(shelf, task)).collect();
        }
        let shelf = shelf();
        tasks.into_iter().map(|task| run(&shelf, task)).collect()
    }
}

/// Cuts a matrix into the cells of each group and column: `groups[g]` rows of column `c` are at
/// `g * columns + c`, in pieces of consecutive rows.
fn pieces<'a>(builder: &'a mut Builder, groups: &[usize], columns: usize) -> Vec<Vec<&'a mut [f64]>> {
    let mut pieces: Vec<Vec<&mut [f64]>> = Vec::new();
    pieces.resize_with(groups.len() * columns, Vec::new);
    let (mut group, mut left) = (0, groups.first().copied().unwrap_or(0));
    for tile in builder.tiles_mut() {
        // How many of this tile's rows go to which groups.
        let mut shares = Vec::new();
        let mut rows = tile.rows;
        while rows > 0 {
            while left == 0 {
                group += 1;
                left = groups[group];
            }
            let share = rows.min(left);
            shares.push((group, share));
            rows -= share;
            left -= share;
        }
        for (column, cells) in tile.data.chunks_exact_mut(tile.rows).enumerate() {
            let mut rest = cells;
            for (group, share) in &shares {
                let (piece, tail) = rest.split_at_mut(*share);
                pieces[group * columns + column].push(piece);
                rest = tail;
            }
        }
    }
    pieces
}
