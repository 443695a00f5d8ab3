use fondaco_proto::op::{Code, Feature, Guard, Values};

use super::{super::testing::*, build, features::encode};
use crate::{
    frame::{Frame, Interner},
    kernels::{Context, dense_one},
    value::Value,
};

/// Texts `c0`, `c1`, .. in turn, with gaps, and numbers.
fn sample(rows: usize, categories: usize, cx: &Context<'_>) -> Frame {
    let mut texts = Interner::new(cx.memory);
    for i in 0..categories {
        texts.code(&format!("c{i}")).unwrap();
    }
    let texts = texts.finish().unwrap();
    let code = |row: usize| (row % 7 != 6).then_some((row * 31 % categories) as i32);
    let text = build::texts(rows, texts, cx, code).unwrap();
    let number = build::floats(rows, cx, |row| (row % 9 != 4).then(|| (row * 37 % 200) as f64 / 100.0 - 1.0)).unwrap();
    Frame::new(rows, vec![("t".to_owned(), text), ("n".to_owned(), number)])
}

fn features(categories: usize) -> Vec<Feature> {
    let of = |column: &str, code| Feature { column: column.to_owned(), code };
    let names = Values::Text((0..categories).map(|i| format!("c{i}")).collect());
    vec![
        of("n", Code::Number { missing: Some(0.25) }),
        of("t", Code::OneHot { categories: names.clone(), missing: true, strict: false, dropped: Some(1) }),
        of("t", Code::Ordinal { categories: names, strict: false, unknown: -1.0, missing: -2.0 }),
        of("n", Code::Bins { edges: vec![-1.0, 0.0, 0.5, 1.0], one_hot: true }),
        of("t", Code::Hash { columns: 8, alternate_sign: true }),
    ]
}

#[test]
fn few_cells_are_sparse_and_any_number_of_threads_gives_the_same() {
    for (rows, categories, is_sparse) in [(300, 5, false), (9000, 40, true)] {
        for guard in [Guard::Open, Guard::Native(5), Guard::Shaped(5)] {
            serially(|cx| {
                let value = encode(&sample(rows, categories, cx), &features(categories), guard, cx).unwrap();
                assert_eq!(matches!(value, Value::Sparse(_)), is_sparse);
            });
            for_each_pool(|cx| {
                dense_one(&encode(&sample(rows, categories, cx), &features(categories), guard, cx).unwrap(), cx)
                    .unwrap()
            });
        }
    }
}

#[test]
fn a_column_of_categories_takes_a_small_part_of_the_memory() {
    serially(|cx| {
        let (rows, categories) = (20_000, 1000);
        let feature = features(categories).swap_remove(1);
        let value = encode(&sample(rows, categories, cx), &vec![feature; 4], Guard::Open, cx).unwrap();
        assert!(value.bytes() * 20 <= value.shape().footprint_bytes().unwrap(), "{} bytes", value.bytes());
    });
}
