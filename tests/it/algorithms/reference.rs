//! What scikit-learn and statsmodels found on small data; tests/reference/make_reference.py made it.

use std::{ops::Range, path::Path};

use fondaco::{FedMatrix, Federation};
use fondaco_worker::label::Level;
use ndarray::{Array2, Axis as Along, concatenate};
use serde_json::Value;

use crate::{
    harness::{Plan, Random, Table},
    laws::{
        sample::Cuts,
        trio::{NAMES, Trio, scatter},
    },
};

/// A file of results.
pub fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).expect("the repository has it");
    serde_json::from_str(&text).expect("it is JSON")
}

/// The cases of a file.
pub fn cases(name: &str) -> Vec<Value> {
    read(name).as_array().expect("a list of cases").clone()
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

/// The inputs.
pub struct Data(Value);

impl Data {
    pub fn read() -> Self {
        Self(read("data"))
    }

    pub fn get(&self, name: &str) -> Array2<f64> {
        matrix(&self.0[name])
    }
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

/// The inputs as a dataset `d` at three sites, a third of the rows at each, columns named like the inputs, those of
/// several columns with a number behind.
pub async fn at_sites(privacy: Level, data: &Data, names: &[&str]) -> Trio {
    at_sites_by(privacy, data, names, |rows, site| rows * site / NAMES.len()..rows * (site + 1) / NAMES.len()).await
}

/// The same, all rows at each site: three times as many, and the same means.
pub async fn at_each_site(privacy: Level, data: &Data, names: &[&str]) -> Trio {
    at_sites_by(privacy, data, names, |rows, _| 0..rows).await
}

async fn at_sites_by(privacy: Level, data: &Data, names: &[&str], rows: fn(usize, usize) -> Range<usize>) -> Trio {
    let columns = |name: &&str| {
        let array = data.get(name);
        let count = array.ncols();
        let named = move |column: usize| if count == 1 { (*name).to_owned() } else { format!("{name}{column}") };
        (0..count).map(|column| (named(column), array.column(column).to_vec())).collect::<Vec<_>>()
    };
    let columns: Vec<(String, Vec<f64>)> = names.iter().flat_map(columns).collect();
    Trio::planned(|index, plan: Plan| {
        let share = rows(columns[0].1.len(), index);
        let table =
            columns.iter().fold(Table::new(), |table, (name, cells)| table.f64(name, cells[share.clone()].to_vec()));
        plan.dataset_with("d", &table, |dataset| dataset.privacy = privacy)
    })
    .await
}

/// `[X, 1]`.
pub fn with_ones(x: &Array2<f64>) -> Array2<f64> {
    concatenate(Along(1), &[x.view(), Array2::ones((x.nrows(), 1)).view()]).expect("as many rows")
}
