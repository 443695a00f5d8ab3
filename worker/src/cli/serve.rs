//! `fondaco worker`.
#![expect(clippy::print_stdout, reason = "a command answers on standard output")]

use std::{error::Error, io::IsTerminal, net::SocketAddr};

use fondaco_worker::{
    Worker,
    config::{Config, TenantConfig, TokenHash},
};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{WorkerArguments, folder, owner};

/// Serves until SIGTERM or Ctrl-C, then drains.
///
/// # Errors
/// If the configuration is not valid, or the address is taken.
pub fn run(arguments: WorkerArguments) -> Result<(), Box<dyn Error>> {
    let filter = EnvFilter::try_from_env("FONDACO_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    let mut tokens = Vec::new();
    let config = match (&arguments.what.config, &arguments.what.data) {
        (Some(path), _) => Config::load(path)?,
        (None, Some(data)) => {
            let mut config = Config::new(SocketAddr::from(([127, 0, 0, 1], arguments.port)), &arguments.audit_file);
            config.datasets = folder::datasets(data)?;
            for dataset in &mut config.datasets {
                dataset.privacy = arguments.privacy;
                dataset.extremes = arguments.extremes;
            }
            for name in &arguments.tenants {
                let token = owner::new_token();
                config.tenants.push(TenantConfig { name: name.clone(), token_blake3: TokenHash::of(&token) });
                tokens.push((name.clone(), token));
            }
            config
        }
        (None, None) => return Err("give --config site.toml or --data FOLDER".into()),
    };
    let threads = std::thread::available_parallelism()?.get().clamp(2, 16);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    runtime.block_on(serve(config, &tokens))
}

async fn serve(config: Config, tokens: &[(String, String)]) -> Result<(), Box<dyn Error>> {
    let names: Vec<String> = config.datasets.iter().map(|dataset| dataset.name.clone()).collect();
    let worker = Worker::bind(config).await?;
    let address = worker.address();
    println!("serving {} on {address}", names.join(", "));
    for (name, token) in tokens {
        println!("connect {name}: fondaco://{token}@{address}");
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    worker
        .serve(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await?;
    Ok(())
}
