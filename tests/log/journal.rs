//! The laws of the journal, checked for every engine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use crate::frames::{encode, restamp, small};
use proptest::collection::vec;
use proptest::prelude::*;
use rollbook::domain::names::Names;
use rollbook::limits::{VALUE_BYTES_MAX, VALUE_BYTES_WRITTEN};
use rollbook::log::block::Blocks;
use rollbook::log::engine::fault::FaultJournal;
use rollbook::log::engine::memory::MemoryJournal;
use rollbook::log::engine::objects::MemoryObjects;
use rollbook::log::engine::sled::SledJournal;
use rollbook::log::engine::{Durability, Engine, Journal, JournalError, KeyValues};
use rollbook::log::read::Log;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

fn values(range: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    range
        .map(|i| {
            format!("value {i}")
                .into_bytes()
                .repeat(1 + i as usize % 50)
        })
        .collect()
}

fn all(journal: &dyn Engine, from: u64) -> Vec<(u64, Vec<u8>)> {
    let values = journal.read(from).map(|item| {
        let (position, value) = item.unwrap();
        (position, value.to_vec())
    });
    values.collect()
}

/// Checks the laws on a fresh engine.
fn laws(journal: &dyn Engine) {
    assert_eq!((journal.first(), journal.head()), (1, 0));
    assert_eq!(all(journal, 0), []);
    assert_eq!(journal.get(0).unwrap(), None);
    assert_eq!(journal.get(1).unwrap(), None);
    journal.sync().unwrap();

    // Appending gives consecutive positions, and the values can be read at once.
    let ten = values(0..10);
    assert_eq!(journal.append(0, &ten[..1]).unwrap(), 1);
    assert_eq!(journal.append(1, &ten[1..]).unwrap(), 10);
    assert_eq!(journal.append(10, &[]).unwrap(), 10);
    let expected: Vec<_> = (1..).zip(ten.clone()).collect();
    assert_eq!(all(journal, 1), expected);
    assert_eq!(all(journal, 0), expected);
    assert_eq!(all(journal, 7), expected[6..]);
    assert_eq!(all(journal, 11), []);
    assert_eq!(all(journal, u64::MAX), []);
    assert_eq!(journal.get(4).unwrap().unwrap(), ten[3]);
    assert_eq!(journal.get(11).unwrap(), None);
    journal.sync().unwrap();

    // The fence: an append with a wrong head is refused.
    for wrong in [0, 9, 11, u64::MAX] {
        assert!(matches!(
            journal.append(wrong, &ten),
            Err(JournalError::Fenced { expected, actual: 10 }) if expected == wrong
        ));
    }
    let large = vec![vec![1], vec![0; VALUE_BYTES_MAX + 1]];
    assert!(matches!(
        journal.append(10, &large),
        Err(JournalError::TooLarge { .. })
    ));
    assert_eq!(all(journal, 1), expected);

    // Cut: the head goes back, and later values take those positions.
    journal.cut(10).unwrap();
    journal.cut(8).unwrap();
    assert_eq!(journal.head(), 8);
    assert_eq!(all(journal, 1), expected[..8]);
    assert!(matches!(
        journal.cut(9),
        Err(JournalError::NotKept { position: 9, .. })
    ));
    assert_eq!(journal.append(8, &ten[8..]).unwrap(), 10);
    assert_eq!(all(journal, 1), expected);

    // Trim: values at the front are removed; the positions of the others stay.
    journal.trim(0).unwrap();
    journal.trim(4).unwrap();
    journal.trim(2).unwrap();
    assert_eq!((journal.first(), journal.head()), (4, 10));
    assert_eq!(all(journal, 1), expected[3..]);
    assert_eq!(journal.get(3).unwrap(), None);
    assert!(journal.cut(2).is_err());
    journal.trim(1_000).unwrap();
    assert_eq!((journal.first(), journal.head()), (11, 10));
    assert_eq!(all(journal, 1), []);
    assert_eq!(journal.append(10, &ten[..2]).unwrap(), 12);
    assert_eq!(all(journal, 1).len(), 2);
    journal.sync().unwrap();

    shelf_laws(journal);
    assert_eq!(all(journal, 1).len(), 2);
}

fn shelf_laws(shelf: &dyn Engine) {
    assert_eq!(shelf.lookup(b"a").unwrap(), None);
    for key in ["a", "b1", "b2", "b\u{7f}", "c"] {
        shelf.put(key.as_bytes(), key.as_bytes()).unwrap();
    }
    shelf.put(b"b1", b"new").unwrap();
    assert_eq!(shelf.lookup(b"b1").unwrap().unwrap(), b"new");
    let keys = shelf.keys(b"b").unwrap();
    assert_eq!(
        keys,
        [
            b"b1".to_vec(),
            b"b2".to_vec(),
            "b\u{7f}".as_bytes().to_vec()
        ]
    );
    shelf.remove(b"b2").unwrap();
    shelf.remove(b"nothing").unwrap();
    assert_eq!(shelf.keys(b"b").unwrap().len(), 2);
    assert_eq!(shelf.keys(b"x").unwrap(), [] as [Vec<u8>; 0]);
    assert!(shelf.put(b"k", &vec![0; VALUE_BYTES_MAX + 1]).is_err());
}

fn sled(path: &Path) -> SledJournal {
    SledJournal::open(path, Durability::Process).unwrap()
}

fn folder() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("log");
    (dir, path)
}

/// Reading returns the engine's own memory, not a copy.
fn shares_what_it_reads(journal: &dyn Engine) {
    // Values that are too large for an engine to keep inline.
    let values: Vec<Vec<u8>> = (0..10).map(|i| vec![i; 100]).collect();
    journal.append(0, &values).unwrap();
    let read = || journal.read(1).map(|item| item.unwrap().1);
    assert!(read().zip(read()).all(|(a, b)| a.as_ptr() == b.as_ptr()));
    assert_eq!(read().count(), 10);
}

#[test]
fn reading_copies_no_value() {
    shares_what_it_reads(&MemoryJournal::new());
    shares_what_it_reads(&FaultJournal::new(MemoryJournal::new()));
    let (_dir, path) = folder();
    shares_what_it_reads(&sled(&path));
}

#[test]
fn memory_keeps_the_laws() {
    laws(&MemoryJournal::new());
}

#[test]
fn faultless_fault_keeps_the_laws() {
    laws(&FaultJournal::new(MemoryJournal::new()));
}

#[test]
fn an_engine_behind_an_arc_keeps_the_laws() {
    laws(&Arc::new(MemoryJournal::new()));
}

#[test]
fn sled_keeps_the_laws() {
    for durability in [Durability::Power, Durability::Process, Durability::None] {
        let (_dir, path) = folder();
        laws(&SledJournal::open(&path, durability).unwrap());
    }
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Vec<u8>>),
    Cut(prop::sample::Index),
    Trim(prop::sample::Index),
    Sync,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => vec(vec(any::<u8>(), 0..200), 0..6).prop_map(Step::Append),
        1 => any::<prop::sample::Index>().prop_map(Step::Cut),
        1 => any::<prop::sample::Index>().prop_map(Step::Trim),
        1 => Just(Step::Sync),
        1 => Just(Step::Reopen),
    ]
}

/// Applies the same steps to an engine and to a plain list.
fn follow<E: Engine>(mut journal: E, steps: Vec<Step>, reopen: impl Fn(E) -> E) {
    let (mut model, mut first) = (Vec::<Vec<u8>>::new(), 1usize);
    for step in steps {
        let head = model.len() as u64;
        match step {
            Step::Append(more) => {
                assert_eq!(
                    journal.append(head, &more).unwrap(),
                    head + more.len() as u64
                );
                model.extend(more);
            }
            Step::Cut(at) => {
                let kept = first - 1 + at.index(model.len() + 2 - first);
                journal.cut(kept as u64).unwrap();
                model.truncate(kept);
            }
            Step::Trim(at) => {
                let before = 1 + at.index(model.len() + 1);
                journal.trim(before as u64).unwrap();
                first = first.max(before);
            }
            Step::Sync => journal.sync().unwrap(),
            Step::Reopen => {
                journal.sync().unwrap();
                journal = reopen(journal);
            }
        }
        assert_eq!(journal.head(), model.len() as u64);
        assert_eq!(journal.first(), first as u64);
        let kept: Vec<_> = (1u64..).zip(model.iter().cloned()).collect();
        assert_eq!(all(&journal, 0), kept[first - 1..]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn memory_is_a_list(steps in vec(step(), 1..40)) {
        follow(MemoryJournal::new(), steps, |journal| journal);
    }
}

proptest! {
    // Few cases, since each opens a store several times.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn sled_is_a_list(steps in vec(step(), 1..30)) {
        let (_dir, path) = folder();
        follow(sled(&path), steps, |journal| {
            drop(journal);
            sled(&path)
        });
    }
}

#[test]
fn sled_keeps_everything_in_one_file_whatever_the_values() {
    for largest in [VALUE_BYTES_WRITTEN, VALUE_BYTES_MAX] {
        everything_is_in_one_file(largest);
    }
}

fn everything_is_in_one_file(largest: usize) {
    let (_dir, path) = folder();
    let journal = SledJournal::open_for(&path, Durability::Process, largest).unwrap();
    assert!(journal.append(0, &[vec![0; largest + 1]]).is_err());
    let large = |i: u64| {
        // Values that no compression can make smaller.
        let mut value = vec![0; largest];
        blake3::Hasher::new_keyed(&[i as u8; 32])
            .finalize_xof()
            .fill(&mut value);
        value
    };
    for i in 0..120 {
        let head = journal.head();
        // One value at a time or several at once, and key values beside them.
        let batch: Vec<_> = (0..1 + i % 3 * 8).map(|k| large(head + k)).collect();
        journal.append(head, &batch).unwrap();
        journal
            .put(&(i * 7 % 40u64).to_be_bytes(), &large(i))
            .unwrap();
        if i % 10 == 9 {
            journal.sync().unwrap();
            journal.no_blobs().unwrap();
        }
        if i == 60 {
            journal.trim(journal.head() / 2).unwrap();
        }
    }
    let (first, head) = (journal.first(), journal.head());
    journal.sync().unwrap();
    drop(journal);
    let journal = sled(&path);
    journal.no_blobs().unwrap();
    assert_eq!((journal.first(), journal.head()), (first, head));
    let mut count = 0;
    for item in journal.read(1) {
        let (position, value) = item.unwrap();
        assert!(*value == large(position - 1));
        count += 1;
    }
    assert_eq!(count, head + 1 - first);
    assert_eq!(std::fs::read_dir(path.join("blobs")).unwrap().count(), 0);
}

/// sled opens a file only with the size of segments with which it was made. A crash may leave its settings in any form.
#[test]
fn sled_finds_the_size_of_its_segments_without_its_settings() {
    let lost: [Option<&[u8]>; 5] = [
        None,
        Some(b""),
        Some(&[0; 4]),
        Some(b"segment_"),
        Some(b"segment_size: 524288\nuse_compression: false\n...."),
    ];
    for (count, lost) in [0, 1, 30, 400, 90].into_iter().zip(lost) {
        for largest in [VALUE_BYTES_WRITTEN, VALUE_BYTES_MAX] {
            let (_dir, path) = folder();
            let journal = SledJournal::open_for(&path, Durability::Process, largest).unwrap();
            let value = |i: u64| vec![i as u8; largest - 7 * (i % 3) as usize];
            for i in 0..count {
                journal.append(i, &[value(i)]).unwrap();
                // Without the values that went, the file has segments that are free.
                journal.trim(i.saturating_sub(250)).unwrap();
            }
            let first = journal.first();
            drop(journal);
            let settings = path.join("conf");
            match lost {
                Some(lost) => std::fs::write(settings, lost).unwrap(),
                None => std::fs::remove_file(settings).unwrap(),
            }
            for open in 0..2 {
                let journal = sled(&path);
                assert_eq!((journal.first(), journal.head()), (first, count), "{open}");
                for item in journal.read(first) {
                    let (position, kept) = item.unwrap();
                    assert!(*kept == value(position - 1), "{position} of {count}");
                }
            }
        }
    }
}

#[test]
fn sled_keeps_its_end_when_everything_was_trimmed() {
    let (_dir, path) = folder();
    let journal = sled(&path);
    journal.append(0, &values(0..30)).unwrap();
    journal.trim(31).unwrap();
    drop(journal);
    let journal = sled(&path);
    assert_eq!((journal.first(), journal.head()), (31, 30));
    assert_eq!(journal.append(30, &values(0..1)).unwrap(), 31);
}

#[test]
fn sled_refuses_a_second_owner_and_what_is_no_store() {
    let (_dir, path) = folder();
    let journal = sled(&path);
    assert!(SledJournal::open(&path, Durability::Process).is_err());
    drop(journal);
    std::fs::write(path.join("blobs").join("7"), b"x").unwrap();
    assert!(matches!(
        SledJournal::open(&path, Durability::Process),
        Err(JournalError::Damaged { .. })
    ));
}

#[test]
fn reading_goes_on_while_the_front_is_trimmed() {
    let (_dir, path) = folder();
    let journal = sled(&path);
    journal.append(0, &values(0..100)).unwrap();
    let mut reading = journal.read(1);
    assert_eq!(reading.next().unwrap().unwrap().0, 1);
    journal.trim(50).unwrap();
    let rest: Vec<u64> = reading.map(|item| item.unwrap().0).collect();
    assert_eq!(rest.last(), Some(&100));
    assert!(rest.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn a_crash_takes_a_suffix_of_what_was_not_synced() {
    let journal = FaultJournal::new(MemoryJournal::new());
    journal.append(0, &values(0..5)).unwrap();
    journal.sync().unwrap();
    journal.append(5, &values(5..10)).unwrap();
    journal.put(b"k", b"ahead").unwrap();
    journal.crash(2).unwrap();
    assert_eq!(journal.head(), 7);
    let expected: Vec<_> = (1..).zip(values(0..7)).collect();
    assert_eq!(all(&journal, 1), expected);
    assert_eq!(journal.lookup(b"k").unwrap().unwrap(), b"ahead");
    journal.append(7, &values(0..1)).unwrap();
    journal.crash(0).unwrap();
    assert_eq!(journal.head(), 7);
}

#[test]
fn faults_come_when_they_are_asked_for() {
    let journal = FaultJournal::new(MemoryJournal::new());
    journal.fail_append(1, 2);
    journal.append(0, &values(0..1)).unwrap();
    assert!(matches!(
        journal.append(1, &values(1..4)),
        Err(JournalError::Injected)
    ));
    assert_eq!(journal.head(), 3, "a torn append leaves its front behind");
    journal.append(3, &values(3..4)).unwrap();
    journal.fail_sync(0);
    assert!(matches!(journal.sync(), Err(JournalError::Injected)));
    journal.crash(0).unwrap();
    assert_eq!(journal.head(), 0, "nothing was synced");
    journal.append(0, &[vec![0; 4]]).unwrap();
    journal.flip(1, 9);
    assert_eq!(journal.get(1).unwrap().unwrap(), [0, 2, 0, 0]);
    assert_eq!(all(&journal, 1), [(1, vec![0, 2, 0, 0])]);
}

/// A part that claims that its frame began further back than that frame reaches.
#[test]
fn a_part_that_leads_back_is_not_followed_round_and_round() {
    let mut names = Names::new();
    let records = small(&mut names);
    let whole = encode(&records, &names).values.remove(0);
    let mut stray = whole.clone();
    stray[16..20].copy_from_slice(&1u32.to_le_bytes());
    stray[20..24].copy_from_slice(&3u32.to_le_bytes());
    restamp(&mut stray);
    let journal = MemoryJournal::new();
    // The last value is the end of a frame: otherwise opening the log would drop what is unfinished.
    journal.append(0, &[whole.clone(), stray, whole]).unwrap();
    let blocks = Blocks::open(Box::new(MemoryObjects::default())).unwrap();
    let log = Log::open(Box::new(journal), blocks).unwrap();
    for seq in [0, 1, 4, u64::MAX] {
        let found = log.find_seq(seq, 3).unwrap();
        assert!((1..=3).contains(&found), "{seq}: {found}");
    }
}
