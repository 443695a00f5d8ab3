//! Some of the rows and columns, and stacks.

use std::ops::Range;

use fondaco_proto::{
    Result, Shape,
    op::{ReorgOp, SliceOp},
};

use super::super::{Context, dense_one, slice::taken, untransposed};
use crate::{
    matrix::Matrix,
    sparse::{BLOCK_ROWS, Block, Sparse, pays},
    value::Value,
};

/// The rows and columns that the operator selects; `None` where it does more, or they are of a dense matrix.
pub fn run(op: &SliceOp, inputs: &[Value], cx: &Context<'_>) -> Result<Option<Value>> {
    let Some(Value::Sparse(x)) = inputs.first() else { return Ok(None) };
    let indices = |range: &Range<u64>| (range.start as usize..range.end as usize).collect::<Vec<_>>();
    let shape = x.shape();
    let (rows, columns) = match op {
        SliceOp::Range { rows, columns } => (indices(rows), indices(columns)),
        SliceOp::Columns(list) => (indices(&(0..shape.rows)), list.iter().map(|&index| index as usize).collect()),
        SliceOp::Rows(list) => (list.iter().map(|&index| index as usize).collect(), indices(&(0..shape.columns))),
        SliceOp::FilterRows => (taken(&dense_one(&inputs[1], cx)?, cx)?.to_vec(), indices(&(0..shape.columns))),
        SliceOp::Set { .. } => return Ok(None),
    };
    let picked =
        if x.is_transposed() { pick(x, &columns, &rows, cx)?.transpose() } else { pick(x, &rows, &columns, cx)? };
    // What is left may not be worth it any more.
    if pays(picked.shape(), picked.cells() as u64) {
        return Ok(Some(Value::Sparse(picked)));
    }
    dense_one(&Value::Sparse(picked), cx).map(|matrix| Some(Value::Dense(matrix)))
}

/// These stored rows and columns, in this order.
fn pick(x: &Sparse, rows: &[usize], columns: &[usize], cx: &Context<'_>) -> Result<Sparse> {
    // For each stored column the places at which it comes out.
    let mut places: Vec<Vec<u32>> = vec![Vec::new(); x.stored_columns()];
    for (place, column) in columns.iter().enumerate() {
        places[*column].push(place as u32);
    }
    let blocks = cx.map(rows.chunks(BLOCK_ROWS).collect(), |rows: &[usize]| {
        let mut block = Block::default();
        let mut cells: Vec<(u32, f64)> = Vec::new();
        for row in rows {
            let (indices, values) = x.row(*row);
            cells.clear();
            for (column, value) in indices.iter().zip(values) {
                cells.extend(places[*column as usize].iter().map(|place| (*place, *value)));
            }
            cells.sort_unstable_by_key(|(place, _)| *place);
            cells.iter().for_each(|(place, value)| block.push(*place, *value));
            block.counts.push(cells.len() as u32);
        }
        Ok(block)
    })?;
    Sparse::from_blocks(cx.memory, columns.len(), &blocks)
}

/// One below or beside the other; `None` where dense is better.
pub fn stacked(op: ReorgOp, inputs: &[Value], shape: Shape, cx: &Context<'_>) -> Result<Option<Value>> {
    let mut cells = 0;
    for input in inputs {
        cells += match input {
            Value::Sparse(sparse) if !sparse.is_transposed() => sparse.cells() as u64,
            Value::Sparse(_) => return Ok(None),
            Value::Dense(_) | Value::Lazy(_) | Value::Streamed(_) | Value::Frame(_) => input.shape().cells()?,
        };
    }
    if !pays(shape, cells) {
        return Ok(None);
    }
    let parts = inputs.iter().map(|input| Part::of(input, cx)).collect::<Result<Vec<_>>>()?;
    let stacked = match op {
        ReorgOp::Vstack => below(&parts, shape, cx)?,
        ReorgOp::Hstack => beside(&parts, shape, cx)?,
        _elsewhere => return Ok(None),
    };
    Ok(Some(Value::Sparse(stacked)))
}

/// Rows of either kind.
enum Part {
    Sparse(Sparse),
    Dense(Matrix),
}

impl Part {
    fn of(value: &Value, cx: &Context<'_>) -> Result<Self> {
        Ok(match value {
            Value::Sparse(sparse) => Self::Sparse(sparse.clone()),
            Value::Dense(_) | Value::Lazy(_) | Value::Streamed(_) | Value::Frame(_) => {
                Self::Dense(untransposed(&dense_one(value, cx)?, cx)?)
            }
        })
    }

    fn rows(&self) -> usize {
        match self {
            Self::Sparse(sparse) => sparse.stored_rows(),
            Self::Dense(matrix) => matrix.rows(),
        }
    }

    fn columns(&self) -> usize {
        match self {
            Self::Sparse(sparse) => sparse.stored_columns(),
            Self::Dense(matrix) => matrix.columns(),
        }
    }

    /// Writes the cells of a row, each so many columns further right.
    fn write(&self, row: usize, right: usize, block: &mut Block) {
        match self {
            Self::Sparse(sparse) => {
                let (columns, values) = sparse.row(row);
                for (column, value) in columns.iter().zip(values) {
                    block.push(right as u32 + column, *value);
                }
            }
            Self::Dense(matrix) => {
                for column in 0..matrix.columns() {
                    let value = matrix.get(row, column);
                    if value != 0.0 {
                        block.push((right + column) as u32, value);
                    }
                }
            }
        }
    }
}

fn beside(parts: &[Part], shape: Shape, cx: &Context<'_>) -> Result<Sparse> {
    let rows = shape.rows as usize;
    let ranges = (0..rows).step_by(BLOCK_ROWS).map(|first| first..rows.min(first + BLOCK_ROWS)).collect();
    let blocks = cx.map(ranges, |rows: Range<usize>| {
        let mut block = Block::default();
        for row in rows {
            let before = block.cells();
            let mut right = 0;
            for part in parts {
                part.write(row, right, &mut block);
                right += part.columns();
            }
            block.counts.push((block.cells() - before) as u32);
        }
        Ok(block)
    })?;
    Sparse::from_blocks(cx.memory, shape.columns as usize, &blocks)
}

fn below(parts: &[Part], shape: Shape, cx: &Context<'_>) -> Result<Sparse> {
    let ranges = parts.iter().flat_map(|part| {
        let rows = part.rows();
        (0..rows).step_by(BLOCK_ROWS).map(move |first| (part, first..rows.min(first + BLOCK_ROWS)))
    });
    let blocks = cx.map(ranges.collect(), |(part, rows): (&Part, Range<usize>)| {
        let mut block = Block::default();
        for row in rows {
            let before = block.cells();
            part.write(row, 0, &mut block);
            block.counts.push((block.cells() - before) as u32);
        }
        Ok(block)
    })?;
    Sparse::from_blocks(cx.memory, shape.columns as usize, &blocks)
}
