//! Laws of sealing: no answer depends on what is sealed, on how large the blocks are, or on where a crash stopped it.

use crate::evening;
use proptest::prelude::*;
use rollbook::care::VerifyDepth;
use rollbook::domain::entry::Rules;
use rollbook::domain::event::Connection;
use rollbook::limits::BLOCK_ENTRIES;
use rollbook::log::engine::memory::MemoryJournal;
use rollbook::log::engine::objects::{MemoryObjects, ObjectStore};
use rollbook::log::engine::{Journal, JournalError};
use rollbook::query::WhoFilter;
use rollbook::store::{Batch, BatchLine, BlockSize, SealedBlocks};
use rollbook::{Event, Options, Store};
use rollbook_support::answers;
use rollbook_support::desk::Desk;
use rollbook_support::feeds::{Heard, NOW, Shape, Tape, cases, tape};
use rollbook_support::parts::Parts;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn all_in_one(desk: &Desk) -> SealedBlocks {
    let size = BlockSize {
        least: 1,
        most: BLOCK_ENTRIES,
    };
    desk.store.seal(size).unwrap()
}

/// Everything that can be asked, and the state after each entry.
fn asked(desk: &Desk) -> Vec<String> {
    let mut all = answers::of(&desk.store);
    all.extend((1..=desk.store.head()).map(|seq| desk.folded(Some(seq))));
    all.push(desk.described());
    all
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn sealed_anywhere_a_store_answers_alike(
        tape in tape(Shape::Any, 30),
        every in 1_usize..6,
        most in 1_u64..12,
    ) {
        let (unsealed, parts) = (Parts::default(), Parts::default());
        let (plain, desk) = (unsealed.open(), parts.open());
        plain.hear(&tape, &tape.lines);
        let size = BlockSize { least: 1, most };
        for lines in tape.lines.chunks(every) {
            desk.hear(&tape, lines);
            desk.store.seal(size).unwrap();
        }
        let expected = asked(&plain);
        prop_assert_eq!(&asked(&desk), &expected);
        let verified = desk.store.verify(VerifyDepth::Deep, |_| {}).unwrap();
        prop_assert!(verified.ok, "{:?}", verified);
        drop((plain, desk));
        // Opened again, which may record that connections were lost, and then read without checkpoints.
        let expected = asked(&unsealed.open());
        let desk = parts.open();
        prop_assert_eq!(&asked(&desk), &expected);
        prop_assert!(desk.store.rebuild().unwrap());
        prop_assert_eq!(&asked(&desk), &expected);
    }

    #[test]
    fn a_cursor_inside_what_is_sealed_goes_on(tape in tape(Shape::Any, 20), place: prop::sample::Index) {
        let parts = Parts::default();
        let desk = parts.open();
        desk.hear(&tape, &tape.lines);
        let head = desk.store.head();
        prop_assume!(head > 0);
        let seq = 1 + place.index(head as usize) as u64;
        let mut cursor = desk.store.seek(seq).unwrap();
        let entries = |cursor: &mut rollbook::store::StateCursor| {
            let mut frames = desk.store.frames_after(cursor);
            let mut seqs = Vec::new();
            while let Some(mut frame) = frames.next(cursor).unwrap() {
                while let Some(commit) = frame.next_commit(cursor).unwrap() {
                    seqs.extend(commit.entries.iter().map(|entry| entry.seq));
                }
            }
            seqs
        };
        let expected = entries(&mut desk.store.seek(seq).unwrap());
        all_in_one(&desk);
        prop_assert_eq!(entries(&mut cursor), expected);
    }
}

/// A page is sealed with the entries behind it, which may have been recorded later.
#[test]
fn what_pages_made_known_does_not_depend_on_when_the_next_entry_was_recorded() {
    let line = |now, text: &str| Heard {
        now,
        text: text.to_owned(),
    };
    let lines = [
        line(
            NOW,
            r#"{"t":"join","channel":"a","topic":"t","user":"ann","ts":1800000000000}"#,
        ),
        line(
            NOW,
            r#"{"t":"snapshot_begin","channel":"b","sync":"s","ts":1800000000000}"#,
        ),
        line(
            NOW + 100,
            r#"{"t":"join","channel":"a","topic":"t","user":"bob","ts":1800000000000}"#,
        ),
        // The last frame is not sealed.
        line(
            NOW + 200,
            r#"{"t":"join","channel":"a","topic":"t","user":"cy","ts":1800000000000}"#,
        ),
    ];
    let tape = Tape {
        rules: Rules::default(),
        lines: Vec::new(),
    };
    let (plain, desk) = (Desk::new(), Desk::new());
    plain.hear(&tape, &lines);
    desk.hear(&tape, &lines);
    // An entry a block, and the page with the one behind it.
    let size = BlockSize { least: 1, most: 1 };
    assert_eq!(desk.store.seal(size).unwrap().blocks, 2);
    let known = |desk: &Desk| {
        let filter = WhoFilter::default().known_at(NOW);
        format!("{:?}", desk.store.who("b", &filter))
    };
    assert!(known(&plain).starts_with("Ok"), "{}", known(&plain));
    assert_eq!(known(&desk), known(&plain));
}

/// Objects of which one cannot be stored.
#[derive(Default)]
struct FullDisk {
    objects: MemoryObjects,
    left: AtomicU64,
    failed: AtomicU64,
}

impl ObjectStore for FullDisk {
    fn put(&self, number: u64, bytes: &[u8]) -> Result<(), JournalError> {
        let left = self.left.load(Ordering::SeqCst);
        if left == 0 {
            self.failed.fetch_add(1, Ordering::SeqCst);
            return Err(JournalError::Injected);
        }
        self.left.store(left - 1, Ordering::SeqCst);
        self.objects.put(number, bytes)
    }

    fn numbers(&self) -> Result<Vec<u64>, JournalError> {
        self.objects.numbers()
    }

    fn read(&self, number: u64, from: u64, length: usize) -> Result<Vec<u8>, JournalError> {
        self.objects.read(number, from, length)
    }

    fn remove(&self, number: u64) -> Result<(), JournalError> {
        self.objects.remove(number)
    }
}

#[test]
fn where_a_block_cannot_be_stored_the_frames_stay() {
    let tape = evening();
    let expected = asked(&Desk::of(&tape));
    for stored in 0..4 {
        let engine = Arc::new(MemoryJournal::new());
        let objects = Arc::new(FullDisk::default());
        let open = || {
            let engine = Box::new(Arc::clone(&engine));
            let objects = Box::new(Arc::clone(&objects));
            Desk::with(|options| Store::on_parts(engine, objects, options))
        };
        let desk = open();
        desk.hear(&tape, &tape.lines);
        objects.left.store(stored, Ordering::SeqCst);
        let size = BlockSize { least: 1, most: 5 };
        desk.store.seal(size).unwrap_err();
        assert_eq!(asked(&desk), expected);
        assert_eq!(objects.numbers().unwrap().len() as u64, stored);
        drop(desk);
        let desk = open();
        assert_eq!(asked(&desk), expected);
        objects.left.store(u64::MAX, Ordering::SeqCst);
        assert!(desk.store.seal(size).unwrap().entries > stored * 5);
        assert_eq!(asked(&desk), expected);
    }
}

#[test]
fn after_a_failure_the_background_seals_again() {
    let objects = Arc::new(FullDisk::default());
    let engine = Box::new(MemoryJournal::new());
    let store =
        Store::on_parts(engine, Box::new(Arc::clone(&objects)), Options::default()).unwrap();
    let mut at = 0;
    let mut record = |blocks: u64| {
        for _ in 0..blocks * BLOCK_ENTRIES / 4_096 {
            let events = (0..4_096).map(|turn| {
                at += 1;
                match turn % 2 {
                    0 => Event::join("room", "chat", "lily").at(at),
                    _ => Event::leave("room", "chat", "lily").at(at),
                }
            });
            let events: Vec<Event<'_>> = events.collect();
            store.record(&events).unwrap();
        }
    };
    let failed = || objects.failed.load(Ordering::SeqCst) > 0;
    let sealed = || !objects.numbers().unwrap().is_empty();
    record(2);
    until(failed, "a block should be stored");
    assert!(!sealed());
    objects.left.store(u64::MAX, Ordering::SeqCst);
    record(2);
    until(sealed, "a block should be stored again");
}

/// Waits for what other threads do.
fn until(holds: impl Fn() -> bool, what: &str) {
    let waits = (0..6_000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        holds()
    });
    assert!(waits, "{what}");
}

/// Objects that note which of them are read.
#[derive(Default)]
struct Watched {
    objects: MemoryObjects,
    read: Mutex<BTreeSet<u64>>,
}

impl ObjectStore for Watched {
    fn put(&self, number: u64, bytes: &[u8]) -> Result<(), JournalError> {
        self.objects.put(number, bytes)
    }

    fn numbers(&self) -> Result<Vec<u64>, JournalError> {
        self.objects.numbers()
    }

    fn read(&self, number: u64, from: u64, length: usize) -> Result<Vec<u8>, JournalError> {
        self.read.lock().unwrap().insert(number);
        self.objects.read(number, from, length)
    }

    fn remove(&self, number: u64) -> Result<(), JournalError> {
        self.objects.remove(number)
    }
}

/// However long the log is, and without any checkpoint: blocks have the states of their channels.
#[test]
fn a_question_about_a_channel_reads_few_blocks() {
    let objects = Arc::new(Watched::default());
    let open = || {
        let engine = Box::new(MemoryJournal::new());
        Store::on_parts(engine, Box::new(Arc::clone(&objects)), Options::default()).unwrap()
    };
    let store = open();
    let plain = Store::in_memory(Options::default()).unwrap();
    let mut at = 1_000;
    for turn in 0..600_i64 {
        for (room, every) in [("busy", 1), ("calm", 5)] {
            if turn % every == 0 {
                let user = format!("user-{}", turn / 2 % 7);
                at += 10;
                let event = match turn % 2 {
                    0 => Event::join(room, "chat", &user).at(at),
                    _ => Event::leave(room, "chat", &user).at(at),
                };
                for store in [&store, &plain] {
                    store.record(std::slice::from_ref(&event)).unwrap();
                }
            }
        }
    }
    let sealed = store.seal(BlockSize { least: 1, most: 12 }).unwrap();
    assert!(sealed.blocks > 50, "{sealed:?}");
    for room in ["busy", "calm"] {
        // What is known now is read once, and then followed.
        for _ in 0..2 {
            store.who(room, &WhoFilter::default()).unwrap();
        }
        for moment in (1_000..at).step_by(37) {
            objects.read.lock().unwrap().clear();
            let filter = WhoFilter::at(moment);
            let (asked, expected) = (store.who(room, &filter), plain.who(room, &filter));
            assert_eq!(
                format!("{asked:?}"),
                format!("{expected:?}"),
                "{room} at {moment}"
            );
            let read = objects.read.lock().unwrap().len();
            assert!(read <= 12, "{room} at {moment}: {read} blocks were read");
        }
    }
}

/// A process that asks once reads from the newest checkpoint on, however long ago the channel was heard of.
#[test]
fn a_first_question_about_now_begins_at_the_newest_checkpoint() {
    let (engine, objects) = (Arc::new(MemoryJournal::new()), Arc::new(Watched::default()));
    let open = || {
        let engine = Box::new(Arc::clone(&engine));
        Store::on_parts(engine, Box::new(Arc::clone(&objects)), Options::default()).unwrap()
    };
    let store = open();
    for turn in 0..200 {
        let room = if turn < 3 { "quiet" } else { "busy" };
        let event = match turn % 2 {
            0 => Event::join(room, "chat", "lily").at(1_000 + turn),
            _ => Event::leave(room, "chat", "lily").at(1_000 + turn),
        };
        store.record(&[event]).unwrap();
    }
    let expected = format!("{:?}", store.who("quiet", &WhoFilter::default()));
    assert!(store.seal(BlockSize { least: 1, most: 12 }).unwrap().blocks > 10);
    // Closing makes a checkpoint.
    drop(store);
    let store = open();
    objects.read.lock().unwrap().clear();
    let asked = store.who("quiet", &WhoFilter::default());
    assert_eq!(format!("{asked:?}"), expected);
    let read = objects.read.lock().unwrap().clone();
    assert!(read.len() <= 1, "{read:?}");
}

/// A block may have nothing but link lines, which say something about more channels than its header has room for.
#[test]
fn a_gap_that_ended_well_is_known_however_many_there_are() {
    const ROOMS: i64 = 400;
    let desk = Parts::default().open();
    let plain = Parts::default().open();
    let connection = |what, at| BatchLine::Connection {
        observer: "gate".into(),
        what,
        at: Some(at),
    };
    let rooms: Vec<String> = (0..ROOMS).map(|room| format!("room-{room}")).collect();
    let listed = rooms.iter().zip(1_000..).map(|(room, at)| {
        let event = Event::snapshot(room.as_str(), [("chat", "lily")]);
        BatchLine::Event(event.at(at).by("gate").into_owned().into())
    });
    let seen = Event::join(rooms[399].as_str(), "chat", "tony");
    let seen = seen.at(6_000).by("door").into_owned();
    let batches = [
        [vec![connection(Connection::Up, 900)], listed.collect()].concat(),
        vec![connection(Connection::Lost, 5_000)],
        vec![BatchLine::Event(seen.into())],
        vec![connection(Connection::Resumed, 7_000)],
        vec![connection(Connection::Lost, 8_000)],
    ];
    for store in [&desk.store, &plain.store] {
        for lines in &batches {
            let batch = Batch::new(lines.clone(), Rules::default());
            store.submit(batch).unwrap().wait().unwrap();
        }
    }
    let sealed = desk.store.seal(BlockSize { least: 1, most: 1 }).unwrap();
    assert!(sealed.blocks >= 4, "{sealed:?}");
    for room in [0, 200, 300, 399] {
        for at in [1_500, 5_500, 6_500, 7_500] {
            let ask = |store: &Store| {
                let who = store.who(&rooms[room], &WhoFilter::at(at));
                serde_json::to_value(who.unwrap()).unwrap()
            };
            assert_eq!(ask(&desk.store), ask(&plain.store), "{room} at {at}");
        }
    }
}

#[test]
fn what_a_crash_left_of_sealing_counts_once() {
    let tape = evening();
    let parts = Parts::default();
    let desk = parts.open();
    desk.hear(&tape, &tape.lines);
    let before = parts.copied();
    let expected = asked(&desk);
    all_in_one(&desk);
    let block = parts.objects.read(1, 0, usize::MAX).unwrap();
    // The block is stored, and all frames are there, or the first of them are gone.
    let head = before.engine.head();
    for trimmed in 1..head {
        let crashed = before.copied();
        crashed.objects.put(1, &block).unwrap();
        crashed.engine.trim(trimmed).unwrap();
        let desk = crashed.open();
        assert_eq!(asked(&desk), expected, "{trimmed}");
        assert_eq!(crashed.engine.first(), head);
        desk.hear(&tape, &tape.lines);
        assert!(desk.store.verify(VerifyDepth::Deep, |_| {}).unwrap().ok);
    }
}

#[test]
fn a_missing_or_altered_block_is_named_and_never_answers() {
    let tape = evening();
    let parts = Parts::default();
    let desk = parts.open();
    desk.hear(&tape, &tape.lines);
    let expected = asked(&desk);
    let size = BlockSize { least: 1, most: 12 };
    assert!(desk.store.seal(size).unwrap().blocks > 3);
    drop(desk);
    let blocks = parts.objects.numbers().unwrap();
    for &number in &blocks {
        let whole = parts.objects.read(number, 0, usize::MAX).unwrap();
        parts.objects.remove(number).unwrap();
        let missing = parts.store(Options::default()).err().unwrap();
        assert!(missing.is_damage(), "{missing}");
        for bit in (0..whole.len() * 8).step_by(13) {
            let mut altered = whole.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            parts.objects.put(number, &altered).unwrap();
            found(&parts, &format!("block {number}, bit {bit}"));
        }
        for cut in (0..whole.len()).step_by(11) {
            parts.objects.put(number, &whole[..cut]).unwrap();
            found(&parts, &format!("block {number}, cut at {cut}"));
        }
        parts.objects.put(number, &whole).unwrap();
    }
    assert_eq!(asked(&parts.open()), expected);
}

/// Checks that the damage is found by opening the store or by verifying it.
fn found(parts: &Parts, what: &str) {
    match parts.store(Options::default()) {
        Err(error) => assert!(error.is_damage(), "{what}: {error}"),
        Ok(store) => {
            let verified = store.verify(VerifyDepth::Form, |_| {}).unwrap();
            assert!(!verified.ok, "{what}");
        }
    }
}
