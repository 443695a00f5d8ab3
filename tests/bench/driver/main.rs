//! The coordinator of `make bench`: carries out one JSON command per line of standard input; see `bench.py` for what
//! each means.

mod analysis;
mod expressions;
mod loopback;
mod single;

use std::{
    error::Error,
    io::{BufRead as _, Write as _},
};

use fondaco::{Federation, Site};
use serde_json::{Value, json};

/// Anything that went wrong; the message goes to the orchestrator.
type AnyError = Box<dyn Error + Send + Sync>;

/// One tenant's federation.
struct Tenant {
    name: String,
    /// Connect lines, in the order of the sites.
    lines: Vec<String>,
    fed: Federation,
}

impl Tenant {
    async fn connect(argument: &str) -> Result<Self, AnyError> {
        let (name, lines) = argument.split_once('=').ok_or("--tenant NAME=LINE,LINE")?;
        let lines: Vec<String> = lines.split(',').map(str::to_owned).collect();
        let sites: Vec<Site> = lines
            .iter()
            .enumerate()
            .map(|(i, line)| Ok(Site::parse(line)?.named(format!("site{i}"))))
            .collect::<fondaco::Result<_>>()?;
        Ok(Self { name: name.to_owned(), lines, fed: Federation::connect(sites).await? })
    }
}

fn main() -> Result<(), AnyError> {
    let mut arguments = std::env::args().skip(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut tenants = Vec::new();
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--tenant", Some(tenant)) => tenants.push(runtime.block_on(Tenant::connect(&tenant))?),
            ("--child", Some(kind)) => return loopback::child(&kind),
            _ => return Err(format!("unknown argument {argument}").into()),
        }
    }
    let mut bench = single::Bench::new(tenants.first().ok_or("give at least one --tenant")?);
    let mut out = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let command: Value = serde_json::from_str(&line?)?;
        let answer = runtime.block_on(async {
            if command["cmd"] == "analysis" {
                analysis::run(&tenants, &command).await
            } else {
                bench.run(&command).await
            }
        });
        let answer = answer.unwrap_or_else(|error| json!({ "error": error.to_string() }));
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    drop(bench);
    runtime.block_on(async {
        for tenant in tenants {
            tenant.fed.close().await?;
        }
        Ok(())
    })
}

/// A list of texts of a command.
fn texts(command: &Value, field: &str) -> Result<Vec<String>, AnyError> {
    let list = command[field].as_array().ok_or_else(|| format!("{field} must be a list"))?;
    list.iter().map(|text| Ok(text.as_str().ok_or_else(|| format!("{field} must hold texts"))?.to_owned())).collect()
}

/// A text of a command.
fn text<'a>(command: &'a Value, field: &str) -> Result<&'a str, AnyError> {
    Ok(command[field].as_str().ok_or_else(|| format!("{field} must be a text"))?)
}

/// A whole number of a command.
fn number(command: &Value, field: &str) -> Result<usize, AnyError> {
    Ok(command[field].as_u64().ok_or_else(|| format!("{field} must be a whole number"))? as usize)
}
