//! Records what `replay --serve` plays: the same history, up to its end, as if it were a file.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook_support::mock;
use rollbook_support::mock::Mock;
use rollbook_support::program::{Folder, Ran, folder, timeless};
use rollbook_support::recording::Recording;
use rollbook_support::serving::Serving;
use serde_json::{Value, json};

const EVENING: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/examples/weak-network-evening.jsonl"
);

/// Two channels, and link events of both; all lines are in the order of their times.
const HOUSE: &str = r#"
{"event":"linkState","currentState":"CONNECTED","affectedChannels":["attic","room"],"timestamp":1000}
{"eventType":"SNAPSHOT","channelName":"room","publisher":"","timestamp":1100,"topicInfos":[{"topicName":"chat","publishers":[{"publisherUserId":"tony"},{"publisherUserId":"ana","publisherMeta":"a"}]}]}
{"eventType":"SNAPSHOT","channelName":"attic","publisher":"","timestamp":1200,"topicInfos":[{"topicName":"chat","publishers":[{"publisherUserId":"kim"}]}]}
{"event":"linkState","currentState":"DISCONNECTED","affectedChannels":["attic","room"],"timestamp":2000}
{"event":"linkState","currentState":"CONNECTED","affectedChannels":["attic","room"],"timestamp":3000}
{"eventType":"SNAPSHOT","channelName":"room","publisher":"","timestamp":3100,"topicInfos":[{"topicName":"chat","publishers":[{"publisherUserId":"ana","publisherMeta":"b"},{"publisherUserId":"lily"}]}]}
{"eventType":"REMOTE_LEAVE","channelName":"room","publisher":"ana","timestamp":4000,"topicInfos":[{"topicName":"chat","publishers":[{"publisherUserId":"ana"}]}]}
"#;

/// Records one channel of a replay in a new folder.
fn record(playing: &Serving, channel: &str) -> (Folder, Ran) {
    let folder = folder!();
    let url = playing.socket(&format!("/v1/feed?channel={channel}"));
    let ran = Recording::start(&folder, &url, &[]).end();
    (folder, ran)
}

#[test]
fn a_recorded_copy_has_the_same_history() {
    let original = folder!();
    original.run(&["ingest", EVENING]).ok();
    let playing = Serving::playing(&original, &["studio-7"]);
    // Each replay begins at the start, and the connection itself makes no entry.
    for _ in 0..2 {
        let (copy, ran) = record(&playing, "studio-7");
        assert_eq!(ran.ok().line()["lines"], 73);
        // Every field of every entry except its time of recording, including inferred entries and their windows.
        assert_eq!(
            timeless(copy.ask(&["history"])),
            timeless(original.ask(&["history"]))
        );
        // So all other answers are the same.
        for question in [
            &["missed", "studio-7"][..],
            &["sessions"],
            &["stats", "--every", "10m"],
            &["who", "studio-7"],
        ] {
            assert_eq!(copy.ask(question), original.ask(question), "{question:?}");
        }
        copy.verified();
    }
    playing.stop();
}

#[test]
fn one_channel_of_several_is_played_alone() {
    let original = folder!();
    original.ingest(HOUSE, &[]);
    let lines = original.run(&["replay", "room"]).ok().out;
    let playing = Serving::playing(&original, &[]);
    let (copy, ran) = record(&playing, "room");
    assert_eq!(ran.ok().line()["lines"], 6);
    playing.stop();
    assert_eq!(copy.run(&["replay"]).ok().out, lines);
    let channels = copy.ask(&["channels"]);
    assert_eq!(
        (channels.len(), &channels[0]["channel"]),
        (1, &json!("room"))
    );
    // The entries of the channel, with seqs renumbered within it; and separately the beginnings of their windows.
    let history = |folder: &Folder| {
        let mut entries = timeless(folder.ask(&["history", "room"]));
        let seqs: Vec<Value> = entries.iter().map(|entry| entry["seq"].clone()).collect();
        let mut begins = Vec::new();
        for entry in &mut entries {
            for field in ["seq", "snapshot_seq"] {
                entry[field] = json!(seqs.iter().position(|seq| *seq == entry[field]));
            }
            begins.extend(entry["not_before"].take().as_str().map(str::to_owned));
        }
        (entries, begins)
    };
    let ((copied, later), (entries, sooner)) = (history(&copy), history(&original));
    assert_eq!(copied, entries);
    // The channel `room` has its own link, so messages of `attic` are no proof for it.
    assert_eq!(sooner, ["1970-01-01T00:00:01.100Z"; 3]);
    assert_eq!(later, ["1970-01-01T00:00:01.100Z"; 3]);
}

#[test]
fn what_is_not_played_is_not_found() {
    let original = folder!();
    original.ingest(HOUSE, &[]);
    let playing = Serving::playing(&original, &["room"]);
    for channel in ["attic", "cellar"] {
        let (copy, ran) = record(&playing, channel);
        let ran = ran.fails(1);
        assert!(ran.err.contains("404"), "{ran:?}");
        assert_eq!(copy.ask(&["history"]).len(), 0);
    }
    playing.stop();
    original
        .run(&["replay", "cellar", "--serve", "127.0.0.1:0"])
        .fails(3);
}

#[test]
fn of_a_part_the_roster_comes_first() {
    let original = folder!();
    original.ingest(HOUSE, &[]);
    let playing = Serving::playing(&original, &["--from", "@3500"]);
    let (copy, ran) = record(&playing, "room");
    ran.ok();
    let (empty, ran) = record(&playing, "attic");
    ran.ok();
    playing.stop();
    let told = |folder: &Folder| -> Vec<Value> {
        let entries = folder.ask(&["history"]).into_iter();
        let told = entries
            .map(|entry| json!([entry["type"], entry["user"], entry["meta"], entry["origin"]]));
        told.collect()
    };
    assert_eq!(
        told(&copy),
        [
            json!(["snapshot", null, null, "observed"]),
            json!(["join", "ana", "b", "inferred"]),
            json!(["join", "lily", null, "inferred"]),
            json!(["leave", "ana", "b", "observed"]),
        ]
    );
    assert_eq!(told(&empty).len(), 2, "who was in the attic stays there");
}

#[test]
fn whoever_owns_the_store_can_still_ask() {
    let original = folder!();
    original.ingest(HOUSE, &[]);
    let playing = Serving::playing(&original, &["room"]);
    assert_eq!(original.ask(&["channels"]).len(), 2);
    original.run(&["--url", &playing.url, "channels"]).fails(3);
    playing.stop();
}

/// The recorded entries, without times.
fn told(folder: &Folder) -> Vec<String> {
    let entries = folder.ask(&["history"]).into_iter();
    let told = entries.map(|entry| {
        let word = |field: &str| entry[field].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", word("type"), word("state"), word("user"))
    });
    told.collect()
}

const JOIN: &str = r#"{"t":"join","channel":"a","topic":"b","user":"lily","ts":2000}"#;

#[test]
fn a_recording_that_breaks_off_is_not_begun_anew() {
    let mock = Mock::start();
    let ways: [fn(mock::Guest); 4] = [
        drop,
        |guest| guest.close(1001),
        |guest| guest.close(4401),
        |guest| guest.close(4408),
    ];
    for way in ways {
        let folder = folder!();
        let recording = Recording::start(&folder, &mock.url(), &["--rest-max", "1ms"]);
        let mut guest = mock.accept_to_play();
        guest.say(JOIN);
        guest.heard();
        way(guest);
        let ran = recording.end().fails(1);
        assert!(ran.err.contains("broke off"), "{ran:?}");
        assert_eq!(told(&folder), ["join - lily"]);
    }
}

#[test]
fn tokens_that_are_played_are_not_those_of_the_connection() {
    let (folder, mock) = (folder!(), Mock::start());
    let file = folder.file("token", "secret");
    let recording = Recording::start(&folder, &mock.url(), &["--token-file", &file]);
    let mut guest = mock.accept_to_play();
    guest.say(r#"{"event":"token","eventType":"WILL_EXPIRE","timestamp":1000}"#);
    guest.say(r#"{"t":"token","state":"expired","ts":1500}"#);
    guest.say(JOIN);
    guest.close(1000);
    recording.end().ok();
    let entries = ["token will_expire -", "token expired -", "join - lily"];
    assert_eq!(told(&folder), entries);
}

#[test]
fn who_is_told_to_stop_in_the_middle_leaves_as_at_the_end_of_a_file() {
    let (folder, mock) = (folder!(), Mock::start());
    let recording = Recording::start(&folder, &mock.url(), &[]);
    let mut guest = mock.accept_to_play();
    guest.say(JOIN);
    recording.stop(guest);
    assert_eq!(told(&folder), ["join - lily"]);
}
