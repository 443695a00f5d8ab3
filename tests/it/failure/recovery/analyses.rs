//! Algorithms that survive restarts give the same bits as undisturbed ones.

use fondaco::{
    Axis, FedMatrix, Layout,
    algorithms::{ConjugateGradient, KMeans},
};
use ndarray::Array2;

use super::{bits, recoveries};
use crate::{
    harness::{Random, eventually},
    laws::trio::{Trio, place},
};

fn data(columns: usize) -> (Array2<f64>, Layout) {
    let layout = Layout::rows([("a", 400), ("b", 700), ("c", 300)], columns as u64).expect("there are parts");
    (Random::new(77).matrix(1400, columns), layout)
}

/// Power iterations, with what each site keeps of the last one; before some of them sites restart.
async fn powers(trio: &mut Trio, x: &FedMatrix, restarts: &[(usize, usize)]) -> Vec<u64> {
    let mut v = Array2::from_elem((x.ncols() as usize, 1), 1.0);
    let mut kept = x.clone();
    for step in 0..12 {
        for (_, site) in restarts.iter().filter(|(at, _)| *at == step) {
            trio.sites[*site].restart().await;
        }
        v = x.mmchain(&v).expect("a row cut").await.expect("it is one's own");
        v /= v.iter().map(|x| x * x).sum::<f64>().sqrt();
        kept = kept.multiply(0.5).and_then(|kept| kept.add(v.t().to_owned())).expect("it fits");
    }
    let mut all = bits(&v);
    all.extend(bits(&kept.sum(Axis::Columns).expect("a row cut").await.expect("it is one's own")));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn iterations_go_on() {
    let mut trio = Trio::start().await;
    let (array, layout) = data(6);
    let x = place(&trio.fed, &array, &layout);
    let expected = powers(&mut trio, &x, &[]).await;
    let disturbed = powers(&mut trio, &x, &[(3, 1), (5, 0), (5, 2), (9, 1)]).await;
    assert_eq!(disturbed, expected);
    assert_eq!(recoveries(&trio.fed), [1, 2, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fit_goes_on() {
    let mut trio = Trio::start().await;
    let (array, layout) = data(8);
    let x = place(&trio.fed, &array, &layout);
    let y = place(&trio.fed, &array.sum_axis(ndarray::Axis(1)).insert_axis(ndarray::Axis(1)), &layout.column());
    let descent = ConjugateGradient { tol: 0.0, max_iter: Some(400), ..ConjugateGradient::default() };
    let expected = descent.fit(&x, &y).await.expect("there is a solution");
    let fit = tokio::spawn({
        let (x, y) = (x.clone(), y.clone());
        async move { descent.fit(&x, &y).await }
    });
    let trips = trio.fed.stats().round_trips();
    eventually("it has begun", async || trio.fed.stats().round_trips() > trips + 3 || fit.is_finished()).await;
    trio.sites[1].restart().await;
    let fitted = fit.await.expect("it does not panic").expect("there is a solution");
    assert_eq!((bits(&fitted.coef), fitted.n_iter), (bits(&expected.coef), expected.n_iter));
    let again = descent.fit(&x, &y).await.expect("there is a solution");
    assert_eq!(bits(&again.coef), bits(&expected.coef));
    assert_eq!(recoveries(&trio.fed), [0, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_are_the_same() {
    let mut trio = Trio::start().await;
    let (array, layout) = data(3);
    let x = place(&trio.fed, &array, &layout);
    let centers = array.slice(ndarray::s![0..4, ..]).to_owned();
    let kmeans = |iterations| KMeans { tol: 0.0, max_iter: iterations, ..KMeans::new(4) };
    let expected = kmeans(6).with_centers(centers.clone()).fit(&x).await.expect("it is one's own");
    let half = kmeans(3).with_centers(centers).fit(&x).await.expect("it is one's own");
    trio.sites[0].restart().await;
    trio.sites[1].restart().await;
    let rest = kmeans(3).with_centers(half.cluster_centers).fit(&x).await.expect("it is made again");
    assert_eq!(bits(&rest.cluster_centers), bits(&expected.cluster_centers));
    assert_eq!(recoveries(&trio.fed), [1, 1, 0]);
}
