//! Files that are well-formed, and hold what no matrix can.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, DictionaryArray, Float32Array, Float64Array, Int8Array, Int32Array, Int64Array, ListArray, NullArray,
        StringArray, StructArray, UInt64Array,
    },
    datatypes::{DataType, Field, Float64Type, Int32Type},
};
use fondaco_proto::{
    ErrorCode::{Data, Invalid, Limit},
    op::{Compare, CompareOp, Filter, Literal},
};
use fondaco_worker::label::Level;
use ndarray::Array2;

use super::{clear, lives_on};
use crate::harness::{Client, Plan, Result, Site, Table, op};

/// A public dataset in both kinds of files, `parquet` and `arrow`.
async fn both(table: &Table) -> (Site, Client) {
    let plan = Plan::new();
    let (parquet, arrow) = (plan.folder().join("p.parquet"), plan.folder().join("a.arrow"));
    table.write_parquet(&parquet);
    table.write_arrow(&arrow);
    let public = |dataset: &mut fondaco_worker::config::DatasetConfig| dataset.privacy = Level::Public;
    let site = plan.files("parquet", &parquet, public).files("arrow", &arrow, public).start().await;
    let client = site.client("ada").await;
    (site, client)
}

async fn column(client: &Client, dataset: &str, name: &str) -> Result<Array2<f64>> {
    client.value(|p| p.apply(op::read_columns(dataset, &[name]), &[])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_are_no_numbers() {
    let list = ListArray::from_iter_primitive::<Float64Type, _, _>([Some(vec![Some(1.0)]), None, Some(vec![])]);
    let inner: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]));
    let pair = StructArray::from(vec![(Arc::new(Field::new("inner", DataType::Float64, true)), inner)]);
    let words: DictionaryArray<Int32Type> = ["a", "b", "a"].into_iter().collect();
    let table = Table::new()
        .f64("x", vec![1.0, 2.0, 3.0])
        .text("text", vec!["1", "2", "3"])
        .column("list", Arc::new(list))
        .column("pair", Arc::new(pair))
        .column("words", Arc::new(words));
    let (_site, client) = both(&table).await;
    for dataset in ["parquet", "arrow"] {
        for name in ["text", "list", "pair", "words"] {
            let case = format!("{name} of {dataset}");
            let refused = column(&client, dataset, name).await.expect_err(&case);
            clear(&case, &refused, &[Invalid, Data]);
            assert!(refused.message().contains(name), "{case} is not named: {refused:?}");
            lives_on(&client).await;
        }
        let all = client.value(|p| p.read(dataset)).await.expect_err("not all columns are numbers");
        clear("all columns", &all, &[Invalid, Data]);
        let unknown = column(&client, dataset, "nothing").await.expect_err("there is no such column");
        clear("an unknown column", &unknown, &[Invalid]);
        assert!(unknown.message().contains("nothing"), "{unknown:?}");
        assert_eq!(column(&client, dataset, "x").await.unwrap().column(0).to_vec(), [1.0, 2.0, 3.0]);
    }
    for info in client.describe().await.unwrap().datasets {
        let numeric: Vec<&str> = info.columns.iter().filter(|c| c.numeric).map(|c| c.name.as_str()).collect();
        assert_eq!(numeric, ["x"], "in {}", info.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn integers_keep_their_digits_or_are_refused() {
    let edge = 1_i64 << 53;
    let table = Table::new()
        .i64("edge", vec![edge, -edge, 0])
        .i64("beyond", vec![1, edge + 1, 2])
        .i64("below", vec![1, -edge - 1, 2])
        .i64("round", vec![1, 1 << 60, 2])
        .column("unsigned", Arc::new(UInt64Array::from(vec![0, u64::MAX, 1])))
        .column("small", Arc::new(Int8Array::from(vec![-128, 127, 0])))
        .column("half", Arc::new(Float32Array::from(vec![0.5, -0.0, f32::INFINITY])))
        .bool("truth", vec![true, false, true]);
    let (_site, client) = both(&table).await;
    for dataset in ["parquet", "arrow"] {
        for name in ["beyond", "below", "unsigned"] {
            let case = format!("{name} of {dataset}");
            let refused = column(&client, dataset, name).await.expect_err(&case);
            clear(&case, &refused, &[Data, Invalid]);
            assert!(refused.message().contains(name), "{case} is not named: {refused:?}");
            for digits in ["9007199254740993", "18446744073709551615"] {
                assert!(!refused.message().contains(digits), "{case} tells a value: {refused:?}");
            }
        }
        let values = async |name: &str| column(&client, dataset, name).await.unwrap().column(0).to_vec();
        assert_eq!(values("edge").await, [edge as f64, -(edge as f64), 0.0]);
        assert_eq!(values("round").await, [1.0, (1_i64 << 60) as f64, 2.0], "no digits are lost");
        assert_eq!(values("small").await, [-128.0, 127.0, 0.0]);
        assert_eq!(values("half").await, [0.5, -0.0, f64::INFINITY]);
        assert_eq!(values("truth").await, [1.0, 0.0, 1.0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nulls_dictionaries_and_no_rows() {
    let numbers = DictionaryArray::new(Int32Array::from(vec![Some(1), None, Some(0)]), {
        let values: ArrayRef = Arc::new(Float64Array::from(vec![1.5, 2.5]));
        values
    });
    let table = Table::new()
        .nullable("some", vec![Some(1.0), None, Some(3.0)])
        .nullable("none", vec![None, None, None])
        .column("integers", Arc::new(Int64Array::from(vec![Some(1), None, None])))
        .column("coded", Arc::new(numbers))
        .column("words", Arc::new(StringArray::from(vec![Some("a"), None, Some("")])));
    let (_site, client) = both(&table).await;
    let same =
        |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || a.is_nan() && b.is_nan());
    for dataset in ["parquet", "arrow"] {
        let expected =
            [("some", [1.0, f64::NAN, 3.0]), ("none", [f64::NAN; 3]), ("integers", [1.0, f64::NAN, f64::NAN])];
        for (name, expected) in expected {
            let values = column(&client, dataset, name).await.unwrap().column(0).to_vec();
            assert!(same(&values, &expected), "{name} of {dataset}: {values:?}");
        }
        match column(&client, dataset, "coded").await {
            Ok(values) => assert!(same(&values.column(0).to_vec(), &[2.5, f64::NAN, 1.5]), "{dataset}: {values:?}"),
            Err(refused) => clear("numbers in a dictionary", &refused, &[Invalid, Data]),
        }
        let nulls = client.value(|p| p.apply(op::read_where(dataset, Filter::IsNull("words".into())), &[])).await;
        clear("all columns with a text", &nulls.expect_err("one is a text"), &[Invalid, Data]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rows_and_no_columns() {
    let empty = Table::new().f64("x", vec![]).i64("n", vec![]);
    let (_site, client) = both(&empty).await;
    for dataset in ["parquet", "arrow"] {
        assert_eq!(client.value(|p| p.read(dataset)).await.unwrap().dim(), (0, 2));
        let sum = client.value(|p| {
            let x = p.read(dataset);
            p.apply(op::sum(), &[x])
        });
        assert_eq!(sum.await.unwrap(), ndarray::arr2(&[[0.0, 0.0]]));
    }
    let nothing = Table::new().column("nothing", Arc::new(NullArray::new(3)));
    let plan = Plan::new();
    let path = plan.folder().join("a.arrow");
    nothing.write_arrow(&path);
    let site = plan.files("d", &path, |dataset| dataset.privacy = Level::Public).start().await;
    let client = site.client("ada").await;
    match column(&client, "d", "nothing").await {
        Ok(values) => assert!(values.iter().all(|cell| cell.is_nan()) && values.len() == 3),
        Err(refused) => clear("a column without a type", &refused, &[Invalid, Data]),
    }
    lives_on(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_that_make_no_sense() {
    let table = Table::new().f64("x", vec![1.0, 2.0, 3.0]).text("t", vec!["a", "b", "c"]);
    let (_site, client) = both(&table).await;
    let compare = |column: &str, literal: Literal| {
        Filter::Compare(Compare { column: column.into(), op: CompareOp::Less, literal })
    };
    let nested =
        |depth: usize| (0..depth).fold(compare("x", Literal::Number(2.5)), |filter, _| Filter::Not(Box::new(filter)));
    for dataset in ["parquet", "arrow"] {
        let read = async |filter: Filter| {
            let name = client.name();
            client.read(name, op::reading(dataset, &["x"], Some(filter))).await
        };
        let cases = [
            ("an unknown column", compare("nothing", Literal::Number(1.0))),
            ("a number with a text", compare("x", Literal::Text("1".into()))),
            ("a text with a number", compare("t", Literal::Number(1.0))),
            ("an unknown column's nulls", Filter::IsNull("nothing".into())),
        ];
        for (case, filter) in cases {
            clear(&format!("{case}, {dataset}"), &read(filter).await.expect_err(case), &[Invalid, Data]);
        }
        let deep = read(nested(33)).await.expect_err("33 deep");
        clear("a deep filter", &deep, &[Limit]);
        assert_eq!(read(nested(32)).await.unwrap().shape.unwrap().rows, 2);
        assert_eq!(read(Filter::And(vec![])).await.unwrap().shape.unwrap().rows, 3, "all of none holds");
        assert_eq!(read(Filter::Or(vec![])).await.unwrap().shape.unwrap().rows, 0, "any of none does not");
        assert_eq!(read(compare("t", Literal::Text("b".into()))).await.unwrap().shape.unwrap().rows, 1);
        assert_eq!(read(compare("x", Literal::Number(f64::NAN))).await.unwrap().shape.unwrap().rows, 0);
        lives_on(&client).await;
    }
}
