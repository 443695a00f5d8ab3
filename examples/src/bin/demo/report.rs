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
    for ((tenant, (finding, checks)), first) in
        TENANTS.iter().zip(findings.iter().zip(checks)).zip([true].into_iter().chain(std::iter::repeat(false)))
    {
        if !first {
            println!();
        }
        println!("  {} {}", style.name(&format!("{:<10}", tenant.name)), tenant.analysis);
        for line in answer(finding) {
            println!("  {:<10} {line}", "");
        }
        for check in checks {
            let (mark, sign) = if check.holds() { (style.good("✓"), "as") } else { (style.bad("✗"), "NOT as") };
            println!("  {:<10} {mark} {} {sign} in the pooled rows {}", "", check.what, difference(style, check));
        }
    }
}

fn difference(style: Style, check: &Check) -> String {
    let text = if check.difference == 0.0 {
        "(exactly)".to_owned()
    } else {
        format!("(differ by {:.0e}; accepted {:.0e})", check.difference, check.limit)
    };
    style.dim(&text)
}

fn answer(finding: &Finding) -> Vec<String> {
    match &finding.answer {
        Answer::Linear(linear) => regression(linear),
        Answer::Clusters(fitted) => clusters(fitted, &finding.statistics),
    }
}

fn regression(linear: &Linear) -> Vec<String> {
    let coef = |name: &str| MODEL.iter().zip(&linear.coef).find(|(column, _)| **column == name).map_or(f64::NAN, |c| *c.1);
    let iterations = if linear.n_iter == 0 { String::new() } else { format!(" after {} iterations", linear.n_iter) };
    vec![format!(
        "R² {:.4}{iterations}; arr_delay = {} dep_delay {} air_time {} distance ..",
        linear.r2,
        style::signed(coef("dep_delay"), 3).trim_start_matches('+'),
        style::signed(coef("air_time"), 3),
        style::signed(coef("distance"), 4),
    )]
}

fn clusters(fitted: &FittedKMeans, statistics: &Statistics) -> Vec<String> {
    let at = |name| CLUSTERED.iter().position(|column| *column == name).unwrap_or(0);
    let mut lines = vec![format!("{} clusters after {} iterations", fitted.counts.len(), fitted.n_iter)];
    for (center, size) in fitted.cluster_centers.rows().into_iter().zip(&fitted.counts) {
        let value = |name| {
            let column = at(name);
            center[column] * statistics.stds[[0, column]] + statistics.means[[0, column]]
        };
        lines.push(format!(
            "{:>7} flights   {:>4.0} miles   leave at {:>4.1} h   arrive {:>4} min",
            style::count(size.round() as u64),
            value("distance"),
            value("hour"),
            style::signed(value("arr_delay"), 0),
        ));
    }
    lines
}

/// What each tenant cost.
pub fn costs(style: Style, findings: &[Finding], sites: &[&str]) {
    let left: String = sites.iter().map(|site| format!("  {:>9}", format!("left {site}"))).collect();
    println!("{}", style.dim(&format!("  {:<10}  {:>7}  {:>11}  {:>13}{left}", "", "time", "round trips", "values reused")));
    for (tenant, finding) in TENANTS.iter().zip(findings) {
        let total = finding.stats.total();
        let left: String =
            finding.stats.sites.iter().map(|site| format!("  {:>9}", style::bytes(site.bytes_received))).collect();
        println!(
            "  {}  {:>7}  {:>11}  {:>13}{left}",
            style.name(&format!("{:<10}", tenant.name)),
            style::seconds(finding.took),
            finding.stats.round_trips(),
            format!("{} of {}", total.hits, total.instructions),
        );
    }
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
