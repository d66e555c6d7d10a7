//! Laws of the live side. A feed that resumes has missed nothing. A cursor delivers what history shows. The position
//! of a feed is durable together with its lines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::panic, missing_docs)]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rollbook::care::VerifyDepth;
use rollbook::log::Progress;
use rollbook::log::engine::Journal;
use rollbook::log::engine::fault::FaultJournal;
use rollbook::log::engine::memory::MemoryJournal;
use rollbook::query::answer::EntryType;
use rollbook::query::{Cursor, HistoryFilter, WhoFilter, WhoWhen};
use rollbook::store::BatchLine;
use rollbook::{Options, Store};
use rollbook_support as support;
use rollbook_support::desk::Desk;
use rollbook_support::feeds::{Heard, NOW, Shape, Tape, cases, tape};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

const OBSERVERS: [&str; 2] = ["default", "o2"];

fn said(what: &str, observer: &str, now: i64) -> Heard {
    Heard {
        now,
        text: format!("^{what} {observer}"),
    }
}

/// The tape with all feeds connected from its beginning. After some lines connections are lost, and the feeds resume.
fn broken(tape: &Tape, breaks: &[(Index, Break)]) -> Tape {
    let mut lines: Vec<Heard> = OBSERVERS
        .iter()
        .map(|observer| said("up", observer, tape.lines[0].now))
        .collect();
    for (at, heard) in tape.lines.iter().enumerate() {
        lines.push(heard.clone());
        let here = |(index, _): &&(Index, Break)| index.index(tape.lines.len()) == at;
        for (_, broken) in breaks.iter().filter(here) {
            let said =
                |(what, observer): &(&str, usize)| said(what, OBSERVERS[*observer], heard.now);
            lines.extend(broken.iter().map(said));
        }
    }
    Tape {
        rules: tape.rules,
        lines,
    }
}

/// Events of the connections, one after the other.
type Break = Vec<(&'static str, usize)>;

fn a_break() -> impl Strategy<Value = Break> {
    let one = |n| vec![("lost", n), ("resumed", n)];
    let nested = |a, b| vec![("lost", a), ("lost", b), ("resumed", a), ("resumed", b)];
    select(vec![
        one(0),
        one(1),
        nested(0, 1),
        nested(1, 0),
        [one(0), one(1)].concat(),
    ])
}

/// Removes the fields that count the log's entries or a channel's gaps.
fn uncounted(mut answer: Value) -> Value {
    if let Some(fields) = answer.as_object_mut() {
        for count in ["seq", "snapshot_seq", "gap"] {
            fields.remove(count);
        }
    }
    answer
}

/// Moments at and around all entries.
fn times(desk: &Desk) -> BTreeSet<i64> {
    let around = |at: i64| [at - 1, at, at + 1];
    desk.history()
        .iter()
        .flat_map(|entry| [around(entry.occurred_at.0), around(entry.effective_at.0)].concat())
        .collect()
}

/// All answers of a store at these times, without the entries about connections.
fn answers(desk: &Desk, times: &BTreeSet<i64>) -> Vec<Value> {
    let store = &desk.store;
    let history = desk.history();
    let of_connection =
        |reason: Option<&str>| matches!(reason, Some("connection_lost" | "resumed"));
    let told = history
        .iter()
        .filter(|entry| !of_connection(entry.reason.as_deref()));
    let mut answers: Vec<Value> = told
        .map(|entry| serde_json::to_value(entry).unwrap())
        .collect();
    for channel in store.channels().unwrap() {
        let name = &channel.channel;
        let missed = store.missed(name, &Default::default()).unwrap();
        answers.extend(
            missed
                .iter()
                .map(|missed| serde_json::to_value(missed).unwrap()),
        );
        let whens = times
            .iter()
            .map(|&at| WhoWhen::At(at))
            .chain([WhoWhen::Head]);
        for when in whens {
            let filter = WhoFilter::default().when(when);
            answers.push(serde_json::to_value(store.who(name, &filter).unwrap()).unwrap());
        }
    }
    answers.into_iter().map(uncounted).collect()
}

fn verified(desk: &Desk) {
    let verified = desk.store.verify(VerifyDepth::Deep, |_| {}).unwrap();
    assert!(verified.ok, "{:#?}", verified.problems);
}

/// How a cursor is read: the limits of entries and bytes per batch, and whether it drops its read-ahead in between.
#[derive(Debug, Clone, Copy)]
struct Reading {
    most: usize,
    bytes: usize,
    drops: bool,
}

fn reading() -> impl Strategy<Value = Reading> {
    let bytes = prop_oneof![Just(usize::MAX), 1usize..4_000];
    (1usize..9, bytes, any::<bool>()).prop_map(|(most, bytes, drops)| Reading {
        most,
        bytes,
        drops,
    })
}

/// All entries that a cursor still delivers.
fn rest(cursor: &mut Cursor, desk: &Desk, by: Reading, filter: &HistoryFilter) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        let before = cursor.seq();
        let batch = cursor.next_batch(&desk.store, by.most, by.bytes).unwrap();
        assert!(batch.len() <= by.most);
        if by.drops {
            cursor.drop_ahead();
            assert_eq!(cursor.ahead_bytes(), 0);
        }
        assert!(cursor.seq() >= before + batch.len() as u64);
        if batch.is_empty() {
            assert_eq!(cursor.seq(), desk.store.head());
            return told;
        }
        let shown = batch.iter().filter(|told| filter.shows(told));
        told.extend(shown.map(|told| serde_json::to_string(&told.entry).unwrap()));
    }
}

fn listed(desk: &Desk, filter: &HistoryFilter) -> Vec<String> {
    match desk.store.history(filter) {
        Ok(entries) => entries
            .map(|entry| serde_json::to_string(&entry.unwrap()).unwrap())
            .collect(),
        Err(rollbook::StoreError::NoSuchChannel(_)) => Vec::new(),
        Err(other) => panic!("{other}"),
    }
}

fn filter() -> impl Strategy<Value = HistoryFilter> {
    let some = |names: &'static [&'static str]| {
        proptest::option::of(select(names)).prop_map(|name| name.map(str::to_owned))
    };
    let types = select(vec![
        vec![],
        vec![EntryType::Link, EntryType::Join],
        vec![EntryType::Token],
    ]);
    (
        some(&["a", "b", "nowhere"]),
        some(&["ann", "bob"]),
        types,
        proptest::option::of(any::<bool>()),
    )
        .prop_map(|(channel, user, types, observed)| {
            let mut filter = HistoryFilter::default().types(types);
            filter.channel = channel;
            filter.user = user;
            filter.observed = observed;
            filter
        })
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a_feed_that_goes_on_has_never_been_away(
        mut tape in tape(Shape::Any, 30),
        breaks in vec((any::<Index>(), a_break()), 1..5),
    ) {
        tape.lines.retain(|heard| !heard.text.starts_with('^'));
        // Entries of connections prevent the recording time from going back, so the clock stands still.
        tape.lines.iter_mut().for_each(|heard| heard.now = NOW);
        prop_assume!(!tape.lines.is_empty());
        let away = Desk::of(&broken(&tape, &breaks));
        let there = Desk::of(&broken(&tape, &[]));
        let times = times(&away);
        prop_assert_eq!(answers(&away, &times), answers(&there, &times));
        verified(&away);
    }

    #[test]
    fn a_cursor_tells_what_history_tells(
        tape in tape(Shape::Any, 40),
        by in reading(),
        filter in filter(),
        only in any::<bool>(),
        sizes in vec(1usize..6, 1..12),
        kept_from in proptest::option::of(0usize..6),
    ) {
        // While the log grows. From some batch on, committed frames are kept for the cursor.
        let desk = Desk::new();
        let channel = if only { filter.channel.as_deref() } else { None };
        let mut cursor = desk.store.cursor(0, channel).unwrap();
        let mut told = Vec::new();
        let mut lines = &tape.lines[..];
        for (turn, size) in sizes.into_iter().enumerate() {
            if kept_from == Some(turn) {
                desk.store.keep_recent_frames();
            }
            let (now, later) = lines.split_at(size.min(lines.len()));
            desk.hear(&tape, now);
            told.extend(rest(&mut cursor, &desk, by, &filter));
            lines = later;
        }
        prop_assert_eq!(told, listed(&desk, &filter));
        // And from any position.
        for after_seq in 0..=desk.store.head() {
            let filter = filter.clone().after_seq(after_seq);
            let mut cursor = desk.store.cursor(after_seq, channel).unwrap();
            prop_assert_eq!(rest(&mut cursor, &desk, by, &filter), listed(&desk, &filter));
        }
    }

    /// All lines up to a feed's position are in the log, and none after it.
    #[test]
    fn the_position_of_a_feed_is_durable_with_its_lines(
        tape in tape(Shape::Any, 40),
        sizes in vec(1usize..8, 1..10),
        good in 0u64..8,
        syncs in any::<bool>(),
        survivors in 0u64..4,
    ) {
        let still: Vec<Heard> = tape.lines.iter().map(|heard| Heard { now: NOW, text: heard.text.clone() }).collect();
        let tape = Tape { lines: still, ..tape };
        let engine = Arc::new(FaultJournal::new(MemoryJournal::new()));
        if syncs {
            engine.fail_sync(good);
        } else {
            engine.fail_append(good, 0);
        }
        let desk = Desk::on(&engine);
        let (mut heard, mut acknowledged) = (0, 0);
        for size in sizes {
            let lines = &tape.lines[heard.min(tape.lines.len())..(heard + size).min(tape.lines.len())];
            heard += lines.len();
            let progress = Progress::of_feed("default", "f", heard as u64);
            let batch = tape.batch_with(lines, vec![BatchLine::Progress(progress)]);
            match desk.store.submit(batch).map(|ticket| ticket.wait()) {
                Ok(Ok(_)) => acknowledged = heard as u64,
                _ => break,
            }
        }
        prop_assert_eq!(desk.store.feed_position("default", "f").unwrap(), acknowledged);
        drop(desk);
        engine.crash(survivors).unwrap();
        let desk = Desk::on(&engine);
        let position = desk.store.feed_position("default", "f").unwrap();
        prop_assert!(position >= acknowledged);
        let so_far = Tape { lines: tape.lines[..position as usize].to_vec(), ..tape };
        let expected = Desk::new();
        expected.hear_together(&so_far, &so_far.lines).unwrap();
        let mut left = desk.history_json();
        left.retain(|entry| !entry.contains(r#""reason":"restart""#));
        prop_assert_eq!(left, expected.history_json());
    }
}

#[test]
fn a_cursor_for_a_channel_passes_over_the_frames_of_others() {
    let store = Store::in_memory(Options::default()).unwrap();
    for n in 0..100 {
        let channel = if n == 70 { "room" } else { "attic" };
        let line = format!(
            r#"{{"t":"join","channel":"{channel}","topic":"chat","user":"u{n}","ts":{n}}}"#
        );
        // One frame for each line.
        support::take(&store, &line, &Default::default());
    }
    let mut cursor = store.cursor(3, Some("room")).unwrap();
    let told = cursor.next_batch(&store, 10, usize::MAX).unwrap();
    let users: Vec<_> = told.iter().map(|told| told.entry.user.as_deref()).collect();
    assert_eq!((users, cursor.seq()), (vec![Some("u70")], 100));
    assert!(
        cursor
            .next_batch(&store, 10, usize::MAX)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_cursor_that_keeps_up_does_not_read_the_log() {
    let engine = Arc::new(FaultJournal::new(MemoryJournal::new()));
    let desk = Desk::on(&engine);
    desk.store.keep_recent_frames();
    let join = |n: u64| {
        let line = format!(r#"{{"t":"join","channel":"a","topic":"x","user":"u{n}","ts":{n}}}"#);
        support::take(&desk.store, &line, &Default::default());
    };
    join(1);
    let mut cursor = desk.store.cursor(0, None).unwrap();
    assert_eq!(
        cursor
            .next_batch(&desk.store, 10, usize::MAX)
            .unwrap()
            .len(),
        1
    );
    for n in 2..=4 {
        join(n);
        engine.flip(engine.head(), 100);
    }
    let told = cursor.next_batch(&desk.store, 10, usize::MAX).unwrap();
    let users: Vec<_> = told
        .iter()
        .filter_map(|told| told.entry.user.as_deref())
        .collect();
    assert_eq!(users, ["u2", "u3", "u4"]);
    // A reader of the log finds the damage.
    let entries = desk.store.history(&HistoryFilter::default());
    assert!(entries.is_err() || entries.is_ok_and(|mut it| it.any(|entry| entry.is_err())));
}

/// Damage is found where a frame is read: here it shows which frames a query does not read.
#[test]
fn a_query_does_not_read_frames_of_other_channels_again() {
    let engine = Arc::new(FaultJournal::new(MemoryJournal::new()));
    let join = |desk: &Desk, channel: &str, n: u64| {
        let line =
            format!(r#"{{"t":"join","channel":"{channel}","topic":"x","user":"u{n}","ts":{n}}}"#);
        support::take(&desk.store, &line, &Default::default());
    };
    let present = |desk: &Desk| {
        let filter = WhoFilter::at(1_000);
        let who = desk.store.who("room", &filter);
        who.map(|who| {
            who.topics
                .iter()
                .map(|topic| topic.publishers.len())
                .sum::<usize>()
        })
    };
    let desk = Desk::on(&engine);
    (1..=20).for_each(|n| join(&desk, if n % 10 == 0 { "room" } else { "attic" }, n));
    drop(desk);
    let desk = Desk::on(&engine);
    assert_eq!(present(&desk).unwrap(), 2);
    (21..=40).for_each(|n| join(&desk, if n % 10 == 0 { "room" } else { "attic" }, n));
    assert_eq!(present(&desk).unwrap(), 4);
    let of_attic = (1..=40).filter(|n| n % 10 != 0);
    of_attic.for_each(|position| engine.flip(position, 100));
    assert_eq!(present(&desk).unwrap(), 4);
    let unread = Store::on(Box::new(engine), Options::default()).unwrap();
    assert!(unread.who("room", &WhoFilter::at(1_000)).is_err());
}
