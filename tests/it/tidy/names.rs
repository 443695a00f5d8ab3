//! The same name in every layer, and a fixed top level.

use std::{collections::BTreeSet, fs};

use super::{clean, source::root};

/// Where each family has a file or a folder, and the other modules there.
const LAYERS: [(&str, &[&str]); 4] = [
    ("proto/src/op", &[]),
    ("worker/src/kernels", &["blas", "lazy", "materialise", "simd", "sparse", "stream", "testing", "view"]),
    ("coordinator-sdk/src/plan", &["align", "cov"]),
    ("tests/it/ops", &[]),
];

/// The families there are at least.
const FAMILIES: [&str; 8] = ["create", "elementwise", "aggregate", "matmul", "reorg", "slice", "stats", "encode"];

const TOP_LEVEL: [&str; 13] = [
    "Cargo.toml",
    "Cargo.lock",
    "proto",
    "lineage",
    "worker",
    "coordinator-sdk",
    "tests",
    "examples",
    "README.md",
    "Makefile",
    "LICENSE",
    "clippy.toml",
    "rustfmt.toml",
];

#[test]
fn families_have_one_name_in_every_layer() {
    let layers = LAYERS.map(|(folder, helpers)| (folder, modules(folder, helpers)));
    let mut families: BTreeSet<String> = FAMILIES.map(ToOwned::to_owned).into();
    families.extend(layers.iter().flat_map(|(_, modules)| modules.iter().cloned()));
    let missing = layers.iter().flat_map(|(folder, modules)| {
        let absent = families.iter().filter(|family| !modules.contains(*family));
        absent.map(move |family| format!("{folder} has no {family}"))
    });
    clean("a family has a file of its name in each layer", &missing.collect::<Vec<_>>());
}

fn modules(folder: &str, helpers: &[&str]) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(folder)).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let modules = names.map(|name| name.trim_end_matches(".rs").to_owned());
    modules.filter(|name| name != "mod" && !helpers.contains(&name.as_str())).collect()
}

#[test]
fn the_top_level_is_fixed() {
    let entries = fs::read_dir(root()).expect("the repository can be read");
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let names: BTreeSet<String> = names.filter(|name| !name.starts_with('.') && name != "target").collect();
    let known: BTreeSet<String> = TOP_LEVEL.map(ToOwned::to_owned).into();
    let mut findings: Vec<String> = names.difference(&known).map(|name| format!("{name} does not belong")).collect();
    findings.extend(known.difference(&names).map(|name| format!("{name} is missing")));
    clean("the top level holds the six crates and a few files", &findings);
}
