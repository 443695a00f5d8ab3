//! kill -9, between programs and while they run.

use fondaco::{Axis, Distribution, FedMatrix, Federation, Layout, Shape, Site};
use ndarray::Array2;

use super::{bits, recoveries};
use crate::harness::{Folder, PATIENCE, Process, Random, Table, eventually, lasting_port, tenant, within};

const TOKEN: &str = "a-token-of-ada";

fn process(seed: u64) -> Process {
    let folder = Folder::new();
    Table::of(&Random::new(seed).matrix(500, 3)).write_parquet(&folder.join("d.parquet"));
    let hash = blake3::hash(TOKEN.as_bytes()).to_hex();
    let site = format!(
        "listen = '127.0.0.1:{}'\n[[tenants]]\nname = 'ada'\ntoken_blake3 = '{hash}'\n\
         [[datasets]]\nname = 'd'\npath = 'd.parquet'\n",
        lasting_port()
    );
    Process::configured(folder, &site)
}

async fn connect(processes: &[Process]) -> Federation {
    let names = ["a", "b", "c"].into_iter().zip(processes);
    let sites = names.map(|(name, process)| Site::new(name, format!("http://{}", process.address), TOKEN));
    Federation::connect(sites).await.expect("the workers serve")
}

#[tokio::test(flavor = "multi_thread")]
async fn between_programs() {
    let mut processes = [process(1), process(2), process(3)];
    let fed = connect(&processes).await;
    let x = fed.read("d").await.expect("it may be read");
    let centred = x.subtract(x.mean(Axis::Columns).expect("a row cut").await.expect("many rows")).expect("it fits");
    let squares = async || centred.gram().expect("a row cut").await.expect("many rows");
    let before = bits(&squares().await);
    for index in [0, 2] {
        processes[index].kill();
        processes[index].serve_again();
    }
    assert_eq!(bits(&squares().await), before);
    assert_eq!(recoveries(&fed), [1, 0, 1]);
    processes[1].kill();
    processes[1].serve_again();
    assert_eq!(bits(&squares().await), before);
    assert_eq!(recoveries(&fed), [1, 1, 1]);
    fed.close().await.expect("the workers answer");
}

/// A sum that takes its time.
fn long(fed: &Federation) -> (FedMatrix, fondaco::Pending) {
    let layout = Layout::whole("a", Shape::new(500, 500));
    let factor = fed.rand(&layout, 3, Distribution::Uniform { low: 0.0, high: 0.004 }).expect("a layout of ours");
    let mut product = factor.clone();
    for _ in 0..150 {
        product = product.matmul(&factor).expect("it fits");
    }
    let sum = product.sum(Axis::Columns).expect("a part");
    (product, sum)
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_program_runs() {
    let mut processes = [process(1)];
    let fed = connect(&processes).await;
    let own = fed.put_whole("a", Array2::ones((10, 1))).expect("there is such a site");
    own.persist().await.expect("it is small");
    let (product, pending) = long(&fed);
    let running = tokio::spawn(pending.fetch());
    let port = processes[0].address.port();
    eventually("the program runs", async || tenant(port, "ada").await.programs == 1).await;
    processes[0].kill();
    assert!(!running.is_finished(), "the program was too short for this test");
    processes[0].serve_again();
    let sum = within(PATIENCE, "the program, run anew", running).await.expect("it does not panic");
    let sum = sum.expect("it is made again");
    assert_eq!(recoveries(&fed), [1]);
    assert_eq!(bits(&product.sum(Axis::Columns).expect("a part").await.expect("it is one's own")), bits(&sum));
    assert_eq!(own.sum(Axis::All).expect("a part").scalar().await.expect("it is made again"), 10.0);
    drop(product);
    let (_product, undisturbed) = long(&fed);
    assert_eq!(bits(&undisturbed.await.expect("it is one's own")), bits(&sum));
}
