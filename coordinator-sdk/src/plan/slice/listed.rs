//! Rows or columns in any order: runs of them within one part become one part each.

use fondaco_proto::{Op, op::SliceOp};

use super::super::{Builder, Input, Plan, reorg::end_to_end};
use crate::{
    Result,
    layout::{Cut, Layout},
};

/// Indices that one instruction carries; a longer list is put together at the site.
const LIST_MAX: usize = 1 << 18;

/// `X[indices, :]` or, of columns, `X[:, indices]`.
pub(super) fn plan(cut: Cut, indices: &[u64], layout: &Layout, mut builder: Builder) -> Result<Plan> {
    Op::Slice(list(cut, indices.to_vec())).shape(&[layout.shape()])?;
    let ranges = layout.ranges(cut);
    let mut runs: Vec<(usize, Vec<u64>)> = Vec::new();
    for &index in indices {
        let band = ranges.partition_point(|range| range.end <= index);
        let within = index - ranges[band].start;
        match runs.last_mut() {
            Some((last, run)) if *last == band => run.push(within),
            _ => runs.push((band, vec![within])),
        }
    }
    if runs.is_empty() {
        runs.push((0, Vec::new()));
    }
    // Runs along the axis, with all bands across it; row after row of blocks.
    let (bands, across) = (layout.bands(cut), layout.ranges(cut.other()));
    let (rows, columns) = cut.order(runs.len(), across.len());
    let (mut sites, mut inputs) = (Vec::new(), Vec::new());
    for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
        let (run, other) = cut.order(i, j);
        let (band, indices) = &runs[run];
        let part = bands[*band][other];
        inputs.push(builder.taken(cut, layout, part, indices)?);
        sites.push(layout.parts()[part].site.clone());
    }
    let along: Vec<u64> = runs.iter().map(|(_, run)| run.len() as u64).collect();
    let (heights, widths) = cut.order(along, across.into_iter().map(|range| range.end - range.start).collect());
    Ok(builder.fed(Layout::grid(heights, widths, sites)?, inputs))
}

fn list(cut: Cut, indices: Vec<u64>) -> SliceOp {
    if cut == Cut::Rows { SliceOp::Rows(indices) } else { SliceOp::Columns(indices) }
}

impl Builder {
    /// Rows (columns) of one part of the first argument.
    fn taken(&mut self, cut: Cut, layout: &Layout, part: usize, indices: &[u64]) -> Result<Input> {
        let (site, input) = (layout.parts()[part].site.clone(), Input::Part { arg: 0, part });
        if indices.len() <= LIST_MAX {
            return self.push(&site, list(cut, indices.to_vec()), vec![input]);
        }
        let mut pieces = Vec::new();
        for piece in indices.chunks(LIST_MAX) {
            pieces.push(self.push(&site, list(cut, piece.to_vec()), vec![input.clone()])?);
        }
        self.push(&site, end_to_end(cut), pieces)
    }
}

#[cfg(test)]
mod tests {
    use fondaco_proto::Shape;

    use super::super::super::{Arg, plan as plan_op, testing::*};
    use super::*;

    fn planned(op: SliceOp, arg: Arg) -> Result<Plan> {
        plan_op(&Op::Slice(op), &[arg], None)
    }

    #[test]
    fn columns_in_any_order() {
        let x = columns(&[("a", 4), ("b", 2)], 3);
        let plan = planned(SliceOp::Columns(vec![5, 0, 3, 4]), x).unwrap();
        assert_eq!(steps(&plan), ["b slice_columns(0.1)", "a slice_columns(0.0)", "b slice_columns(0.1)"]);
        assert_eq!(fed(&plan).shape(), Shape::new(3, 4));
        let x = rows(&[("a", 4), ("b", 2)], 3);
        assert_eq!(fed(&planned(SliceOp::Columns(vec![2, 2]), x).unwrap()).shape(), Shape::new(6, 2));
    }

    #[test]
    fn rows_and_columns_of_blocks() {
        let x = || grid(&[4, 2], &[2, 1], "a b c d");
        let plan = planned(SliceOp::Columns(vec![2, 0, 1]), x()).unwrap();
        let expected = ["b slice_columns(0.1)", "a slice_columns(0.0)", "d slice_columns(0.3)", "c slice_columns(0.2)"];
        assert_eq!((steps(&plan), fed(&plan).shape()), (expected.map(str::to_owned).to_vec(), Shape::new(6, 3)));
        let plan = planned(SliceOp::Rows(vec![5, 0]), x()).unwrap();
        assert_eq!(steps(&plan), ["c take(0.2)", "d take(0.3)", "a take(0.0)", "b take(0.1)"]);
        assert_eq!((fed(&plan).shape(), fed(&plan).part_shape(2)), (Shape::new(2, 3), Shape::new(1, 2)));
    }

    #[test]
    fn rows_in_any_order() {
        let x = || rows(&[("a", 4), ("b", 2)], 3);
        let plan = planned(SliceOp::Rows(vec![0, 3, 3, 5, 1]), x()).unwrap();
        assert_eq!(steps(&plan), ["a take(0.0)", "b take(0.1)", "a take(0.0)"]);
        let Op::Slice(SliceOp::Rows(within)) = &plan.steps[1].op else { panic!("no take") };
        assert_eq!((within.as_slice(), fed(&plan).shape()), ([1].as_slice(), Shape::new(5, 3)));
        let error = planned(SliceOp::Rows(vec![0, 6]), x()).unwrap_err().to_string();
        assert!(error.contains("there is no row 6 in (6, 3)"), "{error}");
        let none = planned(SliceOp::Rows(vec![]), x()).unwrap();
        assert_eq!((none.steps.len(), fed(&none).shape()), (1, Shape::new(0, 3)));
        let plan = planned(SliceOp::Rows(vec![2, 0]), columns(&[("a", 4), ("b", 2)], 3)).unwrap();
        assert_eq!((steps(&plan).len(), fed(&plan).shape()), (2, Shape::new(2, 6)));
    }

    #[test]
    fn long_lists_go_in_pieces() {
        let x = rows(&[("a", 4), ("b", 2)], 3);
        let plan = planned(SliceOp::Rows(vec![1; LIST_MAX + 1]), x).unwrap();
        assert_eq!(steps(&plan), ["a take(0.0)", "a take(0.0)", "a vstack(%0 %1)"]);
        assert_eq!(fed(&plan).shape(), Shape::new(LIST_MAX as u64 + 1, 3));
    }
}
