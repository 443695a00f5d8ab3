//! Scopes that nobody uses are dropped.

use fondaco_proto::{
    ErrorCode::{Limit, ScopeLost},
    MatrixHeader,
    wire::{self, put_request::Part},
};
use ndarray::Array2;
use tokio_stream::wrappers::ReceiverStream;

use crate::harness::{Plan, chunks, eventually, refusal, tiles};

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_scope_lapses_and_its_memory_returns() {
    let site = Plan::new().limits(|limits| limits.lease_s = 1).start().await;
    let mut ada = site.client("ada").await;
    let (large, small) = (ada.name(), ada.name());
    ada.put(large, &Array2::ones((20_000, 3))).await.unwrap();
    ada.put(small, &Array2::ones((1, 1))).await.unwrap();
    assert!(site.used_bytes() >= 480_000);
    assert_eq!(site.tenant("ada").await.bytes, 480_008);
    eventually("the scope has lapsed", async || site.tenant("ada").await.scopes == 0).await;
    eventually("its memory is back", async || site.used_bytes() == 0).await;
    assert_eq!(site.tenant("ada").await.bytes, 0);
    refusal(ada.fetch(large).await, ScopeLost);
    ada.open().await.expect("a new scope can be opened");
}

/// That another scope has lapsed tells that the time has passed.
#[tokio::test(flavor = "multi_thread")]
async fn a_scope_in_use_does_not_lapse() {
    let site = Plan::new().limits(|limits| limits.lease_s = 1).start().await;
    let ada = site.client("ada").await;
    let (matrix, name) = (Array2::ones((10, 1)), ada.name());
    let header = wire::PutHeader {
        scope: ada.scope(),
        output: name,
        matrix: Some(MatrixHeader::new(tiles::shape(&matrix)).into()),
        frame: None,
        offer: false,
    };
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    let send = async |part| sender.send(wire::PutRequest { part: Some(part) }).await.unwrap();
    send(Part::Header(header)).await;
    let upload = tokio::spawn({
        let ada = ada.clone();
        async move { ada.grpc.clone().put(ada.request(ReceiverStream::new(receiver))).await }
    });
    eventually("the upload has begun", async || site.used_bytes() > 0).await;
    let _idle = site.client("bob").await;
    eventually("the idle scope has lapsed", async || site.tenant("bob").await.scopes == 0).await;
    assert_eq!(site.tenant("ada").await.scopes, 1);
    for chunk in chunks(&tiles::to_bytes(&matrix)) {
        send(Part::Chunk(chunk)).await;
    }
    drop(sender);
    upload.await.unwrap().expect("the scope is still there");
    assert_eq!(ada.fetch(name).await.unwrap(), matrix);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_so_many_scopes() {
    let site = Plan::new().limits(|limits| limits.scopes_max = 2).start().await;
    let first = site.client("ada").await;
    let _second = site.client("ada").await;
    let mut third = first.clone();
    third.coordinator = fondaco_proto::CoordinatorId::new();
    let error = refusal(third.open().await, Limit);
    assert!(error.message().contains("scopes_max"), "{error:?}");
    let _others_are_not_concerned = site.client("bob").await;
    first.clear(&[]).await.unwrap();
    third.open().await.expect("one was given up");
}
