//! `fondaco`: the worker, and its owner's commands.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match cli::run(cli::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fondaco: {error}");
            ExitCode::FAILURE
        }
    }
}
