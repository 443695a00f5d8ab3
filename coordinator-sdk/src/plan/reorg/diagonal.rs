//! Diagonals, and what lies below or above them: each part knows the row and the column of the whole at which it begins.

use fondaco_proto::op::ReorgOp;

use super::super::{Builder, Input, Plan};
use crate::{
    Result,
    layout::{Cut, Layout, Part},
};

/// The offset of the same diagonal in a part.
fn within(place: &Part, offset: i64) -> i64 {
    offset.saturating_add_unsigned(place.rows.start).saturating_sub_unsigned(place.columns.start)
}

/// `np.diagonal(X, offset)`: a row cut by the sites of the cells, whatever the cut of X.
pub(super) fn cells(offset: i64, mut builder: Builder) -> Result<Plan> {
    let layout = builder.only("diagonal")?.clone();
    let mut extents = Vec::new();
    let mut parts = Vec::new();
    for (part, place) in layout.parts().iter().enumerate() {
        let diagonal = ReorgOp::Diagonal { offset: within(place, offset) };
        let shape = fondaco_proto::Op::Reorg(diagonal).shape(&[layout.part_shape(part)])?;
        // Of no cells at all one part stays, empty.
        if shape.rows > 0 || (part + 1 == layout.parts().len() && parts.is_empty()) {
            extents.push((place.site.clone(), shape.rows));
            parts.push(builder.push(&place.site, diagonal, vec![Input::Part { arg: 0, part }])?);
        }
    }
    Ok(builder.fed(Layout::new(Cut::Rows, extents, 1)?, parts))
}

/// A column on a diagonal of so many columns.
pub(super) fn matrix(columns: u64, offset: i64, mut builder: Builder) -> Result<Plan> {
    let layout = builder.only("diag")?.clone();
    let mut parts = Vec::new();
    for (part, place) in layout.parts().iter().enumerate() {
        let diag = ReorgOp::Diag { columns, offset: within(place, offset) };
        parts.push(builder.push(&place.site, diag, vec![Input::Part { arg: 0, part }])?);
    }
    Ok(builder.fed(layout.with_across(Cut::Rows, columns), parts))
}

/// `np.tril(X, k)` or `np.triu(X, k)`.
pub(super) fn triangle(upper: bool, k: i64, mut builder: Builder) -> Result<Plan> {
    let layout = builder.only(ReorgOp::Triangle { upper, k }.name())?.clone();
    let mut parts = Vec::new();
    for (part, place) in layout.parts().iter().enumerate() {
        let triangle = ReorgOp::Triangle { upper, k: within(place, k) };
        parts.push(builder.push(&place.site, triangle, vec![Input::Part { arg: 0, part }])?);
    }
    Ok(builder.fed(layout, parts))
}

#[cfg(test)]
mod tests {
    use fondaco_proto::{Op, Shape};

    use super::super::super::{Arg, plan, testing::*};
    use super::*;

    fn planned(op: ReorgOp, arg: Arg) -> Plan {
        plan(&Op::Reorg(op), &[arg], None).unwrap()
    }

    /// The operators of all steps.
    fn ops(plan: &Plan) -> Vec<ReorgOp> {
        let op = |op: &Op| if let Op::Reorg(op) = op { *op } else { panic!("no reorg") };
        plan.steps.iter().map(|step| op(&step.op)).collect()
    }

    #[test]
    fn parts_know_where_they_begin() {
        let x = || rows(&[("a", 4), ("b", 2), ("c", 9)], 6);
        let plan = planned(ReorgOp::Diagonal { offset: 1 }, x());
        assert_eq!(ops(&plan), [ReorgOp::Diagonal { offset: 1 }, ReorgOp::Diagonal { offset: 5 }]);
        assert_eq!((steps(&plan)[1].as_str(), fed(&plan).shape()), ("b diagonal(0.1)", Shape::new(5, 1)));
        let plan = planned(ReorgOp::Diagonal { offset: -3 }, columns(&[("a", 2), ("b", 4)], 5));
        assert_eq!(ops(&plan), [ReorgOp::Diagonal { offset: -3 }]);
        assert_eq!((fed(&plan).cut(), fed(&plan).shape()), (Some(Cut::Rows), Shape::new(2, 1)));
        let plan = planned(ReorgOp::Diagonal { offset: 8 }, x());
        assert_eq!((plan.steps.len(), fed(&plan).shape()), (1, Shape::new(0, 1)));
        let plan = planned(ReorgOp::Triangle { upper: true, k: -2 }, x());
        assert_eq!(ops(&plan)[2], ReorgOp::Triangle { upper: true, k: 4 });
        assert_eq!(*fed(&plan), Layout::rows([("a", 4), ("b", 2), ("c", 9)], 6).unwrap());
    }

    #[test]
    fn blocks_know_where_they_begin() {
        let x = || grid(&[4, 2], &[3, 3], "a b b a");
        let plan = planned(ReorgOp::Diagonal { offset: 0 }, x());
        let expected = [0, -3, 1].map(|offset| ReorgOp::Diagonal { offset });
        assert_eq!((ops(&plan), steps(&plan)[1].as_str()), (expected.to_vec(), "b diagonal(0.1)"));
        assert_eq!(fed(&plan).to_string(), "(6, 1) as rows 0..3 at a, 3..4 at b, 4..6 at a");
        let plan = planned(ReorgOp::Triangle { upper: false, k: 0 }, x());
        assert_eq!(ops(&plan)[2..], [4, 1].map(|k| ReorgOp::Triangle { upper: false, k }));
    }

    #[test]
    fn a_column_becomes_a_square() {
        let plan = planned(ReorgOp::Diag { columns: 6, offset: 0 }, rows(&[("a", 4), ("b", 2)], 1));
        assert_eq!(ops(&plan)[1], ReorgOp::Diag { columns: 6, offset: 4 });
        assert_eq!(fed(&plan).shape(), Shape::new(6, 6));
        let whole = columns(&[("a", 1)], 5);
        assert_eq!(fed(&planned(ReorgOp::Diag { columns: 5, offset: 0 }, whole)).shape(), Shape::new(5, 5));
    }
}
