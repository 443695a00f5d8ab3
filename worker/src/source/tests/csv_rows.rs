//! The grammar and the numbers of CSV against plain loops and the standard library.

use super::{
    super::{
        csv_block::Blocks,
        csv_cells::{date, float, integer},
        csv_rows::{Rows, Spans, padded},
        file::Descriptor,
        scratch::Shelf,
    },
    filters::Random,
    *,
};

type Table = Vec<Vec<Vec<u8>>>;

/// Byte after byte, as RFC 4180 has it.
fn plainly(bytes: &[u8], delimiter: u8) -> Option<Table> {
    let mut rows: Table = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (start, mut row) = (at, Vec::new());
        loop {
            let mut field = Vec::new();
            let is_quoted = bytes.get(at) == Some(&b'"');
            if is_quoted {
                at += 1;
                loop {
                    match (bytes.get(at)?, bytes.get(at + 1)) {
                        (b'"', Some(b'"')) => at += 1,
                        (b'"', _) => break,
                        _ => {}
                    }
                    field.push(bytes[at]);
                    at += 1;
                }
                at += 1;
            }
            while bytes.get(at).is_some_and(|byte| !is_quoted && ![delimiter, b'\n', b'\r', b'"'].contains(byte)) {
                field.push(bytes[at]);
                at += 1;
            }
            row.push(field);
            let ends_row = match bytes.get(at..) {
                None | Some([] | [b'\r']) => true,
                Some([b'\n', ..]) => true,
                Some([b'\r', b'\n', ..]) => true,
                Some([byte, ..]) if *byte == delimiter => false,
                _ => return None,
            };
            at += if bytes[at.min(bytes.len())..].starts_with(b"\r\n") { 2 } else { 1 };
            if ends_row {
                break;
            }
        }
        let is_empty = matches!(&bytes[start..at.min(bytes.len())], b"\n" | b"\r\n" | b"\r");
        if !is_empty {
            rows.push(row);
        }
    }
    let columns = rows.first().map_or(0, Vec::len);
    rows.iter().all(|row| row.len() == columns).then_some(rows)
}

/// By the rows of a file, a few at a time.
fn cut(bytes: &[u8], delimiter: u8, columns: usize, rows_max: usize) -> Option<Table> {
    let mut block = vec![b'x'; padded(bytes.len())];
    block[..bytes.len()].copy_from_slice(bytes);
    let places: Vec<usize> = (1..=columns).collect();
    let mut spans = Spans::new(columns + 1, rows_max);
    let mut rows = Rows::new(&mut block, bytes.len(), delimiter);
    let mut table = Vec::new();
    loop {
        let cut = rows.cut(&places, &mut spans).ok()?;
        for row in 0..cut {
            table.push((1..=columns).map(|i| rows.field(spans.column(i, cut)[row]).to_vec()).collect());
        }
        if cut < rows_max {
            return Some(table);
        }
    }
}

/// A table, one in three of which is spoilt here and there.
fn random_bytes(random: &mut Random) -> Vec<u8> {
    const FIELDS: [&[u8]; 8] = [
        b"",
        b"a",
        b"bc",
        b"\"\"",
        b"\"a\"",
        b"\"\"\"b\"\"\"",
        b"\",\r\n\"",
        b"long enough to fill some words, almost",
    ];
    const SPOILS: [u8; 6] = *b"\"\n\r,x\"";
    let (rows, columns) = (random.below(12), 1 + random.below(5));
    let mut bytes = Vec::new();
    for _ in 0..rows {
        let fields: Vec<&[u8]> = (0..columns).map(|_| FIELDS[random.below(FIELDS.len())]).collect();
        bytes.extend(fields.join(&b","[..]));
        bytes.extend([&b"\n"[..], b"\r\n", b"\n\n", b"\r\n\r\n"][random.below(4)]);
    }
    if random.below(3) == 0 {
        bytes.truncate(random.below(bytes.len() + 1));
    }
    if random.below(3) == 0 && !bytes.is_empty() {
        for _ in 0..=random.below(2) {
            let at = random.below(bytes.len());
            bytes[at] = SPOILS[random.below(SPOILS.len())];
        }
    }
    bytes
}

#[test]
fn rows_are_those_of_a_plain_reader() {
    let mut random = Random(3);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..60_000 {
        let bytes = random_bytes(&mut random);
        let expected = plainly(&bytes, b',');
        let columns = expected.as_ref().and_then(|rows| rows.first()).map_or(1, Vec::len);
        let actual = cut(&bytes, b',', columns, [1, 3, 64][random.below(3)]);
        assert_eq!(actual, expected, "{:?}", String::from_utf8_lossy(&bytes));
        *(if expected.is_some() { &mut good } else { &mut bad }) += 1;
    }
    assert!(good > 10_000 && bad > 10_000, "{good} good, {bad} bad");
}

#[test]
fn blocks_end_where_rows_do() {
    let folder = Folder::new();
    let memory = Memory::new(1 << 24);
    let shelf = Shelf::new(&memory);
    let mut random = Random(5);
    let path = folder.file("a.csv");
    for _ in 0..300 {
        let row = |random: &mut Random| ["a\n", "b c\r\n", "\"d\n\"\n", "\n", "\"\"\"\n\"\n"][random.below(5)];
        let bytes: String = (0..random.below(60)).map(|_| row(&mut random)).collect();
        let bytes = if random.below(2) == 0 { bytes } else { format!("{bytes}last") };
        fs::write(&path, &bytes).unwrap();
        let expected = plainly(bytes.as_bytes(), b',').unwrap();
        let descriptor = Descriptor::open(&path).unwrap();
        for bytes_min in [0, 1, 2, 7, 30, 1_000] {
            let mut blocks = Blocks { descriptor: &descriptor, shelf: &shelf, offset: 0, line: 1 };
            let mut rows = Vec::new();
            let mut from = 0;
            while let Some(block) = blocks.next(bytes_min).unwrap() {
                let to = from + block.len;
                assert!(block.len >= bytes_min || to == bytes.len());
                rows.extend(cut(&bytes.as_bytes()[from..to], b',', 1, 64).unwrap());
                assert_eq!(blocks.line, 1 + bytes[..to].matches('\n').count() as u64);
                from = to;
            }
            assert_eq!((rows, from), (expected.clone(), bytes.len()), "{bytes:?}");
        }
    }
}

/// Digits, points, signs and exponents in any order.
fn notation(random: &mut Random) -> String {
    if random.below(3) == 0 {
        return format!("{:e}", f64::from_bits(random.bits()));
    }
    const PIECES: [&str; 14] = ["0", "1", "9", "5", ".", "-", "+", "e", "E", "00", "123456", "99999999", "inf", "nan"];
    let pieces = [4, 5, 12, 14][random.below(4)];
    (0..random.below(9)).map(|_| PIECES[random.below(pieces)]).collect()
}

#[test]
fn numbers_are_those_of_the_standard_library_to_the_last_bit() {
    let mut random = Random(11);
    let (mut floats, mut integers) = (0, 0);
    for _ in 0..300_000 {
        let text = notation(&mut random);
        let expected: Option<f64> = text.parse().ok();
        let actual = float(text.as_bytes());
        let same = match (actual, expected) {
            (Some(actual), Some(expected)) => {
                actual.to_bits() == expected.to_bits() || actual.is_nan() && expected.is_nan()
            }
            (actual, expected) => actual.is_none() && expected.is_none(),
        };
        assert!(same, "{text:?}: {actual:?}, not {expected:?}");
        assert_eq!(integer(text.as_bytes()), text.parse().ok(), "{text:?}");
        floats += usize::from(expected.is_some());
        integers += usize::from(text.parse::<i64>().is_ok());
    }
    assert!(floats > 100_000 && integers > 10_000, "{floats} floats, {integers} integers");
}

#[test]
fn every_day_is_a_date() {
    let mut days = date(b"0001-01-01").unwrap();
    assert_eq!(days, -719_162);
    for year in 1..=9999 {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for (month, last) in
            [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter().enumerate()
        {
            let text = |day: usize| format!("{year:04}-{:02}-{day:02}", month + 1);
            for day in [1, last] {
                assert_eq!(date(text(day).as_bytes()), Some(days + day as i32 - 1), "{}", text(day));
            }
            assert_eq!((date(text(0).as_bytes()), date(text(last + 1).as_bytes())), (None, None));
            days += last as i32;
        }
    }
    assert_eq!(date(b"1970-01-01"), Some(0));
    for wrong in ["2024-13-01", "2024-00-01", "24-01-01", "2024/01/01", "2024-01-01T", "", "2024-01-1", "+024-01-01"] {
        assert_eq!(date(wrong.as_bytes()), None, "{wrong}");
    }
}
