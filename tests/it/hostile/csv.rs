//! CSV files over the wire: what they hold, what is wrong with them, and what their owner says of them.

use std::fs;

use fondaco_proto::{
    ErrorCode::{Data, Invalid},
    op::{Compare, CompareOp, Filter, Literal},
};
use fondaco_worker::{
    config::DatasetConfig,
    label::Level,
    source::{CsvOptions, CsvType},
};
use ndarray::{Array2, arr2};

use super::{clear, lives_on, memory_returns};
use crate::harness::{Client, Folder, Plan, Process, Random, Result, Site, Table, op, owner};

/// A public dataset over a CSV file of these bytes.
async fn over(bytes: impl AsRef<[u8]>, rules: impl FnOnce(&mut DatasetConfig)) -> (Site, Client) {
    let plan = Plan::new();
    let path = plan.folder().join("d.csv");
    fs::write(&path, bytes).unwrap();
    let public = |dataset: &mut DatasetConfig| {
        dataset.privacy = Level::Public;
        rules(dataset);
    };
    let site = plan.files("d", &path, public).start().await;
    let client = site.client("ada").await;
    (site, client)
}

async fn columns(client: &Client, names: &[&str], filter: Option<Filter>) -> Result<Array2<f64>> {
    let bound = client.name();
    client.read(bound, op::reading("d", names, filter)).await?;
    client.fetch(bound).await
}

fn compare(column: &str, op: CompareOp, literal: Literal) -> Option<Filter> {
    Some(Filter::Compare(Compare { column: column.into(), op, literal }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_in_csv_is_the_table_in_parquet() {
    let mut random = Random::new(6);
    let rows = 40_000;
    let words: Vec<String> = (0..rows).map(|row| format!("word \"{}\",\n{}", row % 7, random.below(90))).collect();
    let table = Table::of(&random.matrix(rows, 5))
        .i64("n", (0..rows as i64).map(|row| row * row - 1_000).collect())
        .nullable("some", (0..rows).map(|row| (row % 3 > 0).then_some(row as f64 / 8.0)).collect())
        .bool("b", (0..rows).map(|row| row % 2 == 0).collect())
        .text("t", words.iter().map(String::as_str).collect());
    let plan = Plan::new().public("parquet", &table);
    let path = plan.folder().join("d.csv");
    table.write_csv(&path);
    let site = plan.files("csv", &path, |dataset| dataset.privacy = Level::Public).start().await;
    let client = site.client("ada").await;
    let datasets = client.describe().await.unwrap().datasets;
    assert_eq!((datasets[0].name.as_str(), datasets[1].name.as_str()), ("csv", "parquet"));
    assert_eq!(datasets[0].columns, datasets[1].columns, "the same names and types");
    for filter in [
        None,
        compare("n", CompareOp::Greater, Literal::Number(1e6)),
        compare("t", CompareOp::Less, Literal::Text("word \"3\",\n5".into())),
        Some(Filter::IsNull("some".into())),
    ] {
        let read = async |dataset: &str| {
            let name = client.name();
            client.read(name, op::reading(dataset, &["some", "c0", "c4", "b", "n"], filter.clone())).await.unwrap();
            client.fetch(name).await.unwrap()
        };
        let (csv, parquet) = (read("csv").await, read("parquet").await);
        assert_eq!(csv.dim(), parquet.dim());
        assert!(csv.iter().zip(&parquet).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_without_what_stands_there() {
    let cases: [(&str, &[u8], &str); 9] = [
        ("nothing", b"", "no rows"),
        ("a short row", b"x,y\n1,2\n3\n", "line 3 has 1 fields"),
        ("a long row", b"x,y\n1,2,topsecret\n", "line 2 has 3 fields"),
        ("a quote inside", b"x,y\n1,top\"secret\n", "line 2"),
        ("a quote that stays open", b"x,y\n1,2\n3,\"topsecret\n", "line 3 begins a row with a quote"),
        ("Latin-1", b"x,y\n1,topsecret \xe9\n", "line 2 is not UTF-8"),
        ("zeros", b"x,y\n1,topsecret\0\n", "line 2 has a character 0"),
        ("Parquet by another name", b"PAR1\x15\x04\x00\x00PAR1", "character 0"),
        ("old line ends", b"x,y\r1,topsecret\r", "line 1 has a carriage return"),
    ];
    let (site, _) = over(b"", |_| {}).await;
    for (case, bytes, expected) in cases {
        fs::write(site.folder().join("d.csv"), bytes).unwrap();
        let client = site.client("ada").await;
        let refused = client.bind(|p| p.read("d")).await.expect_err(case);
        clear(case, &refused, &[Data]);
        assert!(
            refused.message().contains(expected) && !refused.message().contains("topsecret"),
            "{case}: {refused:?}"
        );
        let datasets = client.describe().await.unwrap().datasets;
        assert!(datasets[0].columns.is_empty(), "{case}: it has no columns now");
        lives_on(&client).await;
        client.clear(&[]).await.unwrap();
        memory_returns(&site, 1 << 10).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_what_their_cells_are() {
    let bytes =
        "x,id,t,d,nothing\n1,9007199254740993,a,1970-01-02,\n,2,NA,1969-12-31,NaN\n.5,3,\"b \"\"c\"\"\",,null\n";
    let (_site, client) = over(bytes, |_| {}).await;
    let infos = client.describe().await.unwrap().datasets.remove(0).columns;
    let infos: Vec<_> = infos.iter().map(|info| (info.name.as_str(), info.r#type.as_str(), info.numeric)).collect();
    let expected = [
        ("x", "float64", true),
        ("id", "int64", true),
        ("t", "text", false),
        ("d", "date", true),
        ("nothing", "null", true),
    ];
    assert_eq!(infos, expected);
    let x = columns(&client, &["x", "d", "nothing"], None).await.unwrap();
    assert_eq!(
        x.map(|cell| if cell.is_nan() { -9.0 } else { *cell }),
        arr2(&[[1.0, 1.0, -9.0], [-9.0, -1.0, -9.0], [0.5, -9.0, -9.0]])
    );
    let text = compare("t", CompareOp::Equal, Literal::Text("b \"c\"".into()));
    assert_eq!(columns(&client, &["id"], text).await.unwrap(), arr2(&[[3.0]]));
    let refused = columns(&client, &["id"], None).await.expect_err("digits would be lost");
    clear("digits", &refused, &[Data]);
    assert!(refused.message().contains("\"id\"") && !refused.message().contains("9007199254740993"), "{refused:?}");
    let refused = columns(&client, &["t"], None).await.expect_err("a text is no number");
    clear("a text", &refused, &[Data]);
    let refused = columns(&client, &["x"], compare("d", CompareOp::Less, Literal::Text("1970".into()))).await;
    clear("a date and a text", &refused.expect_err("dates are numbers"), &[Invalid]);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_do_not_name_a_column_that_is_not_shown() {
    let types = ["age", "diagnosis"].map(|name| (name.to_owned(), CsvType::Int64)).into();
    let options = CsvOptions { types, ..CsvOptions::default() };
    let bytes = "age,diagnosis\n40,5\n50,topsecret\n";
    for (shown, named) in [(&[][..], true), (&["age"], false)] {
        let (_site, client) = over(bytes, |dataset| {
            dataset.csv = Some(options.clone());
            dataset.columns = shown.iter().map(|name| (*name).to_owned()).collect();
        })
        .await;
        let refused = columns(&client, &["age"], None).await.expect_err("a cell is of another type");
        clear("a cell of another type", &refused, &[Data]);
        assert!(refused.message().contains("line 3") && !refused.message().contains("topsecret"), "{refused:?}");
        assert_eq!(refused.message().contains("diagnosis"), named, "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_served_and_a_site_says_what_its_files_are() {
    let folder = Folder::new();
    fs::write(folder.join("people.csv"), "age;size\n40;1.5\n50;1.75\n").unwrap();
    fs::create_dir(folder.join("visits")).unwrap();
    fs::write(folder.join("visits").join("1.tsv"), "day\tn\n2024-01-01\t3\n").unwrap();
    fs::write(folder.join("visits").join("2.csv"), "day,n\n2024-01-02,4\n").unwrap();
    let process = Process::serve(folder, &["ada"], &["--privacy", "public"]);
    let listed = owner(&["datasets", &format!("fondaco://{}@{}", process.token("ada"), process.address)]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    for part in ["people  (public", "age   int64", "size  float64", "visits  (public", "day  date"] {
        assert!(listed.contains(part), "{part:?} is not in {listed}");
    }
    let client = process.client("ada").await;
    let visits = client.value(|p| p.read("visits")).await.unwrap();
    assert_eq!(visits, arr2(&[[19_723.0, 3.0], [19_724.0, 4.0]]));

    let folder = Folder::new();
    fs::write(folder.join("people.txt"), "ada|36|-\ngrace|-|1.5\n").unwrap();
    let hash = blake3::hash(b"a-token").to_hex();
    let site = format!(
        "listen = '127.0.0.1:0'\n[[tenants]]\nname = 'ada'\ntoken_blake3 = '{hash}'\n[[datasets]]\nname = 'people'\n\
         path = 'people.txt'\nprivacy = 'public'\n[datasets.csv]\ndelimiter = '|'\nheader = false\nnulls = ['-']\n\
         types = {{ column_1 = 'text', column_2 = 'float64' }}\n"
    );
    let process = Process::configured(folder, &site);
    let client = process.client_with("a-token").await;
    let infos = client.describe().await.unwrap().datasets.remove(0).columns;
    let infos: Vec<_> = infos.iter().map(|info| (info.name.as_str(), info.r#type.as_str())).collect();
    assert_eq!(infos, [("column_1", "text"), ("column_2", "float64"), ("column_3", "float64")]);
    let filter = compare("column_1", CompareOp::Equal, Literal::Text("grace".into()));
    let name = client.name();
    client.read(name, op::reading("people", &["column_2", "column_3"], filter)).await.unwrap();
    let row = client.fetch(name).await.unwrap();
    assert!(row[[0, 0]].is_nan() && row[[0, 1]] == 1.5, "{row}");
}
