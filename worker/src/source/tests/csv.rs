//! CSV files: the same table as in a Parquet file, whatever the style in which they are written.

use std::{fmt::Write as _, sync::Arc};

use arrow::{
    array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray},
    temporal_conversions::date32_to_datetime,
};
use fondaco_proto::op::CompareOp;

use super::{
    super::{CsvOptions, CsvType, Streamed},
    filters::{Random, compare},
    *,
};

/// Columns of every type.
#[derive(Default)]
struct Table {
    integers: Vec<Option<i64>>,
    floats: Vec<Option<f64>>,
    truths: Vec<Option<bool>>,
    dates: Vec<Option<i32>>,
    texts: Vec<Option<String>>,
}

const NAMES: [&str; 5] = ["an integer", "a \"float\"", "a, truth", "date", "text"];

/// How a table is written.
struct Style {
    delimiter: char,
    header: bool,
    mark: bool,
    /// What ends rows.
    end: &'static str,
    /// Whether the last row ends.
    ends: bool,
    null: &'static str,
    /// One in so many cells has quotes that it does not need.
    quotes: usize,
    /// One in so many rows has an empty line before it.
    empty: usize,
}

impl Style {
    fn new(random: &mut Random) -> Self {
        Self {
            delimiter: [',', ';', '\t', '|'][random.below(4)],
            header: random.below(4) > 0,
            mark: random.below(2) == 0,
            end: ["\n", "\r\n"][random.below(2)],
            ends: random.below(2) == 0,
            null: ["", "NA", "null", "-1.#IND"][random.below(4)],
            quotes: [1, 3, 50, usize::MAX][random.below(4)],
            empty: [7, 1_000][random.below(2)],
        }
    }

    fn options(&self) -> CsvOptions {
        let delimiter = Some(self.delimiter.to_string().try_into().unwrap());
        CsvOptions { delimiter, header: self.header, ..CsvOptions::default() }
    }

    fn cell(&self, out: &mut String, cell: &str, random: &mut Random) {
        let needed = cell.contains([self.delimiter, '"', '\n', '\r']);
        if needed || random.below(self.quotes) == 0 {
            write!(out, "\"{}\"", cell.replace('"', "\"\"")).unwrap();
        } else {
            out.push_str(cell);
        }
    }

    fn write<'a>(&self, rows: impl Iterator<Item = Vec<String>> + 'a, random: &mut Random) -> String {
        let mut out = String::new();
        if self.mark {
            out.push('\u{feff}');
        }
        let header = self.header.then(|| NAMES.map(ToOwned::to_owned).to_vec());
        for row in header.into_iter().chain(rows) {
            if random.below(self.empty) == 0 {
                out.push_str(self.end);
            }
            for (i, cell) in row.iter().enumerate() {
                if i > 0 {
                    out.push(self.delimiter);
                }
                self.cell(&mut out, cell, random);
            }
            out.push_str(self.end);
        }
        if !self.ends && out.ends_with(self.end) {
            out.truncate(out.len() - self.end.len());
        }
        out
    }
}

impl Table {
    fn random(rows: usize, random: &mut Random) -> Self {
        let mut table = Self::default();
        for row in 0..rows {
            // The first row has everything, so that the types show.
            let some = |random: &mut Random| row == 0 || random.below(6) > 0;
            let float = f64::from_bits(random.bits());
            let float = [float, 0.5, -0.0, (random.below(100_000) as f64) / 100.0, f64::INFINITY][random.below(5)];
            let float = if row == 0 || float.is_nan() { 0.1 } else { float };
            let integer = (random.bits() as i64) >> (11 + random.below(50));
            let texts =
                ["plain", "with, comma", "a \"quote\"", "two\nlines", "carriage\r\nreturn", "größer; 多", "\"", " x "];
            let text = format!("{}{}", texts[random.below(texts.len())], random.below(30));
            table.integers.push(some(random).then_some(integer));
            table.floats.push(some(random).then_some(float));
            table.truths.push(some(random).then(|| random.below(2) == 0));
            table.dates.push(some(random).then(|| random.below(80_000) as i32 - 30_000));
            table.texts.push(some(random).then_some(text));
        }
        table
    }

    fn write_parquet(&self, path: &Path, names: &[&str]) {
        let columns: [ArrayRef; 5] = [
            Arc::new(Int64Array::from(self.integers.clone())),
            Arc::new(Float64Array::from(self.floats.clone())),
            Arc::new(BooleanArray::from(self.truths.clone())),
            Arc::new(Date32Array::from(self.dates.clone())),
            Arc::new(StringArray::from(self.texts.clone())),
        ];
        super::write_parquet(path, &batch(names.iter().copied().zip(columns).collect()), groups_of(1_000));
    }

    fn row(&self, row: usize, null: &str, random: &mut Random) -> Vec<String> {
        let of = |cell: Option<String>| cell.unwrap_or_else(|| null.to_owned());
        vec![
            of(self.integers[row].map(|value| integer(value, random))),
            of(self.floats[row].map(|value| float(value, random))),
            of(self.truths[row].map(|value| {
                [["false", "False", "FALSE"], ["true", "True", "TRUE"]][usize::from(value)][random.below(3)].to_owned()
            })),
            of(self.dates[row].map(date)),
            of(self.texts[row].clone()),
        ]
    }
}

/// A number in one of the notations in which it may stand.
fn integer(value: i64, random: &mut Random) -> String {
    match random.below(5) {
        0 if value >= 0 => format!("+{value}"),
        1 if value >= 0 => format!("00{value}"),
        2 => format!(" {value}\t"),
        _ => value.to_string(),
    }
}

fn float(value: f64, random: &mut Random) -> String {
    if value.is_infinite() {
        return format!("{}{}", if value < 0.0 { "-" } else { "" }, ["inf", "Infinity", "INF"][random.below(3)]);
    }
    match random.below(7) {
        0 => format!("{value:e}"),
        1 => format!("{value:E}").replace("E-", "E-0"),
        2 => format!("  {value:?}"),
        3 if (1.0..1e15).contains(&value) => format!("+{value:?}00"),
        4 if value > 0.0 && value < 1.0 => format!("{value}").replace("0.", "."),
        // Written as an integer it would have to be one that a double holds.
        _ => format!("{value:?}"),
    }
}

fn date(days: i32) -> String {
    date32_to_datetime(days).unwrap().to_string()[..10].to_owned()
}

fn dataset_of(path: &Path, options: CsvOptions) -> Dataset {
    Dataset::new("sales".to_owned(), Files::new(path).with_csv(Some(options)))
}

fn types(dataset: &Dataset) -> Vec<String> {
    dataset.snapshot().unwrap().schema().iter().map(|column| column.type_name.clone()).collect()
}

/// Filters over all columns.
fn filters(names: &[&str]) -> Vec<Option<Filter>> {
    let text = |op, literal: &str| compare(names[4], op, literal);
    vec![
        None,
        Some(compare(names[0], CompareOp::Less, 0.0)),
        Some(compare(names[1], CompareOp::GreaterEqual, 0.5)),
        Some(Filter::Not(Box::new(compare(names[2], CompareOp::Equal, 1.0)))),
        Some(compare(names[3], CompareOp::Greater, 20_000.0)),
        Some(text(CompareOp::Greater, "a \"quote\"7")),
        Some(text(CompareOp::Equal, "carriage\r\nreturn3")),
        Some(Filter::IsNull(names[4].to_owned())),
        Some(Filter::Or(vec![text(CompareOp::Less, "two\nlines"), Filter::IsNull(names[1].to_owned())])),
        Some(Filter::And(vec![text(CompareOp::Less, "\""), compare(names[2], CompareOp::Equal, 1.0)])),
    ]
}

#[test]
fn reads_the_same_as_parquet() {
    let folder = Folder::new();
    let (csv, parquet) = (folder.file("a.csv"), folder.file("a.parquet"));
    let numbered = ["column_1", "column_2", "column_3", "column_4", "column_5"];
    // The last has several blocks.
    for (seed, rows) in [1, 2, 3, 63, 64, 65, 700, 4_097, 9_000, 60_000].into_iter().enumerate() {
        let mut random = Random(seed as u64);
        let style = Style::new(&mut random);
        let table = Table::random(rows, &mut random);
        let names = if style.header { NAMES } else { numbered };
        table.write_parquet(&parquet, &names);
        let cells: Vec<_> = (0..rows).map(|row| table.row(row, style.null, &mut random)).collect();
        fs::write(&csv, style.write(cells.into_iter(), &mut random)).unwrap();
        let dataset = dataset_of(&csv, style.options());
        let (snapshot, same) = (dataset.snapshot().unwrap(), super::dataset(&parquet).snapshot().unwrap());
        assert_eq!(snapshot.schema(), same.schema(), "{rows} rows");
        assert_eq!(snapshot.rows(), rows as u64);
        for filter in filters(&names) {
            for columns in [&[names[0], names[1], names[2], names[3]][..], &[names[3], names[1], names[3]], &[names[2]]]
            {
                let request = request(columns, filter.clone());
                let (matrix, same) = (read_of(&dataset, &request).unwrap(), read(&parquet, &request).unwrap());
                assert!(bits(&matrix) == bits(&same), "{rows} rows, {request:?}");
            }
        }
    }
    let blocks = dataset_of(&csv, CsvOptions::default());
    let plan = blocks.snapshot().unwrap().plan(&request(&[], None));
    assert!(plan.is_err(), "texts are no numbers");
}

#[test]
fn a_slab_at_a_time_is_the_same() {
    let folder = Folder::new();
    let path = folder.file("a.csv");
    let rows: String = (0..150_000).map(|row| format!("{row},\"{}\",t{}\n", row % 7, row % 5)).collect();
    fs::write(&path, format!("x,y,t\n{rows}")).unwrap();
    let snapshot = dataset(&path).snapshot().unwrap();
    let (memory, cancel) = (Memory::poisoned(1 << 26), Cancel::default());
    for filter in [None, Some(compare("t", CompareOp::Less, "t3"))] {
        let plan = || snapshot.plan(&request(&["y", "x"], filter.clone())).unwrap();
        assert!(plan().groups_read_and_pruned().0 > 1);
        let whole = snapshot.read(&plan(), &memory, &cancel, true).unwrap();
        let streamed = Streamed::new(&snapshot, plan(), &memory, &cancel, true).unwrap();
        assert_eq!(streamed.shape(), whole.shape());
        let slabs = streamed.slabs(1 << 18);
        assert!(slabs.len() > 3);
        let (mut columns, mut before) = ([Vec::<f64>::new(), Vec::new()], None);
        for slab in &slabs {
            let [full, rest] = streamed.read(slab, before.as_ref(), &memory, &cancel, true).unwrap();
            // What is carried on comes again; after the last slab nothing is.
            let cells = full.to_column_major();
            cells.chunks(full.rows().max(1)).zip(&mut columns).for_each(|(cells, column)| column.extend(cells));
            before = Some(rest);
        }
        assert_eq!(columns.concat(), whole.to_column_major());
    }
}

#[test]
fn types_are_the_narrowest_that_fit_all_cells() {
    let folder = Folder::new();
    let path = folder.file("a.csv");
    for (cells, expected) in [
        (&["1", "-2", "+3", "007"][..], "int64"),
        (&["1", "", "NA"], "int64"),
        (&["9223372036854775807", "-9223372036854775808"], "int64"),
        (&["1", "2.5"], "float64"),
        (&["1e3", "-.5", "5."], "float64"),
        (&["1", "inf"], "float64"),
        (&["100000000000000000000", "1"], "float64"),
        (&["true", "False", "null"], "bool"),
        (&["2024-02-29", "1969-12-31"], "date"),
        (&["2023-02-29"], "text"),
        (&["2024-1-1"], "text"),
        (&["true", "1"], "text"),
        (&["1", "2024-01-01"], "text"),
        (&["1", "x"], "text"),
        (&["1.5", "1.5.5"], "text"),
        (&["0x10"], "text"),
        (&["1_000"], "text"),
        (&["--1", "+-1"], "text"),
        (&[".", "-"], "text"),
        (&["1e"], "text"),
        (&[" "], "text"),
        // No double holds these integers, so they are not among numbers with a fraction.
        (&["9007199254740993", "0.5"], "text"),
        (&["0.5", "9007199254740993"], "text"),
        (&["123456789012345678901"], "text"),
        (&["", "NaN", "n/a"], "null"),
        (&[], "null"),
    ] {
        let rows: String = cells.iter().map(|cell| format!("{cell},\n")).collect();
        fs::write(&path, format!("x,y\n{rows}")).unwrap();
        assert_eq!(types(&dataset(&path)), [expected, "null"], "{cells:?}");
    }
}

#[test]
fn owners_say_what_files_do_not() {
    let folder = Folder::new();
    let path = folder.file("a.csv");
    fs::write(&path, "7;NA;1\n-;2;x\n\"-\";-999;2\n").unwrap();
    let names = [("column_2", CsvType::Text), ("column_1", CsvType::Float64)];
    let types = names.map(|(name, of)| (name.to_owned(), of)).into();
    let options = CsvOptions {
        delimiter: Some(";".to_owned().try_into().unwrap()),
        header: false,
        nulls: vec!["-".to_owned(), "-999".to_owned(), "x".to_owned()],
        types,
    };
    let dataset = dataset_of(&path, options);
    assert_eq!(self::types(&dataset), ["float64", "text", "int64"]);
    let all = request(&["column_1", "column_3"], None);
    assert_cells(&read_of(&dataset, &all).unwrap(), &[7.0, f64::NAN, f64::NAN, 1.0, f64::NAN, 2.0]);
    let read = |filter| read_of(&dataset, &request(&["column_3"], Some(filter))).unwrap();
    assert_cells(&read(compare("column_2", CompareOp::Equal, "NA")), &[1.0]);
    assert_cells(&read(Filter::IsNull("column_2".to_owned())), &[2.0]);
}

#[test]
fn what_separates_fields_is_found_in_the_header() {
    let folder = Folder::new();
    for (name, header, columns) in [
        ("a.csv", "x,y;z", &["x", "y;z"][..]),
        ("a.csv", "x;y", &["x", "y"]),
        ("a.csv", "x\ty z", &["x", "y z"]),
        ("a.csv", "x", &["x"]),
        ("a.TSV", "x,y\tz", &["x,y", "z"]),
        ("a.csv", "\"x\",,y", &["x", "column_2", "y"]),
    ] {
        let path = folder.file(name);
        fs::write(&path, format!("\r\n{header}\r\n")).unwrap();
        let snapshot = dataset(&path).snapshot().unwrap();
        assert_eq!(snapshot.schema().iter().map(|column| &column.name).collect::<Vec<_>>(), columns);
        assert_eq!(read(&path, &request(&[], None)).unwrap().rows(), 0);
    }
}

#[test]
fn one_column_and_its_nulls() {
    let folder = Folder::new();
    let path = folder.file("a.csv");
    // An empty line is no row, as writers know who write an only null in quotes.
    fs::write(&path, "x\n1\n\n\"\"\n\r\n\"2\"\n3").unwrap();
    assert_cells(&read(&path, &request(&[], None)).unwrap(), &[1.0, f64::NAN, 2.0, 3.0]);
}

#[test]
fn parts_have_the_types_that_fit_all_of_them() {
    let folder = Folder::new();
    fs::write(folder.file("a.csv"), "x,y,z\n1,,2024-01-01\n").unwrap();
    fs::write(folder.file("b.csv"), "x;y;z\n0.5;7;\n").unwrap();
    fs::write(folder.file("c.tsv"), "x\ty\tz\n").unwrap();
    let dataset = dataset(folder.path());
    assert_eq!(types(&dataset), ["float64", "int64", "date"]);
    assert_cells(&read_of(&dataset, &request(&["x", "y"], None)).unwrap(), &[1.0, 0.5, f64::NAN, 7.0]);
    // Among other kinds of files too.
    let float: ArrayRef = Arc::new(Float64Array::from(vec![2.5]));
    let integer: ArrayRef = Arc::new(Int64Array::from(vec![8]));
    let day: ArrayRef = Arc::new(Date32Array::from(vec![0]));
    let others = batch(vec![("x", float), ("y", integer), ("z", day)]);
    super::write_parquet(&folder.file("d.parquet"), &others, groups_of(10));
    assert_cells(&read_of(&dataset, &request(&["x", "z"], None)).unwrap(), &[1.0, 0.5, 2.5, 19_723.0, f64::NAN, 0.0]);
    fs::write(folder.file("e.csv"), "x,z,y\n").unwrap();
    let error = dataset.snapshot().unwrap_err();
    assert!(error.message().contains("in different orders"), "{error}");
}

#[test]
fn what_a_file_is_follows_from_its_bytes_and_the_options() {
    let folder = Folder::new();
    let path = folder.file("a.csv");
    fs::write(&path, "x,y\n1,2\n").unwrap();
    let footer = |options: CsvOptions| dataset_of(&path, options).snapshot().unwrap().identities()[0].footer;
    let changes: [fn(&mut CsvOptions); 5] = [
        |_| {},
        |options| options.nulls.push("1".to_owned()),
        |options| options.header = false,
        |options| options.delimiter = Some("|".to_owned().try_into().unwrap()),
        |options| options.types = [("x".to_owned(), CsvType::Float64)].into(),
    ];
    let mut footers = changes.map(|change| {
        let mut options = CsvOptions::default();
        change(&mut options);
        footer(options)
    });
    assert_eq!(footers[0], footer(CsvOptions::default()));
    fs::write(&path, "x,y\n1,3\n").unwrap();
    assert!(!footers.contains(&footer(CsvOptions::default())));
    footers.sort_unstable();
    assert!(footers.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn options_are_checked_when_they_are_read() {
    let parse = |text: &str| toml::from_str::<CsvOptions>(text);
    let options = parse("delimiter = \"\\t\"\nnulls = ['-']\ntypes = { age = 'int64', name = 'text' }\n").unwrap();
    assert_eq!(options.types["age"], CsvType::Int64);
    assert_eq!((options.delimiter.unwrap().byte(), options.header, options.nulls), (b'\t', true, vec!["-".to_owned()]));
    assert_eq!(parse("").unwrap(), CsvOptions::default());
    for wrong in [
        "delimiter = ',,'",
        "delimiter = ''",
        "delimiter = 'a'",
        "delimiter = '\"'",
        "delimiter = 'ä'",
        "delimiter = '-'",
    ] {
        let error = parse(wrong).unwrap_err().to_string();
        assert!(error.contains("delimiter must be one character"), "{error}");
    }
    let error = parse("types = { age = 'integer' }").unwrap_err().to_string();
    assert!(error.contains("int64") && error.contains("float64"), "{error}");
    assert!(parse("separator = ','").is_err());
}
