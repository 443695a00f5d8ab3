//! `fondaco status`, `fondaco stop` and `fondaco token`.
#![expect(clippy::print_stdout, reason = "a command answers on standard output")]

use std::error::Error;

use fondaco_worker::admin::{self, Command, Status};

fn ask(port: u16, command: &Command) -> Result<String, Box<dyn Error>> {
    admin::ask(port, command).map_err(|error| {
        format!("no worker of yours answers for port {port} on this machine ({error}); give its port with --port")
            .into()
    })
}

/// Prints who holds and runs what.
///
/// # Errors
/// If no worker answers.
pub fn status(port: u16, json: bool) -> Result<(), Box<dyn Error>> {
    let reply = ask(port, &Command::Status)?;
    if json {
        println!("{reply}");
        return Ok(());
    }
    let status: Status = serde_json::from_str(&reply)?;
    println!("memory  {} of {}", mib(status.memory_bytes), mib(status.memory_bytes_max));
    println!(
        "reuse   {} in {} values; {} hits, {} misses",
        mib(status.cache_bytes),
        status.cache_entries,
        status.cache_hits,
        status.cache_misses
    );
    println!();
    let width = status.tenants.iter().map(|tenant| tenant.name.len()).max().unwrap_or(0).max(6);
    println!("{:width$}  {:>6}  {:>12}  {:>8}", "tenant", "scopes", "holds", "programs");
    for tenant in &status.tenants {
        println!("{:width$}  {:>6}  {:>12}  {:>8}", tenant.name, tenant.scopes, mib(tenant.bytes), tenant.programs);
    }
    Ok(())
}

/// Ends a tenant's programs and scopes.
///
/// # Errors
/// If no worker answers, or there is no such tenant.
pub fn stop(port: u16, tenant: String) -> Result<(), Box<dyn Error>> {
    let reply = ask(port, &Command::Stop(tenant.clone()))?;
    match serde_json::from_str::<Option<usize>>(&reply)? {
        Some(scopes) => {
            println!("stopped {tenant}: {scopes} scopes ended; remove its token from site.toml to keep it out")
        }
        None => return Err(format!("there is no tenant {tenant:?}; `fondaco status` lists them").into()),
    }
    Ok(())
}

/// Prints a new token and its hash.
pub fn token() {
    let token = new_token();
    println!("token        = {token}   (give it to the tenant; it is stored nowhere)");
    println!("token_blake3 = \"{}\"", blake3::hash(token.as_bytes()).to_hex());
}

/// 244 random bits.
pub fn new_token() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

fn mib(bytes: u64) -> String {
    // Precision beyond a byte in 2^53 is of no use here.
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
