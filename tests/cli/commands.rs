//! The program from the outside: its answers, field by field, in every format, and how it ends.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook::log::engine::sled::SledJournal;
use rollbook::log::engine::{Durability, Journal};
use rollbook_support::program;
use rollbook_support::program::{DEADLINE, Folder, folder, run};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

const EVENING: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/examples/weak-network-evening.jsonl"
);

/// A folder with the sample evening and two lines that are rejected, and the summary that `ingest` printed.
fn evening() -> (Folder, String) {
    let folder = folder!();
    let text = std::fs::read_to_string(EVENING).unwrap() + "nonsense\n{\"t\":\"join\"}\n";
    let file = folder.file("evening.jsonl", text);
    let summary = folder.run(&["ingest", &file]).ok().out;
    (folder, summary)
}

/// The fields of a JSON object, in their order.
struct Fields(Vec<String>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields, M::Error> {
                let mut names = Vec::new();
                while let Some((name, IgnoredAny)) = map.next_entry()? {
                    names.push(name);
                }
                Ok(Fields(names))
            }
        }
        from.deserialize_map(Object)
    }
}

fn fields(json: &str) -> String {
    let Fields(names) = serde_json::from_str(json).unwrap();
    names.join(" ")
}

/// The raw JSON of the first element of the inner list `list`.
fn first_of<'a>(json: &'a str, list: &str) -> &'a str {
    let begin = json.find(&format!("\"{list}\":[{{")).unwrap() + list.len() + 4;
    let mut stream = serde_json::Deserializer::from_str(&json[begin..]).into_iter::<IgnoredAny>();
    stream.next().unwrap().unwrap();
    &json[begin..begin + stream.byte_offset()]
}

const HISTORY: &str = "seq channel type topic user connection meta occurred_at recorded_at effective_at observer state \
     origin disposition snapshot_seq not_before not_after baseline reason id pos source_ts members complete";
const INGEST: &str = "lines events entries joins leaves updates snapshots inferred_joins inferred_leaves \
     inferred_updates baseline_joins duplicates stale unknown collected retries retries_differing rejected clamped first_seq last_seq elapsed_ms";

#[test]
fn the_fields_of_every_answer_stand_in_the_order_of_the_contract() {
    let (folder, summary) = evening();
    let line = |args: &[&str]| folder.run(args).ok().out.lines().next().unwrap().to_owned();
    assert_eq!(fields(&summary), INGEST);
    let who = line(&["who", "studio-7"]);
    assert_eq!(fields(&who), "channel at seq coverage last_proof topics");
    let topic = first_of(&who, "topics");
    assert_eq!(fields(topic), "topic publishers");
    let publisher = first_of(topic, "publishers");
    assert_eq!(fields(publisher), "user connection meta since certainty");
    for entry in folder.run(&["history"]).ok().out.lines() {
        assert_eq!(fields(entry), HISTORY);
    }
    let missed = line(&["missed", "studio-7"]);
    assert_eq!(
        fields(&missed),
        "gap channel from to evidence closed_by joined left updated"
    );
    for list in ["joined", "left", "updated"] {
        assert_eq!(
            fields(first_of(&missed, list)),
            "topic user connection meta"
        );
    }
    for (args, wanted) in [
        (
            &["gaps", "studio-7"][..],
            "gap channel from to evidence closed_by resumed joined left updated",
        ),
        (
            &["channels"],
            "channel topics present_now entries first_at last_at coverage",
        ),
        (&["rejects"], "n source line byte reason text"),
        (&["verify"], "ok entries commits problems"),
        (
            &["sessions"],
            "channel topic user connection joined_at joined_not_before left_at left_not_before join_origin \
             leave_origin baseline min_ms max_ms",
        ),
    ] {
        assert_eq!(fields(&line(args)), wanted);
    }
}

#[test]
fn every_query_answers_in_every_format() {
    let (folder, _) = evening();
    let queries: &[&[&str]] = &[
        &["who", "studio-7"],
        &["history"],
        &[
            "history",
            "studio-7",
            "--type",
            "join,leave",
            "--limit",
            "3",
        ],
        &["missed", "studio-7"],
        &["gaps", "studio-7"],
        &["channels"],
        &["rejects"],
        &["sessions"],
        &[
            "sessions",
            "--per",
            "channel",
            "--clip",
            "--to",
            "@1778793000000",
        ],
        &["stats"],
        &["stats", "--by", "user", "--every", "1h"],
        &["stats", "--every", "1d", "--zone", "Asia/Kolkata"],
        &[
            "attendance",
            "studio-7",
            "--from",
            "@1778788800000",
            "--to",
            "@1778793000000",
        ],
        &["attendance", "studio-7"],
        &["schema"],
        &["schema", "attendance"],
        &["verify"],
    ];
    for query in queries {
        let ask = |format: &str| {
            let ran = folder
                .run(&[query, &["--format", format][..]].concat())
                .ok();
            assert_eq!(ran.err, "", "{query:?} {format}");
            ran.out
        };
        let lines: Vec<serde_json::Value> = ask("jsonl")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(!lines.is_empty(), "{query:?}");
        // In a pipe, JSON lines are the default.
        assert_eq!(folder.ask(query), lines);
        let json: serde_json::Value = serde_json::from_str(&ask("json")).unwrap();
        match json {
            serde_json::Value::Array(list) => assert_eq!(list, lines, "{query:?}"),
            object => assert_eq!(vec![object], lines, "{query:?}"),
        }
        let csv = ask("csv");
        let mut rows = csv::Reader::from_reader(csv.as_bytes());
        let columns = rows.headers().unwrap().len();
        let rows: Vec<_> = rows.records().map(|row| row.unwrap()).collect();
        assert!(rows.iter().all(|row| row.len() == columns), "{query:?}");
        // A member a row.
        let nested = ["who", "missed"].contains(&query[0]);
        assert!(nested || rows.len() == lines.len(), "{query:?}");
        let table = ask("table");
        assert!(
            table.contains(' ') && !table.contains('\u{1b}') && !table.starts_with(['{', '[']),
            "{table}"
        );
    }
    let header = folder.run(&["history", "--format", "csv"]).ok().out;
    assert_eq!(header.lines().next().unwrap(), HISTORY.replace(' ', ","));
    let table = folder
        .run(&["ingest", EVENING, "--format", "table"])
        .ok()
        .out;
    assert!(
        table.contains("entries") && table.contains("observed"),
        "{table}"
    );
    let csv = folder.run(&["ingest", EVENING, "--format", "csv"]).ok().out;
    assert_eq!(csv.lines().next().unwrap(), INGEST.replace(' ', ","));
    assert_eq!(csv.lines().count(), 2);
}

#[test]
fn lists_without_rows_are_whole_in_every_format() {
    let folder = folder!();
    folder.ingest(
        "{\"t\":\"join\",\"channel\":\"a\",\"topic\":\"b\",\"user\":\"c\"}\n",
        &[],
    );
    for query in [
        &["rejects"][..],
        &["gaps", "a"],
        &["missed", "a"],
        &["history", "--user", "nobody"],
    ] {
        let out = |format: &str| {
            folder
                .run(&[query, &["--format", format][..]].concat())
                .ok()
                .out
        };
        assert_eq!(
            (out("json").as_str(), out("jsonl").as_str()),
            ("[]\n", ""),
            "{query:?}"
        );
        assert_eq!(out("csv").lines().count(), 1, "{query:?}");
        assert!(!out("table").trim().is_empty(), "{query:?}");
    }
}

#[test]
fn how_it_ends() {
    let (folder, _) = evening();
    folder.run(&["verify"]).ok();
    for wrong in [
        &["nonsense"][..],
        &["who"],
        &["who", "studio-7", "--at", "yesterday"],
        &["who", "studio-7", "--at", "@1", "--seq", "1"],
        &["history", "--type", "arrival"],
        &["history", "--limit", "-1"],
        &["stats", "--every", "0s"],
        &["ingest", "--slack", "-5s"],
        &["who", "studio-7", "--format", "xml"],
        &[],
    ] {
        folder.run(wrong).fails(2);
    }
    let failed = folder.run(&["ingest", "nowhere.jsonl"]).fails(1);
    assert!(failed.err.contains("nowhere.jsonl"), "{failed:?}");
    for query in ["who", "missed", "gaps", "history"] {
        let missing = folder.run(&[query, "Studio-7"]).fails(3);
        assert!(missing.err.contains("Studio-7"), "{missing:?}");
        assert_eq!(missing.out, "");
    }
    let empty = folder!();
    for args in [
        &["who", "a"][..],
        &["history"],
        &["channels"],
        &["rejects"],
        &["verify"],
        &["rebuild"],
        &["compact"],
        &["migrate"],
        &["replay"],
    ] {
        let missing = empty.run(args).fails(3);
        assert!(missing.err.contains("no store"), "{missing:?}");
    }
    // A query creates no store, and neither does ingesting a missing file.
    empty.run(&["ingest", "nowhere.jsonl"]).fails(1);
    assert!(!empty.path("store").exists());
    let help = folder.run(&["--help"]).ok();
    assert!(help.out.contains("Examples:"));
    folder.run(&["--version"]).ok();
}

#[test]
fn a_store_in_use_is_named_and_left_alone() {
    let folder = folder!();
    let mut holder = folder.program(&["ingest"]);
    let child = holder
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut feed = child.stdin.take().unwrap();
    writeln!(
        feed,
        r#"{{"t":"join","channel":"a","topic":"b","user":"c"}}"#
    )
    .unwrap();
    writeln!(feed, "marker").unwrap();
    // The bad line is reported while the feed is still open; so the line before it is durable as well.
    let err = program::said(child.stderr.take().unwrap());
    let named = err.recv_timeout(DEADLINE).unwrap();
    assert!(named.contains(":2: byte 50: not JSON"), "{named}");
    for args in [
        &["ingest", EVENING][..],
        &["rebuild"],
        &["compact"],
        &["prune", "--before", "90d"],
        &["migrate"],
    ] {
        let refused = folder.run(args).fails(4);
        let process = format!("process {} (rollbook", child.id());
        assert!(refused.err.contains(&process), "{refused:?}");
    }
    drop(feed);
    assert_eq!(program::end(&mut child, DEADLINE, &holder).code(), Some(0));
    assert_eq!(folder.ask(&["history"]).len(), 1);
    folder.run(&["ingest", EVENING]).ok();
}

#[test]
fn a_damaged_log_ends_with_status_5() {
    let (folder, _) = evening();
    folder.run(&["ingest", EVENING]).ok();
    let entries = folder.verified();
    // A value with one flipped bit, which no checksum of the engine covers.
    let journal = SledJournal::open(&folder.path("store").join("log"), Durability::Power).unwrap();
    let values = journal.read(1).map(|value| value.unwrap().1.to_vec());
    let mut values: Vec<Vec<u8>> = values.collect();
    let middle = values[0].len() / 2;
    values[0][middle] ^= 1;
    journal.cut(0).unwrap();
    journal.append(0, &values).unwrap();
    journal.sync().unwrap();
    drop(journal);
    let verified = folder.run(&["verify"]).fails(5);
    let answer = verified.line();
    assert_eq!(answer["ok"], false);
    assert!(answer["entries"].as_u64().unwrap() < entries);
    assert_eq!(answer["problems"][0]["kind"], "damaged", "{answer}");
    // `who` and `ingest` begin at a checkpoint after the damage. Commands that read the damaged part report it.
    folder.run(&["history"]).fails(5);
    folder.run(&["rebuild"]).fails(5);
}

#[test]
fn a_compacted_store_answers_as_before_and_goes_on() {
    let (folder, _) = evening();
    for _ in 0..3 {
        folder.run(&["ingest", EVENING]).ok();
    }
    let questions: [&[&str]; 5] = [
        &["history"],
        &["channels"],
        &["sessions"],
        &["stats"],
        &["rejects"],
    ];
    let asked = |folder: &Folder| questions.map(|args| folder.run(args).ok().out);
    let before = asked(&folder);
    let compacted = folder.run(&["compact"]).ok();
    assert!(compacted.err.contains("in 1 block of"), "{compacted:?}");
    assert_eq!(compacted.out, "");
    assert_eq!(asked(&folder), before);
    let entries = folder.verified();
    // Once more there is nothing to do, and recording goes on behind the blocks.
    folder.run(&["compact"]).ok();
    folder.run(&["rebuild"]).ok();
    assert_eq!(asked(&folder), before);
    folder.run(&["ingest", EVENING]).ok();
    assert!(folder.verified() > entries);
    // A block belongs to the store.
    let blocks = folder.path("store").join("blocks");
    std::fs::rename(&blocks, folder.path("away")).unwrap();
    let missing = folder.run(&["history"]).fails(5);
    assert!(missing.err.contains("block 1"), "{missing:?}");
    std::fs::remove_dir(&blocks).unwrap();
    std::fs::rename(folder.path("away"), &blocks).unwrap();
    folder.verified();
}

#[test]
fn of_a_store_that_cannot_be_opened_verify_says_so_as_of_any_other() {
    let (folder, _) = evening();
    folder.run(&["ingest", EVENING]).ok();
    let db = folder.path("store").join("log").join("db");
    let bytes = std::fs::read(&db).unwrap();
    std::fs::write(&db, &bytes[..2_000]).unwrap();
    let verified = folder.run(&["verify"]).fails(5);
    let answer = verified.line();
    assert_eq!(answer["ok"], false);
    assert_eq!(answer["problems"][0]["kind"], "store", "{answer}");
    assert!(!verified.err.contains("`rollbook verify`"), "{verified:?}");
}

#[test]
fn a_reader_who_has_seen_enough_is_no_failure() {
    let folder = folder!();
    let line = |n: u32| {
        format!(
            "{{\"t\":\"join\",\"channel\":\"a\",\"topic\":\"b\",\"user\":\"u{n}\",\"ts\":{n}}}\n"
        )
    };
    folder.ingest((1..5_000).map(line).collect::<String>(), &[]);
    for query in [
        &["history"][..],
        &["replay"],
        &["who", "a"],
        &["history", "--format", "csv"],
    ] {
        let mut command = folder.program(query);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut [0; 10]).unwrap();
        drop(out);
        let mut err = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        let status = program::end(&mut child, DEADLINE, &command);
        assert_eq!((status.code(), err.as_str()), (Some(0), ""), "{query:?}");
    }
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let (folder, _) = evening();
    let on_terminal = |variable: &str| {
        let store = folder.path("store");
        let told = format!(
            "'{}' --data '{}' missed studio-7",
            env!("CARGO_BIN_EXE_rollbook"),
            store.display()
        );
        let mut command = Command::new("script");
        command
            .args(["-qec", &told, "/dev/null"])
            .env("TERM", "xterm")
            .env_remove("NO_COLOR");
        command.env_remove("ROLLBOOK_DATA").stdin(Stdio::null());
        if !variable.is_empty() {
            command.env("NO_COLOR", variable);
        }
        run(command).ok().out
    };
    if Command::new("script").arg("--version").output().is_err() {
        println!("there is no `script` to make a terminal with: nothing was looked at");
        return;
    }
    let coloured = on_terminal("");
    assert!(
        coloured.contains("\u{1b}[") && coloured.contains("joined"),
        "{coloured}"
    );
    let plain = on_terminal("1");
    assert!(
        !plain.contains("\u{1b}[3") && plain.contains("joined"),
        "{plain}"
    );
}

#[cfg(unix)]
#[test]
fn arguments_may_be_any_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let folder = folder!();
    let mut command = program!();
    let data = [
        b"--data=",
        folder.path("st\u{f6}re").as_os_str().as_bytes(),
        b"\xff",
    ]
    .concat();
    command
        .arg(std::ffi::OsStr::from_bytes(&data))
        .args(["ingest", EVENING]);
    run(command).ok();
    let strange = folder
        .path("x")
        .parent()
        .unwrap()
        .join(std::ffi::OsStr::from_bytes(b"feed\xfe.jsonl"));
    std::fs::write(&strange, "bad\n").unwrap();
    let mut command = folder.program(&["ingest"]);
    command.arg(&strange);
    let named = run(command).fails(1);
    assert!(
        named.err.contains("feed\u{fffd}.jsonl:1: byte 0: not JSON"),
        "{named:?}"
    );
}
