//! The real binary, as an owner runs it.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use super::{Client, Folder};

/// A running `fondaco worker`, killed on drop.
pub struct Process {
    pub address: SocketAddr,
    child: Child,
    tokens: HashMap<String, String>,
    folder: Folder,
}

/// What was built beside this test.
///
/// # Panics
/// If it is not there.
pub fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let path = test.parent().and_then(|deps| deps.parent()).map(|profile| profile.join(name));
    let path = path.filter(|path| path.is_file());
    path.unwrap_or_else(|| {
        panic!("{name} is missing beside the tests: `make test` builds it, or `cargo build --all-targets`")
    })
}

/// The worker's binary.
pub fn binary() -> PathBuf {
    built("fondaco")
}

/// Runs an owner's command to its end.
pub fn owner(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().expect("the binary runs")
}

impl Process {
    /// `fondaco worker --data FOLDER --port 0`, with these tenants. The folder goes with the process.
    pub fn serve(folder: Folder, tenants: &[&str], more: &[&str]) -> Self {
        let data = folder.path().to_str().expect("temporary folders have plain names").to_owned();
        let audit = folder.join("audit.jsonl").to_str().expect("temporary folders have plain names").to_owned();
        let names = tenants.join(",");
        let mut arguments = vec!["worker", "--data", &data, "--port", "0", "--audit-file", &audit, "--tenants", &names];
        arguments.extend(more);
        Self::start(folder, &arguments, tenants.len())
    }

    /// `fondaco worker --config FOLDER/site.toml`, which listens on port 0; tokens are the test's to know.
    pub fn configured(folder: Folder, site: &str) -> Self {
        let path = folder.join("site.toml");
        std::fs::write(&path, site).expect("the folder can be written");
        let path = path.to_str().expect("temporary folders have plain names").to_owned();
        Self::start(folder, &["worker", "--config", &path], 0)
    }

    fn start(folder: Folder, arguments: &[&str], connect_lines: usize) -> Self {
        let (child, address, lines) = spawn(&folder, arguments, connect_lines);
        let tokens = lines.iter().map(|line| connect_line(line)).collect();
        Self { address, child, tokens, folder }
    }

    /// Another process of [`Process::configured`], whose site names a port, after this one was killed.
    pub fn serve_again(&mut self) {
        let path = self.folder.join("site.toml");
        let path = path.to_str().expect("temporary folders have plain names");
        let (child, address, _) = spawn(&self.folder, &["worker", "--config", path], 0);
        assert_eq!(address, self.address);
        self.child = child;
    }

    /// A new connection of a tenant of [`Process::serve`], its scope open.
    pub async fn client(&self, tenant: &str) -> Client {
        self.client_with(self.token(tenant)).await
    }

    /// A new connection with this token, its scope open.
    pub async fn client_with(&self, token: &str) -> Client {
        let mut client = Client::connect(self.address, Some(token)).await;
        client.open().await.expect("a tenant can open a scope");
        client
    }

    pub fn token(&self, tenant: &str) -> &str {
        self.tokens.get(tenant).expect("the worker printed a connect line for each tenant")
    }

    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What the worker logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("worker.log")).unwrap_or_default()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().expect("the worker runs");
        self.child.wait().expect("the worker is this process's child");
    }

    /// `kill -TERM`.
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("there is a kill");
        assert!(sent.success());
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the worker is this process's child")
    }
}

/// A process that serves, where, and the connect lines that it printed.
fn spawn(folder: &Folder, arguments: &[&str], connect_lines: usize) -> (Child, SocketAddr, Vec<String>) {
    let log = File::create(folder.join("worker.log")).expect("the folder can be written");
    let mut child = Command::new(binary())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::from(log))
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(child.stdout.take().expect("standard output is a pipe")).lines();
    let log = folder.join("worker.log");
    let mut next = || match lines.next() {
        Some(Ok(line)) => line,
        _ => panic!("the worker did not start: {}", std::fs::read_to_string(&log).unwrap_or_default()),
    };
    let serving = next();
    let address = serving.rsplit(' ').next().and_then(|address| address.parse().ok());
    let address = address.unwrap_or_else(|| panic!("no address in {serving:?}"));
    (child, address, (0..connect_lines).map(|_| next()).collect())
}

/// `connect NAME: fondaco://TOKEN@HOST:PORT`
fn connect_line(line: &str) -> (String, String) {
    let parts = line.strip_prefix("connect ").and_then(|rest| rest.split_once(": fondaco://"));
    let (name, rest) = parts.unwrap_or_else(|| panic!("no connect line: {line:?}"));
    let (token, _address) = rest.split_once('@').unwrap_or_else(|| panic!("no token in {line:?}"));
    (name.to_owned(), token.to_owned())
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ended_already = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the worker's log:\n{}", self.log());
        }
    }
}
