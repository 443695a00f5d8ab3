//! Files that change underneath.

use std::{fs, path::Path};

use fondaco_proto::ErrorCode::{Data, Invalid};
use fondaco_worker::label::Level;
use ndarray::Array2;

use crate::harness::{Client, Folder, Plan, Site, Table, eventually, op};

/// All cells the same, so that a mix shows.
fn table(value: f64, rows: usize) -> Table {
    Table::of(&Array2::from_elem((rows, 4), value))
}

/// What is found in many groups, and what must be looked for from the beginning to the end.
const NAMES: [&str; 2] = ["d.parquet", "d.csv"];

/// The same as the bytes of a file of this name.
fn bytes(name: &str, value: f64, rows: usize) -> Vec<u8> {
    let (folder, table) = (Folder::new(), table(value, rows));
    let path = folder.join(name);
    if name == "d.csv" {
        table.write_csv(&path)
    } else {
        table.write_parquet_groups(&path, 10_000)
    }
    fs::read(path).unwrap()
}

async fn site(name: &str, content: &[u8]) -> (Site, Client) {
    let plan = Plan::new();
    let path = plan.folder().join(name);
    fs::write(&path, content).unwrap();
    let site = plan.files("d", &path, |dataset| dataset.privacy = Level::Public).start().await;
    let client = site.client("ada").await;
    (site, client)
}

async fn version(client: &Client) -> String {
    client.describe().await.unwrap().datasets.remove(0).version
}

/// Puts a new file in the old one's place, as a careful owner does.
fn replace(path: &Path, content: &[u8]) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_renamed_over_is_a_new_version() {
    for name in NAMES {
        renamed_over(name).await;
    }
}

async fn renamed_over(name: &str) {
    let (site, ada) = site(name, &bytes(name, 1.0, 5000)).await;
    let path = site.folder().join(name);
    let sums = async |x: u64| ada.value(|p| p.apply(op::sum(), &[x])).await.unwrap()[[0, 0]];
    let old = ada.bind(|p| p.read("d")).await.unwrap();
    assert_eq!(sums(old).await, 5000.0);
    let mut versions = vec![version(&ada).await];
    for round in 2..6_u8 {
        // The same size each time: only what it is tells them apart.
        replace(&path, &bytes(name, f64::from(round), 5000));
        let mut program = ada.program();
        let new = program.read("d");
        let sum = program.apply(op::sum(), &[new]);
        program.fetch(sum);
        let answer = ada.run(&program).await.unwrap();
        assert_eq!(answer.hits(), [false, false], "nothing of the old version is reused");
        assert_eq!(answer.value()[[0, 0]], 5000.0 * f64::from(round), "new reads see the new file");
        assert_eq!(sums(old).await, 5000.0, "what was bound keeps what it was");
        assert_eq!(ada.fetch(old).await.unwrap(), Array2::from_elem((5000, 4), 1.0));
        versions.push(version(&ada).await);
    }
    versions.sort();
    versions.dedup();
    assert_eq!(versions.len(), 5, "each version has a name of its own: {versions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_rewritten_in_place_is_a_new_version() {
    for name in NAMES {
        let (site, ada) = site(name, &bytes(name, 1.0, 5000)).await;
        let path = site.folder().join(name);
        let first = ada.value(|p| p.read("d")).await.unwrap();
        assert_eq!(first[[0, 0]], 1.0);
        clock_has_moved(&path).await;
        fs::write(&path, bytes(name, 2.0, 5000)).unwrap();
        let second = ada.value(|p| p.read("d")).await.unwrap();
        assert_eq!(second, Array2::from_elem((5000, 4), 2.0));
    }
}

/// Ready when a write from now on has another time than the file's last one: clocks of file systems are coarse.
async fn clock_has_moved(path: &Path) {
    let probe = path.with_extension("clock");
    let last = fs::metadata(path).unwrap().modified().unwrap();
    eventually("the clock moves", async || {
        fs::write(&probe, b"x").unwrap();
        fs::metadata(&probe).unwrap().modified().unwrap() > last
    })
    .await;
}

/// Law of the snapshot: an error, or one version; never a mix.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_changed_while_it_is_read_is_never_a_mix() {
    never_a_mix("d.parquet", 60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_csv_file_changed_while_it_is_read_is_never_a_mix() {
    never_a_mix("d.csv", 30).await;
}

async fn never_a_mix(name: &str, rounds: usize) {
    let rows = 60_000;
    let versions = [bytes(name, 1.0, rows), bytes(name, 2.0, rows)];
    let (site, _) = site(name, &versions[0]).await;
    let path = site.folder().join(name);
    let (mut whole, mut errors) = (0, 0);
    for round in 0..rounds {
        let ada = site.client("ada").await;
        clock_has_moved(&path).await;
        let (write, content) = (path.clone(), versions[(round + 1) % 2].clone());
        let writer = tokio::task::spawn_blocking(move || fs::write(write, content).unwrap());
        let read = ada.bind(|p| p.read("d")).await;
        writer.await.unwrap();
        match read {
            Ok(variable) => {
                let value = ada.fetch(variable).await.unwrap();
                let first = value[[0, 0]];
                assert_eq!(value.nrows(), rows);
                assert!(first == 1.0 || first == 2.0, "round {round}: {first}");
                assert!(value.iter().all(|cell| *cell == first), "round {round}: a mix of two versions");
                whole += 1;
            }
            Err(refused) => {
                assert!(refused.detailed && matches!(refused.code(), Data | Invalid), "round {round}: {refused:?}");
                assert!(!refused.message().contains('/'), "{refused:?}");
                errors += 1;
            }
        }
        ada.clear(&[]).await.unwrap();
        let after = site.client("ada").await;
        let now = after.value(|p| p.read("d")).await.unwrap_or_else(|error| panic!("round {round}: {error:?}"));
        let expected = if round % 2 == 0 { 2.0 } else { 1.0 };
        assert!(now.iter().all(|cell| *cell == expected), "round {round}: the file as it is now");
        after.clear(&[]).await.unwrap();
    }
    assert_eq!(whole + errors, rounds);
}

/// A truncated file must not take the process down, as a memory map would.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_truncated_while_it_is_read() {
    for name in NAMES {
        truncated(name).await;
    }
}

/// Bytes of the header and 60 rows of a CSV file, in which nothing tells that more were there.
const CUT: u64 = 12 + 60 * 16;

async fn truncated(name: &str) {
    let content = bytes(name, 1.0, 200_000);
    let (site, _) = site(name, &content).await;
    let path = site.folder().join(name);
    for round in 0..20 {
        fs::write(&path, &content).unwrap();
        let ada = site.client("ada").await;
        clock_has_moved(&path).await;
        let cut = path.clone();
        let writer = tokio::task::spawn_blocking(move || {
            fs::OpenOptions::new().write(true).open(cut).unwrap().set_len(CUT).unwrap();
        });
        let read = ada.bind(|p| p.read("d")).await;
        writer.await.unwrap();
        if let Ok(variable) = read {
            let value = ada.fetch(variable).await.unwrap();
            assert!(value.iter().all(|cell| *cell == 1.0), "round {round}: a mix");
        }
        ada.clear(&[]).await.unwrap();
    }
    let ada = site.client("ada").await;
    ada.value(|p| p.fill(1, 1, 1.0)).await.expect("the worker lives on");
}
