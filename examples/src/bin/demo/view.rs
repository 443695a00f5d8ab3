//! Progress: on a terminal one line per tenant, updated in place; else a line for each stage.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use fondaco::Stats;
use tokio::{sync::mpsc::UnboundedReceiver, time::interval};

use crate::style::{self, Style};

/// How often the terminal is drawn.
const FRAME: Duration = Duration::from_millis(80);

const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// What a tenant is at.
pub struct Event {
    /// Its place in the view.
    pub tenant: usize,
    /// What it does now.
    pub stage: Stage,
    /// What that cost so far.
    pub stats: Stats,
}

/// A tenant's progress.
#[derive(Clone, PartialEq, Eq)]
pub enum Stage {
    /// Waits for its turn.
    Waiting,
    /// Does this.
    Doing(String),
    /// Has its result.
    Done,
    /// Has none.
    Failed,
}

/// The lines of all tenants.
pub struct View {
    style: Style,
    terminal: bool,
    begun: Instant,
    lines: Vec<Line>,
    drawn: bool,
    frame: usize,
}

struct Line {
    tenant: String,
    analysis: String,
    stage: Stage,
    stats: Stats,
    started: Option<Instant>,
    took: Option<Duration>,
}

impl View {
    /// A line for each (tenant, analysis).
    pub fn new(style: Style, tenants: impl IntoIterator<Item = (String, String)>) -> Self {
        let line = |(tenant, analysis)| Line {
            tenant,
            analysis,
            stage: Stage::Waiting,
            stats: Stats::default(),
            started: None,
            took: None,
        };
        let lines = tenants.into_iter().map(line).collect();
        Self { style, terminal: Style::is_terminal(), begun: Instant::now(), lines, drawn: false, frame: 0 }
    }

    /// Shows what comes until nobody sends any more.
    pub async fn show(mut self, mut events: UnboundedReceiver<Event>) {
        let mut frames = interval(FRAME);
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.take(event),
                    None => break,
                },
                _ = frames.tick(), if self.terminal => self.draw(),
            }
        }
        if self.terminal {
            self.draw();
        }
    }

    fn take(&mut self, event: Event) {
        let begun = self.begun;
        let Some(line) = self.lines.get_mut(event.tenant) else { return };
        let changed = line.stage != event.stage;
        line.stats = event.stats;
        if !changed {
            return;
        }
        line.stage = event.stage;
        let started = *line.started.get_or_insert_with(Instant::now);
        if matches!(line.stage, Stage::Done | Stage::Failed) {
            line.took = Some(started.elapsed());
        }
        if !self.terminal {
            let (at, doing) = (style::seconds(begun.elapsed()), line.stage.text());
            println!("  {at:>8}  {:<10}  {:<26}  {doing}", line.tenant, line.analysis);
        }
    }

    fn draw(&mut self) {
        let up = if self.drawn { format!("\x1b[{}A", self.lines.len()) } else { String::new() };
        let mut text = up;
        self.frame += 1;
        for line in &self.lines {
            text.push_str(&line.text(self.style, SPINNER[self.frame % SPINNER.len()]));
            text.push_str("\x1b[K\n");
        }
        self.drawn = true;
        let mut output = std::io::stdout().lock();
        // Nobody reads: nothing to show.
        let _shown = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    }
}

impl Stage {
    fn text(&self) -> &str {
        match self {
            Self::Waiting => "",
            Self::Doing(what) => what,
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

impl Line {
    fn text(&self, style: Style, spinner: char) -> String {
        let mark = match self.stage {
            Stage::Waiting => " ".to_owned(),
            Stage::Doing(_) => spinner.to_string(),
            Stage::Done => style.good("✓"),
            Stage::Failed => style.bad("✗"),
        };
        let trips = self.stats.round_trips();
        let took = self.took.or_else(|| self.started.map(|started| started.elapsed()));
        format!(
            "  {mark} {}  {:<26}  {:<12}  {:>9}  {:>7}",
            style.name(&format!("{:<10}", self.tenant)),
            self.analysis,
            self.stage.text(),
            if trips == 0 { String::new() } else { format!("{trips} trips") },
            took.map(style::seconds).unwrap_or_default(),
        )
    }
}
