//! `fondaco datasets`.
#![expect(clippy::print_stdout, reason = "a command answers on standard output")]

use std::error::Error;

use fondaco_proto::{
    Error as Refusal,
    wire::{self, federated_worker_client::FederatedWorkerClient},
};
use tonic::transport::{ClientTlsConfig, Endpoint};

/// Prints the datasets that a worker offers to the holder of the connect line's token.
///
/// # Errors
/// If the line is malformed, or the worker cannot be reached or refuses.
pub fn run(line: &str) -> Result<(), Box<dyn Error>> {
    let (scheme, rest) = line.split_once("://").ok_or("the connect line must be fondaco://TOKEN@HOST:PORT")?;
    let (token, address) = rest.split_once('@').ok_or("the connect line must be fondaco://TOKEN@HOST:PORT")?;
    let endpoint = match scheme {
        "fondaco" => Endpoint::from_shared(format!("http://{address}"))?,
        "fondaco+tls" => Endpoint::from_shared(format!("https://{address}"))?
            .tls_config(ClientTlsConfig::new().with_enabled_roots())?,
        _ => return Err("the connect line must begin with fondaco:// or fondaco+tls://".into()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let channel = endpoint.connect().await.map_err(|error| format!("{address} cannot be reached: {error}"))?;
        let mut request = tonic::Request::new(wire::DescribeRequest::default());
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
        let answer = FederatedWorkerClient::new(channel).describe(request).await;
        let answer =
            answer.map_err(|status| Refusal::from_status(&status).map_or(status.to_string(), |e| e.to_string()));
        print_table(&answer?.into_inner());
        Ok(())
    })
}

fn print_table(answer: &wire::DescribeResponse) {
    if answer.datasets.is_empty() {
        println!("this worker offers you no dataset");
    }
    for dataset in &answer.datasets {
        let privacy = dataset.privacy().as_str_name().trim_start_matches("PRIVACY_").to_lowercase();
        let extremes = if dataset.extremes { ", extremes may leave" } else { "" };
        println!("{}  ({privacy}{extremes}; version {})", dataset.name, dataset.version);
        let width = dataset.columns.iter().map(|column| column.name.len()).max().unwrap_or(0);
        for column in &dataset.columns {
            let note = if column.numeric { "" } else { "   (not numeric: for filters alone)" };
            println!("    {:width$}  {}{note}", column.name, column.r#type);
        }
    }
}
