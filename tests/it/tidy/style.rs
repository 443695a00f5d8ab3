//! What must not be written.

use super::{
    clean,
    size::functions,
    source::{all, has_word},
};

/// Where the one `match` over families of each layer is.
const FAMILY_MATCHES: [&str; 3] =
    ["worker/src/kernels/mod.rs", "coordinator-sdk/src/plan/mod.rs", "proto/src/op/mod.rs"];

/// The one place of statics: what belongs to a task, and is no state of the process.
const TASK_LOCALS: &str = "worker/src/request.rs";

#[test]
fn nothing_is_allowed_or_left_undone() {
    let mut findings = Vec::new();
    for source in all() {
        for word in ["todo!", "unimplemented!", "lazy_static!", "thread_local!"] {
            findings.extend(source.lines_with(word).iter().map(|line| format!("{}:{line} has {word}", source.path)));
        }
        for (index, line) in source.code.lines().enumerate() {
            let line = line.replace(' ', "");
            if line.contains("#[allow(") || line.contains("#![allow(") {
                findings.push(format!("{}:{} allows a lint; expect it, with a reason", source.path, index + 1));
            }
        }
    }
    clean("lints are expected with a reason, and nothing is left undone", &findings);
}

#[test]
fn no_state_belongs_to_the_process() {
    let sources = all();
    let findings = sources.iter().filter(|source| source.path != TASK_LOCALS).flat_map(|source| {
        let lines = source.code.lines().enumerate().filter(|(_, line)| has_word(line, "static"));
        lines.map(|(index, line)| format!("{}:{} {}", source.path, index + 1, line.trim()))
    });
    clean("there are no statics", &findings.collect::<Vec<_>>());
    let tasks = sources.iter().find(|source| source.path == TASK_LOCALS).expect("the file of task-locals is there");
    let statics = tasks.lines_with("static").len();
    assert!(statics <= tasks.code.matches("task_local!").count(), "{TASK_LOCALS} has statics that are no task-locals");
}

#[test]
fn tests_do_not_sleep() {
    let mut findings = Vec::new();
    for source in all().iter().filter(|source| source.is_below("tests")) {
        for word in ["thread::sleep", "time::sleep", "sleep("] {
            let lines = source.lines_with(word);
            findings.extend(lines.iter().map(|line| format!("{}:{line} has {word}", source.path)));
        }
    }
    clean("tests wait for events and conditions, never for time to pass", &findings);
}

#[test]
fn families_are_matched_in_full() {
    let sources = all();
    let mut findings = Vec::new();
    for path in FAMILY_MATCHES {
        let Some(source) = sources.iter().find(|source| source.path == path) else {
            findings.push(format!("{path} is missing"));
            continue;
        };
        let matching: Vec<_> =
            functions(&source.code).into_iter().filter(|f| f.body.contains("Elementwise(")).collect();
        if matching.is_empty() {
            findings.push(format!("{path} matches no families"));
        }
        let open = matching.iter().filter(|f| has_open_arm(&f.body));
        findings.extend(open.map(|f| format!("{path}:{} {} has an arm for all the rest", f.first, f.name)));
    }
    clean("a match over families names each, so that the compiler finds the next", &findings);
}

/// Whether a body has an arm `_ =>`, or one that binds the rest to a name that nobody uses.
fn has_open_arm(body: &str) -> bool {
    body.lines().map(str::trim_start).any(|line| {
        let pattern = line.split("=>").next().unwrap_or_default().trim_end();
        line.contains("=>") && (pattern == "_" || pattern.starts_with("_ if") || is_unused_name(pattern))
    })
}

fn is_unused_name(pattern: &str) -> bool {
    pattern.starts_with('_') && pattern.bytes().all(super::source::is_word)
}
