//! Normal equations with an intercept, which is eliminated first so that pivots are those of columns.

use ndarray::{Array2, Axis as NdAxis, s};

use crate::{
    Error, Result,
    solve::{positive_factor, substituted, vanishing_pivot},
};

/// A column of which no more than this share is left beside the intercept is constant, but for rounding.
const CONSTANT: f64 = 1e-13;

/// The symmetric matrix `[[A, b], [b.T, c]]`: A of columns, b and c of the intercept, if there is one.
#[derive(Clone, Debug)]
pub struct Bordered {
    /// `(d, d)`.
    pub matrix: Array2<f64>,
    /// `(d, 1)`, and the corner.
    pub edge: Option<(Array2<f64>, f64)>,
}

/// Its Cholesky factor.
pub struct Factored {
    /// Of the Schur complement of the corner, `(d, d)`.
    lower: Array2<f64>,
    edge: Option<(Array2<f64>, f64)>,
}

impl Bordered {
    /// All of it times a number, with a penalty on the columns: `scale * M + diag(penalty, .., penalty, 0)`.
    pub fn penalised(&self, scale: f64, penalty: f64) -> Self {
        let mut matrix = &self.matrix * scale;
        matrix.diag_mut().mapv_inplace(|pivot| pivot + penalty);
        Self { matrix, edge: self.edge.as_ref().map(|(border, corner)| (border * scale, corner * scale)) }
    }

    /// As one matrix, `(d + 1, d + 1)`, the intercept last; without one, `(d, d)`.
    pub fn whole(&self) -> Array2<f64> {
        let d = self.matrix.nrows();
        let mut whole = Array2::zeros((d + usize::from(self.edge.is_some()), d + usize::from(self.edge.is_some())));
        whole.slice_mut(s![..d, ..d]).assign(&self.matrix);
        if let Some((border, corner)) = &self.edge {
            whole.slice_mut(s![..d, d..]).assign(border);
            whole.slice_mut(s![d.., ..d]).assign(&border.t());
            whole[[d, d]] = *corner;
        }
        whole
    }

    /// Factorises it.
    ///
    /// # Errors
    /// `Numeric` if it is not positive definite, naming the column; or not finite.
    pub fn factor(&self) -> Result<Factored> {
        let Some((border, corner)) = &self.edge else {
            return Ok(Factored { lower: positive_factor(&self.matrix)?, edge: None });
        };
        if *corner <= 0.0 {
            return Err(vanishing_pivot(self.matrix.nrows()));
        }
        let complement = &self.matrix - &(border.dot(&border.t()) / *corner);
        let left = complement.diag();
        let constant = left.iter().zip(self.matrix.diag()).position(|(left, all)| *left <= CONSTANT * all);
        match constant {
            Some(column) => Err(vanishing_pivot(column)),
            None => Ok(Factored { lower: positive_factor(&complement)?, edge: self.edge.clone() }),
        }
    }
}

impl Factored {
    /// `M⁻¹ @ right`: `(d + 1, m) → (d + 1, m)`, the intercept in the last row; without one that row is 0.
    pub fn solve(&self, right: &Array2<f64>) -> Array2<f64> {
        let d = self.lower.nrows();
        let (of_columns, of_intercept) = right.view().split_at(NdAxis(0), d);
        let mut solution = Array2::zeros(right.raw_dim());
        match &self.edge {
            None => solution.slice_mut(s![..d, ..]).assign(&substituted(&self.lower, &of_columns.to_owned())),
            Some((border, corner)) => {
                let reduced = &of_columns - &(border.dot(&of_intercept) / *corner);
                let columns = substituted(&self.lower, &reduced);
                let intercept = (&of_intercept - &border.t().dot(&columns)) / *corner;
                solution.slice_mut(s![..d, ..]).assign(&columns);
                solution.slice_mut(s![d.., ..]).assign(&intercept);
            }
        }
        solution
    }

    /// `M⁻¹`: `(d + 1, d + 1)`, the intercept last; without one, `(d, d)`.
    pub fn inverse(&self) -> Array2<f64> {
        let d = self.lower.nrows();
        let inverse = self.solve(&Array2::eye(d + 1));
        let inverse = if self.edge.is_some() { inverse } else { inverse.slice(s![..d, ..d]).to_owned() };
        (&inverse + &inverse.t()) / 2.0
    }
}

/// What to do where normal equations cannot be solved.
pub fn explained(error: Error, what: &str) -> Error {
    match error {
        Error::Numeric(message) => Error::Numeric(format!(
            "{what}: the normal equations cannot be solved ({message}): a column is constant, depends on the others, \
             or the rows do not determine it; leave it out, or give a penalty"
        )),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn it_is_solved_as_one_matrix() {
        let whole = array![[4.0, 1.0, 2.0], [1.0, 3.0, 0.5], [2.0, 0.5, 5.0]];
        let bordered = Bordered {
            matrix: whole.slice(s![..2, ..2]).to_owned(),
            edge: Some((whole.slice(s![..2, 2..]).to_owned(), 5.0)),
        };
        let right = array![[1.0, -2.0], [2.0, 0.0], [3.0, 7.0]];
        let factored = bordered.factor().unwrap();
        let off = |a: Array2<f64>, b: &Array2<f64>| (a - b).iter().all(|x| x.abs() < 1e-14);
        assert!(off(whole.dot(&factored.solve(&right)), &right));
        assert!(off(whole.dot(&factored.inverse()), &Array2::eye(3)));
        let plain = Bordered { edge: None, ..bordered.clone() }.factor().unwrap();
        assert!(off(bordered.matrix.dot(&plain.inverse()), &Array2::eye(2)));
        assert_eq!(plain.solve(&right)[[2, 1]], 0.0);
        let penalised = bordered.penalised(2.0, 3.0);
        assert_eq!((penalised.matrix[[0, 0]], penalised.matrix[[0, 1]]), (11.0, 2.0));
    }

    #[test]
    fn the_pivot_is_that_of_the_column() {
        // The second column is the intercept, twice.
        let bordered = Bordered { matrix: array![[9.0, 6.0], [6.0, 12.0]], edge: Some((array![[3.0], [6.0]], 3.0)) };
        let message = bordered.factor().err().unwrap().to_string();
        assert!(message.contains("pivot 1"), "{message}");
        assert!(bordered.penalised(1.0, 0.1).factor().is_ok());
    }
}
