//! Carries out what an operator's effect says must be measured.

use std::slice;

use fondaco_proto::{
    Axes, Facet, Measure, Op, Result,
    op::{
        AggregateFunction, AggregateOp, Arity, Axis, Binary, BinaryFunction, CumulateFunction, Distinct, ElementwiseOp,
        MatmulOp, Reduce, Scalar, StatsOp, Ternary, Unary,
    },
};

use super::{
    Centre, Support,
    digits::{self, Chain},
    groups::Grouped,
    plateau::{self, Plateaus},
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

/// An operator that was carried out.
pub struct Step<'a> {
    /// It.
    pub op: &'a Op,
    /// What it was given.
    pub inputs: &'a [Matrix],
    /// What its effect knew of each input.
    pub facets: &'a [Facet],
    /// The data axes of each input.
    pub input_axes: &'a [Axes],
    /// The noise of each input.
    pub input_noise: &'a [f64],
    /// What came out.
    pub output: &'a Matrix,
    /// The data axes of that.
    pub axes: Axes,
    /// Where to measure.
    pub cx: &'a Context<'a>,
}

impl Step<'_> {
    /// The support that the operator gives its result by itself; that of its inputs is not considered.
    ///
    /// # Errors
    /// `Limit` if the memory does not suffice, `Cancelled` if asked to stop.
    pub fn measure(&self, measure: &Measure) -> Result<Support> {
        match measure {
            Measure::Inherit => Ok(Support::FULL),
            Measure::Linear => self.digits(),
            Measure::Count => Ok(self.count().weakest(self.factors(&[])?)),
            Measure::Capped => Ok(self.cells()?.weakest(self.change()?)),
            Measure::Cells(weights) => {
                let summed = if self.sums_columns() { self.digits()? } else { Support::FULL };
                Ok(self.cells()?.weakest(self.weights(weights)?).weakest(summed))
            }
            Measure::Weights(weights) => {
                Ok(self.count().weakest(self.weights(weights)?).weakest(self.factors(weights)?))
            }
            Measure::Unfused => self.unfused(),
            Measure::NonZero { shifted } => self.nonzero(*shifted),
            Measure::Chosen { plain, shifted } => {
                Ok(self.chosen(*shifted).weakest(if *plain { self.digits()? } else { self.cells()? }))
            }
            Measure::Groups => Ok(self.groups()),
            // Of frames alone, which are measured elsewhere.
            Measure::Frame { .. } => Ok(Support::NONE),
            Measure::Present { plain } => self.present(*plain),
            Measure::Grouped { plain, closed } => match self.op {
                Op::Stats(op) => self.grouped(op).weakest(*plain, *closed),
                _other => Ok(Support::NONE),
            },
            Measure::Terms(weights) => {
                Ok(self.terms()?.weakest(self.weights(weights)?).weakest(self.factors(weights)?))
            }
        }
    }

    /// A linear map is as good as its input, if each row still can be told by it; else it is a function like others.
    fn digits(&self) -> Result<Support> {
        let inputs = self.inputs.iter().zip(self.axes_of_inputs()).zip(self.input_noise).enumerate();
        let inputs: Vec<_> = inputs
            .map(|(i, ((x, axes), noise))| {
                let x = if self.is_transposed(i) { x.transpose() } else { x.clone() };
                (x, axes, *noise)
            })
            .collect();
        let Some(noise) = digits::noise(self.op, &inputs, self.output, self.axes, self.cx)? else {
            return Ok(Support::NONE.with_noise(f64::INFINITY));
        };
        let support = Support::FULL.with_noise(noise);
        if support.is_exact() {
            return Ok(support);
        }
        let support = support.weakest(self.cells()?);
        if self.sums_columns() { Ok(support.weakest(self.magnitudes()?)) } else { Ok(support) }
    }

    /// `X.T @ Y` is the product of a transpose.
    fn is_transposed(&self, input: usize) -> bool {
        matches!(self.op, Op::Matmul(MatmulOp::Cross)) && input.is_multiple_of(2)
    }

    fn axes_of_inputs(&self) -> impl Iterator<Item = Axes> {
        let axes = self.input_axes.iter().enumerate();
        axes.map(|(i, axes)| if self.is_transposed(i) { axes.transposed() } else { *axes })
    }

    /// Whether columns are summed for each data row, so that nobody sees what cancels.
    fn sums_columns(&self) -> bool {
        let sums = match self.op {
            Op::Matmul(op) => matches!(op, MatmulOp::Product | MatmulOp::Cross),
            Op::Aggregate(AggregateOp::Reduce(op)) => {
                matches!(op.function, AggregateFunction::Sum | AggregateFunction::Mean)
            }
            Op::Aggregate(AggregateOp::Cumulate(op)) => op.function == CumulateFunction::Cumsum,
            Op::Aggregate(AggregateOp::SumProduct(_) | AggregateOp::Trace | AggregateOp::Distinct(_)) => false,
            Op::Create(_) | Op::Elementwise(_) | Op::Reorg(_) | Op::Slice(_) | Op::Stats(_) | Op::Encode(_) => false,
        };
        let mut data = self.axes_of_inputs().filter(|axes| *axes != Axes::None);
        let one = matches!(self.axes, Axes::Rows | Axes::Columns) && data.next() == Some(self.axes);
        sums && one && data.next().is_none()
    }

    /// Of such sums, those of the magnitudes: few rows that are large hide what else they have.
    fn magnitudes(&self) -> Result<Support> {
        let abs = Op::Elementwise(ElementwiseOp::Unary(Unary::Abs));
        let magnitudes = self.inputs.iter().map(|x| kernels::run(&abs, slice::from_ref(x), self.cx));
        let sums = kernels::run(self.op, &magnitudes.collect::<Result<Vec<_>>>()?, self.cx)?;
        super::series(&sums, self.axes.rows(), Centre::Data, self.cx)
    }

    /// What products hide: a constant factor at the edge of the numbers, and the middle of a chain.
    fn factors(&self, weights: &[usize]) -> Result<Support> {
        let Op::Matmul(op) = self.op else { return Ok(Support::FULL) };
        let chain = !matches!(op, MatmulOp::Product | MatmulOp::Cross | MatmulOp::Gram);
        let (fixed, parts) = self.inputs.split_at(usize::from(chain));
        let noise = &self.input_noise[fixed.len()..];
        // Others that hold no data are weights, and measured as such.
        let is_constant = |i: &usize| self.input_axes[*i] == Axes::None && !weights.contains(i);
        let constants = (fixed.len()..self.inputs.len()).filter(is_constant).map(|i| &self.inputs[i]);
        let mut cells = constants.filter(|x| x.rows() * x.columns() > 0).map(|x| x.get(0, 0));
        if cells.any(digits::is_at_the_edge) {
            return Ok(Support::NONE);
        }
        let [v] = fixed else { return Ok(Support::FULL) };
        let size = if *op == MatmulOp::Mmchain { 1 } else { 2 };
        let mut support = Support::FULL;
        for (part, noise) in parts.chunks_exact(size).zip(noise.chunks_exact(size)) {
            let f = match (op, part.get(1)) {
                (MatmulOp::MmchainMinus, Some(y)) => Middle::Minus(y),
                (MatmulOp::MmchainWeighted, Some(w)) => Middle::Weighted(w),
                _other => Middle::Plain,
            };
            let of = Chain { x: &part[0], v, f, noise: [noise[0], noise[size - 1]] };
            if !of.is_clear(self.cx)? {
                let u = middle(&part[0], v, f, self.cx)?;
                let pair = [(part[0].clone(), u.clone())];
                let seen = super::series(&u, true, Centre::Data, self.cx)?.weakest(terms::weakest(&pair, self.cx)?);
                support = support.weakest(seen);
            }
        }
        Ok(support)
    }

    /// Data rows that were summed over, all parts together; of an operator that sums none, those of its output.
    fn count(&self) -> Support {
        let rows: usize =
            match self.op {
                Op::Aggregate(_) => {
                    let extent = |(x, axes): (&Matrix, &Axes)| if axes.rows() { x.rows() } else { x.columns() };
                    self.inputs.iter().zip(self.input_axes).map(extent).sum()
                }
                Op::Matmul(op) => summed(*op, self.inputs).map(|x| x.rows()).sum(),
                Op::Stats(op) => self.grouped(op).rows(),
                Op::Create(_) | Op::Elementwise(_) | Op::Reorg(_) | Op::Slice(_) | Op::Encode(_) => {
                    if self.axes.rows() { self.output.rows() } else { self.output.columns() }
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

    fn grouped<'a>(&'a self, op: &'a StatsOp) -> Grouped<'a> {
        Grouped { op, inputs: self.inputs, output: self.output, cx: self.cx }
    }

    /// What the output has other than the input, and what it has beside the numbers that were put in: as much is known
    /// of the rows that changed as of those that did not.
    fn change(&self) -> Result<Support> {
        let data = self.inputs.iter().zip(self.input_axes).find(|(_, axes)| **axes != Axes::None);
        let Some((x, _)) = data else { return Ok(Support::NONE) };
        let subtract = Binary { function: BinaryFunction::Subtract, scalar: None };
        let difference = Op::Elementwise(ElementwiseOp::Binary(subtract));
        let change = kernels::run(&difference, &[self.output.clone(), x.clone()], self.cx)?;
        let changed = super::series(&change, self.axes.rows(), Centre::Data, self.cx)?;
        let oriented = |x: &Matrix| if self.axes.rows() { x.clone() } else { x.transpose() };
        let (output, bounds) = (oriented(self.output), self.bounds());
        let plateaus: Vec<Option<Plateaus>> = (0..output.columns())
            .map(|column| {
                let bounds = bounds.iter().map(|by| match by {
                    Bound::Number(number) => *number,
                    Bound::Row(row) => oriented(row).get(0, column.min(oriented(row).columns() - 1)),
                });
                Plateaus::at(bounds.filter(|bound| bound.is_finite()))
            })
            .collect();
        Ok(changed.weakest(plateau::weakest(slice::from_ref(&output), Term::Cell, &plateaus, self.cx)?))
    }

    /// The numbers that such an operator puts in the place of cells.
    fn bounds(&self) -> Vec<Bound<'_>> {
        let uniform = self.inputs.iter().zip(self.input_axes).filter(|(_, axes)| **axes == Axes::None);
        let mut bounds: Vec<Bound<'_>> = uniform.map(|(x, _)| Bound::Row(x)).collect();
        match self.op {
            Op::Elementwise(ElementwiseOp::Binary(Binary {
                scalar: Some(Scalar::Right(s) | Scalar::Left(s)), ..
            }))
            | Op::Elementwise(ElementwiseOp::Ternary(Ternary::Replace { value: s, .. })) => {
                bounds.push(Bound::Number(*s));
            }
            Op::Elementwise(ElementwiseOp::Ternary(Ternary::Clip { low, high })) => {
                bounds.extend([Bound::Number(*low), Bound::Number(*high)]);
            }
            Op::Create(_)
            | Op::Elementwise(_)
            | Op::Aggregate(_)
            | Op::Matmul(_)
            | Op::Reorg(_)
            | Op::Slice(_)
            | Op::Stats(_)
            | Op::Encode(_) => {}
        }
        bounds
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
            Op::Stats(op) => {
                support = support.weakest(self.grouped(op).weights(&listed().map(|(i, _)| i).collect::<Vec<_>>())?)
            }
            Op::Create(_) | Op::Elementwise(_) | Op::Aggregate(_) | Op::Reorg(_) | Op::Slice(_) | Op::Encode(_) => {
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
            Op::Stats(op) => self.grouped(op).weighted_terms(),
            // None of them sums over rows.
            Op::Create(_) | Op::Elementwise(_) | Op::Reorg(_) | Op::Slice(_) | Op::Encode(_) => self.cells(),
        }
    }

    /// Of a count of cells that are not 0: that of the others follows from it.
    fn nonzero(&self, shifted: bool) -> Result<Support> {
        if matches!(self.op, Op::Aggregate(AggregateOp::Reduce(Reduce { axis: Axis::All, .. }))) {
            return self.rows_not_zero(shifted);
        }
        let rows = self.count().rows;
        let of = |count: f64| {
            let zeros = if count == rows && !shifted { Support::FULL } else { Support::equal(rows - count) };
            Support::equal(count).weakest(zeros)
        };
        Ok(self.output.to_column_major().into_iter().map(of).fold(Support::FULL, Support::weakest))
    }

    /// Rows that a choice took, and those that it left.
    fn chosen(&self, shifted: bool) -> Support {
        let (taken, all) = (self.output.rows() as f64, self.inputs[0].rows() as f64);
        let nobody_left = taken == all && !shifted;
        Support::equal(taken).weakest(if nobody_left { Support::FULL } else { Support::equal(all - taken) })
    }

    /// Of counts, the last column: the smallest.
    fn groups(&self) -> Support {
        let (groups, last) = (self.output.rows(), self.output.columns().saturating_sub(1));
        let counts = (0..groups).map(|group| Support::equal(self.output.get(group, last)));
        counts.reduce(Support::weakest).unwrap_or(Support::NONE)
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
        let op = match op {
            AggregateOp::Reduce(op) => op,
            AggregateOp::Distinct(Distinct::Registers { bits }) => {
                return Ok(Support::equal(kernels::aggregate::least_in_register(self.inputs, *bits, self.cx)?));
            }
            AggregateOp::Distinct(_) => return self.values(Axis::Columns),
            AggregateOp::Cumulate(_) | AggregateOp::SumProduct(_) | AggregateOp::Trace => return Ok(Support::NONE),
        };
        match op.function {
            AggregateFunction::Nnz => self.nonzero(true),
            function if function.skips_nan() => self.present(false),
            function if function.is_steep() => self.fourth_powers(op.axis),
            // Of one part, the cells were measured when they were made; of several, each could have been scaled by itself.
            AggregateFunction::Sumsq
            | AggregateFunction::Var
            | AggregateFunction::Std
            | AggregateFunction::Moment2
            | AggregateFunction::Moments
            | AggregateFunction::WideMoments => self.squares(op.axis),
            _by_cell if self.inputs.len() > 1 => self.values(op.axis),
            _by_cell => Ok(self.count()),
        }
    }

    /// The rows that have any cell which is not NaN, as many as there are in the emptiest column; of rows that are not
    /// plain, what they contribute too.
    fn present(&self, plain: bool) -> Result<Support> {
        let Op::Aggregate(AggregateOp::Reduce(op)) = self.op else { return Ok(Support::NONE) };
        let oriented = |(x, axes): (&Matrix, &Axes)| if axes.rows() { x.clone() } else { x.transpose() };
        let parts: Vec<Matrix> = self.inputs.iter().zip(self.input_axes).map(oriented).collect();
        let along_rows = |function: AggregateFunction, x: &Matrix| {
            let op = Op::Aggregate(AggregateOp::new(function, Axis::Rows));
            kernels::run(&op, slice::from_ref(x), self.cx)
        };
        // Over all cells, a row counts once: NaN where it has none.
        let counted: Vec<Matrix> = match op.axis {
            Axis::All => parts.iter().map(|x| along_rows(AggregateFunction::Nanmean, x)).collect::<Result<_>>()?,
            Axis::Columns | Axis::Rows => parts.clone(),
        };
        let present = |_, cells: &[f64]| cells.iter().filter(|x| !x.is_nan()).count() as f64;
        let counts = series::fold(&counted, self.cx, 0.0, present, |a, b| a + b)?;
        let support = counts.into_iter().map(Support::equal).fold(Support::FULL, Support::weakest);
        if plain {
            return Ok(support);
        }
        let zero = Op::Elementwise(ElementwiseOp::Ternary(Ternary::Replace { pattern: f64::NAN, value: 0.0 }));
        let mut terms = Vec::with_capacity(parts.len());
        for x in &parts {
            let x = kernels::run(&zero, slice::from_ref(x), self.cx)?;
            terms.push(if op.axis == Axis::All { along_rows(AggregateFunction::Sumsq, &x)? } else { x });
        }
        Ok(support.weakest(series::weakest(&terms, Term::Cell, Centre::Data, self.cx)?))
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
            // Measured as what it stands for.
            MatmulOp::Factorised(_) => Ok(Vec::new()),
        }
    }
}

/// What is put in the place of cells: a number, or one for each column.
enum Bound<'a> {
    Number(f64),
    Row(&'a Matrix),
}

/// The first factor of each part of a product, its rows those that are summed over.
fn summed(op: MatmulOp, inputs: &[Matrix]) -> Box<dyn Iterator<Item = Matrix> + '_> {
    match op {
        MatmulOp::Product => Box::new(inputs.iter().step_by(2).map(Matrix::transpose)),
        MatmulOp::Cross => Box::new(inputs.iter().step_by(2).cloned()),
        MatmulOp::Gram => Box::new(inputs.iter().cloned()),
        MatmulOp::Mmchain => Box::new(inputs[1..].iter().cloned()),
        MatmulOp::MmchainWeighted | MatmulOp::MmchainMinus => Box::new(inputs[1..].iter().step_by(2).cloned()),
        MatmulOp::Factorised(_) => Box::new(std::iter::empty()),
    }
}
