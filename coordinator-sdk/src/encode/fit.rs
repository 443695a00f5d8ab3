//! Asks the sites for what encoders need: all columns in the same round trips.

use std::collections::{BTreeMap, HashSet};

use fondaco_proto::{
    ColumnKind, find_field,
    op::{Code, EncodeOp, Feature, Guard},
};
use ndarray::Array2;

use super::{
    Categories, Drop, Encoder, FittedColumn, FittedEncoder, FittedTransformer, Impute, KBinsDiscretizer, Numeric,
    Scale, Strategy, numbers::Numbers,
};
use crate::{
    Axis, Error, FedFrame, FedMatrix, Frame, Result, Series,
    frame::perform::{Given, queue},
    session::resolve_frames,
};

/// Categories over all sites, and whether there are gaps.
type Counted = (Vec<(Cell, i64)>, bool);

/// A value in its order: floats by their numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    /// Bits that are ordered as the numbers are.
    Float(i64),
    Int(i64),
    Text(String),
}

pub(super) async fn fit(columns: &[(String, Encoder)], frame: &FedFrame) -> Result<FittedTransformer> {
    let mut seen = HashSet::new();
    for (column, _) in columns {
        find_field(frame.fields(), column)?;
        if !seen.insert(column) {
            return Err(Error::plan(format!("fit: column {column:?} is encoded twice")));
        }
    }
    let counted = counts(columns, frame).await?;
    let mut counted = counted.into_iter();
    let numbers: Vec<(&str, &Numeric)> = columns.iter().filter_map(numeric).collect();
    let modes = modes(&counted.by_ref().take(modes_of(columns).count()).collect::<Vec<_>>());
    let mut numbers = fit_numbers(&numbers, modes, frame).await?.into_iter();
    let mut fitted = Vec::with_capacity(columns.len());
    for (column, encoder) in columns {
        let kind = frame.fields()[find_field(frame.fields(), column)?].kind;
        let encoder = match encoder {
            Encoder::OneHot(of) => {
                let (categories, missing) = match of.range {
                    Some(range) => (in_range(column, kind, range)?, false),
                    None => of_counts(kind, counted.next().unwrap_or_default()),
                };
                let dropped = (of.drop == Drop::First && (missing || !is_empty(&categories))).then_some(0);
                FittedEncoder::OneHot { categories, missing, dropped, strict: of.strict }
            }
            Encoder::Ordinal(of) => {
                let (categories, _) = of_counts(kind, counted.next().unwrap_or_default());
                FittedEncoder::Ordinal { categories, unknown: of.unknown, missing: of.missing }
            }
            Encoder::Bins(of) => FittedEncoder::Bins { edges: edges(column, of, frame).await?, one_hot: of.one_hot },
            Encoder::Hash(of) => FittedEncoder::Hash { columns: of.columns, alternate_sign: of.alternate_sign },
            Encoder::Numeric(_) => numbers.next().ok_or_else(|| Error::plan("fit: a column was lost"))?,
        };
        fitted.push(FittedColumn { column: column.clone(), encoder });
    }
    Ok(FittedTransformer { columns: fitted })
}

fn numeric((column, encoder): &(String, Encoder)) -> Option<(&str, &Numeric)> {
    if let Encoder::Numeric(numeric) = encoder { Some((column, numeric)) } else { None }
}

/// The numeric columns of which the most frequent number is asked.
fn modes_of(columns: &[(String, Encoder)]) -> impl Iterator<Item = &str> {
    columns.iter().filter_map(numeric).filter(|(_, of)| of.impute == Impute::MostFrequent).map(|(column, _)| column)
}

/// The categories of each column that needs them: first those whose most frequent number is asked, then the others in
/// their order.
async fn counts(columns: &[(String, Encoder)], frame: &FedFrame) -> Result<Vec<Counted>> {
    let of_encoder = |(column, encoder): &(String, Encoder)| match encoder {
        Encoder::OneHot(of) if of.range.is_none() => Some((column.clone(), of.min_frequency)),
        Encoder::Ordinal(_) => Some((column.clone(), 0)),
        Encoder::OneHot(_) | Encoder::Bins(_) | Encoder::Hash(_) | Encoder::Numeric(_) => None,
    };
    let asked = modes_of(columns).map(|column| (column.to_owned(), 0)).chain(columns.iter().filter_map(of_encoder));
    let mut lists = Vec::new();
    for (column, rows_min) in asked {
        let op = EncodeOp::Categories { column, rows_min: rows_min.max(1), guard: Guard::Open };
        lists.push(queue(op, &[Given::Fed(frame.clone())])?.parts);
    }
    let all: Vec<_> = lists.iter().flatten().cloned().collect();
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let session = frame.session();
    let shapes = session.shapes(&all).await?;
    let fetches = all.into_iter().zip(shapes).map(|(list, shape)| session.fetch(list, shape)).collect();
    let mut frames = resolve_frames(session, fetches).await?.into_iter();
    lists.iter().map(|list| merged(frames.by_ref().take(list.len()))).collect()
}

/// The counts of all sites, by value.
fn merged(frames: impl Iterator<Item = Frame>) -> Result<Counted> {
    let (mut counts, mut missing) = (BTreeMap::new(), false);
    for frame in frames {
        let Series::Int64(rows) = frame.column("count")? else {
            return Err(Error::plan("fit: counts that are no integers"));
        };
        for (cell, rows) in cells(frame.column("value")?).into_iter().zip(rows) {
            match cell {
                Some(cell) => *counts.entry(cell).or_insert(0) += rows.unwrap_or(0),
                None => missing = true,
            }
        }
    }
    Ok((counts.into_iter().collect(), missing))
}

fn cells(values: &Series) -> Vec<Option<Cell>> {
    fn all<T: Clone>(cells: &[Option<T>], cell: impl Fn(T) -> Cell) -> Vec<Option<Cell>> {
        cells.iter().map(|value| value.clone().map(&cell)).collect()
    }
    match values {
        Series::Float64(cells) => all(cells, |value| Cell::Float(ordered(value))),
        Series::Int64(cells) => all(cells, Cell::Int),
        Series::Bool(cells) => all(cells, |value| Cell::Int(i64::from(value))),
        Series::Text(cells) => all(cells, Cell::Text),
        Series::Date(cells) => all(cells, |value| Cell::Int(i64::from(value))),
    }
}

/// Bits of a double that are ordered as the numbers are; its own inverse.
fn ordered(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

fn double(bits: i64) -> f64 {
    f64::from_bits((bits ^ (((bits >> 63) as u64) >> 1) as i64) as u64)
}

fn number(cell: &Cell) -> f64 {
    match cell {
        Cell::Float(bits) => double(*bits),
        Cell::Int(value) => *value as f64,
        Cell::Text(_) => f64::NAN,
    }
}

fn of_counts(kind: ColumnKind, (counts, missing): Counted) -> (Categories, bool) {
    let integer = |cell: &Cell| if let Cell::Int(value) = cell { *value } else { 0 };
    let cells = || counts.iter().map(|(cell, _)| cell);
    let categories = match kind {
        ColumnKind::Float64 => Categories::Float64(cells().map(number).collect()),
        ColumnKind::Int64 => Categories::Int64(cells().map(integer).collect()),
        ColumnKind::Bool => Categories::Bool(cells().map(|cell| integer(cell) != 0).collect()),
        // They were dates of 32 bits.
        ColumnKind::Date => Categories::Date(cells().map(|cell| integer(cell) as i32).collect()),
        ColumnKind::Text => Categories::Text(
            cells().map(|cell| if let Cell::Text(text) = cell { text.clone() } else { String::new() }).collect(),
        ),
    };
    (categories, missing)
}

fn is_empty(categories: &Categories) -> bool {
    fondaco_proto::op::Values::from(categories.clone()).is_empty()
}

fn in_range(column: &str, kind: ColumnKind, (first, last): (i64, i64)) -> Result<Categories> {
    match kind {
        ColumnKind::Int64 => Ok(Categories::Int64((first..=last).collect())),
        // Integers below 2^53 are exact.
        ColumnKind::Float64 => Ok(Categories::Float64((first..=last).map(|value| value as f64).collect())),
        ColumnKind::Bool | ColumnKind::Text | ColumnKind::Date => {
            Err(Error::plan(format!("fit: column {column:?} is {kind}, which has no range of integers")))
        }
    }
}

/// The number that most rows have; the least of several.
fn modes(counted: &[Counted]) -> Vec<f64> {
    let mode = |(counts, _): &Counted| {
        let most = counts.iter().map(|(_, rows)| *rows).max();
        counts.iter().find(|(_, rows)| Some(*rows) == most).map_or(f64::NAN, |(cell, _)| number(cell))
    };
    counted.iter().map(mode).collect()
}

/// A statistic of the columns, one number each.
async fn quantiles(x: &FedMatrix, q: &[f64]) -> Result<Array2<f64>> {
    Ok(x.quantile(q, Axis::Columns).await?.midpoint())
}

/// Edges over all rows that have a number.
async fn edges(column: &str, of: &KBinsDiscretizer, frame: &FedFrame) -> Result<Vec<f64>> {
    if of.bins == 0 {
        return Err(Error::plan(format!("fit: column {column:?} needs at least one interval")));
    }
    let bins = f64::from(of.bins);
    let x = frame.drop_missing([column]).await?.to_matrix([column])?;
    let mut edges: Vec<f64> = match of.strategy {
        Strategy::Uniform => {
            let (low, high) = (x.min(Axis::Columns)?, x.max(Axis::Columns)?);
            let (low, high) = (low.await?[[0, 0]], high.await?[[0, 0]]);
            // As np.linspace.
            (0..=of.bins)
                .map(|i| if i == of.bins { high } else { low + f64::from(i) * ((high - low) / bins) })
                .collect()
        }
        Strategy::Quantile => {
            let q: Vec<f64> = (0..=of.bins).map(|i| f64::from(i) / bins).collect();
            quantiles(&x, &q).await?.column(0).to_vec()
        }
    };
    edges.dedup();
    if edges.len() < 2 || edges.iter().any(|edge| edge.is_nan()) {
        return Err(Error::plan(format!("fit: column {column:?} has one value at most, and no intervals")));
    }
    Ok(edges)
}

/// Step after step, each of what the one before it gives, all columns at once.
async fn fit_numbers(columns: &[(&str, &Numeric)], modes: Vec<f64>, frame: &FedFrame) -> Result<Vec<FittedEncoder>> {
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let missing = gaps(columns, modes, frame).await?;
    let feature = |((column, _), missing): (&(&str, &Numeric), &Option<f64>)| Feature {
        column: (*column).to_owned(),
        code: Code::Number { missing: *missing },
    };
    let x = frame.encode(columns.iter().zip(&missing).map(feature).collect())?;
    let mut numbers = Numbers::none(columns.len());
    if columns.iter().any(|(_, of)| of.clip.is_some()) {
        let (mean, std) = (x.nanmean(Axis::Columns)?, x.nanstd(Axis::Columns, 0)?);
        let (mean, std) = (mean.await?, std.await?);
        for (i, (_, of)) in columns.iter().enumerate() {
            if let Some(deviations) = of.clip {
                let (mean, reach) = (mean[[0, i]], deviations * std[[0, i]]);
                (numbers.low[i], numbers.high[i]) = (mean - reach, mean + reach);
            }
        }
    }
    scales(columns, &numbers.clipped(&x)?, &mut numbers).await?;
    let fitted = (0..columns.len()).map(|i| FittedEncoder::Numeric {
        missing: missing[i],
        clip: columns[i].1.clip.map(|_| (numbers.low[i], numbers.high[i])),
        shift: numbers.shift[i],
        scale: numbers.scale[i],
    });
    Ok(fitted.collect())
}

/// What gaps become.
async fn gaps(columns: &[(&str, &Numeric)], modes: Vec<f64>, frame: &FedFrame) -> Result<Vec<Option<f64>>> {
    let of = |impute: Impute| columns.iter().filter(move |(_, of)| of.impute == impute).map(|(column, _)| *column);
    let means: Vec<&str> = of(Impute::Mean).collect();
    let means = match means.is_empty() {
        true => Vec::new(),
        false => frame.to_matrix(means)?.nanmean(Axis::Columns)?.await?.into_iter().collect(),
    };
    let mut medians = Vec::new();
    for column in of(Impute::Median) {
        // Each column has other gaps.
        let x = frame.drop_missing([column]).await?.to_matrix([column])?;
        medians.push(x.median(Axis::Columns).await?.midpoint()[[0, 0]]);
    }
    let (mut means, mut medians, mut modes) = (means.into_iter(), medians.into_iter(), modes.into_iter());
    let gap = |(_, of): &(&str, &Numeric)| match of.impute {
        Impute::Keep => None,
        Impute::Mean => means.next(),
        Impute::Median => medians.next(),
        Impute::MostFrequent => modes.next(),
        Impute::Constant(number) => Some(number),
    };
    Ok(columns.iter().map(gap).collect())
}

/// What numbers are less, and over. A column of one number is divided by 1.
async fn scales(columns: &[(&str, &Numeric)], x: &FedMatrix, numbers: &mut Numbers) -> Result<()> {
    let of = |scale: Scale| -> Vec<usize> { (0..columns.len()).filter(|i| columns[*i].1.scale == scale).collect() };
    let some = |columns: &[usize]| x.columns(columns.iter().map(|i| *i as u64));
    let or_one = |scale: f64| if scale == 0.0 { 1.0 } else { scale };
    let standard = of(Scale::Standard);
    if !standard.is_empty() {
        let x = some(&standard)?;
        let (mean, std) = (x.nanmean(Axis::Columns)?, x.nanstd(Axis::Columns, 0)?);
        let (mean, std) = (mean.await?, std.await?);
        for (at, i) in standard.into_iter().enumerate() {
            (numbers.shift[i], numbers.scale[i]) = (mean[[0, at]], or_one(std[[0, at]]));
        }
    }
    let extremes = of(Scale::MinMax);
    if !extremes.is_empty() {
        let x = some(&extremes)?;
        let (low, high) = (x.nanmin(Axis::Columns)?, x.nanmax(Axis::Columns)?);
        let (low, high) = (low.await?, high.await?);
        for (at, i) in extremes.into_iter().enumerate() {
            (numbers.shift[i], numbers.scale[i]) = (low[[0, at]], or_one(high[[0, at]] - low[[0, at]]));
        }
    }
    for i in of(Scale::Robust) {
        let x = some(&[i])?.drop_nan_rows().await?;
        let quartiles = quantiles(&x, &[0.25, 0.5, 0.75]).await?;
        (numbers.shift[i], numbers.scale[i]) = (quartiles[[1, 0]], or_one(quartiles[[2, 0]] - quartiles[[0, 0]]));
    }
    Ok(())
}
