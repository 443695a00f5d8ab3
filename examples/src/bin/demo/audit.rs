//! An audit file, as its owner reads it.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    Result, TENANTS,
    style::{self, Style},
};

/// Says how many lines there are of each tenant, and shows a release and a refusal.
pub fn show(style: Style, file: &Path) -> Result<()> {
    let text = fs::read_to_string(file)?;
    let events: Vec<Value> = text.lines().map(serde_json::from_str).collect::<serde_json::Result<_>>()?;
    let kind = |event: &Value, kind: &str| event["event"] == kind;
    let head = format!("  {:<10}  {:>11}  {:>8}  {:>8}", "", "connections", "releases", "refusals");
    println!("{}", style.dim(&head));
    for tenant in &TENANTS {
        let of = |name: &str| events.iter().filter(|event| event["tenant"] == tenant.name && kind(event, name)).count();
        let name = style.name(&format!("{:<10}", tenant.name));
        println!("  {name}  {:>11}  {:>8}  {:>8}", of("connect"), of("release"), of("deny"));
    }
    println!();
    let largest = |event: &&Value| event["shape"][0].as_u64().unwrap_or(0) * event["shape"][1].as_u64().unwrap_or(0);
    let release = events.iter().filter(|event| kind(event, "release")).max_by_key(largest);
    let denial = events.iter().find(|event| kind(event, "deny"));
    for event in [release, denial].into_iter().flatten() {
        line(style, event);
    }
    Ok(())
}

/// One line of the file, its fields in short.
fn line(style: Style, event: &Value) {
    let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
    let source = &event["sources"][0];
    let rows: Vec<String> = source["rows"].as_array().into_iter().flatten().map(extent).collect();
    println!(
        "  {}  {}  {}  {} ({}, {})  rows {} of {}",
        clock(event["time_ms"].as_u64().unwrap_or(0)),
        style.bold(&format!("{:<7}", text("event"))),
        style.name(&text("tenant")),
        text("operator"),
        event["shape"][0],
        event["shape"][1],
        rows.join(", "),
        source["dataset"].as_str().unwrap_or_default(),
    );
    let short = |field: &str| text(field).chars().take(13).collect::<String>();
    println!("    {}", style.dim(&format!("key {}…  coordinator {}…", short("key"), short("coordinator"))));
    if !event["reason"].is_null() {
        style::wrap(&text("reason"), 74).iter().for_each(|line| println!("    {}", style.dim(line)));
    }
}

fn extent(rows: &Value) -> String {
    let row = |field: &str| style::count(rows[field].as_u64().unwrap_or(0));
    format!("{}–{}", row("start"), row("end"))
}

/// The time of day, UTC.
fn clock(time_ms: u64) -> String {
    let (seconds, ms) = (time_ms / 1000 % 86_400, time_ms % 1000);
    format!("{:02}:{:02}:{:02}.{ms:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_time_of_day() {
        assert_eq!(super::clock(86_400_000 + 3_723_004), "01:02:03.004");
    }
}
