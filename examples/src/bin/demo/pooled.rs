//! The same analyses once more on all rows in one place, in plain ndarray, and by other methods where there are any.

use fondaco::{Federation, Site};
use ndarray::{Array1, Array2, ArrayView1, Axis, Zip, s};

use crate::{
    Result,
    analyses::{
        Answer, CLUSTERED, Finding, KMEANS_ITERATIONS_MAX, KMEANS_TOL, Linear, MODEL, Statistics, first_centers,
    },
};

/// A result beside that of the pooled rows.
pub struct Check {
    /// What was compared.
    pub what: String,
    /// The largest difference.
    pub difference: f64,
    /// What is still accepted: the rounding of another order of additions.
    pub limit: f64,
}

impl Check {
    /// Whether both are the same, but for rounding.
    pub fn holds(&self) -> bool {
        self.difference <= self.limit
    }
}

/// All rows of [`MODEL`]'s columns, from a worker that serves them as public.
pub async fn fetch(site: Vec<Site>, datasets: &[&str]) -> Result<Array2<f64>> {
    let name = site.first().map(|site| site.name.clone()).unwrap_or_default();
    let fed = Federation::connect(site).await?;
    let parts = datasets.iter().map(|dataset| (name.clone(), *dataset));
    let rows = fed.read_parts(parts).columns(MODEL).await?.to_array().await?;
    fed.close().await?;
    Ok(rows)
}

/// Compares a tenant's finding with the pooled rows.
pub fn check(rows: &Array2<f64>, finding: &Finding) -> Vec<Check> {
    match &finding.answer {
        Answer::Linear(linear) => {
            let mut checks = vec![statistics(rows, &finding.statistics)];
            checks.extend(regression(rows, linear));
            checks
        }
        Answer::Clusters(fitted) => {
            let at = |name| MODEL.iter().position(|column| column == name);
            let columns: Vec<usize> = CLUSTERED.iter().filter_map(at).collect();
            let rows = rows.select(Axis(1), &columns);
            let (centers, sizes) = lloyd(&standardised(&rows));
            let moved = largest(centers.iter().zip(&fitted.cluster_centers).map(|(a, b)| a - b));
            let resized = largest(sizes.iter().zip(&fitted.counts).map(|(a, b)| a - b));
            vec![
                statistics(&rows, &finding.statistics),
                Check { what: "centres".to_owned(), difference: moved, limit: 1e-9 },
                Check { what: "sizes".to_owned(), difference: resized, limit: 0.0 },
            ]
        }
    }
}

fn statistics(rows: &Array2<f64>, found: &Statistics) -> Check {
    let (means, stds) = moments(rows);
    let pairs = means.iter().zip(&found.means).chain(stds.iter().zip(&found.stds));
    let difference = largest(pairs.map(|(a, b)| (a - b) / a));
    Check { what: "statistics".to_owned(), difference, limit: 1e-12 }
}

fn regression(rows: &Array2<f64>, found: &Linear) -> [Check; 2] {
    let last = MODEL.len() - 1;
    let mut x = rows.clone();
    x.column_mut(last).fill(1.0);
    let y = rows.column(last);
    let coef = least_squares(&x, y);
    let residuals = &y - &x.dot(&coef);
    let mean = y.mean().unwrap_or(f64::NAN);
    let r2 = 1.0 - residuals.dot(&residuals) / y.fold(0.0, |sum, y| sum + (y - mean) * (y - mean));
    let pairs = coef.iter().zip(found.coef.iter().chain([&found.intercept]));
    let difference = largest(pairs.map(|(a, b)| (a - b) / a));
    // A direct method, and an iterative one that ends when it is near enough.
    let limit = if found.n_iter == 0 { 1e-9 } else { 1e-7 };
    [
        Check { what: "coefficients".to_owned(), difference, limit },
        Check { what: "R²".to_owned(), difference: (r2 - found.r2).abs(), limit: 1e-10 },
    ]
}

/// Least squares by orthogonalising the columns one after the other (modified Gram–Schmidt): not the normal equations.
fn least_squares(x: &Array2<f64>, y: ArrayView1<f64>) -> Array1<f64> {
    let (d, mut q, mut y) = (x.ncols(), x.clone(), y.to_owned());
    let (mut r, mut right) = (Array2::<f64>::zeros((d, d)), Array1::zeros(d));
    for i in 0..d {
        let norm = q.column(i).dot(&q.column(i)).sqrt();
        let unit = &q.column(i) / norm;
        r[[i, i]] = norm;
        for j in i + 1..d {
            r[[i, j]] = unit.dot(&q.column(j));
            q.column_mut(j).scaled_add(-r[[i, j]], &unit);
        }
        right[i] = unit.dot(&y);
        y.scaled_add(-right[i], &unit);
    }
    for i in (0..d).rev() {
        let known = r.slice(s![i, i + 1..]).dot(&right.slice(s![i + 1..]));
        right[i] = (right[i] - known) / r[[i, i]];
    }
    right
}

/// Lloyd's algorithm from the same start: the centres, and the rows of each.
fn lloyd(x: &Array2<f64>) -> (Array2<f64>, Vec<f64>) {
    let mut centers = first_centers();
    let mut sizes = vec![0.0; centers.nrows()];
    let goal = KMEANS_TOL * x.var_axis(Axis(0), 0.0).mean().unwrap_or(0.0);
    for _ in 0..KMEANS_ITERATIONS_MAX {
        let mut sums = Array2::<f64>::zeros(centers.dim());
        sizes.fill(0.0);
        for row in x.rows() {
            let distance =
                |center: ArrayView1<f64>| -> f64 { row.iter().zip(center).map(|(a, b)| (a - b) * (a - b)).sum() };
            let distances = centers.rows().into_iter().map(distance).enumerate();
            let nearest = distances.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(nearest, _)| nearest);
            let mut sum = sums.row_mut(nearest);
            sum += &row;
            sizes[nearest] += 1.0;
        }
        for (mut sum, size) in sums.rows_mut().into_iter().zip(&sizes) {
            sum /= *size;
        }
        let moved = Zip::from(&sums).and(&centers).fold(0.0, |moved, a, b| moved + (a - b) * (a - b));
        centers = sums;
        if moved <= goal {
            break;
        }
    }
    (centers, sizes)
}

fn moments(rows: &Array2<f64>) -> (Array1<f64>, Array1<f64>) {
    (rows.mean_axis(Axis(0)).unwrap_or_default(), rows.std_axis(Axis(0), 1.0))
}

fn standardised(rows: &Array2<f64>) -> Array2<f64> {
    let (means, stds) = moments(rows);
    (rows - &means) / &stds
}

/// The largest of some differences; NaN, if one is.
fn largest(differences: impl Iterator<Item = f64>) -> f64 {
    differences.map(f64::abs).fold(0.0, |largest, next| if next > largest || next.is_nan() { next } else { largest })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn least_squares_solve() {
        let x = array![[1.0, 1.0], [2.0, 1.0], [4.0, 1.0], [8.0, 1.0]];
        let coef = least_squares(&x, array![5.0, 7.0, 11.0, 19.0].view());
        assert!(largest((&coef - &array![2.0, 3.0]).into_iter()) < 1e-12);
    }

    #[test]
    fn a_difference_that_is_no_number_is_found() {
        assert!(largest([1.0, f64::NAN, 2.0].into_iter()).is_nan());
        assert!(!Check { what: String::new(), difference: f64::NAN, limit: 1.0 }.holds());
    }
}
