//! Reductions over all cells, down the columns or along the rows, as of `np.vstack` of the inputs.

use fondaco_proto::{
    Result, Shape,
    op::{AggregateFunction, AggregateOp, Axis, Reduce, scaled},
};

use super::{Context, sparse, stream};
use crate::{
    matrix::{Builder, Matrix},
    value::Value,
};

mod cumulate;
mod distinct;
mod extreme;
mod higher;
mod moments;
mod placed;
mod product;
mod reduction;
mod source;
mod sum_product;
mod total;

pub(crate) use distinct::least_in_register;
use extreme::{Extreme, ExtremePresent, Largest, Smallest};
use higher::HigherMoments;
use moments::{Moments, PresentMoments};
use placed::Told;
use product::Product;
pub(super) use reduction::{Along, Reduction};
use reduction::{Reducer, merge_lists};
pub(crate) use reduction::{fold_columns, fold_rows};
use source::Source;
use total::{NonZero, Present, Square, Total};
pub(crate) use total::{Plain, Sum, sum};

/// The value of the operator, whose shape is `shape`.
pub fn run(op: &AggregateOp, inputs: &[Matrix], shape: Shape, cx: &Context<'_>) -> Result<Matrix> {
    match op {
        AggregateOp::Reduce(op) => {
            let inputs: Vec<Value> = inputs.iter().cloned().map(Value::Dense).collect();
            reduce(op, &inputs, shape, cx)
        }
        AggregateOp::Cumulate(op) => cumulate::run(op, inputs, cx),
        AggregateOp::SumProduct(op) => sum_product::run(op, inputs, shape, cx),
        AggregateOp::Trace => trace(inputs, cx),
        AggregateOp::Distinct(op) => distinct::run(*op, inputs, shape, cx),
    }
}

/// `np.trace` of each, together.
fn trace(inputs: &[Matrix], cx: &Context<'_>) -> Result<Matrix> {
    let mut sum = total::Sum::default();
    for x in inputs {
        cx.cancel.check()?;
        (0..x.rows()).for_each(|i| sum.add(x.get(i, i)));
    }
    Matrix::from_column_major(cx.memory, 1, 1, &[sum.value()])
}

/// A reduction of cells that may have to be computed, or read, first.
pub fn reduce(op: &Reduce, inputs: &[Value], shape: Shape, cx: &Context<'_>) -> Result<Matrix> {
    let count = reduced_cells(op.axis, inputs) as f64;
    // As NumPy: too few degrees of freedom divide by zero.
    let freedom = (count - f64::from(op.ddof)).max(0.0);
    let out = Output { axis: op.axis, shape };
    match op.function {
        AggregateFunction::Sum => out.of::<Total<Plain>>(inputs, cx, |sum| [sum.value(), 0.0, 0.0]),
        AggregateFunction::Sumsq => out.of::<Total<Square>>(inputs, cx, |sum| [sum.value(), 0.0, 0.0]),
        AggregateFunction::Mean => out.of::<Total<Plain>>(inputs, cx, |sum| [sum.value() / count, 0.0, 0.0]),
        AggregateFunction::Var => out.of::<Moments>(inputs, cx, |of| [of.m2 / freedom, 0.0, 0.0]),
        AggregateFunction::Std => out.of::<Moments>(inputs, cx, |of| [(of.m2 / freedom).sqrt(), 0.0, 0.0]),
        AggregateFunction::Min => out.of::<Extreme<Smallest>>(inputs, cx, |least| [least, 0.0, 0.0]),
        AggregateFunction::Max => out.of::<Extreme<Largest>>(inputs, cx, |most| [most, 0.0, 0.0]),
        AggregateFunction::Nnz => out.of::<Total<NonZero>>(inputs, cx, |sum| [sum.value(), 0.0, 0.0]),
        AggregateFunction::Moments => out.of::<Moments>(inputs, cx, |of| [of.count, of.mean(), of.m2]),
        AggregateFunction::Prod => out.of::<Product>(inputs, cx, |of| [scaled(of.m, of.e), 0.0, 0.0]),
        AggregateFunction::ScaledProd => out.of::<Product>(inputs, cx, |of| [of.m, of.e, 0.0]),
        AggregateFunction::Any => out.of::<Total<NonZero>>(inputs, cx, |of| [f64::from(of.value() > 0.0), 0.0, 0.0]),
        AggregateFunction::All => out.of::<Total<NonZero>>(inputs, cx, |of| [f64::from(of.value() == count), 0.0, 0.0]),
        AggregateFunction::Nansum => out.of::<Total<Present>>(inputs, cx, |sum| [sum.value(), 0.0, 0.0]),
        AggregateFunction::Nanmean => out.of::<PresentMoments>(inputs, cx, |of| [of.mean(), 0.0, 0.0]),
        AggregateFunction::Nanvar => out.of::<PresentMoments>(inputs, cx, |of| [of.variance(op.ddof), 0.0, 0.0]),
        AggregateFunction::Nanstd => out.of::<PresentMoments>(inputs, cx, |of| [of.variance(op.ddof).sqrt(), 0.0, 0.0]),
        AggregateFunction::Nanmin => out.of::<ExtremePresent<Smallest>>(inputs, cx, |least| [least, 0.0, 0.0]),
        AggregateFunction::Nanmax => out.of::<ExtremePresent<Largest>>(inputs, cx, |most| [most, 0.0, 0.0]),
        AggregateFunction::Nanmoments => out.of::<PresentMoments>(inputs, cx, |of| [of.count, of.mean(), of.m2]),
        AggregateFunction::Moment2 => out.of::<Moments>(inputs, cx, |of| [of.m2 / count, 0.0, 0.0]),
        AggregateFunction::Moment3 => out.of::<HigherMoments>(inputs, cx, |of| [of.moment(3), 0.0, 0.0]),
        AggregateFunction::Moment4 => out.of::<HigherMoments>(inputs, cx, |of| [of.moment(4), 0.0, 0.0]),
        AggregateFunction::Skew => out.of::<HigherMoments>(inputs, cx, |of| [of.skew(op.ddof == 1), 0.0, 0.0]),
        AggregateFunction::Kurtosis => out.of::<HigherMoments>(inputs, cx, |of| [of.kurtosis(op.ddof == 1), 0.0, 0.0]),
        AggregateFunction::WideMoments => out.each::<Moments>(inputs, cx, |of, row| of.words()[row]),
        AggregateFunction::WideNanmoments => out.each::<PresentMoments>(inputs, cx, |of, row| of.words()[row]),
        AggregateFunction::HigherMoments => out.each::<HigherMoments>(inputs, cx, |of, row| higher::words(&of)[row]),
        AggregateFunction::Argmin => placed::run::<Smallest>(op.axis, inputs, Told::Place, cx),
        AggregateFunction::Argmax => placed::run::<Largest>(op.axis, inputs, Told::Place, cx),
        AggregateFunction::PlacedMin => placed::run::<Smallest>(op.axis, inputs, Told::Both, cx),
        AggregateFunction::PlacedMax => placed::run::<Largest>(op.axis, inputs, Told::Both, cx),
    }
}

/// Cells that each result reduces.
fn reduced_cells(axis: Axis, inputs: &[Value]) -> u64 {
    let rows: u64 = inputs.iter().map(|input| input.shape().rows).sum();
    let columns = inputs[0].shape().columns;
    match axis {
        Axis::All => rows.saturating_mul(columns),
        Axis::Columns => rows,
        Axis::Rows => columns,
    }
}

/// Where the results of a reduction go.
struct Output {
    axis: Axis,
    shape: Shape,
}

impl Output {
    /// Reduces all inputs and writes what `finish` makes of each result: as many cells as the function is wide.
    fn of<R: Reduction>(
        &self,
        inputs: &[Value],
        cx: &Context<'_>,
        finish: impl Fn(R::Partial) -> [f64; 3],
    ) -> Result<Matrix> {
        self.each::<R>(inputs, cx, |partial, cell| finish(partial)[cell])
    }

    /// Reduces all inputs and writes each cell that `finish` makes of each result.
    fn each<R: Reduction>(
        &self,
        inputs: &[Value],
        cx: &Context<'_>,
        finish: impl Fn(R::Partial, usize) -> f64,
    ) -> Result<Matrix> {
        let mut merged: Vec<R::Partial> = Vec::new();
        for (i, input) in inputs.iter().enumerate() {
            let part = self.partials::<R>(input, cx)?;
            if i == 0 {
                merged = part;
            } else {
                merge_lists::<R>(&mut merged, &part);
            }
        }
        let (rows, columns) = (self.shape.rows as usize, self.shape.columns as usize);
        let mut builder = Builder::new(cx.memory, rows, columns)?;
        for tile in builder.tiles_mut() {
            for (column, out) in tile.data.chunks_exact_mut(tile.rows).enumerate() {
                for (row, out) in out.iter_mut().enumerate() {
                    *out = match self.axis {
                        Axis::All | Axis::Columns => finish(merged[column], row),
                        Axis::Rows => finish(merged[tile.first_row + row], column),
                    };
                }
            }
        }
        Ok(builder.finish())
    }

    /// The results of one input.
    fn partials<R: Reduction>(&self, input: &Value, cx: &Context<'_>) -> Result<Vec<R::Partial>> {
        let along = |transposed: bool| match (self.axis, transposed) {
            (Axis::All, _) => Along::All,
            (Axis::Columns, false) | (Axis::Rows, true) => Along::Down,
            (Axis::Columns, true) | (Axis::Rows, false) => Along::Across,
        };
        let at_once = |x: Source<'_>| {
            let mut reducer = Reducer::<R>::new(x.stored_shape(), along(x.is_transposed()), cx)?;
            reducer.add(x, 0, cx)?;
            Ok(reducer.finish())
        };
        match input {
            Value::Dense(matrix) => at_once(matrix.into()),
            Value::Sparse(matrix) => sparse::partials::<R>(matrix, along(matrix.is_transposed()), cx),
            Value::Lazy(lazy) if lazy.node().streamed().is_none() => at_once(lazy.into()),
            Value::Lazy(_) | Value::Streamed(_) => {
                let mut reducer = Reducer::<R>::new(input.shape(), along(false), cx)?;
                stream::each(input, cx, |part| match &part.value {
                    stream::Rows::Here(rows) => reducer.add(Source::Stored(rows), part.first_tile, cx),
                    stream::Rows::Lazy(lazy) => reducer.add(lazy.into(), part.first_tile, cx),
                })?;
                Ok(reducer.finish())
            }
            Value::Frame(_) => Ok(at_once((&super::dense_one(input, cx)?).into())?),
        }
    }
}

#[cfg(test)]
mod tests;
