//! A program under strace, which kills it or makes it fail at a system call. Without strace these tests try nothing.

use std::collections::BTreeMap;
use std::process::Command;

/// Calls that change files or their metadata.
pub const CHANGING: [&str; 14] = [
    "chmod",
    "fchmod",
    "fdatasync",
    "flock",
    "fsync",
    "ftruncate",
    "mkdir",
    "openat",
    "pwrite64",
    "rename",
    "sync_file_range",
    "unlink",
    "unlinkat",
    "write",
];
/// Calls that fail on a full or broken disk.
pub const OF_DISK: [&str; 8] = [
    "fdatasync",
    "fsync",
    "ftruncate",
    "mkdir",
    "pwrite64",
    "rename",
    "sync_file_range",
    "write",
];
/// Those of the disk's calls that make data durable.
pub const SYNCS: [&str; 3] = ["fdatasync", "fsync", "sync_file_range"];

/// Whether a program is installed.
pub fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("not tried: there is no {program} here");
    }
    found
}

/// The program under strace, with these options.
pub fn traced(program: &Command, options: &[&str]) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq"]).args(options);
    command.arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(folder) = program.get_current_dir() {
        command.current_dir(folder);
    }
    command
}

/// For each call, the most often that any single thread made it, according to strace's output.
pub fn calls(trace: &str) -> BTreeMap<String, u64> {
    let mut by_thread = BTreeMap::<(&str, &str), u64>::new();
    for line in trace.lines() {
        let mut words = line.split_whitespace();
        let thread = words.next().unwrap_or_default();
        if let Some((call, _)) = words.next().and_then(|word| word.split_once('(')) {
            *by_thread.entry((thread, call)).or_default() += 1;
        }
    }
    let mut calls = BTreeMap::new();
    for ((_, call), count) in by_thread {
        let most = calls.entry(call.to_owned()).or_default();
        *most = count.max(*most);
    }
    // At `execve` the program does not run yet.
    calls.remove("execve");
    calls
}
