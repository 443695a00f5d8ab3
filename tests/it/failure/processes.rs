//! kill -9 and SIGTERM, on both sides; and the owner's commands.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use fondaco_proto::ErrorCode::{Cancelled, NotFound, ScopeLost};
use ndarray::Array2;
use serde_json::Value;

use crate::harness::{
    Client, Folder, PATIENCE, Process, Program, Table, built, eventually, op, owner, refusal, tenant, within,
};

/// Within which a coordinator learns that a worker is gone.
const SECONDS: Duration = Duration::from_secs(10);

fn folder() -> Folder {
    let folder = Folder::new();
    Table::new().f64("x", vec![1.0; 8]).write_parquet(&folder.join("d.parquet"));
    folder
}

/// A program of so many products of numbers of its own.
fn busy(client: &Client, products: usize) -> (Program, u64) {
    let mut program = client.program();
    let first = program.apply(op::rand(600, 600, 1), &[]);
    let last = program.chain(first, products);
    let sum = program.apply(op::sum(), &[last]);
    program.fetch(sum);
    (program, sum)
}

/// Runs a program of this tenant in the background, and waits until the worker has begun it.
async fn running(
    process: &Process,
    client: &Client,
    name: &str,
    program: &Program,
) -> tokio::task::JoinHandle<crate::harness::Result<crate::harness::Answer>> {
    let (client, program) = (client.clone(), program.clone());
    let call = tokio::spawn(async move { client.run(&program).await });
    let port = process.address.port();
    eventually("the program runs", async || tenant(port, name).await.programs == 1).await;
    call
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_is_noticed_within_seconds() {
    let mut process = Process::serve(folder(), &["ada"], &[]);
    let ada = process.client("ada").await;
    let (program, _) = busy(&ada, 1500);
    let call = running(&process, &ada, "ada", &program).await;
    process.kill();
    let refused = within(SECONDS, "the error after kill -9", call).await.unwrap().expect_err("the worker is gone");
    assert!(!refused.detailed, "no worker can have said this: {refused:?}");
    let next = within(SECONDS, "the next call", ada.fetch(1)).await;
    next.expect_err("the worker is still gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_coordinators_memory_returns() {
    let token = "a-token-of-ada";
    let hash = blake3::hash(token.as_bytes()).to_hex();
    let site = format!(
        "listen = '127.0.0.1:0'\n[[tenants]]\nname = 'ada'\ntoken_blake3 = '{hash}'\n\
         [[datasets]]\nname = 'd'\npath = 'd.parquet'\n[limits]\nlease_s = 1\nreuse = false\n"
    );
    let process = Process::configured(folder(), &site);
    let port = process.address.port();
    let mut coordinator = Command::new(built("examples/busy-coordinator"))
        .arg(format!("fondaco://{token}@{}", process.address))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    eventually("its program runs", async || tenant(port, "ada").await.programs == 1).await;
    let held = status_json(port);
    coordinator.kill().unwrap();
    coordinator.wait().unwrap();
    let me = &held["tenants"][0];
    assert_eq!((me["scopes"].as_u64(), me["programs"].as_u64()), (Some(1), Some(1)), "{held}");
    assert!(me["bytes"].as_u64() >= Some(4_000_000) && held["memory_bytes"].as_u64() >= Some(4_000_000), "{held}");

    eventually("the scope has lapsed", async || status_json(port)["tenants"][0]["scopes"] == 0).await;
    eventually("memory is back", async || status_json(port)["memory_bytes"] == 0).await;
    let after = status_json(port);
    assert_eq!((&after["tenants"][0]["bytes"], &after["tenants"][0]["programs"]), (&0.into(), &0.into()), "{after}");
}

/// `fondaco status --json --port P`
fn status_json(port: u16) -> Value {
    let output = owner(&["status", "--json", "--port", &port.to_string()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("status prints JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_drains() {
    let mut process = Process::serve(folder(), &["ada"], &[]);
    let ada = process.client("ada").await;
    let (program, _) = busy(&ada, 100);
    let call = running(&process, &ada, "ada", &program).await;
    process.terminate();
    let answer = within(PATIENCE, "the program that ran already", call).await.unwrap();
    let answer = answer.expect("a drain lets running programs end, and their answers leave");
    assert_eq!(answer.values.len(), 1);
    eventually("the worker has ended", async || process.ended().is_some()).await;
    assert!(process.ended().is_some_and(|status| status.success()), "{:?}", process.ended());
    ada.fetch(1).await.expect_err("it serves no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_an_idle_worker_at_once() {
    let mut process = Process::serve(folder(), &["ada"], &[]);
    let ada = process.client("ada").await;
    process.terminate();
    within(SECONDS, "the end of an idle worker", async {
        eventually("the worker has ended", async || process.ended().is_some()).await;
    })
    .await;
    drop(ada);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_stops_a_tenant() {
    let process = Process::serve(folder(), &["ada", "bob"], &[]);
    let (ada, bob) = (process.client("ada").await, process.client("bob").await);
    let idle = process.client("ada").await;
    let kept = bob.bind(|p| p.fill(1, 1, 1.0)).await.unwrap();
    let (program, last) = busy(&ada, 1500);
    let call = running(&process, &ada, "ada", &program).await;
    let port = process.address.port();
    let output = owner(&["stop", "ada", "--port", &port.to_string()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("2 scopes"), "{output:?}");

    let refused = within(SECONDS, "the end of the program", call).await.unwrap().expect_err("it was stopped");
    assert!(refused.detailed && matches!(refused.code(), Cancelled | ScopeLost), "{refused:?}");
    eventually("nothing of it runs", async || tenant(port, "ada").await.programs == 0).await;
    let status = tenant(port, "ada").await;
    assert_eq!((status.scopes, status.bytes), (0, 0));
    refusal(ada.fetch(last).await, ScopeLost);
    refusal(idle.fetch(1).await, ScopeLost);
    bob.fetch(kept).await.expect("others are not concerned");
    let mut ada = ada;
    ada.open().await.expect("its token is still valid");
    refusal(ada.fetch(last).await, NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_commands() {
    let process = Process::serve(folder(), &["ada", "bob"], &[]);
    let port = process.address.port().to_string();
    let ada = process.client("ada").await;
    ada.put(1, &Array2::ones((1000, 1))).await.unwrap();
    let text = String::from_utf8(owner(&["status", "--port", &port]).stdout).unwrap();
    assert!(text.contains("ada") && text.contains("bob") && text.contains("memory"), "{text}");
    let json = status_json(process.address.port());
    assert_eq!(json["tenants"][0]["name"], "ada");
    assert_eq!(json["tenants"][0]["bytes"], 8000);
    assert_eq!(json["tenants"][1]["scopes"], 0);

    let nobody = owner(&["stop", "carol", "--port", &port]);
    assert!(!nobody.status.success() && String::from_utf8_lossy(&nobody.stderr).contains("carol"), "{nobody:?}");
    let url = format!("fondaco://{}@{}", process.token("bob"), process.address);
    let listed = String::from_utf8(owner(&["datasets", &url]).stdout).unwrap();
    assert!(listed.contains("d  (aggregate") && listed.contains('x') && listed.contains("float64"), "{listed}");
    let wrong = owner(&["datasets", &format!("fondaco://wrong@{}", process.address)]);
    assert!(!wrong.status.success() && String::from_utf8_lossy(&wrong.stderr).contains("UNAUTHENTICATED"), "{wrong:?}");
    let token = String::from_utf8(owner(&["token"]).stdout).unwrap();
    let (token, hash) = token.split_once('\n').unwrap();
    let token = token.split_whitespace().nth(2).unwrap();
    assert!(hash.contains(blake3::hash(token.as_bytes()).to_hex().as_str()), "{hash}");
    assert!(!process.log().contains(process.token("ada")), "tokens are not logged");
    assert!(process.folder().join("audit.jsonl").is_file());
}
