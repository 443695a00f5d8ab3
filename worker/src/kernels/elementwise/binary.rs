//! Functions of two cells, as NumPy has them.

use fondaco_proto::op::BinaryFunction;

use super::{super::simd, Lane, unary::truth};

/// A function over two lanes.
pub type Kernel = fn(Lane<'_>, Lane<'_>, &mut [f64]);

fn lanes(x: Lane<'_>, y: Lane<'_>, out: &mut [f64], f: impl Fn(f64, f64) -> f64) {
    match (x, y) {
        (Lane::Cells(x), Lane::Cells(y)) => simd::map2(out, x, y, f),
        (Lane::Cells(x), Lane::Cell(y)) => simd::map(out, x, |x| f(x, y)),
        (Lane::Cell(x), Lane::Cells(y)) => simd::map(out, y, |y| f(x, y)),
        (Lane::Cell(x), Lane::Cell(y)) => out.fill(f(x, y)),
    }
}

/// The kernel of a function.
pub fn kernel(function: BinaryFunction) -> Kernel {
    match function {
        BinaryFunction::Add => |x, y, out| lanes(x, y, out, |x, y| x + y),
        BinaryFunction::Subtract => |x, y, out| lanes(x, y, out, |x, y| x - y),
        BinaryFunction::Multiply => |x, y, out| lanes(x, y, out, |x, y| x * y),
        BinaryFunction::Divide => |x, y, out| lanes(x, y, out, |x, y| x / y),
        BinaryFunction::Power => power,
        BinaryFunction::Modulo => |x, y, out| lanes(x, y, out, modulo),
        BinaryFunction::FloorDivide => |x, y, out| lanes(x, y, out, floor_divide),
        BinaryFunction::Minimum => |x, y, out| lanes(x, y, out, minimum),
        BinaryFunction::Maximum => |x, y, out| lanes(x, y, out, maximum),
        BinaryFunction::Equal => |x, y, out| lanes(x, y, out, |x, y| truth(x == y)),
        BinaryFunction::NotEqual => |x, y, out| lanes(x, y, out, |x, y| truth(x != y)),
        BinaryFunction::Less => |x, y, out| lanes(x, y, out, |x, y| truth(x < y)),
        BinaryFunction::LessEqual => |x, y, out| lanes(x, y, out, |x, y| truth(x <= y)),
        BinaryFunction::Greater => |x, y, out| lanes(x, y, out, |x, y| truth(x > y)),
        BinaryFunction::GreaterEqual => |x, y, out| lanes(x, y, out, |x, y| truth(x >= y)),
        BinaryFunction::And => |x, y, out| lanes(x, y, out, |x, y| truth((x != 0.0) & (y != 0.0))),
        BinaryFunction::Or => |x, y, out| lanes(x, y, out, |x, y| truth((x != 0.0) | (y != 0.0))),
        BinaryFunction::Xor => |x, y, out| lanes(x, y, out, |x, y| truth((x != 0.0) ^ (y != 0.0))),
    }
}

/// `x ** y`; a square is one multiplication.
fn power(x: Lane<'_>, y: Lane<'_>, out: &mut [f64]) {
    match y {
        Lane::Cell(2.0) => lanes(x, y, out, |x, _| x * x),
        Lane::Cell(_) | Lane::Cells(_) => lanes(x, y, out, f64::powf),
    }
}

/// The remainder with the sign of the divisor, as Python's and NumPy's `%`; NaN where the divisor is 0.
#[inline(always)]
pub fn modulo(x: f64, y: f64) -> f64 {
    let remainder = x % y;
    if y == 0.0 {
        remainder
    } else if remainder == 0.0 {
        0.0_f64.copysign(y)
    } else if (y < 0.0) != (remainder < 0.0) {
        remainder + y
    } else {
        remainder
    }
}

/// Python's and NumPy's `//`: consistent with [`modulo`]; `x / y` where the divisor is 0.
#[inline(always)]
pub fn floor_divide(x: f64, y: f64) -> f64 {
    if y == 0.0 {
        return x / y;
    }
    let remainder = x % y;
    let mut quotient = (x - remainder) / y;
    if remainder != 0.0 && (y < 0.0) != (remainder < 0.0) {
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return 0.0_f64.copysign(x / y);
    }
    // The quotient is an integer but for rounding.
    let floor = quotient.floor();
    if quotient - floor > 0.5 { floor + 1.0 } else { floor }
}

/// The smaller; NaN if either is.
#[inline(always)]
pub fn minimum(x: f64, y: f64) -> f64 {
    if (x < y) | x.is_nan() { x } else { y }
}

/// The larger; NaN if either is.
#[inline(always)]
pub fn maximum(x: f64, y: f64) -> f64 {
    if (x > y) | x.is_nan() { x } else { y }
}
