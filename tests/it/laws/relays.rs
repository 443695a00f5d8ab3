//! What passes the coordinator on its way to other sites: the same results, in as many round trips as are explained, and
//! nothing that an owner does not let out.

use fondaco::{Axis, ErrorCode, FedMatrix, Layout, Result};
use ndarray::{Array2, array};

use super::trio::{Trio, place};
use crate::harness::{Plan, Random, Table};

fn array() -> Array2<f64> {
    Array2::from_shape_fn((8, 6), |(i, j)| ((i * 7 + j * 3) % 11) as f64)
}

/// Two columns at a, one at b, three at c.
fn columns(trio: &Trio) -> FedMatrix {
    place(&trio.fed, &array(), &Layout::columns([("a", 2), ("b", 1), ("c", 3)], 8).expect("there are parts"))
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_are_as_explained() {
    let trio = Trio::start().await;
    let fed = &trio.fed;
    let (x, v) = (columns(&trio), Array2::from_shape_fn((6, 1), |(i, _)| i as f64));
    fed.flush().await;
    let before = fed.stats();
    // Planned together, with what depends on what is relayed.
    let chain = x.mmchain(&v).expect("it is relayed");
    let tops =
        x.row_max().and_then(|tops| tops.multiply(2.0)).and_then(|twice| twice.sum(Axis::All)).expect("it is relayed");
    let explained = [fed.explain(&chain).expect("it is ours"), fed.explain(&tops).expect("it is ours")];
    assert_eq!(fed.stats(), before, "nothing is sent by explaining");
    let inner = array().dot(&v);
    assert_eq!(chain.await.expect("it is one's own"), array().t().dot(&inner));
    let tops = tops.scalar().await.expect("it is one's own");
    let expected: f64 = array().rows().into_iter().map(|row| 2.0 * row.fold(0.0, |top: f64, x| top.max(*x))).sum();
    assert_eq!(tops, expected);
    let after = fed.stats();
    assert_eq!((explained[0].round_trips(), explained[1].round_trips()), (2, 2));
    assert_eq!(after.round_trips() - before.round_trips(), 2, "both together");
    let bytes = |what: fn(&fondaco::explain::Explanation) -> u64| explained.iter().map(what).sum::<u64>();
    let (total, earlier) = (after.total(), before.total());
    assert_eq!(total.bytes_sent - earlier.bytes_sent, bytes(|plan| plan.bytes_sent()));
    assert_eq!(total.bytes_received - earlier.bytes_received, bytes(|plan| plan.bytes_received()));
}

/// Aggregate data at a and b, public data at c: sixty rows, of two columns each.
async fn datasets() -> Trio {
    let mut random = Random::new(70);
    let tables: Vec<Table> = (0..3).map(|_| Table::of(&random.matrix(60, 2))).collect();
    Trio::planned(
        |index, plan: Plan| {
            if index == 2 { plan.public("d", &tables[index]) } else { plan.dataset("d", &tables[index]) }
        },
    )
    .await
}

fn all(site: &'static str) -> (&'static str, &'static str, Vec<&'static str>) {
    (site, "d", Vec::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_keeps_the_rows_refuses_and_says_what_to_do() {
    let trio = datasets().await;
    let x = trio.fed.read_columns([all("a"), all("b")]).await.expect("as many rows");
    let v = array![[1.0], [2.0], [3.0], [4.0]];
    let all: Vec<(&str, Result<fondaco::Pending>)> = vec![
        ("gram", x.gram()),
        ("mmchain", x.mmchain(&v)),
        ("sum along axis=1", x.row_sum().and_then(|sums| sums.sum(Axis::All))),
        ("softmax", x.softmax().and_then(|soft| soft.sum(Axis::All))),
        ("cov", x.cov(1)),
    ];
    for (what, pending) in all {
        let error = pending.expect("it is planned").await.expect_err("rows would leave a or b");
        assert_eq!(error.code(), Some(ErrorCode::ReleaseDenied), "{what}: {error}");
        let message = error.to_string();
        let why = format!("{what} of a matrix whose columns are at different sites");
        assert!(message.contains(&why) && message.contains("instead, "), "{what}: {message}");
    }
    // Nothing is left behind, and the rest goes on.
    let sums = x.sum(Axis::Columns).expect("every layout is accepted").await.expect("sixty rows");
    assert_eq!(sums.dim(), (1, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn public_parts_come_to_those_that_stay() {
    let trio = datasets().await;
    // Most of each row is at a, so that c's rows come to a; and no row of a leaves it.
    let x = trio.fed.read_columns([all("a"), ("c", "d", vec!["c0"])]).await.expect("as many rows");
    let gram = x.gram().expect("it is planned").await.expect("c is public, and a adds sixty rows up");
    assert_eq!(gram.dim(), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn relays_can_be_forbidden() {
    let trio = Trio::start().await;
    let x = columns(&trio);
    trio.fed.allow_relays(false);
    let refused = |result: Result<()>| result.expect_err("nothing is relayed").to_string();
    let v = Array2::ones((6, 1));
    for message in [
        refused(x.gram().map(drop)),
        refused(x.mmchain(&v).map(drop)),
        refused(x.row_sum().map(drop)),
        refused(x.softmax().map(drop)),
        refused(x.cov(1).map(drop)),
        refused(x.cross(trio.fed.put_whole("a", Array2::ones((8, 1))).expect("a site")).map(drop)),
    ] {
        assert!(message.contains("would have to move row-level values; "), "{message}");
    }
    assert_eq!(trio.fed.stats().round_trips(), 0, "nothing was sent");
    assert!(x.sum(Axis::Columns).is_ok() && x.cross(Array2::ones((8, 1))).is_ok(), "what is local is not relayed");
    trio.fed.allow_relays(true);
    assert!(x.gram().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_is_not_relayed() {
    let trio = Trio::start().await;
    let x = columns(&trio);
    drop(x.softmax().expect("it is planned"));
    drop(x.gram().expect("it is planned"));
    let sum = x.sum(Axis::All).expect("every layout is accepted").scalar().await.expect("it is one's own");
    assert_eq!(sum, array().sum());
    let total = trio.fed.stats().total();
    assert_eq!((total.bytes_sent, total.bytes_received), (8 * 48, 8 * 3), "X, and three sums");
}
