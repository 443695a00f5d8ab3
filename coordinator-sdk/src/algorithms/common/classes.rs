//! Responses that are classes, and predictions of them.

use fondaco_proto::ErrorCode;
use ndarray::{Array2, ArrayView2};

use super::rows::{beside, hinted};
use crate::{Axis, Error, FedMatrix, Operand, Pending, Result};

/// What to do where the sites do not say how many rows have which class.
const FEW: &str = "a class has too few rows at a site, or all but too few: merge classes, or read more rows";

/// Who is in which class.
pub struct Classes {
    /// What stands for each class: 0, 1, .., or -1 and 1.
    pub values: Vec<f64>,
    /// One-hot, `(n, classes)`; of two classes the second alone, `(n, 1)`.
    pub member: FedMatrix,
    /// `[t, t²].T @ [t, t²]` of labels that should be 0 and 1.
    check: Option<Pending>,
}

impl Classes {
    /// Labels 0, 1, .. or -1 and 1 in one column, or one-hot in several; federated beside X, or an array. How many
    /// classes there are is known from an array, or from one-hot columns; of federated labels there are two, if nothing
    /// else is said. At most one round trip.
    ///
    /// # Errors
    /// `Plan` if an array holds other labels, or one class alone; `Numeric` if federated ones do, as far as their sums
    /// show it; a site's.
    pub async fn of(x: &FedMatrix, y: &Operand, n_classes: Option<usize>) -> Result<Self> {
        match y {
            Operand::Scalar(_) => Err(Error::plan("y must be labels, not a number")),
            Operand::Local(array) => {
                let (values, member) = known(array.view(), n_classes)?;
                Ok(Self { values, member: beside(x, "y", &member.into())?, check: None })
            }
            Operand::Fed(matrix) if matrix.ncols() > 1 => Self::one_hot(beside(x, "y", y)?).await,
            Operand::Fed(_) => match n_classes.unwrap_or(2) {
                0 | 1 => Err(Error::plan("at least two classes are needed")),
                2 => Self::two(beside(x, "y", y)?).await,
                k => Self::several(&beside(x, "y", y)?, k).await,
            },
        }
    }

    /// The number of classes.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    async fn one_hot(member: FedMatrix) -> Result<Self> {
        let (n, k) = (member.nrows() as f64, member.ncols());
        let (counts, squares) = (member.sum(Axis::Columns)?, member.sumsq(Axis::All)?);
        let counts = counts.await.map_err(|error| hinted(error, FEW))?;
        let squares = squares.scalar().await.map_err(|error| hinted(error, FEW))?;
        if counts.sum() != n || squares != n {
            return Err(Error::Numeric(
                "y of several columns must be one-hot: one 1 in each row, and zeros".to_owned(),
            ));
        }
        if let Some(class) = counts.iter().position(|count| *count == 0.0) {
            return Err(Error::Numeric(format!("no row has class {class}: leave out its column")));
        }
        let member = if k == 2 { member.slice(.., 1..)? } else { member };
        Ok(Self { values: (0..k).map(|class| class as f64).collect(), member, check: None })
    }

    /// 0 and 1, or -1 and 1: their sums tell which, and products whether there is nothing else.
    async fn two(y: FedMatrix) -> Result<Self> {
        let n = y.nrows() as f64;
        let (sum, squares) = (y.sum(Axis::All)?, y.sumsq(Axis::All)?);
        let sum = sum.scalar().await.map_err(|error| hinted(error, FEW))?;
        let squares = squares.scalar().await.map_err(|error| hinted(error, FEW))?;
        let (values, member) = match (sum == squares, squares == n) {
            (true, true) => return Err(Error::Numeric("all rows have label 1; two classes are needed".to_owned())),
            (true, false) if sum == 0.0 => {
                return Err(Error::Numeric("all rows have label 0; two classes are needed".to_owned()));
            }
            (true, false) => (vec![0.0, 1.0], y),
            (false, true) if sum == -n => {
                return Err(Error::Numeric("all rows have label -1; two classes are needed".to_owned()));
            }
            (false, true) => (vec![-1.0, 1.0], y.add(1.0)?.multiply(0.5)?),
            (false, false) => return Err(not_two()),
        };
        let check = member.hstack([member.multiply(&member)?])?.gram()?;
        Ok(Self { values, member, check: Some(check) })
    }

    async fn several(y: &FedMatrix, k: usize) -> Result<Self> {
        let values: Vec<f64> = (0..k).map(|class| class as f64).collect();
        let row = Array2::from_shape_fn((1, k), |(_, class)| values[class]);
        let member = y.equal(&row)?;
        let counts = member.sum(Axis::Columns)?.await.map_err(|error| hinted(error, FEW))?;
        let others = y.nrows() as f64 - counts.sum();
        if others != 0.0 {
            let message = format!("labels must be 0 to {}, but {others} rows have none of these", k - 1);
            return Err(Error::Numeric(message));
        }
        match counts.iter().position(|count| *count == 0.0) {
            Some(class) => Err(Error::Numeric(format!("no row has class {class}"))),
            None => Ok(Self { values, member, check: None }),
        }
    }

    /// Whether the labels of two classes are just that, which the next round trip told; where a site does not release
    /// it, nobody can say.
    ///
    /// # Errors
    /// `Numeric` if there are others; a site's.
    pub async fn verified(&mut self) -> Result<()> {
        let Some(check) = self.check.take() else { return Ok(()) };
        match check.await {
            // Σ (t² - t)²
            Ok(products) if products[[1, 1]] - 2.0 * products[[0, 1]] + products[[0, 0]] == 0.0 => Ok(()),
            Ok(_) => Err(not_two()),
            Err(error) if error.code() == Some(ErrorCode::ReleaseDenied) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn not_two() -> Error {
    Error::Numeric(
        "federated labels of two classes must be 0 and 1, or -1 and 1; for more classes say n_classes, or give them \
         one-hot"
            .to_owned(),
    )
}

/// The classes and the membership of labels that are here.
pub fn known(y: ArrayView2<'_, f64>, n_classes: Option<usize>) -> Result<(Vec<f64>, Array2<f64>)> {
    if y.ncols() > 1 {
        return one_hot(y);
    }
    let labels = y.iter().copied();
    if labels.clone().any(|label| label == -1.0) {
        if let Some(row) = labels.clone().position(|label| label.abs() != 1.0) {
            return Err(Error::plan(format!("label {} of row {row} is neither -1 nor 1", y[[row, 0]])));
        }
        if labels.clone().all(|label| label == -1.0) {
            return Err(Error::plan("all rows have label -1; two classes are needed"));
        }
        return Ok((vec![-1.0, 1.0], y.mapv(|label| (label + 1.0) / 2.0)));
    }
    let whole = |label: f64| label >= 0.0 && label.fract() == 0.0 && label < 1e6;
    if let Some(row) = labels.clone().position(|label| !whole(label)) {
        let message = format!("labels must be 0, 1, 2, .. (or -1 and 1), but row {row} has {}", y[[row, 0]]);
        return Err(Error::plan(message));
    }
    let most = labels.fold(0.0, f64::max) as usize;
    let k = n_classes.unwrap_or((most + 1).max(2));
    if most >= k {
        return Err(Error::plan(format!("there is a label {most}, but n_classes is {k}")));
    }
    let member = Array2::from_shape_fn((y.nrows(), k), |(row, class)| f64::from(y[[row, 0]] == class as f64));
    one_hot(member.view())
}

fn one_hot(member: ArrayView2<'_, f64>) -> Result<(Vec<f64>, Array2<f64>)> {
    let one =
        |row: ndarray::ArrayView1<'_, f64>| row.sum() == 1.0 && row.iter().all(|cell| *cell == 0.0 || *cell == 1.0);
    if let Some(row) = member.rows().into_iter().position(|row| !one(row)) {
        return Err(Error::plan(format!("y of several columns must be one-hot, but row {row} is not")));
    }
    if let Some(class) = member.columns().into_iter().position(|column| column.sum() == 0.0) {
        return Err(Error::plan(format!("no row has class {class}")));
    }
    let k = member.ncols();
    let member = if k == 2 { member.slice(ndarray::s![.., 1..]) } else { member };
    Ok(((0..k).map(|class| class as f64).collect(), member.to_owned()))
}

/// The class of the largest score of each row, one-hot `(n, k)`; of several, the first (as in [`super::super::KMeans`]).
///
/// # Errors
/// `Plan` if the columns are at different sites.
pub fn largest(scores: &FedMatrix) -> Result<FedMatrix> {
    let k = scores.ncols() as usize;
    let winners = scores.greater_equal(scores.row_max()?)?;
    let earlier = Array2::from_shape_fn((k, k - 1), |(i, j)| f64::from(i <= j));
    let rest = winners.slice(.., 1..)?.greater(winners.matmul(earlier)?)?;
    winners.slice(.., ..1)?.hstack([rest])
}

/// The label of the largest score of each row, `(n, k) → (n, 1)`; of two classes with one score, that of its sign.
///
/// # Errors
/// `Plan` if the columns are at different sites.
pub fn predicted(scores: &FedMatrix, values: &[f64]) -> Result<FedMatrix> {
    if scores.ncols() == 1 {
        let second = scores.greater(0.0)?;
        return if values == [0.0, 1.0] { Ok(second) } else { second.multiply(2.0)?.subtract(1.0) };
    }
    let values = Array2::from_shape_fn((values.len(), 1), |(class, _)| values[class]);
    largest(scores)?.matmul(values)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn labels_that_are_here() {
        let (values, member) = known(array![[0.0], [2.0], [1.0]].view(), None).unwrap();
        assert_eq!((values.len(), member), (3, array![[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]));
        let (values, member) = known(array![[-1.0], [1.0]].view(), None).unwrap();
        assert_eq!((values, member), (vec![-1.0, 1.0], array![[0.0], [1.0]]));
        let (_, member) = known(array![[1.0, 0.0], [0.0, 1.0]].view(), None).unwrap();
        assert_eq!(member, array![[0.0], [1.0]]);
        let message = |y: Array2<f64>| known(y.view(), None).unwrap_err().to_string();
        assert!(message(array![[0.0], [0.5]]).contains("row 1 has 0.5"));
        assert!(message(array![[0.0], [f64::NAN]]).contains("row 1 has NaN"));
        assert!(message(array![[-1.0], [0.0]]).contains("row 1 is neither"));
        assert!(message(array![[1.0], [1.0]]).contains("no row has class 0"));
        assert!(message(array![[1.0, 1.0]]).contains("row 0 is not"));
        assert!(known(array![[0.0], [2.0]].view(), Some(2)).is_err());
    }
}
