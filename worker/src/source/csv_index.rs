//! The one pass over a CSV file when it is opened: where blocks of rows begin, and which types fit its columns.
//!
//! All of a file is looked at, and each cell: what is wrong with it is known before anybody reads, and so tells nothing
//! of the rows that somebody selected. Blocks are found one after the other, since only that tells which line feeds are
//! in quotes, and are checked in parallel while the system still has them in memory.

use std::{sync::Arc, thread};

use rayon::{
    ThreadPool, ThreadPoolBuilder,
    iter::{IntoParallelRefIterator as _, ParallelIterator as _},
};

use super::{
    csv_block::{Block, Blocks, ROW_BYTES_MAX},
    csv_cells::{Fits, Nulls, fits},
    csv_rows::{NOWHERE, Rows},
    fault::Fault,
    schema::Type,
    scratch::Shelf,
};
use crate::memory::Memory;

/// How long a block is but for the last: enough to be worth a task of its own.
const BLOCK_BYTES: usize = 1 << 20;

/// Of many columns it is longer, so as to have some hundred rows of cells of so many bytes.
const BLOCK_ROWS: usize = 128;
const CELL_BYTES: usize = 16;

/// How many threads check a file. They call no BLAS, and last as long as the pass.
const THREADS_MAX: usize = 16;

/// Blocks of each thread that are found before they are checked.
const BLOCKS_AHEAD: usize = 4;

/// What a file's rows are.
pub(super) struct Index {
    pub(super) blocks: Vec<Block>,
    /// Of each column.
    pub(super) fits: Vec<Fits>,
    /// Of all bytes.
    pub(super) digest: blake3::Hash,
}

/// How the rows of a file are looked at.
pub(super) struct Indexing<'a> {
    pub(super) memory: &'a Arc<Memory>,
    pub(super) delimiter: u8,
    pub(super) nulls: &'a Nulls,
    /// Names, and the types that the owner gave.
    pub(super) columns: &'a [(String, Option<Type>)],
    /// Columns that errors may name; empty: all.
    pub(super) shown: &'a [String],
}

/// What the check of a block found.
struct Checked {
    rows: usize,
    fits: Vec<Fits>,
    digest: blake3::Hash,
}

impl Indexing<'_> {
    /// Looks at all rows.
    pub(super) fn index(&self, mut rest: Blocks<'_>) -> Result<Index, Fault> {
        let columns = self.columns.len();
        let bytes_min = (columns * CELL_BYTES * BLOCK_ROWS).clamp(BLOCK_BYTES, ROW_BYTES_MAX);
        let threads = thread::available_parallelism().map_or(1, |cores| cores.get().min(THREADS_MAX));
        let is_short = rest.descriptor.stat().size < 2 * bytes_min as u64;
        // Without a pool all is the same, if slower.
        let pool = if is_short { None } else { ThreadPoolBuilder::new().num_threads(threads).build().ok() };
        let (mut blocks, mut fits) = (Vec::new(), vec![Fits::ANYTHING; columns]);
        let mut hasher = blake3::Hasher::new();
        loop {
            let mut ahead = Vec::new();
            while ahead.len() < BLOCKS_AHEAD * threads
                && let Some(block) = rest.next(bytes_min)?
            {
                ahead.push(block);
            }
            if ahead.is_empty() {
                return Ok(Index { blocks, fits, digest: hasher.finalize() });
            }
            // In the order of the file, and so the first error is always the same.
            for (mut block, checked) in ahead.iter().copied().zip(self.checked(&ahead, &rest, pool.as_ref())) {
                let checked = checked?;
                block.rows = checked.rows;
                blocks.push(block);
                fits.iter_mut().zip(checked.fits).for_each(|(fits, of)| *fits = fits.and(of));
                hasher.update(checked.digest.as_bytes());
            }
        }
    }

    fn checked(&self, blocks: &[Block], file: &Blocks<'_>, pool: Option<&ThreadPool>) -> Vec<Result<Checked, Fault>> {
        match pool {
            None => blocks.iter().map(|block| self.check(block, file, file.shelf)).collect(),
            Some(pool) => pool.install(|| {
                let shelf = || Shelf::new(self.memory);
                blocks.par_iter().map_init(shelf, |shelf, block| self.check(block, file, shelf)).collect()
            }),
        }
    }

    fn check(&self, block: &Block, file: &Blocks<'_>, shelf: &Shelf) -> Result<Checked, Fault> {
        let mut bytes = block.load(file.descriptor, shelf)?;
        let text = &bytes[..block.len];
        let digest = blake3::hash(text);
        block.check_text(text)?;
        let columns = self.columns.len();
        // Texts need no look.
        let place = |i: usize| if self.columns[i].1 == Some(Type::Text) { NOWHERE } else { 1 + i };
        let places: Vec<usize> = (0..columns).map(place).collect();
        let _fits = shelf.ticket((columns * (size_of::<usize>() + size_of::<Fits>())) as u64)?;
        let (mut spans, _ticket) = block.spans((1 + columns, columns), 0, shelf)?;
        let mut rows = Rows::new(&mut bytes, block.len, self.delimiter);
        let mut checked = Checked { rows: 0, fits: vec![Fits::ANYTHING; columns], digest };
        loop {
            let cut = rows.cut(&places, &mut spans);
            let cut = cut.map_err(|broken| block.fault(rows.bytes(), columns, &broken))?;
            if cut == 0 {
                return Ok(checked);
            }
            checked.rows += cut;
            for (column, (place, known)) in places.iter().zip(&mut checked.fits).enumerate() {
                let mut spans = spans.column(*place, cut).iter();
                match self.columns[column].1 {
                    Some(Type::Text) => {}
                    Some(kind) => {
                        let is_misfit = |cell| !self.nulls.has(cell) && !fits(kind, cell);
                        if let Some((at, _)) = spans.find(|span| is_misfit(rows.field(**span))) {
                            return Err(self.misfit(column, kind, block.line_of(rows.bytes(), *at as usize)));
                        }
                    }
                    None => {
                        let cells = spans.map(|span| rows.field(*span)).filter(|cell| !self.nulls.has(cell));
                        *known = cells.fold(*known, Fits::with);
                    }
                }
            }
        }
    }

    /// What everybody may know of a cell that is not of the type that its owner gave its column.
    fn misfit(&self, column: usize, kind: Type, line: u64) -> Fault {
        let name = &self.columns[column].0;
        let kind = kind.column(name).type_name;
        let column = match self.shown.is_empty() || self.shown.contains(name) {
            true => format!("its column {name:?}"),
            false => "a column that is not shown".to_owned(),
        };
        Fault::of(format!("{column} is declared as {kind}, and a cell in line {line} is none"), "another type")
    }
}
