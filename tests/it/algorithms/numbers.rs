//! What NumPy, SciPy, scikit-learn and statsmodels found on small data; tests/reference made it.

use std::path::Path;

use fondaco::{FedMatrix, Federation};
use ndarray::Array2;
use serde_json::Value;

use crate::{
    harness::Random,
    laws::{sample::Cuts, trio::scatter},
};

/// A file of results.
pub fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).expect("the repository has it");
    serde_json::from_str(&text).expect("it is JSON")
}

/// A number; null is infinity.
pub fn number(value: &Value) -> f64 {
    if value.is_null() { f64::INFINITY } else { value.as_f64().unwrap_or_else(|| panic!("{value} is no number")) }
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

pub fn truth(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| panic!("{value} is no boolean"))
}

/// A list of rows; a list of numbers is a column.
pub fn matrix(value: &Value) -> Array2<f64> {
    let rows = value.as_array().unwrap_or_else(|| panic!("{value} is no list"));
    let cells = |row: &Value| row.as_array().map_or_else(|| vec![number(row)], |row| row.iter().map(number).collect());
    let rows: Vec<Vec<f64>> = rows.iter().map(cells).collect();
    Array2::from_shape_fn((rows.len(), rows.first().map_or(0, Vec::len)), |(i, j)| rows[i][j])
}

/// Fails unless all cells are within `tol` of the largest expected one.
pub fn assert_near(context: &str, actual: &Array2<f64>, expected: &Array2<f64>, tol: f64) {
    assert_eq!(actual.dim(), expected.dim(), "{context}");
    let size = expected.iter().fold(1e-300, |most: f64, x| most.max(x.abs()));
    let off = (actual - expected).iter().fold(0.0, |most: f64, x| if x.abs() <= most { most } else { x.abs() });
    assert!(off <= tol * size, "{context}: off by {:e}: {actual} instead of {expected}", off / size);
}

/// Fails unless the number is within `tol` of the expected one.
pub fn assert_close(context: &str, actual: f64, expected: f64, tol: f64) {
    let off = (actual - expected).abs();
    assert!(off <= tol * expected.abs().max(1e-300), "{context}: {actual} instead of {expected}, off by {off:e}");
}

/// The inputs at three sites, in one layout or another: each column in the same rows, now and then in other parts.
pub struct Placed<'a> {
    fed: &'a Federation,
    random: Random,
    cuts: Cuts,
}

impl<'a> Placed<'a> {
    pub fn new(fed: &'a Federation, seed: u64, rows: usize) -> Self {
        let mut random = Random::new(seed);
        let cuts = Cuts::rows(&mut random, rows, 1);
        Self { fed, random, cuts }
    }

    pub fn put(&mut self, array: &Array2<f64>) -> FedMatrix {
        let cuts = self.cuts.aligned(&mut self.random, array.ncols());
        scatter(self.fed, &mut self.random, array, &cuts)
    }

    pub fn context(&self) -> String {
        format!("{:?}", self.cuts.layout())
    }
}
