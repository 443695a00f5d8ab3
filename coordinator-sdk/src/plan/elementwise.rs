//! Cell by cell: each part by itself, at its site. Arrays of the coordinator are sent whole where they broadcast
//! along the cut, and cut along it where they do not.

use fondaco_proto::{
    Shape,
    op::{ElementwiseOp, Unary},
};

use super::{Builder, Plan, refused};
use crate::{
    Error, Result,
    layout::{Cut, Layout},
};

pub(super) fn plan(op: ElementwiseOp, builder: Builder) -> Result<Plan> {
    let name = fondaco_proto::Op::Elementwise(op).name();
    let out = fondaco_proto::Op::Elementwise(op).shape(&builder.shapes())?;
    let layouts: Vec<Layout> = (0..builder.args.len()).filter_map(|arg| builder.layout(arg).cloned()).collect();
    let Some(first) = layouts.first() else {
        return Err(Error::plan(format!("{name}: at least one operand must be federated")));
    };
    if let Some(site) = first.whole_at()
        && layouts.iter().all(|layout| layout.whole_at() == Some(site))
    {
        return attempt(name, op, builder, &Layout::whole(site.clone(), out));
    }
    let along_rows = matches!(op, ElementwiseOp::Unary(Unary::Softmax | Unary::LogSoftmax));
    let mut failure = None;
    for cut in [Cut::Rows, Cut::Columns] {
        let Some(reference) = reference(&layouts, cut, out) else { continue };
        if along_rows && cut == Cut::Columns {
            return Err(refused(name, first, "softmax runs along whole rows: use a row cut"));
        }
        match attempt(name, op, builder.clone(), &reference) {
            Ok(plan) => return Ok(plan),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    Err(failure.unwrap_or_else(|| {
        Error::plan(format!("{name}: no operand has the result's extents {out} along its cut; repeat it first"))
    }))
}

/// The layout of a result of shape `out`: that of the first operand that spans it along this cut, an operand of
/// several parts before one that is whole.
fn reference(layouts: &[Layout], cut: Cut, out: Shape) -> Option<Layout> {
    let spans = |layout: &&Layout| cut.extent(layout.shape()) == cut.extent(out);
    let several = layouts.iter().filter(|layout| layout.whole_at().is_none() && layout.cut() == cut).find(spans);
    let found = match several {
        Some(layout) => layout.clone(),
        None => layouts.iter().filter(|layout| layout.whole_at().is_some()).find(spans)?.viewed(cut)?,
    };
    Some(found.with_across(cut.other().extent(out)))
}

fn attempt(name: &str, op: ElementwiseOp, mut builder: Builder, reference: &Layout) -> Result<Plan> {
    let cut = reference.cut();
    let span = cut.extent(reference.shape());
    let whole_at = reference.whole_at().cloned();
    let mut inputs = Vec::new();
    for arg in 0..builder.args.len() {
        let broadcast = cut.extent(builder.args[arg].shape()) != span;
        let there = builder.layout(arg).is_some_and(|layout| layout.whole_at() == whole_at.as_ref());
        inputs.push(if broadcast || (whole_at.is_some() && there) {
            builder.whole(name, arg, reference)?
        } else {
            builder.along(name, arg, reference)?
        });
    }
    let parts = builder.each(reference, op, |part| inputs.iter().map(|input| input[part].clone()).collect())?;
    Ok(builder.fed(reference.clone(), parts))
}

#[cfg(test)]
mod tests {
    use fondaco_proto::{
        Op,
        op::{Binary, BinaryFunction, Ternary},
    };

    use super::super::{plan, testing::*};
    use super::*;

    fn add() -> Op {
        Op::Elementwise(ElementwiseOp::Binary(Binary { function: BinaryFunction::Add, scalar: None }))
    }

    #[test]
    fn local_operands_are_cut_or_sent_whole() {
        let x = rows(&[("a", 4), ("b", 2)], 3);
        let with = |y| steps(&plan(&add(), &[x.clone(), y], None).unwrap());
        assert_eq!(with(local(1, 3)), ["a add(0.0 1[0..1,0..3])", "b add(0.1 1[0..1,0..3])"]);
        assert_eq!(with(local(6, 1)), ["a add(0.0 1[0..4,0..1])", "b add(0.1 1[4..6,0..1])"]);
        assert_eq!(with(local(6, 3)), ["a add(0.0 1[0..4,0..3])", "b add(0.1 1[4..6,0..3])"]);
        assert!(plan(&add(), &[x.clone(), local(5, 3)], None).is_err());
        let z = columns(&[("a", 2), ("b", 1)], 6);
        let plan = plan(&add(), &[local(1, 3), z], None).unwrap();
        assert_eq!(steps(&plan), ["a add(0[0..1,0..2] 1.0)", "b add(0[0..1,2..3] 1.1)"]);
    }

    #[test]
    fn a_result_may_be_wider_than_its_operands() {
        let plan = plan(&add(), &[rows(&[("a", 4), ("b", 2)], 1), local(1, 3)], None).unwrap();
        assert_eq!(fed(&plan).shape(), Shape::new(6, 3));
    }

    #[test]
    fn what_is_whole_at_one_site_broadcasts_there() {
        let plan_of = |args: &[super::super::Arg]| plan(&add(), args, None);
        let both = plan_of(&[rows(&[("a", 1)], 3), rows(&[("a", 6)], 1)]).unwrap();
        assert_eq!((steps(&both), fed(&both).shape()), (vec!["a add(0.0 1.0)".to_owned()], Shape::new(6, 3)));
        let there = plan_of(&[rows(&[("a", 4), ("a", 2)], 3), rows(&[("a", 1)], 3)]).unwrap();
        assert_eq!(steps(&there), ["a add(0.0 1.0)", "a add(0.1 1.0)"]);
        let error = plan_of(&[rows(&[("a", 4), ("b", 2)], 3), rows(&[("a", 1)], 3)]).unwrap_err().to_string();
        assert!(error.contains("would have to move"), "{error}");
    }

    #[test]
    fn three_operands_and_softmax() {
        let x = rows(&[("a", 4), ("b", 2)], 3);
        let choose = Op::Elementwise(ElementwiseOp::Ternary(Ternary::Where));
        let chosen = plan(&choose, &[x.clone(), local(1, 1), x.clone()], None).unwrap();
        assert_eq!(steps(&chosen)[1], "b where(0.1 1[0..1,0..1] 2.1)");
        let softmax = Op::Elementwise(ElementwiseOp::Unary(Unary::Softmax));
        assert!(plan(&softmax, &[x], None).is_ok());
        assert!(plan(&softmax, &[columns(&[("a", 2), ("b", 1)], 6)], None).is_err());
    }
}
