//! Sums over rows that are put into cells. Of a row cut each site adds up all its parts in one instruction; of a column
//! cut each part is by itself, with the keys or weights whole beside it.

use fondaco_proto::{
    Op,
    op::{GroupFunction, StatsOp},
};

use super::{Builder, Input, Plan, refused};
use crate::{
    Error, Result,
    combine::Combine,
    gather::Gather,
    layout::{Cut, Layout},
};

pub(super) fn plan(op: StatsOp, builder: Builder) -> Result<Plan> {
    let name = Op::Stats(op).name();
    Op::Stats(op).shape(&builder.shapes())?;
    let args: Vec<usize> = (0..builder.args.len()).collect();
    let (fixed, slots) = op.parts(&args);
    let slots = slots.concat();
    if let Some(levels) = fixed.iter().find(|&&arg| builder.layout(arg).is_some()) {
        let layout = builder.layout(*levels).map(Layout::to_string).unwrap_or_default();
        return Err(Error::plan(format!("{name}: thresholds and levels are arrays, not federated ({layout})")));
    }
    let layouts: Vec<&Layout> = slots.iter().filter_map(|&arg| builder.layout(arg)).collect();
    if let Some(columns) = layouts.iter().find(|layout| layout.viewed(Cut::Rows).is_none()) {
        let columns = (*columns).clone();
        return by_columns(op, builder, &columns, fixed, &slots);
    }
    // Of several, one in several parts says how the rows are cut.
    let rows = layouts.iter().find(|layout| layout.parts().len() > 1).or(layouts.first());
    let rows = rows.and_then(|layout| layout.viewed(Cut::Rows));
    let rows = rows.ok_or_else(|| Error::plan(format!("{name}: at least one operand must be federated")))?;
    by_rows(op, builder, &rows, fixed, &slots)
}

fn by_rows(op: StatsOp, mut builder: Builder, rows: &Layout, fixed: &[usize], slots: &[usize]) -> Result<Plan> {
    let name = Op::Stats(op).name();
    let fixed: Vec<Vec<Input>> = fixed.iter().map(|&arg| builder.whole(name, arg, rows)).collect::<Result<_>>()?;
    let mut groups = Vec::with_capacity(slots.len());
    for &arg in slots {
        groups.push(builder.along(name, arg, rows)?);
    }
    let parts = builder.per_site(rows, op, &fixed, &groups)?;
    Ok(builder.local(parts, combine(op)))
}

fn combine(op: StatsOp) -> Combine {
    match op {
        StatsOp::RankCounts { .. } | StatsOp::Table { .. } => Combine::Sum,
        StatsOp::Group(GroupFunction::Count | GroupFunction::Sum) => Combine::Sum,
        StatsOp::Group(GroupFunction::Moments) => Combine::GroupMoments,
        StatsOp::Group(GroupFunction::Min) => Combine::Min,
        StatsOp::Group(GroupFunction::Max) => Combine::Max,
        StatsOp::Levels { .. } => Combine::Levels,
        StatsOp::WeightedMoments { .. } => Combine::WeightedMoments,
        StatsOp::WeightedCov => Combine::WeightedProducts,
    }
}

/// Each part's columns by themselves: what has as many columns is cut like them, the others are whole beside each.
fn by_columns(op: StatsOp, mut builder: Builder, layout: &Layout, fixed: &[usize], slots: &[usize]) -> Result<Plan> {
    let name = Op::Stats(op).name();
    let by_column = match op {
        StatsOp::RankCounts { .. } | StatsOp::WeightedMoments { .. } => true,
        StatsOp::Group(function) => function != GroupFunction::Count,
        StatsOp::Table { .. } | StatsOp::Levels { .. } | StatsOp::WeightedCov => false,
    };
    let keys = matches!(op, StatsOp::Group(_));
    if !by_column
        || !layout.is(Cut::Columns)
        || (keys && builder.layout(slots[1]).is_none_or(|x| x.viewed(Cut::Rows).is_some()))
    {
        return Err(refused(name, layout, "it needs a row cut"));
    }
    let mut inputs: Vec<Vec<Input>> = Vec::new();
    for &arg in fixed.iter().chain(slots) {
        // Levels and keys are no columns of X, however many there are.
        let beside = keys && arg != slots[1];
        let wide = !beside && builder.args[arg].shape().columns == layout.shape().columns;
        inputs.push(if wide { builder.along(name, arg, layout)? } else { builder.whole(name, arg, layout)? });
    }
    let parts = builder.each(layout, op, |part| inputs.iter().map(|inputs| inputs[part].clone()).collect())?;
    let cells = parts.into_iter().map(|part| vec![part]).collect();
    Ok(builder.released(Gather::line(Cut::Columns, cells, Combine::Only)))
}

#[cfg(test)]
mod tests {
    use super::super::{plan as plan_op, testing::*};
    use super::*;

    use fondaco_proto::op::Ranks;

    const COUNTS: Op = Op::Stats(StatsOp::RankCounts { ranks: Ranks::Between, weighted: true });
    const MOMENTS: Op = Op::Stats(StatsOp::Group(GroupFunction::Moments));

    #[test]
    fn a_site_adds_up_all_its_parts() {
        let x = rows(&[("a", 4), ("b", 2), ("a", 1)], 3);
        let counts = plan_op(&COUNTS, &[local(2, 3), x.clone(), local(7, 1)], None).unwrap();
        assert_eq!(
            steps(&counts),
            [
                "a rank_counts(0[0..2,0..3] 1.0 2[0..4,0..1] 1.2 2[6..7,0..1])",
                "b rank_counts(0[0..2,0..3] 1.1 2[4..6,0..1])"
            ]
        );
        assert_eq!(combined(&counts), Combine::Sum);
        let keys = rows(&[("a", 4), ("b", 2), ("a", 1)], 1);
        let groups = plan_op(&MOMENTS, &[local(5, 1), keys, x], None).unwrap();
        assert_eq!(steps(&groups)[1], "b group_moments(0[0..5,0..1] 1.1 2.1)");
        assert_eq!(combined(&groups), Combine::GroupMoments);
    }

    #[test]
    fn columns_by_themselves() {
        let x = columns(&[("a", 2), ("b", 1)], 9);
        let counts = plan_op(&COUNTS, &[local(2, 3), x.clone(), local(9, 1)], None).unwrap();
        assert_eq!(steps(&counts)[1], "b rank_counts(0[0..2,2..3] 1.1 2[0..9,0..1])");
        assert_eq!(combined(&counts), Combine::Only);
        let groups = plan_op(&MOMENTS, &[local(5, 3), local(9, 3), x.clone()], None).unwrap();
        assert_eq!(steps(&groups)[0], "a group_moments(0[0..5,0..3] 1[0..9,0..3] 2.0)");
        let refusal =
            |op: StatsOp, args: &[super::super::Arg]| plan_op(&Op::Stats(op), args, None).unwrap_err().to_string();
        assert!(refusal(StatsOp::Levels { most: 4 }, std::slice::from_ref(&x)).contains("it needs a row cut"));
        assert!(refusal(StatsOp::WeightedCov, &[x.clone(), local(9, 1)]).contains("it needs a row cut"));
        let count = StatsOp::Group(GroupFunction::Count);
        assert!(refusal(count, &[local(2, 3), x.clone()]).contains("it needs a row cut"));
        assert!(refusal(count, &[x, local(9, 3)]).contains("are arrays"));
        assert!(refusal(count, &[local(2, 3), local(9, 3)]).contains("must be federated"));
    }
}
