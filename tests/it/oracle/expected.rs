//! Values with their slack, and the comparison with what came back.

use ndarray::{Array2, Zip};

/// Share of the size of the terms by which a cell may be off.
const SLACK: f64 = 1e-12;

/// Beyond this, sums of integers are rounded.
const INTEGERS_MAX: f64 = 9_007_199_254_740_992.0;

/// A value, and how far from it each cell may be.
#[derive(Clone, Debug)]
pub struct Expected {
    pub value: Array2<f64>,
    slack: Array2<f64>,
}

impl Expected {
    /// Not off at all. The sign of a zero and the bits of a NaN do not count.
    pub fn exact(value: Array2<f64>) -> Self {
        let slack = Array2::zeros(value.raw_dim());
        Self { value, slack }
    }

    /// Off by at most so much, cell by cell.
    pub fn within(value: Array2<f64>, slack: Array2<f64>) -> Self {
        assert_eq!(value.dim(), slack.dim());
        Self { value, slack }
    }

    /// Within 1e-12 of the size of the terms; `least` is for what denormals lose.
    pub fn of_size(value: Array2<f64>, size: &Array2<f64>, least: f64) -> Self {
        Self::within(value, size.mapv(|size| SLACK * size + least))
    }

    /// Sums of terms of this size: exact where inputs are integers and no sum can be rounded.
    pub fn sums(inputs: &[&Array2<f64>], value: Array2<f64>, size: &Array2<f64>, least: f64) -> Self {
        let whole = |x: &f64| x.fract() == 0.0;
        if inputs.iter().all(|input| input.iter().all(whole)) && size.iter().all(|size| *size <= INTEGERS_MAX) {
            return Self::exact(value);
        }
        Self::of_size(value, size, least)
    }

    /// Some of its rows.
    pub fn rows(&self, rows: std::ops::Range<usize>) -> Self {
        let of = |cells: &Array2<f64>| cells.slice(ndarray::s![rows.clone(), ..]).to_owned();
        Self::within(of(&self.value), of(&self.slack))
    }

    /// What becomes of it and of its slack, cell by cell, where `f` only scales, given the row.
    pub fn map(&self, f: impl Fn(usize, f64) -> f64) -> Self {
        let of = |cells: &Array2<f64>| Array2::from_shape_fn(cells.raw_dim(), |at| f(at.0, cells[at]));
        Self::within(of(&self.value), of(&self.slack))
    }

    /// The same of the transpose.
    pub fn transposed(self) -> Self {
        Self { value: self.value.reversed_axes(), slack: self.slack.reversed_axes() }
    }

    /// What is wrong with the actual value, if anything is.
    pub fn mismatch(&self, actual: &Array2<f64>) -> Option<String> {
        if actual.dim() != self.value.dim() {
            return Some(format!("the shape is {:?}, not {:?}", actual.dim(), self.value.dim()));
        }
        let mut cells = self.value.indexed_iter().zip(&self.slack);
        let wrong = cells.find(|((at, value), slack)| !close(actual[*at], **value, **slack))?;
        let ((at, value), slack) = wrong;
        let off = (actual[at] - value).abs();
        Some(format!("cell {at:?} is {:e}, not {value:e}; off by {off:e}, granted {slack:e}", actual[at]))
    }

    /// # Panics
    /// If the actual value is wrong, saying in what.
    #[track_caller]
    pub fn check(&self, what: &str, actual: &Array2<f64>) {
        if let Some(wrong) = self.mismatch(actual) {
            panic!("{what}: {wrong}");
        }
    }
}

fn close(actual: f64, value: f64, slack: f64) -> bool {
    // Equal infinities differ by NaN.
    actual == value || (actual.is_nan() && value.is_nan()) || (actual - value).abs() <= slack
}

/// # Panics
/// If the two differ in any bit; NaN is equal to NaN.
#[track_caller]
pub fn assert_same_bits(what: &str, a: &Array2<f64>, b: &Array2<f64>) {
    assert_eq!(a.dim(), b.dim(), "{what}: the shapes differ");
    Zip::indexed(a).and(b).for_each(|at, x, y| {
        let same = x.to_bits() == y.to_bits() || (x.is_nan() && y.is_nan());
        assert!(same, "{what}: cell {at:?} is {x:e} and {y:e}");
    });
}
