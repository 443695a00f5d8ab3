//! Files that are not what they seem.

use std::{fs, path::Path, sync::Arc};

use bytes::Bytes;
use fondaco_proto::{
    ErrorCode,
    ErrorCode::{Data, Invalid, Limit},
};
use fondaco_worker::label::Level;
use ndarray::Array2;
use parquet::file::{
    metadata::{FileMetaData, ParquetMetaDataBuilder, ParquetMetaDataWriter},
    reader::{FileReader as _, SerializedFileReader},
};

use super::{clear, lives_on, memory_returns};
use crate::harness::{Client, Folder, Plan, Program, Random, Site, Table, op};

/// A site over a file of this name that the test rewrites.
async fn over(name: &str, bytes: &[u8]) -> (Site, Client) {
    let plan = Plan::new().limits(|limits| (limits.reuse, limits.memory_bytes_max) = (false, 64 << 20));
    let path = plan.folder().join(name);
    fs::write(&path, bytes).unwrap();
    let site = plan.files("d", &path, |dataset| dataset.privacy = Level::Public).start().await;
    let client = site.client("ada").await;
    (site, client)
}

/// Reads and describes; whatever comes of it, the worker lives on and nothing is held. Ends the client's scope.
async fn survives(case: &str, site: &Site, client: &Client, codes: &[ErrorCode]) -> Option<Array2<f64>> {
    let before = site.used_bytes();
    client.describe().await.unwrap_or_else(|error| panic!("{case}: describe failed: {error:?}"));
    let read = client.bind(|p| p.read("d")).await;
    let value = match read {
        Ok(variable) => {
            let value = client.fetch(variable).await.unwrap_or_else(|error| panic!("{case}: {error:?}"));
            client.clear(&[variable]).await.unwrap();
            Some(value)
        }
        Err(refused) => {
            clear(case, &refused, codes);
            None
        }
    };
    lives_on(client).await;
    // Programs kept for a retry hold what they fetched.
    client.clear(&[]).await.unwrap();
    memory_returns(site, before).await;
    value
}

fn good() -> Table {
    Table::of(&Random::new(1).matrix(500, 3)).i64("n", (0..500).collect()).text("t", vec!["text"; 500])
}

/// The table's numeric columns, as files of all kinds.
fn numeric_files() -> [(&'static str, Vec<u8>); 3] {
    let folder = Folder::new();
    let table = Table::of(&Random::new(1).matrix(500, 3)).i64("n", (0..500).collect());
    table.write_parquet_groups(&folder.join("d.parquet"), 200);
    table.write_arrow(&folder.join("d.arrow"));
    table.write_csv(&folder.join("d.csv"));
    ["d.parquet", "d.arrow", "d.csv"].map(|name| (name, fs::read(folder.join(name)).unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn truncated_files() {
    for (name, whole) in numeric_files() {
        let (site, _) = over(name, &whole).await;
        let len = whole.len();
        for cut in [0, 1, 3, 4, 7, 8, 12, len / 4, len / 2, len - 1000, len - 9, len - 8, len - 4, len - 1] {
            fs::write(site.folder().join(name), &whole[..cut]).unwrap();
            let client = site.client("ada").await;
            let case = format!("{name} cut to {cut} of {len} bytes");
            let value = survives(&case, &site, &client, &[Data]).await;
            // Nothing at the end of a CSV file says that it is whole.
            assert!(value.is_none() || name != "d.parquet", "{case} was read");
        }
        fs::write(site.folder().join(name), &whole).unwrap();
        let client = site.client("ada").await;
        let value = survives("the whole file again", &site, &client, &[]).await.expect("it is right again");
        assert_eq!(value.dim(), (500, 4));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn flipped_bits() {
    for (name, whole) in numeric_files() {
        let (site, _) = over(name, &whole).await;
        for seed in 0..150 {
            let mut random = Random::new(seed);
            let mut bytes = whole.clone();
            // Most of a file is data; what describes them is at its end, and worth most of the tries.
            let from = if seed % 3 == 0 { 0 } else { whole.len().saturating_sub(1500) };
            for _ in 0..1 + random.below(4) {
                let at = from + random.below(whole.len() - from);
                bytes[at] ^= 1 << random.below(8);
            }
            fs::write(site.folder().join(name), &bytes).unwrap();
            let client = site.client("ada").await;
            survives(&format!("{name}, seed {seed}"), &site, &client, &[Data, Invalid, Limit]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_no_tables() {
    let mut noise = b"PAR1".to_vec();
    noise.extend(Random::new(4).bytes(5000));
    noise.extend(200_u32.to_le_bytes());
    noise.extend(b"PAR1");
    let mut huge_footer = b"PAR1".to_vec();
    huge_footer.extend([0; 100]);
    huge_footer.extend(u32::MAX.to_le_bytes());
    huge_footer.extend(b"PAR1");
    let cases: [(&str, &[u8]); 6] = [
        ("a text", b"name,age\nada,36\n"),
        ("nothing", b""),
        ("magic alone", b"PAR1PAR1"),
        ("noise between the magic", &noise),
        ("a footer longer than the file", &huge_footer),
        ("arrow's magic alone", b"ARROW1\0\0\0\0\0\0ARROW1"),
    ];
    for name in ["d.parquet", "d.arrow"] {
        let (site, _) = over(name, b"").await;
        for (case, bytes) in cases {
            fs::write(site.folder().join(name), bytes).unwrap();
            let client = site.client("ada").await;
            assert!(survives(&format!("{case} as {name}"), &site, &client, &[Data]).await.is_none(), "{case} was read");
        }
        fs::remove_file(site.folder().join(name)).unwrap();
        let fresh = site.client("ada").await;
        assert!(survives("no file at all", &site, &fresh, &[Data]).await.is_none());
        fs::create_dir(site.folder().join(name)).unwrap();
        let fresh = site.client("ada").await;
        assert!(survives("an empty folder", &site, &fresh, &[Data]).await.is_none());
    }
}

/// A file of the table whose footer declares so many rows.
fn declaring(folder: &Path, rows: i64) -> Vec<u8> {
    let path = folder.join("small.parquet");
    good().write_parquet(&path);
    let bytes = fs::read(&path).unwrap();
    let reader = SerializedFileReader::new(Bytes::from(bytes.clone())).unwrap();
    let metadata = reader.metadata().clone();
    let file = metadata.file_metadata();
    let declared = FileMetaData::new(
        file.version(),
        rows,
        None,
        file.key_value_metadata().cloned(),
        Arc::clone(&file.schema_descr_ptr()),
        None,
    );
    let groups = metadata.row_groups().iter().map(|group| {
        let columns = group.columns().iter().map(|column| {
            let builder = column.clone().into_builder().set_num_values(rows);
            builder.set_column_index_offset(None).set_column_index_length(None).build().unwrap()
        });
        let columns = columns.collect();
        group.clone().into_builder().set_num_rows(rows).set_column_metadata(columns).build().unwrap()
    });
    let metadata = ParquetMetaDataBuilder::new(declared).set_row_groups(groups.collect()).build();
    // The footer's length, then the magic, are the last eight bytes.
    let (rest, _magic) = bytes.split_at(bytes.len() - 4);
    let (rest, length) = rest.split_at(rest.len() - 4);
    let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
    let mut out = rest[..rest.len() - length].to_vec();
    ParquetMetaDataWriter::new(&mut out, &metadata).finish().unwrap();
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_declare_too_much() {
    let folder = Folder::new();
    for rows in [501, 1 << 20, 1 << 31, 1 << 40, 1 << 61, i64::MAX, -1] {
        let bytes = declaring(folder.path(), rows);
        let (site, client) = over("d.parquet", &bytes).await;
        // What is declared to be larger than the memory is not read before it is needed.
        let used = |p: &mut Program| {
            let read = p.apply(op::read_columns("d", &["c0", "c1", "c2", "n"]), &[]);
            p.apply(op::sum(), &[read])
        };
        let refused = client.bind(used).await.expect_err("fewer rows are there than declared");
        clear(&format!("{rows} declared rows"), &refused, &[Data, Limit, Invalid]);
        client.describe().await.expect("describing survives");
        lives_on(&client).await;
        memory_returns(&site, 1 << 10).await;
    }
}

/// A few kilobytes that unpack to much more than the worker's memory.
#[tokio::test(flavor = "multi_thread")]
async fn files_that_unpack_to_too_much() {
    let folder = Folder::new();
    let rows = 12 << 20;
    Table::new().f64("c0", vec![1.0; rows]).write_parquet(&folder.join("d.parquet"));
    let bytes = fs::read(folder.join("d.parquet")).unwrap();
    assert!(bytes.len() < 1 << 20, "{} bytes are no bomb", bytes.len());
    let (site, client) = over("d.parquet", &bytes).await;
    let all = |p: &mut Program| {
        let read = p.read("d");
        p.apply(op::flip(), &[read])
    };
    let refused = client.bind(all).await.expect_err("the memory is smaller");
    clear("a bomb", &refused, &[Limit]);
    assert!(refused.message().contains("memory_bytes_max"), "{refused:?}");
    lives_on(&client).await;
    memory_returns(&site, 1 << 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_do_not_fit_together() {
    let x = || Table::new().f64("x", vec![1.0, 2.0]);
    let cases = [
        ("another column", Table::new().f64("y", vec![1.0])),
        ("another type", Table::new().text("x", vec!["1"])),
        ("a column more", x().f64("y", vec![3.0, 4.0])),
    ];
    for (case, other) in cases {
        let plan = Plan::new().limits(|limits| limits.reuse = false);
        let folder = plan.folder().join("parts");
        fs::create_dir(&folder).unwrap();
        x().write_parquet(&folder.join("a.parquet"));
        other.write_parquet(&folder.join("b.parquet"));
        let site = plan.files("d", &folder, |dataset| dataset.privacy = Level::Public).start().await;
        let client = site.client("ada").await;
        if let Some(value) = survives(case, &site, &client, &[Data, Invalid]).await {
            panic!("{case}: {value:?}");
        }
        fs::remove_file(folder.join("b.parquet")).unwrap();
        x().write_parquet(&folder.join("c.parquet"));
        let client = site.client("ada").await;
        let value = survives("parts that fit", &site, &client, &[]).await.expect("they fit now");
        assert_eq!(value, ndarray::arr2(&[[1.0], [2.0], [1.0], [2.0]]));
    }
}
