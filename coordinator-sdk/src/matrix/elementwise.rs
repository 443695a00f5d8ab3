//! Cell by cell, with NumPy's names and broadcasting.

use fondaco_proto::{
    Op, Shape,
    op::{Binary, BinaryFunction, ElementwiseOp, Scalar, Ternary, Unary},
};

use crate::{Axis, Error, FedMatrix, Operand, Pending, Result};

macro_rules! unary {
    ($($name:ident => $function:ident, $meaning:literal;)+) => {
        $(
            #[doc = concat!("`", $meaning, "`, cell by cell; the same shape and layout.")]
            ///
            /// # Errors
            /// As [`FedMatrix::unary`].
            pub fn $name(&self) -> Result<Self> {
                self.unary(Unary::$function)
            }
        )+
    };
}

macro_rules! binary {
    ($($name:ident => $function:ident, $meaning:literal;)+) => {
        $(
            #[doc = concat!("`", $meaning, "`, cell by cell, with broadcasting.")]
            ///
            /// # Errors
            /// As [`FedMatrix::binary`].
            pub fn $name(&self, other: impl Into<Operand>) -> Result<Self> {
                self.binary(BinaryFunction::$function, other)
            }
        )+
    };
}

impl FedMatrix {
    /// `f(X)` of each cell (softmax: of each row); the same shape and layout. For softmax, rows whose columns are at
    /// different sites are relayed to one of them ([`crate::Federation::allow_relays`]).
    ///
    /// # Errors
    /// `Plan` for softmax over columns at different sites, where nothing is relayed.
    pub fn unary(&self, function: Unary) -> Result<Self> {
        self.cells(ElementwiseOp::Unary(function), vec![self.into()])
    }

    /// `X f Y` with a number, an array or a federated matrix; each axis of both is equal, or 1 in one. Two federated
    /// matrices need the same rows (columns) at the same sites, in whatever parts.
    ///
    /// # Errors
    /// `Plan` if the shapes do not broadcast, or rows would have to move: the first that lives elsewhere is named.
    pub fn binary(&self, function: BinaryFunction, other: impl Into<Operand>) -> Result<Self> {
        match other.into() {
            Operand::Scalar(value) => self.scaled(function, Scalar::Right(value)),
            other => self.cells(pair(function), vec![self.into(), other]),
        }
    }

    /// `Y f X`, with X on the right: `1.0 / X` is `x.binary_left(1.0, BinaryFunction::Divide)`.
    ///
    /// # Errors
    /// As [`FedMatrix::binary`].
    pub fn binary_left(&self, other: impl Into<Operand>, function: BinaryFunction) -> Result<Self> {
        match other.into() {
            Operand::Scalar(value) => self.scaled(function, Scalar::Left(value)),
            other => self.cells(pair(function), vec![other, self.into()]),
        }
    }

    fn scaled(&self, function: BinaryFunction, scalar: Scalar) -> Result<Self> {
        self.cells(ElementwiseOp::Binary(Binary { function, scalar: Some(scalar) }), vec![self.into()])
    }

    fn cells(&self, op: ElementwiseOp, operands: Vec<Operand>) -> Result<Self> {
        self.apply(&Op::Elementwise(op), operands)?.fed()
    }

    unary! {
        negative => Negative, "-X";
        abs => Abs, "np.abs(X)";
        sign => Sign, "np.sign(X)";
        sqrt => Sqrt, "np.sqrt(X)";
        exp => Exp, "np.exp(X)";
        log => Log, "np.log(X)";
        log1p => Log1p, "np.log1p(X)";
        expm1 => Expm1, "np.expm1(X)";
        sin => Sin, "np.sin(X)";
        cos => Cos, "np.cos(X)";
        tan => Tan, "np.tan(X)";
        asin => Asin, "np.arcsin(X)";
        acos => Acos, "np.arccos(X)";
        atan => Atan, "np.arctan(X)";
        sinh => Sinh, "np.sinh(X)";
        cosh => Cosh, "np.cosh(X)";
        tanh => Tanh, "np.tanh(X)";
        sigmoid => Sigmoid, "1 / (1 + np.exp(-X))";
        floor => Floor, "np.floor(X)";
        ceil => Ceil, "np.ceil(X)";
        round => Round, "np.round(X)";
        isnan => Isnan, "np.isnan(X)";
        isinf => Isinf, "np.isinf(X)";
        logical_not => Not, "X == 0";
        softmax => Softmax, "np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)";
        log_softmax => LogSoftmax, "np.log(softmax(X))";
    }

    binary! {
        add => Add, "X + Y";
        subtract => Subtract, "X - Y";
        multiply => Multiply, "X * Y";
        divide => Divide, "X / Y";
        power => Power, "X ** Y";
        modulo => Modulo, "X % Y";
        floor_divide => FloorDivide, "X // Y";
        minimum => Minimum, "np.minimum(X, Y)";
        maximum => Maximum, "np.maximum(X, Y)";
        equal => Equal, "X == Y";
        not_equal => NotEqual, "X != Y";
        less => Less, "X < Y";
        less_equal => LessEqual, "X <= Y";
        greater => Greater, "X > Y";
        greater_equal => GreaterEqual, "X >= Y";
        logical_and => And, "np.logical_and(X, Y)";
        logical_or => Or, "np.logical_or(X, Y)";
        logical_xor => Xor, "np.logical_xor(X, Y)";
    }

    /// `X + scale * Y`, in one pass.
    ///
    /// # Errors
    /// As [`FedMatrix::binary`].
    pub fn plus_multiply(&self, scale: f64, other: impl Into<Operand>) -> Result<Self> {
        self.cells(ElementwiseOp::Ternary(Ternary::PlusMultiply(scale)), vec![self.into(), other.into()])
    }

    /// `X - scale * Y`, in one pass.
    ///
    /// # Errors
    /// As [`FedMatrix::binary`].
    pub fn minus_multiply(&self, scale: f64, other: impl Into<Operand>) -> Result<Self> {
        self.cells(ElementwiseOp::Ternary(Ternary::MinusMultiply(scale)), vec![self.into(), other.into()])
    }

    /// `np.clip(X, low, high)`; bounds are numbers, arrays or federated matrices that broadcast.
    ///
    /// # Errors
    /// As [`FedMatrix::binary`].
    pub fn clip(&self, low: impl Into<Operand>, high: impl Into<Operand>) -> Result<Self> {
        match (low.into(), high.into()) {
            (Operand::Scalar(low), Operand::Scalar(high)) => {
                self.cells(ElementwiseOp::Ternary(Ternary::Clip { low, high }), vec![self.into()])
            }
            (low, high) => self.cells(ElementwiseOp::Ternary(Ternary::ClipBetween), vec![self.into(), low, high]),
        }
    }

    /// Whether a cell of X has this value, 1 or 0, for the coordinator; NaN is equal to NaN here.
    ///
    /// # Errors
    /// The error of the program that should have bound X.
    pub fn contains(&self, value: f64) -> Result<Pending> {
        let there = if value.is_nan() { self.isnan()? } else { self.equal(value)? };
        there.any(Axis::All)
    }

    /// `f.outer(u, v)` of two vectors, each a column or a row: cell (i, j) is `u[i] f v[j]`. A federated v is at the
    /// sites of u.
    ///
    /// # Errors
    /// `Plan` if one of them is no vector, or v would have to move.
    pub fn outer(&self, function: BinaryFunction, v: impl Into<Operand>) -> Result<Self> {
        let column = match (self.nrows(), self.ncols()) {
            (_, 1) => self.clone(),
            (1, _) => self.t()?,
            _ => return Err(no_vector(self.shape())),
        };
        let row = match v.into() {
            Operand::Fed(v) if v.ncols() == 1 => v.t()?.into(),
            Operand::Local(v) if v.ncols() == 1 => Operand::Local(v.reversed_axes()),
            row => row,
        };
        let shape = row.arg().shape();
        if shape.rows != 1 {
            return Err(no_vector(shape));
        }
        column.binary(function, row)
    }

    /// Cells equal to `pattern` become `value`; NaN is equal to NaN here, so `replace(f64::NAN, 0.0)` fills gaps.
    ///
    /// # Errors
    /// The error of the program that should have bound X.
    pub fn replace(&self, pattern: f64, value: f64) -> Result<Self> {
        self.cells(ElementwiseOp::Ternary(Ternary::Replace { pattern, value }), vec![self.into()])
    }

    /// `np.where(X, a, b)`: `a` where a cell of X is not 0, `b` elsewhere.
    ///
    /// # Errors
    /// As [`FedMatrix::binary`].
    pub fn where_(&self, a: impl Into<Operand>, b: impl Into<Operand>) -> Result<Self> {
        self.cells(ElementwiseOp::Ternary(Ternary::Where), vec![self.into(), a.into(), b.into()])
    }

    /// `np.where(condition, X, b)`: X where a cell of the condition, an array or a federated matrix, is not 0.
    ///
    /// # Errors
    /// As [`FedMatrix::binary`].
    pub fn kept_where(&self, condition: impl Into<Operand>, b: impl Into<Operand>) -> Result<Self> {
        self.cells(ElementwiseOp::Ternary(Ternary::Where), vec![condition.into(), self.into(), b.into()])
    }
}

fn no_vector(shape: Shape) -> Error {
    Error::plan(format!("outer: of vectors, (n, 1) or (1, n), not of a matrix of {shape}"))
}

fn pair(function: BinaryFunction) -> ElementwiseOp {
    ElementwiseOp::Binary(Binary { function, scalar: None })
}
