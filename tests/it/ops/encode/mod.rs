//! Frames to frames, encoders, and back: as in plain loops over all rows at once.

mod flights;
mod guard;
mod pipeline;

use std::collections::BTreeSet;

use fondaco::{
    Axis, ColumnKind, Frame, JoinHow, JoinKeys, Map, Series, column,
    encode::{
        ColumnTransformer, FeatureHasher, FittedTransformer, Impute, KBinsDiscretizer, Numeric, OneHotEncoder,
        OrdinalEncoder, Scale, Strategy,
    },
};
use ndarray::{Array2, Axis as NdAxis};

use super::cases;
use crate::{
    frames::{place, sample, take},
    harness::Random,
    laws::{sample::Cuts, trio::Trio},
};

/// The texts of a column.
fn texts<'a>(frame: &'a Frame, name: &str) -> &'a [Option<String>] {
    frame.column(name).expect("there is such a column").texts().expect("it is text")
}

/// The numbers of a column, NaN for gaps.
fn numbers(frame: &Frame, name: &str) -> Vec<f64> {
    frame.column(name).expect("there is such a column").numbers().expect("it is no text")
}

fn assert_close(what: &str, actual: &Array2<f64>, expected: &Array2<f64>, slack: f64) {
    assert_eq!(actual.dim(), expected.dim(), "{what}");
    for ((place, a), e) in actual.indexed_iter().zip(expected) {
        let alike = a == e || (a.is_nan() && e.is_nan()) || (a - e).abs() <= slack * e.abs().max(1.0);
        assert!(alike, "{what}: {a}, not {e}, at {place:?}");
    }
}

fn below(columns: Vec<Vec<f64>>) -> Array2<f64> {
    let rows = columns.first().map_or(0, Vec::len);
    Array2::from_shape_fn((rows, columns.len()), |(i, j)| columns[j][i])
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_frames() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(97, 6) {
        let rows = *random.pick(&[1, 40, 5000]);
        let frame = sample(&mut random, rows);
        let cuts = Cuts::rows(&mut random, rows, 5);
        let fed = place(&trio, &frame, &cuts);
        let (i, t) = (numbers(&frame, "i"), texts(&frame, "t"));
        let where_ =
            |keep: &dyn Fn(usize) -> bool| take(&frame, &(0..rows).filter(|row| keep(*row)).collect::<Vec<_>>());

        let renamed = fed.select(["t", "f"]).unwrap().rename([("t", "text")]).unwrap();
        let names: Vec<&str> = renamed.fields().iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["text", "f"]);
        assert_eq!(texts(&renamed.collect().await.unwrap(), "text"), t, "seed {seed}");

        let some = fed.filter(column("i").gt(0)).await.unwrap().collect().await;
        let kept = where_(&|row| i[row] > 0.0);
        // Of no rows nothing is left to have columns.
        assert_eq!(some.unwrap_or_else(|_| kept.clone()), kept, "seed {seed}");
        let complete = fed.drop_missing(["f", "t"]).await.unwrap().collect().await;
        let f = numbers(&frame, "f");
        let kept = where_(&|row| !f[row].is_nan() && t[row].is_some());
        assert_eq!(complete.unwrap_or_else(|_| kept.clone()), kept, "seed {seed}");

        let matrix = fed.to_matrix(["f", "i", "b", "d"]).unwrap().to_array().await.unwrap();
        let expected = below(["f", "i", "b", "d"].map(|name| numbers(&frame, name)).to_vec());
        assert_close("to_matrix", &matrix, &expected, 0.0);
        let back = fed.to_matrix(["f"]).unwrap().to_frame(["g"]).unwrap().collect().await.unwrap();
        assert_close("to_frame", &below(vec![numbers(&back, "g")]), &below(vec![f.clone()]), 0.0);
        let filled = fed.to_matrix(["f"]).unwrap().fill_missing([7.5]).unwrap().to_array().await.unwrap();
        let expected = below(vec![f.iter().map(|x| if x.is_nan() { 7.5 } else { *x }).collect()]);
        assert_close("fill_missing", &filled, &expected, 0.0);

        let cast = fed.cast([("i", ColumnKind::Text), ("f", ColumnKind::Int64)]).unwrap().collect().await.unwrap();
        let Series::Text(cells) = cast.column("i").unwrap() else { panic!("it was cast to text") };
        for (cell, number) in cells.iter().zip(&i) {
            assert_eq!(cell.as_deref().map_or(f64::NAN, |cell| cell.parse().unwrap()).to_bits(), number.to_bits());
        }
        let upper = fed.map("u", Map::upper("t")).unwrap().collect().await.unwrap();
        let expected: Vec<_> = t.iter().map(|text| text.as_ref().map(|text| text.to_uppercase())).collect();
        assert_eq!(texts(&upper, "u"), expected, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_join_by_their_keys() {
    let trio = Trio::start().await;
    let mut random = Random::new(98);
    let frame = sample(&mut random, 300);
    let fed = place(&trio, &frame, &Cuts::rows(&mut random, 300, 5));
    let right = Frame::new([("t", Series::from(vec!["a", "zzz", "x"])), ("n", vec![1.0, 2.0, 3.0].into())]).unwrap();
    let number = |text: &Option<String>| match text.as_deref() {
        Some("a") => 1.0,
        Some("zzz") => 2.0,
        _ => f64::NAN,
    };
    let expected: Vec<f64> = texts(&frame, "t").iter().map(number).collect();
    let left = fed.join(right.clone(), [("t", "t")], JoinHow::Left, JoinKeys::ManyToOne).await.unwrap();
    let found = left.collect().await.unwrap();
    assert_close("left", &below(vec![numbers(&found, "n")]), &below(vec![expected.clone()]), 0.0);
    let inner = fed.join(right, [("t", "t")], JoinHow::Inner, JoinKeys::ManyToOne).await.unwrap();
    let found = inner.collect().await.unwrap();
    let expected = expected.into_iter().filter(|number| !number.is_nan()).collect();
    assert_close("inner", &below(vec![numbers(&found, "n")]), &below(vec![expected]), 0.0);
}

/// One column of 0 and 1 for each category; gaps are the last, if there are any.
fn one_hot<T: Ord + Clone>(cells: &[Option<T>]) -> Vec<Vec<f64>> {
    let categories: BTreeSet<&T> = cells.iter().flatten().collect();
    let of = |holds: &dyn Fn(&Option<T>) -> bool| cells.iter().map(|cell| f64::from(u8::from(holds(cell)))).collect();
    let mut columns: Vec<Vec<f64>> =
        categories.into_iter().map(|category| of(&|cell| cell.as_ref() == Some(category))).collect();
    if cells.contains(&None) {
        columns.push(of(&|cell| cell.is_none()));
    }
    columns
}

#[tokio::test(flavor = "multi_thread")]
async fn encoders_are_as_over_all_rows() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(99, 5) {
        let rows = *random.pick(&[60, 3000, 20_000]);
        let frame = sample(&mut random, rows);
        let fed = place(&trio, &frame, &Cuts::rows(&mut random, rows, 5));
        let transformer = ColumnTransformer::new()
            .with(["t"], OneHotEncoder::new())
            .with(["f"], Numeric::new().impute(Impute::Mean).clip(1.5).scale(Scale::Standard))
            .with(["i"], OneHotEncoder::new().drop_first())
            .with(["d"], OrdinalEncoder::new().encoded_missing_value(-1.0))
            .with(["b"], Numeric::new().impute(Impute::MostFrequent));
        let fitted = transformer.fit(&fed).await.unwrap();
        let saved = FittedTransformer::from_json(&fitted.to_json().unwrap()).unwrap();
        assert_eq!(saved, fitted, "seed {seed}");
        let matrix = saved.transform(&fed).unwrap();

        let Series::Int64(i) = frame.column("i").unwrap() else { panic!("it is of integers") };
        let Series::Date(d) = frame.column("d").unwrap() else { panic!("it is of dates") };
        let mut expected = one_hot(texts(&frame, "t"));
        let f = numbers(&frame, "f");
        let present: Vec<f64> = f.iter().copied().filter(|x| !x.is_nan()).collect();
        let mean = present.iter().sum::<f64>() / present.len() as f64;
        let filled: Vec<f64> = f.iter().map(|x| if x.is_nan() { mean } else { *x }).collect();
        let (mean, std) = moments(&filled);
        let clipped: Vec<f64> = filled.iter().map(|x| x.clamp(mean - 1.5 * std, mean + 1.5 * std)).collect();
        let (mean, std) = moments(&clipped);
        expected.push(clipped.iter().map(|x| (x - mean) / std).collect());
        expected.extend(one_hot(i).into_iter().skip(1));
        let dates: Vec<i32> = d.iter().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let index = |day: &Option<i32>| day.map_or(-1.0, |day| dates.binary_search(&day).unwrap() as f64);
        expected.push(d.iter().map(index).collect());
        let b = numbers(&frame, "b");
        let count = |of: f64| b.iter().filter(|x| **x == of).count();
        let mode = if count(1.0) > count(0.0) { 1.0 } else { 0.0 };
        expected.push(b.iter().map(|x| if x.is_nan() { mode } else { *x }).collect());
        let names = fitted.feature_names_out();
        assert_eq!(names.len(), expected.len(), "seed {seed}: {names:?}");
        assert_close(&format!("seed {seed}"), &matrix.to_array().await.unwrap(), &below(expected), 1e-12);

        let back = saved.inverse_transform(&matrix).unwrap().collect().await.unwrap();
        assert_eq!(texts(&back, "t"), texts(&frame, "t"), "seed {seed}");
        assert_eq!(back.column("d").unwrap(), frame.column("d").unwrap(), "seed {seed}");
        assert_close("inverse", &below(vec![numbers(&back, "f")]), &below(vec![clipped]), 1e-12);
        // A frame elsewhere, of rows in another order, with a value that nobody knows.
        let other = Frame::new([
            ("t", Series::from(vec![Some("new"), Some("a")])),
            ("f", vec![0.0, 0.0].into()),
            ("i", Series::Int64(vec![None, Some(99)])),
            ("b", vec![true, false].into()),
            ("d", Series::Date(vec![None, None])),
        ]);
        let other = trio.fed.put_frame("b", other.unwrap()).unwrap();
        let applied = saved.transform(&other).unwrap().to_array().await.unwrap();
        let width = one_hot(texts(&frame, "t")).len();
        assert_eq!(applied.row(0).iter().take(width).sum::<f64>(), 0.0, "seed {seed}");
        assert_eq!(applied.row(1).iter().take(width).sum::<f64>(), 1.0, "seed {seed}");
    }
}

fn moments(x: &[f64]) -> (f64, f64) {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    (mean, (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64).sqrt())
}

/// `np.quantile` of numbers without gaps.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

#[tokio::test(flavor = "multi_thread")]
async fn intervals_hashes_and_quantiles() {
    let trio = Trio::start().await;
    let mut random = Random::new(100);
    let rows = 3000;
    let frame = sample(&mut random, rows);
    let fed = place(&trio, &frame, &Cuts::rows(&mut random, rows, 5));
    let f = numbers(&frame, "f");
    let mut sorted: Vec<f64> = f.iter().copied().filter(|x| !x.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    for (strategy, edges) in [
        (
            Strategy::Uniform,
            (0..=4)
                .map(|i| sorted[0] + f64::from(i) * ((sorted[sorted.len() - 1] - sorted[0]) / 4.0))
                .collect::<Vec<_>>(),
        ),
        (Strategy::Quantile, (0..=4).map(|i| quantile(&sorted, f64::from(i) / 4.0)).collect()),
    ] {
        let fitted = ColumnTransformer::new().with(["f"], KBinsDiscretizer::new(4, strategy)).fit(&fed).await.unwrap();
        let bins = fitted.transform(&fed).unwrap().to_array().await.unwrap();
        let bin =
            |x: &f64| if x.is_nan() { f64::NAN } else { edges[1..4].iter().filter(|edge| **edge <= *x).count() as f64 };
        assert_close("bins", &bins, &below(vec![f.iter().map(bin).collect()]), 0.0);
    }
    let robust = Numeric::new().impute(Impute::Median).scale(Scale::Robust);
    let (_, scaled) = ColumnTransformer::new().with(["f"], robust).fit_transform(&fed).await.unwrap();
    let median = quantile(&sorted, 0.5);
    let filled: Vec<f64> = f.iter().map(|x| if x.is_nan() { median } else { *x }).collect();
    let mut sorted = filled.clone();
    sorted.sort_by(f64::total_cmp);
    let (centre, reach) = (quantile(&sorted, 0.5), quantile(&sorted, 0.75) - quantile(&sorted, 0.25));
    let expected = below(vec![filled.iter().map(|x| (x - centre) / reach).collect()]);
    assert_close("robust", &scaled.to_array().await.unwrap(), &expected, 1e-12);
    let min_max = Numeric::new().scale(Scale::MinMax);
    let (_, scaled) = ColumnTransformer::new().with(["f"], min_max).fit_transform(&fed).await.unwrap();
    let bounds =
        [scaled.nanmin(Axis::Columns).unwrap().await.unwrap(), scaled.nanmax(Axis::Columns).unwrap().await.unwrap()];
    assert_eq!(bounds.map(|bound| bound[[0, 0]]), [0.0, 1.0]);

    // sklearn.feature_extraction.FeatureHasher(4, input_type="dict") of {"t": "a"} and {"t": "bb"}: one cell a row.
    let hashed = ColumnTransformer::new().with(["t"], FeatureHasher::new(4)).fit(&fed).await.unwrap();
    let hashed = hashed.transform(&fed).unwrap().to_array().await.unwrap();
    for (row, text) in hashed.axis_iter(NdAxis(0)).zip(texts(&frame, "t")) {
        assert_eq!(row.mapv(f64::abs).sum(), f64::from(u8::from(text.is_some())));
    }
}
