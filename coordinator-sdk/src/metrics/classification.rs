//! Of classes.

use fondaco_proto::Shape;
use ndarray::Array2;

use super::{Compared, total};
use crate::{
    Axis, Error, FedMatrix, Operand, Result,
    algorithms::common::rows::{hinted, weighed, weighted_sum},
};

/// What to do where the sites do not tell how many rows are right.
const FEW: &str = "too few rows of a site are in one of the groups that are counted, or too few are not: of a \
                   classifier that is nearly always right the errors of single rows would be told";

/// Precision, recall and F1 of each label, and how many rows have it.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassScores {
    /// The share of rows predicted to have a label that have it; 0 if there are none.
    pub precision: Vec<f64>,
    /// The share of rows with a label that are predicted to have it; 0 if there are none.
    pub recall: Vec<f64>,
    /// `2 precision recall / (precision + recall)`; 0 if both are.
    pub f1: Vec<f64>,
    /// Rows that have a label.
    pub support: Vec<f64>,
}

/// Labels, `(n, 1)`, of labels or one-hot columns.
fn labels(y: &FedMatrix) -> Result<FedMatrix> {
    if y.ncols() == 1 {
        return Ok(y.clone());
    }
    y.matmul(Array2::from_shape_fn((y.ncols() as usize, 1), |(class, _)| class as f64))
}

/// One-hot `(n, labels)` of labels, `(n, 1)`.
fn member(y: &FedMatrix, labels: &[f64]) -> Result<FedMatrix> {
    if y.ncols() != 1 {
        return Err(Error::plan(format!("labels must be in one column, not {}", y.ncols())));
    }
    y.equal(Array2::from_shape_fn((1, labels.len()), |(_, label)| labels[label]))
}

/// The share of rows whose label is right. Labels in one column; `y_true` may be one-hot. One round trip; two with
/// weights.
///
/// # Errors
/// `Plan` if shapes or layouts do not fit; a site's. Of `aggregate` data a site tells it only where enough rows are
/// right, and enough are wrong.
pub async fn accuracy_score(
    y_true: impl Into<Operand>,
    y_pred: &FedMatrix,
    sample_weight: Option<&Operand>,
) -> Result<f64> {
    let compared = Compared::of(&y_true.into(), y_pred, sample_weight)?;
    let right = labels(&compared.y_true)?.equal(y_pred)?;
    let right = weighted_sum(&right, compared.weights.as_ref())?.scalar().await.map_err(|error| hinted(error, FEW))?;
    Ok(right / total(y_pred, compared.weights.as_ref()).await?)
}

/// How many rows with one label (rows) are predicted to have another (columns): `(labels, labels)`. One round trip.
///
/// # Errors
/// `Plan` if shapes or layouts do not fit; a site's. Of `aggregate` data a site tells it only if enough rows are in
/// each cell: [`precision_recall_fscore_support`] asks for less.
pub async fn confusion_matrix(
    y_true: impl Into<Operand>,
    y_pred: &FedMatrix,
    labels: &[f64],
    sample_weight: Option<&Operand>,
) -> Result<Array2<f64>> {
    let compared = Compared::of(&y_true.into(), y_pred, sample_weight)?;
    let actual = weighed(&member(&self::labels(&compared.y_true)?, labels)?, compared.weights.as_ref())?;
    actual.cross(member(y_pred, labels)?)?.await.map_err(|error| hinted(error, FEW))
}

/// Precision, recall and F1 of each label (van Rijsbergen 1979, "Information Retrieval", ch. 7), from three counts for
/// each. One round trip.
///
/// # Errors
/// As [`accuracy_score`].
pub async fn precision_recall_fscore_support(
    y_true: impl Into<Operand>,
    y_pred: &FedMatrix,
    labels: &[f64],
    sample_weight: Option<&Operand>,
) -> Result<ClassScores> {
    let compared = Compared::of(&y_true.into(), y_pred, sample_weight)?;
    let actual = weighed(&member(&self::labels(&compared.y_true)?, labels)?, compared.weights.as_ref())?;
    let predicted = member(y_pred, labels)?;
    let both = actual.multiply(&predicted)?.sum(Axis::Columns)?;
    let predicted = weighed(&predicted, compared.weights.as_ref())?.sum(Axis::Columns)?;
    let actual = actual.sum(Axis::Columns)?;
    let hint = |error| hinted(error, FEW);
    let (both, predicted, actual) =
        (both.await.map_err(hint)?, predicted.await.map_err(hint)?, actual.await.map_err(hint)?);
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let of = |whole: &Array2<f64>| both.iter().zip(whole).map(|(both, whole)| share(*both, *whole)).collect();
    let f1 = both.iter().zip(predicted.iter().zip(&actual));
    Ok(ClassScores {
        precision: of(&predicted),
        recall: of(&actual),
        f1: f1.map(|(both, (predicted, actual))| share(2.0 * both, predicted + actual)).collect(),
        support: actual.iter().copied().collect(),
    })
}

macro_rules! of_one_label {
    ($($name:ident => $field:ident, $meaning:literal;)+) => {
        $(
            #[doc = concat!($meaning, " of one label (scikit-learn's `pos_label`, 1 there). One round trip.")]
            ///
            /// # Errors
            /// As [`accuracy_score`].
            pub async fn $name(
                y_true: impl Into<Operand>,
                y_pred: &FedMatrix,
                label: f64,
                sample_weight: Option<&Operand>,
            ) -> Result<f64> {
                let scores = precision_recall_fscore_support(y_true, y_pred, &[label], sample_weight).await?;
                Ok(scores.$field[0])
            }
        )+
    };
}

of_one_label! {
    precision_score => precision, "Precision";
    recall_score => recall, "Recall";
    f1_score => f1, "F1";
}

/// The mean of `-log(probability of the label)` (cross-entropy), of probabilities `(n, classes)`, or `(n, 1)` of label
/// 1; labels 0, 1, .., or one-hot. Probabilities below 2⁻⁵² count as that, as in scikit-learn. One round trip; two with
/// weights.
///
/// # Errors
/// `Plan` if shapes or layouts do not fit; a site's.
pub async fn log_loss(y_true: impl Into<Operand>, y_proba: &FedMatrix, sample_weight: Option<&Operand>) -> Result<f64> {
    let compared = Compared::of(&y_true.into(), y_proba, sample_weight)?;
    let both;
    let probabilities = if y_proba.ncols() == 1 {
        both = y_proba.negative()?.add(1.0)?.hstack([y_proba])?;
        &both
    } else {
        y_proba
    };
    let (k, y) = (probabilities.ncols(), &compared.y_true);
    let member = match y.ncols() {
        1 => member(y, &(0..k).map(|class| class as f64).collect::<Vec<_>>())?,
        columns if columns == k => y.clone(),
        _ => {
            let shape: Shape = y.shape();
            return Err(Error::plan(format!("y_true is {shape}, but there are probabilities of {k} classes")));
        }
    };
    // max(p, ε), without putting numbers in the place of cells.
    let above = probabilities.subtract(f64::EPSILON)?.abs()?;
    let clipped = probabilities.add(f64::EPSILON)?.add(above)?.multiply(0.5)?;
    let losses = clipped.log()?.multiply(member)?.row_sum()?;
    let sum = weighted_sum(&losses, compared.weights.as_ref())?.scalar().await.map_err(|error| hinted(error, FEW))?;
    Ok(-sum / total(y_proba, compared.weights.as_ref()).await?)
}
