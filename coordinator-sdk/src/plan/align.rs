//! Bringing an argument to where it is needed, without anything leaving its site; or, where an operator says so, by a
//! relay.

use std::{ops::Range, sync::Arc};

use fondaco_proto::{
    Shape,
    op::{CreateOp, Fill, ReorgOp, SliceOp},
};

use super::{Arg, Builder, Input};
use crate::{
    Error, Result,
    combine::Combine,
    gather::Gather,
    layout::{Cut, Layout, Part},
};

use super::Why;

impl Builder {
    /// The bands of a federated argument as a row cut (column cut). A band that is at several sites is relayed to the one
    /// that has most of it, from now on.
    pub(super) fn banded(&mut self, cut: Cut, layout: &Layout, why: Why) -> Layout {
        layout.banded(cut).unwrap_or_else(|| {
            self.relaying = Some(why);
            layout.collected(cut)
        })
    }

    /// For each part of a row cut `reference` the same rows of an argument at the same site; of a column cut, the same
    /// columns. Federated arguments in other parts are realigned where every site holds the same rows of both.
    pub(super) fn along(&mut self, what: &str, arg: usize, reference: &Layout) -> Result<Vec<Input>> {
        self.along_cut(what, arg, reference.cut().unwrap_or(Cut::Rows), reference)
    }

    /// As [`Builder::along`], for what may be both cuts.
    pub(super) fn along_cut(&mut self, what: &str, arg: usize, cut: Cut, reference: &Layout) -> Result<Vec<Input>> {
        let shape = self.args[arg].shape();
        let (have, need) = (cut.extent(shape), cut.extent(reference.shape()));
        if have != need {
            return Err(Error::plan(format!("{what}: {need} {cut}s are needed, but an operand has {have}")));
        }
        self.blocks(what, arg, &reference.with_across(cut, cut.other().extent(shape)))
    }

    /// For each part of `reference`, all of an argument: uploaded to each site, or there already.
    pub(super) fn whole(&mut self, what: &str, arg: usize, reference: &Layout) -> Result<Vec<Input>> {
        let shape = self.args[arg].shape();
        let sites = reference.parts().iter().map(|part| &part.site);
        sites.map(|site| self.region(what, arg, site, (0..shape.rows, 0..shape.columns))).collect()
    }

    /// An argument in the parts of a layout of its shape.
    pub(super) fn blocks(&mut self, what: &str, arg: usize, layout: &Layout) -> Result<Vec<Input>> {
        let region = |part: &Part| (part.rows.clone(), part.columns.clone());
        layout.parts().iter().map(|part| self.region(what, arg, &part.site, region(part))).collect()
    }

    /// The cells `[rows, columns]` of an argument at a site: sent there; or put together from what is there.
    pub(super) fn region(
        &mut self,
        what: &str,
        arg: usize,
        site: &Arc<str>,
        (rows, columns): (Range<u64>, Range<u64>),
    ) -> Result<Input> {
        let layout = match &self.args[arg] {
            Arg::Local(_) => return Ok(Input::Region { arg, rows, columns }),
            Arg::Fed(layout) => layout.clone(),
        };
        let same = |part: &Part| part.site == *site && part.rows == rows && part.columns == columns;
        if let Some(part) = layout.parts().iter().position(same) {
            return Ok(Input::Part { arg, part });
        }
        let mut bands = Vec::new();
        for band in layout.bands(Cut::Rows) {
            let mut pieces = Vec::new();
            for index in band {
                let part = &layout.parts()[index];
                let (Some(down), Some(right)) = (within(&part.rows, &rows), within(&part.columns, &columns)) else {
                    continue;
                };
                if part.site != *site && self.relaying.is_none() {
                    return Err(elsewhere(what, &layout, part, site, (&rows, &columns)));
                }
                let shape = Shape::new(down.end - down.start, right.end - right.start);
                let mut piece = Input::Part { arg, part: index };
                if shape != part.shape() {
                    piece = self.push(&part.site, SliceOp::Range { rows: down, columns: right }, vec![piece])?;
                }
                if part.site != *site
                    && let Some(why) = self.relaying.clone()
                {
                    let arg = self.relay(why, Gather::one(vec![piece], Combine::Only));
                    piece = Input::Region { arg, rows: 0..shape.rows, columns: 0..shape.columns };
                }
                pieces.push(piece);
            }
            bands.extend(self.stacked(site, ReorgOp::Hstack, pieces)?);
        }
        match self.stacked(site, ReorgOp::Vstack, bands)? {
            Some(region) => Ok(region),
            // Of no cells nothing has to be there.
            None => {
                let shape = Shape::new(rows.end - rows.start, columns.end - columns.start);
                self.push(site, CreateOp::Fill(Fill { shape, value: 0.0 }), Vec::new())
            }
        }
    }

    /// Pieces put together; `None` if there are none.
    pub(super) fn stacked(&mut self, site: &Arc<str>, op: ReorgOp, mut pieces: Vec<Input>) -> Result<Option<Input>> {
        match pieces.len() {
            0 | 1 => Ok(pieces.pop()),
            _ => self.push(site, op, pieces).map(Some),
        }
    }
}

/// Which of the rows (columns) of a part, counted from its first, lie in a range; `None` if there are none.
fn within(part: &Range<u64>, range: &Range<u64>) -> Option<Range<u64>> {
    let both = part.start.max(range.start)..part.end.min(range.end);
    (!both.is_empty()).then(|| both.start - part.start..both.end - part.start)
}

/// The refusal to move a part of an argument to the site that needs it.
fn elsewhere(what: &str, layout: &Layout, part: &Part, site: &Arc<str>, of: (&Range<u64>, &Range<u64>)) -> Error {
    let there = &part.site;
    let shape = layout.shape();
    if layout.whole_at().is_some() && (of.0, of.1) == (&(0..shape.rows), &(0..shape.columns)) {
        return Error::plan(format!(
            "{what}: the operand of shape {} would have to move to other sites; fetch it, if its owners let it out, and \
             pass the array",
            shape
        ));
    }
    let (row, column) = (part.rows.start.max(of.0.start), part.columns.start.max(of.1.start));
    let all = |cut: Cut, range: &Range<u64>| part.along(cut).start <= range.start && range.end <= part.along(cut).end;
    match (all(Cut::Rows, of.0), all(Cut::Columns, of.1)) {
        (_, true) => Error::plan(format!(
            "{what}: row {row} of one operand is at {site}, of another at {there}; both need the same rows at the same sites"
        )),
        (true, false) => Error::plan(format!(
            "{what}: column {column} of one operand is at {site}, of another at {there}; both need the same columns at \
             the same sites"
        )),
        (false, false) => Error::plan(format!(
            "{what}: cell ({row}, {column}) of one operand is at {site}, of another at {there}; both need the same cells \
             at the same sites"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{plan, testing::*};
    use fondaco_proto::{
        Op,
        op::{Binary, BinaryFunction, ElementwiseOp},
    };

    fn add() -> Op {
        Op::Elementwise(ElementwiseOp::Binary(Binary { function: BinaryFunction::Add, scalar: None }))
    }

    #[test]
    fn the_same_rows_in_other_parts_are_realigned_at_the_site() {
        let args = [rows(&[("a", 4), ("b", 2)], 3), rows(&[("a", 1), ("a", 3), ("b", 2)], 3)];
        assert_eq!(
            steps(&plan(&add(), &args, None).unwrap()),
            ["a vstack(1.0 1.1)", "a add(0.0 %0)", "b add(0.1 1.2)"]
        );
        let args = [rows(&[("a", 1), ("a", 3)], 3), rows(&[("a", 4)], 3)];
        assert_eq!(
            steps(&plan(&add(), &args, None).unwrap()),
            ["a slice(1.0)", "a slice(1.0)", "a add(0.0 %0)", "a add(0.1 %1)"]
        );
    }

    #[test]
    fn the_same_cells_in_other_blocks_are_realigned_at_the_site() {
        let args = [grid(&[2, 4], &[2, 1], "a a b a"), grid(&[2, 3, 1], &[1, 1, 1], "a a a b b a b b a")];
        let expected = [
            "a hstack(1.0 1.1)",
            "b hstack(1.3 1.4)",
            "b hstack(1.6 1.7)",
            "b vstack(%1 %2)",
            "a vstack(1.5 1.8)",
            "a add(0.0 %0)",
            "a add(0.1 1.2)",
            "b add(0.2 %3)",
            "a add(0.3 %4)",
        ];
        assert_eq!(steps(&plan(&add(), &args, None).unwrap()), expected);
    }

    #[test]
    fn what_lives_elsewhere_is_named() {
        let refused = |x, y| plan(&add(), &[x, y], None).unwrap_err().to_string();
        let error = refused(rows(&[("a", 4), ("b", 2)], 3), rows(&[("a", 3), ("b", 3)], 3));
        assert!(error.contains("row 3 of one operand is at a, of another at b"), "{error}");
        let error = refused(columns(&[("a", 4), ("b", 2)], 3), columns(&[("a", 3), ("b", 3)], 3));
        assert!(error.contains("column 3 of one operand is at a, of another at b"), "{error}");
        let error = refused(rows(&[("a", 2), ("b", 2)], 4), columns(&[("a", 2), ("b", 2)], 4));
        assert!(error.contains("column 2 of one operand is at a, of another at b"), "{error}");
        let error = refused(grid(&[2, 2], &[2, 2], "a b a b"), grid(&[1, 3], &[3, 1], "a b a a"));
        assert!(error.contains("cell (0, 2) of one operand is at b, of another at a"), "{error}");
    }
}
