//! Rows in groups: how many each has and, where what is summed of them could have been shaped, how they contribute.

use fondaco_proto::{
    Op, Result,
    op::{Binary, BinaryFunction, ElementwiseOp, GroupFunction, Ranks, StatsOp},
};

use super::{
    Centre, Support,
    series::{self, Term},
    terms,
};
use crate::{
    kernels::{
        self, Context,
        stats::{Groups, Ladder},
    },
    matrix::Matrix,
};

/// An operator of the family that was carried out.
pub struct Grouped<'a> {
    /// It.
    pub op: &'a StatsOp,
    /// What it was given.
    pub inputs: &'a [Matrix],
    /// What came out.
    pub output: &'a Matrix,
    /// Where to measure.
    pub cx: &'a Context<'a>,
}

impl Grouped<'_> {
    /// Rows of all parts.
    pub fn rows(&self) -> usize {
        self.op.parts(self.inputs).1.iter().map(|part| part[0].rows()).sum()
    }

    /// The weakest group; those that are in none are one more, if anybody is or not `closed`.
    ///
    /// # Errors
    /// `Limit` if the memory does not suffice, `Cancelled` if asked to stop.
    pub fn weakest(&self, plain: bool, closed: bool) -> Result<Support> {
        let others = |rows: f64| if closed && rows == 0.0 { Support::FULL } else { Support::equal(rows) };
        let (fixed, parts) = self.op.parts(self.inputs);
        let counted = match self.op {
            StatsOp::RankCounts { .. } => self.between(&fixed[0], others)?,
            StatsOp::Levels { .. } => {
                let (found, last) = (self.output.get(0, 0), self.output.columns() - 1);
                let most = self.output.rows() - 1;
                if found > most as f64 {
                    return Ok(Support::NONE);
                }
                let counts = (1..=found as usize).map(|row| Support::equal(self.output.get(row, last)));
                counts.fold(others(self.output.get(0, last)), Support::weakest)
            }
            StatsOp::Table { .. } | StatsOp::Group(_) => {
                let mut counts = self.groups(fixed, parts)?.rows(self.cx)?;
                let nobodys = others(counts.pop().unwrap_or(0.0));
                counts.into_iter().map(Support::equal).fold(nobodys, Support::weakest)
            }
            StatsOp::WeightedMoments { .. } | StatsOp::WeightedCov => Support::equal(self.rows() as f64),
        };
        if plain { Ok(counted) } else { Ok(counted.weakest(self.contributors()?)) }
    }

    fn groups<'a>(&self, fixed: &[Matrix], parts: Vec<&'a [Matrix]>) -> Result<Groups<'a>> {
        match self.op {
            StatsOp::Table { rows, columns, .. } => Ok(Groups::of_codes(parts, *rows as usize, *columns as usize)),
            _levels => Groups::of_levels(parts, &fixed[0], self.cx),
        }
    }

    /// Of the rows between thresholds, wherever there can be any, and of those that are nowhere.
    fn between(&self, thresholds: &Matrix, others: impl Fn(f64) -> Support + Sync + Send) -> Result<Support> {
        let parts = self.op.parts(self.inputs).1;
        let ranks = if let StatsOp::RankCounts { ranks, .. } = self.op { *ranks } else { Ranks::Between };
        let unweighted = Op::Stats(StatsOp::RankCounts { ranks, weighted: false });
        let x = parts.iter().map(|part| part[0].clone());
        let counts =
            kernels::run(&unweighted, &[thresholds.clone()].into_iter().chain(x).collect::<Vec<_>>(), self.cx)?;
        let supports = self.cx.map((0..counts.columns()).collect(), |column: usize| {
            let ladder = Ladder::of(thresholds, column);
            let rows: f64 = (0..counts.rows()).map(|cell| counts.get(cell, column)).sum();
            let nowhere = if ranks == Ranks::Present { others(self.rows() as f64 - rows) } else { Support::FULL };
            let possible = (0..counts.rows()).filter(|cell| ladder.is_possible(*cell));
            Ok(possible.map(|cell| Support::equal(counts.get(cell, column))).fold(nowhere, Support::weakest))
        })?;
        Ok(supports.into_iter().fold(Support::FULL, Support::weakest))
    }

    /// What each row contributes to the sum of its group.
    fn contributors(&self) -> Result<Support> {
        let (fixed, parts) = self.op.parts(self.inputs);
        let values: Vec<Matrix> = parts.iter().filter_map(|part| part.last()).cloned().collect();
        let _rows = self.cx.memory.ticket((self.rows() as u64).saturating_mul(32))?;
        if !matches!(self.op, StatsOp::RankCounts { .. }) {
            let groups = self.groups(fixed, parts)?;
            return self.of_groups(&values, &groups.of_rows(self.cx)?);
        }
        let mut support = Support::FULL;
        for column in 0..self.output.columns() {
            let ladder = Ladder::of(&fixed[0], column);
            let cells =
                parts.iter().flat_map(|part| (0..part[0].rows()).map(|row| ladder.cell(part[0].get(row, column))));
            let cells: Vec<usize> = cells.collect();
            let weights: Vec<Matrix> = values.iter().map(|w| self.column(w, column)).collect::<Result<_>>()?;
            support = support.weakest(self.of_groups(&weights, &cells)?);
        }
        Ok(support)
    }

    /// A column; the only one, if there is one for all.
    fn column(&self, x: &Matrix, column: usize) -> Result<Matrix> {
        if x.columns() == 1 {
            return Ok(x.clone());
        }
        let mut cells = self.cx.memory.buffer(x.rows())?;
        kernels::slice::copy_block(x, 0..x.rows(), column..column + 1, &mut cells);
        Matrix::from_column_major(self.cx.memory, x.rows(), 1, &cells)
    }

    /// The weakest series of the rows of any group, in all columns of the values.
    fn of_groups(&self, values: &[Matrix], group_of: &[usize]) -> Result<Support> {
        let starts: Vec<usize> = values
            .iter()
            .scan(0, |start, part| {
                *start += part.rows();
                Some(*start - part.rows())
            })
            .collect();
        let mut rows: Vec<usize> = (0..group_of.len()).filter(|row| group_of[*row] != usize::MAX).collect();
        rows.sort_by_key(|row| group_of[*row]);
        let groups: Vec<&[usize]> = rows.chunk_by(|a, b| group_of[*a] == group_of[*b]).collect();
        let squares = matches!(self.op, StatsOp::Group(GroupFunction::Moments));
        let supports = self.cx.map(groups, |rows| {
            let columns = values.first().map_or(0, Matrix::columns);
            let mut cells = self.cx.memory.buffer(rows.len() * columns)?;
            for (column, cells) in cells.chunks_exact_mut(rows.len()).enumerate() {
                for (cell, row) in cells.iter_mut().zip(rows) {
                    let part = starts.partition_point(|start| start <= row) - 1;
                    *cell = values[part].get(row - starts[part], column);
                }
            }
            let group = [Matrix::from_column_major(self.cx.memory, rows.len(), columns, &cells)?];
            let of = |term| series::weakest(&group, term, Centre::Counted, self.cx);
            let support = of(Term::Cell)?;
            if squares { Ok(support.weakest(of(Term::Square)?)) } else { Ok(support) }
        })?;
        Ok(supports.into_iter().fold(Support::FULL, Support::weakest))
    }

    /// The terms of weighted moments: weights times powers of deviations.
    ///
    /// # Errors
    /// `Limit` if the memory does not suffice, `Cancelled` if asked to stop.
    pub fn weighted_terms(&self) -> Result<Support> {
        let parts = self.op.parts(self.inputs).1;
        let combine = |function, a: &Matrix, b: &Matrix| {
            let op = Op::Elementwise(ElementwiseOp::Binary(Binary { function, scalar: None }));
            kernels::run(&op, &[a.clone(), b.clone()], self.cx)
        };
        let means: Vec<f64> = (0..self.output.columns()).map(|column| self.output.get(2, column)).collect();
        let means = Matrix::from_column_major(self.cx.memory, 1, means.len(), &means)?;
        let (mut centred, mut terms) = (Vec::new(), Vec::new());
        for part in &parts {
            let x = combine(BinaryFunction::Subtract, &part[0], &means)?;
            terms.push(combine(BinaryFunction::Multiply, &x, &part[1])?);
            centred.push(x);
        }
        let mut support = series::weakest(&terms, Term::Cell, Centre::Data, self.cx)?;
        match self.op {
            StatsOp::WeightedMoments { order } => {
                for _ in 1..*order {
                    for (terms, x) in terms.iter_mut().zip(&centred) {
                        *terms = combine(BinaryFunction::Multiply, terms, x)?;
                    }
                    support = support.weakest(series::weakest(&terms, Term::Cell, Centre::Data, self.cx)?);
                }
            }
            _products => {
                let pairs: Vec<terms::Pair> = terms.into_iter().zip(centred).collect();
                support = support.weakest(terms::weakest(&pairs, self.cx)?);
            }
        }
        Ok(support)
    }

    /// The listed weights of all parts, as one series.
    ///
    /// # Errors
    /// `Limit` if the memory does not suffice, `Cancelled` if asked to stop.
    pub fn weights(&self, listed: &[usize]) -> Result<Support> {
        let weights: Vec<Matrix> = listed.iter().filter_map(|i| self.inputs.get(*i).cloned()).collect();
        series::weakest(&weights, Term::Cell, Centre::Weights, self.cx)
    }
}
