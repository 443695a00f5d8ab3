//! Aggregates of several operands, of a diagonal, of distinct values.

use fondaco_proto::{
    Op, Shape,
    op::{AggregateOp, Axis, Binary, BinaryFunction, Distinct, ElementwiseOp, SliceOp, SumProduct},
};

use super::{
    super::{Arg, Builder, Input, Plan, elementwise, parts_of},
    side_by_side,
};
use crate::{Error, Result, combine::Combine, gather::Gather, layout::Cut};

/// Operands are arranged as those of a product cell by cell are.
pub(super) fn sum_product(op: SumProduct, mut builder: Builder) -> Result<Plan> {
    Op::Aggregate(AggregateOp::SumProduct(op)).shape(&builder.shapes())?;
    let multiply = ElementwiseOp::Binary(Binary { function: BinaryFunction::Multiply, scalar: None });
    let multiply = Op::Elementwise(multiply);
    let mut out = Shape::new(1, 1);
    for shape in builder.shapes() {
        out = multiply.shape(&[out, shape])?;
    }
    let (layout, operands) = elementwise::arranged("sum_product", out, &mut builder)?;
    let axis = op.axis;
    let op = AggregateOp::SumProduct(op);
    if axis == Axis::Columns {
        let mut cells = Vec::new();
        for band in layout.bands(Cut::Columns) {
            cells.push(builder.per_site_of(&layout, band, op, &[], &operands)?);
        }
        return Ok(builder.released(Gather::line(Cut::Columns, cells, Combine::Sum)));
    }
    let mut results = Vec::new();
    for group in side_by_side(&layout, &operands, &mut builder)? {
        results.push(builder.push(&group.site, op, group.bands)?);
    }
    Ok(builder.local(results, Combine::Sum))
}

/// The traces of the blocks on the diagonal.
pub(super) fn trace(mut builder: Builder) -> Result<Plan> {
    let layout = builder.only("trace")?.clone();
    Op::Aggregate(AggregateOp::Trace).shape(&[layout.shape()])?;
    let mut blocks = parts_of(0, &layout);
    let mut on_it = Vec::new();
    for (index, place) in layout.parts().iter().enumerate() {
        let (first, end) = (place.rows.start.max(place.columns.start), place.rows.end.min(place.columns.end));
        // Of no cells, one part.
        if first >= end && layout.shape().rows > 0 {
            continue;
        }
        on_it.push(index);
        let within = |start: u64| first - start..end - start;
        let (rows, columns) = (within(place.rows.start), within(place.columns.start));
        if Shape::new(end - first, end - first) != place.shape() {
            blocks[index] = builder.push(&place.site, SliceOp::Range { rows, columns }, vec![blocks[index].clone()])?;
        }
    }
    let parts = builder.per_site_of(&layout, on_it, AggregateOp::Trace, &[], &[blocks])?;
    Ok(builder.local(parts, Combine::Sum))
}

/// Each column at one site, or registers, which merge.
pub(super) fn distinct(op: Distinct, mut builder: Builder) -> Result<Plan> {
    let name = Op::Aggregate(AggregateOp::Distinct(op)).name();
    let layout = builder.only(name)?.clone();
    let combine = match op {
        Distinct::Registers { .. } => Combine::Max,
        Distinct::Count | Distinct::Values { .. } if layout.banded(Cut::Columns).is_some() => Combine::Only,
        Distinct::Count | Distinct::Values { .. } => {
            return Err(Error::plan(format!(
                "{name}: the same value may be at several sites, so that their counts do not add; nunique merges what \
                 they have"
            )));
        }
    };
    let parts = [parts_of(0, &layout)];
    let mut cells = Vec::new();
    for band in layout.bands(Cut::Columns) {
        cells.push(builder.per_site_of(&layout, band, AggregateOp::Distinct(op), &[], &parts)?);
    }
    Ok(builder.released(Gather::line(Cut::Columns, cells, combine)))
}

/// An aggregate down the rows of each site of a row cut by itself, one below the other in the order of the sites.
pub(crate) fn per_site(op: AggregateOp, x: &Arg) -> Result<Plan> {
    let name = Op::Aggregate(op).name();
    let mut builder = Builder::new(std::slice::from_ref(x));
    let layout = builder.only(name)?.clone();
    let rows = layout.viewed(Cut::Rows).ok_or_else(|| Error::plan(format!("{name}: it needs a row cut")))?;
    let parts: Vec<Input> = builder.per_site(&rows, op, &[], &[parts_of(0, &rows)])?;
    let cells = parts.into_iter().map(|part| vec![part]).collect();
    Ok(builder.released(Gather::line(Cut::Rows, cells, Combine::Only)))
}

#[cfg(test)]
mod tests {
    use super::super::super::{plan, testing::*};
    use super::*;

    fn planned(op: AggregateOp, args: &[Arg]) -> Result<Plan> {
        plan(&Op::Aggregate(op), args, None)
    }

    #[test]
    fn products_are_summed_at_the_sites() {
        let product = |axis| AggregateOp::SumProduct(SumProduct { factors: 3, axis });
        let x = rows(&[("a", 4), ("b", 2), ("a", 1)], 3);
        let args = [x.clone(), local(7, 1), local(1, 3)];
        let sums = planned(product(Axis::Columns), &args).unwrap();
        let expected = [
            "a sum_product(0.0 1[0..4,0..1] 2[0..1,0..3] 0.2 1[6..7,0..1] 2[0..1,0..3])",
            "b sum_product(0.1 1[4..6,0..1] 2[0..1,0..3])",
        ];
        assert_eq!((steps(&sums), combined(&sums)), (expected.map(str::to_owned).to_vec(), Combine::Sum));
        let z = columns(&[("a", 2), ("b", 1), ("a", 1)], 6);
        let args = [z.clone(), z.clone(), local(6, 1)];
        let sums = planned(product(Axis::Columns), &args).unwrap();
        assert_eq!((sums.steps.len(), gathered(&sums).across), (3, 3));
        let all = planned(product(Axis::All), &args).unwrap();
        let expected = [
            "a hstack(0.0 0.2)",
            "a hstack(1.0 1.2)",
            "a sum_product(%0 %1 2[0..6,0..1])",
            "b sum_product(0.1 1.1 2[0..6,0..1])",
        ];
        assert_eq!((steps(&all), combined(&all)), (expected.map(str::to_owned).to_vec(), Combine::Sum));
        assert!(planned(product(Axis::All), &[x.clone(), x, local(5, 1)]).is_err());
    }

    #[test]
    fn traces_are_of_blocks() {
        let trace = planned(AggregateOp::Trace, &[rows(&[("a", 4), ("b", 2), ("a", 1)], 7)]).unwrap();
        let expected = ["a slice(0.0)", "b slice(0.1)", "a slice(0.2)", "a trace(%0 %2)", "b trace(%1)"];
        assert_eq!((steps(&trace), combined(&trace)), (expected.map(str::to_owned).to_vec(), Combine::Sum));
        assert_eq!(trace.steps[1].shape, Shape::new(2, 2));
        assert!(planned(AggregateOp::Trace, &[columns(&[("a", 4), ("b", 2)], 6)]).is_ok());
        assert!(planned(AggregateOp::Trace, &[rows(&[("a", 4)], 3)]).is_err());
    }

    #[test]
    fn distinct_values_of_several_sites_do_not_add() {
        let x = rows(&[("a", 4), ("b", 2)], 3);
        let error = planned(AggregateOp::Distinct(Distinct::Count), std::slice::from_ref(&x)).unwrap_err().to_string();
        assert!(error.contains("nunique"), "{error}");
        let registers = AggregateOp::Distinct(Distinct::Registers { bits: 4 });
        assert_eq!(combined(&planned(registers, std::slice::from_ref(&x)).unwrap()), Combine::Max);
        let each = per_site(AggregateOp::Distinct(Distinct::Count), &x).unwrap();
        assert_eq!(steps(&each), ["a distinct(0.0)", "b distinct(0.1)"]);
        let there = rows(&[("a", 4), ("a", 2)], 3);
        assert_eq!(steps(&planned(AggregateOp::Distinct(Distinct::Count), &[there]).unwrap()), ["a distinct(0.0 0.1)"]);
    }
}
