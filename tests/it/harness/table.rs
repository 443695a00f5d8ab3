//! Columns on their way into a data owner's files.

use std::{fs::File, path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray},
    ipc::writer::FileWriter,
    util::display::array_value_to_string,
};
use ndarray::Array2;
use parquet::{arrow::ArrowWriter, file::properties::WriterProperties};

/// Named columns of equal length.
#[derive(Clone, Default)]
pub struct Table(Vec<(String, ArrayRef)>);

impl Table {
    pub fn new() -> Self {
        Self::default()
    }

    /// Columns `c0`, `c1`, .. of a matrix.
    pub fn of(matrix: &Array2<f64>) -> Self {
        let columns = matrix.columns().into_iter().enumerate();
        columns.fold(Self::new(), |table, (i, column)| table.f64(&format!("c{i}"), column.to_vec()))
    }

    pub fn column(mut self, name: &str, values: ArrayRef) -> Self {
        self.0.push((name.to_owned(), values));
        self
    }

    pub fn f64(self, name: &str, values: Vec<f64>) -> Self {
        self.column(name, Arc::new(Float64Array::from(values)))
    }

    pub fn nullable(self, name: &str, values: Vec<Option<f64>>) -> Self {
        self.column(name, Arc::new(Float64Array::from(values)))
    }

    pub fn i64(self, name: &str, values: Vec<i64>) -> Self {
        self.column(name, Arc::new(Int64Array::from(values)))
    }

    pub fn bool(self, name: &str, values: Vec<bool>) -> Self {
        self.column(name, Arc::new(BooleanArray::from(values)))
    }

    pub fn text(self, name: &str, values: Vec<&str>) -> Self {
        self.column(name, Arc::new(StringArray::from(values)))
    }

    fn batch(&self) -> RecordBatch {
        RecordBatch::try_from_iter(self.0.clone()).expect("columns have one length")
    }

    pub fn write_parquet(&self, path: &Path) {
        self.write_parquet_groups(path, 1 << 20);
    }

    /// With row groups of at most so many rows.
    pub fn write_parquet_groups(&self, path: &Path, group_rows: usize) {
        let batch = self.batch();
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group_rows)).build();
        let file = File::create(path).expect("the file can be made");
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("parquet takes the types");
        writer.write(&batch).expect("the file can be written");
        writer.close().expect("the file can be closed");
    }

    /// With a header; nulls are empty.
    pub fn write_csv(&self, path: &Path) {
        let quoted = |cell: &str| match cell.contains(['"', ',', '\n', '\r']) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => cell.to_owned(),
        };
        let row = |cells: Vec<String>| cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\n";
        let cells = |i: usize| {
            let cell = |column: &ArrayRef| array_value_to_string(column, i).expect("such a row");
            self.0.iter().map(|(_, column)| cell(column)).collect()
        };
        let header = row(self.0.iter().map(|(name, _)| name.clone()).collect());
        let rows = (0..self.batch().num_rows()).map(|i| row(cells(i)));
        let text: String = std::iter::once(header).chain(rows).collect();
        std::fs::write(path, text).expect("the file can be written");
    }

    pub fn write_arrow(&self, path: &Path) {
        let batch = self.batch();
        let file = File::create(path).expect("the file can be made");
        let mut writer = FileWriter::try_new(file, &batch.schema()).expect("arrow takes the types");
        writer.write(&batch).expect("the file can be written");
        writer.finish().expect("the file can be closed");
    }
}
