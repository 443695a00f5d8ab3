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

/// The same as a file's bytes.
fn bytes(value: f64, rows: usize) -> Vec<u8> {
    let folder = Folder::new();
    table(value, rows).write_parquet_groups(&folder.join("d.parquet"), 10_000);
    fs::read(folder.join("d.parquet")).unwrap()
}

async fn site(content: &[u8]) -> (Site, Client) {
    let plan = Plan::new();
    let path = plan.folder().join("d.parquet");
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
    let (site, ada) = site(&bytes(1.0, 5000)).await;
    let path = site.folder().join("d.parquet");
    let sums = async |x: u64| ada.value(|p| p.apply(op::sum(), &[x])).await.unwrap()[[0, 0]];
    let old = ada.bind(|p| p.read("d")).await.unwrap();
    assert_eq!(sums(old).await, 5000.0);
    let mut versions = vec![version(&ada).await];
    for round in 2..6_u8 {
        // The same size each time: only what it is tells them apart.
        replace(&path, &bytes(f64::from(round), 5000));
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
    let (site, ada) = site(&bytes(1.0, 5000)).await;
    let path = site.folder().join("d.parquet");
    let first = ada.value(|p| p.read("d")).await.unwrap();
    assert_eq!(first[[0, 0]], 1.0);
    clock_has_moved(&path).await;
    fs::write(&path, bytes(2.0, 5000)).unwrap();
    let second = ada.value(|p| p.read("d")).await.unwrap();
    assert_eq!(second, Array2::from_elem((5000, 4), 2.0));
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
    let rows = 60_000;
    let versions = [bytes(1.0, rows), bytes(2.0, rows)];
    let (site, _) = site(&versions[0]).await;
    let path = site.folder().join("d.parquet");
    let (mut whole, mut errors) = (0, 0);
    for round in 0..60 {
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
    assert_eq!(whole + errors, 60);
}

/// A truncated file must not take the process down, as a memory map would.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_truncated_while_it_is_read() {
    let content = bytes(1.0, 200_000);
    let (site, _) = site(&content).await;
    let path = site.folder().join("d.parquet");
    for round in 0..20 {
        fs::write(&path, &content).unwrap();
        let ada = site.client("ada").await;
        clock_has_moved(&path).await;
        let cut = path.clone();
        let writer = tokio::task::spawn_blocking(move || {
            fs::OpenOptions::new().write(true).open(cut).unwrap().set_len(1000).unwrap();
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
