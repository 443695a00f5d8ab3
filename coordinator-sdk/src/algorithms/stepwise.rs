//! Stepwise regression.

use ndarray::{Array1, Array2, Axis as NdAxis};

use super::{FittedLinear, centred::Centred};
use crate::{FedMatrix, Operand, Result, solve::solve_positive};

/// Squares of a column less its projections that are no more than this share of it are rounding.
const DEPENDENT: f64 = 1e-12;

/// Linear regression that takes in one column after another: always the one with which Akaike's criterion is least
/// (Akaike 1974, "A new look at the statistical model identification"; Venables & Ripley, "Modern Applied Statistics with
/// S", 4th ed., 6.8), until that is not much less. As SystemDS's `steplm`, and R's `step` forward; the criterion is
/// `n ln(RSS / n) + 2 p` of p coefficients, R's `extractAIC`. One round trip: all models follow from one Gram matrix, from
/// which the columns taken in are projected out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepwiseRegression {
    /// Whether there is an intercept.
    pub fit_intercept: bool,
    /// Ends when the criterion does not fall by more than this share of its magnitude; 0: when it does not fall.
    pub threshold: f64,
}

impl Default for StepwiseRegression {
    fn default() -> Self {
        Self { fit_intercept: true, threshold: 0.001 }
    }
}

/// The result of [`StepwiseRegression`].
#[derive(Clone, Debug, PartialEq)]
pub struct FittedStepwise {
    /// The model; the coefficients of columns that were left out are 0.
    pub model: FittedLinear,
    /// The columns that were taken in, in this order.
    pub selected: Vec<usize>,
    /// The criterion without any column, and after each one.
    pub aic: Vec<f64>,
}

impl StepwiseRegression {
    /// Fits `(n, d), (n, 1)`; y is federated in the same rows, or an array. NaN has to be replaced before. Columns that
    /// depend on those taken in are left out.
    ///
    /// # Errors
    /// `Plan` if shapes or layouts do not fit; `Numeric` for NaN; a site's.
    pub async fn fit(&self, x: &FedMatrix, y: impl Into<Operand>) -> Result<FittedStepwise> {
        let data = Centred::of("stepwise regression", x, &y.into(), self.fit_intercept).await?;
        let mut rest = Rest::of(&data);
        let criterion = |squares: f64, columns: usize| {
            data.n * (squares / data.n).ln() + 2.0 * (columns + usize::from(self.fit_intercept)) as f64
        };
        let mut aic = vec![criterion(data.squares, 0)];
        let mut selected = Vec::new();
        let mut last = aic[0];
        while let Some((column, gain)) = rest.best(&data, &selected) {
            let next = criterion((rest.squares - gain).max(0.0), selected.len() + 1);
            if !(next < last && last - next > (self.threshold * last).abs()) {
                break;
            }
            rest.project(column, gain);
            selected.push(column);
            aic.push(next);
            last = next;
            if last == f64::NEG_INFINITY {
                break;
            }
        }
        let gram = data.gram.select(NdAxis(0), &selected).select(NdAxis(1), &selected);
        let cross = data.cross.select(NdAxis(0), &selected).insert_axis(NdAxis(1));
        let solved = solve_positive(&gram, &cross)?;
        let mut coef = Array1::zeros(data.gram.nrows());
        selected.iter().zip(&solved).for_each(|(&column, &w)| coef[column] = w);
        Ok(FittedStepwise { model: data.model(&coef, selected.len()), selected, aic })
    }
}

/// What is left of the products when columns are projected out (Gram & Schmidt's, on the products).
struct Rest {
    gram: Array2<f64>,
    cross: Array1<f64>,
    squares: f64,
}

impl Rest {
    fn of(data: &Centred) -> Self {
        Self { gram: data.gram.clone(), cross: data.cross.clone(), squares: data.squares }
    }

    /// The column that explains most of what is left, and how much; the first of several.
    fn best(&self, data: &Centred, selected: &[usize]) -> Option<(usize, f64)> {
        let mut best: Option<(usize, f64)> = None;
        for column in (0..self.cross.len()).filter(|column| !selected.contains(column)) {
            let left = self.gram[[column, column]];
            if data.is_constant(column) || left <= DEPENDENT * data.gram[[column, column]] {
                continue;
            }
            let gain = self.cross[column] * self.cross[column] / left;
            if best.is_none_or(|(_, most)| gain > most) {
                best = Some((column, gain));
            }
        }
        best
    }

    fn project(&mut self, column: usize, gain: f64) {
        let (row, slope) = (self.gram.row(column).to_owned(), self.cross[column]);
        let pivot = row[column];
        for (mut out, by) in self.gram.rows_mut().into_iter().zip(&row) {
            out.scaled_add(-by / pivot, &row);
        }
        self.cross.scaled_add(-slope / pivot, &row);
        self.squares = (self.squares - gain).max(0.0);
    }
}
