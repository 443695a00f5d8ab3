//! One file, many, and files that change.

use std::{io::Write as _, sync::Arc};

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array};
use fondaco_proto::ErrorCode;

use super::*;

fn numbers(values: std::ops::Range<i64>) -> RecordBatch {
    batch(vec![("x", Arc::new(Int64Array::from_iter_values(values)) as ArrayRef)])
}

fn write(path: &Path, values: std::ops::Range<i64>) {
    if path.extension().is_some_and(|extension| extension == "parquet") {
        write_parquet(path, &numbers(values), groups_of(100));
    } else {
        write_arrow(path, &numbers(values), 100, None);
    }
}

#[test]
fn a_folder_is_its_parts_in_the_order_of_their_names() {
    let folder = Folder::new();
    write(&folder.file("b.parquet"), 500..900);
    write(&folder.file("a.ARROW"), 0..500);
    write(&folder.file("c.feather"), 900..1_000);
    fs::write(folder.file("_SUCCESS"), "").unwrap();
    fs::write(folder.file(".hidden.parquet"), "").unwrap();
    let expected: Vec<f64> = (0..1_000).map(f64::from).collect();
    assert_cells(&read(folder.path(), &request(&[], None)).unwrap(), &expected);
    let dataset = dataset(folder.path());
    let snapshot = dataset.snapshot().unwrap();
    assert_eq!((snapshot.rows(), snapshot.identities().len()), (1_000, 3));
    assert!(Arc::ptr_eq(&snapshot, &dataset.snapshot().unwrap()));
    write(&folder.file("d.ipc"), 0..1);
    assert_eq!(dataset.snapshot().unwrap().rows(), 1_001);
}

#[test]
fn parts_must_agree_on_their_columns() {
    let folder = Folder::new();
    write(&folder.file("a.parquet"), 0..10);
    let message = |other: Vec<(&str, ArrayRef)>| {
        write_arrow(&folder.file("b.arrow"), &batch(other), 10, None);
        dataset(folder.path()).snapshot().unwrap_err().message().to_owned()
    };
    let float: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    let integer: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    assert_eq!(
        message(vec![("x", Arc::clone(&float))]),
        "dataset sales cannot be read: its column \"x\" is int64 in one part and float64 in another; tell its owner"
    );
    assert!(message(vec![("y", Arc::clone(&integer))]).contains("its column \"x\" (int64) is not in all parts"));
    assert!(message(vec![("x", integer), ("z", float)]).contains("its column \"z\" (float64) is not in all parts"));
}

#[test]
fn what_cannot_be_read_says_so_without_a_path() {
    let folder = Folder::new();
    let message = |path: &Path| {
        let error = dataset(path).snapshot().unwrap_err();
        assert_eq!(error.code(), ErrorCode::Data);
        assert!(
            !error.message().contains("fondaco-source") && error.message().ends_with("; tell its owner"),
            "{error}"
        );
        error.message().to_owned()
    };
    assert!(message(&folder.file("nowhere")).contains("a file is missing"));
    assert!(message(folder.path()).contains("its folder has no"));
    fs::write(folder.file("a"), "name,age\n").unwrap();
    assert!(message(&folder.file("a")).contains("neither Parquet nor an Arrow IPC file"));
    fs::write(folder.file("a"), "").unwrap();
    assert!(message(&folder.file("a")).contains("neither"));
    fs::write(folder.file("a"), "PAR1").unwrap();
    assert!(message(&folder.file("a")).contains("damaged"));
    assert!(message(Path::new("/dev/zero")).contains("a file cannot be opened"));
    let formatted = format!("{:?}", dataset(folder.path()));
    assert!(!formatted.contains("fondaco-source"), "{formatted}");
}

#[test]
fn a_snapshot_lasts_until_its_file_changes() {
    let folder = Folder::new();
    let path = folder.file("a.parquet");
    write(&path, 0..10);
    let dataset = dataset(&path).with_content_digest(true);
    let first = dataset.snapshot().unwrap();
    assert!(Arc::ptr_eq(&first, &dataset.snapshot().unwrap()));
    write(&path, 0..11);
    let second = dataset.snapshot().unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    assert_eq!(second.rows(), 11);
    assert_eq!(second.identities()[0].content, Some(*blake3::hash(&fs::read(&path).unwrap()).as_bytes()));
    assert_ne!(first.identities()[0].footer, second.identities()[0].footer);
}

fn read_while(path: &Path, meanwhile: impl FnOnce() + Send + 'static) -> Result<Matrix> {
    let snapshot = dataset(path).snapshot().unwrap();
    let plan = snapshot.plan(&request(&[], None)).unwrap();
    *snapshot.before_last_check.lock().unwrap() = Some(Box::new(meanwhile));
    snapshot.read(&plan, &Memory::new(1 << 20), &Cancel::default(), false)
}

#[test]
fn a_file_that_changes_while_it_is_read_is_an_error() {
    let folder = Folder::new();
    for name in ["a.parquet", "a.arrow"] {
        let path = folder.file(name);
        write(&path, 0..1_000);
        let (one, same) = (path.clone(), path.clone());
        let error = read_while(&path, move || {
            let mut file = fs::OpenOptions::new().append(true).open(one).unwrap();
            file.write_all(b"more").unwrap();
        });
        assert_eq!(error.unwrap_err().message(), "dataset sales changed while it was read; read it again");
        write(&path, 0..1_000);
        let error = read_while(&path, move || File::options().write(true).open(same).unwrap().set_len(40).unwrap());
        assert!(error.unwrap_err().message().contains("changed while it was read"));
        // A snapshot of before the change is of no use either.
        write(&path, 0..1_000);
        let snapshot = dataset(&path).snapshot().unwrap();
        let plan = snapshot.plan(&request(&[], None)).unwrap();
        write(&path, 0..900);
        let read = snapshot.read(&plan, &Memory::new(1 << 20), &Cancel::default(), true);
        assert!(read.unwrap_err().message().contains("changed while it was read"));
    }
}

#[test]
fn a_file_that_is_renamed_over_is_read_to_its_end() {
    let folder = Folder::new();
    let (path, other) = (folder.file("a.parquet"), folder.file("b.parquet"));
    write(&path, 0..1_000);
    write(&other, 5..6);
    let dataset = dataset(&path);
    let snapshot = dataset.snapshot().unwrap();
    let (from, to) = (other, path.clone());
    let matrix = read_while(&path, move || fs::rename(from, to).unwrap()).unwrap();
    assert_eq!(matrix.rows(), 1_000);
    // Its reader keeps it, whoever asks now gets the new one.
    let plan = snapshot.plan(&request(&[], None)).unwrap();
    assert_eq!(snapshot.read(&plan, &Memory::new(1 << 20), &Cancel::default(), false).unwrap().rows(), 1_000);
    assert_eq!(dataset.snapshot().unwrap().rows(), 1);
}

#[test]
fn a_cancelled_read_stops_and_a_foreign_plan_is_refused() {
    let folder = Folder::new();
    let path = folder.file("a.parquet");
    write(&path, 0..1_000);
    let snapshot = dataset(&path).snapshot().unwrap();
    let plan = snapshot.plan(&request(&[], None)).unwrap();
    let memory = Memory::new(1 << 20);
    let cancel = Cancel::default();
    cancel.cancel();
    assert_eq!(snapshot.read(&plan, &memory, &cancel, true).unwrap_err().code(), ErrorCode::Cancelled);
    let other = dataset(&path).snapshot().unwrap();
    assert!(other.read(&plan, &memory, &Cancel::default(), true).is_err());
    assert_eq!(memory.used_bytes(), 0);
}

#[test]
fn wide_matrices_have_low_tiles() {
    let folder = Folder::new();
    let path = folder.file("a.parquet");
    let names: Vec<String> = (0..2_000).map(|i| format!("c{i}")).collect();
    let column = |i: i32| Arc::new(Int32Array::from_iter_values((0..1_500).map(|row| row * 2_000 + i))) as ArrayRef;
    let columns = names.iter().zip(0..).map(|(name, i)| (name.as_str(), column(i))).collect();
    write_parquet(&path, &batch(columns), groups_of(700));
    let matrix = read(&path, &request(&[], None)).unwrap();
    assert!(matrix.tile_rows() < 700);
    let expected: Vec<f64> = (0..2_000).flat_map(|i| (0..1_500).map(move |row| f64::from(row * 2_000 + i))).collect();
    assert_cells(&matrix, &expected);
}
