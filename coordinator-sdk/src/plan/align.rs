//! Bringing an argument into the parts of a reference layout, without anything leaving its site.

use fondaco_proto::op::{ReorgOp, SliceOp};

use super::{Arg, Builder, Input, parts_of};
use crate::{
    Error, Result,
    layout::{Cut, Layout},
};

impl Builder<'_> {
    /// For each part of `reference`, the same rows (columns) of an argument at the same site. Federated arguments in
    /// other parts are realigned where every site holds the same rows of both.
    pub(super) fn along(&mut self, what: &str, arg: usize, reference: &Layout) -> Result<Vec<Input>> {
        let cut = reference.cut();
        let (have, need) = (cut.extent(self.args[arg].shape()), cut.extent(reference.shape()));
        if have != need {
            return Err(Error::plan(format!("{what}: {need} {cut}s are needed, but an operand has {have}")));
        }
        match &self.args[arg] {
            Arg::Local(shape) => {
                let region = |range: std::ops::Range<u64>| match cut {
                    Cut::Rows => Input::Region { arg, rows: range, columns: 0..shape.columns },
                    Cut::Columns => Input::Region { arg, rows: 0..shape.rows, columns: range },
                };
                Ok(reference.parts().iter().map(|part| region(part.range.clone())).collect())
            }
            Arg::Fed(layout) => match layout.viewed(cut) {
                Some(view) if view.same_parts(reference) => Ok(parts_of(arg, &view)),
                Some(view) => self.realign(what, arg, &view, reference),
                None => Err(Error::plan(format!(
                    "{what}: one operand is cut into {cut}s, another into {}s; both need the same cut",
                    layout.cut()
                ))),
            },
        }
    }

    /// For each part of `reference`, all of an argument: uploaded to each site, or there already.
    pub(super) fn whole(&self, what: &str, arg: usize, reference: &Layout) -> Result<Vec<Input>> {
        match &self.args[arg] {
            Arg::Local(shape) => {
                let region = Input::Region { arg, rows: 0..shape.rows, columns: 0..shape.columns };
                Ok(vec![region; reference.parts().len()])
            }
            Arg::Fed(layout) => {
                let elsewhere = |site: &std::sync::Arc<str>| reference.parts().iter().any(|part| part.site != *site);
                match layout.whole_at() {
                    Some(site) if !elsewhere(site) => Ok(vec![Input::Part { arg, part: 0 }; reference.parts().len()]),
                    _ => Err(Error::plan(format!(
                        "{what}: the operand of shape {} would have to move to other sites; fetch it, if its owners \
                         let it out, and pass the array",
                        layout.shape()
                    ))),
                }
            }
        }
    }

    /// Slices at the sites, put together in the parts of `reference`.
    fn realign(&mut self, what: &str, arg: usize, layout: &Layout, reference: &Layout) -> Result<Vec<Input>> {
        let cut = reference.cut();
        let across = layout.shape();
        let mut inputs = Vec::new();
        for part in reference.parts() {
            let mut pieces = Vec::new();
            for (index, other) in layout.parts().iter().enumerate() {
                let range = part.range.start.max(other.range.start)..part.range.end.min(other.range.end);
                if range.is_empty() {
                    continue;
                }
                if other.site != part.site {
                    return Err(Error::plan(format!(
                        "{what}: {cut} {} of one operand is at {}, of another at {}; both need the same {cut}s at the \
                         same sites",
                        range.start, part.site, other.site
                    )));
                }
                let piece = Input::Part { arg, part: index };
                if range == other.range {
                    pieces.push(piece);
                    continue;
                }
                let within = range.start - other.range.start..range.end - other.range.start;
                let slice = match cut {
                    Cut::Rows => SliceOp::Range { rows: within, columns: 0..across.columns },
                    Cut::Columns => SliceOp::Range { rows: 0..across.rows, columns: within },
                };
                pieces.push(self.push(&part.site, slice, vec![piece])?);
            }
            inputs.push(match (pieces.pop(), pieces.is_empty(), cut) {
                (Some(piece), true, _) => piece,
                (Some(piece), false, cut) => {
                    pieces.push(piece);
                    let stack = if cut == Cut::Rows { ReorgOp::Vstack } else { ReorgOp::Hstack };
                    self.push(&part.site, stack, pieces)?
                }
                // Both are empty along the cut, at different sites.
                (None, ..) => return Err(Error::plan(format!("{what}: the operands are empty, at different sites"))),
            });
        }
        Ok(inputs)
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
    fn rows_that_live_elsewhere_are_named() {
        let args = [rows(&[("a", 4), ("b", 2)], 3), rows(&[("a", 3), ("b", 3)], 3)];
        let error = plan(&add(), &args, None).unwrap_err().to_string();
        assert!(error.contains("row 3 of one operand is at a, of another at b"), "{error}");
        let args = [rows(&[("a", 2), ("b", 2)], 4), columns(&[("a", 2), ("b", 2)], 4)];
        let error = plan(&add(), &args, None).unwrap_err().to_string();
        assert!(error.contains("both need the same cut"), "{error}");
    }
}
