//! Files as they occur in practice: arrays, values spread over lines, UTF-16, damaged files, events in envelopes,
//! lines out of order; and the messages when nothing could be ingested.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use flate2::{Compression, write::GzEncoder};
use rollbook_support::program;
use rollbook_support::program::{Folder, Ran, folder};
use serde_json::{Value, json};
use std::io::Write;

fn event(kind: &str, user: &str, ts: i64) -> Value {
    json!({"t": kind, "channel": "a", "topic": "b", "user": user, "ts": ts})
}

fn join(user: &str, ts: i64) -> Value {
    event("join", user, ts)
}

fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

fn column(entries: &[Value], field: &str) -> Vec<Value> {
    entries.iter().map(|entry| entry[field].clone()).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

fn users(folder: &Folder) -> Vec<Value> {
    column(&folder.ask(&["history"]), "user")
}

fn counts(sum: &Value) -> [u64; 3] {
    [&sum["lines"], &sum["entries"], &sum["rejected"]].map(|count| count.as_u64().unwrap())
}

/// Ingests standard input.
fn piped(folder: &Folder, text: &str, options: &[&str]) -> Ran {
    let file = folder.file("input", text);
    let mut command = folder.program(&[&["ingest"], options].concat());
    command.stdin(std::fs::File::open(file).unwrap());
    program::run(command)
}

#[test]
fn arrays_spread_values_and_utf_16_are_taken_like_lines() {
    let events = [join("ana", 1), join("ben", 2), event("leave", "ana", 3)];
    let whole = folder!();
    whole.ingest(lines(&events), &[]);
    let history = program::timeless(whole.ask(&["history"]));
    let array = Value::from(events.to_vec());
    let pretty: Vec<String> = events
        .iter()
        .map(|event| serde_json::to_string_pretty(event).unwrap())
        .collect();
    let wide = "\u{feff}".to_owned() + &lines(&events).replace('\n', "\r\n");
    let wide: Vec<u8> = wide.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [
        array.to_string().into_bytes(),
        serde_json::to_vec_pretty(&array).unwrap(),
        pretty.join("\n").into_bytes(),
        wide,
        gzip(&array.to_string()),
        [gzip(&lines(&events)), vec![0; 1_000]].concat(),
    ] {
        let folder = folder!();
        assert_eq!(counts(&folder.ingest(bytes, &[])), [3, 3, 0]);
        assert_eq!(program::timeless(folder.ask(&["history"])), history);
    }
    let folder = folder!();
    let sum = piped(&folder, &serde_json::to_string_pretty(&array).unwrap(), &[]).ok();
    assert_eq!(counts(&sum.line()), [3, 3, 0]);
}

#[test]
fn a_bad_element_is_a_reject_with_its_place() {
    let folder = folder!();
    let text = format!(
        "[\n{},\n  {{\"t\":\"jion\"}}, 7,\n{}\n]\n",
        join("ana", 1),
        join("ben", 2)
    );
    let file = folder.file("feed.json", &text);
    let ran = folder.run(&["ingest", &file]).ok();
    assert_eq!(counts(&ran.line()), [4, 2, 2]);
    let rejects = folder.ask(&["rejects"]);
    let places: Vec<_> = rejects
        .iter()
        .map(|reject| {
            (
                reject["line"].clone(),
                reject["byte"].clone(),
                reject["text"].clone(),
            )
        })
        .collect();
    let at = |what: &str| json!(text.find(what).unwrap());
    let bad = "{\"t\":\"jion\"}";
    assert_eq!(
        places,
        [
            (json!(3), at(bad), json!(bad)),
            (json!(3), at("7,"), json!("7"))
        ]
    );
    assert!(ran.err.contains("feed.json:3: byte "), "{ran:?}");
    // A strict run stops there; everything before it is recorded.
    let strict = folder!();
    let file = strict.file("feed.json", &text);
    let stopped = strict.run(&["ingest", "--strict", &file]).fails(1);
    assert_eq!(counts(&stopped.line()), [2, 1, 1]);
}

#[test]
fn a_file_of_another_form_is_gone_on_with() {
    let events: Vec<Value> = (0..3_000).map(|n| join(&format!("u{n}"), n + 1)).collect();
    let array = format!("[\n{}\n]", lines(&events).trim_end().replace('\n', ",\n"));
    let folder = folder!();
    // The file is still being written: it ends within an element, and then after one.
    let at = |user: &str| array.find(&format!("\"{user}\"")).unwrap();
    let mut taken = 0;
    for (end, complete) in [
        (at("u700"), 700),
        (at("u1500") - 20, 1_500),
        (array.len(), 3_000),
    ] {
        let file = folder.file("feed.json", &array[..end]);
        let ran = folder.run(&["ingest", "--resume", &file]);
        let whole = complete == 3_000;
        assert_eq!(ran.status, Some(i32::from(!whole)), "{ran:?}");
        assert_eq!(ran.line()["entries"], complete - taken, "{ran:?}");
        if !whole {
            assert!(ran.err.contains("within an array"), "{ran:?}");
        }
        taken = complete;
    }
    assert_eq!(folder.verified(), 3_000);
    let again = folder
        .run(&["ingest", "--resume", &folder.file("feed.json", &array)])
        .ok();
    assert_eq!(counts(&again.line()), [0, 0, 0]);
}

#[test]
fn what_is_no_feed_is_said_in_one_sentence() {
    for (like, bytes) in [
        (
            "a PNG image",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\n\0".to_vec(),
        ),
        ("CSV", b"user,at,room\nann,1,x\nben,2,x\neve,3,y\n".to_vec()),
        ("an HTML page", b"<!doctype html>\n<p>Log in\n".to_vec()),
    ] {
        let folder = folder!();
        let file = folder.file("feed.jsonl", bytes);
        let refused = folder.run(&["ingest", &file]).fails(1);
        assert_eq!(refused.err.lines().count(), 1, "{refused:?}");
        assert!(
            refused.err.contains(like) && refused.err.contains("feed.jsonl"),
            "{refused:?}"
        );
        assert_eq!(counts(&refused.line()), [0, 0, 0]);
        assert_eq!(folder.ask(&["rejects"]), [Value::Null; 0]);
    }
}

#[test]
fn where_every_line_is_rejected_it_fails() {
    let folder = folder!();
    let file = folder.file("feed.jsonl", "bad\n\n{\"t\":\"join\"}\n");
    let failed = folder.run(&["ingest", &file]).fails(1);
    assert_eq!(counts(&failed.line()), [2, 0, 2]);
    assert!(
        failed.err.contains("none of 2 lines could be taken"),
        "{failed:?}"
    );
    folder.ingest(format!("bad\n{}", join("ana", 1)), &[]);
    folder.ingest("\n", &[]);
}

#[test]
fn a_first_line_that_is_bad_is_kept_each_time() {
    let folder = folder!();
    for bad in ["bad", "worse", "bad"] {
        let failed = piped(&folder, bad, &[]).fails(1);
        assert_eq!(counts(&failed.line()), [1, 0, 1]);
        let file = folder.file("feed.jsonl", bad);
        assert_eq!(
            counts(&folder.run(&["ingest", &file]).fails(1).line()),
            [1, 0, 1]
        );
    }
    assert_eq!(folder.ask(&["rejects"]).len(), 6);
    // With `--resume`, the same half line is kept once. Another half line in its place is another reject.
    let folder = folder!();
    for (text, rejected) in [("bad", 1), ("bad", 0), ("worse", 1), ("worse", 0)] {
        let file = folder.file("feed.jsonl", text);
        let sum = folder.run(&["ingest", "--resume", &file]).line();
        assert_eq!(sum["rejected"], rejected, "{text}");
    }
    assert_eq!(column(&folder.ask(&["rejects"]), "text"), ["bad", "worse"]);
}

#[test]
fn half_a_line_beyond_16_mib_is_half_a_line() {
    let folder = folder!();
    let long = "x".repeat(17 << 20);
    let file = folder.file("feed.jsonl", format!("{}\n{long}", join("ana", 1)));
    let resume = || counts(&folder.run(&["ingest", "--resume", &file]).line());
    assert_eq!(resume(), [2, 1, 1]);
    assert_eq!(resume(), [0, 0, 0]);
    // What is appended to it is the rest of that line, and no new line.
    folder.more(
        "feed.jsonl",
        &format!("{}\n{}\n", join("eve", 2), join("ben", 3)),
    );
    assert_eq!(resume(), [2, 1, 1]);
    assert_eq!(users(&folder), ["ana", "ben"]);
}

#[test]
fn of_a_damaged_file_the_summary_counts_what_is_recorded() {
    let folder = folder!();
    let first = lines(&[join("ana", 1)]);
    let second = gzip(&join("ben", 2).to_string());
    let cut = [gzip(&first), second[..second.len() - 7].to_vec()].concat();
    let file = folder.file("feed.gz", cut);
    let failed = folder.run(&["ingest", &file]).fails(1);
    assert_eq!(counts(&failed.line()), [1, 1, 0]);
    let recorded = format!("before byte {} of its text is recorded", first.len());
    assert!(
        failed.err.contains("damaged or cut short") && failed.err.contains(&recorded),
        "{failed:?}"
    );
    assert_eq!(users(&folder), ["ana"]);
    // When the file is complete again, the run continues there.
    let whole = folder.file("feed.gz", [gzip(&first), second].concat());
    let sum = folder.run(&["ingest", "--resume", &whole]).ok().line();
    assert_eq!(counts(&sum), [1, 1, 0]);
    assert_eq!(users(&folder), ["ana", "ben"]);
}

#[test]
fn events_stand_in_envelopes() {
    let event = join("ana", 1);
    let text = event.to_string() + "\n";
    for (pointer, line) in [
        ("/payload", json!({"payload": event, "t": 7})),
        ("/log", json!({"log": text, "stream": "stdout"})),
        ("/a~1b/~0/1", json!({"a/b": {"~": [null, event]}})),
        ("/", json!({"": event})),
        ("/records", json!({"records": [event]})),
        ("/records", json!({"records": json!([event]).to_string()})),
    ] {
        let folder = folder!();
        let sum = folder.ingest(format!("{line}\n"), &["--at", pointer]);
        assert_eq!(counts(&sum), [1, 1, 0], "{pointer}");
        assert_eq!(users(&folder), ["ana"]);
    }
    let folder = folder!();
    let bad = json!({"t": "jion"});
    let feed = [
        json!({"payload": [event, bad, join("ben", 2)]}).to_string(),
        json!({"other": event}).to_string(),
        json!({"payload": 7}).to_string(),
        json!({"payload": "no json"}).to_string(),
        "{\"payload\":".to_owned(),
        json!({"payload": bad}).to_string(),
        json!({"payload": []}).to_string(),
        json!({"payload": join("eve", 3)}).to_string(),
    ];
    let sum = folder.ingest(feed.join("\n"), &["--at", "/payload"]);
    assert_eq!(counts(&sum), [9, 3, 6]);
    assert_eq!(users(&folder), ["ana", "ben", "eve"]);
    let rejects = folder.ask(&["rejects"]);
    assert_eq!(column(&rejects, "line"), [1, 2, 3, 4, 5, 6]);
    // The reject holds the event, or the whole line where there is no event.
    assert_eq!(rejects[0]["text"], bad.to_string());
    assert_eq!(rejects[0]["byte"], feed[0].find("{\"t\":\"jion").unwrap());
    assert_eq!(rejects[1]["text"], feed[1]);
    for (reject, reason) in rejects[1..].iter().zip([
        "there is nothing at /payload",
        "there is no event at /payload, but 7",
        "the text at /payload is not JSON",
        "not JSON",
    ]) {
        assert!(
            reject["reason"].as_str().unwrap().starts_with(reason),
            "{reject}"
        );
    }
    // The same in an array of envelopes. A strict run stops before the line with the bad event.
    let strict = folder!();
    let file = strict.file(
        "feed.json",
        format!("[{{\"payload\":{}}},\n{}]", join("x", 1), feed[0]),
    );
    let stopped = strict
        .run(&["ingest", "--strict", "--at", "/payload", &file])
        .fails(1);
    assert_eq!(counts(&stopped.line()), [2, 1, 1]);
    for wrong in ["payload", "/a~2"] {
        folder.run(&["ingest", "--at", wrong, &file]).fails(2);
    }
}

#[test]
fn lines_out_of_order_are_put_in_order_within_a_window() {
    let feed = [
        event("leave", "ana", 3_000),
        join("ana", 1_000),
        join("ben", 6_000),
        event("leave", "ben", 5_999),
        join("late", 500),
    ];
    let folder = folder!();
    folder.ingest(lines(&feed), &[]);
    assert_eq!(users(&folder), ["ana", "ana", "ben", "ben", "late"]);
    assert_eq!(folder.ask(&["sessions", "a", "--user", "ana"]).len(), 0);

    let folder = folder!();
    let sum = folder.ingest(lines(&feed), &["--reorder", "2s"]);
    assert_eq!(counts(&sum), [5, 5, 0]);
    // The last line lies further back than the window, so it is decided when it arrives.
    let times = column(&folder.ask(&["history"]), "source_ts");
    let seconds: Vec<&str> = times
        .iter()
        .map(|ts| &ts.as_str().unwrap()[17..23])
        .collect();
    assert_eq!(seconds, ["01.000", "03.000", "00.500", "05.999", "06.000"]);
    let stays = folder.ask(&["sessions", "a", "--user", "ana"]);
    assert_eq!((stays.len(), &stays[0]["min_ms"]), (1, &json!(2_000)));

    // Lines with the same time keep their order. A line without a time stays after the line before it.
    let mut untimed = join("behind", 0);
    untimed.as_object_mut().unwrap().remove("ts");
    let folder = folder!();
    let feed = [join("3", 30), join("1", 10), untimed, join("2", 10)];
    folder.ingest(lines(&feed) + "bad\n", &["--reorder", "1000"]);
    assert_eq!(users(&folder), ["1", "behind", "2", "3"]);

    folder
        .run(&["ingest", "--reorder", "1s", "--resume", "x"])
        .fails(2);
    // A strict run stops at a bad line. Lines with earlier times than the line before it are recorded.
    let folder = folder!();
    let feed = lines(&[join("9", 900), join("1", 100)]) + "bad\n" + &lines(&[join("5", 500)]);
    let file = folder.file("feed.jsonl", feed);
    let stopped = folder
        .run(&["ingest", "--strict", "--reorder", "1s", &file])
        .fails(1);
    assert_eq!(counts(&stopped.line()), [2, 1, 1]);
    assert_eq!(users(&folder), ["1"]);

    // The same in envelopes: an envelope without an event waits after the line before it.
    let folder = folder!();
    let enclosed = |event: Value| json!({ "payload": event });
    let events = [enclosed(join("9", 900)), enclosed(join("1", 100))];
    let feed = lines(&events) + "{}\n" + &lines(&[enclosed(join("5", 500))]);
    let file = folder.file("envelopes.jsonl", feed);
    let order = ["ingest", "--strict", "--reorder", "1s"];
    let stopped = folder
        .run(&[&order[..], &["--at", "/payload", &file]].concat())
        .fails(1);
    assert_eq!(counts(&stopped.line()), [2, 1, 1]);
    assert_eq!(users(&folder), ["1"]);
}

#[test]
fn no_more_lines_wait_than_a_limit_allows() {
    let most = rollbook::limits::REORDER_LINES_MAX as i64;
    let folder = folder!();
    let mut feed: Vec<Value> = (0..most + 10)
        .map(|n| join(&format!("u{n}"), 2_000 + n))
        .collect();
    feed.push(join("early", 1_000));
    let sum = folder.ingest(lines(&feed), &["--reorder", "1h", "--durability", "none"]);
    assert_eq!(sum["lines"], most + 11);
    let users = users(&folder);
    assert_eq!((&users[0], &users[10]), (&json!("u0"), &json!("early")));
}
