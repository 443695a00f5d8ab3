//! Reductions. Down the rows each site reduces all its parts of the same columns in one instruction, and the coordinator
//! combines one small result per site.

pub(crate) mod cumulate;
mod several;

use std::{mem, ops::Range, sync::Arc};

use fondaco_proto::{
    Op,
    op::{AggregateFunction, AggregateOp, Axis, Reduce, ReorgOp},
};

use super::{Builder, Input, Plan, Why, parts_of};
use crate::{
    Result,
    combine::{Combine, Places, Statistic},
    gather::Gather,
    layout::{Cut, Layout},
};

pub(crate) use several::per_site;

pub(super) fn plan(op: AggregateOp, builder: Builder) -> Result<Plan> {
    match op {
        AggregateOp::Reduce(op) => reduce(op, builder),
        AggregateOp::Cumulate(op) => cumulate::plan(op, builder),
        AggregateOp::SumProduct(op) => several::sum_product(op, builder),
        AggregateOp::Trace => several::trace(builder),
        AggregateOp::Distinct(op) => several::distinct(op, builder),
    }
}

fn reduce(reduce: Reduce, mut builder: Builder) -> Result<Plan> {
    let op = AggregateOp::Reduce(reduce);
    let name = Op::Aggregate(op).name();
    let layout = builder.only(name)?.clone();
    let shape = Op::Aggregate(op).shape(&[layout.shape()])?;
    match reduce.axis {
        Axis::Rows => along_rows(reduce, &layout, shape.columns, builder),
        // Each column band by itself, over all of its parts.
        Axis::Columns => {
            let bands = layout.bands(Cut::Columns);
            let places = bands.iter().map(|band| Places::down(&layout, band)).collect();
            let (op, combine) = partial(reduce, layout.shape().rows, places);
            let parts = parts_of(0, &layout);
            let mut cells = Vec::new();
            for band in bands {
                cells.push(builder.per_site_of(&layout, band, op, &[], std::slice::from_ref(&parts))?);
            }
            Ok(builder.released(Gather::line(Cut::Columns, cells, combine)))
        }
        Axis::All => over_all(reduce, &layout, builder),
    }
}

/// Along each row. Of a row band at several sites each reduces what it has; what they give is put together at the
/// coordinator, and sent to the site that has most of the band.
fn along_rows(reduce: Reduce, layout: &Layout, width: u64, mut builder: Builder) -> Result<Plan> {
    let name = reduce.function.name();
    let rows = layout.collected(Cut::Rows).with_across(Cut::Rows, width);
    let why = Why::new(&format!("{name} along axis=1"), layout, "reduce the columns of each site by themselves");
    let mut results = Vec::new();
    for (band, place) in layout.bands(Cut::Rows).into_iter().zip(rows.parts()) {
        let (partial, combine) = partial(reduce, layout.shape().columns, vec![Places::right(layout, &band)]);
        let by_site = layout.by_site_of(band);
        let op = if by_site.len() == 1 { AggregateOp::Reduce(reduce) } else { partial };
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

/// Over all cells: what a site has of a row band is put side by side; bands of the same columns are reduced together.
fn over_all(reduce: Reduce, layout: &Layout, mut builder: Builder) -> Result<Plan> {
    let mut groups = side_by_side(layout, &[parts_of(0, layout)], &mut builder)?;
    let places = groups.iter_mut().map(|group| (mem::take(&mut group.rows), mem::take(&mut group.columns)));
    let places = Places { columns: Some(layout.shape().columns), sites: places.collect() };
    let (op, combine) = partial(reduce, layout.shape().cells()?, vec![places]);
    let mut results = Vec::new();
    for group in groups {
        results.push(builder.push(&group.site, op, group.bands)?);
    }
    Ok(builder.local(results, combine))
}

/// What a site has of some row bands, all of the same columns: put side by side.
struct Group {
    site: Arc<str>,
    columns: Vec<Range<u64>>,
    rows: Vec<Range<u64>>,
    /// Of each band each operand.
    bands: Vec<Input>,
}

/// All parts of operands, given part after part, by sites and columns.
fn side_by_side(layout: &Layout, operands: &[Vec<Input>], builder: &mut Builder) -> Result<Vec<Group>> {
    let mut groups: Vec<Group> = Vec::new();
    for (band, rows) in layout.bands(Cut::Rows).into_iter().zip(layout.ranges(Cut::Rows)) {
        for (site, parts) in layout.by_site_of(band) {
            let columns: Vec<Range<u64>> = parts.iter().map(|&part| layout.parts()[part].columns.clone()).collect();
            let mut whole = Vec::new();
            for operand in operands {
                let mut pieces: Vec<Input> = parts.iter().map(|&part| operand[part].clone()).collect();
                // One column is every column's.
                if pieces.iter().all(|piece| *piece == pieces[0] && builder.shape_of(piece).columns == 1) {
                    pieces.truncate(1);
                }
                whole.extend(builder.stacked(&site, ReorgOp::Hstack, pieces)?);
            }
            match groups.iter_mut().find(|group| group.site == site && group.columns == columns) {
                Some(group) => {
                    group.rows.push(rows.clone());
                    group.bands.extend(whole);
                }
                None => groups.push(Group { site, columns, rows: vec![rows.clone()], bands: whole }),
            }
        }
    }
    Ok(groups)
}

/// What each site computes, and how it is combined: means from sums, variances from moments. For places, where the parts
/// of each cell lie.
fn partial(op: Reduce, reduced: u64, places: Vec<Places>) -> (AggregateOp, Combine) {
    use AggregateFunction::*;
    let variance = |root, present| Combine::Central(Statistic::Variance { ddof: op.ddof, root, present });
    let placed = |largest, both| Combine::First { largest, both, places: places.into() };
    let (function, combine) = match op.function {
        Sum | Sumsq | Nnz | Nansum => (op.function, Combine::Sum),
        Mean => (Sum, Combine::Mean(reduced)),
        Min => (Min, Combine::Min),
        Max => (Max, Combine::Max),
        Var => (WideMoments, variance(false, false)),
        Std => (WideMoments, variance(true, false)),
        Moments | Nanmoments | WideMoments | WideNanmoments | HigherMoments => (op.function, Combine::Moments),
        Prod => (ScaledProd, Combine::Product { scaled: false }),
        ScaledProd => (ScaledProd, Combine::Product { scaled: true }),
        Any => (Any, Combine::Max),
        All => (All, Combine::Min),
        Nanmean => (WideNanmoments, Combine::Central(Statistic::Mean)),
        Nanvar => (WideNanmoments, variance(false, true)),
        Nanstd => (WideNanmoments, variance(true, true)),
        Nanmin => (Nanmin, Combine::PresentMin),
        Nanmax => (Nanmax, Combine::PresentMax),
        Argmin => (PlacedMin, placed(false, false)),
        Argmax => (PlacedMax, placed(true, false)),
        PlacedMin => (PlacedMin, placed(false, true)),
        PlacedMax => (PlacedMax, placed(true, true)),
        Moment2 => (WideMoments, Combine::Central(Statistic::Moment(2))),
        Moment3 => (HigherMoments, Combine::Central(Statistic::Moment(3))),
        Moment4 => (HigherMoments, Combine::Central(Statistic::Moment(4))),
        Skew => (HigherMoments, Combine::Central(Statistic::Skew { corrected: op.ddof == 1 })),
        Kurtosis => (HigherMoments, Combine::Central(Statistic::Kurtosis { corrected: op.ddof == 1 })),
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
        assert_eq!(steps(&std)[1], "b wide_moments(0.1)");
        let along = plan(&aggregate(AggregateFunction::Max, Axis::Rows), &[x], None).unwrap();
        assert_eq!(steps(&along).len(), 3);
        assert_eq!(fed(&along).shape(), fondaco_proto::Shape::new(7, 1));
    }

    #[test]
    fn column_cuts() {
        let x = columns(&[("a", 2), ("b", 1), ("a", 3)], 9);
        let sum = plan(&aggregate(AggregateFunction::Std, Axis::Columns), std::slice::from_ref(&x), None).unwrap();
        assert_eq!(steps(&sum), ["a wide_moments(0.0)", "b wide_moments(0.1)", "a wide_moments(0.2)"]);
        assert_eq!((gathered(&sum).cells.len(), gathered(&sum).across), (3, 3));
        let all = plan(&aggregate(AggregateFunction::Var, Axis::All), std::slice::from_ref(&x), None).unwrap();
        assert_eq!(steps(&all), ["a hstack(0.0 0.2)", "a wide_moments(%0)", "b wide_moments(0.1)"]);
        let along = plan(&aggregate(AggregateFunction::Var, Axis::Rows), &[x], None).unwrap();
        assert_eq!(steps(&along), ["a hstack(0.0 0.2)", "a wide_moments(%0)", "b wide_moments(0.1)"]);
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
    fn places_are_those_of_the_whole() {
        let one = |range: Range<u64>| std::iter::once(range).collect::<Vec<_>>();
        let x = rows(&[("a", 4), ("b", 2), ("a", 1)], 3);
        let argmax =
            plan(&aggregate(AggregateFunction::Argmax, Axis::Columns), std::slice::from_ref(&x), None).unwrap();
        assert_eq!(steps(&argmax), ["a placed_max(0.0 0.2)", "b placed_max(0.1)"]);
        let Combine::First { largest: true, both: false, places } = combined(&argmax) else { panic!("no places") };
        assert_eq!(places[0].sites, [(vec![0..4, 6..7], vec![]), (one(4..6), vec![])]);
        let blocks = grid(&[4, 2, 1], &[2, 1], "a b a a b b");
        let Combine::First { places, .. } =
            combined(&plan(&aggregate(AggregateFunction::Argmin, Axis::All), &[blocks], None).unwrap())
        else {
            panic!("no places")
        };
        let (left, right) = (0..2, 2..3);
        let expected = [
            (one(0..4), vec![left.clone()]),
            (one(0..4), vec![right.clone()]),
            (one(4..6), vec![left.clone(), right.clone()]),
            (one(6..7), vec![left, right]),
        ];
        assert_eq!((places[0].columns, &*places[0].sites), (Some(3), &expected[..]));
    }

    #[test]
    fn no_cells_have_no_minimum() {
        let none = rows(&[("a", 0), ("b", 0)], 3);
        assert!(plan(&aggregate(AggregateFunction::Min, Axis::Columns), std::slice::from_ref(&none), None).is_err());
        let sum = plan(&aggregate(AggregateFunction::Sum, Axis::Columns), &[none], None).unwrap();
        assert_eq!(steps(&sum), ["a sum(0.0)"]);
    }
}
