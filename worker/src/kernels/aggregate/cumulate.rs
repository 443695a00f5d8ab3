//! What cells come to one after another. Down stored columns, tiles are scanned in parallel: first what each comes to as
//! a whole, then each from what those before it came to. Across stored rows, all rows of a block go side by side.

use fondaco_proto::{
    Result,
    op::{Axis, Cumulate, CumulateFunction},
};

use super::{
    super::{
        Context,
        slice::copy_block,
        view::{Unit, segments, unit_columns, units},
    },
    extreme::{Extreme, Largest, Smallest},
    product::Product,
    reduction::Reduction,
    total::{Plain, Sum, Total},
};
use crate::matrix::{Builder, Matrix, Tile, TileMut};

/// Columns that are scanned side by side, because each step waits for the one before.
const SIDE_BY_SIDE: usize = 4;

/// Rows that are scanned side by side.
const BLOCK_ROWS: usize = 256;

/// Rows of two columns that are copied at a time.
const PAIRS: usize = 4096;

/// The value of the operator.
pub fn run(op: &Cumulate, inputs: &[Matrix], cx: &Context<'_>) -> Result<Matrix> {
    let (x, carry) = (&inputs[0], inputs.get(1));
    match op.function {
        CumulateFunction::Cumsum => scan::<Total<Plain>>(x, carry, op.axis, cx),
        CumulateFunction::Cumprod => scan::<Product>(x, carry, op.axis, cx),
        CumulateFunction::Cummin => scan::<Extreme<Smallest>>(x, carry, op.axis, cx),
        CumulateFunction::Cummax => scan::<Extreme<Largest>>(x, carry, op.axis, cx),
        CumulateFunction::Cumsumprod => {
            let y = carry.map_or(0.0, |carry| carry.get(0, 0));
            match op.axis {
                Axis::All | Axis::Columns => cumsumprod(x, y, cx),
                Axis::Rows => Ok(cumsumprod(&x.transpose(), y, cx)?.transpose()),
            }
        }
    }
}

/// A reduction whose partial results are wanted after each cell.
trait Scan: Reduction {
    /// What the words of a carry stand for; the second is there for scaled products alone.
    fn carried(word: f64, second: f64) -> Self::Partial;

    /// Takes a cell; what all so far come to.
    fn step(state: &mut Self::Partial, x: f64) -> f64;
}

impl Scan for Total<Plain> {
    fn carried(word: f64, _second: f64) -> Sum {
        Sum { high: word, low: 0.0 }
    }

    #[inline(always)]
    fn step(state: &mut Sum, x: f64) -> f64 {
        state.add(x);
        state.value()
    }
}

impl Scan for Product {
    fn carried(m: f64, e: f64) -> Product {
        Product { m, e }
    }

    #[inline(always)]
    fn step(state: &mut Product, x: f64) -> f64 {
        state.multiply(x);
        state.value()
    }
}

macro_rules! extremes {
    ($($choice:ident),+) => {
        $(impl Scan for Extreme<$choice> {
            fn carried(word: f64, _second: f64) -> f64 {
                word
            }

            #[inline(always)]
            fn step(state: &mut f64, x: f64) -> f64 {
                *state = Self::merge(*state, x);
                *state
            }
        })+
    };
}
extremes!(Smallest, Largest);

/// Scans along an axis; the carry has a word, or two, for each line.
fn scan<S: Scan>(x: &Matrix, carry: Option<&Matrix>, axis: Axis, cx: &Context<'_>) -> Result<Matrix> {
    let down = (axis == Axis::Rows) == x.is_transposed();
    let word = |carry: &Matrix, line: usize, word: usize| match axis {
        Axis::All | Axis::Columns if word < carry.rows() => carry.get(word, line),
        Axis::Rows if word < carry.columns() => carry.get(line, word),
        Axis::All | Axis::Columns | Axis::Rows => 0.0,
    };
    let start = |line: usize| match carry {
        Some(carry) => S::carried(word(carry, line, 0), word(carry, line, 1)),
        None => S::EMPTY,
    };
    let result = if down { scan_down::<S>(x, &start, cx)? } else { scan_across::<S>(x, &start, cx)? };
    Ok(if x.is_transposed() { result.transpose() } else { result })
}

/// Down each stored column.
fn scan_down<S: Scan>(x: &Matrix, start: &(impl Fn(usize) -> S::Partial + Sync), cx: &Context<'_>) -> Result<Matrix> {
    let (tiles, columns) = (x.tiles(), x.stored_columns());
    let before = tiles.len().saturating_sub(1);
    let _states = cx.memory.ticket((2 * (before + 1) * columns * size_of::<S::Partial>()) as u64)?;
    let width = unit_columns(x.tile_rows().min(x.stored_rows()));
    let blocks: Vec<_> = segments(0..columns, width).collect();
    let tasks = tiles[..before].iter().flat_map(|tile| blocks.iter().map(move |block| (tile, block.clone()))).collect();
    let totals = cx.map(tasks, |(tile, block): (&Tile, std::ops::Range<usize>)| {
        Ok(block.map(|column| S::lane(tile.column(column))).collect::<Vec<_>>())
    })?;
    let totals: Vec<S::Partial> = totals.concat();
    // What each tile begins with, column by column.
    let mut starts: Vec<S::Partial> = (0..columns).map(start).collect();
    for tile in 0..before {
        for column in 0..columns {
            starts.push(S::merge(starts[tile * columns + column], totals[tile * columns + column]));
        }
    }
    let mut builder = Builder::new(cx.memory, x.stored_rows(), columns)?;
    cx.each(units(&mut builder), |unit| {
        let index = unit.first_row / x.tile_rows();
        let tile = &tiles[index];
        let Unit { rows, first_column, data, .. } = unit;
        for (i, out) in data.chunks_mut(SIDE_BY_SIDE * rows).enumerate() {
            let first = first_column + i * SIDE_BY_SIDE;
            let states = &starts[index * columns + first..];
            if out.len() == SIDE_BY_SIDE * rows {
                let cells = &tile.data()[first * rows..][..out.len()];
                side_by_side::<S>(cells, rows, [states[0], states[1], states[2], states[3]], out);
                continue;
            }
            for (j, out) in out.chunks_exact_mut(rows).enumerate() {
                let mut state = states[j];
                out.iter_mut().zip(tile.column(first + j)).for_each(|(out, x)| *out = S::step(&mut state, *x));
            }
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// Four columns of so many rows, step by step.
fn side_by_side<S: Scan>(cells: &[f64], rows: usize, mut states: [S::Partial; SIDE_BY_SIDE], out: &mut [f64]) {
    for row in 0..rows {
        for (column, state) in states.iter_mut().enumerate() {
            out[column * rows + row] = S::step(state, cells[column * rows + row]);
        }
    }
}

/// Across each stored row.
fn scan_across<S: Scan>(x: &Matrix, start: &(impl Fn(usize) -> S::Partial + Sync), cx: &Context<'_>) -> Result<Matrix> {
    let mut builder = Builder::new(cx.memory, x.stored_rows(), x.stored_columns())?;
    let pairs = x.tiles().iter().zip(builder.tiles_mut()).collect();
    cx.each(pairs, |(from, to): (&Tile, TileMut<'_>)| {
        let height = from.rows();
        for rows in segments(0..height, BLOCK_ROWS) {
            cx.cancel.check()?;
            let mut states = [S::EMPTY; BLOCK_ROWS];
            for (state, row) in states.iter_mut().zip(rows.clone()) {
                *state = start(from.first_row() + row);
            }
            for (cells, out) in from.data().chunks_exact(height).zip(to.data.chunks_exact_mut(height)) {
                let lines = states.iter_mut().zip(&cells[rows.clone()]).zip(&mut out[rows.clone()]);
                lines.for_each(|((state, x), out)| *out = S::step(state, *x));
            }
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// `y[i] = x[i, 0] + x[i, 1] * y[i - 1]`, cell after cell.
fn cumsumprod(x: &Matrix, mut y: f64, cx: &Context<'_>) -> Result<Matrix> {
    let mut builder = Builder::new(cx.memory, x.rows(), 1)?;
    let mut pairs = cx.memory.buffer(2 * PAIRS)?;
    for tile in builder.tiles_mut() {
        for rows in segments(tile.first_row..tile.first_row + tile.rows, PAIRS) {
            cx.cancel.check()?;
            let pairs = &mut pairs[..2 * rows.len()];
            copy_block(x, rows.clone(), 0..2, pairs);
            let (a, b) = pairs.split_at(rows.len());
            let out = &mut tile.data[rows.start - tile.first_row..rows.end - tile.first_row];
            for ((a, b), out) in a.iter().zip(b).zip(out) {
                y = a + b * y;
                *out = y;
            }
        }
    }
    Ok(builder.finish())
}
