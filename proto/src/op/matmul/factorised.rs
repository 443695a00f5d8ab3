//! Operators of X and the product of two thin factors, R = U @ V.T, as matrix factorisations need them: `(n, m)`,
//! `(n, k)` and `(m, k)`.

use super::MatmulOp;
use crate::{
    Canonical, Error, Result, Shape,
    op::{
        AggregateFunction, AggregateOp, Arity, Axis, Binary, BinaryFunction, ElementwiseOp, ReorgOp, Scalar, Unary,
        unknown,
    },
    unfused::{Chain, Origin, Unfused},
    vocabulary::vocabulary,
    wire,
};

/// An operator of X and R = U @ V.T. Inputs are V, then X and U and, where there are weights, W; what sums over rows
/// takes any number of row parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Factorised {
    /// `sum((X - R)**2)`, weighted.
    Loss(LossWeights),
    /// `X * f(R)` with a function of cells.
    Times(Unary),
    /// `(X / R) @ V`: `(n, k)`.
    Divided,
    /// `(X / R).T @ U`: `(m, k)`.
    DividedLeft,
    /// `sum(X * log(R + epsilon))`.
    CrossEntropy {
        /// Added to R, so that there is a logarithm.
        epsilon: f64,
    },
}

vocabulary! {
    /// By what squared errors are multiplied.
    LossWeights from wire::LossWeights {
        None = "1",
        Nonzero = "X != 0",
        Given = "W",
    }
}

impl Factorised {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Loss(_) => "factorised_loss",
            Self::Times(_) => "factorised_times",
            Self::Divided => "factorised_divided",
            Self::DividedLeft => "factorised_divided_left",
            Self::CrossEntropy { .. } => "factorised_cross_entropy",
        }
    }

    /// Inputs per part.
    fn group(self) -> usize {
        if self == Self::Loss(LossWeights::Given) { 3 } else { 2 }
    }

    /// Whether it sums over rows, so that several parts make one result.
    pub const fn sums_rows(self) -> bool {
        matches!(self, Self::Loss(_) | Self::DividedLeft | Self::CrossEntropy { .. })
    }

    pub(super) fn arity(self) -> Arity {
        if self.sums_rows() { Arity::Groups { fixed: 1, group: self.group() } } else { Arity::Exactly(3) }
    }

    pub(super) fn shape(self, inputs: &[Shape]) -> Result<Shape> {
        let v = inputs[0];
        for part in inputs[1..].chunks(self.group()) {
            let (x, u) = (part[0], part[1]);
            let fits = x.rows == u.rows && x.columns == v.rows && u.columns == v.columns;
            if !fits || part.get(2).is_some_and(|w| *w != x) {
                let w = part.get(2).map(|w| format!(", W is {w}")).unwrap_or_default();
                return Err(Error::invalid(format!(
                    "{}: X, and W, must be (n, m), U (n, k) and V (m, k), but X is {x}, U is {u}, V is {v}{w}",
                    self.name()
                )));
            }
        }
        let x = inputs[1];
        Ok(match self {
            Self::Loss(_) | Self::CrossEntropy { .. } => Shape::new(1, 1),
            Self::Times(_) => x,
            Self::Divided => Shape::new(x.rows, v.columns),
            Self::DividedLeft => v,
        })
    }

    /// With R built.
    pub(super) fn unfused(self, inputs: usize) -> Vec<Unfused> {
        let mut chain = Chain::default();
        let turned = chain.push(ReorgOp::Transpose, [Origin::Input(0)]);
        let mut summed = Vec::new();
        for first in (1..inputs).step_by(self.group()) {
            let (x, u) = (Origin::Input(first), Origin::Input(first + 1));
            let r = chain.push(MatmulOp::Product, [u, turned]);
            match self {
                Self::Loss(weights) => summed.push(error(&mut chain, weights, x, r, Origin::Input(first + 2))),
                Self::Times(f) => {
                    let f = chain.push(ElementwiseOp::Unary(f), [r]);
                    chain.push(binary(BinaryFunction::Multiply), [x, f]);
                }
                Self::Divided => {
                    let quotient = chain.push(binary(BinaryFunction::Divide), [x, r]);
                    chain.push(MatmulOp::Product, [quotient, Origin::Input(0)]);
                }
                Self::DividedLeft => summed.extend([chain.push(binary(BinaryFunction::Divide), [x, r]), u]),
                Self::CrossEntropy { epsilon } => {
                    let shifted = chain.push(with(BinaryFunction::Add, epsilon), [r]);
                    let log = chain.push(ElementwiseOp::Unary(Unary::Log), [shifted]);
                    summed.push(chain.push(binary(BinaryFunction::Multiply), [x, log]));
                }
            }
        }
        match self {
            Self::Loss(_) | Self::CrossEntropy { .. } => {
                chain.push(AggregateOp::new(AggregateFunction::Sum, Axis::All), summed);
            }
            Self::DividedLeft => {
                chain.push(MatmulOp::Cross, summed);
            }
            Self::Times(_) | Self::Divided => {}
        }
        chain.finish()
    }

    pub(super) fn write_canonical(self, out: &mut Canonical) {
        match self {
            Self::Loss(weights) => out.tag(1).code(weights.code()),
            Self::Times(f) => out.tag(2).code(f.code()),
            Self::Divided => out.tag(3),
            Self::DividedLeft => out.tag(4),
            Self::CrossEntropy { epsilon } => out.tag(5).f64(epsilon),
        };
    }
}

/// The weighted squares of what is left of X without R.
fn error(chain: &mut Chain, weights: LossWeights, x: Origin, r: Origin, w: Origin) -> Origin {
    let rest = chain.push(binary(BinaryFunction::Subtract), [x, r]);
    let squares = chain.push(binary(BinaryFunction::Multiply), [rest, rest]);
    let weights = match weights {
        LossWeights::None => return squares,
        LossWeights::Nonzero => chain.push(with(BinaryFunction::NotEqual, 0.0), [x]),
        LossWeights::Given => w,
    };
    chain.push(binary(BinaryFunction::Multiply), [weights, squares])
}

fn binary(function: BinaryFunction) -> ElementwiseOp {
    ElementwiseOp::Binary(Binary { function, scalar: None })
}

fn with(function: BinaryFunction, number: f64) -> ElementwiseOp {
    ElementwiseOp::Binary(Binary { function, scalar: Some(Scalar::Right(number)) })
}

impl TryFrom<wire::FactorisedOp> for Factorised {
    type Error = Error;

    fn try_from(op: wire::FactorisedOp) -> Result<Self> {
        use wire::factorised_op::Op;
        Ok(match op.op.ok_or_else(|| unknown("factorised"))? {
            Op::Loss(loss) => {
                Self::Loss(LossWeights::from_code(loss.weights).ok_or_else(|| unknown("factorised_loss"))?)
            }
            Op::Times(times) => match Unary::from_code(times.function).ok_or_else(|| unknown("unary"))? {
                f @ (Unary::Softmax | Unary::LogSoftmax) => {
                    let message = format!("factorised_times: {} is no function of cells", f.name());
                    return Err(Error::invalid(message));
                }
                f => Self::Times(f),
            },
            Op::Divided(_) => Self::Divided,
            Op::DividedLeft(_) => Self::DividedLeft,
            Op::CrossEntropy(op) => Self::CrossEntropy { epsilon: op.epsilon },
        })
    }
}

impl From<Factorised> for wire::FactorisedOp {
    fn from(op: Factorised) -> Self {
        use wire::factorised_op::{CrossEntropy, Divided, DividedLeft, Loss, Op, Times};
        let op = match op {
            Factorised::Loss(weights) => Op::Loss(Loss { weights: weights.code() }),
            Factorised::Times(f) => Op::Times(Times { function: f.code() }),
            Factorised::Divided => Op::Divided(Divided {}),
            Factorised::DividedLeft => Op::DividedLeft(DividedLeft {}),
            Factorised::CrossEntropy { epsilon } => Op::CrossEntropy(CrossEntropy { epsilon }),
        };
        Self { op: Some(op) }
    }
}
