//! What encoders are told before they are fitted.

/// An encoder of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Encoder {
    /// One column of 0 and 1 for each category.
    OneHot(OneHotEncoder),
    /// The index of the category.
    Ordinal(OrdinalEncoder),
    /// The interval in which a number lies.
    Bins(KBinsDiscretizer),
    /// The hash of a text.
    Hash(FeatureHasher),
    /// The number: without gaps, clipped, scaled.
    Numeric(Numeric),
}

/// Which category has no column of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drop {
    /// All have one.
    #[default]
    None,
    /// The first.
    First,
}

/// `sklearn.preprocessing.OneHotEncoder`: one column for each category, in ascending order; a gap is a category, the
/// last. Other values are all 0 (`handle_unknown="ignore"`), as they have to be of protected data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OneHotEncoder {
    pub(super) drop: Drop,
    pub(super) strict: bool,
    pub(super) range: Option<(i64, i64)>,
    pub(super) min_frequency: u64,
}

impl OneHotEncoder {
    /// With a column for each category.
    pub fn new() -> Self {
        Self::default()
    }

    /// Without one for the first (`drop="first"`, `pandas.get_dummies(.., drop_first=True)`).
    #[must_use]
    pub fn drop_first(mut self) -> Self {
        self.drop = Drop::First;
        self
    }

    /// A value that is no category is an error (`handle_unknown="error"`); of public and one's own data alone.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// The categories are the integers from `first` to `last`: nothing is asked of the sites.
    #[must_use]
    pub fn range(mut self, first: i64, last: i64) -> Self {
        self.range = Some((first, last));
        self
    }

    /// Only categories that so many rows have at a site.
    #[must_use]
    pub fn min_frequency(mut self, rows: u64) -> Self {
        self.min_frequency = rows;
        self
    }
}

/// `sklearn.preprocessing.OrdinalEncoder`: the index among the categories in ascending order; NaN for gaps and other
/// values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OrdinalEncoder {
    pub(super) unknown: Option<f64>,
    pub(super) missing: Option<f64>,
}

impl OrdinalEncoder {
    /// With NaN for what is no category.
    pub fn new() -> Self {
        Self::default()
    }

    /// This number for a value that is no category (`unknown_value`).
    #[must_use]
    pub fn unknown_value(mut self, value: f64) -> Self {
        self.unknown = Some(value);
        self
    }

    /// This number for a gap (`encoded_missing_value`).
    #[must_use]
    pub fn encoded_missing_value(mut self, value: f64) -> Self {
        self.missing = Some(value);
        self
    }
}

/// Where the edges of intervals are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Intervals of one width, from the least to the largest number.
    Uniform,
    /// Intervals with as many rows each: edges are `np.quantile` of all data; equal ones become one.
    Quantile,
}

/// `sklearn.preprocessing.KBinsDiscretizer`.
#[derive(Clone, Debug, PartialEq)]
pub struct KBinsDiscretizer {
    pub(super) bins: u32,
    pub(super) strategy: Strategy,
    pub(super) one_hot: bool,
}

impl KBinsDiscretizer {
    /// So many intervals, whose index is the code.
    pub fn new(bins: u32, strategy: Strategy) -> Self {
        Self { bins, strategy, one_hot: false }
    }

    /// One column for each interval instead.
    #[must_use]
    pub fn one_hot(mut self) -> Self {
        self.one_hot = true;
        self
    }
}

/// `sklearn.feature_extraction.FeatureHasher` of one text column: nothing is fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureHasher {
    pub(super) columns: u32,
    pub(super) alternate_sign: bool,
}

impl FeatureHasher {
    /// Into so many columns of 0, 1 and -1.
    pub fn new(columns: u32) -> Self {
        Self { columns, alternate_sign: true }
    }

    /// Of 0 and 1 alone (`alternate_sign=False`).
    #[must_use]
    pub fn unsigned(mut self) -> Self {
        self.alternate_sign = false;
        self
    }
}

/// What becomes of a gap (`sklearn.impute.SimpleImputer`).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Impute {
    /// It stays NaN.
    #[default]
    Keep,
    /// The mean of all rows that have a number.
    Mean,
    /// Their median.
    Median,
    /// The number that most rows have; the least of several.
    MostFrequent,
    /// This number.
    Constant(f64),
}

/// How numbers are scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Not at all.
    #[default]
    Keep,
    /// `StandardScaler`: less the mean, over the standard deviation (ddof 0).
    Standard,
    /// `MinMaxScaler`: from 0 to 1.
    MinMax,
    /// `RobustScaler`: less the median, over the distance of the quartiles.
    Robust,
}

/// Numbers: gaps are filled, then what is too far from the mean is clipped, then all is scaled. Each step is fitted on what
/// the one before it gives, as in a `sklearn.pipeline.Pipeline`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numeric {
    pub(super) impute: Impute,
    pub(super) clip: Option<f64>,
    pub(super) scale: Scale,
}

impl Numeric {
    /// Numbers as they are.
    pub fn new() -> Self {
        Self::default()
    }

    /// Fills gaps.
    #[must_use]
    pub fn impute(mut self, impute: Impute) -> Self {
        self.impute = impute;
        self
    }

    /// `np.clip(x, mean - deviations * std, mean + deviations * std)`, with `np.std` (ddof 0).
    #[must_use]
    pub fn clip(mut self, deviations: f64) -> Self {
        self.clip = Some(deviations);
        self
    }

    /// Scales.
    #[must_use]
    pub fn scale(mut self, scale: Scale) -> Self {
        self.scale = scale;
        self
    }
}

macro_rules! encoders {
    ($($variant:ident($encoder:ident)),+) => {
        $(impl From<$encoder> for Encoder {
            fn from(encoder: $encoder) -> Self {
                Self::$variant(encoder)
            }
        })+
    };
}
encoders!(
    OneHot(OneHotEncoder),
    Ordinal(OrdinalEncoder),
    Bins(KBinsDiscretizer),
    Hash(FeatureHasher),
    Numeric(Numeric)
);
