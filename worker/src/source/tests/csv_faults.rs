//! CSV files that are none, that change, and that take too much: an error that names the line, never what stands there.

use std::{io::Write as _, sync::Arc};

use fondaco_proto::{ErrorCode, op::CompareOp};

use super::{
    super::{
        CsvOptions, CsvType,
        csv_file::Opening,
        part::{Part, settle},
        scratch::Shelf,
        sink::Cells,
    },
    filters::{Random, compare},
    *,
};

fn dataset_of(path: &Path, types: &[(&str, CsvType)]) -> Dataset {
    let types = types.iter().map(|(name, of)| ((*name).to_owned(), *of)).collect();
    let options = CsvOptions { types, ..CsvOptions::default() };
    Dataset::new("sales".to_owned(), Files::new(path).with_csv(Some(options)))
}

/// What everybody is told of a file with these bytes.
fn message(folder: &Folder, bytes: impl AsRef<[u8]>, types: &[(&str, CsvType)]) -> String {
    let path = folder.file("a.csv");
    fs::write(&path, bytes).unwrap();
    let error = dataset_of(&path, types).snapshot().unwrap_err();
    assert_eq!(error.code(), ErrorCode::Data);
    let message = error.message();
    assert!(
        message.starts_with("dataset sales cannot be read: ") && message.ends_with("; tell its owner"),
        "{message}"
    );
    assert!(!message.contains("secret") && !message.contains("fondaco-source"), "{message}");
    message.to_owned()
}

#[test]
fn what_is_wrong_names_its_line() {
    let folder = Folder::new();
    let utf_16: Vec<u8> = "x,y\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let long = format!("x,y\n1,2\n3,{}\n", "secret ".repeat(3 << 20));
    let open = format!("x,y\n1,2\n3,\"{}\n", "secret\n".repeat(3 << 20));
    let wide = ",".repeat(100_000);
    let cases: [(&[u8], &str); 20] = [
        (b"", "no rows, and no names of columns"),
        (b"\xef\xbb\xbf\n\r\n", "no rows, and no names of columns"),
        (b"x,y\n1,2\n\n3\n", "its line 4 has 1 fields, and its first one 2"),
        (b"x,y\n\"1\n\n\",2\n3,4,secret\n", "its line 5 has 3 fields, and its first one 2"),
        (b"x,y\n1,secret\"\n", "its line 2 begins a row with a quote that nothing closes"),
        (b"x,y\n1,\"secret\" \n", "its line 2 has a quote that is not around a whole field"),
        (b"x,y\n1,\"secret \"too\"\n", "its line 2 begins a row with a quote that nothing closes"),
        (b"x,y\n1,\"a \"secret\" b\"\n", "its line 2 has a quote that is not around a whole field"),
        (b"x,y\n1,2\n3,\"secret\n4,5\n", "its line 3 begins a row with a quote that nothing closes"),
        (b"x,y\r1,2\r3,4\r", "its line 1 has a carriage return that no line feed follows"),
        (b"x,y\n1,2\n3,sec\rret\n", "its line 3 has a carriage return that no line feed follows"),
        (b"x,y\n1,2\n3,secret \xe4\n", "its line 3 is not UTF-8"),
        (b"\xe4,y\n", "its line 1 is not UTF-8"),
        (b"x,y\n1,sec\0ret\n", "its line 2 has a character 0"),
        (b"\nx,sec\0ret\n", "its line 2 has a character 0"),
        (&[&[0xff, 0xfe], &*utf_16].concat(), "a file is UTF-16; it must be UTF-8"),
        (&utf_16, "has a character 0"),
        (long.as_bytes(), "its line 3 has more than 16 MiB"),
        (open.as_bytes(), "its line 3 begins a row with a quote that nothing closes"),
        (wide.as_bytes(), "it has more than 100000 columns"),
    ];
    for (bytes, expected) in cases {
        let message = message(&folder, bytes, &[]);
        assert!(message.contains(expected), "{message}, not {expected}");
    }
}

#[test]
fn a_cell_of_another_type_than_declared_names_its_column_and_line() {
    let folder = Folder::new();
    for (of, cell) in [
        (CsvType::Int64, "1.5"),
        (CsvType::Int64, "secret"),
        (CsvType::Int64, "9223372036854775808"),
        (CsvType::Float64, "1,5"),
        (CsvType::Bool, "1"),
        (CsvType::Date, "01.02.2024"),
    ] {
        // In the second block.
        let good = ["1", "0.5", "true", "2024-01-01", ""][of as usize];
        let rows = format!("{good},\"text\n\"\n").repeat(200_000);
        let message = message(&folder, format!("age,t\n{rows}\"{cell}\",x\nsecret,y\n"), &[("age", of)]);
        let of = ["int64", "float64", "bool", "date"][of as usize];
        let expected = format!("its column \"age\" is declared as {of}, and a cell in line 400002 is none");
        assert!(message.contains(&expected), "{message}");
    }
    let unknown = message(&folder, "age\n1\n", &[("name", CsvType::Text)]);
    assert!(unknown.contains("it has no column \"name\", for which its owner declared a type"), "{unknown}");
    // A column that is not shown is not named.
    let hidden = dataset_of(&folder.file("a.csv"), &[("age", CsvType::Date)]).with_columns_shown(&["x".to_owned()]);
    let hidden = hidden.snapshot().unwrap_err().message().to_owned();
    assert!(!hidden.contains("age") && hidden.contains("line 2"), "{hidden}");
    let hidden = dataset_of(&folder.file("a.csv"), &[("name", CsvType::Date)]).with_columns_shown(&["x".to_owned()]);
    assert!(!hidden.snapshot().unwrap_err().message().contains("name\""));
}

#[test]
fn other_endings_are_csv_if_the_owner_says_so() {
    let folder = Folder::new();
    let path = folder.file("table.txt");
    fs::write(&path, "x,y\n1,2\n").unwrap();
    let error = dataset(&path).snapshot().unwrap_err();
    assert!(error.message().contains("does not end in .csv or .tsv"), "{error}");
    assert_cells(&read_of(&dataset_of(&path, &[]), &request(&[], None)).unwrap(), &[1.0, 2.0]);
    // What is compressed is not passed over.
    fs::write(folder.file("a.csv.gz"), [0x1f, 0x8b, 8, 0, 0, 0]).unwrap();
    fs::write(folder.file("a.csv"), "x\n1\n").unwrap();
    for dataset in
        [dataset(&folder.file("a.csv.gz")), dataset(folder.path()), dataset_of(&folder.file("a.csv.gz"), &[])]
    {
        let error = dataset.snapshot().unwrap_err();
        assert!(error.message().contains("a file is compressed with gzip"), "{error}");
    }
}

#[test]
fn an_integer_that_would_lose_digits_is_refused_only_where_it_is_read() {
    let folder = Folder::new();
    let path = folder.file("a.csv");
    fs::write(&path, "row,id\n1,5\n2,9007199254740993\n3,9007199254740992\n").unwrap();
    let error = read(&path, &request(&["id"], None)).unwrap_err();
    assert!(error.message().contains("column \"id\" of dataset sales holds an integer beyond 2^53"), "{error}");
    assert!(!error.message().contains("9007199254740993"), "{error}");
    let others = compare("id", CompareOp::NotEqual, 9_007_199_254_740_992.0);
    assert!(read(&path, &request(&["id"], Some(others.clone()))).is_err());
    assert_cells(&read(&path, &request(&["row"], Some(others))).unwrap(), &[1.0, 2.0]);
    let same = compare("id", CompareOp::LessEqual, 9_007_199_254_740_992.0);
    assert_cells(&read(&path, &request(&["id"], Some(same))).unwrap(), &[5.0, 9_007_199_254_740_992.0]);
}

fn good(rows: usize) -> String {
    let row = |row: usize| format!("{row},{}.5,\"text \"\"{}\"\"\"\n", row * 7, row % 9);
    std::iter::once("i,f,t\n".to_owned()).chain((0..rows).map(row)).collect()
}

/// Reads with a filter by text, within little memory; `None` for an error.
fn survive(dataset: &Dataset) -> Option<usize> {
    let memory = Memory::poisoned(1 << 24);
    let snapshot = dataset.snapshot().ok()?;
    let plan = snapshot.plan(&request(&["i", "f"], Some(compare("t", CompareOp::Greater, "text 2")))).ok()?;
    let rows = snapshot.read(&plan, &memory, &Cancel::default(), false).ok().map(|matrix| matrix.rows());
    assert_eq!(memory.used_bytes(), 0);
    rows
}

#[test]
fn flipped_bits_and_cut_ends() {
    let folder = Folder::new();
    let path = folder.file("a.csv");
    let whole = good(4_000).into_bytes();
    let mut random = Random(2);
    let (mut errors, mut read) = (0, 0);
    for i in 0..600 {
        let mut bytes = whole.clone();
        if i % 3 == 0 {
            bytes.truncate(random.below(whole.len()));
        } else {
            for _ in 0..=random.below(3) {
                let position = random.below(bytes.len());
                bytes[position] ^= 1 << random.below(8);
            }
        }
        fs::write(&path, &bytes).unwrap();
        *(if survive(&dataset(&path)).is_some() { &mut read } else { &mut errors }) += 1;
    }
    assert!(errors > 100 && read > 50, "{errors} errors, {read} read");
}

/// The state of the file is looked at before and after; what is in between must not rely on it.
#[test]
fn a_block_that_is_another_than_it_was_is_an_error_or_rows_and_no_panic() {
    let folder = Folder::new();
    let path = folder.file("a.csv");
    let whole = good(500).into_bytes();
    fs::write(&path, &whole).unwrap();
    let memory = Memory::new(1 << 26);
    let options = CsvOptions::default();
    let opening = Opening { options: &options, memory: &memory, shown: &[] };
    let mut part = [Part::open(&path, false, opening, false).unwrap()];
    settle(&mut part);
    assert_eq!(part[0].group_rows, [500]);
    let mut random = Random(13);
    let (mut errors, mut read) = (0, 0);
    for _ in 0..2_000 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let position = random.below(bytes.len());
            bytes[position] = b"\n\",\r1x\0\xff"[random.below(8)];
        }
        bytes.truncate(if random.below(20) == 0 { random.below(whole.len()) } else { whole.len() });
        fs::write(&path, &bytes).unwrap();
        let (mut i, mut f) = (vec![0.0; 500], vec![0.0; 500]);
        let mut sinks = [&mut f, &mut i].map(|cells| Cells::new(vec![&mut cells[..]], None));
        let outcome = part[0].read((0, &[1, 0]), &Shelf::new(&memory), &Cancel::default(), &mut sinks);
        *(if outcome.is_ok() { &mut read } else { &mut errors }) += 1;
        assert_eq!(memory.used_bytes(), 0);
    }
    assert!(errors > 500 && read > 100, "{errors} errors, {read} read");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_an_error() {
    let folder = Folder::new();
    let path = folder.file("a.csv");
    let whole = good(60_000);
    for change in [
        (|path: &Path| File::options().write(true).open(path).unwrap().set_len(1_000).unwrap()) as fn(&Path),
        |path| fs::write(path, good(60_001)).unwrap(),
        |path| File::options().append(true).open(path).unwrap().write_all(b"1,2,3\n").unwrap(),
    ] {
        fs::write(&path, &whole).unwrap();
        let snapshot = dataset(&path).snapshot().unwrap();
        let memory = Memory::new(1 << 26);
        let plan = snapshot.plan(&request(&["f", "i"], None)).unwrap();
        assert!(plan.groups_read_and_pruned().0 > 1);
        let changed = path.clone();
        *snapshot.before_last_check.lock().unwrap() = Some(Box::new(move || change(&changed)));
        // Once after all is read, and once before.
        for _ in 0..2 {
            let error = snapshot.read(&plan, &memory, &Cancel::default(), true).unwrap_err();
            assert_eq!(error.message(), "dataset sales changed while it was read; read it again");
            assert_eq!(memory.used_bytes(), 0);
        }
    }
}

#[test]
fn a_read_stops_when_it_is_cancelled_and_takes_no_more_than_there_is() {
    let folder = Folder::new();
    let path = folder.file("a.csv");
    fs::write(&path, good(60_000)).unwrap();
    let snapshot = dataset(&path).snapshot().unwrap();
    let plan = snapshot.plan(&request(&["i", "f"], None)).unwrap();
    let cancel = Cancel::default();
    cancel.cancel();
    let memory = Memory::new(1 << 26);
    assert_eq!(snapshot.read(&plan, &memory, &cancel, true).unwrap_err().code(), ErrorCode::Cancelled);
    for bytes_max in [1 << 10, 1 << 16, 1 << 20, (1 << 20) + (1 << 16)] {
        let memory = Memory::new(bytes_max);
        let error = snapshot.read(&plan, &memory, &Cancel::default(), false).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Limit);
        assert!(!error.message().chars().any(|c| c.is_ascii_digit()), "{error}");
        // Nor is it looked at with more.
        let refused = dataset(&path).with_memory(&memory).snapshot();
        assert_eq!(refused.unwrap_err().code(), ErrorCode::Limit);
        assert_eq!(memory.used_bytes(), 0);
    }
    let memory: Arc<Memory> = Memory::new(1 << 26);
    dataset(&path).with_memory(&memory).snapshot().unwrap();
    assert_eq!(memory.used_bytes(), 0);
}
