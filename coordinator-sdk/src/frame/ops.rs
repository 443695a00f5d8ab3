//! What is done to frames at their sites.

use std::sync::Arc;

use fondaco_proto::{
    ColumnKind, Field,
    op::{EncodeOp, Feature, Filter, Guard, Join, JoinHow, JoinKeys, Map, Selected},
};

use super::{
    FedFrame, Frame,
    perform::{Given, queue},
};
use crate::{Error, FedMatrix, Result};

/// The right side of a join: a frame of the coordinator, sent whole to each site, or one that is there.
#[derive(Clone, Debug)]
pub enum Right {
    /// Of the coordinator.
    Local(Frame),
    /// Whole at the site where the left frame is.
    Fed(FedFrame),
}

impl From<Frame> for Right {
    fn from(frame: Frame) -> Self {
        Self::Local(frame)
    }
}

impl From<&FedFrame> for Right {
    fn from(frame: &FedFrame) -> Self {
        Self::Fed(frame.clone())
    }
}

impl FedFrame {
    fn apply(&self, op: EncodeOp) -> Result<super::perform::Queued> {
        queue(op, &[Given::Fed(self.clone())])
    }

    /// These columns, in this order.
    ///
    /// # Errors
    /// `Plan` naming a column that is not there, or comes twice.
    pub fn select<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) -> Result<Self> {
        let selected = |name: S| Selected { from: name.as_ref().to_owned(), name: name.as_ref().to_owned() };
        let op = EncodeOp::Select(names.into_iter().map(selected).collect());
        self.apply(op)?.frame()
    }

    /// All columns, some under other names: pairs of old and new.
    ///
    /// # Errors
    /// `Plan` naming a column that is not there, or would come twice.
    pub fn rename<S: AsRef<str>>(&self, names: impl IntoIterator<Item = (S, S)>) -> Result<Self> {
        let mut columns: Vec<Selected> =
            self.fields().iter().map(|field| Selected { from: field.name.clone(), name: field.name.clone() }).collect();
        for (from, name) in names {
            let at = fondaco_proto::find_field(self.fields(), from.as_ref())?;
            name.as_ref().clone_into(&mut columns[at].name);
        }
        self.apply(EncodeOp::Select(columns))?.frame()
    }

    /// These columns as others of their names. A cell that cannot be cast (a text that is no number, a fraction as an
    /// integer) becomes null.
    ///
    /// # Errors
    /// `Plan` naming a column that is not there, or a cast that there is not.
    pub fn cast<S: Into<String>>(&self, to: impl IntoIterator<Item = (S, ColumnKind)>) -> Result<Self> {
        self.cast_with(to, false)
    }

    /// As [`FedFrame::cast`], but a cell that cannot be cast is an error that says how many there are. Not of protected
    /// data: that there is such a cell would tell of single rows.
    ///
    /// # Errors
    /// As [`FedFrame::cast`]; a site's, when a result is awaited.
    pub fn cast_strict<S: Into<String>>(&self, to: impl IntoIterator<Item = (S, ColumnKind)>) -> Result<Self> {
        self.cast_with(to, true)
    }

    fn cast_with<S: Into<String>>(&self, to: impl IntoIterator<Item = (S, ColumnKind)>, strict: bool) -> Result<Self> {
        let to = to.into_iter().map(|(name, kind)| Field::new(name, kind)).collect();
        self.apply(EncodeOp::Cast { to, strict })?.frame()
    }

    /// The rows that satisfy a filter; the sites say how many that are.
    ///
    /// # Errors
    /// `Plan` naming a column that is not there; a site's: of protected data too few rows must not be told.
    pub async fn filter(&self, filter: Filter) -> Result<Self> {
        let queued = self.apply(EncodeOp::Filter(filter))?;
        queued.counted().await
    }

    /// The rows without a null or NaN in these columns; in all, if none are named.
    ///
    /// # Errors
    /// As [`FedFrame::filter`].
    pub async fn drop_missing<S: Into<String>>(&self, names: impl IntoIterator<Item = S>) -> Result<Self> {
        let queued = self.apply(EncodeOp::DropMissing(names.into_iter().map(Into::into).collect()))?;
        queued.counted().await
    }

    /// One column more, a function of others: `frame.map("low", Map::lower("name"))`.
    ///
    /// # Errors
    /// `Plan` naming a column that is not there or not of the right kind, or the new one if there is one of its name.
    pub fn map(&self, output: impl Into<String>, map: Map) -> Result<Self> {
        self.apply(EncodeOp::Map { output: output.into(), map })?.frame()
    }

    /// Each row with the row of `right` that has the same keys (pairs of columns), whose other columns come behind;
    /// `_right` is put to names that both have. Missing keys equal nothing. Rows of the left without a match stay, with
    /// nulls ([`JoinHow::Left`]), or go ([`JoinHow::Inner`]).
    ///
    /// Of public and one's own data alone. Keys of the right are unique ([`JoinKeys::ManyToOne`]), or those that several rows
    /// of one side have match nothing ([`JoinKeys::OneToOne`]; the left is then whole at one site).
    ///
    /// # Errors
    /// `Plan` if keys are not there or of different kinds, or rows would have to move; a site's.
    pub async fn join<S: Into<String>>(
        &self,
        right: impl Into<Right>,
        keys: impl IntoIterator<Item = (S, S)>,
        how: JoinHow,
        match_by: JoinKeys,
    ) -> Result<Self> {
        let (left_keys, right_keys) = keys.into_iter().map(|(left, right)| (left.into(), right.into())).unzip();
        let join = Join { left: left_keys, right: right_keys, how, keys: match_by };
        let right = right.into();
        let right = match right {
            Right::Local(frame) => Given::Local(Arc::new(frame)),
            Right::Fed(frame) => Given::Fed(frame),
        };
        let queued = queue(EncodeOp::Join(join), &[Given::Fed(self.clone()), right])?;
        if how == JoinHow::Inner { queued.counted().await } else { queued.frame() }
    }

    /// These columns of numbers, truth values (0 and 1) and dates (days since 1970) as a matrix, nulls as NaN; all columns,
    /// if none are named.
    ///
    /// # Errors
    /// `Plan` naming a column that is not there, or is text.
    pub fn to_matrix<S: Into<String>>(&self, names: impl IntoIterator<Item = S>) -> Result<FedMatrix> {
        self.apply(EncodeOp::Matrix(names.into_iter().map(Into::into).collect()))?.matrix()
    }

    /// A matrix of features side by side; what the fitted encoders of [`crate::encode`] do.
    ///
    /// # Errors
    /// `Plan` naming a column that is not there, or of another kind than its feature needs.
    pub fn encode(&self, features: Vec<Feature>) -> Result<FedMatrix> {
        if features.is_empty() {
            return Err(Error::plan("encode: at least one feature is needed"));
        }
        self.apply(EncodeOp::Features { features, guard: Guard::Open })?.matrix()
    }
}
