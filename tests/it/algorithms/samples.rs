//! Data for algorithms, and arrays as datasets of their owners.

use fondaco::FedMatrix;
use fondaco_worker::label::Level;
use ndarray::{Array1, Array2, s};

use crate::{
    harness::{Plan, Random, Table},
    laws::{sample::Cells, trio::Trio},
};

/// Parts of very different size.
const SHARES: [f64; 3] = [0.5, 0.3, 0.2];

/// An array as the dataset `d` at three sites, in uneven parts.
pub async fn at_sites(privacy: Level, array: &Array2<f64>) -> (Trio, FedMatrix) {
    let rows = array.nrows() as f64;
    let trio = Trio::planned(|index, plan: Plan| {
        let start: f64 = SHARES[..index].iter().sum();
        let end = if index + 1 == SHARES.len() { 1.0 } else { start + SHARES[index] };
        let part = array.slice(s![(start * rows) as usize..(end * rows) as usize, ..]).to_owned();
        plan.dataset_with("d", &Table::of(&part), |dataset| dataset.privacy = privacy)
    })
    .await;
    let read = trio.fed.read("d").await.expect("there is such a dataset");
    (trio, read)
}

/// Rows around k centres, in an order that tells nothing; the centres are `apart` standard deviations from the middle.
pub fn clusters(random: &mut Random, k: usize, rows: usize, columns: usize, apart: f64) -> (Array2<f64>, Array2<f64>) {
    let centers = Cells::Normal.matrix(random, k, columns) * apart;
    let mut x = Cells::Normal.matrix(random, rows, columns);
    for mut row in x.rows_mut() {
        row += &centers.row(random.below(k));
    }
    (x, centers)
}

/// The sum of squared distances to the nearest centre.
pub fn inertia(x: &Array2<f64>, centers: &Array2<f64>) -> f64 {
    let nearest = |row: Array1<f64>| {
        let distances = centers.rows().into_iter().map(|center| (&row - &center).mapv(|x| x * x).sum());
        distances.fold(f64::INFINITY, f64::min)
    };
    x.rows().into_iter().map(|row| nearest(row.to_owned())).sum()
}
