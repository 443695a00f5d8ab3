//! How well predictions fit, with scikit-learn's names. Computed at the sites, and released as aggregates: what few
//! rows decide is refused there, with an error that says so. `y_true` is federated in the rows of the predictions, or
//! an array; `sample_weight` is how often each row counts.

mod classification;
mod regression;
mod roc;

use crate::{
    FedMatrix, Operand, Result,
    algorithms::common::rows::{beside, column_beside},
};

pub use classification::{
    ClassScores, accuracy_score, confusion_matrix, f1_score, log_loss, precision_recall_fscore_support,
    precision_score, recall_score,
};
pub use regression::{mean_absolute_error, mean_squared_error, r2_score};
pub use roc::{RocAuc, roc_auc_by_thresholds, roc_auc_score};

/// What is compared, in the same parts.
struct Compared {
    y_true: FedMatrix,
    weights: Option<FedMatrix>,
}

impl Compared {
    fn of(y_true: &Operand, y_pred: &FedMatrix, weights: Option<&Operand>) -> Result<Self> {
        let weights = weights.map(|weights| column_beside(y_pred, "sample_weight", weights)).transpose()?;
        Ok(Self { y_true: beside(y_pred, "y_true", y_true)?, weights })
    }
}

/// How often all rows count together.
async fn total(y_pred: &FedMatrix, weights: Option<&FedMatrix>) -> Result<f64> {
    match weights {
        Some(weights) => weights.sum(crate::Axis::All)?.scalar().await,
        None => Ok(y_pred.nrows() as f64),
    }
}
