//! Encoders: columns of a frame as columns of a matrix, fitted over all sites at once, applied wherever such columns are.
//!
//! A [`ColumnTransformer`] says what becomes of which columns; [`ColumnTransformer::fit`] asks the sites for what that
//! needs (the categories, means, quantiles), and gives a [`FittedTransformer`]: plain numbers and texts, which can be saved
//! as JSON, applied to frames of other federations, and undone. Names are scikit-learn's.
//!
//! Of `aggregate` data a category leaves a site if enough rows have it there (`release_rows_min`), and those that are left
//! out are none or enough too; a row of another category is encoded as an unknown one. What a site lets out does not
//! depend on what is asked for. The other statistics pass the gate as those of matrices do: minima and maxima if the owner
//! lets extremes out, quantiles as intervals, of which the middle is taken.

mod encoders;
mod fit;
mod fitted;
mod numbers;

pub use encoders::{
    Drop, Encoder, FeatureHasher, Impute, KBinsDiscretizer, Numeric, OneHotEncoder, OrdinalEncoder, Scale, Strategy,
};
pub use fitted::{Categories, FittedColumn, FittedEncoder, FittedTransformer};

use crate::{FedFrame, FedMatrix, Result};

/// What becomes of the columns of a frame, in this order.
#[derive(Clone, Debug, Default)]
pub struct ColumnTransformer {
    columns: Vec<(String, Encoder)>,
}

impl ColumnTransformer {
    /// Of no columns yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Each of these columns encoded like this, behind those that there are.
    #[must_use]
    pub fn with<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>, encoder: impl Into<Encoder>) -> Self {
        let encoder = encoder.into();
        self.columns.extend(columns.into_iter().map(|column| (column.into(), encoder.clone())));
        self
    }

    /// Fits all encoders over all the rows of a frame, with few round trips whatever the number of columns: two for
    /// categories, and one for each step of numbers.
    ///
    /// # Errors
    /// `Plan` if a column is not there, is encoded twice, or is of the wrong kind; a site's, if its owner does not let out
    /// what an encoder needs.
    pub async fn fit(&self, frame: &FedFrame) -> Result<FittedTransformer> {
        fit::fit(&self.columns, frame).await
    }

    /// [`ColumnTransformer::fit`], and the matrix of the same frame.
    ///
    /// # Errors
    /// As [`ColumnTransformer::fit`].
    pub async fn fit_transform(&self, frame: &FedFrame) -> Result<(FittedTransformer, FedMatrix)> {
        let fitted = self.fit(frame).await?;
        let matrix = fitted.transform(frame)?;
        Ok((fitted, matrix))
    }
}
