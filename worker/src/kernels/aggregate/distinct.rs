//! Distinct values of columns: by sorting them, or by the registers of HyperLogLog (Flajolet, Fusy, Gandouet and
//! Meunier, "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm", 2007).

use std::ops::Range;

use fondaco_proto::{Result, Shape, op::Distinct};
use rayon::slice::ParallelSliceMut;

use super::super::{
    Context,
    matmul::accumulate::from_columns,
    slice::copy_block,
    view::{UNIT_CELLS, grouped, segments},
};
use crate::{
    matrix::{Builder, Matrix},
    memory::Buffer,
};

/// Shorter columns are sorted on one thread.
const SORTED_SERIALLY: usize = 1 << 15;

/// Groups of rows whose registers are filled by themselves, of each column.
const GROUPS: usize = 16;

/// The value of the operator, whose shape is `shape`.
pub fn run(op: Distinct, inputs: &[Matrix], shape: Shape, cx: &Context<'_>) -> Result<Matrix> {
    let columns = (0..inputs[0].columns()).collect();
    match op {
        Distinct::Count => {
            let counts = cx.map(columns, |column| Ok(sorted(inputs, column, cx)?.chunk_by(same).count() as f64))?;
            Matrix::from_column_major(cx.memory, 1, counts.len(), &counts)
        }
        Distinct::Values { .. } => {
            let rows = shape.rows as usize;
            let values = cx.map(columns, |column| -> Result<Buffer> {
                let sorted = sorted(inputs, column, cx)?;
                let mut values = cx.memory.buffer(rows)?;
                values.fill(f64::NAN);
                for (value, cells) in values.iter_mut().zip(sorted.chunk_by(same)) {
                    *value = cells[0];
                }
                Ok(values)
            })?;
            from_columns(rows, values.len(), |column| &values[column], cx)
        }
        Distinct::Registers { bits } => {
            let registers = fold(inputs, 1 << bits, cx, |cell, registers: &mut [f64]| {
                let (register, rank) = Hash::of(cell).register(bits);
                registers[register] = registers[register].max(rank);
            })?;
            let mut builder = Builder::new(cx.memory, 1 << bits, registers.len())?;
            for tile in builder.tiles_mut() {
                for (column, out) in tile.data.chunks_exact_mut(tile.rows).enumerate() {
                    for (i, out) in out.iter_mut().enumerate() {
                        let part = |part: &Buffer| part[tile.first_row + i];
                        *out = registers[column].iter().map(part).fold(0.0, f64::max);
                    }
                }
            }
            Ok(builder.finish())
        }
    }
}

/// Of all registers of all columns, the one that fewest rows choose: how many do.
pub(crate) fn least_in_register(inputs: &[Matrix], bits: u32, cx: &Context<'_>) -> Result<f64> {
    let counts = fold(inputs, 1 << bits, cx, |cell, counts: &mut [f64]| {
        counts[Hash::of(cell).register(bits).0] += 1.0;
    })?;
    let rows = |column: &[Buffer], register: usize| column.iter().map(|part| part[register]).sum::<f64>();
    let registers = counts.iter().flat_map(|column| (0..1 << bits).map(move |register| rows(column, register)));
    Ok(registers.fold(f64::INFINITY, f64::min))
}

/// For each column, buffers of so many numbers, zeros at first, into which `add` puts the cells of some rows each.
fn fold(
    inputs: &[Matrix],
    len: usize,
    cx: &Context<'_>,
    add: impl Fn(f64, &mut [f64]) + Send + Sync,
) -> Result<Vec<Vec<Buffer>>> {
    let blocks: Vec<(&Matrix, Range<usize>)> =
        inputs.iter().flat_map(|x| segments(0..x.rows(), UNIT_CELLS).map(move |rows| (x, rows))).collect();
    let groups = grouped(blocks.len(), GROUPS);
    let tasks = (0..inputs[0].columns()).flat_map(|column| groups.iter().map(move |group| (column, group))).collect();
    let folded = cx.map(tasks, |(column, group): (usize, &Range<usize>)| -> Result<Buffer> {
        let mut into = cx.memory.zeros(len)?;
        let mut cells = cx.memory.buffer(UNIT_CELLS)?;
        for (x, rows) in &blocks[group.clone()] {
            cx.cancel.check()?;
            let cells = &mut cells[..rows.len()];
            copy_block(x, rows.clone(), column..column + 1, cells);
            cells.iter().for_each(|cell| add(*cell, &mut into));
        }
        Ok(into)
    })?;
    let mut folded = folded.into_iter();
    Ok((0..inputs[0].columns()).map(|_| folded.by_ref().take(groups.len()).collect()).collect())
}

/// The cells of a column of all inputs in ascending order, NaN last; equal ones have the same bits.
fn sorted(inputs: &[Matrix], column: usize, cx: &Context<'_>) -> Result<Buffer> {
    let rows: usize = inputs.iter().map(Matrix::rows).sum();
    let mut cells = cx.memory.buffer(rows)?;
    let mut rest = &mut cells[..];
    for x in inputs {
        let (part, next) = rest.split_at_mut(x.rows());
        copy_block(x, 0..x.rows(), column..column + 1, part);
        part.iter_mut().for_each(|cell| *cell = one_of_its_kind(*cell));
        rest = next;
    }
    if cx.parallel && rows > SORTED_SERIALLY {
        cells.par_sort_unstable_by(f64::total_cmp);
    } else {
        cells.sort_unstable_by(f64::total_cmp);
    }
    Ok(cells)
}

fn same(a: &f64, b: &f64) -> bool {
    a.to_bits() == b.to_bits()
}

/// The one NaN, and the one zero.
fn one_of_its_kind(x: f64) -> f64 {
    if x.is_nan() { f64::NAN } else { x + 0.0 }
}

/// 64 bits of a value, as if drawn: Stafford's mix 13, the finaliser of splitmix64. The same at every site.
struct Hash(u64);

impl Hash {
    fn of(x: f64) -> Self {
        let mut z = one_of_its_kind(x).to_bits().wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(z ^ (z >> 31))
    }

    /// Its register, and the leading zeros of the rest plus one.
    fn register(&self, bits: u32) -> (usize, f64) {
        // Below the rest a one, where zeros end.
        let rest = self.0 << bits | 1 << (bits - 1);
        ((self.0 >> (64 - bits)) as usize, f64::from(rest.leading_zeros() + 1))
    }
}
