//! Files that lie, are cut short, or have bits flipped: an error or a matrix of the right shape, never a panic.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, StringArray},
    ipc::CompressionType,
};
use fondaco_proto::op::CompareOp;
use parquet::{
    basic::{Compression, Encoding},
    file::{
        metadata::{ParquetMetaDataReader, ParquetMetaDataWriter},
        properties::{WriterProperties, WriterVersion},
        statistics::Statistics,
    },
};

use super::{
    filters::{Random, compare},
    *,
};

const ROWS: usize = 4_500;

fn table() -> RecordBatch {
    batch(vec![
        ("f", Arc::new(Float64Array::from_iter((0..ROWS).map(|row| (row % 9 > 0).then_some(row as f64)))) as ArrayRef),
        ("i", Arc::new(Int64Array::from_iter_values((0..ROWS as i64).map(|row| row * row)))),
        ("t", Arc::new(StringArray::from_iter_values((0..ROWS).map(|row| format!("text {}", row * 7))))),
    ])
}

/// Reads plainly and with a filter by text, within little memory.
fn survive(path: &Path) -> usize {
    let memory = Memory::poisoned(1 << 24);
    let Ok(snapshot) = dataset(path).snapshot() else { return 0 };
    let mut read = 0;
    for filter in [None, Some(compare("t", CompareOp::Greater, "text 2"))] {
        let Ok(plan) = snapshot.plan(&request(&["i", "f"], filter)) else { continue };
        if let Ok(matrix) = snapshot.read(&plan, &memory, &Cancel::default(), false) {
            assert_eq!(matrix.columns(), 2);
            assert!(matrix.rows() as u64 <= plan.rows_upper());
            read += 1;
        }
        assert_eq!(memory.used_bytes(), 0);
    }
    read
}

fn flip(path: &Path, seed: u64) {
    let whole = fs::read(path).unwrap();
    assert_eq!(survive(path), 2);
    let mut random = Random(seed);
    let mut errors = 0;
    for _ in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            // Half of them in the last part, where the metadata lies.
            let from = if random.below(2) == 0 { 0 } else { bytes.len().saturating_sub(2_000) };
            let position = from + random.below(bytes.len() - from);
            bytes[position] ^= 1 << random.below(8);
        }
        fs::write(path, &bytes).unwrap();
        errors += usize::from(survive(path) < 2);
    }
    assert!(errors > 50, "{errors} of 300 were noticed");
    for _ in 0..60 {
        fs::write(path, &whole[..random.below(whole.len())]).unwrap();
        assert_eq!(survive(path), 0);
    }
}

#[test]
fn flipped_bits_in_parquet() {
    let folder = Folder::new();
    let properties =
        || WriterProperties::builder().set_max_row_group_row_count(Some(1_100)).set_data_page_row_count_limit(400);
    let variants = [
        properties().set_compression(Compression::ZSTD(Default::default())),
        properties().set_compression(Compression::LZ4_RAW).set_writer_version(WriterVersion::PARQUET_2_0),
        properties().set_compression(Compression::GZIP(Default::default())),
        properties()
            .set_dictionary_enabled(false)
            .set_column_encoding("i".into(), Encoding::DELTA_BINARY_PACKED)
            .set_column_encoding("t".into(), Encoding::DELTA_BYTE_ARRAY),
        properties()
            .set_dictionary_enabled(false)
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_compression(Compression::SNAPPY)
            .set_column_encoding("t".into(), Encoding::DELTA_LENGTH_BYTE_ARRAY),
    ];
    for (seed, properties) in variants.into_iter().enumerate() {
        let path = folder.file("a.parquet");
        write_parquet(&path, &table(), properties.build());
        flip(&path, seed as u64);
    }
}

#[test]
fn flipped_bits_in_arrow() {
    let folder = Folder::new();
    for (seed, compression) in
        [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)].into_iter().enumerate()
    {
        let path = folder.file("a.arrow");
        write_arrow(&path, &table(), 1_100, compression);
        flip(&path, seed as u64);
    }
}

/// Some writers say 0 where they did not count.
#[test]
fn nulls_that_the_statistics_do_not_know_of() {
    let folder = Folder::new();
    let path = folder.file("a.parquet");
    let values: Vec<Option<f64>> = (0..ROWS).map(|row| (row < 2_000 || row % 3 > 0).then_some(row as f64)).collect();
    let column: ArrayRef = Arc::new(Float64Array::from(values.clone()));
    write_parquet(&path, &batch(vec![("x", column)]), groups_of(1_500));
    let bytes = fs::read(&path).unwrap();
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&File::open(&path).unwrap()).unwrap();
    let mut lying = metadata.clone().into_builder();
    for group in lying.take_row_groups() {
        let chunk = group.column(0).clone().into_builder();
        let statistics = Statistics::double(Some(0.0), Some(ROWS as f64), None, Some(0), false);
        let chunk = chunk.set_statistics(statistics).build().unwrap();
        lying = lying.add_row_group(group.into_builder().set_column_metadata(vec![chunk]).build().unwrap());
    }
    let mut footer = Vec::new();
    ParquetMetaDataWriter::new(&mut footer, &lying.build()).finish().unwrap();
    fs::write(&path, [bytes, footer].concat()).unwrap();
    let expected =
        |holds: fn(f64) -> bool| -> Vec<f64> { values.iter().flatten().copied().filter(|x| holds(*x)).collect() };
    let all: Vec<f64> = values.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
    assert_cells(&read(&path, &request(&[], None)).unwrap(), &all);
    let filter = compare("x", CompareOp::Greater, 1_234.0);
    assert_cells(&read(&path, &request(&[], Some(filter))).unwrap(), &expected(|x| x > 1_234.0));
}

#[test]
fn more_memory_than_there_is_is_refused_before_it_is_taken() {
    let folder = Folder::new();
    // A constant takes no space in the file, whatever its length.
    let zeros: ArrayRef = Arc::new(Float64Array::from(vec![0.0; 1_000_000]));
    let gzip = WriterProperties::builder().set_compression(Compression::GZIP(Default::default()));
    let variants = [
        WriterProperties::builder().build(),
        gzip.set_dictionary_enabled(false).set_data_page_size_limit(1 << 30).build(),
    ];
    let path = folder.file("a.parquet");
    for properties in variants {
        write_parquet(&path, &batch(vec![("x", Arc::clone(&zeros))]), properties);
        let snapshot = dataset(&path).snapshot().unwrap();
        for filter in [None, Some(compare("x", CompareOp::Less, 0.0)), Some(compare("x", CompareOp::Equal, 0.0))] {
            let plan = snapshot.plan(&request(&[], filter)).unwrap();
            let memory = Memory::new(1 << 20);
            let read = snapshot.read(&plan, &memory, &Cancel::default(), true);
            assert!(read.is_err() || plan.rows_upper() == 0);
            assert_eq!(memory.used_bytes(), 0);
        }
    }
}
