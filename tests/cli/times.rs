//! Times from the outside: their units, and the notices when a unit seems to be wrong.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook_support::program::{Folder, Ran, folder};
use serde_json::Value;

const SECONDS: &str = r#"{"t":"join","channel":"c","topic":"t","user":"a","ts":1778790600}
{"t":"leave","channel":"c","topic":"t","user":"a","ts":"2026-05-14T21:30:00+01:00"}
{"eventType":"REMOTE_JOIN","channelName":"c","publisher":"a","timestamp":1778790601,"topicInfos":[{"topicName":"t","publishers":[]}]}
"#;

fn times(folder: &Folder) -> Vec<Value> {
    let entries = folder.ask(&["history"]);
    entries
        .iter()
        .map(|entry| entry["occurred_at"].clone())
        .collect()
}

fn doubts(ran: &Ran) -> Vec<&str> {
    let lines = ran.err.lines();
    lines.filter(|line| line.contains("before 1973")).collect()
}

#[test]
fn numbers_count_what_the_unit_says_and_texts_count_themselves() {
    let folder = folder!();
    let file = folder.file("f.jsonl", SECONDS);
    let ran = folder.run(&["ingest", "--time-unit", "s", &file]).ok();
    assert_eq!(doubts(&ran), [""; 0]);
    assert_eq!(
        times(&folder),
        [
            "2026-05-14T20:30:00.000Z",
            "2026-05-14T20:30:00.000Z",
            "2026-05-14T20:30:01.000Z"
        ]
    );
    let folder = folder!();
    let micros = SECONDS.replace("1778790600,", "1778790600123456,");
    let file = folder.file(
        "f.jsonl",
        micros.replace("1778790601,", "1778790601000000,"),
    );
    folder.run(&["ingest", "--time-unit", "us", &file]).ok();
    // `ns` is no unit.
    folder.run(&["ingest", "--time-unit", "ns", &file]).fails(2);
    assert_eq!(times(&folder).len(), 3);
}

#[test]
fn a_run_whose_times_all_lie_long_ago_is_doubted() {
    let numbers = |ts: i64| format!("{{\"t\":\"link\",\"state\":\"up\",\"ts\":{ts}}}\n");
    let said = |text: &str, args: &[&str]| {
        let folder = folder!();
        let file = folder.file("f.jsonl", text);
        let args: Vec<&str> = ["ingest", &file]
            .into_iter()
            .chain(args.iter().copied())
            .collect();
        let ran = folder.run(&args).ok();
        doubts(&ran).concat()
    };
    let seconds = numbers(1_778_790_600) + &numbers(1_778_790_590);
    assert_eq!(
        said(&seconds, &[]),
        "all times lie before 1973, the latest at 1970-01-21 14:06:30.600: if they count seconds, say --time-unit s"
    );
    assert!(
        said(&numbers(1_778_790_600_000), &["--time-unit", "us"])
            .ends_with("leave --time-unit away")
    );
    // One later time is enough for no notice; so is a given unit, or no time at all.
    assert_eq!(
        said(&(seconds.clone() + &numbers(1_778_790_600_000)), &[]),
        ""
    );
    assert_eq!(said(&seconds, &["--time-unit", "s"]), "");
    assert_eq!(said("{\"t\":\"link\",\"state\":\"up\"}\n", &[]), "");
    let member = r#"{"t":"snapshot","channel":"c","topics":{"t":[{"user":"a","ts":1778790600}]}}"#;
    assert!(said(member, &[]).contains("--time-unit s"));
}

#[test]
fn rejects_are_read_again_in_the_unit_that_is_said_then() {
    let folder = folder!();
    // In milliseconds this time is out of range.
    let line = r#"{"t":"link","state":"up","ts":1778790600000000}"#;
    let file = folder.file("f.jsonl", line);
    folder.run(&["ingest", &file]);
    folder
        .run(&["rejects", "--retry", "--time-unit", "us"])
        .ok();
    assert_eq!(times(&folder), ["2026-05-14T20:30:00.000Z"]);
}

#[test]
fn presence_events_are_as_late_as_the_options_say() {
    let folder = folder!();
    let file = folder.file("f.jsonl", SECONDS);
    let usage = |args: &[&str]| {
        let ran = folder.run(&[&["ingest", &file], args].concat());
        ran.fails(2).err
    };
    assert!(usage(&["--presence-timeout", "400d"]).contains("later than a year"));
    usage(&["--presence-interval", "soon"]);
    usage(&["--presence-debounce", "-1"]);
    folder
        .run(&[
            "ingest",
            "--presence-timeout",
            "10s",
            "--presence-interval",
            "5s",
            "--presence-debounce",
            "0",
            &file,
        ])
        .ok();
}

#[cfg(feature = "client")]
#[test]
fn what_another_server_reads_is_not_set_here() {
    let folder = folder!();
    let args = [
        "record",
        "ws://localhost:1/v1/feed?channel=c",
        "--to-url",
        "ws://localhost:1/v1/ingest",
    ];
    for setting in [["--time-unit", "s"], ["--presence-timeout", "1s"]] {
        let ran = folder.run(&[&args[..], &setting].concat()).fails(2);
        assert!(ran.err.contains("rollbook serve"), "{ran:?}");
    }
}
