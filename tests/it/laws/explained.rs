//! Plans, as they are explained.

use fondaco::{Axis, FedMatrix, Layout};
use ndarray::{Array2, array};
use serde_json::Value;

use super::trio::{Trio, place};

/// Four rows at a, two at b; v1 and v2.
async fn rows(trio: &Trio) -> FedMatrix {
    let layout = Layout::rows([("a", 4), ("b", 2)], 3).expect("there are parts");
    let x = place(&trio.fed, &Array2::ones((6, 3)), &layout);
    trio.fed.flush().await;
    x
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fused() {
    let trio = Trio::start().await;
    let x = rows(&trio).await;
    let chain = {
        let image = x.matmul(array![[1.0], [2.0], [3.0]]).expect("a row cut");
        x.t().and_then(|turned| turned.matmul_local(image)).expect("aligned rows")
    };
    let expected = "\
(3, 1) for the coordinator: 1 round trip, 48 bytes sent, 48 received
  at a:
    1. v3 = put() (3, 1), 24 bytes sent
    2. v9 = mmchain(v3, v1) (3, 1)  # for X.T @ (X @ v)
    3. drop(v3)
    leaves: v9 (3, 1), 24 bytes
  at b:
    1. v5 = put() (3, 1), 24 bytes sent
    2. v10 = mmchain(v5, v2) (3, 1)  # for X.T @ (X @ v)
    3. drop(v5)
    leaves: v10 (3, 1), 24 bytes";
    assert_eq!(trio.fed.explain(&chain).expect("it is ours").to_string(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shared_and_what_stays() {
    let trio = Trio::start().await;
    let x = rows(&trio).await;
    let double = || x.multiply(2.0).expect("every layout is accepted");
    let (sum, _count) = (double().sum(Axis::All).expect("a row cut"), double().nnz(Axis::All).expect("a row cut"));
    let expected = "\
(1, 1) for the coordinator: 1 round trip, 0 bytes sent, 16 received
  at a:
    1. v3 = multiply(v1) (4, 3)  # shared by 2
    2. v5 = sum(v3) (1, 1)
    3. drop(v3)
    leaves: v5 (1, 1), 8 bytes
  at b:
    1. v4 = multiply(v2) (2, 3)  # shared by 2
    2. v6 = sum(v4) (1, 1)
    3. drop(v4)
    leaves: v6 (1, 1), 8 bytes";
    assert_eq!(trio.fed.explain(&sum).expect("it is ours").to_string(), expected);
    let few = x.slice(..4, ..2).and_then(|few| few.add(1.0)).expect("within the matrix");
    let expected = "\
(4, 2) staying at a: 1 round trip, 0 bytes sent, 0 received
  at a:
    1. v9 = slice(v1) (4, 2)
    2. v10 = add(v9) (4, 2)
    3. drop(v9)";
    assert_eq!(trio.fed.explain(&few).expect("it is ours").to_string(), expected);
    few.persist().await.expect("it is small");
    let nothing = trio.fed.explain(&few).expect("it is ours");
    assert_eq!(nothing.to_string(), "(4, 2) staying at a: 0 round trips, 0 bytes sent, 0 received");
    let other = trio.connect("bob").await;
    assert!(other.explain(&few).expect_err("another's").to_string().contains("another federation"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_relayed() {
    let trio = Trio::start().await;
    let layout = Layout::columns([("a", 4), ("b", 2)], 3).expect("there are parts");
    let x = place(&trio.fed, &Array2::ones((3, 6)), &layout);
    trio.fed.flush().await;
    let gram = x.gram().expect("it is relayed");
    let expected = "\
(6, 6) for the coordinator: 2 round trips, 48 bytes sent, 336 received
stage 1
  at b:
    leaves: v2 (3, 2), 48 bytes
stage 2
  relay (3, 2) of v2 at b to a, 48 bytes in, 48 out: gram of a matrix whose columns are at different sites
  at a:
    1. v3 = put() (3, 2), 48 bytes sent
    2. v4 = hstack(v1, v3) (3, 6)
    3. drop(v3)
    4. v5 = gram(v4) (6, 6)
    5. drop(v4)
    leaves: v5 (6, 6), 288 bytes";
    let explained = trio.fed.explain(&gram).expect("it is ours");
    assert_eq!(explained.to_string(), expected);
    let json: Value = serde_json::from_str(&explained.to_json()).expect("it is JSON");
    let stage = &json["stages"][1];
    assert_eq!((&stage["relays"][0]["bytes_sent"], &stage["relays"][0]["to"][0]), (&48.into(), &"a".into()));
    assert_eq!(stage["sites"][0]["instructions"][3]["operator"], "gram");
    assert_eq!(stage["sites"][0]["releases"][0]["shape"][0], 6);
}
