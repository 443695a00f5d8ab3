//! k-means and its first centres.

use std::collections::HashSet;

use fondaco::algorithms::KMeans;
use fondaco_worker::label::Level;
use ndarray::{Array2, Axis as Along, array};

use super::{
    numbers::{Placed, assert_close, assert_near, matrix, number, read},
    samples::{at_sites, clusters, inertia},
};
use crate::{harness::Random, laws::trio::Trio};

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_those_of_scikit_learn_whatever_the_layout() {
    let (trio, known) = (Trio::start().await, read("kmeans"));
    let (x, start) = (matrix(&known["x"]), matrix(&known["start"]));
    let (_aggregate, owned) = at_sites(Level::Aggregate, &x).await;
    let (_public, public) = at_sites(Level::Public, &x).await;
    let mut tables = vec![owned, public];
    tables.extend((770..774).map(|seed| Placed::new(&trio.fed, seed, x.nrows()).put(&x)));
    let model = KMeans { tol: 0.0, ..KMeans::new(3) }.with_centers(start);
    for fed in tables {
        let context = format!("{fed:?}");
        let once = KMeans { max_iter: 1, ..model.clone() }.fit(&fed).await.expect(&context);
        assert_near(&context, &once.cluster_centers, &matrix(&known["once"]), 1e-13);
        let fitted = model.fit(&fed).await.expect(&context);
        assert_near(&context, &fitted.cluster_centers, &matrix(&known["centers"]), 1e-13);
        let counts: Vec<f64> = matrix(&known["counts"]).into_iter().collect();
        assert_eq!(fitted.counts, counts, "{context}");
        assert_close(&context, fitted.inertia, number(&known["inertia"]), 1e-12);
        let best = KMeans { tol: 0.0, n_init: 8, ..KMeans::new(3) }.fit(&fed).await.expect(&context);
        let best = best.inertia / number(&known["best"]);
        assert!(best < 1.001, "{context}: {best} of the best of fifty starts");
    }
}

/// How much more than the least inertia clusters have, from first centres.
async fn excess(fed: &fondaco::FedMatrix, k: usize, seeds: std::ops::Range<u64>, least: f64) -> Vec<f64> {
    let mut excess = Vec::new();
    for seed in seeds {
        let fitted = KMeans::new(k).with_seed(seed).fit(fed).await.expect("groups are large enough");
        excess.push(fitted.inertia / least);
    }
    excess
}

#[tokio::test(flavor = "multi_thread")]
async fn first_centres_find_the_clusters_though_no_row_leaves() {
    let mut random = Random::new(780);
    for (k, columns, apart) in [(6, 2, 10.0), (10, 8, 6.0)] {
        let (x, centers) = clusters(&mut random, k, 3000, columns, apart);
        let least = inertia(&x, &centers);
        for privacy in [Level::Public, Level::Aggregate] {
            let (_trio, fed) = at_sites(privacy, &x).await;
            let excess = excess(&fed, k, 0..6, least).await;
            let mean = excess.iter().sum::<f64>() / excess.len() as f64;
            assert!(mean < 1.6, "{k} clusters, {privacy:?}: {excess:?}");
            let best = KMeans { n_init: 6, ..KMeans::new(k) }.fit(&fed).await.expect("groups are large enough");
            assert!(best.inertia < 1.1 * least, "{k} clusters, {privacy:?}: {}", best.inertia / least);
            assert!(best.inertia <= excess.iter().copied().fold(f64::INFINITY, f64::min) * least * (1.0 + 1e-12));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_rows_may_leave_first_centres_are_rows() {
    let mut random = Random::new(781);
    let (x, _) = clusters(&mut random, 4, 200, 3, 5.0);
    let trio = Trio::start().await;
    let mut sets = HashSet::new();
    for seed in 0..6 {
        let fed = Placed::new(&trio.fed, 782 + seed, x.nrows()).put(&x);
        // No iteration: the first centres.
        let first = KMeans { max_iter: 0, ..KMeans::new(4) }.with_seed(seed / 2).fit(&fed).await.expect("one's own");
        let mut rows: Vec<usize> = Vec::new();
        for center in first.cluster_centers.rows() {
            let row = x.rows().into_iter().position(|row| row == center);
            rows.push(row.unwrap_or_else(|| panic!("{center} is no row")));
        }
        assert_eq!(rows.iter().collect::<HashSet<_>>().len(), 4, "a row is chosen once");
        sets.insert(rows);
    }
    assert_eq!(sets.len(), 3, "they follow from the seed, not from the layout");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_drawn_by_their_squared_distance() {
    let trio = Trio::start().await;
    // After one of the near ones, the far one has 100 of 101 or 102 parts; after the far one, both near ones are alike.
    let x = array![[0.0], [1.0], [10.5]];
    let fed = Placed::new(&trio.fed, 790, 3).put(&x);
    let (mut firsts, mut far) = ([0; 3], 0);
    for seed in 0..60 {
        let first = KMeans { max_iter: 0, ..KMeans::new(2) }.with_seed(seed).fit(&fed).await.expect("one's own");
        let of = |center: usize| x.iter().position(|row| *row == first.cluster_centers[[center, 0]]).expect("a row");
        firsts[of(0)] += 1;
        far += usize::from(of(0) == 2 || of(1) == 2);
    }
    assert!(firsts.iter().all(|count| (8..=34).contains(count)), "{firsts:?}");
    assert!(far >= 57, "{far}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ties_and_data_far_from_zero() {
    let trio = Trio::start().await;
    // The row in the middle is as near to both.
    let x = array![[-2.0], [-1.0], [0.0], [1.0], [2.0], [2.0]];
    let fed = Placed::new(&trio.fed, 791, 6).put(&x);
    let model = KMeans { max_iter: 1, ..KMeans::new(2) }.with_centers(array![[-1.0], [1.0]]);
    let fitted = model.fit(&fed).await.expect("one's own");
    assert_eq!(fitted.counts, [3.0, 3.0], "it counts for the first");
    assert_near("centres", &fitted.cluster_centers, &array![[-1.0], [5.0 / 3.0]], 1e-15);
    let mut random = Random::new(792);
    let (near, centers) = clusters(&mut random, 3, 300, 2, 8.0);
    let offset = array![[1e9, -1e8]];
    let far = &near + &offset;
    let model = KMeans { tol: 0.0, ..KMeans::new(3) };
    let of_near = model.clone().with_centers(centers.clone());
    let of_near = of_near.fit(&Placed::new(&trio.fed, 793, 300).put(&near)).await.expect("one's own");
    let fed = Placed::new(&trio.fed, 794, 300).put(&far);
    let of_far = model.with_centers(&centers + &offset).fit(&fed).await.expect("one's own");
    assert_eq!(of_far.counts, of_near.counts);
    assert_close("inertia", of_far.inertia, of_near.inertia, 1e-6);
    assert_near("centres", &(&of_far.cluster_centers - &offset), &of_near.cluster_centers, 1e-6);
    let member = of_far.predict(&fed).expect("as many columns").sum(fondaco::Axis::Columns).expect("a row cut");
    let counts: Vec<f64> = member.await.expect("one's own").into_iter().collect();
    assert_eq!(counts, of_far.counts);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_possible_is_said() {
    let trio = Trio::start().await;
    let x = array![[1.0, 2.0], [3.0, 4.0]];
    let fed = Placed::new(&trio.fed, 795, 2).put(&x);
    let message = KMeans::new(3).fit(&fed).await.expect_err("too few rows").to_string();
    assert!(message.contains("3 clusters need as many rows, but there are 2"), "{message}");
    // Too few rows at a site, of data that do not leave.
    let mut random = Random::new(796);
    let (few, _) = clusters(&mut random, 2, 12, 2, 3.0);
    let (_trio, owned) = at_sites(Level::Aggregate, &few).await;
    let message = KMeans::new(2).fit(&owned).await.expect_err("4 rows at a site").to_string();
    assert!(message.contains("fewer than 5 rows"), "{message}");
    let same = Array2::from_elem((90, 2), 1.5);
    let fitted = KMeans::new(2).fit(&Placed::new(&trio.fed, 797, 90).put(&same)).await.expect("one's own");
    let spread = fitted.cluster_centers.var_axis(Along(0), 0.0).sum();
    assert_eq!((fitted.inertia, spread, fitted.counts[0]), (0.0, 0.0, 90.0), "rows that are all alike");
}
