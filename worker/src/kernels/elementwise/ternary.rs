//! Operators of three operands, counting numbers.

use fondaco_proto::op::Ternary;

use super::{
    super::simd,
    Lane,
    binary::{maximum, minimum},
};

/// Runs the operator over its lanes.
pub fn run(op: Ternary, lanes: &[Lane<'_>], out: &mut [f64]) {
    match (op, lanes) {
        (Ternary::Where, [condition, x, y]) => select(*condition, *x, *y, out),
        (Ternary::PlusMultiply(s), [x, y]) => pair(*x, *y, out, |x, y| x + s * y),
        (Ternary::MinusMultiply(s), [x, y]) => pair(*x, *y, out, |x, y| x - s * y),
        (Ternary::Clip { low, high }, [x]) => one(*x, out, |x| minimum(maximum(x, low), high)),
        (Ternary::Replace { pattern, value }, [x]) if pattern.is_nan() => {
            one(*x, out, |x| if x.is_nan() { value } else { x });
        }
        (Ternary::Replace { pattern, value }, [x]) => one(*x, out, |x| if x == pattern { value } else { x }),
        (Ternary::ClipBetween, [x, low, high]) => between(*x, *low, *high, out),
        (
            Ternary::Where
            | Ternary::PlusMultiply(_)
            | Ternary::MinusMultiply(_)
            | Ternary::Clip { .. }
            | Ternary::Replace { .. }
            | Ternary::ClipBetween,
            _,
        ) => {
            debug_assert!(false, "the arity was checked");
            out.fill(f64::NAN);
        }
    }
}

fn one(x: Lane<'_>, out: &mut [f64], f: impl Fn(f64) -> f64) {
    match x {
        Lane::Cells(x) => simd::map(out, x, f),
        Lane::Cell(x) => out.fill(f(x)),
    }
}

fn pair(x: Lane<'_>, y: Lane<'_>, out: &mut [f64], f: impl Fn(f64, f64) -> f64) {
    match (x, y) {
        (Lane::Cells(x), Lane::Cells(y)) => simd::map2(out, x, y, f),
        (Lane::Cells(x), Lane::Cell(y)) => simd::map(out, x, |x| f(x, y)),
        (Lane::Cell(x), Lane::Cells(y)) => simd::map(out, y, |y| f(x, y)),
        (Lane::Cell(x), Lane::Cell(y)) => out.fill(f(x, y)),
    }
}

/// `np.clip`: not below `low`, then not above `high`; NaN if any of them is.
fn between(x: Lane<'_>, low: Lane<'_>, high: Lane<'_>, out: &mut [f64]) {
    pair(x, low, out, maximum);
    match high {
        Lane::Cell(high) => simd::update(out, |x| minimum(x, high)),
        Lane::Cells(high) => simd::update2(out, high, minimum),
    }
}

/// `np.where`: x where the condition is not 0 (NaN is not), else y.
fn select(condition: Lane<'_>, x: Lane<'_>, y: Lane<'_>, out: &mut [f64]) {
    let pick = |c: f64, x: f64, y: f64| if c != 0.0 { x } else { y };
    match (condition, x, y) {
        (Lane::Cell(c), x, y) => one(if c != 0.0 { x } else { y }, out, |cell| cell),
        (Lane::Cells(c), Lane::Cells(x), Lane::Cells(y)) => simd::map3(out, c, x, y, pick),
        (Lane::Cells(c), Lane::Cells(x), Lane::Cell(y)) => simd::map2(out, c, x, |c, x| pick(c, x, y)),
        (Lane::Cells(c), Lane::Cell(x), Lane::Cells(y)) => simd::map2(out, c, y, |c, y| pick(c, x, y)),
        (Lane::Cells(c), Lane::Cell(x), Lane::Cell(y)) => simd::map(out, c, |c| pick(c, x, y)),
    }
}
