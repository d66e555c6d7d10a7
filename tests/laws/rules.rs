//! Laws of the rules: a complete snapshot makes the roster equal to its list, and repeating it infers nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::panic, missing_docs)]

use proptest::prelude::*;
use rollbook::domain::decide::decide;
use rollbook::domain::entry::{Commit, Disposition, Entry, Payload, Rules, Snapshot};
use rollbook::domain::event::{EventPayload, ReportedListing};
use rollbook::domain::names::Names;
use rollbook::domain::order::{Order, Stamp};
use rollbook::domain::resolve::resolve;
use rollbook::domain::state::State;
use rollbook::domain::time;
use rollbook::feed::parse;
use rollbook_support::feeds;
use rollbook_support::feeds::{Heard, Shape, Tape, cases, tape};
use rollbook_support::reference::Reference;
use std::collections::{BTreeMap, BTreeSet};

/// Topic, user and connection.
type Key = [String; 3];

fn roster(channel: &str, state: &State, names: &Names) -> BTreeMap<Key, Option<String>> {
    let Some(channel) = names.find(channel) else {
        return BTreeMap::new();
    };
    let present = state.roster(channel, names).into_iter();
    present
        .map(|present| {
            let meta = present.meta.map(|meta| meta.to_string());
            (key(present.member, names), meta)
        })
        .collect()
}

fn key(member: rollbook::domain::names::MemberId, names: &Names) -> Key {
    let key = names.key(member);
    [key.topic, key.user, key.conn].map(|name| names.text(name).to_owned())
}

/// Whether an observer has an unfinished paged snapshot of a channel.
fn is_open(channel: &str, observer: &str, reference: &Reference) -> bool {
    let [channel, observer] = [channel, observer].map(|name| reference.names.find(name));
    let channel = channel.and_then(|channel| reference.state.channel(channel));
    let open = channel.zip(observer);
    open.is_some_and(|(channel, observer)| channel.watching().open_sync(observer).is_some())
}

/// The claims about members: the stamp and the metadata.
type Listed = BTreeMap<Key, (Stamp, Option<String>)>;

/// A paged snapshot that has begun.
struct Pages {
    sync: String,
    id: Option<String>,
    /// The stamp of its begin.
    line: Stamp,
    listed: Listed,
}

/// The stamp that counts: without a time that lies too far ahead.
fn counted(stamp: Stamp, now: i64, rules: &Rules) -> Stamp {
    Stamp {
        ts: time::counted(stamp.ts, now, rules.max_ahead_ms),
        ..stamp
    }
}

/// Adds the claims of a line. Of a member listed twice the newest claim counts, or else the last one. `line` is the
/// stamp of members without their own.
fn claims(shown: &ReportedListing<'_>, line: Stamp, now: i64, rules: &Rules, claims: &mut Listed) {
    for topic in &shown.topics {
        for who in &topic.members {
            let key = [&topic.topic, &who.user, &who.conn].map(|name| name.to_string());
            let stamp = counted(who.stamp, now, rules).or(line);
            let meta = who.meta.as_ref().map(ToString::to_string);
            claim(claims, key, (stamp, meta));
        }
    }
}

/// Adds a claim, unless it is older than an earlier one about the same member.
fn claim(claims: &mut Listed, key: Key, (stamp, meta): (Stamp, Option<String>)) {
    let older = claims
        .get(&key)
        .is_some_and(|(known, _)| stamp.against(*known, 0) == Order::Older);
    if !older {
        claims.insert(key, (stamp, meta));
    }
}

/// Records a tape, and checks each complete snapshot in it.
fn snapshots(tape: &Tape) {
    let mut reference = Reference::default();
    // The claims of the pages so far, by observer and channel.
    let mut pages = BTreeMap::<_, Pages>::new();
    // Feeds whose collected events are worked into the next snapshot: it then shows more than its list.
    let mut collected = BTreeSet::new();
    for heard in &tape.lines {
        let Ok(event) = parse(heard.text.as_bytes(), &feeds::DEFAULTS) else {
            reference.line(heard, &tape.rules);
            continue;
        };
        let now = heard.now.max(reference.state.recorded_at());
        let passed_over = |reference: &Reference| reference.rejected + reference.retries;
        let passed_before = passed_over(&reference);
        let seen = reference.entries.len();
        let before = match &event.payload {
            EventPayload::Snapshot { channel, .. } | EventPayload::SnapshotEnd { channel, .. } => {
                roster(channel, &reference.state, &reference.names)
            }
            _ => BTreeMap::new(),
        };
        let is_open = match &event.payload {
            EventPayload::SnapshotBegin { channel, .. } => {
                is_open(channel, &event.observer, &reference)
            }
            _ => false,
        };
        reference.line(heard, &tape.rules);
        if passed_over(&reference) > passed_before {
            continue;
        }
        let entries = &reference.entries[seen..];
        let of = |channel: &str| (event.observer.to_string(), channel.to_owned());
        let is_collected = |entry: &Entry| matches!(&entry.payload, Payload::Change(it) if it.disposition == Disposition::Collected);
        if let (EventPayload::Changes { channel, .. }, true) =
            (&event.payload, entries.iter().any(is_collected))
        {
            collected.insert(of(channel));
        }
        let listed = match &event.payload {
            EventPayload::SnapshotBegin { channel, sync, .. } => {
                let begun = Pages {
                    sync: sync.to_string(),
                    id: event.id.as_ref().map(ToString::to_string),
                    line: counted(event.stamp, now, &tape.rules),
                    listed: BTreeMap::new(),
                };
                // A repeated begin with the same id has no effect.
                let again = |open: &Pages| {
                    // A link that was lost in between has discarded the first begin.
                    is_open
                        && begun.id.is_some()
                        && (&open.sync, &open.id) == (&begun.sync, &begun.id)
                };
                if !pages.get(&of(channel)).is_some_and(again) {
                    pages.insert(of(channel), begun);
                }
                continue;
            }
            EventPayload::SnapshotPage { channel, shown, .. } => {
                let open = pages.get_mut(&of(channel)).unwrap();
                let line = counted(event.stamp, now, &tape.rules).or(open.line);
                // Each page makes one claim about a member: repetitions within the page are settled first.
                let mut page = BTreeMap::new();
                claims(shown, line, now, &tape.rules, &mut page);
                for (key, said) in page {
                    claim(&mut open.listed, key, said);
                }
                continue;
            }
            EventPayload::SnapshotEnd { channel, .. } => pages.remove(&of(channel)).unwrap().listed,
            EventPayload::Snapshot { shown, .. } => {
                let mut listed = BTreeMap::new();
                let line = counted(event.stamp, now, &tape.rules);
                claims(shown, line, now, &tape.rules, &mut listed);
                listed
            }
            _ => continue,
        };
        let Some(Entry {
            payload: Payload::Snapshot(snapshot),
            ..
        }) = entries.first()
        else {
            continue;
        };
        if snapshot.stale || !snapshot.complete {
            continue;
        }
        let (state, names) = (&reference.state, &reference.names);
        let channel = names.text(snapshot.channel).to_owned();
        if collected.contains(&of(&channel)) {
            // Open pages may still have the collected events worked in.
            if !pages.contains_key(&of(&channel)) {
                collected.remove(&of(&channel));
            }
            continue;
        }
        let after = roster(&channel, state, names);
        equals(snapshot, &listed, &before, &after, names);
        if matches!(event.payload, EventPayload::Snapshot { .. }) {
            let snapshot = snapshot.clone();
            again(tape, heard, &snapshot, &channel, &after, &mut reference);
        }
    }
}

/// The roster must equal the snapshot's list, except for members that the snapshot was held back from.
fn equals(
    snapshot: &Snapshot,
    listed: &Listed,
    before: &BTreeMap<Key, Option<String>>,
    after: &BTreeMap<Key, Option<String>>,
    names: &Names,
) {
    let mut wanted = BTreeMap::new();
    for (key, (_, meta)) in listed {
        let known = before.get(key).cloned().flatten();
        wanted.insert(key.clone(), meta.clone().or(known));
    }
    for &held in &snapshot.held {
        let key = key(held, names);
        match before.get(&key) {
            Some(meta) => wanted.insert(key, meta.clone()),
            None => wanted.remove(&key),
        };
    }
    assert_eq!(*after, wanted);
    assert_eq!(snapshot.count as usize, after.len());
    assert_eq!(snapshot.listed as usize, listed.len());
}

/// Repeats the snapshot without its id: it makes an entry of its own, and infers nothing. Exception: after a link up,
/// the order of arrival held the first snapshot back from some members (contract 2.5.7), and the second one may
/// decide about them. This hold is for one snapshot only, and a feed without link lines has none.
fn again(
    tape: &Tape,
    heard: &Heard,
    first: &Snapshot,
    channel: &str,
    after: &BTreeMap<Key, Option<String>>,
    reference: &mut Reference,
) {
    let text = without_id(&heard.text);
    let event = parse(text.as_bytes(), &feeds::DEFAULTS).unwrap();
    let mut state = reference.state.clone();
    let names = &mut reference.names;
    let resolved = resolve(&event, names);
    let commit = decide(&state, names, &resolved, &tape.rules, heard.now).unwrap();
    let Commit::Entries(entries) = commit else {
        panic!("{commit:?}");
    };
    for entry in &entries {
        state.apply(entry, names);
    }
    let Payload::Snapshot(second) = &entries[0].payload else {
        panic!("{entries:?}");
    };
    assert!(!second.stale && second.complete);
    let holds = tape.lines.iter().any(|heard| heard.text.contains("link"));
    for entry in &entries[1..] {
        assert!(holds, "inferred again: {entry:?}");
        let Payload::Change(change) = &entry.payload else {
            panic!("{entry:?}");
        };
        assert!(
            first.held.contains(&change.member),
            "inferred again: {entry:?}"
        );
    }
    if !holds {
        assert_eq!(roster(channel, &state, names), *after);
        return;
    }
    let held: Vec<Key> = first
        .held
        .iter()
        .map(|&member| key(member, names))
        .collect();
    let mut roster = roster(channel, &state, names);
    let mut after = after.clone();
    for key in &held {
        roster.remove(key);
        after.remove(key);
    }
    assert_eq!(roster, after);
}

fn without_id(text: &str) -> String {
    match text.find(r#","id":""#) {
        Some(at) => text[..at].to_owned() + "}",
        None => text.to_owned(),
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn after_a_complete_snapshot_the_roster_equals_it(tape in tape(Shape::Any, 40)) {
        snapshots(&tape);
    }
}

/// A paged snapshot ends at its end even if it is stale: no page may follow, and no later end can take effect.
#[test]
fn a_stale_end_ends_its_pages() {
    let tape = Tape::of(
        Rules::default(),
        &[
            r#"{"t":"snapshot","channel":"a","topics":{},"ts":1800000000000}"#,
            r#"{"t":"snapshot_begin","channel":"a","sync":"s","ts":1799999999900}"#,
            r#"{"t":"snapshot_page","channel":"a","sync":"s","topics":{"t":[{"user":"ann"}]},"ts":1799999999900}"#,
            r#"{"t":"snapshot_end","channel":"a","sync":"s","ts":1799999999900}"#,
            r#"{"t":"snapshot_page","channel":"a","sync":"s","topics":{},"ts":1800000000100}"#,
            r#"{"t":"snapshot_end","channel":"a","sync":"s","ts":1800000000100}"#,
        ],
    );
    let reference = Reference::of(&tape);
    assert_eq!(reference.rejected, 2);
    assert_eq!(reference.entries.len(), 2);
}

/// A member without its own time has the line's time, so the newest of two claims is known.
#[test]
fn of_a_member_listed_twice_the_newest_claim_counts() {
    let twice = r#"{"t":[{"user":"cy","meta":1,"ts":1800000000100},{"user":"cy","meta":2}]}"#;
    let last = |lines: &[String]| {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let reference = Reference::of(&Tape::of(Rules::default(), &lines));
        let roster = roster("a", &reference.state, &reference.names);
        roster.into_values().next().unwrap().unwrap()
    };
    let snapshot = |ts: &str| format!(r#"{{"t":"snapshot","channel":"a","topics":{twice}{ts}}}"#);
    assert_eq!(last(&[snapshot(r#","ts":1800000000000"#)]), "1");
    assert_eq!(last(&[snapshot(r#","ts":1800000000200"#)]), "2");
    assert_eq!(last(&[snapshot("")]), "2", "nothing tells which is newer");
    let paged = |topics: &str| {
        [
            r#"{"t":"snapshot_begin","channel":"a","sync":"s","ts":1800000000000}"#.to_owned(),
            format!(r#"{{"t":"snapshot_page","channel":"a","sync":"s","topics":{topics}}}"#),
            r#"{"t":"snapshot_end","channel":"a","sync":"s","ts":1800000000200}"#.to_owned(),
        ]
    };
    assert_eq!(last(&paged(twice)), "1");
    let [begin, page, end] = paged(r#"{"t":[{"user":"cy","meta":1,"ts":1800000000100}]}"#);
    let second =
        r#"{"t":"snapshot_page","channel":"a","sync":"s","topics":{"t":[{"user":"cy","meta":2}]}}"#;
    assert_eq!(last(&[begin, page, second.to_owned(), end]), "1");
}

/// A snapshot lists a member with an older position than the report of its absence. The member stays absent, however
/// often this snapshot is repeated: a claim that could not decide does not become the newest one.
#[test]
fn what_an_older_claim_could_not_decide_it_does_not_decide_later() {
    let first = r#"{"t":"snapshot","channel":"a","topics":{},"ts":1800000000000,"pos":[1,0]}"#;
    let second = r#"{"t":"snapshot","channel":"a","topics":{"t":[{"user":"ann","pos":[0,0]}]},"ts":1800000000000}"#;
    let join = r#"{"t":"join","channel":"a","topic":"t","user":"ann","pos":[0,5]}"#;
    let tape = Tape::of(Rules::default(), &[first, second, second, join]);
    let reference = Reference::of(&tape);
    let roster = roster("a", &reference.state, &reference.names);
    assert_eq!(roster, BTreeMap::new());
    assert_eq!(reference.entries.len(), 4, "three snapshots, a stale join");
}
