//! A program that fails at one site: its handles repeat the error, the others stay usable, and nothing is left behind.

use fondaco::{Axis, Error, ErrorCode, FedMatrix, Layout};
use ndarray::Array2;

use super::trio::{Trio, place};

/// Site b has little memory for a tenant.
async fn small_at_b() -> Trio {
    Trio::with(|index, limits| {
        limits.reuse = false;
        if index == 1 {
            limits.tenant_bytes_max = 100_000;
        }
    })
    .await
}

fn rows(trio: &Trio) -> (FedMatrix, Array2<f64>) {
    let array = Array2::from_shape_fn((1200, 2), |(i, j)| (i % 17) as f64 - j as f64);
    let layout = Layout::rows([("a", 400), ("b", 700), ("c", 100)], 2).expect("there are parts");
    (place(&trio.fed, &array, &layout), array)
}

fn is_exhausted_at_b(error: &Error) -> bool {
    error.site() == Some("b") && error.code() == Some(ErrorCode::Limit)
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_repeat_the_error_and_others_stay_usable() {
    let trio = small_at_b().await;
    let (x, array) = rows(&trio);
    x.persist().await.expect("it is small");
    let before = [trio.sites[0].tenant("ada").await.bytes, trio.sites[2].tenant("ada").await.bytes];

    let wide = x.matmul(Array2::ones((2, 40))).expect("shapes fit");
    let (sum, of_it) = (wide.sum(Axis::All).expect("a row cut"), wide.abs().expect("every layout is accepted"));
    let error = sum.await.expect_err("it is too large for b");
    assert!(is_exhausted_at_b(&error), "{error}");
    assert_eq!(wide.gram().expect_err("it was never bound"), error);
    assert_eq!(of_it.fetch().expect_err("it was never bound"), error);
    assert_eq!(wide.persist().await.expect_err("it was never bound"), error);
    assert_eq!(x.add(&wide).expect_err("one was never bound"), error);

    let sum = x.sum(Axis::Columns).expect("a row cut").await.expect("x is as it was");
    assert_eq!(sum, array.sum_axis(ndarray::Axis(0)).insert_axis(ndarray::Axis(0)));
    assert_eq!(x.to_array().await.expect("x is as it was"), array);
    // Drops ride with the programs above; a few numbers are kept for retries.
    let after = [trio.sites[0].tenant("ada").await.bytes, trio.sites[2].tenant("ada").await.bytes];
    assert!(after.iter().zip(&before).all(|(after, before)| *after < before + 100), "{before:?} bytes, then {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_queued_with_it_fails_with_it_and_can_be_asked_again() {
    let trio = small_at_b().await;
    let (x, array) = rows(&trio);
    x.persist().await.expect("it is small");
    let wide = x.matmul(Array2::ones((2, 40))).expect("shapes fit");
    let (bad, good) = (wide.nnz(Axis::All).expect("a row cut"), x.nnz(Axis::All).expect("a row cut"));
    // A program is atomic: both were in it.
    assert!(is_exhausted_at_b(&bad.await.expect_err("it is too large for b")));
    assert!(is_exhausted_at_b(&good.await.expect_err("its program failed")));
    drop(wide);
    let again = x.nnz(Axis::All).expect("a row cut").scalar().await.expect("x is as it was");
    assert_eq!(again, array.iter().filter(|x| **x != 0.0).count() as f64);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_fails_at_one_site() {
    let trio = small_at_b().await;
    let (x, array) = rows(&trio);
    let layout = Layout::rows([("a", 1), ("b", 200_000), ("c", 1)], 1).expect("there are parts");
    let large = place(&trio.fed, &Array2::ones((200_002, 1)), &layout);
    let error = large.sum(Axis::All).expect("a row cut").await.expect_err("it is too large for b");
    assert!(is_exhausted_at_b(&error), "{error}");
    // x was queued with it, and never bound either.
    assert_eq!(x.sum(Axis::All).expect_err("its program failed"), error);
    let (x, _) = rows(&trio);
    assert_eq!(x.to_array().await.expect("it is small"), array);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_is_of_its_own_federation() {
    let trio = small_at_b().await;
    let other = trio.connect("bob").await;
    let (x, _) = rows(&trio);
    let wide = x.matmul(Array2::ones((2, 40))).expect("shapes fit");
    assert!(is_exhausted_at_b(&wide.persist().await.expect_err("it is too large for b")));
    let theirs = place(&other, &Array2::ones((3, 1)), &Layout::rows([("b", 3)], 1).expect("there is a part"));
    assert_eq!(theirs.sum(Axis::All).expect("a row cut").scalar().await.expect("it is small"), 3.0);
    let error = theirs.add(&wide).expect_err("two federations").to_string();
    assert!(error.contains("two federations"), "{error}");
}
