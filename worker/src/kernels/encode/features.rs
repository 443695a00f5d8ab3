//! A frame as a matrix, feature after feature. What is looked up is looked up before: of a text once for each distinct
//! one, so that writing cells is a pass over codes.

use std::ops::Range;

use arrow::array::{Array as _, Int32Array};
use fondaco_proto::{
    Result, Shape,
    op::{Code, Feature, Guard},
};

use super::{
    lookup::{Groups, MISSING, UNKNOWN},
    matrix::{check_exact, copy_numbers},
    words::{Bags, texts},
};
use crate::{
    frame::{Column, Frame},
    kernels::{Context, view::segments},
    matrix::{Builder, TileMut},
    sparse::{self, Block, Sparse, pays},
    value::Value,
};

/// Cells that are not 0 in so many rows, at most; of counts of words there may be as many as columns.
fn cells_max(features: &[Feature], rows: u64) -> u64 {
    let of_row = |feature: &Feature| match &feature.code {
        Code::Words { vocabulary, .. } => vocabulary.len() as u64,
        Code::Number { .. } | Code::Ordinal { .. } | Code::OneHot { .. } | Code::Bins { .. } | Code::Hash { .. } => 1,
    };
    features.iter().map(of_row).fold(0, u64::saturating_add).saturating_mul(rows)
}

/// Bytes that the matrix may hold at most.
///
/// # Errors
/// `Invalid` if they do not fit 64 bits.
pub fn bytes_max(features: &[Feature], shape: Shape) -> Result<u64> {
    let cells = cells_max(features, shape.rows);
    let all = shape.footprint_bytes()?;
    Ok(if pays(shape, cells) { sparse::bytes(shape.rows, cells).min(all) } else { all })
}

/// The matrix of all features side by side; sparse, if so few cells can be other than 0 that it pays.
pub fn encode(frame: &Frame, features: &[Feature], guard: Guard, cx: &Context<'_>) -> Result<Value> {
    let encoders =
        features.iter().map(|feature| Encoder::new(frame, feature, guard, cx)).collect::<Result<Vec<_>>>()?;
    let columns: usize = features.iter().map(Feature::width).sum();
    let shape = Shape::new(frame.rows() as u64, columns as u64);
    let cells = cells_max(features, shape.rows);
    if pays(shape, cells) {
        let _blocks = cx.memory.ticket(sparse::bytes(shape.rows, cells))?;
        let blocks = cx.map(segments(0..frame.rows(), sparse::BLOCK_ROWS).collect(), |rows: Range<usize>| {
            Ok(block(&encoders, features, rows))
        })?;
        return Sparse::from_blocks(cx.memory, columns, &blocks).map(Value::Sparse);
    }
    let mut builder = Builder::new(cx.memory, frame.rows(), columns)?;
    cx.each(builder.tiles_mut().collect(), |tile: TileMut<'_>| {
        let rows = tile.first_row..tile.first_row + tile.rows;
        let mut slots = vec![0; tile.rows];
        let mut rest = tile.data;
        for (encoder, feature) in encoders.iter().zip(features) {
            let (cells, next) = rest.split_at_mut(feature.width() * tile.rows);
            encoder.write(&feature.code, rows.clone(), &mut slots, cells);
            rest = next;
        }
        Ok(())
    })?;
    Ok(builder.finish().into())
}

/// What a feature needs to be written.
enum Encoder<'a> {
    Number(&'a Column, Option<f64>),
    Groups(Groups<'a>),
    Words(&'a Int32Array, Bags),
}

impl<'a> Encoder<'a> {
    fn new(frame: &'a Frame, feature: &'a Feature, guard: Guard, cx: &Context<'_>) -> Result<Self> {
        let column = frame.column(&feature.column)?;
        match &feature.code {
            Code::Number { missing } => {
                check_exact(&feature.column, column)?;
                Ok(Self::Number(column, *missing))
            }
            Code::Words { vocabulary, words, binary } => {
                let (codes, texts) = texts(&feature.column, column)?;
                Ok(Self::Words(codes, Bags::of(codes, texts, vocabulary, *words, guard, *binary)))
            }
            Code::Ordinal { .. } | Code::OneHot { .. } | Code::Bins { .. } | Code::Hash { .. } => {
                Groups::new(column, feature, guard, cx).map(Self::Groups)
            }
        }
    }

    fn write(&self, code: &Code, rows: Range<usize>, slots: &mut [i32], out: &mut [f64]) {
        match self {
            Self::Number(column, missing) => copy_filled(column, *missing, rows.start, out),
            Self::Words(codes, bags) => {
                out.fill(0.0);
                let height = rows.len();
                for (i, row) in rows.enumerate().filter(|(_, row)| codes.is_valid(*row)) {
                    for (word, count) in bags.get(codes.value(row) as usize) {
                        out[*word as usize * height + i] = *count;
                    }
                }
            }
            Self::Groups(groups) => {
                groups.slots(rows, slots);
                out.fill(0.0);
                let height = slots.len();
                for (row, slot) in slots.iter().enumerate() {
                    if let Some((column, value)) = cell(code, *slot) {
                        out[column * height + row] = value;
                    }
                }
            }
        }
    }
}

/// Numbers, with this one in the place of gaps.
fn copy_filled(column: &Column, missing: Option<f64>, first_row: usize, out: &mut [f64]) {
    copy_numbers(column, first_row, out);
    if let Some(missing) = missing {
        out.iter_mut().filter(|cell| cell.is_nan()).for_each(|cell| *cell = missing);
    }
}

/// The cell of a feature's row that is in this group, if it is not 0: its column, and its value.
fn cell(code: &Code, slot: i32) -> Option<(usize, f64)> {
    let index = usize::try_from(slot).ok();
    match code {
        Code::OneHot { dropped: Some(dropped), .. } => {
            let (index, dropped) = (index?, *dropped as usize);
            (index != dropped).then(|| (index - usize::from(index > dropped), 1.0))
        }
        Code::OneHot { dropped: None, .. } | Code::Bins { one_hot: true, .. } => Some((index?, 1.0)),
        // Of two groups that share a column, the odd one is negative.
        Code::Hash { .. } => Some((index? / 2, if slot % 2 == 0 { 1.0 } else { -1.0 })),
        Code::Ordinal { unknown, missing, .. } => Some((0, number(slot, *unknown, *missing))),
        Code::Bins { one_hot: false, .. } | Code::Number { .. } | Code::Words { .. } => {
            Some((0, number(slot, f64::NAN, f64::NAN)))
        }
    }
}

fn number(slot: i32, unknown: f64, missing: f64) -> f64 {
    match slot {
        UNKNOWN => unknown,
        MISSING => missing,
        slot => f64::from(slot),
    }
}

/// Some rows of a sparse matrix.
fn block(encoders: &[Encoder<'_>], features: &[Feature], rows: Range<usize>) -> Block {
    let height = rows.len();
    let mut slots = vec![0; height * encoders.len()];
    let mut numbers = vec![0.0; height * encoders.len()];
    let places = slots.chunks_exact_mut(height.max(1)).zip(numbers.chunks_exact_mut(height.max(1)));
    for (encoder, (slots, numbers)) in encoders.iter().zip(places) {
        match encoder {
            Encoder::Number(column, missing) => copy_filled(column, *missing, rows.start, numbers),
            Encoder::Groups(groups) => groups.slots(rows.clone(), slots),
            Encoder::Words(..) => {}
        }
    }
    let mut block = Block::default();
    for (i, row) in rows.enumerate() {
        let before = block.cells();
        let mut first = 0_u32;
        for (at, (encoder, feature)) in encoders.iter().zip(features).enumerate() {
            match encoder {
                Encoder::Number(..) => push(&mut block, first, numbers[at * height + i]),
                Encoder::Groups(_) => {
                    if let Some((column, value)) = cell(&feature.code, slots[at * height + i]) {
                        push(&mut block, first + column as u32, value);
                    }
                }
                Encoder::Words(codes, bags) if codes.is_valid(row) => {
                    for (word, count) in bags.get(codes.value(row) as usize) {
                        push(&mut block, first + word, *count);
                    }
                }
                Encoder::Words(..) => {}
            }
            // A sparse matrix has fewer than 2^32 columns.
            first += feature.width() as u32;
        }
        block.counts.push((block.cells() - before) as u32);
    }
    block
}

fn push(block: &mut Block, column: u32, value: f64) {
    if value != 0.0 {
        block.push(column, value);
    }
}
