//! Some of the cells: whole parts are kept as they are, the others sliced at their sites.

use std::ops::Range;

use fondaco_proto::{Op, op::SliceOp};

use super::{Builder, Input, Plan};
use crate::{
    Result,
    layout::{Cut, Layout},
};

pub(super) fn plan(op: &SliceOp, mut builder: Builder) -> Result<Plan> {
    let name = Op::Slice(op.clone()).name();
    let layout = builder.only(name)?.clone();
    let out = Op::Slice(op.clone()).shape(&[layout.shape()])?;
    match (op, layout.viewed(Cut::Rows)) {
        (SliceOp::Range { rows, columns }, _) => range(rows, columns, &layout, builder),
        (SliceOp::Columns(_), Some(layout)) => {
            let parts = builder.each(&layout, op.clone(), |part| vec![Input::Part { arg: 0, part }])?;
            Ok(builder.fed(layout.with_across(out.columns), parts))
        }
        (SliceOp::Columns(indices), None) => columns_of_a_column_cut(indices, &layout, builder),
    }
}

fn range(rows: &Range<u64>, columns: &Range<u64>, layout: &Layout, mut builder: Builder) -> Result<Plan> {
    let cut = layout.cut();
    let (along, across) = if cut == Cut::Rows { (rows, columns) } else { (columns, rows) };
    let all_across = *across == (0..cut.other().extent(layout.shape()));
    let mut extents = Vec::new();
    let mut inputs = Vec::new();
    for (part, place) in layout.parts().iter().enumerate() {
        let kept = along.start.max(place.range.start)..along.end.min(place.range.end);
        // Of an empty selection one part stays, empty.
        if kept.is_empty() && !(along.is_empty() && part == 0) {
            continue;
        }
        let within = kept.start.saturating_sub(place.range.start)..kept.end.saturating_sub(place.range.start);
        let within = if kept.is_empty() { 0..0 } else { within };
        extents.push((place.site.clone(), within.end - within.start));
        let whole = Input::Part { arg: 0, part };
        if all_across && within == (0..place.extent()) {
            inputs.push(whole);
            continue;
        }
        let slice = match cut {
            Cut::Rows => SliceOp::Range { rows: within, columns: across.clone() },
            Cut::Columns => SliceOp::Range { rows: across.clone(), columns: within },
        };
        inputs.push(builder.push(&place.site, slice, vec![whole])?);
    }
    Ok(builder.fed(Layout::new(cut, extents, across.end - across.start)?, inputs))
}

/// Runs of indices within one part become one part each.
fn columns_of_a_column_cut(indices: &[u64], layout: &Layout, mut builder: Builder) -> Result<Plan> {
    let mut runs: Vec<(usize, Vec<u64>)> = Vec::new();
    for &index in indices {
        let holds = |place: &crate::layout::Part| place.range.contains(&index);
        let part = layout.parts().iter().position(holds).unwrap_or(0);
        let within = index - layout.parts()[part].range.start;
        match runs.last_mut() {
            Some((last, run)) if *last == part => run.push(within),
            _ => runs.push((part, vec![within])),
        }
    }
    if runs.is_empty() {
        runs.push((0, Vec::new()));
    }
    let mut extents = Vec::new();
    let mut inputs = Vec::new();
    for (part, run) in runs {
        let site = layout.parts()[part].site.clone();
        extents.push((site.clone(), run.len() as u64));
        inputs.push(builder.push(&site, SliceOp::Columns(run), vec![Input::Part { arg: 0, part }])?);
    }
    Ok(builder.fed(Layout::new(Cut::Columns, extents, layout.shape().rows)?, inputs))
}

#[cfg(test)]
mod tests {
    use fondaco_proto::Shape;

    use super::super::{Arg, plan as plan_op, testing::*};
    use super::*;

    fn planned(op: SliceOp, arg: Arg) -> Result<Plan> {
        plan_op(&Op::Slice(op), &[arg], None)
    }

    #[test]
    fn whole_parts_are_kept_and_others_not_asked() {
        let x = rows(&[("a", 4), ("b", 2), ("c", 5), ("d", 3)], 3);
        let plan = planned(SliceOp::Range { rows: 3..8, columns: 0..3 }, x.clone()).unwrap();
        assert_eq!(steps(&plan), ["a slice(0.0)", "c slice(0.2)"]);
        let Op::Slice(SliceOp::Range { rows, .. }) = &plan.steps[1].op else { panic!("no slice") };
        assert_eq!((rows.clone(), fed(&plan).parts().len(), fed(&plan).shape()), (0..2, 3, Shape::new(5, 3)));
        let plan = planned(SliceOp::Range { rows: 4..6, columns: 1..2 }, x.clone()).unwrap();
        assert_eq!(steps(&plan), ["b slice(0.1)"]);
        assert!(planned(SliceOp::Range { rows: 4..15, columns: 1..2 }, x.clone()).is_err());
        let none = planned(SliceOp::Range { rows: 6..6, columns: 0..3 }, x).unwrap();
        assert_eq!((fed(&none).shape(), steps(&none)), (Shape::new(0, 3), vec!["a slice(0.0)".to_owned()]));
    }

    #[test]
    fn columns_in_any_order() {
        let x = columns(&[("a", 4), ("b", 2)], 3);
        let plan = planned(SliceOp::Columns(vec![5, 0, 3, 4]), x).unwrap();
        assert_eq!(steps(&plan), ["b slice_columns(0.1)", "a slice_columns(0.0)", "b slice_columns(0.1)"]);
        assert_eq!(fed(&plan).shape(), Shape::new(3, 4));
        let x = rows(&[("a", 4), ("b", 2)], 3);
        assert_eq!(fed(&planned(SliceOp::Columns(vec![2, 2]), x).unwrap()).shape(), Shape::new(6, 2));
    }
}
