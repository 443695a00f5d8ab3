use fondaco_proto::{CHUNK_BYTES, ErrorCode, FrameColumn, FrameHeader};

use super::{
    wire::{Chunks, Incoming, compacted, header},
    *,
};

fn text(memory: &Arc<Memory>, cells: &[Option<&str>]) -> Column {
    let ticket = Column::reserve(memory, ColumnKind::Text, cells.len()).unwrap();
    let mut texts = Interner::new(memory);
    let codes: Vec<i32> = cells.iter().map(|cell| cell.map_or(0, |cell| texts.code(cell).unwrap())).collect();
    let nulls = nulls_of(&cells.iter().map(Option::is_some).collect::<Vec<_>>());
    Column::new(Cells::Text(Int32Array::new(codes.into(), nulls), texts.finish().unwrap()), ticket)
}

fn column(memory: &Arc<Memory>, kind: ColumnKind, rows: usize) -> Column {
    let ticket = Column::reserve(memory, kind, rows).unwrap();
    let valid: Vec<bool> = (0..rows).map(|row| row % 5 != 3).collect();
    let nulls = nulls_of(&valid);
    let cell = |row: usize| if valid[row] { row as i64 * 7 - 9 } else { 0 };
    let cells = match kind {
        ColumnKind::Float64 => {
            Cells::Float64(Float64Array::new((0..rows).map(|i| cell(i) as f64 / 2.0).collect::<Vec<_>>().into(), nulls))
        }
        ColumnKind::Int64 => Cells::Int64(Int64Array::new((0..rows).map(cell).collect::<Vec<_>>().into(), nulls)),
        ColumnKind::Date => {
            Cells::Date(Date32Array::new((0..rows).map(|i| cell(i) as i32).collect::<Vec<_>>().into(), nulls))
        }
        ColumnKind::Bool => {
            Cells::Bool(BooleanArray::new(BooleanBuffer::collect_bool(rows, |i| cell(i) % 3 == 1), nulls))
        }
        ColumnKind::Text => {
            let cells: Vec<String> = (0..rows).map(|row| format!("t{}", row % 11)).collect();
            let cells: Vec<Option<&str>> = cells.iter().zip(&valid).map(|(t, v)| v.then_some(t.as_str())).collect();
            return text(memory, &cells);
        }
    };
    Column::new(cells, ticket)
}

/// One column of each kind.
fn every(memory: &Arc<Memory>, rows: usize) -> Frame {
    let column = |kind: &ColumnKind| (kind.name().to_owned(), column(memory, *kind, rows));
    Frame::new(rows, ColumnKind::ALL.iter().map(column).collect())
}

fn bytes(frame: &Frame) -> Vec<u8> {
    Chunks::of(frame).flat_map(|chunk| chunk.data.to_vec()).collect()
}

#[test]
fn frames_survive_the_way() {
    let memory = Memory::new(1 << 30);
    for rows in [0, 1, 8, 63, 5000, 100_003] {
        let frame = every(&memory, rows);
        assert_eq!(header(&frame).bytes().unwrap(), bytes(&frame).len() as u64);
        assert!(Chunks::of(&frame).all(|chunk| chunk.data.len() <= CHUNK_BYTES));
        let mut incoming = Incoming::new(header(&frame), &memory).unwrap();
        for chunk in Chunks::of(&frame) {
            incoming.write(chunk.offset, &chunk.data).unwrap();
        }
        let back = incoming.finish().unwrap();
        assert_eq!((back.shape(), back.fields()), (frame.shape(), frame.fields()));
        assert_eq!((header(&back), bytes(&back)), (header(&frame), bytes(&frame)));
        assert_eq!(back.bytes(), frame.bytes());
        for (a, b) in back.columns().iter().zip(frame.columns()) {
            assert!((0..rows).all(|row| a.is_missing(row) == b.is_missing(row)));
        }
    }
    assert_eq!(memory.used_bytes(), 0, "all tickets were given back");
}

#[test]
fn what_no_row_has_does_not_leave() {
    let memory = Memory::new(1 << 20);
    let cells = text(&memory, &[Some("secret"), Some("b"), None, Some("a"), Some("b")]);
    let Cells::Text(_, texts) = cells.cells() else { panic!("it is text") };
    let codes = Int32Array::new(vec![1, 0, 2].into(), nulls_of(&[true, false, true]));
    let ticket = Column::reserve(&memory, ColumnKind::Text, 3).unwrap();
    let frame = Frame::new(3, vec![("t".to_owned(), Column::new(Cells::Text(codes, texts.clone()), ticket))]);
    let compact = compacted(&frame, &memory).unwrap();
    let sent = String::from_utf8_lossy(&bytes(&compact)).into_owned();
    assert!(!sent.contains("secret") && sent.contains("ba"), "{sent}");
}

#[test]
fn what_is_not_declared_is_refused() {
    let memory = Memory::new(1 << 20);
    let header = |kind, rows, nullable, values, value_bytes| FrameHeader {
        rows,
        columns: vec![FrameColumn { field: Field::new("c", kind), nullable, values, value_bytes }],
        blake3: None,
    };
    let refused = |header: FrameHeader, bytes: &[u8]| {
        let mut incoming = Incoming::new(header, &memory)?;
        incoming.write(0, bytes)?;
        incoming.finish().map(drop)
    };
    let wrong = |header, bytes: &[u8]| {
        let error = refused(header, bytes).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Invalid, "{error}");
    };
    wrong(header(ColumnKind::Bool, 2, false, 0, 0), &[0, 2]);
    wrong(header(ColumnKind::Bool, 2, false, 0, 0), &[0]);
    wrong(header(ColumnKind::Bool, 2, false, 0, 0), &[0, 1, 1]);
    let texts = |lengths: [u32; 2], bytes: &[u8], codes: [i32; 2]| {
        let lengths: Vec<u8> = lengths.iter().flat_map(|length| length.to_le_bytes()).collect();
        let codes: Vec<u8> = codes.iter().flat_map(|code| code.to_le_bytes()).collect();
        [lengths, bytes.to_vec(), codes].concat()
    };
    let of = || header(ColumnKind::Text, 2, false, 2, 3);
    assert!(refused(of(), &texts([1, 2], b"abc", [1, 0])).is_ok());
    wrong(of(), &texts([1, 2], b"abc", [1, 2]));
    wrong(of(), &texts([1, 2], b"abc", [-1, 0]));
    wrong(of(), &texts([1, 1], b"abc", [1, 0]));
    wrong(of(), &texts([1, u32::MAX], b"abc", [1, 0]));
    wrong(of(), &texts([1, 2], &[b'a', 0xff, b'b'], [1, 0]));
    wrong(of(), &texts([2, 1], "aä".as_bytes(), [1, 0]));
    wrong(header(ColumnKind::Text, 2, false, 2, 2), &texts([1, 1], b"aa", [1, 0]));
    let huge = header(ColumnKind::Float64, 1 << 40, false, 0, 0);
    assert_eq!(refused(huge, &[]).unwrap_err().code(), ErrorCode::Limit);
}

#[test]
fn debug_shows_no_values() {
    let memory = Memory::new(1 << 20);
    assert_eq!(format!("{:?}", every(&memory, 9)), "Frame(9, 5)");
}
