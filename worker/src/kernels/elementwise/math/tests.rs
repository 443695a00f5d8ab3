use super::*;

/// Distance in units of the last place of what is expected.
fn ulps(got: f64, expected: f64) -> f64 {
    if got == expected || (got.is_nan() && expected.is_nan()) {
        return 0.0;
    }
    (got - expected).abs() / (expected.abs().next_up() - expected.abs()).max(f64::MIN_POSITIVE * f64::EPSILON)
}

/// Numbers from one to another, and as many in powers.
fn numbers(low: f64, high: f64) -> impl Iterator<Item = f64> {
    let steps = 200_000;
    let even = (0..=steps).map(move |i| low + (high - low) * f64::from(i) / f64::from(steps));
    let powers = (0..steps).map(move |i| high * 0.999_f64.powi(i));
    even.chain(powers.clone().filter(move |_| low < 0.0).map(|x| -x)).chain(powers)
}

type Function = fn(f64) -> f64;

#[test]
fn near_the_c_library() {
    let checks: [(&str, Function, Function, f64, f64); 13] = [
        ("exp", exp, f64::exp, -750.0, 715.0),
        ("expm1", expm1, f64::exp_m1, -60.0, 715.0),
        ("ln", ln, f64::ln, 0.0, f64::MAX),
        ("log1p", log1p, f64::ln_1p, -1.0, 1e18),
        ("log1p", log1p, f64::ln_1p, -0.9, 2.0),
        ("sin", sin, f64::sin, -1e6, 1e6),
        ("cos", cos, f64::cos, -1e6, 1e6),
        ("tan", tan, f64::tan, -1e6, 1e6),
        ("asin", asin, f64::asin, -1.0, 1.0),
        ("acos", acos, f64::acos, -1.0, 1.0),
        ("atan", atan, f64::atan, -1e18, 1e18),
        ("sinh", sinh, f64::sinh, -712.0, 712.0),
        ("cosh", cosh, f64::cosh, -712.0, 712.0),
    ];
    for (name, of, library, low, high) in checks {
        check(name, of, library, numbers(low, high));
    }
    check("tanh", tanh, f64::tanh, numbers(-25.0, 25.0));
    let small = || numbers(-4.0, 4.0);
    for (name, of, library, ..) in checks.into_iter().filter(|(name, ..)| !matches!(*name, "ln" | "log1p")) {
        check(name, of, library, small());
    }
}

#[track_caller]
fn check(name: &str, of: Function, library: Function, numbers: impl Iterator<Item = f64>) {
    let (worst, at) = numbers.fold((0.0, 0.0), |(worst, at), x| {
        let off = ulps(of(x), library(x));
        if off > worst || off.is_nan() { (off, x) } else { (worst, at) }
    });
    assert!(worst <= 3.0, "{name}({at}) is {}, not {}: {worst} units in the last place", of(at), library(at));
}

/// Where sines and cosines are nearly 0: next to multiples of π / 2.
#[test]
fn next_to_multiples_of_a_quarter_turn() {
    for k in 1..600_000 {
        let x = f64::from(k) * std::f64::consts::FRAC_PI_2;
        for x in [x, x.next_up(), x.next_down(), -x] {
            assert!(ulps(sin(x), x.sin()) <= 2.0, "sin({x})");
            assert!(ulps(cos(x), x.cos()) <= 2.0, "cos({x})");
            assert!(ulps(tan(x), x.tan()) <= 3.0, "tan({x})");
        }
    }
}

#[test]
fn at_the_edges() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let edges = [0.0, -0.0, inf, -inf, nan, 1.0, -1.0, 5e-324, -5e-324, 1e-310, 1e308, -1e308, 1e-8, 745.2, -745.2];
    let functions: [(&str, Function, Function); 11] = [
        ("exp", exp, f64::exp),
        ("expm1", expm1, f64::exp_m1),
        ("ln", ln, f64::ln),
        ("log1p", log1p, f64::ln_1p),
        ("asin", asin, f64::asin),
        ("acos", acos, f64::acos),
        ("atan", atan, f64::atan),
        ("sinh", sinh, f64::sinh),
        ("cosh", cosh, f64::cosh),
        ("tanh", tanh, f64::tanh),
        ("sin", |x| if x.abs() < 1.0 { sin(x) } else { x.sin() }, f64::sin),
    ];
    for (name, of, library) in functions {
        for x in edges {
            let (got, expected) = (of(x), library(x));
            let same_sign = got.is_nan() || got.is_sign_negative() == expected.is_sign_negative();
            assert!(ulps(got, expected) <= 2.0 && same_sign, "{name}({x}) is {got}, not {expected}");
            assert_eq!(got.is_nan(), expected.is_nan(), "{name}({x})");
        }
    }
    assert_eq!([exp(-745.0), exp(709.7)], [(-745.0_f64).exp(), 709.7_f64.exp()]);
    assert!(ulps(sinh(710.3), 710.3_f64.sinh()) <= 3.0 && ulps(cosh(710.3), 710.3_f64.cosh()) <= 3.0);
    assert!(ulps(expm1(709.7), 709.7_f64.exp_m1()) <= 3.0);
}
