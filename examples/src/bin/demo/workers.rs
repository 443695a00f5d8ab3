//! The worker processes, and their end.

use std::{
    collections::HashMap,
    fs::{self, DirBuilder, File},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use fondaco::Site;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::Result;

/// How long a worker may take to listen.
const START_MAX: Duration = Duration::from_secs(20);

/// How long it may take to end when it is asked to; then it is killed.
const END_MAX: Duration = Duration::from_secs(3);

/// Worker processes in one folder for their audit files and logs. When this goes, so do they and the folder: also after
/// an error, a panic or Ctrl-C.
pub struct Workers {
    // Before the folder, which they write to.
    running: Vec<Worker>,
    folder: Folder,
}

/// One worker process.
struct Worker {
    name: String,
    address: String,
    /// Connect lines by tenant.
    lines: HashMap<String, String>,
    child: Child,
    /// Kept open, so that the worker may go on printing.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Workers {
    /// None yet; with a new folder, that only this user can open.
    pub fn new(keep: bool) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("fondaco-demo-{}", std::process::id()));
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| format!("the folder {} cannot be made: {error}", path.display()))?;
        Ok(Self { running: Vec::new(), folder: Folder { path, keep } })
    }

    /// Starts a worker over the files of a folder, and waits until it listens.
    pub async fn start(&mut self, name: &str, data: &Path, privacy: &str, tenants: &[&str]) -> Result<()> {
        let log = self.folder.path.join(format!("{name}.log"));
        let mut command = Command::new(program()?);
        command.args(["worker", "--port", "0", "--privacy", privacy, "--tenants", &tenants.join(",")]);
        command.arg("--data").arg(data).arg("--audit-file").arg(self.audit_file(name));
        // A group of its own: Ctrl-C is for the demo, which then ends its workers.
        command.process_group(0).kill_on_drop(true).env("TMPDIR", &self.folder.path);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?);
        let mut child = command.spawn()?;
        let output = child.stdout.take().ok_or("a worker's output is not connected")?;
        let mut output = BufReader::new(output).lines();
        let greeting = timeout(START_MAX, greeting(&mut output, tenants.len())).await;
        let (address, lines) = match greeting {
            Ok(Ok(Some(greeting))) => greeting,
            Ok(Ok(None) | Err(_)) | Err(_) => {
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Err(format!("the worker of {name} did not start:\n{}", said.trim_end()).into());
            }
        };
        self.running.push(Worker { name: name.to_owned(), address, lines, child, _output: output });
        Ok(())
    }

    /// A tenant's way to these workers.
    pub fn sites(&self, names: &[&str], tenant: &str) -> Result<Vec<Site>> {
        let site = |name: &&str| {
            let worker = self.running.iter().find(|worker| worker.name == *name).ok_or("there is no such worker")?;
            let line = worker.lines.get(tenant).ok_or("there is no such tenant")?;
            Ok(Site::parse(line)?.named(*name))
        };
        names.iter().map(site).collect()
    }

    /// Name, process and address of each.
    pub fn list(&self) -> impl Iterator<Item = (&str, u32, &str)> {
        self.running.iter().map(|worker| (&*worker.name, worker.child.id().unwrap_or_default(), &*worker.address))
    }

    /// Where a worker's owner reads who did what.
    pub fn audit_file(&self, name: &str) -> PathBuf {
        self.folder.path.join(format!("{name}.audit.jsonl"))
    }
}

/// A worker's address and connect lines, from what it prints; none, if it ends before.
async fn greeting(
    output: &mut Lines<BufReader<ChildStdout>>,
    tenants: usize,
) -> std::io::Result<Option<(String, HashMap<String, String>)>> {
    let (mut address, mut lines) = (String::new(), HashMap::new());
    while lines.len() < tenants {
        let Some(line) = output.next_line().await? else { return Ok(None) };
        if let Some((tenant, line)) = line.strip_prefix("connect ").and_then(|rest| rest.split_once(": ")) {
            lines.insert(tenant.to_owned(), line.to_owned());
        } else if let Some((_, listens)) = line.rsplit_once(" on ") {
            address = listens.to_owned();
        }
    }
    Ok(Some((address, lines)))
}

/// The `fondaco` beside this program.
fn program() -> Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("fondaco");
    if program.is_file() {
        return Ok(program);
    }
    Err(format!("{} is not built; `make demo` builds it", program.display()).into())
}

impl Drop for Workers {
    /// Asks all to end, waits, and kills what is left.
    fn drop(&mut self) {
        let ids: Vec<String> =
            self.running.iter().filter_map(|worker| worker.child.id()).map(|id| id.to_string()).collect();
        if !ids.is_empty() {
            let kill = ["-c", "kill \"$@\"", "sh"];
            let _asked = std::process::Command::new("sh").args(kill).args(&ids).stderr(Stdio::null()).status();
        }
        let end = Instant::now() + END_MAX;
        for worker in &mut self.running {
            while matches!(worker.child.try_wait(), Ok(None)) {
                if Instant::now() > end {
                    let _ended = worker.child.start_kill();
                }
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// A folder that goes when this does.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            let _gone = fs::remove_dir_all(&self.path);
        }
    }
}
