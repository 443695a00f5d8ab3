//! Sums over rows that are put into cells by their values, and weighted moments. Blocks of rows are added to a few
//! accumulators, which are merged in order.

use fondaco_proto::{
    Result, Shape,
    op::{GroupFunction, StatsOp},
};

use super::Context;
use crate::matrix::Matrix;

mod groups;
mod levels;
mod rank;
mod sums;
mod weighted;

pub(crate) use groups::Groups;
pub(crate) use rank::Ladder;

/// The value of the operator, whose shape is `shape`.
pub fn run(op: &StatsOp, inputs: &[Matrix], shape: Shape, cx: &Context<'_>) -> Result<Matrix> {
    let (fixed, parts) = op.parts(inputs);
    let extent = |extent: u64| extent as usize;
    match op {
        StatsOp::RankCounts { ranks, .. } => rank::run(*ranks, &fixed[0], &parts, cx),
        StatsOp::Table { rows, columns, .. } => {
            let groups = Groups::of_codes(parts, extent(*rows), extent(*columns));
            groups.table(cx)
        }
        StatsOp::Group(function) => {
            let groups = Groups::of_levels(parts, &fixed[0], cx)?;
            match function {
                GroupFunction::Count => groups.counts(cx),
                GroupFunction::Sum => groups.sums(cx),
                GroupFunction::Moments => groups.moments(cx),
                GroupFunction::Min => groups.least(cx),
                GroupFunction::Max => groups.most(cx),
            }
        }
        StatsOp::Levels { most } => levels::run(extent(*most), &parts, shape, cx),
        StatsOp::WeightedMoments { order } => weighted::moments(*order as usize, &parts, cx),
        StatsOp::WeightedCov => weighted::covariance(&parts, cx),
    }
}

#[cfg(test)]
mod tests;
