//! A dataset that has changed meanwhile would give other values, silently: that is an error.

use fondaco::{Axis, Error};
use ndarray::{Array2, array};

use super::recoveries;
use crate::{
    harness::{Plan, Random, Table},
    laws::trio::{Trio, place},
};

async fn with_tables() -> Trio {
    let mut random = Random::new(41);
    let tables: Vec<Table> = (0..6).map(|_| Table::of(&random.matrix(60, 2))).collect();
    Trio::planned(|index, plan: Plan| plan.public("d", &tables[index]).public("e", &tables[3 + index])).await
}

fn is_changed(error: &Error) -> bool {
    let text = error.to_string();
    error.site() == Some("b") && text.contains("dataset d has changed") && text.contains("read it again")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_an_error_that_says_what_to_do() {
    let mut trio = with_tables().await;
    let fed = &trio.fed;
    let (d, e) = (fed.read("d").await.expect("it is public"), fed.read("e").await.expect("it is public"));
    let (sums, both) = (d.row_sum().expect("a row cut"), d.add(&e).expect("they fit"));
    sums.persist().await.expect("it is public");
    let expected = e.to_array().await.expect("it is public");
    trio.sites[1].stop().await;
    let data = Array2::from_shape_fn((60, 2), |(i, j)| (i * 2 + j) as f64);
    Table::of(&data).write_parquet(&trio.sites[1].folder().join("d.parquet"));
    trio.sites[1].serve_again().await;

    // What does not depend on it goes on.
    assert_eq!(e.to_array().await.expect("it has not changed"), expected);
    assert_eq!(recoveries(fed), [0, 1, 0]);
    for lost in [&d, &sums, &both] {
        let error = lost.sum(Axis::All).expect("a row cut").await.expect_err("it would be of other data");
        assert!(is_changed(&error), "{error}");
    }
    let again = fed.read("d").at(["b"]).await.expect("it is public");
    assert_eq!(again.to_array().await.expect("it is public"), data);
    assert_eq!(e.to_array().await.expect("it has not changed"), expected);
    trio.sites[1].restart().await;
    assert_eq!(again.to_array().await.expect("it has not changed since"), data);
    assert_eq!(recoveries(fed), [0, 2, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_after_a_change_is_of_the_changed_data() {
    let mut trio = with_tables().await;
    let fed = &trio.fed;
    let (first, second) = (Array2::from_elem((60, 2), 1.0), Array2::from_elem((7, 2), 2.0));
    let path = trio.sites[1].folder().join("d.parquet");
    Table::of(&first).write_parquet(&path);
    let before = fed.read("d").at(["b"]).await.expect("it is public");
    Table::of(&second).write_parquet(&path);
    let after = fed.read("d").at(["b"]).await.expect("it is public");
    trio.sites[1].restart().await;
    assert_eq!(after.to_array().await.expect("it is as it was when it was read"), second);
    assert!(is_changed(&before.to_array().await.expect_err("it is not")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_that_is_gone_is_named() {
    let mut trio = with_tables().await;
    let fed = &trio.fed;
    let d = fed.read("d").await.expect("it is public");
    let own = place(fed, &array![[1.0, 2.0]], &fondaco::Layout::rows([("b", 1)], 2).expect("there is a part"));
    own.persist().await.expect("it is small");
    trio.sites[1].stop().await;
    std::fs::remove_file(trio.sites[1].folder().join("d.parquet")).expect("it is there");
    trio.sites[1].serve_again().await;
    let error = d.sum(Axis::All).expect("a row cut").await.expect_err("it is gone");
    assert!(error.site() == Some("b") && error.to_string().contains("dataset d"), "{error}");
    assert_eq!(own.sum(Axis::All).expect("a part").scalar().await.expect("it is made again"), 3.0);
}
