//! Columns and their types, in the same words for both file formats.

use std::fmt::Write as _;

use arrow::datatypes::{DataType, TimeUnit};
use fondaco_proto::{Error, Result};
use parquet::{
    basic::{ConvertedType, LogicalType, Repetition, TimeUnit as ParquetUnit, Type as Physical},
    schema::types::Type as ParquetType,
};

/// How many columns an error lists.
const LISTED_MAX: usize = 12;

/// The widest decimal, in digits, that is read.
const DECIMAL_DIGITS_MAX: i32 = 38;

/// A column of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// `int16`, `float64`, `bool`, `text`, `date`, `timestamp`, `decimal`, `list`, ...
    pub type_name: String,
    /// Whether it can be a column of a matrix.
    pub numeric: bool,
}

/// What a column holds. Two columns of one type read as the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    Bool,
    Int(u8),
    Uint(u8),
    Float(u8),
    /// Digits after the point.
    Decimal(i32),
    /// Days since 1970.
    Date,
    Time(Unit),
    Timestamp(Unit),
    Duration(Unit),
    Text,
    /// Flat, but neither a number nor a text; may be asked for null.
    Opaque(&'static str),
    Nested(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Type {
    pub(super) fn is_numeric(self) -> bool {
        !matches!(self, Self::Text | Self::Opaque(_) | Self::Nested(_))
    }

    pub(super) fn column(self, name: &str) -> Column {
        let type_name = match self {
            Self::Null => "null".to_owned(),
            Self::Bool => "bool".to_owned(),
            Self::Int(bits) => format!("int{bits}"),
            Self::Uint(bits) => format!("uint{bits}"),
            Self::Float(bits) => format!("float{bits}"),
            Self::Decimal(_) => "decimal".to_owned(),
            Self::Date => "date".to_owned(),
            Self::Time(_) => "time".to_owned(),
            Self::Timestamp(_) => "timestamp".to_owned(),
            Self::Duration(_) => "duration".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Opaque(name) | Self::Nested(name) => name.to_owned(),
        };
        Column { name: name.to_owned(), type_name, numeric: self.is_numeric() }
    }

    /// The type of a field of the root of a Parquet schema.
    pub(super) fn of_parquet(field: &ParquetType) -> Self {
        let info = field.get_basic_info();
        let (logical, converted) = (info.logical_type_ref(), info.converted_type());
        if field.is_group() {
            return Self::Nested(match (logical, converted) {
                (Some(LogicalType::List), _) | (_, ConvertedType::LIST) => "list",
                (Some(LogicalType::Map), _) | (_, ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE) => "map",
                _ => "struct",
            });
        }
        if info.has_repetition() && info.repetition() == Repetition::REPEATED {
            return Self::Nested("list");
        }
        let decimal = || match field.get_precision() {
            1..=DECIMAL_DIGITS_MAX => Self::Decimal(field.get_scale()),
            _ => Self::Opaque("decimal"),
        };
        match logical {
            Some(LogicalType::Unknown) => return Self::Null,
            Some(LogicalType::Decimal(_)) => return decimal(),
            Some(LogicalType::Float16) => return Self::Float(16),
            Some(LogicalType::Uuid) => return Self::Opaque("uuid"),
            _ if converted == ConvertedType::DECIMAL => return decimal(),
            _ if converted == ConvertedType::INTERVAL => return Self::Opaque("interval"),
            _ => {}
        }
        match field.get_physical_type() {
            Physical::BOOLEAN => Self::Bool,
            Physical::INT32 => integer(32, logical, converted),
            Physical::INT64 => integer(64, logical, converted),
            Physical::FLOAT => Self::Float(32),
            Physical::DOUBLE => Self::Float(64),
            Physical::INT96 => Self::Opaque("int96"),
            Physical::FIXED_LEN_BYTE_ARRAY => Self::Opaque("binary"),
            Physical::BYTE_ARRAY => match (logical, converted) {
                (Some(LogicalType::String | LogicalType::Enum | LogicalType::Json), _)
                | (_, ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON) => Self::Text,
                _ => Self::Opaque("binary"),
            },
        }
    }

    /// The type of a column of an Arrow file.
    pub(super) fn of_arrow(data_type: &DataType) -> Self {
        let decimal = |scale: i8| Self::Decimal(i32::from(scale));
        match data_type {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Bool,
            DataType::Int8 => Self::Int(8),
            DataType::Int16 => Self::Int(16),
            DataType::Int32 => Self::Int(32),
            DataType::Int64 => Self::Int(64),
            DataType::UInt8 => Self::Uint(8),
            DataType::UInt16 => Self::Uint(16),
            DataType::UInt32 => Self::Uint(32),
            DataType::UInt64 => Self::Uint(64),
            DataType::Float16 => Self::Float(16),
            DataType::Float32 => Self::Float(32),
            DataType::Float64 => Self::Float(64),
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Time32(unit) | DataType::Time64(unit) => Self::Time(Unit::of_arrow(*unit)),
            DataType::Timestamp(unit, _) => Self::Timestamp(Unit::of_arrow(*unit)),
            DataType::Duration(unit) => Self::Duration(Unit::of_arrow(*unit)),
            DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale) => {
                decimal(*scale)
            }
            DataType::Decimal256(..) => Self::Opaque("decimal"),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                Self::Opaque("binary")
            }
            DataType::Interval(_) => Self::Opaque("interval"),
            DataType::Dictionary(_, values) => match Self::of_arrow(values) {
                Self::Opaque(name) => Self::Nested(name),
                flat => flat,
            },
            DataType::Struct(_) => Self::Nested("struct"),
            DataType::Map(..) => Self::Nested("map"),
            DataType::Union(..) => Self::Nested("union"),
            DataType::RunEndEncoded(..) => Self::Nested("run_end_encoded"),
            DataType::List(_)
            | DataType::LargeList(_)
            | DataType::ListView(_)
            | DataType::LargeListView(_)
            | DataType::FixedSizeList(..) => Self::Nested("list"),
        }
    }
}

impl Unit {
    fn of_arrow(unit: TimeUnit) -> Self {
        match unit {
            TimeUnit::Second => Self::Seconds,
            TimeUnit::Millisecond => Self::Milliseconds,
            TimeUnit::Microsecond => Self::Microseconds,
            TimeUnit::Nanosecond => Self::Nanoseconds,
        }
    }

    fn of_parquet(unit: ParquetUnit) -> Self {
        match unit {
            ParquetUnit::MILLIS => Self::Milliseconds,
            ParquetUnit::MICROS => Self::Microseconds,
            ParquetUnit::NANOS => Self::Nanoseconds,
        }
    }
}

fn integer(physical_bits: u8, logical: Option<&LogicalType>, converted: ConvertedType) -> Type {
    match logical {
        Some(LogicalType::Integer(int)) => {
            // Negative widths are no widths.
            let bits = u8::try_from(int.bit_width).unwrap_or(physical_bits);
            return if int.is_signed { Type::Int(bits) } else { Type::Uint(bits) };
        }
        Some(LogicalType::Date) => return Type::Date,
        Some(LogicalType::Time(time)) => return Type::Time(Unit::of_parquet(time.unit)),
        Some(LogicalType::Timestamp(time)) => return Type::Timestamp(Unit::of_parquet(time.unit)),
        _ => {}
    }
    match converted {
        ConvertedType::INT_8 => Type::Int(8),
        ConvertedType::INT_16 => Type::Int(16),
        ConvertedType::UINT_8 => Type::Uint(8),
        ConvertedType::UINT_16 => Type::Uint(16),
        ConvertedType::UINT_32 => Type::Uint(32),
        ConvertedType::UINT_64 => Type::Uint(64),
        ConvertedType::DATE => Type::Date,
        ConvertedType::TIME_MILLIS => Type::Time(Unit::Milliseconds),
        ConvertedType::TIME_MICROS => Type::Time(Unit::Microseconds),
        ConvertedType::TIMESTAMP_MILLIS => Type::Timestamp(Unit::Milliseconds),
        ConvertedType::TIMESTAMP_MICROS => Type::Timestamp(Unit::Microseconds),
        _ => Type::Int(physical_bits),
    }
}

/// The index of the column of this name.
///
/// # Errors
/// `Invalid` naming the column, if there is none or more than one.
pub(super) fn find(dataset: &str, columns: &[Column], name: &str) -> Result<usize> {
    let mut found = columns.iter().enumerate().filter(|(_, column)| column.name == name).map(|(i, _)| i);
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(Error::invalid(format!(
            "dataset {dataset} has more than one column {name:?}; its owner must rename one"
        ))),
        (None, _) => {
            Err(Error::invalid(format!("dataset {dataset} has no column {name:?}; {}", suggestion(columns, name))))
        }
    }
}

/// The column that was meant, probably; else the first ones.
fn suggestion(columns: &[Column], name: &str) -> String {
    let near = |column: &&Column| distance(&column.name.to_lowercase(), &name.to_lowercase()) <= 1 + name.len() / 4;
    let closest = columns.iter().filter(near).min_by_key(|column| distance(&column.name, name));
    if let Some(column) = closest {
        return format!("did you mean {:?}?", column.name);
    }
    let names: Vec<&str> = columns.iter().take(LISTED_MAX).map(|column| column.name.as_str()).collect();
    let mut text = format!("it has {}", names.join(", "));
    if columns.len() > LISTED_MAX {
        // Writing to a string cannot fail.
        let _ = write!(text, " and {} more", columns.len() - LISTED_MAX);
    }
    text
}

/// Levenshtein's distance, in characters.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}
