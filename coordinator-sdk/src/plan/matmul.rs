//! Products. What sums over the cut is summed at each site over all its parts, then at the coordinator; what does not
//! stays at the sites. With columns of X at different sites, `X.T @ X`, `X.T @ Y` and the chains are relayed.

mod chain;
mod factorised;

use fondaco_proto::{Op, op::MatmulOp};

use super::{Builder, Input, Plan, Why, parts_of, refused};
use crate::{
    Error, Result,
    combine::Combine,
    gather::Gather,
    layout::{Cut, Layout, Part},
};

const USE_ROWS: &str = "use a row cut";
const FETCH_IT: &str = "fetch the smaller operand, if its owners let it out, and pass the array";

pub(super) fn plan(op: MatmulOp, builder: Builder) -> Result<Plan> {
    Op::Matmul(op).shape(&builder.shapes())?;
    match op {
        MatmulOp::Product => product(builder),
        MatmulOp::Gram => summed(op, builder, 0, &[], &[0]),
        MatmulOp::Cross => cross(builder),
        MatmulOp::Mmchain | MatmulOp::MmchainWeighted | MatmulOp::MmchainMinus => {
            let grouped = if op == MatmulOp::Mmchain { &[1][..] } else { &[1, 2] };
            match builder.layout(1).filter(|layout| layout.banded(Cut::Rows).is_none()).cloned() {
                Some(layout) => chain::over_blocks(op, builder, &layout),
                None => summed(op, builder, 1, &[0], grouped),
            }
        }
        MatmulOp::Factorised(op) => factorised::plan(op, builder),
    }
}

/// A sum over the rows of X: one instruction per site, `whole` arguments first (v), then each part's group of `grouped`
/// ones (X, and what is beside its rows).
fn summed(op: MatmulOp, mut builder: Builder, x: usize, whole: &[usize], grouped: &[usize]) -> Result<Plan> {
    let Some(layout) = builder.layout(x).cloned() else {
        return Err(Error::plan(format!("{}: X must be federated", op.name())));
    };
    let rows = builder.banded(Cut::Rows, &layout, Why::new(op.name(), &layout, USE_ROWS));
    let mut fixed: Vec<Vec<Input>> = Vec::new();
    for &arg in whole {
        fixed.push(builder.whole(op.name(), arg, &rows)?);
    }
    let mut groups: Vec<Vec<Input>> = Vec::new();
    for &arg in grouped {
        groups.push(builder.along_cut(op.name(), arg, Cut::Rows, &rows)?);
    }
    let parts = builder.per_site(&rows, op, &fixed, &groups)?;
    Ok(builder.local(parts, Combine::Sum))
}

/// `X.T @ Y`: summed over aligned rows. Of two federated operands, the one in more parts says how the rows are cut.
fn cross(builder: Builder) -> Result<Plan> {
    let parts = |arg: usize| builder.layout(arg).map_or(0, |layout| layout.parts().len());
    let mut failure = None;
    for reference in if parts(1) > parts(0) { [1, 0] } else { [0, 1] } {
        let Some(layout) = builder.layout(reference).cloned() else { continue };
        let attempt = match layout.banded(Cut::Rows) {
            Some(_) => summed(MatmulOp::Cross, builder.clone(), reference, &[], &[0, 1]),
            None => cross_of_columns(builder.clone(), reference, &layout),
        };
        match attempt {
            Ok(plan) => return Ok(plan),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    Err(failure.unwrap_or_else(|| Error::plan("cross: at least one operand must be federated")))
}

/// Columns of one operand at different sites: each column band by the same rows of all of the other, which is sent there;
/// relayed, where it is neither an array nor there.
fn cross_of_columns(mut builder: Builder, reference: usize, layout: &Layout) -> Result<Plan> {
    let op = MatmulOp::Cross;
    let other = 1 - reference;
    let columns = builder.args[other].shape().columns;
    builder.relaying = Some(Why::new(op.name(), layout, USE_ROWS));
    let mut beside = Vec::new();
    for Part { site, rows, .. } in layout.parts() {
        beside.push(builder.region(op.name(), other, site, (rows.clone(), 0..columns))?);
    }
    let mut groups = [parts_of(reference, layout), beside];
    groups.rotate_left(reference);
    let mut cells = Vec::new();
    for band in layout.bands(Cut::Columns) {
        cells.push(builder.per_site_of(layout, band, op, &[], &groups)?);
    }
    let cut = if reference == 0 { Cut::Rows } else { Cut::Columns };
    Ok(builder.released(Gather::line(cut, cells, Combine::Sum)))
}

/// `X @ Y`.
fn product(builder: Builder) -> Result<Plan> {
    match (builder.layout(0).cloned(), builder.layout(1).cloned()) {
        (None, None) => Err(Error::plan("matmul: at least one operand must be federated")),
        // Of a column cut the columns are summed over, wherever they are; so are the rows of a row cut by an array.
        (Some(x), None) if x.is(Cut::Rows) || !x.is(Cut::Columns) && x.banded(Cut::Rows).is_some() => {
            kept(builder, Cut::Rows)
        }
        (None, Some(y)) if !y.is(Cut::Rows) && (y.is(Cut::Columns) || y.banded(Cut::Columns).is_some()) => {
            kept(builder, Cut::Columns)
        }
        (Some(x), None) => contracted_by_array(builder, Cut::Rows, &x),
        (None, Some(y)) => contracted_by_array(builder, Cut::Columns, &y),
        (Some(x), Some(y)) => both_federated(&builder, &x, &y),
    }
}

fn both_federated(builder: &Builder, x: &Layout, y: &Layout) -> Result<Plan> {
    let both_whole = x.whole_at().is_some() && x.whole_at() == y.whole_at();
    if !both_whole && x.is(Cut::Columns) && y.is(Cut::Rows) {
        return contracted(builder.clone(), x, y);
    }
    // A row cut by what is whole at all its sites, or the mirror of it; or what is summed over is at the same sites.
    kept(builder.clone(), Cut::Rows)
        .or_else(|_elsewhere| kept(builder.clone(), Cut::Columns))
        .or_else(|_elsewhere| contracted(builder.clone(), x, y))
        .map_err(|_elsewhere| refused("the product", x, FETCH_IT))
}

/// A product that stays, in the row bands of X (column bands of Y), with all of the other operand at its sites.
fn kept(mut builder: Builder, cut: Cut) -> Result<Plan> {
    let op = MatmulOp::Product;
    let (reference, other) = cut.order(0, 1);
    let layout = builder.layout(reference).and_then(|layout| layout.banded(cut));
    let layout = layout.ok_or_else(|| Error::plan("matmul: a band of X or Y is at several sites"))?;
    let mut factors = [builder.blocks(op.name(), reference, &layout)?, builder.whole(op.name(), other, &layout)?];
    factors.rotate_left(reference);
    let parts = builder.each(&layout, op, |part| factors.iter().map(|factor| factor[part].clone()).collect())?;
    let across = cut.other().extent(builder.args[other].shape());
    Ok(builder.fed(layout.with_across(cut, across), parts))
}

/// The sum over columns of X (rows of Y) by the rows (columns) of an array that they need: one block of the result for
/// each row band of X (column band of Y).
fn contracted_by_array(mut builder: Builder, cut: Cut, layout: &Layout) -> Result<Plan> {
    let op = MatmulOp::Product;
    let (reference, array) = cut.order(0, 1);
    let across = cut.other().extent(builder.args[array].shape());
    let region = |part: &Part| {
        let (columns, rows) = cut.order(0..across, part.along(cut.other()).clone());
        Input::Region { arg: array, rows, columns }
    };
    let mut groups = [parts_of(reference, layout), layout.parts().iter().map(region).collect()];
    groups.rotate_left(reference);
    let mut cells = Vec::new();
    for band in layout.bands(cut) {
        cells.push(builder.per_site_of(layout, band, op, &[], &groups)?);
    }
    Ok(builder.released(Gather::line(cut, cells, Combine::Sum)))
}

/// The sum over columns of X by rows of Y that are at the same sites. Of the two, the one in more bands says how they
/// are cut.
fn contracted(mut builder: Builder, x: &Layout, y: &Layout) -> Result<Plan> {
    let op = MatmulOp::Product;
    let (columns, rows) = (x.banded(Cut::Columns), y.banded(Cut::Rows).map(|rows| rows.transposed()));
    let cut = match (columns, rows) {
        (Some(columns), Some(rows)) if columns.parts().len() < rows.parts().len() => rows,
        (Some(cut), _) | (None, Some(cut)) => cut,
        (None, None) => return Err(refused("the product", x, FETCH_IT)),
    };
    let x = builder.along_cut(op.name(), 0, Cut::Columns, &cut)?;
    let y = builder.along_cut(op.name(), 1, Cut::Rows, &cut.transposed())?;
    let parts = builder.per_site(&cut, op, &[], &[x, y])?;
    Ok(builder.local(parts, Combine::Sum))
}

#[cfg(test)]
mod tests {
    use super::super::{Arg, plan as plan_op, testing::*};
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
        assert_eq!((gathered(&transposed).cells.len(), gathered(&transposed).across), (3, 1));
    }

    #[test]
    fn blocks() {
        let one_site_each = grid(&[4, 2], &[2, 1], "a a b b");
        let gram = planned(MatmulOp::Gram, std::slice::from_ref(&one_site_each)).unwrap();
        assert_eq!(steps(&gram), ["a hstack(0.0 0.1)", "b hstack(0.2 0.3)", "a gram(%0)", "b gram(%1)"]);
        let stays = planned(MatmulOp::Product, &[one_site_each.clone(), local(3, 2)]).unwrap();
        assert_eq!(steps(&stays)[2..], ["a matmul(%0 1[0..3,0..2])", "b matmul(%1 1[0..3,0..2])"]);
        assert_eq!(fed(&stays).to_string(), "(6, 2) as rows 0..4 at a, 4..6 at b");
        let left = planned(MatmulOp::Product, &[local(2, 6), one_site_each]).unwrap();
        let expected = [
            "a matmul(0[0..2,0..4] 1.0)",
            "b matmul(0[0..2,4..6] 1.2)",
            "a matmul(0[0..2,0..4] 1.1)",
            "b matmul(0[0..2,4..6] 1.3)",
        ];
        assert_eq!(steps(&left), expected);
        let x = grid(&[4, 2], &[2, 1], "a b b b");
        let right = planned(MatmulOp::Product, &[x.clone(), local(3, 1)]).unwrap();
        let expected =
            ["a matmul(0.0 1[0..2,0..1])", "b matmul(0.1 1[2..3,0..1])", "b matmul(0.2 1[0..2,0..1] 0.3 1[2..3,0..1])"];
        assert_eq!((steps(&right), gathered(&right).cells.len()), (expected.map(str::to_owned).to_vec(), 2));
        let cross = planned(MatmulOp::Cross, &[x.clone(), local(6, 1)]).unwrap();
        assert_eq!(steps(&cross)[2], "b cross(0.1 1[0..4,0..1] 0.3 1[4..6,0..1])");
        let relayed = planned(MatmulOp::Gram, &[x]).unwrap();
        assert_eq!(
            (steps(&relayed)[0].as_str(), relays(&relayed)),
            ("a hstack(0.0 1[0..4,0..1])", vec!["0.1".to_owned()])
        );
        // The columns of X and the rows of Y are at the same sites, band by band.
        let (x, y) = (grid(&[4, 2], &[2, 1], "a b a b"), grid(&[2, 1], &[1, 1], "a a b b"));
        let both = planned(MatmulOp::Product, &[x, y]).unwrap();
        assert_eq!(steps(&both)[4..], ["a matmul(%0 %2)", "b matmul(%1 %3)"]);
    }

    #[test]
    fn columns_at_different_sites_are_relayed() {
        let x = columns(&[("a", 1), ("b", 4), ("a", 2)], 3);
        let gram = planned(MatmulOp::Gram, std::slice::from_ref(&x)).unwrap();
        let expected = ["b hstack(1[0..3,0..1] 0.1 2[0..3,0..2])", "b gram(%0)"];
        assert_eq!(
            (steps(&gram), relays(&gram)),
            (expected.map(str::to_owned).to_vec(), vec!["0.0".into(), "0.2".into()])
        );
        // The other operand is where some columns are.
        let cross = planned(MatmulOp::Cross, &[x.clone(), rows(&[("a", 3)], 1)]).unwrap();
        assert_eq!(steps(&cross), ["a cross(0.0 1.0)", "b cross(0.1 2[0..3,0..1])", "a cross(0.2 1.0)"]);
        assert_eq!(relays(&cross), ["1.0"]);
        let both = planned(MatmulOp::Cross, &[x.clone(), local(3, 1)]).unwrap();
        assert!(both.relays.is_empty());
    }

    #[test]
    fn what_would_move_rows_is_refused() {
        let x = columns(&[("a", 4), ("b", 2)], 3);
        let y = rows(&[("a", 3), ("b", 3)], 2);
        let error = planned(MatmulOp::Product, &[x, y]).unwrap_err().to_string();
        assert!(error.contains("row 3 of one operand is at a, of another at b"), "{error}");
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
