//! Products. What sums over the cut is summed at each site over all its parts, then at the coordinator; what does not
//! stays at the sites.

use fondaco_proto::{Op, op::MatmulOp};

use super::{Arg, Builder, Input, Plan, refused};
use crate::{
    Error, Result,
    combine::Combine,
    layout::{Cut, Layout},
};

const FETCH_IT: &str = "fetch the smaller operand, if its owners let it out, and pass the array";

pub(super) fn plan(op: MatmulOp, builder: Builder) -> Result<Plan> {
    Op::Matmul(op).shape(&builder.shapes())?;
    match op {
        MatmulOp::Product => product(builder),
        MatmulOp::Gram => {
            let layout = builder.only(op.name())?;
            let rows = by_rows(op, layout)?;
            summed(op, builder, &rows, &[], &[0])
        }
        MatmulOp::Cross => cross(builder),
        MatmulOp::Mmchain => mmchain(op, builder, &[1]),
        MatmulOp::MmchainWeighted | MatmulOp::MmchainMinus => mmchain(op, builder, &[1, 2]),
    }
}

fn by_rows(op: MatmulOp, layout: &Layout) -> Result<Layout> {
    layout.viewed(Cut::Rows).ok_or_else(|| refused(op.name(), layout, "it needs a row cut"))
}

/// One instruction per site: `whole` arguments first, then each part's group of `grouped` ones.
fn summed(op: MatmulOp, mut builder: Builder, rows: &Layout, whole: &[usize], grouped: &[usize]) -> Result<Plan> {
    let fixed: Vec<Vec<Input>> = whole.iter().map(|&arg| builder.whole(op.name(), arg, rows)).collect::<Result<_>>()?;
    let mut groups: Vec<Vec<Input>> = Vec::new();
    for &arg in grouped {
        groups.push(builder.along(op.name(), arg, rows)?);
    }
    let parts = builder.per_site(rows, op, &fixed, &groups)?;
    Ok(builder.local(parts, Combine::Sum))
}

/// `X.T @ f(X @ v)`: v whole to every site; X, and w or y, in row parts.
fn mmchain(op: MatmulOp, builder: Builder, grouped: &[usize]) -> Result<Plan> {
    let Some(layout) = builder.layout(1) else {
        return Err(Error::plan(format!("{}: X must be federated", op.name())));
    };
    let rows = by_rows(op, layout)?;
    summed(op, builder, &rows, &[0], grouped)
}

/// `X.T @ Y`: summed over aligned rows; or, for a column cut with a local Y, one block of rows per part.
fn cross(mut builder: Builder) -> Result<Plan> {
    let op = MatmulOp::Cross;
    let (x, y) = (builder.layout(0).cloned(), builder.layout(1).cloned());
    let rows = |layout: &Option<Layout>| layout.as_ref().and_then(|layout| layout.viewed(Cut::Rows));
    // Of two, the one in several parts says how the rows are cut.
    let several = |layout: &Layout| layout.parts().len() > 1;
    match (rows(&x), rows(&y), &x, &y) {
        (Some(x), Some(y), ..) if !several(&x) && several(&y) => summed(op, builder, &y, &[], &[0, 1]),
        (Some(x), ..) => summed(op, builder, &x, &[], &[0, 1]),
        (None, Some(y), None, _) => summed(op, builder, &y, &[], &[0, 1]),
        (None, None, Some(x), None) => {
            let y = builder.whole(op.name(), 1, x)?;
            let parts = builder.each(x, op, |part| vec![Input::Part { arg: 0, part }, y[part].clone()])?;
            Ok(builder.local(parts, Combine::Concat(Cut::Rows)))
        }
        (None, None, None, Some(y)) => {
            let x = builder.whole(op.name(), 0, y)?;
            let parts = builder.each(y, op, |part| vec![x[part].clone(), Input::Part { arg: 1, part }])?;
            Ok(builder.local(parts, Combine::Concat(Cut::Columns)))
        }
        (.., Some(layout), _) => Err(refused(op.name(), layout, "it needs row cuts")),
        (.., None, None) => Err(Error::plan("cross: at least one operand must be federated")),
    }
}

/// `X @ Y`.
fn product(mut builder: Builder) -> Result<Plan> {
    let op = MatmulOp::Product;
    match (&builder.args[0], &builder.args[1]) {
        (Arg::Local(_), Arg::Local(_)) => Err(Error::plan("matmul: at least one operand must be federated")),
        (Arg::Fed(x), Arg::Local(y)) => match x.viewed(Cut::Rows) {
            Some(x) => {
                let layout = x.with_across(y.columns);
                let y = builder.whole(op.name(), 1, &x)?;
                let parts = builder.each(&x, op, |part| vec![Input::Part { arg: 0, part }, y[part].clone()])?;
                Ok(builder.fed(layout, parts))
            }
            None => contracted(builder),
        },
        (Arg::Local(x), Arg::Fed(y)) => match y.viewed(Cut::Rows) {
            Some(_) => contracted(builder),
            None => {
                let (y, layout) = (y.clone(), y.with_across(x.rows));
                let x = builder.whole(op.name(), 0, &y)?;
                let parts = builder.each(&y, op, |part| vec![x[part].clone(), Input::Part { arg: 1, part }])?;
                Ok(builder.fed(layout, parts))
            }
        },
        (Arg::Fed(x), Arg::Fed(y)) => {
            let (x, y) = (x.clone(), y.clone());
            both_federated(builder, &x, &y)
        }
    }
}

fn both_federated(mut builder: Builder, x: &Layout, y: &Layout) -> Result<Plan> {
    let op = MatmulOp::Product;
    let out = op_shape(x, y);
    if let (Some(site), Some(other)) = (x.whole_at(), y.whole_at())
        && site == other
    {
        let parts =
            vec![builder.push(site, op, vec![Input::Part { arg: 0, part: 0 }, Input::Part { arg: 1, part: 0 }])?];
        return Ok(builder.fed(Layout::whole(site.clone(), out), parts));
    }
    if x.viewed(Cut::Columns).is_some() && y.viewed(Cut::Rows).is_some() {
        return contracted(builder);
    }
    // A row cut by what is whole at all its sites, or the mirror of it.
    match (x.viewed(Cut::Rows), y.viewed(Cut::Columns)) {
        (Some(x), _) if y.whole_at().is_some() => {
            let y = builder.whole("matmul", 1, &x)?;
            let parts = builder.each(&x, op, |part| vec![Input::Part { arg: 0, part }, y[part].clone()])?;
            Ok(builder.fed(x.with_across(out.columns), parts))
        }
        (_, Some(y)) if x.whole_at().is_some() => {
            let x = builder.whole("matmul", 0, &y)?;
            let parts = builder.each(&y, op, |part| vec![x[part].clone(), Input::Part { arg: 1, part }])?;
            Ok(builder.fed(y.with_across(out.rows), parts))
        }
        _ => Err(refused("the product", x, FETCH_IT)),
    }
}

fn op_shape(x: &Layout, y: &Layout) -> fondaco_proto::Shape {
    fondaco_proto::Shape::new(x.shape().rows, y.shape().columns)
}

/// The sum over the cut of columns of X by rows of Y; either may be an array of the coordinator.
fn contracted(mut builder: Builder) -> Result<Plan> {
    let op = MatmulOp::Product;
    let x = builder.layout(0).and_then(|x| x.viewed(Cut::Columns));
    let y = builder.layout(1).and_then(|y| y.viewed(Cut::Rows));
    // The shared cut: that of the operand in more parts.
    let cut = match (x, y) {
        (Some(x), Some(y)) if x.parts().len() < y.parts().len() => y.transposed().with_across(0),
        (Some(x), _) => x.with_across(0),
        (None, Some(y)) => y.transposed().with_across(0),
        (None, None) => return Err(Error::plan("matmul: at least one operand must be federated")),
    };
    let x = builder.along(op.name(), 0, &cut)?;
    let y = builder.along(op.name(), 1, &cut.transposed())?;
    let parts = builder.per_site(&cut, op, &[], &[x, y])?;
    Ok(builder.local(parts, Combine::Sum))
}

#[cfg(test)]
mod tests {
    use super::super::{plan as plan_op, testing::*};
    use super::*;

    fn planned(op: MatmulOp, args: &[Arg]) -> Result<Plan> {
        plan_op(&Op::Matmul(op), args, None)
    }

    #[test]
    fn row_cuts() {
        let x = rows(&[("a", 4), ("b", 2), ("a", 1)], 3);
        let right = planned(MatmulOp::Product, &[x.clone(), local(3, 2)]).unwrap();
        assert_eq!(steps(&right)[2], "a matmul(0.2 1[0..3,0..2])");
        assert_eq!(fed(&right).shape(), fondaco_proto::Shape::new(7, 2));
        let left = planned(MatmulOp::Product, &[local(2, 7), x.clone()]).unwrap();
        let expected = ["a matmul(0[0..2,0..4] 1.0 0[0..2,6..7] 1.2)", "b matmul(0[0..2,4..6] 1.1)"];
        assert_eq!(steps(&left), expected);
        let gram = planned(MatmulOp::Gram, std::slice::from_ref(&x)).unwrap();
        assert_eq!(steps(&gram), ["a gram(0.0 0.2)", "b gram(0.1)"]);
        let cross = planned(MatmulOp::Cross, &[x.clone(), local(7, 1)]).unwrap();
        assert_eq!(steps(&cross)[0], "a cross(0.0 1[0..4,0..1] 0.2 1[6..7,0..1])");
        let chain = planned(MatmulOp::MmchainMinus, &[local(3, 1), x.clone(), local(7, 1)]).unwrap();
        let expected = "a mmchain_minus(0[0..3,0..1] 1.0 2[0..4,0..1] 1.2 2[6..7,0..1])";
        assert_eq!((steps(&chain)[0].as_str(), combined(&chain)), (expected, Combine::Sum));
        assert!(planned(MatmulOp::Mmchain, &[local(4, 1), x]).is_err());
    }

    #[test]
    fn a_column_cut_meets_aligned_rows() {
        let (x, y) = (columns(&[("a", 4), ("b", 2), ("a", 1)], 3), rows(&[("a", 4), ("b", 2), ("a", 1)], 5));
        let both = planned(MatmulOp::Product, &[x.clone(), y.clone()]).unwrap();
        assert_eq!(steps(&both), ["a matmul(0.0 1.0 0.2 1.2)", "b matmul(0.1 1.1)"]);
        let with_local = planned(MatmulOp::Product, &[x.clone(), local(7, 1)]).unwrap();
        assert_eq!(steps(&with_local)[1], "b matmul(0.1 1[4..6,0..1])");
        let from_left = planned(MatmulOp::Product, &[local(2, 3), x.clone()]).unwrap();
        assert_eq!(steps(&from_left)[1], "b matmul(0[0..2,0..3] 1.1)");
        assert_eq!(fed(&from_left).shape(), fondaco_proto::Shape::new(2, 7));
        let transposed = planned(MatmulOp::Cross, &[x, local(3, 2)]).unwrap();
        assert_eq!(combined(&transposed), Combine::Concat(Cut::Rows));
    }

    #[test]
    fn what_would_move_rows_is_refused() {
        let x = columns(&[("a", 4), ("b", 2)], 3);
        for op in [MatmulOp::Gram, MatmulOp::Mmchain] {
            let args = if op == MatmulOp::Gram { vec![x.clone()] } else { vec![local(6, 1), x.clone()] };
            assert!(planned(op, &args).unwrap_err().to_string().contains("row-level"));
        }
        let y = rows(&[("a", 3), ("b", 3)], 2);
        let error = planned(MatmulOp::Product, &[x, y]).unwrap_err().to_string();
        assert!(error.contains("3 of one operand is at a, of another at b"), "{error}");
        let (n, m) = (rows(&[("a", 4), ("b", 2)], 3), columns(&[("a", 4), ("b", 2)], 3));
        assert!(planned(MatmulOp::Product, &[n, m]).is_err());
    }

    #[test]
    fn what_is_whole_stays_there() {
        let (x, y) = (rows(&[("a", 4)], 3), rows(&[("a", 3)], 2));
        assert_eq!(steps(&planned(MatmulOp::Product, &[x, y.clone()]).unwrap()), ["a matmul(0.0 1.0)"]);
        let parts = rows(&[("a", 4), ("a", 1)], 3);
        let plan = planned(MatmulOp::Product, &[parts, y]).unwrap();
        assert_eq!(steps(&plan), ["a matmul(0.0 1.0)", "a matmul(0.1 1.0)"]);
    }
}
