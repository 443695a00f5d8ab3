//! Carries out what an operator's effect says must be measured.

use fondaco_proto::{
    Axes, Measure, Op, Result,
    op::{AggregateFunction, AggregateOp, Arity, Axis, MatmulOp},
};

use super::{
    Centre, Support,
    series::{self, Term},
    terms,
};
use crate::{
    kernels::{
        self, Context,
        matmul::chain::{Middle, middle},
    },
    matrix::Matrix,
};

/// The support that an operator gives its result by itself; that of its inputs is not considered. `axes` are the data
/// axes of the output, `input_axes` those of each input.
///
/// # Errors
/// `Limit` if the memory does not suffice, `Cancelled` if asked to stop.
pub fn measure(
    op: &Op,
    measure: &Measure,
    inputs: &[Matrix],
    output: &Matrix,
    axes: Axes,
    input_axes: &[Axes],
    cx: &Context<'_>,
) -> Result<Support> {
    let of = Measured { op, inputs, output, axes, input_axes, cx };
    match measure {
        Measure::Inherit => Ok(Support::FULL),
        Measure::Count => Ok(of.count()),
        Measure::Cells(weights) => Ok(of.cells()?.weakest(of.weights(weights)?)),
        Measure::Weights(weights) => Ok(of.count().weakest(of.weights(weights)?)),
        Measure::NonZero { shifted } => of.nonzero(*shifted),
        Measure::Terms(weights) => Ok(of.terms()?.weakest(of.weights(weights)?)),
    }
}

/// An operator that was carried out.
struct Measured<'a> {
    op: &'a Op,
    inputs: &'a [Matrix],
    output: &'a Matrix,
    axes: Axes,
    input_axes: &'a [Axes],
    cx: &'a Context<'a>,
}

impl Measured<'_> {
    /// Data rows that were summed over, all parts together; of an operator that sums none, those of its output.
    fn count(&self) -> Support {
        let rows: usize = match self.op {
            Op::Aggregate(_) => {
                let extent = |(x, axes): (&Matrix, &Axes)| if axes.rows() { x.rows() } else { x.columns() };
                self.inputs.iter().zip(self.input_axes).map(extent).sum()
            }
            Op::Matmul(op) => factors(*op, self.inputs).map(|x| x.rows()).sum(),
            Op::Create(_) | Op::Elementwise(_) | Op::Reorg(_) | Op::Slice(_) => {
                if self.axes.rows() {
                    self.output.rows()
                } else {
                    self.output.columns()
                }
            }
        };
        Support::equal(rows as f64)
    }

    /// The output's own series, along each of its data axes.
    fn cells(&self) -> Result<Support> {
        let mut support = Support::FULL;
        if self.axes.rows() {
            support = support.weakest(super::series(self.output, true, Centre::Data, self.cx)?);
        }
        if self.axes.columns() {
            support = support.weakest(super::series(self.output, false, Centre::Data, self.cx)?);
        }
        Ok(support)
    }

    /// The listed inputs as weights.
    fn weights(&self, listed: &[usize]) -> Result<Support> {
        let listed = || listed.iter().filter_map(|&i| Some((i, self.inputs.get(i)?)));
        let mut support = Support::FULL;
        match self.op {
            Op::Matmul(op) => {
                let Arity::Groups { fixed, group } = self.op.arity() else { return Ok(Support::NONE) };
                // The parts of one operand are one series.
                for slot in 0..group {
                    let parts: Vec<Matrix> = listed()
                        .filter(|(i, _)| *i >= fixed && (i - fixed) % group == slot)
                        .map(|(_, x)| if *op == MatmulOp::Product && slot == 0 { x.transpose() } else { x.clone() })
                        .collect();
                    support = support.weakest(series::weakest(&parts, Term::Cell, Centre::Weights, self.cx)?);
                }
            }
            Op::Create(_) | Op::Elementwise(_) | Op::Aggregate(_) | Op::Reorg(_) | Op::Slice(_) => {
                for (_, input) in listed() {
                    support = support.weakest(self.aligned(input)?);
                }
            }
        }
        Ok(support)
    }

    /// An operand of a cell-by-cell operator or of a stack, along the data axes of the output; along an axis that it is
    /// stretched over it is constant.
    fn aligned(&self, input: &Matrix) -> Result<Support> {
        let mut support = Support::FULL;
        if self.axes.rows() && input.rows() == self.output.rows() {
            support = support.weakest(super::series(input, true, Centre::Weights, self.cx)?);
        }
        if self.axes.columns() && input.columns() == self.output.columns() {
            support = support.weakest(super::series(input, false, Centre::Weights, self.cx)?);
        }
        Ok(support)
    }

    /// The terms behind each cell of a sum over data rows.
    fn terms(&self) -> Result<Support> {
        match self.op {
            Op::Aggregate(op) => self.aggregate_terms(op),
            Op::Matmul(op) => terms::weakest(&self.pairs(*op)?, self.cx),
            // None of them sums over rows.
            Op::Create(_) | Op::Elementwise(_) | Op::Reorg(_) | Op::Slice(_) => self.cells(),
        }
    }

    /// Of a count of cells that are not 0: that of the others follows from it.
    fn nonzero(&self, shifted: bool) -> Result<Support> {
        let Op::Aggregate(AggregateOp { axis: Axis::Columns | Axis::Rows, .. }) = self.op else {
            return self.rows_not_zero(shifted);
        };
        let rows = self.count().rows;
        let of = |count: f64| {
            let zeros = if count == rows && !shifted { Support::FULL } else { Support::equal(rows - count) };
            Support::equal(count).weakest(zeros)
        };
        Ok(self.output.to_column_major().into_iter().map(of).fold(Support::FULL, Support::weakest))
    }

    /// Of a count over all cells: the rows that have any that counts, by how many.
    fn rows_not_zero(&self, shifted: bool) -> Result<Support> {
        let mut per_row = Vec::with_capacity(self.inputs.len());
        for (x, axes) in self.inputs.iter().zip(self.input_axes) {
            let rows = if axes.rows() { x.clone() } else { x.transpose() };
            let count = Op::Aggregate(AggregateOp::new(AggregateFunction::Nnz, Axis::Rows));
            per_row.push(kernels::run(&count, &[rows], self.cx)?);
        }
        // That nobody has a certain value is refused like that somebody has.
        let centre = if shifted { Centre::Data } else { Centre::Weights };
        series::weakest(&per_row, Term::Cell, centre, self.cx)
    }

    fn aggregate_terms(&self, op: &AggregateOp) -> Result<Support> {
        match op.function {
            AggregateFunction::Nnz => self.nonzero(true),
            // Of one part, the cells were measured when they were made; of several, each could have been scaled by itself.
            AggregateFunction::Sum | AggregateFunction::Mean | AggregateFunction::Min | AggregateFunction::Max
                if self.inputs.len() > 1 =>
            {
                self.values(op.axis)
            }
            AggregateFunction::Sum | AggregateFunction::Mean | AggregateFunction::Min | AggregateFunction::Max => {
                Ok(self.count())
            }
            AggregateFunction::Sumsq | AggregateFunction::Var | AggregateFunction::Std | AggregateFunction::Moments => {
                self.squares(op.axis)
            }
        }
    }

    /// The cells behind each sum, over all parts.
    fn values(&self, axis: Axis) -> Result<Support> {
        self.of_rows(axis, AggregateFunction::Sum, Term::Cell)
    }

    /// The squares behind each cell: one series for each; over all cells, one term for each data row.
    fn squares(&self, axis: Axis) -> Result<Support> {
        self.of_rows(axis, AggregateFunction::Sumsq, Term::Square)
    }

    /// The series of the columns of all parts or, over all cells, of what each row comes to.
    fn of_rows(&self, axis: Axis, per_row: AggregateFunction, per_cell: Term) -> Result<Support> {
        let by_row = |(x, axes): (&Matrix, &Axes)| {
            let x = if axes.rows() { x.clone() } else { x.transpose() };
            if axis != Axis::All {
                return Ok(x);
            }
            let sums = Op::Aggregate(AggregateOp::new(per_row, Axis::Rows));
            kernels::run(&sums, &[x], self.cx)
        };
        let parts = self.inputs.iter().zip(self.input_axes).map(by_row).collect::<Result<Vec<_>>>()?;
        let term = if axis == Axis::All { Term::Cell } else { per_cell };
        series::weakest(&parts, term, Centre::Weights, self.cx)
    }

    /// The two factors of each part's sum over data rows.
    fn pairs(&self, op: MatmulOp) -> Result<Vec<terms::Pair>> {
        let chain = |x: &Matrix, f: Middle<'_>| Ok((x.clone(), middle(x, &self.inputs[0], f, self.cx)?));
        match op {
            MatmulOp::Product => Ok(self.inputs.chunks_exact(2).map(|p| (p[0].transpose(), p[1].clone())).collect()),
            MatmulOp::Cross => Ok(self.inputs.chunks_exact(2).map(|p| (p[0].clone(), p[1].clone())).collect()),
            MatmulOp::Gram => Ok(self.inputs.iter().map(|x| (x.clone(), x.clone())).collect()),
            MatmulOp::Mmchain => self.inputs[1..].iter().map(|x| chain(x, Middle::Plain)).collect(),
            MatmulOp::MmchainWeighted => {
                self.inputs[1..].chunks_exact(2).map(|p| chain(&p[0], Middle::Weighted(&p[1]))).collect()
            }
            MatmulOp::MmchainMinus => {
                self.inputs[1..].chunks_exact(2).map(|p| chain(&p[0], Middle::Minus(&p[1]))).collect()
            }
        }
    }
}

/// The first factor of each part of a product, its rows those that are summed over.
fn factors(op: MatmulOp, inputs: &[Matrix]) -> Box<dyn Iterator<Item = Matrix> + '_> {
    match op {
        MatmulOp::Product => Box::new(inputs.iter().step_by(2).map(Matrix::transpose)),
        MatmulOp::Cross => Box::new(inputs.iter().step_by(2).cloned()),
        MatmulOp::Gram => Box::new(inputs.iter().cloned()),
        MatmulOp::Mmchain => Box::new(inputs[1..].iter().cloned()),
        MatmulOp::MmchainWeighted | MatmulOp::MmchainMinus => Box::new(inputs[1..].iter().step_by(2).cloned()),
    }
}
