//! Digits that a linear map of rows may have lost. At the edge of the numbers it does not keep what it is given: of
//! `x * 5e-324`, or of `(x + 1e17) - 1e17`, rounding leaves few rows.
//!
//! What is followed is *noise*: a bound of the rounding error of a column, as a share of its *spread*, the mean distance
//! of its rows from their median. What lost nothing but noise still holds each row.

use fondaco_proto::{
    Axes, Op, Result,
    op::{AggregateFunction, AggregateOp, Binary, BinaryFunction, ElementwiseOp, Scalar, SliceOp, Ternary},
};

use super::series::{EDGE, Magnitudes, scan};
use crate::{
    kernels::{
        Context,
        matmul::chain::{Middle, middle},
    },
    matrix::Matrix,
};

/// More noise than this is measured like any function: of less, each row still has ten bits of its own.
pub const NOISE_MAX: f64 = 1.0 / 1024.0;

/// Of one operation, relative to what it rounds.
const ROUNDING: f64 = f64::EPSILON;

/// How much larger than what a sample shows other rows may be, where a sample shows anything.
const UNSEEN: f64 = (1 << 20) as f64;

/// Rows of a sample: one in `SAMPLED`, within these bounds.
const SAMPLED: usize = 16;
const SAMPLE_MIN: usize = 16;
const SAMPLE_MAX: usize = 65;

/// Cells of a row that are gathered at a time.
const GATHERED: usize = 1024;

/// What varies by less, or is larger, is at the edge of the numbers.
const LEAST: f64 = power(-EDGE);
const LARGEST: f64 = power(EDGE);

const fn power(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// What a column of data rows spans.
#[derive(Clone, Copy)]
pub struct Column {
    /// The mean distance from the median: that of a sample or, where it shows one value, of all other rows. The same
    /// for each column of the same cells.
    pub spread: f64,
    /// At least the largest finite magnitude, of a sample or of all rows.
    pub largest: f64,
    /// Whether a sample shows more than one value.
    seen: bool,
}

impl Column {
    /// As a sample shows it.
    pub fn sampled(m: &Matrix, column: usize) -> Self {
        let rows = sample_rows(m.rows());
        let mut cells: Vec<f64> = rows.map(|row| m.get(row, column)).filter(|x| x.is_finite()).collect();
        Self::among(&mut cells)
    }

    /// Of a sample's finite cells.
    pub fn among(cells: &mut [f64]) -> Self {
        if cells.is_empty() {
            return Self { spread: 0.0, largest: 0.0, seen: false };
        }
        let middle = cells.len() / 2;
        let median = *cells.select_nth_unstable_by(middle, f64::total_cmp).1;
        let count = cells.len() as f64;
        let spread = cells.iter().map(|x| (x - median).abs() / count).sum();
        let largest = cells.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
        Self { spread, largest, seen: spread > 0.0 }
    }

    /// As a sample shows it or, if that shows one value, all rows.
    pub fn of(m: &Matrix, column: usize) -> Self {
        let sampled = Self::sampled(m, column);
        if sampled.seen { sampled } else { Self::whole(m, column) }
    }

    /// As all rows show it.
    pub fn whole(m: &Matrix, column: usize) -> Self {
        let sampled = Self::sampled(m, column);
        let cell = |row: usize| Some(m.get(row, column)).filter(|x| x.is_finite());
        // Where the sample is one value, that is the median.
        let centre = sample_rows(m.rows()).find_map(cell).or_else(|| (0..m.rows()).find_map(cell)).unwrap_or(0.0);
        let (mut terms, mut centred) = (Magnitudes::EMPTY, Magnitudes::EMPTY);
        let mut add = |cells: &[f64]| {
            let of = scan(cells, centre, |x| x);
            terms = Magnitudes::merge(terms, of.terms);
            centred = Magnitudes::merge(centred, of.centred);
        };
        if m.is_transposed() {
            let mut cells = [0.0; GATHERED];
            for first in (0..m.rows()).step_by(GATHERED) {
                let cells = &mut cells[..GATHERED.min(m.rows() - first)];
                cells.iter_mut().enumerate().for_each(|(i, cell)| *cell = m.get(first + i, column));
                add(cells);
            }
        } else {
            m.tiles().iter().for_each(|tile| add(tile.column(column)));
        }
        let spread = if sampled.seen { sampled.spread } else { centred.mean() };
        Self { spread, largest: terms.largest(), seen: sampled.seen }
    }
}

/// Evenly spaced rows.
pub fn sample_rows(rows: usize) -> impl Iterator<Item = usize> {
    let count = (rows / SAMPLED).clamp(SAMPLE_MIN, SAMPLE_MAX).min(rows);
    (0..count).map(move |i| (i as u128 * rows as u128 / count as u128) as usize)
}

/// How a result's columns are made of those of its data inputs.
struct Linear {
    /// Data inputs, and their noise; data rows are rows.
    inputs: Vec<(Matrix, f64)>,
    /// The result.
    output: Matrix,
    kind: Kind,
}

enum Kind {
    /// Sums of cells times these magnitudes, one for each input; what is rounded is the sum, and where `scaled` each cell
    /// times its magnitude.
    Sum { by: Vec<f64>, scaled: bool },
    /// Cells of one input times these, one for all rows, or over them.
    Scaled(Option<Matrix>, f64),
    /// Sums over all columns of the one input times a matrix or, if there is none, this.
    Columns(Option<Matrix>, f64),
    /// Sums over the columns of the one input up to the result's.
    UpTo,
    /// Fewer rows; `first` is the column of the first.
    Rows { first: usize },
}

/// A column of an input, and the magnitude of its factor.
struct Part {
    input: usize,
    column: usize,
    by: f64,
}

/// The noise of a result with data rows that is linear in its inputs, whose axes and noise are given (the left one of a
/// cross product transposed); none if it is at
/// the edge of the numbers.
pub fn noise(
    op: &Op,
    inputs: &[(Matrix, Axes, f64)],
    output: &Matrix,
    axes: Axes,
    cx: &Context<'_>,
) -> Result<Option<f64>> {
    let linear = Linear::of(op, inputs, output, axes);
    if matches!(linear.kind, Kind::Rows { .. }) && linear.inputs.iter().all(|(_, noise)| *noise == 0.0) {
        return Ok(Some(0.0));
    }
    // A sample does; but where it is not sure, all rows are looked at.
    let columns = linear.columns(Column::of, cx)?;
    let seen = linear.noise(&columns, Column::of, UNSEEN, cx)?;
    if seen.is_none_or(|noise| noise <= NOISE_MAX) {
        return Ok(seen);
    }
    let columns = linear.columns(Column::whole, cx)?;
    linear.noise(&columns, Column::whole, 1.0, cx)
}

impl Linear {
    fn of(op: &Op, inputs: &[(Matrix, Axes, f64)], output: &Matrix, axes: Axes) -> Self {
        let oriented = |x: &Matrix| if axes.rows() { x.clone() } else { x.transpose() };
        let data = |axes: Axes| axes != Axes::None;
        let held = inputs.iter().filter(|(_, axes, _)| data(*axes)).map(|(x, _, noise)| (oriented(x), *noise));
        let held: Vec<(Matrix, f64)> = held.collect();
        let other = inputs.iter().find(|(_, axes, _)| !data(*axes)).map(|(x, ..)| oriented(x));
        let alike = || Kind::Sum { by: vec![1.0; held.len()], scaled: false };
        let kind = match op {
            Op::Elementwise(ElementwiseOp::Binary(Binary { function, scalar })) => match function {
                BinaryFunction::Multiply => {
                    let (Scalar::Right(s) | Scalar::Left(s)) = scalar.unwrap_or(Scalar::Right(1.0));
                    Kind::Scaled(other, s)
                }
                // By 0 it is not nothing.
                BinaryFunction::Divide => Kind::Scaled(None, 1.0),
                _sum => alike(),
            },
            Op::Elementwise(ElementwiseOp::Ternary(Ternary::PlusMultiply(s) | Ternary::MinusMultiply(s))) => {
                let by = [1.0, s.abs()].into_iter().zip(inputs).filter(|(_, (_, axes, _))| data(*axes));
                Kind::Sum { by: by.map(|(by, _)| by).collect(), scaled: true }
            }
            Op::Matmul(_) => Kind::Columns(other, 1.0),
            Op::Aggregate(AggregateOp::Cumulate(_)) => Kind::UpTo,
            Op::Aggregate(AggregateOp::Reduce(op)) if op.function == AggregateFunction::Mean => {
                Kind::Columns(None, 1.0 / held.first().map_or(1, |(x, _)| x.columns()) as f64)
            }
            Op::Aggregate(_) => Kind::Columns(None, 1.0),
            Op::Slice(SliceOp::Range { rows, columns }) => {
                Kind::Rows { first: if axes.rows() { columns.start } else { rows.start } as usize }
            }
            Op::Slice(SliceOp::Columns(_) | SliceOp::Rows(_) | SliceOp::FilterRows) => Kind::Rows { first: 0 },
            // Negation.
            Op::Elementwise(_) | Op::Create(_) | Op::Reorg(_) | Op::Stats(_) | Op::Slice(SliceOp::Set { .. }) => {
                alike()
            }
            Op::Encode(_) => alike(),
        };
        Self { inputs: held, output: oriented(output), kind }
    }

    /// All columns of all inputs.
    fn columns(&self, of: fn(&Matrix, usize) -> Column, cx: &Context<'_>) -> Result<Vec<Vec<Column>>> {
        let columns = |(x, _): &(Matrix, f64)| cx.map((0..x.columns()).collect(), |column| Ok(of(x, column)));
        self.inputs.iter().map(columns).collect()
    }

    /// The columns that make one of the result, but for those times 0.
    fn parts(&self, column: usize) -> Vec<Part> {
        // A column may be stretched over all of the result's.
        let within = |x: &Matrix| column.min(x.columns().saturating_sub(1));
        let of = |input: usize, by: f64| Part { input, column: within(&self.inputs[input].0), by };
        let parts: Vec<Part> = match &self.kind {
            Kind::Sum { by, .. } => by.iter().enumerate().map(|(input, by)| of(input, *by)).collect(),
            Kind::Scaled(by, alike) => vec![of(0, by.as_ref().map_or(*alike, |by| by.get(0, within(by))).abs())],
            Kind::Columns(by, alike) => {
                let by = |i: usize| by.as_ref().map_or(*alike, |by| by.get(i, column).abs());
                (0..self.inputs[0].0.columns()).map(|i| Part { input: 0, column: i, by: by(i) }).collect()
            }
            Kind::UpTo => (0..=column).map(|i| Part { input: 0, column: i, by: 1.0 }).collect(),
            Kind::Rows { first } => vec![Part { input: 0, column: first + column, by: 1.0 }],
        };
        parts.into_iter().filter(|part| part.by != 0.0).collect()
    }

    /// The most noise of any column; none at the edge of the numbers.
    fn noise(
        &self,
        columns: &[Vec<Column>],
        of: fn(&Matrix, usize) -> Column,
        unseen: f64,
        cx: &Context<'_>,
    ) -> Result<Option<f64>> {
        let bounds = cx.map((0..self.output.columns()).collect(), |column: usize| {
            let parts = self.parts(column);
            // What is the same for all rows stays the same for all of them.
            if parts.iter().all(|part| columns[part.input][part.column].spread == 0.0) {
                return Ok(Some(0.0));
            }
            Ok(self.bound(&parts, columns, of(&self.output, column), unseen))
        })?;
        Ok(bounds.into_iter().try_fold(0.0, |most: f64, noise| Some(most.max(noise?))))
    }

    /// The noise that a result's column has from those of its inputs, and from its own rounding.
    fn bound(&self, parts: &[Part], columns: &[Vec<Column>], out: Column, unseen: f64) -> Option<f64> {
        let (mut carried, mut rounded) = (0.0, out.largest);
        for part in parts {
            let (of, noise) = (columns[part.input][part.column], self.inputs[part.input].1);
            match &self.kind {
                Kind::Scaled(..) => carried += out.spread * noise,
                Kind::Sum { scaled: false, .. } => carried += part.by * of.spread * noise,
                Kind::Sum { .. } | Kind::Columns(..) | Kind::UpTo => {
                    carried += part.by * of.spread * noise;
                    rounded = f64::max(rounded, part.by * of.largest);
                }
                Kind::Rows { .. } => {
                    carried += of.spread * noise;
                    rounded = 0.0;
                }
            }
        }
        let error = carried + rounded * ROUNDING * unseen;
        // What is scaled to nothing was something.
        let scaled = match self.kind {
            Kind::Scaled(..) => true,
            Kind::Columns(..) | Kind::UpTo => rounded < LEAST,
            Kind::Sum { .. } | Kind::Rows { .. } => false,
        };
        if !scaled && carried + rounded == 0.0 {
            return Some(0.0);
        }
        if !scaled && out.spread == 0.0 {
            return Some(f64::INFINITY);
        }
        let within = rounded <= LARGEST && out.spread >= LEAST;
        within.then(|| error / out.spread)
    }
}

/// Whether a constant factor is at the edge of the numbers.
pub fn is_at_the_edge(x: f64) -> bool {
    x != 0.0 && !(LEAST..=LARGEST).contains(&x.abs())
}

/// What is in the middle of `X.T @ f(X @ v)`.
pub struct Chain<'a> {
    /// Its rows are data rows.
    pub x: &'a Matrix,
    /// The vector.
    pub v: &'a Matrix,
    /// What happens to their product.
    pub f: Middle<'a>,
    /// The noise of X, and of what is subtracted.
    pub noise: [f64; 2],
}

impl Chain<'_> {
    /// Whether neither the edge of the numbers is near, nor noise: by a sample of rows or, where it is not sure, by all.
    ///
    /// # Errors
    /// `Limit` if the memory does not suffice, `Cancelled` if asked to stop.
    pub fn is_clear(&self, cx: &Context<'_>) -> Result<bool> {
        let factors = (0..self.x.columns()).map(|j| (j, self.v.get(j, 0)));
        let factors: Vec<(usize, f64)> = factors.filter(|(_, by)| *by != 0.0).collect();
        if factors.is_empty() && !matches!(self.f, Middle::Minus(_)) {
            return Ok(true);
        }
        let cells = sample_rows(self.x.rows()).map(|row| self.cell(row, &factors)).filter(|u| u.is_finite());
        let mut cells: Vec<f64> = cells.collect();
        if self.is_clear_by(Column::among(&mut cells), &factors, Column::of, UNSEEN) {
            return Ok(true);
        }
        let u = middle(self.x, self.v, self.f, cx)?;
        Ok(self.is_clear_by(Column::whole(&u, 0), &factors, Column::whole, 1.0))
    }

    fn cell(&self, row: usize, factors: &[(usize, f64)]) -> f64 {
        let u = factors.iter().map(|(j, by)| self.x.get(row, *j) * by).sum::<f64>();
        match self.f {
            Middle::Plain => u,
            Middle::Weighted(w) => u * w.get(row, 0),
            Middle::Minus(y) => u - y.get(row, 0),
        }
    }

    fn is_clear_by(
        &self,
        middle: Column,
        factors: &[(usize, f64)],
        of: fn(&Matrix, usize) -> Column,
        unseen: f64,
    ) -> bool {
        if !(LEAST..=LARGEST).contains(&middle.largest) {
            return false;
        }
        // Only a difference brings to light what was rounded before.
        let Middle::Minus(y) = self.f else { return true };
        let (of_y, [noise, noise_of_y]) = (of(y, 0), self.noise);
        let (mut carried, mut rounded) = (of_y.spread * noise_of_y, of_y.largest);
        for (j, by) in factors {
            let column = of(self.x, *j);
            carried += column.spread * by.abs() * noise;
            rounded = rounded.max(column.largest * by.abs());
        }
        carried + rounded * ROUNDING * unseen <= middle.spread * NOISE_MAX
    }
}
