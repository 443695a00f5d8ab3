//! Cell by cell: each part by itself, at its site. Of an array of the coordinator each site gets the region that its
//! part needs.

use std::ops::Range;

use fondaco_proto::{
    Shape,
    op::{ElementwiseOp, Unary},
};

use super::{Builder, Input, Plan, Why};
use crate::{
    Error, Result,
    layout::{Cut, Layout},
};

pub(super) fn plan(op: ElementwiseOp, mut builder: Builder) -> Result<Plan> {
    let name = fondaco_proto::Op::Elementwise(op).name();
    let out = fondaco_proto::Op::Elementwise(op).shape(&builder.shapes())?;
    if matches!(op, ElementwiseOp::Unary(Unary::Softmax | Unary::LogSoftmax)) {
        let layout = builder.only(name)?.clone();
        let why = Why::new(name, &layout, "softmax runs along whole rows: use a row cut");
        let rows = builder.banded(Cut::Rows, &layout, why);
        let parts = builder.blocks(name, 0, &rows)?;
        let results = builder.each(&rows, op, |part| vec![parts[part].clone()])?;
        return Ok(builder.fed(rows, results));
    }
    let (layout, operands) = arranged(name, out, &mut builder)?;
    let inputs = |part: usize| operands.iter().map(|parts: &Vec<Input>| parts[part].clone()).collect();
    let parts = builder.each(&layout, op, inputs)?;
    Ok(builder.fed(layout, parts))
}

/// The layout of what has the shape `out` of all arguments, broadcast, and what each part of it takes of each of them.
pub(super) fn arranged(name: &str, out: Shape, builder: &mut Builder) -> Result<(Layout, Vec<Vec<Input>>)> {
    // Each operand in several parts may say where the result is, before those that are whole.
    let layouts = (0..builder.args.len()).filter_map(|arg| builder.layout(arg));
    let (whole, several): (Vec<_>, Vec<_>) = layouts.map(|layout| stretched(layout, out)).partition(is_whole);
    let mut failure = None;
    for reference in several.into_iter().chain(whole) {
        let mut attempt = builder.clone();
        match regions(name, &mut attempt, &reference) {
            Ok(operands) => {
                *builder = attempt;
                return Ok((reference, operands));
            }
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    Err(failure.unwrap_or_else(|| Error::plan(format!("{name}: at least one operand must be federated"))))
}

fn is_whole(layout: &Layout) -> bool {
    layout.whole_at().is_some()
}

/// A layout broadcast to a shape: an axis that is repeated has one band.
fn stretched(layout: &Layout, out: Shape) -> Layout {
    let down =
        if layout.shape().rows == out.rows { layout.clone() } else { layout.with_across(Cut::Columns, out.rows) };
    if down.shape().columns == out.columns { down } else { down.with_across(Cut::Rows, out.columns) }
}

/// For each argument, what the parts of the reference take of it.
fn regions(name: &str, builder: &mut Builder, reference: &Layout) -> Result<Vec<Vec<Input>>> {
    let out = reference.shape();
    let mut operands: Vec<Vec<Input>> = vec![Vec::new(); builder.args.len()];
    for (arg, inputs) in operands.iter_mut().enumerate() {
        let shape = builder.args[arg].shape();
        let of = |have: u64, need: u64, range: &Range<u64>| if have == need { range.clone() } else { 0..have };
        for part in reference.parts() {
            let rows = of(shape.rows, out.rows, &part.rows);
            let columns = of(shape.columns, out.columns, &part.columns);
            inputs.push(builder.region(name, arg, &part.site, (rows, columns))?);
        }
    }
    Ok(operands)
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
        let relayed = plan(&softmax, &[columns(&[("a", 2), ("b", 1)], 6)], None).unwrap();
        assert_eq!(steps(&relayed), ["a hstack(0.0 1[0..6,0..1])", "a softmax(%0)"]);
        assert_eq!((relays(&relayed), fed(&relayed).parts().len()), (vec!["0.1".to_owned()], 1));
        let one_site = plan(&softmax, &[columns(&[("a", 2), ("a", 1)], 6)], None).unwrap();
        assert_eq!(steps(&one_site), ["a hstack(0.0 0.1)", "a softmax(%0)"]);
    }

    #[test]
    fn blocks_get_the_regions_that_they_need() {
        let x = grid(&[4, 2], &[1, 2], "a b b c");
        let with = |y| steps(&plan(&add(), &[x.clone(), y], None).unwrap());
        let expected = [
            "a add(0.0 1[0..1,0..1])",
            "b add(0.1 1[0..1,1..3])",
            "b add(0.2 1[0..1,0..1])",
            "c add(0.3 1[0..1,1..3])",
        ];
        assert_eq!(with(local(1, 3)), expected);
        assert_eq!(with(local(6, 1))[3], "c add(0.3 1[4..6,0..1])");
        assert_eq!(with(local(6, 3))[2], "b add(0.2 1[4..6,0..1])");
        assert_eq!(with(x.clone())[1], "b add(0.1 1.1)");
        let one_site = grid(&[4, 2], &[1, 2], "a a b b");
        let beside = plan(&add(), &[one_site.clone(), rows(&[("a", 4), ("b", 2)], 1)], None).unwrap();
        assert_eq!((steps(&beside)[1].as_str(), fed(&beside).parts().len()), ("a add(0.1 1.0)", 4));
        let error = plan(&add(), &[x, rows(&[("a", 4), ("b", 2)], 1)], None).unwrap_err().to_string();
        assert!(error.contains("row 0 of one operand is at b, of another at a"), "{error}");
        assert!(plan(&add(), &[one_site, local(5, 3)], None).is_err());
    }
}
