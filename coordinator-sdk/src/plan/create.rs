//! `fill` and `rand` on a layout: each part is a region of the whole, so that numbers do not depend on the layout.

use fondaco_proto::{
    Op,
    op::{CreateOp, Fill, Rand, Sample, Seq},
};

use super::{Builder, Plan};
use crate::{Error, Result, layout::Layout};

/// `op` describes the whole, of the layout's shape.
pub(super) fn plan(op: &CreateOp, onto: Option<&Layout>, mut builder: Builder) -> Result<Plan> {
    let layout = onto.ok_or_else(|| Error::plan("what is created needs a layout"))?;
    Op::Create(op.clone()).shape(&[])?;
    let mut parts = Vec::new();
    for part in layout.parts() {
        let shape = part.shape();
        let region = match op {
            CreateOp::Fill(fill) => CreateOp::Fill(Fill { shape, value: fill.value }),
            CreateOp::Rand(rand) => CreateOp::Rand(Rand {
                shape,
                row_offset: rand.row_offset + part.rows.start,
                column_offset: rand.column_offset + part.columns.start,
                ..*rand
            }),
            CreateOp::Seq(seq) => CreateOp::Seq(Seq {
                shape,
                row_offset: seq.row_offset + part.rows.start,
                column_offset: seq.column_offset + part.columns.start,
                ..*seq
            }),
            CreateOp::Sample(sample) => CreateOp::Sample(Sample {
                shape,
                row_offset: sample.row_offset + part.rows.start,
                column_offset: sample.column_offset + part.columns.start,
                ..*sample
            }),
            CreateOp::Read(_) => return Err(Error::plan("read binds what a site has, at its extent")),
            CreateOp::Put(_) => return Err(Error::plan("a local array is put by scatter")),
        };
        parts.push(builder.push(&part.site, region, vec![])?);
    }
    Ok(builder.fed(layout.clone(), parts))
}

#[cfg(test)]
mod tests {
    use fondaco_proto::{Shape, op::Distribution};

    use super::super::{plan, testing::*};
    use super::*;

    #[test]
    fn random_parts_are_regions_of_the_whole() {
        let rand = Rand {
            shape: Shape::new(5, 2),
            seed: 7,
            row_offset: 10,
            column_offset: 0,
            density: 1.0,
            distribution: Distribution::Uniform { low: 0.0, high: 1.0 },
        };
        let layout = Layout::rows([("a", 2), ("b", 3)], 2).unwrap();
        let plan = plan(&Op::Create(CreateOp::Rand(rand)), &[], Some(&layout)).unwrap();
        assert_eq!(steps(&plan), ["a rand()", "b rand()"]);
        let Op::Create(CreateOp::Rand(second)) = &plan.steps[1].op else { panic!("no rand") };
        assert_eq!((second.shape, second.row_offset), (Shape::new(3, 2), 12));
        assert_eq!(*fed(&plan), layout);
        let grid = Layout::grid([2, 3], [1, 1], ["a", "b", "b", "a"]).unwrap();
        let plan = super::super::plan(&Op::Create(CreateOp::Rand(rand)), &[], Some(&grid)).unwrap();
        let Op::Create(CreateOp::Rand(last)) = &plan.steps[3].op else { panic!("no rand") };
        assert_eq!((last.shape, last.row_offset, last.column_offset), (Shape::new(3, 1), 12, 1));
    }
}
