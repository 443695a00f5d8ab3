//! Reductions. Down the rows each site reduces all its parts of the same columns in one instruction, and the coordinator
//! combines one small result per site.

use std::{ops::Range, sync::Arc};

use fondaco_proto::{
    Op,
    op::{AggregateFunction, AggregateOp, Axis, ReorgOp},
};

use super::{Builder, Input, Plan, Why, parts_of};
use crate::{
    Result,
    combine::Combine,
    gather::Gather,
    layout::{Cut, Layout},
};

pub(super) fn plan(op: AggregateOp, mut builder: Builder) -> Result<Plan> {
    let name = Op::Aggregate(op).name();
    let layout = builder.only(name)?.clone();
    let shape = Op::Aggregate(op).shape(&[layout.shape()])?;
    match op.axis {
        Axis::Rows => along_rows(op, &layout, shape.columns, builder),
        // Each column band by itself, over all of its parts.
        Axis::Columns => {
            let (op, combine) = partial(op, layout.shape().rows);
            let parts = parts_of(0, &layout);
            let mut cells = Vec::new();
            for band in layout.bands(Cut::Columns) {
                cells.push(builder.per_site_of(&layout, band, op, &[], std::slice::from_ref(&parts))?);
            }
            Ok(builder.released(Gather::line(Cut::Columns, cells, combine)))
        }
        Axis::All => over_all(op, &layout, builder),
    }
}

/// Along each row. Of a row band at several sites each reduces what it has; what they give is put together at the
/// coordinator, and sent to the site that has most of the band.
fn along_rows(op: AggregateOp, layout: &Layout, width: u64, mut builder: Builder) -> Result<Plan> {
    let name = Op::Aggregate(op).name();
    let rows = layout.collected(Cut::Rows).with_across(Cut::Rows, width);
    let why = Why::new(&format!("{name} along axis=1"), layout, "reduce the columns of each site by themselves");
    let (partial, combine) = partial(op, layout.shape().columns);
    let mut results = Vec::new();
    for (band, place) in layout.bands(Cut::Rows).into_iter().zip(rows.parts()) {
        let by_site = layout.by_site_of(band);
        let op = if by_site.len() == 1 { op } else { partial };
        let mut released = Vec::new();
        for (site, parts) in by_site {
            let pieces = parts.into_iter().map(|part| Input::Part { arg: 0, part }).collect();
            let Some(whole) = builder.stacked(&site, ReorgOp::Hstack, pieces)? else { continue };
            released.push(builder.push(&site, op, vec![whole])?);
        }
        results.push(match &*released {
            [result] => result.clone(),
            _several => {
                let arg = builder.relay(why.clone(), Gather { turned: true, ..Gather::one(released, combine) });
                Input::Region { arg, rows: 0..place.extent(Cut::Rows), columns: 0..width }
            }
        });
    }
    Ok(builder.fed(rows, results))
}

/// A site, the columns of some of its row bands, and these bands.
type Group = (Arc<str>, Vec<Range<u64>>, Vec<Input>);

/// Over all cells: what a site has of a row band is put side by side; bands of the same columns are reduced together.
fn over_all(op: AggregateOp, layout: &Layout, mut builder: Builder) -> Result<Plan> {
    let (op, combine) = partial(op, layout.shape().cells()?);
    let mut groups: Vec<Group> = Vec::new();
    for band in layout.bands(Cut::Rows) {
        for (site, parts) in layout.by_site_of(band) {
            let columns: Vec<Range<u64>> = parts.iter().map(|&part| layout.parts()[part].columns.clone()).collect();
            let pieces = parts.into_iter().map(|part| Input::Part { arg: 0, part }).collect();
            let Some(side_by_side) = builder.stacked(&site, ReorgOp::Hstack, pieces)? else { continue };
            match groups.iter_mut().find(|(at, known, _)| *at == site && *known == columns) {
                Some((_, _, bands)) => bands.push(side_by_side),
                None => groups.push((site, columns, vec![side_by_side])),
            }
        }
    }
    let mut results = Vec::new();
    for (site, _, bands) in groups {
        results.push(builder.push(&site, op, bands)?);
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
        assert_eq!(steps(&sum), ["a moments(0.0)", "b moments(0.1)", "a moments(0.2)"]);
        assert_eq!((gathered(&sum).cells.len(), gathered(&sum).across), (3, 3));
        let all = plan(&aggregate(AggregateFunction::Var, Axis::All), std::slice::from_ref(&x), None).unwrap();
        assert_eq!(steps(&all), ["a hstack(0.0 0.2)", "a moments(%0)", "b moments(0.1)"]);
        let along = plan(&aggregate(AggregateFunction::Var, Axis::Rows), &[x], None).unwrap();
        assert_eq!(steps(&along), ["a hstack(0.0 0.2)", "a moments(%0)", "b moments(0.1)"]);
        assert_eq!(
            (relays(&along), fed(&along).to_string().as_str()),
            (vec!["%1 %2".to_owned()], "(9, 1) as rows 0..9 at a")
        );
    }

    #[test]
    fn blocks() {
        let x = grid(&[4, 2, 1], &[2, 1], "a b a a b b");
        let planned = |axis| plan(&aggregate(AggregateFunction::Sum, axis), std::slice::from_ref(&x), None);
        let down = planned(Axis::Columns).unwrap();
        assert_eq!(steps(&down), ["a sum(0.0 0.2)", "b sum(0.4)", "b sum(0.1 0.5)", "a sum(0.3)"]);
        assert_eq!((gathered(&down).cells.len(), gathered(&down).across), (2, 2));
        let all = planned(Axis::All).unwrap();
        let expected = ["a hstack(0.2 0.3)", "b hstack(0.4 0.5)", "a sum(0.0)", "b sum(0.1)", "a sum(%0)", "b sum(%1)"];
        assert_eq!(steps(&all), expected);
        let along = planned(Axis::Rows).unwrap();
        assert_eq!(relays(&along), ["%0 %1"]);
        assert_eq!(fed(&along).to_string(), "(7, 1) as rows 0..4 at a, 4..6 at a, 6..7 at b");
        let one_site_each = grid(&[4, 2], &[2, 1], "a a b b");
        let along = plan(&aggregate(AggregateFunction::Sum, Axis::Rows), &[one_site_each], None).unwrap();
        assert_eq!(steps(&along), ["a hstack(0.0 0.1)", "a sum(%0)", "b hstack(0.2 0.3)", "b sum(%2)"]);
        assert_eq!(fed(&along).to_string(), "(6, 1) as rows 0..4 at a, 4..6 at b");
    }

    #[test]
    fn no_cells_have_no_minimum() {
        let none = rows(&[("a", 0), ("b", 0)], 3);
        assert!(plan(&aggregate(AggregateFunction::Min, Axis::Columns), std::slice::from_ref(&none), None).is_err());
        let sum = plan(&aggregate(AggregateFunction::Sum, Axis::Columns), &[none], None).unwrap();
        assert_eq!(steps(&sum), ["a sum(0.0)"]);
    }
}
