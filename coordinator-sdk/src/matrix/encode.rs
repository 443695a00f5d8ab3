//! Matrices and frames; gaps.

use fondaco_proto::op::{EncodeOp, Feature};

use crate::{
    Error, FedFrame, FedMatrix, Result,
    frame::perform::{Given, queue},
};

impl FedMatrix {
    /// The columns under these names, as a frame of float64 columns.
    ///
    /// # Errors
    /// `Plan` if there are more or fewer names than columns, or columns are at different sites.
    pub fn to_frame<S: Into<String>>(&self, names: impl IntoIterator<Item = S>) -> Result<FedFrame> {
        let op = EncodeOp::Frame(names.into_iter().map(Into::into).collect());
        queue(op, &[Given::Matrix(self.clone())])?.frame()
    }

    /// The columns that features were made of: what the fitted encoders of [`crate::encode`] do to go back.
    ///
    /// # Errors
    /// `Plan` if the matrix has other columns than the features, or one of them cannot be undone.
    pub fn decode(&self, features: Vec<Feature>) -> Result<FedFrame> {
        if features.is_empty() {
            return Err(Error::plan("decode: at least one feature is needed"));
        }
        queue(EncodeOp::Decode(features), &[Given::Matrix(self.clone())])?.frame()
    }

    /// `np.where(np.isnan(X), values, X)` with one number for each column.
    ///
    /// # Errors
    /// `Plan` if there are more or fewer numbers than columns.
    pub fn fill_missing(&self, values: impl IntoIterator<Item = f64>) -> Result<Self> {
        let op = EncodeOp::FillMissing(values.into_iter().collect());
        queue(op, &[Given::Matrix(self.clone())])?.matrix()
    }
}
