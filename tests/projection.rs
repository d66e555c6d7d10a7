//! The library's examples, and the frames that a reader pulls. `examples/minutes_in_channel.rs`: its figures, and
//! that the projection can be rebuilt from the log or continued with new entries. `examples/joins_by_user.rs`: that it
//! continues where it was saved. `examples/record_and_follow.rs`, `follow_live.rs`: that the one continues where it was,
//! and the other gets what is recorded meanwhile. Frames: the position of a reader that has left a frame, skipped it, or
//! read it to its end.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../examples/follow_live.rs"]
#[allow(dead_code)] // it has its own `main`
mod follow_live;
#[path = "../examples/joins_by_user.rs"]
#[allow(dead_code)] // it has its own `main`
mod joins_by_user;
#[path = "../examples/minutes_in_channel.rs"]
#[allow(dead_code)] // it has its own `main`
mod minutes_in_channel;
#[path = "../examples/record_and_follow.rs"]
#[allow(dead_code)] // it has its own `main`
mod record_and_follow;

use joins_by_user::JoinsByUser;
use minutes_in_channel::MinutesInChannel;
use rollbook::store::{ScanScope, ScopedRecord, StateCursor};
use rollbook::{Event, Options, Store};
use rollbook_support as support;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

fn evening() -> Store {
    support::store_of(include_str!("../examples/weak-network-evening.jsonl"))
}

fn minutes(store: &Store) -> BTreeMap<(String, String, i64), i64> {
    let mut projection = MinutesInChannel::default();
    store.replay(.., &mut projection).unwrap();
    projection.minutes()
}

#[test]
fn the_evening_has_these_minutes() {
    let minutes = minutes(&evening());
    let day = 20_587; // 2026-05-14
    let of = |user: &str| minutes[&("studio-7".to_owned(), user.to_owned(), day)];
    // From the first snapshot at 20:00:02.118 until she leaves at 21:57:59, in two topics at once.
    assert_eq!(of("carla"), 117);
    // Joined at 21:13:20.448, and was missing in the snapshot of 21:31:47.551.
    assert_eq!(of("oda"), 18);
    // Joined at 20:04:09.388, and is still present at the last entry, 21:58:46.890.
    assert_eq!(of("farah"), 114);
    // Two stays: 20:09:26.803 to 20:19:37.281, and 20:51:39.570 to 21:51:40.738.
    assert_eq!(of("gus"), 70);
    assert_eq!(minutes.len(), 16, "{minutes:#?}");
}

#[test]
fn a_stay_counts_on_the_days_on_which_it_was() {
    let store = support::store_of(
        r#"
{"t":"join","channel":"a","topic":"t","user":"ann","ts":86000000}
{"t":"join","channel":"a","topic":"u","user":"ann","ts":86100000}
{"t":"leave","channel":"a","topic":"t","user":"ann","ts":86200000}
{"t":"leave","channel":"a","topic":"t","user":"ann","ts":86300000}
{"t":"leave","channel":"a","topic":"u","user":"ann","ts":172000000}
"#,
    );
    let of_day = |day| ("a".to_owned(), "ann".to_owned(), day);
    // 400 s before midnight, and 85,600 s after it.
    let wanted = [(of_day(0), 6), (of_day(1), 1_426)];
    assert_eq!(minutes(&store), BTreeMap::from(wanted));
}

#[test]
fn told_in_parts_it_is_the_same() {
    let store = evening();
    let mut whole = MinutesInChannel::default();
    store.replay(.., &mut whole).unwrap();
    for cut in [1, 40, 63, store.head()] {
        let mut parts = MinutesInChannel::default();
        store.replay(..=cut, &mut parts).unwrap();
        store.replay(cut + 1.., &mut parts).unwrap();
        assert_eq!(parts, whole, "cut behind entry {cut}");
    }
}

/// Accepts this many entries, and panics at the next.
struct Panics(usize);

impl rollbook::Projection for Panics {
    fn apply(&mut self, _: &rollbook::domain::entry::Entry, _: &rollbook::domain::names::Names) {
        let Some(left) = self.0.checked_sub(1) else {
            panic!("one too many");
        };
        self.0 = left;
    }
}

#[test]
fn one_that_panics_takes_nothing_with_it() {
    let store = evening();
    let (head, whole) = (store.head(), minutes(&store));
    for most in [0, 1, 40] {
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            store.replay(.., &mut Panics(most)).unwrap();
        }));
        assert!(panicked.is_err());
        // The store still answers questions and records lines.
        assert_eq!(minutes(&store), whole);
    }
    let line = r#"{"t":"join","channel":"studio-7","topic":"t","user":"late"}"#;
    support::take(&store, line, &Default::default());
    assert_eq!(store.head(), head + 1);
}

#[test]
fn a_follower_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let position = folder.path().join("followed-up-to");
    let store = Store::open(folder.path().join("store"), rollbook::Options::default()).unwrap();
    record_and_follow::record(&store).unwrap();
    let first = record_and_follow::follow(&store, &position).unwrap();
    assert_eq!(first.len() as u64, store.head());
    let lily = first
        .iter()
        .filter(|line| line.contains(r#""user":"lily""#));
    let left = lily.filter(|line| line.contains(r#""type":"leave""#));
    let inferred = left.filter(|line| line.contains(r#""origin":"inferred""#));
    assert_eq!(inferred.count(), 1, "{first:#?}");
    assert!(
        record_and_follow::follow(&store, &position)
            .unwrap()
            .is_empty()
    );
    let before = store.head();
    let event = rollbook::Event::leave("room", "chat", "ben").at(20_000);
    store.record(&[event]).unwrap();
    let then = record_and_follow::follow(&store, &position).unwrap();
    assert_eq!(then.len() as u64, store.head() - before);
}

#[test]
fn a_saved_projection_counts_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("joins.json");
    let store = Store::in_memory(Options::default()).unwrap();
    let visit = [
        Event::join("room", "chat", "lily"),
        Event::leave("room", "chat", "lily"),
    ];
    store.record(&visit).unwrap();
    let saved = JoinsByUser::up_to_date(&store, &file).unwrap();
    assert_eq!((saved.seq, saved.joins["room"]["lily"]), (2, 1));
    store.record(&visit).unwrap();
    let counted_on = JoinsByUser::up_to_date(&store, &file).unwrap();
    let mut anew = JoinsByUser::default();
    store.replay(.., &mut anew).unwrap();
    assert_eq!(counted_on, anew);
    assert_eq!(counted_on.joins["room"]["lily"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_follows_the_log_as_it_grows() {
    let store = Arc::new(Store::in_memory(Options::default()).unwrap());
    let lily = || vec![Event::join("room", "chat", "lily").at(1_000)];
    follow_live::record(&store, lily()).await.unwrap();
    let (sender, mut entries) = mpsc::channel(1);
    let follower = tokio::spawn(follow_live::follow(Arc::clone(&store), 0, sender));
    assert_eq!(entries.recv().await.unwrap().seq, 1);
    let tony = Event::join("room", "chat", "tony").at(2_000);
    let receipt = follow_live::record(&store, vec![tony]).await.unwrap();
    assert_eq!(receipt.tally.last_seq, Some(2));
    let entry = entries.recv().await.unwrap();
    assert_eq!((entry.seq, entry.user.as_deref()), (2, Some("tony")));
    drop(entries);
    follower.await.unwrap().unwrap();
}

/// The entries of all frames after a cursor, which is moved to the end.
fn entries_after(store: &Store, cursor: &mut StateCursor) -> Vec<u64> {
    let mut seqs = Vec::new();
    let mut frames = store.frames_after(cursor);
    while let Some(mut frame) = frames.next(cursor).unwrap() {
        while let Some(record) = frame.next(cursor).unwrap() {
            if let ScopedRecord::Commit(commit) = record {
                seqs.extend(commit.entries.iter().map(|entry| entry.seq));
            }
        }
    }
    seqs
}

/// A store with three frames of two entries each.
fn three_frames() -> Store {
    let store = Store::in_memory(Default::default()).unwrap();
    for channel in ["a", "b", "c"] {
        let event = rollbook::domain::event::Event::snapshot(channel, [("t", "ann")]);
        store.record(&[event]).unwrap();
    }
    store
}

#[test]
fn a_frame_that_is_left_half_read_is_read_again() {
    let store = three_frames();
    let (mut cursor, mut frames) = store.scan(&ScanScope::default()).unwrap();
    let mut first = frames.next(&mut cursor).unwrap().unwrap();
    while first.next(&mut cursor).unwrap().is_some() {}
    let mut second = frames.next(&mut cursor).unwrap().unwrap();
    assert!(second.next(&mut cursor).unwrap().is_some());
    drop(second);
    // The reader has stopped in this frame.
    assert!(frames.next(&mut cursor).unwrap().is_none());
    assert_eq!(entries_after(&store, &mut cursor), [3, 4, 5, 6]);
    assert_eq!(entries_after(&store, &mut cursor), [] as [u64; 0]);
}

#[test]
fn a_frame_that_is_skipped_is_passed() {
    let store = three_frames();
    let (mut cursor, mut frames) = store.scan(&ScanScope::default()).unwrap();
    let first = frames.next(&mut cursor).unwrap().unwrap();
    first.skip(&mut cursor);
    assert_eq!(entries_after(&store, &mut cursor), [3, 4, 5, 6]);
}

#[test]
fn a_scope_that_ends_inside_a_commit_leaves_the_rest_of_its_frame() {
    let store = three_frames();
    let scope = ScanScope {
        last: Some(3),
        ..ScanScope::default()
    };
    let (mut cursor, mut frames) = store.scan(&scope).unwrap();
    frames.apply_rest(&mut cursor).unwrap();
    assert_eq!(cursor.state.head(), 3);
    assert_eq!(entries_after(&store, &mut cursor), [3, 4, 5, 6]);
}
