//! Laws of replay: a played log that is ingested again gives the same history; a range is played as a part of a log.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use rollbook::care::VerifyDepth;
use rollbook::domain::entry::Rules;
use rollbook::ingest::IngestOptions;
use rollbook::query::WhoFilter;
use rollbook::replay::{self, PlayedLine, ReplayFilter};
use rollbook::store::BlockSize;
use rollbook_support as support;
use rollbook_support::desk::Desk;
use rollbook_support::feeds::{Heard, NOW, Shape, Tape, cases, tape};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The seq of an entry, and the line that was played for it.
type Line = (u64, String);

fn played(desk: &Desk, filter: &ReplayFilter, shape: replay::LineShape) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut each = |line: &PlayedLine<'_>| {
        lines.push((line.seq, line.text.to_owned()));
        true
    };
    desk.store.play(filter, shape, &mut each).unwrap();
    lines
}

fn whole(desk: &Desk, shape: replay::LineShape) -> Vec<Line> {
    played(desk, &ReplayFilter::default(), shape)
}

/// Plays a log in Agora's shape, and ingests it again by the same rules.
fn as_agora(tape: &Tape) {
    let desk = Desk::of(tape);
    let lines = whole(&desk, replay::LineShape::Agora).into_iter();
    let lines = lines.map(|(_, text)| Heard { now: NOW, text });
    let replayed = Tape {
        rules: tape.rules,
        lines: lines.collect(),
    };
    let again = Desk::of(&replayed);
    assert_eq!(
        again.history_json(),
        desk.history_json(),
        "replayed as {replayed:?}"
    );
    assert_eq!(again.described(), desk.described());
}

/// Plays a log in Rollbook's shape, and ingests it again with its recorded times. The defaults are the usual rules
/// and a time that no line has, so the lines must carry both.
fn as_rollbook(desk: &Desk) {
    let lines = whole(desk, replay::LineShape::Rollbook);
    let lines: String = lines.iter().map(|(_, text)| format!("{text}\n")).collect();
    let again = Desk::new();
    let how = IngestOptions::default().keep_recorded(true);
    let outcome = support::take(&again.store, &lines, &how);
    assert_eq!(outcome.tally.rejected, 0, "{lines}");
    assert_eq!(outcome.tally.retries, 0, "{lines}");
    assert_eq!(again.history_json(), desk.history_json(), "{lines}");
    assert_eq!(again.described(), desk.described(), "{lines}");
    let [first, second] = [desk, &again].map(|desk| {
        let verified = desk.store.verify(VerifyDepth::Deep, |_| {}).unwrap();
        serde_json::to_string(&verified).unwrap()
    });
    assert_eq!(first, second, "{lines}");
    assert_eq!(
        whole(&again, replay::LineShape::Rollbook),
        whole(desk, replay::LineShape::Rollbook)
    );
}

/// A range must play the same lines as the whole log has for it, unless the log has pages: these may cross its ends.
fn ranges(desk: &Desk) {
    let channels = desk.store.channels().unwrap().into_iter();
    let channels = channels.map(|channel| Some(channel.channel));
    for channel in channels.chain([None]) {
        for shape in [replay::LineShape::Agora, replay::LineShape::Rollbook] {
            let of = |from_seq, to_seq| {
                let mut filter = ReplayFilter::default();
                filter.channel = channel.clone();
                filter.from_seq = from_seq;
                filter.to_seq = to_seq;
                played(desk, &filter, shape)
            };
            let whole = of(None, None);
            if whole
                .iter()
                .any(|(_, text)| text.contains(r#""t":"snapshot_begin""#))
            {
                continue;
            }
            for (from, to) in [(1, 4), (3, 9), (5, 5), (8, u64::MAX)] {
                let part = whole.iter().filter(|(seq, _)| (from..=to).contains(seq));
                let part: Vec<Line> = part.cloned().collect();
                assert_eq!(of(Some(from), Some(to)), part, "{channel:?} {from} to {to}");
            }
        }
    }
}

/// From topic to its members: user, connection and metadata.
type Roster = BTreeMap<String, Vec<(String, String, Value)>>;

fn roster(desk: &Desk, channel: &str, seq: u64) -> Option<Roster> {
    let filter = WhoFilter::at_seq(seq);
    let who = desk.store.who(channel, &filter).ok()?;
    let topics = who.topics.into_iter().map(|topic| {
        let members = topic.publishers.into_iter().map(|one| {
            let meta = one
                .meta
                .map(|meta| serde_json::from_str(meta.get()).unwrap());
            (one.user, one.connection, meta.unwrap_or(Value::Null))
        });
        (topic.topic, members.collect())
    });
    Some(topics.collect())
}

/// The roster that a snapshot line shows.
fn told(line: &str) -> Roster {
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["t"], "snapshot", "{line}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let topics = line["topics"].as_object().unwrap().iter();
    let topics = topics.map(|(topic, members)| {
        let members = members.as_array().unwrap().iter();
        let members =
            members.map(|one| (text(&one["user"]), text(&one["conn"]), one["meta"].clone()));
        (topic.clone(), members.collect())
    });
    topics.collect()
}

/// Resyncs are not played, since they follow again from their events. The roster before a range is
/// the one before its first resync.
fn before_resyncs(desk: &Desk, channel: &str, from: u64, begins: u64) -> u64 {
    let history = desk.history_json();
    let history: Vec<Value> = history
        .iter()
        .map(|entry| serde_json::from_str(entry).unwrap())
        .collect();
    let of_resync = |entry: &&Value| entry["reason"] == "resync" && entry["channel"] == channel;
    let starts = history.iter().filter(of_resync);
    let starts = starts.map(|entry| entry["seq"].as_u64().unwrap());
    let within = starts.filter(|&seq| seq >= from && seq < begins);
    within.min().unwrap_or(begins)
}

/// A range that begins within a history first plays the roster at its beginning, and then its usual lines.
fn cuts(desk: &Desk) {
    for channel in desk.store.channels().unwrap() {
        for from in 1..=desk.store.head() + 1 {
            let of = |standing| {
                let filter = ReplayFilter::default()
                    .channel(channel.channel.clone())
                    .from_seq(from)
                    .standing(standing);
                played(desk, &filter, replay::LineShape::Rollbook)
            };
            let (part, mut standing) = (of(false), of(true));
            // Commits are played whole, so the range begins at the first entry of its first commit.
            let begins = part.first().map_or(desk.store.head() + 1, |(seq, _)| *seq);
            let begins = before_resyncs(desk, &channel.channel, from, begins);
            let before = roster(desk, &channel.channel, begins - 1);
            if standing.len() > part.len() {
                let first = standing.remove(0).1;
                assert_eq!(Some(told(&first)), before, "from {from}: {first}");
                // Then the lines of a resync that was under way, if there was one.
                while standing.len() > part.len() {
                    let (_, resync) = standing.remove(0);
                    let of_it = resync.contains(r#""resync":"differences""#)
                        || resync.contains(r#""t":"join""#)
                        || resync.contains(r#""t":"leave""#)
                        || resync.contains(r#""t":"changes""#);
                    assert!(of_it, "from {from}: {resync}");
                }
            } else {
                assert!(before.is_none_or(|before| before.is_empty()), "from {from}");
            }
            assert_eq!(standing, part, "from {from}");
        }
    }
}

/// Plays each channel, and all of them, from each entry on, and up to each.
fn each_range_alike(plain: &Desk, sealed: &Desk) {
    let known = plain.store.channels().unwrap().into_iter();
    let mut channels: Vec<Option<String>> = known.map(|it| Some(it.channel)).collect();
    channels.push(None);
    for seq in 1..=plain.store.head() {
        let ranges = [
            ReplayFilter::default().from_seq(seq),
            ReplayFilter::default().to_seq(seq),
        ];
        for mut filter in ranges {
            for channel in &channels {
                filter.channel.clone_from(channel);
                let [found, expected] = [sealed, plain].map(|desk| {
                    let lines = played(desk, &filter, replay::LineShape::Rollbook);
                    lines.into_iter().map(|(_, text)| text).collect::<Vec<_>>()
                });
                assert_eq!(found, expected, "{filter:?}");
            }
        }
    }
}

/// Where one channel is read, most entries of a block are not given: they count all the same.
#[test]
fn a_paged_snapshot_in_a_range_is_played_page_by_page_whatever_is_sealed() {
    let line = |text: &str| Heard {
        now: NOW,
        text: text.to_owned(),
    };
    let tape = Tape {
        rules: Rules::default(),
        lines: vec![
            line(r#"{"t":"join","channel":"b","topic":"t","user":"ann","ts":1800000000000}"#),
            line(r#"{"t":"join","channel":"a","topic":"t","user":"ann","ts":1800000000000}"#),
            line(r#"{"t":"join","channel":"a","topic":"t","user":"bob","ts":1800000000100}"#),
            line(r#"{"t":"snapshot_begin","channel":"b","sync":"s","ts":1800000000200}"#),
            line(r#"{"t":"join","channel":"a","topic":"t","user":"cy","ts":1800000000200}"#),
            line(
                r#"{"t":"snapshot_page","channel":"b","sync":"s","topics":{"t":[{"user":"ann"}]}}"#,
            ),
            line(r#"{"t":"snapshot_end","channel":"b","sync":"s","ts":1800000000200}"#),
        ],
    };
    let (plain, sealed) = (Desk::of(&tape), Desk::of(&tape));
    let size = BlockSize {
        least: 1,
        most: 100,
    };
    sealed.store.seal(size).unwrap();
    each_range_alike(&plain, &sealed);
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn a_range_is_played_alike_whatever_is_sealed(tape in tape(Shape::Any, 20), most in 1_u64..40) {
        let (plain, sealed) = (Desk::of(&tape), Desk::of(&tape));
        sealed.store.seal(BlockSize { least: 1, most }).unwrap();
        each_range_alike(&plain, &sealed);
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn what_agora_said_can_be_replayed(tape in tape(Shape::Agora, 30)) {
        as_agora(&tape);
    }

    #[test]
    fn every_log_can_be_replayed(first in tape(Shape::Any, 30), second in tape(Shape::Any, 15)) {
        let desk = Desk::of(&first);
        desk.hear(&second, &second.lines);
        as_rollbook(&desk);
    }

    #[test]
    fn before_a_part_the_roster_is_told_as_it_stood(tape in tape(Shape::Any, 20)) {
        cuts(&Desk::of(&tape));
    }

    #[test]
    fn a_range_is_played_as_a_part_of_the_whole(tape in tape(Shape::Any, 20)) {
        ranges(&Desk::of(&tape));
    }
}

#[test]
fn each_channel_begins_with_its_roster_though_its_time_is_its_own() {
    // One file after another: the times of channel b begin anew. Channel d is quiet in the range.
    let mut text = String::new();
    for (channel, user, ts) in [
        ("a", "ann", 1_000),
        ("d", "dee", 1_500),
        ("a", "bob", 5_000),
        ("b", "cid", 1_000),
        ("b", "eve", 6_000),
        ("d", "fay", 2_000),
    ] {
        text += &format!(
            "{{\"t\":\"join\",\"channel\":\"{channel}\",\"topic\":\"t\",\"user\":\"{user}\",\"ts\":{ts}}}\n"
        );
    }
    let store = rollbook_support::store_of(&text);
    let mut lines = Vec::new();
    let filter = ReplayFilter::default().from(4_000).standing(true);
    let played = store.play(
        &filter,
        replay::LineShape::Rollbook,
        &mut |line: &PlayedLine<'_>| {
            let line: Value = serde_json::from_str(line.text).unwrap();
            let users = line["topics"]["t"].as_array().map(|list| {
                let users = list.iter().map(|member| member["user"].as_str().unwrap());
                users.collect::<Vec<_>>().join(" ")
            });
            let user = line["user"].as_str().map(str::to_owned);
            lines.push((
                line["channel"].as_str().unwrap().to_owned(),
                users.or(user).unwrap(),
            ));
            true
        },
    );
    played.unwrap();
    let expected = [
        ("a", "ann"),
        ("d", "dee"),
        ("a", "bob"),
        ("b", "cid"),
        ("b", "eve"),
        // It had more to come before the range.
        ("d", "dee fay"),
    ];
    let expected = expected.map(|(channel, users)| (channel.to_owned(), users.to_owned()));
    assert_eq!(lines, expected);
}

/// The leave makes no entry, so its time is not in a played log: it must not end the resync.
#[test]
fn a_leave_that_its_line_takes_back_ends_no_resync() {
    let moment = NOW - 10_000;
    let lines = [
        json!({"t": "snapshot", "channel": "a", "topics": {}}),
        json!({"t": "link", "state": "up", "resync": "differences"}),
        json!({"t": "diff", "channel": "a", "joins": {"u": [{"user": "bob"}]}, "leaves": {}}),
        json!({"t": "diff", "channel": "a", "joins": {"u": [{"user": "bob"}]},
               "leaves": {"u": [{"user": "bob", "ts": moment + 300}]}}),
        json!({"t": "join", "channel": "a", "topic": "u", "user": "ann"}),
    ];
    let lines = lines.map(|mut line| {
        line["ts"] = moment.into();
        let text = line.to_string();
        Heard { now: NOW, text }
    });
    let mut rules = Rules::default();
    rules.resync_ms = 300;
    let lines = lines.to_vec();
    let desk = Desk::of(&Tape { rules, lines });
    assert!(!desk.history_json().iter().any(|it| it.contains("resync")));
    as_rollbook(&desk);
}

/// The stamp of a listed member decides whether what was collected is newer, so the log keeps it although the claim is
/// replaced.
#[test]
fn a_listed_member_keeps_the_stamp_that_decided_about_it() {
    for change in ["join", "leave"] {
        for others in [0, 1, 9] {
            let listed = |pos: i64| json!({"user": "cy", "pos": [pos, 0]});
            let others = (0..others).map(|n| json!({"user": format!("u{n}"), "pos": [0, n]}));
            let all: Vec<Value> = others.chain([listed(0)]).collect();
            let before = if change == "leave" {
                vec![listed(0)]
            } else {
                Vec::new()
            };
            let lines = [
                json!({"t": "snapshot", "channel": "a", "topics": {"t": before}, "pos": [1, 0]}),
                json!({"t": "link", "state": "up", "resync": "differences", "pos": [2, 0]}),
                json!({"t": change, "channel": "a", "topic": "t", "user": "cy", "pos": [3, 0]}),
                json!({"t": "snapshot", "channel": "a", "topics": {"t": all},
                       "ts": NOW - 10_000, "pos": [4, 0]}),
            ];
            let lines = lines.map(|line| {
                let text = line.to_string();
                Heard { now: NOW, text }
            });
            let (rules, lines) = (Rules::default(), lines.to_vec());
            let desk = Desk::of(&Tape { rules, lines });
            let verified = desk.store.verify(VerifyDepth::Deep, |_| {}).unwrap();
            assert!(verified.ok, "{change}: {:#?}", verified.problems);
            as_rollbook(&desk);
        }
    }
}
