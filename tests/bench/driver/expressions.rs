//! Expressions of several operators: what can be computed without what lies between them being written.

use std::time::Instant;

use fondaco::{Axis, BinaryFunction, FedMatrix, Unary};
use ndarray::Array2;
use serde_json::{Value, json};

use crate::{AnyError, single::flat};

/// `((X - mu)**2 / s).sum(axis=0)`; mu and s are made of the columns' numbers.
pub async fn squares(x: &FedMatrix) -> Result<Value, AnyError> {
    let columns = x.ncols() as usize;
    let mu = Array2::from_shape_fn((1, columns), |(_, j)| 0.01 * j as f64);
    let s = Array2::from_shape_fn((1, columns), |(_, j)| 1.0 + j as f64);
    let begun = Instant::now();
    let sums = x.subtract(&mu)?.power(2.0)?.divide(&s)?.sum(Axis::Columns)?;
    let sums = sums.await?;
    Ok(json!({ "seconds": begun.elapsed().as_secs_f64(), "check": { "sums": flat(&sums) } }))
}

/// `X.T @ (sigmoid(X @ w) - y)`: the gradient of a logistic loss.
pub async fn gradient(x: &FedMatrix, y: &FedMatrix) -> Result<Value, AnyError> {
    let w = weights(x);
    let begun = Instant::now();
    let gradient = x.cross(x.matmul(&w)?.sigmoid()?.subtract(y)?)?.await?;
    Ok(json!({ "seconds": begun.elapsed().as_secs_f64(), "check": { "gradient": flat(&gradient) } }))
}

/// `X @ v`, kept at the sites, then its sum; so many times, each with another v.
pub async fn scores(x: &FedMatrix, times: usize) -> Result<Value, AnyError> {
    let w = weights(x);
    let mut sums = Vec::with_capacity(times);
    let begun = Instant::now();
    for i in 0..times {
        let scores = x.matmul(&w * (1.0 + i as f64))?;
        sums.push(scores.sum(Axis::All)?.scalar().await?);
    }
    Ok(json!({ "seconds": begun.elapsed().as_secs_f64(), "check": { "sums": sums } }))
}

/// One operator; `sizes` is |X|, the second operand, and where X is out of the domain the first.
pub async fn operator(x: &FedMatrix, sizes: &FedMatrix, name: &str) -> Result<Value, AnyError> {
    let unary = Unary::ALL.iter().find(|function| function.name() == name);
    let binary = BinaryFunction::ALL.iter().find(|function| function.name() == name);
    let eighths = if matches!(name, "asin" | "acos") { Some(x.divide(8.0)?) } else { None };
    if let Some(eighths) = &eighths {
        eighths.persist().await?;
    }
    let first = if matches!(name, "sqrt" | "log" | "log1p" | "power") { sizes } else { eighths.as_ref().unwrap_or(x) };
    let begun = Instant::now();
    let result = match (unary, binary) {
        (Some(function), _) => first.unary(*function)?,
        (None, Some(BinaryFunction::Power)) => first.power(2.5)?,
        (None, Some(function)) => first.binary(*function, sizes)?,
        (None, None) => return Err(format!("there is no operator {name}").into()),
    };
    result.persist().await?;
    let seconds = begun.elapsed().as_secs_f64();
    let sums = result.sum(Axis::Columns)?.await?;
    Ok(json!({ "seconds": seconds, "check": { "sums": flat(&sums) } }))
}

fn weights(x: &FedMatrix) -> Array2<f64> {
    Array2::from_shape_fn((x.ncols() as usize, 1), |(j, _)| 0.02 * (j % 7) as f64 - 0.05)
}
