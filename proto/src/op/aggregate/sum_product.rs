//! Sums of products of two or three matrices, in one pass.

use super::{AggregateFunction, AggregateOp, Axis, no_axis, stacked};
use crate::{
    Canonical, Error, Result, Shape,
    op::{Binary, BinaryFunction, ElementwiseOp},
    unfused::{Chain, Origin, Unfused},
    wire,
};

/// `sum(X * Y)` or `sum(X * Y * Z)` over all or down the rows, with broadcasting within each part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SumProduct {
    /// 2 or 3.
    pub factors: u8,
    /// Over all, or down the rows.
    pub axis: Axis,
}

impl SumProduct {
    pub(super) fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let product = ElementwiseOp::Binary(Binary { function: BinaryFunction::Multiply, scalar: None });
        let products = inputs.chunks(self.factors.into());
        let products = products.map(|factors| product.shape(factors)).collect::<Result<Vec<_>>>()?;
        let columns = stacked("sum_product", &products)?.columns;
        Ok(Shape::new(1, if self.axis == Axis::All { 1 } else { columns }))
    }

    /// Products, then their sum.
    pub(super) fn unfused(&self, inputs: usize) -> Vec<Unfused> {
        let mut chain = Chain::default();
        let mut products = Vec::new();
        for first in (0..inputs).step_by(self.factors.into()) {
            let mut product = Origin::Input(first);
            for factor in first + 1..first + usize::from(self.factors) {
                let multiply = Binary { function: BinaryFunction::Multiply, scalar: None };
                product = chain.push(ElementwiseOp::Binary(multiply), [product, Origin::Input(factor)]);
            }
            products.push(product);
        }
        chain.push(AggregateOp::new(AggregateFunction::Sum, self.axis), products);
        chain.finish()
    }

    pub(super) fn write_canonical(&self, out: &mut Canonical) {
        out.tag(self.factors).code(self.axis.code());
    }
}

impl TryFrom<wire::SumProductOp> for SumProduct {
    type Error = Error;

    fn try_from(op: wire::SumProductOp) -> Result<Self> {
        let factors = match op.factors {
            2 => 2,
            3 => 3,
            other => return Err(Error::invalid(format!("sum_product takes 2 or 3 factors, not {other}"))),
        };
        match Axis::from_code(op.axis) {
            Some(axis @ (Axis::All | Axis::Columns)) => Ok(Self { factors, axis }),
            Some(Axis::Rows) | None => Err(no_axis("sum_product", "over all, or down the rows")),
        }
    }
}

impl From<SumProduct> for wire::SumProductOp {
    fn from(op: SumProduct) -> Self {
        Self { factors: op.factors.into(), axis: op.axis.code() }
    }
}
