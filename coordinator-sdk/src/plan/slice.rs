//! Some of the cells, or others in their place: whole parts are kept as they are, the others sliced at their sites.

use std::ops::Range;

use fondaco_proto::{Op, Shape, op::SliceOp};

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

/// The rows that a mask takes, of each part by itself: it is brought to where these rows are.
pub(crate) fn filter_rows(args: &[Arg]) -> Result<Counted> {
    let mut builder = Builder::new(args);
    let layout = builder.only("filter_rows")?.clone();
    Op::Slice(SliceOp::FilterRows).shape(&builder.shapes())?;
    let mut parts = Vec::new();
    for (part, place) in layout.parts().iter().enumerate() {
        let mask = builder.region("filter_rows", 1, &place.site, (place.rows.clone(), 0..1))?;
        parts.push(builder.push(&place.site, SliceOp::FilterRows, vec![Input::Part { arg: 0, part }, mask])?);
    }
    Ok(builder.counted(layout, parts))
}

/// What a mask of the coordinator takes: the layout of the result, and which of the parts it has.
pub(crate) fn filtered(layout: &Layout, mask: &[bool]) -> Result<(Layout, Vec<usize>)> {
    let taken = |range: &Range<u64>| {
        let rows = mask.iter().skip(range.start as usize).take((range.end - range.start) as usize);
        rows.filter(|taken| **taken).count() as u64
    };
    layout.with_heights(&layout.ranges(Cut::Rows).iter().map(taken).collect::<Vec<_>>())
}

/// What sites have taken of each part: the layout of the result, and which of the parts it has.
pub(crate) fn counted(layout: &Layout, shapes: &[Shape]) -> Result<(Layout, Vec<usize>)> {
    let height = |band: &Vec<usize>| shapes.get(band[0]).map_or(0, |shape| shape.rows);
    layout.with_heights(&layout.bands(Cut::Rows).iter().map(height).collect::<Vec<_>>())
}

/// Each part that the region touches by itself.
fn set(rows: &Range<u64>, columns: &Range<u64>, layout: &Layout, mut builder: Builder) -> Result<Plan> {
    let shapes = builder.shapes();
    Op::Slice(SliceOp::Set { rows: rows.clone(), columns: columns.clone() }).shape(&shapes)?;
    let mut parts = parts_of(0, layout);
    for (part, place) in layout.parts().iter().enumerate() {
        let down = rows.start.max(place.rows.start)..rows.end.min(place.rows.end);
        let right = columns.start.max(place.columns.start)..columns.end.min(place.columns.end);
        if down.is_empty() || right.is_empty() {
            continue;
        }
        let from = |range: &Range<u64>, start: u64| range.start - start..range.end - start;
        // An axis of the value that is repeated has one row (column).
        let of = |have: u64, all: &Range<u64>, some: &Range<u64>| {
            if have == all.end - all.start { from(some, all.start) } else { 0..have }
        };
        let value = (of(shapes[1].rows, rows, &down), of(shapes[1].columns, columns, &right));
        let value = builder.region("set", 1, &place.site, value)?;
        let set = SliceOp::Set { rows: from(&down, place.rows.start), columns: from(&right, place.columns.start) };
        parts[part] = builder.push(&place.site, set, vec![Input::Part { arg: 0, part }, value])?;
    }
    Ok(builder.fed(layout.clone(), parts))
}

fn range(rows: &Range<u64>, columns: &Range<u64>, layout: &Layout, mut builder: Builder) -> Result<Plan> {
    Op::Slice(SliceOp::Range { rows: rows.clone(), columns: columns.clone() }).shape(&[layout.shape()])?;
    let (down, right) = (kept(&layout.ranges(Cut::Rows), rows), kept(&layout.ranges(Cut::Columns), columns));
    let across = layout.bands(Cut::Columns).len();
    let (mut sites, mut inputs) = (Vec::new(), Vec::new());
    for (i, rows) in &down {
        for (j, columns) in &right {
            let index = i * across + j;
            let part = &layout.parts()[index];
            let whole = Input::Part { arg: 0, part: index };
            let all = |range: &Range<u64>, cut: Cut| *range == (0..part.extent(cut));
            inputs.push(if all(rows, Cut::Rows) && all(columns, Cut::Columns) {
                whole
            } else {
                let slice = SliceOp::Range { rows: rows.clone(), columns: columns.clone() };
                builder.push(&part.site, slice, vec![whole])?
            });
            sites.push(part.site.clone());
        }
    }
    let extents = |kept: &[(usize, Range<u64>)]| kept.iter().map(|(_, of)| of.end - of.start).collect::<Vec<_>>();
    Ok(builder.fed(Layout::grid(extents(&down), extents(&right), sites)?, inputs))
}

/// The bands that a range meets, each with what the range has of it, counted from its start. Of an empty range one band
/// stays, empty.
fn kept(bands: &[Range<u64>], range: &Range<u64>) -> Vec<(usize, Range<u64>)> {
    let mut kept = Vec::new();
    for (index, band) in bands.iter().enumerate() {
        let both = range.start.max(band.start)..range.end.min(band.end);
        if !both.is_empty() {
            kept.push((index, both.start - band.start..both.end - band.start));
        }
    }
    if kept.is_empty() {
        kept.push((0, 0..0));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::{plan as plan_op, testing::*};
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

    #[test]
    fn of_blocks() {
        let x = grid(&[4, 2], &[2, 1], "a b c d");
        let plan = planned(SliceOp::Range { rows: 3..6, columns: 1..3 }, x.clone()).unwrap();
        assert_eq!(steps(&plan), ["a slice(0.0)", "b slice(0.1)", "c slice(0.2)"]);
        let expected = "(3, 2) as blocks [0..1, 0..1] at a, [0..1, 1..2] at b, [1..3, 0..1] at c, [1..3, 1..2] at d";
        assert_eq!(fed(&plan).to_string(), expected);
        let plan = planned(SliceOp::Range { rows: 4..6, columns: 2..3 }, x.clone()).unwrap();
        assert_eq!((plan.steps.len(), fed(&plan).to_string().as_str()), (0, "(2, 1) as rows 0..2 at d"));
        let plan = planned(SliceOp::Columns(vec![2, 0, 1]), x).unwrap();
        let expected = ["b slice_columns(0.1)", "a slice_columns(0.0)", "d slice_columns(0.3)", "c slice_columns(0.2)"];
        assert_eq!((steps(&plan), fed(&plan).shape()), (expected.map(str::to_owned).to_vec(), Shape::new(6, 3)));
    }

    #[test]
    fn blocks_are_set_and_filtered_each_by_itself() {
        let x = || grid(&[4, 2], &[2, 1], "a b c d");
        let set = Op::Slice(SliceOp::Set { rows: 3..6, columns: 1..3 });
        let plan = plan_op(&set, &[x(), local(3, 2)], None).unwrap();
        let expected = ["a set(0.0 1[0..1,0..1])", "b set(0.1 1[0..1,1..2])", "c set(0.2 1[1..3,0..1])"];
        assert_eq!((&steps(&plan)[..3], plan.steps.len()), (expected.map(str::to_owned).as_slice(), 4));
        let masked = filter_rows(&[x(), local(6, 1)]).unwrap();
        assert_eq!(written(&masked.steps)[3], "d filter_rows(0.3 1[4..6,0..1])");
        let (taken, kept) = filtered(&masked.layout, &[false, false, false, false, true, false]).unwrap();
        assert_eq!((taken.to_string().as_str(), kept), ("(1, 3) as columns 0..2 at c, 2..3 at d", vec![2, 3]));
        let shapes = [(1, 2), (1, 1), (0, 2), (0, 1)].map(|(rows, columns)| Shape::new(rows, columns));
        assert_eq!(counted(&masked.layout, &shapes).unwrap().1, [0, 1]);
    }
}
