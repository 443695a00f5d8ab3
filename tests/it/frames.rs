//! Frames as values: read, sent, released, refused.

use std::sync::Arc;

use arrow::array::{BooleanArray, Date32Array, Int64Array, StringArray};
use fondaco::{Cut, ErrorCode, FedFrame, Frame, Layout, Series, column};
use fondaco_proto::{
    ColumnKind, FrameHeader, Op,
    op::{CreateOp, Read},
    wire,
};

use crate::{
    harness::{Client, Plan, Random, Table, chunks, eventually, op, refusal},
    laws::{
        sample::Cuts,
        trio::{NAMES, Trio},
    },
};

/// One column of each kind, with nulls.
pub fn sample(random: &mut Random, rows: usize) -> Frame {
    fn gaps<T>(random: &mut Random, rows: usize, mut cell: impl FnMut(&mut Random) -> T) -> Vec<Option<T>> {
        (0..rows).map(|_| (random.below(6) > 0).then(|| cell(random))).collect()
    }
    let words = ["a", "bb", "", "ö", "a b", "zzz"];
    let columns = [
        ("f", Series::from(gaps(random, rows, |r| 2.0 * r.unit() - 1.0))),
        ("i", Series::from(gaps(random, rows, |r| r.below(9) as i64 - 4))),
        ("b", Series::from(gaps(random, rows, |r| r.below(2) == 0))),
        ("t", Series::from(gaps(random, rows, |r| (*r.pick(&words)).to_owned()))),
        ("d", Series::Date(gaps(random, rows, |r| r.below(40_000) as i32 - 10_000))),
    ];
    Frame::new(columns).expect("the columns have one length")
}

/// The same as a table of a data owner.
pub fn table(frame: &Frame) -> Table {
    frame.columns().fold(Table::new(), |table, (name, series)| match series {
        Series::Float64(cells) => table.nullable(name, cells.clone()),
        Series::Int64(cells) => table.column(name, Arc::new(Int64Array::from(cells.clone()))),
        Series::Bool(cells) => table.column(name, Arc::new(BooleanArray::from(cells.clone()))),
        Series::Text(cells) => table.column(name, Arc::new(StringArray::from(cells.clone()))),
        Series::Date(cells) => table.column(name, Arc::new(Date32Array::from(cells.clone()))),
    })
}

/// Rows of a frame, by their numbers.
pub fn take(frame: &Frame, rows: &[usize]) -> Frame {
    fn of<T: Clone>(cells: &[T], rows: &[usize]) -> Vec<T> {
        rows.iter().map(|row| cells[*row].clone()).collect()
    }
    let columns = frame.columns().map(|(name, series)| {
        let series = match series {
            Series::Float64(cells) => Series::Float64(of(cells, rows)),
            Series::Int64(cells) => Series::Int64(of(cells, rows)),
            Series::Bool(cells) => Series::Bool(of(cells, rows)),
            Series::Text(cells) => Series::Text(of(cells, rows)),
            Series::Date(cells) => Series::Date(of(cells, rows)),
        };
        (name, series)
    });
    Frame::new(columns).expect("the columns have one length")
}

/// The frame at the sites, in these row cuts.
pub fn place(trio: &Trio, frame: &Frame, cuts: &Cuts) -> FedFrame {
    trio.fed.scatter_frame(frame.clone(), &cuts.layout()).expect("the layout has the shape")
}

#[tokio::test(flavor = "multi_thread")]
async fn own_frames_come_back() {
    let trio = Trio::start().await;
    for seed in 900..912 {
        let mut random = Random::new(seed);
        let rows = *random.pick(&[0, 1, 7, 300, 5000, 40_000]);
        let frame = sample(&mut random, rows);
        let cuts = Cuts::rows(&mut random, rows, 5);
        let fed = place(&trio, &frame, &cuts);
        assert_eq!(fed.shape(), frame.shape());
        assert_eq!(fed.fields(), frame.fields());
        assert_eq!(fed.collect().await.expect("it is one's own"), frame, "seed {seed}, {:?}", cuts.layout());
    }
    let used = |index: usize| trio.sites[index].used_bytes();
    trio.fed.close().await.expect("the sites answer");
    for index in 0..NAMES.len() {
        eventually("memory is given back", async || used(index) == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn datasets_as_frames() {
    let mut random = Random::new(920);
    let frames: Vec<Frame> = [700, 1, 40].into_iter().map(|rows| sample(&mut random, rows)).collect();
    let trio = Trio::planned(|index, plan: Plan| {
        let table = table(&frames[index]);
        plan.public("p", &table).dataset("d", &table)
    })
    .await;
    let pooled = Frame::vstack(frames.clone()).expect("the same columns");
    let all = trio.fed.read("p").frame().await.expect("there is a dataset");
    assert_eq!(all.collect().await.expect("it is public"), pooled);
    let some = trio.fed.read("p").columns(["t", "f"]).frame().await.expect("there are such columns");
    let names: Vec<_> = some.fields().iter().map(|field| (field.name.as_str(), field.kind)).collect();
    assert_eq!(names, [("t", ColumnKind::Text), ("f", ColumnKind::Float64)]);

    let filter = fondaco::all_of([column("t").eq("bb"), column("i").gt(0)]);
    let some = trio.fed.read("p").filter(filter).frame().await.expect("there are such columns");
    let (Series::Text(t), Series::Int64(i)) = (pooled.column("t").unwrap(), pooled.column("i").unwrap()) else {
        panic!("they are of these kinds")
    };
    let holds = |row: &usize| t[*row].as_deref() == Some("bb") && i[*row].is_some_and(|i| i > 0);
    let rows: Vec<usize> = (0..pooled.nrows()).filter(holds).collect();
    assert_eq!(some.collect().await.expect("it is public"), take(&pooled, &rows));

    let protected = trio.fed.read("d").frame().await.expect("it may be read");
    let refused = protected.collect().await.expect_err("rows stay");
    assert_eq!(refused.code(), Some(ErrorCode::ReleaseDenied), "{refused}");
    let few = trio.fed.read("d").at(["b"]).filter(column("t").eq("nobody")).frame().await;
    assert_eq!(few.expect_err("nobody is too few").code(), Some(ErrorCode::ReleaseDenied));

    let message = trio.fed.read("p").columns(["x"]).frame().await.expect_err("no such column").to_string();
    assert!(message.contains("\"x\""), "{message}");
    let cut = trio.fed.read_columns([("a", "p", vec!["f"]), ("a", "p", vec!["i"])]);
    assert!(cut.frame().await.expect_err("columns").to_string().contains("row parts"));
}

#[tokio::test(flavor = "multi_thread")]
async fn layouts_that_do_not_fit() {
    let trio = Trio::start().await;
    let frame = sample(&mut Random::new(1), 10);
    let columns = Layout::columns([("a", 2), ("b", 3)], 10).expect("there are parts");
    assert_eq!(columns.cut(), Some(Cut::Columns));
    assert!(trio.fed.scatter_frame(frame.clone(), &columns).is_err());
    let short = Layout::rows([("a", 2), ("b", 3)], 5).expect("there are parts");
    assert!(trio.fed.scatter_frame(frame, &short).is_err());
}

fn read_frame(dataset: &str) -> Op {
    Op::Create(CreateOp::Read(Read { frame: true, ..op::reading(dataset, &[], None) }))
}

async fn site(frame: &Frame) -> (crate::harness::Site, Client) {
    let site = Plan::new().public("p", &table(frame)).start().await;
    let ada = site.client("ada").await;
    (site, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_is_no_matrix() {
    let (_site, ada) = site(&sample(&mut Random::new(2), 30)).await;
    for operator in [op::sum(), op::transpose(), op::gram(), op::slice(0..2, 0..2), op::add()] {
        let name = operator.name();
        let inputs = if operator == op::add() { 2 } else { 1 };
        let result = ada.bind(|p| {
            let frame = p.apply(read_frame("p"), &[]);
            p.apply(operator, &vec![frame; inputs])
        });
        let refused = refusal(result.await, ErrorCode::Invalid);
        assert_eq!(refused.kind().instruction, Some(1));
        assert!(refused.message().starts_with(name) && refused.message().contains("is a frame"), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_are_reused() {
    let (_site, ada) = site(&sample(&mut Random::new(3), 30)).await;
    let mut program = ada.program();
    for operator in [read_frame("p"), read_frame("p"), op::read_columns("p", &["f"])] {
        program.apply(operator, &[]);
    }
    assert_eq!(ada.run(&program).await.expect("it may be read").hits(), [false, true, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_uploads_are_refused() {
    let (site, ada) = site(&sample(&mut Random::new(4), 30)).await;
    let before = site.used_bytes();
    let column = |name: &str, kind: ColumnKind, values: u64, value_bytes: u64| wire::FrameColumn {
        name: name.to_owned(),
        kind: kind.code(),
        nullable: false,
        values,
        value_bytes,
    };
    let header = |rows, columns| wire::FrameHeader { rows, columns, blake3: Vec::new() };
    let put = async |frame: Option<wire::FrameHeader>, matrix: Option<wire::MatrixHeader>, bytes: Vec<u8>| {
        let header = wire::PutHeader { scope: ada.scope(), output: ada.name(), matrix, frame, offer: false };
        let mut parts = vec![wire::put_request::Part::Header(header)];
        parts.extend(chunks(&bytes.into()).into_iter().map(wire::put_request::Part::Chunk));
        ada.put_parts(parts).await
    };
    let floats = || vec![column("x", ColumnKind::Float64, 0, 0)];
    put(Some(header(2, floats())), None, vec![0; 16]).await.expect("it is well-formed");
    let unknown = wire::FrameColumn { kind: 99, ..column("x", ColumnKind::Bool, 0, 0) };
    for (what, frame, bytes) in [
        ("too few bytes", header(2, floats()), vec![0; 15]),
        ("too many bytes", header(2, floats()), vec![0; 17]),
        ("no columns", header(2, vec![]), vec![]),
        ("a name twice", header(1, [floats(), floats()].concat()), vec![0; 16]),
        ("no kind", header(1, vec![unknown]), vec![0]),
        ("texts of numbers", header(1, vec![column("x", ColumnKind::Int64, 1, 1)]), vec![0; 13]),
        ("a bool of 2", header(1, vec![column("x", ColumnKind::Bool, 0, 0)]), vec![2]),
        ("no text", header(1, vec![column("x", ColumnKind::Text, 0, 0)]), vec![0; 4]),
        ("no UTF-8", header(1, vec![column("x", ColumnKind::Text, 1, 1)]), vec![1, 0, 0, 0, 255, 0, 0, 0, 0]),
        ("another hash", wire::FrameHeader { blake3: vec![7; 32], ..header(2, floats()) }, vec![0; 16]),
        ("half a hash", wire::FrameHeader { blake3: vec![7; 31], ..header(2, floats()) }, vec![0; 16]),
    ] {
        let refused = put(Some(frame), None, bytes).await.expect_err(what);
        crate::hostile::clear(what, &refused, &[ErrorCode::Invalid]);
    }
    let both = Some(wire::MatrixHeader::default());
    refusal(put(Some(header(2, floats())), both, vec![0; 16]).await, ErrorCode::Invalid);
    refusal(put(None, None, vec![]).await, ErrorCode::Invalid);
    for rows in [1 << 40, u64::MAX] {
        let refused = put(Some(header(rows, floats())), None, vec![]).await.expect_err("too large");
        crate::hostile::clear("too large", &refused, &[ErrorCode::Limit, ErrorCode::Invalid]);
    }
    let texts = header(1, vec![column("x", ColumnKind::Text, u64::MAX / 4, 1)]);
    assert!(FrameHeader::try_from(texts.clone()).is_err() || put(Some(texts), None, vec![]).await.is_err());
    let small = before + (1 << 12);
    eventually("memory is given back", async || site.used_bytes() <= small).await;
}
