//! `record` from the outside: a feed that is lost, silent, garbled or closed, and tokens that expire, with a mock
//! server that the test controls.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook_support::mock;
use rollbook_support::mock::Mock;
use rollbook_support::program::{Folder, folder};
use rollbook_support::recording::Recording;
use serde_json::{Value, json};

fn snapshot(users: &[&str], ts: i64) -> String {
    let members: Vec<Value> = users.iter().map(|user| json!({"user": user})).collect();
    json!({"t": "snapshot", "channel": "a", "ts": ts, "topics": {"b": members}}).to_string()
}

/// The type, the state or user, and the reason of each entry.
fn told(folder: &Folder) -> Vec<String> {
    let entries = folder.ask(&["history"]);
    let word = |entry: &Value, field: &str| {
        let word = entry[field].as_str();
        word.map_or_else(String::new, |word| format!(" {word}"))
    };
    let told = entries.iter().map(|entry| {
        let kind = entry["type"].as_str().unwrap();
        let (state, user) = (word(entry, "state"), word(entry, "user"));
        format!("{kind}{state}{user}{}", word(entry, "reason"))
    });
    told.collect()
}

fn present(folder: &Folder) -> Vec<String> {
    let who = folder.ask(&["who", "a"]).remove(0);
    let topics = who["topics"].as_array().unwrap().iter();
    let publishers = topics.flat_map(|topic| topic["publishers"].as_array().unwrap());
    let users = publishers.map(|publisher| publisher["user"].as_str().unwrap().to_owned());
    users.collect()
}

#[test]
fn a_feed_is_recorded_with_its_link() {
    let (folder, mock) = (folder!(), Mock::start());
    let recording = Recording::start(&folder, &mock.url(), &["--observer", "eye"]);
    let mut guest = mock.accept();
    assert_eq!(guest.token, None);
    let join = r#"{"t":"join","channel":"a","topic":"b","user":"lily","ts":2000}"#;
    guest.say(&format!("{}\n\r\n{join}\r\n", snapshot(&["tony"], 1000)));
    let ran = recording.stop(guest);
    let summary = ran.line();
    assert_eq!(
        (&summary["lines"], &summary["joins"]),
        (&json!(4), &json!(1))
    );
    let entries = [
        "link up",
        "snapshot",
        "join tony",
        "join lily",
        "link down stopped",
    ];
    assert_eq!(told(&folder), entries);
    let observers = folder.ask(&["history"]);
    assert!(observers.iter().all(|entry| entry["observer"] == "eye"));
    let gaps = folder.ask(&["gaps", "a"]);
    assert_eq!((gaps.len(), &gaps[0]["to"]), (1, &Value::Null));
    folder.verified();
}

#[test]
fn an_interrupt_ends_it_with_130_and_loses_nothing() {
    let (folder, mock) = (folder!(), Mock::start());
    let recording = Recording::start(&folder, &mock.url(), &[]);
    let mut guest = mock.accept();
    guest.say(&snapshot(&["tony"], 1000));
    guest.heard();
    recording.signal("-INT");
    assert_eq!(guest.leaves(), 1000);
    recording.end().fails(130);
    assert_eq!(present(&folder), ["tony"]);
}

#[test]
fn a_link_that_is_down_for_its_token_is_logged_in_anew() {
    let (folder, mock) = (folder!(), Mock::start());
    let file = folder.file("token", "secret-1\n");
    let recording = Recording::start(&folder, &mock.url(), &["--token-file", &file]);
    let mut guest = mock.accept();
    guest.say(&snapshot(&["tony"], 1000));
    folder.file("token", "secret-2\n");
    guest.say(
        r#"{"event":"linkState","currentState":"FAILED","previousState":"CONNECTED","reasonCode":"TOKEN_EXPIRED","timestamp":2000}"#,
    );
    assert_eq!(guest.leaves(), 1000);
    let mut guest = mock.accept();
    assert_eq!(guest.token.as_deref(), Some("Bearer secret-2"));
    guest.say(&snapshot(&["lily"], 9000));
    recording.stop(guest);
    assert_eq!(present(&folder), ["lily"]);
}

#[test]
fn before_a_token_expires_a_new_client_logs_in_with_a_new_one() {
    let (folder, mock) = (folder!(), Mock::start());
    let file = folder.file("token", "secret-1\n");
    let recording = Recording::start(&folder, &mock.url(), &["--token-file", &file]);
    let mut guest = mock.accept();
    assert_eq!(guest.token.as_deref(), Some("Bearer secret-1"));
    guest.say(&snapshot(&["tony", "ana"], 1000));
    folder.file("token", "secret-2\n");
    guest.say(r#"{"t":"token","state":"will_expire","in_ms":30000}"#);
    assert_eq!(guest.leaves(), 1000);
    let mut guest = mock.accept();
    assert_eq!(guest.token.as_deref(), Some("Bearer secret-2"));
    guest.say(&snapshot(&["lily", "ana"], 9000));
    let ran = recording.stop(guest);
    assert!(!ran.err.contains("secret"), "{ran:?}");
    let entries = [
        "link up",
        "snapshot",
        "join ana",
        "join tony",
        "token will_expire",
        "link down TOKEN_WILL_EXPIRE",
        "token renewed",
        "link up",
        "snapshot",
        "leave tony",
        "join lily",
        "link down stopped",
    ];
    assert_eq!(told(&folder), entries);
    let missed = folder.ask(&["missed", "a", "--gap", "1"]).remove(0);
    assert_eq!(missed["joined"][0]["user"], "lily");
    assert_eq!(missed["left"][0]["user"], "tony");
}

#[test]
fn a_rollbook_is_given_the_new_token_on_the_connection_and_nothing_is_missed() {
    let (folder, mock) = (folder!(), Mock::start());
    let file = folder.file("token", "secret-1\n");
    let recording = Recording::start(&folder, &mock.url(), &["--token-file", &file]);
    let mut guest = mock.accept_as_rollbook();
    guest.say(&snapshot(&["tony"], 1000));
    guest.heard();
    // A renewal waits for a second after the login: so tokens that last seconds are not used up one after another.
    let renewal = |guest: &mut mock::Guest, token: &str| {
        folder.file("token", token);
        guest.say(r#"{"t":"token","state":"will_expire","in_ms":30000}"#);
        let said: Value = serde_json::from_str(&guest.hears().unwrap()).unwrap();
        assert_eq!(said, json!({"t": "renew", "token": token}));
    };
    renewal(&mut guest, "secret-2");
    guest.say(r#"{"t":"token","state":"refused","reason":"the token lacks the scope read"}"#);
    recording.says("the new token was refused: the token lacks the scope read");
    folder.file("token", "secret-3");
    assert!(guest.hears().unwrap().contains("secret-3"));
    guest.say(r#"{"t":"token","state":"renewed"}"#);
    guest.say(r#"{"t":"join","channel":"a","topic":"b","user":"lily","ts":2000}"#);
    recording.says("token renewed");
    let ran = recording.stop(guest);
    assert!(!ran.err.contains("secret"), "{ran:?}");
    assert_eq!(ran.line()["rejected"], 0);
    let entries = [
        "link up",
        "snapshot",
        "join tony",
        "token will_expire",
        "token renewed",
        "join lily",
        "link down stopped",
    ];
    assert_eq!(told(&folder), entries);
    let gaps = folder.ask(&["gaps", "a"]);
    assert_eq!((gaps.len(), &gaps[0]["to"]), (1, &Value::Null), "the end");
}

#[test]
fn a_rollbook_that_does_not_answer_to_a_new_token_gets_a_new_client() {
    let (folder, mock) = (folder!(), Mock::start());
    let file = folder.file("token", "secret-1\n");
    let recording = Recording::start(&folder, &mock.url(), &["--token-file", &file]);
    let mut guest = mock.accept_as_rollbook();
    guest.say(&snapshot(&["tony"], 1000));
    folder.file("token", "secret-2");
    guest.say(r#"{"t":"token","state":"will_expire","in_ms":8000}"#);
    assert!(guest.hears().unwrap().contains("secret-2"));
    assert_eq!(guest.leaves(), 1000);
    let mut guest = mock.accept_as_rollbook();
    assert_eq!(guest.token.as_deref(), Some("Bearer secret-2"));
    guest.say(&snapshot(&["tony"], 2000));
    recording.stop(guest);
    let told = told(&folder);
    assert_eq!(told[4..6], ["link down TOKEN_WILL_EXPIRE", "token renewed"]);
}

#[test]
fn an_expired_token_is_followed_by_a_new_client_with_a_new_one() {
    let (folder, mock) = (folder!(), Mock::start());
    let count = folder.file("count", "");
    let command = format!("echo x >> '{count}'; echo secret-$(grep -c x '{count}')");
    let recording = Recording::start(&folder, &mock.url(), &["--token-command", &command]);
    let mut guest = mock.accept();
    assert_eq!(guest.token.as_deref(), Some("Bearer secret-1"));
    guest.say(&snapshot(&["tony"], 1000));
    guest.close(4401);
    // The next token is refused as well.
    mock.refuse(401);
    let mut guest = mock.accept();
    assert_eq!(guest.token.as_deref(), Some("Bearer secret-3"));
    guest.say(&snapshot(&["tony"], 2000));
    guest.say(r#"{"t":"token","state":"expired"}"#);
    assert_eq!(guest.leaves(), 1000);
    let mut guest = mock.accept();
    guest.say(&snapshot(&["tony"], 3000));
    let ran = recording.stop(guest);
    assert!(!ran.err.contains("secret"), "{ran:?}");
    let round = [
        "token expired",
        "link down TOKEN_EXPIRED",
        "token renewed",
        "link up",
        "snapshot",
    ];
    let mut entries = vec!["link up", "snapshot", "join tony"];
    entries.extend(round);
    entries.extend(round);
    entries.push("link down stopped");
    assert_eq!(told(&folder), entries);
    // No member joined or left meanwhile.
    let gaps = folder.ask(&["gaps", "a"]);
    assert!(
        gaps.iter()
            .all(|gap| gap["joined"] == 0 && gap["left"] == 0)
    );
}

#[test]
fn a_token_that_expires_within_a_paged_snapshot_makes_nobody_leave() {
    let (folder, mock) = (folder!(), Mock::start());
    let file = folder.file("token", "secret");
    let recording = Recording::start(&folder, &mock.url(), &["--token-file", &file]);
    let mut guest = mock.accept();
    guest.say(&snapshot(&["ana", "tony"], 1000));
    guest.say(r#"{"t":"snapshot_begin","channel":"a","sync":"s","ts":2000}"#);
    guest.say(r#"{"t":"snapshot_page","channel":"a","sync":"s","ts":2000,"topics":{"b":[{"user":"lily"}]}}"#);
    guest.close(4401);
    let mut guest = mock.accept();
    // The rest of the pages belongs to a lost connection.
    guest.say(r#"{"t":"snapshot_end","channel":"a","sync":"s","ts":3000}"#);
    guest.say(&snapshot(&["ana", "zoe"], 4000));
    recording.stop(guest);
    let entries = folder.ask(&["history", "a", "--from", "@2000", "--type", "join,leave"]);
    let changes: Vec<_> = entries
        .iter()
        .map(|entry| (&entry["type"], &entry["user"]))
        .collect();
    assert_eq!(
        changes,
        [
            (&json!("leave"), &json!("tony")),
            (&json!("join"), &json!("zoe"))
        ]
    );
    let rejects = folder.ask(&["rejects"]);
    assert_eq!(rejects.len(), 1);
    assert!(
        rejects[0]["text"]
            .as_str()
            .unwrap()
            .contains("snapshot_end")
    );
}

#[test]
fn whatever_code_it_is_closed_with_it_comes_back() {
    let (folder, mock) = (folder!(), Mock::start());
    let recording = Recording::start(&folder, &mock.url(), &["--rest-max", "10ms"]);
    for code in [1000, 1001, 1009, 1011, 3000, 4408, 4999] {
        mock.accept().close(code);
    }
    // The connection is dropped after the login and during the handshake, and then refused temporarily.
    drop(mock.accept());
    drop(mock.knock());
    mock.refuse(503);
    let mut guest = mock.accept();
    guest.say(&snapshot(&["tony"], 1000));
    recording.stop(guest);
    let told = told(&folder);
    let lost = told
        .iter()
        .filter(|entry| *entry == "link down connection_lost");
    assert_eq!(lost.count(), 8, "{told:?}");
    assert_eq!(present(&folder), ["tony"]);
}

#[test]
fn who_was_killed_says_so_when_he_comes_back() {
    let (folder, mock) = (folder!(), Mock::start());
    let recording = Recording::start(&folder, &mock.url(), &[]);
    let mut guest = mock.accept();
    guest.say(&snapshot(&["tony"], 1000));
    guest.say("a line that is told of when it is durable");
    recording.says("not JSON");
    recording.kill();
    let recording = Recording::start(&folder, &mock.url(), &[]);
    let mut guest = mock.accept();
    guest.say(&snapshot(&["lily"], 9000));
    recording.stop(guest);
    let told = told(&folder);
    assert_eq!(told[..3], ["link up", "snapshot", "join tony"]);
    assert_eq!(told[3..5], ["link down restart", "link up"]);
    let missed = folder.ask(&["missed", "a", "--gap", "1"]).remove(0);
    assert_eq!(
        (&missed["from"], &missed["evidence"]),
        (&json!("1970-01-01T00:00:01.000Z"), &json!("link"))
    );
}

#[test]
fn garbage_is_rejected_and_kept() {
    let (folder, mock) = (folder!(), Mock::start());
    let recording = Recording::start(&folder, &mock.url(), &[]);
    let mut guest = mock.accept();
    guest.say("hello");
    guest.send(b"\xff\xfe");
    guest.say(&format!("{{\n{}\n[]", snapshot(&["tony"], 1000)));
    guest.say(r#"{"t":"live","seq":7}"#);
    let ran = recording.stop(guest);
    assert_eq!(ran.line()["rejected"], 5);
    assert!(
        ran.err.contains(&format!("{}:2: byte ", mock.url())),
        "{ran:?}"
    );
    let rejects = folder.ask(&["rejects"]);
    let texts: Vec<_> = rejects
        .iter()
        .map(|reject| reject["text"].as_str().unwrap())
        .collect();
    assert_eq!(
        texts,
        [
            "hello",
            "\u{fffd}\u{fffd}",
            "{",
            "[]",
            r#"{"t":"live","seq":7}"#
        ]
    );
    assert_eq!(present(&folder), ["tony"]);
}

#[test]
fn who_never_answers_is_given_up() {
    let (folder, mock) = (folder!(), Mock::start());
    let recording = Recording::start(&folder, &mock.url(), &["--idle-timeout", "300ms"]);
    // One server that does not answer the handshake, and one that is silent after it.
    let deaf = mock.knock();
    let silent = mock.accept();
    let mut guest = mock.accept();
    guest.say(&snapshot(&["tony"], 1000));
    recording.stop(guest);
    drop((deaf, silent));
    let told = told(&folder);
    assert_eq!(
        told[..3],
        ["link up", "link down connection_lost", "link up"]
    );
}

#[test]
fn who_does_not_let_us_in_is_told_at_once() {
    let mock = Mock::start();
    for (status, hint) in [(401, "--token-file"), (403, "URL"), (404, "URL")] {
        let folder = folder!();
        let url = format!("{}?access_token=secret", mock.url());
        let recording = Recording::start(&folder, &url, &[]);
        mock.refuse(status);
        let ran = recording.end().fails(1);
        assert!(
            ran.err.contains(&status.to_string()) && ran.err.contains(hint),
            "{ran:?}"
        );
        assert!(!ran.err.contains("secret"), "{ran:?}");
    }
}

#[test]
fn a_url_that_is_none_is_a_mistake_in_usage() {
    let folder = folder!();
    for url in [
        "http://localhost/feed",
        "ws://",
        "nonsense",
        "ws://me:secret@localhost/",
    ] {
        let ran = folder.run(&["record", url]).fails(2);
        assert!(
            !ran.err.contains("secret") || url.contains("me:secret"),
            "{ran:?}"
        );
    }
    assert!(!folder.path("store").exists());
}
