//! `ingest` from the outside: sources of lines, the options for ingesting them, and the messages meanwhile.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook_support::program;
use rollbook_support::program::{DEADLINE, folder, run};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

fn join(user: &str, ts: i64) -> String {
    format!(
        "{{\"t\":\"join\",\"channel\":\"a\",\"topic\":\"b\",\"user\":\"{user}\",\"ts\":{ts}}}\n"
    )
}

fn snapshot(users: &[&str], ts: i64) -> String {
    let members: Vec<Value> = users.iter().map(|user| json!({"user": user})).collect();
    format!(
        "{}\n",
        json!({"t": "snapshot", "channel": "a", "ts": ts, "topics": {"b": members}})
    )
}

fn column(entries: &[Value], field: &str) -> Vec<Value> {
    entries.iter().map(|entry| entry[field].clone()).collect()
}

fn now() -> i64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

#[test]
fn standard_input_several_files_and_packed_ones() {
    let folder = folder!();
    let one = folder.file("one.jsonl", join("ana", 1));
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(join("ben", 2).as_bytes()).unwrap();
    let two = folder.file("two.jsonl.gz", gz.finish().unwrap());
    let three = folder.file(
        "three.jsonl.zst",
        zstd::encode_all(join("cleo", 3).as_bytes(), 1).unwrap(),
    );
    let sum = folder.run(&["ingest", &one, &two, &three]).ok().line();
    assert_eq!(
        (&sum["lines"], &sum["joins"], &sum["last_seq"]),
        (&json!(3), &json!(3), &json!(3))
    );
    for args in [&["ingest"][..], &["ingest", "-"]] {
        let mut command = folder.program(args);
        command.stdin(std::fs::File::open(&one).unwrap());
        assert_eq!(run(command).ok().line()["duplicates"], 1);
    }
    assert_eq!(
        column(&folder.ask(&["history"]), "user"),
        ["ana", "ben", "cleo", "ana", "ana"]
    );
    // If a later file is missing, nothing of the earlier files is ingested either, and the error names the file.
    let failed = folder.run(&["ingest", &one, "gone.jsonl"]).fails(1);
    assert!(failed.err.contains("gone.jsonl"));
    assert_eq!(folder.ask(&["history"]).len(), 5);
    // A truncated packed file: its complete lines are recorded, and the damage is reported.
    let text: String = (0..4_000).map(|n| join(&format!("u{n}"), 4 + n)).collect();
    let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
    let cut = folder.file("cut.zst", &packed[..packed.len() / 2]);
    let failed = folder.run(&["ingest", &cut]).fails(1);
    assert!(failed.err.contains("damaged or cut short"), "{failed:?}");
    let taken = failed.line()["entries"].as_u64().unwrap();
    assert_eq!(folder.verified(), 5 + taken);
}

#[test]
fn a_line_of_a_live_feed_is_recorded_though_no_other_follows() {
    let folder = folder!();
    let mut command = folder.program(&["ingest"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut feed = child.stdin.take().unwrap();
    feed.write_all(join("ana", 1).as_bytes()).unwrap();
    // The program is killed while the feed is silent, so wait until the line is recorded. How soon depends on the
    // machine.
    let started = Instant::now();
    let log = folder.path("store").join("log").join("synced");
    while std::fs::read(&log).map_or(0, |mark| mark.first().copied().unwrap_or(0)) == 0 {
        assert!(started.elapsed() < DEADLINE, "the line was never recorded");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    drop(feed);
    assert_eq!(column(&folder.ask(&["history"]), "user"), ["ana"]);
}

#[cfg(unix)]
#[test]
fn a_silent_feed_can_be_interrupted() {
    let folder = folder!();
    let mut command = folder.program(&["ingest"]);
    let child = command
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::null());
    let mut child = child.spawn().unwrap();
    let mut feed = child.stdin.take().unwrap();
    feed.write_all((join("ana", 1) + "bad\n").as_bytes())
        .unwrap();
    // After it has reported the bad line, the program waits for the next one.
    let err = program::said(child.stderr.take().unwrap());
    err.recv_timeout(DEADLINE).unwrap();
    let interrupt = || {
        let mut kill = std::process::Command::new("kill");
        kill.args(["-INT", &child.id().to_string()])
            .status()
            .unwrap();
    };
    interrupt();
    std::thread::sleep(Duration::from_millis(200));
    interrupt();
    assert_eq!(
        program::end(&mut child, DEADLINE, &command).code(),
        Some(130)
    );
    assert_eq!(folder.verified(), 1);
}

#[test]
fn observer_and_self() {
    let folder = folder!();
    let text = snapshot(&["me", "ben"], 1) + &snapshot(&[], 2);
    folder.ingest(&text, &["--observer", "booth", "--self", "me"]);
    let history = folder.ask(&["history", "--type", "leave"]);
    assert_eq!(
        column(&history, "user"),
        ["ben"],
        "nobody infers that he himself has left"
    );
    assert_eq!(column(&history, "observer"), ["booth"]);
    let line = r#"{"t":"leave","channel":"a","topic":"b","user":"me","ts":3,"observer":"door"}"#;
    folder.ingest(line, &["--observer", "booth"]);
    assert_eq!(
        folder.ask(&["history", "--user", "me", "--type", "leave"])[0]["observer"],
        "door"
    );
}

#[test]
fn lossy_feeds_are_never_certain() {
    let text = snapshot(&["ana"], 1_000) + &join("ben", 2_000);
    for (options, certainty) in [(&[][..], "certain"), (&["--lossy-feed"], "assumed")] {
        let folder = folder!();
        folder.ingest(&text, options);
        let who = folder.run(&["who", "a", "--at", "@2000"]).ok().line();
        let publishers = who["topics"][0]["publishers"].as_array().unwrap().clone();
        assert_eq!(column(&publishers, "user"), ["ana", "ben"]);
        let before = folder.run(&["who", "a", "--at", "@1500"]).ok().line();
        assert_eq!(
            before["topics"][0]["publishers"][0]["certainty"], certainty,
            "{before}"
        );
    }
}

#[test]
fn slack_widens_windows_and_skew_is_forgiven() {
    let text = snapshot(&["ana"], 10_000) + &join("ben", 20_000) + &snapshot(&["ana"], 30_000);
    for (options, not_before) in [
        (&[][..], "1970-01-01T00:00:20.000Z"),
        (&["--slack", "2s"], "1970-01-01T00:00:18.000Z"),
        (&["--slack", "2500"], "1970-01-01T00:00:17.500Z"),
    ] {
        let folder = folder!();
        folder.ingest(&text, options);
        let left = folder.ask(&["history", "--origin", "inferred", "--type", "leave"]);
        assert_eq!(column(&left, "not_before"), [not_before], "{options:?}");
    }
    // A snapshot still counts if it is older than the last one by no more than the tolerance.
    let text = snapshot(&["ana"], 10_000) + &snapshot(&["ana", "ben"], 9_000);
    for (options, stale) in [
        (&[][..], 1),
        (&["--skew-tolerance", "999ms"], 1),
        (&["--skew-tolerance", "1s"], 0),
    ] {
        let folder = folder!();
        assert_eq!(folder.ingest(&text, options)["stale"], stale, "{options:?}");
    }
}

#[test]
fn a_time_too_far_ahead_counts_as_missing() {
    let ahead = now() + 30 * 60_000;
    let occurred = |options: &[&str]| {
        let folder = folder!();
        folder.ingest(join("ana", ahead), options);
        let entry = folder.ask(&["history"]).remove(0);
        assert_eq!(
            folder.run(&["who", "a"]).ok().line()["topics"][0]["publishers"][0]["user"],
            "ana"
        );
        (
            entry["occurred_at"] == entry["recorded_at"],
            entry["source_ts"].is_string(),
        )
    };
    assert_eq!(occurred(&[]), (true, true));
    assert_eq!(occurred(&["--max-ahead", "10m"]), (true, true));
    assert_eq!(occurred(&["--max-ahead", "2h"]), (false, true));
}

#[test]
fn strict_stops_at_the_first_bad_line_and_keeps_what_came_before() {
    let folder = folder!();
    let text = join("ana", 1) + &join("ben", 2) + "bad\n" + &join("cleo", 3);
    let file = folder.file("feed.jsonl", &text);
    let stopped = folder.run(&["ingest", "--strict", &file]).fails(1);
    assert!(
        stopped.err.contains("feed.jsonl:3: byte ") && stopped.err.contains("--strict"),
        "{stopped:?}"
    );
    let sum = stopped.line();
    assert_eq!((&sum["entries"], &sum["rejected"]), (&json!(2), &json!(1)));
    assert_eq!(sum["lines"], 3, "what stands behind it was not taken");
    assert_eq!(column(&folder.ask(&["history"]), "user"), ["ana", "ben"]);
    assert_eq!(folder.ask(&["rejects"])[0]["text"], "bad");
    // After a correction within the fingerprint's part, the file is another file.
    let mended = folder.file("feed.jsonl", text.replace("bad\n", &join("dan", 2)));
    let failed = folder.run(&["ingest", "--strict", "--resume", &mended]);
    assert_eq!(
        failed.status,
        Some(1),
        "its start is another now: {failed:?}"
    );
    let long = "\n".repeat(70_000) + &text;
    let file = folder.file("long.jsonl", &long);
    folder.run(&["ingest", "--strict", &file]).fails(1);
    let mended = folder.file("long.jsonl", long.replace("bad\n", &join("dan", 2)));
    folder
        .run(&["ingest", "--strict", "--resume", &mended])
        .ok();
    assert_eq!(
        column(&folder.ask(&["history"]), "user"),
        ["ana", "ben", "ana", "ben", "dan", "cleo"]
    );
}

#[test]
fn entries_that_take_effect_late_are_named_ten_at_most() {
    let folder = folder!();
    let mut text = join("first", 1_000_000);
    (0..13).for_each(|n| text += &join(&format!("late{n}"), 900_000 + n));
    text += &join("in time", 940_000);
    let file = folder.file("feed.jsonl", text);
    let ran = folder.run(&["ingest", &file]).ok();
    assert_eq!(ran.line()["clamped"], 13);
    let named: Vec<&str> = ran.err.lines().collect();
    assert_eq!(named.len(), 12, "{named:#?}");
    assert!(
        named[0].starts_with("a: entry 2 occurred 1970-01-01 00:15:00.000 UTC"),
        "{named:#?}"
    );
    assert!(named[10].starts_with("… and 3 more"), "{named:#?}");
    assert!(named[11].contains("before 1973"), "{named:#?}");
}

#[test]
fn a_stale_event_is_said_to_change_nothing() {
    let folder = folder!();
    // The leave's time is in seconds.
    let text = join("ana", 1_778_790_000_000)
        + r#"{"t":"leave","channel":"a","topic":"b","user":"ana","ts":1778793600}"#;
    let file = folder.file("feed.jsonl", text);
    let ran = folder.run(&["ingest", &file]).ok();
    let sum = ran.line();
    assert_eq!((&sum["stale"], &sum["clamped"]), (&json!(1), &json!(1)));
    let named: Vec<&str> = ran.err.lines().collect();
    let wanted = "a: entry 2 occurred 1970-01-21 14:06:33.600 UTC and is older than what is known: it is recorded as stale and changes nothing";
    assert_eq!(named, [wanted]);
}

#[test]
fn the_line_that_moved_a_channel_s_time_is_named_once() {
    let folder = folder!();
    let untimed = "{\"t\":\"join\",\"channel\":\"a\",\"topic\":\"b\",\"user\":\"ben\"}\n";
    let text = join("ana", 1_000) + untimed + &join("cleo", 2_000) + &join("dan", 3_000);
    let file = folder.file("feed.jsonl", text);
    let ran = folder.run(&["ingest", &file]).ok();
    assert_eq!(ran.line()["clamped"], 2);
    let of_entries = |line: &&str| line.contains("entry");
    let named: Vec<&str> = ran.err.lines().filter(of_entries).collect();
    assert_eq!(named.len(), 2, "{named:#?}");
    let culprit = format!(
        "and entry 2 ({file}:2) moved it there: it has no time that counts, and took effect when it was recorded"
    );
    assert!(named[0].starts_with("a: entry 3 occurred") && named[0].ends_with(&culprit));
    assert!(named[1].ends_with("time in a channel never goes back"));
    // A later run finds that entry again.
    let later = folder.file("later.jsonl", join("eve", 4_000));
    let ran = folder.run(&["ingest", &later]).ok();
    assert!(
        ran.err.contains("and entry 2 moved it there: it has"),
        "{ran:?}"
    );
}

#[test]
fn an_id_that_comes_again_with_other_contents_is_counted_and_named() {
    let folder = folder!();
    let line = |n: usize, user: &str| {
        format!(
            "{{\"t\":\"join\",\"id\":\"k{n}\",\"channel\":\"a\",\"topic\":\"b\",\"user\":\"{user}\",\"meta\":{{\"a\":1,\"b\":2}},\"ts\":{n}}}\n"
        )
    };
    let snapshot = r#"{"t":"snapshot","id":"s","channel":"z","topics":{"b":[{"user":"x"},{"user":"y","meta":1}],"c":[]},"ts":5}"#;
    let mut text = String::new();
    (1..=12).for_each(|n| text += &line(n, "ana"));
    folder.ingest(text + snapshot, &[]);
    // The same content in another notation.
    let again = r#"{"recorded_at":7,"ts":1,"user":"ana","meta":{"b":2.0,"a":1},"topic":"b","channel":"a","id":"k1","t":"join","self":"me"}
{"ts":5,"topics":{"c":[],"b":[{"user":"y","meta":1},{"user":"x"}]},"channel":"z","id":"s","t":"snapshot"}
"#;
    let sum = folder.ingest(again, &[]);
    let counts = |sum: &Value| (sum["retries"].clone(), sum["retries_differing"].clone());
    assert_eq!(counts(&sum), (json!(2), json!(0)));
    let mut text = String::new();
    (1..=12).for_each(|n| text += &line(n, "ben"));
    text += &snapshot.replace("\"y\"", "\"w\"");
    let file = folder.file("others.jsonl", &text);
    let ran = folder.run(&["ingest", &file]).ok();
    let sum = ran.line();
    assert_eq!(counts(&sum), (json!(13), json!(13)));
    assert_eq!((&sum["entries"], &sum["rejected"]), (&json!(0), &json!(0)));
    let of_lines = |line: &&str| !line.starts_with("all times lie before 1973");
    let named: Vec<&str> = ran.err.lines().filter(of_lines).collect();
    assert_eq!(named.len(), 11, "{named:#?}");
    let first = format!(
        "{file}:1: byte 0: the id k1 was recorded before, as entry 1, with other contents: this line counts as a retry and is not recorded"
    );
    assert_eq!(named[0], first);
    assert!(named[10].starts_with("… and 3 more lines"), "{named:#?}");
    let table = folder.run(&["--format", "table", "ingest", &file]).ok().out;
    assert!(table.contains("retries that differ"), "{table}");
    // A rebuild reads the ids from the log, without the contents of their lines: no difference can be reported.
    folder.run(&["rebuild"]).ok();
    assert_eq!(counts(&folder.ingest(text, &[])), (json!(13), json!(0)));
}

#[test]
fn times_may_be_relative_to_now() {
    let folder = folder!();
    let text = join("old", now() - 7_200_000) + &join("new", now() - 60_000);
    folder.ingest(text, &[]);
    let users = |args: &[&str]| column(&folder.ask(args), "user");
    assert_eq!(users(&["history", "--from", "-1h"]), ["new"]);
    assert_eq!(users(&["history", "a", "--to", "-90m"]), ["old"]);
    let who = |at: &str| folder.run(&["who", "a", "--at", at]).ok().line();
    assert_eq!(
        who("-1h")["topics"][0]["publishers"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(who("-3h")["topics"], json!([]));
    assert_eq!(who("@0")["at"], "1970-01-01T00:00:00.000Z");
    assert_eq!(
        who("2026-05-14T20:00:00+02:00")["at"],
        "2026-05-14T18:00:00.000Z"
    );
    let known = folder.run(&["who", "a", "--known-at", "-1w"]);
    assert!(
        known.status == Some(0) || known.status == Some(3),
        "{known:?}"
    );
}

#[test]
fn data_may_come_from_the_surroundings_or_the_command_line() {
    let folder = folder!();
    let file = folder.file("feed.jsonl", join("ana", 1));
    let mut from_surroundings = program!();
    from_surroundings
        .args(["ingest", &file])
        .env("ROLLBOOK_DATA", folder.path("x"));
    run(from_surroundings).ok();
    assert!(folder.path("x").join("store.json").exists());
    let mut both = program!();
    both.args([
        "--data",
        folder.path("y").to_str().unwrap(),
        "ingest",
        &file,
    ]);
    both.env("ROLLBOOK_DATA", folder.path("x"));
    run(both).ok();
    assert!(folder.path("y").join("store.json").exists());
    let mut neither = program!();
    neither
        .args(["ingest", &file])
        .current_dir(folder.path("x").parent().unwrap());
    run(neither).ok();
    assert!(folder.path("rollbook-data").join("store.json").exists());
}
