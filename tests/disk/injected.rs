//! Kills and failing calls at each system call of an opening, of a small run and of a store's making, by strace's fault
//! injection. Short: a sample of the calls that change files. Long: every call of every kind.

use crate::program::{Dice, Folder, copy, long, rounds, run};
use crate::{has, joins, with_entries};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// Calls that change files or what is known of them.
const CHANGING: [&str; 14] = [
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
/// Calls that a full or broken disk fails.
const OF_DISK: [&str; 8] = [
    "fdatasync",
    "fsync",
    "ftruncate",
    "mkdir",
    "pwrite64",
    "rename",
    "sync_file_range",
    "write",
];

/// What is done while something fails.
struct Scene {
    name: &'static str,
    /// What the store holds before; `None` where there is none yet.
    before: Option<u64>,
    args: Vec<String>,
    /// What it holds after it has succeeded.
    after: u64,
}

struct Stage {
    folder: Folder,
    scenes: Vec<Scene>,
}

const ENTRIES: u64 = 300;
const MORE: u64 = 50;

impl Stage {
    fn new() -> Stage {
        let folder = with_entries(ENTRIES);
        copy(&folder.path("store"), &folder.path("sound"));
        let file = folder.file("more.jsonl", joins(1_000, 1_000 + MORE));
        let scene = |name, before, args: &[&str], after| Scene {
            name,
            before,
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            after,
        };
        let scenes = vec![
            scene("open", Some(ENTRIES), &["who", "c"], ENTRIES),
            scene("rebuild", Some(ENTRIES), &["rebuild"], ENTRIES),
            scene("ingest", Some(ENTRIES), &["ingest", &file], ENTRIES + MORE),
            scene("make", None, &["ingest", &file], MORE),
        ];
        Stage { folder, scenes }
    }

    /// The scene under strace.
    fn play(&self, scene: &Scene, options: &[&str]) -> Command {
        let store = self.folder.path("store");
        if store.exists() {
            fs::remove_dir_all(&store).unwrap();
        }
        if scene.before.is_some() {
            copy(&self.folder.path("sound"), &store);
        }
        let args: Vec<&str> = scene.args.iter().map(String::as_str).collect();
        let program = self.folder.program(&args);
        let mut command = Command::new("strace");
        command.args(["-f", "-qq"]).args(options);
        command.arg(program.get_program()).args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// How often each call is made at most by one thread.
    fn calls(&self, scene: &Scene) -> BTreeMap<String, u64> {
        let trace = self.folder.path("trace");
        run(self.play(scene, &["-o", trace.to_str().unwrap()])).ok();
        let mut by_thread = BTreeMap::<(String, String), u64>::new();
        for line in fs::read_to_string(trace).unwrap().lines() {
            let mut words = line.split_whitespace();
            let thread = words.next().unwrap_or_default().to_owned();
            let Some((call, _)) = words.next().and_then(|word| word.split_once('(')) else {
                continue;
            };
            *by_thread.entry((thread, call.to_owned())).or_default() += 1;
        }
        let mut calls = BTreeMap::new();
        for ((_, call), count) in by_thread {
            let most = calls.entry(call).or_default();
            *most = count.max(*most);
        }
        calls
    }

    /// That what was acknowledged is there, and nothing is damaged.
    fn look(&self, scene: &Scene, done: bool, what: &str) {
        let ran = self.folder.run(&["verify", "--deep"]);
        if scene.before.is_none() && !done && ran.status == Some(3) {
            return;
        }
        let verified: Value = ran.ok().line();
        let entries = verified["entries"].as_u64().unwrap();
        let least = if done {
            scene.after
        } else {
            scene.before.unwrap_or(0)
        };
        assert!(entries >= least, "{what}: {entries} entries of {least}");
        assert!(entries <= scene.after, "{what}: {entries} entries");
    }
}

/// All of them in a long run, else so many.
fn some<T>(mut all: Vec<T>, few: usize, dice: &mut Dice) -> Vec<T> {
    while all.len() > few && !long() {
        let at = dice.below(all.len() as u64) as usize;
        all.swap_remove(at);
    }
    all
}

#[test]
fn a_kill_at_any_call_leaves_a_store_that_opens() {
    if !has("strace") {
        return;
    }
    let (stage, mut dice, mut kills) = (Stage::new(), Dice::new(11), 0);
    for scene in &stage.scenes {
        let calls = stage.calls(scene).into_iter();
        let calls = calls.filter(|(call, _)| long() || CHANGING.contains(&call.as_str()));
        // Without its first instructions it is no program yet.
        let calls = calls.filter(|(call, _)| call != "execve");
        let all = calls.flat_map(|(call, most)| (1..=most).map(move |n| (call.clone(), n)));
        for (call, n) in some(all.collect(), rounds(10, 0), &mut dice) {
            let fault = format!("inject={call}:signal=KILL:when={n}");
            let ran = run(stage.play(scene, &["-o", "/dev/null", "-e", &fault]));
            let what = format!("{}: {fault}", scene.name);
            kills += u32::from(ran.status != Some(0));
            stage.look(scene, ran.status == Some(0), &what);
        }
    }
    println!("{kills} kills at a system call: 0 stores that do not open, 0 entries lost");
}

#[test]
fn a_disk_that_fails_at_any_write_is_said_and_damages_nothing() {
    if !has("strace") {
        return;
    }
    let (stage, mut dice, mut faults) = (Stage::new(), Dice::new(12), 0);
    for scene in &stage.scenes {
        let calls = stage.calls(scene).into_iter();
        let calls = calls.filter(|(call, _)| OF_DISK.contains(&call.as_str()));
        let all = calls.flat_map(|(call, most)| {
            // A full disk stays full; a bad one fails once.
            let faults = [("ENOSPC", "+"), ("EIO", "")];
            let of = move |n| faults.map(|(error, on)| (call.clone(), n, error, on));
            (1..=most).flat_map(of)
        });
        for (call, n, error, on) in some(all.collect(), rounds(12, 0), &mut dice) {
            let fault = format!("inject={call}:error={error}:when={n}{on}");
            let ran = run(stage.play(scene, &["-o", "/dev/null", "-e", &fault]));
            let what = format!("{}: {fault}: {ran:?}", scene.name);
            assert!(matches!(ran.status, Some(0 | 1)), "{what}");
            assert!(!ran.err.contains("panicked"), "{what}");
            // `write` fails for the sentence as well.
            assert!(
                ran.status == Some(0) || call == "write" || !ran.err.is_empty(),
                "{what}"
            );
            faults += 1;
            stage.look(scene, ran.status == Some(0), &what);
        }
    }
    println!("{faults} failing calls: 0 acknowledged entries lost, 0 taken for damage");
}
