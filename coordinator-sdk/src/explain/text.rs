//! An explanation as text.

use std::fmt;

use super::{Explanation, Relayed, Release, SitePlan, Stage, Step};

/// A number of things.
fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn shape([rows, columns]: [u64; 2]) -> String {
    format!("({rows}, {columns})")
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trips, sent) = (count(self.round_trips(), "round trip"), count(self.bytes_sent(), "byte"));
        write!(f, "{}: {trips}, {sent} sent, {} received", self.result, self.bytes_received())?;
        for (index, stage) in self.stages.iter().enumerate() {
            if self.stages.len() > 1 {
                write!(f, "\nstage {}", index + 1)?;
            }
            write!(f, "{stage}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.relays.iter().try_for_each(|relay| write!(f, "\n  {relay}"))?;
        self.sites.iter().try_for_each(|site| write!(f, "\n  {site}"))
    }
}

impl fmt::Display for Relayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { why, parts, to, shape: of, bytes_received, bytes_sent } = self;
        let (parts, to) = (parts.join(", "), to.join(", "));
        write!(f, "relay {} of {parts} to {to}, {bytes_received} bytes in, {bytes_sent} out: {why}", shape(*of))
    }
}

impl fmt::Display for SitePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}:", self.site)?;
        if self.round_trips > 1 {
            write!(f, " {} round trips", self.round_trips)?;
        }
        self.instructions.iter().enumerate().try_for_each(|(index, step)| write!(f, "\n    {}. {step}", index + 1))?;
        self.releases.iter().try_for_each(|release| write!(f, "\n    {release}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, operator, inputs, shape: of, bytes_sent, notes } = self;
        if let Some(variable) = variable {
            write!(f, "{variable} = ")?;
        }
        write!(f, "{operator}({})", inputs.join(", "))?;
        match of {
            Some(of) => write!(f, " {}", shape(*of))?,
            None if variable.is_some() => f.write_str(" of as many rows as the data say")?,
            None => {}
        }
        if *bytes_sent > 0 {
            write!(f, ", {bytes_sent} bytes sent")?;
        }
        if !notes.is_empty() {
            write!(f, "  # {}", notes.join("; "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "leaves: {} {}, {} bytes", self.variable, shape(self.shape), self.bytes)
    }
}
