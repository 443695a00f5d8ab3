//! A read that is carried out a slab of rows at a time, for what is larger than the memory.
//!
//! Slabs end where row groups end, so that each is decoded once; only a row group that is larger than a slab by itself is
//! decoded again for each of its slabs.

use std::{fmt, ops::Range, sync::Arc};

use fondaco_proto::{Result, Shape, tile_rows};

use super::{Snapshot, plan::ReadPlan};
use crate::{cancel::Cancel, matrix::Matrix, memory::Memory};

/// Rows of a dataset that match a filter, and columns of them; they are read whenever they are needed.
#[derive(Clone)]
pub struct Streamed {
    snapshot: Arc<Snapshot>,
    plan: Arc<ReadPlan>,
    /// Matching rows of each of the plan's row groups.
    group_rows: Arc<[usize]>,
    /// Which of all matching rows.
    rows: Range<usize>,
}

impl fmt::Debug for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Streamed{}", self.shape())
    }
}

/// Some of the matching rows of a row group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Which of the plan's row groups.
    pub(super) group: usize,
    /// Which of its matching rows.
    pub(super) rows: Range<usize>,
}

/// Consecutive rows, to be read together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slab {
    /// Rows of this slab that the one before has read, because they did not fill a tile there.
    pub(super) carried: usize,
    pub(super) pieces: Vec<Piece>,
    /// The row that is the first, a multiple of the tile's height.
    pub first_row: usize,
    /// Rows.
    pub rows: usize,
    /// Rows at the end that do not fill a tile, and are carried on: none for the last slab.
    pub rest: usize,
}

impl Streamed {
    /// All rows that a plan reads. Counts them, if it has a filter.
    ///
    /// # Errors
    /// As [`Snapshot::read`].
    pub fn new(
        snapshot: &Arc<Snapshot>,
        plan: ReadPlan,
        memory: &Arc<Memory>,
        cancel: &Cancel,
        parallel: bool,
    ) -> Result<Self> {
        let group_rows = snapshot.matching_rows(&plan, memory, cancel, parallel)?;
        let rows = 0..group_rows.iter().sum();
        Ok(Self { snapshot: Arc::clone(snapshot), plan: Arc::new(plan), group_rows: group_rows.into(), rows })
    }

    /// Rows and columns.
    pub fn shape(&self) -> Shape {
        Shape::new(self.rows.len() as u64, self.plan.columns() as u64)
    }

    /// Whether all of these are one read: what one of them reads, the others need not.
    pub fn is_one<'a>(mut reads: impl Iterator<Item = &'a Self>) -> bool {
        let Some(first) = reads.next() else { return true };
        reads.all(|other| {
            Arc::ptr_eq(&first.plan, &other.plan)
                && Arc::ptr_eq(&first.snapshot, &other.snapshot)
                && first.rows == other.rows
        })
    }

    /// `X[rows, columns]`; these must lie within.
    #[must_use]
    pub fn slice(&self, rows: Range<usize>, columns: &[usize]) -> Self {
        let rows = self.rows.start + rows.start..self.rows.start + rows.end;
        Self { plan: Arc::new(self.plan.with_columns(columns)), rows, ..self.clone() }
    }

    /// Bytes of a row.
    fn row_bytes(&self) -> u64 {
        8 * (self.plan.columns() as u64).max(1)
    }

    /// Bytes of the largest row group.
    pub fn group_bytes_max(&self) -> u64 {
        self.group_rows.iter().max().map_or(0, |rows| *rows as u64 * self.row_bytes())
    }

    /// The slabs, in the order of their rows, of at most about so many bytes each but at least a tile; at least one.
    pub fn slabs(&self, bytes_max: u64) -> Vec<Slab> {
        let height = tile_rows(self.plan.columns() as u64) as usize;
        let rows_max = usize::try_from(bytes_max / self.row_bytes()).unwrap_or(usize::MAX).max(height);
        let mut slabs = Vec::new();
        let mut slab = Slab { carried: 0, pieces: Vec::new(), first_row: 0, rows: 0, rest: 0 };
        for piece in self.pieces(rows_max) {
            if slab.rows + piece.rows.len() > rows_max + height && slab.rows > slab.carried {
                slab.rest = slab.rows % height;
                let first_row = slab.first_row + slab.rows - slab.rest;
                let next = Slab { carried: slab.rest, pieces: Vec::new(), first_row, rows: slab.rest, rest: 0 };
                slabs.push(std::mem::replace(&mut slab, next));
            }
            slab.rows += piece.rows.len();
            slab.pieces.push(piece);
        }
        slabs.push(slab);
        slabs
    }

    /// The rows of this value, row group by row group, none larger than a slab.
    fn pieces(&self, rows_max: usize) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut first = 0;
        for (group, &count) in self.group_rows.iter().enumerate() {
            let from = self.rows.start.clamp(first, first + count) - first;
            let to = self.rows.end.clamp(first, first + count) - first;
            for start in (from..to).step_by(rows_max) {
                pieces.push(Piece { group, rows: start..to.min(start + rows_max) });
            }
            first += count;
        }
        pieces
    }

    /// Reads a slab: the rows that fill its tiles, and the rest. It may begin with the rest of the slab before.
    ///
    /// # Errors
    /// As [`Snapshot::read`].
    pub fn read(
        &self,
        slab: &Slab,
        before: Option<&Matrix>,
        memory: &Arc<Memory>,
        cancel: &Cancel,
        parallel: bool,
    ) -> Result<[Matrix; 2]> {
        self.snapshot.read_slab(&self.plan, slab, before, memory, cancel, parallel)
    }

    /// All of it.
    ///
    /// # Errors
    /// As [`Snapshot::read`].
    pub fn to_matrix(&self, memory: &Arc<Memory>, cancel: &Cancel, parallel: bool) -> Result<Matrix> {
        let pieces = self.pieces(usize::MAX);
        let slab = Slab { carried: 0, rows: self.rows.len(), pieces, first_row: 0, rest: 0 };
        self.read(&slab, None, memory, cancel, parallel).map(|[whole, _]| whole)
    }
}
