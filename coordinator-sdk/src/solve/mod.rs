//! Small dense problems at the coordinator, by LAPACK: one routine per file. What LAPACK leaves open, the signs of
//! vectors, is fixed here, so that results do not depend on the build. OpenBLAS computes on the calling thread alone,
//! which is set for the whole process: its threaded routines need more stack than tokio's threads have.

mod cholesky;
mod det;
mod eigh;
mod inv;
mod lstsq;
mod lu;
mod qr;
mod svd;
mod system;
#[cfg(test)]
mod testing;

use lax::error::Error as Lapack;
use ndarray::{Array2, ArrayView1};

pub use cholesky::{cholesky, solve_positive};
pub(crate) use cholesky::{positive_factor, substituted, vanishing_pivot};
pub use det::{det, slogdet};
pub use eigh::eigh;
pub use inv::inv;
pub use lstsq::{LeastSquares, lstsq};
pub use qr::qr;
pub use svd::{Svd, svd};
pub use system::solve;

use crate::{Error, Result, blas};

/// Components that differ by less than this share are equally large: rounding must not choose between them.
const ALIKE: f64 = 1e-8;

/// What every routine asks first.
fn finite(what: &str, a: &Array2<f64>) -> Result<()> {
    blas::single_threaded();
    match a.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some(((i, j), value)) => Err(Error::Numeric(format!("{what}: element ({i}, {j}) of the matrix is {value}"))),
        None => Ok(()),
    }
}

fn finite_square(what: &str, a: &Array2<f64>) -> Result<()> {
    if a.nrows() != a.ncols() {
        let message = format!("{what}: the matrix must be square, but is ({}, {})", a.nrows(), a.ncols());
        return Err(Error::Numeric(message));
    }
    finite(what, a)
}

fn fits(what: &str, a: &Array2<f64>, b: &Array2<f64>) -> Result<()> {
    if a.nrows() == b.nrows() {
        return Ok(());
    }
    let shape = |m: &Array2<f64>| format!("({}, {})", m.nrows(), m.ncols());
    Err(Error::plan(format!("{what}: both need as many rows, but are {} and {}", shape(a), shape(b))))
}

/// LAPACK's return code counts from 1.
fn failed(what: &str, error: Lapack, say: impl Fn(i32) -> String) -> Error {
    Error::Numeric(match error {
        Lapack::LapackComputationalFailure { return_code } => format!("{what}: {}", say(return_code - 1)),
        other => format!("{what}: {other}"),
    })
}

/// The sign of a vector's largest component; of several that are equally large the first counts.
fn sign_of(vector: ArrayView1<f64>) -> f64 {
    let largest = vector.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    let first = vector.iter().find(|x| x.abs() >= largest * (1.0 - ALIKE));
    if first.is_some_and(|x| *x < 0.0) { -1.0 } else { 1.0 }
}
