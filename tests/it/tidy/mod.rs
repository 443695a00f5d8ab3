//! The architecture as a test: what DESIGN and the house rules fix, and no compiler checks.

mod layers;
mod names;
mod size;
mod source;
mod style;

use source::Source;

/// # Panics
/// If there are findings, with all of them.
#[track_caller]
fn clean(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}
