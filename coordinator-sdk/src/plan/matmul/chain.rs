//! `X.T @ f(X @ v)` with columns of X at different sites: what each site gives of `X @ v` is added up at the coordinator,
//! and sent back to those that have a part of the same rows.

use fondaco_proto::op::{Binary, BinaryFunction, ElementwiseOp, MatmulOp};

use super::{
    super::{Builder, Input, Plan, Why, parts_of},
    USE_ROWS,
};
use crate::{
    Result,
    combine::Combine,
    gather::Gather,
    layout::{Cut, Layout},
};

/// v is argument 0, X is 1, and w or y is 2.
pub(super) fn over_blocks(op: MatmulOp, mut builder: Builder, layout: &Layout) -> Result<Plan> {
    let function = match op {
        MatmulOp::MmchainWeighted => Some(BinaryFunction::Multiply),
        MatmulOp::MmchainMinus => Some(BinaryFunction::Subtract),
        _plain => None,
    };
    let why = Why::new(op.name(), layout, USE_ROWS);
    builder.relaying = Some(why.clone());
    // For each part of X, at its site, the image of its rows.
    let mut images: Vec<Option<Input>> = vec![None; layout.parts().len()];
    for (band, rows) in layout.bands(Cut::Rows).into_iter().zip(layout.ranges(Cut::Rows)) {
        let image = image(&mut builder, &why, layout, &band)?;
        for (site, parts) in layout.by_site_of(band) {
            let mut here = image.clone();
            if let Some(function) = function {
                let beside = builder.region(op.name(), 2, &site, (rows.clone(), 0..1))?;
                let op = ElementwiseOp::Binary(Binary { function, scalar: None });
                here = builder.push(&site, op, vec![here, beside])?;
            }
            parts.into_iter().for_each(|part| images[part] = Some(here.clone()));
        }
    }
    let groups = [parts_of(1, layout), images.into_iter().flatten().collect()];
    let mut cells = Vec::new();
    for band in layout.bands(Cut::Columns) {
        cells.push(builder.per_site_of(layout, band, MatmulOp::Cross, &[], &groups)?);
    }
    Ok(builder.released(Gather::line(Cut::Rows, cells, Combine::Sum)))
}

/// `X @ v` of one row band: a sum over its sites, or at the one that has all of it.
fn image(builder: &mut Builder, why: &Why, layout: &Layout, band: &[usize]) -> Result<Input> {
    let rows = layout.parts()[band[0]].extent(Cut::Rows);
    let mut released = Vec::new();
    for (site, parts) in layout.by_site_of(band.iter().copied()) {
        let mut factors = Vec::new();
        for part in parts {
            let columns = layout.parts()[part].columns.clone();
            factors.extend([Input::Part { arg: 1, part }, builder.region("matmul", 0, &site, (columns, 0..1))?]);
        }
        released.push(builder.push(&site, MatmulOp::Product, factors)?);
    }
    if let [image] = &*released {
        return Ok(image.clone());
    }
    let arg = builder.relay(why.clone(), Gather::one(released, Combine::Sum));
    Ok(Input::Region { arg, rows: 0..rows, columns: 0..1 })
}

#[cfg(test)]
mod tests {
    use fondaco_proto::Op;

    use super::super::super::{Arg, plan, testing::*};
    use super::*;

    fn planned(op: MatmulOp, args: &[Arg]) -> Plan {
        plan(&Op::Matmul(op), args, None).unwrap()
    }

    #[test]
    fn images_are_added_up_and_sent_back() {
        let x = columns(&[("a", 1), ("b", 2), ("a", 3)], 4);
        let chain = planned(MatmulOp::Mmchain, &[local(6, 1), x.clone()]);
        let expected = [
            "a matmul(1.0 0[0..1,0..1] 1.2 0[3..6,0..1])",
            "b matmul(1.1 0[1..3,0..1])",
            "a cross(1.0 2[0..4,0..1])",
            "b cross(1.1 2[0..4,0..1])",
            "a cross(1.2 2[0..4,0..1])",
        ];
        assert_eq!((steps(&chain), relays(&chain)), (expected.map(str::to_owned).to_vec(), vec!["%0 %1".to_owned()]));
        // y is at b, and goes to a too.
        let minus = planned(MatmulOp::MmchainMinus, &[local(6, 1), x, rows(&[("b", 4)], 1)]);
        let expected = ["a subtract(3[0..4,0..1] 4[0..4,0..1])", "b subtract(3[0..4,0..1] 2.0)"];
        assert_eq!(
            (&steps(&minus)[2..4], relays(&minus)),
            (expected.map(str::to_owned).as_slice(), vec!["%0 %1".into(), "2.0".into()])
        );
    }

    #[test]
    fn rows_that_are_at_one_site_stay_there() {
        let x = grid(&[4, 2], &[1, 2], "a b b b");
        let chain = planned(MatmulOp::MmchainWeighted, &[local(3, 1), x, local(6, 1)]);
        assert_eq!(relays(&chain), ["%0 %1"]);
        let all = steps(&chain);
        assert_eq!(all[4], "b matmul(1.2 0[0..1,0..1] 1.3 0[1..3,0..1])");
        assert_eq!(all[5], "b multiply(%4 2[4..6,0..1])");
        assert_eq!(all[6..], ["a cross(1.0 %2)", "b cross(1.2 %5)", "b cross(1.1 %3 1.3 %5)"]);
    }
}
