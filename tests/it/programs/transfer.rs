//! Values on their way in and out, bit by bit.

use std::time::Duration;

use bytes::Bytes;
use fondaco_proto::{
    CHUNK_BYTES,
    ErrorCode::{AlreadyBound, Invalid, NotFound},
    MatrixHeader, Shape,
    wire::{self, put_request::Part},
};
use ndarray::{Array2, arr2};

use crate::harness::{Plan, Random, chunks, eventually, op, refusal, tiles, within};

/// Fits no tile, one cell, one tile and a bit, rows wider than a chunk, and tiles halved several times.
const SHAPES: [(usize, usize); 11] =
    [(0, 3), (3, 0), (0, 0), (1, 1), (1, 7), (7, 1), (4096, 2), (4097, 1), (5000, 3), (3, 70_000), (300, 5000)];

fn awkward(rows: usize, columns: usize) -> Array2<f64> {
    let mut matrix = Random::new((rows * 31 + columns) as u64).matrix(rows, columns);
    let special = [f64::NAN, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE / 4.0, 1e308];
    for (i, cell) in matrix.iter_mut().enumerate().filter(|(i, _)| i % 5 == 3) {
        *cell = special[i % special.len()];
    }
    matrix
}

fn bits(matrix: &Array2<f64>) -> (usize, usize, Vec<u64>) {
    (matrix.nrows(), matrix.ncols(), matrix.iter().map(|cell| cell.to_bits()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_come_back_bit_by_bit() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    for (rows, columns) in SHAPES {
        let matrix = awkward(rows, columns);
        let name = ada.name();
        let receipt = ada.put(name, &matrix).await.unwrap();
        assert_eq!(receipt.shape.map(Shape::from), Some(tiles::shape(&matrix)));
        assert_eq!(bits(&ada.fetch(name).await.unwrap()), bits(&matrix), "put of ({rows}, {columns})");
        let back = ada.value(|p| p.apply(op::transpose(), &[name])).await.unwrap();
        assert_eq!(bits(&back), bits(&matrix.t().to_owned()), "transpose of ({rows}, {columns})");
        if rows * columns * 8 <= 1 << 20 {
            let inline = ada.value(|p| p.put(&matrix)).await.unwrap();
            assert_eq!(bits(&inline), bits(&matrix), "inline ({rows}, {columns})");
        }
        ada.clear(&[name]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_may_be_cut_anywhere_between_doubles() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    let matrix = awkward(5000, 3);
    let bytes = tiles::to_bytes(&matrix);
    let mut random = Random::new(5);
    let (mut at, mut cut) = (0, Vec::new());
    while at < bytes.len() {
        let end = bytes.len().min(at + 8 * random.below(3000));
        cut.push(wire::Chunk { offset: at as u64, data: bytes.slice(at..end) });
        at = end;
    }
    let name = ada.name();
    ada.put_raw(name, MatrixHeader::new(tiles::shape(&matrix)).into(), cut).await.unwrap();
    assert_eq!(bits(&ada.fetch(name).await.unwrap()), bits(&matrix));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_is_wrong_binds_nothing() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    let matrix = awkward(40_000, 2);
    let bytes = tiles::to_bytes(&matrix);
    let right =
        MatrixHeader { blake3: Some(*blake3::hash(&bytes).as_bytes()), ..MatrixHeader::new(tiles::shape(&matrix)) };
    let header = || wire::MatrixHeader::from(right);
    let parts = || chunks(&bytes);
    let mut shifted = parts();
    shifted[1].offset += 8;
    let mut swapped = parts();
    swapped.swap(0, 1);
    let mut more = parts();
    more.push(wire::Chunk { offset: bytes.len() as u64, data: Bytes::from_static(&[0; 8]) });
    let mut odd = parts();
    odd[0].data = odd[0].data.slice(..CHUNK_BYTES - 3);
    let mut flipped = bytes.to_vec();
    flipped[77] ^= 1;
    let other_hash = wire::MatrixHeader { blake3: vec![7; 32], ..header() };
    let short_hash = wire::MatrixHeader { blake3: vec![7; 31], ..header() };
    let other_tiles = wire::MatrixHeader { tile_rows: 100, ..header() };
    let no_shape = wire::MatrixHeader { shape: None, ..header() };
    let uncountable = wire::MatrixHeader { shape: Some(Shape::new(1 << 62, 2).into()), ..header() };
    let cases = [
        ("too few bytes", header(), parts()[..2].to_vec()),
        ("no bytes", header(), vec![]),
        ("too many bytes", header(), more),
        ("an offset ahead", header(), shifted),
        ("chunks out of order", header(), swapped),
        ("a torn double", header(), odd),
        ("another hash", other_hash, parts()),
        ("a flipped bit", header(), chunks(&flipped.into())),
        ("half a hash", short_hash, parts()),
        ("tiles of another height", other_tiles, parts()),
        ("no shape", no_shape, parts()),
        ("an uncountable shape", uncountable, parts()),
    ];
    let name = ada.name();
    for (case, header, chunks) in cases {
        let result = ada.put_raw(name, header, chunks).await;
        assert!(result.as_ref().is_err_and(|e| e.code() == Invalid && e.detailed), "{case}: {result:?}");
        refusal(ada.fetch(name).await, NotFound);
        eventually("memory is back", async || site.used_bytes() == 0).await;
    }
    ada.put(name, &matrix).await.expect("the name is still free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_begins_with_its_header() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    let header = |output| {
        let matrix = MatrixHeader::new(Shape::new(1, 1)).into();
        Part::Header(wire::PutHeader { scope: ada.scope(), output, matrix: Some(matrix), frame: None, offer: false })
    };
    let chunk = || Part::Chunk(wire::Chunk { offset: 0, data: Bytes::from_static(&[0; 8]) });
    let name = ada.name();
    refusal(ada.put_parts(vec![]).await, Invalid);
    refusal(ada.put_parts(vec![chunk()]).await, Invalid);
    refusal(ada.put_parts(vec![header(name), header(name)]).await, Invalid);
    ada.put_parts(vec![header(name), chunk()]).await.unwrap();
    refusal(ada.put_parts(vec![header(name), chunk()]).await, AlreadyBound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_upload_binds_nothing() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    let matrix = Array2::<f64>::ones((100_000, 2));
    let name = ada.name();
    let header = wire::PutHeader {
        scope: ada.scope(),
        output: name,
        matrix: Some(MatrixHeader::new(tiles::shape(&matrix)).into()),
        frame: None,
        offer: false,
    };
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let call = tokio::spawn({
        let ada = ada.clone();
        async move { ada.grpc.clone().put(ada.request(stream)).await }
    });
    let parts = chunks(&tiles::to_bytes(&matrix));
    let messages = [Part::Header(header), Part::Chunk(parts[0].clone()), Part::Chunk(parts[1].clone())];
    for part in messages {
        sender.send(wire::PutRequest { part: Some(part) }).await.unwrap();
    }
    eventually("the upload has begun", async || site.used_bytes() >= 1_600_000).await;
    call.abort();
    drop(sender);
    eventually("memory is back", async || site.used_bytes() == 0).await;
    refusal(ada.fetch(name).await, NotFound);
    ada.put(name, &arr2(&[[1.0]])).await.expect("the name is free again");
}

/// Whoever asks for a large value and does not read it holds up nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_up_nobody() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    let name = ada.bind(|p| p.fill(1_000_000, 8, 1.0)).await.unwrap();
    let message =
        wire::ExecRequest { scope: ada.scope(), program_id: vec![1; 16], instructions: vec![], fetch: vec![name] };
    let unread = ada.grpc.clone().exec(ada.request(message)).await.unwrap();
    let (other, bob) = (site.client("ada").await, site.client("bob").await);
    for client in [&other, &bob] {
        let value = client.value(|p| p.fill(1, 1, 1.0));
        within(Duration::from_secs(20), "a small program beside a stalled stream", value).await.unwrap();
    }
    drop(unread);
}
