//! Openings, `rebuild`, `compact`, `prune`, `migrate` and `rejects --retry`, killed at any moment: the store opens, and the command can
//! be run again.

use crate::ingest::line;
use rollbook_support::program::{Dice, Folder, copy, folder, rounds, run};
use rollbook_support::reliability::row;
use rollbook_support::stores::{RETRY, of_format_1, with_rejects};
use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

const REJECTS: u64 = 3_000;

/// Kills a command at moments all over its run, each time on a fresh copy of the store. Checks the result, runs the
/// command again, and checks again. Returns the number of kills.
fn killed(folder: &Folder, args: &[&str], kills: usize, look: impl Fn(&Folder)) -> u64 {
    killed_of(folder, args, kills, look, None)
}

/// The same for a command that ends with this status where it was done before it was killed.
fn killed_of(
    folder: &Folder,
    args: &[&str],
    kills: usize,
    look: impl Fn(&Folder),
    done: Option<i32>,
) -> u64 {
    let (store, sound) = (folder.path("store"), folder.path("sound"));
    std::fs::rename(&store, &sound).unwrap();
    let fresh = || {
        if store.exists() {
            std::fs::remove_dir_all(&store).unwrap();
        }
        copy(&sound, &store);
    };
    let mut dice = Dice::new(21);
    fresh();
    let began = Instant::now();
    folder.run(args).ok();
    let took = began.elapsed().as_micros() as u64;
    let (mut killed, mut tried) = (0, 0);
    while killed < kills {
        tried += 1;
        assert!(tried < 100 * kills, "{args:?} has always ended before");
        fresh();
        let mut command = folder.program(args);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_micros(dice.below(took)));
        child.kill().unwrap();
        killed += usize::from(!child.wait().unwrap().success());
        look(folder);
        let again = folder.run(args);
        if again.status != done {
            again.ok();
        }
        look(folder);
    }
    killed as u64
}

fn print(what: &str, kills: u64) {
    let found = [("lost", 0), ("doubled", 0), ("stores that do not open", 0)];
    row(&format!("kills of {what} at random moments"), kills, &found);
}

/// A store whose writer was killed, and the number of its entries.
pub fn left_by_a_kill() -> (Folder, u64) {
    let folder = folder!();
    let mut command = folder.program(&["ingest"]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let notices = rollbook_support::program::said(child.stderr.take().unwrap());
    let mut feed = child.stdin.take().unwrap();
    let text: String = (1..=6_000).map(|n| line(0, n, 6_000)).collect();
    feed.write_all(text.as_bytes()).unwrap();
    // A bad line is reported once the lines before it are durable.
    notices
        .recv_timeout(rollbook_support::program::DEADLINE)
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let sound = folder.path("sound");
    copy(&folder.path("store"), &sound);
    let entries = folder.verified();
    std::fs::remove_dir_all(folder.path("store")).unwrap();
    std::fs::rename(sound, folder.path("store")).unwrap();
    (folder, entries)
}

#[test]
fn an_opening_that_is_killed_leaves_all_that_was_there() {
    let (folder, entries) = left_by_a_kill();
    let look = |folder: &Folder| assert_eq!(folder.verified(), entries);
    let kills = killed(&folder, &["who", "c1"], rounds(5, 100), look);
    print("an opening after a kill", kills);
}

#[test]
fn a_rebuild_that_is_killed_leaves_all_that_was_there() {
    let (folder, entries) = left_by_a_kill();
    let look = |folder: &Folder| assert_eq!(folder.verified(), entries);
    print(
        "rebuild",
        killed(&folder, &["rebuild"], rounds(5, 100), look),
    );
}

#[test]
fn a_compaction_that_is_killed_leaves_all_that_was_there() {
    let (folder, _) = left_by_a_kill();
    // Some frames behind what was left, so that there is something to seal.
    for n in 0..4 {
        let text: String = (1..=500).map(|at| line(1 + n, at, 6_000)).collect();
        folder.ingest(text, &[]);
    }
    let entries = folder.verified();
    let history = folder.run(&["history"]).ok().out;
    let look = |folder: &Folder| {
        assert_eq!(folder.verified(), entries);
        assert_eq!(folder.run(&["history"]).ok().out, history);
    };
    print(
        "compact",
        killed(&folder, &["compact"], rounds(5, 100), look),
    );
}

#[test]
fn a_backup_that_is_killed_leaves_no_file_and_all_that_was_there() {
    let (folder, _) = left_by_a_kill();
    let entries = folder.verified();
    let file = folder.path("backup");
    let name = file.to_string_lossy().into_owned();
    let look = |folder: &Folder| {
        // A file that is there is whole.
        if file.exists() {
            folder.run(&["backup", "--verify", &name]).ok();
        }
        assert_eq!(folder.verified(), entries);
    };
    let args = ["backup", &name, "--force"];
    print("backup", killed(&folder, &args, rounds(5, 200), look));
}

#[test]
fn a_restore_that_is_killed_leaves_the_old_store_or_the_new_one() {
    let (folder, _) = left_by_a_kill();
    let path = |name: &str| folder.path(name).to_string_lossy().into_owned();
    let (first, second) = (path("first"), path("second"));
    folder.run(&["compact"]).ok();
    folder.run(&["backup", &first]).ok();
    folder.ingest(
        (1..=500).map(|at| line(1, at, 6_000)).collect::<String>(),
        &[],
    );
    folder.run(&["backup", &second, "--since", &first]).ok();
    let restored = folder.run(&["history"]).ok().out;
    // The store that is there has more.
    folder.ingest(
        (1..=500).map(|at| line(2, at, 6_000)).collect::<String>(),
        &[],
    );
    let old = folder.run(&["history"]).ok().out;
    let found = std::cell::RefCell::new([0, 0]);
    let look = |folder: &Folder| {
        folder.verified();
        let history = folder.run(&["history"]).ok().out;
        assert!(history == old || history == restored, "neither");
        found.borrow_mut()[usize::from(history == restored)] += 1;
    };
    let args = ["restore", &first, &second, "--replace"];
    print("restore", killed(&folder, &args, rounds(5, 200), look));
    let found = found.into_inner();
    assert!(found[0] > 0 && found[1] > 0, "{found:?}");
}

#[test]
fn a_person_is_forgotten_or_not_whenever_that_is_killed() {
    let (folder, _) = left_by_a_kill();
    let person = "somebody-to-forget";
    let join = format!(
        "{{\"t\":\"join\",\"channel\":\"c1\",\"topic\":\"t\",\"user\":\"{person}\",\"ts\":1}}\n"
    );
    folder.ingest(join, &[]);
    folder.run(&["compact"]).ok();
    folder.ingest(
        (1..=500).map(|at| line(1, at, 6_000)).collect::<String>(),
        &[],
    );
    let entries = folder.verified();
    let history = folder.run(&["history"]).ok().out;
    let others = |history: &str| -> Vec<String> {
        let lines = history
            .lines()
            .filter(|line| !line.contains(person) && !line.contains("forgotten:"));
        lines.map(str::to_owned).collect()
    };
    let of_others = others(&history);
    assert_eq!(of_others.len() as u64 + 1, entries);
    let found = std::cell::RefCell::new([0, 0]);
    let look = |folder: &Folder| {
        assert_eq!(folder.verified(), entries);
        let now = folder.run(&["history"]).ok().out;
        let is_known = now.contains(person);
        assert_ne!(is_known, now.contains("forgotten:"), "both or neither");
        assert_eq!(others(&now), of_others);
        found.borrow_mut()[usize::from(is_known)] += 1;
    };
    let args = ["forget", "--user", person];
    let kills = killed_of(&folder, &args, rounds(5, 200), look, Some(3));
    print("forget", kills);
    let found = found.into_inner();
    assert!(found[0] > 0 && found[1] > 0, "{found:?}");
}

#[test]
fn a_prune_that_is_killed_leaves_the_old_begin_or_the_new_one() {
    let (folder, _) = left_by_a_kill();
    for n in 0..4 {
        let text: String = (1..=500).map(|at| line(1 + n, at, 6_000)).collect();
        folder.ingest(text, &[]);
        if n == 1 {
            folder.run(&["compact"]).ok();
        }
    }
    let entries = folder.verified();
    let who = |folder: &Folder| folder.run(&["who", "c1"]).ok().out;
    let (history, roster) = (folder.run(&["history"]).ok().out, who(&folder));
    let history: Vec<&str> = history.lines().collect();
    let begins = std::cell::RefCell::new(std::collections::BTreeSet::new());
    let look = |folder: &Folder| {
        let verified = folder.run(&["verify", "--deep"]).ok().line();
        let begin = verified["pruned_seq"].as_u64().unwrap_or(0);
        assert_eq!(verified["entries"].as_u64().unwrap() + begin, entries);
        let left = folder.run(&["history"]).ok().out;
        assert!(left.lines().eq(history[begin as usize..].iter().copied()));
        assert_eq!(who(folder), roster);
        begins.borrow_mut().insert(begin);
    };
    // All but the last frame was recorded before this moment.
    let args = ["prune", "--before", "-1ms"];
    print("prune", killed(&folder, &args, rounds(5, 200), look));
    let begins = begins.into_inner();
    assert!(
        begins
            .iter()
            .all(|&begin| begin == 0 || Some(&begin) == begins.last()),
        "{begins:?}"
    );
    assert!(begins.last() > Some(&0));
}

#[test]
fn a_migration_that_is_killed_leaves_all_that_was_there() {
    let folder = folder!();
    of_format_1(&folder.path("store"));
    copy(&folder.path("store"), &folder.path("known"));
    let history = folder.run(&["history"]).ok().out;
    let rejects = folder.run(&["rejects"]).ok().out;
    std::fs::remove_dir_all(folder.path("store")).unwrap();
    std::fs::rename(folder.path("known"), folder.path("store")).unwrap();
    let look = |folder: &Folder| {
        assert_eq!(folder.run(&["history"]).ok().out, history);
        assert_eq!(folder.run(&["rejects"]).ok().out, rejects);
        folder.verified();
    };
    print(
        "migrate",
        killed(&folder, &["migrate"], rounds(5, 100), look),
    );
}

#[test]
fn rejects_are_taken_once_whenever_the_retry_is_killed() {
    let folder = folder!();
    with_rejects(&folder, REJECTS);
    let look = |folder: &Folder| {
        let mut users: Vec<String> = folder
            .ask(&["history"])
            .iter()
            .map(|entry| entry["user"].as_str().unwrap().to_owned())
            .collect();
        let taken = users.len() as u64;
        let left = folder.run(&["rejects"]).ok().out.lines().count() as u64;
        assert_eq!(taken + left, REJECTS + 1, "lost or doubled");
        users.sort();
        users.dedup();
        assert_eq!(users.len() as u64, taken, "doubled");
        assert_eq!(folder.verified(), taken);
    };
    print(
        "rejects --retry",
        killed(&folder, &RETRY, rounds(5, 100), look),
    );
    assert_eq!(folder.run(&["rejects"]).ok().out, "");
}

/// Queries run while a writer is killed.
#[test]
fn what_asks_beside_a_killed_writer_answers_afterwards() {
    let mut dice = Dice::new(22);
    let folder = folder!();
    let kills = rounds(4, 60);
    let mut least = 0;
    for round in 0..kills {
        let mut command = folder.program(&["ingest"]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut feed = child.stdin.take().unwrap();
        let feeder = std::thread::spawn(move || {
            for n in 1.. {
                if feed.write_all(line(round, n, u64::MAX).as_bytes()).is_err() {
                    return;
                }
            }
        });
        let asking: Vec<_> = (0..3)
            .map(|_| folder.program(&["history", "--limit", "5"]))
            .collect();
        let asking = std::thread::spawn(move || asking.into_iter().map(run).collect::<Vec<_>>());
        std::thread::sleep(Duration::from_micros(dice.below(40_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        feeder.join().unwrap();
        for ran in asking.join().unwrap() {
            assert!(!ran.err.contains("panicked"), "{ran:?}");
            assert_ne!(ran.status, Some(5), "{ran:?}");
        }
        let entries = match folder.run(&["verify", "--deep"]) {
            // The store did not exist yet: on a busy machine several may be killed before they make it.
            ran if least == 0 && ran.status == Some(3) => 0,
            ran => ran.ok().line()["entries"].as_u64().unwrap(),
        };
        assert!(entries >= least, "round {round}: {entries} of {least}");
        least = entries;
    }
    row(
        "kills of ingest while others ask",
        kills as u64,
        &[("lost", 0), ("stores that do not open", 0)],
    );
}
