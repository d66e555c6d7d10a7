//! How long a function may be, from `fn` to its closing brace, and which functions may still be longer. It expects
//! lines in the format of rustfmt.

use super::files;
use std::collections::BTreeSet;

/// The most lines of a function.
const LINES_MAX: usize = 70;

/// Longer functions, each by its file and name. None may be added; one that has become short must be removed.
const LONGER: [(&str, &str); 2] = [
    ("src/domain/describe.rs", "watch_words"),
    ("src/domain/event.rs", "into_owned"),
];

/// The name of the function that begins on a line.
fn begun(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = match line.split_once("pub(") {
        Some(("", place)) => place.split_once(") ")?.1,
        _ => line.trim_start_matches("pub "),
    };
    let mut words = line.split(' ');
    let first = words.find(|word| !["const", "async", "unsafe"].contains(word))?;
    let name = words.next().filter(|_| first == "fn")?;
    name.split(['(', '<']).next()
}

/// Names and lengths of the functions of a file.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let named = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| Some((at, begun(line)?)));
    let length = |(at, name)| {
        let from = lines.get(at..)?;
        let opened = from
            .iter()
            .position(|line| line.ends_with(['{', '}', ';']))?;
        if !from.get(opened)?.ends_with('{') {
            return Some((name, opened + 1));
        }
        let indent = from.first()?.split(|letter| letter != ' ').next()?;
        let closing = format!("{indent}}}");
        let closed = from.iter().position(|line| **line == closing)?;
        Some((name, closed + 1))
    };
    named.filter_map(length).collect()
}

#[test]
fn no_function_is_longer_than_70_lines_but_for_those_that_still_are() {
    let sources = files("src");
    let all: Vec<_> = sources
        .iter()
        .flat_map(|(file, text)| {
            functions(text)
                .into_iter()
                .map(move |it| (file.as_str(), it))
        })
        .collect();
    assert!(all.len() > 2_000, "only {} functions are seen", all.len());
    let long = all.iter().filter(|(_, (_, length))| *length > LINES_MAX);
    let mut still = BTreeSet::new();
    let mut complaints = Vec::new();
    for &(file, (name, length)) in long {
        if LONGER.contains(&(file, name)) {
            still.insert((file, name));
        } else {
            complaints.push(format!("{file}: {name} has {length} lines"));
        }
    }
    let short = LONGER.iter().filter(|known| !still.contains(*known));
    complaints.extend(short.map(|(file, name)| format!("{file}: {name} is no longer too long")));
    super::assert_none(complaints);
}
