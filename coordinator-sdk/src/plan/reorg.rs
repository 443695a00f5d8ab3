//! The same cells at other places. Stacking along the cut changes the layout alone.

use std::{ops::Range, sync::Arc};

use fondaco_proto::{Op, op::ReorgOp};

use super::{Builder, Input, Plan, refused};
use crate::{
    Error, Result,
    layout::{Cut, Layout},
};

mod diagonal;
mod reshape;
mod unique;

pub(crate) use unique::{unique, unique_counts};

pub(super) fn plan(op: ReorgOp, mut builder: Builder) -> Result<Plan> {
    Op::Reorg(op).shape(&builder.shapes())?;
    match op {
        ReorgOp::Transpose => {
            let layout = builder.only(op.name())?.clone();
            let parts = builder.each(&layout, op, |part| vec![Input::Part { arg: 0, part }])?;
            let order = layout.bands(Cut::Columns).into_iter().flatten();
            let parts = order.map(|part| parts[part].clone()).collect();
            Ok(builder.fed(layout.transposed(), parts))
        }
        ReorgOp::Flip => flipped(op, Cut::Rows, builder),
        ReorgOp::FlipColumns => flipped(op, Cut::Columns, builder),
        // Row cuts below row cuts; else, aligned columns with more rows each.
        ReorgOp::Vstack if builder.are_row_cuts() => joined(op, Cut::Rows, builder),
        ReorgOp::Vstack => stacked(op, Cut::Rows, builder),
        // Aligned rows with more columns each, so that what sums over rows still can; else, more columns elsewhere.
        ReorgOp::Hstack => stacked(op, Cut::Columns, builder),
        ReorgOp::Diagonal { offset } => diagonal::cells(offset, builder),
        ReorgOp::Diag { columns, offset } => diagonal::matrix(columns, offset, builder),
        ReorgOp::Triangle { upper, k } => diagonal::triangle(upper, k, builder),
        ReorgOp::Reshape(shape) => reshape::plan(shape, builder),
        ReorgOp::Sort { .. } => {
            let layout = builder.only(op.name())?.clone();
            let instead = "sort what each site has by itself, or fetch it, if its owners let it out";
            let (site, x) = builder.gathered(&layout)?.ok_or_else(|| refused(op.name(), &layout, instead))?;
            let sorted = builder.push(&site, op, vec![x])?;
            let layout = Layout::whole(site, builder.shape_of(&sorted));
            Ok(builder.fed(layout, vec![sorted]))
        }
        ReorgOp::Unique => Err(Error::plan("unique: only the data know how many values there are; await unique")),
    }
}

/// Each part by itself, and the last band first.
fn flipped(op: ReorgOp, axis: Cut, mut builder: Builder) -> Result<Plan> {
    let layout = builder.only(op.name())?.clone();
    let flipped = builder.each(&layout, op, |part| vec![Input::Part { arg: 0, part }])?;
    let mut bands = layout.bands(Cut::Rows);
    let (mut heights, mut widths) = (extents(&layout, Cut::Rows), extents(&layout, Cut::Columns));
    match axis {
        Cut::Rows => {
            bands.reverse();
            heights.reverse();
        }
        Cut::Columns => {
            bands.iter_mut().for_each(|band| band.reverse());
            widths.reverse();
        }
    }
    let order = bands.concat();
    let sites = order.iter().map(|&part| layout.parts()[part].site.clone());
    let parts = order.iter().map(|&part| flipped[part].clone()).collect();
    Ok(builder.fed(Layout::grid(heights, widths, sites)?, parts))
}

/// More along an axis: at each site, for the same rows (columns); else, in more parts.
fn stacked(op: ReorgOp, axis: Cut, builder: Builder) -> Result<Plan> {
    side_by_side(op, axis.other(), builder.clone()).or_else(|_elsewhere| joined(op, axis, builder))
}

/// What puts parts of a cut together.
pub(super) fn end_to_end(cut: Cut) -> ReorgOp {
    match cut {
        Cut::Rows => ReorgOp::Vstack,
        Cut::Columns => ReorgOp::Hstack,
    }
}

impl Builder {
    fn are_row_cuts(&self) -> bool {
        (0..self.args.len()).all(|arg| self.layout(arg).is_some_and(|layout| layout.is(Cut::Rows)))
    }

    /// All of the first argument, if all of it is at one site, as one input there.
    fn gathered(&mut self, layout: &Layout) -> Result<Option<(Arc<str>, Input)>> {
        let site = layout.parts()[0].site.clone();
        if layout.parts().iter().any(|part| part.site != site) {
            return Ok(None);
        }
        let shape = layout.shape();
        let whole = self.region("all of a matrix", 0, &site, (0..shape.rows, 0..shape.columns))?;
        Ok(Some((site, whole)))
    }
}

/// The heights of row bands, or the widths of column bands.
fn extents(layout: &Layout, cut: Cut) -> Vec<u64> {
    layout.ranges(cut).into_iter().map(|range| range.end - range.start).collect()
}

/// A band of the result of stacking: the rows (columns) of an operand, and where its cells are, for each band of the
/// other axis; an array is nowhere yet.
struct Stacked {
    arg: usize,
    along: Range<u64>,
    sites: Vec<Option<Arc<str>>>,
}

/// The bands of all operands, one after another; the other axis is cut where any of them is. Every cell stays where it
/// is; an array goes where what is before it is, or behind it.
fn joined(op: ReorgOp, cut: Cut, mut builder: Builder) -> Result<Plan> {
    let layouts: Vec<Layout> = (0..builder.args.len()).filter_map(|arg| builder.layout(arg).cloned()).collect();
    if layouts.is_empty() {
        return Err(Error::plan(format!("{}: at least one operand must be federated", op.name())));
    }
    let across = refined(cut.other(), &layouts);
    let mut bands = Vec::new();
    for arg in 0..builder.args.len() {
        match builder.layout(arg) {
            Some(layout) => bands.extend(bands_of(arg, layout, cut, &across)),
            None => bands.push(Stacked {
                arg,
                along: 0..cut.extent(builder.args[arg].shape()),
                sites: vec![None; across.len()],
            }),
        }
    }
    for band in 1..bands.len() {
        beside(&mut bands, band, band - 1);
    }
    for band in (1..bands.len()).rev() {
        beside(&mut bands, band - 1, band);
    }
    let heights: Vec<u64> = bands.iter().map(|band| band.along.end - band.along.start).collect();
    let bands: Vec<&Stacked> = Layout::kept(&heights).into_iter().map(|band| &bands[band]).collect();
    let places = |i: usize, j: usize| if cut == Cut::Rows { (bands[i], j) } else { (bands[j], i) };
    let (rows, columns) = cut.order(bands.len(), across.len());
    let (mut sites, mut parts) = (Vec::new(), Vec::new());
    for (band, other) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))).map(|(i, j)| places(i, j)) {
        let site = band.sites[other].clone().unwrap_or_else(|| layouts[0].parts()[0].site.clone());
        parts.push(builder.region(op.name(), band.arg, &site, cut.order(band.along.clone(), across[other].clone()))?);
        sites.push(site);
    }
    let along = bands.iter().map(|band| band.along.end - band.along.start).collect();
    let (heights, widths) = cut.order(along, across.iter().map(|range| range.end - range.start).collect::<Vec<_>>());
    Ok(builder.fed(Layout::grid(heights, widths, sites)?, parts))
}

/// The bands of one operand, each with the site of every finer band of the other axis.
fn bands_of(arg: usize, layout: &Layout, cut: Cut, across: &[Range<u64>]) -> Vec<Stacked> {
    let band = |(parts, along): (Vec<usize>, Range<u64>)| {
        let site = |range: &Range<u64>| {
            let mut parts = parts.iter().map(|&part| &layout.parts()[part]);
            let holds = parts.find(|part| range.end <= part.along(cut.other()).end);
            holds.map(|part| part.site.clone())
        };
        Stacked { arg, along, sites: across.iter().map(site).collect() }
    };
    layout.bands(cut).into_iter().zip(layout.ranges(cut)).map(band).collect()
}

/// What is nowhere goes where a neighbour is.
fn beside(bands: &mut [Stacked], band: usize, neighbour: usize) {
    let sites = bands[neighbour].sites.clone();
    for (site, beside) in bands[band].sites.iter_mut().zip(sites) {
        *site = site.take().or(beside);
    }
}

/// The bands between all edges of these layouts.
fn refined(cut: Cut, layouts: &[Layout]) -> Vec<Range<u64>> {
    let mut edges: Vec<u64> = layouts.iter().flat_map(|layout| layout.ranges(cut)).map(|range| range.end).collect();
    edges.sort_unstable();
    edges.dedup();
    let starts: Vec<u64> = std::iter::once(0).chain(edges.iter().copied()).collect();
    starts.into_iter().zip(edges).map(|(start, end)| start..end).collect()
}

/// Each part of the first federated operand in this cut, with the same rows (columns) of the others.
fn side_by_side(op: ReorgOp, cut: Cut, mut builder: Builder) -> Result<Plan> {
    let views: Vec<Layout> = (0..builder.args.len()).filter_map(|arg| builder.layout(arg)?.banded(cut)).collect();
    let several = views.iter().find(|view| view.parts().len() > 1).or(views.first());
    let reference = several.cloned();
    let reference = reference.ok_or_else(|| Error::plan(format!("{}: no operand is a {cut} cut", op.name())))?;
    let mut inputs = Vec::new();
    for arg in 0..builder.args.len() {
        inputs.push(builder.along_cut(op.name(), arg, cut, &reference)?);
    }
    let across = builder.shapes().iter().map(|shape| cut.other().extent(*shape)).sum();
    let parts = builder.each(&reference, op, |part| inputs.iter().map(|input| input[part].clone()).collect())?;
    Ok(builder.fed(reference.with_across(cut, across), parts))
}

#[cfg(test)]
mod tests {
    use fondaco_proto::Shape;

    use super::super::{Arg, Planned, plan as plan_op, testing::*};
    use super::*;

    fn planned(op: ReorgOp, args: &[Arg]) -> Result<Plan> {
        plan_op(&Op::Reorg(op), args, None)
    }

    #[test]
    fn a_transpose_turns_the_cut() {
        let plan = planned(ReorgOp::Transpose, &[rows(&[("a", 4), ("b", 2)], 3)]).unwrap();
        assert_eq!((fed(&plan).cut(), fed(&plan).shape()), (Some(Cut::Columns), Shape::new(3, 6)));
    }

    #[test]
    fn a_flip_turns_the_parts_and_their_order() {
        let plan = planned(ReorgOp::Flip, &[rows(&[("a", 4), ("b", 2)], 3)]).unwrap();
        assert_eq!(steps(&plan), ["a flip(0.0)", "b flip(0.1)"]);
        let Planned::Fed(layout, parts) = &plan.result else { panic!("local") };
        assert_eq!((&*layout.parts()[0].site, &parts[0]), ("b", &Input::Step(1)));
        for (op, first) in [(ReorgOp::Flip, "a"), (ReorgOp::FlipColumns, "b")] {
            let plan = planned(op, &[columns(&[("a", 4), ("b", 2)], 3)]).unwrap();
            assert_eq!(&*fed(&plan).parts()[0].site, first);
        }
    }

    #[test]
    fn stacking_along_the_cut_moves_nothing() {
        let (x, y) = (rows(&[("a", 4), ("b", 2)], 3), rows(&[("a", 0)], 3));
        let plan = planned(ReorgOp::Vstack, &[x.clone(), y, x.clone()]).unwrap();
        assert_eq!((plan.steps.len(), fed(&plan).shape()), (0, Shape::new(12, 3)));
        let Planned::Fed(layout, parts) = &plan.result else { panic!("local") };
        assert_eq!(layout.parts().len(), parts.len());
        let z = columns(&[("a", 2), ("b", 1)], 6);
        let plan = planned(ReorgOp::Hstack, &[z.clone(), z.clone()]).unwrap();
        assert_eq!((plan.steps.len(), fed(&plan).shape()), (0, Shape::new(6, 6)));
        let plan = planned(ReorgOp::Vstack, &[z.clone(), z, local(1, 3)]).unwrap();
        assert_eq!(steps(&plan)[1], "b vstack(0.1 1.1 2[0..1,2..3])");
    }

    #[test]
    fn hstack_puts_aligned_rows_side_by_side() {
        let x = rows(&[("a", 4), ("b", 2)], 3);
        let plan = planned(ReorgOp::Hstack, &[x.clone(), local(6, 1)]).unwrap();
        assert_eq!(steps(&plan), ["a hstack(0.0 1[0..4,0..1])", "b hstack(0.1 1[4..6,0..1])"]);
        assert_eq!(fed(&plan).shape(), Shape::new(6, 4));
        let (p, q) = (rows(&[("a", 4)], 3), rows(&[("b", 4)], 1));
        let plan = planned(ReorgOp::Hstack, &[p, q]).unwrap();
        assert_eq!((plan.steps.len(), fed(&plan).cut()), (0, Some(Cut::Columns)));
    }

    #[test]
    fn arrays_go_where_their_neighbours_are() {
        let x = rows(&[("a", 4), ("b", 2)], 3);
        let sites = |plan: &Plan| fed(plan).parts().iter().map(|part| part.site.to_string()).collect::<Vec<_>>();
        let plan = planned(ReorgOp::Vstack, &[local(2, 3), x.clone(), local(1, 3)]).unwrap();
        assert_eq!((plan.steps.len(), fed(&plan).shape()), (0, Shape::new(9, 3)));
        assert_eq!(sites(&plan), ["a", "a", "b", "b"]);
        let plan = planned(ReorgOp::Hstack, &[columns(&[("a", 4), ("b", 2)], 3), local(3, 1)]).unwrap();
        assert_eq!((sites(&plan), fed(&plan).shape()), (vec!["a".into(), "b".into(), "b".into()], Shape::new(3, 7)));
        // What is whole stays whole.
        let plan = planned(ReorgOp::Vstack, &[rows(&[("a", 4)], 3), local(1, 3)]).unwrap();
        assert_eq!(steps(&plan), ["a vstack(0.0 1[0..1,0..3])"]);
    }

    #[test]
    fn sorts_where_all_of_it_is() {
        let sort = ReorgOp::Sort { by: 1, descending: false, indices: false };
        let plan = planned(sort, &[rows(&[("a", 4), ("a", 2)], 3)]).unwrap();
        assert_eq!(steps(&plan), ["a vstack(0.0 0.1)", "a sort(%0)"]);
        assert_eq!(fed(&plan).whole_at().map(|site| &**site), Some("a"));
        let order = ReorgOp::Sort { by: 1, descending: true, indices: true };
        assert_eq!(fed(&planned(order, &[columns(&[("a", 2)], 7)]).unwrap()).shape(), Shape::new(7, 1));
        let error = planned(sort, &[rows(&[("a", 4), ("b", 2)], 3)]).unwrap_err().to_string();
        assert!(error.contains("would have to move row-level values; sort what each site has"), "{error}");
        assert!(planned(ReorgOp::Sort { by: 3, descending: false, indices: false }, &[rows(&[("a", 4)], 3)]).is_err());
    }

    #[test]
    fn what_is_not_aligned_becomes_a_grid() {
        let x = rows(&[("a", 4), ("b", 2)], 3);
        let below = planned(ReorgOp::Vstack, &[x.clone(), local(1, 3)]).unwrap();
        assert_eq!(fed(&below).to_string(), "(7, 3) as rows 0..4 at a, 4..6 at b, 6..7 at b");
        let Planned::Fed(_, parts) = &below.result else { panic!("local") };
        assert_eq!(parts[2], Input::Region { arg: 1, rows: 0..1, columns: 0..3 });
        let beside = planned(ReorgOp::Hstack, &[x.clone(), rows(&[("b", 3), ("c", 3)], 1)]).unwrap();
        assert_eq!(steps(&beside), ["a slice(0.0)", "a slice(0.0)", "c slice(1.1)", "c slice(1.1)"]);
        let blocks = "(6, 4) as blocks [0..3, 0..3] at a, [0..3, 3..4] at b, [3..4, 0..3] at a, [3..4, 3..4] at c, \
                      [4..6, 0..3] at b, [4..6, 3..4] at c";
        assert_eq!(fed(&beside).to_string(), blocks);
        let mixed = planned(ReorgOp::Vstack, &[columns(&[("a", 2), ("b", 1)], 2), x]).unwrap();
        assert_eq!((fed(&mixed).cut(), fed(&mixed).parts().len(), mixed.steps.len()), (None, 6, 4));
    }

    #[test]
    fn blocks_are_turned_flipped_and_stacked() {
        let x = grid(&[4, 2], &[2, 1], "a b c d");
        let turned = planned(ReorgOp::Transpose, std::slice::from_ref(&x)).unwrap();
        let Planned::Fed(layout, parts) = &turned.result else { panic!("local") };
        assert_eq!(
            (&*layout.parts()[1].site, layout.part_shape(1), &parts[1]),
            ("c", Shape::new(2, 2), &Input::Step(2))
        );
        let flipped = planned(ReorgOp::Flip, std::slice::from_ref(&x)).unwrap();
        let Planned::Fed(layout, parts) = &flipped.result else { panic!("local") };
        assert_eq!(
            (&*layout.parts()[0].site, layout.part_shape(0), &parts[0]),
            ("c", Shape::new(2, 2), &Input::Step(2))
        );
        let twice = planned(ReorgOp::Vstack, &[x.clone(), x.clone()]).unwrap();
        assert_eq!((twice.steps.len(), fed(&twice).parts().len(), fed(&twice).shape()), (0, 8, Shape::new(12, 3)));
        let wider = planned(ReorgOp::Hstack, &[local(6, 1), x]).unwrap();
        let Planned::Fed(layout, parts) = &wider.result else { panic!("local") };
        assert_eq!((&*layout.parts()[3].site, layout.shape()), ("c", Shape::new(6, 4)));
        assert_eq!(parts[3], Input::Region { arg: 0, rows: 4..6, columns: 0..1 });
    }
}
