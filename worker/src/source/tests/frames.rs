//! The same files read as frames: every kind of column, with nulls, over group edges, filtered and not.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, DictionaryArray, Float64Array, Int16Array, Int64Array,
        StringArray, TimestampMicrosecondArray, UInt64Array,
    },
    datatypes::Int32Type,
};
use fondaco_proto::{
    ColumnKind, ErrorCode,
    op::{Compare, CompareOp, Literal},
};

use super::*;
use crate::frame::{Cells, Column, Frame, wire::Chunks};

const ROWS: usize = 5_003;

fn is_null(row: usize) -> bool {
    row % 7 == 2 || (2_000..3_100).contains(&row)
}

fn column<T>(value: impl Fn(usize) -> T) -> Vec<Option<T>> {
    (0..ROWS).map(|row| (!is_null(row)).then(|| value(row))).collect()
}

fn table() -> RecordBatch {
    let word = |row: usize| format!("wörd {}", row % 37);
    let words = column(word);
    let dictionary: DictionaryArray<Int32Type> = words.iter().map(|word| word.as_deref()).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("f", Arc::new(Float64Array::from(column(|row| row as f64 / 3.0)))),
        ("i", Arc::new(Int64Array::from(column(|row| i64::MAX - row as i64)))),
        ("s", Arc::new(Int16Array::from(column(|row| row as i16)))),
        ("b", Arc::new(BooleanArray::from(column(|row| row % 3 == 0)))),
        ("t", Arc::new(StringArray::from(words))),
        ("w", Arc::new(dictionary)),
        ("d", Arc::new(Date32Array::from(column(|row| row as i32 - 900)))),
        ("m", Arc::new(TimestampMicrosecondArray::from(column(|row| row as i64 * 1_000_003)))),
    ];
    batch(columns)
}

/// Reads once on this thread and once on the pool; both must agree, byte by byte, and give all memory back.
fn read_frame(path: &Path, columns: &[&str], filter: Option<Filter>) -> Result<Frame> {
    let snapshot = dataset(path).snapshot()?;
    let memory = Memory::poisoned(1 << 28);
    let plan = snapshot.plan(&Read { frame: true, ..request(columns, filter) })?;
    let read = |parallel| snapshot.read_frame(&plan, &memory, &Cancel::default(), parallel);
    let (serial, parallel) = (read(false), read(true));
    if let (Ok(serial), Ok(parallel)) = (&serial, &parallel) {
        let bytes = |frame| Chunks::of(frame).flat_map(|chunk| chunk.data.to_vec()).collect::<Vec<u8>>();
        assert_eq!(bytes(serial), bytes(parallel));
        assert!(memory.used_bytes() >= serial.bytes() + parallel.bytes());
    }
    let serial = serial;
    drop(parallel);
    if serial.is_err() {
        assert_eq!(memory.used_bytes(), 0);
    }
    serial
}

fn text(column: &Column, row: usize) -> Option<String> {
    let Cells::Text(codes, texts) = column.cells() else { panic!("it is text") };
    (!column.is_missing(row)).then(|| texts.get(codes.value(row) as usize).to_owned())
}

fn check(frame: &Frame, rows: &[usize]) {
    assert_eq!(frame.rows(), rows.len());
    let number = |name: &str, row: usize| frame.column(name).unwrap().number(row).unwrap();
    for (at, &row) in rows.iter().enumerate() {
        assert!(frame.columns().iter().all(|column| column.is_missing(at) == is_null(row)), "row {row}");
        if is_null(row) {
            continue;
        }
        assert_eq!(number("f", at), row as f64 / 3.0);
        assert_eq!(number("s", at), row as f64);
        assert_eq!(number("b", at), f64::from(u8::from(row.is_multiple_of(3))));
        assert_eq!(number("d", at), row as f64 - 900.0);
        assert_eq!(number("m", at), row as f64 * 1_000_003.0);
        let Cells::Int64(integers) = frame.column("i").unwrap().cells() else { panic!("it holds integers") };
        assert_eq!(integers.value(at), i64::MAX - row as i64);
        for name in ["t", "w"] {
            assert_eq!(text(frame.column(name).unwrap(), at), Some(format!("wörd {}", row % 37)));
        }
    }
}

#[test]
fn every_kind_in_both_formats() {
    let folder = Folder::new();
    let (parquet, arrow) = (folder.file("a.parquet"), folder.file("a.arrow"));
    write_parquet(&parquet, &table(), groups_of(700));
    write_arrow(&arrow, &table(), 1_300, None);
    for path in [&parquet, &arrow] {
        let frame = read_frame(path, &[], None).unwrap();
        use ColumnKind::{Bool, Date, Float64, Int64, Text};
        let kinds: Vec<ColumnKind> = frame.fields().iter().map(|field| field.kind).collect();
        assert_eq!(kinds, [Float64, Int64, Int64, Bool, Text, Text, Date, Int64]);
        check(&frame, &(0..ROWS).collect::<Vec<_>>());
        let Cells::Text(_, texts) = frame.column("t").unwrap().cells() else { panic!("it is text") };
        assert_eq!(texts.len(), 37);
        let some = read_frame(path, &["t", "f"], None).unwrap();
        assert_eq!(some.fields().iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["t", "f"]);
        assert!(read_frame(path, &["t", "t"], None).unwrap_err().message().contains("comes twice"));
        assert!(read_frame(path, &["nothing"], None).unwrap_err().message().contains("no column"));
    }
}

#[test]
fn filtered_rows() {
    let folder = Folder::new();
    let path = folder.file("a.parquet");
    write_parquet(&path, &table(), groups_of(700));
    let compare = |column: &str, op, literal| Filter::Compare(Compare { column: column.into(), op, literal });
    let early = compare("f", CompareOp::Less, Literal::Number(1_000.0));
    let word = compare("t", CompareOp::Equal, Literal::Text("wörd 5".into()));
    let rows: Vec<usize> = (0..3_000).filter(|row| !is_null(*row) && row % 37 == 5).collect();
    check(&read_frame(&path, &[], Some(Filter::And(vec![early, word]))).unwrap(), &rows);
    let nulls: Vec<usize> = (0..ROWS).filter(|row| is_null(*row)).collect();
    check(&read_frame(&path, &[], Some(Filter::IsNull("t".into()))).unwrap(), &nulls);
    let nobody = compare("t", CompareOp::Equal, Literal::Text("nobody".into()));
    check(&read_frame(&path, &[], Some(nobody)).unwrap(), &[]);
}

#[test]
fn what_no_frame_holds() {
    let folder = Folder::new();
    let path = folder.file("a.parquet");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("u", Arc::new(UInt64Array::from(vec![1, u64::MAX]))),
        ("raw", Arc::new(BinaryArray::from(vec![b"a".as_slice(), b"b"]))),
    ];
    write_parquet(&path, &batch(columns), groups_of(10));
    let error = read_frame(&path, &["u"], None).unwrap_err();
    assert!(error.message().contains("\"u\"") && error.message().contains("2^63"), "{error}");
    let error = read_frame(&path, &["raw"], None).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Data);
    assert!(error.message().contains("binary"), "{error}");
}

#[test]
fn the_memory_is_asked_first() {
    let folder = Folder::new();
    let path = folder.file("a.parquet");
    write_parquet(&path, &table(), groups_of(700));
    let snapshot = dataset(&path).snapshot().unwrap();
    let plan = snapshot.plan(&Read { frame: true, ..request(&[], None) }).unwrap();
    let memory = Memory::new(100_000);
    let error = snapshot.read_frame(&plan, &memory, &Cancel::default(), true).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Limit);
    assert_eq!(memory.used_bytes(), 0);
}
