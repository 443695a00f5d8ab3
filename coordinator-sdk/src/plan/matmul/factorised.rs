//! Of X and R = U @ V.T. With rows of X at different sites, the same rows of U (and W) are there, and V goes to each;
//! with columns of X at different sites, the same rows of V are, and U goes to each: then all is that of the transposes,
//! in which U and V change places. With both at different sites, rows are relayed.

use fondaco_proto::{
    Op,
    op::{Factorised, LossWeights, MatmulOp, ReorgOp},
};

use super::super::{Builder, Input, Plan, Why};
use crate::{
    Error, Result,
    combine::Combine,
    layout::{Cut, Layout},
};

/// Arguments in the operator's order.
const V: usize = 0;
const X: usize = 1;
const U: usize = 2;
const W: usize = 3;

pub(super) fn plan(op: Factorised, mut builder: Builder) -> Result<Plan> {
    let name = MatmulOp::Factorised(op).name();
    Op::Matmul(MatmulOp::Factorised(op)).shape(&builder.shapes())?;
    let [of_x, of_u, of_v] = [X, U, V].map(|arg| builder.layout(arg).cloned());
    let rows = |layout: &Option<Layout>| layout.as_ref().and_then(|layout| layout.banded(Cut::Rows));
    let Some(x) = of_x else {
        return match (rows(&of_u), rows(&of_v)) {
            (Some(u), _) => by_rows(op, builder, &u),
            (None, Some(v)) => by_columns(op, builder, &v),
            (None, None) => Err(Error::plan(format!("{name}: X, U or V must be federated, U and V in whole rows"))),
        };
    };
    match (x.banded(Cut::Rows), rows(&of_u), x.banded(Cut::Columns)) {
        // What is whole may be cut as its factor is.
        (Some(x), Some(u), _) if x.parts().len() == 1 && u.parts().len() > 1 => by_rows(op, builder, &u),
        (Some(rows), _, columns) if columns.is_none() || !x.is(Cut::Columns) || x.is(Cut::Rows) => {
            by_rows(op, builder, &rows)
        }
        (_, _, Some(columns)) => by_columns(op, builder, &columns.transposed()),
        (_, _, None) => {
            let rows = builder.banded(Cut::Rows, &x, Why::new(name, &x, "use a row cut, or a column cut"));
            by_rows(op, builder, &rows)
        }
    }
}

/// The rows of X, U and W lie as this layout says.
fn by_rows(op: Factorised, mut builder: Builder, rows: &Layout) -> Result<Plan> {
    let kind = MatmulOp::Factorised(op);
    let name = kind.name();
    let v = builder.whole(name, V, rows)?;
    let mut groups = vec![builder.along_cut(name, X, Cut::Rows, rows)?, builder.along_cut(name, U, Cut::Rows, rows)?];
    if op == Factorised::Loss(LossWeights::Given) {
        groups.push(builder.along_cut(name, W, Cut::Rows, rows)?);
    }
    if op.sums_rows() {
        let parts = builder.per_site(rows, kind, &[v], &groups)?;
        return Ok(builder.local(parts, Combine::Sum));
    }
    let inputs = |part: usize| vec![v[part].clone(), groups[0][part].clone(), groups[1][part].clone()];
    let parts = builder.each(rows, kind, inputs)?;
    let columns = builder.args[if op == Factorised::Divided { V } else { X }].shape().columns;
    Ok(builder.fed(rows.with_across(Cut::Rows, columns), parts))
}

/// The rows of V lie as this layout says, and so do the columns of X and W.
fn by_columns(op: Factorised, mut builder: Builder, rows_of_v: &Layout) -> Result<Plan> {
    let name = MatmulOp::Factorised(op).name();
    let columns = rows_of_v.transposed();
    let u = builder.whole(name, U, &columns)?;
    let v = builder.along_cut(name, V, Cut::Rows, rows_of_v)?;
    let x = builder.along_cut(name, X, Cut::Columns, &columns)?;
    if let Factorised::Times(_) = op {
        let inputs = |part: usize| vec![v[part].clone(), x[part].clone(), u[part].clone()];
        let parts = builder.each(&columns, MatmulOp::Factorised(op), inputs)?;
        let rows = builder.args[X].shape().rows;
        return Ok(builder.fed(columns.with_across(Cut::Columns, rows), parts));
    }
    let mirrored = MatmulOp::Factorised(match op {
        Factorised::Divided => Factorised::DividedLeft,
        Factorised::DividedLeft => Factorised::Divided,
        Factorised::Loss(_) | Factorised::Times(_) | Factorised::CrossEntropy { .. } => op,
    });
    let turned_x = turned(&mut builder, &columns, &x)?;
    if op == Factorised::DividedLeft {
        let inputs = |part: usize| vec![u[part].clone(), turned_x[part].clone(), v[part].clone()];
        let parts = builder.each(&columns, mirrored, inputs)?;
        let thin = builder.args[V].shape().columns;
        return Ok(builder.fed(rows_of_v.with_across(Cut::Rows, thin), parts));
    }
    let mut groups = vec![turned_x, v];
    if op == Factorised::Loss(LossWeights::Given) {
        let w = builder.along_cut(name, W, Cut::Columns, &columns)?;
        groups.push(turned(&mut builder, &columns, &w)?);
    }
    let parts = builder.per_site(&columns, mirrored, &[u], &groups)?;
    Ok(builder.local(parts, Combine::Sum))
}

fn turned(builder: &mut Builder, columns: &Layout, parts: &[Input]) -> Result<Vec<Input>> {
    builder.each(columns, ReorgOp::Transpose, |part| vec![parts[part].clone()])
}

#[cfg(test)]
mod tests {
    use fondaco_proto::Shape;

    use super::super::super::{Arg, plan as plan_op, testing::*};
    use super::*;

    fn planned(op: Factorised, args: &[Arg]) -> Result<Plan> {
        plan_op(&Op::Matmul(MatmulOp::Factorised(op)), args, None)
    }

    #[test]
    fn rows_meet_their_factors() {
        let (x, u) = (rows(&[("a", 4), ("b", 2), ("a", 1)], 3), rows(&[("a", 4), ("b", 2), ("a", 1)], 2));
        let loss = planned(Factorised::Loss(LossWeights::None), &[local(3, 2), x.clone(), u.clone()]).unwrap();
        let expected = ["a factorised_loss(0[0..3,0..2] 1.0 2.0 1.2 2.2)", "b factorised_loss(0[0..3,0..2] 1.1 2.1)"];
        assert_eq!((steps(&loss), combined(&loss)), (expected.map(str::to_owned).to_vec(), Combine::Sum));
        let weighted = [local(3, 2), x.clone(), local(7, 2), x.clone()];
        let loss = planned(Factorised::Loss(LossWeights::Given), &weighted).unwrap();
        assert_eq!(steps(&loss)[1], "b factorised_loss(0[0..3,0..2] 1.1 2[4..6,0..2] 3.1)");
        let right = planned(Factorised::Divided, &[local(3, 2), x.clone(), u.clone()]).unwrap();
        assert_eq!((steps(&right).len(), fed(&right).shape()), (3, Shape::new(7, 2)));
        let left = planned(Factorised::DividedLeft, &[local(3, 2), x.clone(), u.clone()]).unwrap();
        assert_eq!((steps(&left).len(), combined(&left)), (2, Combine::Sum));
        assert!(planned(Factorised::Divided, &[local(3, 1), x, u]).is_err());
    }

    #[test]
    fn columns_are_the_rows_of_transposes() {
        let (x, v) = (columns(&[("a", 4), ("b", 2)], 7), rows(&[("a", 4), ("b", 2)], 3));
        let args = [v.clone(), x.clone(), local(7, 3)];
        let right = planned(Factorised::Divided, &args).unwrap();
        let expected = [
            "a transpose(1.0)",
            "b transpose(1.1)",
            "a factorised_divided_left(2[0..7,0..3] %0 0.0)",
            "b factorised_divided_left(2[0..7,0..3] %1 0.1)",
        ];
        assert_eq!((steps(&right), combined(&right)), (expected.map(str::to_owned).to_vec(), Combine::Sum));
        let left = planned(Factorised::DividedLeft, &args).unwrap();
        assert_eq!((fed(&left).cut(), fed(&left).shape()), (Some(Cut::Rows), Shape::new(6, 3)));
        let times = planned(Factorised::Times(fondaco_proto::op::Unary::Sigmoid), &args).unwrap();
        assert_eq!((fed(&times).cut(), fed(&times).shape()), (Some(Cut::Columns), Shape::new(7, 6)));
        let loss = planned(Factorised::Loss(LossWeights::Given), &[v, x.clone(), local(7, 3), local(7, 6)]).unwrap();
        assert_eq!(steps(&loss)[5], "b factorised_loss(2[0..7,0..3] %1 0.1 %3)");
        let elsewhere = [rows(&[("a", 3), ("b", 3)], 3), x, local(7, 3)];
        assert!(planned(Factorised::Divided, &elsewhere).is_err());
    }
}
