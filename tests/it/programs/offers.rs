//! Bytes that a tenant has bound at a worker are not sent again, and nobody learns what others have there.

use fondaco::{Axis, Federation, Frame, Layout, Series};
use fondaco_proto::{
    ErrorCode::{AlreadyBound, Invalid, Limit, NotFound, ScopeLost},
    MatrixHeader, Shape,
    wire::{self, put_request::Part},
};
use ndarray::Array2;

use crate::{
    harness::{Client, Plan, Random, Refused, Result, chunks, eventually, refusal, tiles},
    laws::trio::{NAMES, Trio},
};

fn matrix() -> Array2<f64> {
    Random::new(3).matrix(5000, 2)
}

/// The header of a matrix, with the hash of these bytes.
fn header(matrix: &Array2<f64>, hash: &[u8]) -> wire::MatrixHeader {
    wire::MatrixHeader { blake3: hash.to_vec(), ..MatrixHeader::new(tiles::shape(matrix)).into() }
}

fn hash(matrix: &Array2<f64>) -> Vec<u8> {
    blake3::hash(&tiles::to_bytes(matrix)).as_bytes().to_vec()
}

async fn offer(client: &Client, output: u64, matrix: wire::MatrixHeader) -> Result<wire::PutResponse> {
    offer_with(client, output, matrix, Vec::new()).await
}

async fn offer_with(
    client: &Client,
    output: u64,
    matrix: wire::MatrixHeader,
    chunks: Vec<wire::Chunk>,
) -> Result<wire::PutResponse> {
    let header = wire::PutHeader { scope: client.scope(), output, matrix: Some(matrix), frame: None, offer: true };
    let parts = std::iter::once(Part::Header(header)).chain(chunks.into_iter().map(Part::Chunk));
    let messages: Vec<_> = parts.map(|part| wire::PutRequest { part: Some(part) }).collect();
    let answer = client.grpc.clone().put(client.request(tokio_stream::iter(messages))).await;
    Ok(answer.map_err(Refused::from)?.into_inner())
}

fn wanted(similar: bool) -> wire::PutResponse {
    wire::PutResponse { receipt: None, similar }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_bound_without_its_bytes() {
    let site = Plan::new().start().await;
    let (ada, again) = (site.client("ada").await, site.client("ada").await);
    let (matrix, name) = (matrix(), ada.name());
    assert_eq!(offer(&ada, name, header(&matrix, &[])).await.unwrap(), wanted(false));
    assert_eq!(offer(&ada, name, header(&matrix, &hash(&matrix))).await.unwrap(), wanted(false));
    refusal(ada.fetch(name).await, NotFound);
    ada.put(name, &matrix).await.expect("an offer that is not taken takes no name");
    let held = site.tenant("ada").await.bytes;
    for client in [&ada, &again] {
        let name = client.name();
        assert_eq!(offer(client, name, header(&matrix, &[])).await.unwrap(), wanted(true));
        refusal(client.fetch(name).await, NotFound);
        let answer = offer(client, name, header(&matrix, &hash(&matrix))).await.unwrap();
        let receipt = answer.receipt.expect("it is there");
        assert_eq!((receipt.shape.map(Shape::from), receipt.hit), (Some(tiles::shape(&matrix)), true));
        assert_eq!(client.fetch(name).await.unwrap(), matrix);
        refusal(offer(client, name, header(&matrix, &hash(&matrix))).await, AlreadyBound);
    }
    assert_eq!(site.tenant("ada").await.bytes, 3 * held, "each is charged in full");
    let used = site.used_bytes();
    assert!(used < held * 2, "but is there once: {used} bytes");
    // What was bound by an offer is as good as what was sent.
    ada.clear(&[]).await.unwrap();
    let name = again.name();
    let answer = offer(&again, name, header(&matrix, &hash(&matrix))).await.unwrap();
    assert!(answer.receipt.is_some_and(|receipt| receipt.hit));
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_answered_as_if_nobody_had_it() {
    let site = Plan::new().start().await;
    let (ada, bob) = (site.client("ada").await, site.client("bob").await);
    let (matrix, name) = (matrix(), bob.name());
    let never = header(&matrix, &[9; 32]);
    let (unhashed, hashed) = (header(&matrix, &[]), header(&matrix, &hash(&matrix)));
    ada.put(ada.name(), &matrix).await.unwrap();
    for offered in [&never, &unhashed, &hashed] {
        assert_eq!(offer(&bob, name, offered.clone()).await.unwrap(), wanted(false));
        refusal(bob.fetch(name).await, NotFound);
    }
    let receipt = bob.put(name, &matrix).await.expect("the name is free");
    assert!(!receipt.hit);
    let own = offer(&bob, bob.name(), hashed).await.unwrap();
    assert!(own.receipt.is_some_and(|receipt| receipt.hit), "now it is one's own");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_lives_longer_because_it_is_known() {
    let site = Plan::new().limits(|limits| limits.reuse = false).start().await;
    let (ada, again) = (site.client("ada").await, site.client("ada").await);
    let (matrix, name) = (matrix(), ada.name());
    let offered = header(&matrix, &hash(&matrix));
    ada.put(name, &matrix).await.unwrap();
    let other = again.name();
    assert!(offer(&again, other, offered.clone()).await.unwrap().receipt.is_some());
    ada.clear(&[name]).await.unwrap();
    assert!(offer(&ada, ada.name(), offered.clone()).await.unwrap().receipt.is_some(), "the other one is still there");
    ada.clear(&[]).await.unwrap();
    again.clear(&[other]).await.unwrap();
    eventually("memory is back", async || site.used_bytes() == 0).await;
    assert_eq!(offer(&again, again.name(), offered).await.unwrap(), wanted(false));
    assert_eq!(offer(&again, again.name(), header(&matrix, &[])).await.unwrap(), wanted(false));
    assert_eq!(site.tenant("ada").await.bytes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_offers_bind_nothing() {
    let site = Plan::new().limits(|limits| limits.tenant_bytes_max = 200_000).start().await;
    let ada = site.client("ada").await;
    let (matrix, name) = (matrix(), ada.name());
    let right = header(&matrix, &hash(&matrix));
    ada.put(ada.name(), &matrix).await.unwrap();
    assert_eq!(offer(&ada, name, header(&matrix, &[7; 32])).await.unwrap(), wanted(false));
    let flat = wire::MatrixHeader { shape: Some(Shape::new(10_000, 1).into()), ..right.clone() };
    assert_eq!(offer(&ada, name, flat).await.unwrap(), wanted(false), "the same bytes of another shape");
    refusal(offer(&ada, name, header(&matrix, &[7; 31])).await, Invalid);
    let bytes = tiles::to_bytes(&matrix);
    refusal(offer_with(&ada, name, right.clone(), chunks(&bytes)).await, Invalid);
    // A hash that was claimed for what came is checked.
    refusal(ada.put_raw(name, header(&matrix, &[7; 32]), chunks(&bytes)).await, Invalid);
    assert_eq!(offer(&ada, name, header(&matrix, &[7; 32])).await.unwrap(), wanted(false));
    assert!(offer(&ada, ada.name(), right.clone()).await.unwrap().receipt.is_some());
    let refused = refusal(offer(&ada, name, right.clone()).await, Limit);
    assert!(refused.message().contains("tenant_bytes_max"), "{refused:?}");
    refusal(ada.fetch(name).await, NotFound);
    let lost = ada.forged(ada.coordinator, ada.epoch ^ 1);
    refusal(offer(&lost, name, right).await, ScopeLost);
}

/// More than what is offered at least, at one site.
async fn send(fed: &Federation, array: &Array2<f64>) -> (fondaco::FedMatrix, u64, u64) {
    let before = fed.stats().total();
    let x = fed.put_whole("a", array).expect("there is such a site");
    x.persist().await.expect("it fits");
    let after = fed.stats().total();
    (x, after.bytes_sent - before.bytes_sent, after.hits - before.hits)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_sends_it_once() {
    // What was released is not kept for a retry.
    let trio = Trio::with(|_, limits| limits.kept_bytes_max = 100).await;
    let (again, bob) = (trio.connect("ada").await, trio.connect("bob").await);
    let array = Random::new(4).matrix(30_000, 5);
    let bytes = 8 * array.len() as u64;
    let (x, sent, hits) = send(&trio.fed, &array).await;
    assert_eq!((sent, hits), (bytes, 0));
    let (y, sent, hits) = send(&trio.fed, &array).await;
    assert_eq!((sent, hits), (0, 1), "by the same coordinator");
    let (z, sent, hits) = send(&again, &array).await;
    assert_eq!((sent, hits), (0, 1), "by another one");
    let (theirs, sent, hits) = send(&bob, &array).await;
    assert_eq!((sent, hits), (bytes, 0), "by another tenant");
    let mut other = array.clone();
    other[[29_999, 4]] += 1.0;
    let (w, sent, hits) = send(&again, &other).await;
    assert_eq!((sent, hits), (bytes, 0), "one cell is another");
    for same in [&x, &y, &z, &theirs] {
        assert_eq!(same.to_array().await.expect("it is one's own"), array);
    }
    assert_eq!(w.to_array().await.expect("it is one's own"), other);
    drop((x, y, z));
    // Drops ride with the next programs.
    for fed in [&trio.fed, &again] {
        let one = fed.put_whole("a", 1.0).and_then(|one| one.sum(Axis::All)).expect("there is such a site");
        one.await.expect("it is one's own");
    }
    let (x, sent, hits) = send(&trio.fed, &array).await;
    assert_eq!((sent, hits), (bytes, 0), "it was dropped");
    assert_eq!(x.to_array().await.expect("it is one's own"), array);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_too() {
    let trio = Trio::start().await;
    let (again, bob) = (trio.connect("ada").await, trio.connect("bob").await);
    let rows = 150_000_usize;
    let numbers: Vec<i64> = (0..rows as i64).collect();
    let words: Vec<Option<&str>> = (0..rows).map(|row| ["a", "bb", "ccc"].get(row % 4).copied()).collect();
    let frame = Frame::new([("n", Series::from(numbers)), ("w", words.into())]).expect("they have one length");
    let send = async |fed: &Federation, frame: &Frame| {
        let before = fed.stats().total().bytes_sent;
        let layout = Layout::whole(NAMES[0], frame.shape());
        let sent = fed.scatter_frame(frame.clone(), &layout).expect("the layout has the shape");
        sent.persist().await.expect("it fits");
        (sent, fed.stats().total().bytes_sent - before)
    };
    let (first, sent) = send(&trio.fed, &frame).await;
    assert!(sent > 1 << 20);
    let (second, none) = send(&again, &frame).await;
    assert_eq!(none, 0);
    let (_theirs, all) = send(&bob, &frame).await;
    assert_eq!(all, sent);
    let columns = frame.columns().map(|(name, series)| (name.replace('w', "v"), series.clone()));
    let renamed = Frame::new(columns.collect::<Vec<_>>()).expect("they have one length");
    let (_other, all) = send(&again, &renamed).await;
    assert_eq!(all, sent, "its columns have other names");
    assert!(first.collect().await.expect("it is one's own") == frame);
    assert!(second.collect().await.expect("it is one's own") == frame);
}
