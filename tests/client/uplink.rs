//! Feeds from one server to another: `record` of a server's `/v1/feed`, into a store and with `--to-url`, with tokens
//! that last for seconds, over restarts on both sides.
#![cfg(all(feature = "client", feature = "server"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook_support::mock::{Guest, Mock};
use rollbook_support::program::{DEADLINE, Folder, folder};
use rollbook_support::recording::Recording;
use rollbook_support::serving::Serving;
use serde_json::{Value, json};
use std::time::Instant;

fn snapshot(users: &[&str], ts: i64) -> String {
    let members: Vec<Value> = users.iter().map(|user| json!({"user": user})).collect();
    json!({"t": "snapshot", "channel": "a", "ts": ts, "topics": {"b": members}}).to_string()
}

/// Repeats a query until the answer has these users.
fn until_present(folder: &Folder, users: &[&str]) {
    let started = Instant::now();
    loop {
        let ran = folder.run(&["who", "a"]);
        if ran.status == Some(0) {
            let who = ran.line();
            let topics = who["topics"].as_array().unwrap().iter();
            let publishers = topics.flat_map(|topic| topic["publishers"].as_array().unwrap());
            if publishers.map(|publisher| &publisher["user"]).eq(users) {
                return;
            }
        }
        assert!(started.elapsed() < DEADLINE, "{ran:?}");
    }
}

/// The states and reasons of the link and token entries.
fn life(folder: &Folder) -> Vec<String> {
    let entries = folder.ask(&["history", "--type", "link,token"]);
    let words = entries.iter().map(|entry| {
        let reason = entry["reason"].as_str().unwrap_or_default();
        format!("{} {reason}", entry["state"].as_str().unwrap())
    });
    words.collect()
}

#[test]
fn a_server_is_recorded_through_tokens_of_seconds() {
    let (far, near) = (folder!(), folder!());
    far.ingest(snapshot(&["ana", "tony"], 1000), &[]);
    let secret = far.file("secret", "0123456789abcdef0123456789abcdef");
    let serving = Serving::start(&far, &["--auth-secret-file", &secret]);
    let command = format!(
        "{} token --auth-secret-file {secret} --scope read --ttl 2s",
        env!("CARGO_BIN_EXE_rollbook")
    );
    let feed = serving.socket("/v1/feed?channel=a");
    let recording = Recording::start(&near, &feed, &["--token-command", &command]);
    // Until it has logged in three times.
    recording.says("token renewed");
    recording.says("token renewed");
    let ran = recording.terminate();
    serving.stop();
    assert!(!ran.err.contains("eyJ"), "{ran:?}");
    let told = life(&near);
    assert!(told.iter().any(|entry| entry == "will_expire "), "{told:?}");
    assert!(told.iter().any(|entry| entry == "renewed "), "{told:?}");
    until_present(&near, &["ana", "tony"]);
    let changes = near.ask(&["history", "--type", "join,leave,update"]);
    assert_eq!(changes.len(), 2, "nobody came or went: {changes:?}");
    near.verified();
}

#[test]
fn lines_go_to_another_server_and_on_after_it_was_killed() {
    let (folder, source) = (folder!(), Mock::start());
    let serving = Serving::start(&folder, &[]);
    let address = serving.address();
    let here = folder!();
    let options = [
        "--to-url",
        &serving.socket(""),
        "--observer",
        "eye",
        "--rest-max",
        "50ms",
    ];
    let recording = Recording::start(&here, &source.url(), &options);
    let mut guest = source.accept();
    guest.say(&format!("{}\nnonsense", snapshot(&["ana"], 1000)));
    until_present(&folder, &["ana"]);
    serving.kill();
    guest.say(r#"{"t":"join","channel":"a","topic":"b","user":"tony","ts":2000}"#);
    let serving = Serving::at(&folder, &address, &[]);
    until_present(&folder, &["ana", "tony"]);
    let ran = recording.stop(guest);
    let summary = ran.line();
    assert_eq!(
        (&summary["lines"], &summary["rejected"]),
        (&json!(5), &json!(1))
    );
    assert!(ran.err.contains(":3: "), "{ran:?}");
    serving.stop();
    assert!(!here.path("store").exists());
    let entries = folder.ask(&["history", "a"]);
    assert!(entries.iter().all(|entry| entry["observer"] == "eye"));
    // The kill of the server made a gap in which nothing was missed. The end of the feed made a gap that is open.
    let gaps = folder.ask(&["gaps", "a"]);
    let seen: Vec<_> = gaps
        .iter()
        .map(|gap| (&gap["resumed"], gap["to"].is_null()))
        .collect();
    assert_eq!(seen, [(&json!(true), false), (&json!(false), true)]);
    assert_eq!(folder.ask(&["rejects"]).len(), 1);
    folder.verified();
}

#[test]
fn an_observer_that_the_url_names_is_meant() {
    let (near, far) = (folder!(), folder!());
    near.ingest(snapshot(&["ana"], 1000), &[]);
    let serving = Serving::start(&far, &[]);
    let url = serving.socket("/v1/ingest?observer=booth");
    near.run(&["replay", "a", "--to-url", &url]).ok();
    serving.stop();
    let entries = far.ask(&["history", "a"]);
    assert!(!entries.is_empty());
    assert!(
        entries.iter().all(|entry| entry["observer"] == "booth"),
        "{entries:?}"
    );
}

/// The lines of the next message.
fn lines(server: &mut Guest) -> Vec<String> {
    let message = server.hears().unwrap();
    message.lines().map(str::to_owned).collect()
}

#[test]
fn what_was_not_acknowledged_is_sent_again_and_nothing_else() {
    let (folder, source, target) = (folder!(), Mock::start(), Mock::start());
    let options = ["--to-url", &target.url(), "--rest-max", "10ms"];
    let recording = Recording::start(&folder, &source.url(), &options);
    let mut guest = source.accept();
    guest.say("1\n2\n3");
    let mut server = target.accept();
    assert!(
        server
            .path
            .starts_with("/feed/v1/ingest?observer=default&feed=")
    );
    let feed = server.path.clone();
    server.say(r#"{"t":"resume","line":0}"#);
    let mut heard = Vec::new();
    while heard.len() < 4 {
        heard.extend(lines(&mut server));
    }
    assert_eq!(heard[1..], ["1", "2", "3"]);
    server.say(r#"{"t":"ack","line":2,"seq":7}"#);
    server.close(1011);
    // The second line after the link's line is durable, though it was not acknowledged.
    let mut server = target.accept();
    assert_eq!(server.path, feed);
    server.say(r#"{"t":"resume","line":3}"#);
    assert_eq!(lines(&mut server), ["3"]);
    guest.say("4");
    assert_eq!(lines(&mut server), ["4"]);
    // A new connection to the source makes a new feed, after the old feed is acknowledged completely.
    guest.close(1000);
    let down = lines(&mut server);
    assert!(down[0].contains("connection_lost"), "{down:?}");
    server.say(r#"{"t":"ack","line":6,"seq":9}"#);
    assert_eq!(server.leaves(), 1000);
    let guest = source.accept();
    let mut server = target.accept();
    assert_ne!(server.path, feed);
    server.say(r#"{"t":"resume","line":0}"#);
    assert!(lines(&mut server)[0].contains("\"up\""));
    recording.signal("-TERM");
    assert_eq!(guest.leaves(), 1000);
    assert!(lines(&mut server)[0].contains("stopped"));
    server.say(r#"{"t":"ack","line":2,"seq":11}"#);
    assert_eq!(server.leaves(), 1000);
    let summary = recording.end().ok().line();
    assert_eq!(
        (&summary["lines"], &summary["last_seq"]),
        (&json!(8), &json!(11))
    );
}

#[test]
fn recorded_history_is_played_into_a_server() {
    let (from, to) = (folder!(), folder!());
    let left = r#"{"t":"leave","channel":"a","topic":"b","user":"ana","ts":1060}"#;
    from.ingest(
        format!("{}\n{left}\n", snapshot(&["ana", "tony"], 1000)),
        &[],
    );
    let serving = Serving::start(&to, &[]);
    let url = serving.socket("/v1/ingest");
    let ran = from
        .run(&["replay", "a", "--speed", "2", "--to-url", &url])
        .ok();
    assert_eq!(ran.line()["lines"], 2);
    serving.stop();
    let changes = |folder: &Folder| {
        let entries = folder.ask(&["history", "a", "--type", "join,leave,snapshot"]);
        let facts = entries.iter().map(|entry| {
            (
                entry["type"].clone(),
                entry["user"].clone(),
                entry["occurred_at"].clone(),
            )
        });
        facts.collect::<Vec<_>>()
    };
    assert_eq!(changes(&from), changes(&to));
    let nobody = ["replay", "a", "--to-url", "ftp://127.0.0.1"];
    from.run(&nobody).fails(2);
}

#[test]
fn a_server_that_speaks_of_lines_it_was_not_sent_is_no_server() {
    let (folder, source, target) = (folder!(), Mock::start(), Mock::start());
    let recording = Recording::start(&folder, &source.url(), &["--to-url", &target.url()]);
    let mut guest = source.accept();
    guest.say("1");
    let mut server = target.accept();
    server.say(r#"{"t":"resume","line":5}"#);
    guest.say("2");
    recording.signal("-TERM");
    assert!(recording.end().fails(1).err.contains("was not sent"));
}
