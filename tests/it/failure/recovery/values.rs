//! What is made again is what it was, and nothing else is.

use fondaco::{Axis, Distribution, ErrorCode, FedMatrix, Layout, Shape, column};
use ndarray::{Array2, Axis as Along, array};

use super::{bits, recoveries};
use crate::{
    frames::sample,
    harness::{Plan, Random, Table, eventually},
    laws::trio::{NAMES, Trio, place},
};

fn even(rows: u64, columns: u64) -> Layout {
    Layout::even(NAMES, Shape::new(rows, columns)).expect("there are sites")
}

/// Public tables of sixty rows at each site.
async fn with_tables() -> Trio {
    let mut random = Random::new(31);
    let tables: Vec<Table> = (0..3).map(|_| Table::of(&random.matrix(60, 3))).collect();
    Trio::planned(|index, plan: Plan| plan.public("d", &tables[index])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_uploads_and_results_come_back() {
    let mut trio = with_tables().await;
    let fed = &trio.fed;
    let read = fed.read("d").await.expect("it is public");
    let filtered = fed.read("d").filter(column("c0").gt(0.0)).await.expect("it is public");
    let sent = place(fed, &Array2::from_shape_fn((180, 3), |(i, j)| (i * 3 + j) as f64), &even(180, 3));
    let drawn = fed.rand(&even(180, 3), 5, Distribution::Normal { mean: 0.0, std: 1.0 }).expect("a layout of ours");
    let made = read.add(&sent).and_then(|x| x.multiply(&drawn)).and_then(|x| x.exp()).expect("they fit");
    let chosen = made.filter_rows(&made.greater(1.0).and_then(|x| x.slice(.., 0..1)).expect("they fit")).await;
    let all = [read, filtered, sent, drawn, made, chosen.expect("it is public")];
    let values = async |all: &[FedMatrix]| {
        let mut values = Vec::new();
        for matrix in all {
            values.push(bits(&matrix.to_array().await.expect("it is public, or one's own")));
        }
        values
    };
    let before = values(&all).await;
    trio.sites[1].restart().await;
    assert_eq!(values(&all).await, before);
    assert_eq!(recoveries(fed), [0, 1, 0]);
    trio.sites[0].restart().await;
    trio.sites[2].restart().await;
    let sum = all[4].sum(Axis::Columns).expect("a row cut").await.expect("it is public");
    assert_eq!(recoveries(fed), [1, 1, 1], "two of three are lost at once");
    assert_eq!(values(&all).await, before);
    assert_eq!(bits(&all[4].sum(Axis::Columns).expect("a row cut").await.expect("it is public")), bits(&sum));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_needs_is_not_made_again() {
    let mut trio = Trio::with(|_, limits| limits.reuse = false).await;
    let fed = &trio.fed;
    let x = place(fed, &Array2::from_shape_fn((3000, 4), |(i, j)| (i + j) as f64), &even(3000, 4));
    let (double, other) = (x.multiply(2.0).expect("it fits"), x.add(1.0).expect("it fits"));
    let roots = double.sqrt().expect("it fits");
    roots.persist().await.expect("it is small");
    other.persist().await.expect("it is small");
    drop((x, double, other));
    let sum = async || roots.sum(Axis::All).expect("a row cut").scalar().await.expect("it is one's own");
    let before = sum().await;
    // 1000 rows of 4 doubles, and what is kept for retries.
    eventually("drops are sent", async || trio.sites[1].tenant("ada").await.bytes < 33_000).await;
    trio.sites[1].restart().await;
    let instructions = fed.stats().sites[1].instructions;
    assert_eq!(sum().await, before);
    assert_eq!(fed.stats().sites[1].instructions - instructions, 1 + 2 + 1, "the upload, two operators, and the sum");
    let held = trio.sites[1].tenant("ada").await.bytes;
    assert!((32_000..33_000).contains(&held), "{held} bytes: what it is made of is dropped again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_lived_again() {
    let mut trio = Trio::start().await;
    let mut x = place(&trio.fed, &Array2::from_shape_fn((90, 2), |(i, _)| i as f64), &even(90, 2));
    for step in 0..300 {
        x = x.multiply(0.75).and_then(|x| x.add(f64::from(step % 7))).expect("it fits");
        if step % 40 == 0 {
            x.persist().await.expect("it is small");
        }
    }
    let before = bits(&x.to_array().await.expect("it is one's own"));
    trio.sites[2].restart().await;
    assert_eq!(bits(&x.to_array().await.expect("it is one's own")), before);
    assert_eq!(recoveries(&trio.fed), [0, 0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_come_back() {
    let mut trio = Trio::start().await;
    let frame = sample(&mut Random::new(8), 300);
    let layout = Layout::rows([("a", 100), ("b", 150), ("c", 50)], 5).expect("there are parts");
    let fed = trio.fed.scatter_frame(frame.clone(), &layout).expect("the layout has the shape");
    let few = fed.filter(column("i").gt(0)).await.expect("it is one's own");
    let before = few.collect().await.expect("it is one's own");
    let numbers = fed.to_matrix(["f", "i"]).expect("they are numbers");
    let sum = bits(&numbers.nansum(Axis::All).expect("a row cut").await.expect("it is one's own"));
    for site in &mut trio.sites {
        site.restart().await;
    }
    assert!(few.collect().await.expect("it is one's own") == before);
    assert!(fed.collect().await.expect("it is one's own") == frame);
    assert_eq!(bits(&numbers.nansum(Axis::All).expect("a row cut").await.expect("it is one's own")), sum);
    assert_eq!(recoveries(&trio.fed), [1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_relayed_comes_back() {
    let mut trio = Trio::start().await;
    let array = Array2::from_shape_fn((8, 6), |(i, j)| ((i * 7 + j * 3) % 11) as f64);
    let layout = Layout::columns([("a", 2), ("b", 1), ("c", 3)], 8).expect("there are parts");
    let x = place(&trio.fed, &array, &layout);
    // The largest of each row, kept.
    let tops = x.row_max().and_then(|tops| tops.multiply(2.0)).expect("it is relayed");
    tops.persist().await.expect("it is one's own");
    for index in 0..3 {
        trio.sites[index].restart().await;
        let twice = array.map_axis(Along(1), |row| 2.0 * row.fold(0.0_f64, |top, x| top.max(*x)));
        assert_eq!(tops.to_array().await.expect("it is one's own"), twice.insert_axis(Along(1)));
        let again = x.row_max().and_then(|tops| tops.sum(Axis::All)).expect("it is relayed").scalar().await;
        assert_eq!(2.0 * again.expect("it is one's own"), tops.to_array().await.expect("it is one's own").sum());
    }
    assert_eq!(recoveries(&trio.fed), [1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_once() {
    let mut trio = Trio::start().await;
    let fed = &trio.fed;
    let x = place(fed, &Array2::from_shape_fn((300, 2), |(i, j)| (i + j) as f64), &even(300, 2));
    x.persist().await.expect("it is small");
    trio.sites[0].restart().await;
    trio.sites[2].restart().await;
    let mut tasks = tokio::task::JoinSet::new();
    for factor in 0..12 {
        let x = x.clone();
        tasks.spawn(async move {
            let scaled = x.multiply(f64::from(factor)).expect("it fits");
            let sum = scaled.sum(Axis::All).expect("a row cut").scalar().await.expect("it is one's own");
            assert_eq!(sum, 90_000.0 * f64::from(factor));
            assert_eq!(scaled.to_array().await.expect("it is one's own")[[299, 1]], 300.0 * f64::from(factor));
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("all of them succeed");
    }
    assert_eq!(recoveries(fed), [1, 0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn switched_off_a_lost_scope_is_an_error() {
    let mut trio = Trio::start().await;
    let fed = &trio.fed;
    fed.recover(false);
    let x = place(fed, &array![[1.0], [2.0], [3.0]], &even(3, 1));
    x.persist().await.expect("it is small");
    trio.sites[1].restart().await;
    let error = x.sum(Axis::All).expect("a row cut").await.expect_err("it is lost");
    assert_eq!((error.site(), error.code()), (Some("b"), Some(ErrorCode::ScopeLost)));
    let error = x.sum(Axis::All).expect("a row cut").await.expect_err("it is still lost");
    assert_eq!((error.site(), error.code()), (Some("b"), Some(ErrorCode::ScopeLost)));
    assert_eq!(recoveries(fed), [0, 0, 0]);
    // What was made meanwhile cannot be made again; what is made from now on can.
    fed.recover(true);
    let error = x.sum(Axis::All).expect("a row cut").await.expect_err("nobody knows how it was made").to_string();
    assert!(error.contains("site b") && error.contains("switched off"), "{error}");
    let y = place(fed, &array![[1.0], [2.0], [3.0]], &even(3, 1));
    assert_eq!(y.sum(Axis::All).expect("a row cut").scalar().await.expect("it is one's own"), 6.0);
    trio.sites[1].restart().await;
    assert_eq!(y.sum(Axis::All).expect("a row cut").scalar().await.expect("it is made again"), 6.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_federation_can_be_closed() {
    let mut trio = Trio::start().await;
    let other = trio.connect("bob").await;
    place(&other, &array![[1.0], [2.0], [3.0]], &even(3, 1)).persist().await.expect("it is small");
    trio.sites[0].restart().await;
    other.close().await.expect("what is lost is cleared");
}
