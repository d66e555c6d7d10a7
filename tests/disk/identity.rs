//! A log that does not belong to its card: missing, an old copy, or from another store.

use crate::{joins, with_entries};
use rollbook_support::program::{Folder, Ran, copy};
use serde_json::Value;
use std::fs;

const ENTRIES: u64 = 300;

fn card(folder: &Folder) -> Value {
    serde_json::from_slice(&fs::read(folder.path("store/store.json")).unwrap()).unwrap()
}

fn write_card(folder: &Folder, card: &Value) {
    folder.file("store/store.json", card.to_string());
}

/// Asserts that every command that opens the store reports it as damaged, with these words.
fn named(folder: &Folder, words: &str) {
    let verify = folder.run(&["verify"]).fails(5);
    let line = verify.line();
    assert_eq!(line["ok"], false);
    let said = line["problems"][0]["detail"].as_str().unwrap().to_owned();
    assert!(said.contains(words), "{said}");
    let file = folder.file("more.jsonl", joins(5_000, 5_001));
    let refusals: [Ran; 2] = [
        folder.run(&["ingest", &file]).fails(5),
        folder.run(&["who", "c"]).fails(5),
    ];
    for ran in refusals {
        assert!(ran.err.contains(words), "{ran:?}");
    }
}

#[test]
fn a_log_that_is_gone_is_named_with_what_is_lost() {
    for file in ["log/db", "log"] {
        let folder = with_entries(ENTRIES);
        let log = folder.path("store/log");
        if file == "log" {
            for item in fs::read_dir(&log).unwrap() {
                let path = item.unwrap().path();
                if path.is_dir() {
                    fs::remove_dir_all(path)
                } else {
                    fs::remove_file(path)
                }
                .unwrap();
            }
        } else {
            // Together with the mark, which would reveal it.
            for mark in ["synced", "synced.copy"] {
                fs::remove_file(log.join(mark)).unwrap();
            }
            fs::write(log.join("db"), "").unwrap();
            named_snapshots(&log);
        }
        named(&folder, "entries 1 to 300 are lost");
        // A user who accepts the loss removes the head from the card.
        let mut known = card(&folder);
        known.as_object_mut().unwrap().remove("head").unwrap();
        write_card(&folder, &known);
        folder.ingest(joins(1, 11), &[]);
        assert_eq!(folder.verified(), 10);
    }
}

/// Removes the engine's snapshots.
fn named_snapshots(log: &std::path::Path) {
    for item in fs::read_dir(log).unwrap() {
        let path = item.unwrap().path();
        if path.to_str().unwrap().contains("/snap.") {
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn an_old_copy_of_the_log_is_named_with_what_is_lost() {
    for all in [true, false] {
        let folder = with_entries(ENTRIES);
        copy(&folder.path("store"), &folder.path("old"));
        folder.ingest(joins(1_000, 1_100), &[]);
        if all {
            fs::remove_dir_all(folder.path("store/log")).unwrap();
            copy(&folder.path("old/log"), &folder.path("store/log"));
        } else {
            for file in ["db", "synced", "synced.copy"] {
                fs::copy(
                    folder.path("old/log").join(file),
                    folder.path("store/log").join(file),
                )
                .unwrap();
            }
            named_snapshots(&folder.path("store/log"));
        }
        named(&folder, "entries 301 to 400 are lost");
        // An old card with its own old log is no damage.
        fs::remove_dir_all(folder.path("store")).unwrap();
        copy(&folder.path("old"), &folder.path("store"));
        assert_eq!(folder.verified(), ENTRIES);
    }
}

#[test]
fn another_store_s_log_is_named() {
    let (folder, other) = (with_entries(ENTRIES), with_entries(ENTRIES + 1));
    fs::remove_dir_all(folder.path("store/log")).unwrap();
    copy(&other.path("store/log"), &folder.path("store/log"));
    named(&folder, "this log is of another store");
}

#[test]
fn another_history_of_the_same_store_is_named() {
    let folder = with_entries(ENTRIES);
    copy(&folder.path("store"), &folder.path("twin"));
    folder.ingest(joins(1_000, 1_100), &[]);
    let known = card(&folder);
    fs::remove_dir_all(folder.path("store")).unwrap();
    copy(&folder.path("twin"), &folder.path("store"));
    folder.ingest(joins(2_000, 2_300), &[]);
    write_card(&folder, &known);
    named(&folder, "another history");
}

#[test]
fn a_store_of_an_older_program_gains_its_id_and_opens_as_before() {
    let folder = with_entries(ENTRIES);
    let mut old = card(&folder);
    let id = old["store_id"].clone();
    old.as_object_mut().unwrap().remove("store_id").unwrap();
    old.as_object_mut().unwrap().remove("head").unwrap();
    write_card(&folder, &old);
    assert_eq!(folder.verified(), ENTRIES);
    let gained = card(&folder);
    assert_eq!(gained["store_id"], id, "the log's own");
    assert_eq!(gained["head"]["seq"], ENTRIES);
}

#[test]
fn a_lost_card_beside_a_log_is_named_as_that() {
    let folder = with_entries(ENTRIES);
    fs::remove_file(folder.path("store/store.json")).unwrap();
    named(&folder, "store.json: it is gone, though there is a log");
}
