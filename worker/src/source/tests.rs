//! Files written with the libraries' own writers, read back.

mod csv;
mod csv_faults;
mod csv_rows;
mod damage;
mod files;
mod filters;
mod frames;
mod types;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use arrow::{
    array::{ArrayRef, RecordBatch},
    ipc::{
        CompressionType,
        writer::{FileWriter, IpcWriteOptions},
    },
};
use fondaco_proto::{
    Result,
    op::{Filter, Read},
};
use parquet::{arrow::ArrowWriter, file::properties::WriterProperties};

use super::{Dataset, Files};
use crate::{cancel::Cancel, matrix::Matrix, memory::Memory};

/// A folder that goes away with the test.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("fondaco-source-{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

pub(super) fn write_parquet(path: &Path, batch: &RecordBatch, properties: WriterProperties) {
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

/// With `rows` in each record batch.
pub(super) fn write_arrow(path: &Path, batch: &RecordBatch, rows: usize, compression: Option<CompressionType>) {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let mut writer = FileWriter::try_new_with_options(File::create(path).unwrap(), &batch.schema(), options).unwrap();
    for start in (0..batch.num_rows()).step_by(rows) {
        writer.write(&batch.slice(start, rows.min(batch.num_rows() - start))).unwrap();
    }
    writer.finish().unwrap();
}

pub(super) fn groups_of(rows: usize) -> WriterProperties {
    WriterProperties::builder()
        .set_max_row_group_row_count(Some(rows))
        .set_data_page_row_count_limit(rows / 3 + 1)
        .build()
}

pub(super) fn dataset(path: &Path) -> Dataset {
    Dataset::new("sales".to_owned(), Files::new(path))
}

pub(super) fn request(columns: &[&str], filter: Option<Filter>) -> Read {
    let columns = columns.iter().map(|column| (*column).to_owned()).collect();
    Read { dataset: "sales".to_owned(), columns, filter, frame: false }
}

/// Reads once on this thread and once on the pool; both must agree, bit by bit, and give all memory back.
pub(super) fn read(path: &Path, request: &Read) -> Result<Matrix> {
    read_of(&dataset(path), request)
}

pub(super) fn read_of(dataset: &Dataset, request: &Read) -> Result<Matrix> {
    let snapshot = dataset.snapshot()?;
    let memory = Memory::poisoned(1 << 28);
    let plan = snapshot.plan(request)?;
    let read = |parallel| snapshot.read(&plan, &memory, &Cancel::default(), parallel);
    let (serial, parallel) = (read(false), read(true));
    if let (Ok(serial), Ok(parallel)) = (&serial, &parallel) {
        assert_eq!(bits(serial), bits(parallel));
        assert_eq!(memory.used_bytes(), serial.bytes() + parallel.bytes());
        assert!(serial.stored_rows() as u64 <= plan.rows_upper());
    } else {
        assert!(serial.is_err() && parallel.is_err());
        assert_eq!(memory.used_bytes(), 0);
    }
    serial
}

pub(super) fn bits(matrix: &Matrix) -> Vec<u64> {
    matrix.to_column_major().into_iter().map(f64::to_bits).collect()
}

/// Equal, NaN to NaN.
#[track_caller]
pub(super) fn assert_cells(matrix: &Matrix, expected: &[f64]) {
    let cells = matrix.to_column_major();
    assert_eq!(cells.len(), expected.len());
    for (i, (cell, expected)) in cells.iter().zip(expected).enumerate() {
        assert!(cell == expected || (cell.is_nan() && expected.is_nan()), "cell {i}: {cell} is not {expected}");
    }
}
