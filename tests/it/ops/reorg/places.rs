//! Cells by their place in the whole: diagonals, triangles, rows of another length.

use fondaco::{Op, Shape, op::ReorgOp};
use ndarray::{Array2, concatenate};

use super::{
    super::{Asked, cases},
    data,
};
use crate::{
    harness::Random,
    laws::{
        sample::{self, Cells, Cuts},
        trio::{Trio, scatter},
    },
    oracle::{self, Expected},
};

fn expected(op: ReorgOp, x: &Array2<f64>) -> Expected {
    oracle::expected(&Op::Reorg(op), &[x])
}

#[tokio::test(flavor = "multi_thread")]
async fn diagonals_and_triangles() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(32, 60) {
        let n = sample::rows(&mut random);
        // As wide as high, or nearly, now and then.
        let d = if n < 60 && random.below(2) == 0 { n.max(1) } else { sample::columns(&mut random) };
        let (x, cuts) = (data(&mut random, n, d), Cuts::any(&mut random, n, d));
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) cut {:?}", cuts.layout()));
        for _ in 0..4 {
            let offset = random.below(n + d + 5) as i64 - n as i64 - 2;
            let on = fed.diagonal(offset).expect("every layout is accepted");
            let value = expected(ReorgOp::Diagonal { offset }, &x);
            asked.ask(format!("diagonal {offset}"), on.fetch().expect("it is one's own"), value);
            let lower = fed.tril(offset).expect("every layout is accepted");
            let value = expected(ReorgOp::Triangle { upper: false, k: offset }, &x);
            asked.ask(format!("tril {offset}"), lower.fetch().expect("it is one's own"), value);
            let upper = fed.triu(offset).expect("every layout is accepted");
            let value = expected(ReorgOp::Triangle { upper: true, k: offset }, &x);
            asked.ask(format!("triu {offset}"), upper.fetch().expect("it is one's own"), value);
        }
        asked.check(&trio.fed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_on_the_diagonal() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(33, 40) {
        let n = random.below(90);
        let (v, cuts) = (data(&mut random, n, 1), Cuts::any(&mut random, n, 1));
        let fed = scatter(&trio.fed, &mut random, &v, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: {n} cut {:?}", cuts.layout()));
        let square = fed.diag().expect("every layout is accepted");
        let value = expected(ReorgOp::Diag { columns: n as u64, offset: 0 }, &v);
        asked.ask("diag", square.fetch().expect("it is one's own"), value);
        if n != 1 {
            let back = square.diag().expect("every layout is accepted");
            asked.ask("and back", back.fetch().expect("it is one's own"), Expected::exact(v.clone()));
        }
        let wide = fed.apply(&Op::Reorg(ReorgOp::Diag { columns: 7, offset: -3 }), vec![(&fed).into()]);
        let value = expected(ReorgOp::Diag { columns: 7, offset: -3 }, &v);
        asked.ask("aside", wide.and_then(|wide| wide.fed()?.fetch()).expect("every layout is accepted"), value);
        asked.check(&trio.fed).await;
    }
}

/// Whether each site's cells, in row-major order, are whole new rows.
fn divides(cuts: &Cuts, columns: usize) -> bool {
    let layout = cuts.layout();
    let mut sites: Vec<(&str, usize)> = Vec::new();
    for part in layout.parts() {
        let cells = (part.shape().rows * part.shape().columns) as usize;
        match sites.last_mut() {
            Some((last, sum)) if **last == *part.site => *sum += cells,
            _ => sites.push((&part.site, cells)),
        }
    }
    let scattered = !cuts.by_rows() && layout.shape().rows > 1;
    sites.len() < 2 || (!scattered && columns > 0 && sites.iter().all(|(_, cells)| cells.is_multiple_of(columns)))
}

#[tokio::test(flavor = "multi_thread")]
async fn reshapes() {
    let trio = Trio::start().await;
    let (mut whole, mut local, mut refused) = (0, 0, 0);
    for (seed, mut random) in cases(34, 150) {
        // Numbers with many divisors.
        let n = *random.pick(&[0, 1, 2, 4, 6, 12, 24, 60, 4096, 9000]);
        let d = *random.pick(&[1, 2, 3, 4, 6]);
        let (x, cuts) = (data(&mut random, n, d), Cuts::any(&mut random, n, d));
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) cut {:?}", cuts.layout()));
        for columns in [1, 2, 3, 8, n, d, n * d] {
            if columns == 0 || !(n * d).is_multiple_of(columns) {
                continue;
            }
            let rows = n * d / columns;
            let reshaped = fed.reshape(rows as u64, columns as u64);
            let accepted = divides(&cuts, columns) || n * d == 0 || columns == d;
            // One row may lie at any number of sites.
            let accepted = accepted || (rows == 1 && (cuts.by_rows() || n == 1));
            match reshaped {
                Ok(reshaped) => {
                    let value = expected(ReorgOp::Reshape(Shape::new(rows as u64, columns as u64)), &x);
                    asked.ask(format!("({rows}, {columns})"), reshaped.fetch().expect("it is one's own"), value);
                    assert!(accepted, "seed {seed}: ({n}, {d}) to ({rows}, {columns}) of {:?}", cuts.layout());
                    whole += usize::from(reshaped.layout().whole_at().is_some());
                    local += usize::from(reshaped.layout().whole_at().is_none());
                }
                Err(error) => {
                    assert!(!accepted, "seed {seed}: {error}");
                    refused += 1;
                }
            }
        }
        asked.check(&trio.fed).await;
    }
    assert!(whole > 50 && local > 50 && refused > 50, "{whole} whole, {local} cut, {refused} refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn tiles() {
    let trio = Trio::start().await;
    for (seed, mut random) in cases(35, 20) {
        let (n, d) = (1 + random.below(20), sample::columns(&mut random));
        let (x, cuts) = (Cells::Special.matrix(&mut random, n, d), Cuts::any(&mut random, n, d));
        let fed = scatter(&trio.fed, &mut random, &x, &cuts);
        let mut asked = Asked::new(format!("seed {seed}: ({n}, {d}) cut {:?}", cuts.layout()));
        let repeated = |random: &mut Random| random.below(4);
        let (down, right) = (repeated(&mut random), repeated(&mut random));
        let tiled = fed.tile(down, right).expect("every layout is accepted");
        let mut expected = Array2::zeros((n, 0));
        for _ in 0..right {
            expected = concatenate![ndarray::Axis(1), expected, x];
        }
        let row = expected;
        let mut expected = Array2::zeros((0, row.ncols()));
        for _ in 0..down {
            expected = concatenate![ndarray::Axis(0), expected, row];
        }
        let what = format!("{down} times {right}");
        asked.ask(what, tiled.fetch().expect("it is one's own"), Expected::exact(expected));
        asked.check(&trio.fed).await;
    }
}
