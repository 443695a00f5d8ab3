//! The coordinator's small problems, against NumPy's numbers.

use fondaco::solve::{det, eigh, inv, lstsq, slogdet, solve, svd};
use ndarray::{Array2, Axis as Along};

use super::numbers::{assert_close, assert_near, matrix, number, read};

#[test]
fn numbers_are_those_of_numpy() {
    let known = read("solve");
    let get = |name: &str| matrix(&known[name]);
    let (a, b, wide) = (get("a"), get("b"), get("wide"));
    assert_near("solve", &solve(&a, &b).expect("regular"), &get("solve"), 1e-12);
    assert_near("inv", &inv(&a).expect("regular"), &get("inv"), 1e-12);
    assert_close("det", det(&a).expect("square"), number(&known["det"]), 1e-13);
    let (sign, log) = slogdet(&a).expect("square");
    assert_eq!(sign, number(&known["slogdet"][0]));
    assert_close("slogdet", log, number(&known["slogdet"][1]), 1e-13);
    let (values, _) = eigh(&(&a + &a.t())).expect("symmetric");
    assert_near("eigh", &values.insert_axis(Along(1)), &get("eigenvalues"), 1e-14);
    let values = svd(&wide, true).expect("finite").s;
    assert_near("svd", &values.insert_axis(Along(1)), &get("singular_values"), 1e-14);
    let found = lstsq(&wide.t().dot(&wide), &Array2::ones((7, 1)), None).expect("finite");
    assert_eq!(found.rank as f64, number(&known["rank"]));
    assert_near("lstsq", &found.solution, &get("lstsq"), 1e-10);
}
