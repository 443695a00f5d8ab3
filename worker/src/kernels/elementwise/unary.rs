//! Functions of one cell, as NumPy has them.

use fondaco_proto::op::Unary;

use super::{super::simd, Lane, math};

/// A function over a lane.
pub type Kernel = fn(Lane<'_>, &mut [f64]);

fn lanes(x: Lane<'_>, out: &mut [f64], f: impl Fn(f64) -> f64) {
    match x {
        Lane::Cells(x) => simd::map(out, x, f),
        Lane::Cell(x) => out.fill(f(x)),
    }
}

/// A function of angles; of large ones, and of what is no number, the C library's.
fn circular(x: Lane<'_>, out: &mut [f64], f: impl Fn(f64) -> f64, of_large: impl Fn(f64) -> f64) {
    let large = |x: f64| x.is_nan() || x.abs() > math::ARGUMENT_MAX;
    match x {
        Lane::Cells(x) => {
            simd::map(out, x, f);
            if x.iter().fold(false, |any, x| any | large(*x)) {
                x.iter().zip(out).filter(|(x, _)| large(**x)).for_each(|(x, out)| *out = of_large(*x));
            }
        }
        Lane::Cell(x) => out.fill(if large(x) { of_large(x) } else { f(x) }),
    }
}

/// 1 for true, 0 for false.
#[inline(always)]
pub fn truth(condition: bool) -> f64 {
    if condition { 1.0 } else { 0.0 }
}

/// The kernel of a function; softmax, which is of rows, passes cells through.
pub fn kernel(function: Unary) -> Kernel {
    match function {
        Unary::Negative => |x, out| lanes(x, out, |x| -x),
        Unary::Abs => |x, out| lanes(x, out, f64::abs),
        Unary::Sign => |x, out| lanes(x, out, sign),
        Unary::Sqrt => |x, out| lanes(x, out, f64::sqrt),
        Unary::Exp => |x, out| lanes(x, out, math::exp),
        Unary::Log => |x, out| lanes(x, out, math::ln),
        Unary::Log1p => |x, out| lanes(x, out, math::log1p),
        Unary::Expm1 => |x, out| lanes(x, out, math::expm1),
        Unary::Sin => |x, out| circular(x, out, math::sin, f64::sin),
        Unary::Cos => |x, out| circular(x, out, math::cos, f64::cos),
        Unary::Tan => |x, out| circular(x, out, math::tan, f64::tan),
        Unary::Asin => |x, out| lanes(x, out, math::asin),
        Unary::Acos => |x, out| lanes(x, out, math::acos),
        Unary::Atan => |x, out| lanes(x, out, math::atan),
        Unary::Sinh => |x, out| lanes(x, out, math::sinh),
        Unary::Cosh => |x, out| lanes(x, out, math::cosh),
        Unary::Tanh => |x, out| lanes(x, out, math::tanh),
        Unary::Sigmoid => |x, out| lanes(x, out, sigmoid),
        Unary::Floor => |x, out| lanes(x, out, f64::floor),
        Unary::Ceil => |x, out| lanes(x, out, f64::ceil),
        Unary::Round => |x, out| lanes(x, out, f64::round_ties_even),
        Unary::Isnan => |x, out| lanes(x, out, |x| truth(x.is_nan())),
        Unary::Isinf => |x, out| lanes(x, out, |x| truth(x.is_infinite())),
        Unary::Not => |x, out| lanes(x, out, |x| truth(x == 0.0)),
        Unary::Softmax | Unary::LogSoftmax => |x, out| lanes(x, out, |x| x),
    }
}

/// -1, 0 or 1; NaN of NaN.
#[inline(always)]
fn sign(x: f64) -> f64 {
    if x.is_nan() { x } else { truth(x > 0.0) - truth(x < 0.0) }
}

/// `1 / (1 + exp(-x))`, without overflow and with full accuracy at both ends.
#[inline(always)]
fn sigmoid(x: f64) -> f64 {
    let e = math::exp(-x.abs());
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}
