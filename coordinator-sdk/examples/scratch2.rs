//! x
#![allow(
    clippy::all,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason
)]
use fondaco::*;
use ndarray::Array2;
use std::time::{Duration, Instant};
fn site(kind: &str, name: &str) -> Site {
    let out = std::fs::read_to_string(format!("/tmp/e2e/{kind}-{name}/out")).unwrap();
    let at = out.find("fondaco://").unwrap();
    Site::parse(out[at..].lines().next().unwrap()).unwrap().named(name)
}
#[tokio::main]
async fn main() {
    let names = ["ewr", "jfk", "lga"];
    let fed = Federation::connect(names.map(|n| site("public", n))).await.unwrap();
    let x = fed.fill(&Layout::even(names, Shape::new(300, 3)).unwrap(), 2.0).unwrap();
    x.persist().await.unwrap();
    // failing program at one site
    let good = x.add(1.0).unwrap();
    let huge = fed.fill(&Layout::rows([("ewr", 10), ("jfk", 1u64 << 50)], 1).unwrap(), 1.0).unwrap();
    let p = huge.sum(Axis::All).unwrap();
    let q = good.sum(Axis::All).unwrap();
    let late = good.multiply(3.0).unwrap();
    println!("p {:?}", p.scalar().await);
    println!("q {:?}", q.scalar().await);
    println!("good {:?}", good.add(1.0).map(|_| ()));
    println!("late {:?}", late.sum(Axis::All).map(|_| ()));
    drop(huge);
    println!("x {:?}", x.sum(Axis::All).unwrap().scalar().await);
    // many
    let t = Instant::now();
    let r0 = fed.stats().round_trips();
    let mut y = x.clone();
    for _ in 0..10_000 {
        y = y.add(1.0).unwrap();
    }
    println!(
        "many {:?} {:?} trips {}",
        y.sum(Axis::All).unwrap().scalar().await,
        t.elapsed(),
        fed.stats().round_trips() - r0
    );
    // concurrent awaits
    let tasks: Vec<_> = (0..50)
        .map(|i| {
            let x = x.clone();
            tokio::spawn(async move {
                let mut v = x.add(i as f64).unwrap();
                for _ in 0..5 {
                    let s = v.sum(Axis::All).unwrap().scalar().await.unwrap();
                    v = v.subtract(s / 900.0).unwrap();
                }
                v.sum(Axis::All).unwrap().scalar().await.unwrap()
            })
        })
        .collect();
    let mut worst = 0f64;
    for t in tasks {
        worst = worst.max(t.await.unwrap().abs());
    }
    println!("concurrent worst {worst}");
    // latency
    let v = Array2::ones((3, 1));
    let t = Instant::now();
    for _ in 0..500 {
        x.mmchain(&v).unwrap().await.unwrap();
    }
    println!("iteration {:?}", t.elapsed() / 500);
    let v = Array2::from_shape_fn((200_000, 100), |(i,j)| (i*100+j) as f64);
    let w = v.clone();
    let t = Instant::now();
    let b = fed.put_whole("ewr", w).unwrap();
    b.persist().await.unwrap();
    println!("put 160 MB {:?}", t.elapsed());
    let t = Instant::now();
    let a = b.to_array().await.unwrap();
    let e = t.elapsed(); println!("get 160 MB {:?} {}", e, a == v);
    // cancellation
    let _ = tokio::time::timeout(Duration::from_micros(50), b.to_array()).await.is_err();
    println!("after cancel {:?}", x.sum(Axis::All).unwrap().scalar().await);
    // kill
    let pid = std::fs::read_to_string("/tmp/e2e/public-jfk/pid").unwrap();
    std::process::Command::new("kill").args(["-9", pid.trim()]).status().unwrap();
    let t = Instant::now();
    println!("killed {:?} {:?}", x.sum(Axis::All).unwrap().scalar().await, t.elapsed());
    let one = x.slice(0..100, ..).unwrap();
    println!("others {:?}", one.sum(Axis::All).unwrap().scalar().await);
    let t = Instant::now();
    println!("again {:?} {:?}", x.sum(Axis::All).unwrap().scalar().await, t.elapsed());
    // freeze
    let pid = std::fs::read_to_string("/tmp/e2e/public-lga/pid").unwrap();
    std::process::Command::new("kill").args(["-STOP", pid.trim()]).status().unwrap();
    let t = Instant::now();
    println!("frozen {:?} {:?}", x.slice(200.., ..).unwrap().sum(Axis::All).unwrap().scalar().await, t.elapsed());
    std::process::Command::new("kill").args(["-CONT", pid.trim()]).status().unwrap();
    println!("thawed {:?}", x.slice(200.., ..).unwrap().sum(Axis::All).unwrap().scalar().await);
    println!("{}", fed.stats());
    println!("close {:?}", fed.close().await);
}
