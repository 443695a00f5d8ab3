//! Filters against a naive evaluation of SQL's logic, and what statistics exclude.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use fondaco_proto::op::{Compare, CompareOp, Literal};

use super::{
    super::{CsvOptions, CsvType},
    *,
};

pub(super) trait IntoLiteral {
    fn literal(self) -> Literal;
}

impl IntoLiteral for f64 {
    fn literal(self) -> Literal {
        Literal::Number(self)
    }
}

impl IntoLiteral for &str {
    fn literal(self) -> Literal {
        Literal::Text(self.to_owned())
    }
}

pub(super) fn compare(column: &str, op: CompareOp, literal: impl IntoLiteral) -> Filter {
    Filter::Compare(Compare { column: column.to_owned(), op, literal: literal.literal() })
}

const OPS: [CompareOp; 6] = [
    CompareOp::Equal,
    CompareOp::NotEqual,
    CompareOp::Less,
    CompareOp::LessEqual,
    CompareOp::Greater,
    CompareOp::GreaterEqual,
];

/// splitmix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

struct Table {
    f: Vec<Option<f64>>,
    i: Vec<Option<i64>>,
    b: Vec<Option<bool>>,
    t: Vec<Option<String>>,
}

const ROWS: usize = 5_000;

impl Table {
    /// Values run along the rows, so that statistics exclude some groups.
    fn new() -> Self {
        let mut random = Random(1);
        let mut table = Self { f: Vec::new(), i: Vec::new(), b: Vec::new(), t: Vec::new() };
        for row in 0..ROWS {
            let some = |random: &mut Random| random.below(8) > 0 && !(600..1_300).contains(&row);
            let f = if random.below(40) == 0 { f64::NAN } else { (row / 100 + random.below(5)) as f64 };
            table.f.push(some(&mut random).then_some(f));
            table.i.push((row < 2_500 || some(&mut random)).then_some((1 << 53) + row as i64 / 50));
            table.b.push(some(&mut random).then_some(row > 3_000));
            table.t.push(some(&mut random).then(|| format!("{:02}", row / 100 + random.below(3))));
        }
        table
    }

    fn batch(&self) -> RecordBatch {
        batch(vec![
            ("row", Arc::new(Int64Array::from_iter_values(0..ROWS as i64)) as ArrayRef),
            ("f", Arc::new(Float64Array::from(self.f.clone()))),
            ("i", Arc::new(Int64Array::from(self.i.clone()))),
            ("b", Arc::new(BooleanArray::from(self.b.clone()))),
            ("t", Arc::new(StringArray::from(self.t.clone()))),
        ])
    }

    /// With texts that look like numbers.
    fn csv(&self) -> String {
        fn cell(value: Option<impl ToString>) -> String {
            value.map(|value| value.to_string()).unwrap_or_default()
        }
        let row = |row: usize| {
            let (f, i) = (cell(self.f[row]), cell(self.i[row]));
            format!("{row},{f},{i},{},{}\n", cell(self.b[row]), cell(self.t[row].as_ref()))
        };
        ["row,f,i,b,t\n".to_owned()].into_iter().chain((0..ROWS).map(row)).collect()
    }

    fn holds(&self, filter: &Filter, row: usize) -> Option<bool> {
        match filter {
            Filter::Compare(Compare { column, op, literal: Literal::Number(literal) }) => match column.as_str() {
                "f" => self.f[row].map(|value| op.holds(value.partial_cmp(literal))),
                // Literals for it are whole numbers.
                "i" => self.i[row].map(|value| op.holds(Some(i128::from(value).cmp(&(*literal as i128))))),
                _ => self.b[row].map(|value| op.holds(f64::from(u8::from(value)).partial_cmp(literal))),
            },
            Filter::Compare(Compare { op, literal: Literal::Text(literal), .. }) => {
                self.t[row].as_ref().map(|value| op.holds(Some(value.cmp(literal))))
            }
            Filter::IsNull(column) => Some(match column.as_str() {
                "f" => self.f[row].is_none(),
                "i" => self.i[row].is_none(),
                "b" => self.b[row].is_none(),
                _ => self.t[row].is_none(),
            }),
            Filter::Not(filter) => self.holds(filter, row).map(|holds| !holds),
            Filter::And(of) => self.decided(of, row, false),
            Filter::Or(of) => self.decided(of, row, true),
        }
    }

    /// The value that decides if any of them has it; unknown if one is; else the other.
    fn decided(&self, of: &[Filter], row: usize, decides: bool) -> Option<bool> {
        let of: Vec<_> = of.iter().map(|filter| self.holds(filter, row)).collect();
        if of.contains(&Some(decides)) {
            return Some(decides);
        }
        if of.contains(&None) { None } else { Some(!decides) }
    }
}

fn tree(random: &mut Random, depth: usize) -> Filter {
    let of = |random: &mut Random| (0..random.below(4)).map(|_| tree(random, depth - 1)).collect();
    match random.below(if depth == 0 { 6 } else { 10 }) {
        0 => Filter::IsNull(["f", "i", "b", "t"][random.below(4)].to_owned()),
        1 | 2 => {
            let literal = if random.below(20) == 0 { f64::NAN } else { random.below(60) as f64 - 3.0 };
            compare("f", OPS[random.below(6)], literal)
        }
        3 => compare("i", OPS[random.below(6)], ((1_u64 << 53) + random.below(60) as u64 * 2) as f64),
        4 => compare("b", OPS[random.below(6)], [0.0, 1.0, 0.5][random.below(3)]),
        5 => compare("t", OPS[random.below(6)], format!("{:02}", random.below(55)).as_str()),
        6 | 7 => Filter::Not(Box::new(tree(random, depth - 1))),
        8 => Filter::And(of(random)),
        _ => Filter::Or(of(random)),
    }
}

#[test]
fn random_trees_agree_with_a_naive_evaluation() {
    let folder = Folder::new();
    let table = Table::new();
    let (parquet, arrow, csv) = (folder.file("a.parquet"), folder.file("a.arrow"), folder.file("a.csv"));
    write_parquet(&parquet, &table.batch(), groups_of(300));
    write_arrow(&arrow, &table.batch(), 300, None);
    fs::write(&csv, table.csv()).unwrap();
    let types = [("t".to_owned(), CsvType::Text)].into();
    let options = CsvOptions { nulls: vec![String::new()], types, ..CsvOptions::default() };
    let csv = Dataset::new("sales".to_owned(), Files::new(csv).with_csv(Some(options)));
    let mut random = Random(7);
    let (mut some, mut pruned) = (0, 0);
    for _ in 0..150 {
        let filter = tree(&mut random, 3);
        let rows: Vec<usize> = (0..ROWS).filter(|row| table.holds(&filter, *row) == Some(true)).collect();
        let f = |row: usize| table.f[row].unwrap_or(f64::NAN);
        let expected: Vec<f64> = rows.iter().map(|row| *row as f64).chain(rows.iter().map(|row| f(*row))).collect();
        some += usize::from(!rows.is_empty() && rows.len() < ROWS);
        let request = request(&["row", "f"], Some(filter));
        pruned += dataset(&parquet).snapshot().unwrap().plan(&request).unwrap().groups_read_and_pruned().1;
        for path in [&parquet, &arrow] {
            assert_cells(&read(path, &request).unwrap(), &expected);
        }
        assert_cells(&read_of(&csv, &request).unwrap(), &expected);
    }
    assert!(some > 60 && pruned > 300, "{some} of the filters select, {pruned} groups were pruned");
}

#[test]
fn statistics_spare_row_groups() {
    let folder = Folder::new();
    let path = folder.file("a.parquet");
    let values = (0..1_000).map(f64::from);
    let integers = Int64Array::from_iter_values(0..1_000);
    let texts = StringArray::from_iter_values((0..1_000).map(|row| format!("{row:04}")));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("f", Arc::new(Float64Array::from_iter_values(values))),
        ("i", Arc::new(integers)),
        ("t", Arc::new(texts)),
    ];
    write_parquet(&path, &batch(columns), groups_of(100));
    let snapshot = dataset(&path).snapshot().unwrap();
    let chunks = |filter: Filter| {
        let before = snapshot.chunks_read();
        let plan = snapshot.plan(&request(&["f"], Some(filter))).unwrap();
        let matrix = snapshot.read(&plan, &Memory::new(1 << 20), &Cancel::default(), false).unwrap();
        (plan.groups_read_and_pruned().0, snapshot.chunks_read() - before, matrix.rows())
    };
    use CompareOp::{Equal, Greater, GreaterEqual, Less, NotEqual};
    // Groups that must be read; column chunks, first of the filter and then of the matrix; rows.
    assert_eq!(chunks(compare("f", Less, 150.0)), (2, 4, 150));
    assert_eq!(chunks(compare("i", Less, 150.0)), (2, 3, 150), "all of the first group match");
    assert_eq!(chunks(compare("i", Equal, 450.0)), (1, 2, 1));
    assert_eq!(chunks(compare("i", Equal, 450.5)), (1, 1, 0));
    assert_eq!(chunks(compare("t", Greater, "0899")), (1, 1, 100));
    assert_eq!(chunks(compare("t", Equal, "none")), (0, 0, 0));
    assert_eq!(chunks(Filter::IsNull("t".to_owned())), (0, 0, 0));
    assert_eq!(chunks(Filter::Not(Box::new(Filter::IsNull("t".to_owned())))), (10, 10, 1_000));
    assert_eq!(chunks(compare("f", NotEqual, -1.0)), (10, 10, 1_000), "NaN would match too");
    assert_eq!(chunks(compare("f", Less, 5_000.0)), (10, 20, 1_000), "NaN would not match");
    let both = vec![compare("i", GreaterEqual, 250.0), compare("t", Less, "0350")];
    assert_eq!(chunks(Filter::And(both)), (2, 4, 100), "one column's tests are certain");
    let nowhere = Filter::Not(Box::new(compare("f", GreaterEqual, 0.0)));
    assert_eq!(chunks(nowhere), (10, 10, 0), "NaN would match");
}

#[test]
fn a_literal_must_fit_its_column() {
    let folder = Folder::new();
    let path = folder.file("a.parquet");
    write_parquet(&path, &Table::new().batch(), groups_of(300));
    let snapshot = dataset(&path).snapshot().unwrap();
    let message = |filter| snapshot.plan(&request(&["f"], Some(filter))).unwrap_err().message().to_owned();
    let text = message(compare("i", CompareOp::Less, "5"));
    assert_eq!(text, "column \"i\" is int64: compare it with a number, not with a text");
    let number = message(compare("t", CompareOp::Less, 5.0));
    assert_eq!(number, "column \"t\" is text: compare it with a text, not with a number");
    assert!(message(Filter::IsNull("x".to_owned())).contains("no column \"x\""));
}

#[test]
fn digits_beyond_a_double_are_lost_only_in_rows_that_are_read() {
    let folder = Folder::new();
    let path = folder.file("a.parquet");
    write_parquet(&path, &Table::new().batch(), groups_of(300));
    let even = compare("i", CompareOp::Equal, ((1_u64 << 53) + 2) as f64);
    let matrix = read(&path, &request(&["i"], Some(even))).unwrap();
    assert_cells(&matrix, &vec![((1_u64 << 53) + 2) as f64; 50]);
}

#[test]
fn a_filter_that_does_not_fit_the_memory_tells_no_number_of_rows() {
    let folder = Folder::new();
    let path = folder.file("a.parquet");
    write_parquet(&path, &Table::new().batch(), groups_of(5_000));
    let snapshot = dataset(&path).snapshot().unwrap();
    let columns = vec!["row"; 100];
    let plan = snapshot.plan(&request(&columns, Some(compare("row", CompareOp::Less, 4_321.0)))).unwrap();
    let memory = Memory::new(1 << 20);
    let error = snapshot.read(&plan, &memory, &Cancel::default(), false).unwrap_err();
    assert!(error.message().contains("memory_bytes_max"), "{error}");
    assert!(!error.message().chars().any(|c| c.is_ascii_digit()), "{error}");
    assert_eq!(memory.used_bytes(), 0);
}
