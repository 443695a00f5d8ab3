//! What workers serve, as they describe it.

/// How strictly an owner guards a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Privacy {
    /// Rows may leave.
    Public,
    /// Aggregates over enough rows may leave.
    Aggregate,
    /// Nothing leaves, not even counts.
    Private,
}

/// A dataset of one site's catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// The name by which it is read.
    pub name: String,
    /// How strictly its owner guards it.
    pub privacy: Privacy,
    /// Whether minima and maxima may leave.
    pub extremes: bool,
    /// Changes when the data changes.
    pub version: String,
    /// Its columns; none, if it cannot be read at present.
    pub columns: Vec<Column>,
}

/// A column of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// `int64`, `float64`, `text`, ...
    pub type_name: String,
    /// Whether it can be read into a matrix.
    pub numeric: bool,
}

/// What a worker accepts. The default accepts nothing inline, and one instruction at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message.
    pub message_bytes_max: u64,
    /// Instructions of one program.
    pub program_instructions_max: u64,
    /// Cells of one matrix.
    pub cells_max: u64,
    /// Bytes of one inline operand; larger ones travel in chunks.
    pub inline_bytes_max: u64,
    /// Bytes of all values that a tenant holds.
    pub tenant_bytes_max: u64,
    /// Rows, and effective contributors, behind a released cell.
    pub release_rows_min: u64,
}
