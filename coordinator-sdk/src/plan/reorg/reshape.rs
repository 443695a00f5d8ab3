//! Cells in row-major order, cut into other rows: each site's by themselves, where the new rows begin where sites do.

use std::sync::Arc;

use fondaco_proto::{Shape, op::ReorgOp};

use super::{
    super::{Builder, Input, Plan, parts_of, refused},
    end_to_end,
};
use crate::{
    Error, Result,
    layout::{Cut, Layout},
};

/// Consecutive parts at one site.
struct Run {
    site: Arc<str>,
    parts: Vec<Input>,
    cells: u64,
}

pub(super) fn plan(shape: Shape, mut builder: Builder) -> Result<Plan> {
    let layout = builder.only("reshape")?.clone();
    if shape == layout.shape() {
        let parts = parts_of(0, &layout);
        return Ok(builder.fed(layout, parts));
    }
    // Of a matrix without cells, one part says it all.
    let single = if shape.cells()? == 0 { Some((layout.parts()[0].site.clone(), 0)) } else { None };
    let whole = match single {
        Some((site, part)) => Some((site, Input::Part { arg: 0, part })),
        None => builder.gathered(&layout)?,
    };
    if let Some((site, x)) = whole {
        let reshaped = builder.push(&site, ReorgOp::Reshape(shape), vec![x])?;
        return Ok(builder.fed(Layout::whole(site, shape), vec![reshaped]));
    }
    // Parts whose cells follow each other: whole rows, or pieces of the only one.
    let stack = if layout.shape().rows == 1 { Cut::Columns } else { Cut::Rows };
    let refusal = || refused("reshape", &layout, "reshape a row cut, or what is whole at one site");
    let pieces = layout.banded(stack).ok_or_else(refusal)?;
    let inputs = builder.blocks("reshape", 0, &pieces)?;
    let runs = |merged: bool| runs(&pieces, &inputs, merged);
    let fits = |runs: &[Run]| shape.rows == 1 || runs.iter().all(|run| run.cells.is_multiple_of(shape.columns));
    let runs = [runs(false), runs(true)].into_iter().find(|runs| fits(runs)).ok_or_else(|| {
        Error::plan(format!(
            "reshape: rows of {} cells would lie at two sites of {layout}; choose columns that divide the cells of each \
             site, or reshape what is whole at one site",
            shape.columns
        ))
    })?;
    let mut extents = Vec::new();
    let mut parts = Vec::new();
    let cut = if shape.rows == 1 { Cut::Columns } else { Cut::Rows };
    for run in runs {
        let new = if shape.rows == 1 {
            Shape::new(1, run.cells)
        } else {
            Shape::new(run.cells / shape.columns, shape.columns)
        };
        let Some(cells) = builder.stacked(&run.site, end_to_end(stack), run.parts)? else { continue };
        parts.push(builder.push(&run.site, ReorgOp::Reshape(new), vec![cells])?);
        extents.push((run.site, cut.extent(new)));
    }
    Ok(builder.fed(Layout::new(cut, extents, cut.other().extent(shape))?, parts))
}

/// The parts, or those that follow each other at one site together.
fn runs(layout: &Layout, inputs: &[Input], merged: bool) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (place, input) in layout.parts().iter().zip(inputs) {
        let cells = place.shape().rows * place.shape().columns;
        match runs.last_mut() {
            Some(run) if merged && run.site == place.site => {
                run.parts.push(input.clone());
                run.cells += cells;
            }
            _ => runs.push(Run { site: place.site.clone(), parts: vec![input.clone()], cells }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use fondaco_proto::Op;

    use super::super::super::{Arg, plan as plan_op, testing::*};
    use super::*;

    fn planned(shape: (u64, u64), arg: Arg) -> Result<Plan> {
        plan_op(&Op::Reorg(ReorgOp::Reshape(Shape::new(shape.0, shape.1))), &[arg], None)
    }

    fn extents(plan: &Plan) -> Vec<u64> {
        let cut = fed(plan).cut().unwrap();
        fed(plan).parts().iter().map(|part| part.extent(cut)).collect()
    }

    #[test]
    fn rows_that_end_where_sites_do() {
        let x = || rows(&[("a", 4), ("b", 2)], 6);
        let plan = planned((18, 2), x()).unwrap();
        assert_eq!(
            (steps(&plan), extents(&plan)),
            (vec!["a reshape(0.0)".into(), "b reshape(0.1)".into()], vec![12, 6])
        );
        assert_eq!(extents(&planned((3, 12), x()).unwrap()), [2, 1]);
        let error = planned((4, 9), x()).unwrap_err().to_string();
        assert!(error.contains("rows of 9 cells would lie at two sites"), "{error}");
        assert!(planned((5, 7), x()).unwrap_err().to_string().contains("another number of cells"));
        // Parts that do not divide, but do together.
        let plan = planned((2, 9), rows(&[("a", 1), ("a", 2), ("b", 3)], 3)).unwrap();
        assert_eq!(steps(&plan), ["a vstack(0.0 0.1)", "a reshape(%0)", "b reshape(0.2)"]);
    }

    #[test]
    fn one_row_is_cut_into_columns() {
        let plan = planned((1, 36), rows(&[("a", 4), ("b", 2)], 6)).unwrap();
        assert_eq!((fed(&plan).cut(), extents(&plan)), (Some(Cut::Columns), vec![24, 12]));
        let plan = planned((18, 2), columns(&[("a", 24), ("b", 12)], 1)).unwrap();
        assert_eq!((fed(&plan).cut(), extents(&plan)), (Some(Cut::Rows), vec![12, 6]));
    }

    #[test]
    fn row_bands_of_blocks_that_are_at_one_site() {
        let plan = planned((18, 2), grid(&[4, 2], &[5, 1], "a a b b")).unwrap();
        let expected = ["a hstack(0.0 0.1)", "b hstack(0.2 0.3)", "a reshape(%0)", "b reshape(%1)"];
        assert_eq!((steps(&plan), extents(&plan)), (expected.map(str::to_owned).to_vec(), vec![12, 6]));
        assert!(planned((18, 2), grid(&[4, 2], &[5, 1], "a b b b")).is_err());
    }

    #[test]
    fn what_is_at_one_site_takes_any_shape() {
        let plan = planned((3, 5), columns(&[("a", 1), ("a", 2)], 5)).unwrap();
        assert_eq!(steps(&plan), ["a hstack(0.0 0.1)", "a reshape(%0)"]);
        let error = planned((3, 5), columns(&[("a", 1), ("b", 2)], 5)).unwrap_err().to_string();
        assert!(error.contains("row-level"), "{error}");
        let plan = planned((0, 7), rows(&[("a", 2), ("b", 3)], 0)).unwrap();
        assert_eq!((steps(&plan), fed(&plan).shape()), (vec!["a reshape(0.0)".into()], Shape::new(0, 7)));
        assert!(planned((3, 5), rows(&[("a", 3), ("b", 2)], 3)).is_err());
        assert!(planned((5, 3), rows(&[("a", 3), ("b", 2)], 3)).unwrap().steps.is_empty());
    }
}
