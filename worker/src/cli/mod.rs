//! The command line.

mod datasets;
mod folder;
mod owner;
mod serve;

use std::{error::Error, path::PathBuf};

use clap::{Parser, Subcommand};
use fondaco_worker::label::Level;

/// Lets data scientists compute on data that stays where it is.
#[derive(Parser)]
#[command(name = "fondaco", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve datasets: as site.toml says, or to try out, every file of a folder
    Worker(WorkerArguments),
    /// List the datasets that a worker offers to you
    Datasets {
        /// The connect line of a worker, fondaco://TOKEN@HOST:PORT
        url: String,
    },
    /// Show tenants, scopes, bytes and running programs of a worker of yours on this machine
    Status {
        /// The worker's port
        #[arg(long, default_value_t = 7171)]
        port: u16,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// End a tenant's programs and scopes on a worker of yours on this machine
    Stop {
        /// The tenant's name
        tenant: String,
        /// The worker's port
        #[arg(long, default_value_t = 7171)]
        port: u16,
    },
    /// Make a token for a new tenant, and its hash for site.toml
    Token,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The site's configuration
    #[arg(long)]
    config: Option<PathBuf>,
    /// A folder whose Parquet, Arrow and CSV files (or folders of parts) are the datasets; serves this machine alone
    #[arg(long)]
    data: Option<PathBuf>,
}

#[derive(clap::Args)]
struct WorkerArguments {
    #[command(flatten)]
    what: What,
    /// With --data: what may leave
    #[arg(long, value_parser = parse_level, default_value = "aggregate", conflicts_with = "config")]
    privacy: Level,
    /// With --data: let minima and maxima leave
    #[arg(long, conflicts_with = "config")]
    extremes: bool,
    /// With --data: the port; 0 takes a free one
    #[arg(long, conflicts_with = "config", default_value_t = 7171)]
    port: u16,
    /// With --data: names of tenants, one connect line each
    #[arg(long, conflicts_with = "config", value_delimiter = ',', default_value = "me")]
    tenants: Vec<String>,
    /// With --data: the audit file
    #[arg(long, conflicts_with = "config", default_value = "audit.jsonl")]
    audit_file: PathBuf,
}

fn parse_level(text: &str) -> Result<Level, String> {
    match text {
        "public" => Ok(Level::Public),
        "aggregate" => Ok(Level::Aggregate),
        "private" => Ok(Level::Private),
        _ => Err("must be public, aggregate or private".to_owned()),
    }
}

/// Carries out a command.
///
/// # Errors
/// What is wrong and what would be right, for the user.
pub fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    match arguments.command {
        Command::Worker(arguments) => serve::run(arguments),
        Command::Datasets { url } => datasets::run(&url),
        Command::Status { port, json } => owner::status(port, json),
        Command::Stop { tenant, port } => owner::stop(port, tenant),
        Command::Token => {
            owner::token();
            Ok(())
        }
    }
}
