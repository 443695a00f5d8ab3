//! NumPy's ufuncs, cell by cell.

use fondaco_proto::op::{Binary, BinaryFunction, ElementwiseOp, Scalar, Ternary, Unary};
use ndarray::{Array2, Axis, Zip};

use super::Expected;

/// What a function of the C library may be off by near zero: denormals have fewer digits.
const LEAST: f64 = f64::MIN_POSITIVE;

pub fn expected(op: &ElementwiseOp, inputs: &[&Array2<f64>]) -> Expected {
    match *op {
        ElementwiseOp::Unary(Unary::Softmax) => rounded(softmax(inputs[0])),
        ElementwiseOp::Unary(Unary::LogSoftmax) => log_softmax(inputs[0]),
        ElementwiseOp::Unary(function) => {
            let value = inputs[0].mapv(|x| unary(function, x));
            if is_exact(function) { Expected::exact(value) } else { rounded(value) }
        }
        ElementwiseOp::Binary(Binary { function, scalar }) => {
            let value = match scalar {
                None => cells([inputs[0], inputs[1]], |[x, y]| binary(function, x, y)),
                Some(Scalar::Right(y)) => inputs[0].mapv(|x| binary(function, x, y)),
                Some(Scalar::Left(x)) => inputs[0].mapv(|y| binary(function, x, y)),
            };
            if function == BinaryFunction::Power { rounded(value) } else { Expected::exact(value) }
        }
        ElementwiseOp::Ternary(op) => ternary(op, inputs),
    }
}

/// Within 1e-12 of the value.
fn rounded(value: Array2<f64>) -> Expected {
    let size = value.mapv(f64::abs);
    Expected::of_size(value, &size, LEAST)
}

/// Whether IEEE 754 leaves no choice.
fn is_exact(function: Unary) -> bool {
    use Unary::{Abs, Ceil, Floor, Isinf, Isnan, Negative, Not, Round, Sign, Sqrt};
    matches!(function, Negative | Abs | Sign | Sqrt | Floor | Ceil | Round | Isnan | Isinf | Not)
}

fn ternary(op: Ternary, inputs: &[&Array2<f64>]) -> Expected {
    let scaled = |scale: f64| {
        let value = cells([inputs[0], inputs[1]], |[x, y]| x + scale * y);
        let size = cells([inputs[0], inputs[1]], |[x, y]| x.abs() + (scale * y).abs());
        // The product may be rounded before it is added, or not.
        Expected::of_size(value, &size, 1e-322)
    };
    match op {
        Ternary::Where => {
            let choose = |[condition, x, y]: [f64; 3]| if condition == 0.0 { y } else { x };
            Expected::exact(cells([inputs[0], inputs[1], inputs[2]], choose))
        }
        Ternary::PlusMultiply(scale) => scaled(scale),
        Ternary::MinusMultiply(scale) => scaled(-scale),
        Ternary::Clip { low, high } => Expected::exact(inputs[0].mapv(|x| smaller(larger(x, low), high))),
        Ternary::ClipBetween => {
            let clip = |[x, low, high]: [f64; 3]| smaller(larger(x, low), high);
            Expected::exact(cells([inputs[0], inputs[1], inputs[2]], clip))
        }
        Ternary::Replace { pattern, value } => {
            let same = |x: f64| x == pattern || (x.is_nan() && pattern.is_nan());
            Expected::exact(inputs[0].mapv(|x| if same(x) { value } else { x }))
        }
    }
}

/// Cell by cell, broadcast to the common shape.
pub fn cells<const N: usize>(inputs: [&Array2<f64>; N], f: impl Fn([f64; N]) -> f64) -> Array2<f64> {
    let extent = |axis: usize| {
        let extents = inputs.iter().map(|input| input.shape()[axis]);
        extents.fold(1, |common, extent| if common == 1 { extent } else { common })
    };
    let shape = (extent(0), extent(1));
    let inputs = inputs.map(|input| input.broadcast(shape).expect("the shapes broadcast"));
    Array2::from_shape_fn(shape, |at| f(inputs.each_ref().map(|input| input[at])))
}

/// Each row less its maximum, and the sum of the exponentials of that.
fn shifted(x: &Array2<f64>) -> (Array2<f64>, Array2<f64>, Array2<f64>) {
    let column =
        |f: &dyn Fn(ndarray::ArrayView1<f64>) -> f64, x: &Array2<f64>| x.map_axis(Axis(1), f).insert_axis(Axis(1));
    let top = column(&|row| row.iter().copied().fold(f64::NEG_INFINITY, larger), x);
    let shifted = x - &top;
    let sum = column(&|row| row.iter().map(|x| x.exp()).sum(), &shifted);
    (top, shifted, sum)
}

fn softmax(x: &Array2<f64>) -> Array2<f64> {
    let (_, shifted, sum) = shifted(x);
    shifted.mapv(f64::exp) / &sum
}

fn log_softmax(x: &Array2<f64>) -> Expected {
    let (top, shifted, sum) = shifted(x);
    let log = sum.mapv(f64::ln);
    let mut size = x.mapv(f64::abs);
    Zip::from(size.rows_mut()).and(top.rows()).and(log.rows()).for_each(|mut size, top, log| {
        size.mapv_inplace(|size| size + top[0].abs() + log[0].abs());
    });
    Expected::of_size(shifted - &log, &size, LEAST)
}

pub fn unary(function: Unary, x: f64) -> f64 {
    match function {
        Unary::Negative => -x,
        Unary::Abs => x.abs(),
        Unary::Sign if x.is_nan() || x == 0.0 => x,
        Unary::Sign => x.signum(),
        Unary::Sqrt => x.sqrt(),
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Log1p => x.ln_1p(),
        Unary::Expm1 => x.exp_m1(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Tan => x.tan(),
        Unary::Asin => x.asin(),
        Unary::Acos => x.acos(),
        Unary::Atan => x.atan(),
        Unary::Sinh => x.sinh(),
        Unary::Cosh => x.cosh(),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Round => x.round_ties_even(),
        Unary::Isnan => truth(x.is_nan()),
        Unary::Isinf => truth(x.is_infinite()),
        Unary::Not => truth(x == 0.0),
        Unary::Softmax | Unary::LogSoftmax => panic!("softmax is of a row"),
    }
}

fn binary(function: BinaryFunction, x: f64, y: f64) -> f64 {
    match function {
        BinaryFunction::Add => x + y,
        BinaryFunction::Subtract => x - y,
        BinaryFunction::Multiply => x * y,
        BinaryFunction::Divide => x / y,
        BinaryFunction::Power => x.powf(y),
        BinaryFunction::Modulo => divmod(x, y).1,
        BinaryFunction::FloorDivide => divmod(x, y).0,
        BinaryFunction::Minimum => smaller(x, y),
        BinaryFunction::Maximum => larger(x, y),
        BinaryFunction::Equal => truth(x == y),
        BinaryFunction::NotEqual => truth(x != y),
        BinaryFunction::Less => truth(x < y),
        BinaryFunction::LessEqual => truth(x <= y),
        BinaryFunction::Greater => truth(x > y),
        BinaryFunction::GreaterEqual => truth(x >= y),
        BinaryFunction::And => truth(x != 0.0 && y != 0.0),
        BinaryFunction::Or => truth(x != 0.0 || y != 0.0),
        BinaryFunction::Xor => truth((x != 0.0) != (y != 0.0)),
    }
}

fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// `np.maximum`.
pub fn larger(x: f64, y: f64) -> f64 {
    if x.is_nan() || x > y { x } else { y }
}

/// `np.minimum`.
pub fn smaller(x: f64, y: f64) -> f64 {
    if x.is_nan() || x < y { x } else { y }
}

/// `np.divmod`: the remainder has the divisor's sign; `x // 0` is `x / 0`.
fn divmod(x: f64, y: f64) -> (f64, f64) {
    let mut remainder = x % y;
    if y == 0.0 {
        return (x / y, remainder);
    }
    let mut quotient = (x - remainder) / y;
    if remainder == 0.0 {
        remainder = 0.0_f64.copysign(y);
    } else if (y < 0.0) != (remainder < 0.0) {
        remainder += y;
        quotient -= 1.0;
    }
    let floor = quotient.floor();
    let floor = if quotient - floor > 0.5 { floor + 1.0 } else { floor };
    (if quotient == 0.0 { 0.0_f64.copysign(x / y) } else { floor }, remainder)
}

#[test]
fn divisions_are_numpys() {
    let (nan, infinity) = (f64::NAN, f64::INFINITY);
    let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
    // np.floor_divide and np.remainder of NumPy 2.
    for (x, y, quotient, remainder) in [
        (7.0, 2.0, 3.0, 1.0),
        (-7.0, 2.0, -4.0, 1.0),
        (7.0, -2.0, -4.0, -1.0),
        (-7.0, -2.0, 3.0, -1.0),
        (1.0, 0.1, 9.0, 0.099_999_999_999_999_95),
        (1.0, 0.0, infinity, nan),
        (0.0, 0.0, nan, nan),
        (infinity, 2.0, nan, nan),
        (-1.0, infinity, -1.0, infinity),
        (1.0, infinity, 0.0, 1.0),
    ] {
        let (q, r) = divmod(x, y);
        assert!(same(q, quotient) && same(r, remainder), "{x} by {y}: {q} and {r}");
    }
}
