//! Values that are computed where they are used: a tree of cell-by-cell operators, evaluated for some rows of a column
//! at a time, so that nothing between its leaves and what uses it is ever written to memory. Each cell is what the
//! operators would give one after the other, bit by bit.

use std::{fmt, ops::Range, sync::Arc};

use fondaco_proto::{
    Op, Result, Shape,
    op::{ElementwiseOp, MatmulOp},
};

use super::{
    Context,
    blas::gemv,
    elementwise::{self, Lane, Operand},
    view::{Panel, copy_vector, segments},
};
use crate::{
    matrix::{Builder, Matrix},
    memory::Buffer,
    source::Streamed,
    value::Value,
};

/// How deep a tree may be; what is deeper is computed first.
const DEPTH_MAX: usize = 24;

/// Cells of a result that are worth it: smaller ones stay in cache anyway.
const CELLS_MIN: u64 = 1 << 14;

/// Cells that are evaluated at a time: those of all nodes stay in the first-level cache.
const CHUNK: usize = 1024;

/// Columns of a product that are summed one after the other, however it is computed.
const PRODUCT_COLUMNS_MAX: usize = 4096;

/// A matrix that is not there yet.
#[derive(Clone)]
pub struct Lazy {
    shape: Shape,
    /// Whether the nodes' rows and columns are those of the transpose.
    transposed: bool,
    node: Arc<Node>,
}

impl fmt::Debug for Lazy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lazy{}", self.shape)
    }
}

/// How the cells of a lazy matrix come to be, in the orientation in which they would be stored.
pub enum Node {
    /// Cell by cell.
    Cells {
        /// The operator.
        op: ElementwiseOp,
        /// Its operands.
        operands: Vec<Operand>,
        /// Nodes below, one under the other.
        depth: usize,
    },
    /// `X @ v`, of an X that is stored as it is.
    Product {
        /// `(n, d)`: as large as needed, or rows that are read when they are needed.
        x: Operand,
        /// The cells of `(d, 1)`.
        v: Arc<Buffer>,
    },
}

impl Lazy {
    /// The operator's result as a lazy matrix; `None` where it is better computed at once.
    ///
    /// # Errors
    /// `Limit` if the memory does not suffice.
    pub fn of(op: &Op, inputs: &[Value], shape: Shape, cx: &Context<'_>) -> Result<Option<Self>> {
        let streamed = inputs.iter().any(|input| input.streamed().is_some());
        if shape.cells()? < CELLS_MIN && !streamed {
            return Ok(None);
        }
        match (op, inputs) {
            (Op::Elementwise(op), inputs) => Ok(Self::cells(*op, inputs, shape)),
            (Op::Matmul(MatmulOp::Product), [x, Value::Dense(v)])
                if v.columns() == 1 && v.rows() <= PRODUCT_COLUMNS_MAX && !v.is_transposed() =>
            {
                let x = match x {
                    Value::Dense(x) if !x.is_transposed() => Operand::Full(x.clone()),
                    Value::Streamed(x) => Operand::Streamed(x.clone()),
                    Value::Dense(_) | Value::Sparse(_) | Value::Lazy(_) | Value::Frame(_) => return Ok(None),
                };
                let mut coefficients = cx.memory.buffer(v.rows())?;
                copy_vector(v, &mut coefficients);
                let node = Node::Product { x, v: Arc::new(coefficients) };
                Ok(Some(Self { shape, transposed: false, node: Arc::new(node) }))
            }
            (
                Op::Create(_)
                | Op::Aggregate(_)
                | Op::Matmul(_)
                | Op::Reorg(_)
                | Op::Slice(_)
                | Op::Stats(_)
                | Op::Encode(_),
                _,
            ) => Ok(None),
        }
    }

    fn cells(op: ElementwiseOp, inputs: &[Value], shape: Shape) -> Option<Self> {
        let full = || inputs.iter().filter(|input| input.shape() == shape);
        let is_transposed = |input: &Value| match input {
            Value::Dense(matrix) => matrix.is_transposed(),
            Value::Lazy(lazy) => lazy.transposed,
            Value::Sparse(_) | Value::Streamed(_) | Value::Frame(_) => false,
        };
        let transposed = full().next().is_some_and(is_transposed);
        // Where both orientations meet, one would have to be turned first.
        if full().any(|input| is_transposed(input) != transposed) {
            return None;
        }
        // What is read is read once, for all that are computed from it.
        if !Streamed::is_one(inputs.iter().filter_map(Value::streamed)) {
            return None;
        }
        let mut depth = 1;
        let mut operands = Vec::with_capacity(inputs.len());
        for input in inputs {
            operands.push(match input {
                Value::Dense(matrix) => Operand::of(matrix, shape, transposed)?,
                Value::Lazy(lazy) if lazy.shape == shape => {
                    depth = depth.max(1 + lazy.node.depth());
                    Operand::Lazy(Arc::clone(&lazy.node))
                }
                Value::Streamed(streamed) if streamed.shape() == shape => Operand::Streamed(streamed.clone()),
                Value::Sparse(_) | Value::Lazy(_) | Value::Streamed(_) | Value::Frame(_) => return None,
            });
        }
        let node = Arc::new(Node::Cells { op, operands, depth });
        (depth <= DEPTH_MAX).then_some(Self { shape, transposed, node })
    }

    /// Rows and columns.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Whether the cells are those of the transpose.
    pub fn is_transposed(&self) -> bool {
        self.transposed
    }

    /// How the cells come to be.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The shape in which the cells would be stored.
    pub fn stored_shape(&self) -> Shape {
        if self.transposed { self.shape.transposed() } else { self.shape }
    }

    /// Of rows that are read when they are needed: the same over some of these rows, from `first_row` on, which are here.
    ///
    /// # Errors
    /// `Limit` if the memory does not suffice.
    pub fn over(&self, rows: &Matrix, first_row: usize, cx: &Context<'_>) -> Result<Self> {
        let shape = Shape::new(rows.rows() as u64, self.shape.columns);
        Ok(Self { shape, transposed: false, node: Arc::new(self.node.over(rows, first_row, cx)?) })
    }

    /// The matrix.
    ///
    /// # Errors
    /// `Limit` if the memory does not suffice, `Cancelled` if asked to stop.
    pub fn to_matrix(&self, cx: &Context<'_>) -> Result<Matrix> {
        match &*self.node {
            Node::Cells { op, operands, .. } => elementwise::evaluate(*op, operands, self.shape, self.transposed, cx),
            Node::Product { .. } => {
                let mut builder = Builder::new(cx.memory, self.shape.rows as usize, 1)?;
                cx.each(builder.tiles_mut().collect(), |tile| {
                    let rows = tile.first_row..tile.first_row + tile.rows;
                    self.node.fill(rows, 0, tile.data, &mut Scratch::default());
                    Ok(())
                })?;
                Ok(builder.finish())
            }
        }
    }
}

impl Node {
    /// Rows that are read when they are needed, if there are any below.
    pub fn streamed(&self) -> Option<&Streamed> {
        match self {
            Self::Cells { operands, .. } => operands.iter().find_map(Operand::streamed),
            Self::Product { x, .. } => x.streamed(),
        }
    }

    /// The same over some rows alone, from `first_row` on; those that are read are here.
    pub fn over(&self, rows: &Matrix, first_row: usize, cx: &Context<'_>) -> Result<Self> {
        Ok(match self {
            Self::Cells { op, operands, depth } => {
                let operands =
                    operands.iter().map(|operand| operand.over(rows, first_row, cx)).collect::<Result<_>>()?;
                Self::Cells { op: *op, operands, depth: *depth }
            }
            Self::Product { x, v } => Self::Product { x: x.over(rows, first_row, cx)?, v: Arc::clone(v) },
        })
    }

    fn depth(&self) -> usize {
        match self {
            Self::Cells { depth, .. } => *depth,
            Self::Product { .. } => 1,
        }
    }

    /// Computes the cells of stored rows, which lie in one tile, of a stored column.
    pub fn fill(&self, rows: Range<usize>, column: usize, out: &mut [f64], scratch: &mut Scratch) {
        let chunks = out.chunks_mut(CHUNK).zip(rows.step_by(CHUNK));
        chunks.for_each(|(out, first)| self.chunk(first..first + out.len(), column, out, scratch));
    }

    fn chunk(&self, rows: Range<usize>, column: usize, out: &mut [f64], scratch: &mut Scratch) {
        match self {
            Self::Cells { op, operands, .. } => apply(*op, operands, rows, column, out, scratch),
            Self::Product { x: Operand::Full(x), v } => {
                out.fill(0.0);
                for part in segments(rows.clone(), x.tile_rows()) {
                    let panel = Panel::of(x, part.clone(), 0..v.len());
                    gemv(panel, v, &mut out[part.start - rows.start..part.end - rows.start]);
                }
            }
            Self::Product { .. } => {
                debug_assert!(false, "its rows are read before");
                out.fill(f64::NAN);
            }
        }
    }
}

/// One operator on stored rows, which lie in one tile, of a stored column.
pub fn fill(
    op: ElementwiseOp,
    operands: &[Operand],
    rows: Range<usize>,
    column: usize,
    out: &mut [f64],
    scratch: &mut Scratch,
) {
    let chunks = out.chunks_mut(CHUNK).zip(rows.step_by(CHUNK));
    chunks.for_each(|(out, first)| apply(op, operands, first..first + out.len(), column, out, scratch));
}

/// The same of at most `CHUNK` rows; operands that are not there are computed before.
fn apply(
    op: ElementwiseOp,
    operands: &[Operand],
    rows: Range<usize>,
    column: usize,
    out: &mut [f64],
    scratch: &mut Scratch,
) {
    let mut computed: [Option<Box<[f64; CHUNK]>>; 3] = [None, None, None];
    for (operand, computed) in operands.iter().zip(&mut computed) {
        if let Operand::Lazy(node) = operand {
            let mut cells = scratch.take();
            node.chunk(rows.clone(), column, &mut cells[..rows.len()], scratch);
            *computed = Some(cells);
        }
    }
    let mut lanes = [Lane::Cell(0.0); 3];
    for ((lane, operand), computed) in lanes.iter_mut().zip(operands).zip(&computed) {
        *lane = match computed {
            Some(cells) => Lane::Cells(&cells[..rows.len()]),
            None => operand.column(rows.clone(), column),
        };
    }
    elementwise::on_lanes(op, &lanes[..operands.len()], out);
    computed.into_iter().flatten().for_each(|cells| scratch.give(cells));
}

/// Cells of nodes between leaves and result, used again and again.
#[derive(Default)]
pub struct Scratch(Vec<Box<[f64; CHUNK]>>);

impl Scratch {
    /// Bytes that the evaluation of a tree takes at most.
    pub fn bytes(node: &Node) -> u64 {
        (3 * node.depth() * CHUNK * size_of::<f64>()) as u64
    }

    fn take(&mut self) -> Box<[f64; CHUNK]> {
        self.0.pop().unwrap_or_else(|| Box::new([0.0; CHUNK]))
    }

    fn give(&mut self, cells: Box<[f64; CHUNK]>) {
        self.0.push(cells);
    }
}

#[cfg(test)]
mod tests;
