//! Files to matrices: `cargo bench -p fondaco-worker --bench read`.
//!
//! The throughput is that of the matrix's bytes. Buffers come from a warm pool but for `cold`, which gives them back to
//! the system each time.

#![expect(clippy::expect_used, reason = "a benchmark that cannot start says why")]

use std::{
    fs::{self, File},
    hint::black_box,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, Float64Array, RecordBatch},
    ipc::writer::FileWriter,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fondaco_proto::op::{Compare, CompareOp, Filter, Literal, Read};
use fondaco_worker::{
    cancel::Cancel,
    memory::{Memory, POOL_IDLE_MAX},
    source::{Dataset, Files},
};
use parquet::{
    arrow::ArrowWriter,
    basic::Compression,
    file::properties::{WriterProperties, WriterPropertiesBuilder},
};

const ROWS: usize = 1_000_000;
const COLUMNS: usize = 40;
const GROUP_ROWS: usize = 100_000;

/// A folder that goes away with the benchmark.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Numbers of 53 random bits, or of two digits, every twentieth of which is null.
fn table(rounded: bool) -> RecordBatch {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / 2_f64.powi(53)
    };
    let mut column = || -> ArrayRef {
        if rounded {
            let values = (0..ROWS).map(|_| (next() >= 0.05).then(|| (next() * 100.0).round() / 100.0));
            return Arc::new(values.collect::<Float64Array>());
        }
        Arc::new(Float64Array::from_iter_values((0..ROWS).map(|_| next())))
    };
    let columns = (0..COLUMNS).map(|i| (format!("c{i}"), column(), true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
}

fn write_parquet(path: &Path, batch: &RecordBatch, properties: WriterPropertiesBuilder) {
    let properties = properties.set_max_row_group_row_count(Some(GROUP_ROWS)).build();
    let file = File::create(path).expect("a writable folder");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a schema of numbers");
    writer.write(batch).expect("room on the disk");
    writer.close().expect("room on the disk");
}

fn write_arrow(path: &Path, batch: &RecordBatch) {
    let file = File::create(path).expect("a writable folder");
    let mut writer = FileWriter::try_new(file, &batch.schema()).expect("a schema of numbers");
    for start in (0..ROWS).step_by(GROUP_ROWS) {
        writer.write(&batch.slice(start, GROUP_ROWS)).expect("room on the disk");
    }
    writer.finish().expect("room on the disk");
}

/// Nulls are empty; numbers have the fewest digits that tell them apart.
fn write_csv(path: &Path, batch: &RecordBatch) {
    let mut out = BufWriter::new(File::create(path).expect("a writable folder"));
    let names: Vec<String> = (0..COLUMNS).map(|i| format!("c{i}")).collect();
    writeln!(out, "{}", names.join(",")).expect("room on the disk");
    let columns: Vec<&Float64Array> = batch.columns().iter().map(|column| column.as_primitive()).collect();
    for row in 0..ROWS {
        let cell = |column: &&Float64Array| column.is_valid(row).then(|| column.value(row).to_string());
        let cells: Vec<String> = columns.iter().map(|column| cell(column).unwrap_or_default()).collect();
        writeln!(out, "{}", cells.join(",")).expect("room on the disk");
    }
    out.flush().expect("room on the disk");
}

fn read(c: &mut Criterion) {
    let folder = Folder(std::env::temp_dir().join(format!("fondaco-bench-read-{}", std::process::id())));
    fs::create_dir_all(&folder.0).expect("a writable folder for temporary files");
    let file = |name: &str| folder.0.join(name);
    let zstd = || WriterProperties::builder().set_compression(Compression::ZSTD(Default::default()));
    let (random, rounded) = (table(false), table(true));
    write_parquet(&file("plain.parquet"), &random, WriterProperties::builder().set_dictionary_enabled(false));
    write_parquet(&file("zstd.parquet"), &random, zstd());
    write_parquet(&file("rounded.parquet"), &rounded, zstd());
    write_arrow(&file("plain.arrow"), &random);
    write_csv(&file("random.csv"), &random);
    write_csv(&file("rounded.csv"), &rounded);

    let half = Filter::Compare(Compare { column: "c0".to_owned(), op: CompareOp::Less, literal: Literal::Number(0.5) });
    let memory = Memory::new(8 << 30);
    let mut group = c.benchmark_group("read");
    group.sample_size(10).throughput(Throughput::Bytes((ROWS * COLUMNS * 8) as u64));
    for (name, file_name, filter, is_cold) in [
        ("parquet_plain", "plain.parquet", None, false),
        ("parquet_plain_cold", "plain.parquet", None, true),
        ("parquet_zstd", "zstd.parquet", None, false),
        ("parquet_zstd_dictionary_nulls", "rounded.parquet", None, false),
        ("parquet_plain_filter_half", "plain.parquet", Some(half), false),
        ("arrow_plain", "plain.arrow", None, false),
        ("csv_random", "random.csv", None, false),
        ("csv_rounded_nulls", "rounded.csv", None, false),
    ] {
        let open = || Dataset::new(name.to_owned(), Files::new(file(file_name)));
        if file_name.ends_with(".csv") {
            // The pass over the whole file.
            group.bench_function(format!("{name}_open"), |b| b.iter(|| open().snapshot().expect("a good file")));
        }
        let dataset = open();
        let snapshot = dataset.snapshot().expect("a file that was just written");
        let request = Read { dataset: name.to_owned(), columns: Vec::new(), filter, frame: false };
        let plan = snapshot.plan(&request).expect("columns of numbers");
        group.bench_function(name, |b| {
            b.iter(|| {
                let matrix = snapshot.read(&plan, &memory, &Cancel::default(), true).expect("a file without faults");
                black_box(&matrix);
                drop(matrix);
                if is_cold {
                    memory.trim(Instant::now() + POOL_IDLE_MAX + Duration::from_secs(1));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
