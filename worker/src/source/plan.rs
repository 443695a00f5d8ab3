//! What a read takes from a dataset's files, decided from their metadata alone.

use std::{fmt, sync::Arc};

use fondaco_proto::{ColumnKind, Error, Result, check_fields, op::Read};

use super::{
    part::Part,
    predicate::{Possible, Predicate},
    schema::{Column, Type, find},
};

/// A read that fits the schema of the snapshot that planned it.
pub struct ReadPlan {
    pub(super) schema: Arc<[Column]>,
    /// Indices into the schema, in the order of the matrix.
    pub(super) columns: Vec<usize>,
    /// What each is read as into a frame; none for a matrix.
    pub(super) kinds: Vec<ColumnKind>,
    pub(super) filter: Option<Predicate>,
    /// Those that must be read, in the order of their rows.
    pub(super) groups: Vec<Group>,
    groups_pruned: usize,
}

/// A row group or record batch that must be read.
#[derive(Clone, Copy)]
pub(super) struct Group {
    pub(super) part: usize,
    pub(super) group: usize,
    pub(super) rows: usize,
    /// Whether the filter must look at the rows; else all of them match.
    pub(super) is_filtered: bool,
}

impl fmt::Debug for ReadPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadPlan").field("columns", &self.columns.len()).finish_non_exhaustive()
    }
}

impl ReadPlan {
    pub(super) fn new(
        dataset: &str,
        schema: &Arc<[Column]>,
        types: &[Type],
        parts: &[Part],
        read: &Read,
    ) -> Result<Self> {
        let (columns, kinds) = match read.frame {
            true => frame_columns(dataset, schema, &read.columns)?,
            false => (columns(dataset, schema, &read.columns)?, Vec::new()),
        };
        let filter = read.filter.as_ref().map(|filter| Predicate::new(dataset, schema, types, filter)).transpose()?;
        let mut plan =
            Self { schema: Arc::clone(schema), columns, kinds, filter, groups: Vec::new(), groups_pruned: 0 };
        for (part, file) in parts.iter().enumerate() {
            for (group, rows) in file.group_rows.iter().copied().enumerate() {
                let possible = plan
                    .filter
                    .as_ref()
                    .map(|filter| filter.possible(|leaf| file.possible(group, leaf.column, &leaf.test)));
                match possible {
                    _ if rows == 0 => plan.groups_pruned += 1,
                    Some(Possible { yes: false, .. }) => plan.groups_pruned += 1,
                    None | Some(Possible { no: false, unknown: false, .. }) => {
                        plan.groups.push(Group { part, group, rows, is_filtered: false });
                    }
                    Some(_) => plan.groups.push(Group { part, group, rows, is_filtered: true }),
                }
            }
        }
        Ok(plan)
    }

    /// The same rows, and of the columns these.
    pub(super) fn with_columns(&self, columns: &[usize]) -> Self {
        Self {
            schema: Arc::clone(&self.schema),
            columns: columns.iter().map(|&column| self.columns[column]).collect(),
            kinds: Vec::new(),
            filter: self.filter.clone(),
            groups: self.groups.clone(),
            groups_pruned: self.groups_pruned,
        }
    }

    /// Columns of the matrix or frame.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Whether a column is read as integers.
    pub(super) fn is_integer(&self, column: usize) -> bool {
        let mut read = self.columns.iter().zip(&self.kinds);
        read.any(|(of, kind)| *of == column && *kind == ColumnKind::Int64)
    }

    /// At most so many rows match.
    pub fn rows_upper(&self) -> u64 {
        self.groups.iter().map(|group| group.rows as u64).sum()
    }

    /// Row groups and record batches that are read, and those that need not be.
    pub fn groups_read_and_pruned(&self) -> (usize, usize) {
        (self.groups.len(), self.groups_pruned)
    }
}

/// The columns of a matrix: those named, or all.
fn columns(dataset: &str, schema: &[Column], names: &[String]) -> Result<Vec<usize>> {
    if names.is_empty() {
        return match schema.iter().find(|column| !column.numeric) {
            None => Ok((0..schema.len()).collect()),
            Some(Column { name, type_name, .. }) => Err(Error::data(format!(
                "column {name:?} of dataset {dataset} is {type_name} and cannot be a column of a matrix; name the \
                 numeric columns to read"
            ))),
        };
    }
    names
        .iter()
        .map(|name| {
            let column = find(dataset, schema, name)?;
            let Column { type_name, numeric, .. } = &schema[column];
            if !numeric {
                return Err(Error::data(format!(
                    "column {name:?} of dataset {dataset} is {type_name} and cannot be a column of a matrix; read \
                     numeric columns, and filter by the others"
                )));
            }
            Ok(column)
        })
        .collect()
}

/// The columns of a frame: those named, or all; and what each is read as.
fn frame_columns(dataset: &str, schema: &[Column], names: &[String]) -> Result<(Vec<usize>, Vec<ColumnKind>)> {
    let columns: Vec<usize> = match names {
        [] => (0..schema.len()).collect(),
        names => names.iter().map(|name| find(dataset, schema, name)).collect::<Result<_>>()?,
    };
    check_fields(columns.iter().map(|column| schema[*column].name.as_str()))?;
    let kind = |column: &usize| {
        let Column { name, type_name, .. } = &schema[*column];
        ColumnKind::of_type(type_name).ok_or_else(|| {
            Error::data(format!(
                "column {name:?} of dataset {dataset} is {type_name} and cannot be a column of a frame; name the \
                 columns of numbers, dates and texts"
            ))
        })
    };
    let kinds = columns.iter().map(kind).collect::<Result<_>>()?;
    Ok((columns, kinds))
}
