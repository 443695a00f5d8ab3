//! Frames to frames, frames to matrices and back.

mod effect;
mod feature;
mod hash;
mod kind;
mod map;
mod shape;
mod wire;

pub use feature::{Code, Feature, Values, Words};
pub use hash::hash_column;
pub use map::{Map, MapFunction};

use crate::{Canonical, Error, Facet, Field, Result, op::Arity, op::Filter, vocabulary::vocabulary};

/// An operator on frames, or between frames and matrices.
#[derive(Clone, Debug, PartialEq)]
pub enum EncodeOp {
    /// These columns, in this order, each under a name.
    Select(Vec<Selected>),
    /// These columns as others of the same name.
    Cast {
        /// Name and kind of each.
        to: Vec<Field>,
        /// Whether a cell that cannot be cast is an error; else it becomes null.
        strict: bool,
    },
    /// The rows that satisfy it.
    Filter(Filter),
    /// The rows without a null or NaN in these columns; in all, if none are named.
    DropMissing(Vec<String>),
    /// One column more.
    Map {
        /// Its name.
        output: String,
        /// What it is.
        map: Map,
    },
    /// Rows of the left frame, each with the row of the right one that has the same keys.
    Join(Join),
    /// These columns (none named: all) as a matrix, nulls as NaN.
    Matrix(Vec<String>),
    /// A matrix as a frame of float64 columns with these names.
    Frame(Vec<String>),
    /// Each value of a column that enough rows have, and how many have it.
    Categories {
        /// The column.
        column: String,
        /// How many rows are enough.
        rows_min: u64,
        /// What the worker adds to that.
        guard: Guard,
    },
    /// Each word of a text column that enough rows have, and how many have it.
    Tokens {
        /// The column.
        column: String,
        /// How texts are cut.
        words: Words,
        /// How many rows are enough.
        rows_min: u64,
        /// What the worker adds to that.
        guard: Guard,
    },
    /// A frame as a matrix, feature after feature.
    Features {
        /// The features.
        features: Vec<Feature>,
        /// What the worker leaves out.
        guard: Guard,
    },
    /// Such a matrix as a frame, one column for each feature.
    Decode(Vec<Feature>),
    /// A matrix, in which cells that are NaN become the number of their column.
    FillMissing(Vec<f64>),
}

/// A column under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The column.
    pub from: String,
    /// What it is called.
    pub name: String,
}

/// How two frames are joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The keys of the left frame.
    pub left: Vec<String>,
    /// Those of the right one, as many.
    pub right: Vec<String>,
    /// Which rows of the left stay.
    pub how: JoinHow,
    /// Which keys match.
    pub keys: JoinKeys,
}

vocabulary! {
    /// Which rows of the left frame stay.
    JoinHow from crate::wire::JoinHow {
        /// Those that have a match:
        Inner = "inner",
        /// All, with nulls where there is no match:
        Left = "left",
    }
}

vocabulary! {
    /// Which keys match.
    JoinKeys from crate::wire::JoinKeys {
        /// Those of the right are unique, else it is an error; it holds no protected rows:
        ManyToOne = "many_to_one",
        /// Keys that several rows of one side have match nothing:
        OneToOne = "one_to_one",
    }
}

/// What a worker leaves out of groups of protected rows: never part of a message, always of the canonical bytes, so that
/// what was left out for one level of privacy is not taken for another's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guard {
    /// Nothing.
    #[default]
    Open,
    /// Groups of fewer rows; and the smallest others, as long as those left out are fewer together. A group may be all
    /// rows: what makes it one is the data's own.
    Native(u64),
    /// The same, and a group of all rows: a tenant could have chosen what makes it one.
    Shaped(u64),
}

impl Guard {
    /// How many rows make a group that may be seen.
    pub fn rows_min(self) -> u64 {
        match self {
            Self::Open => 1,
            Self::Native(rows_min) | Self::Shaped(rows_min) => rows_min.max(1),
        }
    }

    fn write_canonical(self, out: &mut Canonical) {
        match self {
            Self::Open => {
                out.tag(0);
            }
            Self::Native(rows_min) => {
                out.tag(1).u64(rows_min);
            }
            Self::Shaped(rows_min) => {
                out.tag(2).u64(rows_min);
            }
        }
    }
}

impl EncodeOp {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Select(_) => "select",
            Self::Cast { .. } => "cast",
            Self::Filter(_) => "filter",
            Self::DropMissing(_) => "drop_missing",
            Self::Map { .. } => "map",
            Self::Join(_) => "join",
            Self::Matrix(_) => "to_matrix",
            Self::Frame(_) => "to_frame",
            Self::Categories { .. } => "categories",
            Self::Tokens { .. } => "tokens",
            Self::Features { .. } => "encode",
            Self::Decode(_) => "decode",
            Self::FillMissing(_) => "fill_missing",
        }
    }

    pub(super) fn arity(&self) -> Arity {
        match self {
            Self::Join(_) => Arity::Exactly(2),
            Self::Categories { .. } | Self::Tokens { .. } => Arity::Groups { fixed: 0, group: 1 },
            Self::Select(_)
            | Self::Cast { .. }
            | Self::Filter(_)
            | Self::DropMissing(_)
            | Self::Map { .. }
            | Self::Matrix(_)
            | Self::Frame(_)
            | Self::Features { .. }
            | Self::Decode(_)
            | Self::FillMissing(_) => Arity::Exactly(1),
        }
    }

    /// Whether only the data tell how many rows the result has: then its shape is the most that it may have.
    pub(super) fn counts_rows(&self) -> bool {
        match self {
            Self::Filter(_) | Self::DropMissing(_) | Self::Categories { .. } | Self::Tokens { .. } => true,
            Self::Join(join) => join.how == JoinHow::Inner,
            Self::Select(_)
            | Self::Cast { .. }
            | Self::Map { .. }
            | Self::Matrix(_)
            | Self::Frame(_)
            | Self::Features { .. }
            | Self::Decode(_)
            | Self::FillMissing(_) => false,
        }
    }

    /// Bytes that its parameters may take in a message, where they are a list.
    pub(super) fn list_bytes(&self) -> u64 {
        let names = |names: &[String]| names.iter().map(|name| name.len() as u64 + 8).sum();
        match self {
            Self::Features { features, .. } | Self::Decode(features) => features.iter().map(Feature::list_bytes).sum(),
            Self::FillMissing(values) => 8 * values.len() as u64,
            Self::DropMissing(columns) | Self::Matrix(columns) | Self::Frame(columns) => names(columns),
            Self::Select(columns) => {
                columns.iter().map(|column| (column.from.len() + column.name.len()) as u64 + 16).sum()
            }
            Self::Cast { to, .. } => to.iter().map(|field| field.name.len() as u64 + 16).sum(),
            Self::Filter(_) | Self::Map { .. } | Self::Join(_) | Self::Categories { .. } | Self::Tokens { .. } => 0,
        }
    }

    /// The operator as it is carried out where an input has protected rows, of which groups of fewer than `rows_min` are
    /// not seen.
    ///
    /// # Errors
    /// `ReleaseDenied` if its error would tell something of single rows.
    pub(super) fn guarded(&self, inputs: &[Facet], protected: &[bool], rows_min: u64) -> Result<Self> {
        if !protected.contains(&true) {
            return Ok(self.clone());
        }
        let native = inputs.iter().all(|input| input.native);
        let by = match inputs.iter().any(|input| input.axes.rows()) {
            true if native => Guard::Native(rows_min),
            true => Guard::Shaped(rows_min),
            // Aggregates: their own support speaks for them.
            false => Guard::Open,
        };
        let mut guarded = self.clone();
        match &mut guarded {
            Self::Categories { guard, .. } | Self::Tokens { guard, .. } => *guard = by,
            Self::Features { features, guard } => {
                if let Some(feature) = features.iter().find(|feature| feature.is_strict()) {
                    return Err(Error::denied(format!(
                        "encode: that a value of {:?} is no category would tell of single rows; let unknown ones be \
                         ignored",
                        feature.column
                    )));
                }
                *guard = by;
            }
            Self::Cast { strict: true, .. } => {
                let message = "cast: that a cell cannot be cast would tell of single rows; let it become null";
                return Err(Error::denied(message));
            }
            Self::Join(join) if join.keys == JoinKeys::ManyToOne && protected[1] => {
                return Err(Error::denied(
                    "join: the right frame holds protected data, of which a row could come many times; join one to one",
                ));
            }
            Self::Select(_)
            | Self::Cast { .. }
            | Self::Filter(_)
            | Self::DropMissing(_)
            | Self::Map { .. }
            | Self::Join(_)
            | Self::Matrix(_)
            | Self::Frame(_)
            | Self::Decode(_)
            | Self::FillMissing(_) => {}
        }
        Ok(guarded)
    }

    pub(super) fn write_canonical(&self, out: &mut Canonical) {
        fn names(names: &[String], out: &mut Canonical) {
            out.u64(names.len() as u64);
            names.iter().for_each(|name| {
                out.text(name);
            });
        }
        fn features(features: &[Feature], out: &mut Canonical) {
            out.u64(features.len() as u64);
            features.iter().for_each(|feature| feature.write_canonical(out));
        }
        match self {
            Self::Select(columns) => {
                out.tag(1).u64(columns.len() as u64);
                columns.iter().for_each(|column| {
                    out.text(&column.from).text(&column.name);
                });
            }
            Self::Cast { to, strict } => {
                out.tag(2).tag(u8::from(*strict)).u64(to.len() as u64);
                to.iter().for_each(|field| {
                    out.text(&field.name).code(field.kind.code());
                });
            }
            Self::Filter(filter) => filter.write_canonical(out.tag(3)),
            Self::DropMissing(columns) => names(columns, out.tag(4)),
            Self::Map { output, map } => map.write_canonical(out.tag(5).text(output)),
            Self::Join(join) => {
                out.tag(6).code(join.how.code()).code(join.keys.code());
                names(&join.left, out);
                names(&join.right, out);
            }
            Self::Matrix(columns) => names(columns, out.tag(7)),
            Self::Frame(columns) => names(columns, out.tag(8)),
            Self::Categories { column, rows_min, guard } => {
                guard.write_canonical(out.tag(9).text(column).u64(*rows_min));
            }
            Self::Tokens { column, words, rows_min, guard } => {
                guard.write_canonical(out.tag(10).text(column).u64(*rows_min));
                words.write_canonical(out);
            }
            Self::Features { features: of, guard } => {
                guard.write_canonical(out.tag(11));
                features(of, out);
            }
            Self::Decode(of) => features(of, out.tag(12)),
            Self::FillMissing(values) => {
                out.tag(13).u64(values.len() as u64);
                values.iter().for_each(|value| {
                    out.f64(*value);
                });
            }
        }
    }
}
