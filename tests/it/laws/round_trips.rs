//! An iteration of an algorithm is one round trip per site; sites without rows are not asked.

use fondaco::{
    Axis, Layout, Shape,
    algorithms::{ConjugateGradient, KMeans, LinearRegression},
};
use ndarray::Array2;

use super::{
    sample::Cells,
    trio::{NAMES, Trio, place},
};
use crate::harness::Random;

#[tokio::test(flavor = "multi_thread")]
async fn an_iteration_is_one() {
    let trio = Trio::start().await;
    let fed = &trio.fed;
    let mut random = Random::new(400);
    let (x, noise) = (Cells::Normal.matrix(&mut random, 600, 6), Cells::Normal.matrix(&mut random, 600, 1));
    let y = x.dot(&Array2::from_shape_fn((6, 1), |(i, _)| i as f64)) + &noise;
    let even = |columns: u64| Layout::even(NAMES, Shape::new(600, columns)).expect("there are sites");
    let (x, y) = (place(fed, &x, &even(6)), place(fed, &y, &even(1)));
    fed.flush().await;

    let trips = || fed.stats().sites.iter().map(|site| site.round_trips).collect::<Vec<_>>();
    let since = |before: &[u64]| trips().iter().zip(before).map(|(now, before)| now - before).collect::<Vec<_>>();
    let before = trips();
    LinearRegression::default().fit(&x, &y).await.expect("there is a solution");
    assert_eq!(since(&before), [1, 1, 1], "means and centred products");

    let before = trips();
    LinearRegression { fit_intercept: false, l2: 1.0 }.fit(&x, &y).await.expect("there is a solution");
    assert_eq!(since(&before), [1, 1, 1], "products");

    let before = trips();
    let fitted = ConjugateGradient::default().fit(&x, &y).await.expect("there is a solution");
    assert!(fitted.n_iter > 2);
    assert_eq!(since(&before), [1 + fitted.n_iter as u64; 3], "one, and one per iteration");

    let before = trips();
    let centers = Cells::Normal.matrix(&mut random, 3, 6);
    let fitted = KMeans { tol: 0.0, max_iter: 7, ..KMeans::new(3) }.with_centers(centers);
    let fitted = fitted.fit(&x).await.expect("it is one's own");
    assert!(fitted.n_iter > 2);
    assert_eq!(since(&before), [1 + fitted.n_iter as u64; 3], "one, and one per iteration");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pending_goes_together() {
    let trio = Trio::start().await;
    let fed = &trio.fed;
    let x = place(fed, &Array2::ones((90, 2)), &Layout::even(NAMES, Shape::new(90, 2)).expect("there are sites"));
    let (sum, mean, gram) = (x.sum(Axis::All), x.mean(Axis::Columns), x.gram());
    let all = fed.fetch_all([sum, mean, gram].map(|pending| pending.expect("a row cut"))).await;
    assert_eq!(all.expect("it is one's own")[0], Array2::from_elem((1, 1), 180.0));
    assert_eq!(fed.stats().sites.iter().map(|site| site.round_trips).collect::<Vec<_>>(), [1, 1, 1]);
    // The first four rows are at a.
    let few = x.slice(0..4, ..).expect("within the matrix").sum(Axis::Columns).expect("a row cut").await;
    assert_eq!(few.expect("it is one's own"), Array2::from_elem((1, 2), 4.0));
    assert_eq!(fed.stats().sites.iter().map(|site| site.round_trips).collect::<Vec<_>>(), [2, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_results_come_back() {
    let trio = Trio::start().await;
    let fed = &trio.fed;
    let layout = Layout::even(NAMES, Shape::new(3000, 5)).expect("there are sites");
    let x = fed.fill(&layout, 2.0).expect("there are sites");
    let gram = x.multiply(3.0).and_then(|x| x.gram()).expect("a row cut").await.expect("it is one's own");
    assert_eq!(gram, Array2::from_elem((5, 5), 36.0 * 3000.0));
    let total = fed.stats().total();
    assert_eq!((total.bytes_sent, total.bytes_received), (0, 3 * 25 * 8));
}
