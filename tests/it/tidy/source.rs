//! Source files, and their code without comments and literals.

use std::path::{Path, PathBuf};

const CRATES: [&str; 6] = ["proto", "lineage", "worker", "coordinator-sdk", "tests", "examples"];

/// A source file.
pub struct Source {
    /// Relative to the repository.
    pub path: String,
    pub text: String,
    /// The text with comments and literals blanked; lines stay where they are.
    pub code: String,
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests are in a repository").to_owned()
}

/// Every Rust source file of the repository.
pub fn all() -> Vec<Source> {
    let mut sources = Vec::new();
    for name in CRATES {
        collect(&root().join(name), &mut sources);
    }
    assert!(sources.len() > 50, "only {} sources were found", sources.len());
    sources
}

fn collect(folder: &Path, into: &mut Vec<Source>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.expect("a folder can be read").path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(&path, into);
            }
        } else if name.ends_with(".rs") {
            let text = std::fs::read_to_string(&path).expect("a source is text");
            let path = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
            let code = code(&text);
            into.push(Source { path, text, code });
        }
    }
}

/// A text with comments and literals blanked. Where it meets something that it does not understand, it goes on as if
/// that were code.
pub fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = at + skipped(&bytes[at..], at.checked_sub(1).map(|before| bytes[before]));
        if end == at {
            at += 1;
            continue;
        }
        out[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// How many bytes at the start are a comment or a literal.
fn skipped(rest: &[u8], before: Option<u8>) -> usize {
    let after_word = before.is_some_and(is_word);
    match rest {
        [b'/', b'/', ..] => find(rest, b"\n").unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => quoted(rest),
        [b'b' | b'c', b'"', ..] if !after_word => 1 + quoted(&rest[1..]),
        [b'r', b'"' | b'#', ..] if !after_word => raw(rest, 1),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !after_word => raw(rest, 2),
        [b'\'', b'\\', _, tail @ ..] => find(tail, b"'").map_or(0, |end| end + 4),
        [b'\'', tail @ ..] => char_literal(tail),
        _ => 0,
    }
}

pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A raw string whose `r` is before `from`; a raw identifier is none.
fn raw(rest: &[u8], from: usize) -> usize {
    let hashes = rest[from..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(from + hashes) != Some(&b'"') {
        return 0;
    }
    let end = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    let start = from + hashes + 1;
    find(&rest[start..], &end).map_or(rest.len(), |at| start + at + end.len())
}

/// A character, after its first quote; a lifetime is none.
fn char_literal(tail: &[u8]) -> usize {
    let width = match tail.first() {
        Some(0xf0..) => 4,
        Some(0xe0..) => 3,
        Some(0xc0..) => 2,
        _ => 1,
    };
    if tail.get(width) == Some(&b'\'') { width + 2 } else { 0 }
}

impl Source {
    /// Line numbers at which the code has this, not inside of a longer word.
    pub fn lines_with(&self, word: &str) -> Vec<usize> {
        let lines = self.code.lines().enumerate();
        lines.filter(|(_, line)| has_word(line, word)).map(|(index, _)| index + 1).collect()
    }

    pub fn is_below(&self, folder: &str) -> bool {
        Path::new(&self.path).starts_with(folder)
    }
}

/// Whether a line has this, not inside of a longer word.
pub fn has_word(line: &str, word: &str) -> bool {
    let bytes = line.as_bytes();
    let borders = |at: usize| {
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let after = bytes.get(at + word.len()).copied();
        let starts = word.as_bytes().first().is_some_and(|byte| is_word(*byte));
        let ends = word.as_bytes().last().is_some_and(|byte| is_word(*byte));
        let goes_on = starts && before.is_some_and(|byte| is_word(byte) || byte == b'\'');
        !(goes_on || ends && after.is_some_and(is_word))
    };
    line.match_indices(word).any(|(at, _)| borders(at))
}

#[test]
fn literals_and_comments_are_blanked() {
    let text = r##"
        let a = "static \" todo!"; // static
        /* one /* two */ static */ let b = 'x'; let c = '\''; let d: &'static str = r#"{"static"}"#;
        let e = b"static"; let f = '"'; let g = "unsafe"; r#static; let h = 'é'; '\u{1f600}'
    "##;
    let code = code(text);
    assert_eq!(code.lines().count(), text.lines().count());
    assert!(code.contains("let b") && code.contains("&'static str") && code.contains("r#static"));
    assert!(code.contains("let g") && code.contains("let h"), "{code}");
    assert_eq!(code.matches("static").count(), 2, "{code}");
    assert!(!code.contains('"') && !code.contains("todo") && !code.contains("unsafe") && !code.contains('é'));
    assert!(has_word("static X: u8", "static") && !has_word("&'static str", "static"));
    assert!(!has_word("ecstatic", "static") && has_word("a.thread::sleep(", "thread::sleep"));
}
