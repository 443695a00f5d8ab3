//! x
#![allow(
    clippy::all,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason
)]
use fondaco::algorithms::*;
use fondaco::*;
use ndarray::{Array2, Axis as A, s};
use std::time::Instant;

fn site(kind: &str, name: &str) -> Site {
    let out = std::fs::read_to_string(format!("/tmp/e2e/{kind}-{name}/out")).unwrap();
    let at = out.find("fondaco://").unwrap();
    Site::parse(out[at..].lines().next().unwrap()).unwrap().named(name)
}
fn close(what: &str, a: &Array2<f64>, b: &Array2<f64>, tol: f64) {
    assert_eq!(a.dim(), b.dim(), "{what}");
    let scale = b.iter().fold(1e-300f64, |m, x| if x.is_nan() { m } else { m.max(x.abs()) });
    let bad = a.iter().zip(b).filter(|(x, y)| !(x.is_nan() && y.is_nan()) && (*x - *y).abs() > tol * scale).count();
    println!("{} {what} {:?}", if bad == 0 { "ok " } else { "BAD" }, a.dim());
}

#[tokio::main]
async fn main() {
    let names = ["ewr", "jfk", "lga"];
    let fed = Federation::connect(names.map(|n| site("public", n))).await.unwrap();
    println!("{fed:?} {:?}", fed.limits()[0]);
    for (site, d) in fed.datasets() {
        println!("{site}: {} {:?} {} columns", d[0].name, d[0].privacy, d[0].columns.len());
    }
    let cols = ["distance", "air_time", "dep_delay", "temp", "pressure"];
    let t = Instant::now();
    let xp = match fed.read("flights").columns(cols).await {
        Ok(x) => x,
        Err(e) => {
            println!("{e}");
            let n = 221_578;
            let mut k = 12345u64;
            let a = Array2::from_shape_fn((n, 5), |(i, j)| {
                k = k.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let r = (k >> 40) as f64 / 1e5;
                if j == 4 && i % 9 == 0 {
                    f64::NAN
                } else if j == 1 {
                    r / 3.0 + 20.0
                } else {
                    r.floor() + if i % 3 == 0 { 400.0 } else { 0.0 }
                }
            });
            fed.scatter(&a, &Layout::rows([("ewr", 116_460), ("jfk", 81_970), ("lga", 23_148)], 5).unwrap()).unwrap()
        }
    };
    println!("{xp:?} {:?}", t.elapsed());
    let lp = xp.to_array().await.unwrap();
    let x = xp.slice(.., 0..4).unwrap();
    let l = lp.slice(s![.., 0..4]).to_owned();
    close("slice", &x.to_array().await.unwrap(), &l, 0.0);
    let n = l.nrows() as f64;
    let ins = |a: ndarray::Array1<f64>| a.insert_axis(A(0));
    close("nan mean", &xp.mean(Axis::Columns).unwrap().await.unwrap(), &ins(lp.mean_axis(A(0)).unwrap()), 1e-12);
    let (a, b, c, d, e, f) = (
        x.sum(Axis::Columns).unwrap(),
        x.mean(Axis::All).unwrap(),
        x.var(Axis::Columns, 1).unwrap(),
        x.std(Axis::All, 0).unwrap(),
        x.min(Axis::Columns).unwrap(),
        x.nnz(Axis::All).unwrap(),
    );
    let r0 = fed.stats().round_trips();
    close("sum", &a.await.unwrap(), &ins(l.sum_axis(A(0))), 1e-12);
    close("mean", &b.await.unwrap(), &Array2::from_elem((1, 1), l.sum() / (4.0 * n)), 1e-12);
    close("var", &c.await.unwrap(), &ins(l.var_axis(A(0), 1.0)), 1e-10);
    close("std", &d.await.unwrap(), &Array2::from_elem((1, 1), l.std(0.0)), 1e-10);
    close("min", &e.await.unwrap(), &ins(l.map_axis(A(0), |c| c.iter().fold(f64::INFINITY, |a, &b| a.min(b)))), 0.0);
    close("nnz", &f.await.unwrap(), &Array2::from_elem((1, 1), l.iter().filter(|x| **x != 0.0).count() as f64), 0.0);
    println!("round trips for six: {}", fed.stats().round_trips() - r0);
    close("gram", &x.gram().unwrap().await.unwrap(), &l.t().dot(&l), 1e-12);
    close("t@x", &x.t().unwrap().matmul_local(&x).unwrap().await.unwrap(), &l.t().dot(&l), 1e-12);
    let w = Array2::from_shape_fn((4, 3), |(i, j)| (i as f64 - j as f64) / 3.0);
    let xw = x.matmul(&w).unwrap();
    close("x@w", &xw.to_array().await.unwrap(), &l.dot(&w), 1e-12);
    close("cross", &x.cross(&xw).unwrap().await.unwrap(), &l.t().dot(&l.dot(&w)), 1e-12);
    let big = Array2::from_shape_fn((l.nrows(), 2), |(i, j)| ((i * 7 + j) % 13) as f64);
    close("cross local", &x.cross(&big).unwrap().await.unwrap(), &l.t().dot(&big), 1e-12);
    close("left", &x.left_matmul(&big.t().to_owned()).unwrap().await.unwrap(), &big.t().dot(&l), 1e-12);
    let xt = x.t().unwrap();
    close("t", &xt.to_array().await.unwrap(), &l.t().to_owned(), 0.0);
    close(
        "t@big (fed scatter)",
        &xt.matmul_local(
            fed.scatter(
                &big,
                &Layout::rows(x.layout().parts().iter().map(|p| (p.site.clone(), p.range.end - p.range.start)), 2)
                    .unwrap(),
            )
            .unwrap(),
        )
        .unwrap()
        .await
        .unwrap(),
        &l.t().dot(&big),
        1e-12,
    );
    close("t sum0", &xt.sum(Axis::Columns).unwrap().await.unwrap(), &ins(l.sum_axis(A(1))), 1e-12);
    close("t sum all", &xt.sum(Axis::All).unwrap().await.unwrap(), &Array2::from_elem((1, 1), l.sum()), 1e-12);
    let v = w.slice(s![.., 0..1]).to_owned();
    close("mmchain", &x.mmchain(&v).unwrap().await.unwrap(), &l.t().dot(&l.dot(&v)), 1e-12);
    let y = big.slice(s![.., 0..1]).to_owned();
    close("mmchain w", &x.mmchain_weighted(&y, &v).unwrap().await.unwrap(), &l.t().dot(&(&y * &l.dot(&v))), 1e-12);
    close(
        "mmchain -",
        &x.mmchain_minus(&v, xw.slice(.., 0..1).unwrap()).unwrap().await.unwrap(),
        &(l.t().dot(&(l.dot(&v) - l.dot(&v)))),
        1e-12,
    );
    let h = x.hstack([xw.clone()]).unwrap().hstack([&big]).unwrap();
    close("hstack", &h.to_array().await.unwrap(), &ndarray::concatenate![A(1), l, l.dot(&w), big], 1e-12);
    let vs = x.vstack([x.slice(100..150000, ..).unwrap()]).unwrap();
    close("vstack", &vs.to_array().await.unwrap(), &ndarray::concatenate![A(0), l, l.slice(s![100..150000, ..])], 0.0);
    close("cols", &x.columns([3, 0, 0]).unwrap().to_array().await.unwrap(), &l.select(A(1), &[3, 0, 0]), 0.0);
    close(
        "elementwise",
        &x.multiply(2.0)
            .unwrap()
            .subtract(&ins(l.row(0).to_owned()))
            .unwrap()
            .abs()
            .unwrap()
            .sqrt()
            .unwrap()
            .to_array()
            .await
            .unwrap(),
        &(&l * 2.0 - &l.row(0)).mapv(|x| x.abs().sqrt()),
        1e-12,
    );
    close(
        "full local",
        &x.slice(.., 0..2).unwrap().add(&big).unwrap().to_array().await.unwrap(),
        &(&l.slice(s![.., 0..2]) + &big),
        0.0,
    );
    close(
        "where",
        &x.greater(100.0).unwrap().where_(1.0, &x).unwrap().to_array().await.unwrap(),
        &l.mapv(|x| if x > 100.0 { 1.0 } else { x }),
        0.0,
    );
    close("plus", &x.plus_multiply(3.0, &x).unwrap().to_array().await.unwrap(), &(&l + &(3.0 * &l)), 1e-15);
    close("rdiv", &x.binary_left(1.0, BinaryFunction::Divide).unwrap().to_array().await.unwrap(), &(1.0 / &l), 1e-15);
    close(
        "softmax",
        &x.multiply(0.001).unwrap().softmax().unwrap().row_sum().unwrap().to_array().await.unwrap(),
        &Array2::ones((l.nrows(), 1)),
        1e-12,
    );
    if std::env::var("READ").is_ok() {
        let fx = fed
            .read("flights")
            .columns(["distance"])
            .filter(column("carrier").eq("UA"))
            .at(["jfk", "ewr"])
            .await
            .unwrap();
        println!("{fx:?}");
        let parts = fed
            .read_parts([("lga", "flights"), ("ewr", "flights"), ("lga", "flights")])
            .columns(["temp"])
            .await
            .unwrap();
        println!("{parts:?} {}", parts.mean(Axis::All).unwrap().scalar().await.unwrap());
        println!(
            "{}",
            fed.read_columns([("lga", "flights", vec!["temp"]), ("ewr", "flights", vec!["temp"])]).await.unwrap_err()
        );
        let cc = fed
            .read_columns([("lga", "flights", vec!["temp", "hour"]), ("lga", "flights", vec!["day"])])
            .await
            .unwrap();
        println!("{cc:?} {}", cc.mean(Axis::Columns).unwrap().await.unwrap());
        println!("{}", fed.read("flights").columns(["carrier"]).await.unwrap_err());
        println!("{}", fed.read("nothing").await.unwrap_err());
    }
    let lay = Layout::even(names, Shape::new(10, 3)).unwrap();
    let u = Distribution::Uniform { low: 0.0, high: 1.0 };
    let r1 = fed.rand(&lay, 3, u).unwrap().to_array().await.unwrap();
    let r2 = fed.rand(&Layout::columns([("lga", 1), ("ewr", 2)], 10).unwrap(), 3, u).unwrap().to_array().await.unwrap();
    close("rand", &r1, &r2, 0.0);
    // algorithms
    let yy = xp.slice(.., 1..2).unwrap();
    let xx = xp.columns([0, 2, 3]).unwrap();
    let r0 = fed.stats().round_trips();
    let m = LinearRegression::default().fit(&xx, &yy).await.unwrap();
    println!(
        "lm {:?} {} trips {} r2 {}",
        m.coef,
        m.intercept,
        fed.stats().round_trips() - r0,
        m.score(&xx, &yy).await.unwrap()
    );
    let r0 = fed.stats().round_trips();
    let cg = ConjugateGradient::default().fit(&xx, &yy).await.unwrap();
    println!("cg {:?} {} iter {} trips {}", cg.coef, cg.intercept, cg.n_iter, fed.stats().round_trips() - r0);
    println!("{}", LinearRegression::default().fit(&xx.hstack([&xx]).unwrap(), &yy).await.unwrap_err());
    let t = Instant::now();
    let r0 = fed.stats().round_trips();
    let km = KMeans::new(3).fit(&xx).await.unwrap();
    println!(
        "km {:?} {:?} {} iter {} trips {} {:?}",
        km.cluster_centers,
        km.counts,
        km.inertia,
        km.n_iter,
        fed.stats().round_trips() - r0,
        t.elapsed()
    );
    println!("{}", fed.stats());
    let held = x.sum(Axis::All).unwrap();
    fed.close().await.unwrap();
    println!("{:?} {:?}", held.await, x.sum(Axis::All).map(|_| ()));

    if std::env::var("READ").is_ok() {
        let fed = Federation::connect(names.map(|n| site("aggregate", n))).await.unwrap();
        let x = fed.read("flights").columns(["distance", "air_time", "dep_delay", "temp"]).await.unwrap();
        let ok = x.mean(Axis::Columns).unwrap();
        let all = x.fetch().unwrap();
        let max = x.max(Axis::Columns).unwrap();
        let g = x.gram().unwrap();
        println!("{:?}", ok.await);
        println!("{}", all.await.unwrap_err());
        println!("{}", max.await.unwrap_err());
        println!("{:?}", g.await.is_ok());
        let xx = x.columns([0, 2, 3]).unwrap();
        let yy = x.slice(.., 1..2).unwrap();
        println!("{:?}", LinearRegression::default().fit(&xx, &yy).await);
        println!("{:?}", ConjugateGradient::default().fit(&xx, &yy).await);
        let t = Instant::now();
        let r0 = fed.stats().round_trips();
        match KMeans::new(3).fit(&xx).await {
            Ok(km) => println!(
                "km {:?} {} iter {} trips {} {:?}",
                km.counts,
                km.inertia,
                km.n_iter,
                fed.stats().round_trips() - r0,
                t.elapsed()
            ),
            Err(e) => println!("{e}"),
        }
        // failing program at one site: one instruction fails
        let bad = fed.read_parts([("ewr", "flights"), ("jfk", "nothing")]).await.unwrap_err();
        println!("{bad}");
        println!("still usable: {:?}", x.sum(Axis::All).unwrap().scalar().await);
        println!("{}", fed.stats());
        drop(fed);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let down = Federation::connect([Site::new("down", "http://127.0.0.1:1", "x")]).await.unwrap_err();
    println!("{down}");
    println!("{}", Federation::connect([Site::new("wrong", site("public", "ewr").url, "x")]).await.unwrap_err());
}
