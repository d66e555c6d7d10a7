//! Retried rejects: a line that can be accepted now is recorded and no longer listed; the others stay as they were.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook::domain::entry::Rules;
use rollbook::ingest::{IngestOptions, retry};
use rollbook::query::answer::RejectAnswer;
use rollbook::store::{Batch, BatchLine, BatchText, FeedLine};
use rollbook::{Options, Store};
use rollbook_support as support;
use rollbook_support::program::folder;

const GOOD: &str = r#"{"t":"join","channel":"a","topic":"t","user":"ann","ts":1000}"#;

/// A line that an older Rollbook rejected.
fn once_rejected(text: &str, line: u64) -> Batch {
    let text = BatchText {
        bytes: text.into(),
        ..BatchText::default()
    };
    Batch::read(text, Rules::default(), |text| {
        let line = FeedLine {
            source: "old.jsonl",
            line,
            text: &text.bytes,
            ..FeedLine::default()
        };
        vec![BatchLine::Rejected(line, "no known shape".to_owned())]
    })
}

fn keep(store: &Store, texts: &[&str]) {
    for (n, text) in (1..).zip(texts) {
        store
            .submit(once_rejected(text, n))
            .unwrap()
            .wait()
            .unwrap();
    }
}

fn listed(store: &Store) -> Vec<RejectAnswer> {
    let all = store.rejects().unwrap();
    all.collect::<Result<_, _>>().unwrap()
}

fn numbers(store: &Store) -> Vec<u64> {
    listed(store).iter().map(|reject| reject.n).collect()
}

#[test]
fn what_can_be_taken_now_is_recorded_once_and_settled() {
    let store = support::store_of("");
    let leave = GOOD.replace("join", "leave").replace("1000", "2000");
    keep(&store, &[GOOD, "nonsense", &leave]);
    let how = IngestOptions::default().observer("bridge");
    let outcome = retry(&store, &how, &mut ()).unwrap();
    assert_eq!(outcome.lines, 3);
    let tally = outcome.tally;
    assert_eq!((tally.joins, tally.leaves, tally.rejected), (1, 1, 1));
    assert_eq!(numbers(&store), [2]);
    assert_eq!(listed(&store)[0].reason, "no known shape", "as it was");
    let history = support::history(&store);
    assert_eq!(history.len(), 2);
    assert_eq!(history[0].observer, "bridge");

    // Again: only the remaining line is tried, and it is not kept twice.
    let outcome = retry(&store, &how, &mut ()).unwrap();
    assert_eq!((outcome.lines, outcome.tally.rejected), (1, 1));
    assert_eq!(numbers(&store), [2]);
    assert_eq!(store.head(), 2);
}

#[test]
fn a_retry_tries_each_line_whatever_else_the_options_say() {
    let store = support::store_of("");
    let as_then = GOOD.replace(r#""ts":1000"#, r#""ts":1000,"recorded_at":"nonsense""#);
    keep(
        &store,
        &["nonsense", GOOD, &as_then.replace(r#""ann""#, r#""ben""#)],
    );
    let how = IngestOptions::default().strict(true).keep_recorded(true);
    let outcome = retry(&store, &how, &mut ()).unwrap();
    assert!(!outcome.stopped);
    assert_eq!((outcome.tally.joins, outcome.tally.rejected), (2, 1));
    assert_eq!(numbers(&store), [1]);
}

#[test]
fn what_only_the_writer_refuses_stays_until_it_does_not() {
    let feed = r#"{"t":"snapshot_end","channel":"a","sync":"s","ts":3000}"#;
    let store = support::store_of(feed);
    assert_eq!(numbers(&store), [1]);
    let outcome = retry(&store, &IngestOptions::default(), &mut ()).unwrap();
    assert_eq!((outcome.lines, outcome.tally.rejected), (1, 1));
    assert_eq!(numbers(&store), [1]);
    let begin = r#"{"t":"snapshot_begin","channel":"a","sync":"s","ts":2000}"#;
    support::take(&store, begin, &IngestOptions::default());
    let outcome = retry(&store, &IngestOptions::default(), &mut ()).unwrap();
    assert_eq!((outcome.tally.snapshots, outcome.tally.rejected), (1, 0));
    assert_eq!(numbers(&store), [0; 0]);
}

#[test]
fn settled_rejects_are_settled_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Store::open(dir.path(), Options::default()).unwrap();
    let texts: Vec<String> = (0..5_000)
        .map(|n| match n % 2 {
            0 => GOOD.replace("\"ann\"", &format!("\"u{n}\"")),
            _ => format!("nonsense {n}"),
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let store = open();
    keep(&store, &texts);
    let outcome = retry(&store, &IngestOptions::default(), &mut ()).unwrap();
    assert_eq!(outcome.tally.joins, 2_500);
    drop(store);
    let store = open();
    let left: Vec<u64> = (1..=2_500).map(|n| n * 2).collect();
    assert_eq!(numbers(&store), left);
    // New rejects continue the numbers.
    keep(&store, &["nonsense"]);
    assert_eq!(numbers(&store).last(), Some(&5_001));
}

#[test]
fn from_the_outside() {
    let folder = folder!();
    let end = r#"{"t":"snapshot_end","channel":"a","sync":"s","ts":3000}"#;
    let long = format!("{{\"t\":\"join\",\"channel\":\"{}\"}}", "x".repeat(70_000));
    folder.ingest(format!("{GOOD}\n{end}\n{long}\nnonsense\n"), &[]);
    let listed = folder.ask(&["rejects"]);
    assert_eq!(listed.len(), 3);
    let again = folder.run(&["rejects", "--retry"]).ok();
    let summary = again.line();
    assert_eq!(
        (&summary["lines"], &summary["rejected"]),
        (&3.into(), &3.into())
    );
    assert!(
        again.err.contains("only 65536 of its 70025 bytes"),
        "{}",
        again.err
    );
    assert!(again.err.contains("feed.jsonl:4"), "{}", again.err);
    assert_eq!(folder.ask(&["rejects"]), listed, "they stay as they were");

    folder.ingest(
        r#"{"t":"snapshot_begin","channel":"a","sync":"s","ts":2000}"#,
        &[],
    );
    let summary = folder.run(&["rejects", "--retry"]).ok().line();
    assert_eq!(
        (&summary["snapshots"], &summary["rejected"]),
        (&1.into(), &2.into())
    );
    let left = folder.ask(&["rejects"]);
    assert_eq!(left.iter().map(|r| &r["n"]).collect::<Vec<_>>(), [2, 3]);
    folder.verified();
    folder!().run(&["rejects", "--retry"]).fails(3);
}

#[test]
fn a_file_with_too_many_bad_lines_is_not_read_on() {
    let folder = folder!();
    let file = folder.file("bad.jsonl", format!("{GOOD}\n{}", "bad\n".repeat(20)));
    let ran = folder
        .run(&["ingest", "--max-rejects", "19", &file])
        .fails(1);
    assert!(ran.err.contains("more than 19 lines"), "{}", ran.err);
    assert!(ran.err.contains("--max-rejects"), "{}", ran.err);
    folder.run(&["ingest", "--max-rejects", "20", &file]).ok();
}

#[test]
fn a_file_that_unpacks_to_far_more_is_taken_only_where_that_is_allowed() {
    use std::io::Write;
    let folder = folder!();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let blank = [vec![b' '; 1 << 20], vec![b'\n']].concat();
    for _ in 0..100 {
        packed.write_all(&blank).unwrap();
    }
    packed.write_all(GOOD.as_bytes()).unwrap();
    let file = folder.file("bomb.gz", packed.finish().unwrap());
    let ran = folder.run(&["ingest", &file]).fails(1);
    assert!(ran.err.contains("unpacks to more than"), "{}", ran.err);
    assert!(ran.err.contains("--max-unpacked"), "{}", ran.err);
    let ran = folder.run(&["ingest", "--max-unpacked", "200000000", &file]);
    assert_eq!(ran.ok().line()["joins"], 1);
}
