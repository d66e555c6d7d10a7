//! Real traces, through the whole store. They are not in the repository: `ROLLBOOK_TRACES` names their folder.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook::care::VerifyDepth;
use rollbook::ingest::{IngestOptions, IngestOutcome, ingest, source::Source};
use rollbook::query::answer::EntryType;
use rollbook::query::{HistoryFilter, answer::Time};
use rollbook::replay::{LineShape, PlayedLine, ReplayFilter};
use rollbook::{Options, Store};
use rollbook_support as support;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file in the traces' folder.
fn trace(name: &str) -> PathBuf {
    support::data("ROLLBOOK_TRACES").join(name)
}

/// A store on disk that has ingested a file.
fn recorded(file: &Path, keep_recorded: bool) -> (tempfile::TempDir, Store, IngestOutcome) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let how = IngestOptions::default().keep_recorded(keep_recorded);
    let outcome = ingest(&store, Source::open(file).unwrap(), &how, &mut ()).unwrap();
    assert_eq!(outcome.tally.rejected, 0);
    (dir, store, outcome)
}

fn verified(store: &Store) {
    let verified = store.verify(VerifyDepth::Deep, |_| {}).unwrap();
    assert!(verified.ok, "{:#?}", verified.problems);
    assert_eq!(verified.entries, store.head());
}

/// The digest of a history, entry by entry, so that two histories of a million entries need not be in memory.
fn digest(store: &Store, timeless: bool) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for entry in store.history(&HistoryFilter::default()).unwrap() {
        let mut entry = entry.unwrap();
        if timeless {
            entry.recorded_at = Time(0);
        }
        hasher.update(serde_json::to_string(&entry).unwrap().as_bytes());
    }
    hasher.finalize()
}

/// Verifies a trace, plays it in both shapes, and ingests each again. Agora's shape keeps no times of recording.
fn round_trip(file: &Path) -> IngestOutcome {
    let (_dir, store, outcome) = recorded(file, false);
    verified(&store);
    for (shape, timeless) in [(LineShape::Agora, true), (LineShape::Rollbook, false)] {
        let played = tempfile::NamedTempFile::new().unwrap();
        let mut lines = BufWriter::new(played.as_file());
        let mut each = |line: &PlayedLine<'_>| {
            writeln!(lines, "{}", line.text).unwrap();
            true
        };
        store
            .play(&ReplayFilter::default(), shape, &mut each)
            .unwrap();
        lines.flush().unwrap();
        let (_dir, again, _) = recorded(played.path(), !timeless);
        verified(&again);
        assert_eq!(again.head(), store.head());
        let [first, second] = [&store, &again].map(|store| digest(store, timeless));
        assert_eq!(first, second, "{}: another history", file.display());
    }
    outcome
}

/// The rows of a table.
fn table(file: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(file).unwrap();
    let rows = text.lines();
    rows.map(|row| row.split('\t').map(str::to_owned).collect())
        .collect()
}

/// Every inferred join and leave of a store, sorted: time, type, channel, topic, user.
fn inferred(store: &Store) -> Vec<[String; 5]> {
    let mut rows = Vec::new();
    let filter = HistoryFilter::default()
        .types([EntryType::Join, EntryType::Leave])
        .observed(false);
    for entry in store.history(&filter).unwrap() {
        let entry = entry.unwrap();
        let kind = if entry.kind == EntryType::Join {
            "inferred_join"
        } else {
            "inferred_leave"
        };
        let at = entry.not_after.unwrap().0.to_string();
        let names = [entry.channel, entry.topic, entry.user].map(Option::unwrap);
        let [channel, topic, user] = names;
        rows.push([at, kind.to_owned(), channel, topic, user]);
    }
    rows.sort();
    rows
}

/// The same from a table with these columns.
fn wanted(file: &Path, columns: [usize; 5]) -> Vec<[String; 5]> {
    let rows = table(file).into_iter();
    let rows = rows.map(|row| columns.map(|column| row[column].clone()));
    let mut rows: Vec<_> = rows.filter(|row| row[1] != "inferred_update").collect();
    rows.sort();
    rows
}

#[test]
#[ignore = "needs ROLLBOOK_TRACES"]
fn snapshots_after_outages_infer_just_what_was_lost() {
    for (file, truth, columns, counts) in [
        (
            "krijn_w3c_2012-10_lossy.jsonl.gz",
            "krijn_w3c_2012-10_lossy_truth.tsv",
            [0, 1, 2, 3, 4],
            (102, 39),
        ),
        ("i2p.jsonl", "inferred_i2p.tsv", [0, 4, 1, 2, 3], (98, 89)),
    ] {
        let (_dir, store, outcome) = recorded(&trace(file), false);
        let tally = outcome.tally;
        assert_eq!(
            (tally.inferred_joins, tally.inferred_leaves),
            counts,
            "{file}"
        );
        let (got, wanted) = (inferred(&store), wanted(&trace(truth), columns));
        assert_eq!(wanted.len() as u64, counts.0 + counts.1);
        let differ = got.iter().zip(&wanted).find(|(got, wanted)| got != wanted);
        assert_eq!(differ, None, "{file}");
        assert_eq!(got.len(), wanted.len());
    }
}

#[test]
#[ignore = "needs ROLLBOOK_TRACES"]
fn played_and_taken_in_again_a_trace_has_the_same_history() {
    for (file, events) in [
        ("i2p.jsonl", 77),
        ("krijn_w3c_2012-10_lossy.jsonl.gz", 14_635),
        ("qtox.jsonl.gz", 26_749),
    ] {
        assert_eq!(round_trip(&trace(file)).tally.events, events, "{file}");
    }
}

#[test]
#[ignore = "needs ROLLBOOK_TRACES"]
fn a_million_events_make_the_round_trip() {
    let outcome = round_trip(&trace("krijn_w3c.jsonl.gz"));
    assert_eq!(
        (outcome.lines, outcome.tally.entries),
        (1_031_203, 1_031_203)
    );
}
