//! What the README shows: its pictures in text are what the program prints, and the commands of its live section run
//! unchanged, as one shell session in a folder like a fresh clone.

use rollbook_support::program::{self, DEADLINE, folder};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

const README: &str = include_str!("../../README.md");
const PORTS: [&str; 3] = ["7400", "7401", "7402"];

/// The text from the heading "## Live" to the next heading.
fn live() -> &'static str {
    let live = README.split("\n## Live\n").nth(1).unwrap();
    live.split("\n## ").next().unwrap()
}

/// The code blocks in one language, in order.
fn blocks(text: &'static str, language: &str) -> Vec<&'static str> {
    let opening = format!("\n```{language}\n");
    let behind = text.split(opening.as_str()).skip(1);
    behind
        .map(|block| block.split("```").next().unwrap())
        .collect()
}

/// The whole section as one script, with free ports.
fn script() -> String {
    let held: Vec<_> = PORTS
        .iter()
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let mut script = String::from("set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n");
    let mut serving = PORTS[0];
    for line in blocks(live(), "sh").concat().lines() {
        if line.ends_with('&') {
            let named = PORTS.into_iter().find(|port| line.contains(port));
            serving = named.unwrap_or(PORTS[0]);
            let listen = if named.is_none() {
                " --listen 127.0.0.1:7400 &"
            } else {
                " &"
            };
            script.push_str(line.strip_suffix(" &").unwrap());
            script.push_str(listen);
        } else if line == "sleep 1" {
            // Waits as long as needed instead: a slow machine is no error.
            script.push_str(&format!(
                "until curl -so /dev/null http://127.0.0.1:{serving}/healthz; do sleep 0.05; done"
            ));
        } else {
            script.push_str(line);
        }
        script.push('\n');
    }
    for (port, held) in PORTS.iter().zip(&held) {
        let free = held.local_addr().unwrap().port().to_string();
        script = script.replace(port, &free);
    }
    script
}

fn run(script: &str, folder: &Path) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_rollbook")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut shell = Command::new("bash")
        .args(["-c", script])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", program.display()))
        .stdout(std::fs::File::create(folder.join("out")).unwrap())
        .stderr(std::fs::File::create(folder.join("err")).unwrap())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let status = loop {
        if let Some(status) = shell.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > DEADLINE {
            let _ = shell.kill();
            panic!("the commands of the README hang:\n{script}");
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    Output {
        status,
        stdout: read("out"),
        stderr: read("err"),
    }
}

#[test]
fn the_commands_of_the_live_section_run_as_they_stand() {
    let has = |tool: &str| Command::new(tool).arg("--version").output().is_ok();
    if let Some(missing) = ["bash", "curl", "openssl"]
        .into_iter()
        .find(|tool| !has(tool))
    {
        eprintln!("not run: {missing} is missing");
        return;
    }
    let clone = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    symlink(root.join("examples"), clone.path().join("examples")).unwrap();
    let script = script();
    let ran = run(&script, clone.path());
    let out = String::from_utf8(ran.stdout).unwrap();
    let err = String::from_utf8(ran.stderr).unwrap();
    assert!(ran.status.success(), "{script}\n{out}\n{err}");
    for shown in blocks(live(), "text") {
        assert!(out.contains(shown), "not answered:\n{shown}\nbut:\n{out}");
    }
    // Every way to ask gives the same answer: directly, later, after a replay, and with a token.
    let from = out.match_indices("{\"gap\":1").map(|(at, _)| &out[at..]);
    let mut gaps: Vec<&str> = from.filter_map(|gap| gap.lines().next()).collect();
    assert!(gaps.len() >= 2, "{out}");
    gaps.dedup();
    assert_eq!(gaps.len(), 1, "{out}");
}

/// The commands with the first words of the lines behind which their output stands.
const SHOWN: [(&[&str], &str); 2] = [
    (
        &["--format", "table", "missed", "studio-7"],
        "The first command answers:",
    ),
    (
        &["timeline", "studio-7", "--topic", "chat"],
        "The same evening in the terminal",
    ),
];

#[test]
fn what_the_readme_shows_is_what_the_program_prints() {
    let folder = folder!();
    folder.ingest(
        include_str!("../../examples/weak-network-evening.jsonl"),
        &[],
    );
    for (args, before) in SHOWN {
        let (_, behind) = README.split_once(before).unwrap();
        let shown = behind.split("\n```text\n").nth(1).unwrap();
        let shown = shown.split("```").next().unwrap();
        let mut command = folder.program(args);
        command.env("COLUMNS", "80");
        let printed = program::run(command).ok().out;
        assert_eq!(shown, printed, "\n{printed}");
    }
}
