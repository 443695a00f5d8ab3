//! The examples that no compiler checks.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use arrow::{array::Float64Array, compute::cast, datatypes::DataType};
use ndarray::Array2;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::harness::{Folder, Process};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests are in a repository").to_owned()
}

fn python() -> PathBuf {
    let python = repository().join(".venv/bin/python");
    assert!(python.is_file(), "{} is missing: `make test` makes it", python.display());
    python
}

/// The worker's connect line for a tenant.
fn line(process: &Process, tenant: &str) -> String {
    format!("fondaco://{}@{}", process.token(tenant), process.address)
}

/// Runs the plain client against the flights of one airport.
fn plain_client(airport: &str, privacy: &str) -> Value {
    let python = python();
    let folder = Folder::new();
    let flights = repository().join("examples/data").join(airport).join("flights.parquet");
    fs::copy(flights, folder.join("flights.parquet")).expect("the repository has the flights");
    let worker = Process::serve(folder, &["ada"], &["--privacy", privacy]);
    let script = repository().join("examples/plain_client.py");
    let output = Command::new(python).arg(script).arg(line(&worker, "ada")).output();
    let output = output.expect("the interpreter runs");
    assert!(output.status.success(), "the client failed: {}", String::from_utf8_lossy(&output.stderr));
    let lines = std::str::from_utf8(&output.stdout).expect("it prints text").lines();
    let objects = lines.map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON"));
    objects.flat_map(|object| object.as_object().expect("each line is an object").clone()).collect()
}

/// Columns of one airport's flights, read here.
fn pooled(airport: &str, columns: &[String]) -> Array2<f64> {
    let path = repository().join("examples/data").join(airport).join("flights.parquet");
    let file = fs::File::open(path).expect("the repository has the flights");
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("they are Parquet");
    let mut cells: Vec<Vec<f64>> = vec![Vec::new(); columns.len()];
    for batch in builder.build().expect("they can be read") {
        let batch = batch.expect("they can be read");
        for (cells, name) in cells.iter_mut().zip(columns) {
            let column = cast(batch.column_by_name(name).expect("such a column"), &DataType::Float64);
            let column = column.expect("it is numeric");
            let column = column.as_any().downcast_ref::<Float64Array>().expect("it was cast");
            cells.extend(column.iter().map(|value| value.unwrap_or(f64::NAN)));
        }
    }
    let rows = cells[0].len();
    Array2::from_shape_fn((rows, columns.len()), |(i, j)| cells[j][i])
}

/// A matrix as JSON; NaN is null.
fn matrix(value: &Value) -> Array2<f64> {
    let rows = value.as_array().expect("a matrix is a list of rows");
    let cells: Vec<Vec<f64>> = rows
        .iter()
        .map(|row| {
            let row = row.as_array().expect("a row is a list of numbers");
            row.iter().map(|cell| cell.as_f64().unwrap_or(f64::NAN)).collect()
        })
        .collect();
    Array2::from_shape_fn((cells.len(), cells[0].len()), |(i, j)| cells[i][j])
}

fn assert_close(what: &str, actual: &Array2<f64>, expected: &Array2<f64>) {
    assert_eq!(actual.dim(), expected.dim(), "{what}");
    for (actual, expected) in actual.iter().zip(expected) {
        assert!((actual - expected).abs() <= 1e-11 * expected.abs(), "{what}: {actual}, not {expected}");
    }
}

#[test]
fn the_plain_client_computes_on_aggregate_data() {
    let answer = plain_client("lga", "aggregate");
    assert_eq!((&answer["dataset"], &answer["rows"]), (&Value::from("flights"), &Value::from(23_148)));
    let columns: Vec<String> = serde_json::from_value(answer["columns"].clone()).expect("a list of names");
    assert_eq!(columns.len(), 6);
    let x = pooled("lga", &columns);
    let a = matrix(&answer["a"]);
    assert_eq!(a.dim(), (6, 2));
    let sums = x.dot(&a).sum_axis(ndarray::Axis(0)).insert_axis(ndarray::Axis(0));
    assert_close("column sums", &matrix(&answer["column sums of X @ A"]), &sums);
    assert_close("X.T @ X", &matrix(&answer["X.T @ X"]), &x.t().dot(&x));
    assert!(answer["rows of X"]["code"].as_str().is_some_and(|code| code.ends_with("RELEASE_DENIED")), "{answer}");
    assert!(answer["rows of X"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer}");
}

#[test]
fn the_plain_client_says_what_it_needs() {
    for arguments in [&[][..], &["127.0.0.1:7171"]] {
        let script = repository().join("examples/plain_client.py");
        let output = Command::new(python()).arg(script).args(arguments).output().expect("the interpreter runs");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && message.contains("fondaco://TOKEN@HOST:PORT"), "{message}");
        assert!(!message.contains("Traceback"), "{message}");
    }
}

#[test]
fn the_plain_client_is_given_public_rows() {
    let answer = plain_client("lga", "public");
    assert_eq!(answer["rows of X"], "given, as the data is public");
    assert_eq!(answer["rows"], Value::from(23_148));
}
