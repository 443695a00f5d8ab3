//! The same cells at other places. Stacking along the cut changes the layout alone.

use fondaco_proto::{Op, op::ReorgOp};

use super::{Builder, Input, Plan};
use crate::{
    Error, Result,
    layout::{Cut, Layout},
};

pub(super) fn plan(op: ReorgOp, mut builder: Builder) -> Result<Plan> {
    Op::Reorg(op).shape(&builder.shapes())?;
    match op {
        ReorgOp::Transpose => {
            let layout = builder.only(op.name())?.clone();
            let parts = builder.each(&layout, op, |part| vec![Input::Part { arg: 0, part }])?;
            Ok(builder.fed(layout.transposed(), parts))
        }
        // Each part by itself and, of a row cut, the last part first.
        ReorgOp::Flip => {
            let layout = builder.only(op.name())?.clone();
            let mut parts = builder.each(&layout, op, |part| vec![Input::Part { arg: 0, part }])?;
            if layout.cut() == Cut::Columns {
                return Ok(builder.fed(layout, parts));
            }
            parts.reverse();
            let places = layout.parts().iter().rev();
            let extents: Vec<_> = places.map(|place| (place.site.clone(), place.extent())).collect();
            Ok(builder.fed(Layout::new(Cut::Rows, extents, layout.shape().columns)?, parts))
        }
        // A row cut with more rows; else, aligned columns with more rows each.
        ReorgOp::Vstack => match joined(Cut::Rows, &builder)? {
            Some((layout, parts)) => Ok(builder.fed(layout, parts)),
            None => side_by_side(op, Cut::Columns, builder),
        },
        // Aligned rows with more columns each, so that what sums over rows still can; else, a column cut with more.
        ReorgOp::Hstack => match side_by_side(op, Cut::Rows, builder.clone()) {
            Ok(plan) => Ok(plan),
            Err(error) => match joined(Cut::Columns, &builder)? {
                Some((layout, parts)) => Ok(builder.fed(layout, parts)),
                None => Err(error),
            },
        },
    }
}

/// Parts of all operands, one after another, if all can be seen as this cut.
fn joined(cut: Cut, builder: &Builder) -> Result<Option<(Layout, Vec<Input>)>> {
    let mut extents = Vec::new();
    let mut inputs = Vec::new();
    let mut across = 0;
    for arg in 0..builder.args.len() {
        let Some(view) = builder.layout(arg).and_then(|layout| layout.viewed(cut)) else { return Ok(None) };
        across = cut.other().extent(view.shape());
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
        Error::plan(format!(
            "{}: the {}s of an array have no site beside this layout; put it at one first",
            op.name(),
            cut.other()
        ))
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
        let plan = planned(ReorgOp::Flip, &[columns(&[("a", 4), ("b", 2)], 3)]).unwrap();
        assert_eq!(&*fed(&plan).parts()[0].site, "a");
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
        assert!(planned(ReorgOp::Vstack, &[x.clone(), local(1, 3)]).is_err());
        assert!(planned(ReorgOp::Hstack, &[x, rows(&[("b", 4), ("a", 2)], 1)]).is_err());
    }
}
