//! Cumulative aggregates. Bands across the axis that are at one site each go by themselves. Otherwise what all parts
//! before one come to has to reach it: at one site by putting its parts together, between sites as carries that the
//! coordinator makes of their totals, which are released like any others.

use std::ops::Range;

use fondaco_proto::{
    Op,
    op::{AggregateFunction, AggregateOp, Axis, Cumulate, CumulateFunction, ReorgOp},
};
use ndarray::{Array2, Axis as Along, concatenate, s};

use super::super::{Arg, Builder, Input, Plan, Why};
use crate::{
    Error, Result,
    combine::Combine,
    gather::Gather,
    layout::{Cut, Layout},
};

/// The cut along which it goes.
fn along(axis: Axis) -> Cut {
    if axis == Axis::Rows { Cut::Columns } else { Cut::Rows }
}

/// Bands along the axis, and those of them that follow one another at one site, each of which begins where another
/// site's end.
pub(crate) struct Runs {
    /// One band each.
    pub bands: Layout,
    /// Of its parts.
    pub runs: Vec<Range<usize>>,
}

/// What has to be carried between sites; `None` if nothing has, or bands are at several sites.
pub(crate) fn runs(op: Cumulate, layout: &Layout) -> Option<Runs> {
    let cut = along(op.axis);
    if layout.banded(cut.other()).is_some() {
        return None;
    }
    let bands = layout.banded(cut)?;
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (index, part) in bands.parts().iter().enumerate() {
        match runs.last_mut() {
            Some(run) if bands.parts()[run.start].site == part.site => run.end = index + 1,
            _ => runs.push(index..index + 1),
        }
    }
    Some(Runs { bands, runs })
}

pub(super) fn plan(op: Cumulate, mut builder: Builder) -> Result<Plan> {
    let name = op.function.name();
    let layout = builder.only(name)?.clone();
    let shape = Op::Aggregate(AggregateOp::Cumulate(op)).shape(&builder.shapes())?;
    if op.carried {
        return Err(Error::plan(format!("{name}: carries are made by the coordinator alone")));
    }
    if runs(op, &layout).is_some() {
        return Err(Error::plan(format!(
            "{name}: what the parts at one site come to has to be carried to the next; the method {name} does, in a \
             round trip of its own"
        )));
    }
    let why = Why::new(name, &layout, "use a row cut, or a column cut");
    let bands = builder.banded(along(op.axis).other(), &layout, why);
    let pairs = op.function == CumulateFunction::Cumsumprod;
    if pairs && bands.parts().len() > 1 {
        return Err(super::super::refused(name, &layout, "put the two beside each other at the sites first"));
    }
    let parts = builder.blocks(name, 0, &bands)?;
    let results = builder.each(&bands, AggregateOp::Cumulate(op), |part| vec![parts[part].clone()])?;
    let layout = if pairs { Layout::whole(bands.parts()[0].site.clone(), shape) } else { bands };
    Ok(builder.fed(layout, results))
}

/// What each run but the last comes to, for the coordinator.
pub(crate) fn totals(op: Cumulate, x: &Arg) -> Result<Plan> {
    let mut builder = Builder::new(std::slice::from_ref(x));
    let name = op.function.name();
    let Runs { bands, runs } = carried_on(op, &builder)?;
    let function = match op.function {
        CumulateFunction::Cumsum => AggregateFunction::Sum,
        CumulateFunction::Cumprod => AggregateFunction::ScaledProd,
        CumulateFunction::Cummin => AggregateFunction::Min,
        CumulateFunction::Cummax => AggregateFunction::Max,
        CumulateFunction::Cumsumprod => return Err(Error::plan("cumsumprod has no totals that merge")),
    };
    let mut totals = Vec::new();
    for run in &runs[..runs.len() - 1] {
        let site = bands.parts()[run.start].site.clone();
        let mut inputs = Vec::new();
        for part in &bands.parts()[run.clone()] {
            inputs.push(builder.region(name, 0, &site, (part.rows.clone(), part.columns.clone()))?);
        }
        if op.axis == Axis::Rows {
            inputs = builder.stacked(&site, ReorgOp::Hstack, inputs)?.into_iter().collect();
        }
        totals.push(vec![builder.push(&site, AggregateOp::new(function, op.axis), inputs)?]);
    }
    Ok(builder.released(Gather::line(along(op.axis), totals, Combine::Only)))
}

fn carried_on(op: Cumulate, builder: &Builder) -> Result<Runs> {
    let name = op.function.name();
    runs(op, builder.only(name)?).ok_or_else(|| Error::plan(format!("{name}: nothing has to be carried")))
}

/// What all runs before each but the first come to, from the totals of all but the last, in the same arrangement.
pub(crate) fn carries(op: Cumulate, totals: &Array2<f64>) -> Array2<f64> {
    if op.axis == Axis::Rows {
        let down = Cumulate { axis: Axis::Columns, ..op };
        return carries(down, &totals.t().to_owned()).reversed_axes();
    }
    let (height, combine) = match op.function {
        CumulateFunction::Cumprod => (2, Combine::Product { scaled: true }),
        CumulateFunction::Cummin => (1, Combine::Min),
        CumulateFunction::Cummax => (1, Combine::Max),
        CumulateFunction::Cumsum | CumulateFunction::Cumsumprod => (1, Combine::Sum),
    };
    let run = |index: usize| totals.slice(s![index * height..(index + 1) * height, ..]).to_owned();
    let runs = totals.nrows() / height;
    let carries: Vec<Array2<f64>> = (1..=runs).map(|end| combine.clone().apply((0..end).map(run).collect())).collect();
    let views: Vec<_> = carries.iter().map(|carry| carry.view()).collect();
    concatenate(Along(0), &views).unwrap_or_else(|_| Array2::zeros((0, totals.ncols())))
}

/// All runs, each but the first from its carry.
pub(crate) fn carried(op: Cumulate, args: &[Arg]) -> Result<Plan> {
    let mut builder = Builder::new(args);
    let Runs { bands, runs } = carried_on(op, &builder)?;
    let cut = along(op.axis);
    let width = if op.function == CumulateFunction::Cumprod { 2 } else { 1 };
    let across = cut.other().extent(args[1].shape());
    let parts = builder.blocks(op.function.name(), 0, &bands)?;
    let mut results = Vec::new();
    let mut extents = Vec::new();
    for (index, run) in runs.into_iter().enumerate() {
        let site = bands.parts()[run.start].site.clone();
        let mut inputs: Vec<Input> = builder.stacked(&site, stack(op), parts[run].to_vec())?.into_iter().collect();
        if let Some(before) = (index as u64).checked_sub(1) {
            let (rows, columns) = cut.order(before * width..(before + 1) * width, 0..across);
            inputs.push(Input::Region { arg: 1, rows, columns });
        }
        let cumulate = Cumulate { carried: index > 0, ..op };
        let part = builder.push(&site, AggregateOp::Cumulate(cumulate), inputs)?;
        extents.push((site, cut.extent(builder.shape_of(&part))));
        results.push(part);
    }
    let layout = Layout::new(cut, extents, cut.other().extent(bands.shape()))?;
    Ok(builder.fed(layout, results))
}

/// All of it from one carry, which is the second argument; its parts are at one site.
pub(crate) fn continued(op: Cumulate, args: &[Arg]) -> Result<Plan> {
    let mut builder = Builder::new(args);
    let name = op.function.name();
    let layout = builder.only(name)?.clone();
    let site = layout.parts()[0].site.clone();
    let x = builder.blocks(name, 0, &Layout::whole(site.clone(), layout.shape()))?;
    let carry = Input::Region { arg: 1, rows: 0..1, columns: 0..1 };
    let inputs = x.into_iter().chain([carry]).collect();
    let part = builder.push(&site, AggregateOp::Cumulate(Cumulate { carried: true, ..op }), inputs)?;
    let shape = builder.shape_of(&part);
    Ok(builder.fed(Layout::whole(site, shape), vec![part]))
}

fn stack(op: Cumulate) -> ReorgOp {
    if op.axis == Axis::Rows { ReorgOp::Hstack } else { ReorgOp::Vstack }
}

#[cfg(test)]
mod tests {
    use fondaco_proto::Shape;
    use ndarray::array;

    use super::super::super::{plan as plan_op, testing::*};
    use super::*;

    fn op(function: CumulateFunction, axis: Axis) -> Cumulate {
        Cumulate { function, axis, carried: false }
    }

    fn planned(op: Cumulate, x: Arg) -> Result<Plan> {
        plan_op(&Op::Aggregate(AggregateOp::Cumulate(op)), &[x], None)
    }

    #[test]
    fn parts_at_one_site_are_put_together() {
        let cumsum = op(CumulateFunction::Cumsum, Axis::Columns);
        let plan = planned(cumsum, rows(&[("a", 4), ("a", 2)], 3)).unwrap();
        assert_eq!(steps(&plan), ["a vstack(0.0 0.1)", "a cumsum(%0)"]);
        assert_eq!((fed(&plan).parts().len(), fed(&plan).shape()), (1, Shape::new(6, 3)));
        let across = planned(cumsum, columns(&[("a", 4), ("b", 2)], 3)).unwrap();
        assert_eq!(steps(&across), ["a cumsum(0.0)", "b cumsum(0.1)"]);
        let error = planned(cumsum, rows(&[("a", 4), ("b", 2)], 3)).unwrap_err().to_string();
        assert!(error.contains("the method cumsum does"), "{error}");
        let pairs = planned(op(CumulateFunction::Cumsumprod, Axis::Columns), rows(&[("a", 4)], 2)).unwrap();
        assert_eq!(fed(&pairs).shape(), Shape::new(4, 1));
        assert!(planned(op(CumulateFunction::Cumsumprod, Axis::Columns), columns(&[("a", 1), ("b", 1)], 4)).is_err());
    }

    #[test]
    fn carries_cross_the_borders_of_sites() {
        let cumprod = op(CumulateFunction::Cumprod, Axis::Columns);
        let x = rows(&[("a", 4), ("a", 2), ("b", 1), ("a", 3)], 3);
        let of_runs = totals(cumprod, &x).unwrap();
        assert_eq!(steps(&of_runs), ["a scaled_prod(0.0 0.1)", "b scaled_prod(0.2)"]);
        let plan = carried(cumprod, &[x, local(4, 3)]).unwrap();
        let expected =
            ["a vstack(0.0 0.1)", "a cumprod(%0)", "b cumprod(0.2 1[0..2,0..3])", "a cumprod(0.3 1[2..4,0..3])"];
        assert_eq!(steps(&plan), expected);
        assert_eq!((fed(&plan).shape(), fed(&plan).parts().len()), (Shape::new(10, 3), 3));
        let cummax = op(CumulateFunction::Cummax, Axis::Rows);
        let z = columns(&[("a", 2), ("b", 1)], 5);
        assert_eq!(steps(&totals(cummax, &z).unwrap()), ["a max(0.0)"]);
        let plan = carried(cummax, &[z, local(5, 1)]).unwrap();
        assert_eq!(steps(&plan), ["a cummax(0.0)", "b cummax(0.1 1[0..5,0..1])"]);
        assert_eq!(fed(&plan).shape(), Shape::new(5, 3));
    }

    #[test]
    fn blocks_go_by_bands() {
        let cumsum = |axis| op(CumulateFunction::Cumsum, axis);
        let x = grid(&[4, 2], &[2, 1], "a b a b");
        let down = planned(cumsum(Axis::Columns), x.clone()).unwrap();
        assert_eq!(steps(&down), ["a vstack(0.0 0.2)", "b vstack(0.1 0.3)", "a cumsum(%0)", "b cumsum(%1)"]);
        assert_eq!(fed(&down).to_string(), "(6, 3) as columns 0..2 at a, 2..3 at b");
        assert_eq!(steps(&totals(cumsum(Axis::Rows), &x).unwrap()), ["a vstack(0.0 0.2)", "a sum(%0)"]);
        let scattered = grid(&[4, 2], &[2, 1], "a b b a");
        let relayed = planned(cumsum(Axis::Columns), scattered).unwrap();
        assert_eq!(relays(&relayed), ["0.2", "0.3"]);
    }

    #[test]
    fn carries_are_totals_of_all_before() {
        let totals = array![[1.0, 2.0], [3.0, 4.0]];
        assert_eq!(carries(op(CumulateFunction::Cumsum, Axis::Columns), &totals), array![[1.0, 2.0], [4.0, 6.0]]);
        assert_eq!(carries(op(CumulateFunction::Cummax, Axis::Rows), &totals), array![[1.0, 2.0], [3.0, 4.0]]);
        let products = array![[1.5], [2.0], [1.5], [0.0]];
        let expected = array![[1.5], [2.0], [1.125], [3.0]];
        assert_eq!(carries(op(CumulateFunction::Cumprod, Axis::Columns), &products), expected);
    }
}
