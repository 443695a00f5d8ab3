//! Matrices of features as the columns that they were made of.

use fondaco_proto::{
    Error, Result,
    op::{Code, Feature, Values},
};

use super::{build, cast::texts_of};
use crate::{
    frame::{Column, Frame},
    kernels::{Context, materialise::untransposed},
    matrix::Matrix,
};

/// Bytes of the texts of a feature's categories, and of what says where each ends.
pub fn category_bytes(feature: &Feature) -> u64 {
    match &feature.code {
        Code::Ordinal { categories: Values::Text(texts), .. }
        | Code::OneHot { categories: Values::Text(texts), .. } => texts.iter().map(|text| text.len() as u64 + 8).sum(),
        _other => 0,
    }
}

/// One column for each feature. The largest cell of a row says its category, if it is not 0; a number between two the
/// nearest index. What is no category becomes null.
pub fn decode(x: &Matrix, features: &[Feature], cx: &Context<'_>) -> Result<Frame> {
    let x = untransposed(x, cx)?;
    let mut first = 0;
    let mut columns = Vec::with_capacity(features.len());
    for feature in features {
        let cells = Block { x: &x, first, width: feature.width() };
        columns.push((feature.column.clone(), one(&cells, &feature.code, cx)?));
        first += feature.width();
    }
    Ok(Frame::new(x.rows(), columns))
}

/// The columns of one feature.
struct Block<'a> {
    x: &'a Matrix,
    first: usize,
    width: usize,
}

impl Block<'_> {
    fn get(&self, row: usize, column: usize) -> f64 {
        self.x.get(row, self.first + column)
    }

    /// The first of the largest cells, if it is above 0.
    fn largest(&self, row: usize) -> Option<usize> {
        let mut found: Option<(usize, f64)> = None;
        for column in 0..self.width {
            let cell = self.get(row, column);
            if cell > found.map_or(0.0, |(_, most)| most) {
                found = Some((column, cell));
            }
        }
        found.map(|(column, _)| column)
    }

    /// The index that a cell is, or is nearest to.
    fn index(&self, row: usize, count: usize) -> Option<usize> {
        let cell = self.get(row, 0).round_ties_even();
        (0.0..count as f64).contains(&cell).then_some(cell as usize)
    }
}

fn one(cells: &Block<'_>, code: &Code, cx: &Context<'_>) -> Result<Column> {
    let rows = cells.x.rows();
    match code {
        Code::Number { .. } => build::floats(rows, cx, |row| Some(cells.get(row, 0)).filter(|x| !x.is_nan())),
        Code::Bins { edges, one_hot } => build::floats(rows, cx, |row| {
            let bin = if *one_hot { cells.largest(row) } else { cells.index(row, edges.len() - 1) };
            bin.map(|bin| (edges[bin] + edges[bin + 1]) / 2.0)
        }),
        Code::Ordinal { categories, .. } => values(categories, rows, cx, |row| cells.index(row, categories.len())),
        Code::OneHot { categories, dropped, .. } => values(categories, rows, cx, |row| {
            let dropped = dropped.map(|dropped| dropped as usize);
            match (cells.largest(row), dropped) {
                (Some(column), Some(dropped)) => Some(column + usize::from(column >= dropped)),
                // All zeros: the one that has no column.
                (None, dropped) => dropped,
                (Some(column), None) => Some(column),
            }
        }),
        Code::Hash { .. } | Code::Words { .. } => {
            Err(Error::invalid("decode: from hashes and words nothing comes back"))
        }
    }
}

/// The category of each row's index; beyond them is the one of what is missing.
fn values(
    categories: &Values,
    rows: usize,
    cx: &Context<'_>,
    index: impl Fn(usize) -> Option<usize> + Send + Sync,
) -> Result<Column> {
    match categories {
        Values::Float64(of) => build::floats(rows, cx, |row| of.get(index(row)?).copied()),
        Values::Int64(of) => build::integers(rows, cx, |row| of.get(index(row)?).copied()),
        Values::Bool(of) => build::bools(rows, cx, |row| of.get(index(row)?).copied()),
        Values::Date(of) => build::dates(rows, cx, |row| of.get(index(row)?).copied()),
        Values::Text(of) => {
            let count = of.len();
            // Codes are numbers of distinct texts, in their order.
            build::texts(rows, texts_of(of, cx)?, cx, |row| index(row).filter(|i| *i < count).map(|i| i as i32))
        }
    }
}
