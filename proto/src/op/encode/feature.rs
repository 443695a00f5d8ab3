//! What becomes of a column in a matrix.

use std::collections::HashSet;

use crate::{
    Canonical, ColumnKind, Error, Field, Result, find_field,
    op::unknown,
    wire::{self, feature},
};

/// Columns that a hashed feature may have.
const HASH_COLUMNS_MAX: u32 = 1 << 20;

/// Distinct values of a column, none of them missing.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Of doubles.
    Float64(Vec<f64>),
    /// Of integers.
    Int64(Vec<i64>),
    /// Of truth values.
    Bool(Vec<bool>),
    /// Of texts.
    Text(Vec<String>),
    /// Of dates, in days since 1970.
    Date(Vec<i32>),
}

impl Values {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Float64(values) => values.len(),
            Self::Int64(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::Date(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The kind of the column.
    pub fn kind(&self) -> ColumnKind {
        match self {
            Self::Float64(_) => ColumnKind::Float64,
            Self::Int64(_) => ColumnKind::Int64,
            Self::Bool(_) => ColumnKind::Bool,
            Self::Text(_) => ColumnKind::Text,
            Self::Date(_) => ColumnKind::Date,
        }
    }

    fn check(self) -> Result<Self> {
        let distinct = match &self {
            Self::Float64(values) => {
                // Zeros of both signs are one value, and a NaN is none.
                let bits: HashSet<u64> = values.iter().map(|value| (value + 0.0).to_bits()).collect();
                bits.len() == values.len() && !values.iter().any(|value| value.is_nan())
            }
            Self::Int64(values) => values.iter().collect::<HashSet<_>>().len() == values.len(),
            Self::Bool(values) => values.iter().collect::<HashSet<_>>().len() == values.len(),
            Self::Text(values) => values.iter().collect::<HashSet<_>>().len() == values.len(),
            Self::Date(values) => values.iter().collect::<HashSet<_>>().len() == values.len(),
        };
        if distinct { Ok(self) } else { Err(Error::invalid("encode: a category comes twice, or is NaN")) }
    }

    fn write_canonical(&self, out: &mut Canonical) {
        out.code(self.kind().code()).u64(self.len() as u64);
        match self {
            Self::Float64(values) => values.iter().for_each(|value| {
                out.f64(*value);
            }),
            Self::Int64(values) => values.iter().for_each(|value| {
                out.u64(*value as u64);
            }),
            Self::Bool(values) => values.iter().for_each(|value| {
                out.tag(u8::from(*value));
            }),
            Self::Text(values) => values.iter().for_each(|value| {
                out.text(value);
            }),
            Self::Date(values) => values.iter().for_each(|value| {
                out.u64(*value as u64);
            }),
        }
    }

    fn parse(values: Option<wire::Values>) -> Result<Self> {
        let values = values.ok_or_else(|| Error::invalid("encode: categories are missing"))?;
        let kind = ColumnKind::from_code(values.kind).ok_or_else(|| unknown("values"))?;
        let wrong = || Error::invalid(format!("encode: a category that no {kind} column holds"));
        let lists = (!values.floats.is_empty(), !values.ints.is_empty(), !values.texts.is_empty());
        let (floats, ints, texts) = (values.floats, values.ints, values.texts);
        match (kind, lists) {
            (ColumnKind::Float64, (_, false, false)) => Self::Float64(floats),
            (ColumnKind::Text, (false, false, _)) => Self::Text(texts),
            (ColumnKind::Int64, (false, _, false)) => Self::Int64(ints),
            (ColumnKind::Bool, (false, _, false)) => {
                let truth = |int: i64| (int == 0 || int == 1).then_some(int == 1).ok_or_else(wrong);
                Self::Bool(ints.into_iter().map(truth).collect::<Result<_>>()?)
            }
            (ColumnKind::Date, (false, _, false)) => {
                let date = |int: i64| i32::try_from(int).map_err(|_| wrong());
                Self::Date(ints.into_iter().map(date).collect::<Result<_>>()?)
            }
            _ => return Err(wrong()),
        }
        .check()
    }
}

impl From<Values> for wire::Values {
    fn from(values: Values) -> Self {
        let mut of = Self { kind: values.kind().code(), ..Self::default() };
        match values {
            Values::Float64(values) => of.floats = values,
            Values::Int64(values) => of.ints = values,
            Values::Bool(values) => of.ints = values.into_iter().map(i64::from).collect(),
            Values::Text(values) => of.texts = values,
            Values::Date(values) => of.ints = values.into_iter().map(i64::from).collect(),
        }
        of
    }
}

/// How a text is cut into words: runs of letters, digits and underscores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// Whether words are compared in lower case.
    pub lowercase: bool,
    /// Shorter ones are left out.
    pub chars_min: u32,
}

impl Words {
    /// Calls `f` with each word of a text, in order.
    pub fn each(self, text: &str, mut f: impl FnMut(&str)) {
        let lower = if self.lowercase { text.to_lowercase() } else { String::new() };
        let text = if self.lowercase { lower.as_str() } else { text };
        for word in text.split(|c: char| !c.is_alphanumeric() && c != '_') {
            if !word.is_empty() && word.chars().count() >= self.chars_min as usize {
                f(word);
            }
        }
    }

    pub(super) fn write_canonical(self, out: &mut Canonical) {
        out.tag(u8::from(self.lowercase)).u64(u64::from(self.chars_min));
    }

    pub(super) fn parse(words: Option<wire::Words>) -> Result<Self> {
        let words = words.ok_or_else(|| Error::invalid("encode: how texts are cut into words is missing"))?;
        Ok(Self { lowercase: words.lowercase, chars_min: words.chars_min })
    }

    pub(super) fn into_wire(self) -> wire::Words {
        wire::Words { lowercase: self.lowercase, chars_min: self.chars_min }
    }
}

/// Columns of a matrix, of one column of a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    /// The frame's column.
    pub column: String,
    /// What becomes of it.
    pub code: Code,
}

/// What becomes of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Code {
    /// The number itself.
    Number {
        /// What a null or NaN is; if nothing else, NaN.
        missing: Option<f64>,
    },
    /// The index of its category.
    Ordinal {
        /// The categories.
        categories: Values,
        /// Whether a value that is no category is an error.
        strict: bool,
        /// What it is else.
        unknown: f64,
        /// What a null or NaN is.
        missing: f64,
    },
    /// 1 in the column of its category, 0 in all others.
    OneHot {
        /// The categories.
        categories: Values,
        /// Whether nulls and NaN are a category, the last.
        missing: bool,
        /// Whether a value that is no category is an error.
        strict: bool,
        /// A category that has no column.
        dropped: Option<u32>,
    },
    /// The interval in which it lies, the ends of the outermost ones open.
    Bins {
        /// Ascending; one more than intervals.
        edges: Vec<f64>,
        /// 1 in the column of its interval; else the interval's index, NaN if missing.
        one_hot: bool,
    },
    /// 1 or -1 in the column that `column=value` hashes to (scikit-learn's `FeatureHasher`).
    Hash {
        /// How many columns.
        columns: u32,
        /// Whether half of the values give -1.
        alternate_sign: bool,
    },
    /// How often each word of the vocabulary comes.
    Words {
        /// The words.
        vocabulary: Vec<String>,
        /// How texts are cut.
        words: Words,
        /// 1 instead of the number.
        binary: bool,
    },
}

impl Feature {
    /// How many columns of the matrix it has.
    pub fn width(&self) -> usize {
        match &self.code {
            Code::Number { .. } | Code::Ordinal { .. } | Code::Bins { one_hot: false, .. } => 1,
            Code::OneHot { categories, missing, dropped, .. } => {
                categories.len() + usize::from(*missing) - usize::from(dropped.is_some())
            }
            Code::Bins { edges, one_hot: true } => edges.len() - 1,
            Code::Hash { columns, .. } => *columns as usize,
            Code::Words { vocabulary, .. } => vocabulary.len(),
        }
    }

    /// Bytes that its parameters may take in a message.
    pub(super) fn list_bytes(&self) -> u64 {
        let texts = |texts: &[String]| texts.iter().map(|text| text.len() as u64 + 8).sum();
        match &self.code {
            Code::Ordinal { categories: Values::Text(values), .. }
            | Code::OneHot { categories: Values::Text(values), .. } => texts(values),
            Code::Ordinal { categories, .. } | Code::OneHot { categories, .. } => 10 * categories.len() as u64,
            Code::Bins { edges, .. } => 8 * edges.len() as u64,
            Code::Words { vocabulary, .. } => texts(vocabulary),
            Code::Number { .. } | Code::Hash { .. } => 0,
        }
    }

    /// Whether a value that is no category is an error.
    pub fn is_strict(&self) -> bool {
        matches!(self.code, Code::Ordinal { strict: true, .. } | Code::OneHot { strict: true, .. })
    }

    /// Checks the column's kind.
    ///
    /// # Errors
    /// `Invalid` naming the column, and what would be right.
    pub(super) fn check_kind(&self, fields: &[Field]) -> Result<()> {
        let kind = fields[find_field(fields, &self.column)?].kind;
        let (fits, right) = match &self.code {
            Code::Number { .. } | Code::Bins { .. } => (kind.is_number(), "numbers".to_owned()),
            Code::Ordinal { categories, .. } | Code::OneHot { categories, .. } => {
                (kind == categories.kind(), format!("{}, as its categories are", categories.kind()))
            }
            Code::Hash { .. } | Code::Words { .. } => (kind == ColumnKind::Text, "text".to_owned()),
        };
        if fits {
            return Ok(());
        }
        Err(Error::invalid(format!("encode: column {:?} is {kind}, and must be {right}; cast it first", self.column)))
    }

    /// The kind of the column that it is decoded to.
    ///
    /// # Errors
    /// `Invalid` for a code from which nothing comes back.
    pub(super) fn decoded(&self) -> Result<ColumnKind> {
        match &self.code {
            Code::Number { .. } | Code::Bins { .. } => Ok(ColumnKind::Float64),
            Code::Ordinal { categories, .. } | Code::OneHot { categories, .. } => Ok(categories.kind()),
            Code::Hash { .. } | Code::Words { .. } => Err(Error::invalid(format!(
                "decode: from hashes and counts of words nothing comes back; leave out column {:?}",
                self.column
            ))),
        }
    }

    pub(super) fn write_canonical(&self, out: &mut Canonical) {
        out.text(&self.column);
        match &self.code {
            Code::Number { missing } => {
                out.tag(1).tag(u8::from(missing.is_some())).f64(missing.unwrap_or(0.0));
            }
            Code::Ordinal { categories, strict, unknown, missing } => {
                categories.write_canonical(out.tag(2));
                out.tag(u8::from(*strict)).f64(*unknown).f64(*missing);
            }
            Code::OneHot { categories, missing, strict, dropped } => {
                categories.write_canonical(out.tag(3));
                out.tag(u8::from(*missing)).tag(u8::from(*strict));
                out.u64(dropped.map_or(0, |dropped| 1 + u64::from(dropped)));
            }
            Code::Bins { edges, one_hot } => {
                out.tag(4).tag(u8::from(*one_hot)).u64(edges.len() as u64);
                edges.iter().for_each(|edge| {
                    out.f64(*edge);
                });
            }
            Code::Hash { columns, alternate_sign } => {
                out.tag(5).u64(u64::from(*columns)).tag(u8::from(*alternate_sign));
            }
            Code::Words { vocabulary, words, binary } => {
                words.write_canonical(out.tag(6));
                out.tag(u8::from(*binary)).u64(vocabulary.len() as u64);
                vocabulary.iter().for_each(|word| {
                    out.text(word);
                });
            }
        }
    }

    pub(super) fn parse(feature: wire::Feature) -> Result<Self> {
        use feature::Code as Wire;
        let code = match feature.code.ok_or_else(|| unknown("feature"))? {
            Wire::Number(of) => Code::Number { missing: of.missing },
            Wire::Ordinal(of) => Code::Ordinal {
                categories: Values::parse(of.categories)?,
                strict: of.strict,
                unknown: of.unknown,
                missing: of.missing,
            },
            Wire::OneHot(of) => {
                let categories = Values::parse(of.categories)?;
                let count = categories.len() + usize::from(of.missing);
                if of.dropped.is_some_and(|dropped| dropped as usize >= count) {
                    return Err(Error::invalid("encode: the dropped category is not among the categories"));
                }
                Code::OneHot { categories, missing: of.missing, strict: of.strict, dropped: of.dropped }
            }
            Wire::Bins(of) => Code::Bins { edges: checked_edges(of.edges)?, one_hot: of.one_hot },
            Wire::Hash(of) if (1..=HASH_COLUMNS_MAX).contains(&of.columns) => {
                Code::Hash { columns: of.columns, alternate_sign: of.alternate_sign }
            }
            Wire::Hash(_) => {
                return Err(Error::invalid(format!("encode: hash to 1 to {HASH_COLUMNS_MAX} columns")));
            }
            Wire::Words(of) => {
                if of.vocabulary.iter().collect::<HashSet<_>>().len() < of.vocabulary.len() {
                    return Err(Error::invalid("encode: a word comes twice in the vocabulary"));
                }
                Code::Words { vocabulary: of.vocabulary, words: Words::parse(of.words)?, binary: of.binary }
            }
        };
        Ok(Self { column: feature.column, code })
    }

    pub(super) fn into_wire(self) -> wire::Feature {
        use feature::Code as Wire;
        let code = match self.code {
            Code::Number { missing } => Wire::Number(feature::Number { missing }),
            Code::Ordinal { categories, strict, unknown, missing } => {
                Wire::Ordinal(feature::Ordinal { categories: Some(categories.into()), strict, unknown, missing })
            }
            Code::OneHot { categories, missing, strict, dropped } => {
                Wire::OneHot(feature::OneHot { categories: Some(categories.into()), missing, strict, dropped })
            }
            Code::Bins { edges, one_hot } => Wire::Bins(feature::Bins { edges, one_hot }),
            Code::Hash { columns, alternate_sign } => Wire::Hash(feature::Hash { columns, alternate_sign }),
            Code::Words { vocabulary, words, binary } => {
                Wire::Words(feature::BagOfWords { vocabulary, words: Some(words.into_wire()), binary })
            }
        };
        wire::Feature { column: self.column, code: Some(code) }
    }
}

fn checked_edges(edges: Vec<f64>) -> Result<Vec<f64>> {
    if edges.len() >= 2 && edges.windows(2).all(|two| two[0] < two[1]) {
        return Ok(edges);
    }
    Err(Error::invalid("encode: bins need two edges or more, each above the one before it"))
}
