//! Kills and failing calls at each system call of an opening, a small run, a rebuild, a prune, a migration, a retry and the
//! creation of a store, by strace's fault injection. The short form tries a sample of the calls that change files;
//! the long form tries every call of every kind.

use crate::{joins, with_entries};
use rollbook_support::program::{Dice, Folder, copy, long, rounds, run};
use rollbook_support::reliability::row;
use rollbook_support::stores::{RETRY, of_format_1, with_rejects};
use rollbook_support::traced::{CHANGING, OF_DISK, SYNCS, calls, has, traced};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// The command that runs while something fails.
struct Scene {
    name: &'static str,
    /// The store that it begins with; `None`: none exists yet.
    before: Option<&'static str>,
    args: Vec<String>,
    /// The least number of entries that the store has, and the number after a success.
    entries: (u64, u64),
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
        let put = |name| fs::rename(folder.path("store"), folder.path(name)).unwrap();
        put("sound");
        with_rejects(&folder, MORE);
        put("rejects");
        // The last frame is never sealed, so there are several.
        for at in 0..3 {
            folder.ingest(joins(1 + at * ENTRIES / 3, 1 + (at + 1) * ENTRIES / 3), &[]);
        }
        put("frames");
        of_format_1(&folder.path("store"));
        copy(&folder.path("store"), &folder.path("format-1"));
        let old = folder.verified();
        let file = folder.file("more.jsonl", joins(1_000, 1_000 + MORE));
        let scene = |name, before, args: &[&str], entries| Scene {
            name,
            before,
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            entries,
        };
        let (sound, whole) = (Some("sound"), (ENTRIES, ENTRIES));
        let scenes = vec![
            scene("an opening", sound, &["who", "c"], whole),
            scene("rebuild", sound, &["rebuild"], whole),
            scene("compact", Some("frames"), &["compact"], whole),
            scene(
                "prune",
                Some("frames"),
                &["prune", "--before", "-1ms"],
                whole,
            ),
            scene("migrate", Some("format-1"), &["migrate"], (old, old)),
            scene(
                "ingest",
                sound,
                &["ingest", &file],
                (ENTRIES, ENTRIES + MORE),
            ),
            scene("a store's making", None, &["ingest", &file], (0, MORE)),
            scene("rejects --retry", Some("rejects"), &RETRY, (1, 1 + MORE)),
        ];
        Stage { folder, scenes }
    }

    /// Runs the scene under strace.
    fn play(&self, scene: &Scene, options: &[&str]) -> Command {
        let store = self.folder.path("store");
        if store.exists() {
            fs::remove_dir_all(&store).unwrap();
        }
        if let Some(before) = scene.before {
            copy(&self.folder.path(before), &store);
        }
        let args: Vec<&str> = scene.args.iter().map(String::as_str).collect();
        traced(&self.folder.program(&args), options)
    }

    /// For each call, the most often that any single thread makes it.
    fn calls(&self, scene: &Scene) -> BTreeMap<String, u64> {
        let trace = self.folder.path("trace");
        run(self.play(scene, &["-o", trace.to_str().unwrap()])).ok();
        calls(&fs::read_to_string(trace).unwrap())
    }

    /// Asserts that what was acknowledged is recorded, and nothing is damaged.
    fn look(&self, scene: &Scene, done: bool, what: &str) {
        let ran = self.folder.run(&["verify", "--deep"]);
        if scene.before.is_none() && !done && ran.status == Some(3) {
            return;
        }
        let verified: Value = ran.ok().line();
        // What was pruned is no loss.
        let pruned = verified["pruned_seq"].as_u64().unwrap_or(0);
        let entries = verified["entries"].as_u64().unwrap() + pruned;
        let (before, after) = scene.entries;
        let least = if done { after } else { before };
        assert!(entries >= least, "{what}: {entries} entries of {least}");
        assert!(entries <= after, "{what}: {entries} entries");
        if scene.before == Some("rejects") {
            let left = self.folder.ask(&["rejects"]).len() as u64;
            assert_eq!(entries + left, after, "{what}: lost or doubled");
        }
    }
}

/// All items in a long run, otherwise `few` of them.
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
    let (stage, mut dice) = (Stage::new(), Dice::new(11));
    for scene in &stage.scenes {
        let mut kills = 0;
        let calls = stage.calls(scene).into_iter();
        let calls = calls.filter(|(call, _)| long() || CHANGING.contains(&call.as_str()));
        let all = calls.flat_map(|(call, most)| (1..=most).map(move |n| (call.clone(), n)));
        for (call, n) in some(all.collect(), rounds(8, 0), &mut dice) {
            let fault = format!("inject={call}:signal=KILL:when={n}");
            let ran = run(stage.play(scene, &["-o", "/dev/null", "-e", &fault]));
            let what = format!("{}: {fault}", scene.name);
            kills += u64::from(ran.status != Some(0));
            stage.look(scene, ran.status == Some(0), &what);
        }
        let found = [("lost", 0), ("doubled", 0), ("stores that do not open", 0)];
        row(
            &format!("kills at each system call of {}", scene.name),
            kills,
            &found,
        );
    }
}

#[test]
fn a_disk_that_fails_at_any_write_is_said_and_damages_nothing() {
    if !has("strace") {
        return;
    }
    let (stage, mut dice) = (Stage::new(), Dice::new(12));
    let mut tried = BTreeMap::<&str, u64>::new();
    for scene in &stage.scenes {
        let calls = stage.calls(scene).into_iter();
        let calls = calls.filter(|(call, _)| OF_DISK.contains(&call.as_str()));
        let all = calls.flat_map(|(call, most)| {
            // A full disk stays full or has space again. A bad disk fails once or for good.
            let faults = [("ENOSPC", "+"), ("ENOSPC", ""), ("EIO", ""), ("EIO", "+")];
            let of = move |n| faults.map(|(error, on)| (call.clone(), n, error, on));
            (1..=most).flat_map(of)
        });
        for (call, n, error, on) in some(all.collect(), rounds(10, 0), &mut dice) {
            let fault = format!("inject={call}:error={error}:when={n}{on}");
            let ran = run(stage.play(scene, &["-o", "/dev/null", "-e", &fault]));
            let what = format!("{}: {fault}: {ran:?}", scene.name);
            // The thread of the owner's socket is woken through an eventfd. strace fails that write as well, though
            // no disk could; then the runtime panics.
            let woken = call == "write";
            assert!(matches!(ran.status, Some(0 | 1)) || woken, "{what}");
            assert!(!ran.err.contains("panicked") || woken, "{what}");
            // A failing `write` also affects the error message.
            assert!(
                ran.status == Some(0) || call == "write" || !ran.err.is_empty(),
                "{what}"
            );
            let kind = match (SYNCS.contains(&call.as_str()), error) {
                (true, _) => "failing syncs, each of a small run",
                (false, "ENOSPC") => "full disk at each write of a small run",
                (false, _) => "failing writes, each of a small run",
            };
            *tried.entry(kind).or_default() += 1;
            stage.look(scene, ran.status == Some(0), &what);
        }
    }
    for (kind, tried) in tried {
        let found = [("acknowledged entries lost", 0), ("taken for damage", 0)];
        row(kind, tried, &found);
    }
}
