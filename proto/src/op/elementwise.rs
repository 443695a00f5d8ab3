//! Cell-by-cell operators, with NumPy's broadcasting in both axes.

use crate::{
    Axes, Canonical, Effect, Error, Facet, Measure, Result, Shape,
    op::{Arity, unknown},
    vocabulary::vocabulary,
    wire,
};

/// A cell-by-cell operator; softmax works along each row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ElementwiseOp {
    /// `f(X)`.
    Unary(Unary),
    /// `X f Y`, or with a number on one side.
    Binary(Binary),
    /// Of three operands, counting numbers.
    Ternary(Ternary),
}

vocabulary! {
    /// A function of one cell (softmax: of one row).
    Unary from wire::UnaryOp {
        Negative = "negative", Abs = "abs", Sign = "sign", Sqrt = "sqrt", Exp = "exp", Log = "log",
        Log1p = "log1p", Expm1 = "expm1", Sin = "sin", Cos = "cos", Tan = "tan", Asin = "asin", Acos = "acos",
        Atan = "atan", Sinh = "sinh", Cosh = "cosh", Tanh = "tanh", Sigmoid = "sigmoid", Floor = "floor",
        Ceil = "ceil", Round = "round", Isnan = "isnan", Isinf = "isinf", Not = "not", Softmax = "softmax",
        LogSoftmax = "log_softmax",
    }
}

vocabulary! {
    /// A function of two cells; comparisons and logic give 0 and 1.
    BinaryFunction from wire::BinaryFunction {
        Add = "add", Subtract = "subtract", Multiply = "multiply", Divide = "divide", Power = "power",
        Modulo = "modulo", FloorDivide = "floor_divide", Minimum = "minimum", Maximum = "maximum",
        Equal = "equal", NotEqual = "not_equal", Less = "less", LessEqual = "less_equal", Greater = "greater",
        GreaterEqual = "greater_equal", And = "and", Or = "or", Xor = "xor",
    }
}

/// `X f Y`, or with a number on one side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Binary {
    /// The function.
    pub function: BinaryFunction,
    /// A number in the place of one operand.
    pub scalar: Option<Scalar>,
}

/// A number on one side of a binary operator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// `X f number`.
    Right(f64),
    /// `number f X`.
    Left(f64),
}

/// Operators of three operands, counting numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ternary {
    /// `np.where(C, X, Y)`.
    Where,
    /// `X + s * Y`.
    PlusMultiply(f64),
    /// `X - s * Y`.
    MinusMultiply(f64),
    /// `np.clip(X, low, high)`.
    Clip {
        /// Smallest value kept.
        low: f64,
        /// Largest value kept.
        high: f64,
    },
    /// Cells equal to `pattern` (NaN equals NaN here) become `value`.
    Replace {
        /// What is replaced.
        pattern: f64,
        /// By what.
        value: f64,
    },
    /// `np.clip(X, low, high)` with matrices of bounds.
    ClipBetween,
}

impl ElementwiseOp {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Unary(unary) => unary.name(),
            Self::Binary(binary) => binary.function.name(),
            Self::Ternary(Ternary::Where) => "where",
            Self::Ternary(Ternary::PlusMultiply(_)) => "plus_multiply",
            Self::Ternary(Ternary::MinusMultiply(_)) => "minus_multiply",
            Self::Ternary(Ternary::Clip { .. } | Ternary::ClipBetween) => "clip",
            Self::Ternary(Ternary::Replace { .. }) => "replace",
        }
    }

    pub(super) fn arity(&self) -> Arity {
        Arity::Exactly(match self {
            Self::Unary(_) | Self::Ternary(Ternary::Clip { .. } | Ternary::Replace { .. }) => 1,
            Self::Binary(Binary { scalar, .. }) => 2 - usize::from(scalar.is_some()),
            Self::Ternary(Ternary::PlusMultiply(_) | Ternary::MinusMultiply(_)) => 2,
            Self::Ternary(Ternary::Where | Ternary::ClipBetween) => 3,
        })
    }

    /// Broadcasting: each axis of each input has the result's extent, or 1.
    pub(super) fn shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let wrong = || {
            let shapes: Vec<String> = inputs.iter().map(Shape::to_string).collect();
            Error::invalid(format!(
                "{}: shapes {} do not broadcast; each axis must be equal, or 1",
                self.name(),
                shapes.join(" and ")
            ))
        };
        let extent = |a: u64, b: u64| match (a, b) {
            (a, b) if a == b => Ok(a),
            (1, b) => Ok(b),
            (a, 1) => Ok(a),
            _ => Err(wrong()),
        };
        inputs[1..].iter().try_fold(inputs[0], |shape, next| {
            Ok(Shape::new(extent(shape.rows, next.rows)?, extent(shape.columns, next.columns)?))
        })
    }

    /// Linear maps of plain operands stay plain, unless rounding takes rows away. Everything else is measured, with each operand that could weigh
    /// rows; an operand that is the same for all data rows weighs none. A data row that is broadcast is entangled.
    pub(super) fn effect(&self, inputs: &[Facet]) -> Effect {
        let shapes: Vec<Shape> = inputs.iter().map(|input| input.shape).collect();
        let Ok(out) = self.shape(&shapes) else { return Effect::entangled() };
        let axes = inputs.iter().fold(Axes::None, |axes, input| axes.join(input.axes));
        let stretched = |input: &Facet| {
            (input.axes.rows() && input.shape.rows != out.rows)
                || (input.axes.columns() && input.shape.columns != out.columns)
        };
        if inputs.iter().any(stretched) {
            return Effect::entangled();
        }
        // Uniform: the same for every data row of the result.
        let uniform = |input: &Facet| {
            input.axes == Axes::None
                && (input.plain
                    || (axes == Axes::Rows && input.shape.rows == 1)
                    || (axes == Axes::Columns && input.shape.columns == 1))
        };
        let data = |input: &Facet| input.axes != Axes::None;
        if axes != Axes::None && self.replaces_cells() {
            // What puts numbers in the place of cells could leave one row among them. If the rows are plain, and all of
            // them get the same numbers, this can be seen; else not.
            let caps = !matches!(self, Self::Ternary(Ternary::Where))
                && matches!(axes, Axes::Rows | Axes::Columns)
                && inputs.iter().filter(|input| data(input)).count() == 1
                && inputs.iter().all(|input| if data(input) { input.plain } else { uniform(input) });
            let capped = || Effect::keeping(axes, false).measured(Measure::Capped);
            return if caps { capped() } else { Effect::entangled() };
        }
        if axes != Axes::None && self.replaces_a_value() {
            return Effect::keeping(axes, false).measured(Measure::Capped);
        }
        let plain_or_uniform = |input: &Facet| if data(input) { input.plain } else { uniform(input) };
        let plain = match self.linearity() {
            _ if axes == Axes::Both => false,
            Linearity::Sum => inputs.iter().all(plain_or_uniform),
            Linearity::Scaling => {
                inputs.iter().all(plain_or_uniform) && inputs.iter().filter(|input| data(input)).count() <= 1
            }
            Linearity::Quotient => inputs.iter().all(plain_or_uniform) && inputs[1..].iter().all(|input| !data(input)),
            // Constants stay constants under any function.
            Linearity::None => axes == Axes::None && inputs.iter().all(|input| input.plain),
        };
        let effect = Effect::keeping(axes, plain && (axes != Axes::None || inputs.iter().all(|input| input.plain)));
        if axes == Axes::None {
            return effect;
        }
        if plain {
            return effect.measured(Measure::Linear);
        }
        let weights = (0..inputs.len()).filter(|&i| !data(&inputs[i]) && !uniform(&inputs[i])).collect();
        effect.measured(Measure::Cells(weights))
    }

    fn replaces_cells(&self) -> bool {
        use BinaryFunction::{Maximum, Minimum};
        matches!(
            self,
            Self::Binary(Binary { function: Maximum | Minimum, .. })
                | Self::Ternary(Ternary::Where | Ternary::Clip { .. } | Ternary::ClipBetween)
        )
    }

    /// What is NaN is nobody's choice.
    fn replaces_a_value(&self) -> bool {
        matches!(self, Self::Ternary(Ternary::Replace { pattern, .. }) if !pattern.is_nan())
    }

    fn linearity(&self) -> Linearity {
        use BinaryFunction::{Add, Divide, Multiply, Subtract};
        match self {
            Self::Unary(Unary::Negative) => Linearity::Sum,
            Self::Binary(Binary { function: Add | Subtract, .. }) => Linearity::Sum,
            Self::Ternary(Ternary::PlusMultiply(_) | Ternary::MinusMultiply(_)) => Linearity::Sum,
            Self::Binary(Binary { function: Multiply, .. }) => Linearity::Scaling,
            Self::Binary(Binary { function: Divide, scalar: None | Some(Scalar::Right(_)) }) => Linearity::Quotient,
            _other => Linearity::None,
        }
    }

    pub(super) fn write_canonical(&self, out: &mut Canonical) {
        match self {
            Self::Unary(unary) => {
                out.tag(1).code(unary.code());
            }
            Self::Binary(Binary { function, scalar }) => {
                out.tag(2).code(function.code());
                match scalar {
                    None => out.tag(0),
                    Some(Scalar::Right(s)) => out.tag(1).f64(*s),
                    Some(Scalar::Left(s)) => out.tag(2).f64(*s),
                };
            }
            Self::Ternary(ternary) => {
                out.tag(3);
                match ternary {
                    Ternary::Where => out.tag(1),
                    Ternary::PlusMultiply(s) => out.tag(2).f64(*s),
                    Ternary::MinusMultiply(s) => out.tag(3).f64(*s),
                    Ternary::Clip { low, high } => out.tag(4).f64(*low).f64(*high),
                    Ternary::Replace { pattern, value } => out.tag(5).f64(*pattern).f64(*value),
                    Ternary::ClipBetween => out.tag(6),
                };
            }
        }
    }
}

/// In which operands an operator is linear.
enum Linearity {
    /// In all together.
    Sum,
    /// In each alone: at most one may hold data.
    Scaling,
    /// In the first; the others may hold no data.
    Quotient,
    /// In none.
    None,
}

impl TryFrom<wire::ElementwiseOp> for ElementwiseOp {
    type Error = Error;

    fn try_from(op: wire::ElementwiseOp) -> Result<Self> {
        use wire::{binary_op, elementwise_op::Op, ternary_op};
        Ok(match op.op.ok_or_else(|| unknown("elementwise"))? {
            Op::Unary(code) => Self::Unary(Unary::from_code(code).ok_or_else(|| unknown("unary"))?),
            Op::Binary(binary) => Self::Binary(Binary {
                function: BinaryFunction::from_code(binary.function).ok_or_else(|| unknown("binary"))?,
                scalar: binary.scalar.map(|scalar| match scalar {
                    binary_op::Scalar::Right(s) => Scalar::Right(s),
                    binary_op::Scalar::Left(s) => Scalar::Left(s),
                }),
            }),
            Op::Ternary(ternary) => Self::Ternary(match ternary.op.ok_or_else(|| unknown("ternary"))? {
                ternary_op::Op::Where(_) => Ternary::Where,
                ternary_op::Op::PlusMultiply(axpy) => Ternary::PlusMultiply(axpy.scale),
                ternary_op::Op::MinusMultiply(axpy) => Ternary::MinusMultiply(axpy.scale),
                ternary_op::Op::Clip(clip) => Ternary::Clip { low: clip.low, high: clip.high },
                ternary_op::Op::Replace(r) => Ternary::Replace { pattern: r.pattern, value: r.value },
                ternary_op::Op::ClipBetween(_) => Ternary::ClipBetween,
            }),
        })
    }
}

impl From<ElementwiseOp> for wire::ElementwiseOp {
    fn from(op: ElementwiseOp) -> Self {
        use wire::{binary_op, elementwise_op::Op, ternary_op};
        let op = match op {
            ElementwiseOp::Unary(unary) => Op::Unary(unary.code()),
            ElementwiseOp::Binary(Binary { function, scalar }) => Op::Binary(wire::BinaryOp {
                function: function.code(),
                scalar: scalar.map(|scalar| match scalar {
                    Scalar::Right(s) => binary_op::Scalar::Right(s),
                    Scalar::Left(s) => binary_op::Scalar::Left(s),
                }),
            }),
            ElementwiseOp::Ternary(ternary) => Op::Ternary(wire::TernaryOp {
                op: Some(match ternary {
                    Ternary::Where => ternary_op::Op::Where(ternary_op::Where {}),
                    Ternary::PlusMultiply(scale) => ternary_op::Op::PlusMultiply(ternary_op::Axpy { scale }),
                    Ternary::MinusMultiply(scale) => ternary_op::Op::MinusMultiply(ternary_op::Axpy { scale }),
                    Ternary::Clip { low, high } => ternary_op::Op::Clip(ternary_op::Clip { low, high }),
                    Ternary::Replace { pattern, value } => {
                        ternary_op::Op::Replace(ternary_op::Replace { pattern, value })
                    }
                    Ternary::ClipBetween => ternary_op::Op::ClipBetween(ternary_op::ClipBetween {}),
                }),
            }),
        };
        Self { op: Some(op) }
    }
}
