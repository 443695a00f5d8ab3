//! A first approximation of a Hessian.

use ndarray::Array2;

use super::{bordered::Factored, design::Design};
use crate::Result;

/// The inverse of `scale * [X, 1].T @ [X, 1]` and penalties; of its diagonal, where a design has no more.
pub enum Metric {
    Full(Factored),
    Diagonal(Array2<f64>),
}

impl Metric {
    /// With these penalties on the coefficients, and on the intercept.
    ///
    /// # Errors
    /// `Numeric` if it is not positive definite, naming the column.
    pub fn of(design: &Design, scale: f64, penalty: f64, on_intercept: f64) -> Result<Self> {
        if let Some(bordered) = design.bordered() {
            let mut penalised = bordered.penalised(scale, penalty);
            if let Some((_, corner)) = &mut penalised.edge {
                *corner += on_intercept;
            }
            return Ok(Self::Full(penalised.factor()?));
        }
        let squares = design.squares.iter().map(|square| scale * square + penalty);
        let pivots: Vec<f64> = squares.chain([scale * design.total + on_intercept]).collect();
        // A column of zeros keeps its coefficient of zero.
        let inverse = |row: usize| if pivots[row] > 0.0 { 1.0 / pivots[row] } else { 1.0 };
        Ok(Self::Diagonal(Array2::from_shape_fn((pivots.len(), 1), |(row, _)| inverse(row))))
    }

    /// `M⁻¹ @ gradient`, `(d + 1, k) → (d + 1, k)`.
    pub fn solve(&self, gradient: &Array2<f64>) -> Array2<f64> {
        match self {
            Self::Full(factored) => factored.solve(gradient),
            Self::Diagonal(inverse) => gradient * inverse,
        }
    }
}
