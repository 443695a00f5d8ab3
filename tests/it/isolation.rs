//! Law 2: neither of two tenants sees the other's value, shape, existence or error text.

use fondaco_proto::{
    CoordinatorId,
    ErrorCode::{NotFound, ReleaseDenied, ScopeLost, Unauthenticated},
};
use fondaco_worker::config::{DatasetConfig, Reuse};
use ndarray::{Array2, arr2};
use tonic::Code;

use crate::harness::{Client, Plan, Random, Table, op, refusal, token};

/// A table of twenty rows.
fn table(seed: u64) -> Table {
    Table::of(&Random::new(seed).matrix(20, 3))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_names_hold_different_values() {
    let site = Plan::new().start().await;
    let mut ada = site.client("ada").await;
    let mut bob = site.client("bob").await;
    // The same coordinator, as far as its number goes.
    bob.coordinator = ada.coordinator;
    bob.open().await.unwrap();
    assert_ne!(ada.epoch, bob.epoch);
    for name in 1..=20_u64 {
        let (mine, theirs) = (arr2(&[[name as f64]]), arr2(&[[-1.0, name as f64]]));
        let put = async |client: &Client, matrix: &Array2<f64>| {
            let mut program = client.program();
            program.bind(name, op::put(matrix), &[]);
            client.run(&program).await.unwrap();
        };
        tokio::join!(put(&ada, &mine), put(&bob, &theirs));
        assert_eq!(ada.fetch(name).await.unwrap(), mine);
        assert_eq!(bob.fetch(name).await.unwrap(), theirs);
    }
    ada.clear(&[3]).await.unwrap();
    refusal(ada.fetch(3).await, NotFound);
    bob.fetch(3).await.expect("the other's variable stays");
    ada.clear(&[]).await.unwrap();
    refusal(ada.fetch(4).await, ScopeLost);
    bob.fetch(4).await.expect("the other's scope stays");
    ada.open().await.unwrap();
    refusal(ada.fetch(4).await, NotFound);
}

/// Every call, with a scope that is not the caller's.
async fn refusals(client: &Client) -> Vec<(Code, String)> {
    let refused = [
        refusal(client.describe().await, ScopeLost),
        refusal(client.fetch(1).await, ScopeLost),
        refusal(client.put(2, &arr2(&[[1.0]])).await, ScopeLost),
        refusal(client.read(2, op::reading("d", &[], None)).await, ScopeLost),
        refusal(client.clear(&[1]).await, ScopeLost),
        refusal(client.clear(&[]).await, ScopeLost),
        refusal(client.bind(|p| p.fill(1, 1, 1.0)).await, ScopeLost),
    ];
    refused.into_iter().map(|refused| (refused.grpc, refused.message().to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_scope_looks_like_none() {
    let site = Plan::new().dataset("d", &table(1)).start().await;
    let bob = site.client("bob").await;
    bob.put(1, &arr2(&[[1.0]])).await.unwrap();
    let ada = site.client("ada").await;

    let forged = |coordinator: CoordinatorId, epoch: u64| ada.forged(coordinator, epoch);
    let absent = refusals(&forged(CoordinatorId::new(), 17)).await;
    assert_eq!(refusals(&forged(bob.coordinator, bob.epoch)).await, absent, "another tenant's scope");
    assert_eq!(refusals(&forged(bob.coordinator, 17)).await, absent, "another tenant's, with a guessed epoch");
    assert_eq!(refusals(&forged(ada.coordinator, bob.epoch)).await, absent, "one's own, with another epoch");
    assert_eq!(bob.fetch(1).await.unwrap(), arr2(&[[1.0]]), "none of it touched the scope");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_of_others_looks_like_none() {
    let bobs = |dataset: &mut DatasetConfig| dataset.readers = vec!["bob".to_owned()];
    let with = Plan::new().dataset("open", &table(1)).dataset_with("hidden", &table(2), bobs).start().await;
    let without = Plan::new().dataset("open", &table(1)).start().await;
    let mut texts = Vec::new();
    for site in [&with, &without] {
        let mut ada = site.client("ada").await;
        let names: Vec<String> = ada.open().await.unwrap().datasets.into_iter().map(|d| d.name).collect();
        assert_eq!(names, ["open"]);
        let name = ada.name();
        let read = refusal(ada.read(name, op::reading("hidden", &["c0"], None)).await, NotFound);
        let exec = refusal(ada.bind(|p| p.read("hidden")).await, NotFound);
        let column = refusal(ada.bind(|p| p.apply(op::read_columns("hidden", &["nothing"]), &[])).await, NotFound);
        texts.push([read, exec, column].map(|refused| (refused.grpc, refused.message().to_owned())));
    }
    assert_eq!(texts[0], texts[1]);
    with.client("bob").await.value(|p| reduced(p, "hidden")).await.expect("its reader may read it");
}

/// Column sums of a dataset.
fn reduced(program: &mut crate::harness::Program, dataset: &str) -> u64 {
    let x = program.read(dataset);
    program.apply(op::sum(), &[x])
}

#[tokio::test(flavor = "multi_thread")]
async fn error_texts_never_mention_others() {
    let site = Plan::new().dataset("d", &table(1)).start().await;
    let bob = site.client("bob").await;
    bob.put(77_001, &Array2::ones((123, 7))).await.unwrap();
    bob.value(|p| reduced(p, "d")).await.unwrap();
    let ada = site.client("ada").await;
    let x = ada.bind(|p| p.read("d")).await.unwrap();
    let mut texts = vec![
        refusal(ada.fetch(77_001).await, NotFound).message().replace("77001", ""),
        refusal(ada.fetch(x).await, ReleaseDenied).message().to_owned(),
        ada.bind(|p| p.apply(op::add(), &[x, 77_001])).await.unwrap_err().message().replace("77001", ""),
        ada.bind(|p| p.read("bob")).await.unwrap_err().message().replace("\"bob\"", ""),
    ];
    texts.extend(refusals(&ada.forged(bob.coordinator, bob.epoch)).await.into_iter().map(|refused| refused.1));
    let epoch = bob.epoch.to_string();
    let coordinator = bob.coordinator.to_string();
    for text in texts {
        let found =
            ["bob", "77001", "123", epoch.as_str(), coordinator.as_str()].into_iter().find(|w| text.contains(w));
        assert_eq!(found, None, "of the other tenant, in {text:?}");
    }
}

/// Hits of a program over a dataset, for one tenant and then the next.
async fn hits_of_two(site: &crate::harness::Site, build: impl Fn(&mut crate::harness::Program)) -> [Vec<bool>; 2] {
    let mut hits = Vec::new();
    for tenant in ["ada", "bob"] {
        let client = site.client(tenant).await;
        let mut program = client.program();
        build(&mut program);
        hits.push(client.run(&program).await.unwrap().hits());
    }
    hits.try_into().unwrap_or_else(|_| unreachable!("there are two tenants"))
}

#[tokio::test(flavor = "multi_thread")]
async fn hits_are_seen_only_where_the_owner_shares_reuse() {
    let own = |dataset: &mut DatasetConfig| dataset.reuse = Reuse::Tenant;
    let site = Plan::new().dataset("shared", &table(1)).dataset_with("own", &table(2), own).start().await;
    let over = |dataset: &'static str| {
        move |p: &mut crate::harness::Program| {
            reduced(p, dataset);
        }
    };
    assert_eq!(hits_of_two(&site, over("shared")).await, [[false; 2], [true; 2]]);
    assert_eq!(hits_of_two(&site, over("own")).await, [[false; 2], [false; 2]]);
    let both = hits_of_two(&site, |p| {
        let (x, y) = (p.read("shared"), p.read("own"));
        let cross = p.apply(op::cross(), &[x, y]);
        p.apply(op::transpose(), &[cross]);
    });
    let [_, bob] = both.await;
    assert_eq!(bob, [true, true, false, false], "his own earlier reads, but nothing made of what is held closer");
}

/// Whoever made `fill(123, 7)` before is nobody's business: no dataset's owner decided that it may be seen.
#[tokio::test(flavor = "multi_thread")]
async fn hits_are_not_seen_on_values_without_a_dataset() {
    let site = Plan::new().dataset("shared", &table(1)).start().await;
    let made = |p: &mut crate::harness::Program| {
        let (fill, rand) = (p.fill(20, 3, 4.0), p.apply(op::rand(20, 3, 5), &[]));
        let sum = p.apply(op::add(), &[fill, rand]);
        p.apply(op::gram(), &[sum]);
    };
    assert_eq!(hits_of_two(&site, made).await, [[false; 4], [false; 4]]);
    let again = hits_of_two(&site, made).await;
    assert_eq!(again, [[true; 4], [true; 4]], "each reuses what is its own");

    let upload = |p: &mut crate::harness::Program| {
        let x = p.put(&Random::new(9).matrix(20, 3));
        p.apply(op::gram(), &[x]);
        let data = p.read("shared");
        let sum = p.apply(op::add(), &[data, x]);
        p.apply(op::sum(), &[sum]);
    };
    let [_, bob] = hits_of_two(&site, upload).await;
    assert_eq!(bob, [false, false, true, false, false], "an upload, and what is made of it, is the tenant's own");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_told_nothing_and_written_down() {
    let site = Plan::new().dataset("d", &table(1)).start().await;
    let known = site.client("ada").await;
    let before = site.audit().len();
    let mut texts = Vec::new();
    for wrong in [None, Some(""), Some("wrong"), Some("ada"), Some(&token("ada")[1..]), Some(&token("carol"))] {
        let mut stranger = known.clone();
        stranger.token = wrong.map(ToOwned::to_owned);
        for refused in [
            refusal(stranger.describe().await, Unauthenticated),
            refusal(stranger.fetch(1).await, Unauthenticated),
            refusal(stranger.put(1, &arr2(&[[1.0]])).await, Unauthenticated),
            refusal(stranger.read(1, op::reading("d", &[], None)).await, Unauthenticated),
            refusal(stranger.clear(&[]).await, Unauthenticated),
        ] {
            assert_eq!(refused.grpc, Code::Unauthenticated);
            texts.push(refused.message().to_owned());
        }
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "one text for all: {texts:?}");
    let lines = site.audit().split_off(before);
    assert_eq!(lines.len(), 30);
    let rpcs = ["Describe", "Exec", "Put", "Read", "Clear"];
    for (line, rpc) in lines.iter().zip(rpcs.iter().cycle()) {
        assert_eq!((line["event"].as_str(), line["rpc"].as_str()), (Some("unauthenticated"), Some(*rpc)), "{line}");
    }
    assert!(!std::fs::read_to_string(site.folder().join("audit.jsonl")).unwrap().contains("wrong"));
    known.describe().await.expect("who has a token is not concerned");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_file_tells_what_left_and_what_did_not() {
    let site = Plan::new().dataset("d", &table(1)).start().await;
    let ada = site.client("ada").await;
    let x = ada.bind(|p| p.read("d")).await.unwrap();
    let (top, rest) = (ada.bind(|p| p.apply(op::slice(0..8, 0..3), &[x])).await.unwrap(), x);
    ada.value(|p| p.apply(op::sum(), &[top])).await.unwrap();
    refusal(ada.fetch(rest).await, ReleaseDenied);
    ada.value(|p| p.fill(2, 2, 1.0)).await.unwrap();

    let lines = site.audit();
    let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(events, ["connect", "release", "deny", "release"]);
    for line in &lines {
        assert_eq!(line["tenant"], "ada");
        assert_eq!(line["coordinator"], ada.coordinator.to_string());
        assert!(line["time_ms"].is_u64() && line["request"].as_str().is_some_and(|id| !id.is_empty()), "{line}");
    }
    let [_, release, deny, own] = lines.as_slice() else { panic!("four lines") };
    assert_eq!((&release["operator"], &release["shape"]), (&"sum".into(), &vec![1, 3].into()));
    let source = &release["sources"][0];
    assert_eq!((&source["dataset"], &source["privacy"]), (&"d".into(), &"aggregate".into()));
    assert_eq!((&source["rows"][0]["start"], &source["rows"][0]["end"]), (&0.into(), &8.into()), "{release}");
    assert!(release["reason"].is_null() && release["key"].as_str().is_some_and(|key| key.len() == 64));
    assert_eq!((&deny["operator"], &deny["shape"]), (&"read".into(), &vec![20, 3].into()));
    assert_eq!(deny["sources"][0]["rows"][0]["end"], 20);
    assert_eq!(deny["sources"][0]["rows"][0]["selection"], source["rows"][0]["selection"], "one version, no filter");
    assert!(deny["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    assert_eq!(own["sources"], serde_json::json!([]));
}
