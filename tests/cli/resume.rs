//! `ingest --resume`: wherever a run ends, the next one continues there. Nothing is lost, and nothing is doubled.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook::Store;
use rollbook::ingest::{IngestOptions, ingest, source::Source};
use rollbook::log::engine::memory::MemoryJournal;
use rollbook_support as support;
use rollbook_support::engine::{holding, values};
use rollbook_support::program::{Dice, Folder, folder, rounds, timeless};
use serde_json::Value;
use std::fmt::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

/// A feed with a source time in each line: joins, leaves, diffs, snapshots, and now and then a bad line.
fn feed(lines: usize, dice: &mut Dice) -> String {
    let mut text = String::new();
    for n in 0..lines {
        let (ts, user) = (1_000 + n, dice.below(300));
        let channel = dice.below(3);
        let _ = match dice.below(40) {
            0 => writeln!(text, "bad line {n}"),
            1 => writeln!(
                text,
                r#"{{"t":"join","channel":"c{channel}","topic":"t","n":{n}}}"#
            ),
            2 => {
                let members: Vec<String> = (0..dice.below(30))
                    .map(|n| format!(r#"{{"user":"u{}"}}"#, n * 7))
                    .collect();
                let members = members.join(",");
                writeln!(
                    text,
                    r#"{{"t":"snapshot","channel":"c{channel}","ts":{ts},"topics":{{"t":[{members}]}}}}"#
                )
            }
            3..=6 => {
                let members: Vec<String> = (0..8)
                    .map(|n| format!(r#"{{"user":"d{}"}}"#, user + n))
                    .collect();
                let (members, side) = (
                    members.join(","),
                    ["joins", "leaves"][usize::from(user % 2 == 0)],
                );
                writeln!(
                    text,
                    r#"{{"t":"diff","channel":"c{channel}","ts":{ts},"{side}":{{"t":[{members}]}}}}"#
                )
            }
            7..=20 => writeln!(
                text,
                r#"{{"t":"leave","channel":"c{channel}","topic":"t","user":"u{user}","ts":{ts}}}"#
            ),
            _ => writeln!(
                text,
                r#"{{"t":"join","channel":"c{channel}","topic":"t","user":"u{user}","ts":{ts},"meta":{n}}}"#
            ),
        };
    }
    text
}

/// The results that must be the same however often the run was interrupted.
fn told(folder: &Folder) -> (Vec<Value>, Vec<Value>) {
    folder.verified();
    (timeless(folder.ask(&["history"])), folder.ask(&["rejects"]))
}

#[test]
fn killed_at_any_moment_it_goes_on_as_if_nothing_had_been() {
    let mut dice = Dice::new(1);
    let (mut kills, mut lines) = (0, 0);
    for _ in 0..rounds(2, 60) {
        let text = feed(40_000, &mut dice);
        let folder = folder!();
        let file = folder.file("feed.jsonl", &text);
        folder.run(&["ingest", &file]).ok();
        let undisturbed = told(&folder);
        std::fs::rename(folder.path("store"), folder.path("undisturbed")).unwrap();
        for attempt in 0.. {
            let mut command = folder.program(&["ingest", "--resume", &file]);
            if attempt == 8 {
                folder.run(&["ingest", "--resume", &file]).ok();
                break;
            }
            let mut child = command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(dice.below(250)));
            let done = child.try_wait().unwrap().is_some();
            child.kill().unwrap();
            child.wait().unwrap();
            kills += usize::from(!done);
            if done {
                break;
            }
        }
        let disturbed = told(&folder);
        assert!(disturbed.1 == undisturbed.1, "rejects differ");
        let differ = undisturbed.0.iter().zip(&disturbed.0).find(|(a, b)| a != b);
        assert!(differ.is_none(), "{differ:#?}");
        assert_eq!(undisturbed.0.len(), disturbed.0.len());
        let again = folder.run(&["ingest", "--resume", &file]).ok().line();
        assert_eq!(
            (again["lines"].as_u64(), again["entries"].as_u64()),
            (Some(0), Some(0))
        );
        lines += text.lines().count();
    }
    println!("{kills} kills in {lines} lines: none lost, none doubled");
}

/// Cuts the log after each of its frames, as a crash may do, and resumes from there.
#[test]
fn wherever_a_crash_cuts_the_log_resuming_makes_it_whole() {
    let mut dice = Dice::new(2);
    let text = feed(8_000, &mut dice);
    let folder = folder!();
    let file = folder.file("feed.jsonl", &text);
    let how = IngestOptions::default().resume(true);
    let take = |engine: &Arc<MemoryJournal>| {
        let store = Store::on(Box::new(Arc::clone(engine)), support::options()).unwrap();
        ingest(&store, Source::open(file.as_ref()).unwrap(), &how, &mut ()).unwrap();
        let mut rejects = Vec::new();
        for reject in store.rejects().unwrap() {
            let reject = reject.unwrap();
            rejects.push(serde_json::to_string(&reject).unwrap());
        }
        let history = support::history(&store);
        let history: Vec<String> = history
            .iter()
            .map(|entry| serde_json::to_string(entry).unwrap())
            .collect();
        (history, rejects)
    };
    let engine = Arc::new(MemoryJournal::new());
    let undisturbed = take(&engine);
    let values = values(&engine);
    let frames = values.len();
    assert!(frames > 4, "{frames} frames are too few to cut between");
    for keep in 0..frames {
        let resumed = take(&holding(&values[..keep]));
        assert!(
            resumed == undisturbed,
            "cut behind value {keep} of {frames}"
        );
    }
}

#[test]
fn a_file_that_has_grown_goes_on_and_a_finished_one_is_left_alone() {
    let mut dice = Dice::new(3);
    let text = feed(3_000, &mut dice);
    let folder = folder!();
    let file = folder.file("feed.jsonl", "");
    let mut from = 0;
    while from < text.len() {
        // Cut anywhere, also within lines: like a file that is still being written.
        let to = (from + 1 + dice.below(40_000) as usize).min(text.len());
        folder.more("feed.jsonl", &text[from..to]);
        folder.run(&["ingest", "--resume", &file]).ok();
        from = to;
    }
    let grown = told(&folder);
    let whole = folder!();
    whole.ingest(&text, &[]);
    let at_once = told(&whole);
    assert!(grown.0 == at_once.0, "the history is another one");
    // A half line was a reject when it was read. The complete line counts as well, at its own position.
    let place = |reject: &Value| (reject["line"].clone(), reject["text"].clone());
    let kept: Vec<_> = grown.1.iter().map(place).collect();
    for reject in &at_once.1 {
        assert_eq!(
            kept.iter().filter(|kept| **kept == place(reject)).count(),
            1,
            "{reject}"
        );
    }
    let before = folder.verified();
    for _ in 0..2 {
        let sum = folder.run(&["ingest", "--resume", &file]).ok().line();
        assert_eq!(
            (&sum["lines"], &sum["first_seq"]),
            (&0.into(), &Value::Null)
        );
    }
    assert_eq!(folder.verified(), before);
    assert_eq!(folder.ask(&["rejects"]).len(), grown.1.len());
}

#[test]
fn half_a_last_line_is_taken_whole_once_it_is_whole() {
    let folder = folder!();
    let join =
        |user: &str| format!(r#"{{"t":"join","channel":"a","topic":"b","user":"{user}","ts":1}}"#);
    let file = folder.file("feed.jsonl", join("ana") + "\n" + &join("ben")[..20]);
    let resume = || folder.run(&["ingest", "--resume", &file]).ok().line();
    let first = resume();
    assert_eq!(
        (&first["entries"], &first["rejected"]),
        (&1.into(), &1.into())
    );
    // While nothing is added, it stays one reject.
    assert_eq!(
        (&resume()["rejected"], &resume()["lines"]),
        (&0.into(), &0.into())
    );
    folder.more("feed.jsonl", &join("ben")[20..]);
    assert_eq!(
        resume()["entries"],
        1,
        "whole, though no newline ends it yet"
    );
    assert_eq!(resume()["lines"], 0);
    folder.more("feed.jsonl", &("\nbad\n".to_owned() + &join("cleo") + "\n"));
    assert_eq!(resume()["entries"], 1);
    let users: Vec<Value> = folder
        .ask(&["history"])
        .iter()
        .map(|entry| entry["user"].clone())
        .collect();
    assert_eq!(users, ["ana", "ben", "cleo"]);
    let rejects = folder.ask(&["rejects"]);
    assert_eq!(rejects.len(), 2);
    assert_eq!(rejects[0]["line"], 2);
    assert_eq!(
        (&rejects[1]["line"], &rejects[1]["text"]),
        (&3.into(), &"bad".into())
    );
}

#[test]
fn another_file_in_its_place_is_refused() {
    let mut dice = Dice::new(4);
    let text = feed(2_000, &mut dice);
    let folder = folder!();
    let file = folder.file("feed.jsonl", &text);
    folder.run(&["ingest", "--resume", &file]).ok();
    let entries = folder.verified();
    for changed in [
        text.replacen("channel", "chaNNel", 1),
        text[..100].to_owned(),
        String::new(),
    ] {
        folder.file("feed.jsonl", changed);
        let refused = folder.run(&["ingest", "--resume", &file]).fails(1);
        assert!(
            refused.err.contains("does not begin as it did"),
            "{refused:?}"
        );
    }
    // The file is shorter than the part that was read, but begins the same.
    folder.file("feed.jsonl", &text[..80_000]);
    let refused = folder.run(&["ingest", "--resume", &file]).fails(1);
    assert!(refused.err.contains("ends at byte 80000"), "{refused:?}");
    assert_eq!(folder.verified(), entries);
    // Under another name it is still recognised, also when packed.
    let packed = folder.file("other.zst", zstd::encode_all(text.as_bytes(), 1).unwrap());
    assert_eq!(
        folder.run(&["ingest", "--resume", &packed]).ok().line()["lines"],
        0
    );
    // Standard input cannot be recognised again.
    let refused = folder.run(&["ingest", "--resume"]).fails(1);
    assert!(refused.err.contains("standard input"), "{refused:?}");
    // Each of several files is recognised.
    let (one, two) = (feed(50, &mut dice), feed(60, &mut dice));
    let (one, two) = (folder.file("one", one), folder.file("two", two));
    folder.run(&["ingest", "--resume", &one, &two]).ok();
    assert_eq!(
        folder.run(&["ingest", "--resume", &two, &one]).ok().line()["lines"],
        0
    );
}

#[test]
fn a_line_that_bears_an_id_is_taken_once() {
    let folder = folder!();
    let mut text = String::new();
    for n in 0..3_000 {
        let id = if n % 3 == 0 { "snapshot" } else { "join" };
        let _ = match n % 3 {
            0 => writeln!(
                text,
                r#"{{"t":"snapshot","channel":"a","ts":{n},"id":"{id}{n}","topics":{{"b":[{{"user":"u{}"}}]}}}}"#,
                n % 7
            ),
            1 => writeln!(
                text,
                r#"{{"t":"diff","channel":"a","ts":{n},"id":"{id}{n}","joins":{{"b":[{{"user":"x"}},{{"user":"y{n}"}}]}}}}"#
            ),
            _ => writeln!(
                text,
                r#"{{"t":"join","channel":"a","topic":"b","user":"v{n}","ts":{n},"id":"{id}{n}"}}"#
            ),
        };
    }
    folder.ingest(&text, &[]);
    let history = folder.ask(&["history"]);
    let again = |what: &str| {
        let sum = folder.ingest(&text, &[]);
        let counts = [&sum["lines"], &sum["retries"], &sum["entries"]].map(|n| n.as_u64().unwrap());
        assert_eq!(counts, [3_000, 3_000, 0], "{what}");
        assert_eq!(folder.ask(&["history"]), history, "{what}");
    };
    again("a second time");
    folder.run(&["rebuild"]).ok();
    again("after a rebuild");
    folder.run(&["rebuild"]).ok();
    folder.run(&["rebuild"]).ok();
    again("after more of them");
    // Another observer has its own ids.
    let sum = folder.ingest(&text, &["--observer", "other"]);
    assert_eq!(sum["retries"], 0);
    folder.verified();
}
