//! What an owner says of CSV files: what separates fields, whether there is a header, what is null, and the types.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::schema::Type;

/// The cells that are null unless the owner names others: the empty one and the rest of pandas' default `na_values`.
const NULLS: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// `[datasets.csv]` of `site.toml`: how the CSV files of a dataset are read. Unknown fields are refused.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct CsvOptions {
    /// What separates the fields of a row. Default: a tab in a file ending in `.tsv`; else the first of comma,
    /// semicolon and tab that the header has, and the comma if it has none or there is no header.
    pub delimiter: Option<Delimiter>,
    /// Whether the first row names the columns; else they are `column_1`, `column_2`, .. Default true.
    pub header: bool,
    /// Cells that are null, in quotes or not, as they are written, blanks included. Default: the empty cell, `NA`,
    /// `N/A`, `NaN`, `nan`, `null`, `NULL`, `None` and the others of pandas' default list.
    pub nulls: Vec<String>,
    /// Types of columns by their names. The others have the narrowest that all their cells fit.
    pub types: BTreeMap<String, CsvType>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        let nulls = NULLS.map(ToOwned::to_owned).into();
        Self { delimiter: None, header: true, nulls, types: BTreeMap::new() }
    }
}

impl CsvOptions {
    /// All that decides what the bytes of a file mean.
    pub(super) fn canonical_bytes(&self, delimiter: u8) -> Vec<u8> {
        fn text(out: &mut Vec<u8>, text: &str) {
            out.extend((text.len() as u64).to_le_bytes());
            out.extend(text.as_bytes());
        }
        let mut out = vec![delimiter, u8::from(self.header)];
        out.extend((self.nulls.len() as u64).to_le_bytes());
        self.nulls.iter().for_each(|null| text(&mut out, null));
        for (name, of) in &self.types {
            text(&mut out, name);
            out.push(*of as u8);
        }
        out
    }
}

/// One ASCII character that separates fields.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct Delimiter(u8);

impl Delimiter {
    /// The character.
    pub fn byte(self) -> u8 {
        self.0
    }
}

impl TryFrom<String> for Delimiter {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let byte = match text.as_bytes() {
            [byte] => Some(*byte),
            _ => None,
        };
        // Those of numbers, words, quotes and rows cannot separate fields too.
        let separates = |byte: &u8| match byte {
            b'\t' => true,
            b'"' | b'\'' | b'.' | b'-' | b'+' => false,
            byte => byte.is_ascii_punctuation() || *byte == b' ',
        };
        byte.filter(separates).map(Self).ok_or_else(|| {
            format!(
                "delimiter must be one character that separates fields, such as \",\", \";\", \"|\" or \"\\t\", \
                 not {text:?}"
            )
        })
    }
}

/// The type of a column.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum CsvType {
    /// Integers of 64 bits.
    Int64 = 0,
    /// The nearest doubles; `inf` and `nan` are numbers too.
    Float64 = 1,
    /// `true` and `false`, also `True` and `TRUE`; 1 and 0 in a matrix.
    Bool = 2,
    /// Dates of the form 2024-12-31; days since 1970 in a matrix.
    Date = 3,
    /// Texts, for filters.
    Text = 4,
}

impl CsvType {
    pub(super) fn column_type(self) -> Type {
        match self {
            Self::Int64 => Type::Int(64),
            Self::Float64 => Type::Float(64),
            Self::Bool => Type::Bool,
            Self::Date => Type::Date,
            Self::Text => Type::Text,
        }
    }
}
