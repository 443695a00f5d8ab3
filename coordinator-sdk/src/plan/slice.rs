//! Some of the cells, or others in their place: whole parts are kept as they are, the others sliced at their sites.

use std::ops::Range;

use fondaco_proto::{Op, op::SliceOp};

use super::{Arg, Builder, Counted, Input, Plan, parts_of};
use crate::{
    Error, Result,
    layout::{Cut, Layout},
};

mod listed;

pub(super) fn plan(op: &SliceOp, builder: Builder) -> Result<Plan> {
    let name = Op::Slice(op.clone()).name();
    let layout = builder.only(name)?.clone();
    match op {
        SliceOp::Range { rows, columns } => range(rows, columns, &layout, builder),
        SliceOp::Columns(indices) => listed::plan(Cut::Columns, indices, &layout, builder),
        SliceOp::Rows(indices) => listed::plan(Cut::Rows, indices, &layout, builder),
        SliceOp::Set { rows, columns } => set(rows, columns, &layout, builder),
        SliceOp::FilterRows => {
            Err(Error::plan("filter_rows: only the data know how many rows there are; await filter_rows"))
        }
    }
}

/// The rows that a mask takes; it is cut as they are or, of a column cut, sent whole.
pub(crate) fn filter_rows(args: &[Arg]) -> Result<Counted> {
    let mut builder = Builder { args, steps: Vec::new() };
    let layout = builder.only("filter_rows")?.clone();
    let op = || SliceOp::FilterRows;
    Op::Slice(op()).shape(&builder.shapes())?;
    let (layout, masks) = match layout.viewed(Cut::Rows) {
        Some(rows) => (rows.clone(), builder.along("filter_rows", 1, &rows)?),
        None => (layout.clone(), builder.whole("filter_rows", 1, &layout)?),
    };
    let parts = builder.each(&layout, op(), |part| vec![Input::Part { arg: 0, part }, masks[part].clone()])?;
    Ok(builder.counted(layout, parts))
}

/// What a mask of the coordinator takes: the layout of the result, and which of the parts it has.
pub(crate) fn filtered(layout: &Layout, mask: &[bool]) -> Result<(Layout, Vec<usize>)> {
    let taken = |range: Range<u64>| {
        let rows = mask.iter().skip(range.start as usize).take((range.end - range.start) as usize);
        rows.filter(|taken| **taken).count() as u64
    };
    if layout.cut() == Cut::Columns {
        return Ok((layout.with_across(taken(0..layout.shape().rows)), (0..layout.parts().len()).collect()));
    }
    let extents: Vec<u64> = layout.parts().iter().map(|part| taken(part.range.clone())).collect();
    let sites = layout.parts().iter().map(|part| part.site.clone());
    let kept = Layout::kept(&extents);
    Ok((Layout::new(Cut::Rows, sites.zip(extents), layout.shape().columns)?, kept))
}

/// Each part that the region touches by itself.
fn set(rows: &Range<u64>, columns: &Range<u64>, layout: &Layout, mut builder: Builder) -> Result<Plan> {
    let shapes = builder.shapes();
    Op::Slice(SliceOp::Set { rows: rows.clone(), columns: columns.clone() }).shape(&shapes)?;
    let cut = layout.cut();
    let (along, across) = if cut == Cut::Rows { (rows, columns) } else { (columns, rows) };
    let mut parts = parts_of(0, layout);
    let touched = |place: &crate::layout::Part| along.start.max(place.range.start)..along.end.min(place.range.end);
    let touched: Vec<(usize, Range<u64>)> = layout.parts().iter().map(touched).enumerate().collect();
    let touched: Vec<_> = touched.into_iter().filter(|(_, range)| !range.is_empty() && !across.is_empty()).collect();
    if touched.is_empty() {
        return Ok(builder.fed(layout.clone(), parts));
    }
    let extents = touched.iter().map(|(part, range)| (layout.parts()[*part].site.clone(), range.end - range.start));
    let region = Layout::new(cut, extents, across.end - across.start)?;
    let values = if cut.extent(shapes[1]) == cut.extent(region.shape()) {
        builder.along("set", 1, &region)?
    } else {
        builder.whole("set", 1, &region)?
    };
    for ((part, range), value) in touched.into_iter().zip(values) {
        let place = &layout.parts()[part];
        let within = range.start - place.range.start..range.end - place.range.start;
        let set = match cut {
            Cut::Rows => SliceOp::Set { rows: within, columns: across.clone() },
            Cut::Columns => SliceOp::Set { rows: across.clone(), columns: within },
        };
        parts[part] = builder.push(&place.site, set, vec![Input::Part { arg: 0, part }, value])?;
    }
    Ok(builder.fed(layout.clone(), parts))
}

fn range(rows: &Range<u64>, columns: &Range<u64>, layout: &Layout, mut builder: Builder) -> Result<Plan> {
    Op::Slice(SliceOp::Range { rows: rows.clone(), columns: columns.clone() }).shape(&[layout.shape()])?;
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
    fn values_go_to_the_parts_that_have_their_cells() {
        let x = || rows(&[("a", 4), ("b", 2), ("c", 5)], 3);
        let set = |rows: Range<u64>, columns: Range<u64>| Op::Slice(SliceOp::Set { rows, columns });
        let plan_of = |op: Op, args: &[Arg]| plan_op(&op, args, None);
        let plan = plan_of(set(3..6, 1..3), &[x(), local(3, 2)]).unwrap();
        assert_eq!(steps(&plan), ["a set(0.0 1[0..1,0..2])", "b set(0.1 1[1..3,0..2])"]);
        let Op::Slice(SliceOp::Set { rows: within, .. }) = &plan.steps[0].op else { panic!("no set") };
        assert_eq!((within.clone(), fed(&plan).parts().len()), (3..4, 3));
        let plan = plan_of(set(3..6, 1..3), &[x(), local(1, 2)]).unwrap();
        assert_eq!(steps(&plan)[1], "b set(0.1 1[0..1,0..2])");
        let plan = plan_of(set(3..6, 0..3), &[x(), rows(&[("a", 1), ("b", 2)], 3)]).unwrap();
        assert_eq!(steps(&plan), ["a set(0.0 1.0)", "b set(0.1 1.1)"]);
        assert!(plan_of(set(3..6, 0..3), &[x(), rows(&[("a", 2), ("b", 1)], 3)]).is_err());
        assert!(plan_of(set(3..6, 0..3), &[x(), local(2, 3)]).is_err());
        assert!(plan_of(set(3..3, 0..3), &[x(), local(1, 1)]).unwrap().steps.is_empty());
        let z = columns(&[("a", 2), ("b", 1)], 6);
        let plan = plan_of(set(0..2, 1..3), &[z, local(2, 2)]).unwrap();
        assert_eq!(steps(&plan), ["a set(0.0 1[0..2,0..1])", "b set(0.1 1[0..2,1..2])"]);
    }

    #[test]
    fn masks_are_cut_as_the_rows_are() {
        let x = rows(&[("a", 4), ("b", 2), ("a", 1)], 3);
        let counted = filter_rows(&[x.clone(), local(7, 1)]).unwrap();
        assert_eq!(written(&counted.steps)[1], "b filter_rows(0.1 1[4..6,0..1])");
        let counted = filter_rows(&[x.clone(), rows(&[("a", 4), ("b", 2), ("a", 1)], 1)]).unwrap();
        assert_eq!((written(&counted.steps)[2].as_str(), counted.parts.len()), ("a filter_rows(0.2 1.2)", 3));
        assert!(filter_rows(&[x.clone(), local(6, 1)]).unwrap_err().to_string().contains("must be (7, 1)"));
        let z = columns(&[("a", 2), ("b", 1)], 7);
        let counted = filter_rows(&[z.clone(), local(7, 1)]).unwrap();
        assert_eq!(written(&counted.steps)[1], "b filter_rows(0.1 1[0..7,0..1])");
        let error = filter_rows(&[z, rows(&[("a", 7)], 1)]).unwrap_err().to_string();
        assert!(error.contains("would have to move"), "{error}");
        let Arg::Fed(layout) = x else { panic!("local") };
        let (taken, kept) = filtered(&layout, &[true, false, true, false, false, false, true]).unwrap();
        assert_eq!((taken, kept), (Layout::rows([("a", 2), ("a", 1)], 3).unwrap(), vec![0, 2]));
    }
}
