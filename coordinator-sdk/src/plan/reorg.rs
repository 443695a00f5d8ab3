//! The same cells at other places. Stacking along the cut changes the layout alone.

use std::sync::Arc;

use fondaco_proto::{Op, op::ReorgOp};

use super::{Arg, Builder, Input, Plan, parts_of, refused};
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
            Ok(builder.fed(layout.transposed(), parts))
        }
        ReorgOp::Flip => flipped(op, Cut::Rows, builder),
        ReorgOp::FlipColumns => flipped(op, Cut::Columns, builder),
        // A row cut with more rows; else, aligned columns with more rows each.
        ReorgOp::Vstack
            if builder.all_fed()
                && let Some((layout, parts)) = joined(Cut::Rows, &builder)? =>
        {
            Ok(builder.fed(layout, parts))
        }
        ReorgOp::Vstack => stacked(op, Cut::Rows, builder),
        // Aligned rows with more columns each, so that what sums over rows still can; else, a column cut with more.
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

/// Each part by itself and, cut along the axis, the last part first.
fn flipped(op: ReorgOp, axis: Cut, mut builder: Builder) -> Result<Plan> {
    let layout = builder.only(op.name())?.clone();
    let mut parts = builder.each(&layout, op, |part| vec![Input::Part { arg: 0, part }])?;
    if layout.cut() != axis {
        return Ok(builder.fed(layout, parts));
    }
    parts.reverse();
    let places = layout.parts().iter().rev();
    let extents: Vec<_> = places.map(|place| (place.site.clone(), place.extent())).collect();
    Ok(builder.fed(Layout::new(axis, extents, axis.other().extent(layout.shape()))?, parts))
}

/// More along an axis: at each site, for the same rows (columns); else, in more parts.
fn stacked(op: ReorgOp, axis: Cut, builder: Builder) -> Result<Plan> {
    side_by_side(op, axis.other(), builder.clone()).or_else(|error| match joined(axis, &builder)? {
        Some((layout, parts)) => Ok(builder.fed(layout, parts)),
        None => Err(error),
    })
}

/// What puts parts of a cut together.
pub(super) fn end_to_end(cut: Cut) -> ReorgOp {
    match cut {
        Cut::Rows => ReorgOp::Vstack,
        Cut::Columns => ReorgOp::Hstack,
    }
}

impl Builder<'_> {
    fn all_fed(&self) -> bool {
        (0..self.args.len()).all(|arg| self.layout(arg).is_some())
    }

    /// All of the first argument, if all of it is at one site, as one input there.
    fn gathered(&mut self, layout: &Layout) -> Result<Option<(Arc<str>, Input)>> {
        let mut parts = parts_of(0, layout);
        let site = &layout.parts()[0].site;
        if layout.parts().iter().any(|part| part.site != *site) {
            return Ok(None);
        }
        let whole = if parts.len() == 1 { parts.remove(0) } else { self.push(site, end_to_end(layout.cut()), parts)? };
        Ok(Some((site.clone(), whole)))
    }
}

/// Parts of all operands, one after another, if all can be seen as this cut. An array of the coordinator goes to the
/// site of its neighbour: that of the part before it or, if it is the first, of the next.
fn joined(cut: Cut, builder: &Builder) -> Result<Option<(Layout, Vec<Input>)>> {
    let mut extents: Vec<(Arc<str>, u64)> = Vec::new();
    let mut inputs = Vec::new();
    let across = cut.other().extent(builder.args[0].shape());
    for arg in 0..builder.args.len() {
        if let Arg::Local(shape) = builder.args[arg] {
            let next = || (arg..builder.args.len()).find_map(|arg| Some(builder.layout(arg)?.parts()[0].site.clone()));
            let Some(site) = extents.last().map(|(site, _)| site.clone()).or_else(next) else { return Ok(None) };
            extents.push((site, cut.extent(shape)));
            inputs.push(Input::Region { arg, rows: 0..shape.rows, columns: 0..shape.columns });
            continue;
        }
        let Some(view) = builder.layout(arg).and_then(|layout| layout.viewed(cut)) else { return Ok(None) };
        for (part, place) in view.parts().iter().enumerate() {
            extents.push((place.site.clone(), place.extent()));
            inputs.push(Input::Part { arg, part });
        }
    }
    let kept = Layout::kept(&extents.iter().map(|(_, extent)| *extent).collect::<Vec<_>>());
    let kept = kept.into_iter().map(|part| inputs[part].clone()).collect();
    Ok(Some((Layout::new(cut, extents, across)?, kept)))
}

/// Each part of the first federated operand in this cut, with the same rows (columns) of the others.
fn side_by_side(op: ReorgOp, cut: Cut, mut builder: Builder) -> Result<Plan> {
    let views: Vec<Layout> = (0..builder.args.len()).filter_map(|arg| builder.layout(arg)?.viewed(cut)).collect();
    let several = views.iter().find(|view| view.parts().len() > 1).or(views.first());
    let reference = several.cloned().ok_or_else(|| {
        Error::plan(format!("{}: the operands are cut across each other; all of them need the same cut", op.name()))
    })?;
    let mut inputs = Vec::new();
    for arg in 0..builder.args.len() {
        inputs.push(builder.along(op.name(), arg, &reference)?);
    }
    let across = builder.shapes().iter().map(|shape| cut.other().extent(*shape)).sum();
    let parts = builder.each(&reference, op, |part| inputs.iter().map(|input| input[part].clone()).collect())?;
    Ok(builder.fed(reference.with_across(across), parts))
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
        assert_eq!((fed(&plan).cut(), fed(&plan).shape()), (Cut::Columns, Shape::new(3, 6)));
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
        assert_eq!((plan.steps.len(), fed(&plan).cut()), (0, Cut::Columns));
        assert!(planned(ReorgOp::Hstack, &[x, rows(&[("b", 4), ("a", 2)], 1)]).is_err());
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
        assert!(planned(ReorgOp::Vstack, &[x, columns(&[("a", 2), ("b", 1)], 3)]).is_err());
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
}
