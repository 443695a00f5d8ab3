//! The configuration of a site: read once, into types that hold only what is valid.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{label::Level, source::CsvOptions};

/// `site.toml`. Every field with its unit and default; unknown fields are refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address to listen on; port 0 takes a free one. Default `127.0.0.1:7171`.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// File to which each connection, release and denial is appended as a line of JSON. Default `audit.jsonl`.
    #[serde(default = "default_audit_file")]
    pub audit_file: PathBuf,
    /// Certificate and key. Without them only loopback addresses are served.
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    /// Who may connect.
    #[serde(default)]
    pub tenants: Vec<TenantConfig>,
    /// What they may compute on.
    #[serde(default)]
    pub datasets: Vec<DatasetConfig>,
    /// How much.
    #[serde(default)]
    pub limits: Limits,
}

/// PEM files for TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A tenant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantConfig {
    /// Its name, for the owner's eyes and the audit file.
    pub name: String,
    /// blake3 of its token, in hexadecimal; `fondaco token` makes both.
    pub token_blake3: TokenHash,
}

/// The hash of a token.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq, Hash)]
#[serde(try_from = "String")]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// Of a token.
    pub fn of(token: &str) -> Self {
        Self(*blake3::hash(token.as_bytes()).as_bytes())
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash")
    }
}

impl TryFrom<String> for TokenHash {
    type Error = String;

    fn try_from(hex: String) -> Result<Self, String> {
        let hash = blake3::Hash::from_hex(&hex);
        hash.map(|hash| Self(*hash.as_bytes())).map_err(|_| "token_blake3 must be 64 hexadecimal digits".to_owned())
    }
}

/// A dataset of the catalogue.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetConfig {
    /// The name that tenants use.
    pub name: String,
    /// A Parquet, Arrow IPC or CSV file, or a folder of parts; relative to the folder of `site.toml`.
    pub path: PathBuf,
    /// Columns that exist for tenants; empty: all.
    #[serde(default)]
    pub columns: Vec<String>,
    /// What may leave. Default `aggregate`.
    #[serde(default)]
    pub privacy: Level,
    /// Whether minima and maxima, which are values of single rows, may leave `aggregate` data. Default false.
    #[serde(default)]
    pub extremes: bool,
    /// Whether results may be reused between tenants (a hit can be seen in the latency). Default `shared`.
    #[serde(default)]
    pub reuse: Reuse,
    /// Names of the tenants that may read it; empty: all.
    #[serde(default)]
    pub readers: Vec<String>,
    /// Whether the data's version is a digest of all bytes, not only of sizes, times and footers. Default false.
    #[serde(default)]
    pub content_digest: bool,
    /// How its CSV files are read: delimiter, header, nulls, types. Default: `CsvOptions::default()`, for files ending in
    /// `.csv` and `.tsv`.
    #[serde(default)]
    pub csv: Option<CsvOptions>,
}

impl fmt::Debug for DatasetConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatasetConfig")
            .field("name", &self.name)
            .field("privacy", &self.privacy)
            .finish_non_exhaustive()
    }
}

impl DatasetConfig {
    /// A dataset with all defaults.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            path: path.into(),
            columns: Vec::new(),
            privacy: Level::default(),
            extremes: false,
            reuse: Reuse::default(),
            readers: Vec::new(),
            content_digest: false,
            csv: None,
        }
    }
}

/// Who may reuse results of a dataset.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Reuse {
    /// Every tenant with the right to it.
    #[default]
    Shared,
    /// The same tenant alone.
    Tenant,
}

/// Every limit has a name, a unit and a default, and is checked before the memory is taken.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of all values and scratch. Default: half of the machine's memory.
    pub memory_bytes_max: u64,
    /// Bytes of values kept for reuse. Default: half of `memory_bytes_max`.
    pub cache_bytes_max: u64,
    /// Bytes of values kept for reuse that one tenant's requests made, while another needs the room: beyond, its own make
    /// room first. Default: a quarter of `cache_bytes_max`.
    pub cache_tenant_bytes_max: Option<u64>,
    /// Bytes of the values that one tenant has bound. Default: `memory_bytes_max`.
    pub tenant_bytes_max: u64,
    /// Cells of one matrix. Default 2^36.
    pub cells_max: u64,
    /// Bytes of one gRPC message. Default 16 MiB.
    pub message_bytes_max: usize,
    /// Bytes of one inline operand. Default 1 MiB.
    pub inline_bytes_max: usize,
    /// Instructions of one program. Default 4096.
    pub program_instructions_max: usize,
    /// Programs that run at once. Default 64.
    pub programs_running_max: usize,
    /// Programs of one tenant that wait. Default 256.
    pub programs_queued_max: usize,
    /// Programs whose receipts and outputs a scope keeps for a retry. Default 16.
    pub programs_kept_max: usize,
    /// Bytes of the values of one answer that is kept whole; a larger one can be given again while its variables are
    /// bound. Default 4 MiB.
    pub kept_bytes_max: u64,
    /// Scopes of one tenant. Default 64.
    pub scopes_max: usize,
    /// Variables of one scope. Default 100,000.
    pub variables_max: usize,
    /// Threads of all compute pools. Default: 4 × cores, at most 96.
    pub compute_threads_max: usize,
    /// Threads of one tenant's compute pool. Default: cores.
    pub tenant_threads: usize,
    /// Seconds after which an idle scope is dropped. Default 1800.
    pub lease_s: u64,
    /// Rows, and effective contributors, behind each released cell of `aggregate` data. Default 5.
    pub release_rows_min: u64,
    /// Whether computed values are kept for reuse at all. Default true.
    pub reuse: bool,
}

impl Default for Limits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let memory_bytes_max = machine_bytes() / 2;
        Self {
            memory_bytes_max,
            cache_bytes_max: memory_bytes_max / 2,
            cache_tenant_bytes_max: None,
            tenant_bytes_max: memory_bytes_max,
            cells_max: 1 << 36,
            message_bytes_max: 16 << 20,
            inline_bytes_max: 1 << 20,
            program_instructions_max: 4096,
            programs_running_max: 64,
            programs_queued_max: 256,
            programs_kept_max: 16,
            kept_bytes_max: 4 << 20,
            scopes_max: 64,
            variables_max: 100_000,
            compute_threads_max: (4 * cores).min(96),
            tenant_threads: cores.min(96),
            lease_s: 1800,
            release_rows_min: 5,
            reuse: true,
        }
    }
}

/// Bytes of the machine's memory; 8 GiB if it does not tell.
fn machine_bytes() -> u64 {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.map_or(8 << 30, |kib: u64| kib * 1024)
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7171))
}

fn default_audit_file() -> PathBuf {
    PathBuf::from("audit.jsonl")
}

/// What is wrong with a configuration, and what would be right.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

impl Config {
    /// An empty configuration that listens on this address and writes this audit file.
    pub fn new(listen: SocketAddr, audit_file: impl Into<PathBuf>) -> Self {
        Self {
            listen,
            audit_file: audit_file.into(),
            tls: None,
            tenants: Vec::new(),
            datasets: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// Reads `site.toml`; relative paths are relative to its folder.
    ///
    /// # Errors
    /// If it cannot be read or is not valid, naming the line.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError(format!("{} cannot be read: {error}", path.display())))?;
        let mut config: Self =
            toml::from_str(&text).map_err(|error| ConfigError(format!("{}: {error}", path.display())))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let resolve = |path: &mut PathBuf| *path = folder.join(&*path);
        resolve(&mut config.audit_file);
        config.datasets.iter_mut().for_each(|dataset| resolve(&mut dataset.path));
        if let Some(tls) = &mut config.tls {
            resolve(&mut tls.certificate);
            resolve(&mut tls.key);
        }
        Ok(config)
    }

    /// Checks what no field can say alone.
    ///
    /// # Errors
    /// Naming what is wrong and what would be right.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |message: String| Err(ConfigError(message));
        if self.tls.is_none() && !self.listen.ip().is_loopback() {
            return wrong(format!(
                "{} can be reached by others, and tokens must not travel in clear: give [tls] certificate and key, or \
                 listen on 127.0.0.1",
                self.listen
            ));
        }
        let mut names = std::collections::HashSet::new();
        if let Some(twice) = self.datasets.iter().find(|dataset| !names.insert(&dataset.name)) {
            return wrong(format!("two datasets are called {:?}; give each its own name", twice.name));
        }
        names.clear();
        let mut tokens = std::collections::HashSet::new();
        for tenant in &self.tenants {
            if !names.insert(&tenant.name) || !tokens.insert(tenant.token_blake3) {
                return wrong(format!("tenant {:?} has the name or the token of another one", tenant.name));
            }
        }
        let known: std::collections::HashSet<_> = self.tenants.iter().map(|tenant| &tenant.name).collect();
        for dataset in &self.datasets {
            if let Some(nobody) = dataset.readers.iter().find(|reader| !known.contains(reader)) {
                return wrong(format!("dataset {:?} names the reader {nobody:?}, who is no tenant here", dataset.name));
            }
        }
        if self.limits.release_rows_min == 0 {
            return wrong("release_rows_min must be at least 1; mark datasets privacy = \"public\" instead".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_valid() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/site.toml");
        let config = Config::load(&path).unwrap();
        config.validate().unwrap();
        let csv = config.datasets.iter().find_map(|dataset| dataset.csv.as_ref()).unwrap();
        assert!(csv.nulls.contains(&"-999".to_owned()) && csv.types.len() == 3);
    }

    #[test]
    fn parses_and_refuses() {
        let hash = blake3::hash(b"token").to_hex();
        let text = format!(
            "listen = '127.0.0.1:0'\n[[tenants]]\nname = 'ada'\ntoken_blake3 = '{hash}'\n[[datasets]]\nname = 'd'\n\
             path = 'd.parquet'\nprivacy = 'public'\nreaders = ['ada']\n[limits]\nlease_s = 5\n"
        );
        let config: Config = toml::from_str(&text).unwrap();
        config.validate().unwrap();
        assert_eq!(config.limits.lease_s, 5);
        assert_eq!(config.tenants[0].token_blake3, TokenHash::of("token"));
        assert!(toml::from_str::<Config>("lisen = '127.0.0.1:0'").is_err());
        assert!(toml::from_str::<Config>("[[tenants]]\nname = 'x'\ntoken_blake3 = 'ab'").is_err());
        let mut open = config.clone();
        open.listen = "0.0.0.0:1".parse().unwrap();
        assert!(open.validate().unwrap_err().to_string().contains("[tls]"));
        let mut stranger = config.clone();
        stranger.datasets[0].readers.push("bob".into());
        assert!(stranger.validate().is_err());
        assert!(!format!("{config:?}").contains("parquet"));
    }
}
