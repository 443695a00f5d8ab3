//! What higher moments sum: a few rows far off the mean may be all there is to see of a fourth power.

use fondaco_proto::{
    Op, Result,
    op::{AggregateFunction, AggregateOp, Axis, Binary, BinaryFunction, ElementwiseOp, Scalar},
};

use super::{
    Centre, Step, Support,
    series::{self, Term},
};
use crate::kernels;

impl Step<'_> {
    /// The fourth powers of what cells lie off the mean of all parts: the steepest of what higher moments sum.
    pub(super) fn fourth_powers(&self, axis: Axis) -> Result<Support> {
        let along = Op::Aggregate(AggregateOp::new(AggregateFunction::Mean, axis));
        let mean = kernels::run(&along, self.inputs, self.cx)?;
        let subtract = Binary { function: BinaryFunction::Subtract, scalar: None };
        let subtract = Op::Elementwise(ElementwiseOp::Binary(subtract));
        let square = Binary { function: BinaryFunction::Power, scalar: Some(Scalar::Right(2.0)) };
        let square = Op::Elementwise(ElementwiseOp::Binary(square));
        let mut squares = Vec::with_capacity(self.inputs.len());
        for (x, axes) in self.inputs.iter().zip(self.input_axes) {
            let off = kernels::run(&subtract, &[x.clone(), mean.clone()], self.cx)?;
            let off = kernels::run(&square, &[off], self.cx)?;
            let rows = if axes.rows() { off } else { off.transpose() };
            squares.push(match axis {
                Axis::Columns | Axis::Rows => rows,
                Axis::All => {
                    let sums = Op::Aggregate(AggregateOp::new(AggregateFunction::Sumsq, Axis::Rows));
                    kernels::run(&sums, &[rows], self.cx)?
                }
            });
        }
        let term = if axis == Axis::All { Term::Cell } else { Term::Square };
        series::weakest(&squares, term, Centre::Data, self.cx)
    }
}
