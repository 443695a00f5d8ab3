//! x
#![allow(clippy::all, clippy::unwrap_used, clippy::print_stdout, clippy::allow_attributes, clippy::allow_attributes_without_reason)]
use fondaco::*;
#[tokio::main]
async fn main() {
    let ca = std::fs::read_to_string("/tmp/e2e/tls/ca.pem").unwrap();
    let site = Site::parse("fondaco+tls://80cbb384494a4c98a2b7c9b9044cb2e2da4a3601a5914b1aafa9c4956c042c7a@localhost:7341").unwrap().named("tls");
    println!("{}", Federation::connect([site.clone()]).await.unwrap_err());
    println!("{}", Federation::connect([site.clone().with_ca_pem("nonsense")]).await.unwrap_err());
    let fed = Federation::connect([site.with_ca_pem(ca)]).await.unwrap();
    let x = fed.fill(&Layout::whole("tls", Shape::new(30, 3)), 2.0).unwrap();
    println!("{:?}", x.sum(Axis::All).unwrap().scalar().await);
    let pid = std::fs::read_to_string("/tmp/e2e/tls/pid").unwrap();
    std::process::Command::new("kill").args(["-9", pid.trim()]).status().unwrap();
    std::process::Command::new("sh").args(["-c", "cd /tmp/e2e/tls; ../bin/fondaco worker --config site.toml >out 2>err & echo $! > pid"]).status().unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    println!("{}", x.sum(Axis::All).unwrap().scalar().await.unwrap_err());
}
