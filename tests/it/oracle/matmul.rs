//! Products, by exact sums.

mod factorised;

use fondaco_proto::op::MatmulOp;
use ndarray::{Array2, Zip};

use super::{Expected, reorg::stack, wide::Wide};

/// What products of tiny numbers lose.
const LEAST: f64 = 1e-318;

/// A matrix three times: in plain doubles, exactly, and by the size of its terms.
struct Terms {
    plain: Array2<f64>,
    wide: Array2<Wide>,
    size: Array2<f64>,
}

impl Terms {
    fn of(x: &Array2<f64>) -> Self {
        Self { plain: x.clone(), wide: x.mapv(Wide::from), size: x.mapv(f64::abs) }
    }

    fn transposed(self) -> Self {
        Self { plain: self.plain.reversed_axes(), wide: self.wide.reversed_axes(), size: self.size.reversed_axes() }
    }

    fn dot(&self, other: &Self) -> Self {
        let shape = (self.plain.nrows(), other.plain.ncols());
        let along = 0..self.plain.ncols();
        Self {
            plain: Array2::from_shape_fn(shape, |(i, j)| {
                along.clone().map(|k| self.plain[[i, k]] * other.plain[[k, j]]).sum()
            }),
            wide: Array2::from_shape_fn(shape, |(i, j)| {
                Wide::sum(along.clone().map(|k| self.wide[[i, k]].times(other.wide[[k, j]])))
            }),
            size: Array2::from_shape_fn(shape, |(i, j)| {
                along.clone().map(|k| self.size[[i, k]] * other.size[[k, j]]).sum()
            }),
        }
    }

    fn times(&self, other: &Self) -> Self {
        let wide = Zip::from(&self.wide).and(&other.wide).map_collect(|a, b| a.times(*b));
        Self { plain: &self.plain * &other.plain, wide, size: &self.size * &other.size }
    }

    fn minus(&self, other: &Self) -> Self {
        let wide = Zip::from(&self.wide).and(&other.wide).map_collect(|a, b| a.minus(*b));
        Self { plain: &self.plain - &other.plain, wide, size: &self.size + &other.size }
    }
}

/// Groups of inputs are row parts of X (of `A @ X`, column parts of A), and of what stands beside it.
pub fn expected(op: MatmulOp, inputs: &[&Array2<f64>]) -> Expected {
    if let MatmulOp::Factorised(op) = op {
        return factorised::expected(op, inputs);
    }
    let every = |first: usize| inputs.iter().skip(first).step_by(2).copied().collect::<Vec<_>>();
    let side_by_side = |parts: Vec<&Array2<f64>>| {
        let turned: Vec<Array2<f64>> = parts.iter().map(|part| part.t().to_owned()).collect();
        stack(&turned.iter().collect::<Vec<_>>()).reversed_axes()
    };
    let terms = |parts: Vec<&Array2<f64>>| Terms::of(&stack(&parts));
    let turned = |parts: Vec<&Array2<f64>>| Terms::of(&stack(&parts)).transposed();
    let result = match op {
        MatmulOp::Product => Terms::of(&side_by_side(every(0))).dot(&terms(every(1))),
        // Above.
        MatmulOp::Factorised(_) => Terms::of(&Array2::zeros((0, 0))),
        MatmulOp::Gram => turned(inputs.to_vec()).dot(&terms(inputs.to_vec())),
        MatmulOp::Cross => turned(every(0)).dot(&terms(every(1))),
        MatmulOp::Mmchain => {
            let inner = terms(inputs[1..].to_vec()).dot(&Terms::of(inputs[0]));
            turned(inputs[1..].to_vec()).dot(&inner)
        }
        MatmulOp::MmchainWeighted => {
            let inner = terms(every(2)).times(&terms(every(1)).dot(&Terms::of(inputs[0])));
            turned(every(1)).dot(&inner)
        }
        MatmulOp::MmchainMinus => {
            let inner = terms(every(1)).dot(&Terms::of(inputs[0])).minus(&terms(every(2)));
            turned(every(1)).dot(&inner)
        }
    };
    let value = Zip::from(&result.wide).and(&result.plain).map_collect(|wide, plain| wide.value_or(*plain));
    Expected::sums(inputs, value, &result.size, LEAST)
}
