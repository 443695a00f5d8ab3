//! Values out of nothing.

use fondaco_proto::{
    Block, Error, Result,
    op::{CreateOp, Fill},
};

use crate::matrix::{Builder, Matrix};

use super::{Context, view::units};

mod random;
mod sequence;

/// The value of an operator without inputs; a read is not computed but read, elsewhere.
pub fn run(op: &CreateOp, cx: &Context<'_>) -> Result<Matrix> {
    match op {
        CreateOp::Read(_) => Err(Error::internal("a read is not a kernel")),
        CreateOp::Put(block) => put(block, cx),
        CreateOp::Fill(fill) => filled(fill, cx),
        CreateOp::Rand(rand) => random::rand(rand, cx),
        CreateOp::Seq(seq) => sequence::seq(seq, cx),
        CreateOp::Sample(sample) => sequence::sample(sample, cx),
    }
}

/// The matrix that a block holds.
fn put(block: &Block, cx: &Context<'_>) -> Result<Matrix> {
    let rows = block.shape().rows as usize;
    let mut builder = Builder::new(cx.memory, rows, block.shape().columns as usize)?;
    let (cells, _) = block.bytes().as_chunks::<8>();
    cx.each(units(&mut builder), |mut unit| {
        let range = unit.row_range();
        for (column, out) in unit.columns() {
            let from = &cells[column * rows + range.start..column * rows + range.end];
            for (out, bytes) in out.iter_mut().zip(from) {
                *out = f64::from_le_bytes(*bytes);
            }
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// `np.full(shape, value)`.
fn filled(fill: &Fill, cx: &Context<'_>) -> Result<Matrix> {
    let mut builder = Builder::new(cx.memory, fill.shape.rows as usize, fill.shape.columns as usize)?;
    cx.each(units(&mut builder), |unit| {
        unit.data.fill(fill.value);
        Ok(())
    })?;
    Ok(builder.finish())
}

#[cfg(test)]
mod tests;
