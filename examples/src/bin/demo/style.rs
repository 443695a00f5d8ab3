//! How numbers and text look.

use std::{io::IsTerminal as _, time::Duration};

/// Colours, on a terminal alone.
#[derive(Clone, Copy)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// As standard output allows, and the user (<https://no-color.org>).
    pub fn detect() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colour: wanted && Self::is_terminal() }
    }

    /// Whether lines can be rewritten in place.
    pub fn is_terminal() -> bool {
        std::io::stdout().is_terminal() && std::env::var("TERM").is_ok_and(|term| term != "dumb")
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A heading.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What is said in passing.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Who it is about.
    pub fn name(self, text: &str) -> String {
        self.paint("36", text)
    }

    /// As it should be.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// As it should not be.
    pub fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }
}

/// `221,578`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `980 B`, `1.2 kB`, `15.9 MB`.
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000.. => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// `0.41 s`.
pub fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

/// `+1.017`, `−0.088`.
pub fn signed(number: f64, decimals: usize) -> String {
    let sign = if number < 0.0 { '−' } else { '+' };
    format!("{sign}{:.decimals$}", number.abs())
}

/// Lines of at most so many characters, broken at spaces.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.pop().unwrap_or_default();
        if line.is_empty() {
            lines.push(word.to_owned());
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            lines.push(format!("{line} {word}"));
        } else {
            lines.extend([line, word.to_owned()]);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units() {
        assert_eq!(count(221_578), "221,578");
        assert_eq!(count(999), "999");
        assert_eq!([bytes(999), bytes(1_234), bytes(15_953_616)], ["999 B", "1.2 kB", "16.0 MB"]);
        assert_eq!([signed(-0.0879, 3), signed(1.0, 1)], ["−0.088", "+1.0"]);
    }

    #[test]
    fn text_is_broken_at_spaces() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("", 7), [""]);
    }
}
