//! Who imports whom.

use super::{
    Source, clean,
    source::{all, has_word, root},
};

/// A part of the repository, and the crates of ours that it must not know.
const FORBIDDEN: [(&str, &[&str]); 6] = [
    ("proto", &["fondaco_lineage", "fondaco_worker", "fondaco_tests", "fondaco"]),
    ("lineage", &["fondaco_worker", "fondaco_tests", "fondaco"]),
    ("worker", &["fondaco_tests", "fondaco"]),
    ("coordinator-sdk/src", &["fondaco_lineage", "fondaco_worker", "fondaco_tests"]),
    ("examples", &["fondaco_tests"]),
    ("tests/src", &["fondaco_lineage", "fondaco_worker", "fondaco"]),
];

/// What the oracle is made of, and the tests that compare with it.
const ORACLE: [&str; 2] = ["tests/it/oracle", "tests/it/ops"];

/// Modules of the worker that an oracle must not borrow from.
const KERNELS: [&str; 3] = ["fondaco_worker::kernels", "fondaco_worker::matrix", "fondaco_worker::support"];

#[test]
fn imports_run_one_way() {
    let sources = all();
    let mut findings = Vec::new();
    for (part, forbidden) in FORBIDDEN {
        for source in sources.iter().filter(|source| source.is_below(part)) {
            for name in forbidden {
                findings.extend(uses(source, name).map(|line| format!("{}:{line} uses {name}", source.path)));
            }
        }
    }
    clean("imports run from proto to lineage to worker, and from proto to the SDK", &findings);
}

/// Lines that name a crate: its paths (`name::`), or `use name`, `extern crate name`.
fn uses<'a>(source: &'a Source, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let path = format!("{name}::");
    let import = [format!("use {name}"), format!("crate {name}")];
    let named = move |line: &str| has_word(line, &path) || import.iter().any(|import| has_word(line, import));
    source.code.lines().enumerate().filter(move |(_, line)| named(line)).map(|(index, _)| index + 1)
}

#[test]
fn manifests_say_the_same() {
    let mut findings = Vec::new();
    for (part, forbidden) in FORBIDDEN {
        let folder = part.trim_end_matches("/src");
        let path = root().join(folder).join("Cargo.toml");
        let text = std::fs::read_to_string(&path).expect("every part has a manifest");
        let mut section = "";
        for line in text.lines() {
            if line.starts_with('[') {
                section = line;
            }
            let crate_name = line.split(['.', ' ', '=']).next().unwrap_or_default().replace('-', "_");
            let dependency = section == "[dependencies]" || section == "[build-dependencies]";
            if dependency && forbidden.contains(&crate_name.as_str()) {
                findings.push(format!("{folder}/Cargo.toml depends on {crate_name}"));
            }
            if dependency && (crate_name == "arrow" && folder != "worker") {
                findings.push(format!("{folder}/Cargo.toml depends on arrow, which is the worker's alone"));
            }
        }
        if !text.contains("[lints]\nworkspace = true") {
            findings.push(format!("{folder}/Cargo.toml does not take the lints of the workspace"));
        }
    }
    clean("manifests keep the layers, and take the lints (documentation of public items among them)", &findings);
}

#[test]
fn the_oracle_is_independent() {
    let mut findings = Vec::new();
    for source in all().iter().filter(|source| ORACLE.iter().any(|part| source.path.starts_with(part))) {
        for name in KERNELS {
            let lines = source.lines_with(name).into_iter();
            findings.extend(lines.map(|line| format!("{}:{line} uses {name}", source.path)));
        }
        if source.code.contains("fondaco_worker::{") {
            findings.push(format!("{} imports several things of the worker; name them one by one", source.path));
        }
    }
    clean("the oracle is plain ndarray, never the worker's kernels", &findings);
}
