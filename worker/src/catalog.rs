//! The owner's catalogue: which datasets exist, for whom, under which rules.

use std::{collections::BTreeMap, sync::Arc};

use fondaco_lineage::{DatasetLeaf, Key, Reach};
use fondaco_proto::{
    Error, Result,
    op::{Compare, Filter, Read},
};

use crate::{
    auth::Tenant,
    config::{DatasetConfig, Reuse},
    label::{Label, Level, RowSet, Source},
    memory::Memory,
    source::{Column, Dataset, Files, Snapshot},
};

/// A dataset and its owner's rules.
#[derive(Debug)]
pub struct Entry {
    name: Arc<str>,
    rules: DatasetConfig,
    dataset: Dataset,
}

impl Entry {
    fn new(rules: &DatasetConfig, memory: &Arc<Memory>) -> Self {
        let dataset = Dataset::new(rules.name.clone(), Files::new(&rules.path).with_csv(rules.csv.clone()))
            .with_content_digest(rules.content_digest)
            .with_columns_shown(&rules.columns)
            .with_memory(memory);
        Self { name: Arc::from(rules.name.as_str()), rules: rules.clone(), dataset }
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its privacy level.
    pub fn level(&self) -> Level {
        self.rules.privacy
    }

    /// Whether its extremes may leave.
    pub fn extremes(&self) -> bool {
        self.rules.extremes
    }

    /// Who may reuse what is computed from it.
    pub fn reach(&self, tenant: &Tenant) -> Reach {
        match self.rules.reuse {
            Reuse::Shared => Reach::Shared,
            Reuse::Tenant => Reach::Tenant(tenant.tag()),
        }
    }

    /// The files as they are now. Asks the file system, and so off the reactor.
    ///
    /// # Errors
    /// `Data` if they cannot be read.
    pub async fn snapshot(self: &Arc<Self>) -> Result<Arc<Snapshot>> {
        let entry = Arc::clone(self);
        let snapshot = tokio::task::spawn_blocking(move || entry.dataset.snapshot()).await;
        snapshot.map_err(|_| Error::internal("a dataset could not be looked at"))?
    }

    /// The columns that tenants see.
    pub fn columns<'a>(&'a self, snapshot: &'a Snapshot) -> impl Iterator<Item = &'a Column> {
        snapshot.schema().iter().filter(|column| self.shows(&column.name))
    }

    /// A text that changes when the data does.
    pub fn version(snapshot: &Snapshot) -> String {
        let mut hex = selection(snapshot, None).to_hex();
        hex.truncate(16);
        hex
    }

    fn shows(&self, column: &str) -> bool {
        self.rules.columns.is_empty() || self.rules.columns.iter().any(|shown| shown == column)
    }

    /// The read with the columns that the owner shows; a hidden column is as unknown as one that is not there.
    ///
    /// # Errors
    /// `Invalid` naming an unknown column.
    pub fn narrow(&self, read: &Read) -> Result<Read> {
        let mut named: Vec<&str> = read.columns.iter().map(String::as_str).collect();
        if let Some(filter) = &read.filter {
            filter_columns(filter, &mut named);
        }
        if let Some(unknown) = named.into_iter().find(|column| !self.shows(column)) {
            let shown = self.rules.columns.join(", ");
            return Err(Error::invalid(format!("dataset {} has no column {unknown:?}; it has {shown}", self.name)));
        }
        let columns = if read.columns.is_empty() { &self.rules.columns } else { &read.columns };
        Ok(Read { columns: columns.clone(), ..read.clone() })
    }

    /// The label of rows read from this dataset.
    pub fn label(&self, snapshot: &Snapshot, read: &Read, rows: u64) -> Label {
        let rows = RowSet { selection: selection(snapshot, read.filter.clone()), start: 0, end: rows, reversed: false };
        Label::of_rows(Source {
            dataset: Arc::clone(&self.name),
            level: self.rules.privacy,
            extremes: self.rules.extremes,
            rows: vec![rows],
        })
    }
}

/// Names a version of a dataset and a row filter, whatever the columns.
fn selection(snapshot: &Snapshot, filter: Option<Filter>) -> Key {
    let rows = Read { dataset: String::new(), columns: Vec::new(), filter, frame: false };
    Key::dataset(&DatasetLeaf { files: snapshot.identities().to_vec(), canonical_read: &rows.canonical_options() })
}

fn filter_columns<'a>(filter: &'a Filter, out: &mut Vec<&'a str>) {
    match filter {
        Filter::Compare(Compare { column, .. }) | Filter::IsNull(column) => out.push(column),
        Filter::And(of) | Filter::Or(of) => of.iter().for_each(|filter| filter_columns(filter, out)),
        Filter::Not(filter) => filter_columns(filter, out),
    }
}

/// All datasets.
#[derive(Debug)]
pub struct Catalog(BTreeMap<String, Arc<Entry>>);

impl Catalog {
    /// Of the configured datasets; files are opened when they are asked for, with scratch out of this memory.
    pub fn new(datasets: &[DatasetConfig], memory: &Arc<Memory>) -> Self {
        Self(datasets.iter().map(|rules| (rules.name.clone(), Arc::new(Entry::new(rules, memory)))).collect())
    }

    /// The datasets that a tenant may read.
    pub fn visible<'a>(&'a self, tenant: &'a Tenant) -> impl Iterator<Item = &'a Arc<Entry>> {
        self.0.values().filter(|entry| entry.admits(tenant))
    }

    /// A dataset that the tenant may read.
    ///
    /// # Errors
    /// `NotFound`, the same for one that others may read and one that does not exist.
    pub fn find(&self, tenant: &Tenant, name: &str) -> Result<&Arc<Entry>> {
        self.0.get(name).filter(|entry| entry.admits(tenant)).ok_or_else(|| {
            Error::not_found(format!("this tenant has no dataset {name:?} here; Describe lists those that it may read"))
        })
    }

    /// Whether the tenant may read the dataset now.
    pub fn may_read(&self, tenant: &Tenant, name: &str) -> bool {
        self.find(tenant, name).is_ok()
    }
}

impl Entry {
    fn admits(&self, tenant: &Tenant) -> bool {
        self.rules.readers.is_empty() || self.rules.readers.iter().any(|reader| **reader == **tenant.name())
    }
}
