//! Where the smallest and the largest cells are: the first of them, and NaN before all others, as NumPy has it.

use std::marker::PhantomData;

use fondaco_proto::{Result, Shape, op::Axis};

use super::{
    super::{Context, dense_one, simd},
    Output,
    extreme::{Choice, Extreme},
    reduction::{BLOCK_ROWS, Block, Reduction},
};
use crate::{matrix::Matrix, value::Value};

/// The winner of some cells, in their order.
#[derive(Clone, Copy, Debug)]
pub struct Winner {
    /// Cells that took part.
    count: f64,
    value: f64,
    /// How many came before it.
    place: f64,
}

/// What is told of a winner.
#[derive(Clone, Copy)]
pub enum Told {
    /// Where it is.
    Place,
    /// Its value, and where it is.
    Both,
}

impl Told {
    fn width(self) -> u64 {
        match self {
            Self::Place => 1,
            Self::Both => 2,
        }
    }

    fn cell(self, winner: Winner, cell: usize) -> f64 {
        match (self, cell) {
            (Self::Both, 0) => winner.value,
            (Self::Place | Self::Both, _) => winner.place,
        }
    }
}

/// The winners along an axis of `np.vstack(inputs)`; over all, the place is the one row by row.
pub fn run<C: Choice>(axis: Axis, inputs: &[Value], told: Told, cx: &Context<'_>) -> Result<Matrix> {
    // Of a sparse matrix the cells that are there are looked at before all others, and so have no places.
    let in_order = |input: &Value| match input {
        Value::Sparse(_) => dense_one(input, cx).map(Value::Dense),
        Value::Dense(_) | Value::Lazy(_) | Value::Streamed(_) | Value::Frame(_) => Ok(input.clone()),
    };
    let inputs = inputs.iter().map(in_order).collect::<Result<Vec<_>>>()?;
    let Shape { rows, columns } = inputs[0].shape();
    let along = |shape, told: Told, axis| {
        Output { axis, shape }.each::<Placed<C>>(&inputs, cx, |winner, cell| told.cell(winner, cell))
    };
    match axis {
        Axis::Columns => along(Shape::new(told.width(), columns), told, axis),
        Axis::Rows => along(Shape::new(rows, told.width()), told, axis),
        Axis::All => {
            // Cells follow one another row by row, however they are stored: of the columns' winners the first.
            let winners = along(Shape::new(2, columns), Told::Both, Axis::Columns)?;
            let winner = |column: usize| Winner {
                count: 1.0,
                value: winners.get(0, column),
                place: winners.get(1, column) * columns as f64 + column as f64,
            };
            let first = (0..winners.columns()).map(winner).reduce(earlier::<C>).unwrap_or(Placed::<C>::EMPTY);
            let cells: Vec<f64> = (0..told.width() as usize).map(|cell| told.cell(first, cell)).collect();
            Matrix::from_column_major(cx.memory, cells.len(), 1, &cells)
        }
    }
}

/// Of two that have places in the same order, the better or, of equal ones, the first.
fn earlier<C: Choice>(a: Winner, b: Winner) -> Winner {
    let equal = a.value == b.value || (a.value.is_nan() && b.value.is_nan());
    let first = if equal { a.place <= b.place } else { stays::<C>(a.value, b.value) };
    if first { a } else { b }
}

/// Whether the best so far stays when x comes: NaN does.
#[inline(always)]
fn stays<C: Choice>(best: f64, x: f64) -> bool {
    C::stays(best, x) | best.is_nan()
}

/// The winner.
pub struct Placed<C>(PhantomData<C>);

impl<C: Choice> Reduction for Placed<C> {
    type Partial = Winner;

    const EMPTY: Winner = Winner { count: 0.0, value: C::WORST, place: 0.0 };

    fn lane(cells: &[f64]) -> Winner {
        let value = Extreme::<C>::lane(cells);
        // If there is no NaN among them, the value is there.
        let place = cells.iter().position(|x| *x == value || x.is_nan()).unwrap_or(0);
        Winner { count: cells.len() as f64, value, place: place as f64 }
    }

    fn across(block: &Block<'_>, out: &mut [Winner]) {
        let (mut best, mut places) = ([C::WORST; BLOCK_ROWS], [0.0; BLOCK_ROWS]);
        for (column, cells) in block.columns().enumerate() {
            if column == 0 {
                best[..cells.len()].copy_from_slice(cells);
                continue;
            }
            let place = column as f64;
            simd::run(Compare::<C> { best: &mut best, places: &mut places, cells, place, choice: PhantomData });
        }
        let count = block.width() as f64;
        for (out, (value, place)) in out.iter_mut().zip(best.into_iter().zip(places)) {
            *out = Winner { count, value, place };
        }
    }

    fn merge(a: Winner, b: Winner) -> Winner {
        let stays = b.count == 0.0 || (a.count > 0.0 && stays::<C>(a.value, b.value));
        let winner = if stays { a } else { Winner { place: a.count + b.place, ..b } };
        Winner { count: a.count + b.count, ..winner }
    }
}

struct Compare<'a, C> {
    best: &'a mut [f64; BLOCK_ROWS],
    places: &'a mut [f64; BLOCK_ROWS],
    cells: &'a [f64],
    place: f64,
    choice: PhantomData<C>,
}

impl<C: Choice> simd::Body for Compare<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for ((best, place), x) in self.best.iter_mut().zip(self.places).zip(self.cells) {
            let stays = stays::<C>(*best, *x);
            *place = if stays { *place } else { self.place };
            *best = if stays { *best } else { *x };
        }
    }
}
