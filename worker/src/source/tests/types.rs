//! Every type, with nulls, over tile and row group edges, in every encoding and compression.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array, DictionaryArray,
        DurationSecondArray, Float16Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
        LargeStringArray, ListArray, NullArray, RecordBatch, StringArray, StringViewArray, StructArray,
        Time32MillisecondArray, TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
    },
    datatypes::{ArrowPrimitiveType, DataType, Field, Float16Type, Int8Type, Int32Type},
    ipc::CompressionType,
};
use parquet::{
    basic::{Compression, Encoding},
    file::properties::{WriterProperties, WriterVersion},
};

use super::*;

/// Not a multiple of anything.
const ROWS: usize = 9_001;

/// Every fifth row is null, and all the rows of one whole group are.
fn is_null(row: usize) -> bool {
    row % 5 == 3 || (2_000..3_100).contains(&row)
}

fn column<T>(value: impl Fn(usize) -> T) -> Vec<Option<T>> {
    (0..ROWS).map(|row| (!is_null(row)).then(|| value(row))).collect()
}

type Expected = fn(usize) -> f64;

/// Each numeric type: its column and the number of each row that is not null.
fn numeric() -> Vec<(&'static str, ArrayRef, Expected)> {
    let half = |row: usize| <Float16Type as ArrowPrimitiveType>::Native::from_f64((row % 100) as f64 / 4.0);
    let decimals = |scale: i8| {
        let values = Decimal128Array::from(column(|row| row as i128 * 7 - 1_000));
        Arc::new(values.with_precision_and_scale(if scale > 5 { 38 } else { 12 }, scale).unwrap()) as ArrayRef
    };
    let keys = Int8Array::from(column(|row| (row % 3) as i8));
    let dictionary = DictionaryArray::<Int8Type>::try_new(keys, Arc::new(Float64Array::from(vec![0.5, 1.5, 2.5])));
    vec![
        ("bool", Arc::new(BooleanArray::from(column(|row| row % 2 == 1))), |row| (row % 2) as f64),
        ("int8", Arc::new(Int8Array::from(column(|row| (row % 256) as u8 as i8))), |row| f64::from(row as u8 as i8)),
        ("int16", Arc::new(Int16Array::from(column(|row| row as i16 - 4_000))), |row| row as f64 - 4_000.0),
        ("int32", Arc::new(Int32Array::from(column(|row| -(row as i32)))), |row| -(row as f64)),
        ("int64", Arc::new(Int64Array::from(column(|row| row as i64 - (1 << 53)))), |row| {
            (row as f64) - 2_f64.powi(53)
        }),
        ("uint8", Arc::new(UInt8Array::from(column(|row| row as u8))), |row| f64::from(row as u8)),
        ("uint16", Arc::new(UInt16Array::from(column(|row| row as u16 + 50_000))), |row| row as f64 + 50_000.0),
        ("uint32", Arc::new(UInt32Array::from(column(|row| u32::MAX - row as u32))), |row| {
            4_294_967_295.0 - row as f64
        }),
        ("uint64", Arc::new(UInt64Array::from(column(|row| (row as u64) << 50))), |row| row as f64 * 2_f64.powi(50)),
        ("float16", Arc::new(Float16Array::from(column(half))), |row| (row % 100) as f64 / 4.0),
        ("float32", Arc::new(Float32Array::from(column(|row| row as f32 / 8.0))), |row| row as f64 / 8.0),
        ("float64", Arc::new(Float64Array::from(column(|row| row as f64 * 0.1))), |row| row as f64 * 0.1),
        ("decimal", decimals(2), |row| (row as f64 * 7.0 - 1_000.0) / 100.0),
        ("decimal0", decimals(0), |row| row as f64 * 7.0 - 1_000.0),
        ("decimal20", decimals(20), |row| (row as f64 * 7.0 - 1_000.0) / 1e20),
        ("date", Arc::new(Date32Array::from(column(|row| row as i32))), |row| row as f64),
        ("time", Arc::new(Time32MillisecondArray::from(column(|row| row as i32))), |row| row as f64),
        ("timestamp", Arc::new(TimestampMicrosecondArray::from(column(|row| row as i64))), |row| row as f64),
        ("dictionary", Arc::new(dictionary.unwrap()), |row| (row % 3) as f64 + 0.5),
    ]
}

fn check_numeric(path: &Path) {
    let columns = numeric();
    let names: Vec<&str> = columns.iter().map(|(name, ..)| *name).collect();
    let expected: Vec<f64> = columns
        .iter()
        .flat_map(|(_, _, expected)| (0..ROWS).map(move |row| if is_null(row) { f64::NAN } else { expected(row) }))
        .collect();
    assert_cells(&read(path, &request(&[], None)).unwrap(), &expected);
    // In another order, and one of them twice.
    let matrix = read(path, &request(&[names[11], names[0], names[11]], None)).unwrap();
    let part = |i: usize| &expected[i * ROWS..(i + 1) * ROWS];
    assert_cells(&matrix, &[part(11), part(0), part(11)].concat());
}

fn numeric_batch() -> RecordBatch {
    batch(numeric().into_iter().map(|(name, column, _)| (name, column)).collect())
}

#[test]
fn parquet_reads_every_number_in_every_encoding_and_compression() {
    let folder = Folder::new();
    let path = folder.file("all.parquet");
    let properties = |compression| {
        WriterProperties::builder()
            .set_compression(compression)
            .set_max_row_group_row_count(Some(2_047))
            .set_data_page_row_count_limit(500)
            .set_write_batch_size(100)
    };
    let plain = Compression::UNCOMPRESSED;
    for (compression, version, encoding) in [
        (plain, WriterVersion::PARQUET_1_0, None),
        (Compression::SNAPPY, WriterVersion::PARQUET_1_0, Some(Encoding::PLAIN)),
        (Compression::ZSTD(Default::default()), WriterVersion::PARQUET_2_0, None),
        (Compression::GZIP(Default::default()), WriterVersion::PARQUET_2_0, Some(Encoding::PLAIN)),
        (Compression::LZ4_RAW, WriterVersion::PARQUET_1_0, None),
        (Compression::LZ4, WriterVersion::PARQUET_2_0, Some(Encoding::PLAIN)),
    ] {
        let mut properties = properties(compression).set_writer_version(version);
        if let Some(encoding) = encoding {
            properties = properties.set_dictionary_enabled(false).set_encoding(encoding);
        }
        write_parquet(&path, &numeric_batch(), properties.build());
        check_numeric(&path);
    }
    let mut delta = properties(plain).set_dictionary_enabled(false);
    for (name, encoding) in [
        ("int32", Encoding::DELTA_BINARY_PACKED),
        ("int64", Encoding::DELTA_BINARY_PACKED),
        ("float64", Encoding::BYTE_STREAM_SPLIT),
        ("float32", Encoding::BYTE_STREAM_SPLIT),
        ("decimal20", Encoding::DELTA_BYTE_ARRAY),
        ("bool", Encoding::RLE),
    ] {
        delta = delta.set_column_encoding(name.into(), encoding);
    }
    write_parquet(&path, &numeric_batch(), delta.build());
    check_numeric(&path);
}

#[test]
fn arrow_reads_every_number_in_every_compression() {
    let folder = Folder::new();
    let path = folder.file("all.arrow");
    let days: ArrayRef = Arc::new(Date64Array::from_iter_values((-2..3).map(|day| day * 86_400_000)));
    write_arrow(&path, &batch(vec![("date64", days)]), ROWS, None);
    assert_cells(&read(&path, &request(&[], None)).unwrap(), &[-2.0, -1.0, 0.0, 1.0, 2.0]);
    for compression in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
        for rows in [ROWS, 1_000] {
            write_arrow(&path, &numeric_batch(), rows, compression);
            check_numeric(&path);
        }
    }
}

#[test]
fn columns_without_nulls_and_only_nulls() {
    let folder = Folder::new();
    let values: Vec<f64> = (0..ROWS).map(|row| row as f64).collect();
    let full: ArrayRef = Arc::new(Float64Array::from(values.clone()));
    let required = RecordBatch::try_from_iter_with_nullable([("x", full, false)]).unwrap();
    let nothing = batch(vec![
        ("null", Arc::new(NullArray::new(ROWS))),
        ("empty", Arc::new(Float64Array::from(vec![None; ROWS]))),
    ]);
    for name in ["a.parquet", "a.arrow"] {
        let path = folder.file(name);
        let write = |batch: &RecordBatch| match name {
            "a.parquet" => write_parquet(&path, batch, groups_of(1_500)),
            _ => write_arrow(&path, batch, 1_500, None),
        };
        write(&required);
        assert_cells(&read(&path, &request(&[], None)).unwrap(), &values);
        write(&nothing);
        assert_cells(&read(&path, &request(&[], None)).unwrap(), &vec![f64::NAN; ROWS * 2]);
        write(&nothing.slice(0, 0));
        let matrix = read(&path, &request(&["empty"], None)).unwrap();
        assert_eq!((matrix.rows(), matrix.columns()), (0, 1));
    }
}

#[test]
fn the_schema_names_types_and_what_cannot_be_a_number() {
    let folder = Folder::new();
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)]), None]);
    let item: (Arc<Field>, ArrayRef) =
        (Arc::new(Field::new("x", DataType::Int32, true)), Arc::new(Int32Array::from(vec![1, 2])));
    let batch = batch(vec![
        ("n", Arc::new(Int16Array::from(vec![1, 2]))),
        ("t", Arc::new(StringArray::from(vec!["a", "b"]))),
        ("l", Arc::new(list)),
        ("s", Arc::new(StructArray::from(vec![item]))),
        ("b", Arc::new(BinaryArray::from(vec![&b"a"[..], b"b"]))),
        ("d", Arc::new(DictionaryArray::<Int8Type>::from_iter(["u", "v"]))),
        ("w", Arc::new(TimestampMicrosecondArray::from(vec![1, 2]))),
    ]);
    for name in ["a.parquet", "a.arrow"] {
        let path = folder.file(name);
        match name {
            "a.parquet" => write_parquet(&path, &batch, WriterProperties::default()),
            _ => write_arrow(&path, &batch, 2, None),
        }
        let snapshot = dataset(&path).snapshot().unwrap();
        let schema: Vec<_> =
            snapshot.schema().iter().map(|column| (column.type_name.as_str(), column.numeric)).collect();
        let expected = [
            ("int16", true),
            ("text", false),
            ("list", false),
            ("struct", false),
            ("binary", false),
            ("text", false),
            ("timestamp", true),
        ];
        assert_eq!(schema, expected, "{name}");
        let error = snapshot.plan(&request(&[], None)).unwrap_err();
        assert!(error.message().contains("\"t\"") && error.message().contains("name the numeric columns to read"));
        let error = snapshot.plan(&request(&["n", "t"], None)).unwrap_err();
        assert!(error.message().contains("column \"t\" of dataset sales is text"), "{error}");
        let error = snapshot.plan(&request(&["nn"], None)).unwrap_err();
        assert!(error.message().contains("no column \"nn\"; did you mean \"n\"?"), "{error}");
        let error = snapshot.plan(&request(&["temperature"], None)).unwrap_err();
        assert!(error.message().contains("it has n, t, l, s, b, d, w"), "{error}");
    }
}

#[test]
fn an_integer_that_would_lose_digits_is_an_error_without_its_value() {
    let folder = Folder::new();
    let beyond = (1_i64 << 53) + 1;
    let batch = batch(vec![
        ("id", Arc::new(Int64Array::from(vec![1, beyond, 3]))),
        (
            "sum",
            Arc::new(Decimal128Array::from(vec![1, i128::from(beyond), 3]).with_precision_and_scale(30, 0).unwrap()),
        ),
        ("when", Arc::new(DurationSecondArray::from(vec![1, 2, beyond]))),
    ]);
    for name in ["a.parquet", "a.arrow"] {
        let path = folder.file(name);
        match name {
            "a.parquet" => write_parquet(&path, &batch, WriterProperties::default()),
            _ => write_arrow(&path, &batch, 3, None),
        }
        for column in ["id", "sum", "when"] {
            let error = read(&path, &request(&[column], None)).unwrap_err();
            assert!(error.message().contains(&format!("column \"{column}\" of dataset sales")), "{error}");
            assert!(error.message().contains("2^53") && !error.message().contains("9007199254740993"), "{error}");
        }
    }
}

#[test]
fn every_kind_of_text_can_be_filtered() {
    let folder = Folder::new();
    let texts: Vec<Option<String>> = (0..3_000)
        .map(|row| (row % 7 != 0).then(|| format!("{}-{}", "long enough".repeat(row % 3), row % 11)))
        .collect();
    let of = |array: ArrayRef| array;
    let dictionary: DictionaryArray<Int32Type> = texts.iter().map(|text| text.as_deref()).collect();
    let batch = batch(vec![
        ("row", Arc::new(Int32Array::from_iter_values(0..3_000))),
        ("utf8", of(Arc::new(StringArray::from(texts.clone())))),
        ("large", of(Arc::new(LargeStringArray::from(texts.clone())))),
        ("view", of(Arc::new(texts.iter().collect::<StringViewArray>()))),
        ("dictionary", of(Arc::new(dictionary))),
    ]);
    let literal = "long enough-4";
    let expected: Vec<f64> = (0..3_000)
        .filter(|row| texts[*row].as_deref().is_some_and(|text| text >= literal))
        .map(|row| row as f64)
        .collect();
    assert!(expected.len() > 100);
    let check = |path: &Path| {
        for column in ["utf8", "large", "view", "dictionary"] {
            let filter = filters::compare(column, fondaco_proto::op::CompareOp::GreaterEqual, literal);
            assert_cells(&read(path, &request(&["row"], Some(filter))).unwrap(), &expected);
        }
    };
    let path = folder.file("a.arrow");
    for compression in [None, Some(CompressionType::LZ4_FRAME)] {
        write_arrow(&path, &batch, 700, compression);
        check(&path);
    }
    let path = folder.file("a.parquet");
    for encoding in [Encoding::PLAIN, Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY] {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            let properties = WriterProperties::builder().set_dictionary_enabled(false).set_writer_version(version);
            let mut properties = properties.set_compression(Compression::SNAPPY).set_data_page_row_count_limit(333);
            for column in ["utf8", "large", "view", "dictionary"] {
                properties = properties.set_column_encoding(column.into(), encoding);
            }
            write_parquet(&path, &batch, properties.build());
            check(&path);
        }
    }
    assert_eq!(batch.column(4).len(), 3_000);
}
