//! One-hot, impute, clip, scale, split, regress, score: over several sites as over all rows at once.

use fondaco::{
    Frame, Layout, Series,
    algorithms::LinearRegression,
    encode::{ColumnTransformer, Impute, Numeric, OneHotEncoder, Scale},
};
use ndarray::{Array2, s};

use super::{assert_close, moments};
use crate::{harness::Random, laws::trio::Trio, oracle::least_squares};

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_is_as_over_all_rows() {
    let trio = Trio::start().await;
    let mut random = Random::new(101);
    let rows = 2000;
    let cities = ["kiel", "bonn", "jena", "ulm"];
    let city: Vec<usize> = (0..rows).map(|_| random.below(4)).collect();
    let x: Vec<Option<f64>> = (0..rows)
        .map(|_| (random.below(9) > 0).then(|| 100.0 + 30.0 * random.unit() + 200.0 * random.unit().powi(9)))
        .collect();
    let y: Vec<f64> = (0..rows).map(|i| city[i] as f64 * 3.0 + 0.25 * x[i].unwrap_or(90.0) + random.unit()).collect();
    let texts: Vec<&str> = city.iter().map(|city| cities[*city]).collect();
    let frame = Frame::new([("city", Series::from(texts)), ("x", x.clone().into()), ("y", y.clone().into())]).unwrap();
    let parts = [("a", 700), ("b", 1), ("c", 900), ("a", 399)];
    let fed = trio.fed.scatter_frame(frame, &Layout::rows(parts, 3).unwrap()).unwrap();

    let (_, features) = ColumnTransformer::new()
        .with(["city"], OneHotEncoder::new().drop_first())
        .with(["x"], Numeric::new().impute(Impute::Mean).clip(1.5).scale(Scale::Standard))
        .fit_transform(&fed)
        .await
        .unwrap();
    let target = fed.to_matrix(["y"]).unwrap();
    let (train, test) = (0..1500, 1500..2000);
    let model = LinearRegression::default()
        .fit(&features.slice(train.clone(), ..).unwrap(), &target.slice(train, ..).unwrap())
        .await
        .unwrap();
    let score =
        model.score(&features.slice(test.clone(), ..).unwrap(), &target.slice(test, ..).unwrap()).await.unwrap();

    // The same of all rows, in plain loops.
    let present: Vec<f64> = x.iter().flatten().copied().collect();
    let (mean, _) = moments(&present);
    let filled: Vec<f64> = x.iter().map(|x| x.unwrap_or(mean)).collect();
    let (mean, std) = moments(&filled);
    let clipped: Vec<f64> = filled.iter().map(|x| x.clamp(mean - 1.5 * std, mean + 1.5 * std)).collect();
    let (mean, std) = moments(&clipped);
    // In the order of the alphabet, without the first: bonn, jena, kiel, ulm.
    let column = |i: usize, j: usize| match j {
        0 => f64::from(u8::from(cities[city[i]] == "jena")),
        1 => f64::from(u8::from(cities[city[i]] == "kiel")),
        2 => f64::from(u8::from(cities[city[i]] == "ulm")),
        3 => (clipped[i] - mean) / std,
        _one => 1.0,
    };
    let all = Array2::from_shape_fn((rows, 5), |(i, j)| column(i, j));
    assert_close("features", &features.to_array().await.unwrap(), &all.slice(s![.., ..4]).to_owned(), 1e-11);
    let y = Array2::from_shape_vec((rows, 1), y).unwrap();
    let pooled = least_squares(&all.slice(s![..1500, ..]).to_owned(), &y.slice(s![..1500, ..]).to_owned());
    assert_close("coefficients", &model.coef, &pooled.slice(s![..4, ..]).to_owned(), 1e-9);
    assert!((model.intercept[[0, 0]] - pooled[[4, 0]]).abs() < 1e-9, "{} {}", model.intercept, pooled[[4, 0]]);
    let (x, y) = (all.slice(s![1500.., ..]), y.slice(s![1500.., ..]));
    let residual = (&y - &x.dot(&pooled)).mapv(|e| e * e).sum();
    let spread = (&y - y.mean().unwrap()).mapv(|e| e * e).sum();
    assert!((score - (1.0 - residual / spread)).abs() < 1e-9, "{score}");
}
