//! The pipeline on real, mixed data at four sites: the flights of the examples.

use std::{fs, path::Path};

use arrow::{
    array::{Array as _, Float64Array, StringArray},
    compute::cast,
    datatypes::DataType,
};
use fondaco::{
    Federation, Site,
    algorithms::LinearRegression,
    column,
    encode::{ColumnTransformer, Impute, Numeric, OneHotEncoder, Scale},
};
use fondaco_worker::label::Level;
use ndarray::Array2;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{assert_close, moments};
use crate::{
    harness::{Plan, token},
    oracle::least_squares,
};

const NUMBERS: [&str; 4] = ["dep_delay", "distance", "temp", "pressure"];

/// Airports, one for each site. Two sites hold the same flights: rows are rows.
const SITES: [&str; 4] = ["lga", "jfk", "lga", "ewr"];

/// What is read here of one file: carriers, days, and columns of numbers, the target last.
#[derive(Default)]
struct Flights {
    carriers: Vec<String>,
    days: Vec<f64>,
    numbers: [Vec<f64>; 5],
}

impl Flights {
    fn read(&mut self, path: &Path) {
        let file = fs::File::open(path).expect("the repository has the flights");
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("they are Parquet");
        for batch in builder.build().expect("they can be read") {
            let batch = batch.expect("they can be read");
            let as_type = |name: &str, kind: &DataType| {
                cast(batch.column_by_name(name).expect("such a column"), kind).expect("it can be cast")
            };
            let doubles = |name: &str| -> Vec<f64> {
                let column = as_type(name, &DataType::Float64);
                let column = column.as_any().downcast_ref::<Float64Array>().expect("it was cast");
                column.iter().map(|value| value.unwrap_or(f64::NAN)).collect()
            };
            let carriers = as_type("carrier", &DataType::Utf8);
            let carriers = carriers.as_any().downcast_ref::<StringArray>().expect("it was cast");
            self.carriers.extend((0..carriers.len()).map(|row| carriers.value(row).to_owned()));
            self.days.extend(doubles("day"));
            for (cells, name) in self.numbers.iter_mut().zip(NUMBERS.into_iter().chain(["arr_delay"])) {
                cells.extend(doubles(name));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_over_four_airports() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests are in a repository").join("examples/data");
    let (mut sites, mut pooled) = (Vec::new(), Flights::default());
    for airport in SITES {
        let path = data.join(airport).join("flights.parquet");
        pooled.read(&path);
        sites.push(Plan::new().files("flights", &path, |rules| rules.privacy = Level::Public).start().await);
    }
    let site = |(index, site): (usize, &crate::harness::Site)| {
        Site::new(format!("site{index}"), format!("http://{}", site.address), token("ada"))
    };
    let fed = Federation::connect(sites.iter().enumerate().map(site)).await.expect("the sites serve");

    let columns = ["carrier", "day"].into_iter().chain(NUMBERS).chain(["arr_delay"]);
    let flights = fed.read("flights").columns(columns).frame().await.unwrap();
    let train = flights.filter(column("day").le(24)).await.unwrap();
    let test = flights.filter(column("day").gt(24)).await.unwrap();
    let transformer = ColumnTransformer::new()
        .with(["carrier"], OneHotEncoder::new().drop_first())
        .with(NUMBERS, Numeric::new().impute(Impute::Mean).clip(1.5).scale(Scale::Standard));
    let (fitted, x) = transformer.fit_transform(&train).await.unwrap();
    let model = LinearRegression::default().fit(&x, &train.to_matrix(["arr_delay"]).unwrap()).await.unwrap();
    let (x, y) = (fitted.transform(&test).unwrap(), test.to_matrix(["arr_delay"]).unwrap());
    let score = model.score(&x, &y).await.unwrap();

    let expected = Pooled::of(&pooled);
    assert_close("coefficients", &model.coef, &expected.coefficients, 1e-9);
    assert!((model.intercept[[0, 0]] - expected.intercept).abs() <= 1e-9 * expected.intercept.abs(), "intercept");
    assert!((score - expected.score).abs() <= 1e-9, "{score}, not {}", expected.score);
}

/// The same of all rows at once, in plain loops.
struct Pooled {
    coefficients: Array2<f64>,
    intercept: f64,
    score: f64,
}

impl Pooled {
    fn of(flights: &Flights) -> Self {
        let (train, test): (Vec<usize>, Vec<usize>) =
            (0..flights.days.len()).partition(|&row| flights.days[row] <= 24.0);
        let of = |column: &[f64], rows: &[usize]| -> Vec<f64> { rows.iter().map(|&row| column[row]).collect() };
        let mut carriers: Vec<&String> = train.iter().map(|&row| &flights.carriers[row]).collect();
        carriers.sort();
        carriers.dedup();
        carriers.remove(0);
        let mut columns: Vec<Vec<f64>> = Vec::new();
        for carrier in carriers {
            columns.push(flights.carriers.iter().map(|other| f64::from(u8::from(other == carrier))).collect());
        }
        for numbers in &flights.numbers[..NUMBERS.len()] {
            let present: Vec<f64> = of(numbers, &train).into_iter().filter(|x| !x.is_nan()).collect();
            let (mean, _) = moments(&present);
            let filled: Vec<f64> = numbers.iter().map(|x| if x.is_nan() { mean } else { *x }).collect();
            let (mean, std) = moments(&of(&filled, &train));
            let clipped: Vec<f64> = filled.iter().map(|x| x.clamp(mean - 1.5 * std, mean + 1.5 * std)).collect();
            let (mean, std) = moments(&of(&clipped, &train));
            columns.push(clipped.iter().map(|x| (x - mean) / std).collect());
        }
        let features = columns.len();
        columns.push(vec![1.0; flights.days.len()]);
        let x = |rows: &[usize]| Array2::from_shape_fn((rows.len(), features + 1), |(i, j)| columns[j][rows[i]]);
        let y =
            |rows: &[usize]| Array2::from_shape_fn((rows.len(), 1), |(i, _)| flights.numbers[NUMBERS.len()][rows[i]]);
        let w = least_squares(&x(&train), &y(&train));
        let target = y(&test);
        let residual = (&target - &x(&test).dot(&w)).mapv(|e| e * e).sum();
        let spread = (&target - target.mean().unwrap_or(0.0)).mapv(|e| e * e).sum();
        let coefficients = w.slice(ndarray::s![..features, ..]).to_owned();
        Self { coefficients, intercept: w[[features, 0]], score: 1.0 - residual / spread }
    }
}
