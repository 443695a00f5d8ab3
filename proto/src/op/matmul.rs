//! Products. Those that sum over rows take any number of row parts, one group of inputs per part.

mod factorised;

pub use factorised::{Factorised, LossWeights};

use crate::{
    Axes, Canonical, Effect, Error, Facet, Measure, Result, Selection, Shape,
    op::{Arity, unknown},
    unfused::{self, Unfused},
    wire::{self, MatmulKind},
};

/// A product. `X` is `(n, d)`; parts `X_1, X_2, ..` are row parts of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MatmulOp {
    /// `X @ Y`.
    Product,
    /// `X.T @ X`.
    Gram,
    /// `X.T @ Y`.
    Cross,
    /// `X.T @ (X @ v)`.
    Mmchain,
    /// `X.T @ (w * (X @ v))`.
    MmchainWeighted,
    /// `X.T @ ((X @ v) - y)`.
    MmchainMinus,
    /// Of X and the product of two thin factors, which is never built.
    Factorised(Factorised),
}

impl MatmulOp {
    /// Every member without parameters, in the order of their codes.
    pub const ALL: &'static [Self] =
        &[Self::Product, Self::Gram, Self::Cross, Self::Mmchain, Self::MmchainWeighted, Self::MmchainMinus];

    /// The name that users see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Product => "matmul",
            Self::Gram => "gram",
            Self::Cross => "cross",
            Self::Mmchain => "mmchain",
            Self::MmchainWeighted => "mmchain_weighted",
            Self::MmchainMinus => "mmchain_minus",
            Self::Factorised(op) => op.name(),
        }
    }

    /// The code on the wire; unspecified for what has a message of its own.
    fn kind(self) -> MatmulKind {
        match self {
            Self::Product => MatmulKind::Product,
            Self::Gram => MatmulKind::Gram,
            Self::Cross => MatmulKind::Cross,
            Self::Mmchain => MatmulKind::Mmchain,
            Self::MmchainWeighted => MatmulKind::MmchainWeighted,
            Self::MmchainMinus => MatmulKind::MmchainMinus,
            Self::Factorised(_) => MatmulKind::Unspecified,
        }
    }

    pub(super) fn arity(self) -> Arity {
        let (fixed, group) = match self {
            Self::Factorised(op) => return op.arity(),
            Self::Product | Self::Cross => (0, 2),
            Self::Gram => (0, 1),
            Self::Mmchain => (1, 1),
            Self::MmchainWeighted | Self::MmchainMinus => (1, 2),
        };
        Arity::Groups { fixed, group }
    }

    /// matmul `(m,k) · (k,n) → (m,n)`; gram `(n,d) → (d,d)`; cross `(n,d), (n,e) → (d,e)`; mmchains `(n,d), (d,1) →
    /// (d,1)` with `w`, `y` of `(n,1)`.
    pub(super) fn shape(self, inputs: &[Shape]) -> Result<Shape> {
        let wrong = |rule: &str, shapes: &[Shape]| {
            let shapes: Vec<String> = shapes.iter().map(Shape::to_string).collect();
            Error::invalid(format!("{}: {rule}, but the shapes are {}", self.name(), shapes.join(", ")))
        };
        if let Self::Factorised(op) = self {
            return op.shape(inputs);
        }
        let (fixed, group) = match self.arity() {
            Arity::Groups { fixed, group } => (fixed, group),
            Arity::Exactly(n) => (n, 1),
        };
        let (head, parts) = inputs.split_at(fixed);
        let mut result = None;
        for part in parts.chunks(group) {
            let x = part[0];
            let shape = match self {
                Self::Product if x.columns == part[1].rows => Shape::new(x.rows, part[1].columns),
                Self::Product => return Err(wrong("columns of the left must be rows of the right", part)),
                Self::Gram => Shape::new(x.columns, x.columns),
                Self::Cross if x.rows == part[1].rows => Shape::new(x.columns, part[1].columns),
                Self::Cross => return Err(wrong("both need the same number of rows", part)),
                Self::Mmchain | Self::MmchainWeighted | Self::MmchainMinus => {
                    if head[0] != Shape::new(x.columns, 1) {
                        return Err(wrong("v must be (columns of X, 1)", &[x, head[0]]));
                    }
                    if group == 2 && part[1] != Shape::new(x.rows, 1) {
                        return Err(wrong("w or y must be (rows of X, 1)", part));
                    }
                    head[0]
                }
                Self::Factorised(op) => return op.shape(inputs),
            };
            if *result.get_or_insert(shape) != shape {
                return Err(wrong("all parts must give the same shape", inputs));
            }
        }
        result.ok_or_else(|| wrong("at least one part is needed", inputs))
    }

    pub(super) fn effect(self, inputs: &[Facet]) -> Effect {
        match self {
            Self::Product => product(inputs, false),
            Self::Cross => product(inputs, true),
            Self::Gram => gram(inputs),
            Self::Mmchain => mmchain(inputs, 1),
            // A product of two plain columns needs the rows alone; with a third, the terms have to be looked at.
            Self::MmchainWeighted if inputs[1..].chunks(2).any(|part| part[1].axes.rows()) => {
                let measured: Vec<Facet> =
                    inputs.iter().map(|input| Facet { plain: false, native: false, ..*input }).collect();
                mmchain(&measured, 2)
            }
            Self::MmchainWeighted => mmchain(inputs, 2),
            Self::MmchainMinus => mmchain(inputs, 2),
            Self::Factorised(op) => unfused::effect(&op.unfused(inputs.len()), inputs),
        }
    }

    pub(super) fn unfused(self, inputs: usize) -> Option<Vec<Unfused>> {
        match self {
            Self::Factorised(op) => Some(op.unfused(inputs)),
            Self::Product | Self::Gram | Self::Cross | Self::Mmchain | Self::MmchainWeighted | Self::MmchainMinus => {
                None
            }
        }
    }

    pub(super) fn write_canonical(self, out: &mut Canonical) {
        out.code(self.kind() as i32);
        if let Self::Factorised(op) = self {
            op.write_canonical(out);
        }
    }
}

/// Several parts are one sum over the rows of all of them.
fn over_parts(effect: Effect, parts: usize) -> Effect {
    if parts == 1 {
        effect
    } else if effect.axes == Axes::None {
        effect.selecting(Selection::Concatenated)
    } else {
        Effect::entangled()
    }
}

/// The effect of a sum over data rows of products of factors: (index, facet, holds data). Over several parts a factor
/// weighs unless it is native, because each part could have been scaled by itself.
fn contraction(factors: &[(usize, &Facet, bool)], parts: usize) -> Measure {
    let plain = |facet: &Facet| if parts == 1 { !facet.weighs() } else { facet.native };
    let weights: Vec<usize> = factors.iter().filter(|(_, facet, _)| !plain(facet)).map(|factor| factor.0).collect();
    let any_plain_data = factors.iter().any(|(_, facet, data)| *data && plain(facet));
    match (weights.is_empty(), any_plain_data) {
        (true, _) => Measure::Count,
        (false, true) => Measure::Weights(weights),
        (false, false) => Measure::Terms(weights),
    }
}

/// `X @ Y` or, `transposed`, `X.T @ Y`, in groups of two.
fn product(inputs: &[Facet], transposed: bool) -> Effect {
    let mut result: Option<Effect> = None;
    let mut factors = Vec::new();
    for (part, pair) in inputs.chunks(2).enumerate() {
        let (x, y) = (&pair[0], &pair[1]);
        let x_axes = if transposed { x.axes.transposed() } else { x.axes };
        let axes = Axes::of(x_axes.rows(), y.axes.columns());
        let contracts = x_axes.columns() || y.axes.rows();
        let effect = if contracts {
            factors.push((2 * part, x, x_axes.columns()));
            factors.push((2 * part + 1, y, y.axes.rows()));
            Effect::keeping(axes, false)
        } else {
            // A linear map of plain columns by a matrix that holds no data rows.
            let plain = (axes == Axes::Rows && x.plain) || (axes == Axes::Columns && y.plain);
            let effect = Effect::keeping(axes, plain);
            match axes {
                Axes::None => effect,
                _ if plain => effect.measured(Measure::Linear),
                _ => effect.measured(Measure::Cells(vec![])),
            }
        };
        match &result {
            Some(first) if *first != effect => return Effect::entangled(),
            _ => result = Some(effect),
        }
    }
    let Some(mut effect) = result else { return Effect::entangled() };
    if !factors.is_empty() {
        // Every part sums over its data rows, and is measured; what still has data rows is measured along them too.
        let measure = contraction(&factors, inputs.len() / 2);
        let weights = factors.iter().filter(|(_, facet, _)| facet.weighs()).map(|factor| factor.0).collect();
        effect = effect.clone().measured(if effect.axes == Axes::None { measure } else { Measure::Cells(weights) });
    }
    over_parts(effect, inputs.len() / 2)
}

/// `X.T @ X`.
fn gram(inputs: &[Facet]) -> Effect {
    let axes = inputs[0].axes;
    if inputs.iter().any(|input| input.axes != axes) {
        return Effect::entangled();
    }
    let effect = match axes {
        Axes::None => Effect::keeping(Axes::None, false),
        Axes::Rows => {
            let plain = |x: &Facet| if inputs.len() == 1 { x.plain } else { x.native };
            let measure = if inputs.iter().all(plain) { Measure::Count } else { Measure::Terms(vec![]) };
            Effect::keeping(Axes::None, false).measured(measure)
        }
        Axes::Columns => Effect::keeping(Axes::Both, false).measured(Measure::Cells(vec![])),
        Axes::Both | Axes::Entangled => return Effect::entangled(),
    };
    over_parts(effect, inputs.len())
}

/// `X.T @ f(X @ v, w or y)`: a sum over rows in which X, and the third operand, are the factors.
fn mmchain(inputs: &[Facet], group: usize) -> Effect {
    let (v, parts) = (&inputs[0], &inputs[1..]);
    let columns = parts.iter().any(|part| part.axes.columns());
    if v.axes != Axes::None || columns {
        return Effect::entangled();
    }
    let data = parts.iter().any(|part| part.axes.rows());
    if !data {
        return over_parts(Effect::keeping(Axes::None, false), parts.len() / group);
    }
    let factors: Vec<_> = parts.iter().enumerate().map(|(i, part)| (i + 1, part, part.axes.rows())).collect();
    let plain_x = parts.iter().step_by(group).all(|x| x.plain && x.axes.rows());
    let measure = match contraction(&factors, parts.len() / group) {
        Measure::Weights(weights) if !plain_x => Measure::Terms(weights),
        measure => measure,
    };
    over_parts(Effect::keeping(Axes::None, false).measured(measure), parts.len() / group)
}

impl TryFrom<wire::MatmulOp> for MatmulOp {
    type Error = Error;

    fn try_from(op: wire::MatmulOp) -> Result<Self> {
        let kind = Self::ALL.iter().copied().find(|member| member.kind() as i32 == op.kind);
        match (kind, op.factorised) {
            (Some(kind), None) => Ok(kind),
            (None, Some(factorised)) if op.kind == 0 => Ok(Self::Factorised(factorised.try_into()?)),
            _neither_or_both => Err(unknown("matmul")),
        }
    }
}

impl From<MatmulOp> for wire::MatmulOp {
    fn from(op: MatmulOp) -> Self {
        let factorised = match op {
            MatmulOp::Factorised(op) => Some(op.into()),
            MatmulOp::Product
            | MatmulOp::Gram
            | MatmulOp::Cross
            | MatmulOp::Mmchain
            | MatmulOp::MmchainWeighted
            | MatmulOp::MmchainMinus => None,
        };
        Self { kind: op.kind() as i32, factorised }
    }
}
