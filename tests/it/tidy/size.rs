//! Files and functions that a reader can hold in mind.

use super::{
    clean,
    source::{all, code, is_word},
};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

#[test]
fn files_are_short() {
    let sources = all();
    let long = sources.iter().map(|source| (source, source.text.lines().count()));
    let long = long.filter(|(_, lines)| *lines > FILE_LINES_MAX);
    let findings: Vec<String> = long.map(|(source, lines)| format!("{} has {lines} lines", source.path)).collect();
    clean(&format!("a file has at most {FILE_LINES_MAX} lines"), &findings);
}

#[test]
fn functions_are_short() {
    let mut findings = Vec::new();
    for source in all() {
        let long = functions(&source.code).into_iter().filter(|function| function.lines() > FUNCTION_LINES_MAX);
        findings.extend(long.map(|f| format!("{}:{} {} has {} lines", source.path, f.first, f.name, f.lines())));
    }
    clean(&format!("a function has at most {FUNCTION_LINES_MAX} lines"), &findings);
}

/// A function with a body.
pub struct Function {
    pub name: String,
    /// Line of its `fn`, from 1.
    pub first: usize,
    /// Line of its closing brace.
    pub last: usize,
    pub body: String,
}

impl Function {
    fn lines(&self) -> usize {
        self.last - self.first + 1
    }
}

/// All functions of a code without comments and literals, inner ones too.
pub fn functions(code: &str) -> Vec<Function> {
    let bytes = code.as_bytes();
    let starts = code.match_indices("fn ").map(|(at, _)| at);
    let starts = starts.filter(|&at| at.checked_sub(1).is_none_or(|before| !is_word(bytes[before])));
    starts.filter_map(|at| function(code, at)).collect()
}

fn function(code: &str, at: usize) -> Option<Function> {
    let bytes = code.as_bytes();
    let name = code[at + 3..].bytes().take_while(|byte| is_word(*byte)).count();
    let name = &code[at + 3..at + 3 + name];
    if name.is_empty() {
        // A function pointer's type.
        return None;
    }
    let (mut round, mut open) = (0_i32, at);
    loop {
        match bytes.get(open)? {
            b'(' | b'[' => round += 1,
            b')' | b']' => round -= 1,
            b';' if round == 0 => return None,
            b'{' if round == 0 => break,
            _ => {}
        }
        open += 1;
    }
    let (mut depth, mut close) = (0_i32, open);
    loop {
        match bytes.get(close)? {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        close += 1;
    }
    let line = |at: usize| code[..at].matches('\n').count() + 1;
    Some(Function { name: name.to_owned(), first: line(at), last: line(close), body: code[open..=close].to_owned() })
}

#[test]
fn functions_are_found() {
    let text =
        "fn one() -> [u8; 2] {\n    let a = \"}\";\n    fn two() {}\n}\ntrait T { fn three(&self); }\nlet f: fn (u8);";
    let found = functions(&code(text));
    let found: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.first, f.last)).collect();
    assert_eq!(found, [("one", 1, 4), ("two", 3, 3)]);
}
