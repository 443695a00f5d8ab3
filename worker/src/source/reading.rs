//! One read: which rows match, and then the cells of those rows, straight into the tiles of a matrix, or into columns.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use fondaco_proto::{ColumnKind, Error};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use super::{
    bits::Bits,
    columns::{self, joined},
    fault::{Fault, guarded},
    part::Part,
    plan::{Group, ReadPlan},
    predicate::{Leaf, Predicate, Truth},
    scratch::Shelf,
    sink::{Cells, Sink, Tests},
    stream::{Piece, Slab},
};
use crate::{
    cancel::Cancel,
    frame::Frame,
    kernels::slice::copy_column,
    matrix::{Builder, Matrix, TileMut},
    memory::{Memory, Ticket},
};

/// One read of a plan's row groups.
pub(super) struct Reading<'a> {
    pub(super) dataset: &'a str,
    pub(super) parts: &'a [Part],
    pub(super) chunks_read: &'a AtomicU64,
    pub(super) plan: &'a ReadPlan,
    pub(super) memory: &'a Arc<Memory>,
    pub(super) cancel: &'a Cancel,
    /// Whether to use the rayon pool of the caller.
    pub(super) parallel: bool,
}

impl Reading<'_> {
    /// The matching rows of the plan's columns.
    pub(super) fn matrix(&self) -> Result<Matrix, Fault> {
        let (groups, columns) = (&self.plan.groups, &self.plan.columns);
        let _masks = self.mask_ticket()?;
        let masks = self.masks()?;
        let rows = self.matching(&masks);
        let mut builder = Builder::new(self.memory, rows.iter().sum(), columns.len())?;
        let pieces_max = (builder.tiles_mut().len() as u64 + groups.len() as u64) * columns.len() as u64;
        let _pieces = self.memory.ticket(pieces_max * size_of::<&mut [f64]>() as u64)?;
        let pieces = pieces(builder.tiles_mut().collect(), &rows, columns.len());
        self.fill(&groups.iter().zip(&masks).collect::<Vec<_>>(), pieces)?;
        Ok(builder.finish())
    }

    /// Decodes the plan's columns of some groups, each into the cells of a group and column as [`pieces`] has them.
    fn fill(&self, groups: &[(&Group, &Option<Bits>)], pieces: Vec<Vec<&mut [f64]>>) -> Result<(), Fault> {
        let (mut pieces, mut tasks) = (pieces.into_iter(), Vec::new());
        for (group, mask) in groups {
            let together = self.parts[group.part].columns_together(self.plan.columns.len());
            for columns in self.plan.columns.chunks(together) {
                let cells: Vec<_> = pieces.by_ref().take(columns.len()).collect();
                if cells.iter().any(|cells| !cells.is_empty()) {
                    tasks.push((*group, columns, mask.as_ref(), cells));
                }
            }
        }
        self.each(tasks, |shelf, (group, columns, mask, cells)| {
            let mut sinks: Vec<Cells> = cells.into_iter().map(|cells| Cells::new(cells, mask)).collect();
            self.decode(group, columns, shelf, &mut sinks)
        })
    }

    /// How many rows of each group match.
    pub(super) fn matching_rows(&self) -> Result<Vec<usize>, Fault> {
        let groups = &self.plan.groups;
        let Some(filter) = &self.plan.filter else { return Ok(groups.iter().map(|group| group.rows).collect()) };
        self.map(groups.iter().collect(), |shelf, group| {
            if group.is_filtered { Ok(self.mask(filter, group, shelf)?.count()) } else { Ok(group.rows) }
        })
    }

    /// Some of the matching rows, after some that were read before.
    pub(super) fn slab(&self, slab: &Slab, before: Option<&Matrix>) -> Result<[Matrix; 2], Fault> {
        let columns = &self.plan.columns;
        let group = |piece: &Piece| &self.plan.groups[piece.group];
        let _masks = self.memory.ticket(slab.pieces.iter().map(|piece| Bits::bytes(group(piece).rows)).sum())?;
        let masks = self.map(slab.pieces.iter().collect(), |shelf, piece| self.piece_mask(piece, shelf))?;
        let mut full = Builder::new(self.memory, slab.rows - slab.rest, columns.len())?;
        let mut rest = Builder::new(self.memory, slab.rest, columns.len())?;
        let tiles: Vec<TileMut<'_>> = full.tiles_mut().chain(rest.tiles_mut()).collect();
        let rows: Vec<usize> =
            std::iter::once(slab.carried).chain(slab.pieces.iter().map(|piece| piece.rows.len())).collect();
        let pieces_max = (tiles.len() as u64 + rows.len() as u64) * columns.len() as u64;
        let _pieces = self.memory.ticket(pieces_max * size_of::<&mut [f64]>() as u64)?;
        let mut pieces = pieces(tiles, &rows, columns.len());
        let read = pieces.split_off(columns.len());
        if let Some(before) = before {
            for (column, cells) in pieces.into_iter().enumerate() {
                let mut row = 0;
                for cells in cells {
                    copy_column(before, column, row, cells);
                    row += cells.len();
                }
            }
        }
        self.fill(&slab.pieces.iter().map(group).zip(&masks).collect::<Vec<_>>(), read)?;
        Ok([full.finish(), rest.finish()])
    }

    /// The rows of a piece among those of its group; `None` if it is all of them.
    fn piece_mask(&self, piece: &Piece, shelf: &Shelf) -> Result<Option<Bits>, Fault> {
        let group = &self.plan.groups[piece.group];
        let matching = match &self.plan.filter {
            Some(filter) if group.is_filtered => self.mask(filter, group, shelf)?,
            Some(_) | None if piece.rows == (0..group.rows) => return Ok(None),
            Some(_) | None => Bits::ones(group.rows),
        };
        // The file is as it was when its matching rows were counted; if it is not, the reading fails.
        Ok(Some(matching.among(piece.rows.clone())))
    }

    /// The same rows as a frame, of a plan for one.
    pub(super) fn frame(&self) -> Result<Frame, Fault> {
        let (groups, columns) = (&self.plan.groups, &self.plan.columns);
        let _masks = self.mask_ticket()?;
        let masks = self.masks()?;
        let rows = self.matching(&masks);
        let mut tasks = Vec::new();
        for (group, of) in groups.iter().enumerate() {
            let together = self.parts[of.part].columns_together(columns.len());
            let firsts = (0..columns.len()).step_by(together);
            tasks.extend(firsts.map(|first| (group, first..columns.len().min(first + together))));
        }
        let pieces = self.map(tasks, |shelf, (group, range)| {
            let piece = |kind: &ColumnKind| columns::Piece::new(*kind, rows[group], masks[group].as_ref(), self.memory);
            let mut pieces: Vec<_> = self.plan.kinds[range.clone()].iter().map(piece).collect::<Result<_, _>>()?;
            if rows[group] > 0 {
                self.decode(&groups[group], &columns[range], shelf, &mut pieces)?;
            }
            pieces.iter().try_for_each(columns::Piece::check)?;
            Ok(pieces)
        })?;
        let mut of_columns: Vec<Vec<columns::Piece<'_>>> = Vec::new();
        of_columns.resize_with(columns.len(), Vec::new);
        for (i, piece) in pieces.into_iter().flatten().enumerate() {
            of_columns[i % columns.len()].push(piece);
        }
        let tasks = self.plan.kinds.iter().copied().zip(of_columns).collect();
        let joined = self.map(tasks, |_, (kind, pieces)| joined(kind, pieces, self.memory))?;
        let name = |column: &usize| self.plan.schema[*column].name.clone();
        Ok(Frame::new(rows.iter().sum(), columns.iter().map(name).zip(joined).collect()))
    }

    fn mask_ticket(&self) -> Result<Ticket, Fault> {
        let filtered = self.plan.groups.iter().filter(|group| group.is_filtered);
        Ok(self.memory.ticket(filtered.map(|group| Bits::bytes(group.rows)).sum())?)
    }

    /// How many rows match in each group.
    fn matching(&self, masks: &[Option<Bits>]) -> Vec<usize> {
        let matching = |(group, mask): (&Group, &Option<Bits>)| mask.as_ref().map_or(group.rows, Bits::count);
        self.plan.groups.iter().zip(masks).map(matching).collect()
    }

    /// The matching rows of each group; `None` where all match.
    fn masks(&self) -> Result<Vec<Option<Bits>>, Fault> {
        let Some(filter) = &self.plan.filter else { return Ok(vec![None; self.plan.groups.len()]) };
        self.map(self.plan.groups.iter().collect(), |shelf, group| {
            if group.is_filtered { self.mask(filter, group, shelf).map(Some) } else { Ok(None) }
        })
    }

    fn mask(&self, filter: &Predicate, group: &Group, shelf: &Shelf) -> Result<Bits, Fault> {
        let _ticket = shelf.ticket(Bits::bytes(group.rows).saturating_mul(filter.bitmaps_max()))?;
        let part = &self.parts[group.part];
        let certain = |leaf: &Leaf| Truth::certain(part.possible(group.group, leaf.column, &leaf.test), group.rows);
        let mut truths: Vec<Option<Truth>> = filter.leaves().iter().map(certain).collect();
        let leaves = |column: usize| filter.leaves().iter().enumerate().filter(move |(_, leaf)| leaf.column == column);
        let mut columns = filter.columns();
        columns.retain(|column| leaves(*column).any(|(i, _)| truths[i].is_none()));
        for columns in columns.chunks(part.columns_together(columns.len())) {
            let sink = |column: &usize| Tests::new(leaves(*column).map(|(_, leaf)| leaf), group.rows);
            let mut sinks: Vec<Tests> = columns.iter().map(sink).collect();
            self.decode(group, columns, shelf, &mut sinks)?;
            for (column, sink) in columns.iter().zip(sinks) {
                for ((i, _), truth) in leaves(*column).zip(sink.into_truths()) {
                    truths[i] = Some(truth);
                }
            }
        }
        let truths: Vec<Truth> = truths.into_iter().flatten().collect();
        Ok(filter.rows(group.rows, &truths))
    }

    fn decode<S: Sink>(&self, group: &Group, columns: &[usize], shelf: &Shelf, sinks: &mut [S]) -> Result<(), Fault> {
        let part = &self.parts[group.part];
        self.chunks_read.fetch_add(columns.len() as u64, Ordering::Relaxed);
        guarded(|| part.read((group.group, columns), shelf, self.cancel, sinks)).map_err(|fault| match fault {
            Fault::InexactIn(column) => Fault::Refused(Error::data(format!(
                "column {:?} of dataset {} holds an integer beyond 2^{} that would lose digits; leave the column out, \
                 or ask the owner to store it as text",
                self.plan.schema[column].name,
                self.dataset,
                if self.plan.is_integer(column) { 63 } else { 53 }
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

/// Cuts tiles into the cells of each group and column: `groups[g]` rows of column `c` are at
/// `g * columns + c`, in pieces of consecutive rows.
fn pieces<'a>(tiles: Vec<TileMut<'a>>, groups: &[usize], columns: usize) -> Vec<Vec<&'a mut [f64]>> {
    let mut pieces: Vec<Vec<&mut [f64]>> = Vec::new();
    pieces.resize_with(groups.len() * columns, Vec::new);
    let (mut group, mut left) = (0, groups.first().copied().unwrap_or(0));
    for tile in tiles {
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
