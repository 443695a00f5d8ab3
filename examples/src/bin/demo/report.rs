//! The closing tables.

use fondaco::algorithms::FittedKMeans;

use crate::{
    TENANTS,
    analyses::{Answer, CLUSTERED, Finding, Linear, MODEL, Statistics},
    pooled::Check,
    refusal::{self, Outcome},
    style::{self, Style},
};

/// Characters of a line.
const WIDTH: usize = 78;

/// A heading.
pub fn heading(style: Style, text: &str) {
    println!("\n{}", style.bold(text));
}

/// A paragraph.
pub fn say(text: &str) {
    for line in style::wrap(text, WIDTH - 2) {
        println!("  {line}");
    }
}

/// What each tenant found, and how it compares with the pooled rows.
pub fn results(style: Style, findings: &[Finding], checks: &[Vec<Check>]) {
    for (index, (tenant, (finding, checks))) in TENANTS.iter().zip(findings.iter().zip(checks)).enumerate() {
        if index > 0 {
            println!();
        }
        println!("  {}: {}", style.name(tenant.name), tenant.analysis);
        for line in answer(finding) {
            println!("    {line}");
        }
        verdict(style, checks);
    }
}

/// One line if all is as in the pooled rows; else a line for each that is not.
fn verdict(style: Style, checks: &[Check]) {
    let (held, failed): (Vec<_>, Vec<_>) = checks.iter().partition(|check| check.holds());
    for check in &failed {
        let Check { what, difference, limit } = check;
        let mark = style.bad("✗");
        println!("    {mark} {what} differ from those of the pooled rows by {difference:.0e}, more than {limit:.0e}");
    }
    if failed.is_empty() {
        let each: Vec<String> = held.iter().map(|check| format!("{} {}", check.what, exactness(check))).collect();
        println!("    {} {}", style.good("✓ as pooled:"), style.dim(&each.join(", ")));
    }
}

fn exactness(check: &Check) -> String {
    if check.difference == 0.0 { "exactly".to_owned() } else { format!("to {:.0e}", check.difference) }
}

fn answer(finding: &Finding) -> Vec<String> {
    match &finding.answer {
        Answer::Linear(linear) => regression(linear),
        Answer::Clusters(fitted) => clusters(fitted, &finding.statistics),
    }
}

fn regression(linear: &Linear) -> Vec<String> {
    let term = |(name, decimals): (&str, usize)| {
        let coef = MODEL.iter().zip(&linear.coef).find(|(column, _)| **column == name).map_or(f64::NAN, |c| *c.1);
        format!("{} {name}", style::signed(coef, decimals))
    };
    let terms = [("dep_delay", 3), ("air_time", 3), ("distance", 4)].map(term).join("  ");
    let iterations = if linear.n_iter == 0 { String::new() } else { format!(" after {} iterations", linear.n_iter) };
    vec![format!("arr_delay = {terms}  + .."), format!("R² {:.4}{iterations}", linear.r2)]
}

fn clusters(fitted: &FittedKMeans, statistics: &Statistics) -> Vec<String> {
    let at = |name| CLUSTERED.iter().position(|column| *column == name).unwrap_or(0);
    let mut lines = vec![format!("{} clusters after {} iterations; their means:", fitted.counts.len(), fitted.n_iter)];
    for (center, size) in fitted.cluster_centers.rows().into_iter().zip(&fitted.counts) {
        let value = |name| {
            let column = at(name);
            center[column] * statistics.stds[[0, column]] + statistics.means[[0, column]]
        };
        let minutes = (value("hour") * 60.0).round() as u64;
        lines.push(format!(
            "{:>7} flights  {:>5} miles  leave at {:02}:{:02}  arrive {:>4} min {}",
            style::count(size.round() as u64),
            style::count(value("distance").round() as u64),
            minutes / 60,
            minutes % 60,
            style::signed(value("arr_delay"), 0).trim_start_matches(['+', '−']),
            if value("arr_delay") < 0.0 { "early" } else { "late" },
        ));
    }
    lines
}

/// What each tenant cost.
pub fn costs(style: Style, findings: &[Finding], sites: &[&str]) {
    let left: String = sites.iter().map(|site| format!("  {:>8}", format!("left {site}"))).collect();
    let head = format!("  {:<10}  {:>7}  {:>11}  {:>13}{left}", "", "time", "round trips", "values reused");
    println!("{}", style.dim(&head));
    for (tenant, finding) in TENANTS.iter().zip(findings) {
        let total = finding.stats.total();
        let left: String =
            finding.stats.sites.iter().map(|site| format!("  {:>8}", style::bytes(site.bytes_received))).collect();
        println!(
            "  {}  {:>7}  {:>11}  {:>13}{left}",
            style.name(&format!("{:<10}", tenant.name)),
            style::seconds(finding.took),
            finding.stats.round_trips(),
            format!("{} of {}", total.hits, total.instructions),
        );
    }
    println!();
    let held = findings.first().map(|finding| finding.rows.as_slice()).unwrap_or_default();
    let bytes = |(site, rows): &(String, u64)| format!("{} at {site}", style::bytes(rows * MODEL.len() as u64 * 8));
    say("Reused: computed before for another tenant. What depends on a tenant's own upload is never shared.");
    say(&format!(
        "Left: results alone. The columns behind them stayed: {}.",
        held.iter().map(bytes).collect::<Vec<_>>().join(", ")
    ));
}

/// What became of the attempt to read one row.
pub fn refusal(style: Style, tenant: &str, outcome: &Outcome) {
    say(&format!(
        "{tenant} asks for the sum of all arrival delays, each times 0, but for row {} times 1: that would be one \
         flight's delay.",
        style::count(refusal::ROW)
    ));
    println!();
    match outcome {
        Outcome::Refused { site, message } => {
            let text = style::wrap(message, WIDTH - 4);
            println!("  {} {}", style.good("✓"), style.bold(&format!("site {site} refuses")));
            text.iter().for_each(|line| println!("    {line}"));
        }
        Outcome::Released(delay) => {
            println!("  {} {}", style.bad("✗"), style.bold(&format!("released: {delay} minutes, which must not be")));
        }
    }
}
