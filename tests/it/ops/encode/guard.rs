//! What encoders let out of protected data, and what not.

use fondaco::{
    Axis, Error, ErrorCode, Frame, Series, column,
    encode::{
        Categories, ColumnTransformer, FittedEncoder, Impute, KBinsDiscretizer, Numeric, OneHotEncoder, Scale, Strategy,
    },
};

use crate::{frames::table, laws::trio::Trio};

/// 60 rows a site: 30 of `x`, 24 of `y`, `rare` ones of `z`, the others gaps; numbers that are all different.
fn rows(rare: usize) -> Frame {
    let text = |i: usize| match i {
        0..30 => Some("x".to_owned()),
        30..54 => Some("y".to_owned()),
        i if i < 54 + rare => Some("z".to_owned()),
        _gap => None,
    };
    let t: Vec<Option<String>> = (0..60).map(text).collect();
    let n: Vec<f64> = (0..60).map(|i| (i * i % 61) as f64 + 0.5).collect();
    Frame::new([("t", Series::Text(t)), ("n", n.into())]).expect("one length")
}

async fn protected(rare: [usize; 3]) -> Trio {
    Trio::planned(|index, plan| plan.dataset("d", &table(&rows(rare[index])))).await
}

fn is_denied<T: std::fmt::Debug>(result: Result<T, Error>) {
    match result {
        Err(Error::Site { error, .. }) if error.code() == ErrorCode::ReleaseDenied => {}
        other => panic!("it should be denied: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rare_categories_stay() {
    let trio = protected([6, 6, 6]).await;
    let frame = trio.fed.read("d").frame().await.unwrap();
    let fit = async |frame: &fondaco::FedFrame| {
        let fitted = ColumnTransformer::new().with(["t"], OneHotEncoder::new()).fit(frame).await.unwrap();
        let FittedEncoder::OneHot { categories: Categories::Text(texts), missing, .. } =
            fitted.columns[0].encoder.clone()
        else {
            panic!("it is one-hot")
        };
        (texts, missing, fitted)
    };
    let (texts, missing, _) = fit(&frame).await;
    assert_eq!((texts, missing), (["x", "y", "z"].map(String::from).to_vec(), false));
    // One row is nobody's category, and takes the 5 gaps with it, so that it is not alone.
    let trio = protected([1, 1, 1]).await;
    let frame = trio.fed.read("d").frame().await.unwrap();
    let (texts, missing, fitted) = fit(&frame).await;
    assert_eq!((texts, missing), (["x", "y"].map(String::from).to_vec(), false));

    let matrix = fitted.transform(&frame).unwrap();
    let sums = matrix.sum(Axis::Columns).unwrap().await.unwrap();
    assert_eq!(sums.row(0).to_vec(), [90.0, 72.0]);
    is_denied(matrix.to_array().await);
    is_denied(frame.collect().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_of_categories_are_as_the_datas_own() {
    let trio = protected([6, 6, 6]).await;
    let frame = trio.fed.read("d").frame().await.unwrap();
    let transformer = ColumnTransformer::new()
        .with(["t"], OneHotEncoder::new())
        .with(["n"], Numeric::new().impute(Impute::Mean).scale(Scale::Standard));
    let (_, matrix) = transformer.fit_transform(&frame).await.unwrap();
    let gram = matrix.gram().unwrap().await.unwrap();
    assert_eq!([gram[[0, 0]], gram[[1, 1]], gram[[2, 2]], gram[[0, 1]]], [90.0, 72.0, 18.0, 0.0]);
    // A category that nobody else may see does not show by asking for it alone.
    let trio = protected([1, 1, 1]).await;
    let frame = trio.fed.read("d").frame().await.unwrap();
    let one = fondaco::encode::FittedTransformer {
        columns: vec![fondaco::encode::FittedColumn {
            column: "t".into(),
            encoder: FittedEncoder::OneHot {
                categories: Categories::Text(vec!["z".into()]),
                missing: false,
                dropped: None,
                strict: false,
            },
        }],
    };
    assert_eq!(one.transform(&frame).unwrap().sum(Axis::All).unwrap().scalar().await.unwrap(), 0.0);
    let strict = ColumnTransformer::new().with(["t"], OneHotEncoder::new().strict()).fit(&frame).await.unwrap();
    is_denied(strict.transform(&frame).unwrap().sum(Axis::All).unwrap().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn intervals_and_filters_are_a_tenants_choice() {
    let trio = protected([6, 6, 6]).await;
    let frame = trio.fed.read("d").frame().await.unwrap();
    let bins = |edges: &[f64]| fondaco::encode::FittedTransformer {
        columns: vec![fondaco::encode::FittedColumn {
            column: "n".into(),
            encoder: FittedEncoder::Bins { edges: edges.to_vec(), one_hot: true },
        }],
    };
    let sums = bins(&[0.0, 30.0, 61.0]).transform(&frame).unwrap().sum(Axis::Columns).unwrap().await.unwrap();
    assert_eq!(sums.sum(), 180.0);
    // An interval of few rows is empty, and so is the difference of two that differ by few: nothing of it is told.
    let few = bins(&[0.0, 2.0, 61.0]).transform(&frame).unwrap().sum(Axis::Columns).unwrap().await;
    assert!(few.is_err() || few.unwrap()[[0, 0]] == 0.0);
    let (a, b) =
        (bins(&[0.0, 30.0, 61.0]).transform(&frame).unwrap(), bins(&[0.0, 31.0, 61.0]).transform(&frame).unwrap());
    let n = frame.to_matrix(["n"]).unwrap();
    is_denied(a.subtract(b).unwrap().cross(n).unwrap().await);
    is_denied(frame.filter(column("n").lt(2.0)).await.map(drop));
    is_denied(frame.filter(column("n").lt(59.0)).await.map(drop));
    assert!(frame.filter(column("n").lt(30.0)).await.unwrap().nrows() > 15);
    let uniform = ColumnTransformer::new().with(["n"], KBinsDiscretizer::new(3, Strategy::Uniform)).fit(&frame).await;
    is_denied(uniform);
    let right = Frame::new([("t", Series::from(vec!["x"])), ("k", vec![1.0].into())]).unwrap();
    let joined = frame.join(right, [("t", "t")], fondaco::JoinHow::Left, fondaco::JoinKeys::ManyToOne).await.unwrap();
    is_denied(joined.to_matrix(["n"]).unwrap().sum(Axis::All).unwrap().await);
}
