//! Reductions. Down the rows of a row cut each site reduces all its parts in one instruction, and the coordinator
//! combines one small result per site.

use fondaco_proto::{
    Op,
    op::{AggregateFunction, AggregateOp, Axis, ReorgOp},
};

use super::{Builder, Plan, parts_of, refused};
use crate::{
    Result,
    combine::Combine,
    layout::{Cut, Layout},
};

pub(super) fn plan(op: AggregateOp, mut builder: Builder) -> Result<Plan> {
    let name = Op::Aggregate(op).name();
    let layout = builder.only(name)?.clone();
    let shape = Op::Aggregate(op).shape(&[layout.shape()])?;
    let by_rows = layout.viewed(Cut::Rows);
    match (op.axis, by_rows) {
        (Axis::Rows, Some(layout)) => {
            let parts = builder.each(&layout, op, |part| vec![super::Input::Part { arg: 0, part }])?;
            Ok(builder.fed(layout.with_across(shape.columns), parts))
        }
        (Axis::Rows, None) => {
            Err(refused(&format!("{name} along axis=1"), &layout, "reduce the columns of each site by themselves"))
        }
        (Axis::All | Axis::Columns, Some(layout)) => {
            let reduced = if op.axis == Axis::All { layout.shape().cells()? } else { layout.shape().rows };
            let (op, combine) = partial(op, reduced);
            let parts = builder.per_site(&layout, op, &[], &[parts_of(0, &layout)])?;
            Ok(builder.local(parts, combine))
        }
        (Axis::Columns, None) => {
            let parts = builder.each(&layout, op, |part| vec![super::Input::Part { arg: 0, part }])?;
            Ok(builder.local(parts, Combine::Concat(Cut::Columns)))
        }
        (Axis::All, None) => over_columns(op, &layout, builder),
    }
}

/// Over all cells of a column cut: a site's columns side by side, then reduced.
fn over_columns(op: AggregateOp, layout: &Layout, mut builder: Builder) -> Result<Plan> {
    let (op, combine) = partial(op, layout.shape().cells()?);
    let mut results = Vec::new();
    for (site, parts) in layout.by_site() {
        let mut inputs: Vec<_> = parts.into_iter().map(|part| super::Input::Part { arg: 0, part }).collect();
        if inputs.len() > 1 {
            inputs = vec![builder.push(&site, ReorgOp::Hstack, inputs)?];
        }
        results.push(builder.push(&site, op, inputs)?);
    }
    Ok(builder.local(results, combine))
}

/// What each site computes, and how it is combined: means from sums, variances from moments.
fn partial(op: AggregateOp, reduced: u64) -> (AggregateOp, Combine) {
    use AggregateFunction::*;
    let (function, combine) = match op.function {
        Sum | Sumsq | Nnz | Nansum => (op.function, Combine::Sum),
        Mean => (Sum, Combine::Mean(reduced)),
        Min => (Min, Combine::Min),
        Max => (Max, Combine::Max),
        Var => (Moments, Combine::Variance { ddof: op.ddof, root: false, present: false }),
        Std => (Moments, Combine::Variance { ddof: op.ddof, root: true, present: false }),
        Moments | Nanmoments => (op.function, Combine::Moments),
        Prod => (ScaledProd, Combine::Product { scaled: false }),
        ScaledProd => (ScaledProd, Combine::Product { scaled: true }),
        Any => (Any, Combine::Max),
        All => (All, Combine::Min),
        Nanmean => (Nanmoments, Combine::PresentMean),
        Nanvar => (Nanmoments, Combine::Variance { ddof: op.ddof, root: false, present: true }),
        Nanstd => (Nanmoments, Combine::Variance { ddof: op.ddof, root: true, present: true }),
        Nanmin => (Nanmin, Combine::PresentMin),
        Nanmax => (Nanmax, Combine::PresentMax),
    };
    (AggregateOp::new(function, op.axis), combine)
}

#[cfg(test)]
mod tests {
    use super::super::{plan, testing::*};
    use super::*;

    fn aggregate(function: AggregateFunction, axis: Axis) -> Op {
        Op::Aggregate(AggregateOp::new(function, axis))
    }

    #[test]
    fn a_site_reduces_all_its_parts_at_once() {
        let x = rows(&[("a", 4), ("b", 2), ("a", 1)], 3);
        let sum = plan(&aggregate(AggregateFunction::Sum, Axis::Columns), std::slice::from_ref(&x), None).unwrap();
        assert_eq!(steps(&sum), ["a sum(0.0 0.2)", "b sum(0.1)"]);
        assert_eq!(combined(&sum), Combine::Sum);
        let mean = plan(&aggregate(AggregateFunction::Mean, Axis::All), std::slice::from_ref(&x), None).unwrap();
        assert_eq!((steps(&mean)[0].as_str(), combined(&mean)), ("a sum(0.0 0.2)", Combine::Mean(21)));
        let std = plan(&aggregate(AggregateFunction::Std, Axis::Columns), std::slice::from_ref(&x), None).unwrap();
        assert_eq!(steps(&std)[1], "b moments(0.1)");
        let along = plan(&aggregate(AggregateFunction::Max, Axis::Rows), &[x], None).unwrap();
        assert_eq!(steps(&along).len(), 3);
        assert_eq!(fed(&along).shape(), fondaco_proto::Shape::new(7, 1));
    }

    #[test]
    fn column_cuts() {
        let x = columns(&[("a", 2), ("b", 1), ("a", 3)], 9);
        let sum = plan(&aggregate(AggregateFunction::Std, Axis::Columns), std::slice::from_ref(&x), None).unwrap();
        assert_eq!(steps(&sum), ["a std(0.0)", "b std(0.1)", "a std(0.2)"]);
        assert_eq!(combined(&sum), Combine::Concat(Cut::Columns));
        let all = plan(&aggregate(AggregateFunction::Var, Axis::All), std::slice::from_ref(&x), None).unwrap();
        assert_eq!(steps(&all), ["a hstack(0.0 0.2)", "a moments(%0)", "b moments(0.1)"]);
        let error = plan(&aggregate(AggregateFunction::Sum, Axis::Rows), &[x], None).unwrap_err().to_string();
        assert!(error.contains("columns are at different sites"), "{error}");
    }

    #[test]
    fn no_cells_have_no_minimum() {
        let none = rows(&[("a", 0), ("b", 0)], 3);
        assert!(plan(&aggregate(AggregateFunction::Min, Axis::Columns), std::slice::from_ref(&none), None).is_err());
        let sum = plan(&aggregate(AggregateFunction::Sum, Axis::Columns), &[none], None).unwrap();
        assert_eq!(steps(&sum), ["a sum(0.0)"]);
    }
}
