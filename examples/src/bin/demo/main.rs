//! The demo: three workers over real data, four tenants at once, and a check against the pooled rows.
//!
//! It starts the workers as processes of their own, and ends them whatever happens. `--keep` keeps their audit files.
#![expect(clippy::print_stdout, reason = "the demo speaks on standard output")]

mod analyses;
mod audit;
mod pooled;
mod refusal;
mod report;
mod style;
mod view;
mod workers;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
};

use crate::{
    analyses::{Desk, Finding},
    pooled::Check,
    refusal::Outcome,
    style::Style,
    view::View,
    workers::Workers,
};

/// Any error; its text is for the user.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// A site, and what its file holds.
struct Airport<'a> {
    name: &'a str,
    about: &'a str,
}

const AIRPORTS: [Airport; 3] = [
    Airport { name: "ewr", about: "Newark, January to December" },
    Airport { name: "jfk", about: "Kennedy, April to December" },
    Airport { name: "lga", about: "LaGuardia, January to March" },
];

/// A tenant, and what it computes.
struct Tenant<'a> {
    name: &'a str,
    analysis: &'a str,
    brief: &'a str,
}

const TENANTS: [Tenant; 4] = [
    Tenant {
        name: "airline",
        analysis: "linear regression on 7 columns, by the normal equations",
        brief: "linear regression",
    },
    Tenant { name: "airport", analysis: "the same regression, a moment later", brief: "the same, a moment later" },
    Tenant {
        name: "university",
        analysis: "the same model by conjugate gradients, on standardised columns",
        brief: "the same, iteratively",
    },
    Tenant {
        name: "regulator",
        analysis: "k-means of flights by delays, distance and hour",
        brief: "k-means, 4 clusters",
    },
];

/// The tenant of the check against the pooled rows, and the worker that serves them to it.
const POOLED: &str = "pooled";

fn main() -> ExitCode {
    let mut keep = false;
    for argument in std::env::args().skip(1) {
        if argument != "--keep" {
            eprintln!("usage: demo [--keep]\n\n  --keep   keep the folder with the workers' audit files and logs");
            return ExitCode::from(2);
        }
        keep = true;
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("demo: {error}");
            return ExitCode::FAILURE;
        }
    };
    // What is interrupted is dropped, and ends its workers with it.
    let code = runtime.block_on(async {
        tokio::select! {
            code = demo(keep) => code,
            (what, code) = interrupted() => {
                eprintln!("\n{what}: the workers are ended");
                ExitCode::from(code)
            }
        }
    });
    runtime.shutdown_background();
    code
}

async fn demo(keep: bool) -> ExitCode {
    match run(keep).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("\ndemo: not everything is as it should be; see the lines marked ✗");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("\ndemo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the first signal to end says, and the exit code that a shell gives it.
async fn interrupted() -> (&'static str, u8) {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::hangup()));
    let (Ok(mut terminate), Ok(mut hangup)) = signals else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => ("interrupted", 130),
        _ = terminate.recv() => ("terminated", 143),
        _ = hangup.recv() => ("hung up", 129),
    }
}

/// The folder of the sites' data: of the source tree, or below the current folder.
fn data() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    if built.is_dir() { built } else { PathBuf::from("examples/data") }
}

/// The demo from start to end; whether all is as it should be.
async fn run(keep: bool) -> Result<bool> {
    let style = Style::detect();
    let names = AIRPORTS.map(|airport| airport.name);
    let mut workers = Workers::new(keep)?;
    let tenants = TENANTS.map(|tenant| tenant.name);

    report::heading(style, "Three sites, each a worker process next to a Parquet file of its own");
    for airport in &AIRPORTS {
        workers.start(airport.name, &data().join(airport.name), "aggregate", &tenants).await?;
    }
    for (airport, (name, process, address)) in AIRPORTS.iter().zip(workers.list()) {
        let details = format!("process {process:<7}  {address}");
        println!("  {}  {:<28}  {}", style.name(name), airport.about, style.dim(&details));
    }

    report::heading(style, "Four tenants at once; rows stay, aggregates over at least 5 rows may leave");
    let findings = at_work(style, &workers, &names).await?;

    report::heading(style, "Check");
    workers.start(POOLED, &data(), "public", &[POOLED]).await?;
    let rows = pooled::fetch(workers.sites(&[POOLED], POOLED)?, &names).await?;
    report::say(&format!(
        "A fourth worker serves the same files as public data, for this check alone. All {} rows of the {} columns \
         were fetched from it ({}), and everything is computed once more in plain ndarray, the regression by QR.",
        style::count(rows.nrows() as u64),
        rows.ncols(),
        style::bytes(rows.len() as u64 * 8),
    ));
    let (findings, checks) = tokio::task::spawn_blocking(move || {
        let checks: Vec<Vec<Check>> = findings.iter().map(|finding| pooled::check(&rows, finding)).collect();
        (findings, checks)
    })
    .await?;

    report::heading(style, "Results");
    report::results(style, &findings, &checks);
    report::heading(style, "Cost");
    report::costs(style, &findings, &names);

    report::heading(style, "Refused");
    let outcome = refusal::attempt(workers.sites(&names, TENANTS[3].name)?).await?;
    report::refusal(style, TENANTS[3].name, &outcome);

    report::heading(style, &format!("Audit: what the owner of {} has on file", names[0]));
    audit::show(style, &workers.audit_file(names[0]))?;

    let (processes, file) = (workers.list().count(), workers.audit_file(names[0]));
    drop(workers);
    println!();
    let kept = if keep { "kept" } else { "removed; --keep keeps it" };
    for line in [format!("All {processes} workers have ended."), format!("Audit file: {} ({kept})", file.display())] {
        println!("  {}", style.dim(&line));
    }
    let right = checks.iter().flatten().all(Check::holds);
    Ok(right && matches!(outcome, Outcome::Refused { .. }))
}

/// The findings of all tenants, in their order.
async fn at_work(style: Style, workers: &Workers, sites: &[&str]) -> Result<Vec<Finding>> {
    let (events, shown) = mpsc::unbounded_channel();
    let view = View::new(style, TENANTS.iter().map(|tenant| (tenant.name.to_owned(), tenant.brief.to_owned())));
    let desk = |tenant: usize| -> Result<Desk> {
        Ok(Desk { tenant, sites: workers.sites(sites, TENANTS[tenant].name)?, events: events.clone() })
    };
    let (airline, airport, university, regulator) = (desk(0)?, desk(1)?, desk(2)?, desk(3)?);
    drop(events);
    let (fitted, a_moment_later) = oneshot::channel();
    let second = async {
        // If the first tenant fails, the second begins all the same.
        let _fitted = a_moment_later.await;
        airport.regression(None).await
    };
    let (first, second, third, fourth, ()) = tokio::join!(
        airline.regression(Some(fitted)),
        second,
        university.conjugate_gradient(),
        regulator.clusters(),
        view.show(shown),
    );
    Ok(vec![first?, second?, third?, fourth?])
}
