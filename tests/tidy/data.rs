//! Tests that need data outside of the repository. Without the data they are ignored, and do not pass. With the data,
//! `.ci/run` runs the ignored tests of their programs.

use super::{code, files};
use std::fs;
use std::path::Path;

/// The variables that name the folders of such data.
const DATA: [&str; 2] = ["ROLLBOOK_TRACES", "ROLLBOOK_VECTORS"];

/// The test program to which a file belongs.
fn program(file: &str) -> &str {
    let below = file.strip_prefix("tests/").unwrap();
    below.split(['/', '.']).next().unwrap()
}

/// The lines that ignore a test.
fn ignores(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| line.starts_with("#[ignore"))
}

/// Whether the usual check runs the ignored tests of a program if the variable is set.
fn is_run(check: &str, variable: &str, program: &str) -> bool {
    let call = format!("with_data {variable} ");
    // The parts of the long check are indented.
    let calls = check.lines().filter_map(|line| line.strip_prefix(&call));
    let tests = calls.flat_map(|arguments| arguments.split("--test ").skip(1));
    tests.map(str::trim).any(|test| test == program)
}

#[test]
fn what_needs_data_is_ignored_without_it_and_run_by_the_check() {
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run");
    let check = fs::read_to_string(check).unwrap();
    let all = files("tests");
    let all: Vec<_> = all
        .iter()
        .filter(|(name, _)| !name.starts_with("tests/tidy/"))
        .collect();
    let (mut complaints, mut found) = (Vec::new(), 0);
    for (name, text) in &all {
        let code = code(text);
        let lines: Vec<&str> = code.lines().map(str::trim).collect();
        for variable in DATA {
            let named = |line: &&&str| line.contains(variable) && !line.starts_with("#[ignore");
            if lines.iter().find(named).is_none() {
                continue;
            }
            let wanted = format!("#[ignore = \"needs {variable}\"]");
            let behind = lines.iter().zip(lines.iter().skip(1));
            let tests = behind.filter(|(line, _)| **line == "#[test]");
            let tests: Vec<bool> = tests.map(|(_, next)| **next == wanted).collect();
            found += tests.len();
            if tests.is_empty() || tests.contains(&false) {
                complaints.push(format!("{name}: not every test has {wanted}"));
            }
            let program = program(name);
            if !is_run(&check, variable, program) {
                complaints.push(format!(
                    ".ci/run has no: with_data {variable} --test {program}"
                ));
            }
            let others = all.iter().filter(|(of, _)| self::program(of) == program);
            let others = others.flat_map(|(_, text)| ignores(text));
            let others = others.filter(|line| !line.starts_with("#[ignore = \"needs ROLLBOOK_"));
            complaints.extend(others.map(|line| format!("{program}: it would run {line}")));
        }
    }
    super::assert_none(complaints);
    assert!(found >= 6, "only {found} tests that need data are seen");
}
