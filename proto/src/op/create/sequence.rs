//! Numbers that follow from their place in a larger matrix, of which each part is a region.

use crate::{Canonical, Error, Result, Shape, wire};

/// Integers up to here have all their digits in a double.
const INTEGERS_MAX: u64 = 1 << 53;

/// `np.arange`, row by row: the region at `row_offset`, `column_offset` of a matrix of so many `columns`, whose cell
/// (i, j) is `start + (i * columns + j) * delta` with NumPy's delta, `(start + step) - start`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seq {
    /// The result's shape.
    pub shape: Shape,
    /// The first number of the larger matrix.
    pub start: f64,
    /// The distance of two numbers.
    pub step: f64,
    /// Row of the larger matrix at which this region starts.
    pub row_offset: u64,
    /// Column of the larger matrix at which this region starts.
    pub column_offset: u64,
    /// Columns of the larger matrix.
    pub columns: u64,
}

/// `np.random.choice(population, rows, replace)` for each column: the region at `row_offset`, `column_offset` of a
/// larger matrix, a pure function of the seed and of each cell's position there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The result's shape.
    pub shape: Shape,
    /// Numbers are drawn out of `0..population`; at most 2^53.
    pub population: u64,
    /// Whether a column may hold a number twice.
    pub replace: bool,
    /// The seed.
    pub seed: u64,
    /// Row of the larger matrix at which this region starts.
    pub row_offset: u64,
    /// Column of the larger matrix at which this region starts.
    pub column_offset: u64,
}

/// Checks offsets and extents.
pub(super) fn within(name: &str, edges: [(u64, u64); 2]) -> Result<()> {
    match edges.iter().find(|(offset, extent)| offset.checked_add(*extent).is_none()) {
        Some(_) => Err(Error::invalid(format!("{name}: the region ends beyond 2^64"))),
        None => Ok(()),
    }
}

impl Seq {
    /// The shape, if the region lies in the larger matrix.
    pub(super) fn shape(&self) -> Result<Shape> {
        let Shape { rows, columns } = self.shape;
        within("seq", [(self.row_offset, rows), (self.column_offset, columns)])?;
        if self.column_offset + columns > self.columns {
            return Err(Error::invalid("seq: the region ends beyond the larger matrix"));
        }
        match (self.row_offset + rows).checked_mul(self.columns) {
            Some(cells) if cells <= INTEGERS_MAX => Ok(self.shape),
            Some(_) | None => Err(Error::invalid("seq: a matrix of more than 2^53 cells is not counted exactly")),
        }
    }

    pub(super) fn write_canonical(&self, out: &mut Canonical) {
        out.u64(self.shape.rows).u64(self.shape.columns).f64(self.start).f64(self.step);
        out.u64(self.row_offset).u64(self.column_offset).u64(self.columns);
    }
}

impl Sample {
    /// The shape, if there is enough to draw from.
    pub(super) fn shape(&self) -> Result<Shape> {
        let Shape { rows, columns } = self.shape;
        within("sample", [(self.row_offset, rows), (self.column_offset, columns)])?;
        if self.population > INTEGERS_MAX {
            return Err(Error::invalid(format!("sample: the population is at most 2^53, not {}", self.population)));
        }
        let drawn = self.row_offset + rows;
        let enough = self.population > 0 && (self.replace || drawn <= self.population);
        if rows > 0 && columns > 0 && !enough {
            return Err(Error::invalid(format!(
                "sample: {drawn} rows cannot be drawn from a population of {}{}",
                self.population,
                if self.replace { "" } else { " without replacement; draw fewer, or with replacement" }
            )));
        }
        Ok(self.shape)
    }

    pub(super) fn write_canonical(&self, out: &mut Canonical) {
        out.u64(self.shape.rows).u64(self.shape.columns).u64(self.population).tag(self.replace.into());
        out.u64(self.seed).u64(self.row_offset).u64(self.column_offset);
    }
}

impl TryFrom<wire::SeqOp> for Seq {
    type Error = Error;

    fn try_from(op: wire::SeqOp) -> Result<Self> {
        let seq = Self {
            shape: Shape::new(op.rows, op.columns),
            start: op.start,
            step: op.step,
            row_offset: op.row_offset,
            column_offset: op.column_offset,
            columns: op.total_columns,
        };
        seq.shape()?;
        Ok(seq)
    }
}

impl From<Seq> for wire::SeqOp {
    fn from(seq: Seq) -> Self {
        Self {
            rows: seq.shape.rows,
            columns: seq.shape.columns,
            start: seq.start,
            step: seq.step,
            row_offset: seq.row_offset,
            column_offset: seq.column_offset,
            total_columns: seq.columns,
        }
    }
}

impl TryFrom<wire::SampleOp> for Sample {
    type Error = Error;

    fn try_from(op: wire::SampleOp) -> Result<Self> {
        let sample = Self {
            shape: Shape::new(op.rows, op.columns),
            population: op.population,
            replace: op.replace,
            seed: op.seed,
            row_offset: op.row_offset,
            column_offset: op.column_offset,
        };
        sample.shape()?;
        Ok(sample)
    }
}

impl From<Sample> for wire::SampleOp {
    fn from(sample: Sample) -> Self {
        Self {
            rows: sample.shape.rows,
            columns: sample.shape.columns,
            population: sample.population,
            replace: sample.replace,
            seed: sample.seed,
            row_offset: sample.row_offset,
            column_offset: sample.column_offset,
        }
    }
}
