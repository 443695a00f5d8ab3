//! Frames: typed columns of one length, and how they lie in the bytes of the wire.

use std::{collections::HashSet, fmt};

use crate::{Canonical, Error, Result, Shape, vocabulary::vocabulary, wire};

/// Columns that a frame may have.
const FRAME_COLUMNS_MAX: usize = 1 << 16;

/// Columns that an error lists.
const LISTED_MAX: usize = 12;

vocabulary! {
    /// What a column of a frame holds; any cell may be null.
    ColumnKind from wire::ColumnKind {
        Float64 = "float64",
        Int64 = "int64",
        Bool = "bool",
        Text = "text",
        Date = "date",
    }
}

impl ColumnKind {
    /// The kind of frame column as which a dataset's column of this type is read; `None` for one that cannot be.
    pub fn of_type(type_name: &str) -> Option<Self> {
        match type_name {
            "bool" => Some(Self::Bool),
            "text" => Some(Self::Text),
            "date" => Some(Self::Date),
            "null" | "decimal" => Some(Self::Float64),
            "time" | "timestamp" | "duration" => Some(Self::Int64),
            name if name.starts_with("float") => Some(Self::Float64),
            name if name.starts_with("int") && name != "int96" && name != "interval" => Some(Self::Int64),
            name if name.starts_with("uint") => Some(Self::Int64),
            _other => None,
        }
    }

    /// Whether its cells are numbers: of a bool 0 and 1, of a date days since 1970.
    pub const fn is_number(self) -> bool {
        !matches!(self, Self::Text)
    }

    /// Bytes of a cell on the wire; of a text, of its index.
    pub const fn cell_bytes(self) -> u64 {
        match self {
            Self::Float64 | Self::Int64 => 8,
            Self::Text | Self::Date => 4,
            Self::Bool => 1,
        }
    }
}

impl fmt::Display for ColumnKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A column's name and kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its name, of which a frame has one each.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
}

impl Field {
    /// A column of this name and kind.
    pub fn new(name: impl Into<String>, kind: ColumnKind) -> Self {
        Self { name: name.into(), kind }
    }
}

/// The index of the column of this name.
///
/// # Errors
/// `Invalid` naming those that there are.
pub fn find_field(fields: &[Field], name: &str) -> Result<usize> {
    fields.iter().position(|field| field.name == name).ok_or_else(|| {
        let names: Vec<&str> = fields.iter().take(LISTED_MAX).map(|field| field.name.as_str()).collect();
        let more = fields.len().checked_sub(LISTED_MAX).filter(|more| *more > 0);
        let more = more.map(|more| format!(" and {more} more")).unwrap_or_default();
        Error::invalid(format!("the frame has no column {name:?}; it has {}{more}", names.join(", ")))
    })
}

/// Checks that columns have names, and each another one.
///
/// # Errors
/// `Invalid` naming a column that is there twice, or if there are none or too many.
pub fn check_fields<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Error::invalid(format!("a frame has one column of each name, but {name:?} comes twice")));
        }
    }
    match seen.len() {
        0 => Err(Error::invalid("a frame needs at least one column")),
        columns if columns > FRAME_COLUMNS_MAX => {
            Err(Error::limit(format!("a frame has at most {FRAME_COLUMNS_MAX} columns (frame_columns_max)")))
        }
        _enough => Ok(()),
    }
}

/// What a value is, beside its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A matrix of numbers, however it is stored.
    Matrix,
    /// A frame of these columns.
    Frame(Vec<Field>),
}

/// A column on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameColumn {
    /// Its name and kind.
    pub field: Field,
    /// Whether a bit for each row says where it has a value.
    pub nullable: bool,
    /// Distinct texts, of a text column.
    pub values: u64,
    /// Bytes of these.
    pub value_bytes: u64,
}

/// What goes before the chunks of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Its rows.
    pub rows: u64,
    /// Its columns.
    pub columns: Vec<FrameColumn>,
    /// blake3 of all bytes, if the sender gives it.
    pub blake3: Option<[u8; 32]>,
}

impl FrameColumn {
    /// The bytes of each of its sections, in their order: where it is nullable, the bits; of a text column, the lengths
    /// of the texts and the texts; the cells.
    ///
    /// # Errors
    /// `Invalid` if they do not fit 64 bits.
    pub fn sections(&self, rows: u64) -> Result<Vec<u64>> {
        let too_large = || Error::invalid(format!("column {:?} has more bytes than can be counted", self.field.name));
        let times = |count: u64, bytes: u64| count.checked_mul(bytes).ok_or_else(too_large);
        let mut sections = Vec::with_capacity(4);
        if self.nullable {
            sections.push(rows.div_ceil(8));
        }
        if self.field.kind == ColumnKind::Text {
            sections.extend([times(self.values, 4)?, self.value_bytes]);
        }
        sections.push(times(rows, self.field.kind.cell_bytes())?);
        Ok(sections)
    }
}

impl FrameHeader {
    /// Rows and columns.
    pub fn shape(&self) -> Shape {
        Shape::new(self.rows, self.columns.len() as u64)
    }

    /// Names and kinds of the columns.
    pub fn fields(&self) -> Vec<Field> {
        self.columns.iter().map(|column| column.field.clone()).collect()
    }

    /// All bytes that follow.
    ///
    /// # Errors
    /// `Invalid` if they do not fit 64 bits.
    pub fn bytes(&self) -> Result<u64> {
        let mut bytes = 0_u64;
        for column in &self.columns {
            for section in column.sections(self.rows)? {
                let sum = bytes.checked_add(section);
                bytes = sum.ok_or_else(|| Error::invalid("a frame has more bytes than can be counted"))?;
            }
        }
        Ok(bytes)
    }

    /// The hash that, with the shape, identifies an upload of these bytes: a frame and a matrix never share it.
    pub fn content_hash(&self, data: &blake3::Hash) -> blake3::Hash {
        let mut out = Canonical::default();
        out.text("fondaco.frame").u64(self.rows).u64(self.columns.len() as u64);
        for FrameColumn { field, nullable, values, value_bytes } in &self.columns {
            out.text(&field.name).code(field.kind.code()).tag(u8::from(*nullable)).u64(*values).u64(*value_bytes);
        }
        out.text(&data.to_hex());
        blake3::hash(&out.into_bytes())
    }
}

impl TryFrom<wire::FrameHeader> for FrameHeader {
    type Error = Error;

    fn try_from(header: wire::FrameHeader) -> Result<Self> {
        check_fields(header.columns.iter().map(|column| column.name.as_str()))?;
        let column = |column: wire::FrameColumn| {
            let kind = ColumnKind::from_code(column.kind).ok_or_else(|| {
                Error::invalid(format!("column {:?} is of no kind, or of one of a newer protocol", column.name))
            })?;
            if kind != ColumnKind::Text && (column.values, column.value_bytes) != (0, 0) {
                let message = format!("column {:?} is {kind}: only text columns have distinct values", column.name);
                return Err(Error::invalid(message));
            }
            let field = Field { name: column.name, kind };
            let (values, value_bytes) = (column.values, column.value_bytes);
            Ok(FrameColumn { field, nullable: column.nullable, values, value_bytes })
        };
        let columns = header.columns.into_iter().map(column).collect::<Result<_>>()?;
        let blake3 = match header.blake3.as_slice() {
            [] => None,
            bytes => Some(bytes.try_into().map_err(|_| Error::invalid("blake3 must be 32 bytes, or absent"))?),
        };
        let header = Self { rows: header.rows, columns, blake3 };
        header.bytes()?;
        Ok(header)
    }
}

impl From<FrameHeader> for wire::FrameHeader {
    fn from(header: FrameHeader) -> Self {
        let column = |column: FrameColumn| wire::FrameColumn {
            name: column.field.name,
            kind: column.field.kind.code(),
            nullable: column.nullable,
            values: column.values,
            value_bytes: column.value_bytes,
        };
        Self {
            rows: header.rows,
            columns: header.columns.into_iter().map(column).collect(),
            blake3: header.blake3.map(Vec::from).unwrap_or_default(),
        }
    }
}
